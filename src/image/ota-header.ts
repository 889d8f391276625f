/**
 * The OTA header: 56 bytes and up to three optional fields, little-endian (ZigBee OTA Upgrade
 * cluster 095264r23, 6.3; ZCL 15-0324-02, 11.4.2).
 *
 * Invariant: a header that parses fits its file. Its length holds all fields that field control
 * names, and total image size lies inside the bytes at hand. The header length is obeyed even where
 * it is longer than the fields; the surplus is kept as `extra`. Not judged here: whether a device
 * wants this image.
 */

import { eui64FromWire, eui64ToWire, hex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, type Remark, refusal, remark } from './codes.ts';
import { recogniseFormat, refuseFormat } from './file-format.ts';

/** Upgrade file identifier; in the file 1E F1 EE 0B (6.3.2.1). */
export const OTA_IDENTIFIER = 0x0beef11e;
/** Bytes of a header without optional fields. */
export const OTA_HEADER_BYTES_MIN = 56;
/** Bytes of the header string, padded (6.3.2.9). */
export const HEADER_STRING_BYTES = 32;

/** Bits of field control (6.3.2.4): which optional fields follow. */
export const FIELD_CONTROL = {
  securityCredentialVersion: 1,
  destination: 2,
  hardwareVersions: 4,
} as const;
/** The bits that announce a field. */
export const FIELD_CONTROL_KNOWN = 7;

/** Matches every manufacturer (6.3.2.5) or every image type (6.3.2.6). */
export const ANY_U16 = 0xffff;
/** Matches every file version in requests; as an image's own version it names none. */
export const ANY_FILE_VERSION = 0xffffffff;

export interface OtaHeader {
  headerVersion: number;
  headerLength: number;
  fieldControl: number;
  manufacturerCode: number;
  imageType: number;
  fileVersion: number;
  zigbeeStackVersion: number;
  /** Latin-1, up to the first NUL, without the blanks it is padded with. */
  headerString: string;
  /** The 32 bytes as they stand in the file: a view. */
  headerStringRaw: Uint8Array;
  /** Header and all that follows, from the identifier on: what is served. */
  totalImageBytes: number;
  securityCredentialVersion?: number;
  /** The one device this image is for: 16 lower-case digits, most significant first. */
  destinationEui64?: string;
  minimumHardwareVersion?: number;
  maximumHardwareVersion?: number;
  /** What the header length counts beyond the fields: a view, mostly empty. */
  extra: Uint8Array;
}

export function isOtaIdentifier(bytes: Uint8Array, offset: number): boolean {
  return (
    bytes[offset] === 0x1e &&
    bytes[offset + 1] === 0xf1 &&
    bytes[offset + 2] === 0xee &&
    bytes[offset + 3] === 0x0b
  );
}

/**
 * The header of the image that begins at `offset` of `file`, checked against the bytes that are
 * there.
 */
export function decodeOtaHeader(
  file: Uint8Array,
  offset = 0,
): { ok: true; header: OtaHeader; remarks: Remark[] } | Refusal {
  if (!isOtaIdentifier(file, offset)) return missingIdentifier(file, offset);
  const availableBytes = file.length - offset;
  if (availableBytes < OTA_HEADER_BYTES_MIN) {
    return refusal('header-truncated', {
      offset,
      expected: `at least ${OTA_HEADER_BYTES_MIN} bytes`,
      actual: `${availableBytes} bytes`,
      next: 'fetch the file again; it is incomplete',
    });
  }
  const reader = new ByteReader(file, offset + 4);
  const fixed = {
    headerVersion: reader.u16(),
    headerLength: reader.u16(),
    fieldControl: reader.u16(),
    manufacturerCode: reader.u16(),
    imageType: reader.u16(),
    fileVersion: reader.u32(),
    zigbeeStackVersion: reader.u16(),
    headerStringRaw: reader.view(HEADER_STRING_BYTES),
    totalImageBytes: reader.u32(),
  };
  const broken = checkLengths(fixed, availableBytes, offset);
  if (broken) return broken;
  const optional = readOptionalFields(reader, fixed.fieldControl);
  const extra = file.subarray(reader.position, offset + fixed.headerLength);
  const header: OtaHeader = {
    ...fixed,
    headerString: decodeHeaderString(fixed.headerStringRaw),
    ...optional,
    extra,
  };
  return { ok: true, header, remarks: headerRemarks(header, offset) };
}

