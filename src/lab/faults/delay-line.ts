/** Pieces that arrive later than they came, in their order whatever becomes of the delay meanwhile. */
import type { Timers } from '../../ports.ts';

export class DelayLine<T> {
  delayMs = 0;
  private readonly timers: Timers;
  private readonly arrive: (piece: T) => void;
  private readonly waiting: { piece: T; atMs: number }[] = [];
  private timer: { cancel(): void } | undefined;

  constructor(timers: Timers, arrive: (piece: T) => void) {
    this.timers = timers;
    this.arrive = arrive;
  }

  /** True where it has to wait: then the piece is kept, and has to stay as it is. */
  get holds(): boolean {
    return this.delayMs > 0 || this.waiting.length > 0;
  }

  push(piece: T): void {
    this.waiting.push({ piece, atMs: this.timers.nowMs() + this.delayMs });
    this.arm();
  }

  clear(): void {
    this.waiting.length = 0;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private arm(): void {
    const [first] = this.waiting;
    if (this.timer !== undefined || first === undefined) return;
    const waitMs = Math.max(0, first.atMs - this.timers.nowMs());
    this.timer = this.timers.after(waitMs, () => {
      this.timer = undefined;
      const nowMs = this.timers.nowMs();
      // The time is that of when it was pushed: one with a shorter delay does not overtake.
      while (this.waiting.length > 0 && this.waiting[0]!.atMs <= nowMs)
        this.arrive(this.waiting.shift()!.piece);
      this.arm();
    });
  }
}
