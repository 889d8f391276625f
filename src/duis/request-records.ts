/**
 * What the journal says of Service Requests and of what goes back. Each record is on disk before
 * what it announces is done or said; in their order they are all that the book, the outbox and the
 * progress of requests know (`request-book.ts`, `outbox.ts`, `progress.ts`).
 */
import { inPieces } from '../bytes/in-pieces.ts';
import { DEVICES_A_RECORD } from '../jobs/records.ts';
import { requestIdText } from './identifiers.ts';
import type { Refusal } from './refusals.ts';
import { executionOf } from './request-check.ts';
import type { RequestBody, RequestId, ServiceRequest } from './service-request.ts';

/** By `requestIdText`. */
interface OfRequest {
  kind: 'duis-request';
  requestId: string;
}

export type RequestRecordBody = OfRequest &
  (
    | {
        step: 'accepted';
        /** Of the bytes as they were signed: 64 lower-case digits. */
        sha256: string;
        /** Canonical. */
        duisVersion: string;
        serviceReference: string;
        body: RequestBody['kind'];
        /** Of UpdateFirmware and UpdatePPMIDFirmware. */
        firmwareVersion?: string;
        /** Of an update SHA-256 of its image, of an activation the hash that it names: 64 digits. */
        contentHash?: string;
        /** Absent: now, or its time had come. */
        execution?: number | 'cancel';
        /** All that are done; in this record and those after it. */
        deviceCount: number;
        devices: readonly string[];
        /** By which the answer's bytes are found, for whoever asks the same again. */
        answer: string;
      }
    /** More devices of the request before it, in the same write. */
    | { step: 'devices'; devices: readonly string[] }
    /** Jobs that were made for it. */
    | { step: 'jobs'; jobs: readonly string[] }
    /** All of its devices are done with and told: nothing more is said of them. */
    | { step: 'settled' }
    | { step: 'refused'; sha256: string; refusal: Refusal; answer: string }
    /** What was dated for later is handed on: its time came. */
    | { step: 'executed' }
    /**
     * Said again, before older records are retired: no counter of its originator is above this one.
     */
    | { step: 'counter' }
  );

export type RequestRecord = RequestRecordBody & { sequence: number; atMs: number };

/** What a message tells of a device, so that it is told once: see `MILESTONES`. */
export interface MessageSubject {
  requestId: string;
  /** A mark of the devices. */
  mark: number;
  devices: readonly string[];
}

/** Why a message is put aside. */
export const PARK_CODES = {
  'message-refused': 'The endpoint refused this message again and again, and takes others.',
  'message-lost': 'Its document is not in the store any more.',
} as const;

export type MessageRecordBody = { kind: 'duis-message' } & (
  | {
      step: 'queued';
      /** EUI-64 of the Service User. */
      user: string;
      /** By which its bytes are found: their SHA-256. */
      body: string;
      /** It is late from then on, and still delivered. */
      dueMs?: number;
      about?: MessageSubject;
    }
  /** `message`: the sequence of the record by which it was queued. */
  | { step: 'delivered'; message: number; status: number }
  | { step: 'parked'; message: number; code: keyof typeof PARK_CODES; detail: string }
  /** By a person: tried again, or given up. */
  | { step: 'released'; message: number; by: string }
  | { step: 'discarded'; message: number; by: string; reason: string }
);

export type MessageRecord = MessageRecordBody & { sequence: number; atMs: number };

export function isRequestRecord(record: { kind: string }): record is RequestRecord {
  return record.kind === 'duis-request';
}

export function isMessageRecord(record: { kind: string }): record is MessageRecord {
  return record.kind === 'duis-message';
}

export interface Acceptance {
  request: { header: { requestId: RequestId; serviceReference: string }; body: RequestBody };
  sha256: string;
  duisVersion: string;
  /** What was admitted, each once; of 11.2 and 11.3 the target. */
  devices: readonly string[];
  answer: string;
  /** See the record. */
  hash?: string | undefined;
}

/** To be written at once, so that a request is taken with all of its devices or not at all. */
export function acceptanceRecords(
  { request, sha256, duisVersion, devices, answer, hash }: Acceptance,
  nowMs: number,
): RequestRecordBody[] {
  const { header, body } = request;
  const of = { kind: 'duis-request', requestId: requestIdText(header.requestId) } as const;
  const [first = [], ...rest] = inPieces(devices, DEVICES_A_RECORD);
  const execution = executionOf(body);
  const isLater = execution === 'cancel' || (execution !== undefined && execution > nowMs);
  return [
    {
      ...of,
      step: 'accepted',
      sha256,
      duisVersion,
      serviceReference: header.serviceReference,
      body: body.kind,
      ...('firmwareVersion' in body ? { firmwareVersion: body.firmwareVersion } : {}),
      ...(hash === undefined ? {} : { contentHash: hash }),
      ...(isLater ? { execution } : {}),
      deviceCount: devices.length,
      devices: first,
      answer,
    },
    ...rest.map((piece) => ({ ...of, step: 'devices', devices: piece }) as const),
  ];
}

export function refusalRecord(
  { header }: Pick<ServiceRequest, 'header'>,
  { sha256, refusal, answer }: { sha256: string; refusal: Refusal; answer: string },
): RequestRecordBody {
  const requestId = requestIdText(header.requestId);
  return { kind: 'duis-request', requestId, step: 'refused', sha256, refusal, answer };
}
