/**
 * The server of the ZigBee OTA Upgrade cluster 0x0019 as a machine without I/O (095264, chapter 6).
 *
 * The protocol is served without memory wherever it allows: the answer to a block request follows from
 * the image assigned to the device and the offset it asks for. So a device that repeats itself, jumps,
 * restarts, changes its network address or outlives the gateway carries on by itself. A session holds
 * what is counted, limited and awaited, and nothing an answer depends on but the assignment.
 *
 * Invariants
 * - No block leaves before the assignment is authorised, and none that the assigned image does not hold.
 * - A device that resumes content this gateway cannot vouch for is told to drop it, half or complete: the
 *   triple of manufacturer, image type and version names no content (real files share it), and half of
 *   one file with half of another is a brick.
 * - An upgrade end request is always answered; see activation.ts.
 * - From the bytes of a block request to the bytes of its response nothing is allocated: one response
 *   buffer, one view of it per length, integers read as 32-bit signed so that they stay unboxed.
 *
 * It does not retry: a lost answer is asked for again by the device, who alone knows what it has.
 */
import { assert } from '../../errors.ts';
import type { Machine } from '../machine.ts';
import { commandActivation, receiveUpgradeEnd, settleReport } from './activation.ts';
import { BlockResponse } from './block-response.ts';
import { blockBytes, countRequest } from './block-size.ts';
import { decodeOtaFrame, OTA_COMMAND, type OtaFrame, STATUS } from './codec.ts';
import {
  type BlockRequest,
  receiveBlockRequest,
  receivePageRequest,
  startDownload,
} from './data-requests.ts';
import { Fifo } from './fifo.ts';
import { Outbox } from './outbox.ts';
import { type PageRequest, pageBlockBytes, turnPage } from './pages.ts';
import { answerQuery, receiveQuery, receiveSpecificFileQuery, refuseQuery } from './queries.ts';
import {
  type Activation,
  type Admitted,
  type Assignment,
  covers,
  type OtaProgress,
  type OtaServerEvent,
  type OtaTransmit,
  PENDING,
  Session,
} from './session.ts';

/** Frame control: type and direction, and with them whether it is manufacturer specific. */
const KIND_MASK = 0x0b;
const PLAIN_KIND_MASK = 0x0f;
const CLUSTER_REQUEST = 0x01;
/** A block request without its optional fields: head 3, control 1, triple 8, offset 4, maximum 1. */
const BLOCK_REQUEST_BYTES = 17;
/** Largest length of a block's size field. */
const BLOCK_BYTES_FIELD_MAX = 255;
/** Offsets are handled as 32-bit signed integers. */
const IMAGE_BYTES_MAX = 0x7fffffff;

export class ZclOtaServer implements Machine<OtaTransmit, OtaServerEvent> {
  private readonly sessions: Session[] = [];
  private readonly response = new BlockResponse();
  private readonly transmit: OtaTransmit = { device: -1, bytes: new Uint8Array(0) };
  private blockReady = false;
  private readonly out = new Outbox();
  /** Devices whose delayed block or page block is due now; drained by pollTransmit. */
  private readonly due = new Fifo<number>();
  private nextDueMs = Number.POSITIVE_INFINITY;
  private sequence = 0;

  /** A new device; its number is the handle of all other calls. */
  addDevice(): number {
    this.sessions.push(new Session());
    return this.sessions.length - 1;
  }

  /**
   * Gives a device its image; the assignment is copied, the image is not. An earlier assignment is
   * replaced, its counters begin anew. A query that waits for a decision is put to the new assignment.
   */
  assign(device: number, assignment: Assignment, nowMs: number): void {
    const { image, triple, blockBytesMax } = assignment;
    assert(image.length > 0 && image.length <= IMAGE_BYTES_MAX, 'an assigned image has bytes');
    assert(blockBytesMax > 0 && blockBytesMax <= BLOCK_BYTES_FIELD_MAX, 'a block has its bytes');
    const session = new Session();
    const waiting = this.replace(device, session);
    session.assignment = { ...assignment };
    session.image = image;
    session.imageBytes = image.length;
    session.wireKind = triple.manufacturerCode | (triple.imageType << 16);
    session.wireVersion = triple.fileVersion | 0;
    session.admitted = 'anything';
    session.blockBytesMax = blockBytesMax;
    session.lastRequestMs = nowMs;
    session.refreshPlain();
    this.wakeAt(stallAtMs(session));
    if (waiting.querySequence < 0) return;
    receiveQuery(this.out, device, session, waiting.query!, waiting.querySequence, nowMs);
    this.wakeAt(session.queryDueMs);
  }

