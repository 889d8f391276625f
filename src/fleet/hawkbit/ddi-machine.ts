/**
 * Follows the actions of a hawkBit server for one gateway, without I/O: `pollRequest` says what to ask now,
 * `handleAnswer` is told what came of it, `pollEvent` says what to keep, what to want of the follower of
 * campaigns and what to download, and `pollTimeout` when to look again.
 *
 * hawkBit carries, signatures decide: an action is a signed campaign and its images, or it is closed as a
 * failure with a code. The server is polled, never believed about what happened here:
 *
 * - An action that was closed and is offered again is closed again, ever more rarely, and not carried out.
 * - One that was denied and is offered again is not denied again, unless the reason is another.
 * - One that the server does not have any more (404, 410, or no link) is forgotten, and the server is not
 *   asked again before the next poll.
 * - A cancellation is always answered, of an action that is not known here too.
 * - Every action ends: by its campaign, by a deadline, or by the server.
 *
 * One request is under way at a time. What is kept is handed out before the request that builds on it.
 */
import type { Manifest } from '../../campaign/manifest.ts';
import { assert } from '../../errors.ts';
import type { Random } from '../../ports.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { FollowedCampaign } from '../agent/carrier.ts';
import { ActionBook, type BookEvent, type Offer } from './action-book.ts';
import { type HawkbitState, NO_ACTIONS } from './action-state.ts';
import { failure, type Outcome } from './codes.ts';
import {
  attributesBody,
  closing,
  confirmationBody,
  DDI_LIMITS,
  type DdiBase,
  type Deployment,
  feedbackBody,
  type Report,
  readBase,
  readCancel,
  readConfirmation,
  readDeployment,
} from './ddi-messages.ts';
import { checkImages, distributionOf } from './distribution.ts';
import { outcomeOf, progressOf } from './progress.ts';

interface Offered {
  id: string;
  query: string;
}

export type DdiRequest =
  | { kind: 'base' }
  | { kind: 'attributes'; body: unknown }
  | ({ kind: 'deployment' } & Offered)
  | ({ kind: 'confirmation' } & Offered)
  | ({ kind: 'cancel' } & Offered)
  /** The signed campaign of an offer; its bytes are the answer. */
  | { kind: 'document'; offer: Offer; isToConfirm: boolean }
  | { kind: 'report'; id: string; report: Report; body: unknown }
  | { kind: 'cancel-report'; id: string; stopId: string; report: Report; body: unknown }
  | { kind: 'confirm'; id: string; denied: Outcome | undefined; body: unknown };

type Asked<K extends DdiRequest['kind']> = Extract<DdiRequest, { kind: K }>;

export type DdiAnswer =
  /** `body`: of a document its bytes, else what its JSON says. */
  | { status: number; body?: unknown; retryAfterMs?: number }
  /** Nobody answered, or not to the end. */
  | { failed: string };

export type Verdict =
  | { ok: true; manifest: Manifest; digest: string }
  | { ok: false; code: string; message: string };

export interface DdiOptions {
  /** Whether this gateway would carry the campaign out, as its follower sees it now. */
  judge(document: Uint8Array): Verdict;
  hasImage(sha256: string): boolean;
  random: Random;
  /** Where the server names no interval. */
  pollMs?: number;
  /** For a campaign and its images to come, and for the follower to take it up. */
  downloadMs?: number;
  followMs?: number;
}

const DEFAULTS = { pollMs: 300_000, downloadMs: 24 * 3_600_000, followMs: 600_000 };
const POLL_MS = { min: 1_000, max: 24 * 3_600_000 };
/** Gateways that were started by one power cut do not stay together. */
const POLL_SPREAD = 0.1;
/** Doubled with each failure in a row; the last half of it is random. */
const BACK_OFF_MS = { first: 5_000, max: 900_000 };
const RETRY_AFTER_MS_MAX = 24 * 3_600_000;
/** Between reports that are no end. */
const REPORT_MS = 30_000;
/** An action that was closed is closed again with each poll at first, then so rarely. */
const REPEAT_MS_MAX = 6 * 3_600_000;
/** What was denied is looked at again: trust anchors may be others. */
const DENIED_MS = 3_600_000;
/** In a row; then what was asked for is given up until the next poll. */
const TRIES_MAX = 8;
/** Bytes that are not what their hash says. */
const OTHER_BYTES_MAX = 3;
/** A report that the server refuses without saying that the action is gone. */
const UNTAKEN_MAX = 5;

