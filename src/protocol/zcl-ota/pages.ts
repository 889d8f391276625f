/**
 * Image pages (095264, section 6.10.7): one request, many blocks at a spacing, until the page or the
 * image ends or the device asks for anything else. Lost blocks are the device's to ask for, one by one.
 */
import { blockBytes } from './block-size.ts';
import type { OtaMessage } from './codec.ts';
import { PENDING, type Session } from './session.ts';

/** Least spacing of the blocks of a page, ms, whatever the device asks for. */
const PAGE_SPACING_MS_MIN = 10;
/** A page ends after this: 64 KiB at a spacing of 65 s would go on for hours to a device that is gone. */
const PAGE_MS_MAX = 300_000;

export type PageRequest = Extract<OtaMessage, { kind: 'image-page-request' }>;

/** The first block is due at `dueMs`. */
export function startPage(
  session: Session,
  message: PageRequest,
  sequence: number,
  dueMs: number,
): void {
  session.pending = PENDING.page;
  session.pendingOffset = message.fileOffset;
  session.pendingBytes = message.maximumDataBytes;
  session.pendingSequence = sequence;
  session.pageEnd = Math.min(message.fileOffset + message.pageBytes, session.imageBytes);
  const spacingMs = Math.max(message.responseSpacingMs, PAGE_SPACING_MS_MIN);
  session.pageSpacingMs = Math.max(spacingMs, session.assignment!.blockPeriodMs);
  session.pageUntilMs = dueMs + PAGE_MS_MAX;
  session.dueMs = dueMs;
}

/** Bytes of the block at `pendingOffset`. */
export function pageBlockBytes(session: Session): number {
  const left = session.pageEnd - session.pendingOffset;
  return Math.min(blockBytes(session, session.pendingOffset, session.pendingBytes), left);
}

/** Goes on behind a block that has been sent; false where it was the page's last. */
export function turnPage(session: Session, sentBytes: number, nowMs: number): boolean {
  session.pendingOffset += sentBytes;
  session.dueMs = nowMs + session.pageSpacingMs;
  // The device asks for nothing while its page runs: that is no stall.
  session.quietUntilMs = session.dueMs;
  return session.pendingOffset < session.pageEnd && session.dueMs <= session.pageUntilMs;
}
