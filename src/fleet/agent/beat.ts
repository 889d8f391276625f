/**
 * What a gateway asks of its coordinator next, and when: a machine without I/O. `pollTransmit` names an
 * errand to be run, `handleAnswer` is told how it went, `pollTimeout` when to look again.
 *
 * - One errand of a kind is under way at a time. What the gateway should do is asked for all the time, by
 *   a long poll; the others go on beside it.
 * - The first contact after a start or an outage is one errand alone, at a moment drawn from a window that
 *   grows with every failure (full jitter): ten thousand gateways that lost the same coordinator do not
 *   come back together. Whoever is asked to wait waits that long and a random part of it more.
 * - Then what happened is told before anything else, in the order in which it happened: the inventory and
 *   the blobs wait for it. To tell it, one has to know how far the coordinator has the journal: `desired`
 *   is asked without a condition at first, and after a stretch that did not fit.
 * - What is refused for good stops: all of it where the gateway itself is, else that errand. It is a
 *   condition with a code, and is tried again about every hour, as a person may have mended it.
 *
 * Not done: which stretch, which blob, what is in a document (agent.ts, blob-queue.ts).
 */
import type { Random } from '../../ports.ts';
import { delayOf } from '../../schedule/retry.ts';
import {
  type Answer,
  type Ask,
  type BeatCondition,
  type BeatEvent,
  ERRANDS,
  type Errand,
  type Work,
} from './beat-messages.ts';
import { BEAT, type BeatSettings } from './beat-settings.ts';
import type { AgentCode } from './codes.ts';

/** A gateway is not what the coordinator knows: nothing it asks is answered. */
const SHUT_OUT: readonly AgentCode[] = [
  'gateway-unknown',
  'gateway-revoked',
  'certificate-missing',
];
/** By so much a clock is set back before it is taken for another time. */
const SET_BACK_MS = 60_000;
const NEVER_MS = Number.POSITIVE_INFINITY;
/** Of what one was asked to wait: how much longer some wait than others. */
const WAIT_SPREAD = 0.25;

interface Lane {
  startedMs: number | undefined;
  dueMs: number;
  /** In a row. */
  failures: number;
}

export interface BeatStart {
  hasToken: boolean;
  /** As an earlier process found. */
  isEnrolled: boolean;
  /** As it was told last, by an earlier process too. */
  inventory?: { digest: string; atMs: number };
}

export class Beat {
  private readonly random: Random;
  private readonly settings: BeatSettings;
  private readonly lanes: Record<Errand, Lane>;
  private readonly events: BeatEvent[] = [];
  private readonly conditions = new Map<BeatCondition['about'], BeatCondition>();
  private work: Work = { events: false, inventory: '', documentMs: NEVER_MS, imageMs: NEVER_MS };
  private readonly hasToken: boolean;
  private mayEnrol: boolean;
  private told: { digest: string; atMs: number } | undefined;
  /** What was to be told when the inventory under way was begun. */
  private telling = '';
  private inContact = false;
  /** Nothing begins before then. */
  private gateMs: number;
  private failures = 0;
  /** It is known how far the coordinator has the journal. */
  private marked = false;
  private asksForMark = false;
  /** The question under way is one to be answered at once. */
  private isQuick = false;
  /** The one errand by which a coordinator that was away is looked for. */
  private probe: Errand | undefined;
  private contactMs: number | undefined;
  private clockMs: number;

  constructor(
    { hasToken, isEnrolled, inventory }: BeatStart,
    random: Random,
    nowMs: number,
    settings: BeatSettings = BEAT,
  ) {
    this.random = random;
    this.settings = settings;
    this.hasToken = hasToken;
    this.mayEnrol = hasToken && !isEnrolled;
    // A clock that was set back since would keep it waiting.
    this.told = inventory && inventory.atMs <= nowMs ? inventory : undefined;
    this.clockMs = nowMs;
    // Somebody who brings a token stands beside it; a start may be that of all after an outage.
    this.gateMs = this.mayEnrol ? nowMs : nowMs + delayOf(settings.contact, 0, random);
    const lane = (): Lane => ({ startedMs: undefined, dueMs: nowMs, failures: 0 });
    this.lanes = {
      enrol: lane(),
      desired: lane(),
      events: lane(),
      document: lane(),
      inventory: lane(),
      image: lane(),
    };
  }

