/**
 * The upgrade of a hub through its Gecko or Ember bootloader (XMODEM; GBL, EBL), as a machine that contains
 * the protocol's client: bytes of the line in and out, and what is no bytes as a command.
 *
 * There is one slot: from the first block on the old application is gone, an upload that breaks off begins
 * anew, and nothing can be held for later. As long as the bootloader answers, a hub without an application
 * is upgraded like any other; so a session begun anew after a crash simply uploads again.
 *
 * Invariants
 * - No block leaves before an admission, and before it was said what the upload costs; after any break the
 *   bootloader is asked who it is before the next.
 * - `done` rests on the application's own words: it printed the version of the image when it started, or
 *   said it when it was asked as its model says. That the bootloader verified the image and left for it is said, and is not called done.
 * - Every state has a deadline, and every wait ends.
 */
import { assert } from '../errors.ts';
import { parseHubVersion } from '../image/hub-image.ts';
import { BootloaderClient } from '../protocol/xmodem/bootloader.ts';
import { XMODEM_FAILURES, type XmodemFailure } from '../protocol/xmodem/codes.ts';
import { HeardText } from '../protocol/xmodem/heard-text.ts';
import {
  BOOTLOADER_TIMES,
  type BootloaderEvent,
  type BootloaderFacts,
} from '../protocol/xmodem/messages.ts';
import { ApplicationVersion } from './application-version.ts';
import { NEVER_MS } from './course.ts';
import { HubCourse } from './hub-course.ts';
import type {
  BootloaderSessionRequest,
  HubCommand,
  HubInput,
  HubSession,
  HubSessionEvent,
  UploadSample,
} from './hub-session-messages.ts';
import type { FailureCode, SessionState } from './states.ts';

const BLOCK_BYTES = 128;
/** Between two attempts. */
const PAUSE_MS = 1_000;
/** Before its line is worked, a bootloader that is there already is looked for so long. */
const FIRST_WAKES_MS = BOOTLOADER_TIMES.wakeMs.slice(0, 2);
/** As much of what an application printed is repeated to a person. */
const HEARD_CHARACTERS_MAX = 120;

/** Refusals that the same bytes would meet again. */
const REFUSED_FOR_GOOD: readonly XmodemFailure[] = [
  'file-header-wrong',
  'file-tag-unknown',
  'file-signature-wrong',
  'file-kind-wrong',
  'file-key-missing',
  'file-refused',
];

/**
 * What is under way. `first-look`: is it in its bootloader already? `ask`: then its application is asked
 * which version it is, until `wakeMs`. `steps`: the runner works the line.
 * `pause`: until `wakeMs`, then `probe`. `run-back`: the image was refused; is the old one there still?
 * `listen`: to what the application prints.
 */
type Step =
  | 'none'
  | 'first-look'
  | 'ask'
  | 'steps'
  | 'pause'
  | 'probe'
  | 'upload'
  | 'run'
  | 'run-back'
  | 'listen';

export class BootloaderSession implements HubSession {
  private readonly request: BootloaderSessionRequest;
  private readonly course: HubCourse;
  private client: BootloaderClient;
  private readonly heard = new HeardText();
  private readonly sample: UploadSample;
  private step: Step = 'none';
  private wakeMs = NEVER_MS;
  /** A first block was asked for: the old application is gone, as far as is known. */
  private begun = false;
  private attempts = 0;
  private refusal = '';
  /** Why the last attempt to reach it failed. */
  private trouble = '';
  private described = '';
  private stopping = false;
  /** Where the model says how the application is asked. */
  private readonly ownWords: ApplicationVersion | undefined;
  /** Which version it said it was, before the upload, in words that can be compared. */
  private running: string | undefined;