export class DdiMachine {
  private readonly limits: typeof DEFAULTS;
  private readonly judge: DdiOptions['judge'];
  private readonly random: Random;
  private readonly book: ActionBook;
  /** What is asked before anything else, in order. */
  private steps: DdiRequest[] = [];
  private inFlight: DdiRequest | undefined;
  private pollMs: number;
  private pollAtMs = 0;
  /** Nothing is asked before. */
  private gateMs = 0;
  private failures = 0;
  private otherBytes = 0;
  private attributes: Readonly<Record<string, string>> | undefined;
  private attributesTold = '';
  /** Of the action: what the follower makes of it, or since when it does not know it. */
  private followed: FollowedCampaign | undefined;
  private unfollowedMs: number | undefined;
  /** The report that the server has, and how often it refused the last one. */
  private told: string | undefined;
  private untaken = 0;
  private reportAtMs = 0;
  /** Since when an action is offered that is not taken, by id. */
  private readonly offeredMs = new Map<string, number>();
  /** Of actions that are over here: when they are answered once more. */
  private readonly again = new Map<string, { atMs: number; times: number }>();

  constructor(
    { judge, hasImage, random, ...limits }: DdiOptions,
    kept: { state: HawkbitState; document?: Uint8Array } = { state: NO_ACTIONS },
  ) {
    this.judge = judge;
    this.random = random;
    this.limits = { ...DEFAULTS, ...limits };
    this.pollMs = this.limits.pollMs;
    this.book = new ActionBook(kept, hasImage);
  }

  /** Of this gateway; sent where the server asks for them, and when they change. */
  setAttributes(attributes: Readonly<Record<string, string>>): void {
    this.attributes = attributes;
  }

  pollEvent(): BookEvent | undefined {
    return this.book.events.shift();
  }

  pollRequest(nowMs: number): DdiRequest | undefined {
    assert(this.book.events.length === 0, 'events are handled before anything is asked');
    if (this.inFlight || nowMs < this.gateMs) return undefined;
    this.inFlight = this.steps[0] ?? this.dueReport(nowMs) ?? this.duePoll(nowMs);
    return this.inFlight;
  }

  pollTimeout(): number {
    if (this.inFlight) return this.deadline();
    const asks = this.steps.length > 0 ? 0 : Math.min(this.pollAtMs, this.reportTime());
    return Math.min(Math.max(this.gateMs, asks), this.deadline());
  }

  /** Ends what did not come in time. */
  handleTimeout(nowMs: number): void {
    if (nowMs < this.deadline()) return;
    this.book.conclude(failure(this.followed ? 'download-late' : 'not-followed'));
  }

  /** What the follower says of its campaigns; called whenever that may have changed. */
  handleFollowed(campaigns: readonly FollowedCampaign[], nowMs: number): void {
    const { action } = this.book;
    this.followed = campaigns.find(({ digest }) => digest === action?.digest);
    this.unfollowedMs = this.followed ? undefined : (this.unfollowedMs ?? nowMs);
    if (!this.followed || !action || action.outcome || action.course === 'abort') return;
    const outcome = outcomeOf(this.followed);
    if (outcome) this.book.conclude(outcome);
  }

  /** An image came into the store. */
  handleDownloaded(): void {
    this.book.download();
  }

  handleAnswer(answer: DdiAnswer, nowMs: number): void {
    const request = this.inFlight;
    assert(request !== undefined, 'something was asked');
    this.inFlight = undefined;
    const isAnswered = 'status' in answer && !isPassing(answer.status);
    if (!isAnswered) {
      this.backOff(answer, nowMs);
      return;
    }
    this.failures = 0;
    if (this.steps[0] === request) this.steps.shift();
    const { status, body } = answer;
    const isTaken = status >= 200 && status < 300;
    const isGone = status === 404 || status === 410;
    if (!isTaken && !isGone) this.book.say('warning', `${request.kind}: status ${status}`);
    this.takeAnswer(request, { isTaken, isGone, body: isTaken ? body : undefined }, nowMs);
  }

  // ---- what is asked --------------------------------------------------------------------------------

  private duePoll(nowMs: number): DdiRequest | undefined {
    return nowMs >= this.pollAtMs ? { kind: 'base' } : undefined;
  }

  private dueReport(nowMs: number): DdiRequest | undefined {
    const { action } = this.book;
    if (!action || nowMs < this.reportTime()) return undefined;
    const report = action.outcome ? closing(action.outcome) : this.progress();
    return reportOf(action.id, report, nowMs);
  }

