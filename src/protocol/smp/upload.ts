/**
 * One image on its way to a device, over MCUmgr's image upload command.
 *
 * The device's `off` is the only truth. It answers every request, in order, with the next byte it wants; so
 * each answer tells which requests reached it, and one that names a byte nobody is sending any more makes
 * the upload go back there at once, without waiting for a time-out. An offset below one it named before
 * means that it lost the upload (its state lives in RAM): the upload begins again with the first chunk,
 * which carries length and hash, and goes on where the device says. An offset above anything sent is
 * somebody else's upload, and ends the same way.
 *
 * One case looks like a restart and is none: the device forgets a finished upload too. Where the answer to
 * the last chunk may have been lost, the image list decides.
 *
 * The first chunk may erase the slot and take most of a minute. Requests are served in order, so while
 * it is awaited a small request after it tells silence from loss: should it be answered first, the chunk
 * was lost and is sent again at once.
 */
import { type ClientFailureCode, clientFailure, type SmpFailure } from './codes.ts';
import { FLIGHT, Flights } from './flights.ts';
import { GROUP, IMAGE_COMMAND, OP, OS_COMMAND, type SmpHeader } from './header.ts';
import type { LineClock } from './line-clock.ts';
import type { SmpEvent, SmpOptions, UploadRequest } from './messages.ts';
import { linesOf } from './packet-encoder.ts';
import { RoundTrip } from './round-trip.ts';
import { listsImage, UploadAnswer } from './upload-answer.ts';
import { UploadPackets } from './upload-packets.ts';
import { UploadReport } from './upload-report.ts';
import { UploadWaits } from './upload-waits.ts';
import type { ProtocolVersion } from './version.ts';
import { WindowControl } from './window.ts';

const RC_VERSION_TOO_OLD = 12;
const RC_VERSION_TOO_NEW = 13;
const RC_BUSY = 10;

/** Wire bytes an upload may take for each byte of the image, and on top: lines of noise cost less. */
const COST_FACTOR = 6;
const COST_BASE_BYTES = 65_536;

type Stage = 'opening' | 'streaming' | 'checking' | 'paused' | 'over';

/** What the device and the line allow. */
export interface UploadGround {
  messageBytes: number;
  /** Messages the device can hold; undefined where it did not say. */
  bufferCount: number | undefined;
  lineBytesPerMs: number;
}

export class UploadRun {
  readonly id: number;
  private readonly upload: UploadRequest;
  private readonly options: SmpOptions;
  private readonly packets: UploadPackets;
  private readonly version: ProtocolVersion;
  private readonly say: (event: SmpEvent) => void;

  private readonly flights = new Flights();
  private readonly control: WindowControl;
  private readonly roundTrip: RoundTrip;
  private readonly answer = new UploadAnswer();

  private stage: Stage = 'opening';
  /** The next byte the device wants. */
  private expected = 0;
  private nextOffset = 0;
  /** End of the furthest chunk sent or taken. */
  private reached = 0;
  /** Tries since the device's offset last moved. */
  private attempts = 0;
  /** The request just written, until `sent`. */
  private written = { kind: 0, offset: 0, length: 0 };
  private readonly report: UploadReport;
  private readonly waits = new UploadWaits();

  constructor(
    id: number,
    upload: UploadRequest,
    ground: UploadGround,
    options: SmpOptions,
    version: ProtocolVersion,
    say: (event: SmpEvent) => void,
    nowMs: number,
  ) {
    this.id = id;
    this.upload = upload;
    this.options = options;
    this.packets = new UploadPackets(upload, ground.messageBytes, options.chunkAlignBytes, version);
    this.version = version;
    this.say = say;
    this.roundTrip = new RoundTrip(options.retransmitMinMs, options.retransmitMaxMs);
    this.control = new WindowControl({
      windowMax: ground.bufferCount === 1 ? 1 : options.windowMax,
      messageLines: linesOf(ground.messageBytes),
      receiveLines: options.receiveLines,
      lineBytesPerMs: ground.lineBytesPerMs * this.packets.efficiency(),
    });
    this.report = new UploadReport(id, upload.image.length, options.progressPeriodMs, nowMs);
  }

  get over(): boolean {
    return this.stage === 'over';
  }

  /** Requests in flight that may be, ordinary ones included. */
  get window(): number {
    return this.stage === 'streaming' ? this.control.window : 1;
  }

  /** Requests that take up room at the device. */
  get underWay(): number {
    return this.flights.underWay;
  }

