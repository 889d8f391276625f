/**
 * CMS SignedData (RFC 5652, 5): content, or a note that it is elsewhere, and who signed it. What
 * firmware and campaigns need of it: DER, SHA-256, ECDSA P-256.
 *
 * Every signer has to be right, not one of them. A signer without signed attributes is refused: its
 * signature is over the content alone, and the signed attributes of another message could be passed
 * off as that. Attributes that nobody signed are refused too: nothing of a message may change
 * without notice that somebody might read.
 */
import { createHash } from 'node:crypto';
import { encodeHex } from '../bytes/hex.ts';
import { type ChainOptions, type VerifiedChain, verifyChain } from './chain.ts';
import { refuse, type TrustRefusal } from './codes.ts';
import { parseRevocationList, type RevocationList } from './crl.ts';
import {
  contextTag,
  type Der,
  decodeDer,
  oidOf,
  partsOf,
  plainAlgorithmOf,
  TAGS,
  timeMsOf,
  unsignedOf,
} from './der.ts';
import { type DistinguishedName, readName, sameName } from './distinguished-name.ts';
import type { TrustAnchor } from './trust-anchors.ts';
import { type Certificate, isEcdsaWithSha256, isSignedBy, parseCertificate } from './x509.ts';

const MESSAGE_BYTES_MAX = 1024 * 1024;
const CERTIFICATES_MAX = 16;
const LISTS_MAX = 16;
const SIGNERS_MAX = 8;
const ATTRIBUTES_MAX = 16;

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const SHA256 = '2.16.840.1.101.3.4.2.1';
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const SIGNING_TIME = '1.2.840.113549.1.9.5';

export interface SignedData {
  ok: true;
  contentType: string;
  /** Absent: the content is elsewhere. */
  content?: Uint8Array;
  certificates: readonly Certificate[];
  crls: readonly RevocationList[];
  signers: readonly SignerInfo[];
}

export interface SignerInfo {
  /** How the certificate is named: issuer and serial number, or the key's id. */
  by: { issuer: DistinguishedName; serialNumber: bigint } | { subjectKeyId: string };
  messageDigest: Uint8Array;
  /** As the signer says: it proves nothing. */
  signingTimeMs?: number;
  /** The signed attributes as they are signed, and the signature in DER. */
  signed: Uint8Array;
  signature: Uint8Array;
}

export interface VerifiedMessage {
  ok: true;
  content: Uint8Array;
  signers: readonly { certificate: Certificate; chain: VerifiedChain; signingTimeMs?: number }[];
}

export function parseSignedData(message: Uint8Array): SignedData | TrustRefusal {
  if (message.length > MESSAGE_BYTES_MAX) return refuse('too-large');
  const root = decodeDer(Uint8Array.from(message), MESSAGE_BYTES_MAX);
  if (!root) return refuse('not-der');
  const [type, wrapped, ...others] = partsOf(root);
  const [body, ...more] = partsOf(wrapped, contextTag(0));
  if (oidOf(type) !== SIGNED_DATA || others.length > 0 || more.length > 0) {
    return refuse('malformed');
  }
  const fields = [...partsOf(body)];
  const [version, digests, encapsulated] = fields.splice(0, 3);
  const signerNode = fields.pop();
  if (unsignedOf(version) !== 1n && unsignedOf(version) !== 3n)
    return refuse('version-unsupported');
  if (digests?.tag !== TAGS.set || !digests.parts.every(isSha256)) {
    return refuse('algorithm-unsupported');
  }
  const inner = readContent(encapsulated);
  const certificateNode = fields[0]?.tag === contextTag(0) ? fields.shift() : undefined;
  const listNode = fields[0]?.tag === contextTag(1) ? fields.shift() : undefined;
  if (!inner || fields.length > 0 || signerNode?.tag !== TAGS.set) return refuse('malformed');
  const certificates = readAll(certificateNode, CERTIFICATES_MAX, parseCertificate);
  if (!certificates.ok) return certificates;
  const crls = readAll(listNode, LISTS_MAX, parseRevocationList);
  if (!crls.ok) return crls;
  const signers = readSigners(signerNode, inner.contentType);
  if (!signers.ok) return signers;
  return {
    ok: true,
    ...inner,
    certificates: certificates.list,
    crls: crls.list,
    signers: signers.list,
  };
}

/**
 * `detached` is the content where it is not inside; where it is, both have to be the same. Lists
 * that the message brings are looked at beside the caller's, where the caller has revocation checked
 * at all: they are signed by the CA, and can say no more than it did.
 */
export function verifySignedData(
  message: SignedData,
  anchors: readonly TrustAnchor[],
  options: ChainOptions,
  detached?: Uint8Array,
): VerifiedMessage | TrustRefusal {
  const content = message.content ?? detached;
  if (!content) return refuse('content-missing');
  if (detached && Buffer.compare(content, detached) !== 0) return refuse('content-differs');
  if (message.signers.length === 0) return refuse('signer-missing');
  const digest = createHash('sha256').update(content).digest();
  const crls = options.crls && [...options.crls, ...message.crls];
  const chainOptions: ChainOptions = crls ? { ...options, crls } : options;
  const signers: VerifiedMessage['signers'][number][] = [];
  for (const signer of message.signers) {
    const certificate = message.certificates.find((one) => isNamed(one, signer));
    if (!certificate) return refuse('signer-missing');
    if (Buffer.compare(digest, signer.messageDigest) !== 0) return refuse('content-differs');
    if (!isSignedBy(signer, certificate.publicKey)) return refuse('signature');
    const chain = verifyChain(certificate, message.certificates, anchors, chainOptions);
    if (!chain.ok) return chain;
    const { signingTimeMs } = signer;
    signers.push({ certificate, chain, ...(signingTimeMs === undefined ? {} : { signingTimeMs }) });
  }
  return { ok: true, content, signers };
}

