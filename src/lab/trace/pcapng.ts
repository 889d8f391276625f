/**
 * A trace as a pcapng file (IETF draft-ietf-opsawg-pcapng), for Wireshark.
 *
 * Each link is an interface. No registered link type is what these links carry: a ZNP wire shows no frame of
 * IEEE 802.15.4, and SMP has none for a console. So every interface has a link type that is set aside for
 * private use, and nothing is made up around the frames: a packet is the frame as its protocol has it, with
 * its direction, and what it means as its comment. Wireshark shows the comments, filters on them
 * (`pkt_comment contains "upload"`), and can be told what to do with the bytes under Preferences, DLT_USER.
 *
 *     147 USER0  SMP: header and CBOR map, without the lines around them
 *     148 USER1  bytes of a line: XMODEM blocks and their answers, a bootloader's text, anything else
 *     149 USER2  ZNP frames, from FE to the check byte
 *     150 USER3  EUI-64 as on the air, two endpoints (10 bytes), and a ZCL frame of the OTA cluster
 *     151 USER4  a ZCL frame of the OTA cluster, as the server had it
 */
import { ByteWriter } from '../../bytes/writer.ts';
import type { LinkKind, RecordingHeader } from '../recording/format.ts';
import type { TraceEntry } from './trace.ts';

const BLOCK = { section: 0x0a0d0d0a, interface: 1, packet: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINK_TYPES: Readonly<Record<LinkKind, number>> = {
  smp: 147,
  bootloader: 148,
  xmodem: 148,
  bytes: 148,
  znp: 149,
  'zcl-ota': 150,
  'ota-server': 151,
};
const OPTION = {
  end: 0,
  comment: 1,
  interfaceName: 2,
  flags: 2,
  userApplication: 4,
  resolution: 9,
} as const;
/** if_tsresol: 10^-6 s. */
const MICROSECONDS = 6;
/** epb_flags, bits 0 and 1. */
const INBOUND = 1;
const OUTBOUND = 2;
const COMMENT_BYTES_MAX = 4096;

/** The file in pieces, each some whole blocks. */
export function* pcapngOf(
  header: RecordingHeader,
  trace: Iterable<TraceEntry>,
): Generator<Uint8Array> {
  const application = option(OPTION.userApplication, text(`uplift ${header.version}`));
  yield block(BLOCK.section, [SECTION_HEAD, application, END]);
  const interfaces = new Map<string, number>();
  const startUs = Math.round(header.startedAtMs * 1000);
  for (const entry of trace) {
    let number = interfaces.get(entry.link);
    if (number === undefined) {
      number = interfaces.size;
      interfaces.set(entry.link, number);
      yield interfaceBlock(entry.link, entry.linkKind);
    }
    yield packetBlock(entry, number, startUs + entry.atUs);
  }
}

/** Byte order, version 1.0, a length that is not stated. */
const SECTION_HEAD = new ByteWriter(new Uint8Array(16))
  .u32(BYTE_ORDER_MAGIC)
  .u16(1)
  .u16(0)
  .u32(0xffff_ffff)
  .u32(0xffff_ffff)
  .written();
const END = option(OPTION.end, new Uint8Array(0));

function interfaceBlock(link: string, kind: LinkKind): Uint8Array {
  const head = new ByteWriter(new Uint8Array(8)).u16(LINK_TYPES[kind]).u16(0).u32(0).written();
  const name = option(OPTION.interfaceName, text(link));
  const resolution = option(OPTION.resolution, Uint8Array.of(MICROSECONDS));
  return block(BLOCK.interface, [head, name, resolution, END]);
}

/** A note is a packet without bytes: its comment is what it says. */
function packetBlock(entry: TraceEntry, number: number, atUs: number): Uint8Array {
  const bytes = entry.kind === 'frame' ? entry.bytes : new Uint8Array(0);
  const head = new ByteWriter(new Uint8Array(20))
    .u32(number)
    .u32(Math.floor(atUs / 2 ** 32))
    .u32(atUs % 2 ** 32)
    .u32(bytes.length)
    .u32(bytes.length)
    .written();
  const comment = option(OPTION.comment, text(entry.text));
  const options = entry.kind === 'frame' ? [flags(entry.direction), comment, END] : [comment, END];
  return block(BLOCK.packet, [head, padded(bytes), ...options]);
}

function flags(direction: 'up' | 'down'): Uint8Array {
  const value = direction === 'up' ? INBOUND : OUTBOUND;
  return option(OPTION.flags, Uint8Array.of(value, 0, 0, 0));
}

function text(words: string): Uint8Array {
  return new Uint8Array(Buffer.from(words)).subarray(0, COMMENT_BYTES_MAX);
}

function option(code: number, value: Uint8Array): Uint8Array {
  const head = new ByteWriter(new Uint8Array(4)).u16(code).u16(value.length).written();
  return new Uint8Array(Buffer.concat([head, padded(value)]));
}

/** Its length stands before and behind it. */
function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const bytes = parts.reduce((sum, part) => sum + part.length, 12);
  const writer = new ByteWriter(new Uint8Array(bytes)).u32(type).u32(bytes);
  for (const part of parts) writer.raw(part);
  return writer.u32(bytes).written();
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}
