/** What this folder needs of the gateway around it: handed in, so that a month of it runs in seconds. */
import type { RequestFacts } from '../admission/context.ts';
import type { DeviceFacts } from '../admission/facts.ts';
import type { DuisUser } from '../config/duis.ts';
import type { Refusal } from '../duis/refusals.ts';
import type { RequestSettings } from '../duis/request-check.ts';
import type { MessageRecordBody, RequestRecordBody } from '../duis/request-records.ts';
import type { SignDocument } from '../duis/smets1-response.ts';
import type { Brief } from '../gateway/field.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { JournalBody } from '../gateway/record-keeper.ts';
import type { Timers } from '../ports.ts';

export interface MessageFolder {
  /** On disk when it returns: its SHA-256. */
  put(bytes: Uint8Array): string;
  get(sha256: string): Uint8Array | undefined;
  removeUnused(needed: ReadonlySet<string>): number;
}

export type DccRecord = RequestRecordBody | MessageRecordBody | JournalBody;

export interface World {
  readonly nowMs: number;
  timers: Timers;
  gateway: Gateway;
  messages: MessageFolder;
  settings: RequestSettings;
  users: ReadonlyMap<string, DuisUser>;
  /** The ids of devices, by their EUI-64. */
  devicesByEui: ReadonlyMap<string, string>;
  /** After 11.1 and 11.4. */
  activation: { updateFirmware: 'held' | 'now'; updatePpmidFirmware: 'held' | 'now' };
  /** From its acceptance on, until what has not begun has failed. */
  deadlineMs: number;
  /** What it is decided on, and what is known of the device. @throws UpliftError */
  briefFor(
    image: string,
    device: string,
    facts: RequestFacts,
  ): { brief: Brief; device: DeviceFacts };
  /** The EUI-64 of the Communications Hub of its premises; of a hub its own. */
  hubOf(device: string): string | undefined;
  /** The suppliers of its premises, as installations name them. */
  suppliersOf(device: string): readonly string[];
  /** On disk when it returns. */
  storeImage(image: Uint8Array, name: string): { sha256: string } | { refusal: Refusal };
  /** With the signature in it. */
  sign(document: string): Uint8Array;
  /** Of a document within a document. */
  signInner: SignDocument;
  /** On record when it returns, or nothing of it is. @throws UpliftError */
  write(...records: DccRecord[]): void;
  /** Resolves when others had their turn. */
  nextTurn(): Promise<void>;
}
