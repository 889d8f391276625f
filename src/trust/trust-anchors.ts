/**
 * Which keys may speak for which images. A key is trusted for one purpose: who signs the image of a
 * Communications Hub has no say over a GB image, nor the other way round, and a signature of one
 * kind would otherwise verify under any key of the same algorithm.
 */
import type { ImageProfileId } from '../image/gb-upgrade.ts';
import type { HubImageProfile } from '../image/hub-image.ts';
import type { SignatureKey } from './public-key.ts';

/** EBL has no signature, so nothing is trusted for it. */
export const TRUST_PURPOSES = {
  zigbee: 'GB images and other ZigBee OTA files',
  mcuboot: 'MCUboot images',
  gbl: 'GBL images',
} as const;

export type TrustPurpose = keyof typeof TRUST_PURPOSES;

export type TrustAnchors = Readonly<Partial<Record<TrustPurpose, readonly SignatureKey[]>>>;

export function isTrustPurpose(text: string): text is TrustPurpose {
  return Object.hasOwn(TRUST_PURPOSES, text);
}

/** The keys that may have signed an image of this profile. */
export function anchorsFor(
  profile: ImageProfileId | HubImageProfile,
  anchors: TrustAnchors | undefined,
): readonly SignatureKey[] {
  switch (profile) {
    case 'mcuboot':
    case 'gbl':
      return anchors?.[profile] ?? [];
    case 'ebl':
      return [];
    default:
      return anchors?.zigbee ?? [];
  }
}
