/** Which blob is fetched next, and when one is tried again. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BlobEnd, BlobQueue, type WantedBlob } from '../../../src/fleet/agent/blob-queue.ts';
import { SeededRandom } from '../../../src/virtual/random.ts';

const test = suite('blob queue');
const HOUR_MS = 3_600_000;
const blob = (kind: WantedBlob['kind'], digit: string): WantedBlob => ({
  kind,
  sha256: digit.repeat(64),
  bytes: 10,
});
const BROKEN: BlobEnd = { kind: 'broken', code: 'fleet-broken-off', detail: '' };
const SPOILED: BlobEnd = { kind: 'spoiled', code: 'blob-other', detail: '' };
const first = blob('image', '1');
const second = blob('image', '2');
const document = blob('document', '3');

function queueOf(...blobs: WantedBlob[]): BlobQueue {
  const queue = new BlobQueue(new SeededRandom(1));
  queue.want(blobs, '1', 0);
  return queue;
}

test('in the order in which they are wanted, documents by themselves', () => {
  const queue = queueOf(first, document, second);
  assert.equal(queue.next('image', 0), { ...queue.next('image', 0)!, ...first });
  assert.is(queue.next('document', 0)?.sha256, document.sha256);
  queue.handleEnd(first.sha256, { kind: 'stored' }, 0);
  assert.is(queue.next('image', 0)?.sha256, second.sha256);
  assert.is(queue.waiting, 2);
  assert.is(queue.nextMs('image'), 0);
});

test('one that breaks off lets the next go first, and is tried ever less often', () => {
  const queue = queueOf(first, second);
  queue.handleEnd(first.sha256, BROKEN, 0);
  assert.is(queue.next('image', 0)?.sha256, second.sha256);
  queue.handleEnd(second.sha256, { kind: 'stored' }, 0);
  let nowMs = 0;
  let tries = 0;
  for (; nowMs < 48 * HOUR_MS; tries++) {
    nowMs = Math.max(nowMs + 1, queue.nextMs('image'));
    queue.handleEnd(first.sha256, BROKEN, nowMs);
    // Asking again for the same changes nothing.
    queue.want([first], '1', nowMs);
  }
  assert.ok(tries > 96 && tries < 400, `${tries} tries in two days`);
  assert.equal(queue.conditions, [
    { sha256: first.sha256, code: 'fleet-broken-off', detail: '', givenUp: false },
  ]);
});

test('it waits at least as long as it is told to', () => {
  const queue = queueOf(first);
  queue.handleEnd(first.sha256, { ...BROKEN, retryAfterMs: 20 * 60_000 }, 0);
  assert.ok(queue.nextMs('image') >= 20 * 60_000);
});

test('one that is something else is tried three times, and then when something new is wanted', () => {
  const queue = queueOf(first, second);
  for (let tries = 0; tries < 3; tries++) {
    assert.ok(Number.isFinite(queue.nextMs('image')));
    queue.handleEnd(first.sha256, SPOILED, 0);
  }
  queue.handleEnd(second.sha256, { kind: 'stored' }, 0);
  assert.is(queue.nextMs('image'), Number.POSITIVE_INFINITY);
  assert.is(queue.next('image', 1_000 * HOUR_MS), undefined);
  assert.is(queue.conditions[0]!.givenUp, true);
  assert.is(queue.waiting, 1);
  queue.want([first], '1', 0);
  assert.is(queue.nextMs('image'), Number.POSITIVE_INFINITY);
  queue.want([first], '2', 5);
  assert.is(queue.next('image', 5)?.sha256, first.sha256);
});

test('what is wanted no more is forgotten', () => {
  const queue = queueOf(first, second);
  queue.handleEnd(first.sha256, BROKEN, 0);
  queue.want([second], '2', 0);
  assert.not(queue.has(first.sha256));
  assert.equal(queue.conditions, []);
  queue.handleEnd(first.sha256, BROKEN, 0);
  assert.is(queue.waiting, 1);
});

test('a clock that is set back does not keep one waiting for years', () => {
  const queue = new BlobQueue(new SeededRandom(1));
  queue.want([first], '1', 1e12);
  queue.handleEnd(first.sha256, BROKEN, 1e12);
  queue.want([first], '1', 0);
  assert.ok(queue.nextMs('image') <= HOUR_MS);
});

test.run();
