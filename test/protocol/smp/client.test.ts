/** Ordinary requests: one after the other, matched by sequence, repeated where that is safe, in step always. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SmpClient } from '../../../src/protocol/smp/client.ts';
import type { SmpEvent, SmpOptions } from '../../../src/protocol/smp/messages.ts';
import {
  counting,
  type Frame,
  firmware,
  frame,
  hexBytes,
  Indefinite,
  lines,
  message,
  messagesIn,
} from './naive-codec.ts';
import { listedHash } from './naive-server.ts';
import { SerialWorld } from './serial-world.ts';

const test = suite('protocol/smp client');

const T0 = 1_700_000_000_000;

/** A client without a device: what it sends is looked at, what it hears is written by hand. */
class Desk {
  readonly client: SmpClient;
  nowMs = T0;

  constructor(options: Partial<SmpOptions> = {}) {
    this.client = new SmpClient(options);
  }

  sent(): Frame[] {
    const found: Frame[] = [];
    for (;;) {
      const out = this.client.pollTransmit(this.nowMs);
      if (!out) return found;
      found.push(...messagesIn(out).map(frame));
    }
  }

  hear(request: Frame, body: Record<string, unknown>, more: Partial<Frame> = {}): void {
    const answer = { ...request, op: request.op + 1, body: new Indefinite(body), ...more };
    this.client.handleBytes(lines(message(answer), [93, 90]), this.nowMs);
  }

  said(): SmpEvent[] {
    const found: SmpEvent[] = [];
    for (let event = this.client.pollEvent(); event; event = this.client.pollEvent()) {
      found.push(event);
    }
    return found;
  }

  /** To the next time-out. */
  wait(): void {
    this.nowMs = Math.max(this.nowMs, this.client.pollTimeout());
    this.client.handleTimeout(this.nowMs);
  }

  codes(): string[] {
    return this.said().map((event) => (event.kind === 'failed' ? event.failure.code : event.kind));
  }
}

test('the first packet ends a half-typed line; later ones do not', () => {
  const { client } = new Desk({ firstSequence: 1 });
  client.request({ kind: 'echo', text: 'hi' });
  const first = Buffer.from(client.pollTransmit(T0)!).toString('latin1');
  assert.is(first, '\n\x06\x09ABAKAAAGAAABAKFhZGJoaaWv\n');
  client.request({ kind: 'echo', text: 'hi' });
  client.handleBytes(lines(hexBytes('0b00000600000100a16172626869')), T0);
  assert.equal(client.pollEvent(), {
    kind: 'answered',
    id: 1,
    answer: { kind: 'echo', text: 'hi' },
  });
  assert.is(client.pollTransmit(T0)![0], 6);
});

test('requests wait for one another, and ids tell them apart', () => {
  const desk = new Desk();
  const ids = ['a', 'b', 'c'].map((text) => desk.client.request({ kind: 'echo', text }));
  for (const [i, text] of ['a', 'b', 'c'].entries()) {
    const [request, ...rest] = desk.sent();
    assert.equal([request!.body, rest], [{ d: text }, []]);
    desk.hear(request!, { r: text });
    const answer = { kind: 'echo', text };
    assert.equal(desk.said(), [{ kind: 'answered', id: ids[i]!, answer }]);
  }
  assert.is(desk.client.pollTimeout(), Number.POSITIVE_INFINITY);
});

test('several in flight where the receiver holds them, answered in any order', () => {
  const desk = new Desk({ requestsInFlightMax: 3 });
  for (const text of ['a', 'b', 'c', 'd']) desk.client.request({ kind: 'echo', text });
  const requests = desk.sent();
  assert.is(requests.length, 3);
  for (const request of [...requests].reverse()) {
    desk.hear(request, { r: String((request.body as { d: string }).d) });
  }
  assert.equal(
    desk.said().map((event) => event.kind === 'answered' && event.id),
    [3, 2, 1],
  );
  assert.is(desk.sent().length, 1);
});

test('sequences count up and wrap', () => {
  const desk = new Desk({ firstSequence: 250 });
  const seen = Array.from({ length: 12 }, () => {
    desk.client.request({ kind: 'params' });
    const [request] = desk.sent();
    desk.hear(request!, { buf_size: 384, buf_count: 4 });
    return request!.sequence;
  });
  assert.equal(seen, [250, 251, 252, 253, 254, 255, 0, 1, 2, 3, 4, 5]);
});

