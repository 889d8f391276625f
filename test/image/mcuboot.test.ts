/**
 * MCUboot images against golden bytes, the naive builder, real files, and every way in which the
 * header and the TLVs can lie.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../src/bytes/hex.ts';
import {
  encodeDependency,
  encodeMcubootImage,
  type McubootImage,
  mcubootSpecFrom,
  parseMcubootImage,
} from '../../src/image/mcuboot.ts';
import { TLV_TYPES, type TlvName } from '../../src/image/mcuboot-tlv.ts';
import { mcubootVersionText, parseMcubootVersion } from '../../src/image/mcuboot-version.ts';
import { readShared, testWithShared } from '../support/shared.ts';
import { type NaiveMcuboot, naiveMcuboot } from './naive-hub.ts';
import { concat, counting } from './naive-ota.ts';

/** Every field, a protected area, hash, key hash and signature; written out by hand. */
const GOLDEN = [
  '3db8f396 00000120 2400 1c00 05000000 20000000', // magic, load address, sizes, RAM load
  '01 02 0300 04000000 00000000', // version 1.2.3+4, pad
  'eeeeeeee', // header padding
  '4845 4c4c 4f', // HELLO
  '0869 1c00', // protected area of 28 bytes
  '4000 0c00 01000000 02000100 00000000', // depends on image 1, 2.0.1
  '5000 0400 07000000', // security counter 7
  '0769 3400', // unprotected area of 52 bytes
  `1000 2000 ${'ab'.repeat(32)}`, // SHA-256
  '2200 0800 3006020101020101', // ECDSA: r 1, s 1
]
  .join('')
  .replaceAll(' ', '');

const HASH: [number, number[]] = [0x10, counting(32)];

function parse(file: Uint8Array): McubootImage {
  const parsed = parseMcubootImage(file);
  if (!parsed.ok) throw new Error(`refused: ${parsed.code}`);
  return parsed;
}

function code(file: Uint8Array | NaiveMcuboot): string {
  const parsed = parseMcubootImage(file instanceof Uint8Array ? file : naiveMcuboot(file));
  return parsed.ok ? 'parsed' : parsed.code;
}

function remarks(image: NaiveMcuboot): string[] {
  return parse(naiveMcuboot({ tlvs: [HASH], ...image })).remarks.map((remark) => remark.code);
}

test('golden bytes: every field is read', () => {
  const file = decodeHex(GOLDEN)!;
  const image = parse(file);
  assert.equal(image.header, {
    loadAddress: 0x20010000,
    headerBytes: 36,
    protectedTlvBytes: 28,
    bodyBytes: 5,
    flags: 0x20,
    version: { major: 1, minor: 2, revision: 3, build: 4 },
    pad: 0,
  });
  assert.is(mcubootVersionText(image.header.version), '1.2.3+4');
  assert.is(new TextDecoder().decode(image.body), 'HELLO');
  assert.equal(image.flags, ['ramLoad']);
  assert.equal([...image.padding], [0xee, 0xee, 0xee, 0xee]);
  assert.equal(image.dependencies, [
    { image: 1, version: { major: 2, minor: 0, revision: 1, build: 0 } },
  ]);
  assert.is(image.securityCounter, 7);
  assert.is(image.covered.length, 36 + 5 + 28);
  assert.is(encodeHex(image.digest!.value), 'ab'.repeat(32));
  assert.is(image.digest!.offset, 69 + 8);
  const [signature] = image.signatures;
  assert.is(signature!.scheme, 'ecdsa-p256-der');
  assert.is(signature!.key, undefined);
  assert.is(signature!.offset, 69 + 8 + 32 + 4);
  assert.is(image.bytes.length, file.length);
  assert.equal(image.remarks, []);
});

test('golden bytes: the builder writes them', () => {
  const version = { major: 2, minor: 0, revision: 1, build: 0 };
  const built = encodeMcubootImage({
    version: { major: 1, minor: 2, revision: 3, build: 4 },
    loadAddress: 0x20010000,
    flags: 0x20,
    padding: new Uint8Array(4).fill(0xee),
    body: new TextEncoder().encode('HELLO'),
    protectedTlvs: [
      { type: 'dependency', value: encodeDependency({ image: 1, version }) },
      { type: 'securityCounter', value: Uint8Array.of(7, 0, 0, 0) },
    ],
    seal: (covered) => {
      assert.is(covered.length, 69);
      return [
        { type: 'sha256', value: new Uint8Array(32).fill(0xab) },
        { type: 'ecdsa', value: decodeHex('3006020101020101')! },
      ];
    },
  });
  assert.is(encodeHex(built), GOLDEN);
});

