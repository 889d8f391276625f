/**
 * Sends files by XMODEM (checksum or CRC), XMODEM-1K or YMODEM, as a machine without I/O. The wire is
 * described in block.ts; the rules are those of Forsberg's XMODEM/YMODEM text as programs in the field
 * keep them.
 *
 * The protocol's answers carry no number, so an answer to one copy of a block is easily taken for that to
 * another, and a sender that is misled by one block goes on misled. What is done about it:
 * - An answer that comes before the line can have carried the block is none to it, and is dropped. Where
 *   the first acknowledgement of a transfer is that early, or silence follows one that was dropped, the
 *   line is faster than its baud rate says (a pseudo-terminal, a USB device) and nothing is dropped any more.
 * - After silence, and after a refusal so late that it may be the receiver's own time-out, an answer may
 *   still be under way. So the next block waits until it has come, or for `settleMs`; a refusal in that time
 *   sends the block again.
 * - The end of a file waits in the same way, for longer where any of this happened: an end acknowledged by
 *   a surplus answer would leave the receiver without its last block, or waiting.
 *
 * A block of 1,024 bytes is cut to 128 only if every copy was refused. If one stayed unanswered the
 * receiver may have it, would take the smaller one for a repeat, and lose the rest in silence.
 *
 * Bytes: a block is built inside `pollTransmit` and stays until the next `pollTransmit`, so what a driver
 * is still writing does not change under it, whatever arrives. Nothing is allocated for a block, measured
 * by test/bench/xmodem.bench.ts.
 *
 * What no sender can tell: where something on the line makes two answers of one, and the last block of the
 * same file is lost, the answers come out even. A file needs a check of its own behind this protocol.
 *
 * It does not speak YMODEM-G, which has no answers at all, and it resumes nothing.
 */
import { assert } from '../../errors.ts';
import type { ByteMachine } from '../machine.ts';
import {
  ACK,
  BACKSPACE,
  BLOCK_BYTES_MAX,
  CAN,
  CANCELS_WANTED,
  type Check,
  CRC_BYTES,
  CRC_START,
  EOT,
  HEAD_BYTES,
  LARGE_BYTES,
  NAK,
  PAD,
  SMALL_BYTES,
  SUM_BYTES,
  sealBlock,
  wireMs,
} from './block.ts';
import type { XmodemFailure } from './codes.ts';
import { LineTime } from './line-time.ts';
import {
  XMODEM_TIMES,
  type XmodemEvent,
  type XmodemFile,
  type XmodemSenderOptions,
  type XmodemTimes,
} from './messages.ts';
import { batchEnd, fileHeader } from './ymodem-header.ts';

/** The original text's bound. */
const ATTEMPTS_MAX = 10;
/** Refusals of every copy of a large block after which small ones are tried. */
const REFUSALS_BEFORE_SMALLER = 3;
/** A larger rest goes out in one large block: eight small ones are longer than that. */
const SMALL_REST_BYTES_MAX = LARGE_BYTES - SMALL_BYTES;
/** A refusal so long after a block may be the receiver's own time-out, which begins at 1 s; ours. */
const LATE_REFUSAL_MS = 800;
/** Before the end of a file: longer than a block takes by so much. USB adapters pause 16 ms, flash 14. */
const END_QUIET_MS = 50;
/** A request to start that comes so long after the first block is a refusal of it, ms; ours. */
const START_REPEATED_MS = 500;
/** Silence behind an answer that was dropped as too early: it was the answer after all; ours. */
const EARLY_DOUBT_MS = 1_000;
const CANCELS = 8;

type State = 'idle' | 'await-start' | 'send' | 'await-answer' | 'settle' | 'ended';
type Item = 'header' | 'data' | 'end' | 'batch-end';
type ProgressEvent = Extract<XmodemEvent, { kind: 'progress' }>;

export class XmodemSender implements ByteMachine<XmodemEvent> {
  private readonly options: XmodemSenderOptions;
  private readonly line: LineTime;
  private readonly times: XmodemTimes;
  private readonly attemptsMax: number;
  private readonly pad: number;
  private readonly block = new Uint8Array(BLOCK_BYTES_MAX);
  private readonly smallWithCrc = this.block.subarray(0, HEAD_BYTES + SMALL_BYTES + CRC_BYTES);
  private readonly smallWithSum = this.block.subarray(0, HEAD_BYTES + SMALL_BYTES + SUM_BYTES);
  private readonly endBytes = new Uint8Array([EOT]);
  private readonly cancelBytes: Uint8Array;
  private readonly events: XmodemEvent[] = [];
  private readonly progress: ProgressEvent = {
    kind: 'progress',
    file: 0,
    sentBytes: 0,
    totalBytes: 0,
  };
  private progressWaits = false;
  private cancelWaits = false;

