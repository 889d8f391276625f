/**
 * MCUboot images: parsed, and built for tests and test firmware.
 *
 *   header   32 bytes, little-endian, padded to the header size that it states
 *   body     what runs, or its cipher text, or its compressed form
 *   TLVs     an optional protected area, then one that is not
 *
 * Sources: mcu-tools/mcuboot, image.h, image_validate.c and design; images of two Zephyr releases.
 * The hash TLV and every signature cover header, padding, body and the protected area with its head,
 * and nothing after that: what an unprotected TLV says is used to find and check the signature, never
 * believed. An image is encrypted after it was hashed, so neither can be checked on cipher text: a
 * fact of its own, neither success nor failure.
 *
 * Invariants: every view shares the file's memory; no size that the header states is used before
 * it is known to fit the file; `bytes` ends where the TLVs end, so padding and trailer of a full
 * slot are never part of what is sent. Not done here: hashing and verifying (trust/).
 */
import { encodeHex, hex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, type Remark, refusal, remark } from './codes.ts';
import { recogniseFormat, refuseFormat } from './file-format.ts';
import type { ImageDigest, ImageSignature, KeyName } from './image-signature.ts';
import {
  isProtectedOnly,
  isTlvArea,
  readTlvArea,
  TLV_AREA_MAGIC,
  type Tlv,
  type TlvName,
  type TlvSpec,
  tlvAreaBytes,
  tlvTitle,
  writeTlvArea,
} from './mcuboot-tlv.ts';
import { type McubootVersion, readMcubootVersion, writeMcubootVersion } from './mcuboot-version.ts';

export const MCUBOOT_MAGIC = 0x96f3b83d;
/** Bytes of the header's fields; the header size is this or more. */
export const MCUBOOT_HEADER_BYTES = 32;

export const MCUBOOT_FLAGS = {
  positionIndependent: 0x01,
  encryptedAes128: 0x04,
  encryptedAes256: 0x08,
  nonBootable: 0x10,
  ramLoad: 0x20,
  romFixed: 0x100,
  compressedLzma1: 0x200,
  compressedLzma2: 0x400,
  compressedArmThumb: 0x800,
} as const;

export type McubootFlag = keyof typeof MCUBOOT_FLAGS;

/** The last 16 bytes of a slot whose image is to be tested, or was (boot_img_magic). */
const SLOT_TRAILER_MAGIC = '77c295f360d2ef7f3552500f2cb67980';

export interface McubootHeader {
  loadAddress: number;
  headerBytes: number;
  protectedTlvBytes: number;
  bodyBytes: number;
  flags: number;
  version: McubootVersion;
  pad: number;
}

export interface McubootDependency {
  /** Number of the image that is depended on. */
  image: number;
  /** The least version of it. */
  version: McubootVersion;
}

export interface McubootImage {
  ok: true;
  header: McubootHeader;
  /** Header to last TLV: what is sent. */
  bytes: Uint8Array;
  /** What stands between the header's fields and the body. */
  padding: Uint8Array;
  body: Uint8Array;
  /** What hash and signatures cover, from the first byte of `bytes`. */
  covered: Uint8Array;
  protectedTlvs: Tlv[];
  tlvs: Tlv[];
  /** What the hash TLV states; absent only where the signature is over the image itself. */
  digest?: ImageDigest;
  signatures: ImageSignature[];
  flags: McubootFlag[];
  isEncrypted: boolean;
  isCompressed: boolean;
  /** Of the protected area only. */
  dependencies: McubootDependency[];
  /** Of the protected area only. */
  securityCounter?: number;
  /** After the TLVs: nothing, or the rest of a slot. */
  trailing: Uint8Array;
  remarks: Remark[];
}

