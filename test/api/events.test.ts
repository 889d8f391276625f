/** The stream of events: exact across reconnections at any point, and nobody waits for anybody. */
import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ApiEvent, eventsIn } from '../../src/api/client.ts';
import { EVENT_LIMITS, type EventSink, EventStream } from '../../src/api/events.ts';
import type { Timers } from '../../src/ports.ts';
import { FakeControl } from './fake-control.ts';

const test = suite('events of the API');

/** Time that passes when a test says so. */
class Time implements Timers {
  private atMs = 0;
  private tasks: { dueMs: number; task: () => void }[] = [];

  nowMs(): number {
    return this.atMs;
  }

  after(delayMs: number, task: () => void) {
    const entry = { dueMs: this.atMs + delayMs, task };
    this.tasks.push(entry);
    return {
      cancel: () => {
        this.tasks = this.tasks.filter((one) => one !== entry);
      },
    };
  }

  pass(ms: number): void {
    this.atMs += ms;
    const due = this.tasks.filter(({ dueMs }) => dueMs <= this.atMs);
    this.tasks = this.tasks.filter((one) => !due.includes(one));
    for (const { task } of due) task();
  }
}

/** A peer that reads as far as it is let. */
class Peer extends EventEmitter implements EventSink {
  readonly taken: Uint8Array[] = [];
  private waiting: Uint8Array[] = [];
  isReading: boolean;
  isDestroyed = false;
  isEnded = false;

  constructor(isReading = true) {
    super();
    this.isReading = isReading;
  }

  get writableLength(): number {
    return this.waiting.reduce((sum, { length }) => sum + length, 0);
  }

  write(text: string | Uint8Array): boolean {
    (this.isReading ? this.taken : this.waiting).push(Buffer.from(text));
    return this.writableLength < 1000;
  }

  read(): void {
    this.taken.push(...this.waiting);
    this.waiting = [];
    this.emit('drain');
  }

  end(): void {
    this.isEnded = true;
    this.emit('close');
  }

  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }

  get text(): string {
    return Buffer.concat(this.taken).toString();
  }

  async events(): Promise<ApiEvent[]> {
    const { taken } = this;
    const all: ApiEvent[] = [];
    async function* stream() {
      yield* taken;
    }
    for await (const { event } of eventsIn(stream())) all.push(event);
    return all;
  }

  async sequences(): Promise<number[]> {
    return (await this.events()).flatMap((one) =>
      one.event === 'record' ? [one.record.sequence] : [],
    );
  }
}

function desk(limits: Partial<typeof EVENT_LIMITS> = {}) {
  const control = new FakeControl();
  const time = new Time();
  const stream = new EventStream(control, time, { ...EVENT_LIMITS, ...limits });
  const listen = (from?: number, job?: string, isReading = true) => {
    const peer = new Peer(isReading);
    stream.add(peer, { from, job, stillMay: () => true });
    return peer;
  };
  const say = (count: number, job?: string) => {
    for (let n = 0; n < count; n++) control.append({ kind: 'test', ...(job ? { job } : {}) });
  };
  return { control, time, stream, listen, say };
}

async function settle(): Promise<void> {
  for (let n = 0; n < 12; n++) await turn();
}

const upTo = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n);

test('what was is replayed from any sequence, and then what comes', async () => {
  const { listen, say } = desk();
  say(1_000);
  const [all, late, next, future] = [listen(0), listen(900), listen(), listen(1_003)];
  await settle();
  say(3);
  await settle();
  assert.equal(await all.sequences(), upTo(1, 1_004));
  assert.equal(await late.sequences(), upTo(900, 1_004));
  assert.equal(await next.sequences(), upTo(1_002, 1_004));
  assert.equal(await future.sequences(), upTo(1_003, 1_004));
});

