/**
 * Base64 (RFC 4648, 4; xs:base64Binary), strictly: padded as it should be, no bits too many in the
 * last digit, nothing after the padding. So one run of bytes has one text, blanks apart.
 */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** What is no digit is from here on. */
const BLANK = 64;
const PAD = 65;
const OTHER = 66;
const VALUES = valuesOfBytes();
const FIRST_BYTES = 1024;

export type Base64Code = 'base64-invalid' | 'base64-too-long';

/**
 * Decodes text that comes in pieces of any size, white space anywhere. The bytes grow to no more than
 * twice what has come, and never past the bound.
 */
export class Base64Decoder {
  readonly #bytesMax: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #used = 0;
  #digits = 0;
  #bits = 0;
  #pads = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(FIRST_BYTES, bytesMax));
  }

  /** ASCII text. After a code the decoder is of no use. */
  push(text: Uint8Array): Base64Code | undefined {
    for (let at = 0; at < text.length; at++) {
      at = this.#takeGroups(text, at);
      if (at === text.length) return undefined;
      const code = this.#takeOne(VALUES[text[at]!]!);
      if (code) return code;
    }
    return undefined;
  }

  /** Groups of four digits from `from`, as far as there is nothing else; where they end. */
  #takeGroups(text: Uint8Array, from: number): number {
    if (this.#digits > 0 || this.#pads > 0) return from;
    const last = text.length - 4;
    let bytes = this.#bytes;
    let used = this.#used;
    let at = from;
    for (; at <= last; at += 4) {
      const a = VALUES[text[at]!]!;
      const b = VALUES[text[at + 1]!]!;
      const c = VALUES[text[at + 2]!]!;
      const d = VALUES[text[at + 3]!]!;
      if ((a | b | c | d) >= BLANK) break;
      if (used + 3 > bytes.length) {
        this.#used = used;
        if (!this.#makeRoom(3)) break;
        bytes = this.#bytes;
      }
      bytes[used] = (a << 2) | (b >> 4);
      bytes[used + 1] = (b << 4) | (c >> 2);
      bytes[used + 2] = (c << 6) | d;
      used += 3;
    }
    this.#used = used;
    return at;
  }

  #takeOne(value: number): Base64Code | undefined {
    if (value === BLANK) return undefined;
    if (value === OTHER) return 'base64-invalid';
    if (value === PAD) {
      this.#pads += 1;
      return this.#pads > 2 || this.#digits < 2 ? 'base64-invalid' : undefined;
    }
    if (this.#pads > 0) return 'base64-invalid';
    this.#bits = (this.#bits << 6) | value;
    this.#digits += 1;
    if (this.#digits < 4) return undefined;
    if (!this.#makeRoom(3)) return 'base64-too-long';
    const bits = this.#bits;
    this.#bytes[this.#used++] = bits >>> 16;
    this.#bytes[this.#used++] = bits >>> 8;
    this.#bytes[this.#used++] = bits;
    this.#bits = 0;
    this.#digits = 0;
    return undefined;
  }

  /** The caller's own, and no more memory than that. */
  end(): { ok: true; bytes: Uint8Array } | { ok: false; code: Base64Code } {
    const digits = this.#digits;
    if (digits === 0 && this.#pads === 0) return { ok: true, bytes: this.#take() };
    const spareBits = digits === 2 ? 4 : 2;
    const isPadded = digits + this.#pads === 4 && digits >= 2;
    const hasSpare = (this.#bits & ((1 << spareBits) - 1)) !== 0;
    if (!isPadded || hasSpare) return { ok: false, code: 'base64-invalid' };
    if (!this.#makeRoom(digits - 1)) return { ok: false, code: 'base64-too-long' };
    const bits = this.#bits >>> spareBits;
    if (digits === 3) this.#bytes[this.#used++] = bits >>> 8;
    this.#bytes[this.#used++] = bits;
    return { ok: true, bytes: this.#take() };
  }

  #take(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer.transfer(this.#used));
  }

  #makeRoom(bytes: number): boolean {
    const wanted = this.#used + bytes;
    if (wanted <= this.#bytes.length) return true;
    if (wanted > this.#bytesMax) return false;
    const length = Math.min(this.#bytesMax, 2 * this.#bytes.length + bytes);
    // Lets the old memory go at once, not when it is collected.
    this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(length));
    return true;
  }
}

/** A short text, blanks allowed; `undefined` where it is none, or more bytes than that. */
export function decodeBase64(text: string, bytesMax: number): Uint8Array | undefined {
  const decoder = new Base64Decoder(bytesMax);
  const ascii = Uint8Array.from(text, (character) => Math.min(character.charCodeAt(0), 0xff));
  if (decoder.push(ascii)) return undefined;
  const decoded = decoder.end();
  return decoded.ok ? decoded.bytes : undefined;
}

function valuesOfBytes(): Uint8Array {
  const values = new Uint8Array(256).fill(OTHER);
  for (let value = 0; value < DIGITS.length; value++) values[DIGITS.charCodeAt(value)] = value;
  values[0x3d] = PAD;
  for (const blank of [0x20, 0x09, 0x0a, 0x0d]) values[blank] = BLANK;
  return values;
}
