/**
 * Messages on their way to Service Users: kept until acknowledged, in order for each user, at least
 * once.
 *
 * A machine without I/O, like those of the protocols: `pollTransmit` says what to send now,
 * `handleResult` is told how it went, `pollTimeout` when to look again. What it decides for good
 * (delivered, put aside) it returns as a record, and takes for true when it gets that record back
 * by `apply`: so it is built by replaying the journal, and what was not written down before a crash
 * is sent again. A message is known to its receiver by the number that it keeps over all tries.
 *
 * Invariants: of one user one message is under way, and no later one before it is delivered or put
 * aside; nothing is dropped by the machine; in memory are numbers alone.
 */
import { assert } from '../errors.ts';
import type { Random } from '../ports.ts';
import {
  DELIVERY,
  type DeliveryOutcome,
  type DeliverySettings,
  deliveryOutcome,
} from './delivery-rules.ts';
import { MessageQueue, type WaitingMessage } from './message-queue.ts';
import type { MessageRecord, MessageRecordBody } from './request-records.ts';

export interface Transmit {
  user: string;
  /** Sequence of the record by which it was queued. */
  message: number;
  /** From 1, since the start or since it was released. */
  attempt: number;
}

export type DeliveryResult =
  | { kind: 'answered'; status: number; retryAfterMs?: number }
  /** Nobody answered, or not in a way that can be read. */
  | { kind: 'failed'; detail: string };

export interface ParkedMessage extends WaitingMessage {
  parkedMs: number;
  code: string;
  detail: string;
}

/** For a person: what waits for one user and why. */
export interface LaneView {
  user: string;
  waiting: number;
  /** Of the oldest. */
  waitingSinceMs: number | undefined;
  /** Past the time by which they were to be delivered. */
  overdue: number;
  /** In a row. */
  failures: number;
  lastFailure: { outcome: DeliveryOutcome; detail: string; atMs: number } | undefined;
  nextTryMs: number | undefined;
  parked: readonly ParkedMessage[];
}

interface Lane {
  user: string;
  queue: MessageQueue;
  /** Released by a person: older than what is in the queue, and before it. */
  released: WaitingMessage[];
  parked: Map<number, ParkedMessage>;
  inFlight: (Transmit & { untilMs: number }) | undefined;
  /** The message whose record is being written. */
  settling: number | undefined;
  /** What was tried last, and how often without success; of those, how often it was refused. */
  tried: number;
  failures: number;
  poisonTries: number;
  lastFailure: LaneView['lastFailure'];
  nextTryMs: number;
}

export class Outbox {
  private readonly settings: DeliverySettings;
  private readonly random: Random;
  private readonly lanes = new Map<string, Lane>();
  private inFlight = 0;
  /** Whose turn it was last. */
  private lastServed = '';

  constructor(random: Random, settings: DeliverySettings = DELIVERY) {
    this.random = random;
    this.settings = settings;
  }

  /**
   * Before a message is queued. Where there is none, whoever would tell something tells it later.
   */
  hasRoom(user: string): boolean {
    const parked = this.lanes.get(user)?.parked.size ?? 0;
    return this.waitingFor(user) + parked < this.settings.waitingMax;
  }

  waitingFor(user: string): number {
    const lane = this.lanes.get(user);
    return lane ? lane.queue.size + lane.released.length : 0;
  }

  /** Records of messages that are no more are passed over. */
  apply(record: MessageRecord): void {
    if (record.step === 'queued') {
      const { user, sequence: message, atMs: queuedMs, dueMs = Number.POSITIVE_INFINITY } = record;
      this.laneOf(user).queue.push({ message, queuedMs, dueMs });
      return;
    }
    const lane = this.laneWith(record.message);
    if (!lane) return;
    if (lane.settling === record.message) lane.settling = undefined;
    switch (record.step) {
      case 'delivered':
      case 'discarded':
        this.take(lane, record.message);
        return;
      case 'parked': {
        const { code, detail, atMs: parkedMs } = record;
        const taken = this.take(lane, record.message);
        if (taken) lane.parked.set(taken.message, { ...taken, parkedMs, code, detail });
        return;
      }
      case 'released': {
        const taken = this.take(lane, record.message);
        if (!taken) return;
        const { message, queuedMs, dueMs } = taken;
        lane.released.push({ message, queuedMs, dueMs });
        lane.released.sort((a, b) => a.message - b.message);
        return;
      }
    }
  }

