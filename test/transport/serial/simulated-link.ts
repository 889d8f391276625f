/** A link and a clock that do what a test says. */
import type { Link, LinkClosed, LinkListener, LinkSignals, Timers } from '../../../src/ports.ts';

export class SimulatedLink implements Link {
  readonly name = 'simulated';
  isOpen = false;
  /** What went to the device, a write each. */
  readonly writes: Uint8Array[] = [];
  /** What was done to the line, in order. */
  readonly done: string[] = [];
  hasLines = true;
  private listener: LinkListener | undefined;
  private taken: ((whole: boolean) => void) | undefined;

  async open(listener: LinkListener): Promise<void> {
    this.listener = listener;
    this.isOpen = true;
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    if (this.taken) throw new Error('one piece at a time');
    if (!this.isOpen) throw new Error('the link is closed');
    this.writes.push(bytes.slice());
    this.done.push(`send ${Buffer.from(bytes).toString('latin1')}`);
    this.taken = taken;
  }

  /** The operating system has taken what was sent. */
  take(): void {
    const { taken } = this;
    this.taken = undefined;
    taken?.(true);
  }

  get isBusy(): boolean {
    return this.taken !== undefined;
  }

  receive(bytes: Uint8Array): void {
    const chunk = bytes.slice();
    this.listener!.received(chunk);
    // It is the link's again.
    chunk.fill(0xee);
  }

  vanish(): void {
    this.end({ reason: 'vanished', detail: 'EIO' });
  }

  async close(): Promise<void> {
    if (this.isOpen) this.end({ reason: 'closed', detail: '' });
  }

  async drained(): Promise<void> {
    this.done.push('drained');
  }

  async discard(): Promise<void> {
    this.done.push('discard');
  }

  async setBaudRate(baudRate: number): Promise<boolean> {
    this.done.push(`baud rate ${baudRate}`);
    return true;
  }

  async setSignals(signals: LinkSignals): Promise<boolean> {
    this.done.push(`signals ${JSON.stringify(signals)}`);
    return this.hasLines;
  }

  async sendBreak(durationMs: number): Promise<boolean> {
    this.done.push(`break ${durationMs}`);
    return this.hasLines;
  }

  private end(how: LinkClosed): void {
    this.isOpen = false;
    const { taken } = this;
    this.taken = undefined;
    taken?.(false);
    this.listener!.closed(how);
  }
}

interface Task {
  atMs: number;
  run: () => void;
}

export class SimulatedTimers implements Timers {
  private timeMs = 1_000_000;
  private tasks: Task[] = [];

  nowMs(): number {
    return this.timeMs;
  }

  get waiting(): number {
    return this.tasks.length;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const task = { atMs: this.timeMs + delayMs, run };
    this.tasks.push(task);
    return {
      cancel: () => {
        this.tasks = this.tasks.filter((other) => other !== task);
      },
    };
  }

  advance(ms: number): void {
    const untilMs = this.timeMs + ms;
    for (;;) {
      const next = this.tasks
        .filter(({ atMs }) => atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.tasks = this.tasks.filter((task) => task !== next);
      this.timeMs = Math.max(this.timeMs, next.atMs);
      next.run();
    }
    this.timeMs = untilMs;
  }
}