test('answers with another sequence, group, command or direction are not its answer', () => {
  const desk = new Desk();
  desk.client.request({ kind: 'echo', text: 'a' });
  const [request] = desk.sent();
  const wrong: Partial<Frame>[] = [
    { sequence: 9 },
    { group: 1 },
    { command: 6 },
    { op: 1 },
    { op: 2 },
  ];
  for (const change of wrong) desk.hear(request!, { r: 'a' }, change);
  assert.equal(desk.said(), []);
  desk.hear(request!, { r: 'a' });
  assert.is(desk.said().length, 1);
  desk.hear(request!, { r: 'a' });
  assert.equal(desk.said(), []);
});

test('a safe request is tried again, and a late answer to an earlier try is welcome', () => {
  const desk = new Desk({ attemptsMax: 3 });
  desk.client.request({ kind: 'params' });
  const [first] = desk.sent();
  desk.wait();
  const [second] = desk.sent();
  assert.is.not(second!.sequence, first!.sequence);
  desk.hear(first!, { buf_size: 384, buf_count: 4 });
  assert.equal(desk.codes(), ['answered']);
  desk.hear(second!, { buf_size: 384, buf_count: 4 });
  assert.equal(desk.codes(), []);
});

test('a late answer to an old request is not the answer to a new one', () => {
  const desk = new Desk({ attemptsMax: 1 });
  desk.client.request({ kind: 'echo', text: 'old' });
  const [old] = desk.sent();
  desk.wait();
  assert.equal(desk.codes(), ['no-answer']);
  desk.client.request({ kind: 'echo', text: 'new' });
  const [request] = desk.sent();
  desk.hear(old!, { r: 'old' });
  assert.equal(desk.said(), []);
  desk.hear(request!, { r: 'new' });
  assert.equal(desk.codes(), ['answered']);
});

test('silence ends after the tries allowed, in bounded time', () => {
  const desk = new Desk({ attemptsMax: 3, answerTimeoutMs: 500 });
  desk.client.request({ kind: 'image-list' });
  let tries = 0;
  for (let sent = desk.sent(); sent.length > 0; sent = desk.sent()) {
    tries += sent.length;
    desk.wait();
  }
  assert.is(tries, 3);
  assert.equal(desk.codes(), ['no-answer']);
  assert.is(desk.nowMs - T0, 1_500);
});

test('a reset and an erase are sent once', () => {
  for (const kind of ['reset', 'image-erase'] as const) {
    const desk = new Desk();
    desk.client.request({ kind });
    assert.is(desk.sent().length, 1);
    desk.wait();
    assert.is(desk.sent().length, 0);
    assert.equal(desk.codes(), ['no-answer']);
    assert.is(desk.nowMs - T0, kind === 'reset' ? 2_000 : 40_000);
  }
});

test('a device that refuses version 2 is spoken to in version 1', () => {
  const desk = new Desk();
  desk.client.request({ kind: 'params' });
  const [newer] = desk.sent();
  assert.is(newer!.version, 1);
  desk.hear(newer!, { rc: 13 }, { version: 0 });
  const [older] = desk.sent();
  assert.is(older!.version, 0);
  desk.hear(older!, { buf_size: 384, buf_count: 4 });
  assert.equal(desk.codes(), ['answered']);
  desk.client.request({ kind: 'image-list' });
  const [next] = desk.sent();
  assert.is(next!.version, 0);
  desk.hear(next!, { rc: 13 });
  assert.equal(desk.codes(), ['smp-version-too-new']);
});

test('a device silent in version 2 is tried in version 1', () => {
  const desk = new Desk();
  desk.client.request({ kind: 'params' });
  const versions = [desk.sent()[0]!.version];
  desk.wait();
  const [second] = desk.sent();
  versions.push(second!.version);
  desk.hear(second!, { buf_size: 384, buf_count: 4 });
  desk.client.request({ kind: 'params' });
  versions.push(desk.sent()[0]!.version);
  desk.wait();
  versions.push(desk.sent()[0]!.version);
  assert.equal(versions, [1, 0, 0, 0]);
});

test('both error forms become the same kind of failure', () => {
  const desk = new Desk();
  for (const body of [{ rc: 8 }, { err: { group: 1, rc: 33 } }, { rc: 6, rsn: 'busy slot' }]) {
    desk.client.request({ kind: 'image-list' });
    desk.hear(desk.sent()[0]!, body);
  }
  assert.equal(desk.codes(), ['smp-not-supported', 'image-is-running', 'smp-bad-state']);
});

test('rc 0 is success, and so is no rc', () => {
  const desk = new Desk();
  for (const body of [{ rc: 0 }, {}]) {
    desk.client.request({ kind: 'image-erase' });
    desk.hear(desk.sent()[0]!, body);
  }
  assert.equal(desk.codes(), ['answered', 'answered']);
});

