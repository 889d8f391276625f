/**
 * The end of a download and the command to activate (095264, sections 6.10.9 and 6.10.10).
 *
 * An upgrade end request is always answered, assigned or not: devices take silence for consent and
 * activate by themselves. Without a command to activate the answer is "wait". An image whose bytes this
 * gateway cannot vouch for is refused, however complete it is.
 */
import {
  type ImageTriple,
  OTA_COMMAND,
  type OtaMessage,
  STATUS,
  UPGRADE_TIME_HOLD,
} from './codec.ts';
import type { Outbox } from './outbox.ts';
import { type Activation, PENDING, type Session, sameTriple } from './session.ts';

/** Clients cut every longer wait to this, seconds; so a later activation is held and commanded in time. */
export const WAIT_S_MAX = 3_600;

export function receiveUpgradeEnd(
  out: Outbox,
  device: number,
  session: Session,
  message: Extract<OtaMessage, { kind: 'upgrade-end-request' }>,
  sequence: number,
  nowMs: number,
): void {
  session.pending = PENDING.none;
  const { manufacturerCode, imageType, fileVersion, status } = message;
  const triple =
    fileVersion === undefined
      ? undefined
      : ({ manufacturerCode, imageType, fileVersion } as ImageTriple);
  const { assignment } = session;
  const ours = assignment && (!triple || sameTriple(triple, assignment.triple));
  if (status !== STATUS.success) {
    out.sendDefault(device, OTA_COMMAND.upgradeEndRequest, STATUS.success, sequence);
    if (!ours && triple) out.event({ kind: 'foreign-request', device, triple });
    else out.event({ kind: 'ended', device, status });
    if (ours) forgetDownload(session);
    return;
  }
  if (!ours) {
    out.event({ kind: 'foreign-request', device, triple: triple! });
    out.sendUpgradeEnd(device, triple!, UPGRADE_TIME_HOLD, sequence);
    return;
  }
  if (session.aborting) {
    out.event({ kind: 'downloaded', device, answer: 'aborted' });
    out.sendDefault(device, OTA_COMMAND.upgradeEndRequest, STATUS.abort, sequence);
    return;
  }
  if (!assignment.authorised) {
    session.reportWaits = true;
    out.event({ kind: 'asks-unauthorised', device, offset: session.imageBytes });
    out.sendUpgradeEnd(device, triple!, UPGRADE_TIME_HOLD, sequence);
    return;
  }
  if (!vouchedFor(session)) {
    out.event({ kind: 'partial-dropped', device, offset: session.imageBytes });
    out.sendDefault(device, OTA_COMMAND.upgradeEndRequest, STATUS.abort, sequence);
    return;
  }
  acceptReport(out, device, session, sequence, nowMs);
}

/**
 * The decision has fallen for a device that reported the image complete and was told to hold: it would
 * ask again in an hour only. What cannot be vouched for is left to that question, as only an answer
 * can refuse it.
 */
export function settleReport(
  out: Outbox,
  device: number,
  session: Session,
  sequence: number,
  nowMs: number,
): void {
  if (!session.reportWaits || session.aborting) return;
  session.reportWaits = false;
  if (vouchedFor(session)) acceptReport(out, device, session, sequence, nowMs);
}

/**
 * What the device is told from now on; told at once where it has the image, or may have it from this
 * gateway's earlier life, and left to its upgrade end request while it still downloads.
 */
export function commandActivation(
  out: Outbox,
  device: number,
  session: Session,
  activation: Activation,
  sequence: number,
  nowMs: number,
): void {
  const assignment = session.assignment!;
  assignment.activation = activation;
  const waitS = upgradeWaitS(activation, nowMs);
  session.activateDueMs = commandDueMs(activation, waitS);
  const mayHave = session.downloaded || (!session.started && assignment.resumable);
  if (waitS === UPGRADE_TIME_HOLD || !mayHave || !assignment.authorised) return;
  out.sendUpgradeEnd(device, assignment.triple, waitS, sequence);
}

function vouchedFor(session: Session): boolean {
  return session.started || session.assignment!.resumable;
}

function acceptReport(
  out: Outbox,
  device: number,
  session: Session,
  sequence: number,
  nowMs: number,
): void {
  const { activation, triple } = session.assignment!;
  session.downloaded = true;
  session.sentBytes = session.imageBytes;
  out.event({ kind: 'downloaded', device, answer: activation.when });
  const waitS = upgradeWaitS(activation, nowMs);
  session.activateDueMs = commandDueMs(activation, waitS);
  out.sendUpgradeEnd(device, triple, waitS, sequence);
}

/** The next download begins with nothing. */
function forgetDownload(session: Session): void {
  session.started = false;
  session.downloaded = false;
  session.reportWaits = false;
  session.sentBytes = 0;
  session.activateDueMs = Number.POSITIVE_INFINITY;
}

function upgradeWaitS(activation: Activation, nowMs: number): number {
  if (activation.when === 'now') return 0;
  if (activation.when === 'held') return UPGRADE_TIME_HOLD;
  const waitS = Math.max(0, Math.round((activation.atMs - nowMs) / 1000));
  return waitS > WAIT_S_MAX ? UPGRADE_TIME_HOLD : waitS;
}

/** When the server has to command by itself, ms: for a time the device would cut short. */
function commandDueMs(activation: Activation, waitS: number): number {
  const later = activation.when === 'at' && waitS === UPGRADE_TIME_HOLD;
  return later ? activation.atMs : Number.POSITIVE_INFINITY;
}
