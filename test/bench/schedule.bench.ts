/**
 * The scheduler with a tenth of the items and with all of them: time to take them in, and of each start
 * and end while the rest waits. What it does for one item grows with the logarithm of how many there are.
 */
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { parseHours } from '../../src/schedule/windows.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { FULL, mix, printDigest } from './bench.ts';

const ITEMS = 10_000;
const NETWORKS = 10;
const ROUNDS = FULL ? 20 : 1;
const START = Date.UTC(2026, 0, 10);
const HOUR_MS = 3_600_000;

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const night = parseHours({ weekly: [{ days, from: '00:00', until: '06:00' }] });
if (!night.ok) throw new Error(night.code);
const windows = [night.hours];

interface Measured {
  submitUs: number;
  turnUs: number;
  digest: number;
}

/** One in eight fails once and comes back; a start takes a minute, and the night closes over the rest. */
function work(items: number): Measured {
  const random = new SeededRandom(5);
  const machine = new Scheduler(new RetryDesk(random, START));
  let digest = 0;
  const submitFromMs = performance.now();
  for (let n = 0; n < items; n++) {
    machine.submit({
      id: `item-${n}`,
      job: `job-${n % 7}`,
      stage: 'distribute',
      resources: [`network:${n % NETWORKS}`],
      priority: n % 3,
      notBeforeMs: START + (n % 50) * 60_000,
      deadlineMs: START + 10_000 * HOUR_MS,
      expectedMs: HOUR_MS,
      windows,
    });
  }
  for (let n = 0; n < NETWORKS; n++) machine.setPace(`network:${n}`, 8);
  const turnFromMs = performance.now();
  let turns = 0;
  for (
    let nowMs = START;
    machine.size > 0;
    nowMs = Math.max(nowMs + 60_000, machine.pollTimeout())
  ) {
    for (const { id } of machine.poll(nowMs).start) {
      turns++;
      digest = mix(digest, Number(id.slice(5)) + nowMs / 60_000);
      const fails = random.chance(1 / 8);
      machine.ended(
        id,
        fails ? { kind: 'failed', code: 'device-silent' } : { kind: 'done' },
        nowMs,
      );
    }
  }
  const endMs = performance.now();
  return {
    submitUs: ((turnFromMs - submitFromMs) * 1000) / items,
    turnUs: ((endMs - turnFromMs) * 1000) / turns,
    digest,
  };
}

for (const items of [ITEMS / 10, ITEMS]) {
  work(items);
  const runs = Array.from({ length: ROUNDS }, () => work(items));
  const least = (of: (run: Measured) => number) =>
    Math.min(...runs.map(of))
      .toFixed(2)
      .padStart(7);
  console.log(
    `${String(items).padStart(6)} items  submit ${least((run) => run.submitUs)} us` +
      `  wait, start and end ${least((run) => run.turnUs)} us each`,
  );
  printDigest(`schedule ${items}`, runs[0]!.digest);
}
