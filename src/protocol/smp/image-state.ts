/**
 * What an image list means (MCUboot with two slots an image, Zephyr's image group): what runs, what the
 * next reset does, and what an upload of a given image would come to. Pure; observed on Zephyr 4.4 with
 * MCUboot, swap using offset.
 *
 * A hash here is the one in the image's TLVs, as the list has it: not the file hash an upload announces.
 */
import type { ImageEntry } from './messages.ts';

/** What the next reset does, from the list alone. */
export const NEXT_BOOTS = {
  unknown: 'The list does not say what runs, so neither what the next reset does.',
  stays: 'The same image runs after the next reset.',
  tests: 'The other image runs once after the next reset, and stays only if it is then confirmed.',
  changes: 'The other image runs from the next reset on.',
  reverts: 'The running image is not confirmed: the next reset brings the one before it back.',
} as const;
export type NextBoot = keyof typeof NEXT_BOOTS;

export interface ImageState {
  running: ImageEntry | undefined;
  /** The image in the slot that does not run. Only valid images are listed. */
  other: ImageEntry | undefined;
  nextBoot: NextBoot;
  /** Both slots hold the same image: a test is refused, and a confirmation of it changes nothing. */
  sameInBoth: boolean;
}

/** The state of image number `image` of the device. */
export function imageStateOf(images: readonly ImageEntry[], image = 0): ImageState {
  const own = images.filter((entry) => entry.image === image);
  const running = own.find((entry) => entry.active);
  // Several where a device lists more than two slots: what is pending matters most.
  const others = own.filter((entry) => !entry.active);
  const other = others.find((entry) => entry.pending) ?? others[0];
  const sameInBoth = running !== undefined && other !== undefined && sameHash(running, other.hash);
  return { running, other, nextBoot: nextBootOf(running, other), sameInBoth };
}

/** What an upload of an image would come to. */
export const UPLOAD_OUTLOOKS = {
  upload: 'The slot is free for the image.',
  'upload-drops-pending':
    'Another image is pending. Newer firmware drops it when the upload begins; older firmware ' +
    'refuses until it is erased or has run.',
  'upload-to-primary':
    'The boot loader takes the image into the primary slot: what ran there is gone with the first ' +
    'chunk, and nothing is checked before it boots.',
  runs: 'The device already runs this image, confirmed.',
  'runs-unconfirmed':
    'The device already runs this image, but only on trial: confirm it to keep it.',
  'in-other-slot': 'The image is already in the other slot: it can be tested without an upload.',
  pending: 'The image is already in the other slot and pending: the next reset runs it.',
  'in-primary': 'The primary slot already holds this image; whether it boots, a reset shows.',
  'blocked-unconfirmed':
    'The running image is on trial, and its predecessor is kept for a return: confirm it, or reset ' +
    'to go back, before another upload.',
  'too-large': 'The image is larger than the slot.',
} as const;
export type UploadOutlook = keyof typeof UPLOAD_OUTLOOKS;

export interface UploadQuestion {
  /** The hash in the image's TLVs. */
  hash: Uint8Array;
  /** Of the file. */
  imageBytes: number;
  /** Image number; 0 where the device has one. */
  image?: number;
  /** Largest image the slot takes, where slot info said so. */
  imageBytesMax?: number | undefined;
  mode: DeviceMode;
}

export function uploadOutlook(
  images: readonly ImageEntry[],
  question: UploadQuestion,
): UploadOutlook {
  const { hash, image = 0, imageBytes, imageBytesMax = Number.POSITIVE_INFINITY } = question;
  if (question.mode === 'recovery') {
    if (images.some((entry) => entry.slot === 0 && sameHash(entry, hash))) return 'in-primary';
    return imageBytes > imageBytesMax ? 'too-large' : 'upload-to-primary';
  }
  const { running, other } = imageStateOf(images, image);
  if (running && sameHash(running, hash)) return running.confirmed ? 'runs' : 'runs-unconfirmed';
  if (running && !running.confirmed) return 'blocked-unconfirmed';
  if (other && sameHash(other, hash)) return other.pending ? 'pending' : 'in-other-slot';
  if (imageBytes > imageBytesMax) return 'too-large';
  return other?.pending ? 'upload-drops-pending' : 'upload';
}

export type DeviceMode = 'application' | 'recovery' | 'unknown';

/** What is known of a device that has just been asked. */
export interface ModeEvidence {
  images?: readonly ImageEntry[];
  /** `answered`, or the code of the failure. */
  echo?: string;
}

/**
 * Whether an application answers or MCUboot's serial recovery. The list decides: an application marks the
 * image that runs, recovery sets no flag at all. Without an image in it the echo has to: recovery is built
 * without, unless somebody chose otherwise.
 */
export function deviceModeOf({ images = [], echo }: ModeEvidence): DeviceMode {
  if (images.length > 0) return images.some((entry) => entry.flagged) ? 'application' : 'recovery';
  if (echo === 'answered') return 'application';
  return echo === 'smp-not-supported' ? 'recovery' : 'unknown';
}

function nextBootOf(running: ImageEntry | undefined, other: ImageEntry | undefined): NextBoot {
  if (other?.pending) return other.permanent ? 'changes' : 'tests';
  if (!running) return 'unknown';
  return running.confirmed ? 'stays' : 'reverts';
}

/** An entry without a hash equals nothing. */
export function sameHash(entry: ImageEntry, hash: Uint8Array): boolean {
  if (hash.length === 0 || entry.hash.length !== hash.length) return false;
  return entry.hash.every((byte, at) => byte === hash[at]);
}
