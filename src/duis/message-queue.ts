/**
 * Messages that wait for one Service User, in order: a ring of numbers, 24 bytes a message. What
 * they say is on disk and is fetched by number.
 */
import { assert } from '../errors.ts';

export interface WaitingMessage {
  /** Sequence of the record by which it was queued. */
  message: number;
  queuedMs: number;
  /** Infinity where it is never late. */
  dueMs: number;
}

const FIELDS = 3;
const CAPACITY_FIRST = 16;

export class MessageQueue {
  private ring = new Float64Array(CAPACITY_FIRST * FIELDS);
  private head = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  push({ message, queuedMs, dueMs }: WaitingMessage): void {
    if (this.count * FIELDS === this.ring.length) this.grow();
    const at = this.place(this.count);
    this.ring[at] = message;
    this.ring[at + 1] = queuedMs;
    this.ring[at + 2] = dueMs;
    this.count += 1;
  }

  /** The oldest. */
  first(): WaitingMessage | undefined {
    return this.count === 0 ? undefined : this.read(0);
  }

  shift(): void {
    assert(this.count > 0, 'a message is taken from a queue that has one');
    this.head = (this.head + 1) % (this.ring.length / FIELDS);
    this.count -= 1;
  }

  *messages(): IterableIterator<WaitingMessage> {
    for (let index = 0; index < this.count; index++) yield this.read(index);
  }

  private read(index: number): WaitingMessage {
    const at = this.place(index);
    const { ring } = this;
    return { message: ring[at]!, queuedMs: ring[at + 1]!, dueMs: ring[at + 2]! };
  }

  private place(index: number): number {
    return ((this.head + index) * FIELDS) % this.ring.length;
  }

  private grow(): void {
    const grown = new Float64Array(this.ring.length * 2);
    const from = this.head * FIELDS;
    grown.set(this.ring.subarray(from), 0);
    grown.set(this.ring.subarray(0, from), this.ring.length - from);
    this.ring = grown;
    this.head = 0;
  }
}
