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
 * - A device that resumes content this gateway cannot vouch for is told to drop it: the triple of
 *   manufacturer, image type and version names no content (real files share it), and half of one file
 *   with half of another is a brick.
 * - An upgrade end request is always answered, assigned or not: devices take silence for consent and
 *   activate by themselves. Without a command to activate the answer is "wait".
 * - From the bytes of a block request to the bytes of its response nothing is allocated: one response
 *   buffer, one view of it per length, integers read as 32-bit signed so that they stay unboxed.
 */
import { assert } from '../../errors.ts';
import type { Machine } from '../machine.ts';
import { BlockResponse } from './block-response.ts';
import {
  decodeOtaFrame,
  encodeOtaFrame,
  type ImageTriple,
  OTA_COMMAND,
  type OtaMessage,
  STATUS,
  UPGRADE_TIME_HOLD,
} from './codec.ts';
import {
  type Activation,
  type Assignment,
  type OtaProgress,
  type OtaServerEvent,
  type OtaTransmit,
  PENDING,
  Session,
} from './session.ts';

/** Smaller and smaller blocks for a device that keeps asking for the same one (source routes, APS encryption). */
const BLOCK_BYTES_STEPS = [64, 50, 40, 32] as const;
/** What a device gets that states 0, that is nothing, as its maximum. */
const BLOCK_BYTES_UNSTATED = 40;
/** The same offset asked for so often in a row makes the next answer smaller: soon where the device has
 * taken no block of this size yet, late where it has and the line may just be bad. */
const REPEATS_UNTIL_SMALLER = 3;
const REPEATS_UNTIL_SMALLER_PROVEN = 6;
/** Longest a block is delayed in silence; clients wait 3 s for it. Above, they are told to come back. */
const DELAY_MS_MAX = 2_000;
/** Clients cut every longer wait to this, seconds; so a later activation is held and commanded in time. */
const UPGRADE_WAIT_S_MAX = 3_600;
/** How soon a device that asks before the decision is there shall ask again, seconds. */
const UNDECIDED_WAIT_S = 2;
/** A query waits so long for a decision before it is answered "not now". Clients wait 3 s. */
const QUERY_ANSWER_MS = 2_500;
/** Least spacing of the blocks of a page, ms, whatever the device asks for. */
const PAGE_SPACING_MS_MIN = 10;
/** A client whose next request comes this many periods late counts the period in seconds. */
const SECONDS_CLIENT_FACTOR = 20;
/** Frame control bits that matter in a request: type, manufacturer specific, direction. */
const REQUEST_KIND_MASK = 0x0f;
const CLUSTER_REQUEST = 0x01;
/** A block request without its optional fields: head 3, control 1, triple 8, offset 4, maximum 1. */
const BLOCK_REQUEST_BYTES = 17;

export class ZclOtaServer implements Machine<OtaTransmit, OtaServerEvent> {
  private readonly sessions: Session[] = [];
  private readonly response = new BlockResponse();
  private readonly transmit: OtaTransmit = { device: -1, bytes: new Uint8Array(0) };
  private blockReady = false;
  private readonly frames: OtaTransmit[] = [];
  private readonly events: OtaServerEvent[] = [];
  /** Devices whose delayed block or page block is due now; drained by pollTransmit. */
  private readonly due: number[] = [];
  private nextDueMs = Number.POSITIVE_INFINITY;
  private sequence = 0;

  /** A new device; its number is the handle of all other calls. */
  addDevice(): number {
    this.sessions.push(new Session());
    return this.sessions.length - 1;
  }

  /** Gives a device its image. An earlier assignment is replaced, its counters begin anew. */
  assign(device: number, assignment: Assignment, nowMs: number): void {
    assert(assignment.image.length > 0, 'an assigned image has bytes');
    const session = new Session();
    const { triple } = assignment;
    session.assignment = assignment;
    session.image = assignment.image;
    session.imageBytes = assignment.image.length;
    session.wireKind = triple.manufacturerCode | (triple.imageType << 16);
    session.wireVersion = triple.fileVersion | 0;
    session.blockBytesMax = assignment.blockBytesMax;
    session.lastRequestMs = nowMs + 0.5;
    this.sessions[device] = session;
    this.refreshPlain(session);
    this.wakeAt(nowMs + assignment.stallMs);
  }

