/**
 * Timers on a clock that nobody sets: milliseconds since some moment, not the time of day. A gateway's
 * clock jumps when it first hears the time; the watchdog must neither starve nor be held back by that.
 */
import type { Timers } from '../ports.ts';

export const STEADY_TIMERS: Timers = {
  nowMs: () => performance.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
