/**
 * Random damage to every parser of bytes from outside. Whatever comes in, a parser answers in time,
 * with a value or a code of its table, keeps nothing of it, and what it accepts holds what it
 * promises.
 *
 * As a program, `scripts/fuzz [SECONDS [SEED [FAMILY]]]`; the tests run it for two seconds. The seed
 * is printed first. Every input is made from the seed, the name of its family and its number alone, so
 * `scripts/fuzz 0 SEED FAMILY:NUMBER` makes and tries that one again. A failing input is printed, made
 * as small as it still fails.
 */
import { randomInt } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { damage, minimise } from './damage.ts';
import { FAMILIES } from './families.ts';
import { Random } from './random.ts';
import { type Answer, type Family, type Target, utf8 } from './target.ts';

/**
 * One input may take so long of the processor, and so much more for each KiB of it. What takes time
 * with the square of its input is above that long before the largest, 256 KiB.
 */
const INPUT_MS_MAX = 1000;
const KIB_MS_MAX = 30;
/** The heap may end so much above where it stood when a quarter of the run was over. */
const GROWTH_BYTES_MAX = 16 * 1024 * 1024;
/** A family keeps the word for so long, ms, then the one that had it least goes on. */
const TURN_MS = 20;
const HEAP_SAMPLES = 40;
const MINIMISE_MS = 20_000;

export interface FamilyReport {
  name: string;
  inputs: number;
  accepted: number;
  /** How often each code was given. */
  codes: Map<string, number>;
  slowestMs: number;
  /** The number of the slowest input. */
  slowest: number;
  spentMs: number;
}

export interface FuzzReport {
  families: FamilyReport[];
  /** Bytes in use after a collection, the first before any input. */
  heap: number[];
}

/** Runs until `ms` are over, and each family had its turn; throws at the first input that fails. */
export function fuzz(seed: number, ms: number, families: readonly Family[]): FuzzReport {
  const reports = families.map(({ name }) => emptyReport(name));
  const collect = collector();
  const heap = [heapBytes(collect)];
  const startedMs = performance.now();
  const isOver = () =>
    performance.now() - startedMs >= ms && reports.every(({ inputs }) => inputs > 0);
  while (!isOver()) {
    const nowMs = performance.now();
    const least = reports.reduce((a, b) => (b.spentMs < a.spentMs ? b : a));
    const family = families.find(({ name }) => name === least.name)!;
    do tryInput(seed, family, least);
    while (performance.now() - nowMs < TURN_MS);
    least.spentMs += performance.now() - nowMs;
    if (performance.now() - startedMs > (heap.length * ms) / HEAP_SAMPLES) {
      heap.push(heapBytes(collect));
    }
  }
  const grown = growth(heap);
  if (grown > GROWTH_BYTES_MAX) {
    throw new Error(`the heap grew by ${grown} bytes: ${heap.join(' ')}`);
  }
  return { families: reports, heap };
}

/** The one input of that number, tried as in a run. */
export function replay(seed: number, family: Family, input: number): Answer {
  const { target, bytes } = inputOf(seed, family, input);
  console.log(`${target.name}, ${bytes.length} bytes: ${show(bytes)}`);
  return attempt(seed, family, input).answer;
}

function tryInput(seed: number, family: Family, report: FamilyReport): void {
  const { answer, ms } = attempt(seed, family, report.inputs);
  if (ms > report.slowestMs) Object.assign(report, { slowestMs: ms, slowest: report.inputs });
  if (answer.accepted) report.accepted++;
  for (const code of answer.codes) report.codes.set(code, (report.codes.get(code) ?? 0) + 1);
  report.inputs++;
}

function attempt(seed: number, family: Family, input: number): { answer: Answer; ms: number } {
  const { target, bytes } = inputOf(seed, family, input);
  const found = outcomeOf(target, bytes);
  if (found.failure === undefined) return found;
  const untilMs = performance.now() + MINIMISE_MS;
  const small = minimise(bytes, (one) => outcomeOf(target, one).failure === found.failure, untilMs);
  const place = `seed ${seed}, ${family.name}:${input}, ${target.name}`;
  throw new Error(`${place}: ${found.failure}\ninput: ${show(small)}`, { cause: found.cause });
}

interface Outcome {
  answer: Answer;
  ms: number;
  failure?: string;
  cause?: unknown;
}

