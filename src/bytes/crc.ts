/**
 * CRC-16 with polynomial 0x1021 (XMODEM, KERMIT, X-25) and CRC-32 (ISO-HDLC, polynomial
 * 0x04C11DB7), as the catalogue of parametrised CRC algorithms names them.
 *
 * Every function takes the value so far as `seed` (0 at the start) and gives the value after
 * `bytes[start..end)`, so a CRC over pieces needs neither a copy nor a `subarray`.
 *
 * How: a kernel on 32-bit words replaces a long message by a short one of the same CRC, and a
 * kernel on bytes, 16 at a time, finishes. Three observations make that fast, each measured on Node
 * 24, x64, against the byte-at-a-time table (test/bench/crc.bench.ts):
 *
 * - 0x1021 has four terms, and over GF(2) squaring a sum squares each term: x^16 = x^12 + x^5 + 1
 *   gives x^128 = x^96 + x^40 + 1. All exponents are whole bytes, so a byte moves 4, 11 and 16
 *   bytes to the right by three XORs, with no table and whatever the bit order, and four bytes at
 *   once in a word. One kernel serves all three CRC-16, at 0.20 ms/MiB; slicing by 16 takes 0.6,
 *   the lanes below 0.37.
 * - CRC-32 has 15 terms; the same fold costs 14 XORs a word, spills, and takes 0.79 ms/MiB. Four
 *   interleaved lanes with three lookups a word (11, 11 and 10 bits: 20 KiB of tables, which a 32
 *   KiB L1 keeps) take 0.37 to 0.40; six lanes the same, but more for 1 KiB; four 8-bit lookups
 *   a word 0.48, two 16-bit lookups (512 KiB of tables) 0.56, slicing by 16 0.6, the byte loop 2.3.
 * - A word view of a caller's array is an allocation and needs alignment; copying up to 8 KiB into
 *   a buffer of ours takes 10 to 20 ns for 1 KiB and needs neither. For short messages slicing by
 *   16 bytes is faster: at 64 bytes 45 ns, where copying and words take 65. The first 64 bytes are
 *   written out with constant indexes: 12 % of those 45 ns. Masked bounds tell V8 that index sums
 *   cannot overflow: 8 %.
 *
 * Nothing is allocated, with two exceptions: a range of 8 KiB or more inside an array of more than
 * 8 KiB takes one view (104 bytes of heap), and V8 boxes a CRC-32 of 2^31 or more where it does not
 * inline the call (16 bytes). All state is the tables and two scratch buffers, written and read
 * inside one synchronous call.
 */
import { assert } from '../errors.ts';

/** CRC-16/XMODEM: not reflected, initial value 0. Check value 0x31C3. */
export function crc16Xmodem(
  bytes: Uint8Array,
  seed = 0,
  start = 0,
  end: number = bytes.length,
): number {
  return swap16(crc16(XMODEM, bytes, swap16(seed), start, end));
}

/** CRC-16/KERMIT: reflected, initial value 0. Check value 0x2189. */
export function crc16Kermit(
  bytes: Uint8Array,
  seed = 0,
  start = 0,
  end: number = bytes.length,
): number {
  return crc16(KERMIT, bytes, seed & 0xffff, start, end);
}

/** CRC-16/X-25 (IBM-SDLC): reflected, complemented before and after. Check value 0x906E. */
export function crc16X25(
  bytes: Uint8Array,
  seed = 0,
  start = 0,
  end: number = bytes.length,
): number {
  return crc16(KERMIT, bytes, ~seed & 0xffff, start, end) ^ 0xffff;
}

/** CRC-32/ISO-HDLC: reflected, complemented before and after. Check value 0xCBF43926. */
export function crc32(bytes: Uint8Array, seed = 0, start = 0, end: number = bytes.length): number {
  checkRange(bytes, start, end);
  const state = ~seed;
  if (end - start < WORDS_FROM_BYTES) return ~foldBytes32(bytes, start, end, state) >>> 0;
  return ~foldWords(CRC32, bytes, start, end, state) >>> 0;
}