  /** Takes the image back: queries get "no image", blocks are refused, upgrade ends are held. */
  release(device: number): void {
    this.sessions[device] = new Session();
  }

  /** Admission has seen the device and agrees: a waiting query is answered now. */
  authorise(device: number): void {
    const session = this.session(device);
    assert(session.assignment !== undefined, 'a device without an image cannot be authorised');
    session.assignment.authorised = true;
    this.refreshPlain(session);
    if (session.querySequence >= 0) this.answerQuery(device, session);
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
    session.periodSent = false;
    this.refreshPlain(session);
  }

  /**
   * Tells the device, when it next asks, to come back after `waitMs`; it keeps what it has. Used when the
   * gateway stops: silence would cost the device its whole download.
   */
  park(device: number, waitMs: number, nowMs: number): void {
    const session = this.session(device);
    session.parkedUntilMs = nowMs + waitMs;
    session.pending = PENDING.none;
    this.refreshPlain(session);
  }

  unpark(device: number): void {
    const session = this.session(device);
    session.parkedUntilMs = Number.NEGATIVE_INFINITY;
    this.refreshPlain(session);
  }

  /** Tells the device, whenever it asks, to drop the download; until it is assigned an image anew. */
  abort(device: number): void {
    const session = this.session(device);
    session.aborting = true;
    session.pending = PENDING.none;
    this.refreshPlain(session);
  }

  /** Invites the device to query. Unicast: it always does, whatever the fields say. */
  notify(device: number, payloadType: 0 | 1 | 2 | 3, queryJitter = 100): void {
    const triple = this.session(device).assignment?.triple;
    this.send(
      device,
      { kind: 'image-notify', payloadType, queryJitter, ...triple },
      this.nextSequence(),
    );
  }

  /**
   * Commands activation of a held image, at once or at a time, or changes what the next upgrade end
   * request is answered.
   */
  activate(device: number, activation: Activation, nowMs: number): void {
    const session = this.session(device);
    const { assignment } = session;
    assert(assignment !== undefined, 'a device without an image cannot be activated');
    assignment.activation = activation;
    if (activation.when === 'held') {
      session.activateDueMs = Number.POSITIVE_INFINITY;
      return;
    }
    const waitMs = activation.when === 'at' ? activation.atMs - nowMs : 0;
    if (waitMs > UPGRADE_WAIT_S_MAX * 1000) {
      session.activateDueMs = activation.when === 'at' ? activation.atMs : nowMs;
      this.wakeAt(session.activateDueMs);
      return;
    }
    session.activateDueMs = Number.POSITIVE_INFINITY;
    this.sendUpgradeEnd(
      device,
      assignment.triple,
      Math.max(0, Math.round(waitMs / 1000)),
      this.nextSequence(),
    );
  }

  /** Writes what is known of a download into `out`; false where nothing is assigned. */
  progress(device: number, out: OtaProgress): boolean {
    const session = this.session(device);
    out.sentBytes = session.sentBytes;
    out.totalBytes = session.imageBytes;
    out.blocks = session.blocks;
    out.repeats = session.repeats;
    out.lastRequestMs = session.lastRequestMs;
    out.blockBytes = session.blockBytesMax;
    out.parked = session.parkedUntilMs > Number.NEGATIVE_INFINITY;
    return session.assignment !== undefined;
  }

