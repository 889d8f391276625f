/**
 * AES-MMO-128, the hash of ZigBee (Matyas-Meyer-Oseas over AES-128; ZigBee specification, annex
 * B.6): install codes and the integrity code of an OTA file, sub-element tag 0x0003.
 *
 * H0 is zero, and each block's state is AES(key: the state before, the block) xor the block. The
 * padding is a one bit, zeros, and the length in bits: below 2^16 bits as a u16 that ends the last
 * block, else as a u32 with two zero bytes after.
 *
 * Every block has its own key, so the key schedule costs as much as the cipher: both run in locals,
 * a round key a round, with one 1 KiB table and rotations (four tables are no faster), and no block
 * allocates: 0.11 us a block on Node 24, x64, where a node:crypto cipher object a block takes 13.
 * The hash is not constant-time: it digests public files and install codes that the caller prints
 * on labels, and keeps no secret. It is no cipher for anything else.
 */
import { assert } from '../errors.ts';

const BLOCK_BYTES = 16;
const DIGEST_BYTES = 16;
/** A message of this many bytes has 2^16 bits, and the long padding. */
const LONG_FROM_BYTES = 0x2000;
/** The longest message whose bits a u32 counts. */
const MESSAGE_BYTES_MAX = 0x1fff_ffff;

const SBOX = substitutionBox();
/** SubBytes and MixColumns of a column's first byte; the other three are this one, rotated. */
const COLUMNS = new Int32Array(256).map((_, byte) => {
  const value = SBOX[byte]!;
  const twice = double(value);
  return (twice << 24) | (value << 16) | (value << 8) | (twice ^ value);
});

/** The hash of one message. */
export function aesMmo(bytes: Uint8Array): Uint8Array {
  return new AesMmo().update(bytes).digest();
}

/** The hash of a message that arrives in pieces. */
export class AesMmo {
  private readonly state = new Int32Array(4);
  private readonly partial = new Uint8Array(BLOCK_BYTES);
  private messageBytes = 0;
  private done = false;

  /** Takes `bytes[start..end)` in; keeps no reference to them. */
  update(bytes: Uint8Array, start = 0, end: number = bytes.length): this {
    assert(!this.done, 'nothing follows a digest');
    assert(start >= 0 && start <= end && end <= bytes.length, 'a range lies within its bytes');
    assert(this.messageBytes + end - start <= MESSAGE_BYTES_MAX, 'a u32 counts the bits');
    let at = start;
    let filled = this.messageBytes % BLOCK_BYTES;
    this.messageBytes += end - start;
    if (filled > 0) {
      while (filled < BLOCK_BYTES && at < end) this.partial[filled++] = bytes[at++]!;
      if (filled < BLOCK_BYTES) return this;
      digestBlocks(this.state, this.partial, 0, BLOCK_BYTES);
    }
    const blocksEnd = at + ((end - at) & -BLOCK_BYTES);
    digestBlocks(this.state, bytes, at, blocksEnd);
    for (let i = blocksEnd; i < end; i++) this.partial[i - blocksEnd] = bytes[i]!;
    return this;
  }

  /** Ends the message. */
  digest(): Uint8Array {
    assert(!this.done, 'a digest is taken once');
    this.done = true;
    const filled = this.messageBytes % BLOCK_BYTES;
    const lengthBytes = this.messageBytes < LONG_FROM_BYTES ? 2 : 6;
    const fits = filled + 1 + lengthBytes <= BLOCK_BYTES;
    const padded = new Uint8Array(fits ? BLOCK_BYTES : 2 * BLOCK_BYTES);
    padded.set(this.partial.subarray(0, filled));
    padded[filled] = 0x80;
    const view = new DataView(padded.buffer);
    const messageBits = this.messageBytes * 8;
    if (lengthBytes === 2) view.setUint16(padded.length - 2, messageBits);
    else view.setUint32(padded.length - 6, messageBits);
    digestBlocks(this.state, padded, 0, padded.length);
    const digest = new Uint8Array(DIGEST_BYTES);
    const words = new DataView(digest.buffer);
    for (let i = 0; i < 4; i++) words.setInt32(4 * i, this.state[i]!);
    return digest;
  }
}

/**
 * The hash's step for each whole block of `bytes[start..end)`. Columns are big-endian words: k is
 * the round key, s the cipher's state, t the next one, m the block.
 */