function readContent(
  node: Der | undefined,
): Pick<SignedData, 'contentType' | 'content'> | undefined {
  const [type, wrapped, ...others] = partsOf(node);
  const contentType = oidOf(type);
  if (!contentType || others.length > 0) return undefined;
  if (!wrapped) return { contentType };
  const [octets, ...more] = partsOf(wrapped, contextTag(0));
  if (octets?.tag !== TAGS.octetString || more.length > 0) return undefined;
  return { contentType, content: octets.content };
}

function readAll<T extends { ok: true }>(
  node: Der | undefined,
  countMax: number,
  parse: (der: Uint8Array) => T | TrustRefusal,
): { ok: true; list: T[] } | TrustRefusal {
  const parts = node?.parts ?? [];
  if (parts.length > countMax) return refuse('too-large');
  const list: T[] = [];
  for (const { bytes } of parts) {
    const parsed = parse(bytes);
    if (!parsed.ok) return parsed;
    list.push(parsed);
  }
  return { ok: true, list };
}

function readSigners(
  node: Der,
  contentType: string,
): { ok: true; list: SignerInfo[] } | TrustRefusal {
  if (node.parts.length > SIGNERS_MAX) return refuse('too-large');
  const list: SignerInfo[] = [];
  for (const part of node.parts) {
    const signer = readSigner(part, contentType);
    if (!signer.ok) return signer;
    list.push(signer.signer);
  }
  return { ok: true, list };
}

function readSigner(
  node: Der,
  contentType: string,
): { ok: true; signer: SignerInfo } | TrustRefusal {
  const [version, name, digest, attributes, algorithm, value, ...others] = partsOf(node);
  if (!isSha256(digest)) return refuse('algorithm-unsupported');
  if (attributes?.tag !== contextTag(0)) return refuse('attributes-missing');
  if (!isEcdsaWithSha256(algorithm)) return refuse('algorithm-unsupported');
  const by = readSignerName(version, name);
  const read = readAttributes(attributes, contentType);
  if (!by || !read || value?.tag !== TAGS.octetString || others.length > 0) {
    return refuse('malformed');
  }
  // Signed as the SET that they are, not with the tag that they have here (RFC 5652, 5.4).
  const signed = Uint8Array.from(attributes.bytes);
  signed[0] = TAGS.set;
  return { ok: true, signer: { by, ...read, signed, signature: value.content } };
}

function readSignerName(
  version: Der | undefined,
  name: Der | undefined,
): SignerInfo['by'] | undefined {
  if (unsignedOf(version) === 3n && name?.tag === contextTag(0, false)) {
    return { subjectKeyId: encodeHex(name.content) };
  }
  const [issuerNode, serial, ...others] = partsOf(name);
  const issuer = readName(issuerNode);
  const serialNumber = unsignedOf(serial);
  if (unsignedOf(version) !== 1n || others.length > 0) return undefined;
  return issuer && serialNumber !== undefined ? { issuer, serialNumber } : undefined;
}

/** Content type and digest stand there once each, with one value; others are passed over. */
function readAttributes(
  { parts }: Der,
  contentType: string,
): Pick<SignerInfo, 'messageDigest' | 'signingTimeMs'> | undefined {
  if (parts.length > ATTRIBUTES_MAX) return undefined;
  const values = new Map<string, Der>();
  for (const attribute of parts) {
    const [type, set] = partsOf(attribute);
    const oid = oidOf(type);
    const [value, ...others] = partsOf(set, TAGS.set);
    if (!oid || !value || others.length > 0 || values.has(oid)) return undefined;
    values.set(oid, value);
  }
  const messageDigest = values.get(MESSAGE_DIGEST);
  const time = values.get(SIGNING_TIME);
  const signingTimeMs = timeMsOf(time);
  if (oidOf(values.get(CONTENT_TYPE)) !== contentType) return undefined;
  if (messageDigest?.tag !== TAGS.octetString || messageDigest.content.length !== 32) {
    return undefined;
  }
  if (time && signingTimeMs === undefined) return undefined;
  const found = { messageDigest: messageDigest.content };
  return signingTimeMs === undefined ? found : { ...found, signingTimeMs };
}

function isNamed(certificate: Certificate, { by }: SignerInfo): boolean {
  if ('subjectKeyId' in by) return certificate.subjectKeyId === by.subjectKeyId;
  return certificate.serialNumber === by.serialNumber && sameName(certificate.issuer, by.issuer);
}

/** With or without NULL after the name: both are written (RFC 5754, 2). */
function isSha256(node: Der | undefined): boolean {
  return plainAlgorithmOf(node) === SHA256;
}
