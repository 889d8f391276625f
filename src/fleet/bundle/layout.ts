/**
 * How a bundle lies on a medium: names that FAT can have, each told apart without regard to case.
 *
 *     uplift-bundle/
 *       campaigns/ID.campaign        signed, as their authors and approvers left them
 *       blobs/SHA256                 images, by the digest that campaigns name them by
 *       events/GATEWAY.cose          on the way home, sealed; GATEWAY.2.cose and so on where there is more
 *       index.json                   what is in it, for people and file managers: nothing is believed of it
 */
import { basename, join } from 'node:path';
import { sha256Hex } from '../../trust/digest.ts';

export const BUNDLE_NAME = 'uplift-bundle';
export const CAMPAIGN_SUFFIX = '.campaign';
export const EVENTS_SUFFIX = '.cose';
export const DIGEST = /^[0-9a-f]{64}$/;

export const BUNDLE_LIMITS = { campaignsMax: 64, blobsMax: 1_024, eventsMax: 10_000 } as const;

export interface BundlePlaces {
  root: string;
  campaigns: string;
  blobs: string;
  events: string;
  index: string;
}

/** The folder itself, or one that has it. */
export function bundleIn(folder: string): BundlePlaces {
  return placesAt(basename(folder) === BUNDLE_NAME ? folder : join(folder, BUNDLE_NAME));
}

export function placesAt(root: string): BundlePlaces {
  return {
    root,
    campaigns: join(root, 'campaigns'),
    blobs: join(root, 'blobs'),
    events: join(root, 'events'),
    index: join(root, 'index.json'),
  };
}

/** Names of devices that Windows keeps for itself, with whatever ending. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;
const SAFE = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * A file name for a wire name. One that FAT could not tell from another (by case, by a dot at its end) is
 * folded and gets eight digits of its SHA-256, after a character that no wire name has.
 */
export function safeName(name: string): string {
  if (SAFE.test(name) && !RESERVED.test(name)) return name;
  const folded = name.toLowerCase().replace(/[^a-z0-9_-]/g, '_');
  return `${folded}~${sha256Hex(new TextEncoder().encode(name)).slice(0, 8)}`;
}

export function eventsFile(gateway: string, part: number): string {
  return `${safeName(gateway)}${part === 1 ? '' : `.${part}`}${EVENTS_SUFFIX}`;
}