  /** A frame of cluster 0x0019 from a device. The bytes are read during the call only. */
  handleFrame(device: number, frame: Uint8Array, nowMs: number): void {
    const session = this.session(device);
    if (
      frame.length >= BLOCK_REQUEST_BYTES &&
      (frame[0]! & REQUEST_KIND_MASK) === CLUSTER_REQUEST &&
      frame[2] === OTA_COMMAND.imageBlockRequest
    ) {
      session.lastRequestMs = nowMs;
      session.stallReported = false;
      if (session.plain && this.answerBlock(device, session, frame, nowMs)) return;
      this.handleUncommonBlock(device, session, frame, nowMs);
      return;
    }
    this.handleOther(device, session, frame, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.nextDueMs) return;
    let next = Number.POSITIVE_INFINITY;
    for (let device = 0; device < this.sessions.length; device++) {
      const session = this.sessions[device]!;
      if (session.dueMs <= nowMs) {
        session.dueMs = Number.POSITIVE_INFINITY;
        this.due.push(device);
      }
      if (session.queryDueMs <= nowMs) this.refuseQuery(device, session);
      if (session.activateDueMs <= nowMs) this.activate(device, { when: 'now' }, nowMs);
      this.checkStall(device, session, nowMs);
      const stallAtMs =
        session.assignment && !session.stallReported
          ? session.lastRequestMs + session.assignment.stallMs
          : next;
      next = Math.min(next, session.dueMs, session.queryDueMs, session.activateDueMs, stallAtMs);
    }
    this.nextDueMs = next;
  }

  pollTransmit(nowMs: number): OtaTransmit | undefined {
    if (this.blockReady) {
      this.blockReady = false;
      return this.transmit;
    }
    if (this.frames.length > 0) return this.frames.shift();
    while (this.due.length > 0) {
      const device = this.due.shift()!;
      if (this.produceDue(device, nowMs)) {
        this.blockReady = false;
        return this.transmit;
      }
    }
    return undefined;
  }

  pollEvent(): OtaServerEvent | undefined {
    return this.events.length > 0 ? this.events.shift() : undefined;
  }

  pollTimeout(): number {
    return this.nextDueMs;
  }

  // ---- blocks: the hot path -------------------------------------------------------------------------

  /**
   * The common case: authorised, not paced, this very image, an offset inside it. False where any of it
   * does not hold. Measured in test/bench/zcl-ota-server.bench.ts.
   */
  private answerBlock(device: number, session: Session, frame: Uint8Array, nowMs: number): boolean {
    const kind = frame[4]! | (frame[5]! << 8) | (frame[6]! << 16) | (frame[7]! << 24);
    const version = frame[8]! | (frame[9]! << 8) | (frame[10]! << 16) | (frame[11]! << 24);
    const offset = frame[12]! | (frame[13]! << 8) | (frame[14]! << 16) | (frame[15]! << 24);
    if (kind !== session.wireKind || version !== session.wireVersion) return false;
    if (offset < 0 || offset >= session.imageBytes) return false;
    if (!session.started && !this.startDownload(device, session, offset)) return false;
    session.pending = PENDING.none;
    this.countRequest(session, offset);
    this.writeBlock(
      device,
      session,
      frame[1]!,
      offset,
      this.blockBytes(session, offset, frame[16]!),
      nowMs,
    );
    return true;
  }

  private blockBytes(session: Session, offset: number, askedBytes: number): number {
    const asked = askedBytes === 0 ? BLOCK_BYTES_UNSTATED : askedBytes;
    const capped = Math.min(asked, session.blockBytesMax);
    const left = session.imageBytes - offset;
    return Math.min(capped, left);
  }

  private countRequest(session: Session, offset: number): void {
    if (offset !== session.lastOffset) {
      const taken = offset === session.lastOffset + session.lastBytes;
      if (taken && session.lastBytes > session.provenBytes) session.provenBytes = session.lastBytes;
      session.lastOffset = offset;
      session.repeatRun = 0;
      return;
    }
    session.repeats++;
    session.repeatRun++;
    const proven = session.provenBytes >= session.blockBytesMax;
    const patience = proven ? REPEATS_UNTIL_SMALLER_PROVEN : REPEATS_UNTIL_SMALLER;
    if (session.repeatRun >= patience) this.shrinkBlock(session);
  }

