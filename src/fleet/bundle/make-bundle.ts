/**
 * Makes a bundle out of signed campaigns and the images they name: exactly those, each looked through
 * before anything is written. It is made under another name and gets its own when all of it is on the
 * medium, so that a stick that is pulled out has a whole bundle or none.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkTime, NO_CAMPAIGNS } from '../../campaign/acceptance.ts';
import type { Manifest } from '../../campaign/manifest.ts';
import { parseManifest } from '../../campaign/manifest.ts';
import {
  type CampaignTrust,
  decodeCampaign,
  type OpenRefusal,
  openCampaign,
} from '../../campaign/signed-campaign.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { readBounded, unreadable } from '../../gateway/bounded-file.ts';
import { syncFolder, writeSynced } from '../../gateway/durable-file.ts';
import { sha256Hex } from '../../trust/digest.ts';
import { WIRE_LIMITS } from '../wire.ts';
import { BUNDLE_CODES, type BundleCode } from './codes.ts';
import {
  BUNDLE_LIMITS,
  type BundlePlaces,
  bundleIn,
  CAMPAIGN_SUFFIX,
  placesAt,
  safeName,
} from './layout.ts';

export interface BundleWish {
  /** Files. */
  campaigns: readonly string[];
  images: readonly string[];
  /** The medium, or any folder. */
  out: string;
  /** Where it is given, every signature is checked, and that enough have approved in time. */
  trust?: CampaignTrust;
}

export interface BundledCampaign {
  path: string;
  bytes: Uint8Array;
  manifest: Manifest;
  digest: string;
}

export interface BundledImage {
  path: string;
  sha256: string;
  bytes: number;
}

export interface MadeBundle {
  root: string;
  campaigns: readonly BundledCampaign[];
  images: readonly BundledImage[];
  bytes: number;
  /** Whether signatures were looked at. */
  isVerified: boolean;
}

const PIECE_BYTES = 1024 * 1024;
/** For folders, the index, and clusters that are not full: of each file at most so much. */
const SLACK_BYTES = 64 * 1024;
const FILE_MODE = 0o644;

/** @param told of how much of all images is on the medium @throws UpliftError */
export function makeBundle(
  { campaigns: paths, images: imagePaths, out, trust }: BundleWish,
  told: (bytes: number, of: number) => void = () => {},
): MadeBundle {
  const campaigns = paths.map((path) => readSigned(path, trust));
  checkCampaigns(campaigns);
  const images = imagesOf(campaigns, imagePaths.map(digestOf));
  const places = bundleIn(out);
  const bytes = checkPlace(places, campaigns, images);
  const fresh = placesAt(`${places.root}.new`);
  try {
    rmSync(fresh.root, { recursive: true, force: true });
    write(fresh, campaigns, images, told);
    renameSync(fresh.root, places.root);
    syncFolder(dirname(places.root));
  } catch (error) {
    tidy(fresh.root);
    throw error instanceof UpliftError ? error : unwritable(places.root, error);
  }
  return { root: places.root, campaigns, images, bytes, isVerified: trust !== undefined };
}

export function bundleError(code: BundleCode, actual: string, next: string): UpliftError {
  return new UpliftError(code, BUNDLE_CODES[code], { actual, next, exit: EXIT.refused });
}

/** The medium may be gone. */
function tidy(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // What is left is removed when a bundle is made there again.
  }
}

function readSigned(path: string, trust: CampaignTrust | undefined): BundledCampaign {
  const bytes = readBounded(path, WIRE_LIMITS.campaignBytesMax, 'a signed campaign');
  if (trust) {
    const opened = openCampaign(bytes, trust);
    if (!opened.ok) throw refused(path, opened);
    const { manifest, digest } = opened;
    const late = checkTime(manifest, { state: NO_CAMPAIGNS, nowMs: trust.atMs });
    if (late) throw refused(path, late);
    return { path, bytes, manifest, digest };
  }
  const document = decodeCampaign(bytes);
  if (!document.ok) throw refused(path, document);
  const parsed = parseManifest(document.payload);
  if (!parsed.ok) throw refused(path, parsed);
  return { path, bytes, manifest: parsed.manifest, digest: sha256Hex(document.payload) };
}

function refused(path: string, { code, message }: OpenRefusal): UpliftError {
  return new UpliftError(code, `${path} is not taken`, {
    expected: 'a campaign that is whole, in time, and signed by enough people',
    actual: message,
    next: 'see what is missing: uplift campaign check',
    exit: EXIT.refused,
  });
}

function checkCampaigns(campaigns: readonly BundledCampaign[]): void {
  if (campaigns.length === 0) throw bundleError('campaign-none', 'none', 'name one: --campaign');
  if (campaigns.length > BUNDLE_LIMITS.campaignsMax) {
    const most = `at most ${BUNDLE_LIMITS.campaignsMax}`;
    throw bundleError('bundle-many', `${campaigns.length} campaigns, ${most}`, 'make several');
  }
  const ids = new Set<string>();
  for (const { path, manifest } of campaigns) {
    if (ids.has(manifest.id)) {
      const next = 'name each once; of one campaign the file that everybody has signed';
      throw bundleError('campaign-twice', `${manifest.id}, again in ${path}`, next);
    }
    ids.add(manifest.id);
  }
}

