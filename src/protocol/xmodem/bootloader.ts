/**
 * The client of the menu that Silicon Labs' Gecko bootloader and its forerunner, the Ember bootloader,
 * show on a UART, as a machine without I/O: who answers, upload, run.
 *
 * Source: the Gecko bootloader's UART XMODEM source and its user's guide; the Ember bootloader's texts as
 * other flashing programs expect them. Only the prompt `BL > ` is relied on to say that the menu waits.
 *
 * Invariants
 * - A task begins by waking the menu with a line feed, which both families take, and which ends an upload
 *   that was left half done (what stood in the device's flash is then gone already).
 * - The first block goes out only after "begin upload" and a `C` behind it; blocks have 128 bytes; nothing
 *   follows the last byte of the file but the padding of its block: the caller cuts the file to its end.
 * - An upload is done when the bootloader says so. An acknowledged end is not enough.
 * - Every wait has a deadline, and a task ends with one event.
 *
 * What a bootloader prints is kept in one buffer of fixed size, NULs dropped; nothing is allocated for a
 * block.
 *
 * It does not bring an application into its bootloader, and it does not look into the file.
 */
import { assert } from '../../errors.ts';
import type { ByteMachine } from '../machine.ts';
import { CRC_START } from './block.ts';
import { BLOCK_STATUS, FILE_STATUS, type XmodemFailure } from './codes.ts';
import { HeardText } from './heard-text.ts';
import { beforeMenu, choiceOf, menuFacts } from './menu.ts';
import {
  BOOTLOADER_TIMES,
  type BootloaderEvent,
  type BootloaderFacts,
  type BootloaderOptions,
  type BootloaderTask,
  type BootloaderTimes,
} from './messages.ts';
import { XmodemSender } from './sender.ts';

const PROMPT = 'BL > ';
const BEGIN = 'begin upload';
const COMPLETE = 'upload complete';
const ABORTED = 'upload aborted';

/** Above the bootloader's own 3 s, after which it refuses of itself. */
const ANSWER_MS = 5_000;
/** Below the second within which its user's guide, unlike its source, wants the next block. */
const SETTLE_MS = 500;
const CHOICES_MAX = 3;
/** After the prompt: a second menu, to a second wake-up, would still be coming. USB adapters pause 16 ms. */
const QUIET_MS = 60;
/** Something that never is quiet is no menu. */
const QUIET_WITHIN_MS = 2_000;
const CANCELS = 3;
const LINE_FEED = 0x0a;
const DIGIT_ZERO = 0x30;

/**
 * `wake`: a line feed is out, the menu is awaited. `prompt`: it came, quiet is awaited. `chosen`: a menu
 * entry is out, its text is awaited. `left`: `run` was chosen and the menu did not come back; is it really
 * gone? `request`: "begin upload" was heard, `C` is awaited. `blocks`: the transfer. `outcome`: the
 * transfer is over, the texts that say how it went are awaited, and the menu behind them.
 */
type State = 'idle' | 'wake' | 'prompt' | 'chosen' | 'left' | 'request' | 'blocks' | 'outcome';

/** What ended a transfer from our side; the bootloader's words about it are no news. */
const OUR_ENDINGS: readonly XmodemFailure[] = [
  'cancelled',
  'no-answer',
  'block-refused',
  'end-refused',
  'end-unanswered',
  'line-blocked',
];

type ProgressEvent = Extract<BootloaderEvent, { kind: 'progress' }>;

export class BootloaderClient implements ByteMachine<BootloaderEvent> {
  private readonly times: BootloaderTimes;
  private readonly choicesMax: number;
  private readonly sender: XmodemSender;
  private readonly heard = new HeardText();
  private readonly events: BootloaderEvent[] = [];
  private readonly progress: ProgressEvent = { kind: 'progress', sentBytes: 0, totalBytes: 0 };
  private progressWaits = false;
  private readonly key = new Uint8Array(1);
  /** To be pressed in the menu; -1 for none. */
  private keyWaiting = -1;

