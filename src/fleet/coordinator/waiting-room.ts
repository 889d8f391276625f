/**
 * Gateways that wait for a change of what they should be doing: a promise and a timer each, and nothing
 * is asked of anybody while they wait. Ten thousand of them are ten thousand entries of a map.
 *
 * A wait is begun before the state is read that it is about, so that no change falls between the two.
 */
import type { Timers } from '../../ports.ts';

export interface Wait {
  /** `woken`: something changed since the wait began, or since it was last asked. */
  next(): Promise<'woken' | 'over'>;
  /** Harmless where it ended. */
  end(): void;
}

interface Waiter {
  isWoken: boolean;
  isOver: boolean;
  tell: (() => void) | undefined;
}

export class WaitingRoom {
  private readonly timers: Timers;
  private readonly waiters = new Map<string, Set<Waiter>>();
  private isClosed = false;

  constructor(timers: Timers) {
    this.timers = timers;
  }

  get size(): number {
    let size = 0;
    for (const all of this.waiters.values()) size += all.size;
    return size;
  }

  /** For so long at most. */
  begin(gateway: string, forMs: number): Wait {
    const waiter: Waiter = { isWoken: false, isOver: this.isClosed, tell: undefined };
    const all = this.waiters.get(gateway) ?? new Set();
    this.waiters.set(gateway, all.add(waiter));
    const end = () => {
      timer.cancel();
      all.delete(waiter);
      if (all.size === 0 && this.waiters.get(gateway) === all) this.waiters.delete(gateway);
      finish(waiter);
    };
    const timer = this.timers.after(forMs, end);
    return { next: () => nextOf(waiter), end };
  }

  wake(gateway: string): void {
    for (const waiter of this.waiters.get(gateway) ?? []) {
      waiter.isWoken = true;
      waiter.tell?.();
    }
  }

  /** Every wait is over, and so is any that is begun later. */
  close(): void {
    this.isClosed = true;
    for (const all of this.waiters.values()) for (const waiter of all) finish(waiter);
  }
}

function finish(waiter: Waiter): void {
  waiter.isOver = true;
  waiter.tell?.();
}

function nextOf(waiter: Waiter): Promise<'woken' | 'over'> {
  return new Promise((done) => {
    const tell = () => {
      waiter.tell = undefined;
      if (waiter.isOver) done('over');
      else {
        waiter.isWoken = false;
        done('woken');
      }
    };
    waiter.tell = tell;
    if (waiter.isOver || waiter.isWoken) tell();
  });
}
