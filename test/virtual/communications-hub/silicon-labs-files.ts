/** GBL and EBL files and XMODEM blocks, written out by hand. */
import { type KeyObject, sign } from 'node:crypto';
import { naiveCrc16 } from './fixture.ts';

/** Bit by bit, as the definition has it. */
export function naiveCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

export function gblTag(id: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(id, 0);
  head.writeUInt32LE(value.length, 4);
  return Buffer.concat([head, value]);
}

export interface GblShape {
  type?: number;
  headerVersion?: number;
  version?: number;
  programBytes?: number;
  signWith?: KeyObject;
  /** Tags put in before the end. */
  extra?: Buffer[];
  crcXor?: number;
}

export function makeGbl(shape: GblShape = {}): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(shape.headerVersion ?? 0x03000000, 0);
  header.writeUInt32LE(shape.type ?? (shape.signWith ? 0x100 : 0), 4);
  const info = Buffer.alloc(28);
  info.writeUInt32LE(shape.version ?? 0x01020300, 4);
  const program = Buffer.from(programData(shape.programBytes ?? 3_001));
  const address = Buffer.from([0, 0x40, 0, 0]);
  let file = Buffer.concat([
    gblTag(0x03a617eb, header),
    gblTag(0xf40a0af4, info),
    gblTag(0xfd0303fd, Buffer.concat([address, program])),
    gblTag(0xf60808f6, Buffer.from('{"a":1}')),
    ...(shape.extra ?? []),
  ]);
  if (shape.signWith) {
    const key = { key: shape.signWith, dsaEncoding: 'ieee-p1363' as const };
    file = Buffer.concat([file, gblTag(0xf70a0af7, sign('sha256', file, key))]);
  }
  return withEnd(file, gblTag(0xfc0404fc, Buffer.alloc(4)).subarray(0, 8), shape.crcXor ?? 0);
}

export function makeEbl(): Uint8Array {
  const tag = (id: number, value: Uint8Array) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(id, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value]);
  };
  const header = Buffer.alloc(140);
  header.writeUInt16BE(0x0202, 0);
  header.writeUInt16BE(0xe350, 2);
  const program = Buffer.concat([Buffer.from([8, 0, 0x40, 0x80]), programData(2_000)]);
  const file = Buffer.concat([tag(0, header), tag(0xfd03, program)]);
  const whole = withEnd(file, Buffer.from([0xfc, 0x04, 0, 4]), 0);
  const padded = new Uint8Array(Math.ceil(whole.length / 64) * 64).fill(0xff);
  padded.set(whole);
  return padded;
}

export function programData(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 37 + (index >>> 8)) & 0xff);
}

function withEnd(file: Buffer, head: Uint8Array, crcXor: number): Uint8Array {
  const body = Buffer.concat([file, head]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE((naiveCrc32(body) ^ crcXor) >>> 0, 0);
  return new Uint8Array(Buffer.concat([body, crc]));
}

/** A block with its number, 1 for the first. */
export function xmodemBlock(number: number, data: Uint8Array): Uint8Array {
  const payload = new Uint8Array(128).fill(0x1a);
  payload.set(data);
  const crc = naiveCrc16(payload);
  const head = [0x01, number & 0xff, ~number & 0xff];
  return Uint8Array.from([...head, ...payload, crc >>> 8, crc & 0xff]);
}
