/**
 * SMP over a console, outgoing (Zephyr 4.4, SMP over UART): length, message and CRC-16/XMODEM as base64 in
 * lines of at most 127 bytes, the first marked 06 09, the others 04 14.
 *
 * The message is written straight into `message` by whoever builds it, so nothing is copied and nothing
 * allocated: one buffer for the raw packet, one for the lines, one view of the latter as long as packets
 * keep their length. What `encode` returns belongs to this object and changes with the next call.
 */
import { crc16Xmodem } from '../../bytes/crc.ts';
import { assert } from '../../errors.ts';
import { encodeBase64 } from './base64.ts';

/** Length and CRC around a message. */
export const PACKET_OVERHEAD_BYTES = 4;
/** Where a message begins in `PacketEncoder.message`. */
export const MESSAGE_START = 2;
/** Largest message: what more a device offers gains nothing and makes a loss dearer. */
export const MESSAGE_BYTES_MAX = 4092;
/** 31 quanta: with marker and newline 127 bytes, one less than the line buffer of Zephyr. */
export const RAW_BYTES_PER_LINE = 93;
/** Marker and newline. */
const LINE_OVERHEAD_BYTES = 3;

const NEWLINE = 0x0a;

/** Lines that a message of `messageBytes` takes. */
export function linesOf(messageBytes: number): number {
  return Math.ceil((messageBytes + PACKET_OVERHEAD_BYTES) / RAW_BYTES_PER_LINE);
}

/** Bytes on the wire of a message of `messageBytes`. */
export function wireBytesOf(messageBytes: number): number {
  const raw = messageBytes + PACKET_OVERHEAD_BYTES;
  const rest = raw % RAW_BYTES_PER_LINE;
  const whole = ((raw - rest) / RAW_BYTES_PER_LINE) * (RAW_BYTES_PER_LINE / 3);
  return 4 * (whole + Math.ceil(rest / 3)) + LINE_OVERHEAD_BYTES * linesOf(messageBytes);
}

export class PacketEncoder {
  /** Write the message from `MESSAGE_START`. */
  readonly message = new Uint8Array(MESSAGE_BYTES_MAX + PACKET_OVERHEAD_BYTES);
  /** A newline stands before the first line, for packets that have to end a broken line first. */
  private readonly lines = new Uint8Array(1 + wireBytesOf(MESSAGE_BYTES_MAX));
  private view = this.lines.subarray(1, 1);
  private viewStart = 1;

  constructor() {
    this.lines[0] = NEWLINE;
  }

  /** The lines of the message written; `resynchronise` puts an empty line before them. */
  encode(messageBytes: number, resynchronise: boolean): Uint8Array {
    assert(messageBytes <= MESSAGE_BYTES_MAX, 'a message fits the buffer it is written into');
    const raw = this.message;
    const { lines } = this;
    const crcAt = MESSAGE_START + messageBytes;
    const stated = messageBytes + 2;
    raw[0] = stated >> 8;
    raw[1] = stated;
    const crc = crc16Xmodem(raw, 0, MESSAGE_START, crcAt);
    raw[crcAt] = crc >> 8;
    raw[crcAt + 1] = crc;
    const end = crcAt + 2;
    let at = 1;
    for (let from = 0; from < end; from += RAW_BYTES_PER_LINE) {
      lines[at] = from === 0 ? 0x06 : 0x04;
      lines[at + 1] = from === 0 ? 0x09 : 0x14;
      const to = Math.min(from + RAW_BYTES_PER_LINE, end);
      at = encodeBase64(raw, from, to, lines, at + 2);
      lines[at++] = NEWLINE;
    }
    const start = resynchronise ? 0 : 1;
    if (this.view.length !== at - start || this.viewStart !== start) {
      this.view = lines.subarray(start, at);
      this.viewStart = start;
    }
    return this.view;
  }
}
