import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSeal, SEAL_BYTES, sealFirmware } from '../../src/virtual/sealed-firmware.ts';

const payload = new Uint8Array(40).map((_, index) => index);

test('a sealed image is intact, and every flipped bit of it is not', () => {
  const sealed = sealFirmware(payload);
  assert.is(sealed.length, payload.length + SEAL_BYTES);
  assert.is(checkSeal(sealed), 'intact');
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const damaged = sealed.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    assert.is.not(checkSeal(damaged), 'intact', `bit ${bit}`);
  }
});

test('every truncation loses the seal', () => {
  const sealed = sealFirmware(payload);
  for (let length = 0; length < sealed.length; length++) {
    assert.is(checkSeal(sealed.subarray(0, length)), 'absent', `${length} bytes`);
  }
});

test.run();
