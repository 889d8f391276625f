/**
 * Signed CBOR: COSE_Sign, with any number of signers, and COSE_Sign1, with one (RFC 9052, 4.1 and 4.2).
 *
 * One profile of it, and what is outside is refused: tagged (98 or 18), deterministic CBOR, payload
 * attached, ES256 alone. The algorithm is named in the protected header because RFC 9052 wants it there,
 * and it is compared, never chosen by. Protected are exactly the content type of the payload, and of each
 * signer algorithm and key id; unprotected is at most the chain of certificates (RFC 9360, x5chain),
 * which counts for nothing by itself. No header that is critical is known, so each is refused.
 *
 * The key id is the fingerprint of a trust anchor or certificate: SHA-256 over its DER, 32 octets, so a
 * signature names its certificate and not only a key. Who is trusted: see cose-signers.ts.
 */
import { type KeyObject, sign } from 'node:crypto';
import { type CborMap, type CborValue, decodeCbor, encodeCbor, isCborMap } from '../bytes/cbor.ts';
import { CBOR_REFUSALS, type CborRefusalCode } from '../bytes/cbor-scan.ts';
import { decodeHex, encodeHex } from '../bytes/hex.ts';
import { assert } from '../errors.ts';
import { isRawP256Signature, verifyP256 } from './ecdsa.ts';
import { checkSigningPair } from './signing-pair.ts';
import { CERTIFICATE_BYTES_MAX, type Certificate } from './x509.ts';

export const COSE_CODES = {
  'cose-too-large': 'The document is larger than any that is read.',
  'cose-cbor': 'The document is not one CBOR item in deterministic form.',
  'cose-structure': 'The document is no COSE_Sign or COSE_Sign1 with its payload inside.',
  'cose-critical-header': 'A critical header is not known, so nobody may rely on the rest.',
  'cose-algorithm': 'The algorithm is not ES256.',
  'cose-header': 'A header is missing, unknown, or not where it has to be.',
  'cose-content-type': 'The signed content is of another kind.',
  'cose-signature-form': 'A signature is not r and s of 32 octets each.',
  'cose-no-signature': 'Nobody has signed.',
  'cose-too-many-signatures': 'More have signed than are looked at.',
} as const;

export type CoseCode = keyof typeof COSE_CODES;

export interface CoseRefusal {
  ok: false;
  code: CoseCode;
  message: string;
}

export type CoseKind = 'sign' | 'sign1';

/** Read, not yet believed. */
export interface CoseDocument {
  ok: true;
  kind: CoseKind;
  /** A copy of what is signed. */
  payload: Uint8Array;
  signatures: readonly CoseSignature[];
}

export interface CoseSignature {
  /** 64 lower-case digits. */
  keyId: string;
  /** r and s. */
  value: Uint8Array;
  /** What it is over. */
  signed: Uint8Array;
  /** DER, as they came: the signer's first. */
  chain: readonly Uint8Array[];
}

export interface CoseSigner {
  /** On P-256. */
  privateKey: KeyObject;
  /** The signer's first, then its CAs; they go along in the document. */
  certificates: readonly [Certificate, ...Certificate[]];
}

export const COSE_BYTES_MAX = 4 * 1024 * 1024;
export const COSE_SIGNATURES_MAX = 16;
/** Certificates that go along with a signature. */
export const COSE_CHAIN_MAX = 4;
const KEY_ID_BYTES = 32;

/** RFC 9052, table 3; x5chain: RFC 9360, 2. */
const LABEL = { algorithm: 1, critical: 2, contentType: 3, keyId: 4, chain: 33 } as const;
/** RFC 9053, 2.1. */
const ES256 = -7;
/** The heads of tags 98 and 18: the one form they have. */
const TAGS: Readonly<Record<CoseKind, readonly number[]>> = { sign: [0xd8, 0x62], sign1: [0xd2] };
const CONTEXTS: Readonly<Record<CoseKind, string>> = { sign: 'Signature', sign1: 'Signature1' };
const BODY_LIMITS = { depthMax: 6, itemsMax: 512 };
const HEADER_LIMITS = { depthMax: 2, itemsMax: 16 };

