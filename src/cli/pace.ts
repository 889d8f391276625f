/**
 * How fast a transfer is, and how long it will yet take. The rate is of bytes seen to move in the last seconds.
 * Time left is a range, never one number: the last minute is looked at moment by moment, the quicker half of its
 * moments gives the one end and the slower half the other. A transfer that is even has a narrow range; one that
 * stops now and then a wide one; of one that stood still for half of the time nobody can say when it ends.
 */
import { durationText } from './output.ts';

/** What the rate is taken over. */
const RATE_WINDOW_MS = 6_000;
/** What the range is taken over, and of what pieces. */
const RANGE_WINDOW_MS = 60_000;
const MOMENT_MS = 1_000;
/** Fewer say nothing of how even it is. */
const MOMENTS_MIN = 3;
/** Samples are kept no closer than this; with the window it bounds how many there are. */
const SAMPLE_PERIOD_MS = 500;

export interface Sample {
  atMs: number;
  sentBytes: number;
}

export interface TimeLeft {
  leastMs: number;
  /** Undefined: it stood still for too long to say. */
  mostMs: number | undefined;
}

/** Takes in how far a transfer is now. One that begins anew, or goes on from elsewhere, begins a new history. */
export function addSample(history: Sample[], sentBytes: number, nowMs: number): void {
  if (sentBytes < (history.at(-1)?.sentBytes ?? 0)) history.length = 0;
  const before = history.at(-2);
  // The newest is always kept; the one it follows closely makes room for it.
  if (before && nowMs - before.atMs < SAMPLE_PERIOD_MS) history.pop();
  history.push({ atMs: nowMs, sentBytes });
  while (history.length > 2 && history[1]!.atMs <= nowMs - RANGE_WINDOW_MS) history.shift();
}

/** Bytes a second over the last seconds; undefined where nothing moved in them. */
export function rateOf(history: readonly Sample[], nowMs: number): number | undefined {
  const last = history.at(-1);
  if (!last || last.atMs < nowMs - RATE_WINDOW_MS) return undefined;
  const first = history.find(({ atMs }) => atMs >= last.atMs - RATE_WINDOW_MS)!;
  if (last.atMs <= first.atMs || last.sentBytes <= first.sentBytes) return undefined;
  return ((last.sentBytes - first.sentBytes) / (last.atMs - first.atMs)) * 1000;
}

/** Undefined where too little was seen, or nothing moved. */
export function timeLeft(
  history: readonly Sample[],
  totalBytes: number,
  nowMs: number,
): TimeLeft | undefined {
  const moved = movedBy(history, nowMs);
  if (moved.length < MOMENTS_MIN) return undefined;
  moved.sort((a, b) => a - b);
  const half = Math.ceil(moved.length / 2);
  const slow = mean(moved.slice(0, half));
  const quick = mean(moved.slice(-half));
  if (quick <= 0) return undefined;
  const leftBytes = Math.max(0, totalBytes - history.at(-1)!.sentBytes);
  const leastMs = (leftBytes / quick) * MOMENT_MS;
  return { leastMs, mostMs: slow > 0 ? (leftBytes / slow) * MOMENT_MS : undefined };
}

/** `12-15 s`, `3-4 min`, `50 min - 2 h 30 min`, `over 40 s`; rounded outwards, so that it stays true. */
export function timeLeftText({ leastMs, mostMs }: TimeLeft): string {
  const least = stepped(leastMs, Math.floor);
  if (mostMs === undefined) return `over ${textOf(least)}`;
  const most = stepped(mostMs, Math.ceil);
  if (most <= least) return textOf(most);
  const [from, to] = [textOf(least), textOf(most)];
  const [number, unit] = from.split(' ');
  const isOfOneUnit =
    from === `${number} ${unit}` && /^\d+ \w+$/.test(to) && to.endsWith(` ${unit}`);
  return isOfOneUnit ? `${number}-${to}` : `${from} - ${to}`;
}

/** Bytes of each whole moment up to now, the oldest first; between two samples it moved evenly. */
function movedBy(history: readonly Sample[], nowMs: number): number[] {
  const [first] = history;
  if (!first) return [];
  const fromMs = Math.max(first.atMs, nowMs - RANGE_WINDOW_MS);
  const moments = Math.floor((nowMs - fromMs) / MOMENT_MS);
  const moved: number[] = [];
  let index = 0;
  const bytesAt = (atMs: number): number => {
    while (index + 1 < history.length && history[index + 1]!.atMs <= atMs) index++;
    const before = history[index]!;
    const after = history[index + 1];
    if (!after || after.atMs <= before.atMs) return before.sentBytes;
    const share = Math.max(0, (atMs - before.atMs) / (after.atMs - before.atMs));
    return before.sentBytes + share * (after.sentBytes - before.sentBytes);
  };
  let before = bytesAt(nowMs - moments * MOMENT_MS);
  for (let left = moments - 1; left >= 0; left--) {
    const after = bytesAt(nowMs - left * MOMENT_MS);
    moved.push(after - before);
    before = after;
  }
  return moved;
}

/** Coarser the longer it is: nobody waits an hour by the second. */
function stepped(ms: number, round: (value: number) => number): number {
  const seconds = ms / 1000;
  const step = seconds <= 20 ? 1 : seconds <= 120 ? 5 : seconds <= 7_200 ? 60 : 600;
  return round(seconds / step) * step;
}

function textOf(seconds: number): string {
  if (seconds < 1) return '0 s';
  return durationText(seconds * 1000).replace(/ 0 (s|min)$/, '');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
