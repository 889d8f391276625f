/** Detached signatures: the right one, and every flipped bit and cut of a wrong one. */
import { generateKeyPairSync } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { signDetached, verifyDetached } from '../../src/trust/detached-signature.ts';

const test = suite('detached signature');
const BYTES = Buffer.from('what was exported\n');

function pems(pair: ReturnType<typeof generateKeyPairSync>) {
  const { privateKey, publicKey } = pair as unknown as Record<
    'privateKey' | 'publicKey',
    { export(how: object): string }
  >;
  return {
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }),
  };
}
const ED25519 = pems(generateKeyPairSync('ed25519') as never);
const P256 = pems(generateKeyPairSync('ec', { namedCurve: 'P-256' }) as never);
const P384 = pems(generateKeyPairSync('ec', { namedCurve: 'P-384' }) as never);

test('signed and verified; every flipped bit of either and every cut is refused', () => {
  for (const { privatePem, publicPem } of [ED25519, P256]) {
    const signature = signDetached(BYTES, privatePem);
    const codeOf = (bytes: Uint8Array, given: Uint8Array) => {
      const answer = verifyDetached(bytes, given, publicPem);
      return answer.ok ? 'ok' : answer.code;
    };
    assert.is(codeOf(BYTES, signature), 'ok');
    for (let bit = 0; bit < signature.length * 8; bit++) {
      const flipped = Uint8Array.from(signature);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      assert.is(codeOf(BYTES, flipped), 'signature-differs', `bit ${bit}`);
    }
    for (let bit = 0; bit < BYTES.length * 8; bit++) {
      const flipped = Uint8Array.from(BYTES);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      assert.is(codeOf(flipped, signature), 'signature-differs', `bit ${bit} of the text`);
    }
    for (let length = 0; length < signature.length; length++) {
      assert.is(codeOf(BYTES, signature.subarray(0, length)), 'signature-differs');
    }
  }
});

test('keys of another kind neither sign nor verify', () => {
  for (const pem of [P384.privatePem, ED25519.publicPem, 'no key', '']) {
    assert.throws(
      () => signDetached(BYTES, pem),
      (error: unknown) => error instanceof UpliftError && error.code === 'signing-key',
    );
  }
  for (const pem of [P384.publicPem, 'no key', '']) {
    const answer = verifyDetached(BYTES, new Uint8Array(64), pem);
    assert.is(!answer.ok && answer.code, 'key-unusable');
  }
});

test.run();