  private state: State = 'idle';
  private item: Item = 'data';
  private deadlineMs = Number.POSITIVE_INFINITY;
  private files: readonly XmodemFile[] = [];
  private file = 0;
  private source: Uint8Array = new Uint8Array(0);
  private header: Uint8Array = new Uint8Array(0);
  private offset = 0;
  private number = 1;
  private check: Check = 'crc';
  private smallOnly = false;
  /** Copies of what is being sent: all, those refused, those that may still be answered. */
  private attempts = 0;
  private refusals = 0;
  private unsure = 0;
  /** While settling: answers that may still come, and those that came. */
  private owed = 0;
  private surplus = 0;
  /** While settling: the request for what comes next was heard. */
  private startSeen = false;
  private troubled = false;
  private cancelsSeen = 0;
  /** Of the transfer under way or the last one: blocks that have arrived, and copies sent again. */
  blocks = 0;
  resent = 0;
  /** Whether anything was acknowledged in this transfer. */
  private acknowledged = false;

  constructor(options: XmodemSenderOptions) {
    this.options = options;
    this.line = new LineTime(options.baudRate);
    this.times = { ...XMODEM_TIMES, ...options.times };
    this.attemptsMax = options.attemptsMax ?? ATTEMPTS_MAX;
    this.pad = options.pad ?? PAD;
    const cancels = options.cancels ?? CANCELS;
    const backspaces = options.backspaces ?? CANCELS;
    this.cancelBytes = new Uint8Array(cancels + backspaces).fill(BACKSPACE).fill(CAN, 0, cancels);
  }

  /** Whether a transfer is under way. */
  get active(): boolean {
    return this.state !== 'idle' && this.state !== 'ended';
  }

  /** Waits for the receiver's request. XMODEM takes one file, YMODEM any number, all with a name. */
  start(files: readonly XmodemFile[], nowMs: number): void {
    assert(!this.active, 'one transfer at a time');
    const batch = this.options.variant === 'ymodem';
    assert(files.length === 1 || (batch && files.length > 1), 'XMODEM takes one file');
    assert(!batch || files.every(({ name }) => name), 'a file of a batch has a name');
    this.files = files;
    this.events.length = 0;
    this.progressWaits = false;
    this.cancelWaits = false;
    this.cancelsSeen = 0;
    this.blocks = 0;
    this.resent = 0;
    this.acknowledged = false;
    this.startSeen = false;
    this.line.reset();
    this.openFile(0);
    this.awaitStart(nowMs);
  }

  /** Ends the transfer; the receiver is told after the block that is being written. */
  cancel(): void {
    if (this.active) this.fail('cancelled', true);
  }

  /** Ends the transfer without a word to the receiver: it has left by itself. */
  abandon(): void {
    this.end();
    this.cancelWaits = false;
    this.events.length = 0;
    this.progressWaits = false;
  }

  /** The bytes are read during the call only. */
  handleBytes(bytes: Uint8Array, nowMs: number): void {
    for (let i = 0; i < bytes.length; i++) this.handleByte(bytes[i]!, nowMs);
  }

