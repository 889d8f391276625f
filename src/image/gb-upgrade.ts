/**
 * The GB Upgrade Image: what the body of an OTA image is in GB smart metering, and which bytes of
 * it the Manufacturer Image Hash and the signature cover.
 *
 * GBCS 1.0 (28 November 2014), 11.2.2 to 11.2.4: OTA Upgrade Image = OTA header + Upgrade Image;
 * Upgrade Image = Manufacturer Image, and except for a PPMID one octet forceReplace, the octet 0x40
 * and a signature of 64 octets (r, s, big-endian). There are no sub-elements.
 *
 * Whether the trailer is there is known from the request or the device, never from the bytes: an
 * octet 0x40 may stand anywhere in a Manufacturer Image. So the caller names the profile. The
 * header is not signed. Not done here: hashing and verifying (trust/).
 */
import { hex } from '../bytes/hex.ts';
import { assert } from '../errors.ts';
import { type Refusal, refusal } from './codes.ts';
import { TAG } from './ota-elements.ts';
import type { OtaHeaderSpec } from './ota-header.ts';
import { encodeOtaImage, type OtaImage } from './zigbee-ota.ts';

/** Octets of r and s of an ECDSA P-256 signature. */
export const GB_SIGNATURE_BYTES = 64;
/** forceReplace, the length octet and the signature. */
export const GB_TRAILER_BYTES = 2 + GB_SIGNATURE_BYTES;

/** The bytes that the Manufacturer Image Hash covers. */
export type HashRange =
  | { kind: 'body'; withoutTrailerBytes: number }
  | { kind: 'element'; tag: number };

/**
 * Where the signature stands: the last octets of the body, after the octet that states their
 * number.
 */
export type SignatureRange = { kind: 'body-end'; bytes: number } | { kind: 'none' };

export interface ImageProfile {
  id: ImageProfileId;
  title: string;
  hashRange: HashRange;
  signatureRange: SignatureRange;
  source: string;
  confidence: 'read' | 'measured' | 'inferred' | 'assumed';
}

export type ImageProfileId = 'gb-signed' | 'gb-ppmid' | 'zigbee-ota' | 'smets1';

/** A new kind of device is a row here. */
export const IMAGE_PROFILES: Readonly<Record<ImageProfileId, ImageProfile>> = {
  'gb-signed': {
    id: 'gb-signed',
    title: 'GB image with signature (ESME, GSME, Communications Hub)',
    hashRange: { kind: 'body', withoutTrailerBytes: GB_TRAILER_BYTES },
    signatureRange: { kind: 'body-end', bytes: GB_SIGNATURE_BYTES },
    source: 'GBCS 1.0, 11.2.2 to 11.2.4; published 11.1 request sample',
    confidence: 'measured',
  },
  'gb-ppmid': {
    id: 'gb-ppmid',
    title: 'GB image without trailer (PPMID)',
    hashRange: { kind: 'body', withoutTrailerBytes: 0 },
    signatureRange: { kind: 'none' },
    source: 'GBCS 1.0, 11.2.2 to 11.2.4; published 11.4 request sample',
    confidence: 'measured',
  },
  'zigbee-ota': {
    id: 'zigbee-ota',
    title: 'ordinary ZigBee image of sub-elements',
    // No source speaks of a Manufacturer Image in such a file; the upgrade image is the likeliest
    // part.
    hashRange: { kind: 'element', tag: TAG.upgradeImage },
    signatureRange: { kind: 'none' },
    source: 'no source: the data of tag 0x0000 taken as the Manufacturer Image',
    confidence: 'assumed',
  },
  smets1: {
    id: 'smets1',
    title: 'SMETS1 image',
    // The form of SMETS1 images is not published. Everything after the header until it is known.
    hashRange: { kind: 'body', withoutTrailerBytes: 0 },
    signatureRange: { kind: 'none' },
    source: 'no source found',
    confidence: 'assumed',
  },
};

