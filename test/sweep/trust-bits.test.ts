/**
 * Bits of small signed things, flipped: no flip turns what is refused into what is accepted. Samples of the
 * same run in the quick tests. It is every fifth bit, so that each octet loses one or two, and all eight places have
 * their turn: with every bit this was the longest test of all. UPLIFT_EVERY_BIT is all of them, as by night.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { verifyZseSignature } from '../../src/trust/zse-signature.ts';
import { flipMessage, flipPkcs12 } from '../trust/openssl-containers.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';

const ISSUER = '5445535453454341';
const SIGNER = '00124b0001020304';
const STEP = process.env['UPLIFT_EVERY_BIT'] ? 1 : 5;

for (const suite of [1, 2] as const) {
  const ca = testCa(suite, ISSUER);
  const spec = {
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: 0x02000000,
    headerString: 'zse',
    elements: [{ tag: 0, data: Uint8Array.of(1, 2, 3, 4) }],
  };
  const signed = signImage(spec, issue(ca, SIGNER));
  const trust = { caPublicKeys: [ca], signerList: [SIGNER] };

  test(`Smart Energy image, suite ${suite}: ${8 * signed.length} bits, each ${STEP}.`, () => {
    assert.is(accepted(signed), true);
    for (let bit = 0; bit < 8 * signed.length; bit += STEP) {
      const flipped = signed.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      assert.is(accepted(flipped), false, `bit ${bit}`);
    }
  });

  function accepted(bytes: Uint8Array): boolean {
    const file = parseOtaFile(bytes);
    return file.ok && verifyZseSignature(file.images[0]!, trust).outcome === 'verified';
  }
}

test('PKCS#12: bits flipped; none opens to another key', () => flipPkcs12(STEP));

test('CMS: bits flipped; what is still accepted says the same', () => flipMessage(STEP));

test.run();
