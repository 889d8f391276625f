/**
 * The outbox against users that are away, refuse, answer late and lose connections, over restarts.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DELIVERY, DELIVERY_RULES, deliveryOutcome } from '../../src/duis/delivery-rules.ts';
import { MessageQueue } from '../../src/duis/message-queue.ts';
import { type DeliveryResult, Outbox, type Transmit } from '../../src/duis/outbox.ts';
import type { MessageRecord, MessageRecordBody } from '../../src/duis/request-records.ts';
import { quickestMs } from '../support/quickest.ts';
import { SUPPLIER } from './response-samples.ts';

const test = suite('the outbox');

const USER = SUPPLIER;
const OTHER = '0255504c46540003';
const answered = (status: number, retryAfterMs?: number): DeliveryResult => ({
  kind: 'answered',
  status,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});

class Desk {
  readonly journal: MessageRecord[] = [];
  outbox: Outbox;
  nowMs = 0;
  private readonly settings: typeof DELIVERY;
  private readonly random: () => number;

  constructor(settings: Partial<typeof DELIVERY> = {}, random = () => 0.999) {
    this.settings = { ...DELIVERY, ...settings };
    this.random = random;
    this.outbox = this.empty();
  }

  say(body: MessageRecordBody | undefined): number {
    if (!body) return 0;
    const record = { ...body, sequence: this.journal.length + 1, atMs: this.nowMs };
    this.journal.push(record);
    this.outbox.apply(record);
    return record.sequence;
  }

  queue(user = USER, dueMs?: number): number {
    const due = dueMs === undefined ? {} : { dueMs };
    return this.say({ kind: 'duis-message', step: 'queued', user, body: 'b', ...due });
  }

  send(): Transmit {
    const transmit = this.outbox.pollTransmit(this.nowMs);
    assert.ok(transmit, 'something is to be sent');
    return transmit!;
  }

  /** Sent, answered, written down. */
  deliver(status: number): Transmit {
    const transmit = this.send();
    this.say(this.outbox.handleResult(transmit, answered(status), this.nowMs));
    return transmit;
  }

  waitUntilReady(): void {
    this.nowMs = Math.max(this.nowMs, this.outbox.pollTimeout()!);
    this.outbox.handleTimeout(this.nowMs);
  }

  /** The same, where there is anything to wait for. */
  wait(): void {
    if (this.outbox.pollTimeout() !== undefined) this.waitUntilReady();
  }

  restart(): void {
    this.outbox = this.empty();
    for (const record of this.journal) this.outbox.apply(record);
  }

  private empty(): Outbox {
    return new Outbox({ next: this.random }, this.settings);
  }
}

test('in order, one at a time for a user, users beside each other', () => {
  const desk = new Desk();
  const [a, b, c] = [desk.queue(), desk.queue(), desk.queue(OTHER)];
  const first = desk.send();
  assert.equal(first, { user: USER, message: a, attempt: 1 });
  const other = desk.send();
  assert.is(other.message, c);
  assert.is(desk.outbox.pollTransmit(0), undefined);
  desk.say(desk.outbox.handleResult(first, answered(200), 0));
  assert.is(desk.send().message, b);
});

test('users take turns where not all can be served at once', () => {
  const desk = new Desk({ inFlightMax: 1 });
  desk.queue();
  desk.queue();
  desk.queue(OTHER);
  assert.equal(
    [desk.deliver(200), desk.deliver(200), desk.deliver(200)].map(({ user }) => user),
    [USER, OTHER, USER],
  );
  assert.is(desk.outbox.pollTimeout(), undefined);
});