export function parseMcubootImage(file: Uint8Array): McubootImage | Refusal {
  if (recogniseFormat(file) !== 'mcuboot') return refuseFormat(file, 'mcuboot');
  const header = decodeHeader(file);
  if ('ok' in header) return header;
  const areas = readAreas(file, header);
  if (!areas.ok) return areas;
  const { protectedTlvs, tlvs, coveredBytes, imageBytes } = areas;
  const flags = flagsOf(header.flags);
  const isEncrypted = flags.some((flag) => flag.startsWith('encrypted'));
  const contradiction = checkEncryption(header.flags, tlvs);
  if (contradiction) return contradiction;
  const sealed = readSeal(tlvs, coveredBytes);
  if (!sealed.ok) return sealed;
  const trailing = file.subarray(imageBytes);
  const securityCounter = protectedTlvs.find(({ name }) => name === 'securityCounter')?.value;
  return {
    ok: true,
    header,
    bytes: file.subarray(0, imageBytes),
    padding: file.subarray(MCUBOOT_HEADER_BYTES, header.headerBytes),
    body: file.subarray(header.headerBytes, header.headerBytes + header.bodyBytes),
    covered: file.subarray(0, coveredBytes),
    protectedTlvs,
    tlvs,
    ...(sealed.digest ? { digest: sealed.digest } : {}),
    signatures: sealed.signatures,
    flags,
    isEncrypted,
    isCompressed: flags.some((flag) => flag.startsWith('compressed')),
    dependencies: protectedTlvs.filter(({ name }) => name === 'dependency').map(readDependency),
    ...(securityCounter ? { securityCounter: new ByteReader(securityCounter).u32() } : {}),
    trailing,
    remarks: remarksOf(header, protectedTlvs, tlvs, trailing, imageBytes),
  };
}

export interface McubootSpec {
  version: McubootVersion;
  body: Uint8Array;
  loadAddress?: number;
  /** Of `MCUBOOT_FLAGS`, or any others. */
  flags?: number;
  pad?: number;
  /** Between the header's 32 bytes and the body. */
  padding?: Uint8Array;
  protectedTlvs?: readonly TlvSpec[];
  /** The unprotected TLVs, made from what they cover: hash, key hash, signature. */
  seal: (covered: Uint8Array) => readonly TlvSpec[];
}

/** A new image; sizes follow from the parts. Encrypting and compressing are not done. */
export function encodeMcubootImage(spec: McubootSpec): Uint8Array {
  const padding = spec.padding ?? new Uint8Array(0);
  const protectedTlvs = spec.protectedTlvs ?? [];
  const protectedBytes = protectedTlvs.length === 0 ? 0 : tlvAreaBytes(protectedTlvs);
  const headerBytes = MCUBOOT_HEADER_BYTES + padding.length;
  assert(headerBytes <= 0xffff, 'the header size fits 16 bits');
  const covered = new ByteWriter(new Uint8Array(headerBytes + spec.body.length + protectedBytes));
  covered
    .u32(MCUBOOT_MAGIC)
    .u32(spec.loadAddress ?? 0)
    .u16(headerBytes)
    .u16(protectedBytes);
  covered.u32(spec.body.length).u32(spec.flags ?? 0);
  writeMcubootVersion(covered, spec.version);
  covered
    .u32(spec.pad ?? 0)
    .raw(padding)
    .raw(spec.body);
  if (protectedBytes > 0) writeTlvArea(covered, TLV_AREA_MAGIC.protected, protectedTlvs);
  const tlvs = spec.seal(covered.bytes);
  const out = new ByteWriter(new Uint8Array(covered.bytes.length + tlvAreaBytes(tlvs)));
  out.raw(covered.bytes);
  writeTlvArea(out, TLV_AREA_MAGIC.unprotected, tlvs);
  assert(!out.overrun && out.position === out.bytes.length, 'the image fills its size');
  return out.bytes;
}

/** The specification from which `encodeMcubootImage` makes these very bytes again. */
export function mcubootSpecFrom(image: McubootImage): McubootSpec {
  const specOf = ({ type, value }: Tlv): TlvSpec => ({ type, value });
  const { version, loadAddress, flags, pad } = image.header;
  return {
    version,
    loadAddress,
    flags,
    pad,
    padding: image.padding,
    body: image.body,
    protectedTlvs: image.protectedTlvs.map(specOf),
    seal: () => image.tlvs.map(specOf),
  };
}

/** The value of a dependency TLV. */
export function encodeDependency({ image, version }: McubootDependency): Uint8Array {
  const out = new ByteWriter(new Uint8Array(12));
  writeMcubootVersion(out.u8(image).fill(0, 3), version);
  return out.bytes;
}

