/** A signed request that was damaged: refused, or read as what it was. */
import * as assert from 'uvu/assert';
import { readServiceRequest } from '../../src/duis/request-reader.ts';
import { SIGNERS } from './requests.ts';

/** At every `step`th place. */
export function truncate(signed: Uint8Array, step: number): void {
  for (let length = 0; length < signed.length; length += step) {
    assert.not(readServiceRequest(signed.subarray(0, length), SIGNERS).ok, `${length}`);
  }
}

/** Every `step`th bit; how many of the damaged ones say the same as before. */
export function flipBits(signed: Uint8Array, step: number): number {
  const whole = readServiceRequest(signed, SIGNERS);
  assert.ok(whole.ok);
  let same = 0;
  for (let bit = 0; bit < signed.length * 8; bit += step) {
    const flipped = signed.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const result = readServiceRequest(flipped, SIGNERS);
    if (!result.ok) continue;
    assert.equal(result.request, whole.request, `bit ${bit}`);
    same += 1;
  }
  return same;
}
