/**
 * The two frames of Modbus that a relay takes, over TCP (MODBUS Application Protocol 1.1b3; Messaging on
 * TCP/IP 1.0b). Integers are big-endian.
 *
 *     transaction u16 | protocol u16 = 0 | length u16 | unit u8 | function u8 | ...
 *     01 read coils          first u16, count u16      -> bytes u8, bits
 *     05 write single coil   coil u16, FF00 or 0000    -> the same
 *     function + 80          exception u8
 */

export const FUNCTION = { readCoils: 0x01, writeSingleCoil: 0x05 } as const;
const EXCEPTION_BIT = 0x80;
/** Up to the length, and with the unit. */
const PREFIX_BYTES = 6;
export const HEAD_BYTES = 7;
/** The specification's largest frame is 260 bytes. */
const LENGTH_MAX = 254;
const COIL_ON = 0xff00;

/** Exception codes (Application Protocol, section 7). */
export const MODBUS_EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'it does not know this function',
  2: 'it has no such coil',
  3: 'it does not take this value',
  4: 'it failed while it acted',
  5: 'it needs long and has not ended',
  6: 'it is busy',
  8: 'its memory has an error',
  10: 'the gateway has no path to it',
  11: 'the gateway got no answer from it',
};

export interface CoilRequest {
  transaction: number;
  unit: number;
  coil: number;
}

export function encodeReadCoil({ transaction, unit, coil }: CoilRequest): Uint8Array {
  return encode(transaction, unit, FUNCTION.readCoils, coil, 1);
}

export function encodeWriteCoil(request: CoilRequest, isOn: boolean): Uint8Array {
  const { transaction, unit, coil } = request;
  return encode(transaction, unit, FUNCTION.writeSingleCoil, coil, isOn ? COIL_ON : 0);
}

export type ModbusAnswer =
  | { kind: 'incomplete' }
  | { kind: 'malformed'; what: string }
  /** Of another transaction: one that was given up. */
  | { kind: 'foreign'; frameBytes: number }
  | { kind: 'exception'; code: number }
  | { kind: 'coil'; isOn: boolean }
  | { kind: 'written'; isOn: boolean };

/** The answer at the start of what came; the request says what it may be. */
export function decodeAnswer(bytes: Uint8Array, request: Uint8Array): ModbusAnswer {
  if (bytes.length < HEAD_BYTES) return { kind: 'incomplete' };
  const length = u16(bytes, 4);
  if (u16(bytes, 2) !== 0 || length < 3 || length > LENGTH_MAX)
    return { kind: 'malformed', what: 'no frame of Modbus over TCP' };
  const frameBytes = PREFIX_BYTES + length;
  if (bytes.length < frameBytes) return { kind: 'incomplete' };
  if (u16(bytes, 0) !== u16(request, 0)) return { kind: 'foreign', frameBytes };
  const wanted = request[HEAD_BYTES]!;
  const answered = bytes[HEAD_BYTES]!;
  if (bytes[6] !== request[6]) return { kind: 'malformed', what: 'another unit answered' };
  const code = bytes[HEAD_BYTES + 1]!;
  if (answered === (wanted | EXCEPTION_BIT)) return { kind: 'exception', code };
  if (answered !== wanted) return { kind: 'malformed', what: 'an answer to another function' };
  if (wanted === FUNCTION.readCoils) {
    if (code !== 1 || length !== 4) return { kind: 'malformed', what: 'not one byte of coils' };
    return { kind: 'coil', isOn: (bytes[HEAD_BYTES + 2]! & 1) === 1 };
  }
  const isEcho = length === 6 && u16(bytes, HEAD_BYTES + 1) === u16(request, HEAD_BYTES + 1);
  const value = isEcho ? u16(bytes, HEAD_BYTES + 3) : -1;
  if (value !== u16(request, HEAD_BYTES + 3))
    return { kind: 'malformed', what: 'not what was to be written' };
  return { kind: 'written', isOn: value === COIL_ON };
}

function encode(
  transaction: number,
  unit: number,
  code: number,
  first: number,
  second: number,
): Uint8Array {
  const words = [transaction, 0, 6];
  const fields = [first, second];
  return Uint8Array.from([
    ...words.flatMap((word) => [word >> 8, word & 0xff]),
    unit,
    code,
    ...fields.flatMap((word) => [word >> 8, word & 0xff]),
  ]);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
