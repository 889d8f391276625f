/**
 * The image integrity code, tag 0x0003: AES-MMO-128 over the image (095264r23, 6.3.3).
 *
 * Published files follow two practices, and some neither (Develco), so a code that fits none is
 * "not verifiable", which is not yet "damaged"; whether it refuses is policy. It is no signature:
 * whoever changes the image can compute it anew.
 */
import { aesMmo } from './aes-mmo.ts';
import { ELEMENT_HEAD_BYTES, TAG } from './ota-elements.ts';
import type { OtaImage } from './zigbee-ota.ts';

/** Before the head of tag 3: Ubisys, Innr, Bosch. Up to and with that head: NodOn. */
export type IntegrityOutcome = 'absent' | 'covers-before-head' | 'covers-head' | 'not-verifiable';

export const INTEGRITY_OUTCOMES: Readonly<Record<IntegrityOutcome, string>> = {
  absent: 'no integrity code',
  'covers-before-head': 'matches everything before its own head',
  'covers-head': 'matches everything up to and with its own head',
  'not-verifiable': 'matches neither known coverage',
};

const CODE_BYTES = 16;

/** Larger than any image that is admitted, and a bound on the time a check takes. */
const IMAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Reads the whole image once or twice: 256 KiB take 4 ms at most. */
export function checkIntegrityCode(image: OtaImage): IntegrityOutcome {
  const codes = image.elements.filter(({ tag }) => tag === TAG.integrityCode);
  if (codes.length === 0) return 'absent';
  const code = codes[0]!;
  if (image.bytes.length > IMAGE_BYTES_MAX) return 'not-verifiable';
  if (codes.length > 1 || code.data.length !== CODE_BYTES) return 'not-verifiable';
  const headAt = code.offset - image.offset;
  if (equals(aesMmo(image.bytes.subarray(0, headAt)), code.data)) {
    return 'covers-before-head';
  }
  const withHead = image.bytes.subarray(0, headAt + ELEMENT_HEAD_BYTES);
  return equals(aesMmo(withHead), code.data) ? 'covers-head' : 'not-verifiable';
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
