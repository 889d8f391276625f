/**
 * Requests of an upload that are under way, in the order sent. The device serves them in that order, so an
 * answer settles its own and every earlier one: what was not answered by then is lost, or its answer is.
 *
 * Fixed typed arrays; nothing is allocated.
 */

import type { LineClock } from './line-clock.ts';

export const FLIGHT = { first: 1, chunk: 2, probe: 3, list: 4 } as const;

const STATE = {
  none: 0,
  /** Its answer is awaited and can move the upload. */
  live: 1,
  /** Sent before the device went back: it will be answered, but moves nothing. Still takes up room. */
  doomed: 2,
  /** Given up; should its answer come all the same, it is believed. */
  expired: 3,
} as const;

/** A power of two, above any window with all that was given up. */
const ROOM = 64;

export class Flights {
  private low = 0;
  private next = 0;
  private readonly sequences = new Int32Array(ROOM);
  private readonly kinds = new Int32Array(ROOM);
  private readonly states = new Int32Array(ROOM);
  private readonly offsets = new Int32Array(ROOM);
  private readonly lengths = new Int32Array(ROOM);
  private readonly leftMs = new Float64Array(ROOM);
  private readonly dueMs = new Float64Array(ROOM);
  /** Of the sequence number: the order last sent with it. */
  private readonly orders = new Int32Array(256).fill(-1);
  /** Those that take up room at the device: live and doomed. */
  underWay = 0;

  add(
    kind: number,
    sequence: number,
    offset: number,
    length: number,
    line: LineClock,
    waitMs: number,
  ): void {
    if (this.next - this.low === ROOM) this.settle(this.low);
    const slot = this.next & (ROOM - 1);
    this.sequences[slot] = sequence;
    this.kinds[slot] = kind;
    this.states[slot] = STATE.live;
    this.offsets[slot] = offset;
    this.lengths[slot] = length;
    this.leftMs[slot] = line.leftMs;
    this.dueMs[slot] = line.leftMs + waitMs;
    this.orders[sequence] = this.next++;
    this.underWay++;
  }

  /** The order of the request with this sequence that is not settled yet; -1 where there is none. */
  find(sequence: number): number {
    const order = this.orders[sequence]!;
    return order >= this.low && order < this.next ? order : -1;
  }

  kind(order: number): number {
    return this.kinds[order & (ROOM - 1)]!;
  }

  offset(order: number): number {
    return this.offsets[order & (ROOM - 1)]!;
  }

  length(order: number): number {
    return this.lengths[order & (ROOM - 1)]!;
  }

  isLive(order: number): boolean {
    return this.states[order & (ROOM - 1)] === STATE.live;
  }

  /** Since its last byte left the line, in whole ms: a small integer is not boxed. */
  elapsedMs(order: number, nowMs: number): number {
    return (nowMs - this.leftMs[order & (ROOM - 1)]! + 0.5) | 0;
  }

  /** Takes it and every earlier one off the list. */
  settle(order: number): void {
    for (; this.low <= order; this.low++) {
      const slot = this.low & (ROOM - 1);
      if (this.takesRoom(slot)) this.underWay--;
      this.states[slot] = STATE.none;
    }
  }

  clear(): void {
    this.settle(this.next - 1);
  }

  /** A live request of this kind is under way. */
  has(kind: number): boolean {
    for (let order = this.low; order < this.next; order++) {
      const slot = order & (ROOM - 1);
      if (this.states[slot] === STATE.live && this.kinds[slot] === kind) return true;
    }
    return false;
  }

  /** A live chunk with this offset is under way. */
  hasChunkAt(offset: number): boolean {
    for (let order = this.low; order < this.next; order++) {
      const slot = order & (ROOM - 1);
      if (this.states[slot] === STATE.live && this.offsets[slot] === offset) return true;
    }
    return false;
  }

  /** Every live request moves nothing any more; true where there was one. */
  doom(): boolean {
    let some = false;
    for (let order = this.low; order < this.next; order++) {
      const slot = order & (ROOM - 1);
      if (this.states[slot] !== STATE.live) continue;
      this.states[slot] = STATE.doomed;
      some = true;
    }
    return some;
  }

  /** The earliest that still takes up room; -1 for none. */
  oldest(): number {
    for (let order = this.low; order < this.next; order++) {
      if (this.takesRoom(order & (ROOM - 1))) return order;
    }
    return -1;
  }

  due(order: number): number {
    return this.dueMs[order & (ROOM - 1)]!;
  }

  /** The oldest is overdue at `atMs`. */
  isDueBefore(atMs: number): boolean {
    const order = this.oldest();
    return order >= 0 && this.dueMs[order & (ROOM - 1)]! < atMs;
  }

  /** Gives up waiting for it; true where it was live. */
  expire(order: number): boolean {
    const slot = order & (ROOM - 1);
    const live = this.states[slot] === STATE.live;
    if (this.takesRoom(slot)) this.underWay--;
    this.states[slot] = STATE.expired;
    return live;
  }

  private takesRoom(slot: number): boolean {
    return this.states[slot] === STATE.live || this.states[slot] === STATE.doomed;
  }
}
