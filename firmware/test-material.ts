/** What the test images are made of: bytes from fixed seeds, keys from fixed phrases. */
import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
} from 'node:crypto';
import { sha256Hex } from '../src/trust/digest.ts';
import type { Purpose } from '../src/trust/trust-anchors.ts';

export const KIB = 1024;

export interface TestKey {
  /** The private key as 32 octets, big-endian. */
  scalar: Uint8Array;
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** Of the public key. */
  pem: string;
}

/** Anybody can make this key: it proves that verifying works, and nothing else. */
export function testKey(phrase: string): TestKey {
  const scalar = createHash('sha256').update(phrase).digest();
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(scalar);
  const point = curve.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: scalar.toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const publicKey = createPublicKey(privateKey);
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  return { scalar, privateKey, publicKey, pem };
}

/** An entry of the document of trust anchors. */
export interface TestAnchor {
  name: string;
  purpose: Purpose;
  fingerprint: string;
  file: string;
}

export function testAnchor(name: string, purpose: Purpose, { publicKey }: TestKey): TestAnchor {
  const der = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  return { name, purpose, fingerprint: sha256Hex(der), file: `${name}.pem` };
}

/**
 * xorshift32 (Marsaglia, 2003), four bytes a step: does not compress, and is the same everywhere.
 */
export function pseudoRandomBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let state = seed;
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    view.setInt32(at, state, true);
  }
  return bytes;
}
