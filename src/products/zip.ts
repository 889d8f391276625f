/**
 * A ZIP archive in memory (APPNOTE 6.3.10), as far as workbooks use it. The only import of the
 * `fflate` package, of which only the DEFLATE stream is used.
 *
 * What is read is what the central directory names: one disk, stored or deflated, not encrypted, no
 * ZIP64, each name once, no two entries over the same bytes. The stated size is a cap that is
 * checked while the bytes come out, never memory that is set aside; CRC-32 and size must both fit.
 * A CRC proves nothing about who wrote the file.
 */
import { Inflate } from 'fflate';
import { crc32 } from '../bytes/crc.ts';
import { LIST_ISSUES, type ListIssueCode } from './codes.ts';

export interface ZipFault {
  ok: false;
  code: ListIssueCode;
  message: string;
  actual?: string;
}

export interface ZipArchive {
  ok: true;
  entries: ReadonlyMap<string, ZipEntry>;
  /** Allocates; the bytes are the caller's. */
  read(name: string): { ok: true; bytes: Uint8Array } | ZipFault;
}

export interface ZipEntry {
  name: string;
  method: number;
  crc: number;
  packedBytes: number;
  bytes: number;
  /** Of its local header. */
  offset: number;
}

/** A workbook has some dozen parts. */
const ENTRIES_MAX = 4096;
/** All that is read out of one archive: the cap against decompression bombs. */
export const UNPACKED_BYTES_MAX = 128 * 1024 * 1024;
/** A sheet packs to about a tenth; DEFLATE reaches 1032 to 1 at the most. */
const PIECE_BYTES = 4096;

const END_SIGNATURE = 0x06054b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const COMMENT_BYTES_MAX = 0xffff;
const ENCRYPTED = 0x0001;
const MADE_ON_UNIX = 3;
const UNIX_TYPE = 0o170000;
const UNIX_FILE = 0o100000;
const UNIX_FOLDER = 0o040000;
const STORED = 0;
const DEFLATED = 8;

/** Keeps `file`, which is not to change until the last `read`. */
export function openZip(
  file: Uint8Array,
  unpackedBytesMax = UNPACKED_BYTES_MAX,
): ZipArchive | ZipFault {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = findEnd(view);
  if (end === undefined) return fault('zip-malformed', 'no end of central directory');
  const entries = readDirectory(view, file, end);
  if (!(entries instanceof Map)) return entries;
  let leftBytes = unpackedBytesMax;
  return {
    ok: true,
    entries,
    read(name) {
      const entry = entries.get(name);
      if (!entry) return fault('zip-entry-missing', name);
      if (entry.bytes > leftBytes) return fault('zip-too-large', `${name}: ${entry.bytes} bytes`);
      leftBytes -= entry.bytes;
      return readEntry(view, file, entry);
    },
  };
}

function findEnd(view: DataView): number | undefined {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return undefined;
}

function readDirectory(
  view: DataView,
  file: Uint8Array,
  end: number,
): Map<string, ZipEntry> | ZipFault {
  const disks = view.getUint32(end + 4, true);
  const count = view.getUint16(end + 10, true);
  const bytes = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (disks !== 0 || count !== view.getUint16(end + 8, true)) {
    return fault('zip-unsupported', 'several disks');
  }
  if (count === 0xffff || start === 0xffffffff) return fault('zip-unsupported', 'ZIP64');
  if (count > ENTRIES_MAX) return fault('zip-too-large', `${count} entries`);
  if (start + bytes !== end) return fault('zip-malformed', 'the directory is not before its end');
  const entries = new Map<string, ZipEntry>();
  let at = start;
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      return fault('zip-malformed', `entry ${index} of the directory`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true);
    const after = next + view.getUint16(at + 32, true);
    if (after > end) return fault('zip-malformed', `entry ${index} of the directory`);
    const entry = entryAt(view, file, at, nameBytes);
    const kind = kindOf(view.getUint16(at + 4, true), view.getUint32(at + 38, true));
    const problem = checkEntry(entry, view.getUint16(at + 8, true), kind, entries);
    if (problem) return problem;
    entries.set(entry.name, entry);
    at = after;
  }
  if (at !== end) return fault('zip-malformed', 'bytes between directory and end');
  return checkOverlaps(entries, start) ?? entries;
}

