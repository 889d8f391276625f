/**
 * Naive builders of MCUboot, GBL and EBL images as oracle: plain arrays of numbers, written from the
 * layout tables alone, sharing no line with the product. The CRC-32 is bit by bit.
 */
import { le } from './naive-ota.ts';

export interface NaiveMcuboot {
  load?: number;
  headerBytes?: number;
  protectedBytes?: number;
  bodyBytes?: number;
  flags?: number;
  version?: [number, number, number, number];
  pad?: number;
  body?: number[];
  protectedTlvs?: [number, number[]][];
  tlvs?: [number, number[]][];
  trailing?: number[];
}

/** Header, padding, body and the protected area: what the hash covers. */
export function naiveMcubootCovered(image: NaiveMcuboot): number[] {
  const body = image.body ?? [1, 2, 3, 4];
  const headerBytes = image.headerBytes ?? 32;
  const area = image.protectedTlvs ? naiveArea(0x6908, image.protectedTlvs) : [];
  const [major, minor, revision, build] = image.version ?? [1, 2, 3, 0];
  const header = [
    ...[0x3d, 0xb8, 0xf3, 0x96],
    ...le(image.load ?? 0, 4),
    ...le(headerBytes, 2),
    ...le(image.protectedBytes ?? area.length, 2),
    ...le(image.bodyBytes ?? body.length, 4),
    ...le(image.flags ?? 0, 4),
    major,
    minor,
    ...le(revision, 2),
    ...le(build, 4),
    ...le(image.pad ?? 0, 4),
  ];
  while (header.length < headerBytes) header.push(0);
  return [...header, ...body, ...area];
}

export function naiveMcuboot(image: NaiveMcuboot): Uint8Array {
  const tlvs = naiveArea(0x6907, image.tlvs ?? []);
  return Uint8Array.from([...naiveMcubootCovered(image), ...tlvs, ...(image.trailing ?? [])]);
}

export function naiveArea(magic: number, tlvs: [number, number[]][]): number[] {
  const entries = tlvs.flatMap(([type, value]) => [
    ...le(type, 2),
    ...le(value.length, 2),
    ...value,
  ]);
  return [...le(magic, 2), ...le(4 + entries.length, 2), ...entries];
}

/** Tags of a GBL as [id as read little-endian, value]; END follows by itself. */
export function naiveGbl(tags: [number, number[]][], after: number[] = []): Uint8Array {
  const bytes = tags.flatMap(([id, value]) => [...le(id, 4), ...le(value.length, 4), ...value]);
  bytes.push(...le(0xfc0404fc, 4), ...le(4, 4));
  return Uint8Array.from([...bytes, ...le(naiveCrc32(bytes), 4), ...after]);
}

export function naiveGblHeader(type: number, version = 0x03000000): [number, number[]] {
  return [0x03a617eb, [...le(version, 4), ...le(type, 4)]];
}

/** Tags of an EBL as [id, value]; END and padding to 64 follow. */
export function naiveEbl(tags: [number, number[]][], padding?: number): Uint8Array {
  const be = (value: number) => [value >>> 8, value & 0xff];
  const bytes = tags.flatMap(([id, value]) => [...be(id), ...be(value.length), ...value]);
  bytes.push(...be(0xfc04), ...be(4));
  bytes.push(...le(naiveCrc32(bytes), 4));
  const target = padding === undefined ? Math.ceil(bytes.length / 64) * 64 : bytes.length + padding;
  while (bytes.length < target) bytes.push(0xff);
  return Uint8Array.from(bytes);
}

export function naiveEblHeader(signature = 0xe350): [number, number[]] {
  const table = Array.from({ length: 128 }, (_, i) => i);
  const address = [0x08, 0x00, 0x40, 0x00];
  return [0, [0x02, 0x02, signature >>> 8, signature & 0xff, ...address, 1, 2, 3, 4, ...table]];
}

export function naiveCrc32(bytes: readonly number[]): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
