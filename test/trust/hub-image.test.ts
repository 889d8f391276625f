/**
 * Digests and signatures of hub images: each scheme against node's own signing, each outcome by its
 * cause, real files with the keys that made them.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeGblImage, encodeGblProgram } from '../../src/image/gbl.ts';
import { type HubImage, type HubImageProfile, readHubImage } from '../../src/image/hub-image.ts';
import { encodeMcubootImage, mcubootSpecFrom } from '../../src/image/mcuboot.ts';
import type { TlvSpec } from '../../src/image/mcuboot-tlv.ts';
import { isDerP256Signature, isRawP256Signature } from '../../src/trust/ecdsa.ts';
import { verifyHubImage } from '../../src/trust/hub-image.ts';
import {
  mcubootKeyBytes,
  mcubootKeyHash,
  parsePublicKey,
  type SignatureKey,
} from '../../src/trust/public-key.ts';
import { counting } from '../image/naive-ota.ts';
import { readShared, testWithShared } from '../support/shared.ts';

/** Images of another implementation, with options that differ. */
const VECTORS = resolve(import.meta.dirname, '../vectors/imgtool.json');

interface ImgtoolVectors {
  keys: Record<string, string>;
  images: { name: string; key: string; base64: string; digest: string; signature: string }[];
}

const PSS = { padding: 6, saltLength: 32 } as const;

interface Signer {
  type: 'ecdsa' | 'rsa2048Pss' | 'rsa3072Pss' | 'ed25519';
  privateKey: KeyObject;
  publicKey: KeyObject;
  key: SignatureKey;
  sign(covered: Uint8Array): Uint8Array;
}

function signer(type: Signer['type']): Signer {
  const { privateKey, publicKey } = pair(type);
  const key = parsePublicKey(publicKey.export({ type: 'spki', format: 'pem' }) as string);
  const make = (covered: Uint8Array): Uint8Array => {
    if (type === 'ecdsa') return sign('sha256', covered, { key: privateKey, dsaEncoding: 'der' });
    if (type === 'ed25519') return sign(null, sha256(covered), privateKey);
    return sign('sha256', covered, { key: privateKey, ...PSS });
  };
  return { type, privateKey, publicKey, key, sign: (covered) => new Uint8Array(make(covered)) };
}

function pair(type: Signer['type']): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (type) {
    case 'ecdsa':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength: type === 'rsa2048Pss' ? 2048 : 3072 });
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

const ECDSA = signer('ecdsa');
const OTHER = signer('ecdsa');
const ED25519 = signer('ed25519');
const RSA2048 = signer('rsa2048Pss');
const RSA3072 = signer('rsa3072Pss');
const SIGNERS = [ECDSA, ED25519, RSA2048, RSA3072];
const ALL_KEYS = [OTHER.key, ...SIGNERS.map(({ key }) => key)];

function mcuboot(seal: (covered: Uint8Array) => TlvSpec[], flags = 0): Uint8Array {
  return encodeMcubootImage({
    version: { major: 1, minor: 0, revision: 0, build: 0 },
    flags,
    body: Uint8Array.from(counting(100)),
    protectedTlvs: [{ type: 'securityCounter', value: Uint8Array.of(1, 0, 0, 0) }],
    seal,
  });
}

function hashTlv(covered: Uint8Array): TlvSpec {
  return { type: 'sha256', value: sha256(covered) };
}

function signatureTlvs({ type, key, sign: make }: Signer, covered: Uint8Array): TlvSpec[] {
  const named: TlvSpec = { type: 'keyHash', value: mcubootKeyHash(mcubootKeyBytes(keyOf(key))) };
  return [named, { type, value: make(covered) }];
}

function keyOf(key: SignatureKey): KeyObject {
  if (!key.ok) throw new Error(key.code);
  return key.key;
}

function read(file: Uint8Array, profile: HubImageProfile = 'mcuboot'): HubImage {
  const image = readHubImage(file, profile);
  if (!image.ok) throw new Error(image.code);
  return image;
}

