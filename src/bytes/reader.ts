/**
 * A cursor over bytes somebody else sent. Integers are little-endian, as ZigBee and SMP-over-flash
 * headers have them; the `be` twins are for the few fields that are not.
 *
 * A read past the end returns zero (or an empty view), moves nothing and sets `overrun`, which stays set:
 * a decoder reads its whole layout in a straight line and asks once. Views share the caller's memory.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;
  overrun = false;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = Math.min(end, bytes.length);
  }

  get remaining(): number {
    return this.end - this.position;
  }

  u8(): number {
    return this.take(1) ? this.bytes[this.position - 1]! : 0;
  }

  u16(): number {
    if (!this.take(2)) return 0;
    const at = this.position - 2;
    return this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }

  u16be(): number {
    if (!this.take(2)) return 0;
    const at = this.position - 2;
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  u32(): number {
    const low = this.u16();
    return (low | (this.u16() << 16)) >>> 0;
  }

  u32be(): number {
    const high = this.u16be();
    return ((high << 16) | this.u16be()) >>> 0;
  }

  u64(): bigint {
    const low = BigInt(this.u32());
    return low | (BigInt(this.u32()) << 32n);
  }

  /** A view of the next `length` bytes; no copy. */
  view(length: number): Uint8Array {
    return this.take(length)
      ? this.bytes.subarray(this.position - length, this.position)
      : this.bytes.subarray(0, 0);
  }

  skip(length: number): void {
    this.take(length);
  }

  private take(length: number): boolean {
    if (this.overrun || !(length >= 0) || length > this.end - this.position) {
      this.overrun = true;
      return false;
    }
    this.position += length;
    return true;
  }
}
