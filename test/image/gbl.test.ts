/** GBL images against golden bytes, the naive builder, real files, and the bootloader's own rules. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../src/bytes/hex.ts';
import {
  encodeGblAppInfo,
  encodeGblImage,
  encodeGblProgram,
  GBL_TAGS,
  type GblImage,
  gblSpecFrom,
  parseGblImage,
} from '../../src/image/gbl.ts';
import { readShared, testWithShared } from '../support/shared.ts';
import { naiveGbl, naiveGblHeader } from './naive-hub.ts';
import { concat, counting, le } from './naive-ota.ts';

/** Application info, one program of five bytes, a signature; the CRC by python3's zlib. */
const GOLDEN = [
  'eb17a603 08000000 00000003 00010000', // header, signed
  'f40a0af4 1c000000 20000000 02010000 03000000', // application info: type, version, capabilities
  '000102030405060708090a0b0c0d0e0f', // product id
  'fd0303fd 09000000 00400000 48454c4c4f', // erase and program HELLO at 0x4000
  `f70a0af7 40000000 ${'11'.repeat(64)}`, // signature
  'fc0404fc 04000000 d8f4fdcb ffff', // end, padding
]
  .join('')
  .replaceAll(' ', '');

function parse(file: Uint8Array): GblImage {
  const parsed = parseGblImage(file);
  if (!parsed.ok) throw new Error(`refused: ${parsed.code}`);
  return parsed;
}

function code(file: Uint8Array): string {
  const parsed = parseGblImage(file);
  return parsed.ok ? 'parsed' : parsed.code;
}

type NaiveTag = [number, number[]];
const INFO: NaiveTag = [0xf40a0af4, counting(28)];
const PROGRAM: NaiveTag = [0xfe0101fe, [0, 0x40, 0, 0, 1]];
const SIGNATURE: NaiveTag = [0xf70a0af7, counting(64)];
const INIT: NaiveTag = [0xfa0606fa, counting(16)];
const CIPHER: NaiveTag = [0xf90707f9, counting(5)];

test('golden bytes: built, and every field read', () => {
  const built = encodeGblImage({
    tags: [
      {
        name: 'appInfo',
        value: encodeGblAppInfo({
          type: 0x20,
          version: 0x0102,
          capabilities: 3,
          productId: Uint8Array.from(counting(16)),
        }),
      },
      {
        name: 'eraseProgram',
        value: encodeGblProgram(0x4000, new TextEncoder().encode('HELLO')),
      },
    ],
    sign: (covered) => {
      assert.is(covered.length, 16 + 36 + 17);
      return new Uint8Array(64).fill(0x11);
    },
    paddingBytes: 2,
  });
  assert.is(encodeHex(built), GOLDEN);
  const image = parse(built);
  assert.is(image.type, 0x100);
  assert.equal(
    { ...image.appInfo, productId: encodeHex(image.appInfo!.productId) },
    { type: 0x20, version: 0x0102, capabilities: 3, productId: '000102030405060708090a0b0c0d0e0f' },
  );
  assert.equal(
    image.programs.map(({ name, address, data }) => [name, address, encodeHex(data)]),
    [['eraseProgram', 0x4000, '48454c4c4f']],
  );
  assert.is(image.covered.length, 69);
  assert.is(image.signature!.offset, 77);
  assert.is(image.signature!.scheme, 'ecdsa-p256-raw');
  assert.is(image.bytes.length, built.length - 2);
  assert.is(image.padding.length, 2);
  assert.not(image.isEncrypted);
});

