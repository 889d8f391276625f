/**
 * What goes back to a Service User: sr:Response (DUIS schemas 5.0a to 5.4), out of plain objects,
 * unsigned.
 *
 * Who answers shows in the ids: the DCC's own answers have a RequestID alone, those of a device a
 * ResponseID too, alerts neither (published samples). What the versions from 5.0 to 5.4 differ in
 * is left out for a peer whose version does not have it; a caller asks for nothing that only later
 * ones have.
 */
import { assert } from '../errors.ts';
import {
  attribute,
  base64Text,
  dateTimeText,
  element,
  optionalElement,
  textElement,
  type Xml,
} from './compact-xml.ts';
import { type DccAlert, dccAlertText } from './dcc-alert.ts';
import { deviceListText, requestIdText } from './identifiers.ts';
import { NAMESPACES } from './namespaces.ts';
import type { RequestId } from './service-request.ts';
import { type SignDocument, type Smets1Response, signedSmets1Response } from './smets1-response.ts';

export interface ServiceResponse {
  schemaVersion: string;
  /** Absent in an alert. */
  requestId?: RequestId;
  /** Where a device answers: see `responseIdOf`. */
  responseId?: RequestId;
  responseCode: string;
  respondedMs: number;
  body: ResponseBody;
}

export type ResponseBody =
  /** Without content: an acknowledgement, or an error. */
  | {
      kind: 'message';
      serviceReference: string;
      serviceReferenceVariant: string;
      content?: MessageContent;
    }
  | {
      kind: 'smets1';
      serviceReference?: string;
      response: Smets1Response;
    }
  | { kind: 'dcc-alert'; alertCode: string; alert: DccAlert };

export type MessageContent =
  | { kind: 'DSPUpdateFirmwareWarning'; lists: WarningLists }
  | { kind: 'DSPUpdatePPMIDFirmwareWarning'; lists: WarningLists }
  | { kind: 'GBCSPayload'; payload: Uint8Array }
  | { kind: 'PreCommand'; gbcsVersion: string; payload: Uint8Array };

/** In the order of the schema; both warnings have them. */
export const WARNING_LISTS = [
  'InvalidDeviceIDList',
  'NotCommissionedDeviceIDList',
  'NotApplicableFirmwareDeviceIDList',
  'OtherRequestInProgressList',
  'InvalidGBCSVersionList',
] as const;

export type WarningList = (typeof WARNING_LISTS)[number];
export type WarningLists = Readonly<Partial<Record<WarningList, readonly string[]>>>;

/**
 * The document, to be signed or sent as it stands.
 * @param sign signs the documents within it: what a SMETS1 device answered, and alerts of an S1SP
 */
export function responseText(response: ServiceResponse, sign?: SignDocument): Xml {
  const { schemaVersion, requestId, responseId, responseCode, respondedMs, body } = response;
  const header =
    optionalElement('sr:RequestID', requestId && requestIdText(requestId)) +
    optionalElement('sr:ResponseID', responseId && requestIdText(responseId)) +
    textElement('sr:ResponseCode', responseCode) +
    textElement('sr:ResponseDateTime', dateTimeText(respondedMs));
  return element(
    'sr:Response',
    element('sr:Header', header) + element('sr:Body', bodyText(body, sign)),
    attribute('xmlns:sr', NAMESPACES.sr) + attribute('schemaVersion', schemaVersion),
  );
}

/** The same in UTF-8. */
export function encodeResponse(response: ServiceResponse, sign?: SignDocument): Uint8Array {
  return new TextEncoder().encode(responseText(response, sign));
}

function bodyText(body: ResponseBody, sign: SignDocument | undefined): Xml {
  if (body.kind === 'dcc-alert') return dccAlertText(body.alertCode, body.alert, sign);
  if (body.kind === 'smets1') {
    assert(sign !== undefined, 'what a SMETS1 device answered is signed');
    const { serviceReference, response } = body;
    return element(
      'sr:SMETS1ResponseMessage',
      optionalElement('sr:ServiceReference', serviceReference) +
        optionalElement('sr:ServiceReferenceVariant', serviceReference) +
        signedSmets1Response(response, sign),
    );
  }
  const { serviceReference, serviceReferenceVariant, content } = body;
  return element(
    'sr:ResponseMessage',
    textElement('sr:ServiceReference', serviceReference) +
      textElement('sr:ServiceReferenceVariant', serviceReferenceVariant) +
      (content ? messageContentText(content) : ''),
  );
}

function messageContentText(content: MessageContent): Xml {
  switch (content.kind) {
    case 'GBCSPayload':
      return textElement('sr:GBCSPayload', base64Text(content.payload));
    case 'PreCommand':
      return element(
        'sr:PreCommand',
        textElement('sr:GBCSVersion', content.gbcsVersion) +
          textElement('sr:GBCSPayload', base64Text(content.payload)),
      );
    default:
      return element(`sr:${content.kind}`, warningText(content.lists));
  }
}

/** A list without devices is left out. */
function warningText(lists: WarningLists): Xml {
  return WARNING_LISTS.map((name) => {
    const deviceIds = lists[name] ?? [];
    return deviceIds.length > 0 ? textElement(`sr:${name}`, deviceListText(deviceIds)) : '';
  }).join('');
}
