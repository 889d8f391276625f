/** Who signs: a private key, and the certificate that names it. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { UpliftError } from '../errors.ts';
import type { Certificate } from './x509.ts';

export interface SigningPair {
  /** On P-256. */
  privateKey: KeyObject;
  /** Of that key. */
  certificate: Certificate;
}

/** @throws UpliftError where the key is not that of the certificate */
export function checkSigningPair({ privateKey, certificate }: SigningPair): void {
  const isPair =
    privateKey.type === 'private' && createPublicKey(privateKey).equals(certificate.publicKey);
  if (isPair) return;
  throw new UpliftError('signing-key', 'the key cannot sign for the certificate', {
    expected: `the private key of certificate ${certificate.serialDecimal}`,
    actual: privateKey.type === 'private' ? 'a private key of another one' : 'no private key',
    next: 'give the certificate and the key of one signer',
  });
}