/**
 * What is signed (RFC 9052, 4.4): no external data. `signer` is the signer's own protected header, which
 * COSE_Sign has and COSE_Sign1 has not.
 */
export function signatureStructure(
  kind: CoseKind,
  body: Uint8Array,
  signer: Uint8Array | undefined,
  payload: Uint8Array,
): Uint8Array {
  const headers = signer === undefined ? [body] : [body, signer];
  return encodeCbor([CONTEXTS[kind], ...headers, new Uint8Array(0), payload]);
}

/** A COSE_Sign that nobody has signed yet. */
export function encodeUnsigned(payload: Uint8Array, contentType: string): Uint8Array {
  return tagged('sign', [encodeCbor(bodyHeader(contentType)), new Map(), payload, []]);
}

/** The same document with one signature more. @throws UpliftError where the key is not that of the certificate */
export function addSignature(
  bytes: Uint8Array,
  contentType: string,
  signer: CoseSigner,
): { ok: true; bytes: Uint8Array } | CoseRefusal {
  const prepared = prepareSignature(bytes, contentType, signer);
  if (!prepared.ok) return prepared;
  return { ok: true, bytes: prepared.complete(signatureOf(prepared.signed, signer)) };
}

/** A signature that somebody else makes, whose key is not at hand. */
export interface PreparedSignature {
  ok: true;
  /** What it is to be over, before it is hashed. */
  signed: Uint8Array;
  /** The document with it: r and s, which have to verify. */
  complete(value: Uint8Array): Uint8Array;
}

export function prepareSignature(
  bytes: Uint8Array,
  contentType: string,
  signer: Pick<CoseSigner, 'certificates'>,
): PreparedSignature | CoseRefusal {
  const read = readBody(bytes, contentType);
  if (!read.ok) return read;
  const { kind, body, payload, last } = read;
  if (kind !== 'sign' || !Array.isArray(last)) return refused('cose-structure');
  if (last.length >= COSE_SIGNATURES_MAX) return refused('cose-too-many-signatures');
  const own = encodeCbor(signerHeader(signer));
  const signed = signatureStructure('sign', body, own, payload);
  const complete = (value: Uint8Array): Uint8Array => {
    const isGood = verifyP256(signer.certificates[0].publicKey, signed, value);
    assert(isGood, 'only a signature that verifies becomes part of a document');
    const added = [own, chainHeader(signer), value];
    return tagged('sign', [body, new Map(), payload, [...last, added]]);
  };
  return { ok: true, signed, complete };
}

/**
 * The signatures of both over what both say, in the order of the first; of a signer that signed both,
 * the first one's. Nothing of them is verified. `undefined` where they say different things.
 */
export function mergeSignatures(
  bytes: Uint8Array,
  more: Uint8Array,
  contentType: string,
): { ok: true; bytes: Uint8Array } | CoseRefusal | undefined {
  const [one, other] = [readBody(bytes, contentType), readBody(more, contentType)];
  if (!one.ok) return one;
  if (!other.ok) return other;
  const { body, payload } = one;
  if (!sameBytes(body, other.body) || !sameBytes(payload, other.payload)) return undefined;
  const lists = [one.last, other.last];
  if (!lists.every((list) => Array.isArray(list))) return refused('cose-structure');
  // By their own headers, each of which names its key.
  const merged = new Map<string, CborValue>();
  for (const entry of lists.flat() as CborValue[]) {
    const own = Array.isArray(entry) ? (entry as CborValue[])[0] : undefined;
    if (!(own instanceof Uint8Array)) return refused('cose-structure');
    const key = encodeHex(own);
    if (!merged.has(key)) merged.set(key, entry);
  }
  if (merged.size > COSE_SIGNATURES_MAX) return refused('cose-too-many-signatures');
  return { ok: true, bytes: tagged('sign', [body, new Map(), payload, [...merged.values()]]) };
}

