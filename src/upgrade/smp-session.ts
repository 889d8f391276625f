/**
 * The upgrade of a hub that speaks SMP (MCUboot, two slots), as a machine that contains the protocol's
 * client: bytes of the line in, lines out, and what is no bytes as a command.
 *
 * It asks who answers and what it has, plans from that, uploads where the image is not there yet, and
 * activates: pending, reset, read back, confirm, read back. Each step rests on what the hub says then and
 * not on what an earlier step did, so that a session begun anew after a crash, at whatever point, carries
 * on: the upload where the hub has it, a pending image with the reset, one on trial with its confirmation.
 *
 * Invariants
 * - No chunk leaves before an admission on what this very hub says; after any break of the link or of the
 *   upload it is asked again before the next.
 * - One activation for each that was commanded. A reset is repeated only while the hub is read to have the
 *   image pending still, which it has not after any boot.
 * - Success is the image's hash read back as running and confirmed. An answer from before the reset shows
 *   the image pending, and counts for nothing.
 * - Every state has a deadline, and every wait ends.
 */
import { decodeHex } from '../bytes/hex.ts';
import { assert } from '../errors.ts';
import { SmpClient } from '../protocol/smp/client.ts';
import type { SmpFailure } from '../protocol/smp/codes.ts';
import { imageStateOf } from '../protocol/smp/image-state.ts';
import type { ImageEntry, SmpEvent, SmpRequest } from '../protocol/smp/messages.ts';
import { PACKET_OVERHEAD_BYTES } from '../protocol/smp/packet-encoder.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { NEVER_MS } from './course.ts';
import { HubCourse } from './hub-course.ts';
import type {
  HubCommand,
  HubInput,
  HubSession,
  HubSessionEvent,
  SmpSessionRequest,
  UploadSample,
} from './hub-session-messages.ts';
import {
  type HubSurvey,
  planSmp,
  runningVersionOf,
  type SmpPlan,
  sameBytes,
  surveyText,
} from './smp-plan.ts';
import { SmpSurvey } from './smp-survey.ts';
import type { FailureCode, SessionState } from './states.ts';

/** Tries of an ordinary request; what asks again and again has its own deadline. */
const REQUEST_ATTEMPTS_MAX = 3;
/** Between two looks at a hub that does not answer, or not yet what is waited for. */
const PAUSE_MS = 500;
/** A look that falls into the boot is lost: it is given up after so long, each time twice as long. */
const FIRST_LOOK_MS = 400;
/** A hub acts on a reset a quarter of a second after it answered it. */
const RESET_ACTS_MS = 500;
/** An image that is pending still so long after the reset was not booted: the reset was lost. */
const RESET_LOST_MS = 5_000;
/** Each on evidence that the one before it did nothing. */
const REPEATS_MAX = 3;
/** An older reading says nothing of the hub at the deadline. */
const FRESH_MS = 20_000;
/** An upload that moves may take its time; one that never ends is ended. */
const TRANSFER_MS_MAX = 24 * 3_600_000;
const RECOVERY_BOOT_MODE = 1;

/**
 * What is under way. `steps`: the runner works the line. `pause`: until `wakeMs`, then the survey.
 * `check`: the list after the upload. `mark`: test or permanent is out. `check-mark`: is it pending?
 * `boot`: until `wakeMs`, then the list again: `look` where the hub was reset.
 */
type Step =
  | 'none'
  | 'steps'
  | 'pause'
  | 'survey'
  | 'to-recovery'
  | 'upload'
  | 'check'
  | 'mark'
  | 'check-mark'
  | 'reset'
  | 'boot'
  | 'look'
  | 'confirm';

