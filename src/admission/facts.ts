/**
 * What a decision is made on: the image, the device, the list, the policy. Gathered by the caller
 * before `decideAdmission` is asked, so that the decision itself does no I/O and can be repeated
 * later.
 *
 * What a device has not said yet is `undefined`, never a default.
 */

import { type Refusal, refusal } from '../image/codes.ts';
import { IMAGE_PROFILES, type ImageProfileId, locateUpgradeImage } from '../image/gb-upgrade.ts';
import { checkIntegrityCode, type IntegrityOutcome } from '../image/integrity-code.ts';
import type { OtaHeader } from '../image/ota-header.ts';
import { type OtaImage, parseOtaFile } from '../image/zigbee-ota.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { DeviceHardware } from '../products/device-model.ts';
import { type ImageHashes, imageHashes } from '../trust/digest.ts';
import { verifyP256 } from '../trust/ecdsa.ts';
import type { SignatureKey } from '../trust/public-key.ts';

/** What a signature over the Manufacturer Image came to; `none` where the profile has none. */
export type SignatureOutcome = 'verified' | 'wrong' | 'no-trust-anchor' | 'none';

export interface ImageFacts {
  ok: true;
  profile: ImageProfileId;
  header: OtaHeader;
  hashes: ImageHashes & { manufacturerImage: string };
  integrity: IntegrityOutcome;
  signature: SignatureOutcome;
  /** Bytes of the file before and after the chosen image. */
  outsideBytes: number;
  /** Bytes of the body that did not read as sub-elements; all of a GB body. */
  unreadBytes: number;
}

export interface DeviceFacts {
  /** 16 lower-case digits. */
  eui64?: string | undefined;
  manufacturerCode?: number | undefined;
  imageType?: number | undefined;
  /** High byte version, low byte revision, as the device states it over ZigBee. */
  hardwareVersion?: number | undefined;
  /** The file version it runs; 0xFFFFFFFF where it says that it does not know. */
  currentFileVersion?: number | undefined;
  deviceModel?: Partial<DeviceHardware> | undefined;
  /** Room for an image, from the device's model. */
  slotBytes?: number | undefined;
}

export interface AdmissionPolicy {
  /** Lets an older image pass; the same version never passes. */
  allowDowngrade?: boolean;
  /** `false` only where somebody said that no Central Products List applies, as on a bench. */
  listRequired?: boolean;
  /** Some published images fail either comparison and are good, so both warn unless told. */
  firmwareVersionMismatch?: 'warn' | 'refuse';
  integrityMismatch?: 'warn' | 'refuse';
  /** Whether a signature that no trust anchor was given for refuses. */
  unverifiedSignature?: 'warn' | 'refuse';
}

export interface AdmissionFacts {
  /** A refusal of the parser is a fact too: it becomes a decision. */
  image: ImageFacts | Refusal;
  device: DeviceFacts;
  list?: CentralProductsList | undefined;
  policy?: AdmissionPolicy | undefined;
}

export interface ImageFactsOptions {
  profile: ImageProfileId;
  /** Which image of a file that holds several, from 0. */
  imageIndex?: number | undefined;
  /** Keys of which one must have made the signature. */
  trustAnchors?: readonly SignatureKey[] | undefined;
}

/** Parses, hashes and verifies `file`; `image.bytes` are the very bytes the facts speak of. */
export function gatherImageFacts(
  file: Uint8Array,
  options: ImageFactsOptions,
): { facts: ImageFacts; image: OtaImage } | { facts: Refusal; image?: undefined } {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) return { facts: parsed };
  const image = chooseImage(parsed.images, options.imageIndex);
  if ('ok' in image) return { facts: image };
  const located = locateUpgradeImage(image, options.profile);
  if (!located.ok) return { facts: located };
  const hashes = imageHashes(file, image, options.profile);
  const { manufacturerImage, signature } = located;
  return {
    image,
    facts: {
      ok: true,
      profile: options.profile,
      header: image.header,
      hashes: { ...hashes, manufacturerImage: hashes.manufacturerImage! },
      integrity: integrityOf(image, options.profile),
      signature: checkSignature(manufacturerImage, signature, options.trustAnchors ?? []),
      outsideBytes: file.length - image.bytes.length,
      unreadBytes: image.unread.length,
    },
  };
}

function chooseImage(images: OtaImage[], index: number | undefined): OtaImage | Refusal {
  const chosen = images[index ?? 0];
  if (index === undefined && images.length > 1) {
    return refusal('several-images', {
      expected: 'one image, or the number of the one that is meant',
      actual: `${images.length} images`,
      next: `choose one, 0 to ${images.length - 1}`,
    });
  }
  return (
    chosen ??
    refusal('image-index-unknown', {
      expected: `0 to ${images.length - 1}`,
      actual: `${index}`,
    })
  );
}

/** A body that is not made of sub-elements may still look so by chance; it carries no such code. */
function integrityOf(image: OtaImage, profile: ImageProfileId): IntegrityOutcome {
  const hasElements = IMAGE_PROFILES[profile].hashRange.kind === 'element';
  return hasElements ? checkIntegrityCode(image) : 'absent';
}

function checkSignature(
  manufacturerImage: Uint8Array,
  signature: Uint8Array | undefined,
  anchors: readonly SignatureKey[],
): SignatureOutcome {
  if (!signature) return 'none';
  const keys = anchors.flatMap((anchor) =>
    anchor.ok && anchor.algorithm === 'ecdsa-p256' ? [anchor.key] : [],
  );
  if (keys.length === 0) return 'no-trust-anchor';
  return keys.some((key) => verifyP256(key, manufacturerImage, signature)) ? 'verified' : 'wrong';
}