  /**
   * Writes the next request at `at`; 0 where there is none to send now, else its length. `others` are
   * ordinary requests under way. Every request written has to be reported by `sent`.
   */
  write(out: Uint8Array, at: number, sequence: number, others: number, nowMs: number): number {
    if (this.stage === 'streaming') {
      const free = this.flights.underWay + others < this.control.window;
      if (!free || this.nextOffset >= this.upload.image.length) return 0;
      return this.waits.isHeld(nowMs) ? 0 : this.writeNextChunk(out, at, sequence);
    }
    if (this.stage === 'opening') {
      if (this.waits.isHeld(nowMs)) return 0;
      if (!this.flights.has(FLIGHT.first)) return this.writeFirst(out, at, sequence);
      return this.waits.isProbeDue(nowMs) ? this.writeProbe(out, at, sequence) : 0;
    }
    if (this.stage !== 'checking' || this.flights.has(FLIGHT.list)) return 0;
    this.note(FLIGHT.list, 0, 0);
    return this.packets.list(out, at, sequence);
  }

  /** The request just written has been handed over to the line. */
  sent(sequence: number, wireBytes: number, line: LineClock): void {
    const { kind, offset, length } = this.written;
    this.report.statistics.requests++;
    this.report.statistics.wireBytes += wireBytes;
    const { options } = this;
    let waitMs = this.roundTrip.timeoutMs(this.attempts);
    if (kind === FLIGHT.first) waitMs = options.eraseTimeoutMs;
    if (kind === FLIGHT.list) waitMs = options.answerTimeoutMs;
    if (kind === FLIGHT.probe) waitMs = Number.POSITIVE_INFINITY;
    this.flights.add(kind, sequence, offset, length, line, waitMs);
    if (kind === FLIGHT.first || kind === FLIGHT.probe)
      this.waits.awaitProbe(line.leftMs, kind === FLIGHT.probe);
  }

  /** An answer to an upload request; false where none of this upload's has that sequence. */
  handleUploadAnswer(
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence: number,
    version: number,
    nowMs: number,
  ): boolean {
    const order = this.flights.find(sequence);
    if (order < 0) return false;
    const kind = this.flights.kind(order);
    if (kind !== FLIGHT.first && kind !== FLIGHT.chunk) return false;
    if (!this.answer.read(bytes, start, end)) {
      const trouble = this.answer.readSlowly(bytes, start, end);
      if (trouble === 'malformed') this.sendAgain('malformed-answer', order, nowMs);
      else if (trouble) this.refused(trouble, order, nowMs);
      if (trouble) return true;
    }
    this.version.accepted(version);
    if (this.answer.match === 0) this.fail(clientFailure('upload-mismatch'));
    else this.settle(order, this.answer.offset, nowMs);
    return true;
  }

  /** An answer to another command; false where it is not to one of this upload's own. */
  handleOtherAnswer(
    header: SmpHeader,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowMs: number,
  ): boolean {
    const order = this.flights.find(header.sequence);
    if (order < 0) return false;
    const kind = this.flights.kind(order);
    if (kind === FLIGHT.probe && isAnswerTo(header, GROUP.os, OS_COMMAND.params)) {
      this.version.accepted(header.version);
      this.flights.settle(order);
      // Served in order: the first chunk before it never arrived, or its answer did not.
      this.report.statistics.lost++;
      this.retry('no-answer', nowMs);
      return true;
    }
    if (kind === FLIGHT.list && isAnswerTo(header, GROUP.image, IMAGE_COMMAND.state)) {
      this.flights.settle(order);
      if (this.listHolds(bytes, start, end)) this.finish(undefined, nowMs);
      else this.restart();
      return true;
    }
    return false;
  }

  /** True where an answer is overdue: the next packet should end whatever broken line there is. */
  handleTimeout(nowMs: number): boolean {
    let overdue = this.stage === 'opening' && this.waits.isProbeDue(nowMs);
    for (;;) {
      const order = this.over ? -1 : this.flights.oldest();
      if (order < 0 || this.flights.due(order) > nowMs) return overdue;
      const kind = this.flights.kind(order);
      if (!this.flights.expire(order)) continue;
      overdue = true;
      this.version.unanswered();
      this.report.statistics.lost++;
      if (kind === FLIGHT.first) {
        this.fail(clientFailure('no-answer', 'The first chunk and every probe after it are lost.'));
      } else if (kind === FLIGHT.list) {
        this.retry('no-answer', nowMs);
      } else {
        this.control.lost(nowMs);
        this.flights.doom();
        this.nextOffset = this.expected;
        this.retry('no-answer', nowMs);
      }
    }
  }