test('no gap and no double, wherever a listener leaves and comes back', async () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ does: fc.constant('say' as const), count: fc.integer({ min: 1, max: 250 }) }),
      // It comes back reading, or not yet.
      fc.record({ does: fc.constant('leave' as const), count: fc.integer({ min: 1, max: 2 }) }),
      fc.record({ does: fc.constant('turn' as const), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ does: fc.constant('stall' as const), count: fc.constant(1) }),
      fc.record({ does: fc.constant('read' as const), count: fc.constant(1) }),
    ),
    { maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (script, isFiltered) => {
      const { control, listen, say } = desk();
      const job = isFiltered ? 'j1' : undefined;
      const got: number[] = [];
      let last = 0;
      let peer = listen(1, job);
      const leave = async () => {
        // What the peer has not read is lost with the connection.
        for (const one of await peer.sequences()) {
          got.push(one);
          last = one;
        }
        peer.destroy();
      };
      for (const { does, count } of script) {
        if (does === 'say') {
          say(count);
          say(1, 'j1');
        } else if (does === 'turn') for (let n = 0; n < count; n++) await turn();
        else if (does === 'stall') peer.isReading = false;
        else if (does === 'read') {
          peer.isReading = true;
          peer.read();
        } else {
          await leave();
          peer = listen(last + 1, job, count === 1);
        }
      }
      peer.isReading = true;
      peer.read();
      await settle();
      for (let n = 0; n < 12; n++) await settle();
      await leave();
      const wanted = control.journal
        .filter((record) => job === undefined || record['job'] === job)
        .map(({ sequence }) => sequence);
      assert.equal(got, wanted);
    }),
    { numRuns: 60 },
  );
});

test('a listener that does not read is let go, and the others have it all', async () => {
  const { listen, say, stream, control } = desk({ bufferBytesMax: 10_000 });
  const slow = listen();
  const quick = listen();
  slow.isReading = false;
  const startedMs = performance.now();
  say(500);
  const toldMs = performance.now() - startedMs;
  assert.is(quick.text.includes('id:'), false, 'a record is not written while it is announced');
  await settle();
  assert.is(slow.isDestroyed, true);
  assert.is(quick.isDestroyed, false);
  assert.equal(await quick.sequences(), upTo(2, 501));
  assert.is(`${stream.count} ${stream.dropped}`, '1 1');
  assert.ok(toldMs < 5_000 && control.journal.length === 501);
});

test('a replay goes as fast as it is read, and is let go where it stands still', async () => {
  const { listen, say, time, stream } = desk();
  say(1_000);
  const stuck = listen(1, undefined, false);
  const slow = listen(1, undefined, false);
  await settle();
  // What comes meanwhile waits for its turn.
  say(5);
  await settle();
  assert.ok(slow.writableLength < 100_000, `${slow.writableLength} bytes wait`);
  for (let n = 0; n < 20; n++) {
    slow.read();
    await settle();
  }
  assert.equal(await slow.sequences(), upTo(1, 1_006));
  time.pass(EVENT_LIMITS.stallMs);
  assert.is(stuck.isDestroyed, true);
  assert.is(slow.isDestroyed, false);
  assert.is(stream.dropped, 1);
});

test('progress has no id; records that are in the archive are a gap', async () => {
  const { control, listen, say } = desk();
  say(20);
  control.oldest = 8;
  const peer = listen(3);
  control.progress('j1', 'hub-1', 5, 10);
  await settle();
  const [gap, first] = await peer.events();
  assert.equal(gap, { event: 'gap', from: 3, to: 7 });
  assert.is(first?.event === 'record' && first.record.sequence, 8);
  control.progress('j1', 'hub-1', 6, 10);
  await settle();
  assert.is((await peer.events()).at(-1)?.event, 'progress');
  assert.not.match(
    peer.text.slice(peer.text.indexOf('event: progress') - 20),
    /id: .*\nevent: prog/,
  );
});

test('of one job alone, with its progress', async () => {
  const { control, listen, say } = desk();
  const peer = listen(1, 'j7');
  say(3, 'j6');
  say(2, 'j7');
  control.progress('j6', 'hub-1', 1, 2);
  control.progress('j7', 'hub-1', 1, 2);
  await settle();
  assert.equal(
    (await peer.events()).map((one) => (one.event === 'record' ? one.record['job'] : one.event)),
    ['j7', 'j7', 'progress'],
  );
});

test('a comment now and then; who may not any more is let go', async () => {
  const { stream, time, listen } = desk();
  const peer = listen();
  let may = true;
  const other = new Peer();
  stream.add(other, { from: undefined, job: undefined, stillMay: () => may });
  time.pass(EVENT_LIMITS.heartbeatMs);
  assert.match(peer.text, /\n\n:\n\n$/);
  may = false;
  time.pass(EVENT_LIMITS.heartbeatMs);
  assert.is(other.isEnded, true);
  assert.is(stream.count, 1);
  stream.close();
  assert.is(peer.isEnded, true);
});

test.run();
