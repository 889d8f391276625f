/**
 * Who signed a COSE document, and whether those are enough: an author, and a number of others who
 * approve.
 *
 * Every signature has to be good: made by the key that its key id names, over these very bytes, by
 * somebody whom a trust anchor of the purpose vouches for at that time. One that is not spoils the
 * document, so that nobody approves in the company of a revoked key. Certificates in the document find
 * the way to an anchor and are believed no further.
 *
 * People are told apart by key and by name: two keys of one subject are one person, and so is one key
 * under two names. The author never counts as an approver, under whatever key.
 */
import { foldText } from '../products/device-model.ts';
import { type ChainOptions, verifyChain } from './chain.ts';
import { refuse, type TrustCode } from './codes.ts';
import type { CoseDocument, CoseSignature } from './cose.ts';
import { sha256Hex } from './digest.ts';
import { nameText } from './distinguished-name.ts';
import { verifyP256 } from './ecdsa.ts';
import type { TrustAnchor } from './trust-anchors.ts';
import { type Certificate, parseCertificate } from './x509.ts';

export const SIGNER_CODES = {
  'signer-unknown': 'No certificate or key is at hand that a signature names.',
  'signature-other-bytes': 'A signature was not made by its key over these very bytes.',
  'author-unsigned': 'The author that the document names has not signed it.',
  'self-approval': 'The author has approved, and that does not count; others are too few.',
  'approver-twice': 'One approver signed twice and counts once; the others are too few.',
  'approvals-too-few': 'Fewer have approved than the document asks for.',
} as const;

export type SignerCode = keyof typeof SIGNER_CODES | TrustCode;

export interface SignerRefusal {
  ok: false;
  code: SignerCode;
  message: string;
  /** Of the signature that is meant. */
  keyId?: string;
}

export interface CoseTrust extends ChainOptions {
  anchors: readonly TrustAnchor[];
  /** Certificates at hand, besides those in the document. */
  certificates?: readonly Certificate[];
}

export interface VerifiedSigner {
  keyId: string;
  /** SHA-256 of the public key, 64 digits: one for all certificates of the key. */
  key: string;
  /** The subject of the certificate, or whose key the anchor says it is. */
  person: string;
  /** The name of the anchor that vouches. */
  anchor: string;
}

/** All of them, or why not; asked before the payload is read. */
export function verifySigners(
  { signatures }: Pick<CoseDocument, 'signatures'>,
  trust: CoseTrust,
): { ok: true; signers: readonly VerifiedSigner[] } | SignerRefusal {
  const signers: VerifiedSigner[] = [];
  for (const signature of signatures) {
    const verified = verifySigner(signature, trust);
    if ('code' in verified) return verified;
    signers.push(verified);
  }
  return { ok: true, signers };
}

/** `author` is a key id. */
export function verifyApprovals(
  signers: readonly VerifiedSigner[],
  author: string,
  approvals: number,
): { ok: true; author: VerifiedSigner; approvers: readonly VerifiedSigner[] } | SignerRefusal {
  const writer = signers.find(({ keyId }) => keyId === author);
  if (!writer) return refused('author-unsigned', author);
  const own = signers.filter((signer) => isSamePerson(signer, writer));
  const approvers: VerifiedSigner[] = [];
  let twice: VerifiedSigner | undefined;
  for (const signer of signers) {
    if (own.includes(signer)) continue;
    if (approvers.some((one) => isSamePerson(one, signer))) twice = signer;
    else approvers.push(signer);
  }
  if (approvers.length >= approvals) return { ok: true, author: writer, approvers };
  const other = own.find((signer) => signer !== writer);
  if (other) return refused('self-approval', other.keyId);
  return twice ? refused('approver-twice', twice.keyId) : refused('approvals-too-few');
}

function verifySigner(signature: CoseSignature, trust: CoseTrust): VerifiedSigner | SignerRefusal {
  const { keyId, signed, value } = signature;
  const bare = trust.anchors.filter(
    ({ fingerprint, certificate }) => !certificate && fingerprint === keyId,
  );
  if (bare.length > 0) return verifyBareKey(signature, bare, trust);
  const sent: Certificate[] = [];
  for (const der of signature.chain) {
    const parsed = parseCertificate(der);
    if (!parsed.ok) return refusedTrust(parsed.code, keyId);
    sent.push(parsed);
  }
  const pinned = trust.anchors.flatMap(({ certificate }) => certificate ?? []);
  const known = [...(trust.certificates ?? []), ...sent];
  const own = [...pinned, ...known].find(({ fingerprint }) => fingerprint === keyId);
  if (!own) return refused('signer-unknown', keyId);
  if (!verifyP256(own.publicKey, signed, value)) return refused('signature-other-bytes', keyId);
  const chain = verifyChain(own, known, trust.anchors, trust);
  if (!chain.ok) return { ok: false, code: chain.code, message: chain.message, keyId };
  const { anchor, path } = chain;
  const named = path.length === 1 ? anchor.person : undefined;
  const key = sha256Hex(new Uint8Array(own.publicKey.export({ type: 'spki', format: 'der' })));
  return { keyId, key, person: named ?? nameText(own.subject), anchor: anchor.name };
}

/** A key may be pinned for several purposes. */
function verifyBareKey(
  { keyId, signed, value }: CoseSignature,
  pinned: readonly TrustAnchor[],
  { purpose }: CoseTrust,
): VerifiedSigner | SignerRefusal {
  const anchor = pinned.find((one) => one.purpose === purpose);
  if (!anchor) return refusedTrust('wrong-purpose', keyId);
  if (!verifyP256(anchor.publicKey, signed, value)) return refused('signature-other-bytes', keyId);
  return { keyId, key: keyId, person: anchor.person ?? `key ${keyId}`, anchor: anchor.name };
}

function isSamePerson(one: VerifiedSigner, other: VerifiedSigner): boolean {
  return one.key === other.key || foldText(one.person) === foldText(other.person);
}

function refusedTrust(code: TrustCode, keyId: string): SignerRefusal {
  return { ...refuse(code, keyId), keyId };
}

function refused(code: keyof typeof SIGNER_CODES, keyId?: string): SignerRefusal {
  return { ok: false, code, message: SIGNER_CODES[code], ...(keyId ? { keyId } : {}) };
}
