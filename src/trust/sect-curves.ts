/**
 * The Koblitz curves of ZigBee Smart Energy, sect163k1 and sect283k1 (SEC 2 version 2, 3.2.1 and
 * 3.4.1): points, their sums and multiples, and ECDSA verification of a digest that is given.
 *
 * OpenSSL has both curves, but neither point addition nor signatures over a digest of AES-MMO, and
 * both are needed here; it is the oracle of the tests instead.
 *
 * A field element is a bigint with one coefficient a slot of `slotBits` bits, so that JavaScript's
 * own multiplication multiplies polynomials: each slot of the product counts a coefficient's
 * contributions, the slot is wide enough for all of them, and the lowest bit is their sum in GF(2).
 * One multiplication takes 2 us in the smaller field and 6 in the larger (Node 24, x64), where a
 * loop over the bits of bigints takes 40; checking a signature with its certificate takes 16 and 60 ms
 * (test/bench/trust.bench.ts). Time depends on the values: for public keys and signatures only,
 * never for a secret.
 */
import { assert } from '../errors.ts';

export type SectCurveName = 'sect163k1' | 'sect283k1';

/** A point that is not infinity; coordinates in slots. */
export interface SectPoint {
  readonly x: bigint;
  readonly y: bigint;
}

export interface SectCurve {
  readonly name: SectCurveName;
  /** Of the field. */
  readonly bits: number;
  /** Octets of a field element. */
  readonly fieldBytes: number;
  /** Octets of a number below the order. */
  readonly scalarBytes: number;
  readonly order: bigint;
  readonly generator: SectPoint;
  readonly field: Field;
  /** y² + xy = x³ + ax² + 1, and a is 0 or 1. */
  readonly a: bigint;
}

/** Arithmetic in GF(2^bits); elements in slots. Addition is `^`. */
interface Field {
  multiply(left: bigint, right: bigint): bigint;
  square(value: bigint): bigint;
  invert(value: bigint): bigint;
  /** The number whose bits are the coefficients. */
  toSlots(value: bigint): bigint;
  fromSlots(value: bigint): bigint;
}

/** López-Dahab coordinates: x = X / Z, y = Y / Z². Infinity has Z = 0. */
interface Projective {
  X: bigint;
  Y: bigint;
  Z: bigint;
}

const INFINITY: Projective = { X: 1n, Y: 0n, Z: 0n };

export const SECT_CURVES: Readonly<Record<SectCurveName, SectCurve>> = {
  sect163k1: curve('sect163k1', {
    bits: 163,
    terms: [7, 6, 3],
    a: 1n,
    order: 0x04000000000000000000020108a2e0cc0d99f8a5efn,
    x: 0x02fe13c0537bbc11acaa07d793de4e6d5e5c94eee8n,
    y: 0x0289070fb05d38ff58321f2e800536d538ccdaa3d9n,
  }),
  sect283k1: curve('sect283k1', {
    bits: 283,
    terms: [12, 7, 5],
    a: 0n,
    order: 0x01ffffffffffffffffffffffffffffffffffe9ae2ed07577265dff7f94451e061e163c61n,
    x: 0x0503213f78ca44883f1a3b8162f188e553cd265f23c1567a16876913b0c2ac2458492836n,
    y: 0x01ccda380f1c9e318d90f95d07e5426fe87e45c0e8184698e45962364e34116177dd2259n,
  }),
};

/**
 * The point of a compressed form (SEC 1 version 2, 2.3.4): 2 or 3, then x. `undefined` where it is
 * none: another length, an x that is no element or lies on no point.
 */
export function decompressPoint(curve: SectCurve, octets: Uint8Array): SectPoint | undefined {
  const { field, fieldBytes, bits, a } = curve;
  const sign = octets[0];
  if (octets.length !== 1 + fieldBytes || (sign !== 2 && sign !== 3)) return undefined;
  const value = integerOf(octets.subarray(1));
  // The one point with x = 0 has order 2, and is nobody's key.
  if (value === 0n || value >> BigInt(bits) !== 0n) return undefined;
  const x = field.toSlots(value);
  const inverse = field.invert(x);
  const constant = x ^ a ^ field.square(inverse);
  const root = halfTrace(curve, constant);
  if ((field.square(root) ^ root) !== constant) return undefined;
  const chosen = (root & 1n) === BigInt(sign - 2) ? root : root ^ 1n;
  return { x, y: field.multiply(x, chosen) };
}

