/**
 * One clock for devices and gateways, and process images on it that end in the middle of what they do.
 *
 * Promises are part of what is simulated: after each task that may have run a gateway's code, all that
 * follows from it without time passing is run before the next. A test never sleeps.
 */
import type { Timers } from '../../src/ports.ts';
import { Heap } from '../../src/schedule/heap.ts';
import type { Scheduled, Scheduler } from '../../src/virtual/scheduler.ts';

const START_MS = Date.UTC(2026, 5, 1, 12);
/** Tasks without time passing: more of them are an endless chain. */
const TASKS_AT_ONCE_MAX = 100_000;

interface Entry {
  atMs: number;
  order: number;
  task: () => void;
}

export class SimulatedClock implements Scheduler {
  /** A gateway's code has run since its promises were last followed. */
  isTouched = false;
  private timeMs = START_MS;
  private order = 0;
  private readonly entries = new Heap<Entry>((a, b) =>
    a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs,
  );

  nowMs(): number {
    return this.timeMs;
  }

  after(delayMs: number, task: () => void): Scheduled {
    const entry = { atMs: this.timeMs + Math.max(0, delayMs), order: this.order++, task };
    this.entries.add(entry);
    return { cancel: () => void this.entries.delete(entry) };
  }

  /** Until it is so; false where it is not within that time. */
  async until(isSo: () => boolean, mostMs: number): Promise<boolean> {
    const endMs = this.timeMs + mostMs;
    for (let atOnce = 0; ; ) {
      if (this.isTouched) await this.settle();
      if (isSo()) return true;
      const next = this.entries.peek();
      if (next === undefined || next.atMs > endMs) {
        this.timeMs = endMs;
        return false;
      }
      atOnce = next.atMs > this.timeMs ? 0 : atOnce + 1;
      if (atOnce > TASKS_AT_ONCE_MAX) throw new Error('tasks without end, and no time passes');
      this.entries.delete(next);
      this.timeMs = Math.max(this.timeMs, next.atMs);
      next.task();
    }
  }

  async run(durationMs: number): Promise<void> {
    await this.until(() => false, durationMs);
  }

  /** What was promised and waits for no time. */
  async settle(): Promise<void> {
    while (this.isTouched) {
      this.isTouched = false;
      // Runs when no promise is left to follow; a turn of the event loop would cost ten times as much.
      await new Promise<void>((done) => process.nextTick(done));
    }
  }
}

/** What ends a process image in the middle of an operation; nothing in src catches it for good. */
export class Killed extends Error {
  constructor(operation: string) {
    super(`killed at ${operation}`);
    this.name = 'Killed';
  }
}

process.on('unhandledRejection', (error) => {
  if (!(error instanceof Killed)) throw error;
});

/**
 * One gateway process: what it does to the world it does in operations, numbered from 1, and it can be
 * ended before each. After that nothing of it has an effect: no timer fires, nothing is written or sent.
 */
export class ProcessImage {
  isAlive = true;
  operations = 0;
  /** It is ended before this one. */
  killAt: number;
  /** Names of the operations so far, in order. */
  readonly done: string[] = [];
  readonly timers: Timers;
  private readonly clock: SimulatedClock;

  constructor(clock: SimulatedClock, killAt = Number.POSITIVE_INFINITY, wall = { aheadMs: 0 }) {
    this.clock = clock;
    this.killAt = killAt;
    this.timers = {
      nowMs: () => clock.nowMs() + wall.aheadMs,
      after: (delayMs, task) => clock.after(delayMs, () => this.enter(task)),
    };
  }

  /** Before anything that others can see. @throws Killed */
  step(operation: string): void {
    this.assertAlive(operation);
    this.operations++;
    this.done.push(operation);
    if (this.operations !== this.killAt) return;
    this.isAlive = false;
    throw new Killed(operation);
  }

  assertAlive(operation: string): void {
    if (!this.isAlive) throw new Killed(operation);
  }

  /** Runs its code, if it is still there. */
  enter(work: () => void): void {
    if (!this.isAlive) return;
    this.clock.isTouched = true;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }

  kill(): void {
    this.isAlive = false;
  }
}