function outcome(file: Uint8Array, keys = ALL_KEYS, profile: HubImageProfile = 'mcuboot') {
  const { digest, signature } = verifyHubImage(read(file, profile), keys);
  return [digest, signature];
}

test('every scheme of MCUboot verifies with its key, found by its hash among others', () => {
  for (const made of SIGNERS) {
    const file = mcuboot((covered) => [hashTlv(covered), ...signatureTlvs(made, covered)]);
    assert.equal(outcome(file), ['match', 'verified'], made.type);
    const others = ALL_KEYS.filter((key) => key !== made.key);
    const without = made === ECDSA ? 'key-unknown' : 'no-trust-anchor';
    assert.equal(outcome(file, others), ['match', without], made.type);
    assert.equal(outcome(file, []), ['match', 'no-trust-anchor'], made.type);
  }
});

test('a key can be named whole, and then too only one of ours counts', () => {
  const seal =
    ({ key, sign: make }: Signer) =>
    (covered: Uint8Array): TlvSpec[] => {
      const value = mcubootKeyBytes(keyOf(key));
      return [
        hashTlv(covered),
        { type: 'publicKey', value },
        { type: 'ecdsa', value: make(covered) },
      ];
    };
  assert.equal(outcome(mcuboot(seal(ECDSA))), ['match', 'verified']);
  assert.equal(outcome(mcuboot(seal(signer('ecdsa')))), ['match', 'key-unknown']);
});

test('Ed25519: over the digest of the hash TLV, or over the image where it says so', () => {
  const { privateKey, key } = ED25519;
  const keyHash = (bytes: number): TlvSpec => {
    return { type: 'keyHash', value: mcubootKeyHash(mcubootKeyBytes(keyOf(key)), bytes) };
  };
  const overImage = (covered: Uint8Array): TlvSpec => {
    return { type: 'ed25519', value: sign(null, covered, privateKey) };
  };
  const pure: TlvSpec = { type: 'signaturePure', value: Uint8Array.of(1) };
  assert.equal(outcome(mcuboot((covered) => [pure, keyHash(32), overImage(covered)])), [
    'none',
    'verified',
  ]);
  assert.equal(outcome(mcuboot((covered) => [hashTlv(covered), keyHash(32), overImage(covered)])), [
    'match',
    'wrong',
  ]);
  for (const [algorithm, bytes] of [
    ['sha384', 48],
    ['sha512', 64],
  ] as const) {
    const file = mcuboot((covered) => {
      const value = createHash(algorithm).update(covered).digest();
      const signature = sign(null, value, privateKey);
      return [{ type: algorithm, value }, keyHash(bytes), { type: 'ed25519', value: signature }];
    });
    assert.equal(outcome(file), ['match', 'verified'], algorithm);
  }
});

test('outcomes: each cause has its own', () => {
  const unsigned = mcuboot((covered) => [hashTlv(covered)]);
  assert.equal(outcome(unsigned), ['match', 'none']);
  const damaged = mcuboot(() => [{ type: 'sha256', value: new Uint8Array(32) }]);
  assert.equal(outcome(damaged), ['mismatch', 'none']);
  const unnamed = mcuboot((covered) => {
    return [hashTlv(covered), { type: 'ecdsa', value: ECDSA.sign(covered) }];
  });
  assert.equal(outcome(unnamed), ['match', 'key-unnamed']);
  const malformed = mcuboot((covered) => {
    const [named] = signatureTlvs(ECDSA, covered);
    return [hashTlv(covered), named!, { type: 'ecdsa', value: new Uint8Array(70) }];
  });
  assert.equal(outcome(malformed), ['match', 'malformed']);
  const wrong = mcuboot((covered) => {
    const [named] = signatureTlvs(ECDSA, covered);
    return [hashTlv(covered), named!, { type: 'ecdsa', value: OTHER.sign(covered) }];
  });
  assert.equal(outcome(wrong), ['match', 'wrong']);
});