const SYNTHETIC: Record<string, NaiveMcuboot> = {
  'hash alone': { tlvs: [HASH] },
  'header of 512': { headerBytes: 512, body: counting(100), tlvs: [HASH] },
  'all of the version': { version: [255, 254, 65535, 4294967295], tlvs: [HASH] },
  'empty protected area': { protectedTlvs: [[0x60, []]], tlvs: [HASH] },
  'load address': { load: 0xffffffff, flags: 0x20, tlvs: [HASH] },
  'SHA-384': { tlvs: [[0x11, counting(48)]] },
  'SHA-512 and Ed25519': {
    tlvs: [
      [0x12, counting(64)],
      [0x01, counting(64)],
      [0x24, counting(64)],
    ],
  },
  'pure signature': {
    tlvs: [
      [0x25, [1]],
      [0x01, counting(32)],
      [0x24, counting(64)],
    ],
  },
  'two signatures': {
    tlvs: [
      HASH,
      [0x01, counting(32)],
      [0x20, counting(256)],
      [0x02, counting(91)],
      [0x23, counting(384)],
    ],
  },
  encrypted: { flags: 0x04, tlvs: [HASH, [0x32, counting(113)]] },
  'unknown types': { protectedTlvs: [[0x00a1, [1, 2]]], tlvs: [HASH, [0xffa0, [3]]] },
};

test('the naive builder and ours agree, and each image is built again from its parts', () => {
  for (const [name, spec] of Object.entries(SYNTHETIC)) {
    const file = naiveMcuboot(spec);
    const image = parse(file);
    assert.equal(encodeMcubootImage(mcubootSpecFrom(image)), file, name);
    assert.is(image.bytes.buffer, file.buffer, `${name}: a view`);
    assert.equal([...image.body], spec.body ?? [1, 2, 3, 4], name);
    assert.is(image.isEncrypted, name === 'encrypted');
  }
});

test('a key names the one signature that follows it', () => {
  const { signatures } = parse(naiveMcuboot(SYNTHETIC['two signatures']!));
  assert.equal(
    signatures.map(({ scheme, key }) => [scheme, key?.by, key?.value.length]),
    [
      ['rsa-2048-pss', 'hash', 32],
      ['rsa-3072-pss', 'public-key', 91],
    ],
  );
  const once = parse(
    naiveMcuboot({ tlvs: [HASH, [1, counting(32)], [0x22, [0]], [0x22, [0]]] }),
  ).signatures;
  assert.equal(
    once.map(({ key }) => key?.by),
    ['hash', undefined],
  );
});

test('a pure signature needs no hash, and only the value 1 makes it pure', () => {
  const pure = parse(naiveMcuboot(SYNTHETIC['pure signature']!));
  assert.is(pure.digest, undefined);
  assert.is(pure.signatures[0]!.scheme, 'ed25519-pure');
  assert.is(
    code({
      tlvs: [
        [0x25, [0]],
        [0x24, counting(64)],
      ],
    }),
    'hash-missing',
  );
  const digest = parse(naiveMcuboot({ tlvs: [HASH, [0x25, [2]], [0x24, counting(64)]] }));
  assert.is(digest.signatures[0]!.scheme, 'ed25519-digest');
});

