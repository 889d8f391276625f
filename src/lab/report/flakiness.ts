/**
 * How steady each scenario is on each model with each image, over one night or many. What the rig failed in
 * says nothing of that: it is counted apart.
 */
import { basename } from 'node:path';
import type { LabClass } from '../failure-classes.ts';
import type { RunResult } from '../run-result.ts';
import type { RunLogContent } from '../runner/run-log.ts';

export interface SteadinessRow {
  scenario: string;
  model: string;
  image: string;
  /** Runs that ended, those that the rig failed in left out. */
  runs: number;
  passed: number;
  /** By the class of the failure. */
  failed: Record<LabClass, number>;
  /** Passed after an attempt that did not get across: among `passed`. */
  passedLater: number;
  /** Some passed and some did not, or some passed later only. */
  isFlaky: boolean;
  /** Of the share that passes, 95 %; undefined without runs. */
  interval: { low: number; high: number } | undefined;
}

export function steadiness(logs: readonly RunLogContent[]): SteadinessRow[] {
  const rows = new Map<string, SteadinessRow>();
  for (const { finals, attempts } of logs) {
    const tries = new Map<string, number>();
    for (const { run, failure } of attempts) {
      if (failure?.class === 'flash') tries.set(run, (tries.get(run) ?? 0) + 1);
    }
    for (const result of finals.values()) {
      const row = rowOf(result, rows);
      count(row, result, tries.get(result.run) ?? 0);
    }
  }
  return [...rows.values()].map(judged).sort(byName);
}

/** Wilson's score interval (1927): also true where all passed, or few ran. */
export function wilson(passed: number, runs: number, z = 1.96): { low: number; high: number } {
  const share = passed / runs;
  const spread = z * z;
  const middle = share + spread / (2 * runs);
  const half = z * Math.sqrt((share * (1 - share)) / runs + spread / (4 * runs * runs));
  const scale = 1 + spread / runs;
  const low = Math.max(0, (middle - half) / scale);
  const high = Math.min(1, (middle + half) / scale);
  return { low, high };
}

/** Where so many passed and none failed, more than seven in ten do (95 %); of fewer that is not said. */
const STEADY_RUNS = 10;

/** In a word. */
export function steadinessWord({ isFlaky, runs, passed }: SteadinessRow): string {
  if (runs === 0) return 'not run';
  if (isFlaky) return 'flaky';
  if (passed < runs) return 'fails';
  return runs < STEADY_RUNS ? 'passed so far' : 'steady';
}

/** The images that a run was about, by the names of their files. */
export function imagesOf({ upgrades }: RunResult): string {
  return [...new Set(upgrades.map(({ image }) => basename(image)))].sort().join(' + ');
}

export function modelsOf({ models }: RunResult): string {
  return Object.values(models).join(' + ');
}

function rowOf(result: RunResult, rows: Map<string, SteadinessRow>): SteadinessRow {
  const { scenario } = result;
  const [model, image] = [modelsOf(result), imagesOf(result)];
  const key = JSON.stringify([scenario, model, image]);
  const known = rows.get(key);
  if (known) return known;
  const failed = { infra: 0, flash: 0, device: 0, assertion: 0 };
  const counts = { runs: 0, passed: 0, failed, passedLater: 0 };
  const row = { scenario, model, image, ...counts, isFlaky: false, interval: undefined };
  rows.set(key, row);
  return row;
}

function count(row: SteadinessRow, { outcome, failure }: RunResult, flashTries: number): void {
  if (failure) row.failed[failure.class]++;
  if (failure?.class === 'infra') return;
  row.runs++;
  if (outcome !== 'passed') return;
  row.passed++;
  if (flashTries > 0) row.passedLater++;
}

function judged(row: SteadinessRow): SteadinessRow {
  const { runs, passed, passedLater } = row;
  const isMixed = passed > 0 && passed < runs;
  return {
    ...row,
    isFlaky: isMixed || passedLater > 0,
    interval: runs === 0 ? undefined : wilson(passed, runs),
  };
}

function byName(a: SteadinessRow, b: SteadinessRow): number {
  return (
    a.scenario.localeCompare(b.scenario) ||
    a.model.localeCompare(b.model) ||
    a.image.localeCompare(b.image)
  );
}
