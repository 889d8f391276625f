/**
 * The answers to a Service Request that the DCC gives itself and at once: taken, taken in part,
 * refused. What a device says later is in `progress.ts`.
 */
import type { RequestSplit } from './device-split.ts';
import { responseIdOf } from './identifiers.ts';
import {
  ACCEPTED_CODES,
  type AcceptedCodes,
  codeOf,
  type Refusal,
  type RefusalSettings,
  refusalCode,
} from './refusals.ts';
import type { MessageContent, ServiceResponse } from './response.ts';
import { canonicalVersion, DUIS_VERSIONS } from './schema-version.ts';
import type { RequestHeader } from './service-request.ts';
import type { Smets1Error, Smets1Message } from './smets1-response.ts';

/** Of a request, what its answers take over. */
export interface Asked {
  schemaVersion: string;
  header: Pick<RequestHeader, 'requestId' | 'serviceReference' | 'serviceReferenceVariant'>;
}

/** A device has been asked, and answers later. */
export function acknowledge(
  asked: Asked,
  respondedMs: number,
  { acknowledged }: AcceptedCodes = ACCEPTED_CODES,
): ServiceResponse {
  return ownAnswer(asked, respondedMs, codeOf(acknowledged, answered(asked)));
}

export function refuse(
  asked: Asked,
  respondedMs: number,
  refusal: Refusal,
  settings: RefusalSettings = {},
): ServiceResponse {
  return ownAnswer(asked, respondedMs, refusalCode(refusal, answered(asked), settings));
}

/** To 11.1 and 11.4. */
export function answerUpdate(
  asked: Asked,
  respondedMs: number,
  { outcome, responseCode, lists }: RequestSplit,
): ServiceResponse {
  if (outcome !== 'partly') return ownAnswer(asked, respondedMs, responseCode);
  const isPpmid = asked.header.serviceReference === '11.4';
  const kind = isPpmid ? 'DSPUpdatePPMIDFirmwareWarning' : 'DSPUpdateFirmwareWarning';
  return ownAnswer(asked, respondedMs, responseCode, { kind, lists });
}

/** What the device itself answered to 11.2 or 11.3. */
export function deviceAnswer(
  asked: Asked,
  respondedMs: number,
  message: Smets1Message,
  { done }: AcceptedCodes = ACCEPTED_CODES,
): ServiceResponse {
  const { schemaVersion, duisVersion, serviceReference } = answered(asked);
  const { requestId } = asked.header;
  const responseId = responseIdOf(requestId);
  return {
    schemaVersion,
    requestId,
    responseId,
    responseCode: codeOf(done, { serviceReference, duisVersion }),
    respondedMs,
    body: {
      kind: 'smets1',
      serviceReference,
      response: { schemaVersion, header: { ...responseId, serviceReference }, body: message },
    },
  };
}

/**
 * To 11.3, where the device keeps it for later, or let go what it kept: a result comes with its
 * alert.
 */
export function answerDated(
  asked: Asked,
  respondedMs: number,
  accepted: AcceptedCodes = ACCEPTED_CODES,
): ServiceResponse {
  const data = { kind: 'ActivateFirmware', succeeded: true } as const;
  return deviceAnswer(asked, respondedMs, { kind: 'message', data }, accepted);
}

/** To 11.2. */
export function answerVersion(
  asked: Asked,
  respondedMs: number,
  read: { firmwareVersion: string } | { error: Smets1Error },
  accepted: AcceptedCodes = ACCEPTED_CODES,
): ServiceResponse {
  const kind = 'ReadFirmwareVersion';
  const message: Smets1Message =
    'error' in read
      ? { kind: 'message', data: { kind, succeeded: false }, errors: [read.error] }
      : { kind: 'message', data: { kind, succeeded: true, ...read } };
  return deviceAnswer(asked, respondedMs, message, accepted);
}

function ownAnswer(
  asked: Asked,
  respondedMs: number,
  responseCode: string,
  content?: MessageContent,
): ServiceResponse {
  const { requestId, serviceReference, serviceReferenceVariant } = asked.header;
  return {
    schemaVersion: answered(asked).schemaVersion,
    requestId,
    responseCode,
    respondedMs,
    body: {
      kind: 'message',
      serviceReference,
      serviceReferenceVariant,
      ...(content ? { content } : {}),
    },
  };
}

/**
 * A version that is none cannot be answered in: the oldest that is known is what everybody reads.
 */
function answered({ schemaVersion, header: { serviceReference } }: Asked) {
  const canonical = canonicalVersion(schemaVersion);
  const known = DUIS_VERSIONS.find(({ version }) => version === canonical);
  const duisVersion = known?.version ?? DUIS_VERSIONS[0]!.version;
  return {
    schemaVersion: known ? schemaVersion.trim() : duisVersion,
    duisVersion,
    serviceReference,
  };
}
