/**
 * The upgrade of a hub that speaks SMP (MCUboot, two slots), as a machine that contains the protocol's
 * client: bytes of the line in, lines out, and what is no bytes as a command.
 *
 * It asks who answers and what it has, plans from that, uploads where the image is not there yet
 * (smp-transfer.ts), and activates (smp-activation.ts). Each step rests on what the hub says then and not
 * on what an earlier step did, so that a session begun anew after a crash, at whatever point, carries on:
 * the upload where the hub has it, a pending image with the reset, one on trial with its confirmation.
 *
 * Invariants
 * - No chunk leaves before an admission on what this very hub says; after any break of the link or of the
 *   upload it is asked again before the next.
 * - One activation for each that was commanded, and nothing after it but its outcome.
 * - Every state has a deadline, and every wait ends.
 */
import { assert } from '../errors.ts';
import { SmpClient } from '../protocol/smp/client.ts';
import type { SmpFailure } from '../protocol/smp/codes.ts';
import type { SmpEvent } from '../protocol/smp/messages.ts';
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
} from './hub-session-messages.ts';
import { RESET_ACTS_MS, SmpActivation } from './smp-activation.ts';
import {
  type HubSurvey,
  otherImagesOf,
  planSmp,
  runningVersionOf,
  type SmpPlan,
  surveyText,
} from './smp-plan.ts';
import { SmpSurvey } from './smp-survey.ts';
import { SmpTransfer, type TransferOutcome } from './smp-transfer.ts';
import type { FailureCode, SessionState } from './states.ts';

/** Tries of an ordinary request; what asks again and again has its own deadline. */
const REQUEST_ATTEMPTS_MAX = 3;
/** Between two surveys of a hub that does not answer. */
const PAUSE_MS = 500;
const RECOVERY_BOOT_MODE = 1;

/**
 * What is under way before the activation. `steps`: the runner works the line. `pause`: until `wakeMs`,
 * then the survey. `to-recovery`: the reset that asks for it is out.
 */
type Step = 'none' | 'steps' | 'pause' | 'survey' | 'to-recovery' | 'transfer';

export class SmpSession implements HubSession {
  private readonly request: SmpSessionRequest;
  private readonly course: HubCourse;
  private readonly client: SmpClient;
  private readonly hash: Uint8Array;
  private readonly transfer: SmpTransfer;
  /** As it was commanded last. */
  private commanded: Activation;
  /** Once it has begun; from then on the course is its own. */
  private activation: SmpActivation | undefined;
  private step: Step = 'none';
  private survey: SmpSurvey | undefined;
  /** Of the reset into recovery. */
  private resetId = 0;
  private wakeMs = NEVER_MS;
  private inRecovery = false;
  private surveyed = '';
  private triedSteps = false;
  private askedRecovery = false;

  constructor(request: SmpSessionRequest) {
    const { hubImage } = request;
    assert(hubImage.profile === 'mcuboot', 'SMP carries MCUboot images');
    this.request = request;
    this.course = new HubCourse(request);
    this.commanded = request.activation;
    this.hash = hubImage.digest?.value ?? new Uint8Array(0);
    this.client = newClient(request);
    this.transfer = new SmpTransfer(request, this.course, this.client, this.hash);
  }

  get state(): SessionState {
    return this.course.state;
  }

  get code(): FailureCode | undefined {
    return this.course.code;
  }