function outcomeOf(target: Target, bytes: Uint8Array): Outcome {
  const limitMs = (target.inputMsMax ?? INPUT_MS_MAX) + (bytes.length >> 10) * KIB_MS_MAX;
  let best = Number.POSITIVE_INFINITY;
  let answer: Answer = { accepted: false, codes: [] };
  // The first time may have been the compiler's: only what is slow three times is slow.
  for (let tries = 0; tries < 3 && best > limitMs; tries++) {
    const startedMs = threadMs();
    try {
      answer = target.read(bytes);
    } catch (cause) {
      const { message } = cause as Error;
      // Without numbers, so that a smaller input fails in the same way.
      return { answer, ms: 0, failure: `threw: ${message.replace(/\d+/g, 'N')}`, cause };
    }
    best = Math.min(best, threadMs() - startedMs);
  }
  return { answer, ms: best, ...(best > limitMs ? { failure: 'too slow' } : {}) };
}

/** Of the processor, for this thread: other programs do not count. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function inputOf(seed: number, family: Family, input: number) {
  const random = Random.of(seed, family.name, input);
  const { targets } = family;
  const target = targets[input % targets.length]!;
  const { good, words = [], arbitrary } = target;
  if (arbitrary && random.below(4) === 0) {
    const made = fc.sample(arbitrary, { seed: random.next() | 0, numRuns: 1 })[0]!;
    // Half of them as they are made, half damaged.
    return { target, bytes: random.below(2) === 0 ? made : damage(made, random, good) };
  }
  const damaged = damage(random.pick(good), random, [...good, ...words.map(utf8)]);
  // Most of what is no text would only be told to be none.
  const isKeptText = words.length > 0 && random.below(8) > 0;
  return { target, bytes: isKeptText ? damaged.map((byte) => byte & 0x7f) : damaged };
}

/** Between the middles of the second and of the last quarter: what comes before is warming up. */
function growth(heap: readonly number[]): number {
  const quarter = Math.floor(heap.length / 4);
  if (quarter === 0) return heap.at(-1)! - heap[0]!;
  return median(heap.slice(-quarter)) - median(heap.slice(quarter, 2 * quarter));
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1]!;
}

function heapBytes(collect: () => void): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function emptyReport(name: string): FamilyReport {
  const codes = new Map<string, number>();
  return { name, inputs: 0, accepted: 0, codes, slowestMs: 0, slowest: 0, spentMs: 0 };
}

/** As text where it is one, for a test to be made of it; else as digits. */
function show(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const isText = /^[\t\n\r -~]*$/.test(text);
  return isText ? JSON.stringify(text) : Buffer.from(bytes).toString('hex');
}

function print({ families, heap }: FuzzReport): void {
  for (const { name, inputs, accepted, codes, slowestMs, slowest } of families) {
    const slow = `slowest ${slowestMs.toFixed(1)} ms (${name}:${slowest})`;
    console.log(`${name}: ${inputs} inputs, ${accepted} accepted, ${codes.size} codes, ${slow}`);
    const counted = [...codes].sort((a, b) => b[1] - a[1]);
    console.log(`  ${counted.map(([code, count]) => `${code} ${count}`).join(', ')}`);
  }
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const [first, last] = [heap[0]!, heap.at(-1)!];
  const quarter = `${mib(growth(heap))} MiB from the second quarter to the last`;
  console.log(`heap after collection: ${mib(first)} MiB, at the end ${mib(last)} MiB; ${quarter}`);
  console.log(`resident: ${mib(process.memoryUsage().rss)} MiB`);
}

if (import.meta.main) {
  const [seconds, seed, which] = process.argv.slice(2);
  const chosen = seed === undefined ? randomInt(2 ** 31) : Number(seed);
  const [name, input] = which?.split(':') ?? [];
  const families = FAMILIES.filter((family) => name === undefined || family.name === name);
  console.log(`SEED ${chosen}`);
  if (families.length === 0 || Number.isNaN(chosen) || Number.isNaN(Number(seconds ?? 0))) {
    const names = FAMILIES.map((family) => family.name).join(', ');
    console.log(`scripts/fuzz [SECONDS [SEED [FAMILY[:NUMBER]]]], with a family of: ${names}`);
    process.exitCode = 2;
  } else if (input !== undefined) console.log(replay(chosen, families[0]!, Number(input)));
  else print(fuzz(chosen, Number(seconds ?? 600) * 1000, families));
}
