/**
 * What there is to tell a gateway of its devices, in pieces: a piece is one write to its disk, and between
 * two of them others have their turn.
 */
import type { Timers } from '../../ports.ts';

const PIECE = 200;
const PIECE_MS = 50;

export class Teller {
  private readonly timers: Timers;
  private readonly together: (work: () => void) => void;
  private queue: (() => void)[] = [];
  private next = 0;
  private timer: { cancel(): void } | undefined;
  private isStopped = false;

  /** @param together puts on record what is told in it in one write */
  constructor(timers: Timers, together: (work: () => void) => void) {
    this.timers = timers;
    this.together = together;
  }

  add(telling: () => void): void {
    this.queue.push(telling);
    this.soon();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
    this.queue = [];
  }

  private soon(): void {
    if (this.timer || this.isStopped) return;
    this.timer = this.timers.after(0, () => {
      this.timer = undefined;
      this.together(() => this.tellSome());
    });
  }

  private tellSome(): void {
    const untilMs = this.timers.nowMs() + PIECE_MS;
    for (let told = 0; told < PIECE && this.next < this.queue.length; told++) {
      this.queue[this.next++]!();
      if (this.timers.nowMs() >= untilMs) break;
    }
    if (this.isStopped) return;
    if (this.next < this.queue.length) {
      this.soon();
      return;
    }
    this.queue = [];
    this.next = 0;
  }
}

/** Resolves when others had theirs. */
export function nextTurn(timers: Timers): Promise<void> {
  return new Promise((done) => timers.after(0, done));
}
