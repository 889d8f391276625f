/** A clock that a test turns. */
import type { Timers } from '../../src/ports.ts';

export class ManualTimers implements Timers {
  private atMs = 1_000_000;
  private readonly tasks = new Set<{ dueMs: number; task: () => void }>();

  nowMs(): number {
    return this.atMs;
  }

  after(delayMs: number, task: () => void): { cancel(): void } {
    const entry = { dueMs: this.atMs + delayMs, task };
    this.tasks.add(entry);
    return { cancel: () => void this.tasks.delete(entry) };
  }

  /** Runs what falls due, in order. */
  pass(durationMs: number): void {
    const untilMs = this.atMs + durationMs;
    for (let next = this.next(untilMs); next; next = this.next(untilMs)) {
      this.atMs = Math.max(this.atMs, next.dueMs);
      this.tasks.delete(next);
      next.task();
    }
    this.atMs = untilMs;
  }

  /** Time goes by while nothing runs. */
  stall(durationMs: number): void {
    this.atMs += durationMs;
  }

  get waiting(): number {
    return this.tasks.size;
  }

  private next(untilMs: number) {
    return [...this.tasks]
      .filter(({ dueMs }) => dueMs <= untilMs)
      .sort((a, b) => a.dueMs - b.dueMs)
      .at(0);
  }
}