/** The refusal of a file in which no identifier stands at `offset`; of another format, it is named. */
export function missingIdentifier(file: Uint8Array, offset: number): Refusal {
  if (offset === 0 && recogniseFormat(file) !== undefined) return refuseFormat(file, 'zigbee-ota');
  const found = file.subarray(offset, offset + 4);
  const digits = Array.from(found, (byte) => byte.toString(16).toUpperCase().padStart(2, '0'));
  return refusal('no-identifier', {
    offset,
    expected: '1E F1 EE 0B',
    actual: digits.length === 0 ? 'nothing: the file is empty' : digits.join(' '),
    next: 'check that this is a ZigBee OTA file, as the manufacturer published it',
  });
}

/** What `encodeOtaHeader` needs; lengths and field control follow from it. */
export interface OtaHeaderSpec {
  manufacturerCode: number;
  imageType: number;
  fileVersion: number;
  /** Text is written as Latin-1 and padded with NUL; bytes are taken as they are, 32 of them. */
  headerString: string | Uint8Array;
  /** 0x0100 where not given. */
  headerVersion?: number;
  /** 0x0002, ZigBee PRO, where not given. */
  zigbeeStackVersion?: number;
  securityCredentialVersion?: number;
  destinationEui64?: string;
  /** Both or neither. */
  minimumHardwareVersion?: number;
  maximumHardwareVersion?: number;
  /** Bits of field control beyond the three that follow from the fields. */
  reservedFieldControl?: number;
  /** Header bytes after the last field. */
  extra?: Uint8Array;
}

/** The header of an image whose body has `bodyBytes`. */
export function encodeOtaHeader(spec: OtaHeaderSpec, bodyBytes: number): Uint8Array {
  const fieldControl = fieldControlOf(spec);
  const extra = spec.extra ?? new Uint8Array(0);
  const headerLength = OTA_HEADER_BYTES_MIN + optionalBytes(fieldControl) + extra.length;
  assert(headerLength <= 0xffff, 'the header length fits 16 bits');
  const out = new ByteWriter(new Uint8Array(headerLength));
  out.u32(OTA_IDENTIFIER);
  out
    .u16(ranged(spec.headerVersion ?? 0x0100, 16))
    .u16(headerLength)
    .u16(fieldControl);
  out.u16(ranged(spec.manufacturerCode, 16)).u16(ranged(spec.imageType, 16));
  out.u32(ranged(spec.fileVersion, 32)).u16(ranged(spec.zigbeeStackVersion ?? 2, 16));
  out.raw(encodeHeaderString(spec.headerString));
  out.u32(ranged(headerLength + bodyBytes, 32));
  if (spec.securityCredentialVersion !== undefined) {
    out.u8(ranged(spec.securityCredentialVersion, 8));
  }
  if (spec.destinationEui64 !== undefined) {
    const wire = eui64ToWire(spec.destinationEui64);
    assert(wire !== undefined, 'destinationEui64 has 16 hexadecimal digits');
    out.raw(wire);
  }
  if (spec.minimumHardwareVersion !== undefined && spec.maximumHardwareVersion !== undefined) {
    out.u16(ranged(spec.minimumHardwareVersion, 16)).u16(ranged(spec.maximumHardwareVersion, 16));
  }
  out.raw(extra);
  assert(!out.overrun && out.position === headerLength, 'the header fills its length');
  return out.bytes;
}

/** The specification from which `encodeOtaHeader` makes this very header again. */
export function headerSpecFrom(header: OtaHeader): OtaHeaderSpec {
  return {
    ...header,
    headerString: header.headerStringRaw,
    reservedFieldControl: header.fieldControl & ~FIELD_CONTROL_KNOWN,
  };
}

function checkLengths(
  fixed: {
    headerVersion: number;
    headerLength: number;
    fieldControl: number;
    totalImageBytes: number;
  },
  availableBytes: number,
  offset: number,
): Refusal | undefined {
  const { headerVersion, headerLength, fieldControl, totalImageBytes } = fixed;
  const major = headerVersion >>> 8;
  if (major !== 1 && major !== 2) {
    return refusal('header-version-unsupported', {
      offset: offset + 4,
      expected: '0x0100, or 0x0200 (Thread)',
      actual: hex(headerVersion, 4),
    });
  }
  const neededBytes = OTA_HEADER_BYTES_MIN + optionalBytes(fieldControl);
  if (headerLength < neededBytes) {
    const code =
      headerLength < OTA_HEADER_BYTES_MIN ? 'header-too-short' : 'header-length-mismatch';
    return refusal(code, {
      offset: offset + 6,
      expected: `${neededBytes} bytes or more (field control ${hex(fieldControl, 4)})`,
      actual: `${headerLength} bytes`,
    });
  }
  if (headerLength > availableBytes) {
    return refusal('header-beyond-file', {
      offset: offset + 6,
      expected: `at most ${availableBytes} bytes`,
      actual: `${headerLength} bytes`,
    });
  }
  if (headerLength > totalImageBytes) {
    return refusal('header-beyond-image', {
      offset: offset + 6,
      expected: `at most the total image size, ${totalImageBytes} bytes`,
      actual: `${headerLength} bytes`,
    });
  }
  if (totalImageBytes > availableBytes) {
    return refusal('image-truncated', {
      offset: offset + 52,
      expected: `${totalImageBytes} bytes, as the header says`,
      actual: `${availableBytes} bytes in the file`,
      next: 'fetch the file again; it is incomplete, or its header was damaged',
    });
  }
  return undefined;
}