  get isConnected(): boolean {
    return this.inContact;
  }

  /** When the coordinator last answered. */
  get lastContactMs(): number | undefined {
    return this.contactMs;
  }

  /** Whether it is known how far the coordinator has the journal. */
  get isMarked(): boolean {
    return this.marked;
  }

  /** The gravest first. */
  get standing(): readonly BeatCondition[] {
    const order = ['coordinator', ...ERRANDS] as const;
    return order.flatMap((about) => this.conditions.get(about) ?? []);
  }

  handleWork(work: Work, nowMs: number): void {
    this.heedClock(nowMs);
    this.work = work;
  }

  handleTimeout(nowMs: number): void {
    this.heedClock(nowMs);
  }

  handleAnswer(errand: Errand, answer: Answer, nowMs: number): void {
    this.heedClock(nowMs);
    const lane = this.lanes[errand];
    const startedMs = lane.startedMs ?? nowMs;
    lane.startedMs = undefined;
    if (answer.kind === 'unreached') this.unreached(errand, answer, nowMs);
    else if (answer.kind === 'refused') this.refused(errand, answer, nowMs);
    else if (answer.kind !== 'ended') {
      this.reached(nowMs);
      if (answer.kind === 'done') this.done(errand, startedMs, answer, nowMs);
      else this.later(errand, answer, nowMs);
    }
  }

  /**
   * The coordinator's mark is not in the journal, or a stretch cannot be told for another reason that the
   * gateway itself finds.
   */
  handleUntellable(code: AgentCode, detail: string, nowMs: number): void {
    this.heedClock(nowMs);
    this.stop('events', { code, detail }, nowMs);
  }

  pollTransmit(nowMs: number): Ask | undefined {
    this.heedClock(nowMs);
    const errand = ERRANDS.find((one) => this.mayBegin(one) && this.dueMs(one) <= nowMs);
    if (errand === undefined) return undefined;
    this.lanes[errand].startedMs = nowMs;
    this.probe = this.inContact ? undefined : errand;
    if (errand === 'inventory') this.telling = this.work.inventory;
    if (errand !== 'desired') return { errand };
    this.asksForMark = !this.marked && this.lanes.events.dueMs <= nowMs;
    this.isQuick = this.asksForMark || !this.inContact;
    const waitSeconds = this.isQuick ? 0 : this.settings.waitSeconds;
    return { errand, conditional: !this.asksForMark, waitSeconds };
  }

  pollEvent(): BeatEvent | undefined {
    return this.events.shift();
  }

  pollTimeout(): number {
    return Math.min(...ERRANDS.map((one) => (this.mayBegin(one) ? this.dueMs(one) : NEVER_MS)));
  }

  /** Whether nothing but the time is in its way. */
  private mayBegin(errand: Errand): boolean {
    if (this.lanes[errand].startedMs !== undefined) return false;
    const isFirst = errand === (this.mayEnrol ? 'enrol' : 'desired');
    if (!this.inContact) return isFirst && this.isIdle;
    if (this.mayEnrol) return isFirst;
    switch (errand) {
      case 'enrol':
        return false;
      case 'desired':
        return true;
      case 'events':
        return this.work.events && this.marked;
      case 'document':
      case 'inventory':
      case 'image':
        return !this.isCatchingUp;
    }
  }

