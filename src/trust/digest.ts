/**
 * SHA-256 and the three hashes an image has.
 *
 * They differ for a signed GB image and two of them agree for a PPMID's, so they are always told
 * apart by name. The Manufacturer Image Hash is the one that requests, alerts and the Central
 * Products List carry: SHA-256 over the Manufacturer Image alone, without header, forceReplace and
 * signature (GBCS 11.2.2 to 11.2.4). Hexadecimal here is lower case.
 */
import { createHash } from 'node:crypto';
import { type ImageProfileId, locateUpgradeImage } from '../image/gb-upgrade.ts';
import type { OtaImage } from '../image/zigbee-ota.ts';

export interface ImageHashes {
  /** Over the file as given, wrapper and trailing bytes included. */
  wholeFile: string;
  /** Over everything after the OTA header, to the end of the image. */
  afterHeader: string;
  /** Over the Manufacturer Image; absent where the image has none that its profile can place. */
  manufacturerImage?: string;
}

/** 64 lower-case digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Without a profile nobody can say which bytes are the Manufacturer Image, and its hash is left
 * out.
 */
export function imageHashes(
  file: Uint8Array,
  image: OtaImage,
  profileId?: ImageProfileId,
): ImageHashes {
  const hashes: ImageHashes = { wholeFile: sha256Hex(file), afterHeader: sha256Hex(image.body) };
  if (profileId === undefined) return hashes;
  const located = locateUpgradeImage(image, profileId);
  if (located.ok) hashes.manufacturerImage = sha256Hex(located.manufacturerImage);
  return hashes;
}
