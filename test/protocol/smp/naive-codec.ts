/**
 * SMP frames the plain way, apart from the product's code: strings, `Buffer` and a bitwise CRC. The oracle of
 * the codec's tests and the tongue of the naive server.
 */

export interface Frame {
  op: number;
  version: number;
  group: number;
  sequence: number;
  command: number;
  /** A plain value; `Indefinite` maps are written `bf ... ff`. */
  body: unknown;
}

/** Wraps a map that is to be written with indefinite length, as Zephyr does. */
export class Indefinite {
  readonly map: Record<string, unknown>;
  constructor(map: Record<string, unknown>) {
    this.map = map;
  }
}

export function crc(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 0x8000 ? ((value << 1) ^ 0x1021) & 0xffff : (value << 1) & 0xffff;
    }
  }
  return value;
}

export function message(frame: Frame): Uint8Array {
  const body = cbor(frame.body);
  const { op, version, group, sequence, command } = frame;
  const head = [(version << 3) | op, 0, body.length >> 8, body.length & 255];
  return Uint8Array.from([...head, group >> 8, group & 255, sequence, command, ...body]);
}

/** Length, message, CRC. */
export function packet(bytes: Uint8Array): Uint8Array {
  const length = bytes.length + 2;
  const check = crc(bytes);
  return Uint8Array.from([length >> 8, length & 255, ...bytes, check >> 8, check & 255]);
}

/** The packet in lines of `rawBytes` raw bytes each; the last number repeats. */
export function lines(bytes: Uint8Array, rawBytes: number[] = [93]): Uint8Array {
  const raw = packet(bytes);
  let text = '';
  let at = 0;
  for (let line = 0; at < raw.length; line++) {
    const size = rawBytes[Math.min(line, rawBytes.length - 1)]!;
    text += line === 0 ? '\x06\x09' : '\x04\x14';
    text += `${Buffer.from(raw.subarray(at, at + size)).toString('base64')}\n`;
    at += size;
  }
  return Buffer.from(text, 'latin1');
}

/** Every message in a text of whole lines; for texts without damage only. */
export function messagesIn(text: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  let raw = Buffer.alloc(0);
  for (const line of Buffer.from(text).toString('latin1').split('\n')) {
    const start = line.indexOf('\x06\x09');
    const next = line.indexOf('\x04\x14');
    if (start < 0 && next < 0) continue;
    const part = Buffer.from(line.slice(Math.max(start, next) + 2), 'base64');
    raw = start >= 0 ? part : Buffer.concat([raw, part]);
    if (raw.length < 2 || raw.length < raw.readUInt16BE(0) + 2) continue;
    const whole = raw.subarray(2, 2 + raw.readUInt16BE(0));
    if (crc(whole) === 0) found.push(Uint8Array.from(whole.subarray(0, -2)));
  }
  return found;
}

export function frame(bytes: Uint8Array): Frame {
  return {
    op: bytes[0]! & 7,
    version: (bytes[0]! >> 3) & 3,
    group: (bytes[4]! << 8) | bytes[5]!,
    sequence: bytes[6]!,
    command: bytes[7]!,
    body: uncbor(bytes.subarray(8)),
  };
}

export function cbor(value: unknown): Uint8Array {
  return Uint8Array.from(items(value));
}

function items(value: unknown): number[] {
  if (typeof value === 'number') {
    return value < 0 ? head(1, -1 - value) : head(0, value);
  }
  if (typeof value === 'boolean') return [value ? 0xf5 : 0xf4];
  if (value === null) return [0xf6];
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    return [...head(3, text.length), ...text];
  }
  if (value instanceof Uint8Array) return [...head(2, value.length), ...value];
  if (Array.isArray(value)) return [...head(4, value.length), ...value.flatMap(items)];
  const indefinite = value instanceof Indefinite;
  const entries = Object.entries(indefinite ? value.map : (value as object));
  const content = entries.flatMap(([key, entry]) => [...items(key), ...items(entry)]);
  return indefinite ? [0xbf, ...content, 0xff] : [...head(5, entries.length), ...content];
}

function head(major: number, value: number): number[] {
  const top = major << 5;
  if (value < 24) return [top | value];
  if (value < 256) return [top | 24, value];
  if (value < 65_536) return [top | 25, value >> 8, value & 255];
  return [top | 26, value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export function uncbor(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes);
  let at = 0;
  const BREAK = Symbol('break');
  const read = (): unknown => {
    const first = buffer[at++]!;
    if (first === 0xff) return BREAK;
    const major = first >> 5;
    const info = first & 31;
    let value = info;
    if (info >= 24 && info <= 26) {
      const size = 1 << (info - 24);
      value = buffer.readUIntBE(at, size);
      at += size;
    }
    const count = info === 31 ? Number.POSITIVE_INFINITY : value;
    if (major === 0) return value;
    if (major === 1) return -1 - value;
    if (major === 2 || major === 3) {
      const content = buffer.subarray(at, at + value);
      at += value;
      return major === 2 ? Uint8Array.from(content) : content.toString('utf8');
    }
    if (major === 7) return info === 21 ? true : info === 20 ? false : null;
    const list: unknown[] = [];
    for (let i = 0; i < (major === 5 ? 2 * count : count); i++) {
      const item = read();
      if (item === BREAK) break;
      list.push(item);
    }
    if (major === 4) return list;
    const map: Record<string, unknown> = {};
    for (let i = 0; i < list.length; i += 2) map[String(list[i])] = list[i + 1];
    return map;
  };
  return read();
}

export function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

/** Bytes that count with a step: no two chunks of a small image alike. */
export function counting(length: number, step = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * step + (i >> 8)) & 255);
}

/** An image as a device wants one: MCUboot's magic, then counting bytes. */
export function firmware(length: number, step = 7): Uint8Array {
  const bytes = counting(length, step);
  bytes.set([0x3d, 0xb8, 0xf3, 0x96]);
  return bytes;
}