/** Indexes stay below this so that sums of an index and a constant are 32-bit integers. */
const INDEX_MAX = 0x3fffffff;
/** Below this many bytes the copy costs more than words save. */
const WORDS_FROM_BYTES = 128;
const SCRATCH_BYTES = 8192;
const SCRATCH = new Uint8Array(SCRATCH_BYTES);
const SCRATCH_WORDS = new Int32Array(SCRATCH.buffer);
/** What the kernels do at a time, and the length of the message that a word kernel leaves. */
const BLOCK_BYTES = 16;
const FOLDED = new Uint8Array(BLOCK_BYTES);
const FOLDED_WORDS = new Int32Array(FOLDED.buffer);
/**
 * The word kernels read words as the machine has them; on another byte order the byte kernel does
 * it all.
 */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The 16 slices of each CRC, in constant arrays: V8 folds their addresses into the lookups. */
const SLICE_ENTRIES = 256;
const SLICES16 = new Int32Array(32 * SLICE_ENTRIES);
const SLICES32 = new Int32Array(16 * SLICE_ENTRIES);
/** Where a CRC's slices begin in `SLICES16`; CRC-32 has its own array. */
const XMODEM = 0;
const KERMIT = 16 * SLICE_ENTRIES;
const CRC32 = -1;
const TABLE_MASK = KERMIT;
fillSlices(SLICES16, XMODEM, (byte) => swap16(shiftLeft(byte)));
fillSlices(SLICES16, KERMIT, (byte) => shiftRight(byte, 0x8408));
fillSlices(SLICES32, 0, (byte) => shiftRight(byte, 0xedb88320));

/** What 11, 11 and 10 bits of a CRC-32 lane become 16 bytes further on. */
const LOW_BITS = new Int32Array(2048).map((_, bits) => pass16Bytes(bits));
const MIDDLE_BITS = new Int32Array(2048).map((_, bits) => pass16Bytes(bits << 11));
const HIGH_BITS = new Int32Array(1024).map((_, bits) => pass16Bytes(bits << 22));

function crc16(
  table: number,
  bytes: Uint8Array,
  state: number,
  start: number,
  end: number,
): number {
  checkRange(bytes, start, end);
  if (end - start < WORDS_FROM_BYTES) {
    return foldBytes16(table, bytes, start, end, state);
  }
  return foldWords(table, bytes, start, end, state);
}

/** An index past the end would read `undefined`, and cost every later call its speed. */
function checkRange(bytes: Uint8Array, start: number, end: number): void {
  assert(
    start >= 0 && start <= end && end <= bytes.length && end <= INDEX_MAX,
    'a CRC range lies within its bytes, and these below 1 GiB',
  );
}

/**
 * A long range: up to 3 bytes until words align, whole blocks of words, the short message they
 * leave, up to a block of bytes. A range of less than 8 KiB inside a larger array stays with the
 * byte kernel: no copy, no view.
 */
function foldWords(
  table: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  state: number,
): number {
  const copied = bytes.length <= SCRATCH_BYTES;
  if (!LITTLE_ENDIAN || (!copied && end - start < SCRATCH_BYTES)) {
    return foldBytes(table, bytes, start, end, state);
  }
  const offset = copied ? 0 : bytes.byteOffset;
  const aligned = start + (-(offset + start) & 3);
  const tail = end - ((end - aligned) % BLOCK_BYTES);
  if (copied) SCRATCH.set(bytes);
  const words = copied
    ? SCRATCH_WORDS
    : new Int32Array(bytes.buffer, offset + aligned, (tail - aligned) >>> 2);
  const firstWord = copied ? aligned >>> 2 : 0;
  const endWord = firstWord + ((tail - aligned) >>> 2);
  const head = foldBytes(table, bytes, start, aligned, state);
  if (table === CRC32) foldWords32(words, firstWord, endWord, head);
  else foldWords16(words, firstWord, endWord, head);
  return foldBytes(table, bytes, tail, end, foldBytes(table, FOLDED, 0, BLOCK_BYTES, 0));
}

function foldBytes(
  table: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  state: number,
): number {
  return table === CRC32
    ? foldBytes32(bytes, start, end, state)
    : foldBytes16(table, bytes, start, end, state);
}

/**
 * The byte kernel of a CRC-16, slicing by 16. XMODEM's state, which is not reflected, is kept with
 * its bytes swapped and then takes the same steps.
 */
