/**
 * The eight bytes before every SMP message (MCUmgr SMP, versions 1 and 2; Zephyr 4.4 smp.h): integers are
 * big-endian. Only the sequence links an answer to its request. Version 1 has the number 0 on the wire.
 */

export const HEADER_BYTES = 8;

export const OP = { read: 0, readAnswer: 1, write: 2, writeAnswer: 3 } as const;

/** Versions as they stand in bits 4-3 of the first byte. */
export const VERSION = { v1: 0, v2: 1 } as const;
export type WireVersion = (typeof VERSION)[keyof typeof VERSION];

export const GROUP = { os: 0, image: 1 } as const;
export const OS_COMMAND = { echo: 0, reset: 5, params: 6, info: 7, bootloader: 8 } as const;
export const IMAGE_COMMAND = { state: 0, upload: 1, erase: 5, slotInfo: 6 } as const;

export interface SmpHeader {
  op: number;
  version: number;
  bodyBytes: number;
  group: number;
  sequence: number;
  command: number;
}

/** Writes eight bytes at `at`; the caller has made room. Nothing is allocated. */
export function writeHeader(
  out: Uint8Array,
  at: number,
  op: number,
  version: number,
  bodyBytes: number,
  group: number,
  sequence: number,
  command: number,
): void {
  out[at] = (version << 3) | op;
  out[at + 1] = 0;
  out[at + 2] = bodyBytes >> 8;
  out[at + 3] = bodyBytes;
  out[at + 4] = group >> 8;
  out[at + 5] = group;
  out[at + 6] = sequence;
  out[at + 7] = command;
}

/**
 * The header of the message in `bytes[start, end)`; `undefined` where it is none, or does not cover the
 * message exactly. Flags and the upper three bits are ignored, as every receiver does.
 */
export function decodeHeader(bytes: Uint8Array, start: number, end: number): SmpHeader | undefined {
  if (end - start < HEADER_BYTES) return undefined;
  const bodyBytes = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  if (bodyBytes !== end - start - HEADER_BYTES) return undefined;
  return {
    op: bytes[start]! & 7,
    version: (bytes[start]! >> 3) & 3,
    bodyBytes,
    group: (bytes[start + 4]! << 8) | bytes[start + 5]!,
    sequence: bytes[start + 6]!,
    command: bytes[start + 7]!,
  };
}