  private state: State = 'idle';
  private task: BootloaderTask = 'probe';
  private deadlineMs = Number.POSITIVE_INFINITY;
  private wakes = 0;
  private choices = 0;
  private image: Uint8Array = new Uint8Array(0);
  private facts: BootloaderFacts | undefined;
  /** What ended the transfer, as far as it is known before the bootloader's own words. */
  private ending: XmodemFailure | undefined;
  private quietByMs = 0;

  constructor(options: BootloaderOptions) {
    this.times = { ...BOOTLOADER_TIMES, ...options.times };
    this.choicesMax = options.choicesMax ?? CHOICES_MAX;
    this.sender = new XmodemSender({
      variant: 'xmodem',
      baudRate: options.baudRate,
      crcOnly: true,
      times: { answerMs: ANSWER_MS, settleMs: SETTLE_MS, ...options.blockTimes },
      cancels: CANCELS,
      backspaces: 0,
      ...(options.blockAttemptsMax === undefined ? {} : { attemptsMax: options.blockAttemptsMax }),
      ...(options.pad === undefined ? {} : { pad: options.pad }),
    });
  }

  /** Whether a task is under way. */
  get active(): boolean {
    return this.state !== 'idle';
  }

  /** Finds out who answers; ends with `bootloader` or `failed`. */
  probe(nowMs: number): void {
    this.begin('probe', nowMs);
  }

  /** Asks for what the menu calls its info; ends with `info` or `failed`. */
  info(nowMs: number): void {
    this.begin('info', nowMs);
  }

  /** Sends exactly these bytes, which the caller leaves unchanged until `uploaded` or `failed`. */
  upload(image: Uint8Array, nowMs: number): void {
    assert(image.length > 0, 'an image has bytes');
    this.image = image;
    this.begin('upload', nowMs);
  }

  /** Leaves the bootloader for the application; ends with `running` or `failed`. */
  run(nowMs: number): void {
    this.begin('run', nowMs);
  }

  /** Ends the task. An upload under way is ended in the bootloader too, so that the menu is back. */
  cancel(nowMs: number): void {
    if (this.state === 'idle' || this.ending === 'cancelled') return;
    if (this.state === 'blocks') {
      this.sender.cancel();
      this.drainSender(nowMs);
    } else if (this.state === 'request') {
      // A line feed is no block: the bootloader ends the upload.
      this.press(LINE_FEED);
      this.awaitOutcome('cancelled', nowMs);
    } else if (this.state === 'outcome') {
      this.ending = 'cancelled';
    } else {
      this.fail('cancelled');
    }
  }

  /** The bytes are read during the call only. */
  handleBytes(bytes: Uint8Array, nowMs: number): void {
    for (let i = 0; i < bytes.length; i++) this.handleByte(bytes[i]!, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.state === 'blocks') {
      this.sender.handleTimeout(nowMs);
      this.drainSender(nowMs);
      return;
    }
    if (nowMs < this.deadlineMs) return;
    switch (this.state) {
      case 'wake':
        this.wakeAgain(nowMs);
        return;
      case 'prompt':
        if (this.heard.endsWith(PROMPT)) this.choose(nowMs);
        else this.wakeAgain(nowMs);
        return;
      case 'chosen':
        if (this.task === 'run') this.checkThatItLeft(nowMs);
        else this.chooseAgain(nowMs);
        return;
      case 'left':
        this.succeed({ kind: 'running', heard: this.heard.text() });
        return;
      case 'request':
        this.chooseAgain(nowMs);
        return;
      case 'outcome':
        this.conclude();
        return;
    }
  }

  /** A view of the machine's own buffers, unchanged until the next call. */
  pollTransmit(nowMs: number): Uint8Array | undefined {
    const cancels = this.sender.active ? undefined : this.sender.pollTransmit(nowMs);
    if (cancels) return cancels;
    if (this.keyWaiting >= 0) {
      this.key[0] = this.keyWaiting;
      this.keyWaiting = -1;
      return this.key;
    }
    return this.state === 'blocks' ? this.sender.pollTransmit(nowMs) : undefined;
  }

