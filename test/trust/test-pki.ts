/** A PKI of SMKI's shape for tests: a root, an issuing CA, organisations; keys from phrases. */

import { loadTrustAnchors, type TrustAnchor } from '../../src/trust/trust-anchors.ts';
import { type Certificate, parseCertificate } from '../../src/trust/x509.ts';
import {
  type CertificateSpec,
  certificate,
  fingerprint,
  type NameSpec,
  pem,
} from './naive-x509.ts';

export const AT_MS = Date.UTC(2026, 0, 1);
export const ROOT: NameSpec = [
  ['CN', 'TEST ROOT'],
  ['OU', '07'],
];
export const ISSUING: NameSpec = [
  ['OU', '07'],
  ['CN', 'Z1'],
];
export const SUPPLIER: NameSpec = [
  ['CN', 'SUPPLIER'],
  ['OU', '02'],
  ['EUI', '0090b3d51f300100'.padStart(16, '0')],
];
export const XML_SIGNER: NameSpec = [
  ['OU', '87'],
  ['EUI', '90b3d51f30010000'],
];

export const SPECS = {
  root: { key: 'root', signedBy: 'root', subject: ROOT, issuer: ROOT, ca: true, serial: 1n },
  issuing: {
    key: 'issuing',
    signedBy: 'root',
    subject: ISSUING,
    issuer: ROOT,
    ca: { pathLength: 0 },
    serial: 2n,
  },
  supplier: {
    key: 'supplier',
    signedBy: 'issuing',
    subject: SUPPLIER,
    issuer: ISSUING,
    serial: 3n,
  },
  xml: { key: 'xml', signedBy: 'issuing', subject: XML_SIGNER, issuer: ISSUING, serial: 4n },
} as const satisfies Record<string, CertificateSpec>;

export function read(der: Uint8Array): Certificate {
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new Error(`${parsed.code}: ${parsed.message}`);
  return parsed;
}

export function make(spec: CertificateSpec, changes: Partial<CertificateSpec> = {}): Certificate {
  return read(certificate({ ...spec, ...changes }));
}

export function anchor(der: Uint8Array, purpose: string, more: object = {}): TrustAnchor {
  const loaded = loadTrustAnchors([
    {
      name: 'anchor',
      purpose,
      fingerprint: fingerprint(der),
      pem: pem('CERTIFICATE', der),
      ...(purpose === 'downgrade-waiver' ? { person: 'ann' } : {}),
      ...more,
    },
  ]);
  if (!loaded.ok) throw new Error(loaded.message);
  return loaded.anchors[0]!;
}