export class SmpSession implements HubSession {
  private readonly request: SmpSessionRequest;
  private readonly course: HubCourse;
  private readonly client: SmpClient;
  private readonly hash: Uint8Array;
  private activation: Activation;
  private step: Step = 'none';
  private survey: SmpSurvey | undefined;
  /** Of the request or upload that the step waits for. */
  private awaitedId = 0;
  private wakeMs = NEVER_MS;
  private inRecovery = false;
  private surveyed = '';
  private triedSteps = false;
  private askedRecovery = false;
  /** Breaks of the upload since it last came further than before. */
  private attempts = 0;
  private furthestBytes = 0;
  private marks = 0;
  private resets = 0;
  private resetMs = 0;
  private forceReset = false;
  private confirms = 0;
  private lookMs = FIRST_LOOK_MS;
  private transferEndMs = NEVER_MS;
  private readonly sample: UploadSample;
  /** Of uploads before this one. */
  private blocksBefore = 0;
  private repeatsBefore = 0;
  private lastSeen: { text: string; atMs: number; state: 'pending' | 'trial' } | undefined;

  constructor(request: SmpSessionRequest) {
    const { hubImage, line, smp } = request;
    assert(hubImage.profile === 'mcuboot', 'SMP carries MCUboot images');
    this.request = request;
    this.course = new HubCourse(request);
    this.activation = request.activation;
    this.hash = hubImage.digest?.value ?? new Uint8Array(0);
    this.sample = {
      sentBytes: 0,
      totalBytes: hubImage.sendBytes.length,
      blocks: 0,
      repeats: 0,
      lastRequestMs: Number.NEGATIVE_INFINITY,
    };
    this.client = new SmpClient({
      baudRate: line.baudRate,
      messageBytesMax: smp.assumedBufferBytes - PACKET_OVERHEAD_BYTES,
      receiveLines: smp.receivePoolLines,
      chunkAlignBytes: smp.chunkAlignmentBytes,
      windowMax: smp.windowMax,
      answerTimeoutMs: line.answerTimeoutMs,
      attemptsMax: Math.min(line.attemptsMax, REQUEST_ATTEMPTS_MAX),
      eraseTimeoutMs: smp.firstAnswerMs,
      retransmitMaxMs: line.answerTimeoutMs,
      chunkAttemptsMax: line.attemptsMax,
    });
  }

  get state(): SessionState {
    return this.course.state;
  }

  get code(): FailureCode | undefined {
    return this.course.code;
  }

  start(nowMs: number): void {
    assert(this.state === 'planned', 'a session starts once');
    if (!this.course.admitModel(nowMs)) return;
    if (this.hash.length === 0) {
      this.course.fail('image-unnamed');
      return;
    }
    this.course.enter('staged', nowMs + this.request.limits.contactMs);
    this.look();
  }

  handle(input: HubInput, nowMs: number): void {
    if (this.course.isOver) return;
    switch (input.kind) {
      case 'steps-done':
        this.handleStepsDone(nowMs);
        return;
      case 'link-down':
        this.rest();
        this.client.handleLinkDown();
        this.course.linkDown(input.reason, nowMs);
        return;
      case 'link-up':
        this.handleLinkUp(nowMs);
        return;
    }
  }

  holds(): boolean {
    return this.state === 'awaiting-activation' && this.activation.when === 'held';
  }

  /** Commands activation of an image that is held. */
  activate(activation: Activation, nowMs: number): void {
    assert(this.state === 'awaiting-activation', 'only a held image is activated by command');
    this.activation = activation;
    this.await(nowMs);
  }

  stop(nowMs: number): void {
    if (this.course.isOver || this.holds()) return;
    this.rest();
    this.drain(nowMs);
    this.course.stop(this.leftAs());
  }

  handleBytes(bytes: Uint8Array, nowMs: number): void {
    if (this.course.isOver) return;
    this.client.handleBytes(bytes, nowMs);
    this.drain(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.course.isOver) return;
    if (this.course.isLinkDown) {
      if (nowMs >= this.course.linkLostMs()) this.loseLink();
      return;
    }
    this.client.handleTimeout(nowMs);
    this.drain(nowMs);
    if (this.course.isOver) return;
    if (nowMs >= this.course.deadlineMs) this.expire(nowMs);
    else if (nowMs >= this.wakeMs) this.wake(nowMs);
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    if (this.course.isOver || this.step === 'steps') return undefined;
    const lines = this.client.pollTransmit(nowMs);
    // A request too large for the hub fails in the sending.
    if (lines === undefined) this.drain(nowMs);
    return lines;
  }

