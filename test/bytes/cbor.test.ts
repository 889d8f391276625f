/** Deterministic CBOR: the examples of RFC 8949, what it refuses, and that a value has one encoding. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CborValue, decodeCbor, encodeCbor } from '../../src/bytes/cbor.ts';

const test = suite('bytes/cbor');
const LIMITS = { depthMax: 8, itemsMax: 1000 };
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const codeOf = (hex: string) => {
  const decoded = decodeCbor(bytesOf(hex), LIMITS);
  return decoded.ok ? 'ok' : decoded.code;
};

/** RFC 8949, appendix A, where the types are ours; the sorted map is the one of 4.2.1. */
const GOLDEN: [CborValue, string][] = [
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [100, '1864'],
  [1000, '1903e8'],
  [1_000_000, '1a000f4240'],
  [1_000_000_000_000, '1b000000e8d4a51000'],
  [-1, '20'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
  [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
  [false, 'f4'],
  [true, 'f5'],
  [bytesOf(''), '40'],
  [bytesOf('01020304'), '4401020304'],
  ['', '60'],
  ['IETF', '6449455446'],
  ['\u00fc', '62c3bc'],
  ['\ud800\udd51', '64f0908591'],
  ['\ufeffa', '64efbbbf61'],
  [[], '80'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [new Map(), 'a0'],
  [
    new Map<number | string, CborValue>([
      ['aa', 4],
      [-1, 2],
      ['z', 3],
      [100, 1],
      [10, 0],
    ]),
    'a5 0a00 186401 2002 617a03 62616104',
  ],
];

for (const [value, hex] of GOLDEN) {
  test(`golden ${hex}`, () => {
    assert.is(hexOf(encodeCbor(value)), hex.replaceAll(' ', ''));
    assert.equal(decodeCbor(bytesOf(hex), LIMITS), { ok: true, value });
  });
}

const REFUSED: [string, string, string][] = [
  ['an integer in one octet too many', '1817', 'head-not-shortest'],
  ['in two', '1900ff', 'head-not-shortest'],
  ['in four', '1a0000ffff', 'head-not-shortest'],
  ['in eight', '1b00000000ffffffff', 'head-not-shortest'],
  ['a negative one', '3817', 'head-not-shortest'],
  ['a length', '580101', 'head-not-shortest'],
  ['a count', '980100', 'head-not-shortest'],
  ['a count of pairs', 'b8010000', 'head-not-shortest'],
  ['an array without a length', '9f00ff', 'length-indefinite'],
  ['a map without a length', 'bf0000ff', 'length-indefinite'],
  ['a string in pieces', '5f4101ff', 'string-in-pieces'],
  ['keys out of order', 'a2 0100 0000', 'key-order'],
  ['a longer key before a shorter one', 'a2 62616100 617a00', 'key-order'],
  ['text before a number', 'a2 616100 0000', 'key-order'],
  ['a key twice', 'a2 0000 0000', 'key-duplicate'],
  ['a byte string as key', 'a1 4100 00', 'key-refused'],
  ['2^53', '1b0020000000000000', 'integer-too-large'],
  ['-2^53', '3b001fffffffffffff', 'integer-too-large'],
  ['2^64 - 1', '1bffffffffffffffff', 'integer-too-large'],
  ['null', 'f6', 'type-refused'],
  ['undefined', 'f7', 'type-refused'],
  ['NaN', 'f97e00', 'type-refused'],
  ['a date', 'c11a514b67b0', 'tag-refused'],
  ['a bignum', 'c249010000000000000000', 'tag-refused'],
  ['what follows', '0000', 'trailing-bytes'],
  ['nothing', '', 'truncated'],
];

for (const [what, hex, code] of REFUSED) {
  test(`refused: ${what}`, () => assert.is(codeOf(hex), code));
}

test('a key __proto__ is a key', () => {
  const decoded = decodeCbor(bytesOf('a1 695f5f70726f746f5f5f 81f5'), LIMITS);
  assert.ok(decoded.ok);
  if (!decoded.ok) return;
  assert.equal([...(decoded.value as Map<string, CborValue>)], [['__proto__', [true]]]);
  assert.is(({} as { 0?: unknown })[0], undefined);
});

test('byte strings are copies', () => {
  const bytes = bytesOf('4101');
  const decoded = decodeCbor(bytes, LIMITS);
  bytes[1] = 2;
  assert.equal(decoded, { ok: true, value: bytesOf('01') });
});

const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.oneof(fc.integer(), fc.string({ unit: 'grapheme' })), tie('value')), {
        maxLength: 5,
      })
      .map((entries) => new Map(entries)),
  ),
}));

test('what is written is read back', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const encoded = encodeCbor(value);
      const decoded = decodeCbor(encoded, { depthMax: 20, itemsMax: 10_000 });
      assert.ok(decoded.ok);
      if (decoded.ok) assert.is(hexOf(encodeCbor(decoded.value)), hexOf(encoded));
    }),
  );
});

test('whatever is read has this encoding and no other', () => {
  fc.assert(
    fc.property(anyValue, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
      const bytes = encodeCbor(value);
      bytes[at % bytes.length]! ^= flip;
      const decoded = decodeCbor(bytes, { depthMax: 20, itemsMax: 10_000 });
      if (decoded.ok) assert.is(hexOf(encodeCbor(decoded.value)), hexOf(bytes));
    }),
    { numRuns: 500 },
  );
});

test.run();
