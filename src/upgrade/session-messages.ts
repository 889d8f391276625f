/** What an upgrade session is given, told and says; its limits. */

import type { AdmissionContext } from '../admission/context.ts';
import type { Decision } from '../admission/decide.ts';
import type { AdmissionPolicy, DeviceFacts, OtaImageFacts } from '../admission/facts.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { DeviceReading } from '../protocol/zcl-ota/device-reading.ts';
import type {
  Activation,
  Admitted,
  DeviceFacts as QueryFacts,
} from '../protocol/zcl-ota/session.ts';
import type { FailureCode, SessionState } from './states.ts';

export interface SessionLimits {
  /** Until the device asks for the image. */
  contactMs: number;
  /** Silence in a download before the device is woken, and how often that may be needed in a row. */
  stallMs: number;
  stallsMax: number;
  /** A download without a byte the device was not sent before, however busy it is. */
  progressMs: number;
  /** Downloads begun anew after the device gave one up. */
  attemptsMax: number;
  /** From the command to activate to the new version read back. */
  confirmMs: number;
  /** A held image that nobody commands to be activated. */
  heldMs: number;
  /** A link that stays away so long ends the session; in all, so much is forgiven in one state. */
  linkDownMs: number;
}

export const SESSION_LIMITS: SessionLimits = {
  contactMs: 90_000,
  stallMs: 20_000,
  stallsMax: 6,
  progressMs: 2 * 3_600_000,
  attemptsMax: 5,
  confirmMs: 180_000,
  heldMs: 30 * 24 * 3_600_000,
  linkDownMs: 120_000,
};

/** What cannot be undone: `replace` leaves a hub without its application, on `activate` a device acts. */
export type Intent = 'replace' | 'activate';

/**
 * Where a journal is kept, each intent is announced by an event, and acted on when it was `granted`. Of a
 * session that goes on for one which was cut off, it says what that had announced under the same command:
 * an activation that was announced is not commanded again, but on evidence that the device waits for it.
 */
export interface KeptRecord {
  announced: readonly Intent[];
}

export interface SessionRequest {
  /** What is known of the device before it is asked: its model file. */
  device: DeviceFacts;
  image: OtaImageFacts;
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  /** Undefined: a bench. */
  context: AdmissionContext | undefined;
  activation: Activation;
  /** This very content was being distributed to this device before. */
  resumable: boolean;
  limits: SessionLimits;
  kept?: KeptRecord | undefined;
}

export type SessionInput =
  | { kind: 'reading'; reading: DeviceReading }
  | { kind: 'reading-failed'; reason: string }
  | { kind: 'assign-failed'; error: Error }
  | {
      kind: 'query';
      facts: QueryFacts;
      answer: 'offered' | 'deferred' | 'no-image' | 'running-already';
    }
  | { kind: 'asks-unauthorised'; offset: number }
  | { kind: 'started'; offset: number }
  | { kind: 'partial-dropped'; offset: number }
  /** `servedBytes`: of the image, repeated ones included, since the assignment. */
  | { kind: 'progress'; sentBytes: number; servedBytes?: number; lastRequestMs?: number }
  | { kind: 'downloaded'; answer: 'now' | 'held' | 'at' | 'aborted' }
  | { kind: 'ended'; status: number }
  | { kind: 'stalled'; silentMs: number }
  | { kind: 'announced' }
  | { kind: 'link-down'; reason: string }
  | { kind: 'link-up' }
  /** The record of the intent is durable. */
  | { kind: 'granted' };

export type SessionCommand =
  /** Give the image to the OTA server; where it is not resumable, forget first what went there before. */
  | { kind: 'assign'; resumable: boolean; activation: Activation }
  | { kind: 'read' }
  | { kind: 'notify' }
  | { kind: 'authorise'; admitted: Admitted }
  /** Its first bytes leave: make durable that what the device holds is of this content. */
  | { kind: 'remember' }
  | { kind: 'activate'; activation: Activation }
  /** Whenever the device asks, tell it to drop what it has. */
  | { kind: 'abort' }
  | { kind: 'release' };

export type SessionEvent =
  /** `untilMs`: its deadline, as far as nothing moves; absent where it is final. */
  | {
      kind: 'state';
      state: SessionState;
      untilMs?: number;
      code?: FailureCode;
      detail?: string;
      /** With `done`: the version that was read back. */
      runs?: string;
    }
  | { kind: 'decision'; decision: Decision; device: DeviceFacts }
  | { kind: 'intent'; intent: Intent }
  | { kind: 'note'; text: string };