test('what a header states is checked before it is used', () => {
  const tlvs = [HASH];
  assert.is(code(new Uint8Array(0)), 'format-unknown');
  assert.is(code({ headerBytes: 31, tlvs }), 'mcuboot-header-size');
  assert.is(code({ headerBytes: 0, tlvs }), 'mcuboot-header-size');
  const long = naiveMcuboot({ tlvs });
  long[8] = 0xff;
  long[9] = 0xff;
  assert.is(code(long), 'mcuboot-header-size');
  assert.is(code({ bodyBytes: 0, tlvs }), 'mcuboot-body-empty');
  assert.is(code({ bodyBytes: 0xffffffff, tlvs }), 'mcuboot-body-truncated');
  assert.is(code({ bodyBytes: 5, tlvs }), 'tlv-area-missing');
  assert.is(code({ bodyBytes: 3, tlvs }), 'tlv-area-missing');
  assert.is(code({ protectedBytes: 8, tlvs }), 'tlv-area-missing');
  assert.is(code({ protectedBytes: 0, protectedTlvs: [[0x60, []]], tlvs }), 'tlv-protected-size');
  assert.is(code({ protectedBytes: 9, protectedTlvs: [[0x60, []]], tlvs }), 'tlv-protected-size');
});

test('what a TLV area states is checked before it is used', () => {
  const file = naiveMcuboot({ tlvs: [HASH] });
  const areaAt = 36;
  const withBytes = (at: number, ...bytes: number[]) => {
    const changed = file.slice();
    changed.set(bytes, at);
    return code(changed);
  };
  assert.is(withBytes(areaAt, 0x08, 0x69), 'tlv-protected-size');
  assert.is(withBytes(areaAt, 0, 0), 'tlv-area-missing');
  assert.is(withBytes(areaAt + 2, 3, 0), 'tlv-area-truncated');
  assert.is(withBytes(areaAt + 2, 41, 0), 'tlv-area-truncated');
  assert.is(withBytes(areaAt + 2, 4, 0), 'hash-missing');
  assert.is(withBytes(areaAt + 2, 6, 0), 'tlv-overrun');
  assert.is(withBytes(areaAt + 2, 39, 0), 'tlv-overrun');
  assert.is(withBytes(areaAt + 6, 33, 0), 'tlv-overrun');
  assert.is(withBytes(areaAt + 6, 0xff, 0xff), 'tlv-overrun');
  assert.is(withBytes(areaAt + 4, 0x11), 'tlv-length');
  assert.is(code({ tlvs: [HASH, HASH] }), 'hash-ambiguous');
  assert.is(code({ tlvs: [HASH, [0x11, counting(48)]] }), 'hash-ambiguous');
  assert.is(code({ tlvs: [] }), 'hash-missing');
  assert.is(code({ protectedTlvs: [HASH], tlvs: [] }), 'hash-missing');
  const many = Array.from({ length: 128 }, (): [number, number[]] => [0xa0, []]);
  assert.is(code({ tlvs: [...many.slice(1), HASH] }), 'parsed');
  assert.is(code({ tlvs: [...many, HASH] }), 'tlvs-too-many');
});

test('every type of fixed length is refused with another', () => {
  for (const name of Object.keys(TLV_TYPES) as TlvName[]) {
    const { type, bytes }: { type: number; bytes?: readonly number[] } = TLV_TYPES[name];
    for (const length of bytes ?? []) {
      for (const other of [length - 1, length + 1]) {
        assert.is(
          code({ tlvs: [HASH, [type, counting(other)]] }),
          'tlv-length',
          `${name} ${other}`,
        );
      }
    }
  }
});

test('encryption: the flag and a wrapped key come together, or neither', () => {
  const wrapped: [number, number[]] = [0x30, counting(256)];
  for (const [flags, tlvs] of [
    [0x04, [HASH]],
    [0x08, [HASH]],
    [0x0c, [HASH, wrapped]],
    [0, [HASH, wrapped]],
  ] as const) {
    assert.is(code({ flags, tlvs: [...tlvs] }), 'mcuboot-encryption-contradiction');
  }
  for (const type of [0x30, 0x31, 0x32, 0x33, 0x34]) {
    const image = parse(naiveMcuboot({ flags: 8, tlvs: [HASH, [type, [1]]] }));
    assert.ok(image.isEncrypted);
  }
});

test('what an unprotected TLV says of the image is pointed out and not believed', () => {
  const counter: [number, number[]] = [0x50, [9, 0, 0, 0]];
  const dependency: [number, number[]] = [0x40, counting(12)];
  const image = parse(naiveMcuboot({ tlvs: [HASH, counter, dependency] }));
  assert.is(image.securityCounter, undefined);
  assert.equal(image.dependencies, []);
  assert.equal(remarks({ tlvs: [HASH, counter, dependency] }), [
    'tlv-unprotected',
    'tlv-unprotected',
  ]);
  assert.equal(remarks({ protectedTlvs: [counter, [0x22, [0]]] }), ['tlv-misplaced']);
  const signed = parse(naiveMcuboot({ protectedTlvs: [[0x22, [0]]], tlvs: [HASH] }));
  assert.equal(signed.signatures, []);
});

