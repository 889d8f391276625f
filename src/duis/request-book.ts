/**
 * Every Service Request as the journal tells them: records in, what is known of each out. Built by
 * replaying the journal and kept by the same code, so that a restart forgets nothing.
 *
 * Invariants: a RequestID is decided once, whatever is sent again, late or out of order; the
 * counter of an originator only rises; of one device at most one activation is dated for later.
 * Whoever asks the same again, byte for byte, gets the first answer.
 *
 * Asked only about requests whose signature is good: anybody else could use up the counters of
 * others.
 */
import { assert } from '../errors.ts';
import { DeviceTable } from './device-table.ts';
import { requestIdOf, requestIdText } from './identifiers.ts';
import type {
  MessageRecord,
  MessageSubject,
  RequestRecord,
  RequestRecordBody,
} from './request-records.ts';
import type { ServiceCode } from './service-codes.ts';
import type { RequestId } from './service-request.ts';

export type Judgement =
  | { kind: 'new' }
  /** The same again. */
  | { kind: 'repeated'; answer: string }
  | { kind: 'refused'; code: ServiceCode & ('request-id-other-content' | 'counter-not-above') };

export interface AcceptedRequest {
  readonly id: string;
  readonly originator: string;
  readonly atMs: number;
  readonly duisVersion: string;
  readonly serviceReference: string;
  readonly body: string;
  readonly firmwareVersion: string | undefined;
  /** Of the image file, or the one that an activation names. */
  readonly hash: string | undefined;
  /** For when it was dated; `cancel`: it called off what was. */
  readonly execution: number | 'cancel' | undefined;
  /** It was dated, and its time is on record as come. */
  readonly isExecuted: boolean;
  /** Of the record from which on it is done: its own, or that of its time. */
  readonly sequence: number;
  /** All that it was taken for. */
  readonly deviceCount: number;
  /** With the marks of what was told about each; none where it is settled. */
  readonly devices: DeviceTable;
  readonly jobs: readonly string[];
}

/** What a user dated for later. */
export interface Dated {
  readonly requestId: string;
  readonly originator: string;
  readonly deviceId: string;
  readonly executionMs: number;
}

interface Entry {
  sha256: string;
  answer: string;
  atMs: number;
  accepted:
    | (AcceptedRequest & {
        devices: DeviceTable;
        jobs: string[];
        isExecuted: boolean;
        sequence: number;
      })
    | undefined;
}

const NO_DEVICES = new DeviceTable([]);

interface Originator {
  /** Of every request of it that was decided. */
  highest: bigint;
  highestId: string;
}

export class RequestBook {
  private readonly entries = new Map<string, Entry>();
  private readonly originators = new Map<string, Originator>();
  /** By device, of activations; by request, of readings. */
  private readonly dated = new Map<string, Dated>();
  /** Taken, and neither begun nor done with. */
  private readonly toBegin = new Map<string, AcceptedRequest>();
  /** Of the request whose records are being read. */
  private incomplete: { id: string; deviceCount: number; devices: string[] } | undefined;

  judge(requestId: RequestId, sha256: string): Judgement {
    const entry = this.entries.get(requestIdText(requestId));
    if (entry?.sha256 === sha256) return { kind: 'repeated', answer: entry.answer };
    if (entry) return { kind: 'refused', code: 'request-id-other-content' };
    const highest = this.originators.get(requestId.originator)?.highest;
    const isAbove = highest === undefined || requestId.counter > highest;
    return isAbove ? { kind: 'new' } : { kind: 'refused', code: 'counter-not-above' };
  }

  request(id: string): AcceptedRequest | undefined {
    return this.entries.get(id)?.accepted;
  }

  isAccepted(id: string): boolean {
    return this.request(id) !== undefined;
  }

  /** Dated for later, and its time is not on record as come. */
  isWaiting(id: string): boolean {
    for (const { requestId } of this.dated.values()) if (requestId === id) return true;
    return false;
  }

  *accepted(): IterableIterator<AcceptedRequest> {
    for (const { accepted } of this.entries.values()) if (accepted) yield accepted;
  }

  /** What was taken and is to be begun, now or at its time; in the order in which it was taken. */
  unbegun(): IterableIterator<AcceptedRequest> {
    return this.toBegin.values();
  }

  /** An upgrade of the device was taken, and is no job yet. */
  hasUpgradeToCome(deviceId: string): boolean {
    for (const { firmwareVersion, devices } of this.toBegin.values())
      if (firmwareVersion !== undefined && devices.has(deviceId)) return true;
    return false;
  }

  /** Whose activation is dated for later at the device. */
  datedBy(deviceId: string): string | undefined {
    return this.dated.get(deviceId)?.originator;
  }

  /** What is to be done by now, the earliest first. Until it is recorded as executed it stays. */
  due(nowMs: number): Dated[] {
    return [...this.dated.values()]
      .filter(({ executionMs }) => executionMs <= nowMs)
      .sort((a, b) => a.executionMs - b.executionMs);
  }

  nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const { executionMs } of this.dated.values()) {
      if (next === undefined || executionMs < next) next = executionMs;
    }
    return next;
  }

  /**
   * Records from then on are needed still: when the oldest request was taken that is to be begun,
   * now or at its time.
   */
  neededSinceMs(): number | undefined {
    let sinceMs: number | undefined;
    for (const { atMs } of this.toBegin.values())
      if (sinceMs === undefined || atMs < sinceMs) sinceMs = atMs;
    return sinceMs;
  }

  /**
   * Forgets what was decided before then, but for what is to be begun: its records are retired from
   * the journal. What it used up stays used, by what `restated` says. Asked again, such a request
   * is refused, and not answered.
   */
  retire(beforeMs: number): void {
    for (const [id, { atMs }] of this.entries) {
      if (atMs < beforeMs && !this.toBegin.has(id)) this.entries.delete(id);
    }
  }

  /** To be written before the journal retires older records. */
  *restated(): IterableIterator<RequestRecordBody> {
    for (const { highestId } of this.originators.values()) {
      yield { kind: 'duis-request', step: 'counter', requestId: highestId };
    }
  }

  /** Before it is written down: a second decision of one id would stop every start to come. */
  assertFits(record: RequestRecordBody): void {
    if (record.step !== 'accepted' && record.step !== 'refused') return;
    const { originator, counter } = requestIdOf(record.requestId);
    const highest = this.originators.get(originator)?.highest;
    assert(highest === undefined || counter > highest, `${record.requestId} is decided once`);
  }

  /** Records of requests that were retired are passed over. */
  apply(record: RequestRecord | MessageRecord): void {
    if (record.kind === 'duis-message') {
      if (record.step === 'queued' && record.about) this.markTold(record.about);
      return;
    }
    switch (record.step) {
      case 'accepted':
        this.assertFits(record);
        this.addAccepted(record);
        return;
      case 'devices':
        this.addDevices(record.requestId, record.devices);
        return;
      case 'jobs':
        this.entries.get(record.requestId)?.accepted?.jobs.push(...record.jobs);
        this.toBegin.delete(record.requestId);
        return;
      case 'settled': {
        this.toBegin.delete(record.requestId);
        const accepted = this.entries.get(record.requestId)?.accepted;
        if (accepted) accepted.devices = NO_DEVICES;
        return;
      }
      case 'refused': {
        this.assertFits(record);
        const { sha256, answer, atMs } = record;
        this.add(record.requestId, { sha256, answer, atMs, accepted: undefined });
        return;
      }
      case 'executed':
        for (const [key, { requestId }] of this.dated) {
          if (requestId !== record.requestId) continue;
          this.dated.delete(key);
          const accepted = this.entries.get(requestId)?.accepted;
          if (accepted) Object.assign(accepted, { isExecuted: true, sequence: record.sequence });
        }
        return;
      case 'counter':
        this.raise(record.requestId);
        return;
    }
  }

  /** Queued is told: it is kept until it is delivered. */
  private markTold({ requestId, mark, devices }: MessageSubject): void {
    const table = this.entries.get(requestId)?.accepted?.devices;
    if (table) for (const device of devices) table.mark(device, mark);
  }

  private addAccepted(record: RequestRecord & { step: 'accepted' }): void {
    const { requestId: id, sha256, answer, atMs, duisVersion, serviceReference, body } = record;
    const { originator, target } = requestIdOf(id);
    this.add(id, {
      sha256,
      answer,
      atMs,
      accepted: {
        id,
        originator,
        atMs,
        duisVersion,
        serviceReference,
        body,
        firmwareVersion: record.firmwareVersion,
        hash: record.contentHash,
        execution: record.execution,
        deviceCount: record.deviceCount,
        isExecuted: false,
        sequence: record.sequence,
        devices: NO_DEVICES,
        jobs: [],
      },
    });
    this.toBegin.set(id, this.entries.get(id)!.accepted!);
    this.incomplete = { id, deviceCount: record.deviceCount, devices: [] };
    this.addDevices(id, record.devices);
    const { execution } = record;
    if (execution === undefined) return;
    // A later time takes the place of an earlier one of the same user, as in GBCS (assumed).
    const key = body === 'ReadFirmwareVersion' ? id : target;
    if (execution === 'cancel') this.dated.delete(key);
    else
      this.dated.set(key, { requestId: id, originator, deviceId: target, executionMs: execution });
  }

  private addDevices(id: string, devices: readonly string[]): void {
    const { incomplete } = this;
    if (incomplete?.id !== id) return;
    incomplete.devices.push(...devices);
    if (incomplete.devices.length < incomplete.deviceCount) return;
    const accepted = this.entries.get(id)?.accepted;
    if (accepted) accepted.devices = new DeviceTable(incomplete.devices);
    this.incomplete = undefined;
  }

  private add(id: string, entry: Entry): void {
    this.entries.set(id, entry);
    this.raise(id);
  }

  private raise(id: string): void {
    const { originator, counter } = requestIdOf(id);
    const known = this.originators.get(originator);
    if (known && known.highest >= counter) return;
    this.originators.set(originator, { highest: counter, highestId: id });
  }
}