function decodeHeader(file: Uint8Array): McubootHeader | Refusal {
  if (file.length < MCUBOOT_HEADER_BYTES) {
    return refusal('mcuboot-truncated', {
      offset: 0,
      expected: `at least ${MCUBOOT_HEADER_BYTES} bytes`,
      actual: `${file.length} bytes`,
      next: 'fetch the file again; it is incomplete',
    });
  }
  const reader = new ByteReader(file, 4);
  const header: McubootHeader = {
    loadAddress: reader.u32(),
    headerBytes: reader.u16(),
    protectedTlvBytes: reader.u16(),
    bodyBytes: reader.u32(),
    flags: reader.u32(),
    version: readMcubootVersion(reader),
    pad: reader.u32(),
  };
  const { headerBytes, bodyBytes } = header;
  if (headerBytes < MCUBOOT_HEADER_BYTES || headerBytes > file.length) {
    return refusal('mcuboot-header-size', {
      offset: 8,
      expected: `${MCUBOOT_HEADER_BYTES} to ${file.length} bytes`,
      actual: `${headerBytes} bytes`,
    });
  }
  if (bodyBytes === 0) return refusal('mcuboot-body-empty', { offset: 12 });
  if (headerBytes + bodyBytes > file.length) {
    return refusal('mcuboot-body-truncated', {
      offset: 12,
      expected: `a body of ${bodyBytes} bytes, as the header says`,
      actual: `${file.length - headerBytes} bytes after the header`,
      next: 'fetch the file again; it is incomplete, or its header was damaged',
    });
  }
  return header;
}

interface Areas {
  ok: true;
  protectedTlvs: Tlv[];
  tlvs: Tlv[];
  coveredBytes: number;
  imageBytes: number;
}

function readAreas(file: Uint8Array, header: McubootHeader): Areas | Refusal {
  const bodyEnd = header.headerBytes + header.bodyBytes;
  let protectedTlvs: Tlv[] = [];
  if (header.protectedTlvBytes > 0 || isTlvArea(file, bodyEnd, TLV_AREA_MAGIC.protected)) {
    if (!isTlvArea(file, bodyEnd, TLV_AREA_MAGIC.protected)) {
      return missingArea(file, bodyEnd, TLV_AREA_MAGIC.protected);
    }
    const area = readTlvArea(file, bodyEnd);
    if (!area.ok) return area;
    if (area.bytes !== header.protectedTlvBytes) {
      return refusal('tlv-protected-size', {
        offset: bodyEnd,
        expected: `${header.protectedTlvBytes} bytes, as the header says`,
        actual: `${area.bytes} bytes`,
      });
    }
    protectedTlvs = area.tlvs;
  }
  const coveredBytes = bodyEnd + header.protectedTlvBytes;
  if (!isTlvArea(file, coveredBytes, TLV_AREA_MAGIC.unprotected)) {
    return missingArea(file, coveredBytes, TLV_AREA_MAGIC.unprotected);
  }
  const area = readTlvArea(file, coveredBytes);
  if (!area.ok) return area;
  const imageBytes = coveredBytes + area.bytes;
  return { ok: true, protectedTlvs, tlvs: area.tlvs, coveredBytes, imageBytes };
}

function missingArea(file: Uint8Array, offset: number, magic: number): Refusal {
  const reader = new ByteReader(file, offset);
  const found = reader.u16();
  return refusal('tlv-area-missing', {
    offset,
    expected: hex(magic, 4),
    actual: reader.overrun ? 'the end of the file' : hex(found, 4),
    next: 'check that this is the signed image, and that all of it is there',
  });
}

/** Exactly one kind of key, and TLVs that wrap it: without this, one bit would make a damaged image "not verifiable". */
function checkEncryption(flags: number, tlvs: readonly Tlv[]): Refusal | undefined {
  const is128 = (flags & MCUBOOT_FLAGS.encryptedAes128) !== 0;
  const is256 = (flags & MCUBOOT_FLAGS.encryptedAes256) !== 0;
  const wrapped = tlvs.filter(({ name }) => name?.startsWith('encrypted')).length;
  const flagged = Number(is128) + Number(is256);
  if (flagged === 0 ? wrapped === 0 : flagged === 1 && wrapped > 0) return undefined;
  return refusal('mcuboot-encryption-contradiction', {
    offset: 16,
    expected: 'one of the flags and a wrapped key, or neither',
    actual: `flags ${hex(flags, 8)}, ${wrapped} wrapped keys`,
  });
}

interface Seal {
  ok: true;
  digest?: ImageDigest;
  signatures: ImageSignature[];
}

