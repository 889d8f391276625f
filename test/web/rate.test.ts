/** How fast, how long yet: of steady, stalled and resumed transfers, in memory that stays as it is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RateHistory } from '../../src/web/rate.ts';

const test = suite('rate of a transfer');

function steady(seconds: number, bytesPerSecond: number, everyMs = 100): RateHistory {
  const rate = new RateHistory();
  for (let ms = 0; ms <= seconds * 1_000; ms += everyMs)
    rate.add({
      atMs: ms,
      sentBytes: (ms * bytesPerSecond) / 1_000,
      repeats: Math.floor(ms / 10_000),
    });
  return rate;
}

test('nothing is told of one sample', () => {
  const rate = new RateHistory();
  assert.is(rate.bytesPerSecond, undefined);
  rate.add({ atMs: 0, sentBytes: 0, repeats: 0 });
  assert.is(rate.bytesPerSecond, undefined);
  assert.is(rate.left(100), undefined);
});

test('a steady transfer has its rate, and a range around what is left of it', () => {
  const rate = steady(90, 1_000);
  assert.is(Math.round(rate.bytesPerSecond!), 1_000);
  const { leastMs, mostMs } = rate.left(100_000)!;
  assert.ok(leastMs < 10_000 && mostMs > 10_000, `${leastMs} ${mostMs}`);
  assert.ok(leastMs > 8_000 && mostMs < 12_000, `${leastMs} ${mostMs}`);
});

test('one that became slower has the rate of now, and a range that reaches to it', () => {
  const rate = steady(60, 1_000);
  for (let ms = 60_100; ms <= 90_000; ms += 100)
    rate.add({ atMs: ms, sentBytes: 60_000 + (ms - 60_000) / 10, repeats: 6 });
  assert.is(Math.round(rate.bytesPerSecond!), 100);
  const { leastMs, mostMs } = rate.left(70_000)!;
  assert.ok(mostMs > 60_000, `${mostMs}`);
  assert.ok(leastMs < 20_000, `${leastMs}`);
});

test('nothing is told of what is left while nothing moves', () => {
  const rate = steady(10, 1_000);
  for (let ms = 10_100; ms <= 20_000; ms += 100)
    rate.add({ atMs: ms, sentBytes: 10_000, repeats: 0 });
  assert.is(rate.bytesPerSecond, 0);
  assert.is(rate.left(20_000), undefined);
});

test('an attempt that begins anew has a rate of its own, and never one below nothing', () => {
  const rate = steady(10, 1_000);
  rate.add({ atMs: 11_000, sentBytes: 0, repeats: 0 });
  rate.add({ atMs: 13_000, sentBytes: 1_000, repeats: 0 });
  assert.is(rate.bytesPerSecond, 500);
  assert.ok(
    rate.points.every(({ bytesPerSecond, repeats }) => bytesPerSecond >= 0 && repeats >= 0),
  );
});

test('a day of it is as many points as four minutes', () => {
  const rate = steady(86_400, 10, 1_000);
  assert.ok(rate.points.length <= 240, `${rate.points.length}`);
  assert.ok(rate.points.length >= 100, `${rate.points.length}`);
  const total = rate.points.reduce((sum, { repeats }) => sum + repeats, 0);
  // All but those since the newest point, which stands for eight minutes by then.
  assert.ok(total <= 8_640 && total > 8_640 - 60, `repeats are counted: ${total}`);
  for (const { bytesPerSecond } of rate.points) assert.ok(Math.abs(bytesPerSecond - 10) < 1e-6);
  for (let at = 1; at < rate.points.length; at++)
    assert.ok(rate.points[at]!.atMs > rate.points[at - 1]!.atMs);
});

test.run();