  /** When `handleTimeout` or `write` have something to do; Infinity for never. */
  dueMs(): number {
    if (this.stage === 'paused' || this.over) return Number.POSITIVE_INFINITY;
    const order = this.flights.oldest();
    const waitMs = this.waits.dueMs();
    return order < 0 ? waitMs : Math.min(waitMs, this.flights.due(order));
  }

  /** The same as a comparison, which boxes no number. */
  isDueBefore(atMs: number): boolean {
    if (this.stage === 'paused' || this.over) return false;
    return this.waits.isDueBefore(atMs) || this.flights.isDueBefore(atMs);
  }

  pause(): void {
    if (this.over) return;
    this.flights.clear();
    this.stage = 'paused';
  }

  /** The link is back. Whatever is at its other end now, the first chunk finds out. */
  resume(): void {
    if (this.stage !== 'paused') return;
    this.say({ kind: 'upload-restarted', id: this.id, reason: 'link-restored' });
    this.reopen();
  }

  fail(failure: SmpFailure): void {
    if (this.over) return;
    this.stage = 'over';
    this.flights.clear();
    this.say({ kind: 'failed', id: this.id, failure });
  }

  // ---- what an answer means -------------------------------------------------------------------------

  /** `offset` is the device's word after it served the request `order`. */
  private settle(order: number, offset: number, nowMs: number): void {
    const { flights } = this;
    const first = flights.kind(order) === FLIGHT.first;
    const askedAt = flights.offset(order);
    const length = flights.length(order);
    const live = flights.isLive(order);
    if (!first) this.roundTrip.sample(flights.elapsedMs(order, nowMs));
    flights.settle(order);
    if (offset > this.upload.image.length) {
      this.fail(clientFailure('upload-offset-invalid', `It wants byte ${offset}.`));
    } else if (first) {
      this.opened(offset, length, nowMs);
    } else if (this.stage === 'streaming') {
      if (offset > this.reached) this.restart();
      else if (offset < this.expected) this.wentBack(offset);
      else this.advance(offset, askedAt, live, nowMs);
    }
  }

  private opened(offset: number, length: number, nowMs: number): void {
    if (this.stage !== 'opening') return;
    const resumed = offset > length;
    if (resumed && !this.upload.sha256) {
      // Nobody vouches that what the device already has is of this image.
      this.fail(clientFailure('upload-offset-invalid', `It goes on at byte ${offset}, unasked.`));
      return;
    }
    if (offset === 0) {
      this.retry('upload-no-progress', nowMs);
      return;
    }
    // Probes may still be answered: they have told what they could.
    this.flights.clear();
    this.stage = 'streaming';
    this.attempts = 0;
    this.expected = offset;
    this.nextOffset = offset;
    if (offset > this.reached) this.reached = offset;
    this.waits.endProbes();
    this.report.begin(offset, nowMs);
    this.say({ kind: 'upload-started', id: this.id, offset, resumed });
    if (offset === this.upload.image.length) this.finish(this.matched(), nowMs);
  }

  private advance(offset: number, askedAt: number, live: boolean, nowMs: number): void {
    const moved = offset - this.expected;
    if (moved > 0) {
      this.expected = offset;
      this.attempts = 0;
      this.control.acknowledged(moved, nowMs);
      if (offset === this.upload.image.length) {
        this.finish(this.matched(), nowMs);
        return;
      }
      const progress = this.report.progress(offset, this.control.window, nowMs);
      if (progress) this.say(progress);
    }
    // What had gone back before says nothing new, and the byte may be on its way again.
    if ((moved === 0 && !live) || this.flights.hasChunkAt(offset)) return;
    const doomed = this.flights.doom();
    if (askedAt > offset) {
      // It answers a chunk it cannot use: one before it did not arrive.
      this.report.statistics.lost++;
      this.control.lost(nowMs);
    }
    if (doomed || this.nextOffset !== offset || moved === 0) {
      this.nextOffset = offset;
      if (moved === 0) this.retry('upload-no-progress', nowMs);
    }
  }

  /** The device wants a byte it already had. */
  private wentBack(offset: number): void {
    const whole = this.reached === this.upload.image.length;
    if (offset === 0 && whole && this.upload.imageHash) {
      this.stage = 'checking';
      this.attempts = 0;
      this.flights.clear();
      return;
    }
    this.restart();
  }

