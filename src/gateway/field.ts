/**
 * What the gateway asks of the world of links and devices, whatever carries it: rigs with real ports and
 * coordinators, or simulated ones. One upgrade runs on a device at a time.
 */

import type { AdmissionContext } from '../admission/context.ts';
import type { AdmissionPolicy } from '../admission/facts.ts';
import type { UpliftError } from '../errors.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { DeviceKind } from '../products/combinations.ts';
import type { UploadSample } from '../upgrade/hub-session-messages.ts';
import type { Intent, SessionEvent } from '../upgrade/session-messages.ts';
import type { DeviceWords } from './device-words.ts';
import type { LoadedImage } from './image-library.ts';

export interface FieldDevice {
  id: string;
  kind: DeviceKind;
  eui64?: string;
  /** What it occupies: `network:COORDINATOR` or `port:DEVICE`. */
  link: string;
  /** Whether it can keep an image beside the one it runs. */
  canHold: boolean;
  /** Silence in a transfer of so long is looked into. */
  stallMs?: number;
}

/** All that an upgrade is decided on and made of, gathered at the moment it begins. */
export interface Brief {
  image: LoadedImage;
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  context: AdmissionContext | undefined;
}

export interface FieldTask {
  device: string;
  brief: Brief;
  activation: { when: 'now' } | { when: 'held' };
  /** Under the same command, by a session that was cut off. */
  announced: readonly Intent[];
  /** Sequence of the record that commanded it: the same again where an attempt goes on for one before. */
  commandedBy: number;
  /** When its job was made. */
  askedMs: number;
}

/** As sessions say it; a state may end with a code that is of no session. */
export type FieldEvent =
  | Exclude<SessionEvent, { kind: 'state' }>
  | (Omit<Extract<SessionEvent, { kind: 'state' }>, 'code'> & { code?: string });

export type FieldEnd =
  /** As the last state event said. */
  | { kind: 'final' }
  /** The image is on the device and waits. */
  | { kind: 'held' }
  /** Its link did not open, or it is not on the network. */
  | { kind: 'not-begun'; error: UpliftError }
  /** It was told to stop, or its coordinator's process ended: the device keeps what it has. */
  | { kind: 'stopped'; detail: string };

/** None of its calls throws. */
export interface FieldOwner {
  /** False where it is not on record: nothing may be done on it or after it, and an intent least of all. */
  event(event: FieldEvent): boolean;
  progress(sample: UploadSample): void;
  /** Once, and nothing after it. */
  ended(end: FieldEnd): void;
}

export interface FieldRun {
  /** False where it is too late. Where it is not, the state `cancelled` and the end follow. */
  cancel(): boolean;
  /** Leaves the device so that it keeps what it has; the end follows. */
  stop(): void;
}

export interface FieldListener {
  link(link: string, up: boolean, detail: string): void;
  /** So many upgrades may run there at once from now on; never said where nothing measures it. */
  pace(link: string, upgradesMax: number): void;
  /** There are these, too, or they hang on another link than before. */
  devices(changed: readonly FieldDevice[]): void;
  /**
   * What is told in it goes on record in one write when it returns, for a field that does nothing on what it
   * tells: each of its events is called on record before it is.
   */
  together(work: () => void): void;
}

export interface Field {
  readonly devices: readonly FieldDevice[];
  /** Opens what stays open; before it nothing is run. */
  start(listener: FieldListener): void;
  run(task: FieldTask, owner: FieldOwner): FieldRun;
  /** Asks it what it runs, and changes nothing. @throws UpliftError where it does not say */
  read(device: string): Promise<DeviceWords>;
  /** After every run has ended or been stopped. */
  close(): Promise<void>;
}