function foldBytes16(
  tableStart: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  stateBefore: number,
): number {
  const table = tableStart & TABLE_MASK;
  const blocksEnd = (end & INDEX_MAX) - 15;
  let state = stateBefore & 0xffff;
  let at = start & INDEX_MAX;
  let next = 0;
  // Constant indexes: no sums and no sign extensions, in the frames that are checked most.
  if (start === 0 && end >= 64) {
    next = SLICES16[bytes[2]! + table + 3328]! ^ SLICES16[bytes[3]! + table + 3072]!;
    next ^= SLICES16[bytes[4]! + table + 2816]! ^ SLICES16[bytes[5]! + table + 2560]!;
    next ^= SLICES16[bytes[6]! + table + 2304]! ^ SLICES16[bytes[7]! + table + 2048]!;
    next ^= SLICES16[bytes[8]! + table + 1792]! ^ SLICES16[bytes[9]! + table + 1536]!;
    next ^= SLICES16[bytes[10]! + table + 1280]! ^ SLICES16[bytes[11]! + table + 1024]!;
    next ^= SLICES16[bytes[12]! + table + 768]! ^ SLICES16[bytes[13]! + table + 512]!;
    next ^= SLICES16[bytes[14]! + table + 256]! ^ SLICES16[bytes[15]! + table]!;
    next ^= SLICES16[(bytes[0]! ^ (state & 255)) + table + 3840]!;
    state = next ^ SLICES16[(bytes[1]! ^ (state >>> 8)) + table + 3584]!;
    next = SLICES16[bytes[18]! + table + 3328]! ^ SLICES16[bytes[19]! + table + 3072]!;
    next ^= SLICES16[bytes[20]! + table + 2816]! ^ SLICES16[bytes[21]! + table + 2560]!;
    next ^= SLICES16[bytes[22]! + table + 2304]! ^ SLICES16[bytes[23]! + table + 2048]!;
    next ^= SLICES16[bytes[24]! + table + 1792]! ^ SLICES16[bytes[25]! + table + 1536]!;
    next ^= SLICES16[bytes[26]! + table + 1280]! ^ SLICES16[bytes[27]! + table + 1024]!;
    next ^= SLICES16[bytes[28]! + table + 768]! ^ SLICES16[bytes[29]! + table + 512]!;
    next ^= SLICES16[bytes[30]! + table + 256]! ^ SLICES16[bytes[31]! + table]!;
    next ^= SLICES16[(bytes[16]! ^ (state & 255)) + table + 3840]!;
    state = next ^ SLICES16[(bytes[17]! ^ (state >>> 8)) + table + 3584]!;
    next = SLICES16[bytes[34]! + table + 3328]! ^ SLICES16[bytes[35]! + table + 3072]!;
    next ^= SLICES16[bytes[36]! + table + 2816]! ^ SLICES16[bytes[37]! + table + 2560]!;
    next ^= SLICES16[bytes[38]! + table + 2304]! ^ SLICES16[bytes[39]! + table + 2048]!;
    next ^= SLICES16[bytes[40]! + table + 1792]! ^ SLICES16[bytes[41]! + table + 1536]!;
    next ^= SLICES16[bytes[42]! + table + 1280]! ^ SLICES16[bytes[43]! + table + 1024]!;
    next ^= SLICES16[bytes[44]! + table + 768]! ^ SLICES16[bytes[45]! + table + 512]!;
    next ^= SLICES16[bytes[46]! + table + 256]! ^ SLICES16[bytes[47]! + table]!;
    next ^= SLICES16[(bytes[32]! ^ (state & 255)) + table + 3840]!;
    state = next ^ SLICES16[(bytes[33]! ^ (state >>> 8)) + table + 3584]!;
    next = SLICES16[bytes[50]! + table + 3328]! ^ SLICES16[bytes[51]! + table + 3072]!;
    next ^= SLICES16[bytes[52]! + table + 2816]! ^ SLICES16[bytes[53]! + table + 2560]!;
    next ^= SLICES16[bytes[54]! + table + 2304]! ^ SLICES16[bytes[55]! + table + 2048]!;
    next ^= SLICES16[bytes[56]! + table + 1792]! ^ SLICES16[bytes[57]! + table + 1536]!;
    next ^= SLICES16[bytes[58]! + table + 1280]! ^ SLICES16[bytes[59]! + table + 1024]!;
    next ^= SLICES16[bytes[60]! + table + 768]! ^ SLICES16[bytes[61]! + table + 512]!;
    next ^= SLICES16[bytes[62]! + table + 256]! ^ SLICES16[bytes[63]! + table]!;
    next ^= SLICES16[(bytes[48]! ^ (state & 255)) + table + 3840]!;
    state = next ^ SLICES16[(bytes[49]! ^ (state >>> 8)) + table + 3584]!;
    at = 64;
  }
  for (; at < blocksEnd; at += 16) {
    next = SLICES16[bytes[at + 2]! + table + 3328]! ^ SLICES16[bytes[at + 3]! + table + 3072]!;
    next ^= SLICES16[bytes[at + 4]! + table + 2816]! ^ SLICES16[bytes[at + 5]! + table + 2560]!;
    next ^= SLICES16[bytes[at + 6]! + table + 2304]! ^ SLICES16[bytes[at + 7]! + table + 2048]!;
    next ^= SLICES16[bytes[at + 8]! + table + 1792]! ^ SLICES16[bytes[at + 9]! + table + 1536]!;
    next ^= SLICES16[bytes[at + 10]! + table + 1280]! ^ SLICES16[bytes[at + 11]! + table + 1024]!;
    next ^= SLICES16[bytes[at + 12]! + table + 768]! ^ SLICES16[bytes[at + 13]! + table + 512]!;
    next ^= SLICES16[bytes[at + 14]! + table + 256]! ^ SLICES16[bytes[at + 15]! + table]!;
    next ^= SLICES16[(bytes[at]! ^ (state & 255)) + table + 3840]!;
    state = next ^ SLICES16[(bytes[at + 1]! ^ (state >>> 8)) + table + 3584]!;
  }
  for (; at < end; at++) {
    state = (state >>> 8) ^ SLICES16[((state ^ bytes[at]!) & 255) + table]!;
  }
  return state;
}

