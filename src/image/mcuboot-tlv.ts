/**
 * The TLV areas after the body of an MCUboot image: an optional protected one (magic 0x6908), which
 * hash and signature cover, and one that they do not (0x6907). Little-endian; an area's size counts
 * its own head of four bytes, a TLV's length does not count its.
 *
 * Source: mcu-tools/mcuboot, image.h and image_validate.c. Types read as 16 bits, as MCUboot reads
 * them since vendor types exist; older trees read 8 and a pad byte that is zero.
 */
import { hex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, refusal } from './codes.ts';

export const TLV_AREA_MAGIC = { protected: 0x6908, unprotected: 0x6907 } as const;
export const TLV_AREA_HEAD_BYTES = 4;
export const TLV_HEAD_BYTES = 4;

/** Far above any image that was seen (3 in published ones), and a bound on what is allocated. */
const TLVS_MAX = 128;

interface TlvRow {
  type: number;
  title: string;
  /** Lengths that the value can have; absent where any is. */
  bytes?: readonly number[];
  /** Speaks for the image, so that it counts only where hash and signature reach. */
  protectedOnly?: true;
}

export const TLV_TYPES = {
  keyHash: { type: 0x01, title: 'key hash', bytes: [32, 48, 64] },
  publicKey: { type: 0x02, title: 'public key' },
  sha256: { type: 0x10, title: 'SHA-256', bytes: [32] },
  sha384: { type: 0x11, title: 'SHA-384', bytes: [48] },
  sha512: { type: 0x12, title: 'SHA-512', bytes: [64] },
  rsa2048Pss: { type: 0x20, title: 'signature, RSA-2048 PSS', bytes: [256] },
  ecdsa: { type: 0x22, title: 'signature, ECDSA' },
  rsa3072Pss: { type: 0x23, title: 'signature, RSA-3072 PSS', bytes: [384] },
  ed25519: { type: 0x24, title: 'signature, Ed25519', bytes: [64] },
  signaturePure: { type: 0x25, title: 'signature is over the image itself', bytes: [1] },
  encryptedRsa2048: { type: 0x30, title: 'image key, RSA-2048 OAEP' },
  encryptedKeyWrap: { type: 0x31, title: 'image key, AES key wrap' },
  encryptedEc256: { type: 0x32, title: 'image key, ECIES P-256' },
  encryptedX25519: { type: 0x33, title: 'image key, ECIES X25519' },
  encryptedX25519Sha512: { type: 0x34, title: 'image key, ECIES X25519 with SHA-512' },
  dependency: { type: 0x40, title: 'dependency', bytes: [12], protectedOnly: true },
  securityCounter: { type: 0x50, title: 'security counter', bytes: [4], protectedOnly: true },
  bootRecord: { type: 0x60, title: 'boot record', protectedOnly: true },
  decompressedSize: { type: 0x70, title: 'decompressed size', protectedOnly: true },
  decompressedSha: { type: 0x71, title: 'decompressed hash', protectedOnly: true },
  decompressedSignature: { type: 0x72, title: 'decompressed signature', protectedOnly: true },
  compressedDecrypted: { type: 0x73, title: 'decrypted compressed size', protectedOnly: true },
  vendorUuid: { type: 0x74, title: 'vendor UUID', bytes: [16], protectedOnly: true },
  classUuid: { type: 0x75, title: 'class UUID', bytes: [16], protectedOnly: true },
} as const satisfies Record<string, TlvRow>;

export type TlvName = keyof typeof TLV_TYPES;

const NAMES = new Map<number, TlvName>(
  (Object.keys(TLV_TYPES) as TlvName[]).map((name) => [TLV_TYPES[name].type, name]),
);

export interface Tlv {
  type: number;
  /** Absent where the type is not known. */
  name?: TlvName;
  /** A view. */
  value: Uint8Array;
  /** Of the value, in the file. */
  offset: number;
}

