/** Private keys, and the certificates that name them, read from what a configuration names. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { FileIdentity } from '../config/duis.ts';
import { UpliftError } from '../errors.ts';
import { checkSigningPair, type SigningPair } from '../trust/signing-pair.ts';
import type { Certificate } from '../trust/x509.ts';
import { readBounded } from './bounded-file.ts';
import { loadCertificates } from './trust-documents.ts';

const KEY_BYTES_MAX = 64 * 1024;

/** The key, and the certificate that names it: the first of its file. @throws UpliftError */
export function loadSigningIdentity({ certificateFile, keyFile }: FileIdentity): SigningPair {
  const [certificate] = loadCertificates([certificateFile]) as [Certificate];
  const privateKey = loadPrivateKey(keyFile);
  const identity = { certificate, privateKey };
  checkSigningPair(identity);
  return identity;
}

function loadPrivateKey(path: string): KeyObject {
  const key = readBounded(path, KEY_BYTES_MAX, 'a private key as PEM');
  try {
    return createPrivateKey(Buffer.from(key));
  } catch {
    // What the library says may quote the key.
    throw new UpliftError('key-unreadable', `${path} is no private key`, {
      expected: 'a private key on P-256, PEM, not encrypted',
      actual: 'something else',
      next: 'name the file of the key that belongs to the certificate',
    });
  }
}
