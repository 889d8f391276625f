import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../src/bytes/hex.ts';
import { ByteReader } from '../../src/bytes/reader.ts';
import { ByteWriter } from '../../src/bytes/writer.ts';

interface Field {
  name: string;
  bytes: number;
  write: (writer: ByteWriter) => ByteWriter;
  hex: string;
}

const FIELDS: Field[] = [
  { name: 'u8', bytes: 1, write: (writer) => writer.u8(0x81), hex: '81' },
  { name: 'u16', bytes: 2, write: (writer) => writer.u16(0x8192), hex: '9281' },
  { name: 'u16be', bytes: 2, write: (writer) => writer.u16be(0x8192), hex: '8192' },
  { name: 'u32', bytes: 4, write: (writer) => writer.u32(0x8192a3b4), hex: 'b4a39281' },
  { name: 'u32be', bytes: 4, write: (writer) => writer.u32be(0x8192a3b4), hex: '8192a3b4' },
  {
    name: 'u64',
    bytes: 8,
    write: (writer) => writer.u64(0x8192a3b4c5d6e7f8n),
    hex: 'f8e7d6c5b4a39281',
  },
  { name: 'raw', bytes: 3, write: (writer) => writer.raw(Uint8Array.of(1, 2, 3)), hex: '010203' },
  { name: 'fill', bytes: 3, write: (writer) => writer.fill(0xab, 3), hex: 'ababab' },
];

const UNTOUCHED = 0x55;

for (const { name, bytes, write, hex } of FIELDS) {
  test(`${name} writes its ${bytes} bytes and no other`, () => {
    const buffer = new Uint8Array(bytes + 4).fill(UNTOUCHED);
    const writer = new ByteWriter(buffer, 2);
    assert.is(write(writer), writer, 'calls chain');
    assert.is(encodeHex(buffer), `5555${hex}5555`);
    assert.is(writer.position, 2 + bytes);
    assert.is(writer.overrun, false);
  });

  test(`${name} fits exactly, and with any byte fewer writes nothing and overruns`, () => {
    const exact = new ByteWriter(new Uint8Array(bytes));
    write(exact);
    assert.is(exact.overrun, false);
    assert.is(encodeHex(exact.written()), hex);
    for (let length = 0; length < bytes; length++) {
      const memory = new Uint8Array(16).fill(UNTOUCHED);
      const writer = new ByteWriter(memory.subarray(0, length));
      write(writer);
      assert.is(writer.overrun, true, `${length} bytes`);
      assert.is(writer.position, 0, `${length} bytes`);
      writer.u8(1).raw(new Uint8Array(0)).fill(1, 0);
      assert.is(writer.overrun, true, 'the flag stays');
      assert.is(writer.position, 0, 'and nothing is written any more');
      assert.ok(
        memory.every((byte) => byte === UNTOUCHED),
        `${length} bytes`,
      );
    }
  });
}

test('a value is cut to the width of its field', () => {
  const writer = new ByteWriter(new Uint8Array(15));
  writer.u8(0x1ff).u16(-2).u32(0x1_2345_6789).u64(-1n);
  assert.is(encodeHex(writer.written()), 'fffeff89674523ffffffffffffffff');
});

test('written is what was written: a view, without the rest of the buffer', () => {
  const buffer = new Uint8Array(10);
  const writer = new ByteWriter(buffer).u16(1);
  const view = writer.written();
  assert.is(view.length, 2);
  view[0] = 9;
  assert.is(buffer[0], 9);
});

test('a fill of a length no buffer has overruns', () => {
  for (const length of [11, 0xffffffff, -1, Number.NaN]) {
    const writer = new ByteWriter(new Uint8Array(10));
    writer.u8(1).fill(7, length);
    assert.is(writer.overrun, true, String(length));
    assert.is(writer.position, 1, String(length));
  }
});

test('what the writer wrote, the reader reads', () => {
  const writer = new ByteWriter(new Uint8Array(21));
  writer
    .u8(0xfe)
    .u16(0xfedc)
    .u16be(0xfedc)
    .u32(0xfedcba98)
    .u32be(0xfedcba98)
    .u64(1n << 63n);
  assert.is(writer.overrun, false);
  const reader = new ByteReader(writer.written());
  assert.is(reader.u8(), 0xfe);
  assert.is(reader.u16(), 0xfedc);
  assert.is(reader.u16be(), 0xfedc);
  assert.is(reader.u32(), 0xfedcba98);
  assert.is(reader.u32be(), 0xfedcba98);
  assert.is(reader.u64(), 1n << 63n);
  assert.is(reader.remaining, 0);
  assert.is(reader.overrun, false);
});

test.run();
