/**
 * TEST MATERIAL: what a gateway and its Service Users need, made into a folder. A public-key infrastructure
 * of SMKI's shape for XML, another one for TLS, trust anchors, and the lists by which a PPMID and a hub of
 * one premises may be upgraded. Keys come from phrases, so that anybody can make them.
 */
import { euiText } from '../../src/duis/identifiers.ts';
import { type CertificateSpec, certificate, pem } from '../trust/naive-x509.ts';
import { SPECS } from '../trust/test-pki.ts';
import {
  anchorsText,
  ca,
  type FileIdentity,
  ISSUING_SPEC,
  materialIn,
  STRANGER_CA,
  TLS_CA,
  tls,
  UNTIL_MS,
} from './material.ts';

export type { FileIdentity } from './material.ts';

export const BROKER = '90b3d51f30000002';
export const SUPPLIER = '90b3d51f30010000';
export const OTHER_SUPPLIER = '90b3d51f30030000';
export const HUB_CHF = '02-55-50-4c-46-54-10-01';
/** In the file of installations. */
export const HOME = 'HOME';
/** By this name of its TLS certificate the other supplier is known; the first by its EUI-64. */
const OTHER_CLIENT = 'other-supplier';

export interface DuisMaterial {
  trustAnchors: string;
  /** By which requests are signed. */
  supplier: FileIdentity;
  otherSupplier: FileIdentity;
  /** By which the gateway signs. */
  dcc: FileIdentity;
  /** Of all who take part in TLS. */
  tlsCa: string;
  gatewayTls: FileIdentity;
  supplierTls: FileIdentity;
  otherTls: FileIdentity;
  /** Of the same CA, and of nobody who is known. */
  unknownTls: FileIdentity;
  /** Of another CA. */
  strangerTls: FileIdentity;
  endpointTls: FileIdentity;
  installations: string;
  eligibleCombinations: string;
}

const XML = (key: string, role: string, eui: string, serial: bigint): CertificateSpec => ({
  ...SPECS.xml,
  key,
  subject: [
    ['OU', role],
    ['EUI', eui],
  ],
  serial,
  untilMs: UNTIL_MS,
});

/** Makes all of it. `firmwareTrust`: the folder with the anchors of the images. */
export function writeDuisMaterial(folder: string, firmwareTrust: string): DuisMaterial {
  const { file, identity } = materialIn(folder);
  const stranger: CertificateSpec = {
    ...tls('stranger', [['EUI', SUPPLIER]], 9n),
    signedBy: 'stranger-ca',
    issuer: STRANGER_CA,
  };
  return {
    trustAnchors: file('anchors.json', anchorsText(firmwareTrust, ISSUING_SPEC, 'xml-signing')),
    supplier: identity('supplier', XML('xml', '87', SUPPLIER, 4n)),
    otherSupplier: identity('other-supplier', XML('other-xml', '87', OTHER_SUPPLIER, 5n)),
    dcc: identity('dcc', XML('dcc-xml', '89', BROKER, 6n)),
    tlsCa: file('tls-ca.pem', pem('CERTIFICATE', certificate(ca('tls-ca', TLS_CA)))),
    gatewayTls: identity('gateway-tls', tls('gateway-tls', [['CN', 'gateway']], 2n)),
    supplierTls: identity('supplier-tls', tls('supplier-tls', [['EUI', SUPPLIER]], 3n)),
    otherTls: identity('other-tls', tls('other-tls', [['CN', OTHER_CLIENT]], 4n)),
    unknownTls: identity('unknown-tls', tls('unknown-tls', [['CN', 'nobody']], 5n)),
    strangerTls: identity('stranger-tls', stranger),
    endpointTls: identity('endpoint-tls', tls('endpoint-tls', [['CN', 'endpoint']], 6n)),
    installations: file('installations.csv', INSTALLATIONS),
    eligibleCombinations: file('eligible-combinations.csv', COMBINATIONS),
  };
}

/** The section `duis`. `endpoints`: where each supplier takes its messages. */
export function duisSection(
  material: DuisMaterial,
  endpoints: { supplier?: string; otherSupplier?: string } = {},
): Record<string, unknown> {
  const endpoint = (url: string | undefined) =>
    url === undefined
      ? {}
      : { endpoint: { url, caFile: material.tlsCa, client: material.gatewayTls } };
  const { supplier, otherSupplier } = material;
  return {
    listen: '127.0.0.1:0',
    tls: { ...material.gatewayTls, clientCaFile: material.tlsCa },
    broker: euiText(BROKER),
    signing: material.dcc,
    users: [
      {
        eui64: euiText(SUPPLIER),
        roles: ['IS'],
        party: 'SUPPLIER-A',
        certificates: [supplier.certificateFile],
        ...endpoint(endpoints.supplier),
      },
      {
        eui64: euiText(OTHER_SUPPLIER),
        roles: ['GS'],
        party: 'SUPPLIER-B',
        certificates: [otherSupplier.certificateFile],
        client: OTHER_CLIENT,
        ...endpoint(endpoints.otherSupplier),
      },
    ],
  };
}

/** The section `admission`, for requests about the test images. */
export function admissionSection(
  material: DuisMaterial,
  centralProductsList: string,
): Record<string, unknown> {
  return {
    intake: 'service-request',
    centralProductsList,
    trustAnchors: material.trustAnchors,
    certificates: [],
    installations: material.installations,
    eligibleCombinations: material.eligibleCombinations,
    listsFetched: new Date().toISOString(),
  };
}

const HUB_MODEL = '121D:00C1:01:00';
const PPMID_MODEL = '121D:0084:01:00';
const [OLD, NEW] = ['01000000', '02000000'];

const INSTALLATIONS = [
  'installation_id,provider,communications_hub,esme,gsme,ppmid,cohort,electricity_supplier,gas_supplier',
  `${HOME},CSP-N,${HUB_MODEL}:${OLD},,,${PPMID_MODEL}:${OLD},MOC,SUPPLIER-A,SUPPLIER-B`,
].join('\n');

/** Each may be upgraded first. */
const COMBINATIONS = [
  'combination_id,provider,communications_hub,esme,gsme,ppmid,added_on',
  ...[
    [OLD, NEW],
    [NEW, OLD],
    [NEW, NEW],
  ].map(
    ([hub, ppmid], at) =>
      `C${at + 1},CSP-N,${HUB_MODEL}:${hub},,,${PPMID_MODEL}:${ppmid},2021-01-01`,
  ),
].join('\n');
