/**
 * A cursor over bytes somebody else sent. Integers are little-endian, as ZigBee and SMP-over-flash
 * headers have them; the `be` twins are for the few fields that are not.
 *
 * A read past the end returns zero (or an empty view), moves nothing and sets `overrun`, which
 * stays set: a decoder reads its whole layout in a straight line and asks once. Views share the
 * caller's memory.
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
    return this.take(4) ? this.u32At(this.position - 4) : 0;
  }

  u32be(): number {
    if (!this.take(4)) return 0;
    const at = this.position - 4;
    const bytes = this.bytes;
    const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16);
    return (high | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  u64(): bigint {
    if (!this.take(8)) return 0n;
    const low = BigInt(this.u32At(this.position - 8));
    return low | (BigInt(this.u32At(this.position - 4)) << 32n);
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

  private u32At(at: number): number {
    const bytes = this.bytes;
    const low = bytes[at]! | (bytes[at + 1]! << 8);
    return (low | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
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
