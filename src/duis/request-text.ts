/** A Service Request for firmware as a document (DUIS schemas 5.0a to 5.4), to be signed by who sends it. */
import {
  attribute,
  base64Text,
  dateTimeText,
  element,
  textElement,
  type Xml,
} from './compact-xml.ts';
import { deviceListText, requestIdText } from './identifiers.ts';
import { NAMESPACES } from './namespaces.ts';
import type { RequestBody, RequestHeader, ServiceRequest } from './service-request.ts';

/** By which what was dated for later is called off; as published samples write it. */
const CANCEL = '3000-12-31T00:00:00.00Z';

/** What `readUnsignedRequest` reads back as the same. */
export function encodeRequest({ schemaVersion, header, body }: ServiceRequest): Uint8Array {
  const text = element(
    'sr:Request',
    element('sr:Header', headerText(header)) + element('sr:Body', bodyText(body)),
    attribute('xmlns:sr', NAMESPACES.sr) + attribute('schemaVersion', schemaVersion),
  );
  return new TextEncoder().encode(text);
}

function headerText(header: RequestHeader): Xml {
  const { requestId, firstInSequence, precedingRequestId, commandVariant } = header;
  const first =
    firstInSequence === undefined ? '' : textElement('sr:FirstInSequence', `${firstInSequence}`);
  const preceding = precedingRequestId
    ? textElement('sr:PrecedingServiceRequestID', requestIdText(precedingRequestId))
    : '';
  return (
    textElement('sr:RequestID', requestIdText(requestId)) +
    first +
    preceding +
    textElement('sr:CommandVariant', `${commandVariant}`) +
    textElement('sr:ServiceReference', header.serviceReference) +
    textElement('sr:ServiceReferenceVariant', header.serviceReferenceVariant)
  );
}

function bodyText(body: RequestBody): Xml {
  switch (body.kind) {
    case 'UpdateFirmware':
    case 'UpdatePPMIDFirmware':
      return element(
        `sr:${body.kind}`,
        textElement('sr:FirmwareImage', base64Text(body.image)) +
          textElement('sr:FirmwareVersion', body.firmwareVersion) +
          textElement('sr:DeviceIDList', deviceListText(body.deviceIds)),
      );
    case 'ReadFirmwareVersion':
      return element('sr:ReadFirmwareVersion', executionText(body.executionMs));
    case 'ActivateFirmware':
      return element(
        'sr:ActivateFirmware',
        executionText(body.execution) +
          textElement('sr:FirmwareHash', body.firmwareHash.toUpperCase()),
      );
    case 'SignedPreCommand':
      return element(
        'sr:SignedPreCommand',
        executionText(body.execution) + textElement('sr:GBCSPayload', base64Text(body.gbcsPayload)),
      );
  }
}

function executionText(execution: number | 'cancel' | undefined): Xml {
  if (execution === undefined) return '';
  return textElement(
    'sr:ExecutionDateTime',
    execution === 'cancel' ? CANCEL : dateTimeText(execution),
  );
}
