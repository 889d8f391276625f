/**
 * What the gateway and a coordinator's worker process say to each other. One worker a coordinator, since
 * zigbee-herdsman keeps its maps in module state. Blocks never cross: the image is opened by the worker,
 * and checked there against the digest the decision was made on.
 */

import type { AdmissionToken } from '../../admission/token.ts';
import type { MachineCall } from '../../protocol/tapped.ts';
import type { ImageTriple } from '../../protocol/zcl-ota/codec.ts';
import type { DeviceReading } from '../../protocol/zcl-ota/device-reading.ts';
import type { Activation, Admitted } from '../../protocol/zcl-ota/session.ts';

export interface CoordinatorOptions {
  adapter: 'zstack' | 'ember' | 'deconz' | 'zigate' | 'zboss' | 'zoh';
  /** Serial path or tcp://host:port. */
  port: string;
  baudRate: number;
  rtscts: boolean;
  panId: number;
  /** 16 hexadecimal digits. */
  extendedPanId: string;
  channel: number;
  /** 32 hexadecimal digits. */
  networkKey: string;
  /** Where the driver keeps its database and backup. */
  stateFolder: string;
  inFlightMax: number | undefined;
  /** False takes the driver's public way only, without the short lane through it. */
  lane?: boolean;
  /** Tells every call into the OTA server: for a lab's recording. */
  tellsServer?: boolean;
}

/** A call into the OTA server of a coordinator's process, or that a new one begins. */
export type ServerSaid = MachineCall | 'begins';

export interface AssignRequest {
  eui64: string;
  endpoint: number;
  imagePath: string;
  /** Where the OTA image stands in the file. */
  imageOffset: number;
  /** Of the decision that admitted it: the image is held against it when it is read. */
  token: AdmissionToken;
  triple: ImageTriple;
  authorised: boolean;
  resumable: boolean;
  activation: Activation;
  stallMs: number;
}

/** Method -> [parameters, result]. */
export interface Methods {
  open: [CoordinatorOptions, OpenResult];
  /** Known devices of the network, by EUI-64. */
  devices: [Record<string, never>, KnownDevice[]];
  join: [{ eui64s: string[]; installCodes: string[]; timeoutMs: number }, { missing: string[] }];
  read: [{ eui64: string; endpoint: number; timeoutMs: number }, DeviceReading];
  assign: [AssignRequest, Record<string, never>];
  authorise: [{ eui64: string; admitted: Admitted }, Record<string, never>];
  withhold: [{ eui64: string }, Record<string, never>];
  notify: [{ eui64: string; payloadType: 0 | 1 | 2 | 3 }, Record<string, never>];
  activate: [{ eui64: string; activation: Activation }, Record<string, never>];
  abort: [{ eui64: string }, Record<string, never>];
  release: [{ eui64: string }, Record<string, never>];
  /** Least time between two blocks of each device, those that are assigned an image later as well. */
  pace: [{ blockPeriodMs: number }, Record<string, never>];
  /** Every download is told to come back after so long; resolves when they have been, or after `graceMs`. */
  park: [{ waitMs: number; graceMs: number }, { parked: number }];
  close: [Record<string, never>, Record<string, never>];
}

export type Method = keyof Methods;

export interface OpenResult {
  /** How the driver came up: its own network, a new one, or one restored from its backup. */
  start: 'resumed' | 'reset' | 'restored';
  coordinatorEui64: string;
  channel: number;
  panId: number;
}

export interface KnownDevice {
  eui64: string;
  networkAddress: number;
  interviewed: boolean;
}

export interface ProgressSample {
  eui64: string;
  sentBytes: number;
  servedBytes: number;
  totalBytes: number;
  blocks: number;
  repeats: number;
  lastRequestMs: number;
  blockBytes: number;
  parked: boolean;
}

/** Events of the OTA server, by EUI-64, and of the link itself. */
export type LinkEvent =
  | {
      kind: 'query';
      eui64: string;
      facts: ImageTriple & { hardwareVersion: number | undefined };
      answer: 'offered' | 'deferred' | 'no-image' | 'running-already';
    }
  | { kind: 'asks-unauthorised'; eui64: string; offset: number }
  | { kind: 'started'; eui64: string; offset: number }
  | { kind: 'partial-dropped'; eui64: string; offset: number }
  | { kind: 'foreign-request'; eui64: string; triple: ImageTriple }
  | { kind: 'downloaded'; eui64: string; answer: 'now' | 'held' | 'at' | 'aborted' }
  | { kind: 'ended'; eui64: string; status: number }
  | { kind: 'answered'; eui64: string; command: number; status: number }
  | { kind: 'stalled'; eui64: string; silentMs: number }
  | { kind: 'announced'; eui64: string }
  | { kind: 'joined'; eui64: string }
  | { kind: 'progress'; samples: ProgressSample[] }
  /** A device that downloads was asked something else as well: how long its answer took. */
  | { kind: 'probed'; answerMs: number }
  /** Where it was asked for: before any other event that follows from it. */
  | { kind: 'server'; said: ServerSaid }
  | { kind: 'link-down'; reason: string }
  | { kind: 'link-up' }
  | { kind: 'log'; level: 'debug' | 'info' | 'warning' | 'error'; message: string };

export interface ErrorBody {
  code: string;
  message: string;
  expected?: string;
  actual?: string;
  next?: string;
  exit?: number;
}

export type ToWorker = { id: number; method: Method; parameters: unknown };
export type FromWorker =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; error: ErrorBody }
  | { event: LinkEvent };
