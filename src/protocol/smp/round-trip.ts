/**
 * How long to wait for an answer: smoothed round trip plus four times its deviation (RFC 6298), but never
 * less than half as much again as the slowest of late. Flash pages are erased every few chunks and take
 * ten times as long as a plain write; a mean forgets them between two, the peak does not.
 *
 * Each repeat has a sequence of its own, so every sample is of one known transmission.
 */

const SMOOTHED = 0;
const DEVIATION = 1;
const PEAK = 2;

/** Without a sample yet, ms: a device that writes its first flash page while asked. */
const UNKNOWN_MS = 1_000;
/** What is left of a peak after one more sample; a half after 32. */
const PEAK_DECAY = 0.979;

export class RoundTrip {
  private readonly minMs: number;
  private readonly maxMs: number;
  private readonly ms = new Float64Array(3);
  private samples = 0;

  constructor(minMs: number, maxMs: number) {
    this.minMs = minMs;
    this.maxMs = maxMs;
  }

  /** From the last bit of the request to the answer. */
  sample(measuredMs: number): void {
    const { ms } = this;
    const elapsedMs = Math.max(measuredMs, 0);
    if (this.samples++ === 0) {
      ms[SMOOTHED] = elapsedMs;
      ms[DEVIATION] = elapsedMs / 2;
    } else {
      const off = ms[SMOOTHED]! - elapsedMs;
      ms[DEVIATION] = 0.75 * ms[DEVIATION]! + 0.25 * (off < 0 ? -off : off);
      ms[SMOOTHED] = 0.875 * ms[SMOOTHED]! + 0.125 * elapsedMs;
    }
    const decayedMs = ms[PEAK]! * PEAK_DECAY;
    ms[PEAK] = Math.max(elapsedMs, decayedMs);
  }

  /** Whole ms: the wait for the try number `attempts`, 0 the first: twice as long each time. */
  timeoutMs(attempts: number): number {
    const { ms } = this;
    let waitMs = UNKNOWN_MS;
    if (this.samples > 0) {
      const usualMs = ms[SMOOTHED]! + 4 * ms[DEVIATION]!;
      const slowMs = 1.5 * ms[PEAK]!;
      waitMs = Math.max(usualMs, slowMs);
    }
    if (waitMs < this.minMs) waitMs = this.minMs;
    waitMs *= 1 << Math.min(attempts, 8);
    return Math.ceil(Math.min(waitMs, this.maxMs));
  }
}
