/**
 * The answer to an upload request, read without allocating: a map, of either form, of `off` and perhaps
 * `rc` 0 and `match`. Everything else, and so every error, is left to the general decoder.
 */
import { answerOf, errorOf } from './answers.ts';
import { decodeCborMap } from './cbor.ts';
import type { SmpFailure } from './codes.ts';
import { sameHash } from './image-state.ts';

/** Beyond it integers would no longer be small; no firmware image is that large. */
const OFFSET_MAX = 0x3fffffff;

const UNSEEN = -1;

export class UploadAnswer {
  offset = UNSEEN;
  /** 1 the device's hash of what it received was right, 0 it was not, -1 it does not say. */
  match = UNSEEN;
  private rc = UNSEEN;
  private at = 0;

  /** False where the general decoder has to look at it; `offset` and `match` are valid only if true. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.offset = UNSEEN;
    this.match = UNSEEN;
    this.rc = UNSEEN;
    if (start >= end) return false;
    const head = bytes[start]!;
    this.at = start + 1;
    const indefinite = head === 0xbf;
    if (!indefinite && (head < 0xa1 || head > 0xa3)) return false;
    const last = indefinite ? end - 1 : end;
    if (indefinite && bytes[last] !== 0xff) return false;
    let entries = 0;
    while (this.at < last) {
      if (!this.entry(bytes, last)) return false;
      entries++;
    }
    return this.offset >= 0 && (indefinite || entries === head - 0xa0);
  }

  /** By the general decoder. What is wrong with it; where nothing is, `offset` and `match` are valid. */
  readSlowly(bytes: Uint8Array, start: number, end: number): SmpFailure | 'malformed' | undefined {
    const decoded = decodeCborMap(bytes, start, end);
    if (!decoded.ok) return 'malformed';
    const error = errorOf(decoded.map);
    if (error?.kind === 'refused') return error.failure;
    const { off, match } = decoded.map;
    if (error !== undefined || (match !== undefined && typeof match !== 'boolean')) {
      return 'malformed';
    }
    if (typeof off !== 'number' || !Number.isSafeInteger(off) || off < 0) return 'malformed';
    this.offset = off;
    this.match = match === undefined ? UNSEEN : Number(match);
    return undefined;
  }

  private entry(bytes: Uint8Array, end: number): boolean {
    const { at } = this;
    // "rc" 0: 62 72 63 00
    if (end - at >= 4 && bytes[at] === 0x62 && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x63) {
      if (bytes[at + 3] !== 0 || this.rc !== UNSEEN) return false;
      this.rc = 0;
      this.at = at + 4;
      return true;
    }
    if (startsOff(bytes, at, end)) return this.offset === UNSEEN && this.readOffset(bytes, end);
    if (startsMatch(bytes, at, end)) {
      if (this.match !== UNSEEN) return false;
      const value = bytes[at + 6]!;
      if (value !== 0xf4 && value !== 0xf5) return false;
      this.match = value - 0xf4;
      this.at = at + 7;
      return true;
    }
    return false;
  }

  private readOffset(bytes: Uint8Array, end: number): boolean {
    const at = this.at + 4;
    const head = bytes[at]!;
    if (head < 24) {
      this.offset = head;
      this.at = at + 1;
      return true;
    }
    if (head > 26) return false;
    const size = 1 << (head - 24);
    if (end - at - 1 < size) return false;
    let value = 0;
    for (let i = 1; i <= size; i++) value = (value << 8) | bytes[at + i]!;
    if (value < 0 || value > OFFSET_MAX) return false;
    this.offset = value;
    this.at = at + 1 + size;
    return true;
  }
}

/** Whether an answer to the image list names an image with that hash that does not run. */
export function listsImage(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: Uint8Array,
): boolean {
  const decoded = decodeCborMap(bytes, start, end);
  if (!decoded.ok || errorOf(decoded.map)) return false;
  const list = answerOf('image-list', decoded.map);
  if (list?.kind !== 'image-list') return false;
  return list.images.some((entry) => !entry.active && sameHash(entry, wanted));
}

/** 63 "off" and at least one byte behind it. */
function startsOff(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < 5 || bytes[at] !== 0x63) return false;
  return bytes[at + 1] === 0x6f && bytes[at + 2] === 0x66 && bytes[at + 3] === 0x66;
}

/** 65 "match" and at least one byte behind it. */
function startsMatch(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < 7 || bytes[at] !== 0x65) return false;
  if (bytes[at + 1] !== 0x6d || bytes[at + 2] !== 0x61 || bytes[at + 3] !== 0x74) return false;
  return bytes[at + 4] === 0x63 && bytes[at + 5] === 0x68;
}
