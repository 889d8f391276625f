/** Several who wait for devices at once: the network is open as long as one of them does. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { Joinings, OPEN_SECONDS_MAX } from '../../src/transport/zigbee/joinings.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

const test = suite('joinings');
const [ONE, TWO, THREE] = ['000d6f0000000001', '000d6f0000000002', '000d6f0000000003'];

/** A network, and devices that come at a time and get in where it is open. */
class Network {
  readonly clock = new SimulatedScheduler();
  readonly joinings = new Joinings(this, this.clock);
  readonly inside = new Set<string>();
  readonly codes: string[] = [];
  /** What it was told, in order. */
  readonly said: string[] = [];
  isUp = true;
  private isBusy = false;
  private openUntilMs = 0;
  private readonly startMs = this.clock.nowMs();

  get isOpen(): boolean {
    return this.clock.nowMs() < this.openUntilMs;
  }

  async open(seconds: number, installCodes: string[]): Promise<void> {
    await this.command(`open ${seconds}`, () => {
      this.codes.push(...installCodes);
      this.openUntilMs = this.clock.nowMs() + seconds * 1000;
    });
  }

  async close(): Promise<void> {
    await this.command('close', () => {
      this.openUntilMs = 0;
    });
  }

  knows(eui64: string): boolean {
    if (!this.isUp) throw new UpliftError('link-down', 'no link');
    return this.inside.has(eui64);
  }

  comes(eui64: string, seconds: number): void {
    this.clock.after(seconds * 1000, () => {
      if (this.isOpen) this.inside.add(eui64);
    });
  }

  wait(eui64s: string[], seconds: number, installCodes: string[] = []) {
    const waiting = { missing: undefined as string[] | undefined, code: '', endedSeconds: 0 };
    const ended = () => {
      waiting.endedSeconds = Math.round((this.clock.nowMs() - this.startMs) / 1000);
    };
    this.joinings.wait({ eui64s, installCodes, timeoutMs: seconds * 1000 }).then(
      ({ missing }) => {
        waiting.missing = missing;
        ended();
      },
      (error: UpliftError) => {
        waiting.code = error.code;
        ended();
      },
    );
    return waiting;
  }

  async run(seconds: number): Promise<void> {
    for (let n = 0; n < seconds * 20; n++) {
      this.clock.run(50);
      for (let turn = 0; turn < 12; turn++) await Promise.resolve();
    }
  }

  /** Takes a while, and two at once would mix. */
  private async command(what: string, effect: () => void): Promise<void> {
    assert.not(this.isBusy, `${what} while another command is under way`);
    this.isBusy = true;
    await Promise.resolve();
    this.isBusy = false;
    if (!this.isUp) throw new UpliftError('link-down', 'no link');
    this.said.push(what);
    effect();
  }
}

test('who has its device first does not close the network for the others', async () => {
  const network = new Network();
  const one = network.wait([ONE], 60);
  const two = network.wait([TWO, THREE], 60);
  network.comes(ONE, 5);
  network.comes(TWO, 20);
  network.comes(THREE, 40);
  await network.run(10);
  assert.equal([one.missing, two.missing], [[], undefined]);
  assert.ok(network.isOpen, 'the other waits still');
  await network.run(40);
  assert.equal(two.missing, []);
  assert.not.ok(network.isOpen, 'nobody waits any more');
});

test('who gives up first does not close it, nor opens it for as short as it waits itself', async () => {
  const network = new Network();
  const patient = network.wait([ONE], 100);
  await network.run(1);
  const hasty = network.wait([TWO], 5);
  network.comes(ONE, 60);
  await network.run(10);
  assert.equal(hasty.missing, [TWO]);
  assert.ok(network.isOpen);
  await network.run(60);
  assert.equal(patient.missing, []);
  assert.equal(network.said, ['open 100', 'open 99', 'close'], 'open throughout');
});

test('one who comes while the last goes finds it open', async () => {
  const network = new Network();
  network.wait([ONE], 60);
  network.comes(ONE, 5);
  await network.run(4);
  const late: { of?: ReturnType<Network['wait']> } = {};
  // At the very look that finds the first device there.
  network.clock.after(1_000, () => {
    late.of = network.wait([TWO], 60);
  });
  network.comes(TWO, 30);
  await network.run(2);
  assert.ok(network.isOpen);
  await network.run(40);
  assert.equal(late.of?.missing, []);
  assert.not.ok(network.isOpen);
});

test('what has joined already is not waited for, and the network is closed at once', async () => {
  const network = new Network();
  network.inside.add(ONE);
  const one = network.wait([ONE], 60, ['CODE']);
  await network.run(1);
  assert.equal([one.missing, network.codes], [[], ['CODE']]);
  assert.equal(network.said, ['open 60', 'close']);
});

test('one who waits for longer than a network can be opened for has it opened again', async () => {
  const network = new Network();
  const one = network.wait([ONE], 600);
  network.comes(ONE, 590);
  await network.run(595);
  assert.equal(one.missing, []);
  assert.equal(network.said.slice(0, 2), [`open ${OPEN_SECONDS_MAX}`, `open ${OPEN_SECONDS_MAX}`]);
  assert.equal(network.said.length, 4, network.said.join(', '));
});

test('a link that goes down ends every wait with its code, and spoils none that comes later', async () => {
  const network = new Network();
  const one = network.wait([ONE], 60);
  const two = network.wait([TWO], 60);
  await network.run(2);
  network.isUp = false;
  await network.run(1);
  assert.equal([one.code, two.code], ['link-down', 'link-down']);
  network.isUp = true;
  const again = network.wait([ONE], 60);
  network.comes(ONE, 5);
  await network.run(10);
  assert.equal(again.missing, []);
  assert.is(network.said.at(-1), 'close');
});

test.run();
