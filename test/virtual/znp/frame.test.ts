/** ZNP frames: golden bytes, every split point, noise, wrong check bytes and impossible lengths. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../../src/bytes/hex.ts';
import { SeededRandom } from '../../../src/virtual/random.ts';
import { encodeFrame, ZnpFrameReader } from '../../../src/virtual/znp/frame.ts';

const GOLDEN: [name: string, type: number, subsystem: number, command: number, frame: string][] = [
  ['ping', 1, 1, 0x01, 'fe0021 01 20'],
  ['ping response', 3, 1, 0x01, 'fe0261 01 5906 3d'],
  ['version', 1, 1, 0x02, 'fe0021 02 23'],
  ['version response', 3, 1, 0x02, 'fe0961 02 0201020701 6bb13401 82'],
  ['reset indication', 2, 1, 0x80, 'fe0641 80 000201020701 c0'],
  ['state change', 2, 5, 0xc0, 'fe0145 c0 09 8d'],
  ['data request response', 3, 4, 0x01, 'fe0164 01 00 64'],
  ['data confirm', 2, 4, 0x80, 'fe0344 80 00010b cd'],
  ['data request', 1, 4, 0x01, 'fe0e24 01 01100101 1900 0b 00 1e 04 192a0595 91'],
];

const bytesOf = (text: string) => decodeHex(text.replaceAll(' ', ''))!;

function collect(chunks: Uint8Array[]): { frames: string[]; dropped: number } {
  const frames: string[] = [];
  const reader = new ZnpFrameReader((type, subsystem, command, data) => {
    frames.push(encodeHex(encodeFrame(type, subsystem, command, data)));
  });
  for (const chunk of chunks) reader.push(chunk);
  return { frames, dropped: reader.dropped };
}

for (const [name, type, subsystem, command, text] of GOLDEN) {
  test(`golden frame: ${name}`, () => {
    const golden = bytesOf(text);
    assert.equal(
      encodeHex(encodeFrame(type, subsystem, command, golden.subarray(4, -1))),
      encodeHex(golden),
    );
    assert.equal(collect([golden]).frames, [encodeHex(golden)]);
  });
}

test('a stream of frames is the same whatever its pieces', () => {
  const stream = Buffer.concat(GOLDEN.map(([, , , , text]) => bytesOf(text)));
  const whole = collect([stream]).frames;
  assert.is(whole.length, GOLDEN.length);
  for (let split = 0; split <= stream.length; split++) {
    assert.equal(collect([stream.subarray(0, split), stream.subarray(split)]).frames, whole);
  }
  assert.equal(collect([...stream].map((byte) => Uint8Array.of(byte))).frames, whole);
});

test('bytes before a frame are skipped, as the boot loader byte a host may send', () => {
  const ping = bytesOf(GOLDEN[0]![4]);
  assert.equal(collect([Uint8Array.of(0xef), ping]).frames.length, 1);
  assert.equal(collect([Buffer.concat([Uint8Array.of(0xef, 0x00, 0x12), ping])]).frames.length, 1);
});

test('a frame with a wrong check byte or length is dropped and the next one is read', () => {
  const [ping, version] = [bytesOf(GOLDEN[0]![4]), bytesOf(GOLDEN[2]![4])];
  const broken = ping.slice();
  broken[4]! ^= 1;
  const expected = [encodeHex(version)];
  assert.equal(collect([Buffer.concat([broken, version])]), { frames: expected, dropped: 1 });
  const tooLong = Uint8Array.of(0xfe, 251);
  assert.equal(collect([Buffer.concat([tooLong, version])]), { frames: expected, dropped: 1 });
});

test('one wrong bit never yields the frame it came from', () => {
  for (const [, , , , text] of GOLDEN) {
    const golden = bytesOf(text);
    for (let bit = 0; bit < golden.length * 8; bit++) {
      const flipped = golden.slice();
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      assert.not.ok(collect([flipped]).frames.includes(encodeHex(golden)));
    }
  }
});

test('noise between frames costs at most the frames it touches', () => {
  const seed = Date.now() >>> 0;
  console.log(`SEED ${seed}`);
  const random = new SeededRandom(seed);
  for (let round = 0; round < 200; round++) {
    const noise = Uint8Array.from({ length: 20 }, () => Math.floor(random.next() * 0xfe));
    const version = bytesOf(GOLDEN[2]![4]);
    assert.equal(collect([noise, version]).frames, [encodeHex(version)]);
  }
});

test.run();
