/** The driver with scripted machines, a link that does as it is told, and a clock that is told the time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LinkClosed } from '../../../src/ports.ts';
import type { ByteMachine } from '../../../src/protocol/machine.ts';
import { KEPT_BYTES_MAX, LinkDriver } from '../../../src/transport/serial/driver.ts';
import { SimulatedLink, SimulatedTimers } from './simulated-link.ts';

const test = suite('driver');

const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Does as it is told, and keeps one buffer for all it sends, as machines do. */
class Scripted implements ByteMachine<string> {
  readonly took: string[] = [];
  readonly woken: number[] = [];
  timeoutMs = Number.POSITIVE_INFINITY;
  transmit: string[] = [];
  events: string[] = [];
  unread = '';
  onBytes: (text: string) => void = () => {};
  onTimeout: () => void = () => {};
  private readonly buffer = new Uint8Array(10_000);

  handleBytes(bytes: Uint8Array): void {
    this.took.push(textOf(bytes));
    this.onBytes(textOf(bytes));
  }

  handleTimeout(nowMs: number): void {
    this.woken.push(nowMs);
    if (nowMs < this.timeoutMs) return;
    this.timeoutMs = Number.POSITIVE_INFINITY;
    this.onTimeout();
  }

  pollTransmit(): Uint8Array | undefined {
    const text = this.transmit.shift();
    if (text === undefined) return undefined;
    this.buffer.set(bytesOf(text));
    return this.buffer.subarray(0, text.length);
  }

  pollEvent(): string | undefined {
    return this.events.shift();
  }

  pollTimeout(): number {
    return this.timeoutMs;
  }

  pollUnread(): Uint8Array | undefined {
    const { unread } = this;
    this.unread = '';
    return unread === '' ? undefined : bytesOf(unread);
  }
}

interface Bench {
  link: SimulatedLink;
  timers: SimulatedTimers;
  driver: LinkDriver;
  told: string[];
  closed: LinkClosed[];
  run(machine: Scripted, onEvent?: (event: string) => void, lineBytesMax?: number): void;
}

async function bench(): Promise<Bench> {
  const link = new SimulatedLink();
  const timers = new SimulatedTimers();
  const driver = new LinkDriver(link, timers);
  const told: string[] = [];
  const closed: LinkClosed[] = [];
  await driver.open();
  return {
    link,
    timers,
    driver,
    told,
    closed,
    run: (machine, onEvent = () => {}, lineBytesMax) =>
      driver.run(
        machine,
        {
          event: (event) => {
            told.push(event);
            onEvent(event);
          },
          closed: (how) => closed.push(how),
        },
        lineBytesMax === undefined ? {} : { lineBytesMax },
      ),
  };
}

test('what a machine has to send at one time is one write', async () => {
  const { link, run } = await bench();
  const machine = new Scripted();
  machine.transmit = ['line 1\n', 'line 2\n', 'line 3\n'];
  run(machine);
  assert.equal(link.writes.map(textOf), ['line 1\nline 2\nline 3\n']);
});

test('nothing is sent until the system has taken the piece before, then all of it', async () => {
  const { link, run, driver } = await bench();
  const machine = new Scripted();
  machine.transmit = ['a'];
  run(machine);
  machine.transmit = ['b', 'c'];
  driver.wake();
  link.receive(bytesOf('x'));
  assert.equal(link.writes.map(textOf), ['a']);
  link.take();
  assert.equal(link.writes.map(textOf), ['a', 'bc']);
  link.take();
  assert.not.ok(link.isBusy);
});

test('a machine with much to send gets it out in order, in writes of a bounded size', async () => {
  const { link, run } = await bench();
  const machine = new Scripted();
  const chunks = Array.from({ length: 50 }, (_, i) =>
    String.fromCharCode(65 + (i % 26)).repeat(700),
  );
  machine.transmit = [...chunks];
  run(machine);
  while (link.isBusy) link.take();
  assert.is(link.writes.map(textOf).join(''), chunks.join(''));
  assert.ok(link.writes.every(({ length }) => length < 4096 + 700));
});

test('one piece larger than the buffer goes whole', async () => {
  const { link, run } = await bench();
  const machine = new Scripted();
  machine.transmit = ['s', 'x'.repeat(9_000)];
  run(machine);
  assert.is(textOf(link.writes[0]!), `s${'x'.repeat(9_000)}`);
});

test('an event may have more sent, and that more events', async () => {
  const { link, run, told } = await bench();
  const machine = new Scripted();
  machine.events = ['one'];
  run(machine, (event) => {
    if (event !== 'one') return;
    machine.transmit.push('after one');
    machine.events.push('two', 'three');
  });
  assert.equal(told, ['one', 'two', 'three']);
  assert.equal(link.writes.map(textOf), ['after one']);
});

