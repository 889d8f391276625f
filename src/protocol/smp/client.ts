/**
 * A client of MCUmgr's Simple Management Protocol over a serial line (Zephyr 4.4 and MCUboot's serial
 * recovery), as a machine: bytes of the line in, lines to send out.
 *
 * Chunks may be cut anywhere, or be lines. Ordinary requests wait for one another; one upload runs beside
 * them. Only the sequence number, with group and command, links an answer to its request: what answers
 * nothing that is under way is ignored.
 *
 * It does not know what an image is, does not decide what to send, and does not open, reset or watch a
 * port. A session above it does, and tells it by `handleLinkDown` and `handleLinkUp`.
 *
 * `pollTransmit` returns one packet, all its lines, in a buffer that the next call writes over: hand it on
 * or copy it. In steady state an upload allocates nothing from a chunk's answer to the next chunk's lines;
 * measured by test/bench/smp.bench.ts.
 */
import { assert } from '../../errors.ts';
import type { ByteMachine } from '../machine.ts';
import { answerOf, errorOf } from './answers.ts';
import { decodeCborMap } from './cbor.ts';
import { clientFailure } from './codes.ts';
import {
  decodeHeader,
  GROUP,
  HEADER_BYTES,
  IMAGE_COMMAND,
  OP,
  type SmpHeader,
  writeHeader,
} from './header.ts';
import { LineClock } from './line-clock.ts';
import {
  SMP_DEFAULTS,
  type SmpEvent,
  type SmpOptions,
  type SmpRequest,
  type UploadRequest,
} from './messages.ts';
import { type DecoderCounters, PacketDecoder } from './packet-decoder.ts';
import { MESSAGE_BYTES_MAX, MESSAGE_START, PacketEncoder } from './packet-encoder.ts';
import { type PendingRequest, PendingRequests } from './pending-requests.ts';
import { commandOf } from './requests.ts';
import { UploadRun } from './upload.ts';
import { ProtocolVersion } from './version.ts';

const RC_VERSION_TOO_OLD = 12;
const RC_VERSION_TOO_NEW = 13;

export class SmpClient implements ByteMachine<SmpEvent> {
  private readonly options: SmpOptions;
  private readonly encoder = new PacketEncoder();
  private readonly decoder = new PacketDecoder();
  private readonly line: LineClock;
  private readonly version = new ProtocolVersion();
  private readonly requests: PendingRequests;
  private readonly events: SmpEvent[] = [];
  private readonly say = (event: SmpEvent): void => {
    this.events.push(event);
  };
  private upload: UploadRun | undefined;
  private linkUp = true;
  /** What `pollTimeout` last said, kept as the object it is. */
  private readonly wake: (number | undefined)[] = [undefined];
  private lastId = 0;
  private sequence: number;
  /** The next packet ends whatever broken line may stand before it. */
  private resynchronise = true;
  private messageBytesNow: number;
  private bufferCount: number | undefined;

  constructor(options: Partial<SmpOptions> = {}) {
    this.options = { ...SMP_DEFAULTS, ...options };
    const { messageBytesMax, windowMax, chunkAlignBytes, firstSequence } = this.options;
    assert(messageBytesMax <= MESSAGE_BYTES_MAX, 'messages are at most 4,092 bytes');
    assert(
      Number.isInteger(chunkAlignBytes) && chunkAlignBytes >= 1,
      'an alignment is whole bytes',
    );
    assert(windowMax >= 1 && windowMax <= 16, 'a window is 1 to 16 requests');
    this.line = new LineClock(this.options.baudRate);
    this.requests = new PendingRequests(this.options, this.version);
    this.sequence = firstSequence & 0xff;
    this.messageBytesNow = messageBytesMax;
  }

  /** Largest message now sent: the option's, until an answer to `params` says what the device takes. */
  get messageBytes(): number {
    return this.messageBytesNow;
  }

  /** What came in that was no message: why nothing seems to arrive. */
  get counters(): Readonly<DecoderCounters> {
    return this.decoder.counters;
  }