/** A COSE_Sign1. @throws UpliftError where the key is not that of the certificate */
export function signAlone(
  payload: Uint8Array,
  contentType: string,
  signer: CoseSigner,
): Uint8Array {
  const body = encodeCbor(new Map([...bodyHeader(contentType), ...signerHeader(signer)]));
  const signed = signatureStructure('sign1', body, undefined, payload);
  return tagged('sign1', [body, chainHeader(signer), payload, signatureOf(signed, signer)]);
}

export interface CoseOptions {
  /** The one that is taken; absent: either. */
  kind?: CoseKind;
  /** Whether a document without any signature is one. */
  mayBeUnsigned?: boolean;
}

export function decodeCose(
  bytes: Uint8Array,
  contentType: string,
  { kind: wanted, mayBeUnsigned = false }: CoseOptions = {},
): CoseDocument | CoseRefusal {
  const read = readBody(bytes, contentType);
  if (read.ok && wanted !== undefined && read.kind !== wanted) return refused('cose-structure');
  if (!read.ok) return read;
  const { kind, body, header, unprotected, payload, last } = read;
  const signatures: CoseSignature[] = [];
  if (kind === 'sign1') {
    const signed = signatureStructure(kind, body, undefined, payload);
    const one = readSignature(header, unprotected, last, signed, [LABEL.contentType]);
    if ('code' in one) return one;
    return { ok: true, kind, payload, signatures: [one] };
  }
  if (!Array.isArray(last) || unprotected.size > 0) return refused('cose-structure');
  if (last.length > COSE_SIGNATURES_MAX) return refused('cose-too-many-signatures');
  if (last.length === 0 && !mayBeUnsigned) return refused('cose-no-signature');
  for (const entry of last as CborValue[]) {
    const [own, loose, value, ...rest] = Array.isArray(entry) ? (entry as CborValue[]) : [];
    const isShaped = own instanceof Uint8Array && isCborMap(loose) && rest.length === 0;
    const read = isShaped ? decodeHeader(own) : undefined;
    if (!isShaped || !read) return refused('cose-structure');
    const signed = signatureStructure(kind, body, own, payload);
    const one = readSignature(read, loose, value, signed, []);
    if ('code' in one) return one;
    signatures.push(one);
  }
  return { ok: true, kind, payload, signatures };
}

interface Body {
  ok: true;
  kind: CoseKind;
  /** The protected header, as it was encoded. */
  body: Uint8Array;
  header: CborMap;
  unprotected: CborMap;
  payload: Uint8Array;
  /** The signatures, or the one. */
  last: CborValue | undefined;
}

function readBody(bytes: Uint8Array, contentType: string): Body | CoseRefusal {
  if (bytes.length > COSE_BYTES_MAX) return refused('cose-too-large');
  const kinds = ['sign', 'sign1'] as const;
  const kind = kinds.find((one) => TAGS[one].every((octet, at) => bytes[at] === octet));
  if (!kind) return refused('cose-structure', 'neither tag 98 nor tag 18');
  const decoded = decodeCbor(bytes.subarray(TAGS[kind].length), BODY_LIMITS);
  if (!decoded.ok) return refusedCbor(decoded.code);
  const parts = Array.isArray(decoded.value) ? (decoded.value as CborValue[]) : [];
  const [body, unprotected, payload, last] = parts;
  if (parts.length !== 4 || !(body instanceof Uint8Array) || !isCborMap(unprotected)) {
    return refused('cose-structure');
  }
  if (!(payload instanceof Uint8Array)) return refused('cose-structure');
  const header = decodeHeader(body);
  if (!header) return refused('cose-structure');
  if (isCritical(header) || isCritical(unprotected)) return refused('cose-critical-header');
  if (header.get(LABEL.contentType) !== contentType) return refused('cose-content-type');
  if (kind === 'sign' && header.size !== 1) return refused('cose-header');
  return { ok: true, kind, body, header, unprotected, payload, last };
}

