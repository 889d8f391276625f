/** Why a document is not read as a Service Request for firmware. Codes are never reused. */
import type { SignedXmlFault } from '../trust/xml-signature-profile.ts';

export const REQUEST_CODES = {
  // The document.
  'request-other-root': 'The document is no Request of the DCC User Interface.',
  'request-kind-not-served': 'The request asks for something else than what is done here.',
  'request-signed': 'The request that is to be signed has a signature.',
  'originator-differs': 'The signer is not the originator that the request names.',
  'element-missing': 'An element is missing.',
  'element-repeated': 'An element that may stand once stands twice.',
  'element-out-of-order': 'An element stands after one that it comes before.',
  'element-unexpected': 'An element stands where the schema has none of its name.',
  'attribute-missing': 'An attribute is missing.',
  'attribute-unexpected': 'An attribute stands where the schema has none of its name.',
  'text-unexpected': 'Text stands in an element that has none.',
  'text-too-long': 'A text is longer than any of its kind.',

  // Its values.
  'schema-version-invalid': 'The schema version is no decimal number.',
  'request-id-invalid': 'A RequestID is not two EUI-64 and a counter below 2^64, by colons.',
  'boolean-invalid': 'A value is none of true, false, 1 and 0.',
  'command-variant-invalid': 'The command variant is no number from 1 to 9.',
  'service-reference-invalid': 'A service reference is not of numbers with dots between them.',
  'image-too-large': 'The image has more than 10,240,000 octets.',
  'payload-too-large': 'The GBCS payload is larger than any command.',
  'base64-invalid': 'A text is not base64 in its strict form.',
  'firmware-version-invalid': 'The firmware version has not 1 to 8 characters.',
  'firmware-hash-invalid': 'The firmware hash is not 32 octets in hexadecimal digits.',
  'device-list-too-long': 'The list has more than 50,000 devices.',
  'device-list-invalid': 'The list is not EUI-64 with a comma between each two, and nothing else.',
  'date-time-invalid': 'A time is none that there is.',
  'date-time-no-zone': 'A time does not say in which zone.',
} as const;

export type RequestCode = keyof typeof REQUEST_CODES;

export interface RequestFault extends Omit<SignedXmlFault, 'code'> {
  code: RequestCode | SignedXmlFault['code'];
}
