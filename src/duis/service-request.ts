/**
 * A Service Request for firmware, as it was read from a document whose signature is good (DUIS 5.0a to
 * 5.4; 3.0 to 4.0 have the same elements). Values are of the ranges of the schema; whether header and
 * body fit each other, and whether its sender may ask this, is not known here.
 */

/** Originator:target:counter. */
export interface RequestId {
  /** EUI-64, 16 lower-case digits, as all here. */
  originator: string;
  target: string;
  /** 0 to 2^64 - 1; of one originator it only ever rises. */
  counter: bigint;
}

export interface RequestHeader {
  requestId: RequestId;
  firstInSequence?: boolean;
  precedingRequestId?: RequestId;
  /** 1 to 9. */
  commandVariant: number;
  /** `11.1`, as written without blanks around it. */
  serviceReference: string;
  serviceReferenceVariant: string;
}

export interface FirmwareUpdate {
  kind: 'UpdateFirmware' | 'UpdatePPMIDFirmware';
  /** 0 to 10,240,000 octets. */
  image: Uint8Array;
  /** 1 to 8 characters, as written. */
  firmwareVersion: string;
  /** 1 to 50,000, in their order; one may stand twice. */
  deviceIds: readonly string[];
}

export interface FirmwareVersionReading {
  kind: 'ReadFirmwareVersion';
  /** Absent: now. */
  executionMs?: number;
}

export interface FirmwareActivation {
  kind: 'ActivateFirmware';
  /** Absent: now. `cancel`: the year 3000, by which what was dated for later is called off. */
  execution?: number | 'cancel';
  /** SHA-256 of the Manufacturer Image: 64 lower-case digits. */
  firmwareHash: string;
}

export interface SignedPreCommand {
  kind: 'SignedPreCommand';
  execution?: number | 'cancel';
  gbcsPayload: Uint8Array;
}

export type RequestBody =
  | FirmwareUpdate
  | FirmwareVersionReading
  | FirmwareActivation
  | SignedPreCommand;

export interface ServiceRequest {
  /** As written, blanks taken away; compared as a decimal number (`compareDuis`). */
  schemaVersion: string;
  header: RequestHeader;
  body: RequestBody;
}
