/**
 * Reads a recording, as far as it is good: a file that was cut off, or has a bit flipped, gives what is
 * before that place, and says where it is and why.
 */
import { crc32 } from '../../bytes/crc.ts';
import { ByteReader } from '../../bytes/reader.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { type FileSystem, readFully, realFiles, withFile } from '../../store/files.ts';
import { RECORDING_REFUSALS, type RecordingDamage, type RecordingRefusalCode } from './codes.ts';
import {
  BODY_BYTES_MAX,
  DIRECTIONS,
  FILE_HEAD_BYTES,
  FORMAT_VERSION,
  LINK_KINDS,
  MAGIC,
  RECORD_HEAD_BYTES,
  RECORD_KIND,
  RECORD_TAIL_BYTES,
  RECORDING_BYTES_MAX,
  type RecordedCall,
  type Recording,
  type RecordingHeader,
  type RecordingRecord,
} from './format.ts';

export type ReadRecording = ({ ok: true } & Recording) | ({ ok: false } & RecordingDamage);

/** @throws UpliftError where it is none, or cannot be read */
export function readRecordingFile(path: string, files: FileSystem = realFiles): Recording {
  const status = files.status(path);
  if (status === undefined) throw unreadable(path, 'no file of that name');
  if (status.bytes > RECORDING_BYTES_MAX)
    throw unreadable(path, `${status.bytes} bytes`, 'recording-too-large');
  const bytes = withFile(files, path, 'r', (descriptor) =>
    readFully(files, descriptor, new Uint8Array(status.bytes), 0),
  );
  const read = parseRecording(bytes);
  if (!read.ok) throw unreadable(path, `byte ${read.offset} is wrong`, read.code);
  return read;
}

/** Byte strings of its records share the input's memory. */
export function parseRecording(bytes: Uint8Array): ReadRecording {
  if (bytes.length < FILE_HEAD_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte))
    return refused('recording-foreign', 0);
  if (bytes[MAGIC.length] !== FORMAT_VERSION) return refused('recording-version', MAGIC.length);
  const frames = framesOf(bytes);
  const first = frames.next();
  if (first.done || first.value.kind !== RECORD_KIND.header)
    return refused('recording-headless', FILE_HEAD_BYTES);
  const header = headerOf(first.value.body);
  if (header === undefined) return refused('recording-headless', FILE_HEAD_BYTES);
  const records: RecordingRecord[] = [];
  const links = new Map<number, string>();
  for (let next = frames.next(); ; next = frames.next()) {
    if (next.done) {
      return { ok: true, header, records, ...(next.value && { damage: next.value }) };
    }
    const { offset, kind, body } = next.value;
    const record = recordOf(kind, body, links);
    if (record === undefined)
      return { ok: true, header, records, damage: { code: 'recording-record-unknown', offset } };
    if (record !== 'link') records.push(record);
  }
}

interface Frame {
  offset: number;
  kind: number;
  body: Uint8Array;
}

/** Whole records; returns what is wrong with the first that is not one. */
function* framesOf(bytes: Uint8Array): Generator<Frame, RecordingDamage | undefined> {
  let offset = FILE_HEAD_BYTES;
  while (offset < bytes.length) {
    const left = bytes.length - offset;
    if (left < RECORD_HEAD_BYTES) return { code: 'recording-cut-off', offset };
    const reader = new ByteReader(bytes.subarray(offset, offset + RECORD_HEAD_BYTES));
    const bodyBytes = reader.u32();
    const kind = reader.u8();
    if (bodyBytes > BODY_BYTES_MAX) return { code: 'recording-damaged', offset };
    const end = offset + RECORD_HEAD_BYTES + bodyBytes;
    if (end + RECORD_TAIL_BYTES > bytes.length) return { code: 'recording-cut-off', offset };
    const check = new ByteReader(bytes.subarray(end, end + RECORD_TAIL_BYTES)).u32();
    if (crc32(bytes, 0, offset, end) !== check) return { code: 'recording-damaged', offset };
    yield { offset, kind, body: bytes.subarray(offset + RECORD_HEAD_BYTES, end) };
    offset = end + RECORD_TAIL_BYTES;
  }
  return undefined;
}

/** Undefined where it makes no sense. */
function recordOf(
  kind: number,
  body: Uint8Array,
  links: Map<number, string>,
): RecordingRecord | 'link' | undefined {
  const reader = new ByteReader(body);
  if (kind === RECORD_KIND.link) {
    const number = reader.u8();
    const name = textOf(reader.view(reader.remaining));
    if (reader.overrun || name === undefined || links.has(number)) return undefined;
    links.set(number, name);
    return 'link';
  }
  const atUs = reader.u32() + reader.u16() * 2 ** 32;
  const link = links.get(reader.u8());
  if (reader.overrun || link === undefined) return undefined;
  const stamp = { atUs, link };
  if (kind === RECORD_KIND.bytes) {
    const direction = DIRECTIONS[reader.u8()];
    if (reader.overrun || direction === undefined) return undefined;
    return { kind: 'bytes', ...stamp, direction, bytes: reader.view(reader.remaining) };
  }
  const text = textOf(reader.view(reader.remaining));
  if (text === undefined) return undefined;
  switch (kind) {
    case RECORD_KIND.note:
      return { kind: 'note', ...stamp, text };
    case RECORD_KIND.machine: {
      const { machine, settings } = objectOf(text) ?? {};
      return typeof machine === 'string'
        ? { kind: 'machine', ...stamp, machine, settings }
        : undefined;
    }
    case RECORD_KIND.call: {
      const call = callOf(objectOf(text));
      return call && { kind: 'call', ...stamp, call };
    }
    default:
      return undefined;
  }
}

function callOf(found: Record<string, unknown> | undefined): RecordedCall | undefined {
  const { method, parameters, result } = found ?? {};
  if (typeof method !== 'string' || !Array.isArray(parameters)) return undefined;
  return { method, parameters, ...(result !== undefined && { result }) };
}

function headerOf(body: Uint8Array): RecordingHeader | undefined {
  const text = textOf(body);
  const found = text === undefined ? undefined : objectOf(text);
  if (found === undefined) return undefined;
  const { version, rig, device, seed, startedAtMs, links } = found;
  const texts = [version, rig, device].every((value) => typeof value === 'string');
  const numbers = [seed, startedAtMs].every((value) => typeof value === 'number');
  const kinds = Object.values((links as object | null | undefined) ?? {});
  if (!texts || !numbers || !kinds.every((kind) => LINK_KINDS.includes(kind))) return undefined;
  return found as unknown as RecordingHeader;
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function refused(code: RecordingRefusalCode, offset: number): ReadRecording {
  return { ok: false, code, offset };
}

function unreadable(
  path: string,
  actual: string,
  code: RecordingRefusalCode = 'recording-foreign',
): UpliftError {
  return new UpliftError(code, `${path}: ${RECORDING_REFUSALS[code]}`, {
    expected: 'a recording that `uplift lab run` made',
    actual,
    next: 'name the file of a recording',
    exit: EXIT.usage,
  });
}
