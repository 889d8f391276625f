/** A machine under a simulated clock that hears bytes, and is then left alone until it has ended. */
import type { ByteMachine } from '../../src/protocol/machine.ts';
import { hold } from './target.ts';

const START_MS = 1_900_000_000_000;
/** Things to send, or to say, after one call; and wakes until a machine has given up. */
const POLLS_MAX = 10_000;
const WAKES_MAX = 10_000;

export class Drive<Event extends object> {
  nowMs = START_MS;
  readonly events: Event[] = [];
  readonly sent: Uint8Array[] = [];
  private readonly machine: ByteMachine<Event>;

  constructor(machine: ByteMachine<Event>) {
    this.machine = machine;
  }

  hear(bytes: Uint8Array): void {
    this.machine.handleBytes(bytes, this.nowMs);
    this.drain();
  }

  /** To its next deadline, where that comes within `limitMs`. */
  wake(limitMs = Number.POSITIVE_INFINITY): boolean {
    const dueMs = this.machine.pollTimeout();
    hold(!Number.isNaN(dueMs), 'a deadline is a time');
    if (dueMs === Number.POSITIVE_INFINITY || dueMs > this.nowMs + limitMs) return false;
    this.nowMs = Math.max(this.nowMs, dueMs);
    this.machine.handleTimeout(this.nowMs);
    this.drain();
    return true;
  }

  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (let wakes = 0; this.wake(untilMs - this.nowMs); wakes++) {
      hold(wakes < WAKES_MAX, 'a machine that is woken has something to do');
    }
    this.nowMs = untilMs;
  }

  /** Until it wants nothing any more. */
  finish(): void {
    for (let wakes = 0; this.wake(); wakes++) hold(wakes < WAKES_MAX, 'a machine left alone ends');
  }

  drain(): void {
    let polls = 0;
    for (let out = this.machine.pollTransmit(this.nowMs); out; polls++) {
      hold(polls < POLLS_MAX, 'there is an end to what is sent');
      this.sent.push(Uint8Array.from(out));
      out = this.machine.pollTransmit(this.nowMs);
    }
    for (let event = this.machine.pollEvent(); event; polls++) {
      hold(polls < POLLS_MAX, 'there is an end to what is said');
      this.events.push({ ...event });
      event = this.machine.pollEvent();
    }
  }
}