  /** For a caller that shares the line with other text and has to know where the transfer ends. */
  handleByte(byte: number, nowMs: number): void {
    if (!this.active) return;
    this.cancelsSeen = byte === CAN ? this.cancelsSeen + 1 : 0;
    if (this.cancelsSeen === CANCELS_WANTED) this.fail('cancelled-by-peer', false);
    else if (this.state === 'await-start') this.handleStart(byte, nowMs);
    else if (this.state === 'await-answer') this.handleAnswer(byte, nowMs);
    else if (this.state === 'settle') this.handleLateAnswer(byte, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    switch (this.state) {
      case 'await-start':
        this.fail(this.item === 'batch-end' ? 'batch-left-open' : 'start-missing', true);
        return;
      case 'send':
        this.fail('line-blocked', true);
        return;
      case 'await-answer':
        this.unsure++;
        this.troubled = true;
        this.line.noteSilence();
        this.repeat('silence', nowMs);
        return;
      case 'settle':
        this.advance(nowMs);
        return;
    }
  }

  /** A view of the sender's own buffer, unchanged until the next call. */
  pollTransmit(nowMs: number): Uint8Array | undefined {
    if (this.cancelWaits) {
      this.cancelWaits = false;
      return this.cancelBytes;
    }
    if (this.state !== 'send') return undefined;
    const bytes = this.buildItem();
    this.line.carry(bytes.length, nowMs);
    this.deadlineMs = this.line.freeMs + this.times.answerMs;
    this.state = 'await-answer';
    if (this.attempts > 0) this.resent++;
    this.attempts++;
    return bytes;
  }

  pollEvent(): XmodemEvent | undefined {
    if (this.progressWaits) {
      this.progressWaits = false;
      return this.progress;
    }
    return this.events.length > 0 ? this.events.shift() : undefined;
  }

  pollTimeout(): number {
    return this.deadlineMs;
  }

  // ---- what the receiver says -------------------------------------------------------------------------

  private handleStart(byte: number, nowMs: number): void {
    if (byte !== CRC_START && byte !== NAK) return;
    const check = byte === CRC_START ? 'crc' : 'checksum';
    if (this.acknowledged) {
      if (check !== this.check) return;
    } else {
      if (check === 'checksum' && this.options.crcOnly) return;
      this.check = check;
      this.events.push({ kind: 'started', check });
    }
    this.ready(nowMs);
  }

  private handleAnswer(byte: number, nowMs: number): void {
    if (byte !== ACK && byte !== NAK && byte !== CRC_START) return;
    if (this.line.isEarly(nowMs)) {
      const firstAcknowledgement = byte === ACK && !this.acknowledged;
      if (!firstAcknowledgement) {
        this.dropEarly(byte);
        return;
      }
      this.line.noteFaster();
    }
    if (byte === ACK) {
      this.acknowledged = true;
      this.handleAcknowledged(nowMs);
      return;
    }
    if (byte === CRC_START) {
      if (!this.startIsRepeated(nowMs)) return;
      this.check = 'crc';
    }
    if (byte === CRC_START || nowMs >= this.line.freeMs + LATE_REFUSAL_MS) {
      this.unsure++;
      this.troubled = true;
    } else {
      this.refusals++;
    }
    this.repeat('refused', nowMs);
  }

  /** Before the first acknowledgement it is a surplus request to start, which tells nothing. */
  private dropEarly(byte: number): void {
    if (!this.acknowledged || byte === CRC_START) return;
    this.line.noteDropped();
    this.troubled = true;
    this.deadlineMs = Math.min(this.deadlineMs, this.line.freeMs + EARLY_DOUBT_MS);
  }

  /** A receiver that still asks to start has not seen the first block. */
  private startIsRepeated(nowMs: number): boolean {
    if (nowMs < this.line.freeMs + START_REPEATED_MS) return false;
    return !this.acknowledged || (this.item === 'data' && this.offset === 0);
  }

  private handleAcknowledged(nowMs: number): void {
    this.owed = this.unsure;
    this.surplus = 0;
    this.startSeen = false;
    const batch = this.options.variant === 'ymodem';
    const transferEnds = this.item === 'batch-end' || (this.item === 'end' && !batch);
    if (transferEnds || (this.owed === 0 && !this.fileEndsHere())) {
      this.advance(nowMs);
      return;
    }
    this.state = 'settle';
    this.deadlineMs = nowMs + this.settleMs();
  }

  private handleLateAnswer(byte: number, nowMs: number): void {
    if (byte === CRC_START) this.startSeen = true;
    if (byte === NAK && this.item === 'data') {
      this.repeat('refused', nowMs);
    } else if (byte === ACK && this.surplus < this.attemptsMax) {
      this.surplus++;
      if (this.item !== 'data' || this.fileEndsHere()) this.deadlineMs = nowMs + this.settleMs();
      else if (this.surplus === this.owed) this.advance(nowMs);
    }
  }

  // ---- from item to item ------------------------------------------------------------------------------

  private openFile(file: number): void {
    const batch = this.options.variant === 'ymodem';
    this.file = file;
    this.item = batch ? 'header' : 'data';
    this.source = this.files[file]!.bytes;
    this.header = batch ? fileHeader(this.files[file]!) : this.header;
    this.offset = 0;
    this.number = 1;
    this.smallOnly = false;
    this.troubled = false;
    this.noteProgress();
  }

  private awaitStart(nowMs: number): void {
    this.state = 'await-start';
    this.deadlineMs = nowMs + this.times.startMs;
    if (this.startSeen) this.handleStart(CRC_START, nowMs);
    this.startSeen = false;
  }

  /** The item is to be sent for the first time. */
  private ready(nowMs: number): void {
    if (this.item === 'data' && this.source.length === 0) this.item = 'end';
    this.attempts = 0;
    this.refusals = 0;
    this.unsure = 0;
    this.offer(nowMs);
  }

  private offer(nowMs: number): void {
    this.state = 'send';
    this.deadlineMs = Math.max(nowMs, this.line.freeMs) + this.times.blockedMs;
  }

  private repeat(reason: 'refused' | 'silence', nowMs: number): void {
    const block = this.item === 'data' ? this.number : 0;
    if (this.attempts >= this.attemptsMax) {
      const ends = this.item === 'end' || this.item === 'batch-end';
      const refused = ends ? 'end-refused' : 'block-refused';
      const unanswered = ends ? 'end-unanswered' : 'no-answer';
      this.fail(reason === 'silence' ? unanswered : refused, true);
      return;
    }
    this.events.push({ kind: 'retry', block, reason, attempt: this.attempts + 1 });
    const allRefused = this.refusals >= REFUSALS_BEFORE_SMALLER && this.refusals === this.attempts;
    if (allRefused && this.item === 'data' && this.dataBytes() === LARGE_BYTES) {
      this.smallOnly = true;
      this.events.push({ kind: 'smaller-blocks', block });
    }
    this.offer(nowMs);
  }

  /** What was sent has arrived. */
  private advance(nowMs: number): void {
    switch (this.item) {
      case 'header':
        this.item = 'data';
        this.awaitStart(nowMs);
        return;
      case 'data':
        this.blocks++;
        this.offset = Math.min(this.offset + this.dataBytes(), this.source.length);
        this.number = (this.number + 1) & 0xff;
        if (this.offset === this.source.length) this.item = 'end';
        this.noteProgress();
        this.ready(nowMs);
        return;
      case 'end':
        this.events.push({ kind: 'file-done', file: this.file });
        if (this.options.variant !== 'ymodem') {
          this.finish();
          return;
        }
        if (this.file + 1 < this.files.length) this.openFile(this.file + 1);
        else this.item = 'batch-end';
        this.awaitStart(nowMs);
        return;
      case 'batch-end':
        this.finish();
        return;
    }
  }

  private finish(): void {
    this.end();
    this.events.push({ kind: 'done', blocks: this.blocks, resent: this.resent });
  }

  private fail(code: XmodemFailure, tellReceiver: boolean): void {
    this.end();
    this.cancelWaits = tellReceiver && this.cancelBytes.length > 0;
    const block = this.item === 'data' ? this.number : 0;
    this.events.push({ kind: 'failed', code, block, sentBytes: this.offset });
  }

  private end(): void {
    this.state = 'ended';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.files = [];
  }

  // ---- leaves -----------------------------------------------------------------------------------------

  private buildItem(): Uint8Array {
    if (this.item === 'end') return this.endBytes;
    if (this.item === 'data') {
      const bytes = this.dataBytes();
      const { block, source, offset } = this;
      const end = Math.min(offset + bytes, source.length);
      for (let i = offset, at = HEAD_BYTES; i < end; i++, at++) block[at] = source[i]!;
      block.fill(this.pad, HEAD_BYTES + end - offset, HEAD_BYTES + bytes);
      return this.sealed(this.number, bytes);
    }
    const header = this.item === 'header' ? this.header : batchEnd();
    this.block.set(header, HEAD_BYTES);
    return this.sealed(0, header.length);
  }

  private sealed(number: number, dataBytes: number): Uint8Array {
    sealBlock(this.block, number, dataBytes, this.check);
    if (dataBytes === LARGE_BYTES) return this.block;
    return this.check === 'crc' ? this.smallWithCrc : this.smallWithSum;
  }

  /** Of the next data block; a checksum is too weak for large ones, and few receivers take both. */
  private dataBytes(): number {
    if (this.options.variant === 'xmodem' || this.smallOnly || this.check !== 'crc') {
      return SMALL_BYTES;
    }
    return this.source.length - this.offset > SMALL_REST_BYTES_MAX ? LARGE_BYTES : SMALL_BYTES;
  }

  private fileEndsHere(): boolean {
    return this.item === 'data' && this.offset + this.dataBytes() >= this.source.length;
  }

  private settleMs(): number {
    if (this.owed > 0 || this.troubled) return this.times.settleMs;
    return wireMs(this.dataBytes(), this.options.baudRate) + END_QUIET_MS;
  }

  private noteProgress(): void {
    this.progress.file = this.file;
    this.progress.sentBytes = this.offset;
    this.progress.totalBytes = this.source.length;
    this.progressWaits = true;
  }
}