test('malformed answers fail, and do not wait for another', () => {
  const desk = new Desk();
  const bodies = [{ buf_size: 'x' }, { err: 7 }, { buf_size: 384 }];
  for (const body of bodies) {
    desk.client.request({ kind: 'params' });
    desk.hear(desk.sent()[0]!, body);
  }
  desk.client.request({ kind: 'params' });
  const [request] = desk.sent();
  const bytes = message({ ...request!, op: 1, body: { a: 1 } });
  bytes[8] = 0xc0;
  desk.client.handleBytes(lines(bytes), T0);
  assert.equal(desk.codes(), Array(4).fill('malformed-answer'));
});

test('a header that does not cover its message is ignored', () => {
  const desk = new Desk();
  desk.client.request({ kind: 'echo', text: 'a' });
  const [request] = desk.sent();
  const bytes = message({ ...request!, op: 3, body: { r: 'a' } });
  bytes[3]!++;
  desk.client.handleBytes(lines(bytes), T0);
  assert.equal(desk.said(), []);
});

test('params set the size of messages; a request that does not fit fails at once', () => {
  const desk = new Desk({ messageBytesMax: 252 });
  desk.client.request({ kind: 'echo', text: 'x'.repeat(300) });
  assert.equal(desk.codes(), ['request-too-large']);
  desk.client.request({ kind: 'params' });
  desk.hear(desk.sent()[0]!, { buf_size: 1024, buf_count: 1 });
  assert.is(desk.client.messageBytes, 1_020);
  desk.said();
  desk.client.request({ kind: 'echo', text: 'x'.repeat(300) });
  assert.is(desk.sent().length, 1);
});

test('cancel takes a request away, sent or not', () => {
  const desk = new Desk();
  const a = desk.client.request({ kind: 'echo', text: 'a' });
  const b = desk.client.request({ kind: 'echo', text: 'b' });
  const [request] = desk.sent();
  desk.client.cancel(a);
  desk.client.cancel(b);
  desk.client.cancel(99);
  assert.equal(desk.codes(), ['cancelled', 'cancelled']);
  desk.hear(request!, { r: 'a' });
  assert.equal([desk.sent(), desk.said()], [[], []]);
});

test('a lost link fails what is under way and what comes, until it is back', () => {
  const desk = new Desk();
  desk.client.request({ kind: 'echo', text: 'a' });
  desk.client.request({ kind: 'echo', text: 'b' });
  desk.sent();
  desk.client.handleLinkDown();
  desk.client.request({ kind: 'echo', text: 'c' });
  assert.equal(desk.codes(), ['link-down', 'link-down', 'link-down']);
  assert.is(desk.client.pollTimeout(), Number.POSITIVE_INFINITY);
  desk.client.handleLinkUp();
  desk.client.request({ kind: 'echo', text: 'd' });
  assert.is(desk.sent().length, 1);
});

test('every answer cut in every two parts', () => {
  const desk = new Desk();
  const images = [{ slot: 0, version: '1.0.0', hash: counting(32), active: true, confirmed: true }];
  for (let cut = 0; cut < 200; cut++) {
    desk.client.request({ kind: 'image-list' });
    const [request] = desk.sent();
    const text = lines(message({ ...request!, op: 1, body: { images } }), [93, 90]);
    desk.client.handleBytes(text.subarray(0, cut), desk.nowMs);
    desk.client.handleBytes(text.subarray(cut), desk.nowMs);
    assert.equal(desk.codes(), ['answered'], `${cut}`);
  }
});

test('against a device: every request it answers', () => {
  const world = new SerialWorld({ device: { babbles: true } });
  const image = firmware(3_000);
  world.client.startUpload({ image }, world.nowMs);
  world.until((event) => event.kind === 'uploaded');
  const ask = (request: Parameters<SmpClient['request']>[0]) => {
    world.client.request(request);
    const event = world.until(({ kind }) => kind === 'answered' || kind === 'failed');
    return event?.kind === 'answered' ? event.answer.kind : event;
  };
  for (const kind of ['params', 'image-list', 'image-erase', 'reset'] as const) {
    assert.is(ask({ kind }), kind);
    if (kind === 'image-list')
      assert.is(ask({ kind: 'image-test', hash: listedHash(image) }), 'image-test');
  }
  assert.is(ask({ kind: 'echo', text: 'anybody' }), 'echo');
  const refused = ask({ kind: 'slot-info' }) as SmpEvent;
  assert.is(refused.kind === 'failed' && refused.failure.code, 'smp-not-supported');
});

test.run();
