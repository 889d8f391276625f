/**
 * What becomes of a Service Request whose signature is good, before its devices are looked at. The
 * order matters: who asks the same again gets the first answer, whatever would be said today; and
 * what the counters refuse is not decided, so that nothing is written down and the next request is
 * judged as before.
 */
import type { Refusal } from './refusals.ts';
import type { RequestBook } from './request-book.ts';
import {
  checkRequest,
  type RequestFinding,
  type RequestSettings,
  type RequestSurroundings,
} from './request-check.ts';
import type { ServiceRequest } from './service-request.ts';

export type Intake =
  /** Sent before, byte for byte. */
  | { kind: 'repeated'; answer: string }
  /** Answered and forgotten. */
  | { kind: 'turned-away'; refusal: Refusal }
  /** To be written down with its answer: `refusalRecord`. */
  | { kind: 'refused'; refusal: Refusal; findings: readonly RequestFinding[] }
  /** For admission; then written down with its answer: `acceptanceRecords`. */
  | { kind: 'sound' };

/** @param sha256 of the bytes as they were signed */
export function takeIn(
  request: ServiceRequest,
  sha256: string,
  book: RequestBook,
  settings: RequestSettings,
  surroundings: Omit<RequestSurroundings, 'past'>,
): Intake {
  const judged = book.judge(request.header.requestId, sha256);
  if (judged.kind === 'repeated') return judged;
  if (judged.kind === 'refused') {
    return { kind: 'turned-away', refusal: { origin: 'service', code: judged.code } };
  }
  const findings = checkRequest(request, settings, { ...surroundings, past: book });
  const [first] = findings;
  if (!first) return { kind: 'sound' };
  return { kind: 'refused', refusal: { origin: 'service', code: first.code }, findings };
}