  start(nowMs: number): void {
    assert(this.state === 'planned', 'a session starts once');
    if (this.course.hasAnnounced('activate')) {
      this.beginActivation().resume(nowMs);
      return;
    }
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
      case 'granted':
        this.course.grant(nowMs);
        return;
    }
  }

  holds(): boolean {
    return this.state === 'awaiting-activation' && this.commanded.when === 'held';
  }

  /** Commands activation of an image that is held. */
  activate(activation: Activation, nowMs: number): void {
    assert(this.state === 'awaiting-activation', 'only a held image is activated by command');
    this.commanded = activation;
    this.await(nowMs);
  }

  cancel(): boolean {
    if (this.course.isOver || this.activation !== undefined) return false;
    this.rest();
    this.course.finish('cancelled', undefined, this.leftAs());
    return true;
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
    else if (nowMs >= this.dueMs) this.wake(nowMs);
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    if (this.course.isOver || this.worksLine) return undefined;
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
    const ownMs = this.course.timeoutMs(this.dueMs);
    const idle = this.course.isOver || this.course.isLinkDown || this.worksLine;
    return idle ? ownMs : Math.min(ownMs, this.client.pollTimeout());
  }

  // ---- what the client says ---------------------------------------------------------------------------

  private drain(nowMs: number): void {
    for (let event = this.client.pollEvent(); event; event = this.client.pollEvent()) {
      if (!this.course.isOver) this.handleClient(event, nowMs);
    }
  }

  private handleClient(event: SmpEvent, nowMs: number): void {
    if (this.activation) this.activation.handle(event, nowMs);
    else if (this.survey?.handle(event)) this.handleSurvey(nowMs);
    else if (this.step === 'transfer')
      this.handleTransfer(this.transfer.handle(event, nowMs), nowMs);
    else if (this.step === 'to-recovery') this.handleToRecovery(event, nowMs);
  }

  private handleToRecovery(event: SmpEvent, nowMs: number): void {
    if (event.id !== this.resetId) return;
    const failure: SmpFailure | undefined = event.kind === 'failed' ? event.failure : undefined;
    // Without an answer it may have been heard all the same.
    if (failure?.device) this.course.fail('hub-state-unread', failure.message);
    else this.pause(RESET_ACTS_MS, nowMs);
  }

  private handleTransfer(outcome: TransferOutcome, nowMs: number): void {
    if (this.course.isOver) return;
    if (outcome === 'on-hub') this.distributed(nowMs);
    else if (outcome === 'broken-off') this.pause(PAUSE_MS, nowMs);
  }

  private handleStepsDone(nowMs: number): void {
    if (this.activation) this.activation.handleStepsDone(nowMs);
    else if (this.step === 'steps') this.pause(0, nowMs);
  }

  private handleLinkUp(nowMs: number): void {
    if (this.course.linkUp(nowMs) === undefined) return;
    this.client.handleLinkUp();
    if (nowMs >= this.course.deadlineMs) this.expire(nowMs);
    else if (this.activation) this.activation.handleLinkUp(nowMs);
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
      this.rest();
      this.step = 'steps';
      const text = 'nothing answers: brought into its serial recovery';
      this.course.order({ kind: 'line-steps', steps: 'enterBootloader' }, text);
    } else {
      this.pause(PAUSE_MS, nowMs);
    }
  }

  private findUnread(reason: string): void {
    if (this.request.smp.recovery === 'reset-command' && !this.askedRecovery) {
      this.askedRecovery = true;
      this.course.note('its application takes no image: reset into serial recovery');
      this.step = 'to-recovery';
      this.resetId = this.client.request({ kind: 'reset', bootMode: RECOVERY_BOOT_MODE });
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
      this.course.done(hubImage.version?.text ?? plan.text, `${plan.text}, read back`);
    } else if (plan.do === 'confirm') {
      // It runs, admitted once: nothing is sent to it but the word that keeps it.
      this.course.note(plan.text);
      this.beginActivation().confirm(nowMs);
    } else {
      this.carryImage(plan, survey, nowMs);
    }
  }

  private carryImage(plan: SmpPlan & { text: string }, survey: HubSurvey, nowMs: number): void {
    const { imageNumber } = this.request.smp;
    const runningVersion = runningVersionOf(survey, imageNumber);
    const otherImages = otherImagesOf(survey, imageNumber);
    if (!this.course.admitHub({ runningVersion, otherImages }, nowMs)) return;
    this.course.note(plan.text);
    if (plan.do === 'upload') {
      this.step = 'transfer';
      this.transfer.begin(this.inRecovery, nowMs);
    } else {
      this.distributed(nowMs);
    }
  }

  // ---- the image is on the hub ----------------------------------------------------------------------------

  private distributed(nowMs: number): void {
    this.step = 'none';
    if (this.state !== 'awaiting-activation') {
      this.course.enter('distributed', nowMs + this.request.limits.confirmMs);
    }
    if (this.dueActivation(nowMs).when === 'now') this.beginActivation().begin(nowMs);
    else this.await(nowMs);
  }

  /** Until its time, or until it is commanded; then what the hub has is looked at first. */
  private await(nowMs: number): void {
    const { heldMs, confirmMs } = this.request.limits;
    const { commanded } = this;
    if (this.dueActivation(nowMs).when === 'now') {
      this.pause(0, nowMs);
      return;
    }
    const atMs = commanded.when === 'at' ? commanded.atMs : NEVER_MS;
    const deadlineMs = commanded.when === 'at' ? atMs + confirmMs : nowMs + heldMs;
    if (this.state !== 'awaiting-activation') this.course.enter('awaiting-activation', deadlineMs);
    else this.course.deadlineMs = deadlineMs;
    this.wakeMs = atMs;
  }

  private beginActivation(): SmpActivation {
    const { request, course, client, hash, inRecovery } = this;
    this.step = 'none';
    this.activation = new SmpActivation(request, course, client, hash, inRecovery);
    return this.activation;
  }

  private dueActivation(nowMs: number): Activation {
    const { commanded } = this;
    return commanded.when === 'at' && commanded.atMs <= nowMs ? { when: 'now' } : commanded;
  }

  // ---- leaves -------------------------------------------------------------------------------------------

  private get worksLine(): boolean {
    return this.step === 'steps' || this.activation?.worksLine === true;
  }

  private get dueMs(): number {
    return this.activation?.wakeMs ?? this.wakeMs;
  }

  private wake(nowMs: number): void {
    this.wakeMs = NEVER_MS;
    if (this.activation) this.activation.wake(nowMs);
    else if (this.step === 'pause') this.look();
    else if (this.state === 'awaiting-activation') this.await(nowMs);
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

  /** Nothing is awaited any more; what is under way is given up. */
  private rest(): void {
    this.survey = undefined;
    this.resetId = 0;
    this.wakeMs = NEVER_MS;
    this.transfer.rest();
    this.activation?.rest();
    if (this.step !== 'steps') this.step = 'none';
  }

  private expire(nowMs: number): void {
    switch (this.state) {
      case 'activating':
      case 'confirming':
        this.activation!.expire(nowMs);
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

  private loseLink(): void {
    if (this.activation) this.activation.loseLink();
    else if (this.state === 'distributing' && this.inRecovery)
      this.course.fail('left-in-bootloader', 'the link did not come back');
    else this.course.fail('link-lost');
  }

  /** What came that was no answer: another speed, or another protocol. */
  private heard(): string | undefined {
    const { ignoredBytes, badBase64, badLength, badCrc } = this.client.counters;
    const spoilt = badBase64 + badLength + badCrc;
    if (ignoredBytes === 0 && spoilt === 0) return undefined;
    return `${ignoredBytes} bytes came that are no answers, and ${spoilt} spoilt ones`;
  }

  private leftAs(): string {
    if (this.activation) {
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

function newClient({ line, smp }: SmpSessionRequest): SmpClient {
  return new SmpClient({
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
