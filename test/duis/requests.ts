/** TEST MATERIAL: Service Requests of our own, in canonical form, and who may sign them. */
import { createHash } from 'node:crypto';
import type { KnownSigners } from '../../src/trust/xml-signature.ts';
import { AT_MS, anchor, make, SPECS } from '../trust/test-pki.ts';

export const SR = 'http://www.dccinterface.co.uk/ServiceUserGateway';
/** The EUI-64 of test-pki's XML signer. */
export const ORIGINATOR = '90-B3-D5-1F-30-01-00-00';
export const BROKER = '02-55-50-4C-46-54-00-02';
export const HUB = '02-55-50-4C-46-54-10-01';
export const PPMID = '02-55-50-4C-46-54-20-01';

export const IMAGE = new TextEncoder().encode('Uplift example');
export const HASH = createHash('sha256').update(IMAGE).digest('hex');

export const SIGNERS: KnownSigners = {
  certificates: [make(SPECS.xml), make(SPECS.issuing)],
  anchors: [anchor(make(SPECS.root).der, 'xml-signing')],
  atMs: AT_MS,
};

export interface RequestSpec {
  reference: string;
  target: string;
  variant: string;
  body: string;
}

const element = (name: string, content: string) => `<sr:${name}>${content}</sr:${name}>`;

export const update = (name: string, devices: readonly string[]) =>
  element(
    name,
    element('FirmwareImage', Buffer.from(IMAGE).toString('base64')) +
      element('FirmwareVersion', '00010203') +
      element('DeviceIDList', devices.join(',')),
  );

export const REQUESTS = {
  '11.1': {
    reference: '11.1',
    target: BROKER,
    variant: '8',
    body: update('UpdateFirmware', [HUB, '02-55-50-4c-46-54-10-02']),
  },
  '11.2': {
    reference: '11.2',
    target: HUB,
    variant: '1',
    body: element('ReadFirmwareVersion', ''),
  },
  '11.3': {
    reference: '11.3',
    target: HUB,
    variant: '4',
    body: element(
      'ActivateFirmware',
      element('ExecutionDateTime', '2026-03-01T02:00:00.00Z') +
        element('FirmwareHash', HASH.toUpperCase()),
    ),
  },
  '11.3 signed': {
    reference: '11.3',
    target: HUB,
    variant: '5',
    body: element('SignedPreCommand', element('GBCSPayload', '3wAB')),
  },
  '11.4': {
    reference: '11.4',
    target: BROKER,
    variant: '8',
    body: update('UpdatePPMIDFirmware', [PPMID]),
  },
} as const satisfies Record<string, RequestSpec>;

export interface RequestChanges {
  /** In place of the whole header. */
  header?: string;
  /** In place of all attributes of the root. */
  attributes?: string;
  originator?: string;
  schemaVersion?: string;
}

export function requestXml(
  { reference, target, variant, body }: RequestSpec,
  changes: RequestChanges = {},
): string {
  const { originator = ORIGINATOR, schemaVersion = '5.1' } = changes;
  const header =
    changes.header ??
    element('RequestID', `${originator}:${target}:1700000000001`) +
      element('CommandVariant', variant) +
      element('ServiceReference', reference) +
      element('ServiceReferenceVariant', reference);
  const attributes = changes.attributes ?? ` schemaVersion="${schemaVersion}"`;
  return (
    `<sr:Request xmlns:sr="${SR}"${attributes}>${element('Header', header)}` +
    `${element('Body', body)}</sr:Request>`
  );
}

export const utf8 = (text: string) => new TextEncoder().encode(text);