/**
 * The byte kernel of CRC-32. One kernel for both widths would add the table's start to each lookup:
 * 8 %.
 */
function foldBytes32(bytes: Uint8Array, start: number, end: number, stateBefore: number): number {
  const blocksEnd = (end & INDEX_MAX) - 15;
  let state = stateBefore | 0;
  let at = start & INDEX_MAX;
  let next = 0;
  // Constant indexes: no sums and no sign extensions, in the frames that are checked most.
  if (start === 0 && end >= 64) {
    next = SLICES32[bytes[4]! + 2816]! ^ SLICES32[bytes[5]! + 2560]! ^ SLICES32[bytes[6]! + 2304]!;
    next ^= SLICES32[bytes[7]! + 2048]! ^ SLICES32[bytes[8]! + 1792]! ^ SLICES32[bytes[9]! + 1536]!;
    next ^= SLICES32[bytes[10]! + 1280]! ^ SLICES32[bytes[11]! + 1024]!;
    next ^= SLICES32[bytes[12]! + 768]! ^ SLICES32[bytes[13]! + 512]! ^ SLICES32[bytes[14]! + 256]!;
    next ^= SLICES32[bytes[15]!]! ^ SLICES32[(bytes[0]! ^ (state & 255)) + 3840]!;
    next ^= SLICES32[(bytes[1]! ^ ((state >>> 8) & 255)) + 3584]!;
    next ^= SLICES32[(bytes[2]! ^ ((state >>> 16) & 255)) + 3328]!;
    state = next ^ SLICES32[(bytes[3]! ^ (state >>> 24)) + 3072]!;
    next = SLICES32[bytes[20]! + 2816]! ^ SLICES32[bytes[21]! + 2560]!;
    next ^= SLICES32[bytes[22]! + 2304]! ^ SLICES32[bytes[23]! + 2048]!;
    next ^= SLICES32[bytes[24]! + 1792]! ^ SLICES32[bytes[25]! + 1536]!;
    next ^= SLICES32[bytes[26]! + 1280]! ^ SLICES32[bytes[27]! + 1024]!;
    next ^= SLICES32[bytes[28]! + 768]! ^ SLICES32[bytes[29]! + 512]! ^ SLICES32[bytes[30]! + 256]!;
    next ^= SLICES32[bytes[31]!]! ^ SLICES32[(bytes[16]! ^ (state & 255)) + 3840]!;
    next ^= SLICES32[(bytes[17]! ^ ((state >>> 8) & 255)) + 3584]!;
    next ^= SLICES32[(bytes[18]! ^ ((state >>> 16) & 255)) + 3328]!;
    state = next ^ SLICES32[(bytes[19]! ^ (state >>> 24)) + 3072]!;
    next = SLICES32[bytes[36]! + 2816]! ^ SLICES32[bytes[37]! + 2560]!;
    next ^= SLICES32[bytes[38]! + 2304]! ^ SLICES32[bytes[39]! + 2048]!;
    next ^= SLICES32[bytes[40]! + 1792]! ^ SLICES32[bytes[41]! + 1536]!;
    next ^= SLICES32[bytes[42]! + 1280]! ^ SLICES32[bytes[43]! + 1024]!;
    next ^= SLICES32[bytes[44]! + 768]! ^ SLICES32[bytes[45]! + 512]! ^ SLICES32[bytes[46]! + 256]!;
    next ^= SLICES32[bytes[47]!]! ^ SLICES32[(bytes[32]! ^ (state & 255)) + 3840]!;
    next ^= SLICES32[(bytes[33]! ^ ((state >>> 8) & 255)) + 3584]!;
    next ^= SLICES32[(bytes[34]! ^ ((state >>> 16) & 255)) + 3328]!;
    state = next ^ SLICES32[(bytes[35]! ^ (state >>> 24)) + 3072]!;
    next = SLICES32[bytes[52]! + 2816]! ^ SLICES32[bytes[53]! + 2560]!;
    next ^= SLICES32[bytes[54]! + 2304]! ^ SLICES32[bytes[55]! + 2048]!;
    next ^= SLICES32[bytes[56]! + 1792]! ^ SLICES32[bytes[57]! + 1536]!;
    next ^= SLICES32[bytes[58]! + 1280]! ^ SLICES32[bytes[59]! + 1024]!;
    next ^= SLICES32[bytes[60]! + 768]! ^ SLICES32[bytes[61]! + 512]! ^ SLICES32[bytes[62]! + 256]!;
    next ^= SLICES32[bytes[63]!]! ^ SLICES32[(bytes[48]! ^ (state & 255)) + 3840]!;
    next ^= SLICES32[(bytes[49]! ^ ((state >>> 8) & 255)) + 3584]!;
    next ^= SLICES32[(bytes[50]! ^ ((state >>> 16) & 255)) + 3328]!;
    state = next ^ SLICES32[(bytes[51]! ^ (state >>> 24)) + 3072]!;
    at = 64;
  }
  for (; at < blocksEnd; at += 16) {
    next = SLICES32[bytes[at + 4]! + 2816]! ^ SLICES32[bytes[at + 5]! + 2560]!;
    next ^= SLICES32[bytes[at + 6]! + 2304]! ^ SLICES32[bytes[at + 7]! + 2048]!;
    next ^= SLICES32[bytes[at + 8]! + 1792]! ^ SLICES32[bytes[at + 9]! + 1536]!;
    next ^= SLICES32[bytes[at + 10]! + 1280]! ^ SLICES32[bytes[at + 11]! + 1024]!;
    next ^= SLICES32[bytes[at + 12]! + 768]! ^ SLICES32[bytes[at + 13]! + 512]!;
    next ^= SLICES32[bytes[at + 14]! + 256]! ^ SLICES32[bytes[at + 15]!]!;
    next ^= SLICES32[(bytes[at]! ^ (state & 255)) + 3840]!;
    next ^= SLICES32[(bytes[at + 1]! ^ ((state >>> 8) & 255)) + 3584]!;
    next ^= SLICES32[(bytes[at + 2]! ^ ((state >>> 16) & 255)) + 3328]!;
    state = next ^ SLICES32[(bytes[at + 3]! ^ (state >>> 24)) + 3072]!;
  }
  for (; at < end; at++) state = (state >>> 8) ^ SLICES32[(state ^ bytes[at]!) & 255]!;
  return state;
}

