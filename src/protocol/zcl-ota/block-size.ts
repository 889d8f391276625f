/**
 * How much data a block carries: what the device asks for, under our limit, and less for a device that
 * keeps asking for the same block. A frame too long for its route is lost each time; nobody says so.
 */
import type { Session } from './session.ts';

/** Smaller and smaller blocks (source routes and APS encryption take room in the frame). */
const BLOCK_BYTES_STEPS = [64, 50, 40, 32] as const;
/** What a device gets that states 0, that is nothing, as its maximum. */
const BLOCK_BYTES_UNSTATED = 40;
/** The same offset asked for so often in a row makes the next answer smaller: soon where the device has
 * taken no block of this size yet, late where it has and the line may just be bad. */
const REPEATS_UNTIL_SMALLER = 3;
const REPEATS_UNTIL_SMALLER_PROVEN = 6;

/** `offset` is inside the image. */
export function blockBytes(session: Session, offset: number, askedBytes: number): number {
  const asked = askedBytes === 0 ? BLOCK_BYTES_UNSTATED : askedBytes;
  const capped = Math.min(asked, session.blockBytesMax);
  return Math.min(capped, session.imageBytes - offset);
}

/** Counts a request for the data at `offset`: a repetition, or proof that the last block was taken. */
export function countRequest(session: Session, offset: number): void {
  if (offset !== session.lastOffset) {
    const taken = offset === session.lastOffset + session.lastBytes;
    if (taken && session.lastBytes > session.provenBytes) session.provenBytes = session.lastBytes;
    session.lastOffset = offset;
    session.repeatRun = 0;
    return;
  }
  session.repeats++;
  session.repeatRun++;
  const proven = session.provenBytes >= session.lastBytes;
  const patience = proven ? REPEATS_UNTIL_SMALLER_PROVEN : REPEATS_UNTIL_SMALLER;
  if (session.repeatRun >= patience) shrinkBlock(session);
}

function shrinkBlock(session: Session): void {
  session.repeatRun = 0;
  for (const step of BLOCK_BYTES_STEPS) {
    if (step >= session.lastBytes) continue;
    session.blockBytesMax = step;
    return;
  }
}
