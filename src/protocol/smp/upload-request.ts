/**
 * Upload requests (image group, command 1), written byte by byte into the packet encoder's buffer: header,
 * map head, keys, data. Nothing is allocated. Integers take their shortest form.
 */
import { GROUP, HEADER_BYTES, IMAGE_COMMAND, OP, writeHeader } from './header.ts';
import type { UploadRequest } from './messages.ts';

/** A device has to see the whole header of an image in the first chunk. */
export const FIRST_CHUNK_BYTES_MIN = 32;
/**
 * Chunks are multiples of this where nothing else is said: serial recovery writes whole flash words and
 * moves its offset by what it wrote (901 bytes sent, 900 taken).
 */
export const CHUNK_ALIGN_BYTES = 16;

const TEXT = 0x60;
const BYTES = 0x40;
const MAP = 0xa0;
const FALSE_TRUE = 0xf4;
/** Map head, "off" and "data" with their heads. */
const CHUNK_KEYS_BYTES = 1 + 4 + 5;

const KEY = {
  off: letters('off'),
  data: letters('data'),
  len: letters('len'),
  sha: letters('sha'),
  image: letters('image'),
  upgrade: letters('upgrade'),
} as const;

/** Most image bytes in a chunk at `offset` of a message of `messageBytes`, aligned. */
export function chunkBytesMax(
  messageBytes: number,
  offset: number,
  alignBytes: number = CHUNK_ALIGN_BYTES,
): number {
  return aligned(messageBytes - HEADER_BYTES - CHUNK_KEYS_BYTES - headBytes(offset), alignBytes);
}

/** Length of the message that carries `length` bytes at `offset`. */
export function chunkMessageBytes(offset: number, length: number): number {
  return HEADER_BYTES + CHUNK_KEYS_BYTES + headBytes(offset) + headBytes(length) + length;
}

/** Most image bytes in the first chunk, which also carries length, hash and options. */
export function firstChunkBytesMax(
  messageBytes: number,
  upload: UploadRequest,
  alignBytes: number = CHUNK_ALIGN_BYTES,
): number {
  return aligned(messageBytes - HEADER_BYTES - firstMapBytes(upload), alignBytes);
}

/** Writes the request for `image[offset, offset + length)` at `at`; returns the message's length. */
export function writeChunk(
  out: Uint8Array,
  at: number,
  version: number,
  sequence: number,
  image: Uint8Array,
  offset: number,
  length: number,
): number {
  const bodyBytes = CHUNK_KEYS_BYTES + headBytes(offset) + headBytes(length) + length;
  writeHeader(out, at, OP.write, version, bodyBytes, GROUP.image, sequence, IMAGE_COMMAND.upload);
  let to = at + HEADER_BYTES;
  out[to++] = MAP + 2;
  to = writeKey(out, to, KEY.off);
  to = writeHead(out, to, 0, offset);
  to = writeKey(out, to, KEY.data);
  writeData(out, to, image, offset, length);
  return HEADER_BYTES + bodyBytes;
}

/** Writes the request that opens, or reopens, an upload; returns the message's length. */
export function writeFirstChunk(
  out: Uint8Array,
  at: number,
  version: number,
  sequence: number,
  upload: UploadRequest,
  length: number,
): number {
  const { image, sha256, imageNumber, upgradeOnly } = upload;
  const bodyBytes = firstMapBytes(upload) + headBytes(length) + length;
  writeHeader(out, at, OP.write, version, bodyBytes, GROUP.image, sequence, IMAGE_COMMAND.upload);
  let to = at + HEADER_BYTES;
  out[to++] = MAP + firstEntries(upload);
  if (imageNumber) to = writeHead(out, writeKey(out, to, KEY.image), 0, imageNumber);
  to = writeHead(out, writeKey(out, to, KEY.len), 0, image.length);
  to = writeHead(out, writeKey(out, to, KEY.off), 0, 0);
  if (sha256) {
    to = writeHead(out, writeKey(out, to, KEY.sha), BYTES, sha256.length);
    out.set(sha256, to);
    to += sha256.length;
  }
  if (upgradeOnly) {
    to = writeKey(out, to, KEY.upgrade);
    out[to++] = FALSE_TRUE + 1;
  }
  to = writeKey(out, to, KEY.data);
  writeData(out, to, image, 0, length);
  return HEADER_BYTES + bodyBytes;
}

function firstEntries({ sha256, imageNumber, upgradeOnly }: UploadRequest): number {
  return 3 + (sha256 ? 1 : 0) + (imageNumber ? 1 : 0) + (upgradeOnly ? 1 : 0);
}

/** Everything of the map but the data and its head. */
function firstMapBytes(upload: UploadRequest): number {
  const { image, sha256, imageNumber, upgradeOnly } = upload;
  const shaBytes = sha256 ? 4 + headBytes(sha256.length) + sha256.length : 0;
  const numberBytes = imageNumber ? 6 + headBytes(imageNumber) : 0;
  const optionBytes = shaBytes + numberBytes + (upgradeOnly ? 8 + 1 : 0);
  return CHUNK_KEYS_BYTES + headBytes(0) + 4 + headBytes(image.length) + optionBytes;
}

/** What is left of `space` for data behind its own head, as a multiple of the alignment. */
function aligned(space: number, alignBytes: number): number {
  const data = space - headBytes(Math.max(0, space));
  return data - (((data % alignBytes) + alignBytes) % alignBytes);
}

function headBytes(value: number): number {
  if (value < 24) return 1;
  if (value < 0x100) return 2;
  return value < 0x10000 ? 3 : 5;
}

function writeHead(out: Uint8Array, at: number, major: number, value: number): number {
  if (value < 24) {
    out[at] = major + value;
    return at + 1;
  }
  if (value < 0x100) {
    out[at] = major + 24;
    out[at + 1] = value;
    return at + 2;
  }
  if (value < 0x10000) {
    out[at] = major + 25;
    out[at + 1] = value >> 8;
    out[at + 2] = value;
    return at + 3;
  }
  out[at] = major + 26;
  out[at + 1] = value >> 24;
  out[at + 2] = value >> 16;
  out[at + 3] = value >> 8;
  out[at + 4] = value;
  return at + 5;
}

function writeKey(out: Uint8Array, at: number, key: Uint8Array): number {
  let to = at;
  out[to++] = TEXT + key.length;
  for (let i = 0; i < key.length; i++) out[to++] = key[i]!;
  return to;
}

function writeData(
  out: Uint8Array,
  at: number,
  image: Uint8Array,
  offset: number,
  length: number,
): void {
  const to = writeHead(out, at, BYTES, length);
  for (let i = 0; i < length; i++) out[to + i] = image[offset + i]!;
}

function letters(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