  /** Sends a request when those before it are answered; the id names it in events. */
  request(request: SmpRequest): number {
    const id = ++this.lastId;
    const command = commandOf(request);
    if (!this.linkUp) {
      this.say({ kind: 'failed', id, failure: clientFailure('link-down') });
    } else if (HEADER_BYTES + command.body.length > this.messageBytesNow) {
      const particular = `It takes ${this.messageBytesNow} bytes.`;
      this.say({ kind: 'failed', id, failure: clientFailure('request-too-large', particular) });
    } else {
      this.requests.add(id, request.kind, command);
    }
    return id;
  }

  /** Begins, or resumes, to upload an image. One at a time: the device has one upload. */
  startUpload(upload: UploadRequest, nowMs: number): number {
    assert(!this.upload, 'one upload at a time');
    assert(upload.image.length > 0, 'an image has bytes');
    const id = ++this.lastId;
    const ground = {
      messageBytes: this.messageBytesNow,
      bufferCount: this.bufferCount,
      lineBytesPerMs: this.line.bytesPerMs,
    };
    const run = new UploadRun(id, upload, ground, this.options, this.version, this.say, nowMs);
    this.upload = run;
    if (!this.linkUp) run.pause();
    return id;
  }

  /** Gives up a request or an upload; the device is not told, and keeps what it has. */
  cancel(id: number): void {
    if (this.upload?.id === id) {
      this.upload.fail(clientFailure('cancelled'));
      this.dropFinished();
    }
    const request = this.requests.withId(id);
    if (!request) return;
    this.requests.remove(request);
    this.say({ kind: 'failed', id, failure: clientFailure('cancelled') });
  }

  /** The port is gone: requests fail, an upload waits. */
  handleLinkDown(): void {
    this.linkUp = false;
    this.decoder.reset();
    for (const { id } of this.requests.drain()) {
      this.say({ kind: 'failed', id, failure: clientFailure('link-down') });
    }
    this.upload?.pause();
  }

  /** The port is back; an upload goes on as far as the device allows. */
  handleLinkUp(): void {
    this.linkUp = true;
    this.decoder.reset();
    this.version.forget();
    this.resynchronise = true;
    this.upload?.resume();
  }

  /** Bytes from the line, in chunks of any size; not kept. */
  handleBytes(bytes: Uint8Array, nowMs: number): void {
    const { decoder } = this;
    let at = 0;
    while (at < bytes.length) {
      at = decoder.take(bytes, at, bytes.length);
      if (decoder.ready) this.handleMessage(nowMs);
    }
  }

  handleTimeout(nowMs: number): void {
    this.wake[0] = undefined;
    if (this.requests.dueMs() <= nowMs) {
      this.resynchronise = true;
      for (const { request, failure } of this.requests.expire(nowMs)) {
        this.say({ kind: 'failed', id: request.id, failure });
      }
    }
    if (this.upload?.handleTimeout(nowMs)) {
      this.resynchronise = true;
      this.dropFinished();
    }
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    if (!this.linkUp) return undefined;
    const { upload } = this;
    const othersUnderWay = this.requests.any ? this.requests.underWay : 0;
    const request = this.requests.any ? this.requests.next() : undefined;
    if (request) {
      const room = upload ? upload.window : this.options.requestsInFlightMax;
      // Chunks wait too, so that the request gets its turn.
      const underWay = othersUnderWay + (upload ? upload.underWay : 0);
      return underWay < room ? this.transmitRequest(request, nowMs) : undefined;
    }
    if (!upload) return undefined;
    const sequence = this.freeSequence();
    const out = this.encoder.message;
    const messageBytes = upload.write(out, MESSAGE_START, sequence, othersUnderWay, nowMs);
    this.dropFinished();
    if (messageBytes === 0) return undefined;
    const lines = this.encode(sequence, messageBytes, nowMs);
    upload.sent(sequence, lines.length, this.line);
    return lines;
  }

  pollEvent(): SmpEvent | undefined {
    return this.events.length === 0 ? undefined : this.events.shift();
  }

  /** While chunks flow it may name an earlier time than it must: then it is a number that exists already. */
  pollTimeout(): number {
    const [wakeMs] = this.wake;
    const early = wakeMs !== undefined && this.upload?.isDueBefore(wakeMs) === false;
    if (early && !this.requests.any) return wakeMs;
    const uploadMs = this.upload ? this.upload.dueMs() : Number.POSITIVE_INFINITY;
    const dueMs = Math.min(this.requests.dueMs(), uploadMs);
    this.wake[0] = dueMs;
    return dueMs;
  }

