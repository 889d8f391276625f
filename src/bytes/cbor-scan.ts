/**
 * Looks a CBOR item (RFC 8949) over before a decoder believes it: whether it is one whole item, how deep
 * and large it is, and whether its keys are what they should be. Decodes nothing, allocates little, does
 * not recurse.
 *
 * Decoders take the last of duplicate keys, build what a length states, and turn tags into things. So
 * refused are: nesting and item counts above the caps, lengths beyond the input, strings in pieces, tags,
 * floats, undefined and unassigned simple values (unless the options allow them), text that is not UTF-8,
 * keys that are not text (or integers, where allowed), the same key twice in one map, and trailing bytes.
 * Arrays and maps of indefinite length are fine, unless the options ask for the one deterministic form
 * (RFC 8949, 4.2.1): shortest heads, definite lengths, and the keys of a map in the order of their bytes.
 */

export const CBOR_REFUSALS = {
  truncated: 'The input ends inside an item.',
  'trailing-bytes': 'Bytes follow the item.',
  'too-deep': 'Maps and arrays are nested deeper than is taken.',
  'too-many-items': 'There are more items than are taken.',
  'string-in-pieces': 'A string of indefinite length.',
  'tag-refused': 'A tag where none is taken.',
  'type-refused': 'A float, undefined or unassigned simple value where none is taken.',
  'length-reserved': 'A length of a reserved form.',
  'break-misplaced': 'A break code outside an indefinite map or array, or between key and value.',
  'text-not-utf8': 'A text string that is not UTF-8.',
  'key-refused': 'A map key of a type that is not taken.',
  'key-duplicate': 'The same key twice in one map.',
  'head-not-shortest': 'An integer or a length that a shorter form would hold.',
  'length-indefinite': 'A map or array of indefinite length where the length has to be stated.',
  'key-order': 'The keys of a map are not in the order of their bytes.',
  'integer-too-large': 'An integer beyond 2^53 - 1, above or below zero.',
} as const;

export type CborRefusalCode = keyof typeof CBOR_REFUSALS;

export interface CborScanOptions {
  depthMax: number;
  /** Items of all kinds, keys included. */
  itemsMax: number;
  allowTags: boolean;
  allowFloats: boolean;
  /** Integers as map keys, besides text. */
  allowIntegerKeys: boolean;
  /** Refuse whatever is not in the one deterministic form. */
  deterministic: boolean;
}

export const CBOR_SCAN_DEFAULTS: CborScanOptions = {
  depthMax: 8,
  itemsMax: 1_024,
  allowTags: false,
  allowFloats: false,
  allowIntegerKeys: false,
  deterministic: false,
};

export type CborScan =
  | { ok: true; items: number }
  | { ok: false; code: CborRefusalCode; offset: number };

/** Looks over `bytes[start, end)`, which has to be exactly one item. */
export function scanCbor(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  options: CborScanOptions = CBOR_SCAN_DEFAULTS,
): CborScan {
  return new Scanner(bytes, start, end, options).run();
}

