/** What a run reaches into a rig by, as its file names it; and what is missing, before anything is opened. */
import { connect, createServer, type Server } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PpmidDevice, Rig, RigDevice } from '../../src/config/schema.ts';
import { openRecorder } from '../../src/lab/recording/writer.ts';
import type { RigHands } from '../../src/lab/runner/hands.ts';
import type { LabRun } from '../../src/lab/runner/lab-run.ts';
import { openRigHands } from '../../src/lab/runner/rig-hands.ts';
import { buttonOf, lackOf, powerOf } from '../../src/lab/runner/rig-parts.ts';
import type { Step } from '../../src/lab/scenario/scenario.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { freePort, TestRig, type TestRigOptions } from '../support/rigs.ts';
import { FakeRig, removeFolders, runOn } from './fake-hands.ts';
import { headerOf } from './recorded-world.ts';

const test = suite('rig hands');
const folder = temporaryFolder('hands');
let recordings = 0;

async function withHands(
  options: TestRigOptions,
  work: (hands: RigHands, rig: TestRig) => Promise<void>,
): Promise<void> {
  const rig = await TestRig.make(options);
  const path = `${folder}/${++recordings}.uplrec`;
  const recorder = openRecorder(path, headerOf('bytes'));
  const hands = await openRigHands({ rig: rig.rig, folder: rig.folder, seed: 1, recorder });
  try {
    await work(hands, rig);
  } finally {
    await hands.close();
    await recorder.close();
    await rig.remove();
  }
}

