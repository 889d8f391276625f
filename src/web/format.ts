/** Numbers and times as a person reads them: UK English, one style everywhere. */

const KIB = 1024;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const COUNT = new Intl.NumberFormat('en-GB');
const DAY_AND_TIME = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const TIME = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

export function countText(value: number): string {
  return COUNT.format(value);
}

export function bytesText(bytes: number): string {
  if (bytes < KIB) return `${countText(bytes)} B`;
  if (bytes < KIB * KIB) return `${(bytes / KIB).toFixed(1)} KiB`;
  return `${(bytes / KIB / KIB).toFixed(1)} MiB`;
}

export function rateText(bytesPerSecond: number): string {
  return `${bytesText(Math.round(bytesPerSecond))}/s`;
}

/** Rounded down: nothing is 100 % before all of it is there. */
export function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.floor((100 * part) / whole);
}

/** To two parts at most: `3 min 20 s`. */
export function durationText(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.round(ms / SECOND_MS))} s`;
  if (ms < HOUR_MS) return parts(ms, MINUTE_MS, 'min', SECOND_MS, 's');
  if (ms < DAY_MS) return parts(ms, HOUR_MS, 'h', MINUTE_MS, 'min');
  return parts(ms, DAY_MS, 'd', HOUR_MS, 'h');
}

/** `20 s to 3 min`; one of them where both read the same. */
export function rangeText(leastMs: number, mostMs: number): string {
  const [least, most] = [durationText(leastMs), durationText(mostMs)];
  return least === most ? `about ${least}` : `${least} to ${most}`;
}

/** In the time zone of whoever reads it. */
export function momentText(ms: number): string {
  return DAY_AND_TIME.format(ms);
}

export function timeText(ms: number): string {
  return TIME.format(ms);
}

export function ageText(sinceMs: number, nowMs: number): string {
  return `${durationText(nowMs - sinceMs)} ago`;
}

/** Enough of a hash to tell it from others. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}

function parts(ms: number, large: number, largeName: string, small: number, smallName: string) {
  const smalls = Math.round(ms / small);
  const each = large / small;
  const rest = smalls % each;
  const head = `${Math.floor(smalls / each)} ${largeName}`;
  return rest === 0 ? head : `${head} ${rest} ${smallName}`;
}