test('what fails is tried again, later and later, with full jitter and a cap', () => {
  const desk = new Desk();
  desk.queue();
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 13; attempt++) {
    assert.is(desk.deliver(503).attempt, attempt);
    waits.push(desk.outbox.pollTimeout()! - desk.nowMs);
    assert.is(desk.outbox.pollTransmit(desk.nowMs), undefined);
    desk.waitUntilReady();
  }
  assert.is(waits[0], 999);
  assert.is(waits[1], 1998);
  assert.is(waits.at(-1), 599_400);
  desk.deliver(204);
  assert.is(desk.outbox.waitingFor(USER), 0);

  const lucky = new Desk({}, () => 0);
  lucky.queue();
  lucky.deliver(503);
  assert.is(lucky.outbox.pollTimeout(), 0, 'the least is nothing');
});

test('a Retry-After is waited for, up to a bound', () => {
  for (const [askedMs, waitMs] of [
    [20_000, 20_000],
    [10, 999],
    [10 ** 9, DELIVERY.retryAfterMsMax],
  ] as const) {
    const desk = new Desk();
    desk.queue();
    desk.outbox.handleResult(desk.send(), answered(429, askedMs), 0);
    assert.is(desk.outbox.pollTimeout(), waitMs);
  }
});

test('no answer in time is a failure; a late good one still counts, a late bad one does not', () => {
  const desk = new Desk();
  const message = desk.queue();
  const first = desk.send();
  assert.is(desk.outbox.pollTimeout(), DELIVERY.answerMs);
  desk.waitUntilReady();
  desk.waitUntilReady();
  const second = desk.send();
  assert.is(second.attempt, 2);
  assert.is(desk.outbox.handleResult(first, answered(400), desk.nowMs), undefined);
  assert.is(desk.outbox.view(0)[0]?.failures, 1);
  assert.is(desk.outbox.pollTransmit(desk.nowMs), undefined, 'the second try goes on');
  const record = desk.outbox.handleResult(first, answered(200), desk.nowMs);
  assert.equal(record, { kind: 'duis-message', step: 'delivered', message, status: 200 });
  assert.is(desk.outbox.pollTransmit(desk.nowMs), undefined, 'not sent while that is written down');
  assert.is(
    desk.outbox.handleResult(second, answered(200), desk.nowMs),
    undefined,
    'once is enough',
  );
  desk.say(record);
  assert.is(desk.outbox.pollTimeout(), undefined);
});

test('what is not written down before a crash is sent again', () => {
  const desk = new Desk();
  const message = desk.queue();
  desk.outbox.handleResult(desk.send(), answered(200), 0);
  desk.restart();
  assert.equal(desk.send(), { user: USER, message, attempt: 1 });
});

test('what could not be written down is sent again, without a restart', () => {
  const desk = new Desk();
  const [message, next] = [desk.queue(), desk.queue()];
  const transmit = desk.send();
  desk.outbox.handleResult(transmit, answered(200), 0);
  assert.is(desk.outbox.pollTimeout(), undefined);
  desk.outbox.handleUnwritten(transmit, 0);
  desk.outbox.handleUnwritten(transmit, 0);
  assert.is(desk.outbox.view(0)[0]?.failures, 1);
  desk.waitUntilReady();
  assert.equal(desk.deliver(200), { user: USER, message, attempt: 2 });
  desk.outbox.handleUnwritten(transmit, desk.nowMs);
  assert.is(desk.deliver(200).message, next);
});

test('a message that is never taken is put aside, and the next one goes', () => {
  const desk = new Desk();
  const [bad, good] = [desk.queue(), desk.queue()];
  desk.deliver(503);
  for (let attempt = 0; attempt < DELIVERY.poisonTriesMax; attempt++) {
    desk.waitUntilReady();
    assert.is(desk.deliver(422).message, bad);
  }
  assert.is(desk.deliver(200).message, good);
  const [view] = desk.outbox.view(desk.nowMs);
  assert.is(view?.parked.length, 1);
  assert.is(view?.parked[0]?.message, bad);
  assert.is(view?.parked[0]?.code, 'message-refused');
  assert.is(desk.outbox.neededSinceMs(), 0, 'its record is needed still');
  desk.restart();
  assert.is(desk.outbox.view(0)[0]?.parked.length, 1, 'nor is it lost by a restart');

  const later = desk.queue();
  desk.say({ kind: 'duis-message', step: 'released', message: bad, by: 'cli:root' });
  assert.equal(desk.send(), { user: USER, message: bad, attempt: 1 });
  desk.say(desk.outbox.handleResult({ user: USER, message: bad, attempt: 1 }, answered(200), 0));
  assert.is(desk.deliver(200).message, later);
  assert.is(desk.outbox.neededSinceMs(), undefined);
});

