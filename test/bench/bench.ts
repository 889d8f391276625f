/**
 * The bench harness: contenders do the same work in one process, turn by turn, and are compared.
 *
 * Each sample calls every contender equally often with the same call numbers, beginning with
 * another contender each time, so that a busy machine slows all of them. A contender's figure is
 * its third-best sample: the best may be luck, the median is the machine's other work. What the
 * calls return is mixed into a digest that is printed: nothing is optimised away, and contenders
 * said to do the same work must show the same digest.
 *
 * A bench runs small by default, in about a second, so that the tests can run it and it cannot rot;
 * figures to quote come from `--full`. The harness measures throughput and allocation, not latency.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const FULL = process.argv.includes('--full');

const SAMPLES = FULL ? 40 : 5;
/** What the fastest contender's sample takes, ms. */
const SAMPLE_MS = FULL ? 2 : 0.1;
const WARM_UP_MS = FULL ? 100 : 2;

/**
 * One piece of work; `call` counts from 0 and chooses the input. What it returns goes into the
 * digest.
 */
export type Contender = (call: number) => number;

export interface Contest {
  name: string;
  /** The first is ours; the ratios say how many times as fast it is as each of the others. */
  contenders: Record<string, Contender>;
  /** Bytes worked on in one call: prints a rate. */
  bytesPerCall?: number;
  /** False where contenders do comparable work with results that cannot be equal. Default true. */
  sameResult?: boolean;
}

export interface Outcome {
  nsPerCall: Record<string, number>;
  /** Time of each contender through the time of the first. */
  ratios: Record<string, number>;
  digest: number;
}

/** Runs a contest and prints it. Throws where contenders that should agree do not. */
export function compare(contest: Contest): Outcome {
  const entries = Object.entries(contest.contenders);
  const calls = Math.min(...entries.map(([, contender]) => callsFor(contender)));
  const samples = entries.map((): number[] => []);
  const digests = entries.map(() => 0);
  for (let sample = 0; sample < SAMPLES; sample++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const index = (sample + turn) % entries.length;
      const startedMs = performance.now();
      digests[index] = mix(digests[index]!, repeat(entries[index]![1], calls));
      samples[index]!.push(((performance.now() - startedMs) * 1e6) / calls);
    }
  }
  if (contest.sameResult !== false) {
    const odd = entries.findIndex((_, index) => digests[index] !== digests[0]);
    if (odd >= 0) throw new Error(`${contest.name}: ${entries[odd]![0]} computed something else`);
  }
  const times = samples.map((list) => list.sort((a, b) => a - b)[2]!);
  const outcome: Outcome = {
    nsPerCall: Object.fromEntries(entries.map(([label], i) => [label, times[i]!])),
    ratios: Object.fromEntries(entries.map(([label], i) => [label, times[i]! / times[0]!])),
    digest: digests.reduce(mix) >>> 0,
  };
  print(contest, outcome, calls);
  return outcome;
}

/** Prints a digest line of a bench that measures in its own way. */
export function printDigest(name: string, digest: number): void {
  console.log(`digest ${name} 0x${(digest >>> 0).toString(16).padStart(8, '0')}`);
}

/** The next state of a digest; order matters. */
export function mix(digest: number, value: number): number {
  return (Math.imul(digest ^ value, 0x01000193) + (digest >>> 15)) | 0;
}

/** `length` bytes that depend on the seed alone. */
export function seededBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/**
 * JavaScript heap bytes that one call allocates, in steady state: 0 means none. Call it with work
 * so often repeated that a single allocation would show.
 *
 * The heap is collected, then grows undisturbed while `contender` runs `calls` times; the same
 * around an empty function is taken off. The least of the rounds counts, as compilation and
 * feedback only ever add. A round that a collection disturbed shows too little, so `calls` times
 * the answer has to stay below the young generation (a few MiB): a round is refused where the
 * collector moved the heap down.
 */
export function bytesAllocatedPerCall(contender: Contender, calls = 2000): number {
  const collect = collector();
  for (let round = 0; round < 5; round++) repeat(contender, calls);
  const nothing = leastGrowth(collect, (call) => call, calls);
  const growth = leastGrowth(collect, contender, calls);
  return Math.max(0, growth - nothing) / calls;
}

function leastGrowth(collect: () => void, contender: Contender, calls: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    repeat(contender, calls);
    const growth = process.memoryUsage().heapUsed - before;
    if (growth >= 0) least = Math.min(least, growth);
  }
  if (!Number.isFinite(least)) throw new Error('a collection disturbed every round: fewer calls');
  return least;
}

/** The garbage collector, with or without `--expose-gc`. */
export function collector(): () => void {
  if (globalThis.gc) return () => globalThis.gc!();
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function repeat(contender: Contender, calls: number): number {
  let digest = 0;
  for (let call = 0; call < calls; call++) digest = mix(digest, contender(call));
  return digest;
}

/** Warms a contender up, then says how many calls make a sample. */
function callsFor(contender: Contender): number {
  const untilMs = performance.now() + WARM_UP_MS;
  let calls = 1;
  let tookMs = 0;
  do {
    const startedMs = performance.now();
    repeat(contender, calls);
    tookMs = performance.now() - startedMs;
    if (tookMs < SAMPLE_MS) calls *= 2;
  } while (tookMs < SAMPLE_MS || performance.now() < untilMs);
  return calls;
}

function print(contest: Contest, outcome: Outcome, calls: number): void {
  console.log(`${contest.name}  (${SAMPLES} samples of ${calls} calls, third best)`);
  for (const [label, ns] of Object.entries(outcome.nsPerCall)) {
    const rate = contest.bytesPerCall
      ? `${((contest.bytesPerCall / ns) * 1000).toFixed(0).padStart(7)} MB/s`
      : `${(1e9 / ns).toFixed(0).padStart(10)} /s`;
    const time = ns.toFixed(ns < 1000 ? 1 : 0).padStart(11);
    console.log(
      `  ${label.padEnd(22)}${time} ns${rate}  ${outcome.ratios[label]!.toFixed(2).padStart(6)} x`,
    );
  }
  printDigest(contest.name, outcome.digest);
}