  /** What to send now. Its result is told by `handleResult`, with what was returned here. */
  pollTransmit(nowMs: number): Transmit | undefined {
    if (this.inFlight >= this.settings.inFlightMax) return undefined;
    for (const lane of this.inTurn()) {
      if (!isReady(lane) || lane.nextTryMs > nowMs) continue;
      const { user } = lane;
      const { message } = firstOf(lane)!;
      if (lane.tried !== message)
        Object.assign(lane, { tried: message, failures: 0, poisonTries: 0 });
      const attempt = lane.failures + 1;
      lane.inFlight = { user, message, attempt, untilMs: nowMs + this.settings.answerMs };
      this.inFlight += 1;
      this.lastServed = user;
      return { user, message, attempt };
    }
    return undefined;
  }

  /** @returns the record to write, and to hand back by `apply`, where the message is done with */
  handleResult(
    { user, message, attempt }: Transmit,
    result: DeliveryResult,
    nowMs: number,
  ): MessageRecordBody | undefined {
    const lane = this.lanes.get(user);
    if (!lane || !holds(lane, message) || lane.settling === message) return undefined;
    const outcome =
      result.kind === 'answered' ? deliveryOutcome(result.status, this.settings.rules) : 'retry';
    const isPresent = lane.inFlight?.attempt === attempt && lane.inFlight.message === message;
    // A late answer to an earlier try counts where it is good: the message is there.
    if (!isPresent && outcome !== 'delivered') return undefined;
    if (lane.inFlight?.message === message) this.land(lane);
    if (outcome === 'delivered') {
      assert(result.kind === 'answered', 'an answer is what delivers');
      lane.settling = message;
      return { kind: 'duis-message', step: 'delivered', message, status: result.status };
    }
    const detail = result.kind === 'answered' ? `status ${result.status}` : result.detail;
    this.fail(lane, { outcome, detail, atMs: nowMs }, result);
    if (outcome !== 'poison') return undefined;
    lane.poisonTries += 1;
    if (lane.poisonTries < this.settings.poisonTriesMax) return undefined;
    lane.settling = message;
    return { kind: 'duis-message', step: 'parked', message, code: 'message-refused', detail };
  }

  /**
   * The record that `handleResult` returned was not written, and will not be: the message waits as
   * before, and is sent again. Its receiver knows it by its number.
   */
  handleUnwritten({ user, message }: Transmit, nowMs: number): void {
    const lane = this.lanes.get(user);
    if (lane?.settling !== message) return;
    lane.settling = undefined;
    this.fail(lane, { outcome: 'retry', detail: 'not put on record', atMs: nowMs });
  }

  /** Tries that got no answer have failed. */
  handleTimeout(nowMs: number): void {
    for (const lane of this.lanes.values()) {
      if (!lane.inFlight || lane.inFlight.untilMs > nowMs) continue;
      this.land(lane);
      this.fail(lane, { outcome: 'retry', detail: 'no answer in time', atMs: nowMs });
    }
  }

  /** When to call `handleTimeout` and `pollTransmit` again; a time that has passed is now. */
  pollTimeout(): number | undefined {
    let next: number | undefined;
    const isFull = this.inFlight >= this.settings.inFlightMax;
    for (const lane of this.lanes.values()) {
      const readyMs = isReady(lane) && !isFull ? lane.nextTryMs : undefined;
      const atMs = lane.inFlight?.untilMs ?? readyMs;
      if (atMs !== undefined && (next === undefined || atMs < next)) next = atMs;
    }
    return next;
  }

