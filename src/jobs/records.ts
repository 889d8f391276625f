/**
 * What the journal says of jobs. Each record is on disk before the action that it announces; put together
 * again in their order (`book.ts`) they are all that is known of every job.
 */
import type { RequestFacts } from '../admission/context.ts';
import type { Intent } from '../upgrade/session-messages.ts';
import type { Owner, UpgradeState } from './states.ts';

/** Who asks: `cli:root`, `api:night-shift`, `gateway`. */
export type Actor = string;

export type JobActivation = { when: 'now' } | { when: 'held' } | { when: 'at'; atMs: number };

/** What is asked for: one image for some devices of this gateway. */
export interface JobRequest {
  /** SHA-256 of the image file in the store: 64 lower-case digits. */
  image: string;
  /** As the rig files call them. */
  devices: readonly string[];
  activation: JobActivation;
  /** 0 to 8; the higher goes first. */
  priority: number;
  /** Not before then, ms since 1970. */
  notBeforeMs?: number;
  /** What has not begun by then expires. */
  deadlineMs: number;
  /** The name of a maintenance window of the configuration. */
  window?: string;
  /** Somebody other than the author has to approve it first. */
  needsApproval?: boolean;
  /** Takes the place of what is open for these devices and has not begun. */
  supersede?: boolean;
  /** Chosen by who asks: the same again is the same job, and not a second one. */
  requestId?: string;
  reason?: string;
  /** Asked for by a Service Request: it is admitted as one. */
  serviceRequest?: RequestFacts;
}

export type JobCommand =
  | { command: 'approve' }
  | { command: 'reject' }
  | { command: 'activate'; activation: JobActivation }
  | { command: 'cancel' }
  | { command: 'retry' };

export type JobRecordBody =
  | { kind: 'job'; job: string; by: Actor; request: JobRequest }
  /** More devices of the job before it. */
  | { kind: 'job-devices'; job: string; devices: readonly string[] }
  | ({
      kind: 'command';
      job: string;
      by: Actor;
      /** All of the job where it names none. */
      devices?: readonly string[];
      reason?: string;
    } & JobCommand)
  | {
      kind: 'state';
      job: string;
      device: string;
      state: UpgradeState;
      attempt: number;
      owner: Owner;
      /** The state ends by then, in another one. Absent where it is final. */
      untilMs?: number;
      code?: string;
      /** On what evidence. */
      detail?: string;
      next?: string;
      /** With `done`: the version that was read back. */
      runs?: string;
    }
  | { kind: 'intent'; job: string; device: string; intent: Intent }
  | { kind: 'progress'; job: string; device: string; sentBytes: number; totalBytes: number }
  | { kind: 'note'; job: string; device: string; text: string };

export const JOB_RECORD_KINDS = [
  'job',
  'job-devices',
  'command',
  'state',
  'intent',
  'progress',
  'note',
] as const;

/** A record has its bound; what names more devices is several of them. */
export const DEVICES_A_RECORD = 2_000;

/** As it is read back: with its place in the journal. */
export type JobRecord = JobRecordBody & { sequence: number; atMs: number };

export function isJobRecord(record: { kind: string }): record is JobRecord {
  return (JOB_RECORD_KINDS as readonly string[]).includes(record.kind);
}
