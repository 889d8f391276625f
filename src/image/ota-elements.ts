/**
 * Sub-elements: what follows an OTA header in an ordinary ZigBee image, each a 16-bit tag, a 32-bit
 * length and data (095264r23, 6.3.3).
 *
 * Not every body is made of them (a GB Upgrade Image is not), and of 1,359 published files 72 do
 * not walk to their end. So a walk that breaks is a remark, and what it could not read is kept as
 * `unread`: elements and `unread` together are always the whole body. Data are views.
 */
import { hex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import { type Remark, remark } from './codes.ts';
import { decodeOtaHeader, isOtaIdentifier } from './ota-header.ts';

export const TAG = {
  upgradeImage: 0x0000,
  signatureSuite1: 0x0001,
  certificateSuite1: 0x0002,
  integrityCode: 0x0003,
  pictureData: 0x0004,
  signatureSuite2: 0x0005,
  certificateSuite2: 0x0006,
} as const;

/** Bytes of tag and length before the data of a sub-element. */
export const ELEMENT_HEAD_BYTES = 6;
/**
 * More than any real file has (20 at most), and a bound on what a hostile one makes us allocate.
 */
const ELEMENTS_MAX = 4096;
/** Telink writes two bytes between length and data of this tag, which the length does not count. */
const TELINK_TAG = 0xf000;
const TELINK_INFO_BYTES = 2;

const KNOWN_TAGS: Record<number, { name: string; bytes?: number }> = {
  [TAG.upgradeImage]: { name: 'upgrade image' },
  [TAG.signatureSuite1]: { name: 'ECDSA signature, crypto suite 1', bytes: 50 },
  [TAG.certificateSuite1]: { name: 'signing certificate, crypto suite 1', bytes: 48 },
  [TAG.integrityCode]: { name: 'image integrity code', bytes: 16 },
  [TAG.pictureData]: { name: 'picture data' },
  [TAG.signatureSuite2]: { name: 'ECDSA signature, crypto suite 2', bytes: 80 },
  [TAG.certificateSuite2]: { name: 'signing certificate, crypto suite 2', bytes: 74 },
};

export interface SubElement {
  tag: number;
  name: string;
  /** Of the tag, in the file, bytes from its start. */
  offset: number;
  /** As the file states it; equals the bytes of `data`. */
  dataBytes: number;
  /** What stands between length and data: two bytes in Telink's files, else none. A view. */
  info: Uint8Array;
  data: Uint8Array;
}

export interface ElementWalk {
  elements: SubElement[];
  /** The end of the body that is no whole sub-element: a view, empty where the walk is whole. */
  unread: Uint8Array;
  remarks: Remark[];
}

/** Reads `file` from `start` to `end` as sub-elements. */
export function walkElements(file: Uint8Array, start: number, end: number): ElementWalk {
  const plain = walk(file, start, end, 0);
  if (plain.stop === end) return finish(file, plain.elements, end, end, []);
  if (plain.elements.length === ELEMENTS_MAX) {
    const capped = remark('elements-capped', `${ELEMENTS_MAX} were read.`, plain.stop);
    return finish(file, plain.elements, plain.stop, end, [capped]);
  }
  const telink = walk(file, start, end, TELINK_INFO_BYTES);
  if (telink.stop === end) {
    const first = telink.elements.find(({ tag }) => tag === TELINK_TAG)!;
    return finish(file, telink.elements, end, end, [remark('telink-info-bytes', '', first.offset)]);
  }
  return finish(file, plain.elements, plain.stop, end, [breakRemark(file, plain.stop, end)]);
}

export function tagName(tag: number): string {
  const known = KNOWN_TAGS[tag];
  if (known) return known.name;
  return tag >= 0xf000 ? 'manufacturer specific' : 'reserved';
}

/** Stops, at the element's tag, where an element would pass `end`. */
function walk(
  file: Uint8Array,
  start: number,
  end: number,
  telinkInfoBytes: number,
): { elements: SubElement[]; stop: number } {
  const reader = new ByteReader(file, start, end);
  const elements: SubElement[] = [];
  while (reader.remaining > 0 && elements.length < ELEMENTS_MAX) {
    const offset = reader.position;
    const tag = reader.u16();
    const dataBytes = reader.u32();
    const info = reader.view(tag === TELINK_TAG ? telinkInfoBytes : 0);
    const data = reader.view(dataBytes);
    if (reader.overrun) return { elements, stop: offset };
    elements.push({ tag, name: tagName(tag), offset, dataBytes, info, data });
  }
  return { elements, stop: reader.position };
}

function finish(
  file: Uint8Array,
  elements: SubElement[],
  stop: number,
  end: number,
  found: Remark[],
): ElementWalk {
  return {
    elements,
    unread: file.subarray(stop, end),
    remarks: [...elementRemarks(elements), ...found],
  };
}

function breakRemark(file: Uint8Array, at: number, end: number): Remark {
  if (isOtaIdentifier(file, at) && decodeOtaHeader(file.subarray(0, end), at).ok) {
    return remark('nested-image', `${end - at} bytes from there on are left unread.`, at);
  }
  return remark('walk-broken', `${end - at} bytes from offset ${at} on are left unread.`, at);
}

function elementRemarks(elements: SubElement[]): Remark[] {
  const remarks: Remark[] = [];
  const seen = new Set<number>();
  const reported = new Set<number>();
  for (const { tag, offset, dataBytes } of elements) {
    const known = KNOWN_TAGS[tag];
    if (!known && tag < 0xf000 && !seen.has(tag)) {
      remarks.push(remark('element-reserved', `Tag ${hex(tag, 4)}.`, offset));
    }
    if (known?.bytes !== undefined && dataBytes !== known.bytes) {
      const lengths = `Tag ${hex(tag, 4)} has ${dataBytes} bytes, not ${known.bytes}.`;
      remarks.push(remark('element-length-unusual', lengths, offset));
    }
    if (seen.has(tag) && !reported.has(tag)) {
      remarks.push(remark('element-repeated', `Tag ${hex(tag, 4)}.`, offset));
      reported.add(tag);
    }
    seen.add(tag);
  }
  return remarks;
}