  /**
   * Records from then on are needed still: when the oldest message was queued that is not done
   * with.
   */
  neededSinceMs(): number | undefined {
    let sinceMs: number | undefined;
    for (const { queue, released, parked } of this.lanes.values()) {
      for (const one of [queue.first(), ...released, ...parked.values()]) {
        if (one && (sinceMs === undefined || one.queuedMs < sinceMs)) sinceMs = one.queuedMs;
      }
    }
    return sinceMs;
  }

  view(nowMs: number): LaneView[] {
    return [...this.lanes.values()].map((lane) => {
      const first = firstOf(lane);
      let overdue = 0;
      for (const { dueMs } of lane.queue.messages()) if (dueMs < nowMs) overdue += 1;
      for (const { dueMs } of lane.released) if (dueMs < nowMs) overdue += 1;
      return {
        user: lane.user,
        waiting: this.waitingFor(lane.user),
        waitingSinceMs: first?.queuedMs,
        overdue,
        failures: lane.failures,
        lastFailure: lane.lastFailure,
        nextTryMs: isReady(lane) ? lane.nextTryMs : undefined,
        parked: [...lane.parked.values()],
      };
    });
  }

  private *inTurn(): IterableIterator<Lane> {
    const users = [...this.lanes.keys()];
    const start = users.indexOf(this.lastServed) + 1;
    for (let index = 0; index < users.length; index++) {
      yield this.lanes.get(users[(start + index) % users.length]!)!;
    }
  }

  private laneOf(user: string): Lane {
    let lane = this.lanes.get(user);
    if (!lane) {
      lane = {
        user,
        queue: new MessageQueue(),
        released: [],
        parked: new Map(),
        inFlight: undefined,
        settling: undefined,
        tried: 0,
        failures: 0,
        poisonTries: 0,
        lastFailure: undefined,
        nextTryMs: 0,
      };
      this.lanes.set(user, lane);
    }
    return lane;
  }

  private laneWith(message: number): Lane | undefined {
    for (const lane of this.lanes.values()) {
      if (firstOf(lane)?.message === message || lane.queue.first()?.message === message)
        return lane;
      if (lane.parked.has(message)) return lane;
      if (lane.released.some((one) => one.message === message)) return lane;
    }
    return undefined;
  }

  /** Out of wherever it is; the lane goes on with the next one at once. */
  private take(lane: Lane, message: number): WaitingMessage | undefined {
    const parked = lane.parked.get(message);
    if (parked) {
      lane.parked.delete(message);
      return parked;
    }
    if (lane.inFlight?.message === message) this.land(lane);
    lane.failures = 0;
    lane.nextTryMs = 0;
    const index = lane.released.findIndex((one) => one.message === message);
    if (index >= 0) return lane.released.splice(index, 1)[0];
    const first = lane.queue.first();
    if (first?.message !== message) return undefined;
    lane.queue.shift();
    return first;
  }

  private land(lane: Lane): void {
    if (!lane.inFlight) return;
    lane.inFlight = undefined;
    this.inFlight -= 1;
  }

  private fail(
    lane: Lane,
    failure: LaneView['lastFailure'] & object,
    result?: DeliveryResult,
  ): void {
    const { backoff, retryAfterMsMax } = this.settings;
    const grownMs = Math.min(backoff.capMs, backoff.baseMs * backoff.factor ** lane.failures);
    // Full jitter: users that failed together do not come back together.
    const waitMs = Math.floor(this.random.next() * grownMs);
    const askedMs = result?.kind === 'answered' ? (result.retryAfterMs ?? 0) : 0;
    lane.failures += 1;
    lane.lastFailure = failure;
    lane.nextTryMs = failure.atMs + Math.max(waitMs, Math.min(askedMs, retryAfterMsMax));
  }
}

function firstOf(lane: Lane): WaitingMessage | undefined {
  return lane.released[0] ?? lane.queue.first();
}

/** Where it can be done with: next, put aside or released. */
function holds({ queue, parked, released }: Lane, message: number): boolean {
  if (queue.first()?.message === message || parked.has(message)) return true;
  return released.some((one) => one.message === message);
}

function isReady(lane: Lane): boolean {
  const isBusy = lane.inFlight !== undefined || lane.settling !== undefined;
  return !isBusy && firstOf(lane) !== undefined;
}
