/**
 * The map of an answer as what it says. A peer's word is checked type by type; what does not fit the
 * request is `undefined`, and the caller calls it malformed. Unknown keys are ignored, missing flags false.
 */
import type { CborMap } from './cbor.ts';
import { deviceFailure, type SmpFailure } from './codes.ts';
import type { ImageEntry, SlotEntry, SmpAnswer, SmpRequest } from './messages.ts';
import { MESSAGE_BYTES_MAX, PACKET_OVERHEAD_BYTES } from './packet-encoder.ts';

/** Images or slots in one list: no device has more. */
const ENTRIES_MAX = 64;
/** Less than this holds no upload request. */
const BUFFER_BYTES_MIN = 96;

export type AnswerError = { kind: 'refused'; failure: SmpFailure } | { kind: 'malformed' };

/** The error in an answer of either version; `undefined` for success: no `rc`, no `err`, or `rc` 0. */
export function errorOf(map: CborMap): AnswerError | undefined {
  const { rc, rsn, err } = map;
  if (err !== undefined) {
    const { group, rc: code } = isMap(err) ? err : {};
    if (!isCount(group) || !isCount(code)) return { kind: 'malformed' };
    if (code !== 0) return { kind: 'refused', failure: deviceFailure(group, code) };
  }
  if (rc === undefined || rc === 0) return undefined;
  if (!isCount(rc)) return { kind: 'malformed' };
  const reason = typeof rsn === 'string' ? rsn : undefined;
  return { kind: 'refused', failure: deviceFailure(undefined, rc, reason) };
}

export function answerOf(kind: SmpRequest['kind'], map: CborMap): SmpAnswer | undefined {
  switch (kind) {
    case 'echo':
      return typeof map['r'] === 'string' ? { kind, text: map['r'] } : undefined;
    case 'reset':
    case 'image-erase':
      return { kind };
    case 'params':
      return params(map);
    case 'os-info':
      return typeof map['output'] === 'string' ? { kind, output: map['output'] } : undefined;
    case 'bootloader-info':
    case 'raw':
      return { kind, values: map };
    case 'image-list': {
      const images = imagesOf(map['images']);
      return images && { kind, images };
    }
    case 'image-test':
    case 'image-confirm': {
      // Some answer a write with nothing.
      const images = map['images'] === undefined ? [] : imagesOf(map['images']);
      return images && { kind, images };
    }
    case 'slot-info':
      return slotInfo(map['images']);
  }
}

function params(map: CborMap): SmpAnswer | undefined {
  const { buf_size: bufferBytes, buf_count: bufferCount } = map;
  if (!isCount(bufferBytes) || bufferBytes < BUFFER_BYTES_MIN) return undefined;
  if (!isCount(bufferCount) || bufferCount < 1) return undefined;
  const messageBytes = Math.min(bufferBytes - PACKET_OVERHEAD_BYTES, MESSAGE_BYTES_MAX);
  return { kind: 'params', bufferBytes, bufferCount, messageBytes };
}

function imagesOf(list: unknown): ImageEntry[] | undefined {
  return listOf(list, imageOf);
}

function imageOf(map: CborMap): ImageEntry | undefined {
  const { image = 0, slot, version = '', hash = new Uint8Array(0) } = map;
  if (!isCount(image) || !isCount(slot)) return undefined;
  if (typeof version !== 'string' || !(hash instanceof Uint8Array)) return undefined;
  const names = ['bootable', 'pending', 'confirmed', 'active', 'permanent'] as const;
  if (names.some((name) => map[name] !== undefined && typeof map[name] !== 'boolean')) {
    return undefined;
  }
  return {
    image,
    slot,
    version,
    hash,
    bootable: map['bootable'] === true,
    pending: map['pending'] === true,
    confirmed: map['confirmed'] === true,
    active: map['active'] === true,
    permanent: map['permanent'] === true,
    flagged: names.some((name) => map[name] !== undefined),
  };
}

function slotInfo(list: unknown): SmpAnswer | undefined {
  const images = listOf(list, (map) => {
    const { image = 0, slots, max_image_size: bytes } = map;
    if (!isCount(image)) return undefined;
    const entries = listOf(slots, (entry) => slotOf(image, entry));
    if (!entries || !isOptionalCount(bytes)) return undefined;
    return { entries, most: bytes === undefined ? [] : [{ image, bytes }] };
  });
  if (!images) return undefined;
  const slots = images.flatMap(({ entries }) => entries);
  return { kind: 'slot-info', slots, imageBytesMax: images.flatMap(({ most }) => most) };
}

function slotOf(image: number, map: CborMap): SlotEntry | undefined {
  const { slot, size: slotBytes, upload_image_id: uploadImage } = map;
  if (!isCount(slot) || !isOptionalCount(slotBytes) || !isOptionalCount(uploadImage)) {
    return undefined;
  }
  return { image, slot, slotBytes, uploadImage };
}

/** Every entry through `read`; `undefined` where it is no list of maps or one entry does not fit. */
function listOf<T>(list: unknown, read: (map: CborMap) => T | undefined): T[] | undefined {
  if (!Array.isArray(list) || list.length > ENTRIES_MAX) return undefined;
  const entries: T[] = [];
  for (const item of list) {
    const entry = isMap(item) ? read(item) : undefined;
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  return entries;
}

function isMap(value: unknown): value is CborMap {
  if (typeof value !== 'object' || value === null) return false;
  return !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isOptionalCount(value: unknown): value is number | undefined {
  return value === undefined || isCount(value);
}
