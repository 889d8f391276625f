/**
 * Requests for data that the hot path leaves alone, and pages: what stands between a request and its
 * data, in the order it is checked, and the pace (095264, sections 6.10.6 to 6.10.8).
 */
import { WAIT_S_MAX } from './activation.ts';
import { blockBytes, countRequest } from './block-size.ts';
import { type ImageTriple, OTA_COMMAND, type OtaMessage, STATUS } from './codec.ts';
import type { Outbox } from './outbox.ts';
import { DELAY_MS_MAX, periodToTeach, releaseAtMs, wantedPeriod } from './pacing.ts';
import { type PageRequest, startPage } from './pages.ts';
import { PENDING, type Session, sameTriple } from './session.ts';

/** How soon a device that asks before the decision is there shall ask again, ms. */
const UNDECIDED_WAIT_MS = 2_000;

export type BlockRequest = Extract<OtaMessage, { kind: 'image-block-request' }>;

/**
 * The bytes to answer with now. 0 where the request has been answered here, or is held back: then the
 * block is pending, due at `session.dueMs`.
 */
export function receiveBlockRequest(
  out: Outbox,
  device: number,
  session: Session,
  message: BlockRequest,
  sequence: number,
  nowMs: number,
): number {
  const command = OTA_COMMAND.imageBlockRequest;
  const { fileOffset, maximumDataBytes, minimumBlockPeriod } = message;
  const heldBack = session.pending === PENDING.block && session.pendingOffset === fileOffset;
  session.pending = PENDING.none;
  if (refuseData(out, device, session, message, command, sequence, nowMs)) return 0;
  const period = periodToTeach(session, minimumBlockPeriod, nowMs);
  if (period !== undefined) {
    session.lastBlockMs = nowMs;
    out.sendWait(device, 1, period, sequence);
    return 0;
  }
  const dueMs = releaseAtMs(session, minimumBlockPeriod);
  if (dueMs - nowMs > DELAY_MS_MAX) {
    tellToWait(out, device, session, dueMs - nowMs, sequence, nowMs);
    return 0;
  }
  // Asked again for what has not left yet: no sign of a block that got lost.
  if (!heldBack) countRequest(session, fileOffset);
  const bytes = blockBytes(session, fileOffset, maximumDataBytes);
  if (dueMs <= nowMs) return bytes;
  session.pending = PENDING.block;
  session.pendingOffset = fileOffset;
  session.pendingBytes = bytes;
  session.pendingSequence = sequence;
  session.dueMs = dueMs;
  return 0;
}

/** Answers, or starts the page: then it is pending, its first block due at `session.dueMs`. */
export function receivePageRequest(
  out: Outbox,
  device: number,
  session: Session,
  message: PageRequest,
  sequence: number,
  nowMs: number,
): void {
  const command = OTA_COMMAND.imagePageRequest;
  session.pending = PENDING.none;
  if (refuseData(out, device, session, message, command, sequence, nowMs)) return;
  if (message.pageBytes === 0) {
    out.sendDefault(device, command, STATUS.malformedCommand, sequence);
    return;
  }
  const dueMs = Math.max(releaseAtMs(session, undefined), nowMs);
  if (dueMs - nowMs > DELAY_MS_MAX) {
    tellToWait(out, device, session, dueMs - nowMs, sequence, nowMs);
    return;
  }
  countRequest(session, message.fileOffset);
  startPage(session, message, sequence, dueMs);
}

/**
 * True where the download may begin or go on at `offset`: content this gateway has not begun to send is
 * begun at its first byte, by a device that it was offered to.
 */
export function startDownload(
  out: Outbox,
  device: number,
  session: Session,
  offset: number,
): boolean {
  const mayBegin = offset === 0 && (session.offered || session.admitted === 'anything');
  if (!mayBegin && !session.assignment!.resumable) return false;
  session.started = true;
  out.event({ kind: 'started', device, offset });
  return true;
}

/** True where the request has been answered here. */
function refuseData(
  out: Outbox,
  device: number,
  session: Session,
  message: ImageTriple & { fileOffset: number },
  command: number,
  sequence: number,
  nowMs: number,
): boolean {
  const { assignment } = session;
  const { manufacturerCode, imageType, fileVersion, fileOffset } = message;
  if (!assignment || !sameTriple(message, assignment.triple)) {
    const triple = { manufacturerCode, imageType, fileVersion };
    out.event({ kind: 'foreign-request', device, triple });
    return out.sendDefault(device, command, STATUS.noImageAvailable, sequence);
  }
  const refusal = { kind: 'image-block-refusal', status: STATUS.abort } as const;
  if (session.aborting) return out.send(device, refusal, sequence);
  if (session.parkedUntilMs > nowMs) {
    return tellToWait(out, device, session, session.parkedUntilMs - nowMs, sequence, nowMs);
  }
  if (session.parkedUntilMs !== Number.NEGATIVE_INFINITY) session.unpark();
  if (!assignment.authorised) {
    out.event({ kind: 'asks-unauthorised', device, offset: fileOffset });
    return tellToWait(out, device, session, UNDECIDED_WAIT_MS, sequence, nowMs);
  }
  // Past the end: the stack most devices are built on answers so (the specification may want 0x80).
  if (fileOffset >= session.imageBytes) {
    return out.sendDefault(device, command, STATUS.noImageAvailable, sequence);
  }
  if (!session.started && !startDownload(out, device, session, fileOffset)) {
    out.event({ kind: 'partial-dropped', device, offset: fileOffset });
    return out.send(device, refusal, sequence);
  }
  return false;
}

/** In whole seconds, at least one, and again after an hour where it is longer. */
function tellToWait(
  out: Outbox,
  device: number,
  session: Session,
  waitMs: number,
  sequence: number,
  nowMs: number,
): true {
  const waitS = Math.min(Math.max(1, Math.ceil(waitMs / 1000)), WAIT_S_MAX);
  session.quietUntilMs = nowMs + waitS * 1000;
  return out.sendWait(device, waitS, wantedPeriod(session), sequence);
}
