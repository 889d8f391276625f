/** SMP on a console line: messages as their command and what their map holds. */
import { encodeHex } from '../../bytes/hex.ts';
import { type CborMap, decodeCborMap } from '../../protocol/smp/cbor.ts';
import {
  decodeHeader,
  GROUP,
  HEADER_BYTES,
  IMAGE_COMMAND,
  OP,
  OS_COMMAND,
} from '../../protocol/smp/header.ts';
import { PacketDecoder } from '../../protocol/smp/packet-decoder.ts';
import type { Direction } from '../recording/format.ts';
import type { FrameDecoder, TracedFrame } from './frame.ts';

const COMMANDS: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  [GROUP.os]: OS_COMMAND,
  [GROUP.image]: IMAGE_COMMAND,
};
const GROUPS: Readonly<Record<number, string>> = { [GROUP.os]: 'os', [GROUP.image]: 'image' };
const OPS: Readonly<Record<number, string>> = {
  [OP.read]: 'read',
  [OP.readAnswer]: 'answer to read',
  [OP.write]: 'write',
  [OP.writeAnswer]: 'answer to write',
};
/** Of a byte string; a longer one is said by its length. */
const SHOWN_BYTES_MAX = 32;

export class SmpFrameDecoder implements FrameDecoder {
  private readonly ends = { up: new PacketDecoder(), down: new PacketDecoder() };
  private readonly lost = { up: 0, down: 0 };

  take(direction: Direction, bytes: Uint8Array, atUs: number): TracedFrame[] {
    const decoder = this.ends[direction];
    const frames: TracedFrame[] = [];
    for (let at = 0; at < bytes.length; ) {
      at = decoder.take(bytes, at);
      frames.push(...this.losses(direction, atUs));
      if (!decoder.ready) continue;
      const message = decoder.bytes.slice(decoder.messageStart, decoder.messageEnd);
      frames.push({ direction, atUs, protocol: 'SMP', text: smpText(message), bytes: message });
    }
    return frames;
  }

  rest(): TracedFrame[] {
    return [];
  }

  /** Packets that were damaged on the way: their receiver drops them in silence. */
  private losses(direction: Direction, atUs: number): TracedFrame[] {
    const { badBase64, badLength, badCrc, cutShort } = this.ends[direction].counters;
    const lost = badBase64 + badLength + badCrc + cutShort;
    if (lost === this.lost[direction]) return [];
    this.lost[direction] = lost;
    const text = 'a packet that is damaged: its receiver drops it in silence';
    return [{ direction, atUs, protocol: 'SMP', text, bytes: new Uint8Array(0) }];
  }
}

export function smpText(message: Uint8Array): string {
  const header = decodeHeader(message, 0, message.length);
  if (header === undefined) return `no message: ${encodeHex(message.subarray(0, SHOWN_BYTES_MAX))}`;
  const { op, group, command, sequence, version } = header;
  const names = Object.entries(COMMANDS[group] ?? {});
  const name = names.find(([, number]) => number === command)?.[0] ?? `command ${command}`;
  const what = `${OPS[op] ?? `op ${op}`} ${GROUPS[group] ?? `group ${group}`} ${name}`;
  const body = decodeCborMap(message, HEADER_BYTES, message.length);
  const map = body.ok ? mapText(body.map) : `a body that cannot be read: ${body.code}`;
  return `${what} #${sequence} v${version + 1} ${map}`;
}

function mapText(map: CborMap): string {
  return `{${Object.entries(map)
    .map(([key, value]) => `${key}: ${valueText(value)}`)
    .join(', ')}}`;
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) {
    return value.length > SHOWN_BYTES_MAX ? `${value.length} bytes` : `h'${encodeHex(value)}'`;
  }
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return mapText(value as CborMap);
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
