/**
 * ECDSA P-256 with the nonce that follows from key and message (RFC 6979, 3.2, HMAC-SHA-256), so that
 * test material comes out the same each time. For keys that are no secret: BigInt arithmetic takes a
 * time that depends on them.
 */
import { createECDH, createHash, createHmac } from 'node:crypto';

/** The order of P-256 (SP 800-186, 3.2.1.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** r and s, 32 octets each, big-endian. */
export function signDeterministically(scalar: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = createHash('sha256').update(message).digest();
  const hashed = integerOf(digest) % ORDER;
  for (const nonce of nonces(scalar, octetsOf(hashed))) {
    const r = xOf(nonce) % ORDER;
    const s = (inverse(nonce) * (hashed + r * integerOf(scalar))) % ORDER;
    if (r !== 0n && s !== 0n) return Buffer.concat([octetsOf(r), octetsOf(s)]);
  }
  throw new Error('there is always another nonce');
}

/** The two numbers as DER (SEQUENCE of two INTEGERs, shortest form). */
export function derOf(signature: Uint8Array): Uint8Array {
  const numbers = [signature.subarray(0, 32), signature.subarray(32)].flatMap((octets) => {
    const first = octets.findIndex((octet) => octet !== 0);
    const digits = [...octets.subarray(first)];
    if (digits[0]! >= 0x80) digits.unshift(0);
    return [0x02, digits.length, ...digits];
  });
  return Uint8Array.from([0x30, numbers.length, ...numbers]);
}

function* nonces(scalar: Uint8Array, hashed: Uint8Array): Generator<bigint> {
  let key = Buffer.alloc(32, 0);
  let value = Buffer.alloc(32, 1);
  const hmac = (...parts: Uint8Array[]) => {
    const mac = createHmac('sha256', key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  };
  for (const octet of [0, 1]) {
    key = hmac(value, Uint8Array.of(octet), scalar, hashed);
    value = hmac(value);
  }
  while (true) {
    value = hmac(value);
    const nonce = integerOf(value);
    if (nonce > 0n && nonce < ORDER) yield nonce;
    key = hmac(value, Uint8Array.of(0));
    value = hmac(value);
  }
}

/** The x of nonce times the base point: that point is the public key of a private key of that value. */
function xOf(nonce: bigint): bigint {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(octetsOf(nonce));
  return integerOf(curve.getPublicKey().subarray(1, 33));
}

/** By Fermat: the order is prime. */
function inverse(value: bigint): bigint {
  let result = 1n;
  let base = value;
  for (let exponent = ORDER - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % ORDER;
    base = (base * base) % ORDER;
  }
  return result;
}

function integerOf(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

function octetsOf(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
}
