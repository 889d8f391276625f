/**
 * The image integrity code, tag 0x0003: AES-MMO-128 over the image (095264r23, 6.3.3).
 *
 * Published files follow two practices, and some neither (Develco), so a code that fits none is
 * "not verifiable", which is not yet "damaged"; whether it refuses is policy. It is no signature:
 * whoever changes the image can compute it anew.
 */
import { TAG } from './ota-elements.ts';
import type { OtaImage } from './zigbee-ota.ts';

/** Before the head of tag 3: Ubisys, Innr, Bosch. Up to and with that head: NodOn. */
export type IntegrityOutcome = 'absent' | 'covers-before-head' | 'covers-head' | 'not-verifiable';

export const INTEGRITY_OUTCOMES: Readonly<Record<IntegrityOutcome, string>> = {
  absent: 'no integrity code',
  'covers-before-head': 'matches everything before its own head',
  'covers-head': 'matches everything up to and with its own head',
  'not-verifiable': 'matches neither known coverage',
};

export function checkIntegrityCode(image: OtaImage): IntegrityOutcome {
  return image.elements.some(({ tag }) => tag === TAG.integrityCode) ? 'not-verifiable' : 'absent';
}
