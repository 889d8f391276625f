/**
 * The digest and the signatures of a hub's image, checked against its bytes and the configured keys.
 *
 * Rules, each the stricter of what bootloaders do:
 * - a digest is computed over the covered bytes and compared; a signature is checked over those
 *   bytes as well, never over the digest that the image states;
 * - a signature counts only with a configured key. What the image says of its key finds it, and an
 *   MCUboot signature that names none does not count: MCUboot passes over it;
 * - of several signatures those by unknown keys are left aside, and one by a known key that is wrong
 *   spoils the image: MCUboot keeps the last result;
 * - an encrypted MCUboot image is `not-verifiable`, since its seal is over plain text. That is neither
 *   a success nor a failure; what it is worth is policy.
 */
import { constants, createHash, type KeyObject, verify } from 'node:crypto';
import type { HubImage } from '../image/hub-image.ts';
import {
  type ImageSignature,
  SIGNATURE_SCHEMES,
  type SignatureScheme,
} from '../image/image-signature.ts';
import { sha256Hex } from './digest.ts';
import { isDerP256Signature, isRawP256Signature, verifyP256 } from './ecdsa.ts';
import { type KeyAlgorithm, mcubootKeyHash, type SignatureKey } from './public-key.ts';

/** What the digest that an image states of itself came to. */
export const DIGEST_OUTCOMES = {
  match: 'matches the bytes that it covers',
  mismatch: 'does not match: the image was damaged or changed',
  'not-verifiable': 'is over plain text, and the image is encrypted',
  none: 'the image states none',
} as const;

export type DigestOutcome = keyof typeof DIGEST_OUTCOMES;

/** What a signature came to. The first four are those of a GB image. */
export const HUB_SIGNATURE_OUTCOMES = {
  verified: 'made by a configured key over these very bytes',
  wrong: 'not made by the configured key over these bytes',
  'no-trust-anchor': 'no key of its kind is configured',
  none: 'the image is not signed',
  'key-unknown': 'made by a key that is not configured',
  'key-unnamed': 'does not say which key made it; MCUboot passes over it',
  malformed: 'not of the form that its kind has',
  'not-verifiable': 'over plain text, and the image is encrypted',
} as const;

export type HubSignatureOutcome = keyof typeof HUB_SIGNATURE_OUTCOMES;

export interface HubImageProof {
  /** SHA-256 of exactly what is sent: 64 lower-case digits. */
  sendSha256: string;
  digest: DigestOutcome;
  /** Of all signatures together. */
  signature: HubSignatureOutcome;
  /** Of each, in the order of the image. */
  signatures: readonly { scheme: SignatureScheme; outcome: HubSignatureOutcome }[];
}

export function verifyHubImage(image: HubImage, keys: readonly SignatureKey[]): HubImageProof {
  const signatures = image.signatures.map((signature) => ({
    scheme: signature.scheme,
    outcome: verifySignature(image, signature, keys),
  }));
  return {
    sendSha256: sha256Hex(image.sendBytes),
    digest: verifyDigest(image),
    signature: together(signatures.map(({ outcome }) => outcome)),
    signatures,
  };
}

function verifyDigest({ digest, covered, isSealedUnderEncryption }: HubImage): DigestOutcome {
  if (!digest) return 'none';
  if (isSealedUnderEncryption) return 'not-verifiable';
  const found = createHash(digest.algorithm).update(covered).digest();
  return found.equals(digest.value) ? 'match' : 'mismatch';
}

function verifySignature(
  image: HubImage,
  signature: ImageSignature,
  keys: readonly SignatureKey[],
): HubSignatureOutcome {
  const { scheme, key: name } = signature;
  if (image.isSealedUnderEncryption) return 'not-verifiable';
  const usable = keys.flatMap((key) =>
    key.ok && key.algorithm === VERIFIERS[scheme].algorithm ? [key] : [],
  );
  if (usable.length === 0) return 'no-trust-anchor';
  if (SIGNATURE_SCHEMES[scheme].namesKey && !name) return 'key-unnamed';
  const candidates = name
    ? usable.filter(({ mcubootBytes }) => isNamed(mcubootBytes, name))
    : usable;
  if (candidates.length === 0) return 'key-unknown';
  const { hasForm, verifies } = VERIFIERS[scheme];
  if (!hasForm(signature.value)) return 'malformed';
  return candidates.some(({ key }) => verifies(key, image, signature.value)) ? 'verified' : 'wrong';
}

/** From the outcome that decides over all others to the one that decides over none. */
const DECIDING: readonly HubSignatureOutcome[] = [
  'not-verifiable',
  'wrong',
  'malformed',
  'verified',
  'key-unknown',
  'key-unnamed',
  'no-trust-anchor',
];

function together(outcomes: readonly HubSignatureOutcome[]): HubSignatureOutcome {
  return DECIDING.find((outcome) => outcomes.includes(outcome)) ?? 'none';
}

function isNamed(keyBytes: Uint8Array, name: NonNullable<ImageSignature['key']>): boolean {
  const own = name.by === 'hash' ? mcubootKeyHash(keyBytes, name.value.length) : keyBytes;
  return Buffer.compare(own, name.value) === 0;
}

interface Verifier {
  algorithm: KeyAlgorithm;
  hasForm(signature: Uint8Array): boolean;
  verifies(key: KeyObject, image: HubImage, signature: Uint8Array): boolean;
}

const VERIFIERS: Readonly<Record<SignatureScheme, Verifier>> = {
  'ecdsa-p256-der': {
    algorithm: 'ecdsa-p256',
    hasForm: isDerP256Signature,
    verifies: (key, image, signature) =>
      verify(digestOf(image), image.covered, { key, dsaEncoding: 'der' }, signature),
  },
  'ecdsa-p256-raw': {
    algorithm: 'ecdsa-p256',
    hasForm: isRawP256Signature,
    verifies: (key, image, signature) => verifyP256(key, image.covered, signature),
  },
  'rsa-2048-pss': rsaPss('rsa-2048', 256),
  'rsa-3072-pss': rsaPss('rsa-3072', 384),
  'ed25519-digest': {
    algorithm: 'ed25519',
    hasForm: (signature) => signature.length === 64,
    // The message is the digest, 32 bytes of it with SHA-256: MCUboot hashes first.
    verifies: (key, image, signature) =>
      verify(null, createHash(digestOf(image)).update(image.covered).digest(), key, signature),
  },
  'ed25519-pure': {
    algorithm: 'ed25519',
    hasForm: (signature) => signature.length === 64,
    verifies: (key, image, signature) => verify(null, image.covered, key, signature),
  },
};

/** MGF1 with the same hash and a salt of 32 octets, as imgtool signs and MCUboot checks. */
function rsaPss(algorithm: KeyAlgorithm, bytes: number): Verifier {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return {
    algorithm,
    hasForm: (signature) => signature.length === bytes,
    verifies: (key, image, signature) =>
      verify(digestOf(image), image.covered, { key, padding, saltLength: 32 }, signature),
  };
}

function digestOf({ digest }: HubImage): string {
  return digest?.algorithm ?? 'sha256';
}