  pollEvent(): HubSessionEvent | undefined {
    return this.course.pollEvent();
  }

  pollCommand(): HubCommand | undefined {
    return this.course.pollCommand();
  }

  pollTimeout(): number {
    const ownMs = this.course.timeoutMs(this.wakeMs);
    const idle = this.course.isOver || this.course.isLinkDown || this.step === 'steps';
    return idle ? ownMs : Math.min(ownMs, this.client.pollTimeout());
  }

  // ---- what the client says ---------------------------------------------------------------------------

  private drain(nowMs: number): void {
    for (let event = this.client.pollEvent(); event; event = this.client.pollEvent()) {
      if (this.course.isOver) continue;
      if (this.survey?.handle(event)) this.handleSurvey(nowMs);
      else if (event.id === this.awaitedId) this.handleAwaited(event, nowMs);
    }
  }

  private handleAwaited(event: SmpEvent, nowMs: number): void {
    switch (event.kind) {
      case 'answered':
        this.handleAnswered('images' in event.answer ? event.answer.images : [], nowMs);
        return;
      case 'failed':
        if (this.step === 'upload') this.handleUploadFailed(event.failure, nowMs);
        else this.handleRequestFailed(event.failure, nowMs);
        return;
      case 'upload-started':
        if (event.resumed) this.course.note(`goes on at byte ${event.offset}`);
        this.progress(event.offset, nowMs);
        return;
      case 'upload-progress':
        this.sample.blocks = this.blocksBefore + event.requests;
        this.sample.repeats = this.repeatsBefore + event.lost;
        this.progress(event.offset, nowMs);
        return;
      case 'upload-restarted':
        // Whoever answers now is asked who it is before it gets the next byte.
        this.lookAgain('the hub restarted in the upload, or lost it', nowMs);
        return;
      case 'uploaded':
        this.blocksBefore += event.statistics.requests;
        this.repeatsBefore += event.statistics.lost;
        this.sample.blocks = this.blocksBefore;
        this.sample.repeats = this.repeatsBefore;
        this.sample.sentBytes = this.sample.totalBytes;
        this.sample.lastRequestMs = nowMs;
        this.course.sample(this.sample, true);
        this.ask('check', { kind: 'image-list' });
        return;
    }
  }

  private handleAnswered(images: readonly ImageEntry[], nowMs: number): void {
    switch (this.step) {
      case 'to-recovery':
        this.pause(RESET_ACTS_MS, nowMs);
        return;
      case 'check':
        if (this.lists(images)) this.distributed(nowMs);
        else this.lookAgain('the hub does not list the image it was sent', nowMs);
        return;
      case 'mark':
        if (this.isPending(images)) this.reset();
        else this.ask('check-mark', { kind: 'image-list' });
        return;
      case 'check-mark':
        if (this.isPending(images)) this.reset();
        else if (this.runsTarget(images)) this.judge(images, nowMs);
        else this.mark();
        return;
      case 'reset':
        this.awaitBoot(nowMs);
        return;
      case 'look':
        this.judge(images, nowMs);
        return;
      case 'confirm':
        // Its answer lists what it says it did; what it did is read by itself.
        this.ask('look', { kind: 'image-list' });
        return;
      default:
        return;
    }
  }

  private handleRequestFailed(failure: SmpFailure, nowMs: number): void {
    const refused = failure.device !== undefined;
    switch (this.step) {
      case 'check':
        this.lookAgain(failure.message, nowMs);
        return;
      case 'to-recovery':
        // Without an answer it may have been heard all the same.
        if (refused) this.course.fail('hub-state-unread', failure.message);
        else this.pause(RESET_ACTS_MS, nowMs);
        return;
      case 'mark':
        if (refused) this.course.fail('activation-refused', failure.message);
        else this.ask('check-mark', { kind: 'image-list' });
        return;
      case 'check-mark':
      case 'look':
        this.lookLater(nowMs);
        return;
      case 'reset':
        this.handleResetFailed(failure, nowMs);
        return;
      case 'confirm':
        if (refused) this.course.fail('not-confirmed', failure.message);
        else this.lookLater(nowMs);
        return;
      default:
        return;
    }
  }

