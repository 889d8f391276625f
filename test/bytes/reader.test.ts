import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteReader } from '../../src/bytes/reader.ts';

const BYTES = Uint8Array.from([0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8, 0x09]);

interface Field {
  name: string;
  bytes: number;
  read: (reader: ByteReader) => number | bigint;
  value: number | bigint;
}

const FIELDS: Field[] = [
  { name: 'u8', bytes: 1, read: (reader) => reader.u8(), value: 0x81 },
  { name: 'u16', bytes: 2, read: (reader) => reader.u16(), value: 0x9281 },
  { name: 'u16be', bytes: 2, read: (reader) => reader.u16be(), value: 0x8192 },
  { name: 'u32', bytes: 4, read: (reader) => reader.u32(), value: 0xb4a39281 },
  { name: 'u32be', bytes: 4, read: (reader) => reader.u32be(), value: 0x8192a3b4 },
  { name: 'u64', bytes: 8, read: (reader) => reader.u64(), value: 0xf8e7d6c5b4a39281n },
];

for (const { name, bytes, read, value } of FIELDS) {
  test(`${name} reads its ${bytes} bytes and moves past them`, () => {
    const reader = new ByteReader(BYTES);
    assert.is(read(reader), value);
    assert.is(reader.position, bytes);
    assert.is(reader.remaining, BYTES.length - bytes);
    assert.is(reader.overrun, false);
  });

  test(`${name} fits exactly, and with any byte fewer reads zero and overruns`, () => {
    const exact = new ByteReader(BYTES, 0, bytes);
    assert.is(read(exact), value);
    assert.is(exact.overrun, false);
    assert.is(exact.remaining, 0);
    for (let length = 0; length < bytes; length++) {
      for (const reader of [
        new ByteReader(BYTES, 0, length),
        new ByteReader(BYTES.slice(0, length)),
      ]) {
        assert.is(Number(read(reader)), 0, `${length} bytes`);
        assert.is(reader.overrun, true, `${length} bytes`);
        assert.is(reader.u8(), 0, 'the flag stays and nothing more is read');
        assert.is(reader.overrun, true);
      }
    }
  });
}

test('a read that overruns moves nothing, where one check covers the field', () => {
  for (const read of [
    (reader: ByteReader) => reader.u16(),
    (reader: ByteReader) => reader.u16be(),
    (reader: ByteReader) => reader.view(2),
    (reader: ByteReader) => reader.skip(2),
  ]) {
    const reader = new ByteReader(BYTES, 0, 1);
    read(reader);
    assert.is(reader.position, 0);
    assert.is(reader.overrun, true);
  }
});

test('all fields in sequence, from an offset', () => {
  const reader = new ByteReader(BYTES, 1, 8);
  assert.is(reader.u8(), 0x92);
  assert.is(reader.u16be(), 0xa3b4);
  assert.is(reader.remaining, 4);
  assert.is(reader.u32be(), 0xc5d6e7f8);
  assert.is(reader.overrun, false);
  assert.is(reader.u8(), 0, 'the byte behind the end is not read');
  assert.is(reader.overrun, true);
});

test('a view shares memory, an empty one is no overrun', () => {
  const bytes = BYTES.slice();
  const reader = new ByteReader(bytes);
  reader.skip(2);
  const view = reader.view(3);
  assert.equal(view, Uint8Array.from([0xa3, 0xb4, 0xc5]));
  bytes[2] = 0;
  assert.is(view[0], 0);
  assert.is(reader.position, 5);
  assert.is(reader.view(0).length, 0);
  reader.skip(0);
  assert.is(reader.overrun, false);
});

test('lengths no file can mean overrun: too long, negative, not a number', () => {
  for (const length of [10, 0xffffffff, 2 ** 53, Number.POSITIVE_INFINITY, -1, Number.NaN]) {
    const skipping = new ByteReader(BYTES);
    skipping.skip(length);
    assert.is(skipping.overrun, true, `skip ${length}`);
    assert.is(skipping.position, 0, `skip ${length}`);
    const viewing = new ByteReader(BYTES);
    assert.is(viewing.view(length).length, 0, `view ${length}`);
    assert.is(viewing.overrun, true, `view ${length}`);
  }
});

test('an end past the bytes is cut to them', () => {
  const reader = new ByteReader(BYTES, 8, 1000);
  assert.is(reader.remaining, 1);
  assert.is(reader.u16(), 0);
  assert.is(reader.overrun, true);
});

test('a start past the end overruns at the first read', () => {
  const reader = new ByteReader(BYTES, 12);
  assert.is(reader.u8(), 0);
  assert.is(reader.overrun, true);
  assert.is(reader.view(0).length, 0);
});

test.run();
