/**
 * Draws that hang on nothing but the seed, what they are for, and the place in a stream that they are about:
 * so the same bytes meet the same faults however they are cut into pieces, and whatever was drawn elsewhere.
 */

/** A number in [0, 1). `position` counts bytes or frames from the start of the stream. */
export function drawAt(seed: number, purpose: number, position: number): number {
  const low = position >>> 0;
  const high = Math.floor(position / 2 ** 32);
  let mixed = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(purpose + 1, 0xc2b2_ae35);
  mixed = mix(mixed ^ low);
  mixed = mix(mixed ^ high ^ 0x27d4_eb2f);
  return mixed / 2 ** 32;
}

/** The finaliser of MurmurHash3: every bit of the input moves half of the output's. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85eb_ca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
