/** A sender, receiver or client under a simulated clock: what a driver does, and a record of it. */
import * as assert from 'uvu/assert';
import type { ByteMachine } from '../../../src/protocol/machine.ts';

export const START_MS = 1_900_000_000_000;

export class Desk<Event extends { kind: string }, M extends ByteMachine<Event>> {
  readonly machine: M;
  nowMs = START_MS;
  readonly events: Event[] = [];
  private sent: number[] = [];

  constructor(machine: M) {
    this.machine = machine;
  }

  /** Something said to the machine by its owner. */
  call(body: (machine: M, nowMs: number) => void): this {
    body(this.machine, this.nowMs);
    return this.drain();
  }

  receive(...bytes: (number | string)[]): this {
    const all = bytes.flatMap((item) =>
      typeof item === 'string' ? [...Buffer.from(item, 'latin1')] : [item],
    );
    this.machine.handleBytes(Uint8Array.from(all), this.nowMs);
    return this.drain();
  }

  /** Lets time go by, from deadline to deadline. */
  pass(durationMs: number): this {
    const untilMs = this.nowMs + durationMs;
    for (let wakes = 0; this.machine.pollTimeout() <= untilMs; wakes++) {
      assert.ok(wakes < 10_000, 'a machine that is woken has something to do');
      this.nowMs = Math.max(this.nowMs, this.machine.pollTimeout());
      this.machine.handleTimeout(this.nowMs);
      this.drain();
    }
    this.nowMs = untilMs;
    return this;
  }

  /** What was sent since the last time. */
  takeSent(): number[] {
    return this.sent.splice(0);
  }

  takeText(): string {
    return Buffer.from(this.takeSent()).toString('latin1');
  }

  /** Exactly this was sent since the last time. */
  expectSent(...bytes: number[][]): this {
    assert.is(hex(this.takeSent()), hex(bytes.flat()));
    return this;
  }

  expectNothing(): this {
    return this.expectSent([]);
  }

  last(): Event | undefined {
    return this.events.at(-1);
  }

  count(kind: Event['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  private drain(): this {
    for (let out = this.machine.pollTransmit(this.nowMs); out; ) {
      this.sent.push(...out);
      out = this.machine.pollTransmit(this.nowMs);
    }
    for (let event = this.machine.pollEvent(); event; event = this.machine.pollEvent()) {
      this.events.push({ ...event });
    }
    return this;
  }
}

function hex(bytes: number[]): string {
  return Buffer.from(bytes).toString('hex');
}
