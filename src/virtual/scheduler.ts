/**
 * Time for virtual devices: a clock and tasks that run later.
 *
 * The rig runs on `SystemScheduler`; tests hand in a simulated one and never sleep. A task with no delay
 * runs in a later turn of the event loop, never within the call that asked for it, and tasks of one turn
 * run in the order in which they were asked for.
 */
import type { Clock } from '../ports.ts';

export interface Scheduled {
  cancel(): void;
}

export interface Scheduler extends Clock {
  after(delayMs: number, task: () => void): Scheduled;
}

/** The longest delay that setTimeout keeps; a longer one would fire at once. */
const LONGEST_DELAY_MS = 2_147_483_647;

export class SystemScheduler implements Scheduler {
  private readonly timers = new Set<NodeJS.Timeout>();
  private ready: ReadyTask[] = [];
  private immediate: NodeJS.Immediate | undefined;
  private stopped = false;

  /** Steady: a device does not live by the clock of the machine that it is made on. */
  nowMs(): number {
    return Math.floor(performance.timeOrigin + performance.now());
  }

  after(delayMs: number, task: () => void): Scheduled {
    if (delayMs <= 0) {
      const entry = new ReadyTask(task);
      this.ready.push(entry);
      this.immediate ??= setImmediate(this.drain);
      return entry;
    }
    const timer = setTimeout(
      () => {
        this.timers.delete(timer);
        if (!this.stopped) task();
      },
      Math.min(delayMs, LONGEST_DELAY_MS),
    );
    this.timers.add(timer);
    return {
      cancel: () => {
        clearTimeout(timer);
        this.timers.delete(timer);
      },
    };
  }

  /** Nothing that was asked for happens any more. */
  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    if (this.immediate !== undefined) clearImmediate(this.immediate);
    this.ready = [];
  }

  private readonly drain = (): void => {
    this.immediate = undefined;
    const tasks = this.ready;
    this.ready = [];
    for (const entry of tasks) {
      if (this.stopped) return;
      entry.task?.();
    }
  };
}

class ReadyTask implements Scheduled {
  task: (() => void) | undefined;

  constructor(task: () => void) {
    this.task = task;
  }

  cancel(): void {
    this.task = undefined;
  }
}
