/**
 * One device's upgrade over ZigBee as a machine: admission, distribution, activation, confirmation.
 *
 * It is told what happened and the time, and says what to do and what to report; it does nothing itself.
 * Invariants: the OTA server is authorised only after an unconditional admission on what the device itself
 * said, and for a device that says just that; one command to activate leaves for each that was given, and
 * again only where the device was read to wait for it still; every state that is not final has a
 * deadline that no device can push away; success is a version read back, never assumed.
 * Distribution and activation are two stages: a held image waits in `awaiting-activation`.
 */
import type { Decision } from '../admission/decide.ts';
import type { AdmissionFacts, DeviceFacts } from '../admission/facts.ts';
import { hexDigits } from '../bytes/hex.ts';
import { assert, UpliftError } from '../errors.ts';
import type { Machine } from '../protocol/machine.ts';
import { WAIT_S_MAX } from '../protocol/zcl-ota/activation.ts';
import { ANY_U16, STATUS, statusName } from '../protocol/zcl-ota/codec.ts';
import { type DeviceReading, UPGRADE_STATUS } from '../protocol/zcl-ota/device-reading.ts';
import type { Activation, DeviceFacts as QueryFacts } from '../protocol/zcl-ota/session.ts';
import { Confirmation } from './confirmation.ts';
import { Course, NEVER_MS } from './course.ts';
import type {
  SessionCommand,
  SessionEvent,
  SessionInput,
  SessionRequest,
} from './session-messages.ts';
import type { FailureCode, SessionState } from './states.ts';

export {
  SESSION_LIMITS,
  type SessionCommand,
  type SessionEvent,
  type SessionInput,
  type SessionLimits,
  type SessionRequest,
} from './session-messages.ts';

const NOTIFY_MS_MIN = 2_000;
const NOTIFY_MS_MAX = 20_000;
/** First look after the command to activate, and the pace of the looks after it. */
const CONFIRM_FIRST_MS = 2_500;
const CONFIRM_PERIOD_MS = 3_000;
/** An announcement shortly before the time to activate belongs to it: devices round to seconds. */
const EARLY_ACTIVATION_MS = 5_000;
const ANNOUNCE_SETTLE_MS = 150;
/** A command that the radio lost is repeated so often, each time on evidence that it was. */
const ACTIVATION_REPEATS_MAX = 3;
/** A later activation is commanded by the OTA server in time; a nearer one the device counts down itself. */
const COUNT_DOWN_MS_MAX = WAIT_S_MAX * 1000;
const HELD = { when: 'held' } as const;
/** A download that moves may take its time; one that never ends is ended. */
const TRANSFER_MS_MAX = 7 * 24 * 3_600_000;
/**
 * How often over a device may be served its image: a download that begins anew again and again, or that
 * creeps forward by repeats, costs everybody's air time and never ends.
 */
const SERVED_IMAGES_MAX = 16;

export class UpgradeSession implements Machine<SessionCommand, SessionEvent> {
  private readonly course: Course;
  private readonly request: SessionRequest;
  private readonly targetVersion: number;
  private readonly confirmation: Confirmation;
  private device: DeviceFacts;
  private activation: Activation;
  private authorised = false;
  /** The device asked for the image, whatever came of it. */
  private asked = false;
  /** What it said of itself when it last asked. */
  private query: QueryFacts | undefined;
  /** Blocks of it have left since the start. */
  private served = false;
  private readonly commands: SessionCommand[] = [];
  private wakeMs = NEVER_MS;
  private notifyMs = NOTIFY_MS_MIN;
  private notifiedMs = Number.NEGATIVE_INFINITY;
  private transferEndMs = NEVER_MS;
  private sentBytes = 0;
  private lastRequestMs = 0;
  private heardMs = 0;
  private stalls = 0;
  private attempts = 0;
  private drops = 0;
  private reading = false;
  /** The link was down when the command to activate was due. */
  private owesActivation = false;
  /** The command went out, and the device was read to wait for it still. */
  private activationRepeats = 0;
  /** The OTA server commands the activation when its time has come. */
  private serverCommands = false;

