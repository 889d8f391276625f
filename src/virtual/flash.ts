/**
 * The flash slot a device downloads into, with the geometry and times of its model: blocks are erased
 * before their pages are programmed, and a page is programmed once. Programming a byte that is not
 * erased is an error of the virtual device and stops it.
 *
 * Memory is taken block by block as the slot fills, because a rig has hundreds of devices.
 */
import { createHash } from 'node:crypto';
import type { PpmidModel } from '../config/schema.ts';
import { assert } from '../errors.ts';

export type FlashGeometry = PpmidModel['flash'];

const ERASED = 0xff;

export class FlashSlot {
  readonly geometry: FlashGeometry;
  private readonly blocks = new Map<number, Uint8Array>();

  constructor(geometry: FlashGeometry) {
    this.geometry = geometry;
  }

  erase(block: number): void {
    const { eraseBlockBytes } = this.geometry;
    assert(block * eraseBlockBytes < this.geometry.slotBytes, 'the block is in the slot');
    this.blocks.set(block, new Uint8Array(eraseBlockBytes).fill(ERASED));
  }

  /** Programs within one block. */
  program(offset: number, bytes: Uint8Array): void {
    const { eraseBlockBytes } = this.geometry;
    const block = this.blocks.get(Math.floor(offset / eraseBlockBytes));
    const start = offset % eraseBlockBytes;
    assert(block !== undefined, `flash at ${offset} is erased before it is programmed`);
    assert(start + bytes.length <= eraseBlockBytes, 'a page lies in one block');
    for (let i = 0; i < bytes.length; i++) {
      assert(block[start + i] === ERASED, `flash at ${offset + i} is programmed once`);
    }
    block.set(bytes, start);
  }

  /** A copy of the bytes from `start` to `end`. */
  read(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start);
    const { eraseBlockBytes } = this.geometry;
    for (let offset = start; offset < end; ) {
      const block = this.blocks.get(Math.floor(offset / eraseBlockBytes));
      assert(block !== undefined, `flash at ${offset} has been programmed`);
      const from = offset % eraseBlockBytes;
      const part = block.subarray(from, Math.min(eraseBlockBytes, from + end - offset));
      bytes.set(part, offset - start);
      offset += part.length;
    }
    return bytes;
  }

  sha256(length: number): string {
    const hash = createHash('sha256');
    const { eraseBlockBytes } = this.geometry;
    for (let offset = 0; offset < length; offset += eraseBlockBytes) {
      const block = this.blocks.get(offset / eraseBlockBytes);
      assert(block !== undefined, `flash at ${offset} has been programmed`);
      hash.update(block.subarray(0, Math.min(eraseBlockBytes, length - offset)));
    }
    return hash.digest('hex');
  }

  /** The slot's content no longer matters; its memory is given back. */
  release(): void {
    this.blocks.clear();
  }
}

/**
 * Fills a slot from its start. Bytes wait in memory until a page is full: after a loss of power the
 * download goes on at `storedBytes`, not at the last byte received.
 */
export class SlotWriter {
  /** Bytes that survive a loss of power. */
  storedBytes = 0;
  private readonly slot: FlashSlot;
  private page: Uint8Array | undefined;
  private pageFill = 0;

  constructor(slot: FlashSlot) {
    this.slot = slot;
  }

  /** Bytes taken, stored or waiting for their page. */
  get takenBytes(): number {
    return this.storedBytes + this.pageFill;
  }

  /** Begins at the first byte again. */
  restart(): void {
    this.slot.release();
    this.storedBytes = 0;
    this.pageFill = 0;
  }

  /** The memory is lost, the flash is not. */
  losePower(): void {
    this.page = undefined;
    this.pageFill = 0;
  }

  /** Takes the next bytes; answers how long the flash was busy with them, in ms. */
  append(bytes: Uint8Array): number {
    const { programPageBytes } = this.slot.geometry;
    this.page ??= new Uint8Array(programPageBytes);
    let busyMs = 0;
    let at = 0;
    while (at < bytes.length) {
      const part = Math.min(bytes.length - at, programPageBytes - this.pageFill);
      this.page.set(bytes.subarray(at, at + part), this.pageFill);
      this.pageFill += part;
      at += part;
      if (this.pageFill === programPageBytes) busyMs += this.programPage();
    }
    return busyMs;
  }

  /** Programs the last, partly filled page. */
  finish(): number {
    const busyMs = this.pageFill > 0 ? this.programPage() : 0;
    this.page = undefined;
    return busyMs;
  }

  /** Puts back what an earlier run of the rig had stored. */
  restore(bytes: Uint8Array): void {
    this.restart();
    const whole = bytes.length - (bytes.length % this.slot.geometry.programPageBytes);
    this.append(bytes.subarray(0, whole));
    if (whole < bytes.length) {
      this.append(bytes.subarray(whole));
      this.finish();
    }
    this.page = undefined;
  }

  private programPage(): number {
    const { eraseBlockBytes, eraseBlockMs, programPageMs } = this.slot.geometry;
    const offset = this.storedBytes;
    const bytes = this.page!.subarray(0, this.pageFill);
    let busyMs = programPageMs;
    let at = 0;
    while (at < bytes.length) {
      if ((offset + at) % eraseBlockBytes === 0) {
        this.slot.erase((offset + at) / eraseBlockBytes);
        busyMs += eraseBlockMs;
      }
      const part = Math.min(bytes.length - at, eraseBlockBytes - ((offset + at) % eraseBlockBytes));
      this.slot.program(offset + at, bytes.subarray(at, at + part));
      at += part;
    }
    this.storedBytes += this.pageFill;
    this.pageFill = 0;
    return busyMs;
  }
}