  pollEvent(): BootloaderEvent | undefined {
    if (this.progressWaits) {
      this.progressWaits = false;
      return this.progress;
    }
    return this.events.length > 0 ? this.events.shift() : undefined;
  }

  pollTimeout(): number {
    return this.state === 'blocks' ? this.sender.pollTimeout() : this.deadlineMs;
  }

  // ---- what is heard ----------------------------------------------------------------------------------

  private handleByte(byte: number, nowMs: number): void {
    if (this.state === 'idle') return;
    const isText = this.heard.add(byte);
    if (this.state === 'blocks') this.handleBlockByte(byte, nowMs);
    if (!isText) return;
    switch (this.state) {
      case 'wake':
        if (this.heard.endsWith(PROMPT)) this.awaitQuiet(nowMs, nowMs + QUIET_WITHIN_MS);
        return;
      case 'prompt':
        this.awaitQuiet(nowMs, this.quietByMs);
        return;
      case 'chosen':
        this.handleChosen(nowMs);
        return;
      case 'request':
        if (byte === CRC_START) this.beginBlocks(nowMs);
        return;
      case 'left':
        if (this.heard.endsWith(PROMPT)) this.chooseAgain(nowMs);
        return;
      case 'blocks':
        this.handleBlockText(nowMs);
        return;
      case 'outcome':
        if (this.heard.endsWith(PROMPT)) this.conclude();
        return;
    }
  }

  private handleChosen(nowMs: number): void {
    if (this.task === 'upload') {
      if (!this.heard.endsWith(BEGIN)) return;
      this.state = 'request';
      this.deadlineMs = nowMs + this.times.requestMs;
      return;
    }
    if (!this.heard.endsWith(PROMPT)) return;
    if (this.task === 'info') this.succeed({ kind: 'info', text: beforeMenu(this.heard.text()) });
    else this.fail('not-started');
  }

  private beginBlocks(nowMs: number): void {
    this.state = 'blocks';
    this.heard.clear();
    this.sender.start([{ bytes: this.image }], nowMs);
    this.sender.handleByte(CRC_START, nowMs);
    this.events.push({ kind: 'upload-started' });
    this.drainSender(nowMs);
  }

  private handleBlockByte(byte: number, nowMs: number): void {
    this.sender.handleByte(byte, nowMs);
    this.drainSender(nowMs);
  }

  /** Text among the answers says how the upload ends, even where the answers themselves are lost. */
  private handleBlockText(nowMs: number): void {
    const complete = this.heard.endsWith(COMPLETE);
    const aborted = this.heard.endsWith(ABORTED);
    if (complete || aborted) {
      this.sender.abandon();
      this.awaitOutcome(aborted ? 'aborted-by-bootloader' : undefined, nowMs);
    } else if (this.heard.endsWith(PROMPT)) {
      this.fail('upload-left');
    }
  }

  /** Hands on what the transfer says, and follows it when it ends. */
  private drainSender(nowMs: number): void {
    for (let event = this.sender.pollEvent(); event; event = this.sender.pollEvent()) {
      switch (event.kind) {
        case 'progress':
          this.progress.sentBytes = event.sentBytes;
          this.progress.totalBytes = event.totalBytes;
          this.progressWaits = true;
          break;
        case 'retry':
          this.events.push(event);
          break;
        case 'done':
          this.awaitOutcome(undefined, nowMs);
          break;
        case 'failed':
          this.awaitOutcome(event.code, nowMs);
          break;
      }
    }
  }

  // ---- from state to state ----------------------------------------------------------------------------

  private begin(task: BootloaderTask, nowMs: number): void {
    assert(this.state === 'idle', 'one task at a time');
    this.task = task;
    this.events.length = 0;
    this.progressWaits = false;
    this.facts = undefined;
    this.choices = 0;
    this.ending = undefined;
    this.wake(nowMs);
  }

