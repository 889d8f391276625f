/**
 * What a SMETS1 device answered or told, as the service provider of its kind (S1SP) signs it:
 * sr:SMETS1SignedResponse (DUIS and MMC schemas 5.0a to 5.4).
 *
 * It is a document of its own, is signed as one, and only then put into a response: the signature's
 * URI "" means its own root (inferred; in place it does not verify, measured).
 */
import { assert } from '../errors.ts';
import {
  attribute,
  cutText,
  dateTimeText,
  element,
  hexText,
  optionalElement,
  textElement,
  type Xml,
} from './compact-xml.ts';
import { euiText, firmwareVersionText } from './identifiers.ts';
import { NAMESPACES } from './namespaces.ts';
import { isAtLeast } from './schema-version.ts';

/** The document with its enveloped signature, which is the last child of its root. */
export type SignDocument = (document: Xml) => Xml;

/** Results of an activation, with their numbers in GBCS (numbers: table of gbcs-parser, read). */
export const ACTIVATION_RESULTS = {
  success: 0,
  noImageHeld: 1,
  hashMismatch: 2,
  activationFailure: 3,
} as const;

export type ActivationResult = keyof typeof ACTIVATION_RESULTS;

/** Characters of an AlertDescription, and of an Error. */
const DESCRIPTION_CHARACTERS_MAX = 250;
/** Attributes of a Timestamp. */
const TIMESTAMP_ATTRIBUTES_SINCE = '5.1';

export interface Smets1Response {
  schemaVersion: string;
  header: Smets1Header;
  body: Smets1Message | Smets1DeviceAlert;
}

export interface Smets1Header {
  /** The device that speaks. */
  originator: string;
  /** The Service User, or the DCC. */
  target: string;
  counter: bigint;
  supplementaryParty?: { id: string; counter: bigint };
  supplementaryCounter?: bigint;
  gbcsMessageCode?: number;
  serviceReference?: string;
  timestamp?: {
    ms: number;
    /** Both from DUIS 5.1 on. */
    isFromGsme?: boolean;
    clockStatus?: 'reliable' | 'invalid' | 'unreliable';
  };
}

export interface Smets1Message {
  kind: 'message';
  data?: SmetsData;
  /** What the device itself said in error. */
  errors?: readonly Smets1Error[];
}

/** A future-dated activation that was taken has neither result nor version. */
export type SmetsData =
  | { kind: 'ReadFirmwareVersion'; succeeded?: boolean; firmwareVersion?: string }
  | {
      kind: 'ActivateFirmware';
      succeeded?: boolean;
      result?: ActivationResult;
      firmwareVersion?: string;
    };

export interface Smets1Error {
  responseCode: number;
  /** Cut to 250 characters. */
  text: string;
}

export interface Smets1DeviceAlert {
  kind: 'device-alert';
  /** 16 bit. */
  alertCode?: number;
  /** Cut to 250 characters. */
  description: string;
  raisedMs: number;
  payload?: DeviceAlertPayload;
}

export type DeviceAlertPayload =
  /** With 8F1C and 8F72; SHA-256 in 64 hexadecimal digits. */
  | { kind: 'verification'; imageHash?: string }
  /** With 8F66 and 8F67. */
  | {
      kind: 'activation';
      executionMs?: number;
      commandCounter?: bigint;
      result?: ActivationResult;
      firmwareVersion?: string;
    };

/** The signed document, without an XML declaration. */
export function signedSmets1Response(response: Smets1Response, sign: SignDocument): Xml {
  const signed = sign(smets1Document(response));
  assert(signed.startsWith('<sr:SMETS1SignedResponse '), 'what was signed is still the document');
  return signed;
}

/** As it is before it is signed. */
export function smets1Document({ schemaVersion, header, body }: Smets1Response): Xml {
  const content =
    element('sr:Header', headerText(header, schemaVersion)) +
    element('sr:Body', body.kind === 'message' ? messageText(body) : alertText(body));
  return element(
    'sr:SMETS1SignedResponse',
    element('sr:SMETS1Response', content),
    attribute('xmlns:ra', NAMESPACES.ra) +
      attribute('xmlns:sr', NAMESPACES.sr) +
      attribute('schemaVersion', schemaVersion),
  );
}