test('remarks: unknown flags and types, a used pad', () => {
  assert.equal(remarks({ flags: 0x1000 }), ['mcuboot-flags-unknown']);
  assert.equal(remarks({ pad: 1 }), ['mcuboot-pad-used']);
  assert.equal(remarks({ tlvs: [HASH, [0xa0, []]] }), ['tlv-unknown']);
  assert.equal(remarks({ flags: 0x01 | 0x10 | 0x20 | 0x100 | 0x200 | 0x400 | 0x800 }), []);
});

test('a full slot: the image ends with its TLVs, the rest is reported', () => {
  const magic = [...decodeHex('77c295f360d2ef7f3552500f2cb67980')!];
  const trailing = [...new Array(64).fill(0xff), ...magic];
  const plain = naiveMcuboot({ tlvs: [HASH] });
  const image = parse(naiveMcuboot({ tlvs: [HASH], trailing }));
  assert.equal(image.bytes, plain);
  assert.is(image.trailing.length, 80);
  assert.equal(remarks({ trailing }), ['trailing-bytes', 'slot-trailer']);
  assert.equal(remarks({ trailing: magic.slice(1) }), ['trailing-bytes']);
});

test('other files are refused by what they are', () => {
  const starts: Record<string, string> = {
    '1ef1ee0b': 'other-format',
    eb17a603: 'other-format',
    '0000008c0202e350': 'other-format',
    '7f454c46': 'not-an-upgrade-image',
    '504b0304': 'not-an-upgrade-image',
    '5546320a': 'not-an-upgrade-image',
    ffffffff: 'format-unknown',
  };
  for (const [digits, expected] of Object.entries(starts)) {
    assert.is(code(concat(decodeHex(digits)!, counting(100))), expected, digits);
  }
  const text = (line: string) => code(new TextEncoder().encode(line));
  assert.is(text(':020000040000FA\r\n'), 'not-an-upgrade-image');
  assert.is(text('S00600004844521B\r\n'), 'not-an-upgrade-image');
  assert.is(text(': not a record'), 'format-unknown');
});

test('versions: as text and back, the forms of hub and imgtool alike', () => {
  for (const text of ['0.0.0', '1.2.3', '1.2.3+4', '255.255.65535+4294967295']) {
    const version = parseMcubootVersion(text)!;
    assert.is(mcubootVersionText(version), text);
    assert.equal(parseMcubootVersion(text.replace('+', '.')), version);
  }
  for (const text of [
    '',
    '1.2',
    '256.0.0',
    '1.256.0',
    '1.2.65536',
    '1.2.3+4294967296',
    '1.2.3-4',
  ]) {
    assert.is(parseMcubootVersion(text), undefined, text);
  }
});

testWithShared(test, 'samples/serial', 'real images: parsed, and built again byte for byte', () => {
  const expected = [
    ['zephyr35_hello_world.signed.bin', 24_692, '90a0d88baaa7', ['rsa-2048-pss']],
    ['zephyr44_smp_m0_hash_only.bin', 49_140, '1baa222074cc', []],
  ] as const;
  for (const [name, bodyBytes, hash, schemes] of expected) {
    const file = new Uint8Array(readShared(`samples/serial/${name}`));
    const image = parse(file);
    assert.is(image.header.headerBytes, 0x200);
    assert.is(image.header.bodyBytes, bodyBytes);
    assert.ok(encodeHex(image.digest!.value).startsWith(hash));
    assert.equal(
      image.signatures.map(({ scheme }) => scheme),
      schemes,
    );
    assert.equal(image.remarks, []);
    assert.is(Buffer.compare(encodeMcubootImage(mcubootSpecFrom(image)), file), 0);
  }
  const board = readShared('samples/serial/zephyr44_smp_m0_board.merged.hex');
  assert.is(code(new Uint8Array(board)), 'not-an-upgrade-image');
});

test.run();
