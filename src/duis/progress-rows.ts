/**
 * What a Service User is told of a device and when, as data. Which message goes with what was found
 * in no source but where a row says so; the messages and their values are those of the schema.
 */
import type { DeviceKind } from '../products/combinations.ts';
import type { FailureCode } from '../upgrade/states.ts';
import type { DuisDeviceType, TransferResult } from './dcc-alert.ts';
import type { ActivationResult } from './smets1-response.ts';

/** How far a device has come: one bit each, since each is told once for a request. */
export const MILESTONES = {
  /** The device's turn came, or is to come. */
  requested: 1,
  transferred: 2,
  'transfer-failed': 4,
  /** Nothing reached the device. */
  undelivered: 8,
  activated: 16,
  'not-activated': 32,
  /** It runs another version than the inventory says. */
  mismatched: 64,
  /** The other supplier of the premises was told. */
  'other-told': 128,
} as const;

export type Milestone = keyof typeof MILESTONES;

export const DUIS_TYPES: Readonly<Record<DeviceKind, DuisDeviceType>> = {
  communications_hub: 'CHF',
  esme: 'ESME',
  gsme: 'GSME',
  ppmid: 'PPMID',
};

/** Alerts of devices about firmware: codes of GBCS (table of gbcs-parser, read), words ours. */
export const DEVICE_ALERTS = {
  verificationFailed: { code: 0x8f1c, description: 'Firmware verification failed' },
  verified: { code: 0x8f72, description: 'Firmware verified' },
  datedDone: { code: 0x8f66, description: 'Future-dated command carried out' },
  datedFailed: { code: 0x8f67, description: 'Future-dated command not carried out' },
  transferFailed: { code: 0x8f89, description: 'Firmware transfer failed' },
  transferred: { code: 0x8f8a, description: 'Firmware transferred' },
  ppmidActivated: { code: 0x8f8b, description: 'Version after activation' },
} as const;

/** Kinds of message; each is built by the function of its name in `progress.ts`. */
export type Telling =
  | 'hub-notification'
  | 'delivery-status'
  | 'hub-transfer-alert'
  | 'ppmid-alert'
  | 'verification-alert'
  | 'version-mismatch'
  /** Many devices in one message: see `FailureCollector`. */
  | 'distribution-failure'
  /** The device's answer to 11.3; of a dated one its alert. */
  | 'activation-answer';

export interface ProgressRow {
  serviceReferences: readonly string[];
  kinds: readonly DeviceKind[];
  milestone: Milestone;
  tells: readonly Telling[];
  source: string;
}

const UPDATES: readonly string[] = ['11.1', '11.4'];
const METERS: readonly DeviceKind[] = ['esme', 'gsme'];
const ALL: readonly DeviceKind[] = ['communications_hub', 'esme', 'gsme', 'ppmid'];
const BY_NAME = 'inferred from the names of the message and its values';

