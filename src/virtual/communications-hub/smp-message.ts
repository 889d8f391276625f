/**
 * SMP messages as a server reads and answers them: header of 8 bytes, big-endian, then one CBOR
 * map. Result codes are the ones the protocol calls `rc`; a group's own codes are translated for
 * version 1.
 */
import { ByteReader } from '../../bytes/reader.ts';
import { ByteWriter } from '../../bytes/writer.ts';
import { type CborMap, type CborValue, decodeCborMap, encodeCborMap } from './cbor.ts';

export const SMP_HEADER_BYTES = 8;
const OP_READ = 0;
const OP_READ_ANSWER = 1;
const OP_WRITE = 2;
const OP_WRITE_ANSWER = 3;
/** The newest version a Zephyr 4.4 server knows, as the header writes it. */
const VERSION_MAX = 1;

/** Result codes of the protocol itself. */
export const RC = {
  ok: 0,
  unknown: 1,
  noMemory: 2,
  invalid: 3,
  noEntry: 5,
  badState: 6,
  notSupported: 8,
  corrupt: 9,
  busy: 10,
  tooNew: 13,
} as const;

export interface SmpRequest {
  /** As the header writes it: 0 for what is called version 1. */
  version: number;
  write: boolean;
  group: number;
  command: number;
  sequence: number;
  body: CborMap;
}

/** What a command comes to: a map, an `rc`, or a group's own code and what version 1 shows of it. */
export type SmpResult =
  | { kind: 'answer'; map: CborMap }
  | { kind: 'rc'; rc: number }
  | { kind: 'group-error'; code: number; v1: number; reason?: string };

export const answer = (map: CborMap): SmpResult => ({ kind: 'answer', map });
export const refuse = (rc: number): SmpResult => ({ kind: 'rc', rc });

/**
 * Works every request of a packet and answers each. What has no whole header is dropped in silence.
 * The stated length is used to find the next request, not to bound this one's map: so does the
 * server observed.
 */
export function answerPacket(
  packet: Uint8Array,
  indefiniteMaps: boolean,
  handle: (request: SmpRequest) => SmpResult,
): Uint8Array[] {
  const answers: Uint8Array[] = [];
  for (let at = 0; packet.length - at >= SMP_HEADER_BYTES; ) {
    const head = new ByteReader(packet, at);
    const first = head.u8();
    head.skip(1);
    const bodyBytes = head.u16be();
    const group = head.u16be();
    const [sequence, command] = [head.u8(), head.u8()];
    const version = (first >>> 3) & 3;
    const op = first & 7;
    const whole = bodyBytes <= head.remaining;
    const body = decodeCborMap(packet.subarray(at + SMP_HEADER_BYTES));
    let result: SmpResult;
    if (version > VERSION_MAX) result = refuse(RC.tooNew);
    else if (!whole) result = refuse(RC.corrupt);
    else if (op !== OP_READ && op !== OP_WRITE) result = refuse(RC.notSupported);
    else {
      const write = op === OP_WRITE;
      result = handle({ version, write, group, command, sequence, body: body ?? UNREADABLE });
    }
    const answered = { version: Math.min(version, VERSION_MAX), group, sequence, command };
    const answerOp = op === OP_READ ? OP_READ_ANSWER : OP_WRITE_ANSWER;
    const map = resultMap(result, answered.version, group);
    answers.push(encodeMessage(answerOp, answered, encodeCborMap(map, indefiniteMaps)));
    if (!whole) break;
    at += SMP_HEADER_BYTES + bodyBytes;
  }
  return answers;
}

/** Stands for a map that could not be read; a command refuses it when it looks into it. */
export const UNREADABLE: CborMap = {};

function resultMap(result: SmpResult, version: number, group: number): CborMap {
  switch (result.kind) {
    case 'answer':
      return result.map;
    case 'rc':
      return { rc: result.rc };
    case 'group-error':
      if (version > 0) return { err: { group, rc: result.code } };
      return { rc: result.v1, rsn: result.reason };
  }
}

function encodeMessage(
  op: number,
  head: { version: number; group: number; sequence: number; command: number },
  body: Uint8Array,
): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(SMP_HEADER_BYTES + body.length));
  writer.u8((head.version << 3) | op).u8(0);
  writer.u16be(body.length).u16be(head.group).u8(head.sequence).u8(head.command).raw(body);
  return writer.bytes;
}

type FieldKind = 'u32' | 'bool' | 'text' | 'bytes';
type FieldValue<Kind extends FieldKind> = Kind extends 'u32'
  ? number
  : Kind extends 'bool'
    ? boolean
    : Kind extends 'text'
      ? string
      : Uint8Array;

/**
 * The fields a command knows, by kind; `undefined` where the map could not be read or a field is of
 * another kind. Fields it does not know are ignored.
 */
export function readFields<Kinds extends Record<string, FieldKind>>(
  body: CborMap,
  kinds: Kinds,
): { [Key in keyof Kinds]?: FieldValue<Kinds[Key]> } | undefined {
  if (body === UNREADABLE) return undefined;
  const fields: Record<string, CborValue> = {};
  for (const [key, kind] of Object.entries(kinds)) {
    const value = body[key];
    if (!Object.hasOwn(body, key)) continue;
    if (!isOfKind(value, kind)) return undefined;
    fields[key] = value;
  }
  return fields as { [Key in keyof Kinds]?: FieldValue<Kinds[Key]> };
}

function isOfKind(value: CborValue, kind: FieldKind): boolean {
  switch (kind) {
    case 'u32':
      return typeof value === 'number' && value >= 0 && value <= 0xffffffff;
    case 'bool':
      return typeof value === 'boolean';
    case 'text':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
  }
}
