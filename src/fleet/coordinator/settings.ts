/** What a coordinator is given, and how long it waits for what. */
import type { CampaignTrust } from '../../campaign/signed-campaign.ts';
import type { Log, Timers } from '../../ports.ts';
import type { FleetDatabase } from './database.ts';

export interface CoordinatorSettings {
  /** An enrolment token is good for so long. */
  tokenMs: number;
  /** When a gateway asks again that does not wait for an answer. */
  pollMs: number;
  /** A gateway that was not seen for so long is granted nothing. */
  aliveMs: number;
  /** A grant that was not taken is taken back from a gateway that was silent for so long. */
  grantMs: number;
  /** The same of one that was taken and has not begun. */
  takenMs: number;
  /** A gateway that refused a campaign is granted nothing of it for so long. */
  refusedMs: number;
  /** Gateways with devices under way are told so long that their campaign ended. */
  toldMs: number;
  /** Events of a campaign are kept so long after its end. */
  eventsMs: number;
  /** Of an upload that was not finished. */
  uploadMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const COORDINATOR_SETTINGS: CoordinatorSettings = {
  tokenMs: 7 * 24 * HOUR_MS,
  pollMs: 30_000,
  aliveMs: 10 * MINUTE_MS,
  grantMs: 30 * MINUTE_MS,
  takenMs: 24 * HOUR_MS,
  refusedMs: 6 * HOUR_MS,
  toldMs: 24 * HOUR_MS,
  eventsMs: 400 * 24 * HOUR_MS,
  uploadMs: 24 * HOUR_MS,
};

/** When a gateway was last seen is written so often at the most, so that asking costs no write. */
export const SEEN_MS = MINUTE_MS;
/** Campaigns whose devices changed are evaluated so often at the most, however many changes there are. */
export const EVALUATION_MS = 200;
/** Times what the last evaluation took is left between two: they have a fifth of the time at the most. */
export const EVALUATION_PAUSE = 4;
/** One that seems to have taken longer is taken to have taken this. */
export const EVALUATION_MS_MAX = 1_000;

/** What all parts of one coordinator share. */
export interface Desk {
  database: FleetDatabase;
  fleet: string;
  /** Who may sign campaigns, as it is configured now. */
  trust: () => Omit<CampaignTrust, 'atMs'>;
  timers: Timers;
  random: (bytes: number) => Uint8Array;
  log: Log;
  settings: CoordinatorSettings;
}
