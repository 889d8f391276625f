/**
 * Certificates of SMKI's shape (RFC 5280, and what the test PKI's certificates have): version 3,
 * P-256, ecdsa-with-SHA256, the role as OU and the EUI-64 as unique identifier of the subject.
 *
 * Strict, since a certificate that can be read two ways is a way in: DER alone, no critical
 * extension that is not known, none twice, no negative serial number, no unique identifiers beside
 * the subject's. What is read here is not yet trusted: see chain.ts.
 *
 * Not done: names in subjectAltName (of SMKI device certificates), name constraints and policy
 * constraints; where one of these is critical, the certificate is refused.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { encodeHex } from '../bytes/hex.ts';
import { refuse, type TrustRefusal } from './codes.ts';
import {
  booleanOf,
  contextTag,
  type Der,
  decodeDer,
  namedBitsOf,
  oidOf,
  partsOf,
  plainAlgorithmOf,
  TAGS,
  timeMsOf,
  unsignedOf,
  wholeBitsOf,
} from './der.ts';
import { sha256Hex } from './digest.ts';
import { type DistinguishedName, eui64Of, readName, roleOf } from './distinguished-name.ts';
import { isDerP256Signature, verifyP256Der } from './ecdsa.ts';
import { parsePem } from './pem.ts';

export const CERTIFICATE_BYTES_MAX = 8 * 1024;
const EXTENSIONS_MAX = 32;
const SERIAL_OCTETS_MAX = 20;

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const PRIME256V1 = '1.2.840.10045.3.1.7';

/** Bits of key usage, the first one lowest (RFC 5280, 4.2.1.3). */
export const KEY_USAGE = {
  digitalSignature: 1 << 0,
  keyAgreement: 1 << 4,
  keyCertSign: 1 << 5,
  crlSign: 1 << 6,
} as const;

export interface Certificate {
  ok: true;
  der: Uint8Array;
  /** SHA-256 of the whole, 64 lower-case digits. */
  fingerprint: string;
  serialNumber: bigint;
  /** As XML signatures write it. */
  serialDecimal: string;
  serialHex: string;
  issuer: DistinguishedName;
  subject: DistinguishedName;
  /** Of the subject: 16 lower-case digits. */
  eui64?: string;
  /** Of the subject: two upper-case digits in SMKI. */
  role?: string;
  notBeforeMs: number;
  /** The last second of validity is inside. */
  notAfterMs: number;
  publicKey: KeyObject;
  /** Absent: no such extension. */
  keyUsage?: number;
  isCa: boolean;
  pathLength?: number;
  subjectKeyId?: string;
  authorityKeyId?: string;
  policies: readonly string[];
  /** What the issuer signed, and its signature in DER. */
  signed: Uint8Array;
  signature: Uint8Array;
}

/** One certificate, in DER or in PEM. */
export function parseCertificate(input: Uint8Array | string): Certificate | TrustRefusal {
  if (typeof input !== 'string') return readCertificate(input);
  const pem = parsePem(input);
  if (!pem.ok) return pem;
  const [block, ...others] = pem.blocks;
  if (block?.label !== 'CERTIFICATE' || others.length > 0) return refuse('not-pem');
  return readCertificate(block.der);
}

/** Whether the key signed `signed`, a signature in DER being strictly of its form. */
export function isSignedBy(
  { signed, signature }: Pick<Certificate, 'signed' | 'signature'>,
  key: KeyObject,
): boolean {
  return isDerP256Signature(signature) && verifyP256Der(key, signed, signature);
}

/**
 * The same, remembered: a chain is asked for every device of a campaign, since dates and purposes
 * may have changed, and that a signature is by a key does not change. Both are held weakly. What was
 * parsed is never written to.
 */
export function isKnownSignedBy(
  document: Pick<Certificate, 'signed' | 'signature'>,
  key: KeyObject,
): boolean {
  const byKey = signedBy.get(document) ?? new WeakMap<KeyObject, boolean>();
  const known = byKey.get(key) ?? isSignedBy(document, key);
  byKey.set(key, known);
  signedBy.set(document, byKey);
  return known;
}

const signedBy = new WeakMap<object, WeakMap<KeyObject, boolean>>();

