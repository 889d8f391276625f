/**
 * A signature over all bytes of a file, kept beside it: Ed25519 (RFC 8032) in its 64 bytes, or ECDSA
 * P-256 with SHA-256 in DER, each as OpenSSL writes and checks it. Whose key it is, the caller knows.
 */
import { createPrivateKey, type KeyObject, sign, verify } from 'node:crypto';
import { UpliftError } from '../errors.ts';
import { parsePublicKey } from './public-key.ts';

export const DETACHED_SIGNATURE_CODES = {
  'key-unusable': 'The public key is neither of Ed25519 nor on curve P-256.',
  'signature-differs': 'The signature is not one of this key over these very bytes.',
} as const;

export type DetachedSignatureCode = keyof typeof DETACHED_SIGNATURE_CODES;

export type DetachedSignature =
  | { ok: true }
  | { ok: false; code: DetachedSignatureCode; message: string };

/** @throws UpliftError where the key is none that can sign */
export function signDetached(bytes: Uint8Array, privateKeyPem: string): Uint8Array {
  const key = privateKey(privateKeyPem);
  return new Uint8Array(sign(digestFor(key), bytes, key));
}

export function verifyDetached(
  bytes: Uint8Array,
  signature: Uint8Array,
  publicKeyPem: string,
): DetachedSignature {
  const parsed = parsePublicKey(publicKeyPem);
  if (!parsed.ok || !isUsable(parsed.key)) return failed('key-unusable');
  const isRight = verify(digestFor(parsed.key), bytes, parsed.key, signature);
  return isRight ? { ok: true } : failed('signature-differs');
}

function privateKey(pem: string): KeyObject {
  let cause: unknown;
  try {
    const key = createPrivateKey(pem);
    if (isUsable(key)) return key;
  } catch (error) {
    cause = error;
  }
  throw new UpliftError('signing-key', 'the key cannot sign', {
    expected: 'a private key in PEM form without a password, of Ed25519 or on curve P-256',
    actual: cause instanceof Error ? cause.message : 'a key of another kind',
    next: '`openssl genpkey -algorithm ed25519 -out KEY.pem` makes one',
    cause,
  });
}

function isUsable({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'ed25519') return true;
  return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** Ed25519 hashes by itself. */
function digestFor(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
}

function failed(code: DetachedSignatureCode): DetachedSignature {
  return { ok: false, code, message: DETACHED_SIGNATURE_CODES[code] };
}