export const PROGRESS_ROWS: readonly ProgressRow[] = [
  {
    serviceReferences: UPDATES,
    kinds: ['communications_hub'],
    milestone: 'requested',
    tells: ['hub-notification'],
    source: BY_NAME,
  },
  {
    serviceReferences: UPDATES,
    kinds: ['communications_hub'],
    milestone: 'activated',
    tells: ['hub-notification'],
    source: BY_NAME,
  },
  {
    serviceReferences: UPDATES,
    kinds: ['communications_hub'],
    milestone: 'transfer-failed',
    tells: ['distribution-failure'],
    source: 'assumed: the schema has no other message for a hub that took no image',
  },
  {
    serviceReferences: UPDATES,
    kinds: ['communications_hub'],
    milestone: 'not-activated',
    tells: ['distribution-failure'],
    source: 'assumed: the schema has no other message for a hub that runs its old version',
  },
  {
    serviceReferences: UPDATES,
    kinds: METERS,
    milestone: 'transferred',
    tells: ['delivery-status', 'verification-alert'],
    source: 'N60: SECMP0007 (read); 8F72: a code of GBCS (read), when it is raised inferred',
  },
  {
    serviceReferences: UPDATES,
    kinds: METERS,
    milestone: 'transfer-failed',
    tells: ['delivery-status', 'verification-alert'],
    source: 'N61: SECMP0007 (read); 8F1C: a code of GBCS (read), when it is raised inferred',
  },
  {
    serviceReferences: UPDATES,
    kinds: ['ppmid'],
    milestone: 'transferred',
    tells: ['hub-transfer-alert'],
    source: '8F8A of the hub: a code of GBCS (read); that this message carries it is inferred',
  },
  {
    serviceReferences: UPDATES,
    kinds: ['ppmid'],
    milestone: 'transfer-failed',
    tells: ['hub-transfer-alert'],
    source: '8F89 of the hub: a code of GBCS (read); that this message carries it is inferred',
  },
  {
    serviceReferences: UPDATES,
    kinds: ['ppmid'],
    milestone: 'activated',
    tells: ['ppmid-alert'],
    source: '8F8B: a code of GBCS (read); that this message carries it is inferred',
  },
  {
    serviceReferences: UPDATES,
    kinds: ['ppmid'],
    milestone: 'not-activated',
    tells: ['ppmid-alert'],
    source: '8F8B: a code of GBCS (read); that this message carries it is inferred',
  },
  {
    serviceReferences: UPDATES,
    kinds: ALL,
    milestone: 'undelivered',
    tells: ['distribution-failure'],
    source: BY_NAME,
  },
  {
    serviceReferences: [...UPDATES, '11.2', '11.3'],
    kinds: ALL,
    milestone: 'mismatched',
    tells: ['version-mismatch'],
    source: BY_NAME,
  },
  {
    serviceReferences: ['11.3'],
    kinds: ALL,
    milestone: 'activated',
    tells: ['activation-answer'],
    source: 'MMC schemas (read): ActivateFirmwareRsp, and 8F66 where it was dated',
  },
  {
    serviceReferences: ['11.3'],
    kinds: ALL,
    milestone: 'not-activated',
    tells: ['activation-answer'],
    source: 'MMC schemas (read): ActivateFirmwareRsp, and 8F67 where it was dated',
  },
];

/** What a failure comes to: how the transfer ended, else how the activation did. */
export type FailureMeaning =
  | { milestone: 'transfer-failed'; transfer: TransferResult }
  | { milestone: 'undelivered' }
  | { milestone: 'not-activated'; activation: ActivationResult };

const FAILED: FailureMeaning = { milestone: 'transfer-failed', transfer: 'FileTransferFailure' };
const DISCARDED: FailureMeaning = {
  milestone: 'transfer-failed',
  transfer: 'FirmwareImageDiscarded',
};
const OTHER_HARDWARE: FailureMeaning = {
  milestone: 'transfer-failed',
  transfer: 'HardwareVersionMismatch',
};
const UNDELIVERED: FailureMeaning = { milestone: 'undelivered' };
const NOT_ACTIVATED: FailureMeaning = {
  milestone: 'not-activated',
  activation: 'activationFailure',
};

/** Assumed: by what the words mean. */
export const FAILURE_MEANINGS: Readonly<Record<FailureCode, FailureMeaning>> = {
  'device-silent': UNDELIVERED,
  'link-lost': FAILED,
  'image-not-served': UNDELIVERED,
  'image-changed': UNDELIVERED,
  'facts-missing': UNDELIVERED,
  'transfer-stalled': FAILED,
  'transfer-given-up': FAILED,
  'deadline-passed': FAILED,
  'hold-expired': { milestone: 'not-activated', activation: 'noImageHeld' },
  'image-refused-by-device': DISCARDED,
  'download-refused-by-device': DISCARDED,
  'holds-unknown-image': { milestone: 'not-activated', activation: 'hashMismatch' },
  'device-reverted': NOT_ACTIVATED,
  'not-activated': NOT_ACTIVATED,
  'version-not-readable': NOT_ACTIVATED,
  'hub-silent': UNDELIVERED,
  'hub-state-unread': UNDELIVERED,
  'bootloader-other': OTHER_HARDWARE,
  'hold-impossible': UNDELIVERED,
  'trial-unconfirmed': UNDELIVERED,
  'image-unnamed': UNDELIVERED,
  'slot-too-small': OTHER_HARDWARE,
  'upload-refused': DISCARDED,
  'transfer-broken': FAILED,
  'left-in-bootloader': FAILED,
  'image-refused-by-bootloader': DISCARDED,
  'activation-refused': NOT_ACTIVATED,
  'image-dropped-at-boot': NOT_ACTIVATED,
  'not-confirmed': NOT_ACTIVATED,
  'boots-into-recovery': NOT_ACTIVATED,
  'application-unheard': NOT_ACTIVATED,
};

/**
 * Of a code that is in no table of sessions: a job that expired, was cancelled, or met its
 * gateway's trouble.
 */
export const ANY_FAILURE = UNDELIVERED;
