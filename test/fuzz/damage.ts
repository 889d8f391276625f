/** What is done to an undamaged input, and how a failing one is made small again. */
import type { Random } from './random.ts';

/** Growth by repeats is bounded, so that a time measured is the reader's. */
const GROWN_BYTES_MAX = 256 * 1024;
const BYTES = [0, 1, 0x09, 0x0a, 0x20, 0x22, 0x2c, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xfe, 0xff];
/** Where counts, lengths and offsets turn over, in 16 and in 32 bits. */
const WORDS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff];
const LONGS = [...WORDS, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

type Change = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  (bytes, random) => overwrite(bytes, random.below(bytes.length), [random.below(256)]),
  (bytes, random) => overwrite(bytes, random.below(bytes.length), [random.pick(BYTES)]),
  writeNumber,
  (bytes, random) => cut(bytes, random.below(bytes.length), random.size(bytes.length)),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => insert(bytes, random.below(bytes.length + 1), piece(bytes, random)),
  (bytes, random) => overwrite(bytes, random.below(bytes.length), piece(bytes, random)),
  movePiece,
  repeatPiece,
  (bytes, random, others) =>
    insert(bytes, random.below(bytes.length + 1), piece(random.pick(others), random)),
  spliceOther,
];

/** One to four changes. `others` are inputs and words of the same target, to take pieces from. */
export function damage(
  bytes: Uint8Array,
  random: Random,
  others: readonly Uint8Array[],
): Uint8Array {
  let damaged = bytes;
  for (let left = 1 + random.below(4); left > 0 && damaged.length > 0; left--) {
    damaged = random.pick(CHANGES)(damaged, random, others);
  }
  return Uint8Array.from(damaged);
}

/**
 * A smaller input that still fails: pieces are left out, halves first, then bytes become 0. Ends
 * when nothing more can go, or `untilMs` has come.
 */
export function minimise(
  bytes: Uint8Array,
  fails: (bytes: Uint8Array) => boolean,
  untilMs: number,
): Uint8Array {
  let smallest = bytes;
  const isTime = () => performance.now() < untilMs;
  for (let length = bytes.length >> 1; length > 0 && isTime(); ) {
    let isSmaller = false;
    for (let at = 0; at < smallest.length && isTime(); ) {
      const shorter = cut(smallest, at, length);
      if (fails(shorter)) {
        smallest = shorter;
        isSmaller = true;
      } else at += length;
    }
    if (length > 1 || !isSmaller) length >>= 1;
  }
  for (let at = 0; at < smallest.length && isTime(); at++) {
    if (smallest[at] === 0) continue;
    const plainer = overwrite(smallest, at, [0]);
    if (fails(plainer)) smallest = plainer;
  }
  return smallest;
}

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  return overwrite(bytes, at, [bytes[at]! ^ (1 << random.below(8))]);
}

function writeNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  const near = [bytes.length, bytes.length - at].flatMap((n) => [n - 1, n, n + 1]);
  const octets = random.pick([2, 4]);
  const number = random.pick([...(octets === 2 ? WORDS : LONGS), ...near]);
  const big = Array.from({ length: octets }, (_, i) => (number >>> (8 * (octets - 1 - i))) & 255);
  return overwrite(bytes, at, random.below(2) === 0 ? big : big.reverse());
}

function movePiece(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  const moved = bytes.subarray(at, at + random.size(64));
  const rest = cut(bytes, at, moved.length);
  return insert(rest, random.below(rest.length + 1), moved);
}

function repeatPiece(bytes: Uint8Array, random: Random): Uint8Array {
  const repeated = piece(bytes, random);
  const most = Math.floor((GROWN_BYTES_MAX - bytes.length) / repeated.length);
  if (most < 1) return bytes;
  const times = random.size(Math.min(most, 65_536));
  const grown = new Uint8Array(repeated.length * times);
  for (let at = 0; at < grown.length; at += repeated.length) grown.set(repeated, at);
  return insert(bytes, random.below(bytes.length + 1), grown);
}

/** The beginning of one, the end of another. */
function spliceOther(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length);
  return insert(
    bytes.subarray(0, at),
    at,
    random.pick(others).subarray(random.below(bytes.length)),
  );
}

function piece(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  return bytes.length === 0 ? Uint8Array.of(0) : bytes.subarray(at, at + random.size(32));
}

function overwrite(bytes: Uint8Array, at: number, by: ArrayLike<number>): Uint8Array {
  const changed = Uint8Array.from(bytes);
  for (let i = 0; i < by.length && at + i < changed.length; i++) changed[at + i] = by[i]!;
  return changed;
}

function cut(bytes: Uint8Array, at: number, length: number): Uint8Array {
  return insert(bytes.subarray(0, at), at, bytes.subarray(at + length));
}

function insert(bytes: Uint8Array, at: number, added: Uint8Array): Uint8Array {
  const joined = new Uint8Array(bytes.length + added.length);
  joined.set(bytes.subarray(0, at));
  joined.set(added, at);
  joined.set(bytes.subarray(at), at + added.length);
  return joined;
}
