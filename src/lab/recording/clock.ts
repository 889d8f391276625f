/** The clock of recordings: milliseconds since 1970 that never go back, whatever is done to the system's. */
import type { Clock } from '../../ports.ts';

export const MONOTONIC_CLOCK: Clock = { nowMs: () => performance.timeOrigin + performance.now() };
