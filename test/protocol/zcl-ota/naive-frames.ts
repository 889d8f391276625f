/** Frames of cluster 0x0019 put together byte by byte: an oracle that shares nothing with the codec. */

export const TRIPLE = { manufacturerCode: 0x121d, imageType: 0x0084, fileVersion: 0x01020304 };
export type Names = typeof TRIPLE;

export function u16(value: number): number[] {
  return [value % 256, Math.floor(value / 256) % 256];
}

export function u32(value: number): number[] {
  return [...u16(value % 65536), ...u16(Math.floor(value / 65536))];
}

export function names(triple: Names): number[] {
  return [...u16(triple.manufacturerCode), ...u16(triple.imageType), ...u32(triple.fileVersion)];
}

/** From the client, as most stacks send it: default responses wanted. */
export function request(sequence: number, command: number, ...payload: number[]): Uint8Array {
  return Uint8Array.from([0x01, sequence, command, ...payload]);
}

/** From the server. */
export function response(sequence: number, command: number, ...payload: number[]): Uint8Array {
  return Uint8Array.from([0x19, sequence, command, ...payload]);
}

export function query(sequence: number, triple: Names, hardware?: number): Uint8Array {
  const tail = hardware === undefined ? [] : u16(hardware);
  return request(sequence, 0x01, tail.length > 0 ? 1 : 0, ...names(triple), ...tail);
}

export function block(
  sequence: number,
  triple: Names,
  offset: number,
  maximum: number,
  control = 0,
  ...tail: number[]
): Uint8Array {
  return request(sequence, 0x03, control, ...names(triple), ...u32(offset), maximum, ...tail);
}

export function page(
  sequence: number,
  triple: Names,
  offset: number,
  maximum: number,
  pageBytes: number,
  spacingMs: number,
): Uint8Array {
  const head = [0, ...names(triple), ...u32(offset), maximum];
  return request(sequence, 0x04, ...head, ...u16(pageBytes), ...u16(spacingMs));
}

export function end(sequence: number, status: number, triple?: Names): Uint8Array {
  return request(sequence, 0x06, status, ...(triple ? names(triple) : []));
}

export function specificFile(sequence: number, triple: Names): Uint8Array {
  return request(sequence, 0x08, 8, 7, 6, 5, 4, 3, 2, 1, ...names(triple), ...u16(2));
}

export function offer(
  sequence: number,
  triple: Names,
  imageBytes: number,
  command = 2,
): Uint8Array {
  return response(sequence, command, 0, ...names(triple), ...u32(imageBytes));
}

export function refusal(sequence: number, status: number, command = 2): Uint8Array {
  return response(sequence, command, status);
}

export function blockData(
  sequence: number,
  triple: Names,
  offset: number,
  data: Uint8Array,
): Uint8Array {
  return response(sequence, 0x05, 0, ...names(triple), ...u32(offset), data.length, ...data);
}

export function wait(sequence: number, seconds: number, period = 0): Uint8Array {
  return response(sequence, 0x05, 0x97, ...u32(0), ...u32(seconds), ...u16(period));
}

export function abortData(sequence: number): Uint8Array {
  return response(sequence, 0x05, 0x95);
}

export function upgradeEnd(sequence: number, triple: Names, seconds: number): Uint8Array {
  return response(sequence, 0x07, ...names(triple), ...u32(0), ...u32(seconds));
}

export function defaultResponse(sequence: number, command: number, status: number): Uint8Array {
  return Uint8Array.from([0x18, sequence, 0x0b, command, status]);
}

export function counting(length: number, step = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * step + Math.floor(i / 251)) % 256);
}

/** Numbers that repeat with their seed. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * below);
  };
}
