/**
 * A bundle as it is found: by the names and bytes of its files, each looked through before it is used.
 * The index is not read. Files of other names are what file managers leave, and are passed over.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../../campaign/manifest.ts';
import { parseManifest } from '../../campaign/manifest.ts';
import { decodeCampaign } from '../../campaign/signed-campaign.ts';
import type { UpliftError } from '../../errors.ts';
import { readBounded } from '../../gateway/bounded-file.ts';
import { writeDurably } from '../../gateway/durable-file.ts';
import { sha256Hex } from '../../trust/digest.ts';
import { WIRE_LIMITS } from '../wire.ts';
import { type OpenedEvents, openEvents, SEALED_BYTES_MAX } from './carried-events.ts';
import {
  BUNDLE_LIMITS,
  type BundlePlaces,
  bundleIn,
  DIGEST,
  EVENTS_SUFFIX,
  eventsFile,
  safeName,
} from './layout.ts';
import { bundleError } from './make-bundle.ts';

export interface FoundCampaign {
  file: string;
  bytes: Uint8Array;
  /** Read, not believed; absent: why it cannot be read. */
  manifest?: Manifest;
  digest?: string;
  code?: string;
  message?: string;
}

export interface FoundBlob {
  sha256: string;
  path: string;
  bytes: number;
}

/** A sealed stretch, and what it says; or why it is none. */
export interface FoundEvents {
  file: string;
  bytes: Uint8Array;
  opened?: OpenedEvents;
  code?: string;
  message?: string;
}

export type ImageStanding = 'there' | 'absent' | 'damaged';

/** What macOS leaves on FAT beside each file begins with a dot. */
const IS_CAMPAIGN = /^[^.].*\.campaign$/;
const IS_EVENTS = /^[^.].*\.cose$/;
const PIECE_BYTES = 1024 * 1024;

export class Bundle {
  readonly places: BundlePlaces;
  readonly campaigns: readonly FoundCampaign[];
  readonly blobs: ReadonlyMap<string, FoundBlob>;

  private constructor(places: BundlePlaces) {
    this.places = places;
    this.campaigns = filesIn(places.campaigns, IS_CAMPAIGN, BUNDLE_LIMITS.campaignsMax).map(
      (file) => readCampaign(join(places.campaigns, file), file),
    );
    this.blobs = new Map(
      filesIn(places.blobs, DIGEST, BUNDLE_LIMITS.blobsMax).map((sha256) => {
        const path = join(places.blobs, sha256);
        return [sha256, { sha256, path, bytes: lstatSync(path).size }];
      }),
    );
  }

  /** @param folder it, or the medium that it is on @throws UpliftError */
  static open(folder: string): Bundle {
    const places = bundleIn(folder);
    if (!lstatSync(places.root, { throwIfNoEntry: false })?.isDirectory()) {
      throw bundleError('bundle-missing', folder, 'name the medium, or the folder uplift-bundle');
    }
    return new Bundle(places);
  }

  /** Hashed as it is now. */
  standingOf({ sha256, bytes }: { sha256: string; bytes: number }): ImageStanding {
    const blob = this.blobs.get(sha256);
    if (!blob) return 'absent';
    return blob.bytes === bytes && digestOf(blob) === sha256 ? 'there' : 'damaged';
  }

  /** In the order in which a coordinator can take them. @throws UpliftError */
  events(): readonly FoundEvents[] {
    const { events } = this.places;
    const found = filesIn(events, IS_EVENTS, BUNDLE_LIMITS.eventsMax).map((file) =>
      readEvents(join(events, file), file),
    );
    const place = ({ opened }: FoundEvents) => opened?.batch.after?.sequence ?? 0;
    const owner = ({ opened, file }: FoundEvents) => opened?.gateway ?? file;
    return found.sort(
      (one, other) => owner(one).localeCompare(owner(other), 'en') || place(one) - place(other),
    );
  }

  /** In place of what was there of this gateway; each on the medium when it returns. */
  putEvents(gateway: string, sealed: readonly Uint8Array[]): readonly string[] {
    const { events } = this.places;
    const files = sealed.map((_bytes, index) => eventsFile(gateway, index + 1));
    for (const [index, file] of files.entries()) writeDurably(join(events, file), sealed[index]!);
    const own = new RegExp(`^${safeName(gateway)}(\\.[0-9]+)?\\${EVENTS_SUFFIX}$`);
    for (const file of readdirSync(events)) {
      if (own.test(file) && !files.includes(file)) rmSync(join(events, file));
    }
    return files;
  }
}

/** Plain files of such names, in order; a link might lead anywhere. */
function filesIn(folder: string, wanted: RegExp, most: number): string[] {
  const entries = lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder, { withFileTypes: true })
    : [];
  const named = entries.filter(({ name }) => wanted.test(name));
  const other = named.find((entry) => !entry.isFile());
  if (other) throw bundleError('bundle-link', join(folder, other.name), 'make the bundle again');
  if (named.length > most) throw tooMany(folder, named.length, most);
  return named.map(({ name }) => name).sort();
}

function tooMany(folder: string, found: number, most: number): UpliftError {
  return bundleError(
    'bundle-many',
    `${found} files in ${folder}, at most ${most}`,
    'see what it is',
  );
}

function readCampaign(path: string, file: string): FoundCampaign {
  const most = WIRE_LIMITS.campaignBytesMax;
  const bytes = readBounded(path, most, 'a signed campaign', { links: 'refuse' });
  const document = decodeCampaign(bytes);
  if (!document.ok) return { file, bytes, code: document.code, message: document.message };
  const parsed = parseManifest(document.payload);
  if (!parsed.ok) return { file, bytes, code: parsed.code, message: parsed.message };
  return { file, bytes, manifest: parsed.manifest, digest: sha256Hex(document.payload) };
}

function readEvents(path: string, file: string): FoundEvents {
  const bytes = readBounded(path, SEALED_BYTES_MAX, 'sealed events', { links: 'refuse' });
  const opened = openEvents(bytes);
  if (!opened.ok) return { file, bytes, code: opened.code, message: opened.message };
  return { file, bytes, opened };
}

function digestOf({ path, bytes }: FoundBlob): string {
  const file = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(PIECE_BYTES);
    const most = Math.min(bytes, fstatSync(file).size);
    for (let at = 0; at < most; ) {
      const length = readSync(file, buffer, 0, Math.min(buffer.length, most - at), at);
      if (length === 0) break;
      hash.update(buffer.subarray(0, length));
      at += length;
    }
    return hash.digest('hex');
  } finally {
    closeSync(file);
  }
}
