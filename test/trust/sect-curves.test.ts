/** The curves of Smart Energy against OpenSSL, which has both: points, multiples, signatures. */
import { createECDH, createHash, createPrivateKey, ECDH, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../src/bytes/hex.ts';
import {
  combine,
  compressPoint,
  decompressPoint,
  integerOf,
  invertModulo,
  isPublicKey,
  octetsOf,
  SECT_CURVES,
  type SectCurve,
  verifySectEcdsa,
} from '../../src/trust/sect-curves.ts';
import { sec1KeyDer } from './sect-keys.ts';

const ROUNDS = 4;
const CURVES = Object.values(SECT_CURVES);

function scalarOf(curve: SectCurve, seed: string): bigint {
  const octets = createHash('sha512').update(seed).digest();
  return (integerOf(octets) % (curve.order - 1n)) + 1n;
}

/** OpenSSL's public key of a private one, compressed. */
function publicOf(curve: SectCurve, scalar: bigint): Uint8Array {
  const ecdh = createECDH(curve.name);
  ecdh.setPrivateKey(octetsOf(scalar, curve.scalarBytes));
  return new Uint8Array(ecdh.getPublicKey(null, 'compressed'));
}

for (const curve of CURVES) {
  test(`${curve.name}: multiples of the generator are OpenSSL's`, () => {
    const scalars = [1n, 2n, 3n, 4n, 5n, curve.order - 1n, curve.order - 2n];
    for (let round = 0; round < ROUNDS; round++) scalars.push(scalarOf(curve, `multiple ${round}`));
    for (const scalar of scalars) {
      const point = combine(curve, [[scalar, curve.generator]])!;
      assert.is(
        encodeHex(compressPoint(curve, point)),
        encodeHex(publicOf(curve, scalar)),
        `${scalar}`,
      );
    }
    assert.is(combine(curve, [[0n, curve.generator]]), undefined);
    assert.is(combine(curve, [[curve.order, curve.generator]]), undefined);
  });

  test(`${curve.name}: sums and doubles, equal and opposite points`, () => {
    const { order, generator } = curve;
    for (let round = 0; round < ROUNDS; round++) {
      const [one, two] = [scalarOf(curve, `one ${round}`), scalarOf(curve, `two ${round}`)];
      const point = combine(curve, [[two, generator]])!;
      const direct = combine(curve, [[(one + two * one) % order, generator]]);
      assert.equal(
        combine(curve, [
          [one, generator],
          [one, point],
        ]),
        direct,
      );
      const opposite = { x: point.x, y: point.x ^ point.y };
      assert.is(
        combine(curve, [
          [1n, point],
          [1n, opposite],
        ]),
        undefined,
      );
      assert.equal(
        combine(curve, [
          [1n, point],
          [1n, point],
        ]),
        combine(curve, [[2n, point]]),
      );
    }
  });

  test(`${curve.name}: the point of two keys is the secret that OpenSSL derives`, () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [own, other] = [scalarOf(curve, `own ${round}`), scalarOf(curve, `other ${round}`)];
      const ecdh = createECDH(curve.name);
      ecdh.setPrivateKey(octetsOf(own, curve.scalarBytes));
      const theirs = publicOf(curve, other);
      const shared = combine(curve, [[own, decompressPoint(curve, theirs)!]])!;
      assert.is(
        encodeHex(octetsOf(curve.field.fromSlots(shared.x), curve.fieldBytes)),
        ecdh.computeSecret(theirs).toString('hex'),
      );
    }
  });

  test(`${curve.name}: decompression takes and refuses what OpenSSL does`, () => {
    let refused = 0;
    for (let round = 0; round < 4 * ROUNDS; round++) {
      const value = integerOf(createHash('sha512').update(`x ${round}`).digest());
      const octets = octetsOf(value % (1n << BigInt(curve.bits)), 1 + curve.fieldBytes);
      octets[0] = 2 + (round & 1);
      const point = decompressPoint(curve, octets);
      let theirs: string | undefined;
      try {
        theirs = ECDH.convertKey(octets, curve.name, undefined, 'hex', 'uncompressed') as string;
      } catch {
        refused++;
      }
      const ours = point && `04${coordinate(curve, point.x)}${coordinate(curve, point.y)}`;
      assert.is(ours, theirs);
      if (point) assert.equal(compressPoint(curve, point), octets);
    }
    assert.ok(refused > 0, `${refused} were on no curve`);
  });

  test(`${curve.name}: what is no compressed point`, () => {
    const good = publicOf(curve, 7n);
    for (const octets of [
      good.subarray(1),
      new Uint8Array([...good, 0]),
      Uint8Array.of(4, ...good.subarray(1)),
      Uint8Array.of(0, ...good.subarray(1)),
      Uint8Array.of(2, ...new Uint8Array(curve.fieldBytes)),
      // A bit above the field's.
      Uint8Array.of(2, 0xff, ...good.subarray(2)),
      new Uint8Array(0),
    ]) {
      assert.is(decompressPoint(curve, octets), undefined, encodeHex(octets));
    }
  });

  test(`${curve.name}: a point outside the subgroup is no public key`, () => {
    assert.ok(isPublicKey(curve, curve.generator));
    // Adding the point of order 2, (0, 1), to x, y gives 1 / x and another y.
    let outside = 0;
    for (let round = 0; outside < 3; round++) {
      const value = integerOf(createHash('sha512').update(`out ${round}`).digest());
      const octets = octetsOf(value % (1n << BigInt(curve.bits)), 1 + curve.fieldBytes);
      octets[0] = 2;
      const point = decompressPoint(curve, octets);
      if (!point || isPublicKey(curve, point)) continue;
      outside++;
      const cofactor = curve.name === 'sect163k1' ? 2n : 4n;
      const cleared = combine(curve, [[cofactor, point]]);
      assert.ok(cleared && isPublicKey(curve, cleared), 'the cofactor clears it');
    }
  });

  test(`${curve.name}: signatures of OpenSSL verify, and no changed bit does`, () => {
    const bits = BigInt(curve.order.toString(2).length);
    for (let round = 0; round < 2; round++) {
      const scalar = scalarOf(curve, `signer ${round}`);
      const key = createPrivateKey({
        key: Buffer.from(sec1KeyDer(curve, scalar)),
        format: 'der',
        type: 'sec1',
      });
      const message = Buffer.from(`message ${round}`);
      const signature = new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }));
      const digest = integerOf(createHash('sha256').update(message).digest());
      // The leftmost bits of a digest that is longer than the order.
      const hashed = bits < 256n ? digest >> (256n - bits) : digest;
      const publicKey = decompressPoint(curve, publicOf(curve, scalar))!;
      assert.ok(verifySectEcdsa(curve, publicKey, hashed, signature));
      assert.not(verifySectEcdsa(curve, publicKey, hashed ^ 1n, signature));
      assert.not(verifySectEcdsa(curve, curve.generator, hashed, signature));
      for (let bit = round; bit < 8 * signature.length; bit += 167) {
        const flipped = signature.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        assert.not(verifySectEcdsa(curve, publicKey, hashed, flipped), `bit ${bit}`);
      }
    }
  });

  test(`${curve.name}: r and s are numbers from 1 to the order`, () => {
    const { scalarBytes, order, generator } = curve;
    const part = (value: bigint) => [...octetsOf(value, scalarBytes)];
    for (const [r, s] of [
      [0n, 1n],
      [1n, 0n],
      [order, 1n],
      [1n, order],
    ] as const) {
      assert.not(verifySectEcdsa(curve, generator, 1n, Uint8Array.from([...part(r), ...part(s)])));
    }
    assert.not(verifySectEcdsa(curve, generator, 1n, new Uint8Array(2 * scalarBytes + 1)));
    assert.not(verifySectEcdsa(curve, generator, 1n, new Uint8Array(0)));
  });

  test(`${curve.name}: the field's laws`, () => {
    const { field } = curve;
    const element = (seed: string) =>
      field.toSlots(
        integerOf(createHash('sha512').update(seed).digest()) % (1n << BigInt(curve.bits)),
      );
    for (let round = 0; round < ROUNDS; round++) {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => element(`${name} ${round}`)) as [
        bigint,
        bigint,
        bigint,
      ];
      assert.is(field.multiply(a, b ^ c), field.multiply(a, b) ^ field.multiply(a, c));
      assert.is(field.multiply(field.multiply(a, b), c), field.multiply(a, field.multiply(b, c)));
      assert.is(field.square(a), field.multiply(a, a));
      assert.is(field.multiply(a, field.invert(a)), 1n);
      assert.is(field.toSlots(field.fromSlots(a)), a);
    }
  });
}

test('inverses modulo the orders', () => {
  for (const { order } of CURVES) {
    for (const value of [1n, 2n, order - 1n, 12345678901234567890n]) {
      assert.is((invertModulo(value, order) * value) % order, 1n);
    }
  }
});

function coordinate(curve: SectCurve, value: bigint): string {
  return encodeHex(octetsOf(curve.field.fromSlots(value), curve.fieldBytes));
}

test.run();
