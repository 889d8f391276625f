/**
 * ZigBee OTA files: found, parsed, and built again byte for byte.
 *
 * Specification: OTA Upgrade cluster 095264r23, 6.3, and what 1,359 published files do beyond it.
 * Invariants: every view lies inside the caller's file and shares its memory; leading, the images
 * and trailing together are the whole file; nothing is copied and nothing a header claims is used
 * unchecked. Not done here: hashes (trust/), the GB Upgrade Image inside a body (gb-upgrade.ts),
 * admission.
 */
import { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, type Remark, remark } from './codes.ts';
import { findContainer, type OtaContainer } from './ota-container.ts';
import { ELEMENT_HEAD_BYTES, type SubElement, walkElements } from './ota-elements.ts';
import {
  decodeOtaHeader,
  encodeOtaHeader,
  headerSpecFrom,
  isOtaIdentifier,
  type OtaHeader,
  type OtaHeaderSpec,
} from './ota-header.ts';

/** Images read from one file; a bound on what a hostile file makes us allocate. */
const IMAGES_MAX = 64;

export interface OtaImage {
  /** Exactly total image size bytes, from the identifier on: what is served. */
  bytes: Uint8Array;
  /** Of the identifier, in the file. */
  offset: number;
  header: OtaHeader;
  /** Everything after the header. */
  body: Uint8Array;
  elements: SubElement[];
  /** The end of the body that did not read as sub-elements; the whole body of a GB image. */
  unread: Uint8Array;
  remarks: Remark[];
}

export interface OtaFile {
  ok: true;
  container: OtaContainer;
  /** One or more. */
  images: OtaImage[];
  /** Before the first image. */
  leading: Uint8Array;
  /** After the last image. */
  trailing: Uint8Array;
  /** About the file; each image has its own. */
  remarks: Remark[];
}

export function parseOtaFile(file: Uint8Array): OtaFile | Refusal {
  const located = findContainer(file);
  if (!located.ok) return located;
  const { container } = located;
  const images: OtaImage[] = [];
  const remarks: Remark[] = [];
  let end = container.imageOffset;
  do {
    const parsed = parseImage(file, end);
    if (!parsed.ok) {
      if (images.length === 0) return parsed;
      remarks.push(remark('image-unreadable-after', parsed.message, end));
      break;
    }
    images.push(parsed.image);
    end += parsed.image.bytes.length;
  } while (isOtaIdentifier(file, end) && images.length < IMAGES_MAX);
  const leading = file.subarray(0, container.imageOffset);
  const trailing = file.subarray(end);
  return {
    ok: true,
    container,
    images,
    leading,
    trailing,
    remarks: [...fileRemarks(container, images, leading, trailing), ...remarks],
  };
}

export interface OtaImageSpec extends OtaHeaderSpec {
  /** In file order; `info` is for Telink's tag 0xF000 only. */
  elements?: readonly { tag: number; data: Uint8Array; info?: Uint8Array }[];
  /** Bytes after the sub-elements, or the whole body where it is not made of them. */
  unread?: Uint8Array;
}

/** A new image; total image size, header length and field control follow from the parts. */
export function encodeOtaImage(spec: OtaImageSpec): Uint8Array {
  const elements = spec.elements ?? [];
  const unread = spec.unread ?? new Uint8Array(0);
  const bodyBytes = elements.reduce(
    (sum, { data, info }) => sum + ELEMENT_HEAD_BYTES + (info?.length ?? 0) + data.length,
    unread.length,
  );
  const header = encodeOtaHeader(spec, bodyBytes);
  const out = new ByteWriter(new Uint8Array(header.length + bodyBytes));
  out.raw(header);
  for (const { tag, data, info } of elements) {
    assert(tag >= 0 && tag <= 0xffff, `tag ${tag} fits 16 bits`);
    out.u16(tag).u32(data.length);
    if (info) out.raw(info);
    out.raw(data);
  }
  out.raw(unread);
  assert(!out.overrun && out.position === out.bytes.length, 'the image fills its total size');
  return out.bytes;
}

/** The file again, from its parsed parts; equal to what was parsed. */
export function encodeOtaFileFrom(parsed: OtaFile): Uint8Array {
  const parts = [
    parsed.leading,
    ...parsed.images.map(({ header, elements, unread }) =>
      encodeOtaImage({ ...headerSpecFrom(header), elements, unread }),
    ),
    parsed.trailing,
  ];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  const out = new ByteWriter(bytes);
  for (const part of parts) out.raw(part);
  return bytes;
}

function parseImage(file: Uint8Array, offset: number): { ok: true; image: OtaImage } | Refusal {
  const decoded = decodeOtaHeader(file, offset);
  if (!decoded.ok) return decoded;
  const { header } = decoded;
  const bodyStart = offset + header.headerLength;
  const end = offset + header.totalImageBytes;
  const walked = walkElements(file, bodyStart, end);
  const image: OtaImage = {
    bytes: file.subarray(offset, end),
    offset,
    header,
    body: file.subarray(bodyStart, end),
    elements: walked.elements,
    unread: walked.unread,
    remarks: [...decoded.remarks, ...walked.remarks],
  };
  return { ok: true, image };
}

function fileRemarks(
  container: OtaContainer,
  images: OtaImage[],
  leading: Uint8Array,
  trailing: Uint8Array,
): Remark[] {
  const remarks: Remark[] = [];
  if (container.kind !== 'plain') {
    const where = `${container.kind}: the image begins at offset ${leading.length}.`;
    remarks.push(remark('wrapped', where, leading.length));
  }
  if (images.length > 1) {
    remarks.push(remark('several-images-found', `${images.length} of them.`));
  }
  if (trailing.length > 0) {
    const last = images[images.length - 1]!;
    const at = last.offset + last.bytes.length;
    remarks.push(remark('trailing-bytes', `${trailing.length} bytes.`, at));
  }
  return remarks;
}
