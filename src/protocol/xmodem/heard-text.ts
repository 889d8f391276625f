/**
 * The text a bootloader prints among its XMODEM answers: the last bytes of it, in one buffer of fixed size.
 * Control bytes but line ends are left out: the bootloader sends every text with its NUL, even inside
 * `file error 0x` NUL `45`.
 */

/** A menu has 80 bytes, the longest message less. */
const KEPT_BYTES = 2_048;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const BLANK = 0x20;
const DELETE = 0x7f;

export class HeardText {
  private readonly bytes = new Uint8Array(KEPT_BYTES);
  private length = 0;
  /** Whether any byte came at all, text or not. */
  anything = false;

  /** True where the byte is text. */
  add(byte: number): boolean {
    this.anything = true;
    if (byte < BLANK ? byte !== CARRIAGE_RETURN && byte !== LINE_FEED : byte >= DELETE)
      return false;
    if (this.length === KEPT_BYTES) {
      this.bytes.copyWithin(0, KEPT_BYTES / 2);
      this.length = KEPT_BYTES / 2;
    }
    this.bytes[this.length++] = byte;
    return true;
  }

  endsWith(token: string): boolean {
    const start = this.length - token.length;
    if (start < 0) return false;
    for (let i = token.length - 1; i >= 0; i--) {
      if (this.bytes[start + i] !== token.charCodeAt(i)) return false;
    }
    return true;
  }

  text(): string {
    let text = '';
    for (let i = 0; i < this.length; i++) text += String.fromCharCode(this.bytes[i]!);
    return text;
  }

  clear(): void {
    this.length = 0;
    this.anything = false;
  }
}
