/**
 * GBL, the upgrade file of the Gecko bootloader, version 3: parsed, and built for tests and test
 * firmware.
 *
 * Tags of a 32-bit id and a 32-bit length, little-endian; lengths need not be multiples of four.
 * Sources: Silicon Labs' Gecko bootloader as published in source; 500 files cut out of ZigBee OTA
 * files. The signature (ECDSA P-256, r then s, big-endian) is over every byte before the head of its
 * own tag; of an encrypted file that is the cipher text, so the signature can be checked without the
 * key. What an encrypted file holds, its version included, cannot be seen.
 *
 * Not done here: hashing and verifying (trust/). A certificate is reported and not followed: the
 * layout of its chain was not checked against any file.
 */
import { hex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, refusal } from './codes.ts';
import { recogniseFormat, refuseFormat } from './file-format.ts';
import { encodeTags, readTags, type Tag, type TagFormat, type TagSpec } from './gecko-tags.ts';
import type { ImageSignature } from './image-signature.ts';

/** The only version there is; the bootloader refuses others. */
export const GBL_VERSION = 0x03000000;
/** Bits of the type in the header. */
export const GBL_TYPE = { encrypted: 0x001, signed: 0x100 } as const;
const GBL_TYPE_KNOWN = 0x101;
/** r and s. */
export const GBL_SIGNATURE_BYTES = 64;
/** Padding after END. */
const PADDING_BYTES_MAX = 3;

const PROGRAM = { rank: 6, repeats: true, bytesMin: 5 } as const;

/** In the bootloader's order. The ids as read little-endian. */
export const GBL_TAGS = {
  header: { id: 0x03a617eb, title: 'header', rank: 0, bytesMin: 8, bytesMax: 8 },
  versionDependency: { id: 0x76a617eb, title: 'version dependency', rank: 1, bytesMin: 1 },
  seUpgrade: { id: 0x5ea617eb, title: 'secure element upgrade', rank: 2, bytesMin: 1 },
  encryptionInit: { id: 0xfa0606fa, title: 'encryption init', rank: 3, bytesMin: 16, bytesMax: 16 },
  appInfo: { id: 0xf40a0af4, title: 'application info', rank: 4, bytesMin: 28, bytesMax: 28 },
  bootloader: { id: 0xf50909f5, title: 'bootloader upgrade', rank: 5, bytesMin: 9 },
  program: { id: 0xfe0101fe, title: 'program', ...PROGRAM },
  eraseProgram: { id: 0xfd0303fd, title: 'erase and program', ...PROGRAM },
  programLz4: { id: 0xfd0505fd, title: 'program, LZ4', ...PROGRAM },
  programLzma: { id: 0xfd0707fd, title: 'program, LZMA', ...PROGRAM },
  metadata: { id: 0xf60808f6, title: 'metadata', rank: 6, repeats: true, bytesMin: 0 },
  encryptedData: { id: 0xf90707f9, title: 'encrypted data', rank: 7, repeats: true, bytesMin: 1 },
  certificate: { id: 0xf30b0bf3, title: 'certificate', rank: 8, bytesMin: 1 },
  signature: { id: 0xf70a0af7, title: 'signature', rank: 9, bytesMin: 64, bytesMax: 64 },
  end: { id: 0xfc0404fc, title: 'end', rank: 10, bytesMin: 4, bytesMax: 4 },
} as const;

export type GblTagName = Exclude<keyof typeof GBL_TAGS, 'header' | 'end'>;

export const GBL_FORMAT: TagFormat<GblTagName> = {
  headBytes: 8,
  order: 'little',
  kinds: GBL_TAGS,
  paddingBytesMax: PADDING_BYTES_MAX,
};

export interface GblAppInfo {
  type: number;
  version: number;
  capabilities: number;
  /** 16 bytes: a view. */
  productId: Uint8Array;
}

/** What a tag writes to flash, as far as it is in clear. */
export interface GblProgram {
  name: 'program' | 'eraseProgram' | 'programLz4' | 'programLzma';
  address: number;
  data: Uint8Array;
}

export interface GblImage {
  ok: true;
  tags: Tag<GblTagName>[];
  /** Header to END: what is sent. The bootloader refuses a block after the one that holds END. */
  bytes: Uint8Array;
  padding: Uint8Array;
  type: number;
  isEncrypted: boolean;
  /** In clear only. */
  appInfo?: GblAppInfo;
  programs: GblProgram[];
  /** A bootloader that comes with it; installed only if newer. */
  bootloader?: { version: number; address: number; data: Uint8Array };
  /** Text or bytes of the maker's own, as they stand. */
  metadata: Uint8Array[];
  hasSeUpgrade: boolean;
  hasCertificate: boolean;
  signature?: ImageSignature;
  /** Every byte before the signature tag's head; of an unsigned file, before END's. */
  covered: Uint8Array;
}