  private shrinkBlock(session: Session): void {
    session.repeatRun = 0;
    for (const step of BLOCK_BYTES_STEPS) {
      if (step >= session.blockBytesMax) continue;
      session.blockBytesMax = step;
      return;
    }
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
    session.blocks++;
    session.lastBlockMs = nowMs;
  }

  // ---- blocks: everything else ----------------------------------------------------------------------

  /** True where the download may go on from `offset`; else the device was told to drop what it has. */
  private startDownload(device: number, session: Session, offset: number): boolean {
    if (offset > 0 && !session.assignment!.resumable) return false;
    session.started = true;
    this.events.push({ kind: 'started', device, offset });
    return true;
  }

  private handleUncommonBlock(
    device: number,
    session: Session,
    frame: Uint8Array,
    nowMs: number,
  ): void {
    const decoded = decodeOtaFrame(frame);
    if (!decoded.ok || decoded.message.kind !== 'image-block-request') return;
    const { message, sequence } = decoded;
    const refusal = this.refuseData(device, session, message, sequence, nowMs);
    if (refusal) return;
    this.countRequest(session, message.fileOffset);
    const { assignment } = session;
    if (!assignment) return;
    const bytes = this.blockBytes(session, message.fileOffset, message.maximumDataBytes);
    if (this.paceByPeriod(device, session, message.minimumBlockPeriod, sequence, nowMs)) return;
    const dueMs = session.lastBlockMs + this.delayMs(session, message.minimumBlockPeriod);
    if (!(dueMs > nowMs)) {
      session.pending = PENDING.none;
      this.writeBlock(device, session, sequence, message.fileOffset, bytes, nowMs);
      return;
    }
    if (dueMs - nowMs > DELAY_MS_MAX) {
      this.sendWait(device, Math.ceil((dueMs - nowMs) / 1000), sequence);
      return;
    }
    session.pending = PENDING.block;
    session.pendingOffset = message.fileOffset;
    session.pendingBytes = bytes;
    session.pendingSequence = sequence;
    session.dueMs = dueMs;
    this.wakeAt(dueMs);
  }

  /**
   * What stands between a request for data and the data, in the order it is checked. True where the
   * request has been answered here.
   */
  private refuseData(
    device: number,
    session: Session,
    message: ImageTriple & { fileOffset: number },
    sequence: number,
    nowMs: number,
  ): boolean {
    const { assignment } = session;
    if (!assignment || !sameTriple(message, assignment.triple)) {
      const { manufacturerCode, imageType, fileVersion } = message;
      this.events.push({
        kind: 'foreign-request',
        device,
        triple: { manufacturerCode, imageType, fileVersion },
      });
      return this.sendDefault(
        device,
        OTA_COMMAND.imageBlockRequest,
        STATUS.noImageAvailable,
        sequence,
      );
    }
    if (session.aborting) {
      session.started = false;
      return this.send(device, { kind: 'image-block-refusal', status: STATUS.abort }, sequence);
    }
    if (session.parkedUntilMs > nowMs) {
      return this.sendWait(device, Math.ceil((session.parkedUntilMs - nowMs) / 1000), sequence);
    }
    if (session.parkedUntilMs !== Number.NEGATIVE_INFINITY) this.unpark(device);
    if (!assignment.authorised) {
      this.events.push({ kind: 'asks-unauthorised', device, offset: message.fileOffset });
      return this.sendWait(device, UNDECIDED_WAIT_S, sequence);
    }
    // Past the end: the stack most devices are built on answers so (the specification may want 0x80).
    if (message.fileOffset >= session.imageBytes) {
      return this.sendDefault(
        device,
        OTA_COMMAND.imageBlockRequest,
        STATUS.noImageAvailable,
        sequence,
      );
    }
    if (!session.started && !this.startDownload(device, session, message.fileOffset)) {
      this.events.push({ kind: 'partial-dropped', device, offset: message.fileOffset });
      return this.send(device, { kind: 'image-block-refusal', status: STATUS.abort }, sequence);
    }
    return false;
  }

