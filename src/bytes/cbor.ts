/**
 * CBOR in its one deterministic form (RFC 8949, 4.2.1), of the types that signed documents use: integers
 * up to 2^53 - 1 either way, byte strings, text, booleans, arrays, and maps with integers or text as keys.
 * A value has one encoding, and bytes that are not that encoding are no value.
 *
 * Maps are `Map`s: a key `__proto__` is a key as any other. Byte strings are copies: the caller's bytes
 * may change afterwards. What messages of devices are in is looser and is read elsewhere.
 */
import { assert } from '../errors.ts';
import { CBOR_SCAN_DEFAULTS, type CborRefusalCode, scanCbor } from './cbor-scan.ts';
import { encodeHex } from './hex.ts';
import { ByteReader } from './reader.ts';

export type CborKey = number | string;
export type CborMap = ReadonlyMap<CborKey, CborValue>;
export type CborValue = number | string | boolean | Uint8Array | readonly CborValue[] | CborMap;

export interface CborLimits {
  depthMax: number;
  itemsMax: number;
}

export type CborDecoded =
  | { ok: true; value: CborValue }
  | { ok: false; code: CborRefusalCode; offset: number };

const MAJOR = { uint: 0, nint: 1, bytes: 2, text: 3, array: 4, map: 5 } as const;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;
const TWO_32 = 2 ** 32;

export function encodeCbor(value: CborValue): Uint8Array {
  const encoder = new Encoder();
  encoder.value(value);
  return encoder.written();
}

/** Exactly one item, looked over before anything is built of it. */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): CborDecoded {
  const options = { ...CBOR_SCAN_DEFAULTS, ...limits, allowIntegerKeys: true, deterministic: true };
  const scan = scanCbor(bytes, 0, bytes.length, options);
  if (!scan.ok) return scan;
  const reader = new ByteReader(bytes);
  const decoder = new Decoder(reader);
  const value = decoder.value();
  const { refused } = decoder;
  if (refused) return { ok: false, ...refused };
  assert(!reader.overrun && reader.remaining === 0, 'the scan saw one whole item');
  return { ok: true, value };
}

export function isCborMap(value: CborValue | undefined): value is CborMap {
  return value instanceof Map;
}

/** After the scan: every length is inside the input, and depth is bounded, so this may recurse. */
class Decoder {
  private readonly reader: ByteReader;
  refused: { code: CborRefusalCode; offset: number } | undefined;

  constructor(reader: ByteReader) {
    this.reader = reader;
  }

  value(): CborValue {
    const offset = this.reader.position;
    const initial = this.reader.u8();
    if (initial === FALSE || initial === TRUE) return initial === TRUE;
    if (initial === NULL) return this.refuse('type-refused', offset);
    const argument = this.argument(initial & 31);
    if (argument > Number.MAX_SAFE_INTEGER) return this.refuse('integer-too-large', offset);
    switch (initial >> 5) {
      case MAJOR.uint:
        return argument;
      case MAJOR.nint:
        if (argument === Number.MAX_SAFE_INTEGER) return this.refuse('integer-too-large', offset);
        return -1 - argument;
      case MAJOR.bytes:
        return new Uint8Array(this.reader.view(argument));
      case MAJOR.text:
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.reader.view(argument));
      case MAJOR.array:
        return Array.from({ length: argument }, () => this.value());
      default:
        return this.map(argument);
    }
  }

  private map(entries: number): CborMap {
    const map = new Map<CborKey, CborValue>();
    for (let i = 0; i < entries; i++) {
      const key = this.value();
      map.set(key as CborKey, this.value());
    }
    return map;
  }

  private argument(info: number): number {
    switch (info) {
      case 24:
        return this.reader.u8();
      case 25:
        return this.reader.u16be();
      case 26:
        return this.reader.u32be();
      case 27:
        return this.reader.u32be() * TWO_32 + this.reader.u32be();
      default:
        return info;
    }
  }

  private refuse(code: CborRefusalCode, offset: number): CborValue {
    this.refused ??= { code, offset };
    return 0;
  }
}

/** Into one buffer that doubles: a document has megabytes of bytes and thousands of small items. */
class Encoder {
  private bytes = new Uint8Array(256);
  private length = 0;

  written(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  value(value: CborValue): void {
    if (typeof value === 'number') {
      assert(Number.isSafeInteger(value), 'numbers are whole, and below 2^53');
      if (value < 0) this.head(MAJOR.nint, -1 - value);
      else this.head(MAJOR.uint, value);
    } else if (typeof value === 'boolean') {
      this.raw([value ? TRUE : FALSE]);
    } else if (typeof value === 'string') {
      assert(value.isWellFormed(), 'a lone surrogate has no UTF-8');
      this.string(MAJOR.text, new TextEncoder().encode(value));
    } else if (value instanceof Uint8Array) {
      this.string(MAJOR.bytes, value);
    } else if (isCborMap(value)) {
      this.map(value);
    } else {
      const items = value as readonly CborValue[];
      this.head(MAJOR.array, items.length);
      for (const item of items) this.value(item);
    }
  }

  private map(map: CborMap): void {
    this.head(MAJOR.map, map.size);
    // Digits sort as the bytes do.
    const sorted = [...map]
      .map(([name, value]) => ({ key: encodeCbor(name), value }))
      .map(({ key, value }) => ({ key, value, digits: encodeHex(key) }))
      .sort((a, b) => (a.digits < b.digits ? -1 : 1));
    for (const { key, value } of sorted) {
      this.raw(key);
      this.value(value);
    }
  }

  private string(major: number, bytes: Uint8Array): void {
    this.head(major, bytes.length);
    this.raw(bytes);
  }

  private head(major: number, argument: number): void {
    const top = major << 5;
    if (argument < 24) this.raw([top | argument]);
    else if (argument < 0x100) this.raw([top | 24, argument]);
    else if (argument < 0x1_0000) this.raw([top | 25, argument >> 8, argument & 0xff]);
    else if (argument < TWO_32) this.raw([top | 26, ...bigEndian(argument)]);
    else {
      this.raw([top | 27, ...bigEndian(Math.floor(argument / TWO_32)), ...bigEndian(argument)]);
    }
  }

  private raw(bytes: Uint8Array | readonly number[]): void {
    const end = this.length + bytes.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(bytes, this.length);
    this.length = end;
  }
}

/** The low 32 bits. */
function bigEndian(value: number): number[] {
  const low = value % TWO_32;
  return [low >>> 24, (low >>> 16) & 0xff, (low >>> 8) & 0xff, low & 0xff];
}
