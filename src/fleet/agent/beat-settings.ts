/** How often a gateway asks its coordinator, and how long it waits. */
import type { Backoff } from '../../schedule/retry.ts';

export interface BeatSettings {
  /** Of tries to reach the coordinator; the first window is that of a start and of a lost connection. */
  contact: Backoff;
  /** Of one errand, while others are answered. */
  errand: Backoff;
  /** After a refusal, and up to a quarter more. */
  refusedMs: number;
  /** Of a long poll. */
  waitSeconds: number;
  /** Between two questions for what to do, whatever the coordinator says. */
  pollMsMin: number;
  /** Events that happen within so long go together. */
  eventsPauseMs: number;
  inventoryPauseMs: number;
  inventoryAgeMs: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Chosen for this gateway; no source gives figures. */
export const BEAT: BeatSettings = {
  contact: {
    retriesMax: Number.POSITIVE_INFINITY,
    baseMs: 30 * SECOND_MS,
    factor: 2,
    capMs: 15 * MINUTE_MS,
  },
  errand: {
    retriesMax: Number.POSITIVE_INFINITY,
    baseMs: 10 * SECOND_MS,
    factor: 2,
    capMs: 15 * MINUTE_MS,
  },
  refusedMs: HOUR_MS,
  waitSeconds: 50,
  pollMsMin: SECOND_MS,
  eventsPauseMs: 2 * SECOND_MS,
  inventoryPauseMs: MINUTE_MS,
  inventoryAgeMs: 24 * HOUR_MS,
};
