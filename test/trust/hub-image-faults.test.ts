/**
 * Damage to hub images: every truncation and every single bit of small images of each format, samples
 * of it in real ones. An image is taken if it reads, its digest matches where it states one, and its
 * signature verifies where it was signed; what may still be taken after a bit fell is listed exactly,
 * with the reason.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32 } from '../../src/bytes/crc.ts';
import { encodeEblImage } from '../../src/image/ebl.ts';
import { encodeGblAppInfo, encodeGblImage, encodeGblProgram } from '../../src/image/gbl.ts';
import { type HubImage, type HubImageProfile, readHubImage } from '../../src/image/hub-image.ts';
import { encodeMcubootImage } from '../../src/image/mcuboot.ts';
import type { TlvSpec } from '../../src/image/mcuboot-tlv.ts';
import { type HubSignatureOutcome, verifyHubImage } from '../../src/trust/hub-image.ts';
import {
  mcubootKeyBytes,
  mcubootKeyHash,
  parsePublicKey,
  type SignatureKey,
} from '../../src/trust/public-key.ts';
import { concat, counting } from '../image/naive-ota.ts';
import { readShared, testWithShared } from '../support/shared.ts';

const PSS = { padding: 6, saltLength: 32 } as const;
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ED = generateKeyPairSync('ed25519');
const RSA = generateKeyPairSync('rsa', { modulusLength: 3072 });
const KEYS = [EC, ED, RSA].map(({ publicKey }) =>
  parsePublicKey(publicKey.export({ type: 'spki', format: 'pem' }) as string),
);

function keyHash({ publicKey }: { publicKey: KeyObject }): Uint8Array {
  return mcubootKeyHash(mcubootKeyBytes(publicKey));
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** What a signed MCUboot image carries after its body, for each scheme. */
const SEALS: Record<string, (covered: Uint8Array) => TlvSpec[]> = {
  ecdsa: (covered) => [
    { type: 'sha256', value: sha256(covered) },
    { type: 'keyHash', value: keyHash(EC) },
    {
      type: 'ecdsa',
      value: sign('sha256', covered, { key: EC.privateKey, dsaEncoding: 'der' }),
    },
  ],
  ed25519: (covered) => [
    { type: 'sha256', value: sha256(covered) },
    { type: 'keyHash', value: keyHash(ED) },
    { type: 'ed25519', value: sign(null, sha256(covered), ED.privateKey) },
  ],
  'rsa-3072': (covered) => [
    { type: 'sha256', value: sha256(covered) },
    { type: 'keyHash', value: keyHash(RSA) },
    { type: 'rsa3072Pss', value: sign('sha256', covered, { key: RSA.privateKey, ...PSS }) },
  ],
};

function mcuboot(seal: (covered: Uint8Array) => TlvSpec[]): Uint8Array {
  return encodeMcubootImage({
    version: { major: 1, minor: 2, revision: 3, build: 4 },
    body: Uint8Array.from(counting(40)),
    padding: new Uint8Array(8),
    protectedTlvs: [{ type: 'securityCounter', value: Uint8Array.of(1, 0, 0, 0) }],
    seal,
  });
}

function rawSignature(covered: Uint8Array): Uint8Array {
  const made = sign('sha256', covered, { key: EC.privateKey, dsaEncoding: 'ieee-p1363' });
  return new Uint8Array(made);
}

function gbl(isSigned: boolean, paddingBytes = 0): Uint8Array {
  const productId = Uint8Array.from(counting(16));
  const info = { type: 2, version: 0x10006, capabilities: 0, productId };
  return encodeGblImage({
    tags: [
      { name: 'appInfo', value: encodeGblAppInfo(info) },
      {
        name: 'eraseProgram',
        value: encodeGblProgram(0x4000, Uint8Array.from(counting(41))),
      },
      { name: 'metadata', value: Uint8Array.from(counting(7)) },
    ],
    ...(isSigned ? { sign: rawSignature } : {}),
    paddingBytes,
  });
}

function ebl(): Uint8Array {
  return encodeEblImage({
    header: { address: 0x08004000, aatCrc: 1, aat: Uint8Array.from(counting(128)) },
    programs: [
      { name: 'eraseProgram', address: 0x08004080, data: Uint8Array.from(counting(30)) },
      { name: 'program', address: 0x080040a0, data: Uint8Array.from(counting(13)) },
    ],
  });
}

