/**
 * The folder of trust anchors: a sub-folder for each purpose, with public keys (.pem) in it.
 *
 *     trust/zigbee/   keys that sign GB images and other ZigBee OTA files
 *     trust/mcuboot/  keys that sign MCUboot images
 *     trust/gbl/      keys that sign GBL images
 *
 * A key of which the folder does not say what it is for is an error: trusted for everything, it would
 * let the maker of one kind of device sign for another; trusted for nothing, it would be missed only
 * when an image is refused.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UpliftError } from '../errors.ts';
import { parsePublicKey, type SignatureKey } from '../trust/public-key.ts';
import {
  isTrustPurpose,
  TRUST_PURPOSES,
  type TrustAnchors,
  type TrustPurpose,
} from '../trust/trust-anchors.ts';
import { readBounded, unreadable } from './bounded-file.ts';

const ANCHOR_BYTES_MAX = 65_536;
const PURPOSES = Object.keys(TRUST_PURPOSES) as TrustPurpose[];
const SUB_FOLDERS = PURPOSES.map((purpose) => `${purpose}/`).join(', ');

export function loadTrustAnchors(folder: string): TrustAnchors {
  const entries = entriesOf(folder);
  for (const { name, isFolder } of entries) refuseMisplaced(folder, name, isFolder);
  const anchors = entries.flatMap(({ name, isFolder }): [TrustPurpose, SignatureKey[]][] =>
    isFolder && isTrustPurpose(name) ? [[name, keysOf(join(folder, name))]] : [],
  );
  if (anchors.every(([, keys]) => keys.length === 0)) {
    throw new UpliftError('trust-anchors-missing', `${folder} holds no trust anchor`, {
      expected: `public keys as .pem files in ${SUB_FOLDERS}`,
      actual: 'none',
      next: 'name the folder that holds them',
    });
  }
  return Object.fromEntries(anchors);
}

/** Sub-folders without keys are somebody's own; one with keys but without a purpose is a mistake. */
function refuseMisplaced(folder: string, name: string, isFolder: boolean): void {
  const path = join(folder, name);
  const isMisplaced = isFolder
    ? !isTrustPurpose(name) && entriesOf(path).some((entry) => isKey(entry.name))
    : isKey(name);
  if (!isMisplaced) return;
  const purposes = PURPOSES.map((purpose) => `${purpose}/ for ${TRUST_PURPOSES[purpose]}`);
  throw new UpliftError('trust-purpose-unknown', `${path} does not say what is trusted for`, {
    expected: `keys in a sub-folder by what they sign: ${purposes.join(', ')}`,
    actual: isFolder ? `keys in a sub-folder ${name}/` : 'a key beside the sub-folders',
    next: `move ${isFolder ? 'them' : 'it'} to the one that ${isFolder ? 'their' : 'its'} owner may sign for`,
  });
}

function keysOf(folder: string): SignatureKey[] {
  const names = entriesOf(folder).filter(({ name }) => isKey(name));
  return names.map(({ name }) => {
    const pem = readBounded(join(folder, name), ANCHOR_BYTES_MAX, 'a public key as PEM');
    const key = parsePublicKey(new TextDecoder().decode(pem));
    if (key.ok) return key;
    throw new UpliftError(key.code, `${join(folder, name)} is no trust anchor`, {
      expected: 'a public key as PEM: ECDSA P-256, RSA of 2048 or 3072 bits, Ed25519',
      actual: key.message,
      next: 'replace or remove the file',
    });
  });
}

function isKey(name: string): boolean {
  return name.endsWith('.pem');
}

function entriesOf(folder: string): { name: string; isFolder: boolean }[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => ({ name, isFolder: isFolder(join(folder, name)) }));
  } catch (error) {
    throw unreadable(folder, 'a folder', error);
  }
}

/** Links are followed: that is how secrets are mounted. One to nowhere is no folder. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
