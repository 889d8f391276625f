/** Base64 (RFC 4648, section 4) between byte arrays: by table, without strings and without allocating. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export const PADDING = 0x3d;
/** What `BASE64_VALUE` holds for a byte outside the alphabet; padding counts as outside. */
export const NOT_BASE64 = 0xff;

const SYMBOL = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));

/** The six bits of each symbol. */
export const BASE64_VALUE = new Uint8Array(256).fill(NOT_BASE64);
for (let value = 0; value < 64; value++) BASE64_VALUE[SYMBOL[value]!] = value;

/** Writes `source[start, end)` at `at`, padded to whole quanta; returns where it ended. */
export function encodeBase64(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  const symbol = SYMBOL;
  const wholeEnd = end - ((end - start) % 3);
  let to = at;
  let from = start;
  for (; from < wholeEnd; from += 3) {
    const bits = (source[from]! << 16) | (source[from + 1]! << 8) | source[from + 2]!;
    target[to] = symbol[bits >> 18]!;
    target[to + 1] = symbol[(bits >> 12) & 63]!;
    target[to + 2] = symbol[(bits >> 6) & 63]!;
    target[to + 3] = symbol[bits & 63]!;
    to += 4;
  }
  if (from === end) return to;
  const two = end - from === 2;
  const bits = (source[from]! << 16) | (two ? source[from + 1]! << 8 : 0);
  target[to] = symbol[bits >> 18]!;
  target[to + 1] = symbol[(bits >> 12) & 63]!;
  target[to + 2] = two ? symbol[(bits >> 6) & 63]! : PADDING;
  target[to + 3] = PADDING;
  return to + 4;
}
