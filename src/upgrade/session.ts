/**
 * One device's upgrade over ZigBee as a machine: admission, distribution, activation, confirmation.
 *
 * It is told what happened and the time, and says what to do and what to report; it does nothing itself.
 * Invariants: the OTA server is authorised only after an unconditional admission on what the device itself
 * said; every state that is not final has a deadline; success is a version read back, never assumed.
 * Distribution and activation are two stages: a held image waits in `awaiting-activation`.
 */
import { type Decision, decideAdmission } from '../admission/decide.ts';
import type {
  AdmissionFacts,
  AdmissionPolicy,
  DeviceFacts,
  ImageFacts,
} from '../admission/facts.ts';
import { assert } from '../errors.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { Machine } from '../protocol/machine.ts';
import { STATUS, statusName } from '../protocol/zcl-ota/codec.ts';
import { type DeviceReading, UPGRADE_STATUS } from '../protocol/zcl-ota/device-reading.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { FAILURES, type FailureCode, isFinal, type SessionState } from './states.ts';

export interface SessionLimits {
  /** Until the device asks for the image. */
  contactMs: number;
  /** Silence in a download before the device is woken, and how often that may be needed in a row. */
  stallMs: number;
  stallsMax: number;
  /** Downloads begun anew after the device gave one up. */
  attemptsMax: number;
  /** From the command to activate to the new version read back. */
  confirmMs: number;
  /** A link that stays away so long ends the session. */
  linkDownMs: number;
}

export const SESSION_LIMITS: SessionLimits = {
  contactMs: 90_000,
  stallMs: 20_000,
  stallsMax: 6,
  attemptsMax: 5,
  confirmMs: 180_000,
  linkDownMs: 120_000,
};

export interface SessionRequest {
  /** What is known of the device before it is asked: its model file. */
  device: DeviceFacts;
  image: ImageFacts;
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  activation: Activation;
  /** This very content was being distributed to this device before. */
  resumable: boolean;
  limits: SessionLimits;
}

export type SessionInput =
  | { kind: 'reading'; reading: DeviceReading }
  | { kind: 'reading-failed'; reason: string }
  | { kind: 'assign-failed'; error: Error }
  | {
      kind: 'query';
      facts: {
        manufacturerCode: number;
        imageType: number;
        fileVersion: number;
        hardwareVersion: number | undefined;
      };
      answer: 'offered' | 'deferred' | 'no-image' | 'running-already';
    }
  | { kind: 'asks-unauthorised'; offset: number }
  | { kind: 'started'; offset: number }
  | { kind: 'partial-dropped'; offset: number }
  | { kind: 'progress'; sentBytes: number }
  | { kind: 'downloaded'; answer: 'now' | 'held' | 'at' | 'aborted' }
  | { kind: 'ended'; status: number }
  | { kind: 'stalled'; silentMs: number }
  | { kind: 'announced' }
  | { kind: 'link-down'; reason: string }
  | { kind: 'link-up' };

export type SessionCommand =
  /** Give the image to the OTA server; remember first that this content goes to this device. */
  | { kind: 'assign'; resumable: boolean; activation: Activation }
  | { kind: 'read' }
  | { kind: 'notify' }
  | { kind: 'authorise' }
  | { kind: 'activate'; activation: Activation }
  | { kind: 'release' };

export type SessionEvent =
  | { kind: 'state'; state: SessionState; code?: FailureCode; detail?: string }
  | { kind: 'decision'; decision: Decision }
  | { kind: 'note'; text: string };

const NOTIFY_MS_MIN = 2_000;
const NOTIFY_MS_MAX = 20_000;
/** First look after the command to activate, and the pace of the looks after it. */
const CONFIRM_FIRST_MS = 2_500;
const CONFIRM_PERIOD_MS = 3_000;
/** A device that announced itself is given so long before its old version counts as the outcome. */
const REVERT_SETTLE_MS = 6_000;
const ANNOUNCE_SETTLE_MS = 150;
/** Clients take a later activation only within the hour; see the OTA server. */
const NEVER_MS = Number.POSITIVE_INFINITY;

export class UpgradeSession implements Machine<SessionCommand, SessionEvent> {
  state: SessionState = 'planned';
  code: FailureCode | undefined;
  private readonly request: SessionRequest;
  private readonly targetVersion: number;
  private device: DeviceFacts;
  private authorised = false;
  private resumable: boolean;
  private readonly commands: SessionCommand[] = [];
  private readonly events: SessionEvent[] = [];
  private deadlineMs = NEVER_MS;
  private wakeMs = NEVER_MS;
  private notifyMs = NOTIFY_MS_MIN;
  private sentBytes = 0;
  private stalls = 0;
  private attempts = 0;
  private reading = false;
  private announcedMs = NEVER_MS;
  private lastReading: string | undefined;
  private linkDownMs = NEVER_MS;

