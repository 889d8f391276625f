/**
 * When bytes handed over leave the line. A whole window is handed over at once and takes its time: a wait
 * for an answer begins when its request has left, not before. Times are kept in a typed array, which V8
 * does not box.
 */

/** 8N1: start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10;

export class LineClock {
  /** Infinity where the speed is not known. */
  readonly bytesPerMs: number;
  private readonly freeAtMs = new Float64Array(1);

  constructor(baudRate: number | undefined) {
    this.bytesPerMs = baudRate ? baudRate / BITS_PER_BYTE / 1000 : Number.POSITIVE_INFINITY;
  }

  /** Takes `bytes` at `nowMs`; `leftMs` then says when the last of them has left. */
  send(bytes: number, nowMs: number): void {
    const startMs = Math.max(this.freeAtMs[0]!, nowMs);
    this.freeAtMs[0] = startMs + bytes / this.bytesPerMs;
  }

  get leftMs(): number {
    return this.freeAtMs[0]!;
  }
}
