/** What the CBOR scan lets pass and what it refuses, item by item and over every truncation and bit flip. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CBOR_REFUSALS,
  CBOR_SCAN_DEFAULTS,
  type CborScanOptions,
  scanCbor,
} from '../../src/bytes/cbor-scan.ts';

const test = suite('bytes/cbor scan');

function verdict(hex: string, options: Partial<CborScanOptions> = {}): string {
  const bytes = Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
  const scan = scanCbor(bytes, 0, bytes.length, { ...CBOR_SCAN_DEFAULTS, ...options });
  return scan.ok ? `ok ${scan.items}` : scan.code;
}

const TAKEN: [string, string, number][] = [
  ['unsigned', '00', 1],
  ['of every width', '85 17 18ff 19ffff 1affffffff 1bffffffffffffffff', 6],
  ['negative', '3863', 1],
  ['bytes and text', '82 43010203 63616263', 3],
  ['false, true, null', '83 f4 f5 f6', 4],
  ['empty map', 'a0', 1],
  ['map', 'a2 6161 01 6162 02', 5],
  ['indefinite map', 'bf 636f6666 1901f4 ff', 3],
  ['indefinite array in an indefinite map', 'bf 6161 9f 01 02 ff 6162 f5 ff', 7],
  ['text of several bytes a letter', '6a c3a9e282acf09f98803c', 1],
  ['eight levels', '8181818181818180', 8],
  ['the same key in different maps', '82 a1616101 a1616102', 7],
  ['keys of one length that differ', 'a2 6161 01 6162 01', 5],
  ['keys that look alike in value only', 'a2 6161 6161 6162 6161', 5],
];

for (const [name, hex, items] of TAKEN) {
  test(`taken: ${name}`, () => assert.is(verdict(hex), `ok ${items}`));
}

const REFUSED: [string, string, string][] = [
  ['nothing', '', 'truncated'],
  ['two items', '00 00', 'trailing-bytes'],
  ['nine levels', '818181818181818180', 'too-deep'],
  ['a length beyond the input', '42 01', 'truncated'],
  ['a count beyond the input', '9a ffffffff', 'truncated'],
  ['a map count beyond the input', 'ba ffffffff', 'truncated'],
  ['a length of eight bytes', '5b ffffffffffffffff', 'truncated'],
  ['a head cut short', '19 01', 'truncated'],
  ['bytes in pieces', '5f 4101 ff', 'string-in-pieces'],
  ['text in pieces', '7f 6161 ff', 'string-in-pieces'],
  ['a tag', 'c0 00', 'tag-refused'],
  ['a tagged value in a map', 'a1 6161 c0 00', 'tag-refused'],
  ['half, single, double', 'f9 0000', 'type-refused'],
  ['undefined', 'f7', 'type-refused'],
  ['simple 24', 'f8 18', 'type-refused'],
  ['simple 0', 'e0', 'type-refused'],
  ['reserved length', '1c', 'length-reserved'],
  ['indefinite integer', '1f', 'length-reserved'],
  ['a break outside', 'ff', 'break-misplaced'],
  ['a break in a counted array', '82 00 ff', 'break-misplaced'],
  ['a break between key and value', 'bf 6161 ff', 'break-misplaced'],
  ['no break', 'bf 6161 00', 'truncated'],
  ['an integer key', 'a1 01 02', 'key-refused'],
  ['a byte string as key', 'a1 4101 02', 'key-refused'],
  ['a map as key', 'a1 a0 02', 'key-refused'],
  ['the same key twice', 'a2 6161 01 6161 02', 'key-duplicate'],
  ['the same key twice, its length in a longer form', 'a2 6161 01 780161 02', 'key-duplicate'],
  ['the same key twice in an indefinite map', 'bf 6161 01 6161 02 ff', 'key-duplicate'],
  ['text that is not UTF-8', '61 ff', 'text-not-utf8'],
  ['an overlong form', '62 c080', 'text-not-utf8'],
  ['a surrogate', '63 eda080', 'text-not-utf8'],
  ['beyond the last letter', '64 f4908080', 'text-not-utf8'],
  ['a letter cut short', '62 e282', 'text-not-utf8'],
];

for (const [name, hex, code] of REFUSED) {
  test(`refused: ${name}`, () => assert.is(verdict(hex), code));
}

test('options open what they name', () => {
  assert.is(verdict('c0 00', { allowTags: true }), 'ok 2');
  assert.is(verdict('c0', { allowTags: true }), 'truncated');
  assert.is(verdict('9f c0 ff', { allowTags: true }), 'break-misplaced');
  assert.is(verdict('81 c1 c2 00', { allowTags: true }), 'ok 4');
  assert.is(verdict('fb 0000000000000000', { allowFloats: true }), 'ok 1');
  assert.is(verdict('a2 01 00 20 00', { allowIntegerKeys: true }), 'ok 5');
  assert.is(verdict('a2 01 00 1801 00', { allowIntegerKeys: true }), 'key-duplicate');
  assert.is(verdict('a1 1bffffffffffffffff 00', { allowIntegerKeys: true }), 'key-refused');
  assert.is(verdict('83 00 00 00', { itemsMax: 3 }), 'too-many-items');
  assert.is(verdict('82 00 00', { itemsMax: 3 }), 'ok 3');
  assert.is(verdict('8180', { depthMax: 1 }), 'too-deep');
});

test('only the range counts', () => {
  const bytes = Uint8Array.from([0xff, 0xa1, 0x61, 0x61, 0x01, 0xff]);
  assert.is(scanCbor(bytes, 1, 5).ok, true);
  assert.is(scanCbor(bytes, 1, 4).ok, false);
  assert.is(scanCbor(bytes, 1, 6).ok, false);
});

test('every truncation and bit flip ends in a code or passes', () => {
  const whole = Buffer.from(
    'bf62726300636f66661a0001020366696d61676573' + '9fa26161f54568656c6c6f',
    'hex',
  );
  const bytes = Uint8Array.from([...whole.subarray(0, -6), 0x61, 0x62, 0x43, 1, 2, 3, 0xff, 0xff]);
  assert.is(scanCbor(bytes).ok, true);
  for (let end = 0; end < bytes.length; end++) {
    const scan = scanCbor(bytes, 0, end);
    assert.is(scan.ok, false, `${end}`);
    if (!scan.ok) assert.ok(scan.code in CBOR_REFUSALS);
  }
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const scan = scanCbor(flipped);
    if (!scan.ok) assert.ok(scan.code in CBOR_REFUSALS, `${bit}`);
  }
});

test('a deep or long input costs no more than its caps', () => {
  assert.is(scanCbor(new Uint8Array(1_000_000).fill(0x81)).ok, false);
  assert.is(scanCbor(new Uint8Array(1_000_000).fill(0x9f)).ok, false);
  const long = new Uint8Array(1_000_005).fill(0);
  long.set([0x9a, 0, 0x0f, 0x42, 0x40]);
  assert.equal(scanCbor(long), { ok: false, code: 'too-many-items', offset: 1_028 });
});

test.run();