/** Those that the campaigns name, each once; no other, and none left out. */
function imagesOf(
  campaigns: readonly BundledCampaign[],
  files: readonly BundledImage[],
): readonly BundledImage[] {
  const found = new Map(files.map((file) => [file.sha256, file]));
  const wanted = new Map(
    campaigns.flatMap(({ manifest }) => manifest.images.map((image) => [image.sha256, image])),
  );
  const extra = files.find(({ sha256 }) => !wanted.has(sha256));
  if (extra) {
    const actual = `${extra.path}, ${extra.sha256}`;
    throw bundleError('image-extra', actual, 'leave it out, or name the file that was meant');
  }
  for (const { manifest } of campaigns) {
    for (const { sha256, bytes, firmwareVersion } of manifest.images) {
      const file = found.get(sha256);
      const about = `version ${firmwareVersion} of ${manifest.id}, ${sha256}`;
      if (!file) throw bundleError('image-absent', about, 'name its file with --image');
      if (file.bytes !== bytes) {
        const actual = `${file.bytes} for ${bytes} bytes: ${about}`;
        throw bundleError('image-length', actual, 'have the campaign made again');
      }
    }
  }
  return [...found.values()];
}

/** @returns how many bytes it is to have */
function checkPlace(
  { root }: BundlePlaces,
  campaigns: readonly BundledCampaign[],
  images: readonly BundledImage[],
): number {
  if (statSync(root, { throwIfNoEntry: false })) {
    const next = 'bring its events home (uplift fleet bundle-import), then remove it';
    throw bundleError('bundle-exists', root, next);
  }
  let bytes = 0;
  for (const one of campaigns) bytes += one.bytes.length;
  for (const one of images) bytes += one.bytes;
  const needed = bytes + SLACK_BYTES * (campaigns.length + images.length + 8);
  try {
    // A folder that is not there may be a medium that is not: it is not made.
    const { bavail, bsize } = statfsSync(dirname(root));
    const free = bavail * bsize;
    if (free >= needed) return bytes;
    throw bundleError('bundle-no-room', `${free} of ${needed} bytes`, 'make room on it');
  } catch (error) {
    throw error instanceof UpliftError ? error : unwritable(root, error);
  }
}

function write(
  places: BundlePlaces,
  campaigns: readonly BundledCampaign[],
  images: readonly BundledImage[],
  told: (bytes: number, of: number) => void,
): void {
  const { root, campaigns: signed, blobs, events, index } = places;
  for (const folder of [root, signed, blobs, events]) mkdirSync(folder);
  for (const { manifest, bytes } of campaigns) {
    writeSynced(join(signed, `${safeName(manifest.id)}${CAMPAIGN_SUFFIX}`), bytes, FILE_MODE, 'wx');
  }
  const total = images.reduce((sum, { bytes }) => sum + bytes, 0);
  let written = 0;
  for (const image of images) {
    copy(image, join(blobs, image.sha256), (bytes) => {
      written += bytes;
      told(written, total);
    });
  }
  writeSynced(index, `${JSON.stringify(indexOf(campaigns, images), undefined, 2)}\n`, FILE_MODE);
  for (const folder of [signed, blobs, events, root]) syncFolder(folder);
}

function indexOf(campaigns: readonly BundledCampaign[], images: readonly BundledImage[]) {
  return {
    version: 1,
    campaigns: campaigns.map(({ digest, manifest }) => {
      const { id, line, generation, expiresMs, reason } = manifest;
      const expires = new Date(expiresMs).toISOString();
      const file = `${safeName(id)}${CAMPAIGN_SUFFIX}`;
      return { file, id, digest, line, generation, expires, reason };
    }),
    blobs: images.map(({ sha256, bytes, path }) => ({ sha256, bytes, name: basename(path) })),
  };
}

/** Hashed on the way: what is on the medium is what was looked at. */
function copy({ path, sha256 }: BundledImage, to: string, wrote: (bytes: number) => void): void {
  const target = openSync(to, 'wx', FILE_MODE);
  try {
    const { sha256: copied } = throughFile(path, (piece) => {
      for (let at = 0; at < piece.length; ) at += writeSync(target, piece, at);
      wrote(piece.length);
    });
    if (copied !== sha256) throw bundleError('image-changed', path, 'try again when it is whole');
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
}

function digestOf(path: string): BundledImage {
  try {
    return { path, ...throughFile(path, () => {}) };
  } catch (error) {
    throw unreadable(path, 'an image', error);
  }
}

/** Once through a file, a piece at a time; the piece is the file's again when `seen` returns. */
function throughFile(
  path: string,
  seen: (piece: Uint8Array) => void,
): { sha256: string; bytes: number } {
  const file = openSync(path, 'r');
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is no file');
    const hash = createHash('sha256');
    const buffer = new Uint8Array(PIECE_BYTES);
    let bytes = 0;
    for (;;) {
      const length = readSync(file, buffer, 0, buffer.length, bytes);
      if (length === 0) return { sha256: hash.digest('hex'), bytes };
      const piece = buffer.subarray(0, length);
      hash.update(piece);
      seen(piece);
      bytes += length;
    }
  } finally {
    closeSync(file);
  }
}

function unwritable(path: string, cause: unknown): UpliftError {
  return new UpliftError('bundle-unwritable', BUNDLE_CODES['bundle-unwritable'], {
    expected: 'a medium with room, to which this user may write',
    actual: `${path}: ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}`,
    next: 'look at the medium, or name another with --out',
    cause,
  });
}
