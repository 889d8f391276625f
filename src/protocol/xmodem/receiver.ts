/**
 * Receives files by XMODEM or YMODEM, as a machine without I/O: the other end of sender.ts, for virtual
 * devices and for tests against programs that send. With `strict` it behaves where it matters as the Gecko
 * bootloader does (see XmodemReceiverOptions).
 *
 * Noise before a block is passed over; a block of which bytes are lost, changed or added is refused, and
 * what is left of it is read off until the line is quiet. A block's data is handed on once: a repeat is
 * acknowledged and dropped.
 */
import { assert } from '../../errors.ts';
import type { ByteMachine } from '../machine.ts';
import {
  ACK,
  BLOCK_BYTES_MAX,
  CAN,
  CANCELS_WANTED,
  type Check,
  CRC_BYTES,
  CRC_START,
  EOT,
  HEAD_BYTES,
  isIntact,
  LARGE_BYTES,
  NAK,
  SMALL_BYTES,
  SOH,
  STX,
  SUM_BYTES,
} from './block.ts';
import type { XmodemFailure } from './codes.ts';
import type { XmodemReceiverEvent, XmodemReceiverOptions } from './messages.ts';
import { decodeFileHeader } from './ymodem-header.ts';

/** See XmodemReceiverOptions. */
const LENIENT = {
  startPeriodMs: 3_000,
  startsMax: 20,
  byteMs: 1_000,
  blockMs: 10_000,
  refusalsMax: 10,
};
/** The Gecko bootloader's (its UART XMODEM source). */
const STRICT = {
  startPeriodMs: 1_000,
  startsMax: 60,
  byteMs: 3_000,
  blockMs: 3_000,
  refusalsMax: Number.POSITIVE_INFINITY,
};
/** After a block whose frame is wrong: quiet so long before it is refused, ms; ours. */
const QUIET_MS = 100;
const CANCELS_SENT = 3;

/** `start`: asks for a block; `head`: between blocks; `body`: inside one; `quiet`: reads the line off. */
type State = 'idle' | 'start' | 'head' | 'body' | 'quiet' | 'ended';

export class XmodemReceiver implements ByteMachine<XmodemReceiverEvent> {
  private readonly options: XmodemReceiverOptions;
  private readonly check: Check;
  private readonly startPeriodMs: number;
  private readonly startsMax: number;
  private readonly byteMs: number;
  private readonly blockMs: number;
  private readonly refusalsMax: number;
  private readonly block = new Uint8Array(BLOCK_BYTES_MAX);
  private readonly answers = { waiting: new Uint8Array(8), length: 0, dueMs: 0 };
  private readonly events: XmodemReceiverEvent[] = [];
  private state: State = 'idle';
  private deadlineMs = Number.POSITIVE_INFINITY;
  private filled = 0;
  private dataBytes = SMALL_BYTES;
  private expected = 1;
  private starts = 0;
  private cancelsSeen = 0;
  private refusals = 0;
  /** YMODEM: whether a file is open, and what is left of it where that is known. */
  private fileOpen = false;
  private leftBytes = Number.POSITIVE_INFINITY;
  private endSeen = false;
  private filesDone = 0;
  private blocks = 0;
  private repeated = 0;
  private refused = 0;

  constructor(options: XmodemReceiverOptions) {
    this.options = options;
    this.check = options.check ?? 'crc';
    const limits = options.strict ? STRICT : LENIENT;
    this.startPeriodMs = options.startPeriodMs ?? limits.startPeriodMs;
    this.startsMax = options.startsMax ?? limits.startsMax;
    this.byteMs = options.byteMs ?? limits.byteMs;
    this.blockMs = options.blockMs ?? limits.blockMs;
    this.refusalsMax = options.refusalsMax ?? limits.refusalsMax;
  }

  get active(): boolean {
    return this.state !== 'idle' && this.state !== 'ended';
  }

  /** Asks for the first block now. */
  start(nowMs: number): void {
    assert(!this.active, 'one transfer at a time');
    this.events.length = 0;
    this.answers.length = 0;
    this.cancelsSeen = 0;
    this.refusals = 0;
    this.filesDone = 0;
    this.blocks = 0;
    this.repeated = 0;
    this.refused = 0;
    this.endSeen = false;
    this.fileOpen = this.options.variant === 'xmodem';
    this.leftBytes = Number.POSITIVE_INFINITY;
    this.expected = this.fileOpen ? 1 : 0;
    this.askToStart(nowMs);
  }