const DIGESTS: readonly TlvName[] = ['sha256', 'sha384', 'sha512'];

/** Hash, and each signature with the key that is named before it: a key's name serves one signature. */
function readSeal(tlvs: readonly Tlv[], areaOffset: number): Seal | Refusal {
  const digests = tlvs.filter(({ name }) => name && DIGESTS.includes(name));
  if (digests.length > 1) return refusal('hash-ambiguous', { offset: digests[1]!.offset });
  const isPure = tlvs.some(({ name, value }) => name === 'signaturePure' && value[0] === 1);
  if (digests.length === 0 && !isPure) {
    return refusal('hash-missing', {
      offset: areaOffset,
      expected: 'TLV 0x0010, 0x0011 or 0x0012',
    });
  }
  const signatures: ImageSignature[] = [];
  let key: KeyName | undefined;
  for (const { name, value, offset } of tlvs) {
    if (name === 'keyHash') key = { by: 'hash', value, offset };
    if (name === 'publicKey') key = { by: 'public-key', value, offset };
    const scheme = schemeOf(name, isPure);
    if (!scheme) continue;
    signatures.push({ scheme, value, offset, ...(key ? { key } : {}) });
    key = undefined;
  }
  const [found] = digests;
  if (!found) return { ok: true, signatures };
  const algorithm = found.name as ImageDigest['algorithm'];
  return { ok: true, digest: { algorithm, value: found.value, offset: found.offset }, signatures };
}

function schemeOf(
  name: TlvName | undefined,
  isPure: boolean,
): ImageSignature['scheme'] | undefined {
  switch (name) {
    case 'rsa2048Pss':
      return 'rsa-2048-pss';
    case 'rsa3072Pss':
      return 'rsa-3072-pss';
    case 'ecdsa':
      return 'ecdsa-p256-der';
    case 'ed25519':
      return isPure ? 'ed25519-pure' : 'ed25519-digest';
    default:
      return undefined;
  }
}

function flagsOf(flags: number): McubootFlag[] {
  const names = Object.keys(MCUBOOT_FLAGS) as McubootFlag[];
  return names.filter((name) => (flags & MCUBOOT_FLAGS[name]) !== 0);
}

function readDependency({ value }: Tlv): McubootDependency {
  const reader = new ByteReader(value);
  const image = reader.u8();
  reader.skip(3);
  return { image, version: readMcubootVersion(reader) };
}

const SEAL_NAMES: readonly TlvName[] = [
  ...DIGESTS,
  'keyHash',
  'publicKey',
  'rsa2048Pss',
  'rsa3072Pss',
  'ecdsa',
  'ed25519',
  'signaturePure',
];

function remarksOf(
  header: McubootHeader,
  protectedTlvs: readonly Tlv[],
  tlvs: readonly Tlv[],
  trailing: Uint8Array,
  imageBytes: number,
): Remark[] {
  const remarks: Remark[] = [];
  const known = Object.values(MCUBOOT_FLAGS).reduce<number>((sum, flag) => sum | flag, 0);
  if ((header.flags & ~known) !== 0) {
    remarks.push(remark('mcuboot-flags-unknown', `They are ${hex(header.flags, 8)}.`, 16));
  }
  if (header.pad !== 0) remarks.push(remark('mcuboot-pad-used', `${hex(header.pad, 8)}.`, 28));
  for (const tlv of protectedTlvs) {
    if (tlv.name === undefined) remarks.push(remark('tlv-unknown', tlvTitle(tlv), tlv.offset));
    else if (SEAL_NAMES.includes(tlv.name)) {
      remarks.push(remark('tlv-misplaced', tlvTitle(tlv), tlv.offset));
    }
  }
  for (const tlv of tlvs) {
    const where = `${tlvTitle(tlv)}, unprotected`;
    if (tlv.name === undefined) remarks.push(remark('tlv-unknown', where, tlv.offset));
    else if (isProtectedOnly(tlv)) remarks.push(remark('tlv-unprotected', where, tlv.offset));
  }
  if (trailing.length === 0) return remarks;
  remarks.push(remark('trailing-bytes', `${trailing.length} bytes.`, imageBytes));
  const last = trailing.subarray(-SLOT_TRAILER_MAGIC.length / 2);
  if (encodeHex(last) === SLOT_TRAILER_MAGIC) remarks.push(remark('slot-trailer'));
  return remarks;
}
