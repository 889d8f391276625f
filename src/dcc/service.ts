/**
 * The DCC User Interface of a running gateway: requests in, answers and messages out, all of it on record in
 * the gateway's journal and built anew from there at every start.
 *
 * Between a record and what it announces nothing is written: what a record sets off is done in a later turn.
 */

import { type LaneView, Outbox } from '../duis/outbox.ts';
import { RequestBook } from '../duis/request-book.ts';
import { isMessageRecord, isRequestRecord } from '../duis/request-records.ts';
import { UpliftError } from '../errors.ts';
import {
  type DuisControl,
  type GatewayRecord,
  OUTBOX_CODES,
  type OutboxView,
  type ServiceRequestView,
} from '../gateway/control.ts';
import type { JournalBody } from '../gateway/record-keeper.ts';
import { isOver, STATE_RULES } from '../jobs/states.ts';
import type { Log, Random } from '../ports.ts';
import { Delivery } from './delivery.ts';
import { type Answer, ServiceRequestDesk, type TakenRequest } from './desk.ts';
import { Notices } from './notices.ts';
import { Orders } from './orders.ts';
import type { Post } from './post.ts';
import type { World } from './world.ts';

export interface DccServiceOptions {
  world: World;
  records(fromSequence: number, limit?: number): Iterable<GatewayRecord>;
  random: Random;
  post: Post;
  log: Log;
}

const HOUR_MS = 3_600_000;
/** By then all was told, however long it was gathered. */
const SETTLED_MS = 24 * HOUR_MS;
const LONGEST_TIMER_MS = 2_000_000_000;

export class DccService implements DuisControl {
  private readonly options: DccServiceOptions;
  private readonly book = new RequestBook();
  private readonly messages: Outbox;
  private readonly desk: ServiceRequestDesk;
  private readonly orders: Orders;
  private readonly notices: Notices;
  private readonly delivery: Delivery;
  private timer: { cancel(): void } | undefined;
  private stopListening: () => void = () => {};
  private isStopped = false;
  private keptMs = 0;

  constructor(options: DccServiceOptions) {
    this.options = options;
    const { world, random, post, log } = options;
    this.messages = new Outbox(random);
    this.orders = new Orders(world, this.book, {
      tell: (notices, ...more) => this.notices.queue(notices, ...more),
      tellOthers: (request) => this.notices.tellOthers(request),
      tellFailed: (request, failure, ...more) => this.notices.tellFailed(request, failure, ...more),
    });
    this.notices = new Notices({
      world,
      book: this.book,
      hasRoom: (user) => this.messages.hasRoom(user),
      hashOf: (upgrade) => this.orders.hashOf(upgrade),
    });
    this.desk = new ServiceRequestDesk(world, this.book, () => this.soon());
    this.delivery = new Delivery({
      outbox: this.messages,
      timers: world.timers,
      post,
      bodyOf: (message) => this.bodyOf(message),
      write: (record) => world.write(record),
      log,
    });
  }

  /** After the gateway's own start: what was on its way goes on. */
  start(): void {
    const { records, world } = this.options;
    for (const record of records(1)) this.keep(record);
    this.stopListening = world.gateway.listen({
      record: (record) => {
        this.keep(record);
        this.soon();
      },
      progress() {},
    });
    this.soon();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
    this.delivery.stop();
    this.stopListening();
  }

  /** Resolves when all of it is on record. @throws UpliftError where nothing is taken now */
  take(taken: TakenRequest): Promise<Answer> {
    return this.desk.take(taken);
  }

  requests(): ServiceRequestView[] {
    return [...this.book.accepted()].map((request) => ({
      requestId: request.id,
      serviceReference: request.serviceReference,
      duisVersion: request.duisVersion,
      takenMs: request.atMs,
      deviceCount: request.deviceCount,
      jobs: request.jobs,
      ...(request.execution === undefined ? {} : { execution: request.execution }),
    }));
  }

  outbox(): OutboxView[] {
    return this.lanes().map(({ user, waiting, waitingSinceMs, failures, ...lane }) => ({
      user,
      waiting,
      failures,
      ...(waitingSinceMs === undefined ? {} : { waitingSinceMs }),
      ...(lane.lastFailure === undefined ? {} : { lastFailure: lane.lastFailure }),
      ...(lane.nextTryMs === undefined ? {} : { nextTryMs: lane.nextTryMs }),
      parked: lane.parked.map(({ message, queuedMs, parkedMs, detail }) => {
        return { message, queuedMs, parkedMs, detail };
      }),
    }));
  }

  /** Messages that were queued and are not delivered. */
  get waiting(): number {
    return this.lanes().reduce((sum, { waiting, parked }) => sum + waiting + parked.length, 0);
  }

  private lanes(): LaneView[] {
    return this.messages.view(this.options.world.nowMs);
  }

