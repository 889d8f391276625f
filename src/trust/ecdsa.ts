/**
 * ECDSA P-256 with SHA-256. A GB Upgrade Image (GBCS 11.2.2) and a GBL image carry r and s of 32
 * octets each, big-endian; an MCUboot image carries them in DER.
 */
import { type KeyObject, verify } from 'node:crypto';

/** Octets of r and s. */
const RAW_BYTES = 64;
/** The order of P-256 (FIPS 186-5, SP 800-186 3.2.1.3); r and s are above 0 and below it. */
const ORDER = Buffer.from(
  'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'hex',
);

/** r and s as they stand. A signature of any other form, or a key on no P-256, does not verify. */
export function verifyP256(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** r and s in DER; whether that is of the strict form is `isDerP256Signature`'s to say. */
export function verifyP256Der(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
  return verify('sha256', message, { key, dsaEncoding: 'der' }, signature);
}

/** Whether r and s could be a signature of anything. */
export function isRawP256Signature(signature: Uint8Array): boolean {
  if (signature.length !== RAW_BYTES) return false;
  return isScalar(signature.subarray(0, 32)) && isScalar(signature.subarray(32));
}

/**
 * Whether these bytes are a SEQUENCE of two INTEGERs in DER that could be r and s: shortest form,
 * positive, nothing after them (ITU-T X.690, 8.3 and 10.1).
 */
export function isDerP256Signature(signature: Uint8Array): boolean {
  // The long form of a length begins at 128, more than two integers of 33 octets need.
  if (signature[0] !== 0x30 || signature[1] !== signature.length - 2) return false;
  const afterR = integerEnd(signature, 2);
  if (afterR === undefined) return false;
  return integerEnd(signature, afterR) === signature.length;
}

/** r and s as they stand, out of DER; undefined where it is not of the strict form. */
export function rawOfDerP256Signature(signature: Uint8Array): Uint8Array | undefined {
  if (!isDerP256Signature(signature)) return undefined;
  const raw = new Uint8Array(RAW_BYTES);
  const afterR = integerEnd(signature, 2)!;
  for (const [index, [from, until]] of [
    [4, afterR],
    [afterR + 2, signature.length],
  ].entries()) {
    // A zero in front keeps an integer positive; r and s have 32 octets.
    const digits = signature.subarray(Math.max(from!, until! - RAW_BYTES / 2), until);
    raw.set(digits, ((index + 1) * RAW_BYTES) / 2 - digits.length);
  }
  return raw;
}

/** Where the INTEGER at `at` ends; undefined where none stands that could be r or s. */
function integerEnd(signature: Uint8Array, at: number): number | undefined {
  const bytes = signature[at + 1] ?? 0;
  const end = at + 2 + bytes;
  if (signature[at] !== 0x02 || bytes === 0 || end > signature.length) return undefined;
  const value = signature.subarray(at + 2, end);
  if (value[0]! >= 0x80) return undefined;
  const hasPad = value[0] === 0 && bytes > 1;
  if (hasPad && value[1]! < 0x80) return undefined;
  const digits = hasPad ? value.subarray(1) : value;
  if (digits.length > 32) return undefined;
  const scalar = new Uint8Array(32);
  scalar.set(digits, 32 - digits.length);
  return isScalar(scalar) ? end : undefined;
}

function isScalar(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte !== 0) && Buffer.compare(bytes, ORDER) < 0;
}