test('one is released while a later one is under way', () => {
  const desk = new Desk({ poisonTriesMax: 1 });
  const bad = desk.queue();
  desk.deliver(400);
  const good = desk.queue();
  desk.nowMs += 10_000;
  const transmit = desk.send();
  assert.is(transmit.message, good);
  desk.say({ kind: 'duis-message', step: 'released', message: bad, by: 'cli:root' });
  assert.is(desk.outbox.pollTransmit(desk.nowMs), undefined);
  desk.say(desk.outbox.handleResult(transmit, answered(200), desk.nowMs));
  assert.is(desk.deliver(200).message, bad);
  assert.is(desk.outbox.waitingFor(USER), 0);
});

test('what is released goes in the order in which it was queued', () => {
  const desk = new Desk({ poisonTriesMax: 1 });
  const bad = [desk.queue(), desk.queue()];
  desk.deliver(400);
  desk.deliver(400);
  for (const message of bad.toReversed()) {
    desk.say({ kind: 'duis-message', step: 'released', message, by: 'cli:root' });
  }
  desk.nowMs += 10_000;
  assert.equal([desk.deliver(200).message, desk.deliver(200).message], bad);
});

test('only a person gives a message up', () => {
  const desk = new Desk({ poisonTriesMax: 1 });
  const message = desk.queue();
  desk.deliver(400);
  desk.say({ kind: 'duis-message', step: 'discarded', message, by: 'cli:root', reason: 'known' });
  assert.equal(desk.outbox.view(0)[0]?.parked, []);
  assert.is(desk.outbox.neededSinceMs(), undefined);
});

test('an endpoint that is not right holds all back, and puts none aside', () => {
  const desk = new Desk();
  desk.queue();
  for (let attempt = 0; attempt < 20; attempt++) {
    desk.deliver(404);
    desk.waitUntilReady();
  }
  const [view] = desk.outbox.view(desk.nowMs);
  assert.is(view?.lastFailure?.outcome, 'blocked');
  assert.is(view?.failures, 20);
  assert.is(view?.waiting, 1);
});

test('age and lateness show', () => {
  const desk = new Desk();
  desk.nowMs = 100;
  desk.queue(USER, 150);
  desk.queue(USER, 300);
  desk.queue();
  const [view] = desk.outbox.view(200);
  assert.is(view?.waiting, 3);
  assert.is(view?.waitingSinceMs, 100);
  assert.is(view?.overdue, 1);
  assert.is(view?.nextTryMs, 0);
});

test('no more wait than may', () => {
  const desk = new Desk({ waitingMax: 2, poisonTriesMax: 1 });
  desk.queue();
  assert.ok(desk.outbox.hasRoom(USER));
  desk.queue();
  assert.not.ok(desk.outbox.hasRoom(USER));
  assert.ok(desk.outbox.hasRoom(OTHER));
  desk.deliver(400);
  assert.not.ok(desk.outbox.hasRoom(USER), 'what is put aside counts');
});

test('every status comes to something, and no status to a loss', () => {
  for (let status = 100; status < 1_000; status++) {
    const outcome = deliveryOutcome(status, DELIVERY_RULES);
    assert.is(outcome === 'delivered', status >= 200 && status < 300, `${status}`);
  }
  assert.is(deliveryOutcome(301, DELIVERY_RULES), 'blocked');
  assert.is(deliveryOutcome(401, DELIVERY_RULES), 'blocked');
  assert.is(deliveryOutcome(429, DELIVERY_RULES), 'retry');
  assert.is(deliveryOutcome(413, DELIVERY_RULES), 'poison');
  assert.is(deliveryOutcome(700, DELIVERY_RULES), 'blocked');
});