function readCertificate(input: Uint8Array): Certificate | TrustRefusal {
  if (input.length > CERTIFICATE_BYTES_MAX) return refuse('too-large');
  // A copy: a certificate outlives the buffer that it was read from.
  const der = Uint8Array.from(input);
  const root = decodeDer(der, CERTIFICATE_BYTES_MAX);
  if (!root) return refuse('not-der');
  const version = partsOf(partsOf(root)[0])[0];
  if (unsignedOf(partsOf(version, contextTag(0))[0]) !== 2n) return refuse('version-unsupported');
  const envelope = readEnvelope(root, (body) => body.parts[2]);
  if (!envelope.ok) return envelope;
  const [, serial, , issuerNode, validity, subjectNode, keyNode, ...rest] = envelope.body.parts;
  const serialNumber = unsignedOf(serial);
  if (!serialNumber || serial!.content.length > SERIAL_OCTETS_MAX) return refuse('serial-invalid');
  const issuer = readName(issuerNode);
  const subject = readName(subjectNode);
  if (!issuer || !subject || rest.length > 1) return refuse('malformed');
  const dates = readValidity(validity);
  if (!dates) return refuse('date-invalid');
  const publicKey = readPublicKey(keyNode);
  if (!publicKey) return refuse('key-unsupported');
  const extensions = readCertificateExtensions(rest[0]);
  if (!extensions.ok) return extensions;
  const eui64 = eui64Of(subject);
  const role = roleOf(subject);
  return {
    ...extensions,
    der,
    fingerprint: sha256Hex(der),
    serialNumber,
    serialDecimal: serialNumber.toString(),
    serialHex: encodeHex(serial!.content),
    issuer,
    subject,
    ...(eui64 === undefined ? {} : { eui64 }),
    ...(role === undefined ? {} : { role }),
    ...dates,
    publicKey,
    signed: envelope.body.bytes,
    signature: envelope.signature,
  };
}

/**
 * The outer form that certificates and revocation lists share: body, algorithm, signature. The
 * algorithm stands in the body too, where the signature covers it, and is the same.
 */
export function readEnvelope(
  root: Der,
  algorithmIn: (body: Der) => Der | undefined,
): { ok: true; body: Der; signature: Uint8Array } | TrustRefusal {
  const [body, algorithm, value, ...others] = partsOf(root);
  if (others.length > 0 || body?.tag !== TAGS.sequence) {
    return refuse('malformed');
  }
  const inner = algorithmIn(body);
  if (!isEcdsaWithSha256(algorithm) || !inner || !isEcdsaWithSha256(inner)) {
    return refuse('algorithm-unsupported');
  }
  if (Buffer.compare(inner.bytes, algorithm!.bytes) !== 0) return refuse('malformed');
  const signature = wholeBitsOf(value);
  return signature ? { ok: true, body, signature } : refuse('malformed');
}

/**
 * RFC 5758, 3.2 leaves parameters out; two of the 33 published test certificates have a NULL there,
 * and are taken.
 */
export function isEcdsaWithSha256(node: Der | undefined): boolean {
  return plainAlgorithmOf(node) === ECDSA_WITH_SHA256;
}

export interface Extension {
  oid: string;
  critical: boolean;
  value: Uint8Array;
}

/** The extensions under their tag; none where the node is absent. */
export function readExtensions(
  node: Der | undefined,
  tag: number,
): { ok: true; extensions: Extension[] } | TrustRefusal {
  if (!node) return { ok: true, extensions: [] };
  const list = node.parts[0];
  if (node.tag !== tag || node.parts.length !== 1 || list?.tag !== TAGS.sequence) {
    return refuse('malformed');
  }
  const extensions = readExtensionList(list);
  if (!extensions) return refuse('malformed');
  const names = new Set(extensions.map(({ oid }) => oid));
  if (names.size !== extensions.length) return refuse('extension-repeated');
  return { ok: true, extensions };
}

