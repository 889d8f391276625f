/**
 * What a serial line has had time to carry, by its baud rate; and whether the line keeps to it, which
 * pseudo-terminals and many USB devices do not.
 */
import { assert } from '../../errors.ts';
import { wireMs } from './block.ts';

/** Clocks of two ends differ by 5 % at most, and times come in whole milliseconds. */
const WIRE_SHARE = 0.95;
const CLOCK_STEP_MS = 1;

export class LineTime {
  /** When the line has carried all that it was given. */
  freeMs = Number.NEGATIVE_INFINITY;
  private readonly baudRate: number;
  private earliestAnswerMs = Number.NEGATIVE_INFINITY;
  private keepsToBaudRate = true;
  private answerDropped = false;

  constructor(baudRate: number) {
    assert(baudRate > 0, 'a line has a baud rate');
    this.baudRate = baudRate;
  }

  /** For a new transfer: an idle line, believed to be as slow as it says. */
  reset(): void {
    this.freeMs = Number.NEGATIVE_INFINITY;
    this.earliestAnswerMs = Number.NEGATIVE_INFINITY;
    this.keepsToBaudRate = true;
    this.answerDropped = false;
  }

  /** So many bytes were handed over now; they queue behind earlier ones. */
  carry(bytes: number, nowMs: number): void {
    const onLineMs = wireMs(bytes, this.baudRate);
    const fromMs = Math.max(nowMs, this.freeMs);
    this.freeMs = fromMs + onLineMs;
    this.earliestAnswerMs = fromMs + onLineMs * WIRE_SHARE - CLOCK_STEP_MS;
    this.answerDropped = false;
  }

  /** Whether an answer that comes now cannot be meant for what was handed over last. */
  isEarly(nowMs: number): boolean {
    return this.keepsToBaudRate && nowMs < this.earliestAnswerMs;
  }

  /** An early answer was not believed. */
  noteDropped(): void {
    this.answerDropped = true;
  }

  /** No answer came: if one was dropped, it was the one. */
  noteSilence(): void {
    if (this.answerDropped) this.keepsToBaudRate = false;
  }

  /** The line has shown that it is faster than its baud rate. */
  noteFaster(): void {
    this.keepsToBaudRate = false;
  }
}