/** The image, if it is taken for one of this profile with this result of its signature. */
function taken(
  file: Uint8Array,
  profile: HubImageProfile,
  signature: HubSignatureOutcome,
  keys: readonly SignatureKey[] = KEYS,
): HubImage | undefined {
  const image = readHubImage(file, profile);
  if (!image.ok) {
    assert.type(image.message, 'string');
    return undefined;
  }
  assert.ok(image.sendBytes.length <= file.length && image.covered.length <= file.length);
  const proof = verifyHubImage(image, keys);
  const isWhole = proof.digest === 'match' || (proof.digest === 'none' && profile !== 'mcuboot');
  return isWhole && proof.signature === signature ? image : undefined;
}

/** The bits, by number, whose fall leaves an image that is taken. */
function harmlessBits(
  file: Uint8Array,
  isTaken: (changed: Uint8Array, bit: number) => boolean,
): number[] {
  const changed = file.slice();
  const bits: number[] = [];
  for (let bit = 0; bit < file.length * 8; bit++) {
    changed[bit >>> 3]! ^= 1 << (bit & 7);
    if (isTaken(changed, bit)) bits.push(bit);
    changed[bit >>> 3]! ^= 1 << (bit & 7);
  }
  return bits;
}

function bitsOf(start: number, end: number): number[] {
  return Array.from({ length: (end - start) * 8 }, (_, i) => start * 8 + i);
}

/** Lengths to which the file can be cut and is still taken. */
function harmlessLengths(file: Uint8Array, isTaken: (changed: Uint8Array) => boolean): number[] {
  return Array.from({ length: file.length }, (_, length) => length).filter((length) =>
    isTaken(file.slice(0, length)),
  );
}

for (const [name, seal] of Object.entries(SEALS)) {
  test(`MCUboot signed with ${name}: no bit and no byte can be missing`, () => {
    const file = mcuboot(seal);
    assert.ok(taken(file, 'mcuboot', 'verified'));
    const isTaken = (changed: Uint8Array) => taken(changed, 'mcuboot', 'verified') !== undefined;
    assert.equal(harmlessBits(file, isTaken), []);
    assert.equal(harmlessLengths(file, isTaken), []);
  });
}

test('MCUboot with a digest alone: no bit and no byte can be missing', () => {
  const file = mcuboot((covered) => [{ type: 'sha256', value: sha256(covered) }]);
  assert.ok(taken(file, 'mcuboot', 'none'));
  const isTaken = (changed: Uint8Array) => taken(changed, 'mcuboot', 'none') !== undefined;
  assert.equal(harmlessBits(file, isTaken), []);
  assert.equal(harmlessLengths(file, isTaken), []);
});

test('MCUboot outside the covered range: exactly what is not believed may change', () => {
  // A maker's own TLV that nothing covers, and the erased rest of a slot.
  const vendor: TlvSpec = { type: 0x00a0, value: Uint8Array.from(counting(8, 1)) };
  const image = mcuboot((covered) => [...SEALS['ed25519']!(covered), vendor]);
  const file = concat(image, new Array(16).fill(0xff));
  const original = taken(file, 'mcuboot', 'verified')!;
  const isTaken = (changed: Uint8Array, bit = 0): boolean => {
    const still = taken(changed, 'mcuboot', 'verified');
    if (!still) return false;
    // What runs is the same, and so is its name; the rest of a slot is not even sent.
    assert.equal(still.covered, original.covered);
    assert.is(still.imageHash, original.imageHash);
    if (bit >= image.length * 8) assert.equal(still.sendBytes, image);
    return true;
  };
  const typeAt = image.length - 12;
  // One of the sixteen neighbours of type 0x00A0 is a signature, 0x0020, which has another length.
  const typeBits = bitsOf(typeAt, typeAt + 2).filter((bit) => bit !== typeAt * 8 + 7);
  const expected = [...typeBits, ...bitsOf(image.length - 8, file.length)];
  assert.equal(harmlessBits(file, isTaken), expected);
  const lengths = Array.from({ length: 16 }, (_, i) => image.length + i);
  assert.equal(harmlessLengths(file, isTaken), lengths, 'only what is not sent can be cut off');
});