/** The content of SEQUENCE OF Extension. */
export function readExtensionList(list: Der): Extension[] | undefined {
  if (list.parts.length === 0 || list.parts.length > EXTENSIONS_MAX) return undefined;
  const extensions: Extension[] = [];
  for (const { tag, parts } of list.parts) {
    const oid = oidOf(parts[0]);
    const value = parts.at(-1);
    // CRITICAL DEFAULT FALSE: some CAs write the default, which DER leaves out.
    const critical = parts.length === 3 ? booleanOf(parts[1]) : false;
    const hasForm = tag === TAGS.sequence && parts.length >= 2 && parts.length <= 3;
    if (!hasForm || !oid || critical === undefined || value?.tag !== TAGS.octetString) {
      return undefined;
    }
    extensions.push({ oid, critical, value: value.content });
  }
  return extensions;
}

type CertificateExtensions = { ok: true } & Pick<
  Certificate,
  'keyUsage' | 'isCa' | 'pathLength' | 'subjectKeyId' | 'authorityKeyId' | 'policies'
>;

/** Each known extension: what it adds, or `undefined` where it is malformed. */
const READERS: Readonly<
  Record<string, (value: Der) => Partial<CertificateExtensions> | undefined>
> = {
  '2.5.29.14': (value) =>
    value.tag === TAGS.octetString ? { subjectKeyId: encodeHex(value.content) } : undefined,
  '2.5.29.15': (value) => {
    const keyUsage = namedBitsOf(value);
    return keyUsage ? { keyUsage } : undefined;
  },
  '2.5.29.19': readBasicConstraints,
  '2.5.29.32': (value) => {
    const policies = partsOf(value).map((policy) => oidOf(partsOf(policy)[0]));
    return policies.length > 0 && policies.every((policy) => policy !== undefined)
      ? { policies }
      : undefined;
  },
  '2.5.29.35': (value) => {
    if (value.tag !== TAGS.sequence) return undefined;
    const keyId = value.parts.find(({ tag }) => tag === contextTag(0, false));
    return keyId ? { authorityKeyId: encodeHex(keyId.content) } : {};
  },
};

function readCertificateExtensions(node: Der | undefined): CertificateExtensions | TrustRefusal {
  const read = readExtensions(node, contextTag(3));
  if (!read.ok) return read;
  const found: CertificateExtensions = { ok: true, isCa: false, policies: [] };
  for (const { oid, critical, value } of read.extensions) {
    const reader = READERS[oid];
    if (!reader) {
      if (critical) return refuse('extension-unknown', oid);
      continue;
    }
    const node = decodeDer(value, CERTIFICATE_BYTES_MAX);
    const added = node && reader(node);
    if (!added) return refuse('malformed', `extension ${oid}`);
    Object.assign(found, added);
  }
  return found;
}

function readBasicConstraints(value: Der): Partial<CertificateExtensions> | undefined {
  const parts = [...value.parts];
  if (value.tag !== TAGS.sequence) return undefined;
  const isCa = parts[0]?.tag === TAGS.boolean ? booleanOf(parts.shift()) : false;
  if (isCa === undefined || parts.length > 1) return undefined;
  if (parts.length === 0) return { isCa };
  const pathLength = unsignedOf(parts[0]);
  if (pathLength === undefined || pathLength > 255n || !isCa) return undefined;
  return { isCa, pathLength: Number(pathLength) };
}

function readValidity(
  node: Der | undefined,
): Pick<Certificate, 'notBeforeMs' | 'notAfterMs'> | undefined {
  const [from, until, ...others] = partsOf(node);
  const notBeforeMs = timeMsOf(from);
  const lastSecondMs = timeMsOf(until);
  if (others.length > 0) return undefined;
  if (notBeforeMs === undefined || lastSecondMs === undefined) return undefined;
  const notAfterMs = lastSecondMs + 999;
  return notBeforeMs <= notAfterMs ? { notBeforeMs, notAfterMs } : undefined;
}

function readPublicKey(node: Der | undefined): KeyObject | undefined {
  const [algorithm, point, ...others] = partsOf(node);
  const [oid, curve, ...more] = partsOf(algorithm);
  if (!node || others.length > 0 || more.length > 0) return undefined;
  if (oidOf(oid) !== EC_PUBLIC_KEY || oidOf(curve) !== PRIME256V1) return undefined;
  const octets = wholeBitsOf(point);
  if (octets?.length !== 65 || octets[0] !== 4) return undefined;
  try {
    return createPublicKey({ key: Buffer.from(node.bytes), format: 'der', type: 'spki' });
  } catch {
    // No point of the curve.
    return undefined;
  }
}
