import { crc32 as zlibCrc32 } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc16Kermit, crc16X25, crc16Xmodem, crc32 } from '../../src/bytes/crc.ts';
import { bytesAllocatedPerCall, seededBytes } from '../bench/bench.ts';

const SEED = (Date.now() & 0x7fffffff) >>> 0;
console.log(`SEED ${SEED} (crc)`);

/**
 * Long enough for the largest range that is copied (8 KiB), for a view, and for every alignment.
 */
const NOISE = seededBytes(20_000, SEED);

interface Model {
  name: string;
  crc: (bytes: Uint8Array, seed?: number, start?: number, end?: number) => number;
  oracle: (bytes: Uint8Array) => number;
  check: number;
}

/** Bit by bit, from the parameters of the catalogue: nothing shared with the tables under test. */
function bitwise(
  width: number,
  polynomial: bigint,
  init: bigint,
  xorOut: bigint,
  reflect: boolean,
) {
  const mask = (1n << BigInt(width)) - 1n;
  const mirror = (value: bigint, bits: number): bigint =>
    BigInt(`0b${value.toString(2).padStart(bits, '0').split('').reverse().join('')}`);
  return (bytes: Uint8Array): number => {
    let register = init;
    for (const byte of bytes) {
      const input = reflect ? mirror(BigInt(byte), 8) : BigInt(byte);
      for (let bit = 7n; bit >= 0n; bit--) {
        const feedback = ((register >> BigInt(width - 1)) ^ (input >> bit)) & 1n;
        register = ((register << 1n) & mask) ^ (feedback ? polynomial : 0n);
      }
    }
    return Number((reflect ? mirror(register, width) : register) ^ xorOut);
  };
}

const MODELS: Model[] = [
  {
    name: 'CRC-16/XMODEM',
    crc: crc16Xmodem,
    oracle: bitwise(16, 0x1021n, 0n, 0n, false),
    check: 0x31c3,
  },
  {
    name: 'CRC-16/KERMIT',
    crc: crc16Kermit,
    oracle: bitwise(16, 0x1021n, 0n, 0n, true),
    check: 0x2189,
  },
  {
    name: 'CRC-16/X-25',
    crc: crc16X25,
    oracle: bitwise(16, 0x1021n, 0xffffn, 0xffffn, true),
    check: 0x906e,
  },
  {
    name: 'CRC-32/ISO-HDLC',
    crc: crc32,
    oracle: bitwise(32, 0x04c11db7n, 0xffffffffn, 0xffffffffn, true),
    check: 0xcbf43926,
  },
];

for (const { name, crc, oracle, check } of MODELS) {
  test(`${name}: the published check value`, () => {
    const digits = new TextEncoder().encode('123456789');
    assert.is(oracle(digits), check, 'the oracle itself');
    assert.is(crc(digits), check);
  });

  test(`${name}: every length from 0 to 300, as a copy, a subarray and a range`, () => {
    for (let length = 0; length <= 300; length++) {
      const offset = length % 7;
      const view = NOISE.subarray(offset, offset + length);
      const expected = oracle(view);
      assert.is(crc(view.slice()), expected, `copy of ${length}`);
      assert.is(crc(view), expected, `subarray of ${length} at ${offset}`);
      assert.is(
        crc(NOISE, 0, offset, offset + length),
        expected,
        `range of ${length} at ${offset}`,
      );
      const small = NOISE.slice(0, 400);
      assert.is(crc(small, 0, offset, offset + length), expected, `small range of ${length}`);
    }
  });

  test(`${name}: every alignment of the lengths where the method changes`, () => {
    for (const length of [126, 127, 128, 129, 130, 131, 145, 8191, 8192, 8193, 8209, 9001]) {
      for (let offset = 0; offset < 9; offset++) {
        const view = NOISE.subarray(offset, offset + length);
        const expected = offset < 2 || length < 1000 ? oracle(view) : byPieces(crc, view);
        assert.is(crc(view), expected, `subarray of ${length} at ${offset}`);
        assert.is(crc(NOISE, 0, offset, offset + length), expected, `range ${length} at ${offset}`);
      }
    }
  });

  test(`${name}: resumes at every split`, () => {
    for (const bytes of [NOISE.slice(0, 293), NOISE.slice(0, 9000)]) {
      const whole = oracle(bytes);
      const step = bytes.length > 1000 ? 97 : 1;
      for (let split = 0; split <= bytes.length; split += step) {
        const first = crc(bytes, 0, 0, split);
        assert.is(crc(bytes, first, split), whole, `split at ${split} of ${bytes.length}`);
      }
    }
  });

  test(`${name}: one flipped bit always shows`, () => {
    const bytes = NOISE.slice(0, 200);
    const before = crc(bytes);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      assert.is.not(crc(bytes), before, `bit ${bit}`);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  test(`${name}: a Buffer is bytes, too, and nothing is written`, () => {
    const buffer = Buffer.from(NOISE.subarray(3, 503));
    const before = buffer.toString('hex');
    assert.is(crc(buffer), oracle(NOISE.subarray(3, 503)));
    assert.is(buffer.toString('hex'), before);
  });

  test(`${name}: a range outside its bytes is the caller's error`, () => {
    const bytes = new Uint8Array(10);
    assert.throws(() => crc(bytes, 0, -1, 5));
    assert.throws(() => crc(bytes, 0, 0, 11));
    assert.throws(() => crc(bytes, 0, 6, 5));
    assert.throws(() => crc(bytes, 0, 0, -1));
    assert.throws(() => crc(bytes, 0, Number.NaN));
    assert.is(crc(bytes, 7, 5, 5), 7, 'an empty range changes nothing');
  });
}

test('CRC-32 agrees with node:zlib at random seeds, lengths and offsets', () => {
  const draws = new Uint32Array(seededBytes(4 * 3 * 500, SEED + 1).buffer);
  for (let round = 0; round < 500; round++) {
    const seed = draws[3 * round]!;
    const start = draws[3 * round + 1]! % 3000;
    const end = start + (draws[3 * round + 2]! % 15_000);
    const expected = zlibCrc32(NOISE.subarray(start, end), seed);
    assert.is(crc32(NOISE, seed, start, end), expected, `seed ${seed}, ${start} to ${end}`);
    assert.is(crc32(NOISE.subarray(start, end), seed), expected, `seed ${seed}, a view`);
  }
});

test('a CRC-16 of a block or a packet allocates nothing, nor does one of a range in an image', () => {
  const packet = NOISE.slice(0, 1029);
  for (const crc of [crc16Xmodem, crc16Kermit, crc16X25]) {
    assert.is(
      bytesAllocatedPerCall(() => crc(packet, 0, 3, 1027)),
      0,
    );
    assert.is(
      bytesAllocatedPerCall(() => crc(NOISE, 0, 5000, 6024)),
      0,
    );
  }
});

/** The same function in pieces so short that only the byte kernel works: itself checked above. */
function byPieces(crc: Model['crc'], bytes: Uint8Array): number {
  let value = 0;
  for (let at = 0; at < bytes.length; at += 61) {
    value = crc(bytes, value, at, Math.min(at + 61, bytes.length));
  }
  return value;
}

test.run();