  private restart(): void {
    if (++this.report.statistics.restarts > this.options.restartsMax) {
      this.fail(clientFailure('upload-restarts'));
      return;
    }
    this.say({ kind: 'upload-restarted', id: this.id, reason: 'device-lost-upload' });
    this.reopen();
  }

  private reopen(): void {
    this.flights.clear();
    this.control.interrupted();
    this.stage = 'opening';
    this.attempts = 0;
    this.expected = 0;
    this.nextOffset = 0;
    this.waits.clear();
  }

  /** Once more, if the tries allow. */
  private retry(trouble: ClientFailureCode, nowMs: number): void {
    this.attempts++;
    const { chunkAttemptsMax } = this.options;
    if (this.attempts >= chunkAttemptsMax) {
      this.fail(clientFailure(trouble, `(${this.attempts} tries at byte ${this.expected})`));
    } else if (this.stage === 'opening' && trouble !== 'no-answer') {
      this.waits.hold(nowMs + this.roundTrip.timeoutMs(this.attempts));
    }
  }

  private refused(failure: SmpFailure, order: number, nowMs: number): void {
    const { group, rc } = failure.device!;
    const atSmpLevel = group === undefined;
    if (atSmpLevel && (rc === RC_VERSION_TOO_NEW || rc === RC_VERSION_TOO_OLD)) {
      if (this.version.refused(this.version.wire)) {
        this.sendAgain('no-answer', order, nowMs);
        return;
      }
    }
    if (atSmpLevel && rc === RC_BUSY && this.attempts + 1 < this.options.chunkAttemptsMax) {
      this.sendAgain('upload-no-progress', order, nowMs);
      this.waits.hold(nowMs + this.roundTrip.timeoutMs(this.attempts));
      return;
    }
    this.fail(failure);
  }

  private sendAgain(trouble: ClientFailureCode, order: number, nowMs: number): void {
    this.flights.settle(order);
    if (this.stage === 'streaming') {
      this.flights.doom();
      this.nextOffset = this.expected;
    }
    this.retry(trouble, nowMs);
  }

  private listHolds(bytes: Uint8Array, start: number, end: number): boolean {
    return listsImage(bytes, start, end, this.upload.imageHash!);
  }

  // ---- what is sent ---------------------------------------------------------------------------------

  private writeNextChunk(out: Uint8Array, at: number, sequence: number): number {
    if (this.tooDear()) return 0;
    const offset = this.nextOffset;
    const length = this.packets.chunkBytes(offset, this.control.lines);
    this.note(FLIGHT.chunk, offset, length);
    this.nextOffset = offset + length;
    if (this.nextOffset > this.reached) this.reached = this.nextOffset;
    return this.packets.chunk(out, at, sequence, offset, length);
  }

  private writeFirst(out: Uint8Array, at: number, sequence: number): number {
    const length = this.packets.firstBytes();
    if (length === 0) {
      this.fail(clientFailure('request-too-large'));
      return 0;
    }
    if (this.tooDear()) return 0;
    this.note(FLIGHT.first, 0, length);
    if (length > this.reached) this.reached = length;
    return this.packets.first(out, at, sequence, length);
  }

  private writeProbe(out: Uint8Array, at: number, sequence: number): number {
    this.version.unanswered();
    this.note(FLIGHT.probe, 0, 0);
    return this.packets.probe(out, at, sequence);
  }

  private note(kind: number, offset: number, length: number): void {
    this.written.kind = kind;
    this.written.offset = offset;
    this.written.length = length;
  }

  private tooDear(): boolean {
    const onceBytes = COST_FACTOR * this.upload.image.length + COST_BASE_BYTES;
    const most = onceBytes * (1 + this.report.statistics.restarts);
    if (this.report.statistics.wireBytes < most) return false;
    this.fail(clientFailure('upload-cost'));
    return true;
  }

  // ---- what is said ---------------------------------------------------------------------------------

  private matched(): true | undefined {
    return this.answer.match === 1 ? true : undefined;
  }

  private finish(match: true | undefined, nowMs: number): void {
    this.stage = 'over';
    this.flights.clear();
    const statistics = this.report.summary(this.control.window, nowMs);
    this.say({ kind: 'uploaded', id: this.id, match, statistics });
  }
}

function isAnswerTo(header: SmpHeader, group: number, command: number): boolean {
  return header.op === OP.readAnswer && header.group === group && header.command === command;
}