function headerText(header: Smets1Header, schemaVersion: string): Xml {
  const { supplementaryParty: party, gbcsMessageCode, serviceReference, timestamp } = header;
  return (
    textElement('ra:BusinessOriginatorID', euiText(header.originator)) +
    textElement('ra:BusinessTargetID', euiText(header.target)) +
    textElement('ra:OriginatorCounter', `${header.counter}`) +
    optionalElement('ra:SupplementaryRemotePartyID', party && euiText(party.id)) +
    optionalElement('ra:SupplementaryRemotePartyCounter', party && `${party.counter}`) +
    optionalElement('ra:SupplementaryOriginatorCounter', header.supplementaryCounter?.toString()) +
    optionalElement(
      'ra:GBCSHexadecimalMessageCode',
      gbcsMessageCode === undefined ? undefined : hexText(gbcsMessageCode, 4),
    ) +
    optionalElement('ra:ServiceReference', serviceReference) +
    optionalElement('ra:ServiceReferenceVariant', serviceReference) +
    (timestamp ? timestampText(timestamp, schemaVersion) : '')
  );
}

function timestampText(
  { ms, isFromGsme, clockStatus }: NonNullable<Smets1Header['timestamp']>,
  schemaVersion: string,
): Xml {
  const hasAttributes = isAtLeast(schemaVersion, TIMESTAMP_ATTRIBUTES_SINCE);
  const attributes =
    (hasAttributes && clockStatus !== undefined ? attribute('ClockStatus', clockStatus) : '') +
    (hasAttributes && isFromGsme !== undefined ? attribute('isFromGSME', `${isFromGsme}`) : '');
  return textElement('ra:Timestamp', dateTimeText(ms), attributes);
}

function messageText({ data, errors = [] }: Smets1Message): Xml {
  const debug = errors.map(({ responseCode, text }, index) =>
    element(
      'ra:SMETS1Response',
      textElement('ra:Error', cutText(text, DESCRIPTION_CHARACTERS_MAX)),
      attribute('Position', `${index + 1}`) + attribute('ResponseCode', `${responseCode}`),
    ),
  );
  return element(
    'sr:ResponseMessage',
    (data ? element('ra:SMETSData', dataText(data)) : '') +
      (debug.length > 0 ? element('ra:DebugInfo', element('ra:SMETS1Debug', debug.join(''))) : ''),
  );
}

function dataText(data: SmetsData): Xml {
  const { succeeded, firmwareVersion } = data;
  const attributes = succeeded === undefined ? '' : attribute('MessageSuccess', `${succeeded}`);
  if (data.kind === 'ReadFirmwareVersion') {
    // Here the schema has no bound: what the device said, whatever it is.
    const version = optionalElement('ra:FirmwareVersion', firmwareVersion);
    return element('ra:ReadFirmwareVersionRsp', version, attributes);
  }
  const content = resultText(data.result) + versionText(firmwareVersion);
  return element('ra:ActivateFirmwareRsp', content, attributes);
}

function alertText({ alertCode, description, raisedMs, payload }: Smets1DeviceAlert): Xml {
  const content =
    optionalElement(
      'ra:GBCSHexAlertCode',
      alertCode === undefined ? undefined : hexText(alertCode, 4),
    ) +
    textElement('ra:AlertDescription', cutText(description, DESCRIPTION_CHARACTERS_MAX)) +
    textElement('ra:Timestamp', dateTimeText(raisedMs)) +
    (payload ? element('ra:Payload', payloadText(payload)) : '');
  return element('sr:DeviceAlertMessage', element('ra:DeviceAlertContent', content));
}

function payloadText(payload: DeviceAlertPayload): Xml {
  if (payload.kind === 'verification') {
    const hash = optionalElement('ra:ManufacturerImageHash', payload.imageHash?.toUpperCase());
    return element('ra:FirmwareVerificationDeviceAlert', hash);
  }
  const { executionMs, commandCounter, result, firmwareVersion } = payload;
  const content =
    optionalElement(
      'ra:ExecutionDateTime',
      executionMs === undefined ? undefined : dateTimeText(executionMs),
    ) +
    optionalElement('ra:OriginatorCounterFromCommand', commandCounter?.toString()) +
    resultText(result) +
    versionText(firmwareVersion);
  return element(
    'ra:FutureDatedCommandOutcomeDeviceAlert',
    element('ra:FirmwareActivationDeviceAlert', content),
  );
}

function resultText(result: ActivationResult | undefined): Xml {
  if (result === undefined) return '';
  return element(
    'ra:ActivateImageResponseCode',
    textElement('ra:ASN1Status', result),
    attribute('ResponseCode', `${ACTIVATION_RESULTS[result]}`),
  );
}

function versionText(firmwareVersion: string | undefined): Xml {
  if (firmwareVersion === undefined) return '';
  return textElement('ra:FirmwareVersion', firmwareVersionText(firmwareVersion));
}