test('the naive builder and ours agree, and each image is built again from its parts', () => {
  const images: Record<string, Uint8Array> = {
    plain: naiveGbl([naiveGblHeader(0), INFO, PROGRAM]),
    'no application info': naiveGbl([naiveGblHeader(0), PROGRAM]),
    signed: naiveGbl([naiveGblHeader(0x100), INFO, PROGRAM, SIGNATURE]),
    encrypted: naiveGbl([naiveGblHeader(1), INIT, CIPHER, CIPHER]),
    'signed and encrypted': naiveGbl([naiveGblHeader(0x101), INIT, INFO, CIPHER, SIGNATURE]),
    padded: naiveGbl([naiveGblHeader(0), PROGRAM], [0xff, 0xff, 0xff]),
    'every tag': naiveGbl([
      naiveGblHeader(0x101),
      [0x76a617eb, [1]],
      [0x5ea617eb, [1]],
      INIT,
      INFO,
      [0xf50909f5, [...le(7, 4), ...le(0x1000, 4), 1]],
      PROGRAM,
      [0xf60808f6, [0x7b, 0x7d]],
      [0xfd0303fd, counting(9)],
      [0xfd0505fd, counting(9)],
      [0xf60808f6, []],
      [0xfd0707fd, counting(9)],
      CIPHER,
      CIPHER,
      [0xf30b0bf3, counting(136)],
      SIGNATURE,
    ]),
  };
  for (const [name, file] of Object.entries(images)) {
    const image = parse(file);
    assert.equal(encodeGblImage(gblSpecFrom(image)), file, name);
    assert.is(image.bytes.buffer, file.buffer, `${name}: a view`);
    assert.is(image.isEncrypted, name.includes('encrypted') || name === 'every tag', name);
    assert.is(image.appInfo !== undefined, !/^(no|enc|pad)/.test(name), name);
  }
  const full = parse(images['every tag']!);
  assert.equal(full.bootloader && [full.bootloader.version, full.bootloader.address], [7, 0x1000]);
  assert.ok(full.hasSeUpgrade && full.hasCertificate);
  assert.is(full.metadata.length, 2);
  assert.is(full.programs.length, 4);
});

test('the walk is bounded by the file', () => {
  const good = naiveGbl([naiveGblHeader(0), INFO, PROGRAM]);
  const changed = (at: number, ...bytes: number[]) => {
    const file = good.slice();
    file.set(bytes, at);
    return code(file);
  };
  assert.is(changed(20, 0xff, 0xff, 0xff, 0xff), 'tag-truncated');
  assert.is(changed(20, 0xff, 0xff, 0xff, 0x7f), 'tag-truncated');
  assert.is(changed(4, 7), 'tag-length');
  assert.is(code(good.slice(0, 16 + 36)), 'end-missing');
  assert.is(code(good.slice(0, 16 + 36 + 3)), 'tag-truncated');
  assert.is(code(new Uint8Array(0)), 'format-unknown');
  const many = (count: number) => [
    naiveGblHeader(0),
    ...Array.from({ length: count }, (): NaiveTag => [0xf60808f6, []]),
    PROGRAM,
  ];
  assert.is(code(naiveGbl(many(4093))), 'parsed');
  assert.is(code(naiveGbl(many(4094))), 'tags-too-many');
});

test('header: version and type', () => {
  assert.is(code(naiveGbl([naiveGblHeader(0, 0x04000000), PROGRAM])), 'gbl-version');
  assert.is(code(naiveGbl([naiveGblHeader(2), PROGRAM])), 'gbl-type');
  for (const tags of [
    [naiveGblHeader(0x100), PROGRAM],
    [naiveGblHeader(0), PROGRAM, SIGNATURE],
    [naiveGblHeader(1), PROGRAM],
    [naiveGblHeader(1), INIT, PROGRAM],
    [naiveGblHeader(0), INIT, CIPHER],
    [naiveGblHeader(1), CIPHER],
  ]) {
    assert.is(code(naiveGbl(tags)), 'gbl-type-contradiction');
  }
  assert.is(code(naiveGbl([naiveGblHeader(0)])), 'payload-missing');
  assert.is(code(naiveGbl([naiveGblHeader(0), INFO, [0xf60808f6, [1]]])), 'payload-missing');
});

