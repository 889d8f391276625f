/**
 * A cursor that fills a buffer the caller owns. Integers are little-endian; the `be` twins are not.
 *
 * Typed arrays ignore writes past their end, so the writer checks: a write that does not fit
 * changes nothing and sets `overrun`, which stays set. A value is cut to its field's width.
 */
export class ByteWriter {
  readonly bytes: Uint8Array;
  position: number;
  overrun = false;

  constructor(bytes: Uint8Array, start = 0) {
    this.bytes = bytes;
    this.position = start;
  }

  u8(value: number): this {
    if (this.take(1)) this.bytes[this.position - 1] = value;
    return this;
  }

  u16(value: number): this {
    if (this.take(2)) {
      this.bytes[this.position - 2] = value;
      this.bytes[this.position - 1] = value >>> 8;
    }
    return this;
  }

  u16be(value: number): this {
    if (this.take(2)) {
      this.bytes[this.position - 2] = value >>> 8;
      this.bytes[this.position - 1] = value;
    }
    return this;
  }

  u32(value: number): this {
    if (this.take(4)) {
      const at = this.position - 4;
      this.bytes[at] = value;
      this.bytes[at + 1] = value >>> 8;
      this.bytes[at + 2] = value >>> 16;
      this.bytes[at + 3] = value >>> 24;
    }
    return this;
  }

  u32be(value: number): this {
    return this.fits(4) ? this.u16be(value >>> 16).u16be(value) : this;
  }

  u64(value: bigint): this {
    if (!this.fits(8)) return this;
    return this.u32(Number(value & 0xffffffffn)).u32(Number((value >> 32n) & 0xffffffffn));
  }

  raw(source: Uint8Array): this {
    if (this.take(source.length)) this.bytes.set(source, this.position - source.length);
    return this;
  }

  fill(value: number, length: number): this {
    if (this.take(length)) this.bytes.fill(value, this.position - length, this.position);
    return this;
  }

  /** What has been written so far, from the start of the buffer: a view, not a copy. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.position);
  }

  private fits(length: number): boolean {
    if (!(length >= 0) || length > this.bytes.length - this.position) this.overrun = true;
    return !this.overrun;
  }

  private take(length: number): boolean {
    if (!this.fits(length)) return false;
    this.position += length;
    return true;
  }
}
