/** Both published practices of the integrity code, real files, and what is neither. */
import { createCipheriv } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkIntegrityCode } from '../../src/image/integrity-code.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { readShared, testWithShared } from '../support/shared.ts';
import { concat, counting, naiveElement, naiveImage } from './naive-ota.ts';

function outcome(file: Uint8Array): string {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) throw new Error(parsed.code);
  return checkIntegrityCode(parsed.images[0]!);
}

/** AES-MMO-128 by OpenSSL, a block at a time; for messages under 8 KiB. */
function naiveMmo(message: Uint8Array): number[] {
  const padded = [...message, 0x80];
  while (padded.length % 16 !== 14) padded.push(0);
  const bits = message.length * 8;
  padded.push((bits >>> 8) & 0xff, bits & 0xff);
  let hash = new Uint8Array(16);
  for (let at = 0; at < padded.length; at += 16) {
    const block = Uint8Array.from(padded.slice(at, at + 16));
    const cipher = createCipheriv('aes-128-ecb', hash, null).setAutoPadding(false);
    const encrypted = cipher.update(block);
    hash = block.map((byte, i) => byte ^ encrypted[i]!);
  }
  return [...hash];
}

/** An image of `body` whose integrity code covers everything before its head, or with it. */
function withCode(body: number[], coversHead: boolean): Uint8Array {
  const length = 56 + body.length + 22;
  const before = naiveImage({ body, totalImageBytes: length });
  const covered = coversHead ? concat(before, [3, 0, 16, 0, 0, 0]) : before;
  return naiveImage({ body: [...body, ...naiveElement(3, naiveMmo(covered))] });
}

test('the oracle computes the published vectors', () => {
  const hex = (bytes: number[]) => Buffer.from(bytes).toString('hex');
  assert.is(hex(naiveMmo(Uint8Array.of(0xc0))), 'ae3a102a28d43ee0d4a09e22788b206c');
  assert.is(hex(naiveMmo(Uint8Array.from(counting(16, 0xc0)))), 'a7977e88bc0b61e8210827109a228f2d');
});

test('both coverages are told apart', () => {
  const body = naiveElement(0, counting(100));
  assert.is(outcome(withCode(body, false)), 'covers-before-head');
  assert.is(outcome(withCode(body, true)), 'covers-head');
  assert.is(outcome(naiveImage({ body })), 'absent');
});

test('a wrapped image is covered from its own identifier on', () => {
  const image = withCode(naiveElement(0, counting(50)), false);
  assert.is(outcome(concat(counting(10, 1), image, [1])), 'covers-before-head');
});

test('every one-bit flip of the body before the code, or in it, is noticed', () => {
  const file = withCode(naiveElement(0, counting(30)), false);
  for (let bit = 62 * 8; bit < file.length * 8; bit++) {
    const at = bit >>> 3;
    if (at >= 92 && at < 98) continue; // the head of tag 3 is not covered
    const flipped = file.slice();
    flipped[at]! ^= 1 << (bit & 7);
    assert.is(outcome(flipped), 'not-verifiable', `bit ${bit}`);
  }
});

test('two codes, or one of another length, cannot be verified', () => {
  const body = naiveElement(0, counting(30));
  const covered = naiveImage({ body, totalImageBytes: 56 + body.length + 2 * 22 });
  const code = naiveElement(3, naiveMmo(covered));
  assert.is(outcome(naiveImage({ body: [...body, ...code, ...code] })), 'not-verifiable');
  const other = naiveElement(0xf001, counting(16));
  assert.is(outcome(naiveImage({ body: [...body, ...code, ...other] })), 'covers-before-head');
  assert.is(outcome(naiveImage({ body: naiveElement(3, counting(15)) })), 'not-verifiable');
});

const SAMPLES: Record<string, string> = {
  'Ubisys__10F2-7B29-0000-0004-01940221-spo-fmi4.ota.zigbee': 'covers-before-head',
  'Develco__AirQualitySensor_4.0.3.zigbee': 'not-verifiable',
  'Legrand__1021-000f-004745ff-NLL.zigbee': 'absent',
};

for (const [name, expected] of Object.entries(SAMPLES)) {
  testWithShared(test, `samples/ota/${name}`, `sample ${name}: ${expected}`, () => {
    assert.is(outcome(readShared(`samples/ota/${name}`)), expected);
  });
}

test.run();