  private handleResetFailed(failure: SmpFailure, nowMs: number): void {
    if (failure.device === undefined) {
      // It may have been heard: what the hub lists then says so.
      this.awaitBoot(nowMs);
    } else if (failure.code === 'smp-busy' && !this.forceReset) {
      this.forceReset = true;
      this.course.note('is busy: reset all the same');
      this.ask('reset', { kind: 'reset', force: true });
    } else if (this.request.line.canReset) {
      this.workLine('reset', 'does not take the command to reset: reset over its line');
    } else {
      this.course.fail('not-activated', failure.message);
    }
  }

  private handleUploadFailed(failure: SmpFailure, nowMs: number): void {
    this.blocksBefore = this.sample.blocks;
    this.repeatsBefore = this.sample.repeats;
    if (failure.device === undefined) this.lookAgain(failure.message, nowMs);
    else this.course.fail('upload-refused', failure.message);
  }

  private handleStepsDone(nowMs: number): void {
    if (this.step !== 'steps') return;
    if (this.isActivating()) this.awaitBoot(nowMs);
    else this.pause(0, nowMs);
  }

  private handleLinkUp(nowMs: number): void {
    if (this.course.linkUp(nowMs) === undefined) return;
    this.client.handleLinkUp();
    if (nowMs >= this.course.deadlineMs) this.expire(nowMs);
    else if (this.isActivating()) this.lookLater(nowMs);
    else if (this.state === 'awaiting-activation') this.await(nowMs);
    else if (this.state !== 'planned') this.pause(PAUSE_MS, nowMs);
  }

  // ---- who answers, and what is to be done --------------------------------------------------------------

  private handleSurvey(nowMs: number): void {
    const { outcome } = this.survey!;
    switch (outcome.kind) {
      case 'asking':
        return;
      case 'silent':
        this.findSilent(nowMs);
        return;
      case 'unread':
        this.findUnread(outcome.reason);
        return;
      case 'answered':
        this.survey = undefined;
        this.carryOut(outcome.survey, nowMs);
        return;
    }
  }

  private findSilent(nowMs: number): void {
    const { smp, line } = this.request;
    if (smp.recovery === 'line-steps' && line.canEnterBootloader && !this.triedSteps) {
      this.triedSteps = true;
      this.workLine('enterBootloader', 'nothing answers: brought into its serial recovery');
    } else {
      this.pause(PAUSE_MS, nowMs);
    }
  }

  private findUnread(reason: string): void {
    if (this.request.smp.recovery === 'reset-command' && !this.askedRecovery) {
      this.askedRecovery = true;
      this.course.note('its application takes no image: reset into serial recovery');
      this.ask('to-recovery', { kind: 'reset', bootMode: RECOVERY_BOOT_MODE });
    } else {
      this.course.fail('hub-state-unread', reason);
    }
  }

  private carryOut(survey: HubSurvey, nowMs: number): void {
    const { smp, hubImage } = this.request;
    const { imageNumber, confirm } = smp;
    this.inRecovery = survey.mode === 'recovery';
    const text = surveyText(survey, imageNumber);
    if (text !== this.surveyed) this.course.note(text);
    this.surveyed = text;
    const plan = planSmp(survey, {
      hash: this.hash,
      imageBytes: hubImage.sendBytes.length,
      imageNumber,
      activation: this.dueActivation(nowMs),
      confirm,
    });
    if (plan.do === 'fail') {
      this.course.fail(plan.code, plan.detail);
    } else if (plan.do === 'nothing') {
      this.course.finish('done', undefined, `${plan.text}, read back`);
    } else if (plan.do === 'confirm') {
      // It runs, admitted once: nothing is sent to it but the word that keeps it.
      this.course.note(plan.text);
      this.confirm(nowMs);
    } else {
      this.carryImage(plan, survey, nowMs);
    }
  }