  /** Teaches a device our block period through WAIT_FOR_DATA; true where that was the answer. */
  private paceByPeriod(
    device: number,
    session: Session,
    devicePeriod: number | undefined,
    sequence: number,
    nowMs: number,
  ): boolean {
    const { blockPeriodMs, paceBy } = session.assignment!;
    if (paceBy !== 'block-period' || devicePeriod === undefined || session.periodRefused)
      return false;
    const sinceMs = nowMs - session.lastBlockMs;
    if (session.periodSent && sinceMs > blockPeriodMs * SECONDS_CLIENT_FACTOR)
      session.periodRefused = true;
    const wanted = session.periodRefused ? 0 : Math.min(blockPeriodMs, 0xfffe);
    if (devicePeriod === wanted) return false;
    session.periodSent = true;
    session.lastBlockMs = nowMs;
    const wait = { currentTime: 0, requestTime: 1, minimumBlockPeriod: wanted };
    return this.send(device, { kind: 'image-block-wait', ...wait }, sequence);
  }

  private delayMs(session: Session, devicePeriod: number | undefined): number {
    const { blockPeriodMs, paceBy } = session.assignment!;
    const deviceKeepsIt =
      paceBy === 'block-period' && devicePeriod !== undefined && !session.periodRefused;
    return deviceKeepsIt ? 0 : blockPeriodMs;
  }

  private handlePage(
    device: number,
    session: Session,
    message: Extract<OtaMessage, { kind: 'image-page-request' }>,
    sequence: number,
    nowMs: number,
  ): void {
    if (this.refuseData(device, session, message, sequence, nowMs)) return;
    session.pending = PENDING.page;
    session.pendingOffset = message.fileOffset;
    session.pendingBytes = message.maximumDataBytes;
    session.pendingSequence = sequence;
    session.pageEnd = Math.min(message.fileOffset + message.pageBytes, session.imageBytes);
    const spacingMs = Math.max(message.responseSpacingMs, PAGE_SPACING_MS_MIN);
    session.pageSpacingMs = Math.max(spacingMs, session.assignment!.blockPeriodMs);
    session.dueMs = nowMs;
    this.wakeAt(nowMs);
    this.handleTimeout(nowMs);
  }

  /** Writes the block that is due for a device; false where it has been overtaken. */
  private produceDue(device: number, nowMs: number): boolean {
    const session = this.sessions[device]!;
    if (session.pending === PENDING.none) return false;
    const offset = session.pendingOffset;
    if (session.pending === PENDING.block) {
      session.pending = PENDING.none;
      this.writeBlock(
        device,
        session,
        session.pendingSequence,
        offset,
        session.pendingBytes,
        nowMs,
      );
      return true;
    }
    const left = session.pageEnd - offset;
    if (left <= 0) {
      session.pending = PENDING.none;
      return false;
    }
    const bytes = Math.min(this.blockBytes(session, offset, session.pendingBytes), left);
    this.writeBlock(device, session, session.pendingSequence, offset, bytes, nowMs);
    session.lastRequestMs = nowMs;
    session.pendingOffset = offset + bytes;
    if (session.pendingOffset >= session.pageEnd) {
      session.pending = PENDING.none;
    } else {
      session.dueMs = nowMs + session.pageSpacingMs;
      this.wakeAt(session.dueMs);
    }
    return true;
  }

  // ---- queries, ends and the rest --------------------------------------------------------------------