  private wake(nowMs: number): void {
    this.wakes = 0;
    this.heard.clear();
    this.wakeAgain(nowMs);
  }

  private wakeAgain(nowMs: number): void {
    const waitMs = this.times.wakeMs[this.wakes++];
    if (waitMs === undefined) {
      const heard = this.heard.text();
      const bootloader = this.facts !== undefined || /Bootloader|BL >/.test(heard);
      const other = this.heard.anything ? 'not-a-bootloader' : 'silent';
      this.fail(bootloader ? 'no-menu' : other);
      return;
    }
    this.state = 'wake';
    this.press(LINE_FEED);
    this.deadlineMs = nowMs + waitMs;
  }

  private awaitQuiet(nowMs: number, quietByMs: number): void {
    this.state = 'prompt';
    this.quietByMs = quietByMs;
    this.deadlineMs = Math.min(nowMs + QUIET_MS, quietByMs);
  }

  /** The menu waits: say who it is, and choose. */
  private choose(nowMs: number): void {
    const menu = this.heard.text();
    if (!this.facts) {
      this.facts = menuFacts(menu);
      this.events.push({ kind: 'bootloader', facts: this.facts });
    }
    if (this.task === 'probe') {
      this.toIdle();
      return;
    }
    this.choices++;
    this.heard.clear();
    this.press(DIGIT_ZERO + choiceOf(menu, this.task));
    this.state = 'chosen';
    this.deadlineMs = nowMs + (this.task === 'run' ? this.times.runMs : this.times.choiceMs);
  }

  private chooseAgain(nowMs: number): void {
    if (this.choices < this.choicesMax) this.wake(nowMs);
    else this.fail(this.task === 'run' ? 'not-started' : 'choice-ignored');
  }

  /** The key may have been lost: a menu that is still there answers a line feed. */
  private checkThatItLeft(nowMs: number): void {
    this.state = 'left';
    this.press(LINE_FEED);
    this.deadlineMs = nowMs + this.times.choiceMs;
  }

  private awaitOutcome(ending: XmodemFailure | undefined, nowMs: number): void {
    this.ending = ending;
    this.state = 'outcome';
    this.deadlineMs = nowMs + this.times.outcomeMs;
  }

  /** The menu is back, or too late: the bootloader's words decide, then what the transfer knew. */
  private conclude(): void {
    const text = this.heard.text();
    const reported = /(file|block) error 0x([0-9a-f]{2})/i.exec(text);
    const status = reported ? Number.parseInt(reported[2]!, 16) : undefined;
    if (text.includes(COMPLETE)) {
      const { blocks, resent } = this.sender;
      this.succeed({ kind: 'uploaded', blocks, resent });
    } else if (this.ending && OUR_ENDINGS.includes(this.ending)) {
      this.fail(this.ending, status);
    } else if (reported) {
      const ofFile = reported[1]!.toLowerCase() === 'file';
      const meaning = (ofFile ? FILE_STATUS : BLOCK_STATUS)[status!];
      this.fail(meaning?.code ?? (ofFile ? 'file-refused' : 'block-unusable'), status);
    } else {
      const aborted = text.includes(ABORTED) ? 'aborted-by-bootloader' : undefined;
      this.fail(aborted ?? this.ending ?? 'outcome-missing');
    }
  }

  private succeed(event: BootloaderEvent): void {
    this.toIdle();
    this.events.push(event);
  }

  private fail(code: XmodemFailure, status?: number): void {
    const heard = this.heard.text();
    this.toIdle();
    this.events.push({ kind: 'failed', task: this.task, code, status, heard });
  }

  private toIdle(): void {
    if (this.sender.active) this.sender.abandon();
    this.state = 'idle';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.image = new Uint8Array(0);
  }

  private press(key: number): void {
    this.keyWaiting = key;
  }
}