  /** Takes the image back: queries get "no image", blocks are refused, upgrade ends are held. */
  release(device: number): void {
    const waiting = this.replace(device, new Session());
    refuseQuery(this.out, device, waiting, STATUS.noImageAvailable);
  }

  /**
   * Admission agrees to what the device said of itself: a waiting query that said just that is answered
   * now, and a device that reported the image complete is told when to activate. Where the time is not
   * given, it is that of its report. A query that says something else is held back for a decision again.
   */
  authorise(device: number, admitted: Admitted, nowMs?: number): void {
    const session = this.session(device);
    assert(session.assignment !== undefined, 'a device without an image cannot be authorised');
    const waits = session.querySequence >= 0;
    if (waits && !covers(admitted, session.query!)) return;
    session.assignment.authorised = true;
    session.admitted = admitted;
    session.refreshPlain();
    if (waits) answerQuery(this.out, device, session);
    const atMs = nowMs ?? session.lastRequestMs;
    if (session.reportWaits) settleReport(this.out, device, session, this.nextSequence(), atMs);
    this.wakeAt(session.activateDueMs);
  }

  /**
   * Takes the permission back until it is given anew: the device keeps what it has and is told to wait, for
   * blocks as for its activation.
   */
  withhold(device: number): void {
    const session = this.session(device);
    if (!session.assignment) return;
    session.assignment.authorised = false;
    session.activateDueMs = Number.POSITIVE_INFINITY;
    session.pending = PENDING.none;
    session.refreshPlain();
  }

  /** Says that the bytes this device holds already are of the assigned content. */
  setResumable(device: number): void {
    const { assignment } = this.session(device);
    if (assignment) assignment.resumable = true;
  }

  /** Changes the pace; see Assignment. */
  setPace(device: number, blockPeriodMs: number): void {
    const session = this.session(device);
    if (!session.assignment) return;
    session.assignment.blockPeriodMs = blockPeriodMs;
    session.refreshPlain();
  }

  /**
   * Tells the device, when it next asks, to come back after `waitMs`; it keeps what it has. Used when the
   * gateway stops: silence would cost the device its whole download.
   */
  park(device: number, waitMs: number, nowMs: number): void {
    const session = this.session(device);
    session.parkedUntilMs = nowMs + waitMs;
    session.quietUntilMs = Number.NEGATIVE_INFINITY;
    session.pending = PENDING.none;
    session.refreshPlain();
  }

  unpark(device: number): void {
    this.session(device).unpark();
  }

  /** Tells the device, whenever it asks, to drop the download; until it is assigned an image anew. */
  abort(device: number): void {
    const session = this.session(device);
    session.aborting = true;
    session.pending = PENDING.none;
    session.activateDueMs = Number.POSITIVE_INFINITY;
    refuseQuery(this.out, device, session, STATUS.noImageAvailable);
    session.refreshPlain();
  }

  /** Invites the device to query. Unicast: it always does, whatever the fields say. */
  notify(device: number, payloadType: 0 | 1 | 2 | 3, queryJitter = 100): void {
    const triple = this.session(device).assignment?.triple;
    const notify = { kind: 'image-notify', payloadType, queryJitter, ...triple } as const;
    this.out.send(device, notify, this.nextSequence());
  }

  /**
   * Commands activation of a held image, at once or at a time. While the device downloads, only what its
   * upgrade end request is answered changes.
   */
  activate(device: number, activation: Activation, nowMs: number): void {
    const session = this.session(device);
    assert(session.assignment !== undefined, 'a device without an image cannot be activated');
    assert(!session.aborting, 'an aborted upgrade cannot be activated');
    commandActivation(this.out, device, session, activation, this.nextSequence(), nowMs);
    this.wakeAt(session.activateDueMs);
  }

  /** Writes what is known of a download into `out`; false where nothing is assigned. */
  progress(device: number, out: OtaProgress): boolean {
    const session = this.session(device);
    out.sentBytes = session.sentBytes;
    out.servedBytes = session.servedBytes;
    out.totalBytes = session.imageBytes;
    out.blocks = session.blocks;
    out.repeats = session.repeats;
    out.lastRequestMs = session.lastRequestMs;
    out.blockBytes = session.blockBytesMax;
    out.parked =
      session.parkedUntilMs > Number.NEGATIVE_INFINITY &&
      session.quietUntilMs > Number.NEGATIVE_INFINITY;
    return session.assignment !== undefined;
  }

