/**
 * Public keys as they are configured: PEM, of the algorithms that images are signed with. Who a key
 * belongs to, and until when, is a certificate's matter and not decided here.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

export type KeyAlgorithm = 'ecdsa-p256' | 'rsa-2048' | 'rsa-3072' | 'ed25519';

export type SignatureKey =
  | {
      ok: true;
      key: KeyObject;
      algorithm: KeyAlgorithm;
      /** How an MCUboot image names it, whole or hashed: see `mcubootKeyBytes`. */
      mcubootBytes: Uint8Array;
    }
  | { ok: false; code: SignatureKeyCode; message: string };

export const SIGNATURE_KEY_CODES = {
  'key-unreadable': 'No public key in PEM form.',
  'key-not-p256': 'The public key is not on curve P-256.',
  'key-algorithm': 'The public key is none of ECDSA P-256, RSA of 2048 or 3072 bits, Ed25519.',
} as const;

export type SignatureKeyCode = keyof typeof SIGNATURE_KEY_CODES;

/** A public key in PEM (SubjectPublicKeyInfo, or a certificate's). */
export function parsePublicKey(pem: string): SignatureKey {
  try {
    return signatureKeyOf(createPublicKey(pem));
  } catch {
    return failed('key-unreadable');
  }
}

export function signatureKeyOf(key: KeyObject): SignatureKey {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (namedCurve !== 'prime256v1') return failed('key-not-p256');
      return usable(key, 'ecdsa-p256');
    case 'ed25519':
      return usable(key, 'ed25519');
    case 'rsa':
      if (modulusLength !== 2048 && modulusLength !== 3072) return failed('key-algorithm');
      return usable(key, `rsa-${modulusLength}`);
    default:
      return failed('key-algorithm');
  }
}

/**
 * The form in which an MCUboot image names its key, whole or hashed: DER, SubjectPublicKeyInfo for
 * elliptic curves and PKCS#1 for RSA, which is how imgtool writes either into a bootloader.
 */
export function mcubootKeyBytes(key: KeyObject): Uint8Array {
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'spki';
  return new Uint8Array(key.export({ type, format: 'der' }));
}

/** A key hash of 32, 48 or 64 bytes; images with a longer digest name their key by that one. */
export function mcubootKeyHash(keyBytes: Uint8Array, bytes = 32): Uint8Array {
  return new Uint8Array(
    createHash(`sha${bytes * 8}`)
      .update(keyBytes)
      .digest(),
  );
}

function usable(key: KeyObject, algorithm: KeyAlgorithm): SignatureKey {
  return { ok: true, key, algorithm, mcubootBytes: mcubootKeyBytes(key) };
}

function failed(code: SignatureKeyCode): SignatureKey {
  return { ok: false, code, message: SIGNATURE_KEY_CODES[code] };
}
