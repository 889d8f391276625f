/**
 * Puts an upload into a flash area as it arrives: a page at a time, each block erased before its
 * first page. What waits for its page is in memory and is gone with the power.
 */
import { createHash } from 'node:crypto';
import type { HubFlash } from './hub-flash.ts';

export class UploadWriter {
  private readonly flash: HubFlash;
  private readonly area: number;
  private readonly start: number;
  private readonly page: Uint8Array;
  private pageFill = 0;
  private storedBytes = 0;
  private erasedEnd: number;

  /** `start` is where in the area the image begins, at the start of a block. */
  constructor(flash: HubFlash, area: number, start: number) {
    this.flash = flash;
    this.area = area;
    this.start = start;
    this.erasedEnd = start;
    this.page = new Uint8Array(flash.geometry.programPageBytes);
  }

  get takenBytes(): number {
    return this.storedBytes + this.pageFill;
  }

  /** False where the area has no room for the bytes; nothing is taken then. */
  append(bytes: Uint8Array): boolean {
    if (this.start + this.takenBytes + bytes.length > this.flash.geometry.slotBytes) return false;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.page.length - this.pageFill);
      this.page.set(part, this.pageFill);
      this.pageFill += part.length;
      at += part.length;
      if (this.pageFill === this.page.length) this.programPage();
    }
    return true;
  }

  /** Programs the last, partly filled page. */
  finish(): void {
    if (this.pageFill > 0) this.programPage();
  }

  /** Of what is in flash. */
  sha256(): Uint8Array {
    const stored = this.flash.read(this.area, this.start, this.start + this.storedBytes);
    return new Uint8Array(createHash('sha256').update(stored).digest());
  }

  private programPage(): void {
    const { eraseBlockBytes } = this.flash.geometry;
    const offset = this.start + this.storedBytes;
    const end = offset + this.pageFill;
    if (end > this.erasedEnd) {
      const blocksEnd = Math.ceil(end / eraseBlockBytes) * eraseBlockBytes;
      this.flash.eraseRange(this.area, this.erasedEnd, blocksEnd);
      this.erasedEnd = blocksEnd;
    }
    this.flash.program(this.area, offset, this.page.subarray(0, this.pageFill));
    this.storedBytes += this.pageFill;
    this.pageFill = 0;
  }
}
