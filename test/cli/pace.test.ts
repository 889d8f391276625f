/** Rate and time left: no rate is made up, and the range holds what then comes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addSample, rateOf, type Sample, timeLeft, timeLeftText } from '../../src/cli/pace.ts';

const test = suite('pace');
const NOW_MS = 1_000_000;

/** A history at so many bytes a second, second by second, up to now. */
function historyOf(perSecond: readonly number[]): Sample[] {
  const history: Sample[] = [];
  let sentBytes = 0;
  const startMs = NOW_MS - perSecond.length * 1000;
  addSample(history, sentBytes, startMs);
  perSecond.forEach((bytes, second) => {
    sentBytes += bytes;
    addSample(history, sentBytes, startMs + (second + 1) * 1000);
  });
  return history;
}

test('nothing moved: neither rate nor time is made up', () => {
  const still = { atMs: NOW_MS, sentBytes: 65_551 };
  for (const history of [
    [],
    [still],
    [still, still],
    [{ atMs: NOW_MS - 9_000, sentBytes: 65_551 }, still],
    [{ atMs: NOW_MS + 1, sentBytes: 0 }, still],
  ]) {
    assert.is(rateOf(history, NOW_MS), undefined);
    assert.is(timeLeft(history, 100_000, NOW_MS), undefined);
  }
  const once = historyOf([1_000, 1_000, 1_000, 1_000]);
  assert.is(rateOf(once, NOW_MS), 1_000);
  assert.is(rateOf(once, NOW_MS + 60_000), undefined, 'nor from what moved long ago');
  assert.is(timeLeft(once, 100_000, NOW_MS + 120_000), undefined);
});

test('too few moments say nothing of the time left', () => {
  assert.is(timeLeft(historyOf([1_000, 1_000]), 100_000, NOW_MS), undefined);
  assert.ok(timeLeft(historyOf([1_000, 1_000, 1_000]), 100_000, NOW_MS));
});

test('an even transfer has a narrow range, an uneven one a wide one, one that stands no end', () => {
  const even = timeLeft(historyOf(new Array(20).fill(1_000)), 80_000, NOW_MS)!;
  assert.equal([even.leastMs, even.mostMs], [60_000, 60_000]);
  const uneven = timeLeft(historyOf(new Array(10).fill([1_500, 500]).flat()), 80_000, NOW_MS)!;
  assert.equal([uneven.leastMs, uneven.mostMs], [40_000, 120_000]);
  const standing = [...new Array(8).fill(1_000), ...new Array(12).fill(0)];
  const stood = timeLeft(historyOf(standing), 80_000, NOW_MS)!;
  assert.is(stood.mostMs, undefined);
  assert.ok(stood.leastMs >= 72_000);
});

test('a transfer that stops widens its range as it stands', () => {
  const history = historyOf(new Array(20).fill(1_000));
  let most = 0;
  for (let second = 0; second < 19; second++) {
    const left = timeLeft(history, 80_000, NOW_MS + second * 1000)!;
    assert.ok(left.mostMs! >= most);
    assert.is(Math.round(left.leastMs), 60_000);
    most = left.mostMs!;
  }
  assert.ok(most > 60_000 * 5);
});

test('the range holds the true time of transfers that go on as they went', () => {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 32;
  };
  for (let run = 0; run < 200; run++) {
    const rates = Array.from({ length: 400 }, () => 500 + random() * 1_000);
    const left = timeLeft(historyOf(rates.slice(0, 60)), 200_000, NOW_MS)!;
    let sent = rates.slice(0, 60).reduce((sum, rate) => sum + rate, 0);
    let seconds = 0;
    for (; sent < 200_000; seconds++) sent += rates[60 + seconds]!;
    const holds = left.leastMs <= seconds * 1000 && seconds * 1000 <= left.mostMs!;
    assert.ok(holds, `${left.leastMs} to ${left.mostMs}, in truth ${seconds} s`);
  }
});

test('a resumed download has the rate of what was sent now; one begun anew starts anew', () => {
  const history: Sample[] = [];
  addSample(history, 200_000, NOW_MS);
  assert.is(rateOf(history, NOW_MS), undefined);
  addSample(history, 202_000, NOW_MS + 1_000);
  assert.is(rateOf(history, NOW_MS + 1_000), 2_000);
  addSample(history, 100, NOW_MS + 1_400);
  assert.is(rateOf(history, NOW_MS + 1_400), undefined);
});

test('history does not grow, and the newest sample is in it', () => {
  const history: Sample[] = [];
  for (let step = 0; step < 20_000; step++) addSample(history, step * 50, NOW_MS + step * 50);
  assert.ok(history.length <= 140, `${history.length}`);
  assert.is(history.at(-1)!.sentBytes, 19_999 * 50);
  assert.is(Math.round(rateOf(history, NOW_MS + 19_999 * 50)!), 1_000);
});

test('a range in words: rounded outwards, coarser the longer it is', () => {
  const texts: [least: number, most: number | undefined, text: string][] = [
    [0, 0, '0 s'],
    [300, 900, '0-1 s'],
    [2_400, 2_900, '2-3 s'],
    [12_000, 12_000, '12 s'],
    [12_000, 14_100, '12-15 s'],
    [41_000, 44_000, '40-45 s'],
    [100_000, 170_000, '100 s - 3 min'],
    [200_000, 230_000, '3-4 min'],
    [200_000, undefined, 'over 3 min'],
    [3_000_000, 9_000_000, '50 min - 2 h 30 min'],
    [7_300_000, 10_700_000, '2-3 h'],
  ];
  for (const [leastMs, mostMs, text] of texts) assert.is(timeLeftText({ leastMs, mostMs }), text);
});

test.run();