  constructor(request: SessionRequest) {
    this.request = request;
    this.device = { ...request.device };
    this.resumable = request.resumable;
    this.targetVersion = request.image.header.fileVersion;
  }

  /** Decides on what the model file says, and if that may be, turns to the device. */
  start(nowMs: number): void {
    assert(this.state === 'planned', 'a session starts once');
    if (!this.decide(nowMs)) return;
    const { activation, limits } = this.request;
    this.enter('staged', nowMs + limits.contactMs);
    this.commands.push({ kind: 'assign', resumable: this.resumable, activation });
    this.read();
    this.wakeMs = nowMs + NOTIFY_MS_MIN;
  }

  handle(input: SessionInput, nowMs: number): void {
    if (isFinal(this.state)) return;
    switch (input.kind) {
      case 'reading':
        this.reading = false;
        this.handleReading(input.reading, nowMs);
        return;
      case 'reading-failed':
        this.reading = false;
        if (this.state === 'staged') this.notify(nowMs);
        return;
      case 'assign-failed':
        this.fail('image-not-served', input.error.message);
        return;
      case 'query':
        this.handleQuery(input, nowMs);
        return;
      case 'asks-unauthorised':
        if (!this.reading) this.read();
        return;
      case 'started':
        this.note(input.offset > 0 ? `goes on at byte ${input.offset}` : 'begins to download');
        this.distribute(nowMs);
        return;
      case 'partial-dropped':
        this.note(`was told to drop ${input.offset} bytes of a download this gateway did not send`);
        this.wakeMs = nowMs + NOTIFY_MS_MIN;
        return;
      case 'progress':
        this.handleProgress(input.sentBytes, nowMs);
        return;
      case 'downloaded':
        this.handleDownloaded(input.answer, nowMs);
        return;
      case 'ended':
        this.handleEnded(input.status, nowMs);
        return;
      case 'stalled':
        this.handleStalled(input.silentMs, nowMs);
        return;
      case 'announced':
        this.handleAnnounced(nowMs);
        return;
      case 'link-down':
        this.linkDownMs = nowMs;
        this.note(`link down: ${input.reason}`);
        return;
      case 'link-up':
        this.handleLinkUp(nowMs);
        return;
    }
  }

  /** The image is on the device and waits for a command, as was asked. */
  holds(): boolean {
    return this.state === 'awaiting-activation' && this.request.activation.when === 'held';
  }