export function compressPoint({ field, fieldBytes }: SectCurve, point: SectPoint): Uint8Array {
  const ratio = field.multiply(point.y, field.invert(point.x));
  const octets = octetsOf(field.fromSlots(point.x), 1 + fieldBytes);
  octets[0] = (ratio & 1n) === 1n ? 3 : 2;
  return octets;
}

/**
 * Whether a point could be a public key: of the subgroup that the generator spans (SEC 1, 3.2.2.1).
 * On the curve it has to be already.
 */
export function isPublicKey(curve: SectCurve, point: SectPoint): boolean {
  return combine(curve, [[curve.order, point]]) === undefined;
}

/** The sum of the points, each times its number; `undefined` is infinity. */
export function combine(
  curve: SectCurve,
  terms: readonly (readonly [scalar: bigint, point: SectPoint])[],
): SectPoint | undefined {
  assert(
    terms.every(([scalar]) => scalar >= 0n),
    'points are multiplied by natural numbers',
  );
  const signed = terms.map(([scalar, point]) => ({
    digits: nonAdjacentForm(scalar),
    point,
    opposite: { x: point.x, y: point.x ^ point.y },
  }));
  let sum = INFINITY;
  for (let at = Math.max(0, ...signed.map(({ digits }) => digits.length)) - 1; at >= 0; at--) {
    sum = double(curve, sum);
    for (const { digits, point, opposite } of signed) {
      const digit = digits[at];
      if (digit) sum = add(curve, sum, digit > 0 ? point : opposite);
    }
  }
  return affine(curve, sum);
}

/** Whether r and s, big-endian and of equal length, sign this number (SEC 1, 4.1.4). */
export function verifySectEcdsa(
  curve: SectCurve,
  publicKey: SectPoint,
  hashed: bigint,
  signature: Uint8Array,
): boolean {
  const { order, generator, field, scalarBytes } = curve;
  if (signature.length !== 2 * scalarBytes) return false;
  const r = integerOf(signature.subarray(0, scalarBytes));
  const s = integerOf(signature.subarray(scalarBytes));
  if (r === 0n || r >= order || s === 0n || s >= order) return false;
  const inverse = invertModulo(s, order);
  const point = combine(curve, [
    [(hashed * inverse) % order, generator],
    [(r * inverse) % order, publicKey],
  ]);
  return point !== undefined && field.fromSlots(point.x) % order === r;
}

