/**
 * A coordinator's frames on their way to the host, and what can go wrong with them on the wire: frames
 * glued together in one write, frames cut in two, wrong check bytes, responses that never come.
 */
import type { SeededRandom } from './random.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';

export interface WireFaults {
  /** Holds frames so long and sends them in one write; 0 sends each at once. */
  coalesceMs: number;
  /** Probability that a write is cut in two with a pause between. */
  splitWrites: number;
  /** Probability of a wrong check byte. */
  wrongCheck: number;
  /** Probability that a response is not sent. */
  droppedResponse: number;
  /** Probability that a transmission is confirmed as BUFFER_FULL instead of being sent. */
  bufferFull: number;
}

export const NO_WIRE_FAULTS: WireFaults = {
  coalesceMs: 0,
  splitWrites: 0,
  wrongCheck: 0,
  droppedResponse: 0,
  bufferFull: 0,
};

/** Between the two halves of a cut write: enough for the host to read the first alone. */
const SPLIT_PAUSE_MS = 2;

export class HostOutput {
  faults: WireFaults;
  private readonly scheduler: Scheduler;
  private readonly random: SeededRandom;
  private readonly write: (bytes: Uint8Array) => void;
  private held: Uint8Array[] = [];
  private flushTimer: Scheduled | undefined;

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    faults: WireFaults,
    write: (bytes: Uint8Array) => void,
  ) {
    this.scheduler = scheduler;
    this.random = random;
    this.faults = faults;
    this.write = write;
  }

  send(frame: Uint8Array, isResponse: boolean): void {
    const { faults, random } = this;
    if (isResponse && random.chance(faults.droppedResponse)) return;
    if (random.chance(faults.wrongCheck)) frame[frame.length - 1]! ^= 0xff;
    const split = frame.length > 1 && random.chance(faults.splitWrites);
    if (!split && this.held.length === 0 && faults.coalesceMs === 0) {
      this.write(frame);
      return;
    }
    if (!split) {
      this.held.push(frame);
      this.flushTimer ??= this.scheduler.after(faults.coalesceMs, this.flush);
      return;
    }
    // What follows has to stay behind the second half.
    this.flush();
    const middle = frame.length >>> 1;
    this.write(frame.subarray(0, middle));
    this.held.push(frame.subarray(middle));
    this.flushTimer = this.scheduler.after(SPLIT_PAUSE_MS, this.flush);
  }

  /** The line is gone, and what was on it. */
  clear(): void {
    this.flushTimer?.cancel();
    this.flushTimer = undefined;
    this.held = [];
  }

  private readonly flush = (): void => {
    const frames = this.held;
    this.clear();
    if (frames.length > 0) this.write(Buffer.concat(frames));
  };
}