function digestBlocks(state: Int32Array, bytes: Uint8Array, start: number, end: number): void {
  let k0 = state[0]!;
  let k1 = state[1]!;
  let k2 = state[2]!;
  let k3 = state[3]!;
  for (let at = start | 0; at < end; at = (at + BLOCK_BYTES) | 0) {
    const m0 = columnAt(bytes, at);
    const m1 = columnAt(bytes, (at + 4) | 0);
    const m2 = columnAt(bytes, (at + 8) | 0);
    const m3 = columnAt(bytes, (at + 12) | 0);
    let s0 = m0 ^ k0;
    let s1 = m1 ^ k1;
    let s2 = m2 ^ k2;
    let s3 = m3 ^ k3;
    let roundConstant = 1;
    for (let round = 1; round < 10; round++) {
      k0 ^= substituteRotated(k3) ^ (roundConstant << 24);
      k1 ^= k0;
      k2 ^= k1;
      k3 ^= k2;
      roundConstant = double(roundConstant);
      const t0 = mixed(s0, s1, s2, s3) ^ k0;
      const t1 = mixed(s1, s2, s3, s0) ^ k1;
      const t2 = mixed(s2, s3, s0, s1) ^ k2;
      s3 = mixed(s3, s0, s1, s2) ^ k3;
      s0 = t0;
      s1 = t1;
      s2 = t2;
    }
    k0 ^= substituteRotated(k3) ^ (roundConstant << 24);
    k1 ^= k0;
    k2 ^= k1;
    k3 ^= k2;
    // The last round mixes no columns; its result xor the block is the next block's key.
    k0 ^= substituted(s0, s1, s2, s3) ^ m0;
    k1 ^= substituted(s1, s2, s3, s0) ^ m1;
    k2 ^= substituted(s2, s3, s0, s1) ^ m2;
    k3 ^= substituted(s3, s0, s1, s2) ^ m3;
  }
  state[0] = k0;
  state[1] = k1;
  state[2] = k2;
  state[3] = k3;
}

function columnAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! << 24) |
    (bytes[(at + 1) | 0]! << 16) |
    (bytes[(at + 2) | 0]! << 8) |
    bytes[(at + 3) | 0]!
  );
}

/** SubBytes, ShiftRows and MixColumns: one column of the next state. */
function mixed(a: number, b: number, c: number, d: number): number {
  const second = COLUMNS[(b >>> 16) & 255]!;
  const third = COLUMNS[(c >>> 8) & 255]!;
  const fourth = COLUMNS[d & 255]!;
  return (
    COLUMNS[a >>> 24]! ^
    ((second >>> 8) | (second << 24)) ^
    ((third >>> 16) | (third << 16)) ^
    ((fourth >>> 24) | (fourth << 8))
  );
}

/** SubBytes and ShiftRows alone. */
function substituted(a: number, b: number, c: number, d: number): number {
  return (
    (SBOX[a >>> 24]! << 24) |
    (SBOX[(b >>> 16) & 255]! << 16) |
    (SBOX[(c >>> 8) & 255]! << 8) |
    SBOX[d & 255]!
  );
}

/** The key schedule's RotWord and SubWord. */
function substituteRotated(word: number): number {
  return (
    (SBOX[(word >>> 16) & 255]! << 24) |
    (SBOX[(word >>> 8) & 255]! << 16) |
    (SBOX[word & 255]! << 8) |
    SBOX[word >>> 24]!
  );
}

/** Times x in GF(2^8) (FIPS 197, 4.2.1). */
function double(value: number): number {
  return ((value << 1) ^ (value & 0x80 ? 0x11b : 0)) & 255;
}

/**
 * FIPS 197, 5.1.1: the inverse in GF(2^8), then an affine map. 3 generates the field, and 1 / 3^n
 * is 3^(255 - n).
 */
function substitutionBox(): Uint8Array {
  const powers = new Uint8Array(256);
  for (let i = 0, power = 1; i < 256; i++, power ^= double(power)) powers[i] = power;
  const box = new Uint8Array(256);
  box[0] = 0x63;
  for (let i = 0; i < 255; i++) {
    const inverse = powers[255 - i]!;
    let value = 0x63;
    for (let turn = 0; turn < 5; turn++) value ^= (inverse << turn) | (inverse >>> (8 - turn));
    box[powers[i]!] = value;
  }
  return box;
}