  // ---- what comes in --------------------------------------------------------------------------------

  private handleMessage(nowMs: number): void {
    const { bytes, messageStart: start, messageEnd: end } = this.decoder;
    const bodyStart = start + HEADER_BYTES;
    if (this.upload && isUploadAnswer(bytes, start, end)) {
      const version = (bytes[start]! >> 3) & 3;
      const sequence = bytes[start + 6]!;
      this.upload.handleUploadAnswer(bytes, bodyStart, end, sequence, version, nowMs);
      this.dropFinished();
      return;
    }
    const header = decodeHeader(bytes, start, end);
    if (!header) return;
    if (this.upload?.handleOtherAnswer(header, bytes, bodyStart, end, nowMs)) {
      this.dropFinished();
      return;
    }
    const request = this.requests.find(header.sequence);
    if (request && answers(header, request)) {
      this.handleAnswer(request, header, bytes, bodyStart, end);
    }
  }

  private handleAnswer(
    request: PendingRequest,
    header: SmpHeader,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { id, kind } = request;
    const decoded = decodeCborMap(bytes, start, end);
    const error = decoded.ok ? errorOf(decoded.map) : undefined;
    if (error?.kind === 'refused' && this.versionRefused(request, error.failure.device!.rc)) return;
    this.version.accepted(header.version);
    this.requests.remove(request);
    if (error?.kind === 'refused') {
      this.say({ kind: 'failed', id, failure: error.failure });
      return;
    }
    const answer = decoded.ok && !error ? answerOf(kind, decoded.map) : undefined;
    if (!answer) {
      const particular = decoded.ok ? '' : `(${decoded.code})`;
      this.say({ kind: 'failed', id, failure: clientFailure('malformed-answer', particular) });
      return;
    }
    if (answer.kind === 'params') {
      this.messageBytesNow = answer.messageBytes;
      this.bufferCount = answer.bufferCount;
    }
    this.say({ kind: 'answered', id, answer });
  }

  /** True where the request is sent again in an older version. */
  private versionRefused(request: PendingRequest, rc: number): boolean {
    if (rc !== RC_VERSION_TOO_NEW && rc !== RC_VERSION_TOO_OLD) return false;
    if (!this.version.refused(this.version.wire)) return false;
    this.requests.again(request);
    return true;
  }

  private dropFinished(): void {
    if (this.upload?.over) this.upload = undefined;
  }

  // ---- what goes out --------------------------------------------------------------------------------

  private transmitRequest(request: PendingRequest, nowMs: number): Uint8Array {
    const { write, group, command, body } = request.command;
    const sequence = this.freeSequence();
    const out = this.encoder.message;
    const op = write ? OP.write : OP.read;
    const { wire } = this.version;
    writeHeader(out, MESSAGE_START, op, wire, body.length, group, sequence, command);
    out.set(body, MESSAGE_START + HEADER_BYTES);
    const lines = this.encode(sequence, HEADER_BYTES + body.length, nowMs);
    this.requests.sent(request, sequence, this.line.leftMs);
    return lines;
  }

  private encode(sequence: number, messageBytes: number, nowMs: number): Uint8Array {
    const lines = this.encoder.encode(messageBytes, this.resynchronise);
    this.resynchronise = false;
    this.sequence = (sequence + 1) & 0xff;
    this.line.send(lines.length, nowMs);
    return lines;
  }

  /** The next sequence number that no request under way has. */
  private freeSequence(): number {
    let { sequence } = this;
    while (this.requests.any && this.requests.find(sequence)) sequence = (sequence + 1) & 0xff;
    return sequence;
  }
}

/** A whole message that answers an image upload, whatever else it is. */
function isUploadAnswer(bytes: Uint8Array, start: number, end: number): boolean {
  if ((bytes[start]! & 7) !== OP.writeAnswer || bytes[start + 7] !== IMAGE_COMMAND.upload) {
    return false;
  }
  if (bytes[start + 4] !== 0 || bytes[start + 5] !== GROUP.image) return false;
  return ((bytes[start + 2]! << 8) | bytes[start + 3]!) === end - start - HEADER_BYTES;
}

function answers(header: SmpHeader, { command }: PendingRequest): boolean {
  if (header.op !== (command.write ? OP.writeAnswer : OP.readAnswer)) return false;
  return header.group === command.group && header.command === command.command;
}
