/**
 * Local time of an IANA zone: what its clocks show at an instant, and at which instants they show
 * it.
 *
 * Local time is a number here: milliseconds since 1970-01-01T00:00 as the clock on the wall counts
 * them. The rules of the zones are the runtime's, read through @date-fns/tz, which enters here
 * alone. A Date is made of an instant that is handed in; none is ever asked for the time.
 *
 * Limit: of several changes of the clock within three days only one would be seen; no zone has had
 * two since clocks have been set by law in whole hours or halves.
 */
import { tzOffset } from '@date-fns/tz/tzOffset';

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

/** From `startMs`, up to and without `endMs`. */
export interface Span {
  startMs: number;
  endMs: number;
}

export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone });
    return zone !== '';
  } catch {
    return false;
  }
}

/** What the clocks of the zone show. */
export function localTimeMs(zone: string, atMs: number): number {
  return atMs + offsetMs(zone, atMs);
}

/**
 * When the clocks of the zone show a time from `startMs` up to `endMs`, local times at most two
 * days apart. None where the clocks skip all of it; two spans where they are set back within it and
 * what they show leaves it in between.
 */
export function instantsOf(zone: string, { startMs, endMs }: Span): Span[] {
  const earlyMs = startMs - DAY_MS;
  const lateMs = endMs + DAY_MS;
  const before = offsetMs(zone, earlyMs);
  const after = offsetMs(zone, lateMs);
  if (before === after) return [{ startMs: startMs - before, endMs: endMs - before }];
  const changeMs = changeBetween(zone, earlyMs, lateMs);
  const spans = [
    { startMs: startMs - before, endMs: Math.min(endMs - before, changeMs) },
    { startMs: Math.max(startMs - after, changeMs), endMs: endMs - after },
  ].filter((span) => span.startMs < span.endMs);
  const [first, second] = spans;
  if (first && second && first.endMs === second.startMs) {
    return [{ startMs: first.startMs, endMs: second.endMs }];
  }
  return spans;
}

/** The first instant of the new offset. */
function changeBetween(zone: string, earlyMs: number, lateMs: number): number {
  const before = offsetMs(zone, earlyMs);
  let [old, changed] = [earlyMs, lateMs];
  while (changed - old > 1) {
    const middle = Math.floor((old + changed) / 2);
    if (offsetMs(zone, middle) === before) old = middle;
    else changed = middle;
  }
  return changed;
}

function offsetMs(zone: string, atMs: number): number {
  return tzOffset(zone, new Date(atMs)) * MINUTE_MS;
}