test('one timer, moved earlier and kept when moved later', async () => {
  const { timers, run, driver } = await bench();
  const machine = new Scripted();
  const start = timers.nowMs();
  machine.timeoutMs = start + 100;
  run(machine);
  assert.is(timers.waiting, 1);
  machine.timeoutMs = start + 50;
  driver.wake();
  assert.is(timers.waiting, 1);
  machine.timeoutMs = start + 80;
  driver.wake();
  assert.is(timers.waiting, 1);
  timers.advance(79);
  assert.equal(machine.woken, [start + 50], 'early once, which is harmless');
  timers.advance(1);
  assert.equal(machine.woken, [start + 50, start + 80]);
  assert.is(timers.waiting, 0, 'a machine that wants no wake has no timer');
});

test('a timeout that has passed already comes at once, and what it sends goes out', async () => {
  const { link, timers, run } = await bench();
  const machine = new Scripted();
  machine.timeoutMs = timers.nowMs() - 5;
  machine.onTimeout = () => machine.transmit.push('again');
  run(machine);
  timers.advance(0);
  assert.equal(link.writes.map(textOf), ['again']);
});

test('bytes before any machine are kept, in order, for the first', async () => {
  const { link, run } = await bench();
  link.receive(bytesOf('bo'));
  link.receive(bytesOf('ot'));
  const machine = new Scripted();
  run(machine);
  link.receive(bytesOf('ed'));
  assert.is(machine.took.join(''), 'booted');
});

test('of more than is kept the oldest go, and are counted', async () => {
  const { link, run, driver } = await bench();
  for (let i = 0; i < 70; i++) link.receive(new Uint8Array(1000).fill(i));
  const machine = new Scripted();
  run(machine);
  const took = machine.took.join('');
  assert.is(took.length, KEPT_BYTES_MAX);
  assert.is(driver.droppedBytes, 70_000 - KEPT_BYTES_MAX);
  assert.is(took.charCodeAt(0), 4);
  assert.is(took.charCodeAt(took.length - 1), 69);
});

test('menu, then XMODEM, then menu: not a byte is lost at any split point', async () => {
  const stream = 'BL > begin upload\r\n\0CC\x06\x06complete\0BL > rest';
  const parts = ['BL > begin upload\r\n\0', 'CC\x06\x06', 'complete\0BL > rest'];
  for (let cut = 1; cut < stream.length; cut++) {
    const { link, run } = await bench();
    const menu = ending('menu', parts[0]!.length);
    const xmodem = ending('xmodem', parts[1]!.length);
    const again = new Scripted();
    run(menu, () => run(xmodem, () => run(again)));
    link.receive(bytesOf(stream.slice(0, cut)));
    link.receive(bytesOf(stream.slice(cut)));
    assert.equal([menu, xmodem, again].map(read), parts, `cut at ${cut}`);
  }
});

test('lines for one machine, then raw bytes for the next: the unfinished line goes over', async () => {
  const { link, run, told } = await bench();
  const smp = new Scripted();
  const xmodem = new Scripted();
  smp.onBytes = (text) => text === 'last\n' && smp.events.push('over');
  run(smp, () => run(xmodem), 127);
  link.receive(bytesOf('fir'));
  assert.equal(smp.took, []);
  link.receive(bytesOf('st\nsecond\nlast\nC'));
  link.receive(bytesOf('C'));
  assert.equal(smp.took, ['first\n', 'second\n', 'last\n']);
  assert.is(xmodem.took.join(''), 'CC');
  assert.equal(told, ['over']);
});

test('lines that were not handed on go to the next machine too', async () => {
  const { link, run } = await bench();
  const smp = new Scripted();
  const next = new Scripted();
  smp.onBytes = () => smp.events.push('over');
  run(smp, () => run(next, undefined, 127), 127);
  link.receive(bytesOf('one\ntwo\nthree\nfo'));
  link.receive(bytesOf('ur\n'));
  assert.equal(smp.took, ['one\n']);
  assert.equal(next.took, ['two\n', 'three\n', 'four\n']);
});

test('what a machine leaves unread of the first kept chunk comes before the next kept one', async () => {
  const { link, run } = await bench();
  link.receive(bytesOf('menu>CC'));
  link.receive(bytesOf('later'));
  const menu = ending('over', 'menu>'.length);
  const next = new Scripted();
  run(menu, () => run(next));
  assert.is(next.took.join(''), 'CClater');
});