const MAJOR = { uint: 0, nint: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const INDEFINITE = -1;
const BREAK = 0xff;

/** A map or array that is open. */
interface Level {
  map: boolean;
  /** Items still to come, keys and values each counted; `INDEFINITE` until a break. */
  left: number;
  /** The next item is a key. */
  atKey: boolean;
  /** Each key so far; of sorted keys the last one. */
  keys: Key[];
}

interface Key {
  major: number;
  value: number;
  /** Of its head. */
  at: number;
  /** Of its content. */
  start: number;
  end: number;
}

class Scanner {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private readonly options: CborScanOptions;
  private readonly levels: Level[] = [];
  private at: number;
  private items = 0;
  private refused: CborRefusalCode | undefined;
  private refusedAt = 0;
  /** Argument of the last head. */
  private argument = 0;
  /** The last item was a tag: what it tags has to follow. */
  private tagged = false;

  constructor(bytes: Uint8Array, start: number, end: number, options: CborScanOptions) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.options = options;
  }

  run(): CborScan {
    do {
      this.item();
      this.closeFull();
    } while (!this.refused && (this.tagged || this.levels.length > 0));
    if (!this.refused && this.at !== this.end) this.refuse('trailing-bytes', this.at);
    if (this.refused) return { ok: false, code: this.refused, offset: this.refusedAt };
    return { ok: true, items: this.items };
  }

  /** False where the input is refused, here and below. */
  private item(): boolean {
    const at = this.at;
    if (at >= this.end) return this.refuse('truncated', at);
    const level = this.levels.at(-1);
    if (this.bytes[at] === BREAK) return this.breakOff(level, at);
    if (++this.items > this.options.itemsMax) return this.refuse('too-many-items', at);
    this.tagged = false;
    const major = this.bytes[at]! >> 5;
    if (!this.head(major, at)) return false;
    const contentAt = this.at;
    const isKey = level?.map && level.atKey;
    if (isKey && !this.isKey(major)) return this.refuse('key-refused', at);
    if (!this.content(major, at)) return false;
    // A tag is no item of its own: what it tags fills the place.
    if (this.tagged || !level) return true;
    if (level.left !== INDEFINITE) level.left--;
    if (level.map) level.atKey = !level.atKey;
    return !isKey || this.noteKey(level, major, contentAt, at);
  }

  /** Reads the head at `at`: sets `argument`, or refuses. */
  private head(major: number, at: number): boolean {
    const info = this.bytes[at]! & 31;
    this.at = at + 1;
    this.argument = info;
    if (info < 24) return true;
    if (info === 31) return this.indefinite(major, at);
    const size = 1 << (info - 24);
    if (info > 27 || this.end - this.at < size) {
      return this.refuse(info > 27 ? 'length-reserved' : 'truncated', at);
    }
    let value = 0;
    // Beyond 2^53 this rounds: no length that large is in the input, and no key that large is taken.
    for (let i = 0; i < size; i++) value = value * 256 + this.bytes[this.at + i]!;
    this.at += size;
    this.argument = value;
    // The floats have the same heads, and one size each.
    const fitsShorter = value < (size === 1 ? 24 : 256 ** (size / 2)) && major !== MAJOR.simple;
    return !(this.options.deterministic && fitsShorter) || this.refuse('head-not-shortest', at);
  }

  private indefinite(major: number, at: number): boolean {
    this.argument = INDEFINITE;
    if (major === MAJOR.array || major === MAJOR.map) {
      return !this.options.deterministic || this.refuse('length-indefinite', at);
    }
    const piecewise = major === MAJOR.bytes || major === MAJOR.text;
    return this.refuse(piecewise ? 'string-in-pieces' : 'length-reserved', at);
  }

  private content(major: number, at: number): boolean {
    switch (major) {
      case MAJOR.bytes:
      case MAJOR.text: {
        const end = this.at + this.argument;
        if (end > this.end) return this.refuse('truncated', at);
        if (major === MAJOR.text && !isUtf8(this.bytes, this.at, end)) {
          return this.refuse('text-not-utf8', at);
        }
        this.at = end;
        return true;
      }
      case MAJOR.array:
      case MAJOR.map:
        return this.open(major === MAJOR.map, at);
      case MAJOR.tag:
        this.tagged = true;
        return this.options.allowTags || this.refuse('tag-refused', at);
      case MAJOR.simple:
        return this.simple(at);
      default:
        return true;
    }
  }

  private simple(at: number): boolean {
    const info = this.bytes[at]! & 31;
    const isFloat = info >= 25 && info <= 27;
    const isPlain = info >= 20 && info <= 22;
    return isPlain || (isFloat && this.options.allowFloats) || this.refuse('type-refused', at);
  }

  private open(map: boolean, at: number): boolean {
    if (this.levels.length >= this.options.depthMax) return this.refuse('too-deep', at);
    const count = this.argument;
    // Each item takes a byte at least: a larger count cannot be kept.
    const items = map ? 2 * count : count;
    if (count !== INDEFINITE && items > this.end - this.at) return this.refuse('truncated', at);
    const left = count === INDEFINITE ? INDEFINITE : items;
    this.levels.push({ map, left, atKey: map, keys: [] });
    return true;
  }

  private breakOff(level: Level | undefined, at: number): boolean {
    const midway = this.tagged || (level?.map && !level.atKey);
    // Only what was opened without a count is closed by a break.
    if (!level || level.left !== INDEFINITE || midway) return this.refuse('break-misplaced', at);
    this.at = at + 1;
    this.levels.pop();
    return true;
  }

  private closeFull(): void {
    while (this.levels.at(-1)?.left === 0) this.levels.pop();
  }

  private isKey(major: number): boolean {
    if (major === MAJOR.text) return true;
    const integer = major === MAJOR.uint || major === MAJOR.nint;
    return integer && this.options.allowIntegerKeys && this.argument <= Number.MAX_SAFE_INTEGER;
  }

  private noteKey(level: Level, major: number, start: number, at: number): boolean {
    const key = { major, value: this.argument, at, start, end: this.at };
    if (level.keys.some((other) => this.sameKey(other, key))) {
      return this.refuse('key-duplicate', at);
    }
    if (!this.options.deterministic) {
      level.keys.push(key);
      return true;
    }
    const last = level.keys[0];
    if (last && this.compareKeys(last, key) > 0) return this.refuse('key-order', at);
    level.keys[0] = key;
    return true;
  }

  private sameKey(a: Key, b: Key): boolean {
    if (a.major !== b.major || a.value !== b.value) return false;
    for (let i = 0; i < a.end - a.start; i++) {
      if (this.bytes[a.start + i] !== this.bytes[b.start + i]) return false;
    }
    return true;
  }

  /** By their bytes, heads included; no key in its shortest form begins another. */
  private compareKeys(a: Key, b: Key): number {
    const length = Math.min(a.end - a.at, b.end - b.at);
    for (let i = 0; i < length; i++) {
      const difference = this.bytes[a.at + i]! - this.bytes[b.at + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  private refuse(code: CborRefusalCode, offset: number): false {
    this.refused ??= code;
    this.refusedAt = offset;
    return false;
  }
}

/** Well-formed UTF-8: no overlong forms, surrogates or values above U+10FFFF. */
function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at++]!;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (end - at < more) return false;
    const second = bytes[at]!;
    if (lead === 0xe0 && second < 0xa0) return false;
    if (lead === 0xed && second > 0x9f) return false;
    if (lead === 0xf0 && second < 0x90) return false;
    if (lead === 0xf4 && second > 0x8f) return false;
    for (let i = 0; i < more; i++) if ((bytes[at++]! & 0xc0) !== 0x80) return false;
  }
  return true;
}