  /** Commands activation of an image that is held. */
  activate(activation: Activation, nowMs: number): void {
    assert(this.state === 'awaiting-activation', 'only a held image is activated by command');
    this.commands.push({ kind: 'activate', activation });
    this.awaitActivation(activation, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (isFinal(this.state)) return;
    if (this.linkDownMs !== NEVER_MS) {
      if (nowMs >= this.linkDownMs + this.request.limits.linkDownMs) this.fail('link-lost');
      return;
    }
    if (nowMs >= this.deadlineMs) {
      this.expire(nowMs);
      return;
    }
    if (nowMs < this.wakeMs) return;
    this.wakeMs = NEVER_MS;
    switch (this.state) {
      case 'staged':
      case 'distributing':
        this.notify(nowMs);
        return;
      case 'awaiting-activation':
        this.enter('activating', nowMs + this.request.limits.confirmMs);
        this.wakeMs = nowMs + CONFIRM_FIRST_MS;
        return;
      case 'activating':
      case 'confirming':
        this.read();
        this.wakeMs = nowMs + CONFIRM_PERIOD_MS;
        return;
      default:
        return;
    }
  }

  pollTransmit(): SessionCommand | undefined {
    return this.commands.shift();
  }

  pollEvent(): SessionEvent | undefined {
    return this.events.shift();
  }

  pollTimeout(): number {
    if (isFinal(this.state)) return NEVER_MS;
    if (this.linkDownMs !== NEVER_MS) return this.linkDownMs + this.request.limits.linkDownMs;
    return Math.min(this.deadlineMs, this.wakeMs);
  }

  // ---- inputs ---------------------------------------------------------------------------------------

  private handleReading(reading: DeviceReading, nowMs: number): void {
    if (this.state === 'activating' || this.state === 'confirming') {
      this.judge(reading.currentFileVersion, reading.softwareBuild, nowMs);
      return;
    }
    if (this.state !== 'staged' && this.state !== 'distributing') return;
    if (reading.currentFileVersion !== undefined)
      this.device.currentFileVersion = reading.currentFileVersion;
    if (this.runsAlready(this.device.currentFileVersion)) {
      this.finish('done', undefined, 'already ran this version when it was asked');
      return;
    }
    if (!this.decide(nowMs)) return;
    if (this.holdsImage(reading)) {
      this.takeOverHeldImage(nowMs);
      return;
    }
    if (this.state === 'staged') this.notify(nowMs);
  }

  private handleQuery(input: Extract<SessionInput, { kind: 'query' }>, nowMs: number): void {
    const { manufacturerCode, imageType, fileVersion, hardwareVersion } = input.facts;
    if (this.state === 'activating' || this.state === 'confirming') {
      this.judge(fileVersion, undefined, nowMs);
      return;
    }
    this.device = {
      ...this.device,
      manufacturerCode,
      imageType,
      currentFileVersion: fileVersion,
      hardwareVersion: hardwareVersion ?? this.device.hardwareVersion,
    };
    if (this.runsAlready(fileVersion)) {
      this.finish('done', undefined, 'already ran this version when it asked');
      return;
    }
    if (!this.decide(nowMs)) return;
    if (!this.authorised) this.fail('facts-missing');
  }

  private handleProgress(sentBytes: number, nowMs: number): void {
    if (sentBytes <= this.sentBytes) return;
    this.sentBytes = sentBytes;
    this.stalls = 0;
    if (this.state === 'distributing') this.wakeMs = NEVER_MS;
    if (this.state === 'staged') this.distribute(nowMs);
  }

  private handleDownloaded(answer: 'now' | 'held' | 'at' | 'aborted', nowMs: number): void {
    if (this.state === 'activating' || this.state === 'confirming' || answer === 'aborted') return;
    if (this.state !== 'awaiting-activation')
      this.enter('distributed', nowMs + this.request.limits.confirmMs);
    this.awaitActivation(this.request.activation, nowMs);
  }

  private handleEnded(status: number, nowMs: number): void {
    const gaveUp = status === STATUS.abort;
    this.note(`ended its download: ${statusName(status)}`);
    if (!gaveUp) {
      this.fail(
        status === STATUS.invalidImage ? 'image-refused-by-device' : 'download-refused-by-device',
        statusName(status),
      );
      return;
    }
    this.attempts++;
    if (this.attempts >= this.request.limits.attemptsMax) {
      this.fail('transfer-given-up', `${this.attempts} downloads`);
      return;
    }
    this.sentBytes = 0;
    this.wakeMs = nowMs + NOTIFY_MS_MIN;
  }

  private handleStalled(silentMs: number, nowMs: number): void {
    if (this.state !== 'distributing') return;
    this.stalls++;
    if (this.stalls > this.request.limits.stallsMax) {
      this.fail('transfer-stalled', `${Math.round(silentMs / 1000)} s of silence`);
      return;
    }
    this.note(`silent for ${Math.round(silentMs / 1000)} s, asked again`);
    this.notify(nowMs);
  }

  private handleAnnounced(nowMs: number): void {
    this.announcedMs = nowMs;
    if (this.state === 'activating' || this.state === 'confirming') {
      if (this.state === 'activating') this.enter('confirming', this.deadlineMs);
      this.wakeMs = nowMs + ANNOUNCE_SETTLE_MS;
      return;
    }
    this.note('announced itself: it restarted or rejoined');
    if (this.state === 'staged') this.wakeMs = nowMs + ANNOUNCE_SETTLE_MS;
    if (this.state === 'distributing') this.wakeMs = nowMs + this.request.limits.stallMs / 4;
  }

  /** Time without a link does not count. */
  private handleLinkUp(nowMs: number): void {
    if (this.linkDownMs === NEVER_MS) return;
    const awayMs = nowMs - this.linkDownMs;
    this.linkDownMs = NEVER_MS;
    this.reading = false;
    this.deadlineMs += awayMs;
    this.note(`link up again after ${(awayMs / 1000).toFixed(1)} s`);
    this.wakeMs = nowMs + ANNOUNCE_SETTLE_MS;
    if (this.state === 'distributing') this.wakeMs = nowMs + this.request.limits.stallMs / 2;
    if (this.state === 'awaiting-activation') this.awaitActivation(this.request.activation, nowMs);
  }

  // ---- decisions ------------------------------------------------------------------------------------

  /** False where the session ended by it. Authorises as soon as nothing is open any more. */
  private decide(nowMs: number): boolean {
    const { image, list, policy } = this.request;
    const facts: AdmissionFacts = { image, device: this.device, policy, ...(list ? { list } : {}) };
    const decision = decideAdmission(facts, nowMs);
    this.events.push({ kind: 'decision', decision });
    if (decision.verdict === 'refused') {
      this.finish('refused', undefined, decision.ruleId);
      return false;
    }
    if (!decision.conditional && !this.authorised && this.state !== 'planned') {
      this.authorised = true;
      this.commands.push({ kind: 'authorise' });
    }
    return true;
  }

  /** A version that this gateway was putting there: an earlier run was cut off after the activation. */
  private runsAlready(fileVersion: number | undefined): boolean {
    return this.resumable && fileVersion === this.targetVersion;
  }

  private holdsImage(reading: DeviceReading): boolean {
    const { imageUpgradeStatus: status, downloadedFileVersion } = reading;
    const holds =
      status === UPGRADE_STATUS.waitingToUpgrade ||
      status === UPGRADE_STATUS.countDown ||
      status === UPGRADE_STATUS.waitForExternalEvent;
    return holds && downloadedFileVersion === this.targetVersion;
  }

  private takeOverHeldImage(nowMs: number): void {
    if (!this.resumable) {
      this.fail('holds-unknown-image');
      return;
    }
    const { activation, limits } = this.request;
    this.note('holds this image already');
    this.enter('distributed', nowMs + limits.confirmMs);
    if (activation.when !== 'held') this.commands.push({ kind: 'activate', activation });
    this.awaitActivation(activation, nowMs);
  }

  private awaitActivation(activation: Activation, nowMs: number): void {
    const { confirmMs } = this.request.limits;
    if (activation.when === 'now') {
      this.enter('activating', nowMs + confirmMs);
      this.wakeMs = nowMs + CONFIRM_FIRST_MS;
      return;
    }
    const atMs = activation.when === 'at' ? Math.max(activation.atMs, nowMs) : NEVER_MS;
    if (this.state !== 'awaiting-activation') this.enter('awaiting-activation', atMs + confirmMs);
    this.wakeMs = atMs;
  }

  /** Judges a version read back after the command to activate. */
  private judge(
    fileVersion: number | undefined,
    softwareBuild: string | undefined,
    nowMs: number,
  ): void {
    const found = fileVersion ?? softwareBuild;
    if (found === undefined) return;
    this.lastReading =
      fileVersion === undefined ? softwareBuild : `0x${fileVersion.toString(16).padStart(8, '0')}`;
    if (fileVersion === this.targetVersion) {
      this.finish('done', undefined, `runs ${this.lastReading}, read back`);
      return;
    }
    const settled = nowMs - this.announcedMs >= REVERT_SETTLE_MS;
    if (fileVersion !== undefined && settled)
      this.fail('device-reverted', `runs ${this.lastReading}`);
  }

  private expire(_nowMs: number): void {
    switch (this.state) {
      case 'activating':
      case 'confirming':
        if (this.lastReading === undefined) this.finish('unknown-outcome', 'version-not-readable');
        else this.fail('not-activated', `runs ${this.lastReading}`);
        return;
      case 'staged':
        this.fail('device-silent');
        return;
      default:
        this.fail('deadline-passed', this.state);
        return;
    }
  }

  // ---- leaves ---------------------------------------------------------------------------------------

  private distribute(nowMs: number): void {
    const { stallMs, stallsMax } = this.request.limits;
    const deadlineMs = nowMs + stallMs * (stallsMax + 2) + TRANSFER_MS_MAX;
    if (this.state === 'staged') this.enter('distributing', deadlineMs);
    this.wakeMs = NEVER_MS;
  }

  private notify(nowMs: number): void {
    this.commands.push({ kind: 'notify' });
    this.wakeMs = nowMs + this.notifyMs;
    this.notifyMs = Math.min(2 * this.notifyMs, NOTIFY_MS_MAX);
  }

  private read(): void {
    if (this.reading) return;
    this.reading = true;
    this.commands.push({ kind: 'read' });
  }

  private enter(state: SessionState, deadlineMs: number): void {
    this.state = state;
    this.deadlineMs = deadlineMs;
    this.wakeMs = NEVER_MS;
    this.notifyMs = NOTIFY_MS_MIN;
    this.events.push({ kind: 'state', state });
  }

  private fail(code: FailureCode, detail?: string): void {
    this.finish('failed', code, detail);
  }

  private finish(state: SessionState, code?: FailureCode, detail?: string): void {
    this.state = state;
    this.code = code;
    if (state !== 'refused' || this.deadlineMs !== NEVER_MS)
      this.commands.push({ kind: 'release' });
    const sentence = code ? FAILURES[code].sentence : undefined;
    const text = [sentence, detail].filter((part) => part !== undefined).join(': ');
    this.events.push({
      kind: 'state',
      state,
      ...(code ? { code } : {}),
      ...(text ? { detail: text } : {}),
    });
  }

  private note(text: string): void {
    this.events.push({ kind: 'note', text });
  }
}

/** A download that moves may take its time; one that never ends is ended. */
const TRANSFER_MS_MAX = 7 * 24 * 3_600_000;
