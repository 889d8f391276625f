/**
 * ECDSA P-256 with SHA-256, the signature as r and s of 32 octets each, big-endian, as a GB Upgrade
 * Image carries it (GBCS 11.2.2). The key is a plain public key; who it belongs to, and until when,
 * is a certificate's matter and not decided here.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';

export type SignatureKey =
  | { ok: true; key: KeyObject }
  | { ok: false; code: 'key-unreadable' | 'key-not-p256'; message: string };

/** A public key in PEM (SubjectPublicKeyInfo, or a certificate's). */
export function parsePublicKey(pem: string): SignatureKey {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return { ok: false, code: 'key-unreadable', message: 'No public key in PEM form.' };
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    return { ok: false, code: 'key-not-p256', message: 'The public key is not on curve P-256.' };
  }
  return { ok: true, key };
}

/** A signature of any other length than 64 octets does not verify. */
export function verifyP256(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