/** Whether something takes connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(Number(path.split(':').at(-1)), '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

test('a virtual rig has supplies and buttons without naming any, and a proxy before its coordinator', async () => {
  await withHands({ devices: 1, hubs: [{ id: 'hub' }] }, async (hands, { rig }) => {
    const own = hands.rig.coordinators[0]!.port;
    assert.is.not(own, rig.coordinators[0]!.port);
    assert.ok(await answers(own));
    for (const id of ['hub', 'ppmid', 'zigbee-1']) {
      const power = hands.power(id)!;
      await power.off();
      assert.is(await power.state(), 'off', id);
      assert.is(hands.power(id), power, 'the same each time: it knows how it was switched');
      await power.on();
      assert.is(await power.state(), 'on', id);
    }
    assert.is(hands.power('other'), undefined);
    await hands.button('hub', undefined)!.press(1);
    await hands.button('ppmid', 'any')!.press(1);
    assert.is(await hands.glitchLine('hub', { rts: true, ms: 1 }), true);
    assert.is(await hands.glitchLine('ppmid', { rts: true, ms: 1 }), false);
    await hands.resetCoordinator('zigbee-1');
    assert.is(hands.faults('ppmid')!.counts['resets'], 1);
    assert.is(hands.resetCoordinator('other'), undefined);
  });
});

test('closed, it leaves no port and no fault', async () => {
  let port = '';
  await withHands({ devices: 1 }, async (hands) => {
    port = hands.rig.coordinators[0]!.port;
    hands.faults('ppmid')!.set({ disconnected: true });
  });
  assert.is(await answers(port), false);
});

const VIRTUAL = { driver: 'virtual' } as const;
const GPIO = { driver: 'gpio', chip: 'c', line: 1, activeLow: false, libgpiod: 2 } as const;
const gpio = { ...GPIO, timeoutMs: 1_000 };

test('a supply and a button: as named, else that of a virtual device, else none', () => {
  assert.equal(powerOf({ power: gpio, virtual: {} }), gpio);
  assert.equal(powerOf({ virtual: {} }), VIRTUAL);
  assert.is(powerOf({}), undefined);
  const buttons = { join: gpio, reset: gpio };
  assert.is(buttonOf({ buttons }, undefined), undefined, 'which of two is to be said');
  assert.is(buttonOf({ buttons }, 'reset')?.name, 'reset');
  assert.is(buttonOf({ buttons, virtual: {} }, 'other'), undefined);
  assert.equal(buttonOf({ virtual: {} }, 'reset')?.config, VIRTUAL);
  assert.is(buttonOf({}, 'reset'), undefined);
});

test('each step that a rig cannot do is told with its code and what to write', async () => {
  const { rig, remove } = await bare({ devices: 1, hubs: [{ id: 'hub' }] });
  const real = <D extends RigDevice>(device: D): D => ({ ...device, virtual: undefined });
  const [hub, ppmid] = [real(rig.hubs[0]!), real<PpmidDevice>(rig.ppmids[0]!)];
  const ember: Rig = {
    ...rig,
    coordinators: rig.coordinators.map((one) => ({
      ...one,
      ...{ adapter: 'ember' as const, virtual: undefined },
    })),
  };
  const rows: [Step, RigDevice, Rig, string | undefined, RegExp | undefined][] = [
    [{ powerOff: {} }, hub, rig, 'power-missing', /devices, hub: power/],
    [{ powerOff: {} }, { ...hub, power: gpio }, rig, undefined, undefined],
    [{ powerOff: {} }, rig.hubs[0]!, rig, undefined, undefined],
    [{ press: { button: 'join', ms: 1 } }, hub, rig, 'button-missing', /buttons: \{join:/],
    [{ fault: { drop: 0.1 } }, hub, rig, undefined, undefined],
    [{ fault: { drop: 0.1 } }, ppmid, rig, undefined, undefined],
    [{ fault: { drop: 0.1 } }, ppmid, ember, 'faults-missing', /coordinators, zigbee-1: adapter/],
    [{ fault: { burst: { bytes: 1, count: 1 } } }, ppmid, rig, 'fault-unsupported', /drop/],
    [{ assert: { faultsMin: 1 } }, ppmid, ember, 'faults-missing', /adapter/],
    [{ assert: { version: '1' } }, ppmid, ember, undefined, undefined],
    [{ coordinatorReset: {} }, ppmid, rig, undefined, undefined],
    [{ coordinatorReset: {} }, ppmid, ember, 'reset-missing', /coordinators, zigbee-1: power/],
    [{ coordinatorReset: {} }, hub, rig, 'reset-missing', /that of hub/],
    [{ lineGlitch: { dtr: true, ms: 1 } }, hub, rig, undefined, undefined],
    [{ lineGlitch: { rts: true, ms: 1 } }, ppmid, rig, 'glitch-missing', /serial adapter/],
    [{ lineGlitch: { dtr: true, ms: 1 } }, rig.hubs[0]!, rig, 'glitch-missing', /RTS/],
    [{ wanSlow: { wan: 'far', delayMs: 1, forMs: 1 } }, hub, rig, 'wan-missing', /id: far/],
  ];
  for (const [step, device, on, code, write] of rows) {
    const lack = lackOf(step, device, on);
    assert.is(lack?.code, code, JSON.stringify(step));
    if (write) assert.match(lack!.expected!, write);
  }
  await remove();
});

async function bare(options: TestRigOptions) {
  const rig = await TestRig.make(options);
  return { rig: rig.rig, remove: () => rig.remove() };
}

test('a server of the network is cut off and slow, and as it was when the run has ended', async () => {
  const server = await echoing();
  const { port } = server.address() as { port: number };
  const listen = { host: '127.0.0.1', port: await freePort() };
  const target = { host: '127.0.0.1', port };
  const wan = [{ id: 'far', listen, target }];
  const seen: string[] = [];
  // How soon it answers where nothing is slow is the machine's to say.
  const ask = (when: string, waitMs = 10_000, leastMs = Number.POSITIVE_INFINITY) => ({
    call: async (run: LabRun) => {
      const startedMs = run.nowMs();
      const answer = await said(listen.port, waitMs);
      seen.push(`${when}: ${answer}${run.nowMs() - startedMs >= leastMs ? ', late' : ''}`);
    },
  });
  const beside = (step: object, asked: object) => ({
    parallel: [[step], [{ waitFor: { ms: 20 } }, asked]] as never,
  });
  await runOn(
    new FakeRig(),
    1,
    {
      name: 'wan',
      steps: [
        ask('before'),
        beside({ wanCut: { wan: 'far', forMs: 1_000 } }, ask('cut')),
        beside({ wanCut: { wan: 'far', stalled: true, forMs: 1_000 } }, ask('stalled', 150, 140)),
        beside({ wanSlow: { wan: 'far', delayMs: 30, forMs: 1_000 } }, ask('slow', 10_000, 30)),
        ask('after'),
      ],
    },
    {},
    (rig) => ({ ...rig, wan }),
  );
  const expected = ['before: x', 'cut: nothing', 'stalled: nothing, late', 'slow: x, late'];
  assert.equal(seen, [...expected, 'after: x']);
  assert.is(await said(listen.port, 50), 'nothing', 'the proxy is gone with the lab');
  server.close();
});

function echoing(): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

/** What comes back within the time. */
function said(port: number, withinMs: number): Promise<string> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('x'));
    const end = (text: string) => {
      socket.destroy();
      clearTimeout(timer);
      done(text);
    };
    const timer = setTimeout(() => end('nothing'), withinMs);
    socket.on('data', (bytes) => end(String(bytes)));
    socket.on('error', () => end('nothing'));
  });
}

test.after(removeFolders);
test.run();