  private handleOther(device: number, session: Session, frame: Uint8Array, nowMs: number): void {
    const decoded = decodeOtaFrame(frame);
    if (!decoded.ok) {
      if (decoded.code === 'not-a-frame' || (frame[0]! & REQUEST_KIND_MASK) !== CLUSTER_REQUEST)
        return;
      const status =
        decoded.code === 'malformed' ? STATUS.malformedCommand : STATUS.unsupportedCommand;
      this.sendDefault(device, decoded.command, status, decoded.sequence);
      return;
    }
    const { message, sequence } = decoded;
    session.lastRequestMs = nowMs;
    session.stallReported = false;
    switch (message.kind) {
      case 'query-next-image-request':
        this.handleQuery(device, session, message, sequence, nowMs);
        return;
      case 'image-page-request':
        this.handlePage(device, session, message, sequence, nowMs);
        return;
      case 'upgrade-end-request':
        this.handleEnd(device, session, message, sequence, nowMs);
        return;
      case 'query-device-specific-file-request':
        this.handleSpecificFile(device, session, message, sequence);
        return;
      case 'default-response':
        this.events.push({
          kind: 'answered',
          device,
          command: message.command,
          status: message.status,
        });
        return;
      default:
        // A server's command from a client: the sender is confused, and an answer would confuse it more.
        return;
    }
  }

  private handleQuery(
    device: number,
    session: Session,
    message: Extract<OtaMessage, { kind: 'query-next-image-request' }>,
    sequence: number,
    nowMs: number,
  ): void {
    const { manufacturerCode, imageType, fileVersion, hardwareVersion } = message;
    session.query = { manufacturerCode, imageType, fileVersion, hardwareVersion };
    session.querySequence = sequence;
    const triple = session.assignment?.triple;
    const matches =
      triple && triple.manufacturerCode === manufacturerCode && triple.imageType === imageType;
    if (!matches || session.aborting) {
      this.endQuery(device, session, 'no-image');
    } else if (triple.fileVersion === fileVersion) {
      this.endQuery(device, session, 'running-already');
    } else if (session.assignment!.authorised) {
      this.answerQuery(device, session);
    } else {
      session.queryDueMs = nowMs + QUERY_ANSWER_MS;
      this.wakeAt(session.queryDueMs);
      this.events.push({ kind: 'query', device, facts: session.query, answer: 'deferred' });
    }
  }

  private endQuery(device: number, session: Session, answer: 'no-image' | 'running-already'): void {
    this.events.push({ kind: 'query', device, facts: session.query!, answer });
    const status = STATUS.noImageAvailable;
    this.send(device, { kind: 'query-next-image-response', status }, session.querySequence);
    session.querySequence = -1;
  }

  private answerQuery(device: number, session: Session): void {
    this.events.push({ kind: 'query', device, facts: session.query!, answer: 'offered' });
    const offer = {
      status: STATUS.success,
      ...session.assignment!.triple,
      imageBytes: session.imageBytes,
    };
    this.send(device, { kind: 'query-next-image-response', ...offer }, session.querySequence);
    session.querySequence = -1;
    session.queryDueMs = Number.POSITIVE_INFINITY;
  }

  /** No decision came in time: not now, ask again later. */
  private refuseQuery(device: number, session: Session): void {
    session.queryDueMs = Number.POSITIVE_INFINITY;
    if (session.querySequence < 0) return;
    const status = STATUS.notAuthorized;
    this.send(device, { kind: 'query-next-image-response', status }, session.querySequence);
    session.querySequence = -1;
  }

  private handleEnd(
    device: number,
    session: Session,
    message: Extract<OtaMessage, { kind: 'upgrade-end-request' }>,
    sequence: number,
    nowMs: number,
  ): void {
    const { assignment } = session;
    session.pending = PENDING.none;
    if (message.status !== STATUS.success) {
      session.started = false;
      this.events.push({ kind: 'ended', device, status: message.status });
      this.sendDefault(device, OTA_COMMAND.upgradeEndRequest, STATUS.success, sequence);
      return;
    }
    const triple = { ...message } as ImageTriple;
    if (!assignment?.authorised || !sameTriple(triple, assignment.triple)) {
      this.events.push({ kind: 'foreign-request', device, triple });
      this.sendUpgradeEnd(device, triple, UPGRADE_TIME_HOLD, sequence);
      return;
    }
    if (session.aborting) {
      this.events.push({ kind: 'downloaded', device, answer: 'aborted' });
      this.sendDefault(device, OTA_COMMAND.upgradeEndRequest, STATUS.abort, sequence);
      return;
    }
    session.sentBytes = session.imageBytes;
    const { activation } = assignment;
    this.events.push({ kind: 'downloaded', device, answer: activation.when });
    const waitS =
      activation.when === 'at' ? Math.max(0, Math.round((activation.atMs - nowMs) / 1000)) : 0;
    const held = activation.when === 'held' || waitS > UPGRADE_WAIT_S_MAX;
    this.sendUpgradeEnd(device, triple, held ? UPGRADE_TIME_HOLD : waitS, sequence);
    if (activation.when !== 'at' || !held) return;
    session.activateDueMs = activation.atMs;
    this.wakeAt(activation.atMs);
  }