  /** When there is one to make; Infinity for not now. */
  private reportTime(): number {
    const { action } = this.book;
    if (!action) return Number.POSITIVE_INFINITY;
    if (action.outcome) return this.untaken > 0 ? this.reportAtMs : 0;
    const isMuted = action.reports >= DDI_LIMITS.reportsMax || action.course === 'abort';
    const isNew = !isMuted && this.told !== JSON.stringify(this.progress());
    return isNew ? this.reportAtMs : Number.POSITIVE_INFINITY;
  }

  private progress(): Report {
    const { action, offer } = this.book;
    assert(action !== undefined, 'the gateway is at an action');
    const lacking = this.book.lacking().length;
    // Over a restart the images are not known before the server offers the action again.
    if (offer && lacking === 0 && !action.isDownloadTold) {
      const details = ['every image is in the store of the gateway'];
      return { execution: 'downloaded', finished: 'none', details };
    }
    return progressOf(this.followed, lacking, action.course);
  }

  private backOff(answer: DdiAnswer, nowMs: number): void {
    const why = 'failed' in answer ? answer.failed : `status ${answer.status}`;
    const retryAfterMs = 'failed' in answer ? undefined : answer.retryAfterMs;
    const { first, max } = BACK_OFF_MS;
    const mostMs = Math.min(max, first * 2 ** Math.min(20, this.failures));
    const ownMs = Math.ceil((mostMs / 2) * (1 + this.random.next()));
    this.failures++;
    this.gateMs = nowMs + Math.min(RETRY_AFTER_MS_MAX, retryAfterMs ?? ownMs);
    this.book.say('warning', `the server does not answer: ${why}`);
    if (this.failures % TRIES_MAX === 0) this.steps = [];
  }

  // ---- what is answered -----------------------------------------------------------------------------

  private takeAnswer(
    request: DdiRequest,
    answer: { isTaken: boolean; isGone: boolean; body: unknown },
    nowMs: number,
  ): void {
    const { isTaken, body } = answer;
    if (request.kind === 'base') this.takeBase(readBase(body), nowMs);
    else if (request.kind === 'attributes') {
      if (isTaken) this.attributesTold = JSON.stringify(request.body);
    } else if (request.kind === 'deployment') this.takeDeployment(request, answer, nowMs);
    else if (request.kind === 'confirmation') {
      if (isTaken) this.takeConfirmation(request, readConfirmation(body), nowMs);
    } else if (request.kind === 'cancel') this.takeCancel(request.id, readCancel(body), nowMs);
    else if (request.kind === 'document') this.takeDocument(request, body, nowMs);
    else if (request.kind === 'report') this.takeReceipt(request, answer, nowMs);
    else if (request.kind === 'cancel-report') this.endCancelled(request);
    else this.endConfirming(request, isTaken, nowMs);
  }

  private takeBase(base: DdiBase | undefined, nowMs: number): void {
    const { min, max } = POLL_MS;
    this.pollMs = Math.min(max, Math.max(min, base?.pollMs ?? this.limits.pollMs));
    this.pollAtMs = nowMs + Math.ceil(this.pollMs * (1 - POLL_SPREAD * this.random.next()));
    if (!base) {
      this.book.say('warning', 'the server does not answer as DDI has it');
      return;
    }
    this.steps = this.attributeSteps(base);
    const { action: offered } = base;
    const { action } = this.book;
    if (!offered) {
      if (action && !action.outcome) this.leave(() => this.book.forget());
    } else if (offered.kind === 'cancel') this.steps.push({ ...offered, kind: 'cancel' });
    else if (offered.kind === 'deployment') this.takeOffered(offered.id, offered.query, nowMs);
    else if (nowMs >= (this.again.get(offered.id)?.atMs ?? 0)) {
      this.steps.push({ ...offered, kind: 'confirmation' });
    }
  }

  private attributeSteps({ wantsAttributes }: DdiBase): DdiRequest[] {
    if (!this.attributes) return [];
    const body = attributesBody(this.attributes);
    const isNew = JSON.stringify(body) !== this.attributesTold;
    return isNew || wantsAttributes ? [{ kind: 'attributes', body }] : [];
  }

