/**
 * What the OTA server keeps for one device: the assignment it was given, and the numbers it counts and
 * awaits. Nothing an answer to a block request depends on is here but the assignment.
 */
import { BLOCK_BYTES_MAX } from './block-response.ts';
import type { ImageTriple } from './codec.ts';

export type Activation = { when: 'now' } | { when: 'held' } | { when: 'at'; atMs: number };

export interface Assignment {
  /** The OTA file from its identifier on, shared by all devices it is assigned to; never written. */
  image: Uint8Array;
  /** What the device is to call it: the header's, with wildcards replaced by the device's own. */
  triple: ImageTriple;
  /** False until admission has seen the device: then no offer and no block leaves. */
  authorised: boolean;
  /** Whether this device's earlier partial download is known to be of this very content. */
  resumable: boolean;
  activation: Activation;
  /** Least time between two blocks, ms; 0 is as fast as the device asks. */
  blockPeriodMs: number;
  /** Pace by delaying answers (any device obeys) or by the device's own block period attribute. */
  paceBy: 'delay' | 'block-period';
  /** Silence that is an event, ms. */
  stallMs: number;
  /** The most data in one block for this device. */
  blockBytesMax: number;
}

export interface DeviceFacts extends ImageTriple {
  hardwareVersion: number | undefined;
}

/**
 * What an authorisation covers: a device that asks with these very facts, one that has not asked (it may
 * go on with what this gateway sent it before), or, where nobody admits, one that says anything.
 */
export type Admitted = DeviceFacts | 'unasked' | 'anything';

export type OtaServerEvent =
  | {
      kind: 'query';
      device: number;
      facts: DeviceFacts;
      answer: 'offered' | 'deferred' | 'no-image' | 'running-already';
    }
  /** The device asks for data of an assignment that is not authorised yet, or reports all of it. */
  | { kind: 'asks-unauthorised'; device: number; offset: number }
  | { kind: 'started'; device: number; offset: number }
  /** It went on with content this gateway cannot vouch for and was told to drop it. */
  | { kind: 'partial-dropped'; device: number; offset: number }
  /** It asks for a file that is not assigned to it. */
  | { kind: 'foreign-request'; device: number; triple: ImageTriple }
  | { kind: 'downloaded'; device: number; answer: 'now' | 'held' | 'at' | 'aborted' }
  | { kind: 'ended'; device: number; status: number }
  | { kind: 'answered'; device: number; command: number; status: number }
  | { kind: 'stalled'; device: number; silentMs: number };

/** One frame to send. The object and its bytes belong to the machine and change with the next call. */
export interface OtaTransmit {
  device: number;
  bytes: Uint8Array;
}

/** What is known of one download; a snapshot is written into the caller's object. */
export interface OtaProgress {
  /** One past the last byte the device has asked for and been sent. */
  sentBytes: number;
  /** Of the image, repeated ones included: what the device has cost so far. */
  servedBytes: number;
  totalBytes: number;
  blocks: number;
  repeats: number;
  lastRequestMs: number;
  blockBytes: number;
  /** It has asked since it was parked, and was told to come back later. */
  parked: boolean;
}

export const PENDING = { none: 0, block: 1, page: 2 } as const;

const NO_IMAGE = new Uint8Array(0);

/**
 * One device's numbers. What a block touches are small integers, and times whose fields start
 * infinite, so that the engine keeps them as doubles in place and a new time allocates nothing.
 */
export class Session {
  assignment: Assignment | undefined = undefined;
  image: Uint8Array = NO_IMAGE;
  imageBytes = 0;
  /** Manufacturer and image type, and file version, as the 32-bit signed integers of the frame. */
  wireKind = 0;
  wireVersion = 0;
  /** Nothing but image and offset decide the answer to a block request. */
  plain = false;
  /** Read where `assignment.authorised` is set. */
  admitted: Admitted = 'unasked';
  /** The image was offered to it since the assignment. */
  offered = false;
  /** Blocks have left since the assignment: what the device holds is of its content. */
  started = false;
  /** The device has reported the image complete. */
  downloaded = false;
  /** It has, before the decision, and was told to hold. */
  reportWaits = false;
  aborting = false;
  blockBytesMax = BLOCK_BYTES_MAX;
  sentBytes = 0;
  servedBytes = 0;
  lastOffset = -1;
  lastBytes = 0;
  /** The largest block the device is known to have taken. */
  provenBytes = 0;
  repeatRun = 0;
  blocks = 0;
  repeats = 0;
  /** A block held back, or a page: what is due at `dueMs`. */
  pending: number = PENDING.none;
  pendingOffset = 0;
  pendingBytes = 0;
  pendingSequence = 0;
  pageEnd = 0;
  pageSpacingMs = 0;
  periodTeachings = 0;
  periodRefused = false;
  stallReported = false;
  /** Of the query that waits for a decision; -1 where none does. */
  querySequence = -1;
  query: DeviceFacts | undefined = undefined;
  lastRequestMs = Number.NEGATIVE_INFINITY;
  lastBlockMs = Number.NEGATIVE_INFINITY;
  /** Silence until then is as it should be: the device was told to wait, or a page ran. */
  quietUntilMs = Number.NEGATIVE_INFINITY;
  dueMs = Number.POSITIVE_INFINITY;
  pageUntilMs = Number.POSITIVE_INFINITY;
  parkedUntilMs = Number.NEGATIVE_INFINITY;
  queryDueMs = Number.POSITIVE_INFINITY;
  activateDueMs = Number.POSITIVE_INFINITY;

  unpark(): void {
    this.parkedUntilMs = Number.NEGATIVE_INFINITY;
    this.refreshPlain();
  }

  /** Not plain for a device that keeps a block period: one taught earlier may have to be taken back. */
  refreshPlain(): void {
    const { assignment } = this;
    this.plain =
      assignment?.authorised === true &&
      assignment.blockPeriodMs === 0 &&
      assignment.paceBy === 'delay' &&
      !this.aborting &&
      this.parkedUntilMs === Number.NEGATIVE_INFINITY;
  }
}

/** Whether a query with these facts is covered by the authorisation. */
export function covers(admitted: Admitted, facts: DeviceFacts): boolean {
  if (typeof admitted === 'string') return admitted === 'anything';
  return sameTriple(admitted, facts) && admitted.hardwareVersion === facts.hardwareVersion;
}

export function sameTriple(a: ImageTriple, b: ImageTriple): boolean {
  return (
    a.manufacturerCode === b.manufacturerCode &&
    a.imageType === b.imageType &&
    a.fileVersion === b.fileVersion
  );
}
