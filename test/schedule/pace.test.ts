/**
 * The pace in a network of numbers: sooner together, meter reads answered, settled, nobody starved.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PACE_DEFAULTS, Pace, type PaceSample } from '../../src/schedule/pace.ts';
import { type Run, simulate } from './radio-model.ts';

const test = suite('pace of a network');

const DEVICES = 20;
/** 50 bytes each: an image of 50 kB. */
const BLOCKS = 1_000;
const SEEDS = [1, 2, 3];
/** Of 100 meter reads 95 are answered within it. */
const READ_MS_MAX = 250;
const GAP_MS_MAX = 15_000;

function percentile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))]!;
}

function note(name: string, run: Run): void {
  const read = percentile(run.answersMs, 0.95).toFixed(0);
  const text = `${(run.tookMs / 1000).toFixed(0)} s, 95 of 100 meter reads within ${read} ms`;
  console.log(`NOTE ${name}: ${text}, at most ${Math.max(...run.concurrency)} at once`);
}

for (const seed of SEEDS) {
  test(`twenty devices, sooner together, meter reads answered (seed ${seed})`, () => {
    const world = { devices: DEVICES, blocks: BLOCKS, seed };
    const paced = simulate({ ...world, pace: new Pace() });
    const inTurn = simulate({ ...world, pace: 1 });
    const allAtOnce = simulate({ ...world, pace: DEVICES });
    note('in turn', inTurn);
    note('all at once, unpaced', allAtOnce);
    note('paced', paced);
    assert.ok(paced.tookMs < inTurn.tookMs / 3, 'a third of the time, or less');
    assert.ok(percentile(paced.answersMs, 0.95) <= READ_MS_MAX);
    // What the pace is for: without it the reads are not answered in time.
    assert.ok(percentile(allAtOnce.answersMs, 0.95) > READ_MS_MAX);
    assert.ok(paced.longestGapMs < GAP_MS_MAX, `${paced.longestGapMs} ms without a block`);
    assert.ok(paced.unfairness < 3, `${paced.unfairness} times as fast as the slowest`);
  });
}

test('it settles: with devices enough, the number moves by two at most', () => {
  for (const seed of SEEDS) {
    const run = simulate({ devices: 60, blocks: BLOCKS, seed, pace: new Pace() });
    const settled = run.concurrency.slice(run.concurrency.length / 4, run.concurrency.length / 2);
    assert.ok(Math.max(...settled) - Math.min(...settled) <= 2, settled.join(' '));
    assert.ok(Math.min(...settled) > 1);
  }
});

test('interference: reads are answered, and downloads go on and recover', () => {
  for (const seed of SEEDS) {
    const interference = (nowMs: number) => (nowMs > 600_000 && nowMs < 1_000_000 ? 0.4 : 0);
    const run = simulate({ devices: 60, blocks: BLOCKS, seed, pace: new Pace(), interference });
    assert.ok(percentile(run.answersMs, 0.95) <= READ_MS_MAX);
    assert.ok(run.longestGapMs < GAP_MS_MAX, `${run.longestGapMs} ms without a block`);
    const inTurn = simulate({ devices: 60, blocks: BLOCKS, seed, pace: 1, interference });
    assert.ok(run.tookMs < inTurn.tookMs / 3);
  }
});

/** One epoch of a network that serves each device at `rate(devices)` bytes/ms in all. */
function epochs(pace: Pace, count: number, rate: (devices: number) => number, answerMs = 50): void {
  for (let n = 0; n < count; n++) {
    clock += PACE_DEFAULTS.epochMs;
    const devices = pace.concurrency;
    const servedBytes = Math.round(rate(devices) * PACE_DEFAULTS.epochMs);
    pace.sample({ atMs: clock, devices, servedBytes, answerMs });
  }
}
let clock = 0;

test('it grows while that brings something, and leaves the share of meter reads free', () => {
  const pace = new Pace();
  assert.is(pace.concurrency, 1);
  // Idle up to eight devices, full from there.
  const rate = (devices: number) => 0.3 * Math.min(devices, 8);
  epochs(pace, 6, rate);
  assert.is(pace.blockPeriodMs, 0);
  epochs(pace, 3, rate);
  assert.is(pace.concurrency, 9);
  // 9 devices, 50 bytes, three quarters of 2.4 bytes/ms.
  assert.is(pace.blockPeriodMs, 250);
});

test('late answers cut by a third, down to one and not to nothing', () => {
  const pace = new Pace();
  const rate = (devices: number) => 0.3 * devices;
  epochs(pace, 6, rate);
  const grown = pace.concurrency;
  const { answerMsMax } = PACE_DEFAULTS;
  epochs(pace, 1, rate, answerMsMax);
  assert.ok(pace.concurrency > grown, 'the bound itself is allowed');
  const more = pace.concurrency;
  epochs(pace, 1, rate, answerMsMax + 1);
  assert.is(pace.concurrency, Math.floor((more * 2) / 3));
  epochs(pace, 50, () => 0, answerMsMax + 1);
  assert.is(pace.concurrency, 1);
  assert.ok(pace.blockPeriodMs > 0 && pace.blockPeriodMs < 1_000, `${pace.blockPeriodMs} ms`);
});

test('downloads that go on while fewer may begin are held to the rate', () => {
  const pace = new Pace();
  epochs(pace, 6, (devices) => 0.3 * devices);
  const devices = pace.concurrency;
  const sample = (answerMs: number): PaceSample => {
    clock += PACE_DEFAULTS.epochMs;
    return { atMs: clock, devices, servedBytes: 40_000, answerMs };
  };
  pace.sample(sample(300));
  const allowed = pace.concurrency;
  const periodMs = pace.blockPeriodMs;
  pace.sample(sample(300));
  assert.is(pace.concurrency, allowed);
  // 40,000 bytes in 20 s, cut by a third, less the share of meter reads: for all that go on.
  assert.is(pace.blockPeriodMs, Math.round((devices * 50) / ((2 * (2 / 3) * 3) / 4)));
  assert.is(pace.blockPeriodMs, periodMs);
});

test('too few devices say nothing about the air', () => {
  const pace = new Pace();
  epochs(pace, 4, (devices) => 0.3 * devices);
  const before = pace.concurrency;
  for (let n = 0; n < 50; n++) {
    clock += PACE_DEFAULTS.epochMs;
    pace.sample({ atMs: clock, devices: 1, servedBytes: 3_000 });
  }
  assert.is(pace.concurrency, before);
});

test.run();