function optionalBytes(fieldControl: number): number {
  return (
    (fieldControl & FIELD_CONTROL.securityCredentialVersion ? 1 : 0) +
    (fieldControl & FIELD_CONTROL.destination ? 8 : 0) +
    (fieldControl & FIELD_CONTROL.hardwareVersions ? 4 : 0)
  );
}

function readOptionalFields(reader: ByteReader, fieldControl: number): Partial<OtaHeader> {
  const fields: Partial<OtaHeader> = {};
  if (fieldControl & FIELD_CONTROL.securityCredentialVersion) {
    fields.securityCredentialVersion = reader.u8();
  }
  if (fieldControl & FIELD_CONTROL.destination) {
    fields.destinationEui64 = eui64FromWire(reader.view(8));
  }
  if (fieldControl & FIELD_CONTROL.hardwareVersions) {
    fields.minimumHardwareVersion = reader.u16();
    fields.maximumHardwareVersion = reader.u16();
  }
  return fields;
}

function headerRemarks(header: OtaHeader, offset: number): Remark[] {
  const remarks: Remark[] = [];
  if (header.headerVersion !== 0x0100) {
    remarks.push(
      remark('header-version-unusual', `It is ${hex(header.headerVersion, 4)}.`, offset + 4),
    );
  }
  if (header.fieldControl & ~FIELD_CONTROL_KNOWN) {
    remarks.push(
      remark('field-control-reserved', `It is ${hex(header.fieldControl, 4)}.`, offset + 8),
    );
  }
  const nul = header.headerStringRaw.indexOf(0);
  if (nul >= 0 && header.headerStringRaw.subarray(nul).some((byte) => byte !== 0)) {
    remarks.push(remark('header-string-unterminated', '', offset + 20 + nul));
  }
  const { minimumHardwareVersion: minimum, maximumHardwareVersion: maximum } = header;
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    remarks.push(
      remark('hardware-range-inverted', `${hex(minimum, 4)} to ${hex(maximum, 4)}.`, offset),
    );
  }
  if (header.extra.length > 0) {
    const at = offset + header.headerLength - header.extra.length;
    remarks.push(remark('header-extra-bytes', `${header.extra.length} more.`, at));
  }
  return remarks;
}

/** By hand: TextDecoder takes Latin-1 for Windows-1252, which maps 0x80 to 0x9F elsewhere. */
function decodeHeaderString(raw: Uint8Array): string {
  const nul = raw.indexOf(0);
  const text = nul < 0 ? raw : raw.subarray(0, nul);
  return String.fromCharCode(...text).replace(/ +$/, '');
}

function encodeHeaderString(text: string | Uint8Array): Uint8Array {
  const raw = new Uint8Array(HEADER_STRING_BYTES);
  if (typeof text !== 'string') {
    assert(text.length === HEADER_STRING_BYTES, 'a raw header string has 32 bytes');
    raw.set(text);
    return raw;
  }
  assert(text.length <= HEADER_STRING_BYTES, 'a header string has at most 32 characters');
  for (let i = 0; i < text.length; i++) raw[i] = ranged(text.charCodeAt(i), 8);
  return raw;
}

function fieldControlOf(spec: OtaHeaderSpec): number {
  const reserved = spec.reservedFieldControl ?? 0;
  assert((reserved & FIELD_CONTROL_KNOWN) === 0, 'reserved bits leave the three known bits alone');
  const hasMinimum = spec.minimumHardwareVersion !== undefined;
  const hasMaximum = spec.maximumHardwareVersion !== undefined;
  assert(hasMinimum === hasMaximum, 'a hardware range has both ends');
  return (
    ranged(reserved, 16) |
    (spec.securityCredentialVersion !== undefined ? FIELD_CONTROL.securityCredentialVersion : 0) |
    (spec.destinationEui64 !== undefined ? FIELD_CONTROL.destination : 0) |
    (hasMinimum ? FIELD_CONTROL.hardwareVersions : 0)
  );
}

function ranged(value: number, bits: number): number {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** bits, `${value} fits ${bits} bits`);
  return value;
}