  /** The document of a message. @throws UpliftError */
  message(message: number): Uint8Array {
    const body = this.bodyOf(message);
    if (body) return body;
    throw refused('message-unknown', message);
  }

  /** Tried again: it was put aside. @throws UpliftError */
  release(message: number, by: string): void {
    this.assertParked(message);
    this.options.world.write({ kind: 'duis-message', step: 'released', message, by });
  }

  /** Given up, by a person who says why. @throws UpliftError */
  discard(message: number, by: string, reason: string): void {
    this.assertParked(message);
    this.options.world.write({ kind: 'duis-message', step: 'discarded', message, by, reason });
  }

  /** Lets go what nothing more is said of. */
  keepHouse(nowMs: number): void {
    if (nowMs - this.keptMs < HOUR_MS) return;
    this.keptMs = nowMs;
    const { world } = this.options;
    for (const { id, originator, devices, jobs } of this.book.accepted()) {
      if (devices.size === 0 || jobs.length === 0) continue;
      // Something may still wait to be told.
      if (!this.messages.hasRoom(originator)) continue;
      const upgrades = jobs.flatMap((job) => world.gateway.book.job(job)?.upgrades ?? []);
      const isSettled = upgrades.every(
        ({ state, sinceMs }) =>
          isOver(state) &&
          !STATE_RULES[state].next.includes('scheduled') &&
          nowMs - sinceMs >= SETTLED_MS,
      );
      if (isSettled) world.write({ kind: 'duis-request', step: 'settled', requestId: id });
    }
  }

  // ---- records that are to be retired -----------------------------------------------------------------

  /** Older ones are not needed; `undefined`: none of them is. */
  neededSinceMs(): number | undefined {
    const since = [
      this.book.neededSinceMs(),
      this.messages.neededSinceMs(),
      this.orders.neededSinceMs(),
    ].filter((ms) => ms !== undefined);
    return since.length === 0 ? undefined : Math.min(...since);
  }

  /** To be written before older ones are retired. */
  restated(): JournalBody[] {
    return [...this.book.restated()] as unknown as JournalBody[];
  }

  /** Forgets what was decided before then, and documents that no record names any more. */
  retire(beforeMs: number): void {
    this.book.retire(beforeMs);
    this.notices.retire();
    this.orders.retire();
    const needed = new Set<string>();
    for (const record of this.options.records(1)) {
      if (isRequestRecord(record) && 'answer' in record) needed.add(record['answer'] as string);
      const isQueued = isMessageRecord(record) && record.step === 'queued';
      if (isQueued) needed.add(record['body'] as string);
    }
    this.options.world.messages.removeUnused(needed);
  }

  // ---- leaves -----------------------------------------------------------------------------------------

  private keep(record: GatewayRecord): void {
    if (isRequestRecord(record)) {
      this.book.apply(record);
      const { facts } = record as { facts?: Parameters<Orders['remember']>[1] };
      if (facts) this.orders.remember(record.requestId, facts);
      if (record.step === 'jobs') this.notices.link(record.requestId, record.jobs);
    } else if (isMessageRecord(record)) {
      this.book.apply(record);
      this.messages.apply(record);
      if (record.step === 'delivered' || record.step === 'discarded') this.notices.makeRoom();
    } else if (record.kind === 'state') {
      this.notices.touch(record['job'] as string, record['device'] as string);
    }
  }

  /** In a later turn: whoever writes a record is to end first. */
  private soon(): void {
    this.wakeAfter(0);
  }

  private wakeAfter(delayMs: number): void {
    if (this.isStopped) return;
    this.timer?.cancel();
    this.timer = this.options.world.timers.after(delayMs, () => this.turn());
  }

  private turn(): void {
    const { world } = this.options;
    if (this.isStopped || world.gateway.condition.state !== 'ready') return;
    try {
      this.orders.beginAll();
      this.notices.settle();
      this.delivery.pump();
    } catch (error) {
      // The store takes no more; the gateway says so, and a start finds what was left.
      if (!(error instanceof UpliftError)) throw error;
      return;
    }
    const atMs = Math.min(this.orders.nextDueMs, this.notices.pollTimeout);
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.wakeAfter(Math.min(LONGEST_TIMER_MS, Math.max(0, atMs - world.nowMs)));
  }

  private bodyOf(message: number): Uint8Array | undefined {
    const [record] = this.options.records(message, 1);
    const isQueued = record && isMessageRecord(record) && record.step === 'queued';
    return isQueued ? this.options.world.messages.get(record['body'] as string) : undefined;
  }

  private assertParked(message: number): void {
    const isParked = this.lanes().some(({ parked }) =>
      parked.some((one) => one.message === message),
    );
    if (!isParked) throw refused('message-not-parked', message);
  }
}

function refused(code: keyof typeof OUTBOX_CODES, message: number): UpliftError {
  return new UpliftError(code, OUTBOX_CODES[code], { actual: `${message}` });
}
