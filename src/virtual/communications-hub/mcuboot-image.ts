/**
 * What a bootloader reads of an MCUboot image (design of mcu-tools/mcuboot, image format): header,
 * body, then areas of type-length-value entries, the protected one covered by the hash. Written
 * apart from the gateway's reader, so that each checks the other. All integers are little-endian.
 */
import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ByteReader } from '../../bytes/reader.ts';

const HEADER_MAGIC = 0x96f3b83d;
export const HEADER_BYTES = 32;
const AREA_HEAD_BYTES = 4;
const PROTECTED_AREA = 0x6908;
const PLAIN_AREA = 0x6907;
/** Header flag: no code to boot. */
const FLAG_NOT_BOOTABLE = 0x10;

const TLV = {
  sha256: 0x10,
  rsa2048: 0x20,
  ecdsa: 0x22,
  rsa3072: 0x23,
  ed25519: 0x24,
  signsMessage: 0x25,
} as const;

const PSS_SALT_BYTES = 32;

export interface ImageVersion {
  major: number;
  minor: number;
  revision: number;
  build: number;
}

export interface McubootImage {
  version: ImageVersion;
  bootable: boolean;
  /** From the header to the end of the last entry. */
  totalBytes: number;
  /** What hash and signature cover. */
  coveredBytes: number;
  /** The SHA-256 entry: the name that SMP calls the image by. */
  hash: Uint8Array;
  entries: readonly { type: number; value: Uint8Array }[];
}

export const IMAGE_FAULTS = {
  'no-header': 'There is no image header.',
  'too-large': 'The image states a size beyond its slot.',
  'tlvs-broken': 'The entries after the body are not whole.',
  'no-hash': 'There is no SHA-256 entry, or more than one.',
  'hash-wrong': 'The image does not have the hash that its entry states.',
  'not-signed': 'There is no signature that the key could have made.',
  'signature-wrong': 'The signature does not verify.',
} as const;
export type ImageFault = keyof typeof IMAGE_FAULTS;

export type ReadImage = { ok: true; image: McubootImage } | { ok: false; fault: ImageFault };

/** Reads bytes of the image; `end` never exceeds the limit given. */
export type ReadBytes = (start: number, end: number) => Uint8Array;

/** Structure only, as the running application lists images: the body is not looked at. */
export function readMcubootImage(read: ReadBytes, limitBytes: number): ReadImage {
  if (limitBytes < HEADER_BYTES) return { ok: false, fault: 'too-large' };
  const header = new ByteReader(read(0, HEADER_BYTES));
  if (header.u32() !== HEADER_MAGIC) return { ok: false, fault: 'no-header' };
  header.skip(4);
  const headerBytes = header.u16();
  const protectedBytes = header.u16();
  const bodyBytes = header.u32();
  const flags = header.u32();
  const [major, minor, revision, build] = [header.u8(), header.u8(), header.u16(), header.u32()];
  const bodyEnd = headerBytes + bodyBytes;
  const coveredBytes = bodyEnd + protectedBytes;
  if (coveredBytes + AREA_HEAD_BYTES > limitBytes) return { ok: false, fault: 'too-large' };
  const entries: { type: number; value: Uint8Array }[] = [];
  if (protectedBytes > 0) {
    const end = readArea(read, bodyEnd, limitBytes, PROTECTED_AREA, entries);
    if (end !== coveredBytes) return { ok: false, fault: 'tlvs-broken' };
  }
  const totalBytes = readArea(read, coveredBytes, limitBytes, PLAIN_AREA, entries);
  if (totalBytes === undefined) return { ok: false, fault: 'tlvs-broken' };
  const hashes = entries.filter((entry) => entry.type === TLV.sha256);
  if (hashes.length !== 1 || hashes[0]!.value.length !== 32) return { ok: false, fault: 'no-hash' };
  const version = { major, minor, revision, build };
  const bootable = (flags & FLAG_NOT_BOOTABLE) === 0;
  const hash = hashes[0]!.value;
  return { ok: true, image: { version, bootable, totalBytes, coveredBytes, hash, entries } };
}

/** Where the area ends; `undefined` where it is broken. */
function readArea(
  read: ReadBytes,
  start: number,
  limitBytes: number,
  magic: number,
  entries: { type: number; value: Uint8Array }[],
): number | undefined {
  const head = new ByteReader(read(start, start + AREA_HEAD_BYTES));
  const [stated, totalBytes] = [head.u16(), head.u16()];
  const end = start + totalBytes;
  if (stated !== magic || totalBytes < AREA_HEAD_BYTES || end > limitBytes) return undefined;
  const area = new ByteReader(read(start + AREA_HEAD_BYTES, end));
  while (area.remaining > 0) {
    const type = area.u16();
    entries.push({ type, value: area.view(area.u16()) });
  }
  return area.overrun ? undefined : end;
}

/** What MCUboot checks before it boots or swaps: the hash, and the signature where it has a key. */
export function checkMcubootImage(
  image: McubootImage,
  read: ReadBytes,
  key: KeyObject | undefined,
): ImageFault | undefined {
  const covered = read(0, image.coveredBytes);
  const digest = createHash('sha256').update(covered).digest();
  if (!digest.equals(image.hash)) return 'hash-wrong';
  return key === undefined ? undefined : checkSignature(image, covered, digest, key);
}

function checkSignature(
  image: McubootImage,
  covered: Uint8Array,
  digest: Uint8Array,
  key: KeyObject,
): ImageFault | undefined {
  const entryOf = (type: number) => image.entries.find((entry) => entry.type === type)?.value;
  let signature: Uint8Array | undefined;
  let genuine = false;
  if (key.asymmetricKeyType === 'ec') {
    signature = entryOf(TLV.ecdsa);
    genuine = signature !== undefined && verifyWith(key, 'sha256', covered, signature);
  } else if (key.asymmetricKeyType === 'rsa') {
    signature = entryOf(TLV.rsa2048) ?? entryOf(TLV.rsa3072);
    genuine = signature !== undefined && verifyWith(key, 'sha256', covered, signature);
  } else if (key.asymmetricKeyType === 'ed25519') {
    signature = entryOf(TLV.ed25519);
    const signed = entryOf(TLV.signsMessage) === undefined ? digest : covered;
    genuine = signature !== undefined && verifyWith(key, null, signed, signature);
  }
  if (signature === undefined) return 'not-signed';
  return genuine ? undefined : 'signature-wrong';
}

function verifyWith(
  key: KeyObject,
  algorithm: string | null,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_BYTES };
  const isRsa = key.asymmetricKeyType === 'rsa';
  try {
    return verify(algorithm, message, { key, ...(isRsa && padding) }, signature);
  } catch {
    return false;
  }
}

/** PEM to key; a rig that names a file that is no key is told at once. */
export function readSignatureKey(pem: string | undefined): KeyObject | undefined {
  return pem === undefined ? undefined : createPublicKey(pem);
}

/** As the list of images writes it: the build number only where there is one. */
export function imageVersionText({ major, minor, revision, build }: ImageVersion): string {
  return `${major}.${minor}.${revision}${build > 0 ? `.${build}` : ''}`;
}

/** Negative where `left` is older. The build number does not count, as MCUboot is built. */
export function compareImageVersions(left: ImageVersion, right: ImageVersion): number {
  return left.major - right.major || left.minor - right.minor || left.revision - right.revision;
}
