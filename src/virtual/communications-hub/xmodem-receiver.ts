/**
 * The XMODEM-CRC receiver of the Silicon Labs bootloaders: blocks of 128 bytes and nothing else.
 * Where a block should begin, any byte but SOH and EOT ends the transfer.
 *
 * It has no timer: the bootloader says when time is up.
 */
import { crc16Xmodem } from '../../bytes/crc.ts';

const SOH = 0x01;
const EOT = 0x04;
const BLOCK_BYTES = 128;
/** SOH, number, its complement, data, CRC. */
const FRAME_BYTES = 3 + BLOCK_BYTES + 2;

export type XmodemStep =
  /** A block that is to be answered with ACK, or with an end if its content is refused. */
  | { kind: 'block'; data: Uint8Array }
  /** The last block again, its ACK was lost. */
  | { kind: 'repeat' }
  | { kind: 'bad-block' }
  | { kind: 'end' }
  /** A byte that has no business where a block should begin. */
  | { kind: 'stray' };

export class XmodemReceiver {
  private readonly frame = new Uint8Array(FRAME_BYTES);
  private fill = 0;
  private expected = 1;
  private begun = false;

  /** A block has come, or part of one. */
  get started(): boolean {
    return this.begun || this.fill > 0;
  }

  /** `data` is valid until the next call. */
  takeByte(byte: number): XmodemStep | undefined {
    if (this.fill === 0) {
      if (byte === EOT) return { kind: 'end' };
      if (byte !== SOH) return { kind: 'stray' };
    }
    this.frame[this.fill++] = byte;
    if (this.fill < FRAME_BYTES) return undefined;
    this.fill = 0;
    return this.endBlock();
  }

  /** Half a block that nobody finished. */
  dropPartial(): void {
    this.fill = 0;
  }

  private endBlock(): XmodemStep {
    const [number, complement] = [this.frame[1]!, this.frame[2]!];
    const sound = crc16Xmodem(this.frame, 0, 3) === 0;
    if (!sound || number !== (complement ^ 0xff)) return { kind: 'bad-block' };
    if (number === this.expected) {
      this.expected = (this.expected + 1) & 0xff;
      this.begun = true;
      return { kind: 'block', data: this.frame.subarray(3, 3 + BLOCK_BYTES) };
    }
    const last = (this.expected - 1) & 0xff;
    return this.begun && number === last ? { kind: 'repeat' } : { kind: 'bad-block' };
  }
}