  private carryImage(plan: SmpPlan & { text: string }, survey: HubSurvey, nowMs: number): void {
    const running = runningVersionOf(survey, this.request.smp.imageNumber);
    if (!this.course.admitHub(running, nowMs)) return;
    this.course.note(plan.text);
    if (plan.do === 'upload') this.upload(nowMs);
    else this.distributed(nowMs);
  }

  private upload(nowMs: number): void {
    const { hubImage, limits, sha256, smp } = this.request;
    if (this.state !== 'distributing') {
      this.transferEndMs = nowMs + TRANSFER_MS_MAX;
      this.course.enter('distributing', nowMs + limits.progressMs);
    }
    this.step = 'upload';
    this.wakeMs = NEVER_MS;
    this.awaitedId = this.client.startUpload(
      {
        image: hubImage.sendBytes,
        sha256: decodeHex(sha256)!,
        imageHash: this.hash,
        // To serial recovery a number names a slot, and none the primary.
        ...(smp.imageNumber === 0 || this.inRecovery ? {} : { imageNumber: smp.imageNumber }),
      },
      nowMs,
    );
  }

  private progress(sentBytes: number, nowMs: number): void {
    const { sample } = this;
    if (sentBytes > sample.sentBytes)
      this.course.prolong(Math.min(this.transferEndMs, nowMs + this.request.limits.progressMs));
    sample.sentBytes = sentBytes;
    sample.lastRequestMs = nowMs;
    this.course.sample(sample);
  }

  /** The upload came to a stop: as often as may be, look who is there and go on. */
  private lookAgain(reason: string, nowMs: number): void {
    this.rest();
    if (this.sample.sentBytes > this.furthestBytes) this.attempts = 0;
    this.furthestBytes = Math.max(this.furthestBytes, this.sample.sentBytes);
    this.attempts++;
    if (this.attempts >= this.request.limits.attemptsMax) {
      this.course.fail(this.inRecovery ? 'left-in-bootloader' : 'transfer-broken', reason);
      return;
    }
    this.course.note(`${reason.replace(/\.$/, '')}; asked again what it has`);
    this.pause(PAUSE_MS, nowMs);
  }

  // ---- activation ---------------------------------------------------------------------------------------

  private distributed(nowMs: number): void {
    this.step = 'none';
    if (this.state !== 'awaiting-activation') {
      this.course.enter('distributed', nowMs + this.request.limits.confirmMs);
    }
    if (this.dueActivation(nowMs).when === 'now') this.activateNow(nowMs);
    else this.await(nowMs);
  }

  /** Until its time, or until it is commanded; then what the hub has is looked at first. */
  private await(nowMs: number): void {
    const { heldMs, confirmMs } = this.request.limits;
    const { activation } = this;
    if (this.dueActivation(nowMs).when === 'now') {
      this.pause(0, nowMs);
      return;
    }
    const atMs = activation.when === 'at' ? activation.atMs : NEVER_MS;
    const deadlineMs = activation.when === 'at' ? atMs + confirmMs : nowMs + heldMs;
    if (this.state !== 'awaiting-activation') this.course.enter('awaiting-activation', deadlineMs);
    else this.course.deadlineMs = deadlineMs;
    this.wakeMs = atMs;
  }

  private activateNow(nowMs: number): void {
    const { limits, line } = this.request;
    this.course.enter('activating', nowMs + line.bootMs + limits.confirmMs);
    if (this.inRecovery) this.reset();
    else this.ask('check-mark', { kind: 'image-list' });
  }

  private mark(): void {
    if (this.marks >= REPEATS_MAX) {
      this.course.fail('activation-refused', 'it takes the command, and the image is not pending');
      return;
    }
    this.marks++;
    const kind = this.request.smp.confirm === 'permanent' ? 'image-confirm' : 'image-test';
    this.ask('mark', { kind, hash: this.hash });
  }

  private reset(): void {
    this.resets++;
    this.ask('reset', { kind: 'reset', ...(this.forceReset ? { force: true } : {}) });
  }

