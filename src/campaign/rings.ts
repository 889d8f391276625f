/**
 * How a campaign goes on: which rings are open, how many devices may be started now, and whether it is
 * given up. A pure function of the manifest and what was counted, so that every gateway and coordinator
 * that has counted the same decides the same.
 *
 * Devices that were attempted are the measure, not all there are: in a fleet that is mostly offline a
 * share of all devices would trip after thousands of failures. A percentage is of one ring, so that a
 * thousand successes before it hide nothing; a count is of the campaign. An abort is final: it is kept
 * by the caller and handed in again, whatever is counted later.
 *
 * Where all of a ring ended and too few succeeded, the campaign is held until a person acts: a ring is
 * no way around the one before it.
 */
import { assert } from '../errors.ts';
import { sha256Hex } from '../trust/digest.ts';
import { FAILURE_CLASSES, type FailureClass } from './failure-classes.ts';
import type { AbortRule, Manifest, Pace } from './manifest.ts';

export interface RingCounts {
  /** Devices of the ring that are known. */
  size: number;
  /** Told to start and not known to have been: they take room, and are no sample of anything. */
  granted?: number;
  /** Started, whatever came of it. */
  attempted: number;
  succeeded: number;
  failed: Partial<Record<FailureClass, number>>;
}

export const CAMPAIGN_COURSES = ['running', 'waiting', 'held', 'finished', 'aborted'] as const;
export type CampaignCourse = (typeof CAMPAIGN_COURSES)[number];

export interface CampaignAbort {
  /** Index of the rule in the manifest. */
  rule: number;
  /** Index of the ring; absent where the rule counts the campaign. */
  ring?: number;
  failed: number;
  attempted: number;
}

export interface Evaluation {
  /**
   * `running`: more may start; `waiting`: for devices under way; `held`: for a person; `finished`: every
   * device of every ring has ended; `aborted`: nothing may start any more.
   */
  course: CampaignCourse;
  /** Index of the last ring that is open. */
  ring: number;
  /** How many more may start now, of each ring. */
  starts: readonly number[];
  /** Devices that may be under way at once. */
  width: number;
  abort?: CampaignAbort;
}

/** One entry of `counts` a ring. `aborted`: what an earlier evaluation said. */
export function evaluateRings(
  manifest: Pick<Manifest, 'rings' | 'pace' | 'aborts'>,
  counts: readonly RingCounts[],
  aborted?: CampaignAbort,
): Evaluation {
  const { rings, pace, aborts } = manifest;
  assert(counts.length === rings.length, 'every ring is counted');
  for (const one of counts)
    assert(areCounts(one), 'no more end than were started, nor start than are');
  const ring = lastOpenRing(manifest, counts);
  const total = sumOf(counts);
  const width = widthOf(pace, total.succeeded);
  const abort = aborted ?? findAbort(aborts, counts, total);
  const none = rings.map(() => 0);
  if (abort) return { course: 'aborted', ring, starts: none, width, abort };
  const granted = total.granted ?? 0;
  const underWay = total.attempted + granted - total.succeeded - failuresOf(total, 'any');
  let free = Math.max(0, width - underWay);
  const starts = counts.map(({ size, attempted, granted = 0 }, index) => {
    const more = index <= ring ? Math.min(free, size - attempted - granted) : 0;
    free -= more;
    return more;
  });
  const course = courseOf(starts, underWay, total);
  return { course, ring, starts, width };
}

/**
 * Which ring a device is in: the first that names it or its gateway, else by a share of SHA-256 over
 * campaign and device, so that another campaign begins with others.
 */
export function ringOf(
  { id, rings }: Pick<Manifest, 'id' | 'rings'>,
  device: string,
  gateway: string,
): number {
  const share = Number.parseInt(
    sha256Hex(new TextEncoder().encode(`${id}\n${device}`)).slice(0, 8),
    16,
  );
  const hundredth = (100 * share) / 2 ** 32;
  return rings.findIndex(({ members, percent, all }) => {
    if (members) return members.includes(device) || members.includes(gateway);
    return all === true || hundredth < percent!;
  });
}

/** Whole numbers throughout: it is the same on every machine. */
function widthOf({ first, growthPercent, afterSucceeded, most }: Pace, succeeded: number): number {
  const steps = Math.floor(succeeded / afterSucceeded);
  let width = first;
  for (let step = 0; step < steps && width < most; step++) {
    const grown = Math.ceil((width * growthPercent) / 100);
    if (grown === width) break;
    width = grown;
  }
  return Math.min(width, most);
}

/** A ring without devices holds nothing up. */
function lastOpenRing({ rings }: Pick<Manifest, 'rings'>, counts: readonly RingCounts[]): number {
  const closed = rings.findIndex(
    ({ untilPercent }, index) =>
      100 * counts[index]!.succeeded < untilPercent * counts[index]!.size,
  );
  return closed < 0 ? rings.length - 1 : closed;
}

function findAbort(
  aborts: readonly AbortRule[],
  counts: readonly RingCounts[],
  total: RingCounts,
): CampaignAbort | undefined {
  for (const [rule, { failure, count, percent, minimum }] of aborts.entries()) {
    if (count !== undefined) {
      const failed = failuresOf(total, failure);
      if (failed >= count) return { rule, failed, attempted: total.attempted };
      continue;
    }
    for (const [ring, one] of counts.entries()) {
      const failed = failuresOf(one, failure);
      const { attempted } = one;
      const isEnough = attempted >= minimum!;
      if (isEnough && failed > 0 && 100 * failed >= percent! * attempted) {
        return { rule, ring, failed, attempted };
      }
    }
  }
  return undefined;
}

function courseOf(
  starts: readonly number[],
  underWay: number,
  { size, attempted }: RingCounts,
): CampaignCourse {
  if (starts.some((more) => more > 0)) return 'running';
  if (underWay > 0) return 'waiting';
  return attempted === size ? 'finished' : 'held';
}

function sumOf(counts: readonly RingCounts[]): RingCounts {
  const failed: Partial<Record<FailureClass, number>> = {};
  let [size, granted, attempted, succeeded] = [0, 0, 0, 0];
  for (const one of counts) {
    size += one.size;
    granted += one.granted ?? 0;
    attempted += one.attempted;
    succeeded += one.succeeded;
    for (const name of Object.keys(FAILURE_CLASSES) as FailureClass[]) {
      failed[name] = (failed[name] ?? 0) + (one.failed[name] ?? 0);
    }
  }
  return { size, granted, attempted, succeeded, failed };
}

function failuresOf({ failed }: RingCounts, failure: FailureClass | 'any'): number {
  if (failure !== 'any') return failed[failure] ?? 0;
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

function areCounts(counts: RingCounts): boolean {
  const { size, granted = 0, attempted, succeeded, failed } = counts;
  const all = [size, granted, attempted, succeeded, ...Object.values(failed)];
  const ended = succeeded + failuresOf(counts, 'any');
  return (
    all.every((one) => Number.isSafeInteger(one) && one >= 0) &&
    ended <= attempted &&
    attempted + granted <= size
  );
}
