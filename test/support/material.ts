/**
 * TEST MATERIAL: certificates, keys and trust anchors as files. Keys come from phrases, so that anybody can
 * make them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testKey } from '../../firmware/test-material.ts';
import {
  type CertificateSpec,
  certificate,
  extension,
  fingerprint,
  type NameSpec,
  pem,
  seq,
  tlv,
} from '../trust/naive-x509.ts';
import { SPECS } from '../trust/test-pki.ts';

/** A certificate and its key as files. */
export interface FileIdentity {
  certificateFile: string;
  keyFile: string;
}

export const UNTIL_MS = Date.UTC(2100, 0, 1);
/** Whoever signs documents has a certificate of it. */
export const ISSUING_SPEC: CertificateSpec = { ...SPECS.issuing, untilMs: UNTIL_MS };

export const TLS_CA: NameSpec = [['CN', 'TEST TLS CA']];
export const STRANGER_CA: NameSpec = [['CN', 'STRANGER CA']];
/** Whoever listens does so on this machine: 127.0.0.1 and localhost. */
const HERE = extension(
  '2.5.29.17',
  false,
  seq(tlv(0x87, [127, 0, 0, 1]), tlv(0x82, [...Buffer.from('localhost')])),
);

export const tls = (key: string, subject: NameSpec, serial: bigint): CertificateSpec => ({
  key,
  signedBy: 'tls-ca',
  subject,
  issuer: TLS_CA,
  serial,
  untilMs: UNTIL_MS,
  extra: [HERE],
});

export const ca = (key: string, subject: NameSpec): CertificateSpec => ({
  key,
  signedBy: key,
  subject,
  issuer: subject,
  ca: true,
  serial: 1n,
  untilMs: UNTIL_MS,
});

/** Makes files that only their owner reads. */
export function materialIn(folder: string) {
  mkdirSync(folder, { recursive: true });
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const identity = (
    name: string,
    spec: CertificateSpec,
    ...above: CertificateSpec[]
  ): FileIdentity => ({
    certificateFile: file(
      `${name}.pem`,
      [spec, ...above].map((one) => pem('CERTIFICATE', certificate(one))).join(''),
    ),
    keyFile: file(
      `${name}.key`,
      testKey(spec.key).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    ),
  });
  return { file, identity };
}

/** Those of the images in that folder, and one more. */
export function anchorsText(firmwareTrust: string, spec: CertificateSpec, purpose: string): string {
  const document = JSON.parse(readFileSync(join(firmwareTrust, 'anchors.json'), 'utf8')) as {
    anchors: { file: string }[];
  };
  const anchors: object[] = document.anchors.map(({ file, ...anchor }) => ({
    ...anchor,
    pem: readFileSync(join(firmwareTrust, file), 'utf8'),
  }));
  const made = certificate(spec);
  const held = { fingerprint: fingerprint(made), pem: pem('CERTIFICATE', made) };
  anchors.push({ name: `test-${purpose}`, purpose, ...held });
  return JSON.stringify({ version: 1, anchors });
}
