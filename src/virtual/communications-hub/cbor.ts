/**
 * The CBOR (RFC 8949) that an SMP server needs, written apart from the gateway's so that each
 * checks the other: maps of definite and indefinite length, lists, integers, text and byte strings,
 * booleans, null. No tags, floats or strings in pieces: the server observed refuses the latter.
 *
 * Decoding reads one item and leaves what follows it alone, and refuses a map that has a key twice,
 * both as that server does.
 */

export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | CborValue[]
  | { [key: string]: CborValue };

export type CborMap = { [key: string]: CborValue };

/** Deeper nesting is refused; no request has any. */
const DEPTH_MAX = 8;
const BREAK = 0xff;
const INDEFINITE = 31;

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const LIST = 4;
const MAP = 5;
const SIMPLE = 7;

/** The map at the start of `bytes`; `undefined` where there is none, or it is broken. */
export function decodeCborMap(bytes: Uint8Array): CborMap | undefined {
  const reader = new CborReader(bytes);
  const value = reader.item(0);
  if (reader.broken || typeof value !== 'object' || value === null) return undefined;
  return Array.isArray(value) || value instanceof Uint8Array ? undefined : value;
}

class CborReader {
  broken = false;
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  item(depth: number): CborValue {
    const initial = this.byte();
    const major = initial >>> 5;
    const info = initial & 31;
    if (depth > DEPTH_MAX) this.broken = true;
    if (this.broken) return undefined;
    switch (major) {
      case UNSIGNED:
        return narrow(this.argument(info));
      case NEGATIVE:
        return narrow(-1n - this.argument(info));
      case BYTES:
        return this.string(info);
      case TEXT:
        return this.text(info);
      case LIST:
        return this.list(info, depth);
      case MAP:
        return this.map(info, depth);
      case SIMPLE:
        return this.simple(info);
      default:
        this.broken = true;
        return undefined;
    }
  }

  private list(info: number, depth: number): CborValue[] {
    const list: CborValue[] = [];
    for (let left = this.count(info); this.more(left); left--) list.push(this.item(depth + 1));
    return list;
  }

  private map(info: number, depth: number): CborMap {
    const map: CborMap = {};
    for (let left = this.count(info); this.more(left); left--) {
      const key = this.item(depth + 1);
      const value = this.item(depth + 1);
      if (typeof key !== 'string' || Object.hasOwn(map, key)) this.broken = true;
      else if (key !== '__proto__') map[key] = value;
    }
    return map;
  }

  /** Items to come; Infinity until a break. */
  private count(info: number): number {
    if (info === INDEFINITE) return Number.POSITIVE_INFINITY;
    const count = Number(this.argument(info));
    // An item takes a byte at least: a count beyond the input is not believed.
    if (count > this.bytes.length - this.at) this.broken = true;
    return this.broken ? 0 : count;
  }

  private more(left: number): boolean {
    if (this.broken || left <= 0) return false;
    if (left === Number.POSITIVE_INFINITY && this.bytes[this.at] === BREAK) {
      this.at++;
      return false;
    }
    return true;
  }

  private string(info: number): Uint8Array {
    const length = info === INDEFINITE ? -1 : Number(this.argument(info));
    if (length < 0 || length > this.bytes.length - this.at) {
      this.broken = true;
      return new Uint8Array(0);
    }
    this.at += length;
    return this.bytes.slice(this.at - length, this.at);
  }

  private text(info: number): string {
    return new TextDecoder().decode(this.string(info));
  }

  private simple(info: number): CborValue {
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    if (info !== 23) this.broken = true;
    return undefined;
  }

  private argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    if (info > 27) this.broken = true;
    let value = 0n;
    for (let left = 1 << (info - 24); left > 0 && !this.broken; left--) {
      value = (value << 8n) | BigInt(this.byte());
    }
    return value;
  }

  private byte(): number {
    if (this.at >= this.bytes.length) this.broken = true;
    return this.broken ? 0 : this.bytes[this.at++]!;
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Keys in the order in which they were put in; keys whose value is `undefined` are left out. */
export function encodeCborMap(map: CborMap, indefinite: boolean): Uint8Array {
  const out: number[] = [];
  writeItem(out, map, indefinite);
  return Uint8Array.from(out);
}

function writeItem(out: number[], value: CborValue, indefinite: boolean): void {
  if (typeof value === 'boolean') out.push((SIMPLE << 5) | (value ? 21 : 20));
  else if (value === null || value === undefined) out.push((SIMPLE << 5) | 22);
  else if (typeof value === 'number' || typeof value === 'bigint') {
    const integer = BigInt(value);
    if (integer < 0n) writeHead(out, NEGATIVE, -1n - integer);
    else writeHead(out, UNSIGNED, integer);
  } else if (typeof value === 'string') {
    const bytes = new TextEncoder().encode(value);
    writeHead(out, TEXT, BigInt(bytes.length));
    out.push(...bytes);
  } else if (value instanceof Uint8Array) {
    writeHead(out, BYTES, BigInt(value.length));
    out.push(...value);
  } else if (Array.isArray(value)) {
    writeContainer(out, LIST, value.length, indefinite, () => {
      for (const item of value) writeItem(out, item, indefinite);
    });
  } else {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    writeContainer(out, MAP, entries.length, indefinite, () => {
      for (const [key, item] of entries) {
        writeItem(out, key, indefinite);
        writeItem(out, item, indefinite);
      }
    });
  }
}

function writeContainer(
  out: number[],
  major: number,
  count: number,
  indefinite: boolean,
  writeContent: () => void,
): void {
  if (indefinite) out.push((major << 5) | INDEFINITE);
  else writeHead(out, major, BigInt(count));
  writeContent();
  if (indefinite) out.push(BREAK);
}

function writeHead(out: number[], major: number, value: bigint): void {
  const head = major << 5;
  if (value < 24n) {
    out.push(head | Number(value));
    return;
  }
  const size = value < 0x100n ? 0 : value < 0x10000n ? 1 : value < 0x100000000n ? 2 : 3;
  out.push(head | (24 + size));
  for (let shift = (8 << size) - 8; shift >= 0; shift -= 8) {
    out.push(Number((value >> BigInt(shift)) & 0xffn));
  }
}
