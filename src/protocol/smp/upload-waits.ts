/**
 * What an upload waits for besides answers: the next probe while the first chunk is awaited, and the end of
 * a pause that the device asked for. Times are typed, so that they are not boxed.
 */

/** The first probe after a first chunk, ms; each next one waits twice as long. */
const PROBE_MS = 1_000;

const PROBE_DUE = 0;
const HELD_UNTIL = 1;
const NOT_HELD = 0;

export class UploadWaits {
  private readonly timesMs = new Float64Array(2);
  private probes = 0;

  constructor() {
    this.clear();
  }

  clear(): void {
    this.probes = 0;
    this.timesMs[HELD_UNTIL] = NOT_HELD;
    this.endProbes();
  }

  /** The first chunk has left the line, or a probe after it. */
  awaitProbe(leftMs: number, isProbe: boolean): void {
    if (isProbe) this.probes++;
    this.timesMs[PROBE_DUE] = leftMs + (isProbe ? PROBE_MS * 2 ** this.probes : PROBE_MS);
  }

  endProbes(): void {
    this.timesMs[PROBE_DUE] = Number.POSITIVE_INFINITY;
  }

  isProbeDue(nowMs: number): boolean {
    return this.timesMs[PROBE_DUE]! <= nowMs;
  }

  /** Nothing is sent before `untilMs`. */
  hold(untilMs: number): void {
    this.timesMs[HELD_UNTIL] = untilMs;
  }

  isHeld(nowMs: number): boolean {
    if (this.timesMs[HELD_UNTIL]! > nowMs) return true;
    this.timesMs[HELD_UNTIL] = NOT_HELD;
    return false;
  }

  /** The next moment at which something may be sent; Infinity for never. Held, no probe goes out. */
  dueMs(): number {
    const heldMs = this.timesMs[HELD_UNTIL]!;
    return heldMs !== NOT_HELD ? heldMs : this.timesMs[PROBE_DUE]!;
  }

  /** The same as a comparison, which boxes no number. */
  isDueBefore(atMs: number): boolean {
    const heldMs = this.timesMs[HELD_UNTIL]!;
    return heldMs !== NOT_HELD ? heldMs < atMs : this.timesMs[PROBE_DUE]! < atMs;
  }
}