  private takeOffered(id: string, query: string, nowMs: number): void {
    const ended = this.book.endOf(id);
    const { action, offer } = this.book;
    if (ended) this.closeAgain(id, ended, nowMs);
    else if (action?.id === id) {
      // It was called off, and the server does not think so.
      if (action.course === 'abort' && !action.outcome) {
        this.book.conclude(failure('campaign-aborted', 'the server called it off'));
      }
      // What waits for its window is read anew with every poll.
      const isKnown = offer?.query === query && offer.mayUpdate;
      if (!isKnown && !this.book.action?.outcome)
        this.steps.push({ kind: 'deployment', id, query });
    } else {
      const sinceMs = this.offeredMs.get(id) ?? nowMs;
      this.offeredMs.set(id, sinceMs);
      const isLate = nowMs >= sinceMs + this.limits.downloadMs;
      if (isLate) this.refuse(id, failure('download-late', 'the signed campaign'), nowMs);
      else this.steps.push({ kind: 'deployment', id, query });
    }
  }

  private closeAgain(id: string, outcome: Outcome, nowMs: number): void {
    const { atMs, times } = this.again.get(id) ?? { atMs: 0, times: 0 };
    if (nowMs < atMs) return;
    const waitMs = Math.min(REPEAT_MS_MAX, this.pollMs * 2 ** Math.min(20, times));
    this.again.set(id, { atMs: nowMs + waitMs, times: times + 1 });
    this.steps.push(reportOf(id, closing(outcome), nowMs));
  }

  private takeDeployment(
    { id, query }: Offered,
    { isTaken, isGone, body }: { isTaken: boolean; isGone: boolean; body: unknown },
    nowMs: number,
  ): void {
    const { action } = this.book;
    const isAt = action?.id === id;
    if (isGone && isAt && !action.outcome) this.leave(() => this.book.forget());
    if (!isTaken) return;
    const offer = offerOf(id, query, readDeployment(body));
    if ('finished' in offer) this.refuse(id, offer, nowMs);
    else if (isAt && action.document === offer.distribution.campaign.sha256) this.book.adopt(offer);
    else this.steps.push({ kind: 'document', offer, isToConfirm: false });
  }

  private takeConfirmation(
    { id, query }: Offered,
    deployment: Deployment | undefined,
    nowMs: number,
  ): void {
    const offer = offerOf(id, query, deployment);
    if ('finished' in offer) this.confirm(id, offer, nowMs);
    else this.steps.push({ kind: 'document', offer, isToConfirm: true });
  }

  private takeDocument(
    { offer, isToConfirm }: Asked<'document'>,
    body: unknown,
    nowMs: number,
  ): void {
    // Not there: it is asked for again with the next poll, until its time is up.
    if (!(body instanceof Uint8Array)) return;
    const { id, distribution } = offer;
    const { campaign } = distribution;
    const answer = (refused: Outcome) => {
      if (isToConfirm) this.confirm(id, refused, nowMs);
      else this.refuse(id, refused, nowMs);
    };
    if (body.length !== campaign.bytes || sha256Hex(body) !== campaign.sha256) {
      this.otherBytes = (this.otherBytes + 1) % OTHER_BYTES_MAX;
      if (this.otherBytes === 0) answer(failure('campaign-other-bytes', campaign.filename));
      return;
    }
    this.otherBytes = 0;
    const verdict = this.judge(body);
    if (!verdict.ok) {
      answer(failure('campaign-refused', `${verdict.code}: ${verdict.message}`));
      return;
    }
    const refused = checkImages(distribution, verdict.manifest);
    if (refused) answer(refused);
    else if (isToConfirm) this.confirm(id, undefined, nowMs);
    else {
      this.leave(() => this.book.take(offer, body, verdict.digest, nowMs));
      this.offeredMs.delete(id);
    }
  }

  private takeCancel(id: string, stopId: string | undefined, nowMs: number): void {
    if (stopId === undefined) return;
    const { action } = this.book;
    const isAt = action?.id === stopId;
    if (isAt && action.outcome) {
      const why = 'it has ended here, which is reported next';
      this.answerCancel(id, stopId, ['rejected', 'failure', why], nowMs);
      return;
    }
    if (isAt) this.book.abort();
    const counts = progressOf(this.followed, 0, 'abort').details[0];
    const wasHere = this.book.endOf(stopId) ? 'it has ended here' : 'nothing of it was begun here';
    const why = isAt ? `nothing more is begun, what has begun goes on: ${counts}` : wasHere;
    this.answerCancel(id, stopId, ['closed', 'success', why], nowMs);
  }