function entryAt(view: DataView, file: Uint8Array, at: number, nameBytes: number): ZipEntry {
  const from = at + CENTRAL_BYTES;
  return {
    name: new TextDecoder().decode(file.subarray(from, from + nameBytes)),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    bytes: view.getUint32(at + 24, true),
    offset: view.getUint32(at + 42, true),
  };
}

function checkEntry(
  entry: ZipEntry,
  flags: number,
  kind: 'file' | 'folder' | 'other',
  entries: ReadonlyMap<string, ZipEntry>,
): ZipFault | undefined {
  const { name, method, packedBytes, bytes, offset } = entry;
  if ((flags & ENCRYPTED) !== 0) return fault('zip-unsupported', `${name} is encrypted`);
  if (method !== STORED && method !== DEFLATED) {
    return fault('zip-unsupported', `${name} has compression method ${method}`);
  }
  // Nothing is ever unpacked to a path; an archive that tries is no workbook of a spreadsheet program.
  if (leadsOut(name)) return fault('zip-entry-name', name);
  if (kind === 'other') return fault('zip-unsupported', `${name} is no file`);
  if ([packedBytes, bytes, offset].includes(0xffffffff)) return fault('zip-unsupported', 'ZIP64');
  if (entries.has(name)) return fault('zip-entry-twice', name);
  return undefined;
}

/** What a Unix system says of the entry, in the upper half of its attributes: links, devices, pipes. */
function kindOf(madeBy: number, attributes: number): 'file' | 'folder' | 'other' {
  const type = (attributes >>> 16) & UNIX_TYPE;
  if (madeBy >> 8 !== MADE_ON_UNIX || type === 0 || type === UNIX_FILE) return 'file';
  return type === UNIX_FOLDER ? 'folder' : 'other';
}

function leadsOut(name: string): boolean {
  return /^[/\\]|^[A-Za-z]:|\0/.test(name) || name.split(/[/\\]/).includes('..');
}

/** Overlapping entries are how a small file unpacks to petabytes. */
function checkOverlaps(entries: ReadonlyMap<string, ZipEntry>, end: number): ZipFault | undefined {
  const sorted = [...entries.values()].sort((a, b) => a.offset - b.offset);
  let free = 0;
  for (const { name, offset, packedBytes } of sorted) {
    if (offset < free) return fault('zip-malformed', `${name} lies over another entry`);
    free = offset + LOCAL_BYTES + packedBytes;
    if (free > end) return fault('zip-malformed', `${name} ends behind the directory's start`);
  }
  return undefined;
}

function readEntry(
  view: DataView,
  file: Uint8Array,
  entry: ZipEntry,
): { ok: true; bytes: Uint8Array } | ZipFault {
  const { name, offset, packedBytes, method } = entry;
  if (view.getUint32(offset, true) !== LOCAL_SIGNATURE) return fault('zip-malformed', name);
  const start =
    offset + LOCAL_BYTES + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packedBytes > file.length) return fault('zip-malformed', name);
  const packed = file.subarray(start, start + packedBytes);
  const bytes = method === STORED ? packed.slice() : inflate(packed, entry.bytes);
  if (!bytes) return fault('zip-malformed', `${name} does not unpack to ${entry.bytes} bytes`);
  if (bytes.length !== entry.bytes || crc32(bytes) !== entry.crc) {
    return fault('zip-malformed', `${name}: size or CRC-32 differs`);
  }
  return { ok: true, bytes };
}

/** `undefined` where it is no DEFLATE stream, or one of more bytes than were stated. */
function inflate(packed: Uint8Array, bytesMax: number): Uint8Array | undefined {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const stream = new Inflate((piece) => {
    bytes += piece.length;
    if (bytes <= bytesMax) pieces.push(piece);
  });
  try {
    for (let at = 0; at < packed.length && bytes <= bytesMax; at += PIECE_BYTES) {
      const next = at + PIECE_BYTES;
      stream.push(packed.subarray(at, next), next >= packed.length);
    }
  } catch {
    // fflate throws for what is no DEFLATE, and for nothing else.
    return undefined;
  }
  if (bytes > bytesMax) return undefined;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function fault(code: ListIssueCode, actual: string): ZipFault {
  return { ok: false, code, message: LIST_ISSUES[code], actual };
}
