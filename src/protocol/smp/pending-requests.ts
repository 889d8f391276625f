/**
 * Ordinary requests: those that wait to be sent and those that wait for an answer. Each is tried again
 * where that does no harm; an answer to any try of the same request counts, and no other.
 */
import { clientFailure, type SmpFailure } from './codes.ts';
import type { SmpOptions, SmpRequest } from './messages.ts';
import type { Command } from './requests.ts';
import type { ProtocolVersion } from './version.ts';

export interface PendingRequest {
  id: number;
  kind: SmpRequest['kind'];
  command: Command;
  attempts: number;
  /** Sequence numbers of all its tries. */
  sequences: number[];
  /** When it is tried again or given up; Infinity while it waits to be sent. */
  dueMs: number;
  waiting: boolean;
}

export class PendingRequests {
  private readonly options: SmpOptions;
  private readonly version: ProtocolVersion;
  private readonly list: PendingRequest[] = [];

  constructor(options: SmpOptions, version: ProtocolVersion) {
    this.options = options;
    this.version = version;
  }

  add(id: number, kind: SmpRequest['kind'], command: Command): void {
    const dueMs = Number.POSITIVE_INFINITY;
    this.list.push({ id, kind, command, attempts: 0, sequences: [], dueMs, waiting: true });
  }

  get any(): boolean {
    return this.list.length > 0;
  }

  /** Under way: sent and not answered. */
  get underWay(): number {
    let count = 0;
    for (const request of this.list) if (!request.waiting) count++;
    return count;
  }

  /** The next that wants to be sent. */
  next(): PendingRequest | undefined {
    return this.list.find((request) => request.waiting);
  }

  /** It has been handed over, and leaves the line at `leftMs`. */
  sent(request: PendingRequest, sequence: number, leftMs: number): void {
    const { answerTimeoutMs, eraseTimeoutMs } = this.options;
    request.waiting = false;
    request.attempts++;
    request.sequences.push(sequence);
    request.dueMs = leftMs + (request.command.erases ? eraseTimeoutMs : answerTimeoutMs);
  }

  find(sequence: number): PendingRequest | undefined {
    return this.list.find((request) => request.sequences.includes(sequence));
  }

  /** To be sent once more, and that does not count as a try: the device did not look at it. */
  again(request: PendingRequest): void {
    request.waiting = true;
    request.attempts--;
    request.dueMs = Number.POSITIVE_INFINITY;
  }

  remove(request: PendingRequest): void {
    this.list.splice(this.list.indexOf(request), 1);
  }

  withId(id: number): PendingRequest | undefined {
    return this.list.find((request) => request.id === id);
  }

  /** Those whose time is over and that are not tried again: taken off the list, in order. */
  expire(nowMs: number): { request: PendingRequest; failure: SmpFailure }[] {
    const over = this.list.filter((request) => request.dueMs <= nowMs);
    const failed = [];
    for (const request of over) {
      this.version.unanswered();
      request.waiting = true;
      request.dueMs = Number.POSITIVE_INFINITY;
      if (request.command.repeatable && request.attempts < this.options.attemptsMax) continue;
      this.remove(request);
      const tries = request.attempts === 1 ? 'one try' : `${request.attempts} tries`;
      failed.push({ request, failure: clientFailure('no-answer', `(${tries})`) });
    }
    return failed;
  }

  /** Takes everything off the list. */
  drain(): PendingRequest[] {
    return this.list.splice(0);
  }

  dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const request of this.list) if (request.dueMs < dueMs) dueMs = request.dueMs;
    return dueMs;
  }
}
