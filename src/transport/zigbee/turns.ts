/**
 * Messages handled in their order, and never so many in one turn of the event loop that others wait long.
 * A worker's messages arrive in bunches, and each may be put on record, on disk, before the next.
 */

/** How long the loop may be held up; a message that takes longer alone does. */
const TURN_MS = 10;

export interface TurnsClock {
  nowMs(): number;
  /** In a later turn of the event loop. */
  later(task: () => void): void;
}

const LOOP: TurnsClock = { nowMs: () => performance.now(), later: setImmediate };

export class Turns<Message> {
  private readonly handle: (message: Message) => void;
  private readonly clock: TurnsClock;
  private waiting: Message[] = [];
  private isResting = false;
  /** When this turn began; undefined before its first message. */
  private sinceMs: number | undefined;

  constructor(handle: (message: Message) => void, clock: TurnsClock = LOOP) {
    this.handle = handle;
    this.clock = clock;
  }

  push(message: Message): void {
    this.waiting.push(message);
    if (!this.isResting) this.run();
  }

  /** All that waits, now: nothing comes after it. */
  drain(): void {
    for (const message of this.waiting.splice(0)) this.handle(message);
  }

  private run(): void {
    const { clock } = this;
    if (this.sinceMs === undefined) {
      this.sinceMs = clock.nowMs();
      clock.later(() => this.nextTurn());
    }
    while (this.waiting.length > 0 && clock.nowMs() - this.sinceMs < TURN_MS) {
      this.handle(this.waiting.shift()!);
    }
    this.isResting = this.waiting.length > 0;
  }

  private nextTurn(): void {
    this.sinceMs = undefined;
    this.isResting = false;
    if (this.waiting.length > 0) this.run();
  }
}