test('whatever fails, every message arrives, in order for each user', () => {
  const event = fc.record({
    what: fc.constantFrom(
      'queue',
      'queue',
      'queue',
      'ok',
      'ok',
      'fail',
      'lost',
      'refuse',
      'crash',
      'crash-late',
      'wait',
    ),
    user: fc.constantFrom(USER, OTHER),
  });
  const property = fc.property(
    fc.array(event, { maxLength: 120 }),
    fc.integer({ min: 1, max: 3 }),
    (events, inFlightMax) => {
      let seed = 1;
      const random = () => {
        seed = (seed * 16_807) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      // Nothing is put aside here: what is refused is so for a while alone.
      const desk = new Desk({ inFlightMax, poisonTriesMax: 1_000_000 }, random);
      const queued = new Map<string, number[]>();
      const arrived = new Map<string, number[]>();
      const arrive = ({ user, message }: Transmit) => {
        const of = arrived.get(user) ?? [];
        if (!of.includes(message)) of.push(message);
        arrived.set(user, of);
      };
      for (const { what, user } of [...events]) {
        if (what === 'queue') {
          queued.set(user, [...(queued.get(user) ?? []), desk.queue(user)]);
          continue;
        }
        if (what === 'crash') desk.restart();
        if (what === 'wait') desk.wait();
        const transmit = desk.outbox.pollTransmit(desk.nowMs);
        if (!transmit) continue;
        if (what === 'ok' || what === 'crash-late' || what === 'lost') arrive(transmit);
        if (what === 'ok') desk.say(desk.outbox.handleResult(transmit, answered(200), desk.nowMs));
        if (what === 'refuse') desk.outbox.handleResult(transmit, answered(400), desk.nowMs);
        if (what === 'fail') {
          desk.outbox.handleResult(transmit, { kind: 'failed', detail: 'reset' }, desk.nowMs);
        }
        if (what === 'crash-late') {
          desk.outbox.handleResult(transmit, answered(200), desk.nowMs);
          desk.restart();
        }
      }
      for (let step = 0; desk.outbox.pollTimeout() !== undefined; step++) {
        assert.ok(step < 1_000, 'it comes to an end');
        desk.wait();
        const transmit = desk.outbox.pollTransmit(desk.nowMs);
        if (!transmit) continue;
        arrive(transmit);
        desk.say(desk.outbox.handleResult(transmit, answered(200), desk.nowMs));
      }
      for (const [user, messages] of queued) {
        assert.equal(arrived.get(user), messages);
        assert.is(desk.outbox.waitingFor(user), 0);
      }
    },
  );
  fc.assert(property, { seed: 5, numRuns: 300 });
});

test('50,000 messages for one user go through in no time', () => {
  const tookMs = quickestMs(() => {
    const desk = new Desk();
    for (let index = 0; index < 50_000; index++) desk.queue();
    for (let index = 0; index < 50_000; index++) desk.deliver(200);
    assert.is(desk.outbox.waitingFor(USER), 0);
  });
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
});

test('the ring of waiting messages is a queue', () => {
  const queue = new MessageQueue();
  const oracle: number[] = [];
  let next = 1;
  for (let step = 0; step < 2_000; step++) {
    if (step % 7 < 4) {
      queue.push({ message: next, queuedMs: next, dueMs: Number.POSITIVE_INFINITY });
      oracle.push(next++);
    } else if (oracle.length > 0) {
      assert.is(queue.first()?.message, oracle.shift());
      queue.shift();
    }
    assert.is(queue.size, oracle.length);
  }
  assert.equal(
    [...queue.messages()].map(({ message }) => message),
    oracle,
  );
  assert.throws(() => new MessageQueue().shift(), /queue/);
});

test.run();
