/** A binary heap that can be asked for a member back: `add`, `delete` and `shift` in O(log n). */
import { assert } from '../errors.ts';

export class Heap<T> {
  private readonly before: (a: T, b: T) => boolean;
  private readonly members: T[] = [];
  private readonly places = new Map<T, number>();

  constructor(before: (a: T, b: T) => boolean) {
    this.before = before;
  }

  get size(): number {
    return this.members.length;
  }

  peek(): T | undefined {
    return this.members[0];
  }

  /** What it is ordered by must not change while it is a member. */
  add(member: T): void {
    assert(!this.places.has(member), 'a member is in a heap once');
    this.members.push(member);
    this.places.set(member, this.members.length - 1);
    this.rise(this.members.length - 1);
  }

  shift(): T | undefined {
    const first = this.members[0];
    if (first !== undefined) this.delete(first);
    return first;
  }

  delete(member: T): boolean {
    const place = this.places.get(member);
    if (place === undefined) return false;
    this.places.delete(member);
    const last = this.members.pop()!;
    if (last === member) return true;
    this.members[place] = last;
    this.places.set(last, place);
    this.rise(place);
    this.sink(this.places.get(last)!);
    return true;
  }

  private rise(from: number): void {
    for (let place = from; place > 0; ) {
      const parent = (place - 1) >> 1;
      if (!this.before(this.members[place]!, this.members[parent]!)) return;
      this.swap(place, parent);
      place = parent;
    }
  }

  private sink(from: number): void {
    for (let place = from; ; ) {
      let first = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child >= this.members.length) continue;
        if (this.before(this.members[child]!, this.members[first]!)) first = child;
      }
      if (first === place) return;
      this.swap(place, first);
      place = first;
    }
  }

  private swap(a: number, b: number): void {
    const [one, other] = [this.members[a]!, this.members[b]!];
    this.members[a] = other;
    this.members[b] = one;
    this.places.set(other, a);
    this.places.set(one, b);
  }
}