  cancel(nowMs: number): void {
    if (this.active) this.cancelWith('cancelled', nowMs);
  }

  /** The bytes are read during the call only; what comes after the end of a transfer is not read. */
  handleBytes(bytes: Uint8Array, nowMs: number): void {
    for (let i = 0; i < bytes.length && this.active; i++) this.handleByte(bytes[i]!, nowMs);
  }

  handleByte(byte: number, nowMs: number): void {
    switch (this.state) {
      case 'start':
      case 'head':
        this.handleHead(byte, nowMs);
        return;
      case 'body':
        this.handleBody(byte, nowMs);
        return;
      case 'quiet':
        this.deadlineMs = nowMs + QUIET_MS;
        return;
    }
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    if (this.state === 'start') {
      if (this.starts >= this.startsMax) this.cancelWith('start-missing', nowMs);
      else this.askAgain(nowMs);
    } else if (this.active) {
      this.refuse(this.state === 'head' ? 'no-answer' : 'block-refused', nowMs);
    }
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    const { answers } = this;
    if (answers.length === 0 || nowMs < answers.dueMs) return undefined;
    const bytes = answers.waiting.slice(0, answers.length);
    answers.length = 0;
    return bytes;
  }

  pollEvent(): XmodemReceiverEvent | undefined {
    return this.events.shift();
  }

  pollTimeout(): number {
    const { answers } = this;
    return answers.length > 0 ? Math.min(answers.dueMs, this.deadlineMs) : this.deadlineMs;
  }

  // ---- a block, byte by byte --------------------------------------------------------------------------

  private handleHead(byte: number, nowMs: number): void {
    const { strict } = this.options;
    if (byte === SOH || (byte === STX && !strict)) {
      this.cancelsSeen = 0;
      this.dataBytes = byte === STX ? LARGE_BYTES : SMALL_BYTES;
      this.block[0] = byte;
      this.filled = 1;
      this.state = 'body';
      this.deadlineMs = nowMs + this.byteMs;
    } else if (byte === EOT) {
      this.handleEnd(nowMs);
    } else if (strict) {
      this.cancelWith(byte === CAN ? 'cancelled-by-peer' : 'out-of-sequence', nowMs);
    } else {
      this.cancelsSeen = byte === CAN ? this.cancelsSeen + 1 : 0;
      if (this.cancelsSeen === CANCELS_WANTED) this.fail('cancelled-by-peer');
    }
  }

  private handleBody(byte: number, nowMs: number): void {
    this.block[this.filled++] = byte;
    this.deadlineMs = nowMs + this.byteMs;
    if (this.filled === HEAD_BYTES && (this.block[1]! ^ this.block[2]!) !== 0xff) {
      if (!this.options.strict) this.readOff(nowMs);
      return;
    }
    const checkBytes = this.check === 'crc' ? CRC_BYTES : SUM_BYTES;
    if (this.filled === HEAD_BYTES + this.dataBytes + checkBytes) this.handleBlock(nowMs);
  }

  private handleBlock(nowMs: number): void {
    const number = this.block[1]!;
    const numbersAgree = (number ^ this.block[2]!) === 0xff;
    if (!numbersAgree || !isIntact(this.block, this.dataBytes, this.check)) {
      this.refuse('block-refused', nowMs);
      return;
    }
    const anyYet = this.blocks > 0 || (this.fileOpen && this.options.variant === 'ymodem');
    if (number === ((this.expected - 1) & 0xff) && anyYet) {
      this.repeated++;
      this.answer(ACK, nowMs);
      // The header again: the request that follows it went with its acknowledgement.
      if (this.blocks === 0) this.askToStart(nowMs);
      else this.awaitBlock(nowMs);
    } else if (number !== this.expected) {
      if (this.options.strict) this.refuse('out-of-sequence', nowMs);
      else this.cancelWith('out-of-sequence', nowMs);
    } else {
      this.takeBlock(nowMs);
    }
  }