export interface TlvArea {
  ok: true;
  tlvs: Tlv[];
  /** Head included. */
  bytes: number;
}

/** Whether an area of this kind begins at `offset`. */
export function isTlvArea(file: Uint8Array, offset: number, magic: number): boolean {
  const reader = new ByteReader(file, offset);
  return reader.u16() === magic && !reader.overrun;
}

/** The area whose magic stands at `offset`. */
export function readTlvArea(file: Uint8Array, offset: number): TlvArea | Refusal {
  const head = new ByteReader(file, offset + 2);
  const areaBytes = head.u16();
  if (head.overrun || areaBytes < TLV_AREA_HEAD_BYTES || offset + areaBytes > file.length) {
    return refusal('tlv-area-truncated', {
      offset,
      expected: `${TLV_AREA_HEAD_BYTES} to ${file.length - offset} bytes`,
      actual: head.overrun ? 'no size' : `${areaBytes} bytes`,
      next: 'fetch the file again; it is incomplete or damaged',
    });
  }
  const end = offset + areaBytes;
  const reader = new ByteReader(file, offset + TLV_AREA_HEAD_BYTES, end);
  const tlvs: Tlv[] = [];
  while (reader.remaining > 0) {
    const at = reader.position;
    if (tlvs.length === TLVS_MAX) {
      return refusal('tlvs-too-many', { offset: at, expected: `at most ${TLVS_MAX}` });
    }
    const type = reader.u16();
    const valueBytes = reader.u16();
    const value = reader.view(valueBytes);
    if (reader.overrun) {
      const room = Math.max(0, end - at - TLV_HEAD_BYTES);
      const expected = `at most ${room} bytes, where its area ends`;
      return refusal('tlv-overrun', { offset: at, expected, actual: `${valueBytes} bytes` });
    }
    const name = NAMES.get(type);
    const wrong = name === undefined ? undefined : checkLength(TLV_TYPES[name], valueBytes, at);
    if (wrong) return wrong;
    tlvs.push({
      type,
      ...(name === undefined ? {} : { name }),
      value,
      offset: at + TLV_HEAD_BYTES,
    });
  }
  return { ok: true, tlvs, bytes: areaBytes };
}

export interface TlvSpec {
  type: TlvName | number;
  value: Uint8Array;
}

export function tlvAreaBytes(tlvs: readonly TlvSpec[]): number {
  return tlvs.reduce((sum, { value }) => sum + TLV_HEAD_BYTES + value.length, TLV_AREA_HEAD_BYTES);
}

export function writeTlvArea(out: ByteWriter, magic: number, tlvs: readonly TlvSpec[]): void {
  const areaBytes = tlvAreaBytes(tlvs);
  assert(areaBytes <= 0xffff, 'a TLV area fits 16 bits');
  out.u16(magic).u16(areaBytes);
  for (const { type, value } of tlvs) {
    const number = typeof type === 'number' ? type : TLV_TYPES[type].type;
    assert(number >= 0 && number <= 0xffff, `type ${number} fits 16 bits`);
    out.u16(number).u16(value.length).raw(value);
  }
}

/** `0x0010 SHA-256`: how people are shown a type. */
export function tlvTitle({ type, name }: Tlv): string {
  return `${hex(type, 4)} ${name === undefined ? 'not known' : TLV_TYPES[name].title}`;
}

export function isProtectedOnly({ name }: Tlv): boolean {
  const row: TlvRow | undefined = name === undefined ? undefined : TLV_TYPES[name];
  return row?.protectedOnly === true;
}

function checkLength(row: TlvRow, valueBytes: number, offset: number): Refusal | undefined {
  if (!row.bytes || row.bytes.includes(valueBytes)) return undefined;
  return refusal('tlv-length', {
    offset,
    expected: `${row.title}: ${row.bytes.join(', ')} bytes`,
    actual: `${valueBytes} bytes`,
  });
}
