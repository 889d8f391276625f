/** First in, first out, without moving what waits. What is pushed is meant to be taken soon. */
import { assert } from '../../errors.ts';

/** No caller that drains after every call comes near it; one that forgets shall not fill the memory. */
const UNDRAINED_MAX = 65_536;

export class Fifo<T> {
  private readonly items: (T | undefined)[] = [];
  private head = 0;

  push(item: T): void {
    assert(this.items.length < UNDRAINED_MAX, 'a machine is drained after every call');
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head === this.items.length) {
      this.items.length = 0;
      this.head = 0;
    }
    return item;
  }
}