  private takeBlock(nowMs: number): void {
    const data = this.block.subarray(HEAD_BYTES, HEAD_BYTES + this.dataBytes);
    this.refusals = 0;
    this.endSeen = false;
    if (!this.fileOpen) {
      this.openFile(data, nowMs);
      return;
    }
    if (this.options.accept && !this.options.accept(data)) {
      this.cancelWith('data-refused', nowMs);
      return;
    }
    const kept = Math.min(data.length, this.leftBytes);
    this.leftBytes -= kept;
    this.blocks++;
    this.expected = (this.expected + 1) & 0xff;
    this.events.push({ kind: 'data', data: data.slice(0, kept) });
    this.answer(ACK, nowMs);
    this.awaitBlock(nowMs);
  }

  /** Block 0 of YMODEM. */
  private openFile(data: Uint8Array, nowMs: number): void {
    const header = decodeFileHeader(data);
    if (!header) {
      this.cancelWith('header-invalid', nowMs);
      return;
    }
    this.answer(ACK, nowMs);
    if (header.name === '') {
      this.finish();
      return;
    }
    this.fileOpen = true;
    this.expected = 1;
    this.leftBytes = header.bytes ?? Number.POSITIVE_INFINITY;
    this.events.push({ kind: 'file', ...header });
    this.askToStart(nowMs);
  }

  /** YMODEM, and careful XMODEM receivers, refuse a first end: it may be a damaged block. */
  private handleEnd(nowMs: number): void {
    this.cancelsSeen = 0;
    const { strict, variant } = this.options;
    if (!this.fileOpen) {
      if (this.filesDone === 0) return;
      // The acknowledgement of the end was lost.
      this.answer(ACK, nowMs);
      this.askToStart(nowMs);
      return;
    }
    if (!this.endSeen && !strict) {
      this.endSeen = true;
      // A refusal before the first block would be a request to start, with checksums.
      if (this.state === 'start' && variant === 'xmodem') return;
      this.answer(NAK, nowMs);
      this.awaitBlock(nowMs);
      return;
    }
    if (this.options.acceptEnd && !this.options.acceptEnd()) {
      this.cancelWith('data-refused', nowMs);
      return;
    }
    this.answer(ACK, nowMs);
    this.filesDone++;
    this.events.push({ kind: 'file-done' });
    if (variant === 'xmodem') {
      this.finish();
      return;
    }
    this.fileOpen = false;
    this.endSeen = false;
    this.expected = 0;
    this.blocks = 0;
    this.askToStart(nowMs);
  }

  // ---- between blocks ---------------------------------------------------------------------------------

  private askToStart(nowMs: number): void {
    this.state = 'start';
    this.starts = 0;
    this.askAgain(nowMs);
  }

  private askAgain(nowMs: number): void {
    this.starts++;
    this.answer(this.check === 'crc' ? CRC_START : NAK, nowMs);
    this.deadlineMs = nowMs + this.startPeriodMs;
  }

  private awaitBlock(nowMs: number): void {
    this.state = 'head';
    this.deadlineMs = nowMs + this.blockMs;
  }

  private readOff(nowMs: number): void {
    this.state = 'quiet';
    this.deadlineMs = nowMs + QUIET_MS;
  }

  private refuse(code: XmodemFailure, nowMs: number): void {
    this.refusals++;
    this.refused++;
    if (this.refusals > this.refusalsMax) {
      this.cancelWith(code, nowMs);
      return;
    }
    this.answer(NAK, nowMs);
    this.awaitBlock(nowMs);
  }

  private answer(byte: number, nowMs: number): void {
    const { answers } = this;
    if (answers.length === answers.waiting.length) answers.length = 0;
    answers.waiting[answers.length++] = byte;
    answers.dueMs = nowMs + (byte === ACK ? (this.options.storeMs ?? 0) : 0);
  }

  private cancelWith(code: XmodemFailure, nowMs: number): void {
    this.answers.length = 0;
    for (let i = 0; i < CANCELS_SENT; i++) this.answer(CAN, nowMs);
    this.fail(code);
  }

  private fail(code: XmodemFailure): void {
    this.state = 'ended';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.events.push({ kind: 'failed', code });
  }

  private finish(): void {
    this.state = 'ended';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const { blocks, repeated, refused } = this;
    this.events.push({ kind: 'done', blocks, repeated, refused });
  }
}
