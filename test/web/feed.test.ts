/** The feed: a snapshot, then events; and what becomes of it when the gateway goes, stalls and comes back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, NotReachable, Refusal } from '../../src/web/client.ts';
import { Feed, type FeedTimers } from '../../src/web/feed.ts';
import { PageState } from '../../src/web/state.ts';

const test = suite('feed of the page');
const HEALTH = {
  gateway: 'g',
  version: '1',
  state: 'ready',
  reasons: [],
  startedMs: 1,
  upgrades: {},
  links: [],
};

/** A gateway that answers as it is told, and a clock that is turned by whoever waits. */
class Desk implements FeedTimers {
  now = 0;
  sequence = 10;
  isAway = false;
  /** Names of operations, and `events N`: after which record the stream was asked for. */
  readonly asked: string[] = [];
  readonly waits: number[] = [];
  readonly state = new PageState(0);
  streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  trouble: Error | undefined;
  private readonly waiting: { ms: number; wake: () => void }[] = [];
  readonly feed = new Feed({
    client: this.client(),
    state: this.state,
    timers: this,
    changed() {},
  });

  nowMs(): number {
    return this.now;
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    this.waits.push(ms);
    return new Promise((wake) => {
      this.waiting.push({ ms, wake });
      signal.addEventListener('abort', () => wake());
    });
  }

  /** Whoever waits for so long goes on. */
  async pass(ms: number): Promise<void> {
    this.now += ms;
    for (const one of this.waiting.splice(0)) {
      if (one.ms <= ms) one.wake();
      else this.waiting.push(one);
    }
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let n = 0; n < 20; n++) await new Promise((done) => setImmediate(done));
  }

  say(text: string): void {
    this.streams.at(-1)!.enqueue(new TextEncoder().encode(text));
  }

  record(sequence: number, more: object): void {
    this.say(
      `id: ${sequence}\nevent: record\ndata: ${JSON.stringify({ sequence, atMs: sequence, ...more })}\n\n`,
    );
  }

  private client(): Client {
    const answers: Record<string, () => unknown> = {
      whoAmI: () => ({ by: 'api:x', role: 'viewer' }),
      health: () => ({ ...HEALTH, journal: { sequence: this.sequence, hash: '' } }),
      listDevices: () => ({ devices: [] }),
      listImages: () => ({ images: [] }),
      listUpgrades: () => ({ sequence: this.sequence, upgrades: [] }),
      showJob: () => ({ id: 'j1', request: { image: 'a' }, upgrades: [] }),
    };
    const ask = async (name: string) => {
      this.asked.push(name);
      if (this.trouble) throw this.trouble;
      if (this.isAway) throw new NotReachable('away');
      return answers[name]!();
    };
    const events = async (after: number, signal: AbortSignal) => {
      this.asked.push(`events ${after}`);
      return new ReadableStream({
        start: (controller) => {
          this.streams.push(controller);
          signal.addEventListener('abort', () => controller.error(signal.reason));
        },
      });
    };
    return { ask, events, clockOffsetMs: 0 } as unknown as Client;
  }
}

test('it begins with a snapshot, and goes on after the record that it is as of', async () => {
  const desk = new Desk();
  void desk.feed.run();
  await desk.settle();
  assert.is(desk.asked.at(-1), 'events 10');
  assert.is(desk.state.connection.state, 'live');
  desk.record(11, { kind: 'command', job: 'j1' });
  await desk.settle();
  assert.is(desk.state.sequence, 11);
  await desk.pass(300);
  assert.is(desk.asked.at(-1), 'showJob');
  desk.feed.stop();
});

test('records that come together ask for what they made stale once', async () => {
  const desk = new Desk();
  void desk.feed.run();
  await desk.settle();
  for (let n = 11; n < 40; n++) desk.record(n, { kind: 'job', job: 'j1' });
  await desk.settle();
  await desk.pass(300);
  assert.is(desk.asked.filter((name) => name === 'showJob').length, 1);
  desk.feed.stop();
});

test('a stream that ends is begun anew after its last record, and what is shown says since when it is old', async () => {
  const desk = new Desk();
  void desk.feed.run();
  await desk.settle();
  desk.record(17, { kind: 'note' });
  await desk.settle();
  desk.isAway = true;
  desk.now = 5_000;
  desk.streams.at(-1)!.close();
  await desk.settle();
  assert.equal(desk.state.connection, { state: 'lost', sinceMs: 5_000, retryMs: 1_000 });
  for (const ms of [1_000, 2_000, 4_000, 8_000, 8_000]) {
    assert.is(desk.state.connection.state === 'lost' && desk.state.connection.retryMs, ms);
    await desk.pass(ms);
  }
  assert.is(desk.state.connection.sinceMs, 5_000, 'since it went, however often it was tried');
  desk.isAway = false;
  desk.sequence = 20;
  await desk.pass(8_000);
  assert.is(desk.state.connection.state, 'live');
  assert.is(desk.asked.at(-1), 'events 17');
  assert.is(
    desk.asked.filter((name) => name === 'listUpgrades').length,
    1,
    'records tell the rest',
  );
  desk.feed.stop();
});

test('a gateway with a shorter journal is another one: everything is asked for again', async () => {
  const desk = new Desk();
  void desk.feed.run();
  await desk.settle();
  desk.sequence = 3;
  desk.streams.at(-1)!.close();
  await desk.settle();
  await desk.pass(1_000);
  assert.is(desk.asked.at(-1), 'events 3');
  assert.is(desk.asked.filter((name) => name === 'listUpgrades').length, 2);
  desk.feed.stop();
});

test('a gap in the journal is filled by a snapshot', async () => {
  const desk = new Desk();
  void desk.feed.run();
  await desk.settle();
  desk.sequence = 90;
  desk.say('event: gap\ndata: {"from":11,"to":80}\n\n');
  await desk.settle();
  assert.is(desk.asked.at(-1), 'listUpgrades');
  assert.is(desk.state.sequence, 90);
  desk.feed.stop();
});

test('a stream that falls silent is given up; one that says that it is there is not', async () => {
  const desk = new Desk();
  void desk.feed.run();
  await desk.settle();
  for (let n = 0; n < 4; n++) {
    await desk.pass(20_000);
    desk.say(':\n\n');
    await desk.settle();
    assert.is(desk.state.connection.state, 'live');
  }
  await desk.pass(40_000);
  assert.is(desk.state.connection.state, 'lost');
  desk.feed.stop();
});

test('a token that is refused ends it; a gateway that is busy does not', async () => {
  const problem = (status: number) =>
    new Refusal({ type: '', title: '', status, code: status === 401 ? 'unauthenticated' : 'busy' });
  const desk = new Desk();
  desk.trouble = problem(503);
  const ended = desk.feed.run().then(
    () => 'ended',
    (error: unknown) => error,
  );
  await desk.settle();
  assert.is(desk.state.connection.state, 'lost');
  desk.trouble = problem(401);
  await desk.pass(1_000);
  assert.is(await ended, desk.trouble);
});

test.run();