/**
 * Leaves in `FOLDED` 4 words of the same CRC-16 as the words from `start`, two blocks of 4 at
 * least.
 */
function foldWords16(words: Int32Array, start: number, end: number, state: number): void {
  const lastBlock = (end & INDEX_MAX) - 4;
  let at = start & INDEX_MAX;
  let y0 = words[at]! ^ state;
  let y1 = words[at + 1]! ^ y0;
  let y2 = words[at + 2]! ^ y1 ^ (y0 << 24);
  let y3 = words[at + 3]! ^ y2 ^ (y1 << 24) ^ (y0 >>> 8);
  for (at += 4; at < lastBlock; at += 4) {
    y0 = words[at]! ^ y0 ^ (y1 >>> 8) ^ (y2 << 24) ^ y3;
    y1 = words[at + 1]! ^ y1 ^ (y2 >>> 8) ^ (y3 << 24) ^ y0;
    y2 = words[at + 2]! ^ y2 ^ (y3 >>> 8) ^ (y0 << 24) ^ y1;
    y3 = words[at + 3]! ^ y3 ^ (y0 >>> 8) ^ (y1 << 24) ^ y2;
  }
  FOLDED_WORDS[0] = words[at]! ^ y0 ^ (y1 >>> 8) ^ (y2 << 24) ^ y3;
  FOLDED_WORDS[1] = words[at + 1]! ^ y1 ^ (y2 >>> 8) ^ (y3 << 24);
  FOLDED_WORDS[2] = words[at + 2]! ^ y2 ^ (y3 >>> 8);
  FOLDED_WORDS[3] = words[at + 3]! ^ y3;
}