  constructor(request: BootloaderSessionRequest) {
    const { hubImage, applicationVersion } = request;
    assert(hubImage.profile !== 'mcuboot', 'bootloaders take GBL and EBL images');
    this.request = request;
    this.course = new HubCourse(request);
    this.client = this.newClient();
    this.ownWords = applicationVersion && new ApplicationVersion(applicationVersion);
    this.sample = {
      sentBytes: 0,
      totalBytes: hubImage.sendBytes.length,
      blocks: 0,
      repeats: 0,
      lastRequestMs: Number.NEGATIVE_INFINITY,
    };
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
      this.run(nowMs);
      return;
    }
    if (!this.course.admitModel(nowMs)) return;
    const { activation, limits } = this.request;
    if (activation.when === 'held') {
      this.course.fail('hold-impossible');
    } else if (activation.when === 'at' && activation.atMs > nowMs) {
      // The upload is the activation: nothing is sent before its time.
      this.course.enter('awaiting-activation', activation.atMs + limits.contactMs);
      this.wakeMs = activation.atMs;
    } else {
      this.turnTo(nowMs);
    }
  }

  private turnTo(nowMs: number): void {
    this.wakeMs = NEVER_MS;
    this.course.enter('staged', nowMs + this.request.limits.contactMs);
    if (!this.request.line.canEnterBootloader && !this.ownWords) {
      this.probe(nowMs);
      return;
    }
    this.lookFirst(nowMs);
  }

  handle(input: HubInput, nowMs: number): void {
    if (this.course.isOver) return;
    switch (input.kind) {
      case 'steps-done':
        if (this.step === 'steps' && !this.course.isLinkDown) this.probe(nowMs);
        return;
      case 'link-down':
        // Half a block that is sent later would be none: a new client begins anew.
        this.client = this.newClient();
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

  /** Nothing is: what is uploaded is in place of what ran. */
  holds(): boolean {
    return false;
  }

  /** From the first block on the hub has no application, and one that is called off would have none. */
  cancel(): boolean {
    if (this.course.isOver || this.course.hasAnnounced('replace')) return false;
    this.course.finish('cancelled', undefined, this.leftAs());
    return true;
  }

  stop(nowMs: number): void {
    if (this.course.isOver || this.stopping) return;
    const uploads = this.step === 'upload' && this.client.active && !this.course.isLinkDown;
    if (!uploads) {
      this.course.stop(this.leftAs());
      return;
    }
    this.stopping = true;
    this.client.cancel(nowMs);
    this.drain(nowMs);
  }

  handleBytes(bytes: Uint8Array, nowMs: number): void {
    if (this.course.isOver) return;
    if (this.step === 'listen') {
      for (let i = 0; i < bytes.length; i++) this.heard.add(bytes[i]!);
      this.judge();
      return;
    }
    if (this.step === 'ask') {
      const version = this.ownWords!.take(bytes);
      if (version !== undefined) this.handleVersion(version, nowMs);
      return;
    }
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
    if (nowMs >= this.course.deadlineMs) this.expire();
    else if (nowMs < this.wakeMs) return;
    else if (this.state === 'awaiting-activation') this.turnTo(nowMs);
    else if (this.step === 'listen') this.listen(nowMs);
    else if (this.step === 'ask') this.leaveApplication(nowMs);
    else this.probe(nowMs);
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    if (this.course.isOver || this.course.isLinkDown || this.step === 'steps') return undefined;
    const isApplication = this.step === 'ask' || this.step === 'listen';
    return isApplication ? this.ownWords?.pollTransmit() : this.client.pollTransmit(nowMs);
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
      if (!this.course.isOver) this.handleClient(event, nowMs);
    }
  }

  private handleClient(event: BootloaderEvent, nowMs: number): void {
    switch (event.kind) {
      case 'bootloader':
        if (this.step === 'probe' || this.step === 'first-look') this.meet(event.facts, nowMs);
        return;
      case 'upload-started':
        this.begun = true;
        return;
      case 'progress':
        this.progress(event.sentBytes, nowMs);
        return;
      case 'retry':
        this.sample.repeats++;
        return;
      case 'uploaded':
        this.handleUploaded(nowMs);
        return;
      case 'running':
        this.handleRunning(event.heard, nowMs);
        return;
      case 'failed':
        this.handleFailed(event, nowMs);
        return;
      case 'info':
        return;
    }
  }

  private meet(facts: BootloaderFacts, nowMs: number): void {
    const { hubImage } = this.request;
    const title = facts.title || 'a menu without a title';
    const text = `its bootloader answers: ${title}; what it ran before, it does not tell`;
    if (text !== this.described) this.course.note(text);
    this.described = text;
    if (facts.wants !== undefined && facts.wants !== hubImage.profile) {
      this.course.fail('bootloader-other', `${facts.wants}, and this is ${hubImage.profile}`);
      return;
    }
    if (!this.begun && !this.course.admitHub({ runningVersion: this.running }, nowMs)) return;
    if (!this.begun) this.course.note(planText(hubImage.sendBytes.length));
    this.step = 'none';
    this.course.commit('replace', (atMs) => this.upload(atMs), nowMs);
  }

  private upload(nowMs: number): void {
    if (this.state !== 'distributing') {
      this.course.enter('distributing', nowMs + this.request.limits.progressMs);
    }
    this.step = 'upload';
    this.sample.sentBytes = 0;
    this.client.upload(this.request.hubImage.sendBytes, nowMs);
  }

  private progress(sentBytes: number, nowMs: number): void {
    const { sample } = this;
    sample.blocks += Math.ceil(Math.max(0, sentBytes - sample.sentBytes) / BLOCK_BYTES);
    sample.sentBytes = sentBytes;
    sample.lastRequestMs = nowMs;
    this.course.prolong(nowMs + this.request.limits.progressMs);
    this.course.sample(sample);
  }

  private handleUploaded(nowMs: number): void {
    const { limits } = this.request;
    this.sample.sentBytes = this.sample.totalBytes;
    this.sample.lastRequestMs = nowMs;
    this.course.sample(this.sample, true);
    this.course.enter('distributed', nowMs + limits.confirmMs);
    this.course.note('the bootloader says that the image is complete');
    if (this.stopping) {
      this.course.stop('stopped; the hub waits in its bootloader with the whole image');
      return;
    }
    this.course.commit('activate', (atMs) => this.run(atMs), nowMs);
  }

  /** Where a session before this one was cut off, nothing is uploaded anew: the menu, or none, tells. */
  private run(nowMs: number): void {
    const { limits, line } = this.request;
    this.course.enter('activating', nowMs + line.bootMs + limits.confirmMs);
    this.step = 'run';
    this.client.run(nowMs);
  }

  private handleRunning(heard: string, nowMs: number): void {
    if (this.step === 'run-back') {
      this.course.fail('image-refused-by-device', this.refusal);
      return;
    }
    this.step = 'listen';
    for (let i = 0; i < heard.length; i++) this.heard.add(heard.charCodeAt(i));
    const withinMs = this.ownWords?.withinMs ?? 0;
    this.course.enter('confirming', nowMs + this.request.line.bootMs + withinMs);
    this.judge();
    if (!this.course.isOver) this.listen(nowMs);
  }

  private handleFailed(event: Extract<BootloaderEvent, { kind: 'failed' }>, nowMs: number): void {
    const { task, code, status } = event;
    const number = status === undefined ? '' : ` (status 0x${status.toString(16)})`;
    this.trouble = `${XMODEM_FAILURES[code].sentence}${number}`;
    if (this.stopping) this.course.stop(this.leftAs());
    else if (this.step === 'first-look') this.askVersion(nowMs);
    else if (task === 'run') this.handleRunFailed(code, nowMs);
    else if (task === 'upload') this.handleUploadFailed(code, nowMs);
    else if (this.begun) this.tryAgain(nowMs);
    else this.pause(nowMs);
  }

  /** Where the application before it can still be run, the hub is not left without one. */
  private handleUploadFailed(code: XmodemFailure, nowMs: number): void {
    if (!REFUSED_FOR_GOOD.includes(code)) {
      this.tryAgain(nowMs);
      return;
    }
    this.refusal = this.trouble;
    this.course.note(`${this.trouble}; tried whether the application before it still runs`);
    this.step = 'run-back';
    this.client.run(nowMs);
  }

  private handleRunFailed(code: XmodemFailure, nowMs: number): void {
    if (this.step === 'run-back') {
      this.course.fail('image-refused-by-bootloader', this.refusal);
    } else if (code === 'not-started') {
      this.course.fail('boots-into-recovery', this.trouble);
    } else if (code === 'silent' || code === 'not-a-bootloader') {
      // No menu: it left for the application, though not at this word.
      this.handleRunning('', nowMs);
    } else {
      this.course.finish('unknown-outcome', 'version-not-readable', this.trouble);
    }
  }

  private handleLinkUp(nowMs: number): void {
    if (this.course.linkUp(nowMs) === undefined || this.state === 'planned') return;
    if (nowMs >= this.course.deadlineMs) {
      this.expire();
    } else if (this.step === 'run' || this.step === 'run-back') {
      this.client.run(nowMs);
    } else if (this.step === 'first-look' || this.step === 'ask') {
      this.lookFirst(nowMs);
    } else if (this.step !== 'listen' && this.state !== 'awaiting-activation') {
      this.pause(nowMs);
    }
  }

  // ---- leaves -------------------------------------------------------------------------------------------

  private lookFirst(nowMs: number): void {
    this.step = 'first-look';
    this.wakeMs = NEVER_MS;
    this.client = this.newClient(FIRST_WAKES_MS);
    this.client.probe(nowMs);
  }

  /** No bootloader answers, so an application may: to a menu the question might be a choice. */
  private askVersion(nowMs: number): void {
    if (this.ownWords === undefined) {
      this.leaveApplication(nowMs);
      return;
    }
    this.step = 'ask';
    this.wakeMs = nowMs + this.ownWords.withinMs;
    this.ownWords.ask();
  }

  /** Decided on before the application is left for the bootloader. */
  private handleVersion(version: string, nowMs: number): void {
    const comparable = parseHubVersion(this.request.hubImage.profile, version) !== undefined;
    const limit = comparable ? '' : ', which cannot be compared with the image';
    this.course.note(`its application says that it is ${version}${limit}`);
    this.running = comparable ? version : undefined;
    if (this.course.admitHub({ runningVersion: this.running }, nowMs)) this.leaveApplication(nowMs);
  }

  private leaveApplication(nowMs: number): void {
    this.wakeMs = NEVER_MS;
    if (this.request.line.canEnterBootloader) this.enterBootloader();
    else this.probe(nowMs);
  }

  /** Asks again as long as it boots. */
  private listen(nowMs: number): void {
    if (this.ownWords === undefined) return;
    this.ownWords.askAgain();
    this.wakeMs = nowMs + this.ownWords.withinMs;
  }

  private probe(nowMs: number): void {
    this.step = 'probe';
    this.wakeMs = NEVER_MS;
    this.client = this.newClient();
    this.client.probe(nowMs);
  }

  private pause(nowMs: number): void {
    this.step = 'pause';
    this.wakeMs = nowMs + PAUSE_MS;
  }

  private enterBootloader(): void {
    this.step = 'steps';
    const text = 'no bootloader answers: brought into it over its line';
    this.course.order({ kind: 'line-steps', steps: 'enterBootloader' }, text);
  }

  private tryAgain(nowMs: number): void {
    this.attempts++;
    if (this.attempts >= this.request.limits.attemptsMax) {
      this.course.fail(this.begun ? 'left-in-bootloader' : 'transfer-broken', this.trouble);
      return;
    }
    this.course.note(`${this.trouble}; the upload begins anew`);
    this.pause(nowMs);
  }

  /** Only what the application itself prints is read back. */
  private judge(): void {
    const { version, profile } = this.request.hubImage;
    const text = this.heard.text();
    if (version === undefined) return;
    const own = this.ownWords?.versionIn(text);
    const says = own !== undefined && parseHubVersion(profile, own)?.text === version.text;
    if (!says && !saysVersion(text, version.text)) return;
    this.course.done(version.text, `the application says ${version.text}, read back`);
  }

  private newClient(wakeMs?: readonly number[]): BootloaderClient {
    const { baudRate, answerTimeoutMs, attemptsMax } = this.request.line;
    return new BootloaderClient({
      baudRate: baudRate ?? Number.POSITIVE_INFINITY,
      blockTimes: { answerMs: answerTimeoutMs },
      blockAttemptsMax: attemptsMax,
      ...(wakeMs ? { times: { wakeMs } } : {}),
    });
  }

  private expire(): void {
    switch (this.state) {
      case 'staged':
        this.course.fail('hub-silent', this.trouble || undefined);
        return;
      case 'activating':
        this.course.finish('unknown-outcome', 'version-not-readable', this.trouble || undefined);
        return;
      case 'confirming':
        this.course.finish('unknown-outcome', 'application-unheard', this.heardText());
        return;
      default:
        this.course.fail(this.begun ? 'left-in-bootloader' : 'deadline-passed', this.trouble);
        return;
    }
  }

  private loseLink(): void {
    if (this.state === 'activating' || this.state === 'confirming')
      this.course.finish('unknown-outcome', 'link-lost');
    else if (this.begun) this.course.fail('left-in-bootloader', 'the link did not come back');
    else this.course.fail('link-lost');
  }

  private heardText(): string {
    const words = this.heard.text().split(/\s+/).filter(Boolean).join(' ');
    if (words === '') return 'it printed nothing';
    return `it printed "${words.slice(0, HEARD_CHARACTERS_MAX)}"`;
  }

  private leftAs(): string {
    if (this.state === 'activating' || this.state === 'confirming')
      return 'stopped; the hub has left its bootloader for the whole new image';
    return this.begun
      ? 'stopped; the hub waits in its bootloader, without an application'
      : 'stopped; the hub has what it had';
  }
}

function planText(imageBytes: number): string {
  return (
    `${imageBytes} bytes in blocks of ${BLOCK_BYTES} go in place of its application: from the first ` +
    'block on that is gone, and an upload that breaks off or is stopped leaves the hub in its ' +
    'bootloader and begins anew; then the image is started'
  );
}

/** As a word of its own. */
function saysVersion(text: string, version: string): boolean {
  return text.split(/[^0-9A-Za-z.+]+/).includes(version);
}
