/**
 * How old a list is. Reading one never fetches it: whoever does says when, and a decision compares.
 *
 * How often the lists are published and how long one may be used was not found, so the limits are
 * our choice and a site's data.
 */

/** When a list was fetched. A file's own time is no stamp: copying makes it younger than the list. */
export interface ListStamp {
  fetchedAtMs: number;
  /** Who or what said so. */
  source: string;
}

export interface ListAgeLimits {
  warnAfterDays: number;
  refuseAfterDays: number;
  /** Who set them. */
  source: string;
}

export const LIST_AGE_LIMITS: ListAgeLimits = {
  warnAfterDays: 7,
  refuseAfterDays: 30,
  source: 'assumed: our choice, found in no source',
};

export type ListAge = 'fresh' | 'old' | 'too-old' | 'from-the-future' | 'unknown';

const DAY_MS = 86_400_000;

/** A list from the future was stamped by another clock, or this one was set back: neither is fresh. */
export function listAge(
  stamp: ListStamp | undefined,
  nowMs: number,
  limits: ListAgeLimits = LIST_AGE_LIMITS,
): { age: ListAge; days?: number } {
  if (!stamp) return { age: 'unknown' };
  const days = (nowMs - stamp.fetchedAtMs) / DAY_MS;
  if (!Number.isFinite(days)) return { age: 'unknown' };
  // A day for clocks and zones.
  if (days < -1) return { age: 'from-the-future', days };
  if (days > limits.refuseAfterDays) return { age: 'too-old', days };
  return { age: days > limits.warnAfterDays ? 'old' : 'fresh', days };
}
