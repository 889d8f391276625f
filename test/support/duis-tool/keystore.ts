/** The DCC's public test PKI "ZAZ1": organisations, certificates, private keys; no CA or device. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { loadTrustAnchors, type TrustAnchor } from '../../../src/trust/trust-anchors.ts';
import { type Certificate, parseCertificate } from '../../../src/trust/x509.ts';
import type { KnownSigners } from '../../../src/trust/xml-signature.ts';
import { signXml, type XmlSigningIdentity } from '../../../src/trust/xml-signing.ts';
import { KEYSTORE } from './places.ts';

/** Within the validity of every certificate; most ended between April 2025 and January 2026. */
export const KEYSTORE_AT_MS = Date.UTC(2025, 0, 1);

export interface KeystoreEntry {
  /** 16 lower-case digits. */
  eui64: string;
  usage: 'digitalSignature' | 'keyAgreement';
  /** Decimal. */
  serialNumber: string;
  /** As the keystore calls it. */
  name: string;
  /** A number; 135 (hexadecimal 87) signs XML for a user, 137 (89) for the DCC. */
  role: number;
  certificatePem: string;
  privateKeyPem: string;
}

type KeystoreFile = Record<
  string,
  Record<
    KeystoreEntry['usage'],
    Record<string, { certificate: string; privateKey: string; name: string; role: number }>
  >
>;

let entries: KeystoreEntry[] | undefined;

export function keystore(): readonly KeystoreEntry[] {
  entries ??= readEntries(JSON.parse(readFileSync(KEYSTORE, 'utf8')) as KeystoreFile);
  return entries;
}

/** Of what signs XML, by the names of the organisations. */
export const XML_SIGNERS = {
  supplier: '90b3d51f30010000',
  'network operator': '90b3d51f30020000',
  'other user': '00db123456780004',
  dcc: '90b3d51f30000002',
} as const;

export type XmlSignerName = keyof typeof XML_SIGNERS;

/** The one certificate of theirs whose role signs XML. */
export function xmlSigner(name: XmlSignerName): KeystoreEntry {
  const role = name === 'dcc' ? 137 : 135;
  const found = keystore().find(
    (entry) =>
      entry.eui64 === XML_SIGNERS[name] &&
      entry.role === role &&
      entry.usage === 'digitalSignature',
  );
  if (!found) throw new Error(`the keystore has no certificate of role ${role} for ${name}`);
  return found;
}

export function certificateOf({ certificatePem, name }: KeystoreEntry): Certificate {
  const parsed = parseCertificate(certificatePem);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.message}`);
  return parsed;
}

export function privateKeyOf({ privateKeyPem }: KeystoreEntry): KeyObject {
  return createPrivateKey(privateKeyPem);
}

export function identityOf(entry: KeystoreEntry): XmlSigningIdentity {
  return { privateKey: privateKeyOf(entry), certificate: certificateOf(entry) };
}

/** The document with a signature of ours. */
export function signAs(signer: KeystoreEntry, document: string): string {
  const signed = signXml(new TextEncoder().encode(document), identityOf(signer));
  if (!signed.ok) throw new Error(`${signed.code}: ${signed.message}`);
  return new TextDecoder().decode(signed.bytes);
}

/**
 * Believed themselves: the public test PKI comes without its CA.
 * @param roles absent: those that sign XML
 */
export function knownSigners(
  trusted: readonly KeystoreEntry[],
  roles?: readonly string[],
): KnownSigners {
  return {
    certificates: trusted.map(certificateOf),
    anchors: trusted.flatMap((entry) => anchorsOf(entry, roles)),
    atMs: KEYSTORE_AT_MS,
  };
}

function anchorsOf(entry: KeystoreEntry, roles?: readonly string[]): readonly TrustAnchor[] {
  const loaded = loadTrustAnchors([
    {
      name: entry.name,
      purpose: 'xml-signing',
      fingerprint: certificateOf(entry).fingerprint,
      pem: entry.certificatePem,
      ...(roles ? { roles } : {}),
    },
  ]);
  if (!loaded.ok) throw new Error(loaded.message);
  return loaded.anchors;
}

function readEntries(file: KeystoreFile): KeystoreEntry[] {
  return Object.entries(file).flatMap(([eui64, usages]) =>
    Object.entries(usages).flatMap(([usage, certificates]) =>
      Object.entries(certificates).map(
        ([serialNumber, { certificate, privateKey, name, role }]) => ({
          eui64,
          usage: usage as KeystoreEntry['usage'],
          serialNumber,
          name,
          role,
          certificatePem: certificate,
          privateKeyPem: privateKey,
        }),
      ),
    ),
  );
}