/**
 * Leaves in `FOLDED` 4 words of the same CRC-32 as the words from `start`, one block of 4 at least.
 */
function foldWords32(words: Int32Array, start: number, end: number, state: number): void {
  const lastBlock = (end & INDEX_MAX) - 4;
  let at = start & INDEX_MAX;
  let lane0 = state | 0;
  let lane1 = 0;
  let lane2 = 0;
  let lane3 = 0;
  let word = 0;
  for (; at < lastBlock; at += 4) {
    word = words[at]! ^ lane0;
    lane0 = LOW_BITS[word & 0x7ff]! ^ MIDDLE_BITS[(word >>> 11) & 0x7ff]! ^ HIGH_BITS[word >>> 22]!;
    word = words[at + 1]! ^ lane1;
    lane1 = LOW_BITS[word & 0x7ff]! ^ MIDDLE_BITS[(word >>> 11) & 0x7ff]! ^ HIGH_BITS[word >>> 22]!;
    word = words[at + 2]! ^ lane2;
    lane2 = LOW_BITS[word & 0x7ff]! ^ MIDDLE_BITS[(word >>> 11) & 0x7ff]! ^ HIGH_BITS[word >>> 22]!;
    word = words[at + 3]! ^ lane3;
    lane3 = LOW_BITS[word & 0x7ff]! ^ MIDDLE_BITS[(word >>> 11) & 0x7ff]! ^ HIGH_BITS[word >>> 22]!;
  }
  FOLDED_WORDS[0] = words[at]! ^ lane0;
  FOLDED_WORDS[1] = words[at + 1]! ^ lane1;
  FOLDED_WORDS[2] = words[at + 2]! ^ lane2;
  FOLDED_WORDS[3] = words[at + 3]! ^ lane3;
}

/** Each slice is the one before it with a zero byte after it. */
function fillSlices(slices: Int32Array, start: number, stepByte: (byte: number) => number): void {
  for (let byte = 0; byte < SLICE_ENTRIES; byte++) slices[start + byte] = stepByte(byte);
  for (let i = start + SLICE_ENTRIES; i < start + 16 * SLICE_ENTRIES; i++) {
    const before = slices[i - SLICE_ENTRIES]!;
    slices[i] = (before >>> 8) ^ slices[start + (before & 255)]!;
  }
}

function shiftRight(byte: number, polynomial: number): number {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? polynomial : 0);
  return value;
}

function shiftLeft(byte: number): number {
  let value = byte << 8;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value & 0x8000 ? 0x1021 : 0);
  return value & 0xffff;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function pass16Bytes(state: number): number {
  let value = state;
  for (let i = 0; i < 16; i++) value = (value >>> 8) ^ SLICES32[value & 255]!;
  return value;
}
