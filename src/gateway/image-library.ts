/** Files on disk as facts: an image with its hashes and signature, a Central Products List, trust anchors. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gatherImageFacts, type ImageFacts } from '../admission/facts.ts';
import { EXIT, UpliftError } from '../errors.ts';
import type { Refusal } from '../image/codes.ts';
import type { ImageProfileId } from '../image/gb-upgrade.ts';
import type { OtaImage } from '../image/zigbee-ota.ts';
import {
  type CentralProductsList,
  parseCentralProductsList,
} from '../products/central-products-list.ts';
import { sha256Hex } from '../trust/digest.ts';
import { parsePublicKey, type SignatureKey } from '../trust/public-key.ts';

/** No image of any profile is larger; a larger file is not read into memory. */
export const FILE_BYTES_MAX = 67_108_864;
const LIST_BYTES_MAX = 67_108_864;
const ANCHOR_BYTES_MAX = 65_536;

export interface LoadedImage {
  path: string;
  /** All of the file. */
  file: Uint8Array;
  facts: ImageFacts | Refusal;
  image: OtaImage | undefined;
  /** SHA-256 of the bytes a device is sent, hex. */
  sha256: string | undefined;
}

export interface LoadImageOptions {
  profile: ImageProfileId;
  imageIndex?: number | undefined;
  trustAnchors?: readonly SignatureKey[] | undefined;
}

/** Reads and judges an image file; an image that cannot be read is a fact, a file that cannot is an error. */
export function loadImage(path: string, options: LoadImageOptions): LoadedImage {
  const file = readImageFile(path);
  const { facts, image } = gatherImageFacts(file, options);
  const sha256 = image ? sha256Hex(image.bytes) : undefined;
  return { path: resolve(path), file, facts, image, sha256 };
}

/** The bytes of an image file, of whatever format. */
export function readImageFile(path: string): Uint8Array {
  return readBounded(path, FILE_BYTES_MAX, 'an image file');
}

export function loadCentralProductsList(path: string): CentralProductsList {
  const text = new TextDecoder().decode(
    readBounded(path, LIST_BYTES_MAX, 'a Central Products List'),
  );
  const parsed = parseCentralProductsList(text);
  if (parsed.ok) return parsed.list;
  const [first] = parsed.issues;
  throw new UpliftError(parsed.code, `${path}: ${parsed.message}`, {
    expected: first?.expected ?? 'a Central Products List as CSV, with its header line',
    actual: first ? `line ${first.line}: ${first.actual ?? first.message}` : 'something else',
    next: first?.next ?? 'compare it with firmware/central-products-list.csv',
  });
}

/** Every public key (.pem) of a folder. */
export function loadTrustAnchors(folder: string): SignatureKey[] {
  const names = readFolder(folder).filter((name) => name.endsWith('.pem'));
  if (names.length === 0) {
    throw new UpliftError('trust-anchors-missing', `${folder} holds no trust anchor`, {
      expected: 'public keys as .pem files',
      actual: 'none',
      next: 'name the folder that holds them',
    });
  }
  return names.map((name) => {
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

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw unreadable(folder, 'a folder', error);
  }
}

/** A pipe is refused too: opening one may wait for ever, and it could not be read a second time. */
function readBounded(path: string, bytesMax: number, what: string): Uint8Array {
  try {
    const kind = statSync(path);
    if (kind.isDirectory()) throw new Error('it is a folder');
    if (!kind.isFile()) throw new Error('it is a pipe or a device, not a file');
    if (kind.size > bytesMax) throw tooLarge(path, what, bytesMax, kind.size);
    return readAll(path, bytesMax);
  } catch (error) {
    if (error instanceof UpliftError) throw error;
    throw unreadable(path, what, error);
  }
}

/** As much as was there when it was opened, and never more than `bytesMax`, whatever is added meanwhile. */
function readAll(path: string, bytesMax: number): Uint8Array {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(Math.min(bytesMax, fstatSync(descriptor).size));
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(descriptor, bytes, at, bytes.length - at, at);
      if (read === 0) return bytes.subarray(0, at);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(path: string, what: string, bytesMax: number, bytes: number): UpliftError {
  return new UpliftError('file-too-large', `${path} is too large to be ${what}`, {
    expected: `at most ${bytesMax} bytes`,
    actual: `${bytes} bytes`,
    next: 'check that this is the right file',
  });
}

function unreadable(path: string, what: string, error: unknown): UpliftError {
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return new UpliftError('file-unreadable', `${path} cannot be read`, {
    expected: what,
    actual: missing ? 'no such file' : (error as Error).message,
    next: 'check the path',
    exit: EXIT.usage,
    cause: error,
  });
}