  constructor(request: SessionRequest) {
    this.request = request;
    this.course = new Course(request.limits.linkDownMs, request.kept);
    this.device = { ...request.device };
    this.activation = request.activation;
    this.targetVersion = request.image.header.fileVersion;
    this.confirmation = new Confirmation(this.targetVersion);
  }

  get state(): SessionState {
    return this.course.state;
  }

  get code(): FailureCode | undefined {
    return this.course.code;
  }

  /** Decides on what the model file says, and if that may be, turns to the device. */
  start(nowMs: number): void {
    assert(this.state === 'planned', 'a session starts once');
    const { activation, resumable, limits, kept } = this.request;
    if (this.course.hasAnnounced('activate')) {
      this.confirmCutOff(nowMs);
      return;
    }
    if (!this.decide(nowMs)) return;
    this.enter('staged', nowMs + limits.contactMs);
    // The OTA server would command the activation by itself, with no record before it.
    this.commands.push({ kind: 'assign', resumable, activation: kept ? HELD : activation });
    this.read();
    this.wakeMs = nowMs + NOTIFY_MS_MIN;
  }

  handle(input: SessionInput, nowMs: number): void {
    if (this.course.isOver) return;
    // Of a device that nobody has turned to yet only the link's state matters.
    if (this.state === 'planned' && !input.kind.startsWith('link-')) return;
    switch (input.kind) {
      case 'reading':
        this.reading = false;
        this.handleReading(input.reading, nowMs);
        return;
      case 'reading-failed':
        this.reading = false;
        if (this.state === 'staged') this.invite(nowMs);
        return;
      case 'assign-failed':
        this.fail(
          isChanged(input.error) ? 'image-changed' : 'image-not-served',
          input.error.message,
        );
        return;
      case 'query':
        this.handleQuery(input, nowMs);
        return;
      case 'asks-unauthorised':
        this.asked = true;
        this.read();
        return;
      case 'started':
        this.handleStarted(input.offset, nowMs);
        return;
      case 'partial-dropped':
        this.handlePartialDropped(input.offset, nowMs);
        return;
      case 'progress':
        this.handleProgress(input, nowMs);
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

  /** Calls it off. False where it is too late: the device acts on the command. */
  cancel(): boolean {
    if (this.course.isOver || this.confirms()) return false;
    this.course.finish('cancelled');
    if (this.course.hasBegun) this.commands.push({ kind: 'abort' });
    return true;
  }

  /** The image is on the device and waits for a command, as was asked. */
  holds(): boolean {
    return this.state === 'awaiting-activation' && this.activation.when === 'held';
  }

  /** Commands activation of an image that is held. */
  activate(activation: Activation, nowMs: number): void {
    assert(this.state === 'awaiting-activation', 'only a held image is activated by command');
    this.activation = activation;
    this.activationRepeats = 0;
    this.course.deadlineMs = this.activationDeadlineMs(nowMs);
    if (this.course.isLinkDown) this.owesActivation = true;
    else this.commandActivation(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.course.isOver) return;
    if (this.course.isLinkDown) {
      if (nowMs >= this.course.linkLostMs()) this.loseLink();
      return;
    }
    if (nowMs >= this.course.deadlineMs) {
      this.expire(nowMs);
      return;
    }
    if (nowMs < this.wakeMs) return;
    this.wakeMs = NEVER_MS;
    switch (this.state) {
      case 'staged':
        this.invite(nowMs);
        return;
      case 'distributing':
        this.rouse(nowMs);
        return;
      case 'awaiting-activation':
        this.confirmation.forgetBefore(nowMs - EARLY_ACTIVATION_MS);
        this.confirmWithin(this.request.limits.confirmMs, nowMs);
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
    return this.course.pollEvent();
  }

  pollTimeout(): number {
    return this.course.timeoutMs(this.wakeMs);
  }

  // ---- inputs ---------------------------------------------------------------------------------------

  private handleReading(reading: DeviceReading, nowMs: number): void {
    if (this.confirms()) {
      this.judge(reading.currentFileVersion, reading.softwareBuild, nowMs);
      if (this.confirms() && this.waitsForCommand(reading)) this.repeatActivation(reading, nowMs);
      return;
    }
    if (!this.distributes()) return;
    if (reading.currentFileVersion !== undefined)
      this.device.currentFileVersion = reading.currentFileVersion;
    if (this.runsAlready(this.device.currentFileVersion)) {
      this.done('already ran this version when it was asked');
      return;
    }
    if (!this.decide(nowMs)) return;
    if (this.holdsImage(reading)) this.takeOverHeldImage(reading, nowMs);
    else if (this.state === 'staged') this.invite(nowMs);
  }

  private handleQuery(input: Extract<SessionInput, { kind: 'query' }>, nowMs: number): void {
    const { manufacturerCode, imageType, fileVersion, hardwareVersion } = input.facts;
    this.asked = true;
    this.query = input.facts;
    if (input.answer === 'deferred') this.authorised = false;
    // Devices with several images ask for each in turn.
    if (input.answer === 'no-image' && this.state !== 'staged') return;
    if (this.confirms()) {
      this.judge(fileVersion, undefined, nowMs);
      return;
    }
    const unstated = hardwareVersion === undefined || hardwareVersion === ANY_U16;
    this.device = {
      ...this.device,
      manufacturerCode,
      imageType,
      currentFileVersion: fileVersion,
      hardwareVersion: unstated ? this.device.hardwareVersion : hardwareVersion,
    };
    if (this.runsAlready(fileVersion)) {
      this.done('already ran this version when it asked');
      return;
    }
    if (!this.distributes() || !this.decide(nowMs)) return;
    if (!this.authorised) this.fail('facts-missing');
  }

  private handleStarted(offset: number, nowMs: number): void {
    this.note(offset > 0 ? `goes on at byte ${offset}` : 'begins to download');
    if (offset === 0) this.commands.push({ kind: 'remember' });
    this.distribute(nowMs);
    if (this.state === 'distributing') this.hear(nowMs);
  }

  /** A device that is told to drop it, and asks to go on all the same, does not drop it. */
  private handlePartialDropped(offset: number, nowMs: number): void {
    if (!this.distributes()) return;
    this.note(
      offset > 0
        ? `was told to drop ${offset} bytes of a download this gateway did not send`
        : 'asked for data before it asked for the image',
    );
    this.drops++;
    if (this.drops >= this.request.limits.attemptsMax) this.fail('holds-unknown-image');
    else this.wakeBy(nowMs + NOTIFY_MS_MIN);
  }

  private handleProgress(
    { sentBytes, servedBytes = 0, lastRequestMs = 0 }: Extract<SessionInput, { kind: 'progress' }>,
    nowMs: number,
  ): void {
    const moved = sentBytes > this.sentBytes;
    if (moved) {
      this.sentBytes = sentBytes;
      this.distribute(nowMs);
    }
    const asked = lastRequestMs > this.lastRequestMs;
    this.lastRequestMs = Math.max(this.lastRequestMs, lastRequestMs);
    if (this.state !== 'distributing') return;
    if (servedBytes > SERVED_IMAGES_MAX * this.request.image.header.totalImageBytes) {
      this.fail('transfer-given-up', `${servedBytes} bytes were sent for one image`);
      return;
    }
    if (moved || asked) this.hear(nowMs);
    if (moved) {
      this.course.prolong(Math.min(this.transferEndMs, nowMs + this.request.limits.progressMs));
    }
  }

  private handleDownloaded(answer: 'now' | 'held' | 'at' | 'aborted', nowMs: number): void {
    if (this.confirms() || answer === 'aborted' || !this.authorised) return;
    if (this.state !== 'awaiting-activation') this.enterDistributed(nowMs);
    if (this.request.kept && this.activation.when === 'now') this.commandActivation(nowMs);
    else this.awaitActivation(nowMs);
  }

  private handleEnded(status: number, nowMs: number): void {
    const gaveUp = status === STATUS.abort;
    this.note(`ended its download: ${statusName(status)}`);
    // After a complete download what it runs decides, not what it says of the transfer.
    if (gaveUp && !this.distributes()) return;
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
    if (this.state === 'distributing') this.hear(nowMs);
    this.wakeMs = nowMs + NOTIFY_MS_MIN;
  }

  /** The OTA server says it once a silence; from then on this machine's own timer counts. */
  private handleStalled(silentMs: number, nowMs: number): void {
    if (this.state !== 'distributing' || this.course.isLinkDown) return;
    if (this.wakeMs !== NEVER_MS) return;
    this.heardMs = nowMs - silentMs;
    this.rouse(nowMs);
  }

  private handleAnnounced(nowMs: number): void {
    this.confirmation.announced(nowMs);
    if (this.confirms()) {
      if (this.state === 'activating') this.enter('confirming', this.course.deadlineMs);
      this.wakeBy(nowMs + ANNOUNCE_SETTLE_MS);
      return;
    }
    this.note('announced itself: it restarted or rejoined');
    if (this.state === 'staged') this.wakeBy(nowMs + ANNOUNCE_SETTLE_MS);
    if (this.state === 'distributing') this.wakeBy(nowMs + this.request.limits.stallMs / 4);
  }

  private handleLinkUp(nowMs: number): void {
    const downMs = this.course.linkUp(nowMs);
    if (downMs === undefined) return;
    this.reading = false;
    if (nowMs >= this.course.deadlineMs) this.expire(nowMs);
    else if (this.state === 'distributing') this.wakeMs = nowMs + this.request.limits.stallMs / 2;
    else if (this.state === 'awaiting-activation') this.resumeActivation(downMs, nowMs);
    else this.wakeMs = nowMs + ANNOUNCE_SETTLE_MS;
  }

  /** Commands what the link kept from being commanded, by the gateway or by the OTA server in its time. */
  private resumeActivation(downMs: number, nowMs: number): void {
    const { activation } = this;
    const dueMs = activation.when === 'at' ? activation.atMs : NEVER_MS;
    const missed = this.serverCommands && dueMs >= downMs && dueMs <= nowMs;
    const owes = this.owesActivation || missed;
    this.owesActivation = false;
    if (owes) this.commandActivation(nowMs);
    else this.awaitActivation(nowMs);
  }

  // ---- decisions ------------------------------------------------------------------------------------

  /** False where the session ended by it. Authorises as soon as nothing is open any more. */
  private decide(nowMs: number): boolean {
    const decision = this.ask(nowMs);
    if (decision.verdict === 'refused') {
      this.finish('refused', undefined, decision.ruleId);
      return false;
    }
    if (!decision.conditional && !this.authorised && this.state !== 'planned') this.authorise();
    return true;
  }

  private ask(nowMs: number): Decision {
    const { image, list, policy, context } = this.request;
    const facts: AdmissionFacts = { image, device: this.device, list, policy, context };
    return this.course.decide(facts, nowMs);
  }

  private authorise(): void {
    this.authorised = true;
    this.commands.push({ kind: 'authorise', admitted: this.query ?? 'unasked' });
  }

  /**
   * A version that this gateway put there: an earlier run was cut off after the activation, or the device
   * activated by itself, as most do that nobody answers.
   */
  private runsAlready(fileVersion: number | undefined): boolean {
    return (this.request.resumable || this.served) && fileVersion === this.targetVersion;
  }

  /** It holds the image, runs another and counts nothing down: the command did not reach it. */
  private waitsForCommand(reading: DeviceReading): boolean {
    const { imageUpgradeStatus, currentFileVersion } = reading;
    const countsDown = imageUpgradeStatus === UPGRADE_STATUS.countDown;
    return this.holdsImage(reading) && !countsDown && currentFileVersion !== undefined;
  }

  private repeatActivation({ currentFileVersion }: DeviceReading, nowMs: number): void {
    if (this.activationRepeats >= ACTIVATION_REPEATS_MAX) return;
    // An OTA server that was started since the announcement commands nobody whom it may not serve.
    if (!this.authorised) {
      this.device = { ...this.device, currentFileVersion };
      const { verdict, conditional } = this.ask(nowMs);
      if (verdict === 'refused' || conditional) return;
      this.authorise();
    }
    this.activationRepeats++;
    this.note('still waits for the command to activate, told again');
    this.commands.push({ kind: 'activate', activation: { when: 'now' } });
  }

  private holdsImage(reading: DeviceReading): boolean {
    const { imageUpgradeStatus: status, downloadedFileVersion } = reading;
    const holds =
      status === UPGRADE_STATUS.waitingToUpgrade ||
      status === UPGRADE_STATUS.countDown ||
      status === UPGRADE_STATUS.waitForExternalEvent;
    return holds && downloadedFileVersion === this.targetVersion;
  }

  private takeOverHeldImage(reading: DeviceReading, nowMs: number): void {
    if (!this.request.resumable && !this.served) {
      this.fail('holds-unknown-image');
      return;
    }
    if (!this.authorised) {
      this.fail('facts-missing');
      return;
    }
    const { activation } = this;
    const countsDown = reading.imageUpgradeStatus === UPGRADE_STATUS.countDown;
    this.note(
      countsDown
        ? 'counts down to its activation already, which cannot be recalled'
        : 'holds this image already',
    );
    this.enterDistributed(nowMs);
    if (countsDown) {
      if (activation.when !== 'held') this.commands.push({ kind: 'activate', activation });
      this.confirmWithin(COUNT_DOWN_MS_MAX + this.request.limits.confirmMs, nowMs);
    } else if (activation.when === 'held') {
      this.awaitActivation(nowMs);
    } else {
      this.commandActivation(nowMs);
    }
  }

  private commandActivation(nowMs: number): void {
    const { activation } = this;
    const act = (atMs: number): void => {
      this.commands.push({ kind: 'activate', activation });
      this.awaitActivation(atMs);
    };
    this.course.commit('activate', act, nowMs);
  }

  /**
   * A session before this one announced the activation and was cut off, before or after the command left.
   * The device alone knows: it runs the version, waits still, or went back; it is not given the image again.
   */
  private confirmCutOff(nowMs: number): void {
    this.note('its activation was announced before; what became of it is read from the device');
    this.commands.push({ kind: 'assign', resumable: true, activation: HELD });
    this.confirmWithin(this.request.limits.confirmMs, nowMs);
    this.read();
  }

  private enterDistributed(nowMs: number): void {
    this.confirmation.forgetBefore(nowMs);
    this.enter('distributed', nowMs + this.request.limits.confirmMs);
  }

  private awaitActivation(nowMs: number): void {
    const { activation } = this;
    if (activation.when === 'now') {
      this.confirmWithin(this.request.limits.confirmMs, nowMs);
      return;
    }
    const deadlineMs = this.activationDeadlineMs(nowMs);
    if (this.state !== 'awaiting-activation') this.enter('awaiting-activation', deadlineMs);
    const atMs = activation.when === 'at' ? Math.max(activation.atMs, nowMs) : NEVER_MS;
    this.serverCommands = atMs - nowMs > COUNT_DOWN_MS_MAX;
    this.wakeMs = atMs;
  }

  private activationDeadlineMs(nowMs: number): number {
    const { activation } = this;
    const { heldMs, confirmMs } = this.request.limits;
    if (activation.when === 'held') return nowMs + heldMs;
    return (activation.when === 'at' ? Math.max(activation.atMs, nowMs) : nowMs) + confirmMs;
  }

  private confirmWithin(confirmMs: number, nowMs: number): void {
    this.enter('activating', nowMs + confirmMs);
    this.wakeMs = nowMs + CONFIRM_FIRST_MS;
  }

  /** Judges a version read back after the command to activate. */
  private judge(fileVersion: number | undefined, build: string | undefined, nowMs: number): void {
    const judgement = this.confirmation.judge(fileVersion, build, nowMs);
    if (judgement === 'runs-target') this.done(`${this.confirmation.text()}, read back`);
    if (judgement === 'reverted') this.fail('device-reverted', this.confirmation.text());
  }

  private expire(nowMs: number): void {
    switch (this.state) {
      case 'activating':
      case 'confirming':
        if (this.confirmation.knownAt(nowMs)) this.fail('not-activated', this.confirmation.text());
        else this.finish('unknown-outcome', 'version-not-readable', this.confirmation.text());
        return;
      case 'staged':
        this.fail(this.asked && !this.authorised ? 'facts-missing' : 'device-silent');
        return;
      case 'awaiting-activation':
        this.fail(this.holds() ? 'hold-expired' : 'deadline-passed', this.state);
        return;
      default:
        this.fail('deadline-passed', this.state);
        return;
    }
  }

  /** What a device does that was told to activate, nobody sees now. */
  private loseLink(): void {
    if (this.confirms()) this.finish('unknown-outcome', 'link-lost', this.confirmation.text());
    else this.fail('link-lost');
  }

  // ---- leaves ---------------------------------------------------------------------------------------

  private distributes(): boolean {
    return this.state === 'staged' || this.state === 'distributing';
  }

  private confirms(): boolean {
    return this.state === 'activating' || this.state === 'confirming';
  }

  private distribute(nowMs: number): void {
    if (this.state !== 'staged' || !this.authorised) return;
    this.served = true;
    this.transferEndMs = nowMs + TRANSFER_MS_MAX;
    this.enter('distributing', nowMs + this.request.limits.progressMs);
    this.hear(nowMs);
  }

  /** A sign of life in a download. */
  private hear(nowMs: number): void {
    this.heardMs = nowMs;
    this.stalls = 0;
    this.wakeMs = NEVER_MS;
  }

  /** Wakes a device that fell silent in its download, a limited number of times in a row. */
  private rouse(nowMs: number): void {
    const { stallMs, stallsMax } = this.request.limits;
    const silence = `${Math.round((nowMs - this.heardMs) / 1000)} s`;
    this.stalls++;
    if (this.stalls > stallsMax) {
      this.fail('transfer-stalled', `${silence} of silence`);
      return;
    }
    this.note(`silent for ${silence}, asked again`);
    this.commands.push({ kind: 'notify' });
    this.wakeMs = nowMs + stallMs;
  }

  /** Invites a device to ask for the image, more and more seldom, and never in quick succession. */
  private invite(nowMs: number): void {
    const soonestMs = this.notifiedMs + NOTIFY_MS_MIN;
    if (nowMs < soonestMs) {
      this.wakeBy(soonestMs);
      return;
    }
    this.notifiedMs = nowMs;
    this.commands.push({ kind: 'notify' });
    this.wakeMs = nowMs + this.notifyMs;
    this.notifyMs = Math.min(2 * this.notifyMs, NOTIFY_MS_MAX);
  }

  /** What comes again and again must not put off what was to come before it. */
  private wakeBy(atMs: number): void {
    this.wakeMs = Math.min(this.wakeMs, atMs);
  }

  private read(): void {
    if (this.reading) return;
    this.reading = true;
    this.commands.push({ kind: 'read' });
  }

  private enter(state: SessionState, deadlineMs: number): void {
    this.course.enter(state, deadlineMs);
    this.wakeMs = NEVER_MS;
    this.notifyMs = NOTIFY_MS_MIN;
  }

  private fail(code: FailureCode, detail?: string): void {
    this.finish('failed', code, detail);
  }

  private done(detail: string): void {
    this.finish('done', undefined, detail, hexDigits(this.targetVersion, 8));
  }

  private finish(state: SessionState, code?: FailureCode, detail?: string, runs?: string): void {
    if (state !== 'refused' || this.course.hasBegun) this.commands.push({ kind: 'release' });
    this.course.finish(state, code, detail, runs);
  }

  private note(text: string): void {
    this.course.note(text);
  }
}

/** Whoever was to send found other bytes than the admitted ones: said by that name, and not as a mishap. */
function isChanged(error: Error): boolean {
  return error instanceof UpliftError && error.code === 'image-changed';
}
