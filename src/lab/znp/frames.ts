/**
 * Frames of TI's monitor and test interface on the wire of a coordinator, told apart without changing a
 * byte: what is no frame is handed on as it came. Layout: Z-Stack Monitor and Test API.
 *
 *     FE | length 0..250 | type << 5 | subsystem | command | data | xor of length..data
 */
import { ByteReader } from '../../bytes/reader.ts';
import { assert } from '../../errors.ts';

const START = 0xfe;
/** Start, length, two command bytes. */
export const ZNP_HEAD_BYTES = 4;
export const ZNP_DATA_BYTES_MAX = 250;

export const ZNP_TYPE = { request: 1, indication: 2, response: 3 } as const;
export const ZNP_SUBSYSTEM = { system: 1, af: 4, zdo: 5, utility: 7, configuration: 15 } as const;
export const AF_COMMAND = {
  dataRequest: 0x01,
  dataRequestExtended: 0x02,
  dataConfirm: 0x80,
  incomingMessage: 0x81,
} as const;
export const SYS_COMMAND = { reset: 0x00, resetIndication: 0x80 } as const;

export interface ZnpFrame {
  type: number;
  subsystem: number;
  command: number;
  data: Uint8Array;
  /** All of it, from its start byte to its check byte. */
  bytes: Uint8Array;
}

export interface ZnpPieces {
  frame(frame: ZnpFrame): void;
  /** Between frames: a boot loader's byte, noise, or a frame whose check byte is wrong. */
  other(bytes: Uint8Array): void;
}

/** Takes one direction in pieces of any size. What it hands out is good during the call. */
export class ZnpSplitter {
  private pending: Uint8Array = new Uint8Array(0);
  private readonly pieces: ZnpPieces;

  constructor(pieces: ZnpPieces) {
    this.pieces = pieces;
  }

  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.pending.length > 0) {
      bytes = new Uint8Array(this.pending.length + chunk.length);
      bytes.set(this.pending);
      bytes.set(chunk, this.pending.length);
    }
    this.pending = bytes.slice(this.scan(bytes));
  }

  /** The bytes of half a frame, which nothing follows any more. */
  takeRest(): Uint8Array {
    const { pending } = this;
    this.pending = new Uint8Array(0);
    return pending;
  }

  private scan(bytes: Uint8Array): number {
    let done = 0;
    for (let at = 0; at < bytes.length; ) {
      if (bytes[at] !== START) {
        at++;
        continue;
      }
      const length = bytes[at + 1];
      const end = at + ZNP_HEAD_BYTES + (length ?? 0) + 1;
      const isPossible = length === undefined || length <= ZNP_DATA_BYTES_MAX;
      if (isPossible && end > bytes.length) {
        this.handOn(bytes, done, at);
        return at;
      }
      if (!isPossible || znpCheck(bytes, at + 1, end - 1) !== bytes[end - 1]) {
        at++;
        continue;
      }
      this.handOn(bytes, done, at);
      this.pieces.frame(frameOf(bytes.subarray(at, end)));
      at = end;
      done = end;
    }
    this.handOn(bytes, done, bytes.length);
    return bytes.length;
  }

  private handOn(bytes: Uint8Array, start: number, end: number): void {
    if (end > start) this.pieces.other(bytes.subarray(start, end));
  }
}

export function encodeZnp(
  type: number,
  subsystem: number,
  command: number,
  data: Uint8Array,
): Uint8Array {
  assert(data.length <= ZNP_DATA_BYTES_MAX, 'the data of a frame fits 250 bytes');
  const bytes = new Uint8Array(ZNP_HEAD_BYTES + data.length + 1);
  bytes[0] = START;
  bytes[1] = data.length;
  bytes[2] = (type << 5) | subsystem;
  bytes[3] = command;
  bytes.set(data, ZNP_HEAD_BYTES);
  bytes[bytes.length - 1] = znpCheck(bytes, 1, bytes.length - 1);
  return bytes;
}

export function isZnp(frame: ZnpFrame, type: number, subsystem: number, command: number): boolean {
  return frame.type === type && frame.subsystem === subsystem && frame.command === command;
}

/** An application frame either way, as far as a trace and a fault look at it. */
export interface AfMessage {
  direction: 'up' | 'down';
  cluster: number;
  /** The other end: a short address, or 16 digits. */
  peer: string;
  transaction: number | undefined;
  /** Where the payload stands in the frame's data. */
  payloadAt: number;
  payload: Uint8Array;
}

/** Undefined where the frame is no application frame, or does not hold what it states. */
export function afMessageOf({ type, subsystem, command, data }: ZnpFrame): AfMessage | undefined {
  if (subsystem !== ZNP_SUBSYSTEM.af) return undefined;
  const reader = new ByteReader(data);
  if (type === ZNP_TYPE.request && command === AF_COMMAND.dataRequest) {
    const peer = shortAddress(reader.u16());
    reader.view(2);
    const cluster = reader.u16();
    const transaction = reader.u8();
    reader.view(2);
    return withPayload({ direction: 'down', cluster, peer, transaction }, reader, reader.u8());
  }
  if (type === ZNP_TYPE.request && command === AF_COMMAND.dataRequestExtended) {
    const mode = reader.u8();
    const address = reader.view(8);
    const peer = mode === 3 ? longAddress(address) : shortAddress(new ByteReader(address).u16());
    reader.view(4);
    const cluster = reader.u16();
    const transaction = reader.u8();
    reader.view(2);
    return withPayload({ direction: 'down', cluster, peer, transaction }, reader, reader.u16());
  }
  if (type === ZNP_TYPE.indication && command === AF_COMMAND.incomingMessage) {
    reader.u16();
    const cluster = reader.u16();
    const peer = shortAddress(reader.u16());
    reader.view(10);
    const head = { direction: 'up', cluster, peer, transaction: undefined } as const;
    return withPayload(head, reader, reader.u8());
  }
  return undefined;
}

function withPayload(
  head: Omit<AfMessage, 'payload' | 'payloadAt'>,
  reader: ByteReader,
  length: number,
): AfMessage | undefined {
  const payloadAt = reader.position;
  const payload = reader.view(length);
  return reader.overrun ? undefined : { ...head, payloadAt, payload };
}

function frameOf(bytes: Uint8Array): ZnpFrame {
  return {
    type: bytes[2]! >> 5,
    subsystem: bytes[2]! & 0x1f,
    command: bytes[3]!,
    data: bytes.subarray(ZNP_HEAD_BYTES, bytes.length - 1),
    bytes,
  };
}

function znpCheck(bytes: Uint8Array, start: number, end: number): number {
  let check = 0;
  for (let at = start; at < end; at++) check ^= bytes[at]!;
  return check;
}

function shortAddress(address: number): string {
  return `0x${address.toString(16).padStart(4, '0')}`;
}

function longAddress(wire: Uint8Array): string {
  return Array.from(wire, (byte) => byte.toString(16).padStart(2, '0'))
    .reverse()
    .join('');
}
