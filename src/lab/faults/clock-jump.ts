/** A wall clock that can be set, as an operator or a time server does; time itself goes on as before. */
import type { Timers } from '../../ports.ts';

export class JumpingTimers implements Timers {
  jumps = 0;
  private readonly timers: Timers;
  private offsetMs = 0;

  constructor(timers: Timers) {
    this.timers = timers;
  }

  /** Forwards, or with a negative number back. */
  jump(byMs: number): void {
    this.jumps++;
    this.offsetMs += byMs;
  }

  nowMs(): number {
    return this.timers.nowMs() + this.offsetMs;
  }

  after(delayMs: number, task: () => void): { cancel(): void } {
    return this.timers.after(delayMs, task);
  }
}
