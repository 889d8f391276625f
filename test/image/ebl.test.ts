/** EBL images against golden bytes, the naive builder and a real file. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../src/bytes/hex.ts';
import { type EblImage, encodeEblImage, parseEblImage } from '../../src/image/ebl.ts';
import { readShared, testWithShared } from '../support/shared.ts';
import { naiveEbl, naiveEblHeader } from './naive-hub.ts';
import { concat, counting } from './naive-ota.ts';

/** A header, two programs; the CRC by python3's zlib. */
const GOLDEN = [
  '0000 008c 0202 e350 08004000 01020304', // header: version, signature, address, table CRC
  encodeHex(Uint8Array.from(counting(128))), // table
  'fd03 0009 08004080 48454c4c4f', // erase and program HELLO
  '02fe 0006 08040000 abcd', // program manufacturing data
  'fc04 0004 4a9dd2ff', // end
  'ff'.repeat(17),
]
  .join('')
  .replaceAll(' ', '');

type NaiveTag = [number, number[]];
const PROGRAM: NaiveTag = [0xfe01, [8, 0, 0x40, 0x80, 1]];

function parse(file: Uint8Array): EblImage {
  const parsed = parseEblImage(file);
  if (!parsed.ok) throw new Error(`refused: ${parsed.code}`);
  return parsed;
}

function code(file: Uint8Array): string {
  const parsed = parseEblImage(file);
  return parsed.ok ? 'parsed' : parsed.code;
}

test('golden bytes: every field is read, and the builder writes them', () => {
  const file = decodeHex(GOLDEN)!;
  const { header, programs, bytes, padding, remarks } = parse(file);
  assert.equal([header.address, header.aatCrc], [0x08004000, 0x01020304]);
  assert.equal([...header.aat], counting(128));
  assert.equal(
    programs.map(({ name, address, data }) => [name, address, encodeHex(data)]),
    [
      ['eraseProgram', 0x08004080, '48454c4c4f'],
      ['manufacturingProgram', 0x08040000, 'abcd'],
    ],
  );
  assert.equal([bytes.length, padding.length], [175, 17]);
  assert.is(bytes.buffer, file.buffer);
  assert.equal(remarks, []);
  assert.is(encodeHex(encodeEblImage({ header, programs })), GOLDEN);
});

test('the naive builder and ours agree, whatever the padding comes to', () => {
  for (let length = 1; length <= 64; length++) {
    const file = naiveEbl([naiveEblHeader(), [0xfd03, [8, 0, 0x40, 0x80, ...counting(length)]]]);
    const image = parse(file);
    assert.is(file.length % 64, 0);
    assert.equal(encodeEblImage(image), file, `${length}`);
  }
});

test('header, order, lengths', () => {
  const header = naiveEblHeader();
  assert.is(code(naiveEbl([header, PROGRAM])), 'parsed');
  assert.is(code(naiveEbl([naiveEblHeader(0xe351), PROGRAM])), 'format-unknown');
  assert.is(code(naiveEbl([header])), 'payload-missing');
  assert.is(code(naiveEbl([header, header, PROGRAM])), 'tag-repeated');
  assert.is(code(naiveEbl([header, PROGRAM, header])), 'tag-order');
  assert.is(code(naiveEbl([header, [0xfe01, [1, 2, 3, 4]]])), 'tag-length');
  assert.is(code(naiveEbl([header, [0xfb05, [1]], PROGRAM])), 'tag-unknown');
  const cut = naiveEbl([header, PROGRAM]);
  assert.is(code(cut.slice(0, 144)), 'end-missing');
  assert.is(code(cut.slice(0, 146)), 'tag-truncated');
  assert.is(code(cut.slice(0, 150)), 'tag-truncated');
});

test('END: its CRC, and only padding after it', () => {
  const tags = [naiveEblHeader(), PROGRAM];
  const end = naiveEbl(tags, 0).length;
  const good = naiveEbl(tags);
  good[end - 1]! ^= 1;
  assert.is(code(good), 'end-crc');
  assert.is(code(naiveEbl(tags, 63)), 'parsed');
  assert.is(code(naiveEbl(tags, 64)), 'data-after-end');
  assert.is(code(concat(naiveEbl(tags, 0), [0])), 'data-after-end');
  assert.equal(
    parse(naiveEbl(tags, 0)).remarks.map((remark) => remark.code),
    ['length-unaligned'],
  );
});

testWithShared(
  test,
  'samples/serial',
  'a real image: parsed, and built again byte for byte',
  () => {
    const file = new Uint8Array(readShared('samples/serial/ncp-uart-sw-6.4.1.ebl'));
    const image = parse(file);
    assert.is(image.programs.length, 72);
    assert.ok(image.programs.every(({ name }) => name === 'eraseProgram'));
    assert.is(image.programs[0]!.address, 0x08004080);
    assert.is(encodeHex(image.bytes.subarray(-4)), '7912423a');
    assert.is(image.padding.length, 60);
    assert.is(Buffer.compare(encodeEblImage(image), file), 0);
  },
);

test.run();
