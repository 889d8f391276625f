/** The window controller against lines described by two functions: how long a chunk takes, and what is lost. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RoundTrip } from '../../../src/protocol/smp/round-trip.ts';
import { WindowControl, type WindowLimits } from '../../../src/protocol/smp/window.ts';

const test = suite('protocol/smp window');

const LIMITS: WindowLimits = {
  windowMax: 16,
  messageLines: 5,
  receiveLines: 2,
  lineBytesPerMs: Number.POSITIVE_INFINITY,
};

interface Line {
  /** Time between two acknowledgements, ms. */
  chunkMs: (window: number, lines: number) => number;
  /** One request in so many is lost; 0 for none. */
  lossEvery: (window: number, lines: number) => number;
  /** What a loss costs, ms. */
  lossMs: number;
}

interface Outcome {
  window: number;
  lines: number;
  /** Chunks acknowledged at each window. */
  at: Map<number, number>;
  losses: number;
  elapsedMs: number;
}

function drive(limits: Partial<WindowLimits>, line: Line, chunks: number): Outcome {
  const control = new WindowControl({ ...LIMITS, ...limits });
  const at = new Map<number, number>();
  let losses = 0;
  let nowMs = 0;
  let sinceLoss = 0;
  for (let done = 0; done < chunks; ) {
    const { window, lines } = control;
    assert.ok(window >= 1 && window <= 16 && lines >= 1);
    const every = line.lossEvery(window, lines);
    if (every > 0 && ++sinceLoss >= every) {
      sinceLoss = 0;
      losses++;
      nowMs += line.lossMs;
      control.lost(nowMs);
      continue;
    }
    nowMs += line.chunkMs(window, lines);
    at.set(window, (at.get(window) ?? 0) + 1);
    control.acknowledged(70 * lines, nowMs);
    done++;
  }
  return { window: control.window, lines: control.lines, at, losses, elapsedMs: nowMs };
}

/** A round trip of 20 ms, of which the line takes 4: a window of five fills it. */
const SLOW_ADAPTER = (window: number) => Math.max(4, 20 / window);

test('it begins with one', () => {
  assert.equal([new WindowControl(LIMITS).window, new WindowControl(LIMITS).lines], [1, 5]);
});

test('with a known line speed it goes to the window that fills the line, and not beyond', () => {
  const line = { chunkMs: SLOW_ADAPTER, lossEvery: () => 0, lossMs: 0 };
  const { window, at } = drive({ lineBytesPerMs: 350 / 4 }, line, 200);
  assert.is(window, 5);
  assert.equal([...at.keys()], [1, 2, 5]);
  assert.ok(at.get(1)! + at.get(2)! <= 12);
});

test('where uneven answers leave the line with gaps it goes beyond its first guess', () => {
  // The round trip measured at one suggests four; there the line is three quarters full, at six it is full.
  const chunkMs = [13, 8, 6.2, 5.4, 4.8, 4.1];
  const line = {
    chunkMs: (window: number) => chunkMs[window - 1] ?? 4,
    lossEvery: () => 0,
    lossMs: 0,
  };
  const { at } = drive({ lineBytesPerMs: 350 / 4 }, line, 2_000);
  const beyond = [...at]
    .filter(([window]) => window > 4)
    .reduce((sum, [, chunks]) => sum + chunks, 0);
  assert.ok(beyond > 1_500, JSON.stringify([...at]));
});

test('without a line speed it doubles as long as that gains', () => {
  const line = { chunkMs: SLOW_ADAPTER, lossEvery: () => 0, lossMs: 0 };
  const { at } = drive({}, line, 2_000);
  assert.ok(at.get(8)! > 1_600, JSON.stringify([...at]));
});

test('a line that one request fills stays at one', () => {
  const line = { chunkMs: () => 4, lossEvery: () => 0, lossMs: 0 };
  const { at } = drive({ lineBytesPerMs: 350 / 4 }, line, 500);
  assert.equal([...at.keys()], [1]);
});

test('a pool that holds one message: trials become rare, and cost little', () => {
  const line = {
    chunkMs: () => 20,
    lossEvery: (window: number) => (window > 1 ? 1 : 0),
    lossMs: 40,
  };
  const { window, losses, elapsedMs } = drive({}, line, 2_000);
  assert.is(window, 1);
  assert.ok(losses <= 4, `${losses} losses`);
  assert.ok(elapsedMs < 1.005 * 2_000 * 20);
});

test('a pool that holds three messages: it finds three between two and six', () => {
  const line = {
    chunkMs: SLOW_ADAPTER,
    lossEvery: (window: number) => (window > 3 ? 2 : 0),
    lossMs: 40,
  };
  const { at } = drive({ lineBytesPerMs: 350 / 3 }, line, 2_000);
  assert.ok(at.get(3)! > 1_800, JSON.stringify([...at]));
});

test('a window that is slower with its losses is left again', () => {
  // Lossless at first, then one in six is lost: slower than one at a time.
  let lossy = false;
  const line = {
    chunkMs: (window: number) => 20 / window,
    lossEvery: (window: number) => (lossy && window > 1 ? 6 : 0),
    lossMs: 200,
  };
  const control = new WindowControl({ ...LIMITS, windowMax: 2 });
  let nowMs = 0;
  const pass = (chunks: number) => {
    for (let i = 1; i <= chunks; i++) {
      const every = line.lossEvery(control.window);
      if (every > 0 && i % every === 0) {
        nowMs += line.lossMs;
        control.lost(nowMs);
      }
      nowMs += line.chunkMs(control.window);
      control.acknowledged(350, nowMs);
    }
  };
  pass(60);
  assert.is(control.window, 2);
  lossy = true;
  pass(120);
  assert.is(control.window, 1);
});

test('losses of single messages: shorter ones are tried, and kept where they are faster', () => {
  const line = {
    chunkMs: (_: number, lines: number) => 4 + 4 * lines,
    // Five lines overrun the pool now and then, three do not.
    lossEvery: (_: number, lines: number) => (lines > 3 ? 4 : 0),
    lossMs: 150,
  };
  const { lines } = drive({ windowMax: 1 }, line, 400);
  assert.is(lines, 3);
});

test('shorter messages that are not faster are given up', () => {
  const line = {
    chunkMs: (_: number, lines: number) => 20 + 4 * lines,
    lossEvery: () => 12,
    lossMs: 30,
  };
  const control = drive({ windowMax: 1 }, line, 600);
  assert.is(control.lines, 5);
});

test('a window within the pool is gone to at once', () => {
  const line = { chunkMs: SLOW_ADAPTER, lossEvery: () => 0, lossMs: 0 };
  const { at } = drive({ receiveLines: 20, lineBytesPerMs: 350 / 4 }, line, 100);
  assert.equal([...at.keys()], [1, 4, 5]);
});

test('waits: long without a sample, then near the round trip, never below the floor', () => {
  const trip = new RoundTrip(100, 2_500);
  assert.is(trip.timeoutMs(0), 1_000);
  for (let i = 0; i < 50; i++) trip.sample(10);
  assert.is(trip.timeoutMs(0), 100);
  trip.sample(90);
  assert.ok(trip.timeoutMs(0) >= 135);
  for (let i = 0; i < 20; i++) trip.sample(10);
  assert.ok(trip.timeoutMs(0) > 85, 'a slow page is remembered');
  assert.is(trip.timeoutMs(20), 2_500);
  assert.is(trip.timeoutMs(1), 2 * trip.timeoutMs(0));
  trip.sample(-5);
  assert.ok(trip.timeoutMs(0) >= 100);
});

test.run();
