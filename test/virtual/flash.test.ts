/** The flash slot: erased before programmed, programmed once, and what survives a loss of power. */
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlashSlot, SlotWriter } from '../../src/virtual/flash.ts';
import { makeImage } from './fixture.ts';

const GEOMETRY = {
  slotBytes: 65_536,
  eraseBlockBytes: 4_096,
  programPageBytes: 256,
  eraseBlockMs: 20,
  programPageMs: 2,
};

test('a byte that is not erased cannot be programmed', () => {
  const slot = new FlashSlot(GEOMETRY);
  assert.throws(() => slot.program(0, Uint8Array.of(1)), /erased before/);
  slot.erase(0);
  slot.program(10, Uint8Array.of(1, 2));
  assert.throws(() => slot.program(11, Uint8Array.of(3)), /programmed once/);
  slot.erase(0);
  slot.program(11, Uint8Array.of(3));
  assert.throws(() => slot.erase(16), /in the slot/);
});

for (const programPageBytes of [1, 4, 256, 4_096, 8_192]) {
  for (const pieceBytes of [1, 50, 63, 256, 5_000]) {
    test(`pages of ${programPageBytes} filled by pieces of ${pieceBytes} hold the image`, () => {
      const image = makeImage(1, 10_000);
      const slot = new FlashSlot({ ...GEOMETRY, programPageBytes });
      const writer = new SlotWriter(slot);
      for (let at = 0; at < image.length; at += pieceBytes) {
        writer.append(image.subarray(at, at + pieceBytes));
        assert.is(writer.takenBytes, Math.min(at + pieceBytes, image.length));
        assert.is(writer.storedBytes % programPageBytes, 0);
      }
      writer.finish();
      assert.is(writer.storedBytes, image.length);
      assert.equal(slot.read(0, image.length), image);
      assert.equal(slot.read(777, 9_001), image.slice(777, 9_001));
      const digest = createHash('sha256').update(image).digest('hex');
      assert.is(slot.sha256(image.length), digest);
    });
  }
}

test('erasing and programming take the time of the model', () => {
  const writer = new SlotWriter(new FlashSlot(GEOMETRY));
  assert.is(writer.append(new Uint8Array(255)), 0);
  assert.is(writer.append(new Uint8Array(1)), 22);
  assert.is(writer.append(new Uint8Array(256)), 2);
  assert.is(writer.append(new Uint8Array(4_096)), 20 + 16 * 2);
});

test('a loss of power costs the page that was being filled, no more', () => {
  const image = makeImage(1, 3_000);
  const slot = new FlashSlot(GEOMETRY);
  const writer = new SlotWriter(slot);
  writer.append(image.subarray(0, 1_000));
  writer.losePower();
  assert.is(writer.takenBytes, 768);
  writer.append(image.subarray(768));
  writer.finish();
  assert.equal(slot.read(0, image.length), image);
});

test('what a file gives back is stored as it was, also with a partly filled last page', () => {
  const image = makeImage(1, 3_000);
  for (const bytes of [0, 256, 2_816, image.length]) {
    const slot = new FlashSlot(GEOMETRY);
    const writer = new SlotWriter(slot);
    writer.restore(image.subarray(0, bytes));
    assert.is(writer.storedBytes, bytes);
    if (bytes < image.length) {
      writer.append(image.subarray(bytes));
      writer.finish();
    }
    assert.equal(slot.read(0, image.length), image);
  }
});

test('a slot takes memory only as it fills, and gives it back', () => {
  const slot = new FlashSlot({ ...GEOMETRY, slotBytes: 67_108_864 });
  const writer = new SlotWriter(slot);
  writer.append(new Uint8Array(1_000));
  writer.restart();
  assert.throws(() => slot.read(0, 1), /has been programmed/);
  assert.is(writer.takenBytes, 0);
});

test.run();