test('tags come in the order of the bootloader, single ones once', () => {
  const [header, signed] = [naiveGblHeader(0), naiveGblHeader(0x100)];
  assert.is(code(naiveGbl([header, PROGRAM, INFO])), 'tag-order');
  assert.is(code(naiveGbl([signed, SIGNATURE, PROGRAM])), 'tag-order');
  assert.is(code(naiveGbl([header, PROGRAM, header])), 'tag-order');
  assert.is(code(naiveGbl([header, header, PROGRAM])), 'tag-repeated');
  assert.is(code(naiveGbl([header, INFO, INFO, PROGRAM])), 'tag-repeated');
  assert.is(code(naiveGbl([signed, PROGRAM, SIGNATURE, SIGNATURE])), 'tag-repeated');
  assert.is(code(naiveGbl([header, PROGRAM, [0x12345678, [1]]])), 'tag-unknown');
});

test('a tag of fixed length is refused with another', () => {
  for (const { id, bytesMin, ...rest } of Object.values(GBL_TAGS)) {
    if (!('bytesMax' in rest) || id === GBL_TAGS.end.id) continue;
    for (const length of [bytesMin - 1, bytesMin + 1]) {
      const tags: NaiveTag[] = [[id, counting(length)]];
      if (id !== GBL_TAGS.header.id) tags.unshift(naiveGblHeader(0x101));
      assert.is(code(naiveGbl(tags)), 'tag-length', `${id.toString(16)} ${length}`);
    }
  }
  assert.is(code(naiveGbl([naiveGblHeader(0), [0xfe0101fe, [0, 0, 0, 0]]])), 'tag-length');
});

test('END: its CRC, and nothing but three bytes of padding after it', () => {
  const tags = [naiveGblHeader(0), PROGRAM];
  const good = naiveGbl(tags);
  good[good.length - 1]! ^= 1;
  assert.is(code(good), 'end-crc');
  assert.is(code(naiveGbl(tags, [0xff, 0xff, 0xff, 0xff])), 'data-after-end');
  assert.is(code(naiveGbl(tags, [0])), 'data-after-end');
  assert.is(code(concat(naiveGbl(tags), naiveGbl(tags))), 'data-after-end');
});

testWithShared(test, 'samples/serial', 'real images: parsed, and built again byte for byte', () => {
  const read = (name: string) => {
    const file = new Uint8Array(readShared(`samples/serial/${name}`));
    const image = parse(file);
    assert.is(Buffer.compare(encodeGblImage(gblSpecFrom(image)), file), 0, name);
    const crc = image.bytes.subarray(-4);
    return { image, crc: encodeHex(crc) };
  };
  const plain = read('NabuCasa_SkyConnect_RCP_v4.1.3_rcp-uart-hw-802154_115200.gbl');
  assert.is(plain.crc, '8e1dd83f');
  assert.is(plain.image.type, 0);
  assert.equal([plain.image.appInfo!.type, plain.image.appInfo!.version], [2, 1]);
  assert.is(encodeHex(plain.image.appInfo!.productId), 'e9926794bb2c4ec89f36d9c6794a81fb');
  assert.equal([plain.image.bytes.length, plain.image.padding.length], [132_426, 2]);
  assert.match(new TextDecoder().decode(plain.image.metadata[0]), '"sdk_version": "4.1.3"');
  const [program] = plain.image.programs;
  assert.equal([program!.name, program!.address], ['eraseProgram', 0x4000]);
  assert.is(program!.data.length + 4, 132_260);

  const signed = read('ikea_signed_a.gbl');
  assert.is(signed.crc, '3d829d19');
  assert.is(signed.image.appInfo!.version, 0x10006);
  assert.is(signed.image.covered.length, 212_308);
  assert.is(signed.image.padding.length, 0);

  const encrypted = read('namron_encrypted.gbl');
  assert.is(encrypted.crc, 'b855d2c9');
  assert.ok(encrypted.image.isEncrypted);
  assert.is(encrypted.image.appInfo, undefined);
  const data = encrypted.image.tags.filter(({ name }) => name === 'encryptedData');
  assert.equal(
    data.map(({ value }) => value.length),
    [36, 116, 144_022],
  );
});

test.run();