test('MCUboot encrypted: no bit makes it verified, and the flag alone does not make it encrypted', () => {
  const seal = (covered: Uint8Array): TlvSpec[] => [
    ...SEALS['ed25519']!(covered),
    { type: 'encryptedX25519', value: Uint8Array.from(counting(40)) },
  ];
  const file = encodeMcubootImage({
    version: { major: 1, minor: 0, revision: 0, build: 0 },
    flags: 0x04,
    body: Uint8Array.from(counting(40)),
    seal,
  });
  const isTaken = (changed: Uint8Array) => taken(changed, 'mcuboot', 'verified') !== undefined;
  assert.equal(harmlessBits(file, isTaken), []);
  const flagged = mcuboot(SEALS['ed25519']!);
  flagged[16]! ^= 0x04;
  const refused = readHubImage(flagged, 'mcuboot');
  assert.is(!refused.ok && refused.code, 'mcuboot-encryption-contradiction');
});

test('GBL and EBL: the CRC finds every bit, and every cut that is not padding', () => {
  const signed = gbl(true, 3);
  const cases = [
    [signed, 'gbl', 'verified'],
    [gbl(false, 2), 'gbl', 'none'],
    [ebl(), 'ebl', 'none'],
  ] as const;
  for (const [file, profile, signature] of cases) {
    const original = taken(file, profile, signature)!;
    const isTaken = (changed: Uint8Array) => taken(changed, profile, signature) !== undefined;
    assert.equal(harmlessBits(file, isTaken), [], profile);
    const { length } = original.sendBytes;
    const lengths = Array.from({ length: file.length - length }, (_, i) => length + i);
    assert.equal(harmlessLengths(file, isTaken), lengths, `${profile}: padding is not sent`);
  }
});

test('GBL with its CRC made right again: the signature finds every bit before it', () => {
  const file = gbl(true);
  const isTaken = (changed: Uint8Array): boolean => {
    const repaired = changed.slice();
    new DataView(repaired.buffer).setUint32(
      file.length - 4,
      crc32(repaired, 0, 0, file.length - 4),
      true,
    );
    return taken(repaired, 'gbl', 'verified') !== undefined;
  };
  // A wrong CRC is what was repaired, so the last four bytes are not the question here.
  assert.equal(harmlessBits(file, isTaken), bitsOf(file.length - 4, file.length));
});

test('bytes at random end in a code', () => {
  const random = randomNumbers(0x5eed);
  const starts = [mcuboot(SEALS['ecdsa']!), gbl(true), ebl()];
  const profiles = ['mcuboot', 'gbl', 'ebl'] as const;
  for (let round = 0; round < 6000; round++) {
    const at = round % 3;
    const file = starts[at]!.slice();
    for (let i = 0; i < 1 + (round % 5); i++) file[random(file.length)] = random(256);
    taken(file.subarray(0, file.length - random(3)), profiles[at]!, 'verified');
  }
});

testWithShared(test, 'samples/serial', 'real images: bits at random', () => {
  const sample = (name: string) => new Uint8Array(readShared(`samples/serial/${name}`));
  const keyText = new TextDecoder().decode(sample('gbl_signer_keys.json'));
  const xy = Buffer.from(JSON.parse(keyText).ikea.public_key_xy[0], 'hex');
  const [x, y] = [xy.subarray(0, 32), xy.subarray(32)].map((half) => half.toString('base64url'));
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  const keys = [parsePublicKey(key.export({ type: 'spki', format: 'pem' }) as string)];
  const cases = [
    ['NabuCasa_SkyConnect_RCP_v4.1.3_rcp-uart-hw-802154_115200.gbl', 'gbl', 'none'],
    ['ikea_signed_a.gbl', 'gbl', 'verified'],
    ['namron_encrypted.gbl', 'gbl', 'none'],
    ['ncp-uart-sw-6.4.1.ebl', 'ebl', 'none'],
    ['zephyr44_smp_m0_hash_only.bin', 'mcuboot', 'none'],
  ] as const;
  const random = randomNumbers(0x2026);
  for (const [name, profile, signature] of cases) {
    const file = sample(name);
    assert.ok(taken(file, profile, signature, keys), name);
    for (let round = 0; round < 150; round++) {
      const bit = random(file.length * 8);
      file[bit >>> 3]! ^= 1 << (bit & 7);
      assert.is(taken(file, profile, signature, keys), undefined, `${name}: bit ${bit}`);
      file[bit >>> 3]! ^= 1 << (bit & 7);
    }
  }
});

/** Numbers below a bound, the same each time (xorshift32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test.run();
