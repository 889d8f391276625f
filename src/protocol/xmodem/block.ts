/**
 * Blocks of XMODEM, XMODEM-1K and YMODEM, the bytes that answer them, and how long a line takes for them.
 *
 *     SOH n 255-n data[128] crc[2]      STX n 255-n data[1024] crc[2]      SOH n 255-n data[128] sum[1]
 *
 * The CRC is CRC-16/XMODEM, big-endian, over the data; the sum is that of the data's bytes, modulo 256.
 */
import { crc16Xmodem } from '../../bytes/crc.ts';

export const SOH = 0x01;
export const STX = 0x02;
export const EOT = 0x04;
export const ACK = 0x06;
export const BACKSPACE = 0x08;
export const NAK = 0x15;
export const CAN = 0x18;
/** What fills a last block (CP/M's end of file). */
export const PAD = 0x1a;
/** A receiver that wants CRCs starts with it. */
export const CRC_START = 0x43;

export const SMALL_BYTES = 128;
export const LARGE_BYTES = 1024;
export const HEAD_BYTES = 3;
export const CRC_BYTES = 2;
export const SUM_BYTES = 1;
export const BLOCK_BYTES_MAX = HEAD_BYTES + LARGE_BYTES + CRC_BYTES;

/** Two in a row end a transfer. */
export const CANCELS_WANTED = 2;

export type Check = 'crc' | 'checksum';

/** Bits on a line for a byte: start, 8, stop. */
const BITS_PER_BYTE = 10;

/** How long a line takes for so many bytes, ms; nothing where the baud rate is Infinity. */
export function wireMs(bytes: number, baudRate: number): number {
  return (bytes * BITS_PER_BYTE * 1000) / baudRate;
}

/** Completes a block whose data stands in `block` from `HEAD_BYTES` on; answers its length. */
export function sealBlock(
  block: Uint8Array,
  number: number,
  dataBytes: number,
  check: Check,
): number {
  const end = HEAD_BYTES + dataBytes;
  block[0] = dataBytes === LARGE_BYTES ? STX : SOH;
  block[1] = number;
  block[2] = ~number;
  if (check === 'checksum') {
    block[end] = checksum(block, HEAD_BYTES, end);
    return end + SUM_BYTES;
  }
  const crc = crc16Xmodem(block, 0, HEAD_BYTES, end);
  block[end] = crc >>> 8;
  block[end + 1] = crc;
  return end + CRC_BYTES;
}

/** Whether the data of a whole block is what was sent. */
export function isIntact(block: Uint8Array, dataBytes: number, check: Check): boolean {
  const end = HEAD_BYTES + dataBytes;
  if (check === 'checksum') return block[end] === checksum(block, HEAD_BYTES, end);
  return crc16Xmodem(block, 0, HEAD_BYTES, end) === ((block[end]! << 8) | block[end + 1]!);
}

function checksum(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += bytes[i]!;
  return sum & 0xff;
}