  private dueMs(errand: Errand): number {
    const { dueMs, failures } = this.lanes[errand];
    const isAsking = errand === 'desired' && failures === 0;
    // Whoever is looked for, or has to say how far it has the journal, is not asked as seldom as it said.
    if (isAsking && !this.inContact) return this.gateMs;
    const isMissed = isAsking && !this.marked && this.work.events;
    const laneMs = isMissed ? Math.min(dueMs, this.lanes.events.dueMs) : dueMs;
    return Math.max(this.gateMs, laneMs, this.wantedMs(errand));
  }

  private wantedMs(errand: Errand): number {
    if (errand === 'document') return this.work.documentMs;
    if (errand === 'image') return this.work.imageMs;
    if (errand !== 'inventory' || !this.told) return Number.NEGATIVE_INFINITY;
    const isOther = this.told.digest !== this.work.inventory;
    const { inventoryPauseMs, inventoryAgeMs } = this.settings;
    return this.told.atMs + (isOther ? inventoryPauseMs : inventoryAgeMs);
  }

  /** Something is to be told first; where that fails, the rest goes on. */
  private get isCatchingUp(): boolean {
    const { startedMs, failures } = this.lanes.events;
    return startedMs !== undefined || (this.work.events && failures === 0);
  }

  private get isIdle(): boolean {
    const asked = ERRANDS.filter((one) => one !== 'document' && one !== 'image');
    return asked.every((one) => this.lanes[one].startedMs === undefined);
  }

  private reached(nowMs: number): void {
    this.contactMs = nowMs;
    this.failures = 0;
    if (this.inContact) return;
    this.inContact = true;
    this.gateMs = nowMs;
    this.clear('coordinator');
    this.events.push({ kind: 'connected' });
  }

  /** Of errands that ran beside each other the first one that fails counts. */
  private unreached(
    errand: Errand,
    { code, detail }: { code: AgentCode; detail: string },
    nowMs: number,
  ): void {
    const counts = this.inContact || errand === this.probe;
    this.inContact = false;
    this.interrupt();
    if (counts) {
      const { contact } = this.settings;
      this.gateMs = Math.max(this.gateMs, nowMs + delayOf(contact, this.failures++, this.random));
    }
    this.tell('coordinator', code, detail, nowMs);
  }

  private done(
    errand: Errand,
    startedMs: number,
    { pollMs, more = false, retryAfterMs = 0 }: Extract<Answer, { kind: 'done' }>,
    nowMs: number,
  ): void {
    const lane = this.lanes[errand];
    lane.failures = 0;
    lane.dueMs = nowMs + this.spread(retryAfterMs);
    this.clear(errand);
    switch (errand) {
      case 'enrol':
        this.mayEnrol = false;
        break;
      case 'desired':
        // It is answered to those alone that have enrolled.
        this.clear('enrol');
        this.mayEnrol = false;
        if (this.asksForMark) this.marked = true;
        lane.dueMs = this.nextPollMs(startedMs, pollMs, more, nowMs);
        break;
      case 'events':
        if (!more) lane.dueMs = Math.max(lane.dueMs, nowMs + this.settings.eventsPauseMs);
        break;
      case 'inventory':
        this.told = { digest: this.telling, atMs: nowMs };
        break;
      case 'document':
      case 'image':
        break;
    }
  }

  /** At once where the coordinator waits for something new or was not to wait, else when it says. */
  private nextPollMs(
    startedMs: number,
    pollMs: number | undefined,
    more: boolean,
    nowMs: number,
  ): number {
    const { waitSeconds, pollMsMin, contact } = this.settings;
    const hasWaited = nowMs - startedMs >= (waitSeconds * 1_000) / 2;
    if (more || hasWaited || this.isQuick) return Math.max(nowMs, startedMs + pollMsMin);
    return startedMs + this.spread(Math.max(pollMs ?? contact.baseMs, pollMsMin));
  }