/** `besides`: labels of the header that are none of the signer's. */
function readSignature(
  header: CborMap,
  unprotected: CborMap,
  value: CborValue | undefined,
  signed: Uint8Array,
  besides: readonly number[],
): CoseSignature | CoseRefusal {
  if (isCritical(header) || isCritical(unprotected)) return refused('cose-critical-header');
  if (header.get(LABEL.algorithm) !== ES256) return refused('cose-algorithm');
  const keyId = header.get(LABEL.keyId);
  const isExact = header.size === 2 + besides.length && keyId instanceof Uint8Array;
  if (!isExact || keyId.length !== KEY_ID_BYTES) return refused('cose-header');
  const chain = readChain(unprotected);
  if (!chain) return refused('cose-header');
  if (!(value instanceof Uint8Array) || !isRawP256Signature(value)) {
    return refused('cose-signature-form');
  }
  return { keyId: encodeHex(keyId), value, signed, chain };
}

/** One certificate by itself, several as an array (RFC 9360, 2). */
function readChain(unprotected: CborMap): readonly Uint8Array[] | undefined {
  if (unprotected.size === 0) return [];
  const value = unprotected.get(LABEL.chain);
  if (unprotected.size !== 1 || value === undefined) return undefined;
  const list = Array.isArray(value) ? (value as CborValue[]) : [value];
  const isOther = Array.isArray(value) && list.length < 2;
  if (isOther || list.length > COSE_CHAIN_MAX) return undefined;
  const isCertificate = (one: CborValue): one is Uint8Array =>
    one instanceof Uint8Array && one.length <= CERTIFICATE_BYTES_MAX;
  return list.every(isCertificate) ? list : undefined;
}

function decodeHeader(bytes: Uint8Array): CborMap | undefined {
  const decoded = decodeCbor(bytes, HEADER_LIMITS);
  return decoded.ok && isCborMap(decoded.value) ? decoded.value : undefined;
}

function isCritical(header: CborMap): boolean {
  return header.has(LABEL.critical);
}

function bodyHeader(contentType: string): Map<number, CborValue> {
  return new Map([[LABEL.contentType, contentType]]);
}

function signerHeader({
  certificates: [{ fingerprint }],
}: Pick<CoseSigner, 'certificates'>): Map<number, CborValue> {
  const keyId = decodeHex(fingerprint);
  assert(keyId !== undefined, 'a fingerprint is hexadecimal');
  return new Map<number, CborValue>([
    [LABEL.algorithm, ES256],
    [LABEL.keyId, keyId],
  ]);
}

function chainHeader({ certificates }: Pick<CoseSigner, 'certificates'>): CborMap {
  const ders = certificates.map(({ der }) => der);
  assert(ders.length <= COSE_CHAIN_MAX, 'the chain is longer than is read');
  return new Map([[LABEL.chain, ders.length === 1 ? ders[0]! : ders]]);
}

function signatureOf(signed: Uint8Array, { privateKey, certificates: [own] }: CoseSigner) {
  checkSigningPair({ privateKey, certificate: own });
  return new Uint8Array(sign('sha256', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}

function tagged(kind: CoseKind, parts: readonly CborValue[]): Uint8Array {
  return Uint8Array.from([...TAGS[kind], ...encodeCbor(parts)]);
}

function refusedCbor(code: CborRefusalCode): CoseRefusal {
  return refused('cose-cbor', CBOR_REFUSALS[code]);
}

function refused(code: CoseCode, about = ''): CoseRefusal {
  return {
    ok: false,
    code,
    message: about ? `${COSE_CODES[code]} (${about})` : COSE_CODES[code],
  };
}
