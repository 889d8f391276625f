/** The requests of a gateway to its coordinator, and what becomes of each: never an exception. */
import type { Desired, Enrolled, Enrolment, EventBatch, EventsTaken, Inventory } from '../wire.ts';
import type { BlobHead } from './blob-head.ts';
import type { AgentCode } from './codes.ts';

/** As the machine hears of it. */
export type LinkFailure =
  | { kind: 'unreached'; code: AgentCode; detail: string }
  | { kind: 'later'; code: AgentCode; detail: string; retryAfterMs?: number }
  | { kind: 'refused'; code: AgentCode; detail: string };

export type Answered<T> = { kind: 'answered'; value: T } | LinkFailure;

export interface BlobPart {
  sha256: string;
  /** From there to its end. */
  offset: number;
  /** Of what came before; a part of anything else is not wanted. */
  etag?: string | undefined;
}

/** Who takes a blob. `false`: no more of it is wanted. The bytes are its own for the time of the call. */
export interface BlobReceiver {
  head(head: BlobHead): boolean;
  chunk(bytes: Uint8Array): boolean;
}

export type BlobPartEnd = { kind: 'ended' } | { kind: 'dropped' } | LinkFailure;

/** What of the link the agent uses. */
export interface FleetLink {
  enrol(request: Enrolment): Promise<Answered<Enrolled>>;
  /**
   * @param version that is known: where it is still that one, the coordinator waits for another
   * @param signal ends the wait
   */
  desired(
    version: number | undefined,
    waitSeconds: number,
    signal?: AbortSignal,
  ): Promise<Answered<Desired> | { kind: 'unchanged' }>;
  postEvents(batch: EventBatch): Promise<Answered<EventsTaken>>;
  postInventory(inventory: Inventory): Promise<Answered<undefined>>;
  fetchBlob(part: BlobPart, receiver: BlobReceiver): Promise<BlobPartEnd>;
  /** Every request ends now, and none begins. */
  close(): void;
}
