/** What a file is by its beginning, and what is said to whoever gives the wrong one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex } from '../../src/bytes/hex.ts';
import {
  FILE_FORMATS,
  type FileFormat,
  isImageFormat,
  recogniseFormat,
  refuseFormat,
} from '../../src/image/file-format.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { readShared, testWithShared } from '../support/shared.ts';
import { concat, counting, le, naiveImage } from './naive-ota.ts';

function beginning(format: FileFormat): Uint8Array {
  const texts: Partial<Record<FileFormat, string>> = {
    'intel-hex': ':020000040000FA\r\n',
    'motorola-hex': 'S00600004844521B\r\n',
  };
  const { begins } = FILE_FORMATS[format];
  const text = texts[format];
  if (text !== undefined) return new TextEncoder().encode(text);
  return concat(decodeHex(String(begins).replaceAll(' ', ''))!, counting(60));
}

const FORMATS = Object.keys(FILE_FORMATS) as FileFormat[];

test('each format is recognised, and nothing one byte short of it', () => {
  for (const format of FORMATS) {
    const file = beginning(format);
    assert.is(recogniseFormat(file), format);
    for (let length = 0; length < 3; length++) {
      assert.is(recogniseFormat(file.subarray(0, length)), undefined, `${format} ${length}`);
    }
  }
  assert.is(recogniseFormat(decodeHex('0000008c0202e351')!), undefined);
});

test('text in lower case is a record too; other text that begins so is none', () => {
  const of = (text: string) => recogniseFormat(new TextEncoder().encode(text));
  assert.is(of(':10c00000'), 'intel-hex');
  for (const text of [':10C00006', ': 10C0000', ':-) 00000', 'S4060000', 'Some text']) {
    assert.is(of(text), undefined, text);
  }
});

test('a wrong file is named, with what to do', () => {
  for (const format of FORMATS) {
    const refused = refuseFormat(beginning(format), format === 'gbl' ? 'ebl' : 'gbl');
    assert.is(refused.code, isImageFormat(format) ? 'other-format' : 'not-an-upgrade-image');
    assert.is(refused.actual, FILE_FORMATS[format].title);
    assert.ok(refused.expected && refused.next);
  }
  assert.is(refuseFormat(new Uint8Array(0)).code, 'format-unknown');
  assert.is(refuseFormat(Uint8Array.of(1, 2)).actual, '01 02');
});

test('the reader of ZigBee OTA files names another format as well', () => {
  for (const format of FORMATS) {
    if (['zigbee-ota', 'zip', 'gzip'].includes(format)) continue;
    const parsed = parseOtaFile(beginning(format));
    const expected = isImageFormat(format) ? 'other-format' : 'not-an-upgrade-image';
    assert.is(!parsed.ok && parsed.code, expected, format);
  }
});

test('a wrapped OTA file whose length begins like a record is read all the same', () => {
  const image = naiveImage({ body: counting(0x3a) });
  const file = concat(le(image.length, 4), image, counting(8));
  file[0] = 0x3a;
  assert.is(recogniseFormat(file), undefined);
});

testWithShared(test, 'samples/serial', 'real files are what their names say', () => {
  const files: Record<string, FileFormat> = {
    'NabuCasa_SkyConnect_RCP_v4.1.3_rcp-uart-hw-802154_115200.gbl': 'gbl',
    'ikea_signed_a.gbl': 'gbl',
    'namron_encrypted.gbl': 'gbl',
    'ncp-uart-sw-6.4.1.ebl': 'ebl',
    'zephyr35_hello_world.signed.bin': 'mcuboot',
    'zephyr44_smp_m0_hash_only.bin': 'mcuboot',
    'zephyr44_smp_m0_board.merged.hex': 'intel-hex',
  };
  for (const [name, format] of Object.entries(files)) {
    assert.is(recogniseFormat(readShared(`samples/serial/${name}`)), format, name);
  }
  assert.is(recogniseFormat(readShared('samples/serial/README.md')), undefined);
});

test.run();
