/**
 * XMODEM blocks and their answers, and around them the text of a bootloader's menu. What a byte means
 * follows from what is under way: in a transfer SOH begins a block, outside of one it is noise.
 */
import { escapeText } from '../../bytes/escape-text.ts';
import {
  ACK,
  BACKSPACE,
  CAN,
  type Check,
  CRC_BYTES,
  CRC_START,
  EOT,
  HEAD_BYTES,
  isIntact,
  LARGE_BYTES,
  NAK,
  SMALL_BYTES,
  SOH,
  STX,
  SUM_BYTES,
} from '../../protocol/xmodem/block.ts';
import type { Direction } from '../recording/format.ts';
import type { FrameDecoder, TracedFrame } from './frame.ts';

const SIGNS: Readonly<Record<number, string>> = {
  [ACK]: 'ACK',
  [NAK]: 'NAK: again',
  [CAN]: 'CAN: given up',
  [EOT]: 'EOT: that was all',
  [CRC_START]: 'C: ready for the first block, with CRCs',
};
/** What a bootloader prints before and after a transfer. */
const BEGIN = /begin upload/i;
const END = /Serial upload (complete|aborted)/i;
const TEXT_CHARACTERS_MAX = 200;
const PRINTABLE_MIN = 0x20;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

interface End {
  /** Of a block, as far as it came. */
  block: number[];
  blockBytes: number;
  text: string;
}

export class XmodemFrameDecoder implements FrameDecoder {
  private readonly ends: Record<Direction, End> = {
    up: { block: [], blockBytes: 0, text: '' },
    down: { block: [], blockBytes: 0, text: '' },
  };
  private readonly bare: boolean;
  private inTransfer: boolean;
  private check: Check = 'crc';
  private blocks = 0;

  /** `bare`: nothing but transfers, without a bootloader's menu around them. */
  constructor({ bare }: { bare: boolean }) {
    this.bare = bare;
    this.inTransfer = bare;
  }

  take(direction: Direction, bytes: Uint8Array, atUs: number): TracedFrame[] {
    const frames: TracedFrame[] = [];
    const end = this.ends[direction];
    const say = (text: string, raw: readonly number[] | Uint8Array) =>
      frames.push({ direction, atUs, protocol: 'XMODEM', text, bytes: Uint8Array.from(raw) });
    for (const byte of bytes) {
      if (end.block.length > 0) this.takeOfBlock(end, byte, say);
      else if (this.inTransfer && (byte === SOH || byte === STX)) this.beginBlock(end, byte);
      else if (this.inTransfer && SIGNS[byte] !== undefined && end.text === '')
        this.takeSign(byte, say);
      else this.takeText(end, byte, say);
    }
    if (direction === 'down') this.flushText(end, say);
    return frames;
  }

  rest(atUs: number): TracedFrame[] {
    const frames: TracedFrame[] = [];
    for (const direction of ['up', 'down'] as const) {
      const end = this.ends[direction];
      const say = (text: string, raw: readonly number[] | Uint8Array) =>
        frames.push({ direction, atUs, protocol: 'XMODEM', text, bytes: Uint8Array.from(raw) });
      this.flushText(end, say);
      if (end.block.length === 0) continue;
      say(
        `block ${end.block[1] ?? '?'}: ${end.block.length} of ${end.blockBytes} bytes`,
        end.block,
      );
      end.block = [];
    }
    return frames;
  }

  private beginBlock(end: End, byte: number): void {
    const data = byte === STX ? LARGE_BYTES : SMALL_BYTES;
    this.blocks++;
    end.blockBytes = HEAD_BYTES + data + (this.check === 'crc' ? CRC_BYTES : SUM_BYTES);
    end.block = [byte];
  }

  private takeOfBlock(end: End, byte: number, say: (text: string, raw: number[]) => void): void {
    end.block.push(byte);
    if (end.block.length < end.blockBytes) return;
    const { block } = end;
    end.block = [];
    const data = block[0] === STX ? LARGE_BYTES : SMALL_BYTES;
    const isNumbered = ((block[1]! + block[2]!) & 0xff) === 0xff;
    const isWhole = isNumbered && isIntact(Uint8Array.from(block), data, this.check);
    say(`block ${block[1]}, ${data} bytes${isWhole ? '' : ': damaged'}`, block);
  }

  private takeSign(byte: number, say: (text: string, raw: number[]) => void): void {
    if (byte === CRC_START) this.check = 'crc';
    // A receiver that begins so takes sums.
    if (byte === NAK && this.blocks === 0) this.check = 'checksum';
    say(SIGNS[byte]!, [byte]);
  }

  private takeText(end: End, byte: number, say: (text: string, raw: Uint8Array) => void): void {
    const isOver = byte === 0 || byte === NEWLINE || byte === RETURN;
    if (!isOver && byte !== BACKSPACE) end.text += String.fromCharCode(byte);
    if (isOver || end.text.length >= TEXT_CHARACTERS_MAX) this.flushText(end, say);
  }

  private flushText(end: End, say: (text: string, raw: Uint8Array) => void): void {
    const { text } = end;
    end.text = '';
    if (text === '') return;
    if (!this.bare && BEGIN.test(text)) {
      this.inTransfer = true;
      this.blocks = 0;
    }
    if (!this.bare && END.test(text)) this.inTransfer = false;
    const isText = [...text].every((character) => character.charCodeAt(0) >= PRINTABLE_MIN);
    const words = isText ? `text "${escapeText(text)}"` : `${text.length} bytes of noise`;
    say(words, Buffer.from(text, 'latin1'));
  }
}