test('each line is followed by all that the machine makes of it', async () => {
  const { run, link, told } = await bench();
  const machine = new Scripted();
  machine.onBytes = (text) => machine.events.push(`took ${text.trim()}`);
  run(machine, (event) => told.push(`when ${machine.took.length}, ${event}`), 127);
  link.receive(bytesOf('a\nb\n'));
  assert.equal(told, ['took a', 'when 1, took a', 'took b', 'when 2, took b']);
});

test("a machine's events end where another takes its place", async () => {
  const { run, told } = await bench();
  const first = new Scripted();
  const second = new Scripted();
  first.events = ['go', 'never told'];
  second.events = ['second'];
  run(first, () => run(second));
  assert.equal(told, ['go', 'second']);
});

test('between two machines bytes are kept, and the first hears of nothing', async () => {
  const { link, run, driver, timers } = await bench();
  const first = new Scripted();
  first.timeoutMs = timers.nowMs() + 10;
  run(first);
  driver.release();
  link.receive(bytesOf('kept'));
  timers.advance(100);
  assert.equal([first.took, first.woken, timers.waiting], [[], [], 0]);
  const second = new Scripted();
  run(second);
  assert.equal(second.took, ['kept']);
});

test('a closed link stops everything, and an opened one goes on', async () => {
  const { link, run, driver, timers, closed } = await bench();
  const machine = new Scripted();
  machine.transmit = ['lost'];
  machine.timeoutMs = timers.nowMs() + 100;
  run(machine, undefined, 127);
  link.receive(bytesOf('half a li'));
  link.vanish();
  assert.equal(closed, [{ reason: 'vanished', detail: 'EIO' }]);
  machine.transmit = ['held'];
  driver.wake();
  timers.advance(1000);
  assert.equal([machine.woken, timers.waiting], [[], 0], 'time without a link does not count');
  await driver.open();
  assert.equal(link.writes.map(textOf), ['lost', 'held']);
  link.receive(bytesOf('new line\n'));
  assert.equal(machine.took, ['new line\n'], 'nothing of before the gap');
  timers.advance(0);
  assert.is(machine.woken.length, 1);
});

test('events are told without a link too', async () => {
  const { link, run, driver, told } = await bench();
  const machine = new Scripted();
  run(machine);
  link.vanish();
  machine.events = ['cancelled'];
  driver.wake();
  assert.equal(told, ['cancelled']);
});

test('an owner that takes the machine off when the link closes', async () => {
  const { link, driver } = await bench();
  driver.run(new Scripted(), { event: () => {}, closed: () => driver.release() });
  link.vanish();
  driver.wake();
  assert.not.ok(link.isOpen);
});

test('discard forgets what was not handed on', async () => {
  const { link, run, driver } = await bench();
  link.receive(bytesOf('old boot log'));
  await driver.discard();
  const machine = new Scripted();
  run(machine, undefined, 127);
  link.receive(bytesOf('half'));
  await driver.discard();
  link.receive(bytesOf('new\n'));
  assert.equal(machine.took, ['new\n']);
  assert.equal(link.done, ['discard', 'discard']);
});

test('a hundred thousand lines leave nothing behind', async () => {
  const { link, run, timers } = await bench();
  const machine = new Scripted();
  let count = 0;
  machine.onBytes = () => {
    count++;
    machine.took.length = 0;
    machine.timeoutMs = timers.nowMs() + 100;
    machine.transmit.push('x');
  };
  run(machine, undefined, 127);
  const chunk = bytesOf('0123456789\n'.repeat(100));
  for (let i = 0; i < 1000; i++) {
    link.receive(chunk);
    while (link.isBusy) link.take();
    timers.advance(1);
    link.writes.length = 0;
    link.done.length = 0;
  }
  assert.is(count, 100_000);
  assert.ok(timers.waiting <= 1);
});

/** Ends after so many bytes: says so, and leaves the others unread. */
function ending(name: string, length: number): Scripted {
  const machine = new Scripted();
  let left = length;
  machine.onBytes = (text) => {
    if (text.length < left) {
      left -= text.length;
      return;
    }
    machine.unread = text.slice(left);
    machine.events.push(name);
  };
  return Object.assign(machine, { length });
}

function read(machine: Scripted & { length?: number }): string {
  return machine.took.join('').slice(0, machine.length);
}

test('what a machine says is told before what it sends leaves', async () => {
  const { link, driver } = await bench();
  const machine = new Scripted();
  machine.onBytes = () => {
    machine.events.push('decided', 'begun');
    machine.transmit.push('first');
  };
  const left: string[] = [];
  driver.run(machine, {
    event: (event) => left.push(`${event}, after ${link.writes.length} writes`),
    closed: () => {},
  });
  link.receive(bytesOf('go'));
  assert.equal(left, ['decided, after 0 writes', 'begun, after 0 writes']);
  assert.is(link.writes.length, 1);
});

test.run();
