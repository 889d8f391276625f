/** The three hashes over the ranges that GBCS names, and signatures over the right one. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { imageHashes, sha256Hex } from '../../src/trust/digest.ts';
import { verifyP256 } from '../../src/trust/ecdsa.ts';
import { parsePublicKey } from '../../src/trust/public-key.ts';
import { concat, counting, naiveElement, naiveImage } from '../image/naive-ota.ts';

const MANUFACTURER_IMAGE = counting(235, 7);

function hashesOf(file: Uint8Array, profile: Parameters<typeof imageHashes>[2]) {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) throw new Error(parsed.code);
  return imageHashes(file, parsed.images[0]!, profile);
}

function oracle(bytes: Uint8Array | number[]): string {
  return createHash('sha256').update(Uint8Array.from(bytes)).digest('hex');
}

test('sha256: the vector of FIPS 180', () => {
  assert.is(
    sha256Hex(new TextEncoder().encode('abc')),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('a signed image has three different hashes, each over its range', () => {
  const body = [...MANUFACTURER_IMAGE, 0, 0x40, ...counting(64)];
  const file = naiveImage({ hardware: [1, 2], body });
  const hashes = hashesOf(file, 'gb-signed');
  assert.equal(hashes, {
    wholeFile: oracle(file),
    afterHeader: oracle(body),
    manufacturerImage: oracle(MANUFACTURER_IMAGE),
  });
  assert.is(new Set(Object.values(hashes)).size, 3);
});

test('a PPMID image: after the header and Manufacturer Image agree', () => {
  const hashes = hashesOf(naiveImage({ body: MANUFACTURER_IMAGE }), 'gb-ppmid');
  assert.is(hashes.manufacturerImage, oracle(MANUFACTURER_IMAGE));
  assert.is(hashes.afterHeader, hashes.manufacturerImage);
});

test('one Manufacturer Image under two headers has one hash', () => {
  const one = hashesOf(naiveImage({ fileVersion: 1, body: MANUFACTURER_IMAGE }), 'gb-ppmid');
  const two = hashesOf(naiveImage({ hardware: [1, 2], body: MANUFACTURER_IMAGE }), 'gb-ppmid');
  assert.is(one.manufacturerImage, two.manufacturerImage);
  assert.is.not(one.wholeFile, two.wholeFile);
});

test('bytes outside the image count for the whole file only', () => {
  const image = naiveImage({ body: MANUFACTURER_IMAGE });
  const file = concat(image, [1, 2, 3]);
  const hashes = hashesOf(file, 'gb-ppmid');
  assert.is(hashes.wholeFile, oracle(file));
  assert.is(hashes.afterHeader, oracle(MANUFACTURER_IMAGE));
});

test('without a profile, or where it does not fit, there is no Manufacturer Image Hash', () => {
  const file = naiveImage({ body: naiveElement(0, [1, 2]) });
  assert.is(hashesOf(file, undefined).manufacturerImage, undefined);
  assert.is(hashesOf(file, 'gb-signed').manufacturerImage, undefined);
  assert.is(hashesOf(file, 'zigbee-ota').manufacturerImage, oracle([1, 2]));
});

test('P-256: verifies the message, and nothing one bit away from it', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const message = Uint8Array.from(counting(32));
  const signature = new Uint8Array(
    sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  );
  const parsed = parsePublicKey(publicKey.export({ type: 'spki', format: 'pem' }) as string);
  if (!parsed.ok) throw new Error(parsed.code);
  assert.ok(verifyP256(parsed.key, message, signature));
  for (const bytes of [message, signature]) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      assert.not(verifyP256(parsed.key, message, signature), `bit ${bit}`);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
    }
  }
  for (const length of [0, 63, 65]) {
    assert.not(verifyP256(parsed.key, message, new Uint8Array(length)));
  }
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  assert.not(verifyP256(other, message, signature));
});

test('a key that is none, or on another curve, is a result with a code', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const pem = other.export({ type: 'spki', format: 'pem' }) as string;
  const code = (text: string) => {
    const parsed = parsePublicKey(text);
    return parsed.ok ? 'parsed' : parsed.code;
  };
  assert.is(code(pem), 'key-not-p256');
  assert.is(code('nonsense'), 'key-unreadable');
  assert.is(code(''), 'key-unreadable');
});

test.run();
