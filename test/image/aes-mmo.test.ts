import { createCipheriv } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../src/bytes/hex.ts';
import { AesMmo, aesMmo } from '../../src/image/aes-mmo.ts';
import { bytesAllocatedPerCall, seededBytes } from '../bench/bench.ts';

const SEED = (Date.now() & 0x7fffffff) >>> 0;
console.log(`SEED ${SEED} (aes-mmo)`);

const NOISE = seededBytes(70_000, SEED);

/** AES-MMO from its definition, on OpenSSL's AES and a message padded as a string of bits. */
function oracle(message: Uint8Array): string {
  const bits = message.length * 8;
  const lengthField = bits < 0x10000 ? bits.toString(16).padStart(4, '0') : longLength(bits);
  let text = `${encodeHex(message)}80`;
  while ((text.length + lengthField.length) % 32 !== 0) text += '00';
  const padded = Buffer.from(text + lengthField, 'hex');
  let state = Buffer.alloc(16);
  for (let at = 0; at < padded.length; at += 16) {
    const block = padded.subarray(at, at + 16);
    const cipher = createCipheriv('aes-128-ecb', state, null).setAutoPadding(false);
    const encrypted = Buffer.concat([cipher.update(block), cipher.final()]);
    state = Buffer.from(encrypted.map((byte, i) => byte ^ block[i]!));
  }
  return state.toString('hex');
}

function longLength(bits: number): string {
  return `${bits.toString(16).padStart(8, '0')}0000`;
}

test('the published vectors', () => {
  const vectors = [
    ['C0', 'ae3a102a28d43ee0d4a09e22788b206c'],
    ['C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF', 'a7977e88bc0b61e8210827109a228f2d'],
    ['83FED3407A939723A5C639B26916D505C3B5', '66b6900981e1ee3ca4206b6b861c02bb'],
  ] as const;
  for (const [message, digest] of vectors) {
    assert.is(oracle(decodeHex(message)!), digest, 'the oracle itself');
    assert.is(encodeHex(aesMmo(decodeHex(message)!)), digest);
  }
});

test('every length from 0 to 100', () => {
  for (let length = 0; length <= 100; length++) {
    const message = NOISE.subarray(length, 2 * length);
    assert.is(encodeHex(aesMmo(message)), oracle(message), `length ${length}`);
  }
});

test('random blocks, so that every entry of the tables is used', () => {
  for (let round = 0; round < 300; round++) {
    const message = NOISE.subarray(48 * round, 48 * round + 48);
    assert.is(encodeHex(aesMmo(message)), oracle(message), `round ${round}`);
  }
});

test('the long padding begins at 8192 bytes, and needs a second block from 10 bytes over', () => {
  for (const length of [
    8175, 8181, 8189, 8190, 8191, 8192, 8193, 8200, 8201, 8202, 8203, 8207, 8208,
  ]) {
    const message = NOISE.subarray(0, length);
    assert.is(encodeHex(aesMmo(message)), oracle(message), `length ${length}`);
  }
  assert.is(encodeHex(aesMmo(NOISE)), oracle(NOISE), 'more than 2^16 bytes');
});

test('in pieces: every split of 70 bytes, and pieces of every size', () => {
  const message = NOISE.slice(100, 170);
  const whole = oracle(message);
  for (let first = 0; first <= message.length; first++) {
    for (let second = first; second <= message.length; second += 3) {
      const hash = new AesMmo().update(message, 0, first).update(message, first, second);
      assert.is(
        encodeHex(hash.update(message.slice(second)).digest()),
        whole,
        `${first} ${second}`,
      );
    }
  }
  for (let size = 1; size <= 40; size++) {
    const hash = new AesMmo();
    for (let at = 0; at < 8500; at += size) hash.update(NOISE, at, Math.min(at + size, 8500));
    assert.is(encodeHex(hash.digest()), oracle(NOISE.subarray(0, 8500)), `pieces of ${size}`);
  }
});

test('it keeps no reference to what it was given', () => {
  const message = NOISE.slice(0, 21);
  const expected = oracle(message);
  const hash = new AesMmo().update(message);
  message.fill(0);
  assert.is(encodeHex(hash.digest()), expected);
});

test('wrong use is an assertion', () => {
  const hash = new AesMmo();
  assert.throws(() => hash.update(NOISE, 5, 4));
  assert.throws(() => hash.update(NOISE, -1, 4));
  assert.throws(() => hash.update(NOISE, 0, NOISE.length + 1));
  hash.digest();
  assert.throws(() => hash.digest());
  assert.throws(() => hash.update(NOISE));
});

test('a block allocates nothing', () => {
  const hash = new AesMmo();
  const perUpdate = bytesAllocatedPerCall((call) => {
    hash.update(NOISE, 0, 1024 + (call & 15));
    return call;
  }, 500);
  assert.is(perUpdate, 0);
});

test.run();
