/**
 * How fast a transfer is, over all of its time, in memory that does not grow: where the points are full,
 * each two become one and every later one stands for twice the time.
 */

export interface RatePoint {
  /** When it ends. */
  atMs: number;
  bytesPerSecond: number;
  /** Blocks that were sent again, since the point before. */
  repeats: number;
}

export interface Sample {
  atMs: number;
  sentBytes: number;
  repeats: number;
}

/** Even, so that each two of them become one. */
const POINTS_MAX = 240;
const FIRST_STEP_MS = 1_000;
/** The rate of now is that of so long, and so long: what is left lies between what they say. */
const RECENT_MS = [5_000, 60_000] as const;
/** What is left is never told as if it were known to the second. */
const SPREAD_LEAST = 0.1;

export class RateHistory {
  readonly points: RatePoint[] = [];
  private stepMs = FIRST_STEP_MS;
  private base: Sample | undefined;
  private readonly recent: Sample[] = [];
  private newest: Sample | undefined;

  add(sample: Sample): void {
    // An attempt that begins anew begins at nothing.
    if (this.newest && sample.sentBytes < this.newest.sentBytes) this.forget();
    this.newest = sample;
    this.base ??= sample;
    this.keepRecent(sample);
    const elapsedMs = sample.atMs - this.base.atMs;
    if (elapsedMs < this.stepMs) return;
    this.points.push({
      atMs: sample.atMs,
      bytesPerSecond: ((sample.sentBytes - this.base.sentBytes) * 1_000) / elapsedMs,
      repeats: Math.max(0, sample.repeats - this.base.repeats),
    });
    this.base = sample;
    if (this.points.length >= POINTS_MAX) this.halve();
  }

  /** `undefined` until two samples lie apart. */
  get bytesPerSecond(): number | undefined {
    return this.rateSince(RECENT_MS[0]);
  }

  /** What is left of `totalBytes`; `undefined` where nothing moves or too little is known. */
  left(totalBytes: number): { leastMs: number; mostMs: number } | undefined {
    const { newest } = this;
    const rates = RECENT_MS.flatMap((ms) => this.rateSince(ms) ?? []);
    const slowest = Math.min(...rates) * (1 - SPREAD_LEAST);
    const fastest = Math.max(...rates) * (1 + SPREAD_LEAST);
    if (!newest || rates.length === 0 || slowest <= 0) return undefined;
    const bytes = Math.max(0, totalBytes - newest.sentBytes);
    return { leastMs: (bytes * 1_000) / fastest, mostMs: (bytes * 1_000) / slowest };
  }

  private rateSince(ms: number): number | undefined {
    const { newest, recent } = this;
    if (!newest) return undefined;
    const from = recent.find(({ atMs }) => atMs >= newest.atMs - ms);
    if (!from || from.atMs === newest.atMs) return undefined;
    return ((newest.sentBytes - from.sentBytes) * 1_000) / (newest.atMs - from.atMs);
  }

  /** One a second is enough. */
  private keepRecent(sample: Sample): void {
    const { recent } = this;
    const last = recent.at(-1);
    if (last && sample.atMs - last.atMs < FIRST_STEP_MS) return;
    recent.push(sample);
    const [, longest] = RECENT_MS;
    while (recent.length > 0 && recent[0]!.atMs < sample.atMs - longest) recent.shift();
  }

  private halve(): void {
    const { points } = this;
    let kept = 0;
    for (let at = 0; at < points.length; at += 2) {
      const [one, two] = [points[at]!, points[at + 1]!];
      points[kept++] = {
        atMs: two.atMs,
        bytesPerSecond: (one.bytesPerSecond + two.bytesPerSecond) / 2,
        repeats: one.repeats + two.repeats,
      };
    }
    points.length = kept;
    this.stepMs *= 2;
  }

  private forget(): void {
    this.recent.length = 0;
    this.base = undefined;
  }
}