  private later(
    errand: Errand,
    { code, detail, retryAfterMs }: Extract<Answer, { kind: 'later' }>,
    nowMs: number,
  ): void {
    const lane = this.lanes[errand];
    const delayMs = delayOf(this.settings.errand, lane.failures++, this.random);
    if (retryAfterMs === undefined) lane.dueMs = nowMs + delayMs;
    else this.gateMs = Math.max(this.gateMs, nowMs + this.spread(retryAfterMs));
    this.tell(errand, code, detail, nowMs);
  }

  private refused(
    errand: Errand,
    { code, detail }: { code: AgentCode; detail: string },
    nowMs: number,
  ): void {
    if (SHUT_OUT.includes(code)) this.shutOut({ code, detail }, nowMs);
    else if (errand === 'enrol') this.notEnrolled({ code, detail }, nowMs);
    else {
      this.reached(nowMs);
      this.stop(errand, { code, detail }, nowMs);
    }
  }

  private stop(
    errand: Errand,
    { code, detail }: { code: AgentCode; detail: string },
    nowMs: number,
  ): void {
    const lane = this.lanes[errand];
    lane.failures++;
    if (errand === 'events') this.marked = false;
    if (code === 'events-gap') {
      // It may be that a stretch was taken whose acknowledgement was lost: seen by asking.
      const again = lane.failures - 2;
      lane.dueMs = again < 0 ? nowMs : nowMs + delayOf(this.settings.errand, again, this.random);
      if (again < 0) this.interrupt();
      else this.tell(errand, code, detail, nowMs);
      return;
    }
    lane.dueMs = nowMs + this.spread(this.settings.refusedMs);
    this.tell(errand, code, detail, nowMs);
  }

  /** The gateway itself is refused: nothing more until somebody may have mended it. */
  private shutOut({ code, detail }: { code: AgentCode; detail: string }, nowMs: number): void {
    this.contactMs = nowMs;
    this.failures = 0;
    this.inContact = false;
    this.marked = false;
    this.mayEnrol = this.hasToken;
    this.gateMs = nowMs + this.spread(this.settings.refusedMs);
    this.tell('coordinator', code, detail, nowMs);
  }

  /** Its acknowledgement may have been lost: then the gateway has enrolled, and is answered. */
  private notEnrolled({ code, detail }: { code: AgentCode; detail: string }, nowMs: number): void {
    this.contactMs = nowMs;
    this.failures = 0;
    this.mayEnrol = false;
    this.gateMs = nowMs;
    this.lanes.desired.dueMs = nowMs;
    this.tell('enrol', code, detail, nowMs);
  }

  private interrupt(): void {
    const isPolling = this.lanes.desired.startedMs !== undefined && !this.isQuick;
    if (isPolling) this.events.push({ kind: 'interrupt' });
  }

  private spread(waitMs: number): number {
    return Math.ceil(waitMs * (1 + WAIT_SPREAD * this.random.next()));
  }

  private tell(about: BeatCondition['about'], code: AgentCode, detail: string, nowMs: number) {
    const before = this.conditions.get(about);
    const isSame = before?.code === code;
    const condition = { about, code, detail, sinceMs: isSame ? before.sinceMs : nowMs };
    this.conditions.set(about, condition);
    if (!isSame) this.events.push({ kind: 'condition', condition });
  }

  private clear(about: BeatCondition['about']): void {
    const condition = this.conditions.get(about);
    if (!condition) return;
    this.conditions.delete(about);
    this.events.push({ kind: 'cleared', about, code: condition.code });
  }

  /** A clock that is set back would keep everything waiting: what was due in an hour still is. */
  private heedClock(nowMs: number): void {
    const backMs = this.clockMs - nowMs;
    this.clockMs = nowMs;
    if (backMs < SET_BACK_MS) return;
    this.gateMs -= backMs;
    if (this.told) this.told = { ...this.told, atMs: this.told.atMs - backMs };
    for (const lane of Object.values(this.lanes)) {
      lane.dueMs -= backMs;
      if (lane.startedMs !== undefined) lane.startedMs -= backMs;
    }
  }
}