  private handleSpecificFile(
    device: number,
    session: Session,
    message: Extract<OtaMessage, { kind: 'query-device-specific-file-request' }>,
    sequence: number,
  ): void {
    const { assignment } = session;
    const kind = 'query-device-specific-file-response';
    if (!assignment?.authorised || !sameTriple(message, assignment.triple)) {
      this.send(device, { kind, status: STATUS.noImageAvailable }, sequence);
      return;
    }
    const offer = { status: STATUS.success, ...assignment.triple, imageBytes: session.imageBytes };
    this.send(device, { kind, ...offer }, sequence);
  }

  // ---- leaves ---------------------------------------------------------------------------------------

  private session(device: number): Session {
    const session = this.sessions[device];
    assert(session !== undefined, `device ${device} was added`);
    return session;
  }

  /** The hot path is open only where nothing but image and offset decide the answer. */
  private refreshPlain(session: Session): void {
    const { assignment } = session;
    session.plain =
      assignment?.authorised === true &&
      assignment.blockPeriodMs === 0 &&
      !session.aborting &&
      session.parkedUntilMs === Number.NEGATIVE_INFINITY;
  }

  private checkStall(device: number, session: Session, nowMs: number): void {
    const { assignment } = session;
    if (!assignment || session.stallReported) return;
    const silentMs = nowMs - session.lastRequestMs;
    if (silentMs < assignment.stallMs) return;
    session.stallReported = true;
    this.events.push({ kind: 'stalled', device, silentMs });
  }

  private wakeAt(atMs: number): void {
    if (atMs < this.nextDueMs) this.nextDueMs = atMs;
  }

  private nextSequence(): number {
    this.sequence = (this.sequence + 1) & 0xff;
    return this.sequence;
  }

  private sendWait(device: number, waitS: number, sequence: number): true {
    const requestTime = Math.min(Math.max(1, waitS), UPGRADE_WAIT_S_MAX);
    return this.send(
      device,
      { kind: 'image-block-wait', currentTime: 0, requestTime, minimumBlockPeriod: 0 },
      sequence,
    );
  }

  private sendUpgradeEnd(
    device: number,
    triple: ImageTriple,
    upgradeTime: number,
    sequence: number,
  ): true {
    const { manufacturerCode, imageType, fileVersion } = triple;
    const names = { manufacturerCode, imageType, fileVersion };
    return this.send(
      device,
      { kind: 'upgrade-end-response', ...names, currentTime: 0, upgradeTime },
      sequence,
    );
  }

  private sendDefault(device: number, command: number, status: number, sequence: number): true {
    return this.send(device, { kind: 'default-response', command, status }, sequence);
  }

  /** True, so that a check can answer and say so in one line. */
  private send(device: number, message: OtaMessage, sequence: number): true {
    this.frames.push({ device, bytes: encodeOtaFrame(message, sequence) });
    return true;
  }
}

function sameTriple(a: ImageTriple, b: ImageTriple): boolean {
  return (
    a.manufacturerCode === b.manufacturerCode &&
    a.imageType === b.imageType &&
    a.fileVersion === b.fileVersion
  );
}
