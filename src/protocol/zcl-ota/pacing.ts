/**
 * The pace of one device: answers held back, or a minimum block period taught to the device with
 * WAIT_FOR_DATA (095264, section 6.10.8.3), which then keeps the distance itself and repeats the period
 * in its requests. The period is milliseconds in 095264 and seconds in 15-0324-02; a device built for
 * seconds shows by its silence, and is from then on paced by held-back answers, as is one that does not
 * take the period it is taught.
 */
import type { Session } from './session.ts';

/** Longest an answer is held back in silence; clients wait 3 s for it. Above, they are told to come back. */
export const DELAY_MS_MAX = 2_000;
/** 0xFFFF is kept free: some stacks take it for "no value". */
const BLOCK_PERIOD_MAX = 0xfffe;
/** A device that is told a period so often and states another does not take ours. */
const PERIOD_TEACHINGS_MAX = 3;
/** Silence of so much of the period, read as seconds, shows a device that counts in seconds. */
const SECONDS_CLIENT_PART = 0.85;

/** The period the device is to have: 0, none, where we hold answers back instead. */
export function wantedPeriod(session: Session): number {
  const { blockPeriodMs, paceBy } = session.assignment!;
  return paceBy === 'block-period' && !session.periodRefused
    ? Math.min(blockPeriodMs, BLOCK_PERIOD_MAX)
    : 0;
}

/**
 * The period to teach a device before it gets its block; undefined where it has the right one, states
 * none, or does not take any.
 */
export function periodToTeach(
  session: Session,
  statedPeriod: number | undefined,
  nowMs: number,
): number | undefined {
  if (session.assignment!.paceBy !== 'block-period' || statedPeriod === undefined) return undefined;
  if (statedPeriod === wantedPeriod(session)) {
    session.periodTeachings = 0;
    const secondsMs = statedPeriod * 1000 * SECONDS_CLIENT_PART;
    const answered = session.lastBlockMs > Number.NEGATIVE_INFINITY;
    const inSeconds = statedPeriod > 0 && answered && nowMs - session.lastBlockMs >= secondsMs;
    if (!inSeconds) return undefined;
    session.periodRefused = true;
  }
  if (session.periodTeachings >= PERIOD_TEACHINGS_MAX) {
    session.periodRefused = true;
    return undefined;
  }
  session.periodTeachings++;
  return wantedPeriod(session);
}

/** When the next data may leave, ms; always, before the first. */
export function releaseAtMs(session: Session, statedPeriod: number | undefined): number {
  const { blockPeriodMs, paceBy } = session.assignment!;
  const deviceKeepsIt =
    paceBy === 'block-period' && statedPeriod !== undefined && !session.periodRefused;
  return session.lastBlockMs + (deviceKeepsIt ? 0 : blockPeriodMs);
}
