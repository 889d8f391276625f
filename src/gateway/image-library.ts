/** Files on disk as facts: an image with its hashes and signature. */
import { resolve } from 'node:path';
import {
  type AnyImageProfile,
  gatherImageFacts,
  type ImageFacts,
  type ImageFactsOptions,
} from '../admission/facts.ts';
import type { Refusal } from '../image/codes.ts';
import { type FileFormat, recogniseFormat } from '../image/file-format.ts';
import { type HubImage, isHubImageProfile } from '../image/hub-image.ts';
import type { OtaImage } from '../image/zigbee-ota.ts';
import { readBounded } from './bounded-file.ts';

/** No image of any profile is larger; a larger file is not read into memory. */
export const FILE_BYTES_MAX = 67_108_864;

export interface LoadedImage {
  path: string;
  /** All of the file. */
  file: Uint8Array;
  facts: ImageFacts | Refusal;
  /** Of a ZigBee OTA file. */
  image: OtaImage | undefined;
  /** Of a hub's image. */
  hubImage: HubImage | undefined;
  /** Exactly what leaves for a device, a view of the file; nothing where the image is refused. */
  sendBytes: Uint8Array;
  /** SHA-256 of `sendBytes`, hex. */
  sha256: string | undefined;
}

export type LoadImageOptions = ImageFactsOptions;

/** Reads and judges an image file; an image that cannot be read is a fact, a file that cannot is an error. */
export function loadImage(path: string, options: LoadImageOptions): LoadedImage {
  return judgeImage(path, readImageFile(path), options);
}

/** An image file that is read once, and judged for each kind of device that is asked about. */
export class ImageFile {
  readonly path: string;
  readonly format: FileFormat | undefined;
  private readonly file: Uint8Array;
  private readonly options: Omit<LoadImageOptions, 'profile'>;
  private readonly judged = new Map<AnyImageProfile, LoadedImage>();

  /** `file`: what was read from there before, and is nobody else's to change. */
  constructor(
    path: string,
    options: Omit<LoadImageOptions, 'profile'>,
    file = readImageFile(path),
  ) {
    this.path = path;
    this.file = file;
    this.format = recogniseFormat(this.file);
    this.options = options;
  }

  /** As a device that takes images of this profile is to be told of it. */
  for(taken: AnyImageProfile): LoadedImage {
    return this.as(this.profileFor(taken));
  }

  /** Whether a device that takes such images can be meant. */
  isFor(taken: AnyImageProfile): boolean {
    const { format } = this;
    if (format !== undefined && isHubImageProfile(format)) return taken === format;
    if (format === 'zigbee-ota') return !isHubImageProfile(taken);
    // Not told by its first bytes: some makers wrap an OTA file, and what is damaged says nothing.
    return true;
  }

  as(profile: AnyImageProfile): LoadedImage {
    const known = this.judged.get(profile);
    if (known) return known;
    const { path, file, options } = this;
    const image = judgeImage(path, file, { ...options, profile });
    this.judged.set(profile, image);
    return image;
  }

  /**
   * A hub's image is told by its bytes, and read as what it is. How an OTA file is to be read no byte
   * tells, so it is read as the device takes it; for a hub, that takes none, as the plainest.
   */
  profileFor(taken: AnyImageProfile): AnyImageProfile {
    const { format } = this;
    if (format !== undefined && isHubImageProfile(format)) return format;
    return format === 'zigbee-ota' && isHubImageProfile(taken) ? 'gb-ppmid' : taken;
  }
}

const NOTHING = new Uint8Array(0);

function judgeImage(path: string, file: Uint8Array, options: LoadImageOptions): LoadedImage {
  const { facts, image, hubImage } = gatherImageFacts(file, options);
  const sendBytes = image?.bytes ?? hubImage?.sendBytes ?? NOTHING;
  const sha256 = facts.ok ? facts.sendSha256 : undefined;
  return { path: resolve(path), file, facts, image, hubImage, sendBytes, sha256 };
}

/** The bytes of an image file, of whatever format. */
export function readImageFile(path: string): Uint8Array {
  return readBounded(path, FILE_BYTES_MAX, 'an image file', { links: 'refuse' });
}