  private awaitBoot(nowMs: number): void {
    this.resetMs = nowMs;
    this.lookMs = FIRST_LOOK_MS;
    this.step = 'boot';
    this.wakeMs = nowMs + RESET_ACTS_MS;
  }

  /** What the hub lists after the reset. */
  private judge(images: readonly ImageEntry[], nowMs: number): void {
    if (images.length > 0 && !images.some(({ flagged }) => flagged)) {
      this.judgeRecovery(nowMs);
      return;
    }
    const { running, other } = imageStateOf(images, this.request.smp.imageNumber);
    if (running === undefined) {
      this.lookLater(nowMs);
    } else if (sameBytes(running.hash, this.hash)) {
      this.judgeTarget(running, nowMs);
    } else if (this.isPending(images)) {
      this.judgePending(running, nowMs);
    } else {
      const holds = other !== undefined && sameBytes(other.hash, this.hash);
      const code = holds || this.inRecovery ? 'device-reverted' : 'image-dropped-at-boot';
      this.course.fail(code, `runs ${running.version}`);
    }
  }

  private judgeTarget({ version, confirmed }: ImageEntry, nowMs: number): void {
    if (confirmed) {
      this.course.finish('done', undefined, `runs ${version}, confirmed, read back`);
      return;
    }
    this.lastSeen = { text: `runs ${version}`, atMs: nowMs, state: 'trial' };
    this.confirm(nowMs);
  }

  /** Still the answer of the image before: the reset has not happened. */
  private judgePending({ version }: ImageEntry, nowMs: number): void {
    this.lastSeen = { text: `runs ${version}`, atMs: nowMs, state: 'pending' };
    const lost = nowMs - this.resetMs >= RESET_LOST_MS;
    if (!lost || this.resets >= REPEATS_MAX) {
      this.lookLater(nowMs);
      return;
    }
    this.course.note('the image is pending still: the reset was lost, and is repeated');
    this.reset();
  }

  /** Its bootloader answers: from the application's side that is no boot; from its own, none yet. */
  private judgeRecovery(nowMs: number): void {
    const early = this.inRecovery && nowMs - this.resetMs < this.request.line.bootMs;
    if (early) this.lookLater(nowMs);
    else this.course.fail('boots-into-recovery');
  }

  private confirm(nowMs: number): void {
    if (this.confirms >= REPEATS_MAX) {
      this.course.fail('not-confirmed', 'it takes the command, and the image stays on trial');
      return;
    }
    this.confirms++;
    if (this.state !== 'confirming') {
      this.course.enter('confirming', nowMs + this.request.limits.confirmMs);
    }
    // What runs is confirmed without a hash, but only of a single image.
    const named = this.request.smp.imageNumber === 0 ? {} : { hash: this.hash };
    this.ask('confirm', { kind: 'image-confirm', ...named });
  }

  // ---- leaves -------------------------------------------------------------------------------------------

  private wake(nowMs: number): void {
    this.wakeMs = NEVER_MS;
    if (this.step === 'boot') this.lookAtList(nowMs);
    else if (this.step === 'look') this.giveUpLook(nowMs);
    else if (this.step === 'pause') this.look();
    else if (this.state === 'awaiting-activation') this.await(nowMs);
  }

  /** Before a reset an image that is not pending waits for the command; after it, it was given up. */
  private lookAtList(nowMs: number): void {
    const activated = this.resets > 0 || this.confirms > 0;
    this.ask(activated ? 'look' : 'check-mark', { kind: 'image-list' });
    if (activated && this.lookMs < this.request.line.answerTimeoutMs) {
      this.wakeMs = nowMs + this.lookMs;
    }
  }

  private giveUpLook(nowMs: number): void {
    const id = this.awaitedId;
    this.awaitedId = 0;
    this.client.cancel(id);
    this.lookMs *= 2;
    this.lookAtList(nowMs);
  }

  private look(): void {
    this.step = 'survey';
    this.wakeMs = NEVER_MS;
    this.survey = new SmpSurvey(this.client, this.request.smp.imageNumber);
  }

