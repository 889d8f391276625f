/** What the scheduler schedules, and what it says of it. */
import type { ExpiryCode, Owner } from './codes.ts';
import type { FailureClass, RetryableCode, Task } from './retry.ts';
import type { LocalHours } from './windows.ts';

/** One stage of one device's upgrade. The activation of what was held is an item of its own. */
export interface ScheduleItem {
  id: string;
  /** Jobs that want the same resource take turns. */
  job: string;
  stage: 'distribute' | 'activate';
  /**
   * All that it occupies while it runs: `network:zigbee-1`, `port:hub-1`. The first is its home, in
   * whose queue it waits.
   */
  resources: readonly string[];
  /** Higher first; a whole number from -8 to 8. */
  priority: number;
  notBeforeMs: number;
  /** What has not begun by then expires. */
  deadlineMs: number;
  /** How long it takes: it begins only where all windows stay open for so long. */
  expectedMs: number;
  windows?: readonly LocalHours[];
  /** For activations alone. */
  blackout?: LocalHours;
  /**
   * What a distribution does that runs longer than expected when its window closes. `pause`: it is
   * asked to pause, and goes on in the next window; it may also begin in a window that is too short
   * for all of it. An activation always finishes. Default `finish`.
   */
  atClosing?: 'finish' | 'pause';
  /** False: it waits for `approve`. Default true. */
  approved?: boolean;
}

export interface Start {
  id: string;
  task: Task;
  /** 1 for the first. */
  attempt: number;
}

export interface Poll {
  start: Start[];
  /** Distributions to be paused, as their window has closed; each is said once. */
  pause: string[];
  expire: { id: string; code: ExpiryCode }[];
}

export type ItemResult =
  | { kind: 'done' }
  | { kind: 'paused' }
  /**
   * A code of the session or of a link that did not open; `failureClass` where it is known better.
   */
  | { kind: 'failed'; code: RetryableCode; failureClass?: FailureClass }
  /** A session's final state, whatever its code. */
  | { kind: 'unknown-outcome' }
  | { kind: 'refused' };

/** What became of an item that ended. */
export type Disposition =
  | { kind: 'over' }
  | { kind: 'again'; atMs: number; task: Task }
  | { kind: 'given-up'; why: 'refused' | 'attempts' | 'deadline' };

export type WaitsFor =
  | 'approval'
  | 'not-before'
  | 'retry'
  | 'window'
  | 'blackout'
  | 'link'
  | 'capacity';

export interface Explanation {
  waitsFor: WaitsFor;
  owner: Owner;
  /** When this wait ends; its deadline where that cannot be known. */
  untilMs: number;
  /** When it expires. */
  deadlineMs: number;
  text: string;
}