test('a digest that is right does not make a wrong signature right, nor the reverse', () => {
  const stale = mcuboot((covered) => {
    return [{ type: 'sha256', value: new Uint8Array(32) }, ...signatureTlvs(ECDSA, covered)];
  });
  assert.equal(outcome(stale), ['mismatch', 'verified']);
  const claimed = mcuboot(() => {
    const other = Uint8Array.from(counting(50));
    return [hashTlv(other), ...signatureTlvs(ED25519, other)];
  });
  assert.equal(outcome(claimed), ['mismatch', 'wrong'], 'signed the digest that it states');
});

test('of several signatures an unknown key is left aside, and one that is wrong spoils all', () => {
  const both = (second: (covered: Uint8Array) => TlvSpec[]) =>
    outcome(
      mcuboot((covered) => [
        hashTlv(covered),
        ...signatureTlvs(ECDSA, covered),
        ...second(covered),
      ]),
      [ECDSA.key, ED25519.key],
    );
  assert.equal(
    both((covered) => signatureTlvs(OTHER, covered)),
    ['match', 'verified'],
  );
  assert.equal(
    both((covered) => signatureTlvs(ED25519, covered)),
    ['match', 'verified'],
  );
  assert.equal(
    both(() => signatureTlvs(ED25519, new Uint8Array(1))),
    ['match', 'wrong'],
  );
});

test('an encrypted MCUboot image is not verifiable: neither a success nor a failure', () => {
  const file = mcuboot(
    (covered) => [
      hashTlv(covered),
      ...signatureTlvs(ECDSA, covered),
      { type: 'encryptedEc256', value: new Uint8Array(113) },
    ],
    0x04,
  );
  assert.equal(outcome(file), ['not-verifiable', 'not-verifiable']);
});