  private answerCancel(
    id: string,
    stopId: string,
    [execution, finished, why]: ['closed' | 'rejected', 'success' | 'failure', string],
    nowMs: number,
  ): void {
    const report: Report = { execution, finished, details: [why] };
    const body = feedbackBody(id, report, nowMs);
    this.steps.push({ kind: 'cancel-report', id, stopId, report, body });
  }

  /** Whatever the server said: it had asked, and was answered. */
  private endCancelled({ stopId, report }: Asked<'cancel-report'>): void {
    const isAt = this.book.action?.id === stopId;
    if (!isAt || report.execution !== 'closed') return;
    const outcome = failure('campaign-aborted', 'the server called it off');
    this.leave(() => this.book.end(outcome));
  }

  private takeReceipt(
    { id, report }: Asked<'report'>,
    { isTaken, isGone }: { isTaken: boolean; isGone: boolean },
    nowMs: number,
  ): void {
    const { action } = this.book;
    if (action?.id !== id) return;
    if (report.execution !== 'closed') {
      if (isGone) {
        this.leave(() => this.book.forget());
        return;
      }
      this.told = JSON.stringify(report);
      this.reportAtMs = nowMs + REPORT_MS;
      this.book.reported(isTaken && report.execution === 'downloaded');
      return;
    }
    const { outcome } = action;
    assert(outcome !== undefined, 'what is closed has ended');
    const isOver = isTaken || isGone || ++this.untaken >= UNTAKEN_MAX;
    if (isOver) this.leave(() => this.book.end(outcome));
    else this.reportAtMs = nowMs + this.pollMs;
  }

  // ---- refused, confirmed, left ---------------------------------------------------------------------

  /** Closed: at once, or as the end of what was begun. */
  private refuse(id: string, outcome: Outcome, nowMs: number): void {
    const { action } = this.book;
    if (action?.id === id) {
      if (!action.outcome) this.book.conclude(outcome);
      return;
    }
    this.book.refuse(id, outcome);
    this.offeredMs.delete(id);
    this.closeAgain(id, outcome, nowMs);
  }

  private confirm(id: string, denied: Outcome | undefined, nowMs: number): void {
    // It was told so: the server offers the action until a person acts.
    const isTold = denied !== undefined && this.book.deniedFor(id) === reasonOf(denied);
    if (isTold) this.again.set(id, { atMs: nowMs + DENIED_MS, times: 1 });
    else this.steps.push({ kind: 'confirm', id, denied, body: confirmationBody(denied) });
  }

  private endConfirming({ id, denied }: Asked<'confirm'>, isTaken: boolean, nowMs: number): void {
    if (denied) {
      this.again.set(id, { atMs: nowMs + DENIED_MS, times: 1 });
      this.book.deny(id, reasonOf(denied));
    } else if (isTaken) {
      // It is to be carried out now.
      this.pollAtMs = Math.min(this.pollAtMs, nowMs + POLL_MS.min);
    }
  }

  /** From one action to another, or to none. */
  private leave(change: () => void): void {
    this.followed = undefined;
    this.unfollowedMs = undefined;
    this.told = undefined;
    this.untaken = 0;
    this.reportAtMs = 0;
    change();
  }

  private deadline(): number {
    const { action, offer } = this.book;
    const never = Number.POSITIVE_INFINITY;
    if (!action || action.outcome || action.course === 'abort') return never;
    const { downloadMs, followMs } = this.limits;
    if (!this.followed) return (this.unfollowedMs ?? never) + followMs;
    const isLacking = this.followed.state === 'lacks-images' && offer?.mayDownload !== false;
    return isLacking ? action.takenMs + downloadMs : never;
  }
}

/** It passes by itself: asked again later. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function offerOf(id: string, query: string, deployment: Deployment | undefined): Offer | Outcome {
  if (!deployment) return failure('ddi-unreadable');
  const distribution = distributionOf(deployment);
  if (!distribution.ok) return distribution.outcome;
  const { download, update, maintenanceWindow } = deployment;
  const mayUpdate = update !== 'skip' && maintenanceWindow !== 'unavailable';
  return { id, query, distribution, mayDownload: download !== 'skip', mayUpdate };
}

function reportOf(id: string, report: Report, nowMs: number): Asked<'report'> {
  return { kind: 'report', id, report, body: feedbackBody(id, report, nowMs) };
}

/** The code of who judged it, where there is one. */
function reasonOf({ code, details }: Outcome): string {
  const [, judged] = /^([\w-]+):/.exec(details[1] ?? '') ?? [];
  return (code === 'campaign-refused' ? judged : code) ?? 'denied';
}
