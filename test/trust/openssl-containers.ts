/** What OpenSSL made, and what becomes of it with one bit flipped. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import type { ChainOptions } from '../../src/trust/chain.ts';
import { parseSignedData, verifySignedData } from '../../src/trust/cms.ts';
import type { TrustCode } from '../../src/trust/codes.ts';
import { openPkcs12 } from '../../src/trust/pkcs12.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { anchor } from './test-pki.ts';

interface Vectors {
  password: string;
  content: string;
  root: string;
  leaf: string;
  pkcs12: Record<'modern' | 'plain' | 'iter1' | 'empty' | 'legacy' | 'nomac', string>;
  crls: Record<'clean' | 'revoked', string>;
  cms: Record<'attached' | 'detached' | 'keyid' | 'noattr' | 'stream' | 'sha384', string>;
}

export const VECTORS = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/openssl-containers.json'), 'utf8'),
) as Vectors;
export const CONTENT = new Uint8Array(Buffer.from(VECTORS.content));
export const p12 = (name: keyof Vectors['pkcs12']) => fromBase64(VECTORS.pkcs12[name]);
export const message = (name: keyof Vectors['cms']) => fromBase64(VECTORS.cms[name]);
export const root = certificateOf(VECTORS.root);
export const leaf = certificateOf(VECTORS.leaf);
export const CAMPAIGN = anchor(root.der, 'campaign');
export const OPTIONS: ChainOptions = { atMs: Date.UTC(2027, 0, 1), purpose: 'campaign' };

export function codeOf(
  bytes: Uint8Array,
  detached?: Uint8Array,
  options: ChainOptions = OPTIONS,
  anchors = [CAMPAIGN],
): TrustCode | 'verified' {
  const parsed = parseSignedData(bytes);
  if (!parsed.ok) return parsed.code;
  const result = verifySignedData(parsed, anchors, options, detached);
  return result.ok ? 'verified' : result.code;
}

/** One bit of so many, of a file whose seal takes one round: none opens it, to whatever key. */
export function flipPkcs12(stride: number, from = 0): void {
  const file = p12('iter1');
  assert.ok(openPkcs12(file, 'geheim').ok);
  for (let bit = from; bit < 8 * file.length; bit += stride) {
    assert.not(openPkcs12(flip(file, bit), 'geheim').ok, `bit ${bit}`);
  }
}

/** One bit of so many: what is still accepted says the same. */
export function flipMessage(stride: number, from = 0): void {
  const bytes = message('detached');
  // Versions 1 and 3 of the message are both read, and neither is signed; nothing hangs on it.
  const version = bytes.findIndex((octet, at) => octet === 2 && bytes[at + 1] === 1 && at > 15) + 2;
  assert.is(codeOf(flip(bytes, 8 * version + 1), CONTENT), 'verified');
  for (let bit = from; bit < 8 * bytes.length; bit += stride) {
    if (codeOf(flip(bytes, bit), CONTENT) === 'verified') assert.is(bit >> 3, version);
  }
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3]! ^= 1 << (bit & 7);
  return flipped;
}

function certificateOf(pem: string) {
  const parsed = parseCertificate(pem);
  if (!parsed.ok) throw new Error('the vectors are readable');
  return parsed;
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