test('GBL: r and s over all before the tag, by any configured P-256 key', () => {
  const raw =
    ({ privateKey }: Signer) =>
    (covered: Uint8Array) =>
      new Uint8Array(sign('sha256', covered, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  const program = { name: 'program', value: encodeGblProgram(0, Uint8Array.of(1)) } as const;
  const gbl = (make?: (covered: Uint8Array) => Uint8Array) =>
    encodeGblImage({ tags: [program], ...(make ? { sign: make } : {}) });
  assert.equal(outcome(gbl(raw(ECDSA)), ALL_KEYS, 'gbl'), ['none', 'verified']);
  assert.equal(outcome(gbl(raw(signer('ecdsa'))), ALL_KEYS, 'gbl'), ['none', 'wrong']);
  assert.equal(outcome(gbl(), ALL_KEYS, 'gbl'), ['none', 'none']);
  assert.equal(outcome(gbl(raw(ECDSA)), [ED25519.key, RSA2048.key], 'gbl'), [
    'none',
    'no-trust-anchor',
  ]);
  const zero = gbl(() => new Uint8Array(64));
  assert.equal(outcome(zero, ALL_KEYS, 'gbl'), ['none', 'malformed']);
  const cipher = encodeGblImage({
    isEncrypted: true,
    tags: [
      { name: 'encryptionInit', value: new Uint8Array(16) },
      { name: 'encryptedData', value: new Uint8Array(40) },
    ],
    sign: raw(ECDSA),
  });
  assert.equal(outcome(cipher, ALL_KEYS, 'gbl'), ['none', 'verified'], 'over the cipher text');
});

test('the forms of an ECDSA signature', () => {
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const raw = (r: string, s: string) =>
    isRawP256Signature(Buffer.from(r.padStart(64, '0') + s.padStart(64, '0'), 'hex'));
  const below = order.replace(/51$/, '50');
  assert.ok(raw('1', below) && raw(below, '1'));
  assert.not(raw('0', '1') || raw('1', '0') || raw(order, '1') || raw('1', 'f'.repeat(64)));
  assert.not(isRawP256Signature(new Uint8Array(63).fill(1)));
  const der = (digits: string) => isDerP256Signature(Buffer.from(digits, 'hex'));
  assert.ok(der('3006020101020101'));
  assert.ok(der('300702020080020101'), 'a zero before a high bit');
  assert.ok(der(`3025020101022000${'ff'.repeat(31)}`));
  for (const wrong of [
    '',
    '30',
    '3006',
    '3106020101020101', // no SEQUENCE
    '3005020101020101', // length too small
    '3007020101020101', // and too large
    '300602010102010100', // something after it
    '3081060201010201', // long form
    '3006030101020101', // no INTEGER
    '3006020100020101', // r zero
    '3006020181020101', // negative
    '300702020001020101', // not the shortest form
    '3003020101', // one integer
    '3009020101020101020101', // three
    '30050200020101', // empty
    `3026${'0221'}00${order}020101`, // r is the order
    `30260221${'01'.repeat(33)}020101`, // too long
  ]) {
    assert.not(der(wrong), wrong);
  }
});

test('public keys: what is taken, what is not, and how MCUboot names them', () => {
  const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
  const algorithms = SIGNERS.map(({ key }) => key.ok && key.algorithm);
  assert.equal(algorithms, ['ecdsa-p256', 'ed25519', 'rsa-2048', 'rsa-3072']);
  const codeOf = (key: KeyObject) => {
    const parsed = parsePublicKey(pem(key));
    return parsed.ok ? 'parsed' : parsed.code;
  };
  assert.is(codeOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), 'key-algorithm');
  assert.is(codeOf(generateKeyPairSync('x25519').publicKey), 'key-algorithm');
  const spki = ECDSA.publicKey.export({ type: 'spki', format: 'der' });
  assert.equal(
    Buffer.from(mcubootKeyHash(mcubootKeyBytes(ECDSA.publicKey))),
    Buffer.from(sha256(spki)),
  );
  const pkcs1 = RSA2048.publicKey.export({ type: 'pkcs1', format: 'der' });
  assert.equal(
    Buffer.from(mcubootKeyHash(mcubootKeyBytes(RSA2048.publicKey))),
    Buffer.from(sha256(pkcs1)),
  );
});

test('images that imgtool made: read, built again, their digests and signatures right', () => {
  const vectors = JSON.parse(readFileSync(VECTORS, 'utf8')) as ImgtoolVectors;
  const keys = Object.values(vectors.keys).map(parsePublicKey);
  assert.is(vectors.images.length, 16);
  for (const { name, key, base64, digest, signature } of vectors.images) {
    const file = new Uint8Array(Buffer.from(base64, 'base64'));
    const image = read(file);
    if (image.profile !== 'mcuboot') throw new Error(image.profile);
    assert.equal(outcome(file, keys), [digest, signature], name);
    const others = keys.filter((other) => other !== keys[Object.keys(vectors.keys).indexOf(key)]);
    if (signature === 'verified') assert.is(outcome(file, others)[1], 'no-trust-anchor', name);
    assert.is(image.version!.text, '1.2.3+4', name);
    assert.equal(encodeMcubootImage(mcubootSpecFrom(image.details)), image.sendBytes, name);
    const { dependencies, securityCounter, flags } = image.details;
    const said = [dependencies.length, securityCounter, flags.join()];
    assert.equal(said, SAID[name] ?? [0, undefined, ''], name);
    assert.is(image.outsideBytes > 0, name === 'slot', name);
    const remarks = image.remarks.map(({ code }) => code);
    assert.equal(remarks, REMARKS[name] ?? [], name);
    file[32]! ^= 1;
    if (digest !== 'match') continue;
    const damaged = signature === 'none' ? 'none' : 'wrong';
    assert.equal(outcome(file, keys), ['mismatch', damaged], name);
  }
});

/** Dependencies, security counter and flags, where there are any. */
const SAID: Record<string, [number, number | undefined, string]> = {
  deps: [1, 7, 'nonBootable'],
  enc: [0, undefined, 'encryptedAes128'],
  clear: [0, undefined, 'encryptedAes128'],
  encx: [0, undefined, 'encryptedAes256'],
  lzma2: [0, undefined, 'compressedLzma2'],
};

const REMARKS: Record<string, string[]> = {
  slot: ['trailing-bytes', 'slot-trailer'],
  custom: ['tlv-unknown'],
};

/** MCUboot's public RSA-2048 test key (root-rsa-2048.pem in mcu-tools/mcuboot), PKCS#1. */
const MCUBOOT_TEST_KEY = [
  '3082010a0282010100d106081a18442c18e8fbfdf70da34f1fbbee5ef9aad24b18d35ae96d188019f9f09c34',
  '1bcbf3bc74db42e78c7f10537e435e0d572c44d167080f0dbb5ceeecb399dfe04d840baa774160ed152849a7',
  '01b43c10e6698c2f5fac414d9e5c14dff2f8cf3d1e6fe75bbab4a9c8887e473c94c37767544baa8d3835ca62',
  '617eb7e115db7773d4be7b7221896924fbf8656e643ec80ed785d55c4ae4530d2fffb7fdf31339833fa3aed2',
  '0fa76a9df9feb8cefa2abeafb8e0fa823754f43ee12bd0d3085818f65e4cc8888131ad5fb08217f28a692723',
  'f3ab873e931a1dfee8f81a246659f81cabdcce681b666435ecfa0d119daf5c3aa7d167c647efb14b2c62e1d1',
  'c90203010001',
].join('');

testWithShared(test, 'samples/serial', 'real images with the keys that made them', () => {
  const sample = (name: string) => new Uint8Array(readShared(`samples/serial/${name}`));
  const keys = JSON.parse(new TextDecoder().decode(sample('gbl_signer_keys.json')));
  const pointKey = (digits: string): SignatureKey => {
    const [x, y] = [digits.slice(0, 64), digits.slice(64)].map((half) =>
      Buffer.from(half, 'hex').toString('base64url'),
    );
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    return parsePublicKey(key.export({ type: 'spki', format: 'pem' }) as string);
  };
  const ikea = pointKey(keys.ikea.public_key_xy[0]);
  const nodon = keys.nodon.public_key_xy.map(pointKey);
  const signed = sample('ikea_signed_a.gbl');
  assert.equal(outcome(signed, [...nodon, ikea], 'gbl'), ['none', 'verified']);
  assert.equal(outcome(signed, nodon, 'gbl'), ['none', 'wrong']);
  assert.equal(outcome(sample('namron_encrypted.gbl'), [ikea], 'gbl'), ['none', 'none']);

  const testKey = createPublicKey({
    key: Buffer.from(MCUBOOT_TEST_KEY, 'hex'),
    type: 'pkcs1',
    format: 'der',
  });
  const zephyrKey = parsePublicKey(testKey.export({ type: 'spki', format: 'pem' }) as string);
  const zephyr = sample('zephyr35_hello_world.signed.bin');
  assert.equal(outcome(zephyr, [RSA2048.key, zephyrKey]), ['match', 'verified']);
  assert.equal(outcome(zephyr, [RSA2048.key]), ['match', 'key-unknown']);
  zephyr[0x200]! ^= 1;
  assert.equal(outcome(zephyr, [zephyrKey]), ['mismatch', 'wrong']);
  assert.equal(outcome(sample('zephyr44_smp_m0_hash_only.bin')), ['match', 'none']);

  const next = sample('zephyr44_smp_m0_hash_only.bin');
  next.set([1, 2, 3, 0, 4, 0, 0, 0], 20);
  assert.equal(outcome(next), ['mismatch', 'none']);
  next.set(sha256(next.subarray(0, 49_652)), 49_660);
  const image = read(next);
  assert.equal(outcome(next), ['match', 'none']);
  assert.is(image.version!.text, '1.2.3+4');
  assert.is(image.imageHash, 'f3a3210b8f68e945f0c1c7ed1ad10cd3aa6f63617a0eada429b14f56c8a04c2e');
  assert.is(
    verifyHubImage(image, []).sendSha256,
    'aee6324c552f5046711e4c7733bfadb72d4b092d7e9442253bcbcef07a82fbfd',
  );
});

test.run();
