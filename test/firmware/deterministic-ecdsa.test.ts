/** Signatures that come out the same each time: the vectors of RFC 6979, and OpenSSL's word for it. */
import { createHash, verify } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { derOf, signDeterministically } from '../../firmware/deterministic-ecdsa.ts';
import { testKey } from '../../firmware/test-material.ts';

/** RFC 6979, A.2.5, with SHA-256. */
const SCALAR = 'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721';
const VECTORS: Record<string, [r: string, s: string]> = {
  sample: [
    'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716',
    'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  ],
  test: [
    'f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367',
    '019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083',
  ],
};

test('the vectors of RFC 6979', () => {
  for (const [text, [r, s]] of Object.entries(VECTORS)) {
    const message = new TextEncoder().encode(text);
    const signature = signDeterministically(Buffer.from(SCALAR, 'hex'), message);
    assert.is(Buffer.from(signature).toString('hex'), r + s, text);
  }
});

test('OpenSSL takes both forms, for lengths of r and s as they come', () => {
  const { scalar, publicKey: key } = testKey('a phrase of this test');
  const lengths = new Set<number>();
  for (let i = 0; i < 40; i++) {
    const message = createHash('sha256').update(`message ${i}`).digest();
    const raw = signDeterministically(scalar, message);
    const der = derOf(raw);
    lengths.add(der.length);
    assert.ok(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, raw), `raw ${i}`);
    assert.ok(verify('sha256', message, { key, dsaEncoding: 'der' }, der), `DER ${i}`);
    assert.equal(signDeterministically(scalar, message), raw);
  }
  assert.ok(lengths.size >= 3, [...lengths].join());
});

test.run();
