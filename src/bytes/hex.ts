/** Hexadecimal text and ZigBee's EUI-64 notation. */

const DIGITS = '0123456789abcdef';

/** Lower case, two digits a byte, no separators. */
export function encodeHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += DIGITS[byte >>> 4]! + DIGITS[byte & 15]!;
  return text;
}

/** `undefined` where the text is not an even number of hexadecimal digits. */
export function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

/** `0x` and at least `digits` upper-case digits: how codes and versions are shown. */
export function hex(value: number, digits: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(digits, '0')}`;
}

/** The digits alone, upper case: as lists and Service Requests write a version. */
export function hexDigits(value: number, digits: number): string {
  return hex(value, digits).slice(2);
}

/**
 * An EUI-64 as 16 lower-case digits, most significant first, from its eight bytes on the wire
 * (reversed).
 */
export function eui64FromWire(bytes: Uint8Array): string {
  // Not slice(): of a Buffer that would be the same memory.
  return encodeHex(new Uint8Array(bytes).reverse());
}

/** The eight bytes on the wire of an EUI-64 of 16 digits; `undefined` where it is none. */
export function eui64ToWire(eui64: string): Uint8Array | undefined {
  const bytes = eui64.length === 16 ? decodeHex(eui64) : undefined;
  return bytes?.reverse();
}

/**
 * The 16 lower-case digits of an EUI-64 as people write it: with or without `0x`, colons, hyphens or
 * blanks. `undefined` where it is none.
 */
export function parseEui64(text: string): string | undefined {
  const digits = text
    .trim()
    .replace(/^0x/i, '')
    .replace(/[:\- ]/g, '')
    .toLowerCase();
  return /^[0-9a-f]{16}$/.test(digits) ? digits : undefined;
}