  /** A frame of cluster 0x0019 from a device. The bytes are read during the call only. */
  handleFrame(device: number, frame: Uint8Array, nowMs: number): void {
    const session = this.session(device);
    if (
      frame.length >= BLOCK_REQUEST_BYTES &&
      (frame[0]! & PLAIN_KIND_MASK) === CLUSTER_REQUEST &&
      frame[2] === OTA_COMMAND.imageBlockRequest
    ) {
      this.heard(session, nowMs);
      if (session.plain && this.answerPlainBlock(device, session, frame, nowMs)) return;
    }
    const decoded = decodeOtaFrame(frame);
    const request = (frame[0]! & KIND_MASK) === CLUSTER_REQUEST;
    if (decoded.ok && (!request || decoded.manufacturerSpecific === undefined)) {
      this.handleDecoded(device, session, decoded, request, nowMs);
      return;
    }
    if (!request || (!decoded.ok && decoded.code === 'not-a-frame')) return;
    const { command, sequence, manufacturerSpecific } = decoded;
    const malformed = !decoded.ok && decoded.code === 'malformed' && !manufacturerSpecific;
    const status = malformed ? STATUS.malformedCommand : STATUS.unsupportedCommand;
    this.out.sendDefault(device, command, status, sequence, manufacturerSpecific);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.nextDueMs) return;
    this.nextDueMs = Number.POSITIVE_INFINITY;
    for (let device = 0; device < this.sessions.length; device++) {
      this.checkDeadlines(device, this.sessions[device]!, nowMs);
    }
  }

  pollTransmit(nowMs: number): OtaTransmit | undefined {
    if (this.blockReady) {
      this.blockReady = false;
      return this.transmit;
    }
    const frame = this.out.pollFrame();
    if (frame) return frame;
    for (let device = this.due.shift(); device !== undefined; device = this.due.shift()) {
      if (this.produceDue(device, this.sessions[device]!, nowMs)) {
        this.blockReady = false;
        return this.transmit;
      }
    }
    return undefined;
  }

  pollEvent(): OtaServerEvent | undefined {
    return this.out.pollEvent();
  }

  pollTimeout(): number {
    return this.nextDueMs;
  }

  // ---- blocks: the hot path -------------------------------------------------------------------------

  /**
   * The common case: authorised, not paced, this very image, an offset inside it. False where any of it
   * does not hold. Measured in test/bench/zcl-ota-server.bench.ts.
   */
  private answerPlainBlock(
    device: number,
    session: Session,
    frame: Uint8Array,
    nowMs: number,
  ): boolean {
    const kind = frame[4]! | (frame[5]! << 8) | (frame[6]! << 16) | (frame[7]! << 24);
    const version = frame[8]! | (frame[9]! << 8) | (frame[10]! << 16) | (frame[11]! << 24);
    const offset = frame[12]! | (frame[13]! << 8) | (frame[14]! << 16) | (frame[15]! << 24);
    if (kind !== session.wireKind || version !== session.wireVersion) return false;
    if (offset < 0 || offset >= session.imageBytes) return false;
    if (!session.started && !startDownload(this.out, device, session, offset)) return false;
    session.pending = PENDING.none;
    countRequest(session, offset);
    const length = blockBytes(session, offset, frame[16]!);
    this.writeBlock(device, session, frame[1]!, offset, length, nowMs);
    return true;
  }

  private writeBlock(
    device: number,
    session: Session,
    sequence: number,
    offset: number,
    length: number,
    nowMs: number,
  ): void {
    this.transmit.device = device;
    this.transmit.bytes = this.response.fill(session, sequence, offset, length);
    this.blockReady = true;
    if (offset + length > session.sentBytes) session.sentBytes = offset + length;
    session.lastBytes = length;
    session.servedBytes += length;
    session.blocks++;
    session.lastBlockMs = nowMs;
  }

  // ---- blocks: held back, and of pages --------------------------------------------------------------

  /** Writes the block that is due for a device; false where it has been overtaken, or was sent already. */
  private produceDue(device: number, session: Session, nowMs: number): boolean {
    if (session.pending === PENDING.none) return false;
    if (session.dueMs > nowMs) {
      this.wakeAt(session.dueMs);
      return false;
    }
    const { pending, pendingOffset: offset, pendingSequence: sequence } = session;
    const length = pending === PENDING.block ? session.pendingBytes : pageBlockBytes(session);
    this.writeBlock(device, session, sequence, offset, length, nowMs);
    session.lastOffset = offset;
    if (pending === PENDING.page && turnPage(session, length, nowMs)) this.wakeAt(session.dueMs);
    else session.pending = PENDING.none;
    return true;
  }

  private handleBlock(
    device: number,
    session: Session,
    message: BlockRequest,
    sequence: number,
    nowMs: number,
  ): void {
    const bytes = receiveBlockRequest(this.out, device, session, message, sequence, nowMs);
    if (bytes > 0) this.writeBlock(device, session, sequence, message.fileOffset, bytes, nowMs);
    else if (session.pending !== PENDING.none) this.wakeAt(session.dueMs);
  }

  private handlePage(
    device: number,
    session: Session,
    message: PageRequest,
    sequence: number,
    nowMs: number,
  ): void {
    receivePageRequest(this.out, device, session, message, sequence, nowMs);
    if (session.pending === PENDING.none) return;
    if (session.dueMs <= nowMs) this.due.push(device);
    else this.wakeAt(session.dueMs);
  }

  // ---- everything but blocks -------------------------------------------------------------------------

  private handleDecoded(
    device: number,
    session: Session,
    { message, command, sequence }: OtaFrame,
    request: boolean,
    nowMs: number,
  ): void {
    if (message.kind === 'default-response') {
      this.heard(session, nowMs);
      this.out.event({
        kind: 'answered',
        device,
        command: message.command,
        status: message.status,
      });
      return;
    }
    // In the server's own direction: an echo, or another server's.
    if (!request) return;
    this.heard(session, nowMs);
    if (session.pending === PENDING.page) session.pending = PENDING.none;
    switch (message.kind) {
      case 'image-block-request':
        this.handleBlock(device, session, message, sequence, nowMs);
        return;
      case 'image-page-request':
        this.handlePage(device, session, message, sequence, nowMs);
        return;
      case 'query-next-image-request': {
        const { manufacturerCode, imageType, fileVersion, hardwareVersion } = message;
        const facts = { manufacturerCode, imageType, fileVersion, hardwareVersion };
        receiveQuery(this.out, device, session, facts, sequence, nowMs);
        this.wakeAt(session.queryDueMs);
        return;
      }
      case 'query-device-specific-file-request':
        receiveSpecificFileQuery(this.out, device, session, message, sequence);
        return;
      case 'upgrade-end-request':
        receiveUpgradeEnd(this.out, device, session, message, sequence, nowMs);
        this.wakeAt(session.activateDueMs);
        return;
      default:
        this.out.sendDefault(device, command, STATUS.unsupportedCommand, sequence);
        return;
    }
  }

  private checkDeadlines(device: number, session: Session, nowMs: number): void {
    if (session.pending !== PENDING.none) {
      if (session.dueMs <= nowMs) this.due.push(device);
      else this.wakeAt(session.dueMs);
    }
    if (session.queryDueMs <= nowMs) {
      refuseQuery(this.out, device, session, STATUS.notAuthorized);
    }
    if (session.activateDueMs <= nowMs) this.activate(device, { when: 'now' }, nowMs);
    if (session.assignment && !session.stallReported) {
      if (stallAtMs(session) <= nowMs) {
        session.stallReported = true;
        this.out.event({ kind: 'stalled', device, silentMs: nowMs - session.lastRequestMs });
      } else {
        this.wakeAt(stallAtMs(session));
      }
    }
    this.wakeAt(session.queryDueMs);
    this.wakeAt(session.activateDueMs);
  }

  // ---- leaves ---------------------------------------------------------------------------------------

  private session(device: number): Session {
    const session = this.sessions[device];
    if (session === undefined) assert(false, `device ${device} was added`);
    return session!;
  }

  /** The old session; what it held back is not sent any more. */
  private replace(device: number, session: Session): Session {
    const old = this.session(device);
    this.sessions[device] = session;
    return old;
  }

  private heard(session: Session, nowMs: number): void {
    session.lastRequestMs = nowMs;
    if (!session.stallReported) return;
    session.stallReported = false;
    this.wakeAt(stallAtMs(session));
  }

  private wakeAt(atMs: number): void {
    if (atMs < this.nextDueMs) this.nextDueMs = atMs;
  }

  private nextSequence(): number {
    this.sequence = (this.sequence + 1) & 0xff;
    return this.sequence;
  }
}

function stallAtMs(session: Session): number {
  const stallMs = session.assignment?.stallMs ?? Number.POSITIVE_INFINITY;
  return Math.max(session.lastRequestMs, session.quietUntilMs) + stallMs;
}
