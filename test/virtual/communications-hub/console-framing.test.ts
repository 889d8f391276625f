/**
 * The hub's own framing and CBOR: golden lines captured from the real server, an independent
 * encoder and cbor-x as oracles, every split, truncation and flipped bit.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeCborMap, encodeCborMap } from '../../../src/virtual/communications-hub/cbor.ts';
import {
  encodeConsoleLines,
  PacketAssembler,
} from '../../../src/virtual/communications-hub/console-framing.ts';
import { Bench, cbor, naiveLines, naiveMessage, naiveParse } from './fixture.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));

test('golden lines: echo and params, request and answer, byte for byte on the wire', () => {
  const bench = Bench.booted();
  const said = (line: string) => {
    bench.take();
    bench.send(line);
    bench.scheduler.run(50);
    return bench.text();
  };
  assert.is(
    said('\x06\x09AAsAAAABAABCBqApIQ==\n'),
    '\x06\x09ACMBAAAZAABCBr9oYnVmX3NpemUZAYBpYnVmX2NvdW50BP9y4g==\n',
  );
  const answer = naiveLines(bytesOf('0b00000700000100bf6172626869ff')).map(text).join('');
  assert.is(said('\x06\x09ABAKAAAGAAABAKFhZGJoaaWv\n'), answer);
});

test('lines are cut at 93 and 90 raw bytes, and none holds CRC bytes alone', () => {
  const rawLengths = (messageBytes: number) =>
    text(encodeConsoleLines(new Uint8Array(messageBytes)))
      .split('\n')
      .slice(0, -1)
      .map((line) => Buffer.from(line.slice(2), 'base64').length);
  // As the real server cuts answers of these lengths.
  assert.equal(rawLengths(89), [93]);
  assert.equal(rawLengths(90), [90, 4]);
  assert.equal(rawLengths(91), [90, 5]);
  assert.equal(rawLengths(92), [93, 3]);
  assert.equal(rawLengths(179), [93, 90]);
  assert.equal(rawLengths(180), [93, 87, 4]);
  assert.equal(rawLengths(181), [93, 87, 5]);
  assert.equal(rawLengths(182), [93, 90, 3]);
  assert.equal(rawLengths(360), [93, 90, 90, 87, 4]);
  assert.equal(rawLengths(381), [93, 90, 90, 90, 22]);
  for (let bytes = 0; bytes < 400; bytes++) {
    const message = Uint8Array.from({ length: bytes }, (_, index) => index * 7);
    const lines = encodeConsoleLines(message);
    assert.equal(naiveParse(lines), [message]);
    for (const line of text(lines).split('\n')) assert.ok(line.length <= 126);
  }
});

function assemble(lines: Uint8Array[], bufBytes = 384): Uint8Array[] {
  const assembler = new PacketAssembler(bufBytes);
  return lines.flatMap((line) => assembler.takeLine(line) ?? []);
}

test('a packet arrives whole from lines of any length', () => {
  const message = naiveMessage(2, 0, 0, { d: 'x'.repeat(150) });
  for (let rawPerLine = 1; rawPerLine <= 93; rawPerLine++) {
    assert.equal(assemble(naiveLines(message, rawPerLine)), [message], `${rawPerLine} a line`);
  }
});

test('no flipped bit and no missing line lets a wrong message through', () => {
  const message = naiveMessage(2, 0, 0, { d: 'x'.repeat(150) });
  const lines = naiveLines(message);
  for (let drop = 0; drop < lines.length; drop++) {
    assert.equal(assemble(lines.filter((_, index) => index !== drop)), []);
  }
  for (const [index, line] of lines.entries()) {
    for (let bit = 0; bit < (line.length - 1) * 8; bit++) {
      const wrong = line.slice();
      wrong[bit >>> 3]! ^= 1 << (bit & 7);
      const got = assemble(lines.with(index, wrong));
      assert.ok(got.length === 0 || text(got[0]!) === text(message), `line ${index}, bit ${bit}`);
    }
  }
});

test('a packet above the buffer is dropped, and the next one is taken', () => {
  const large = naiveLines(naiveMessage(2, 0, 0, { d: 'x'.repeat(300) }));
  const small = naiveMessage(2, 0, 0, { d: 'x' });
  assert.equal(assemble([...large, ...naiveLines(small)], 200), [small]);
});

const MAPS: Record<string, unknown>[] = [
  {},
  { a: 0, b: 23, c: 24, d: 255, e: 256, f: 65_535, g: 65_536, h: 4_294_967_295 },
  { a: -1, b: -24, c: -25, d: -257 },
  { t: true, f: false, n: null },
  { text: 'é', long: 'x'.repeat(300), bytes: new Uint8Array(300).fill(9) },
  { list: [1, 'two', [3]], map: { inner: { most: 1 } } },
];

test('CBOR: what this side writes cbor-x reads, and the other way round', () => {
  for (const map of MAPS) {
    for (const indefinite of [false, true]) {
      const encoded = encodeCborMap(map as Parameters<typeof encodeCborMap>[0], indefinite);
      assert.equal(normal(cbor.decode(encoded)), normal(map));
      assert.equal(normal(decodeCborMap(encoded)), normal(map));
    }
    assert.equal(normal(decodeCborMap(new Uint8Array(cbor.encode(map)))), normal(map));
  }
});

test('CBOR: no truncation is taken for a map, no length is believed', () => {
  for (const map of MAPS) {
    for (const indefinite of [false, true]) {
      const encoded = encodeCborMap(map as Parameters<typeof encodeCborMap>[0], indefinite);
      for (let end = 0; end < encoded.length; end++) {
        assert.is(decodeCborMap(encoded.subarray(0, end)), undefined);
      }
    }
  }
  const broken = [
    'bbffffffffffffffff',
    'a161617affffffff',
    '9f9f9f9f9f9f9f9f9f9f9f9f',
    'a16161c101',
    'a1616118',
    'a10102',
  ];
  for (const hex of broken) assert.is(decodeCborMap(bytesOf(hex)), undefined, hex);
});

/** Buffers and arrays of bytes compare as text. */
function normal(value: unknown): string {
  return JSON.stringify(value, (_, item) => {
    if (item instanceof Uint8Array) return Buffer.from(item).toString('hex');
    return item?.type === 'Buffer' ? Buffer.from(item.data).toString('hex') : item;
  });
}

test.run();
