/**
 * GB Upgrade Images in the published layout (60-byte header, 235 octets, trailer), contents
 * synthetic.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  encodeGbImage,
  IMAGE_PROFILES,
  type ImageProfileId,
  isImageProfileId,
  locateUpgradeImage,
} from '../../src/image/gb-upgrade.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { counting, naiveElement, naiveImage } from './naive-ota.ts';

const MANUFACTURER_IMAGE = counting(235, 0x43);
const SIGNATURE = counting(64, 0x80);

function gbImage(imageType: number, body: number[]): Uint8Array {
  return naiveImage({
    imageType,
    fileVersion: 0xacdcacdc,
    hardware: [0x1111, 0x1211],
    text: 'SYNTHETIC GB IMAGE'.padEnd(32),
    body,
  });
}

const SIGNED = gbImage(0x0000, [...MANUFACTURER_IMAGE, 0x00, 0x40, ...SIGNATURE]);
const PPMID = gbImage(0x0084, MANUFACTURER_IMAGE);

function locate(file: Uint8Array, profile: ImageProfileId) {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) throw new Error(parsed.code);
  return locateUpgradeImage(parsed.images[0]!, profile);
}

function code(file: Uint8Array, profile: ImageProfileId): string {
  const located = locate(file, profile);
  return located.ok ? 'located' : located.code;
}

test('the layout has the published sizes', () => {
  assert.is(SIGNED.length, 361);
  assert.is(PPMID.length, 295);
});

test('gb-signed: Manufacturer Image, forceReplace and signature, as views', () => {
  const located = locate(SIGNED, 'gb-signed');
  if (!located.ok) throw new Error(located.code);
  assert.equal([...located.manufacturerImage], MANUFACTURER_IMAGE);
  assert.equal([...located.signature!], SIGNATURE);
  assert.is(located.forceReplace, 0);
  assert.is(located.manufacturerImage.buffer, SIGNED.buffer);
  assert.is(located.signature!.buffer, SIGNED.buffer);
});

test('gb-ppmid: everything after the header, no trailer', () => {
  const located = locate(PPMID, 'gb-ppmid');
  if (!located.ok) throw new Error(located.code);
  assert.equal([...located.manufacturerImage], MANUFACTURER_IMAGE);
  assert.is(located.signature, undefined);
  assert.is(located.forceReplace, undefined);
});

test('0x40 in the right place of a PPMID image means nothing: the caller names it', () => {
  const located = locate(SIGNED, 'gb-ppmid');
  if (!located.ok) throw new Error(located.code);
  assert.is(located.manufacturerImage.length, 301);
});

test('gb-signed: refused where the trailer is not there', () => {
  assert.is(code(PPMID, 'gb-signed'), 'signature-length');
  assert.is(code(gbImage(0, [0x00, 0x40, ...SIGNATURE]), 'gb-signed'), 'trailer-truncated');
  assert.is(code(gbImage(0, []), 'gb-signed'), 'manufacturer-image-missing');
  assert.is(code(gbImage(0, []), 'gb-ppmid'), 'manufacturer-image-missing');
  assert.is(code(gbImage(0, [1, 0x00, 0x40, ...SIGNATURE]), 'gb-signed'), 'located');
  for (let length = 1; length <= 66; length++) {
    assert.is(code(gbImage(0, counting(length)), 'gb-signed'), 'trailer-truncated');
  }
});

test('gb-signed: every flip of the length octet is refused', () => {
  for (let bit = 0; bit < 8; bit++) {
    const flipped = SIGNED.slice();
    flipped[60 + 235 + 1]! ^= 1 << bit;
    assert.is(code(flipped, 'gb-signed'), 'signature-length');
  }
});

test('zigbee-ota: the one sub-element with tag 0x0000', () => {
  const withBody = (...body: number[][]) => naiveImage({ body: body.flat() });
  const one = locate(withBody(naiveElement(0xf000, [1]), naiveElement(0, [2, 3])), 'zigbee-ota');
  assert.equal(one.ok && [...one.manufacturerImage], [2, 3]);
  const two = withBody(naiveElement(0, [1]), naiveElement(0, [2]));
  assert.is(code(two, 'zigbee-ota'), 'manufacturer-image-ambiguous');
  assert.is(code(withBody(naiveElement(1, [1])), 'zigbee-ota'), 'manufacturer-image-missing');
  assert.is(code(withBody(naiveElement(0, [])), 'zigbee-ota'), 'manufacturer-image-missing');
  assert.is(code(PPMID, 'zigbee-ota'), 'manufacturer-image-missing');
});

test('the builder writes what the naive builder writes', () => {
  const header = {
    manufacturerCode: 0x121d,
    imageType: 0,
    fileVersion: 0xacdcacdc,
    headerString: 'SYNTHETIC GB IMAGE'.padEnd(32),
    minimumHardwareVersion: 0x1111,
    maximumHardwareVersion: 0x1211,
  };
  const manufacturerImage = Uint8Array.from(MANUFACTURER_IMAGE);
  const trailer = { forceReplace: 0, signature: Uint8Array.from(SIGNATURE) };
  assert.equal(encodeGbImage({ header, manufacturerImage, trailer }), SIGNED);
  const ppmid = { ...header, imageType: 0x84 };
  assert.equal(encodeGbImage({ header: ppmid, manufacturerImage }), PPMID);
  const short = { forceReplace: 0, signature: new Uint8Array(63) };
  assert.throws(() => encodeGbImage({ header, manufacturerImage, trailer: short }), /assertion/);
});

test('what no source tells is marked as assumed', () => {
  assert.is(IMAGE_PROFILES['zigbee-ota'].confidence, 'assumed');
  assert.is(IMAGE_PROFILES.smets1.confidence, 'assumed');
  assert.ok(isImageProfileId('gb-ppmid'));
  assert.not(isImageProfileId('toString'));
});

test.run();
