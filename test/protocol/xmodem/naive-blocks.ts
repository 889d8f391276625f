/**
 * An encoder of XMODEM that shares nothing with the product: arrays, a CRC bit by bit, one pass over the
 * file. What a sender puts on a clean line is compared with it.
 */

export const SOH = 0x01;
export const STX = 0x02;
export const EOT = 0x04;
export const ACK = 0x06;
export const NAK = 0x15;
export const CAN = 0x18;
export const C = 0x43;

/** `length` bytes, all different from their neighbours. */
export function counting(length: number, seed = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 13 + seed) & 0xff);
}

export function block(number: number, data: number[], check: 'crc' | 'checksum' = 'crc'): number[] {
  const head = [data.length === 1024 ? STX : SOH, number % 256, 255 - (number % 256)];
  const sum = data.reduce((total, byte) => total + byte, 0) % 256;
  const crc = crcBitByBit(data);
  return [...head, ...data, ...(check === 'crc' ? [crc >> 8, crc & 0xff] : [sum])];
}

/** Every block of a file, numbered from 1. */
export function blocks(
  file: Uint8Array,
  large: boolean,
  check: 'crc' | 'checksum' = 'crc',
  pad = 0x1a,
): number[][] {
  const rest = [...file];
  const list: number[][] = [];
  for (let number = 1; rest.length > 0; number++) {
    const size = large && rest.length > 896 ? 1024 : 128;
    const data = rest.splice(0, size);
    while (data.length < size) data.push(pad);
    list.push(block(number, data, check));
  }
  return list;
}

/** Block 0 of YMODEM; no name for the end of a batch. */
export function headerBlock(text: string): number[] {
  const data = [...Buffer.from(text, 'latin1')];
  while (data.length < 128) data.push(0);
  return block(0, data);
}

function crcBitByBit(data: number[]): number {
  let crc = 0;
  for (const byte of data) {
    for (let bit = 7; bit >= 0; bit--) {
      const carry = ((crc >> 15) ^ (byte >> bit)) & 1;
      crc = ((crc << 1) & 0xffff) ^ (carry ? 0x1021 : 0);
    }
  }
  return crc;
}
