/**
 * The image of a Communications Hub, whatever its format: what admission and a session need to know
 * of it. MCUboot, GBL and EBL each have their own parser; this is the view they share.
 *
 * Invariants: `sendBytes` is exactly what is sent, a view of the file that was checked; what follows
 * it in the file is never sent. What a format does not say is absent, never a default.
 */
import { encodeHex, hex } from '../bytes/hex.ts';
import { assert } from '../errors.ts';
import type { Refusal, Remark } from './codes.ts';
import { type EblImage, parseEblImage } from './ebl.ts';
import type { ImageFormat } from './file-format.ts';
import { type GblImage, parseGblImage } from './gbl.ts';
import type { ImageDigest, ImageSignature } from './image-signature.ts';
import { type McubootImage, parseMcubootImage } from './mcuboot.ts';
import { type McubootVersion, mcubootVersionText, parseMcubootVersion } from './mcuboot-version.ts';

export type HubImageProfile = Exclude<ImageFormat, 'zigbee-ota'>;

export interface HubImageVersion {
  /** As its own tools write it: `1.2.3+4`, `0x00010006`. */
  text: string;
  /**
   * Most significant first. MCUboot's build number is the last: MCUboot itself compares it only where
   * it was built to.
   */
  parts: readonly number[];
  /**
   * Eight hexadecimal digits, as a list writes a firmware version. No source says how a hub's
   * version is listed: major, minor and revision in four octets, the build left out, is assumed.
   */
  listText: string;
}

interface HubImageCommon {
  ok: true;
  sendBytes: Uint8Array;
  /** Of the file, after what is sent: padding, the rest of a slot. */
  outsideBytes: number;
  /** Absent where the format or its encryption hides it. */
  version?: HubImageVersion;
  /** What digest and signatures cover: a view that begins where the file does. */
  covered: Uint8Array;
  /** What the image states as its own digest; GBL and EBL have a CRC instead, already checked. */
  digest?: ImageDigest;
  /**
   * The digest as lower-case digits: by this the hub names the image when it lists its slots, and it
   * is not the hash of the file.
   */
  imageHash?: string;
  signatures: readonly ImageSignature[];
  /** Where digest and signatures are over plain text that cannot be seen. */
  isSealedUnderEncryption: boolean;
  isEncrypted: boolean;
  remarks: readonly Remark[];
}

export type HubImage = HubImageCommon &
  (
    | { profile: 'mcuboot'; details: McubootImage }
    | { profile: 'gbl'; details: GblImage }
    | { profile: 'ebl'; details: EblImage }
  );

const READERS: Readonly<Record<HubImageProfile, (file: Uint8Array) => HubImage | Refusal>> = {
  mcuboot: (file) => {
    const image = parseMcubootImage(file);
    return image.ok ? mcubootView(file, image) : image;
  },
  gbl: (file) => {
    const image = parseGblImage(file);
    return image.ok ? gblView(file, image) : image;
  },
  ebl: (file) => {
    const image = parseEblImage(file);
    return image.ok ? eblView(file, image) : image;
  },
};

export const HUB_IMAGE_PROFILES = Object.keys(READERS) as readonly HubImageProfile[];

export function isHubImageProfile(text: string): text is HubImageProfile {
  return Object.hasOwn(READERS, text);
}

/** The image in `file`, which has to be of this format from its first byte. */
export function readHubImage(file: Uint8Array, profile: HubImageProfile): HubImage | Refusal {
  return READERS[profile](file);
}

/** Below 0, 0 or above 0: `a` is older than `b`, the same, or newer. Both of one profile. */
export function compareHubVersions(
  a: Pick<HubImageVersion, 'parts'>,
  b: Pick<HubImageVersion, 'parts'>,
): number {
  assert(a.parts.length === b.parts.length, 'versions of one profile have as many parts');
  const at = a.parts.findIndex((part, i) => part !== b.parts[i]);
  return at < 0 ? 0 : a.parts[at]! - b.parts[at]!;
}

export function hubVersionOf(version: McubootVersion): HubImageVersion {
  const { major, minor, revision, build } = version;
  const listed = major * 2 ** 24 + minor * 2 ** 16 + revision;
  const parts = [major, minor, revision, build];
  return { text: mcubootVersionText(version), parts, listText: hex(listed, 8).slice(2) };
}

/**
 * A version as a hub of this profile states it, or a person who read it there. A number with leading
 * zeros is none: as a list writes it, it is hexadecimal, and elsewhere decimal.
 */
export function parseHubVersion(
  profile: HubImageProfile,
  text: string,
): HubImageVersion | undefined {
  switch (profile) {
    case 'mcuboot': {
      const version = parseMcubootVersion(text);
      return version && hubVersionOf(version);
    }
    case 'gbl': {
      const value = /^(0x[0-9a-f]{1,8}|0|[1-9]\d{0,9})$/i.test(text) ? Number(text) : Number.NaN;
      return value <= 0xffff_ffff ? gblVersionOf(value) : undefined;
    }
    case 'ebl':
      return undefined;
  }
}

function gblVersionOf(value: number): HubImageVersion {
  const text = hex(value, 8);
  return { text, parts: [value], listText: text.slice(2) };
}

function mcubootView(file: Uint8Array, image: McubootImage): HubImage {
  const { bytes, covered, digest, signatures, isEncrypted, remarks } = image;
  return {
    ok: true,
    profile: 'mcuboot',
    details: image,
    sendBytes: bytes,
    outsideBytes: file.length - bytes.length,
    version: hubVersionOf(image.header.version),
    covered,
    ...(digest ? { digest, imageHash: encodeHex(digest.value) } : {}),
    signatures,
    isSealedUnderEncryption: isEncrypted,
    isEncrypted,
    remarks,
  };
}

function gblView(file: Uint8Array, image: GblImage): HubImage {
  const { bytes, covered, signature, isEncrypted, appInfo } = image;
  return {
    ok: true,
    profile: 'gbl',
    details: image,
    sendBytes: bytes,
    outsideBytes: file.length - bytes.length,
    ...(appInfo ? { version: gblVersionOf(appInfo.version) } : {}),
    covered,
    signatures: signature ? [signature] : [],
    isSealedUnderEncryption: false,
    isEncrypted,
    remarks: [],
  };
}

function eblView(file: Uint8Array, image: EblImage): HubImage {
  return {
    ok: true,
    profile: 'ebl',
    details: image,
    sendBytes: image.bytes,
    outsideBytes: file.length - image.bytes.length,
    covered: image.bytes,
    signatures: [],
    isSealedUnderEncryption: false,
    isEncrypted: false,
    remarks: image.remarks,
  };
}
