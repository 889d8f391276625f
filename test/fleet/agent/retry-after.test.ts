/** How long one is asked to wait, in both forms of the header. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RETRY_AFTER_MS_MAX, retryAfterMs } from '../../../src/fleet/agent/retry-after.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const NOON = 'Thu, 01 Jan 2026 12:00:00 GMT';

test('seconds, and never more than a day', () => {
  assert.is(retryAfterMs('0', undefined, NOW_MS), 0);
  assert.is(retryAfterMs(' 90 ', undefined, NOW_MS), 90_000);
  assert.is(retryAfterMs('9999999999', undefined, NOW_MS), RETRY_AFTER_MS_MAX);
});

test('a moment, by the clock of who wrote it', () => {
  assert.is(retryAfterMs(NOON, 'Thu, 01 Jan 2026 11:59:00 GMT', 0), 60_000);
  assert.is(retryAfterMs(NOON, undefined, NOW_MS), 12 * 3_600_000);
  assert.is(retryAfterMs(NOON, 'nonsense', NOW_MS), 12 * 3_600_000);
  assert.is(retryAfterMs(NOON, 'Thu, 01 Jan 2026 13:00:00 GMT', NOW_MS), 0);
  assert.is(retryAfterMs('Thu, 01 Jan 2099 12:00:00 GMT', undefined, NOW_MS), RETRY_AFTER_MS_MAX);
});

test('what cannot be read says nothing', () => {
  for (const written of [
    undefined,
    '',
    '-1',
    '1.5',
    '1e3',
    '12345678901',
    'tomorrow',
    '2026-01-01T12:00:00Z',
    'Thu, 01 Foo 2026 12:00:00 GMT',
    'Thu, 01 Jan 2026 25:00:00 GMT',
  ]) {
    assert.is(retryAfterMs(written, undefined, NOW_MS), undefined, `${written}`);
  }
});

test.run();
