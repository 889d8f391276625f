/**
 * Query Next Image and Query Device Specific File (095264, sections 6.10.4 and 6.10.12): the offer of
 * the assigned image, if it is of the kind the device asks for. A device whose admission is still open
 * is kept waiting a moment, then told "not now".
 */
import { ANY_U32, type ImageTriple, type OtaMessage, STATUS } from './codec.ts';
import type { Outbox } from './outbox.ts';
import { covers, type DeviceFacts, type Session, sameTriple } from './session.ts';

/** A query waits so long for a decision before it is answered. Clients wait 3 s. */
const QUERY_ANSWER_MS = 2_500;

/** Answers or defers; a deferred query is due at `session.queryDueMs`. */
export function receiveQuery(
  out: Outbox,
  device: number,
  session: Session,
  facts: DeviceFacts,
  sequence: number,
  nowMs: number,
): void {
  session.query = facts;
  session.querySequence = sequence;
  const triple = session.assignment?.triple;
  const matches =
    triple?.manufacturerCode === facts.manufacturerCode && triple.imageType === facts.imageType;
  if (!matches || session.aborting) {
    out.event({ kind: 'query', device, facts, answer: 'no-image' });
    refuseQuery(out, device, session, STATUS.noImageAvailable);
  } else if (triple.fileVersion === facts.fileVersion) {
    out.event({ kind: 'query', device, facts, answer: 'running-already' });
    refuseQuery(out, device, session, STATUS.noImageAvailable);
  } else if (session.assignment!.authorised && covers(session.admitted, facts)) {
    answerQuery(out, device, session);
  } else {
    // It says of itself what was not decided on: what it said before does not count any more.
    session.assignment!.authorised = false;
    session.refreshPlain();
    session.queryDueMs = nowMs + QUERY_ANSWER_MS;
    out.event({ kind: 'query', device, facts, answer: 'deferred' });
  }
}

/** Offers the assigned image to the query that waits. */
export function answerQuery(out: Outbox, device: number, session: Session): void {
  out.event({ kind: 'query', device, facts: session.query!, answer: 'offered' });
  const { triple } = session.assignment!;
  session.offered = true;
  const offer = { status: STATUS.success, ...namesOf(triple), imageBytes: session.imageBytes };
  out.send(device, { kind: 'query-next-image-response', ...offer }, session.querySequence);
  closeQuery(session);
}

/** Ends the query that waits, if one does. */
export function refuseQuery(out: Outbox, device: number, session: Session, status: number): void {
  if (session.querySequence < 0) return;
  out.send(device, { kind: 'query-next-image-response', status }, session.querySequence);
  closeQuery(session);
}

export function receiveSpecificFileQuery(
  out: Outbox,
  device: number,
  session: Session,
  message: Extract<OtaMessage, { kind: 'query-device-specific-file-request' }>,
  sequence: number,
): void {
  const { assignment } = session;
  const kind = 'query-device-specific-file-response';
  if (!assignment || session.aborting || !asksForFile(message, assignment.triple)) {
    out.send(device, { kind, status: STATUS.noImageAvailable }, sequence);
    return;
  }
  if (!assignment.authorised) {
    out.event({ kind: 'asks-unauthorised', device, offset: 0 });
    out.send(device, { kind, status: STATUS.notAuthorized }, sequence);
    return;
  }
  session.offered = true;
  const offer = { ...namesOf(assignment.triple), imageBytes: session.imageBytes };
  out.send(device, { kind, status: STATUS.success, ...offer }, sequence);
}

function asksForFile(asked: ImageTriple, triple: ImageTriple): boolean {
  const anyVersion = asked.fileVersion === ANY_U32;
  return sameTriple(anyVersion ? { ...asked, fileVersion: triple.fileVersion } : asked, triple);
}

function namesOf({ manufacturerCode, imageType, fileVersion }: ImageTriple): ImageTriple {
  return { manufacturerCode, imageType, fileVersion };
}

function closeQuery(session: Session): void {
  session.querySequence = -1;
  session.query = undefined;
  session.queryDueMs = Number.POSITIVE_INFINITY;
}