  private pause(waitMs: number, nowMs: number): void {
    this.rest();
    this.step = 'pause';
    this.wakeMs = nowMs + waitMs;
  }

  /** Until then the list says nothing yet, or nothing is heard. */
  private lookLater(nowMs: number): void {
    this.step = 'boot';
    this.wakeMs = nowMs + PAUSE_MS;
  }

  private ask(step: Step, request: SmpRequest): void {
    this.step = step;
    this.wakeMs = NEVER_MS;
    this.awaitedId = this.client.request(request);
  }

  private workLine(steps: HubCommand['steps'], text: string): void {
    this.rest();
    this.step = 'steps';
    this.course.order({ kind: 'line-steps', steps }, text);
  }

  /** Nothing is awaited any more; what is under way is given up. */
  private rest(): void {
    const id = this.awaitedId;
    this.survey = undefined;
    this.awaitedId = 0;
    this.wakeMs = NEVER_MS;
    if (this.step === 'upload') this.client.cancel(id);
    if (this.step !== 'steps') this.step = 'none';
  }

  private dueActivation(nowMs: number): Activation {
    const { activation } = this;
    return activation.when === 'at' && activation.atMs <= nowMs ? { when: 'now' } : activation;
  }

  private isActivating(): boolean {
    return this.state === 'activating' || this.state === 'confirming';
  }

  private lists(images: readonly ImageEntry[]): boolean {
    return images.some(
      ({ hash, active, slot }) =>
        sameBytes(hash, this.hash) && (this.inRecovery ? slot === 0 : !active),
    );
  }

  private runsTarget(images: readonly ImageEntry[]): boolean {
    return images.some(({ hash, active }) => active && sameBytes(hash, this.hash));
  }

  private isPending(images: readonly ImageEntry[]): boolean {
    return images.some(({ hash, pending }) => pending && sameBytes(hash, this.hash));
  }

  private expire(nowMs: number): void {
    switch (this.state) {
      case 'activating':
      case 'confirming':
        this.expireActivation(nowMs);
        return;
      case 'staged':
        this.course.fail('hub-silent', this.heard());
        return;
      case 'awaiting-activation':
        this.course.fail(this.holds() ? 'hold-expired' : 'deadline-passed', this.state);
        return;
      default:
        this.course.fail('deadline-passed', this.state);
        return;
    }
  }

  private expireActivation(nowMs: number): void {
    const { lastSeen } = this;
    if (lastSeen === undefined || nowMs - lastSeen.atMs > FRESH_MS) {
      const last = lastSeen ? `, it last said that it ${lastSeen.text}` : '';
      const detail = `nothing has answered since the reset${last}`;
      this.course.finish('unknown-outcome', 'version-not-readable', detail);
    } else {
      const code = lastSeen.state === 'trial' ? 'not-confirmed' : 'not-activated';
      this.course.fail(code, lastSeen.text);
    }
  }

  /** What a hub does that was told to activate, nobody sees now. */
  private loseLink(): void {
    if (this.isActivating()) {
      this.course.finish('unknown-outcome', 'link-lost', this.lastSeen?.text);
    } else if (this.state === 'distributing' && this.inRecovery) {
      this.course.fail('left-in-bootloader', 'the link did not come back');
    } else {
      this.course.fail('link-lost');
    }
  }

  /** What came that was no answer: another speed, or another protocol. */
  private heard(): string | undefined {
    const { ignoredBytes, badBase64, badLength, badCrc } = this.client.counters;
    const spoilt = badBase64 + badLength + badCrc;
    if (ignoredBytes === 0 && spoilt === 0) return undefined;
    return `${ignoredBytes} bytes came that are no answers, and ${spoilt} spoilt ones`;
  }

  private leftAs(): string {
    if (this.isActivating()) {
      return 'stopped in the activation: the hub may run the image on trial, and then goes back';
    }
    if (this.state === 'distributing') {
      return this.inRecovery
        ? 'stopped; the hub waits in its serial recovery, without a whole image'
        : 'stopped; the hub keeps what it has until it restarts';
    }
    return 'stopped; the hub runs what it ran';
  }
}