/** Big-endian. */
export function integerOf(octets: Uint8Array): bigint {
  return octets.length === 0 ? 0n : BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

/** Big-endian, `length` octets. */
export function octetsOf(value: bigint, length: number): Uint8Array {
  const digits = value.toString(16).padStart(2 * length, '0');
  assert(digits.length === 2 * length, `the number has at most ${length} octets`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** The inverse modulo a prime, by Euclid. */
export function invertModulo(value: bigint, prime: bigint): bigint {
  let [remainder, next] = [prime, value % prime];
  let [factor, nextFactor] = [0n, 1n];
  while (next !== 0n) {
    const quotient = remainder / next;
    [remainder, next] = [next, remainder - quotient * next];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  assert(remainder === 1n, 'the number has an inverse');
  return factor < 0n ? factor + prime : factor;
}

interface CurveNumbers {
  bits: number;
  /** The exponents of the reduction polynomial between `bits` and 0. */
  terms: readonly number[];
  a: bigint;
  order: bigint;
  x: bigint;
  y: bigint;
}

function curve(name: SectCurveName, numbers: CurveNumbers): SectCurve {
  const { bits, terms, a, order } = numbers;
  const field = binaryField(bits, terms);
  return {
    name,
    bits,
    fieldBytes: Math.ceil(bits / 8),
    scalarBytes: Math.ceil(order.toString(2).length / 8),
    order,
    generator: { x: field.toSlots(numbers.x), y: field.toSlots(numbers.y) },
    field,
    a,
  };
}

function binaryField(bits: number, terms: readonly number[]): Field {
  /** Wide enough to count `bits` contributions. */
  const slotBits = bits.toString(2).length;
  const digitsOf = (length: number) => BigInt(`0b${'1'.padStart(slotBits, '0').repeat(length)}`);
  const elementMask = digitsOf(bits);
  const productMask = digitsOf(2 * bits);
  const foldShift = BigInt(bits * slotBits);
  const termShifts = [...terms, 0].map((term) => BigInt(term * slotBits));

  /** Twice: the first fold leaves the degree at `bits` plus the highest term at most. */
  const reduce = (product: bigint): bigint => {
    let value = product;
    for (let high = value >> foldShift; high !== 0n; high = value >> foldShift) {
      value &= elementMask;
      for (const shift of termShifts) value ^= high << shift;
    }
    return value;
  };
  const multiply = (left: bigint, right: bigint) => reduce((left * right) & productMask);
  const square = (value: bigint) => reduce((value * value) & productMask);

  /** By Fermat, x^(2^bits - 2), along a chain that doubles the exponent's ones (Itoh, Tsujii). */
  const invert = (value: bigint): bigint => {
    assert(value !== 0n, 'zero has no inverse');
    let power = value;
    let ones = 1;
    for (const digit of (bits - 1).toString(2).slice(1)) {
      let shifted = power;
      for (let turn = 0; turn < ones; turn++) shifted = square(shifted);
      power = multiply(shifted, power);
      ones *= 2;
      if (digit === '1') {
        power = multiply(square(power), value);
        ones += 1;
      }
    }
    return square(power);
  };
  const toSlots = (value: bigint) =>
    BigInt(`0b${[...value.toString(2)].map((digit) => digit.padStart(slotBits, '0')).join('')}`);
  const fromSlots = (value: bigint) => {
    const text = value.toString(2);
    let digits = '';
    for (let at = text.length - 1; at >= 0; at -= slotBits) digits = text[at]! + digits;
    return BigInt(`0b${digits}`);
  };
  return { multiply, square, invert, toSlots, fromSlots };
}

/**
 * The number in digits 1, 0 and -1, the lowest first, no two beside each other other than 0: a third
 * of them, where half the binary ones are. Of the order of sect283k1, whose upper half is ones, it
 * leaves 45 additions of 214.
 */
function nonAdjacentForm(value: bigint): number[] {
  const digits: number[] = [];
  for (let left = value; left !== 0n; left >>= 1n) {
    const digit = left & 1n ? 2 - Number(left & 3n) : 0;
    digits.push(digit);
    left -= BigInt(digit);
  }
  return digits;
}

/** A root of z² + z = value where there is one; `bits` is odd (SEC 1, 2.3.4; IEEE 1363, A.4.7). */
function halfTrace({ field, bits }: SectCurve, value: bigint): bigint {
  let power = value;
  let sum = value;
  for (let turn = 0; turn < (bits - 1) / 2; turn++) {
    power = field.square(field.square(power));
    sum ^= power;
  }
  return sum;
}

/** López and Dahab (1998), with b = 1. */
function double({ field, a }: SectCurve, { X, Y, Z }: Projective): Projective {
  if (Z === 0n) return INFINITY;
  const { multiply, square } = field;
  const z2 = square(Z);
  const x2 = square(X);
  const z4 = square(z2);
  const doubledZ = multiply(x2, z2);
  const doubledX = square(x2) ^ z4;
  const inner = (a === 0n ? 0n : doubledZ) ^ square(Y) ^ z4;
  return {
    X: doubledX,
    Y: multiply(z4, doubledZ) ^ multiply(doubledX, inner),
    Z: doubledZ,
  };
}

/** Mixed addition, projective and affine (López and Dahab, 1998; Al-Daoud and others, 2002). */
function add(curve: SectCurve, left: Projective, right: SectPoint): Projective {
  const { field, a } = curve;
  const { multiply, square } = field;
  const { X, Y, Z } = left;
  if (Z === 0n) return { X: right.x, Y: right.y, Z: 1n };
  const z2 = square(Z);
  const yDifference = multiply(right.y, z2) ^ Y;
  const xDifference = multiply(right.x, Z) ^ X;
  if (xDifference === 0n) return yDifference === 0n ? double(curve, left) : INFINITY;
  const c = multiply(Z, xDifference);
  const d = multiply(square(xDifference), c ^ (a === 0n ? 0n : z2));
  const sumZ = square(c);
  const e = multiply(yDifference, c);
  const sumX = square(yDifference) ^ d ^ e;
  const f = sumX ^ multiply(right.x, sumZ);
  const g = multiply(right.x ^ right.y, square(sumZ));
  return { X: sumX, Y: multiply(e ^ sumZ, f) ^ g, Z: sumZ };
}

function affine({ field }: SectCurve, { X, Y, Z }: Projective): SectPoint | undefined {
  if (Z === 0n) return undefined;
  const inverse = field.invert(Z);
  return { x: field.multiply(X, inverse), y: field.multiply(Y, field.square(inverse)) };
}