export function parseGblImage(file: Uint8Array): GblImage | Refusal {
  if (recogniseFormat(file) !== 'gbl') return refuseFormat(file, 'gbl');
  const read = readTags(file, GBL_FORMAT);
  if (!read.ok) return read;
  const { tags, bytes, padding } = read;
  const header = new ByteReader(tags[0]!.value);
  const version = header.u32();
  const type = header.u32();
  const wrong = checkVersion(version) ?? checkType(type, tags);
  if (wrong) return wrong;
  const find = (name: GblTagName) => tags.find((tag) => tag.name === name);
  const appInfo = find('appInfo');
  const bootloader = find('bootloader');
  const signature = find('signature');
  return {
    ok: true,
    tags,
    bytes,
    padding,
    type,
    isEncrypted: (type & GBL_TYPE.encrypted) !== 0,
    ...(appInfo ? { appInfo: readAppInfo(appInfo.value) } : {}),
    programs: tags.flatMap(readProgram),
    ...(bootloader ? { bootloader: readBootloader(bootloader.value) } : {}),
    metadata: tags.filter(({ name }) => name === 'metadata').map(({ value }) => value),
    hasSeUpgrade: find('seUpgrade') !== undefined,
    hasCertificate: find('certificate') !== undefined,
    ...(signature ? { signature: signatureOf(signature) } : {}),
    covered: file.subarray(0, (signature ?? tags.at(-1)!).offset),
  };
}

export interface GblSpec {
  isEncrypted?: boolean;
  /** Between header and signature, in the bootloader's order. */
  tags: readonly TagSpec<GblTagName>[];
  /** r and s over the bytes it is given; without it the image is unsigned. */
  sign?: (covered: Uint8Array) => Uint8Array;
  paddingBytes?: number;
}

/** A new image. Encrypting is not done: encrypted tags are taken as they are given. */
export function encodeGblImage(spec: GblSpec): Uint8Array {
  const { tags, sign, isEncrypted = false, paddingBytes = 0 } = spec;
  assert(paddingBytes <= PADDING_BYTES_MAX, 'at most three bytes of padding');
  const type = (isEncrypted ? GBL_TYPE.encrypted : 0) | (sign ? GBL_TYPE.signed : 0);
  const header = new ByteWriter(new Uint8Array(8)).u32(GBL_VERSION).u32(type).bytes;
  return encodeTags<GblTagName>(
    GBL_FORMAT,
    [{ name: 'header', value: header }, ...tags],
    (covered) => (sign ? [{ name: 'signature', value: sign(covered) }] : []),
    () => paddingBytes,
  );
}

/** The specification from which `encodeGblImage` makes these very bytes again. */
export function gblSpecFrom(image: GblImage): GblSpec {
  const { tags, isEncrypted, padding, signature } = image;
  return {
    isEncrypted,
    tags: tags.filter((tag): tag is Tag<GblTagName> & { name: GblTagName } => {
      return tag.name !== 'header' && tag.name !== 'end' && tag.name !== 'signature';
    }),
    ...(signature ? { sign: () => signature.value } : {}),
    paddingBytes: padding.length,
  };
}

/** The value of an application info tag. */
export function encodeGblAppInfo(info: GblAppInfo): Uint8Array {
  assert(info.productId.length === 16, 'a product id has 16 bytes');
  const out = new ByteWriter(new Uint8Array(28));
  return out.u32(info.type).u32(info.version).u32(info.capabilities).raw(info.productId).bytes;
}

/** The value of a program tag. */
export function encodeGblProgram(address: number, data: Uint8Array): Uint8Array {
  return new ByteWriter(new Uint8Array(4 + data.length)).u32(address).raw(data).bytes;
}

function checkVersion(version: number): Refusal | undefined {
  if (version === GBL_VERSION) return undefined;
  const detail = { expected: hex(GBL_VERSION, 8), actual: hex(version, 8) };
  return refusal('gbl-version', { offset: 8, ...detail });
}

/** The type in the header says which tags are there; neither is believed alone. */
function checkType(type: number, tags: readonly Tag<GblTagName>[]): Refusal | undefined {
  if ((type & ~GBL_TYPE_KNOWN) !== 0) {
    return refusal('gbl-type', {
      offset: 12,
      expected: 'bits of 0x00000101',
      actual: hex(type, 8),
    });
  }
  const has = (...names: GblTagName[]) => tags.some(({ name }) => names.includes(name as never));
  const isEncrypted = (type & GBL_TYPE.encrypted) !== 0;
  const isSigned = (type & GBL_TYPE.signed) !== 0;
  const agrees =
    isEncrypted === has('encryptionInit') &&
    isEncrypted === has('encryptedData') &&
    isSigned === has('signature');
  if (!agrees) {
    return refusal('gbl-type-contradiction', {
      offset: 12,
      expected: `${isEncrypted ? 'encrypted' : 'plain'} and ${isSigned ? 'signed' : 'unsigned'}`,
      actual: tags.map(({ title }) => title).join(', '),
    });
  }
  if (has('seUpgrade', 'bootloader', 'encryptedData')) return undefined;
  if (has('program', 'eraseProgram', 'programLz4', 'programLzma')) return undefined;
  return refusal('payload-missing', { offset: 0 });
}

function readAppInfo(value: Uint8Array): GblAppInfo {
  const reader = new ByteReader(value);
  return {
    type: reader.u32(),
    version: reader.u32(),
    capabilities: reader.u32(),
    productId: reader.view(16),
  };
}

function readProgram({ name, value }: Tag<GblTagName>): GblProgram[] {
  switch (name) {
    case 'program':
    case 'eraseProgram':
    case 'programLz4':
    case 'programLzma':
      return [{ name, address: new ByteReader(value).u32(), data: value.subarray(4) }];
    default:
      return [];
  }
}

function readBootloader(value: Uint8Array): NonNullable<GblImage['bootloader']> {
  const reader = new ByteReader(value);
  return { version: reader.u32(), address: reader.u32(), data: value.subarray(8) };
}

function signatureOf({ value, offset }: Tag<GblTagName>): ImageSignature {
  return { scheme: 'ecdsa-p256-raw', value, offset: offset + GBL_FORMAT.headBytes };
}
