/**
 * Settings and parameters of machines as JSON, which knows fewer kinds of values than they have: what it
 * lacks stands in an object with one key that begins with `$`. Long byte strings are kept once, in a store
 * by their digest, and only named here: thousands of recordings share one image.
 *
 * Nothing that a recording says is run: functions and objects of classes are named and not kept, and what
 * holds one cannot be decoded. A decoded value has no prototype but those of arrays, maps, sets, byte arrays
 * and plain objects.
 */
import { assert } from '../../errors.ts';

/** Where long byte strings are. */
export interface Contents {
  /** Keeps them, and answers their name. */
  put(bytes: Uint8Array): string;
  /** @throws UpliftError where they are missing or other ones */
  get(name: string): Uint8Array;
}

/** A longer one goes into the store. */
const INLINE_BYTES_MAX = 1024;
const DEPTH_MAX = 64;

export function encodeValue(value: unknown, contents: Contents | undefined, depth = 0): unknown {
  assert(depth < DEPTH_MAX, 'values have a bottom');
  const encode = (inner: unknown) => encodeValue(inner, contents, depth + 1);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: String(value) };
    case 'bigint':
      return { $integer: String(value) };
    case 'undefined':
      return { $nothing: true };
    case 'object':
      break;
    default:
      return { $opaque: typeof value };
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return encodeBytes(value, contents);
  if (Array.isArray(value)) return value.map(encode);
  if (value instanceof Map)
    return { $map: [...value].map(([key, item]) => [encode(key), encode(item)]) };
  if (value instanceof Set) return { $set: [...value].map(encode) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return { $opaque: value.constructor.name };
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key.startsWith('$') ? `$${key}` : key, encode(item)]),
  );
}

/** Undefined where it is no encoded value. */
export function decodeValue(
  encoded: unknown,
  contents: Contents | undefined,
): { value: unknown } | undefined {
  try {
    return { value: decode(encoded, contents, 0) };
  } catch (error) {
    if (error instanceof NotAValue) return undefined;
    throw error;
  }
}

class NotAValue extends Error {}

function encodeBytes(bytes: Uint8Array, contents: Contents | undefined): unknown {
  if (contents !== undefined && bytes.length > INLINE_BYTES_MAX)
    return { $content: contents.put(bytes), bytes: bytes.length };
  return { $bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') };
}

function decode(encoded: unknown, contents: Contents | undefined, depth: number): unknown {
  if (depth >= DEPTH_MAX) throw new NotAValue();
  if (typeof encoded !== 'object' || encoded === null) return encoded;
  if (Array.isArray(encoded)) return encoded.map((item) => decode(item, contents, depth + 1));
  const [first, inner] = Object.entries(encoded)[0] ?? [];
  if (first?.startsWith('$') && !first.startsWith('$$'))
    return decodeTagged(first, inner, contents, depth);
  const entries = Object.entries(encoded).map(([key, item]) => [
    key.startsWith('$$') ? key.slice(1) : key,
    decode(item, contents, depth + 1),
  ]);
  // A key `__proto__` becomes one of its own here, and no prototype.
  return Object.fromEntries(entries);
}

function decodeTagged(
  tag: string,
  inner: unknown,
  contents: Contents | undefined,
  depth: number,
): unknown {
  const items = () => {
    if (!Array.isArray(inner)) throw new NotAValue();
    return inner.map((item) => decode(item, contents, depth + 1));
  };
  switch (tag) {
    case '$nothing':
      return undefined;
    case '$number':
      if (!/^(-?Infinity|NaN|-0)$/.test(String(inner))) throw new NotAValue();
      return Number(inner);
    case '$integer':
      if (typeof inner !== 'string' || !/^-?\d{1,100}$/.test(inner)) throw new NotAValue();
      return BigInt(inner);
    case '$bytes':
      if (typeof inner !== 'string') throw new NotAValue();
      return new Uint8Array(Buffer.from(inner, 'base64'));
    case '$content':
      if (typeof inner !== 'string' || contents === undefined) throw new NotAValue();
      return contents.get(inner);
    case '$set':
      return new Set(items());
    case '$map':
      return new Map(items().map(pairOf));
    default:
      throw new NotAValue();
  }
}

function pairOf(item: unknown): [unknown, unknown] {
  if (!Array.isArray(item) || item.length !== 2) throw new NotAValue();
  return [item[0], item[1]];
}