export interface UpgradeImage {
  ok: true;
  profile: ImageProfile;
  /** What the Manufacturer Image Hash and the signature cover: a view. */
  manufacturerImage: Uint8Array;
  /** r and s, 32 octets each, big-endian: a view. */
  signature?: Uint8Array;
  /** The octet as it stands; used by hubs, 0 for meters. */
  forceReplace?: number;
}

export function isImageProfileId(text: string): text is ImageProfileId {
  return Object.hasOwn(IMAGE_PROFILES, text);
}

/** The parts of `image`, which the caller knows to be of this profile. */
export function locateUpgradeImage(
  image: OtaImage,
  profileId: ImageProfileId,
): UpgradeImage | Refusal {
  const profile = IMAGE_PROFILES[profileId];
  if (profile.hashRange.kind === 'element') {
    return locateElement(image, profile, profile.hashRange.tag);
  }
  const manufacturerBytes = image.body.length - profile.hashRange.withoutTrailerBytes;
  const bodyOffset = image.offset + image.header.headerLength;
  if (manufacturerBytes <= 0) {
    const code = image.body.length === 0 ? 'manufacturer-image-missing' : 'trailer-truncated';
    return refusal(code, {
      offset: bodyOffset,
      expected: `more than ${profile.hashRange.withoutTrailerBytes} bytes after the header`,
      actual: `${image.body.length} bytes`,
      next: `check that this is a ${profile.title}`,
    });
  }
  const manufacturerImage = image.body.subarray(0, manufacturerBytes);
  if (profile.signatureRange.kind === 'none') return { ok: true, profile, manufacturerImage };
  const signatureBytes = profile.signatureRange.bytes;
  const stated = image.body[manufacturerBytes + 1]!;
  if (stated !== signatureBytes) {
    return refusal('signature-length', {
      offset: bodyOffset + manufacturerBytes + 1,
      expected: hex(signatureBytes, 2),
      actual: hex(stated, 2),
      next: `check that this is a ${profile.title}`,
    });
  }
  return {
    ok: true,
    profile,
    manufacturerImage,
    signature: image.body.subarray(image.body.length - signatureBytes),
    forceReplace: image.body[manufacturerBytes]!,
  };
}

export interface GbImageSpec {
  header: OtaHeaderSpec;
  manufacturerImage: Uint8Array;
  /** Of the profile `gb-signed`; without it the image is one for a PPMID. */
  trailer?: { forceReplace: number; signature: Uint8Array };
}

export function encodeGbImage(spec: GbImageSpec): Uint8Array {
  const { manufacturerImage, trailer } = spec;
  if (!trailer) return encodeOtaImage({ ...spec.header, unread: manufacturerImage });
  assert(trailer.signature.length === GB_SIGNATURE_BYTES, 'a GB signature has 64 octets');
  const body = new Uint8Array(manufacturerImage.length + GB_TRAILER_BYTES);
  body.set(manufacturerImage);
  body[manufacturerImage.length] = trailer.forceReplace;
  body[manufacturerImage.length + 1] = GB_SIGNATURE_BYTES;
  body.set(trailer.signature, manufacturerImage.length + 2);
  return encodeOtaImage({ ...spec.header, unread: body });
}

function locateElement(
  image: OtaImage,
  profile: ImageProfile,
  tag: number,
): UpgradeImage | Refusal {
  const found = image.elements.filter((element) => element.tag === tag);
  if (found.length === 1 && found[0]!.data.length > 0) {
    return { ok: true, profile, manufacturerImage: found[0]!.data };
  }
  return refusal(found.length > 1 ? 'manufacturer-image-ambiguous' : 'manufacturer-image-missing', {
    offset: image.offset + image.header.headerLength,
    expected: `one sub-element with tag ${hex(tag, 4)}`,
    actual: found.length === 1 ? 'an empty one' : `${found.length} of them`,
    next: 'name the profile of this image if it is another one',
  });
}
