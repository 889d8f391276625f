/**
 * The tag lists of Silicon Labs' upgrade files: GBL (Gecko bootloader) and EBL (the older Ember
 * one) differ in byte order and widths, and agree in the rest. Tags stand in the order in which the
 * bootloader takes them; the last is END, whose value is the CRC-32 of all bytes before it; then
 * only padding of 0xFF.
 *
 * A bootloader reads the file as it arrives and finds a wrong tag when the image that ran is already
 * erased, so whatever it would refuse is refused here. Bounded: each tag moves the walk on by its
 * head at least, and there are at most `TAGS_MAX`.
 */
import { crc32 } from '../bytes/crc.ts';
import { hex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, refusal } from './codes.ts';

/** Sixteen times what a 512 KiB EBL needs with 2 KiB a tag, and a bound on what is allocated. */
const TAGS_MAX = 4096;
const PADDING = 0xff;

export interface TagKind {
  id: number;
  title: string;
  /** Tags come in rising rank. */
  rank: number;
  /** Whether several may stand in one file. */
  repeats?: true;
  bytesMin: number;
  /** Absent where there is no limit but the file. */
  bytesMax?: number;
}

/** `header` comes first, `end` last. */
export interface TagFormat<Name extends string> {
  /** Bytes of a tag's head: its id and its length. */
  headBytes: 4 | 8;
  /** Big-endian and 16 bits each, or little-endian and 32 bits. */
  order: 'big' | 'little';
  kinds: Readonly<Record<Name | 'header' | 'end', TagKind>>;
  /** Most bytes of padding after END. */
  paddingBytesMax: number;
}

export interface Tag<Name extends string> {
  name: Name | 'header' | 'end';
  title: string;
  /** Of the tag's head, in the file. */
  offset: number;
  /** A view. */
  value: Uint8Array;
}

export interface TagList<Name extends string> {
  ok: true;
  tags: Tag<Name>[];
  /** Header to END: what is sent. */
  bytes: Uint8Array;
  padding: Uint8Array;
}

/** Every tag of `file`, which begins with the header of `format`; the CRC is checked. */
export function readTags<Name extends string>(
  file: Uint8Array,
  format: TagFormat<Name>,
): TagList<Name> | Refusal {
  const byId = new Map(
    (Object.keys(format.kinds) as (keyof typeof format.kinds)[]).map((name) => [
      format.kinds[name].id,
      name,
    ]),
  );
  const tags: Tag<Name>[] = [];
  const reader = new ByteReader(file);
  for (let before: Tag<Name> | undefined; before?.name !== 'end'; ) {
    const offset = reader.position;
    if (offset === file.length) return endMissing(file);
    if (tags.length === TAGS_MAX) {
      return refusal('tags-too-many', { offset, expected: `at most ${TAGS_MAX}` });
    }
    const id = format.order === 'big' ? reader.u16be() : reader.u32();
    const valueBytes = format.order === 'big' ? reader.u16be() : reader.u32();
    const name = byId.get(id);
    if (name === undefined && !reader.overrun) {
      return refusal('tag-unknown', { offset, actual: hex(id, format.headBytes) });
    }
    const value = reader.view(valueBytes);
    if (reader.overrun || name === undefined) return tagTruncated(file, offset, valueBytes);
    const kind = format.kinds[name];
    const wrong = checkTag(kind, before && format.kinds[before.name], valueBytes, offset);
    if (wrong) return wrong;
    before = { name, title: kind.title, offset, value };
    tags.push(before);
  }
  const end = reader.position;
  return (
    checkCrc(file, end) ??
    checkPadding(file, end, format.paddingBytesMax) ?? {
      ok: true,
      tags,
      bytes: file.subarray(0, end),
      padding: file.subarray(end),
    }
  );
}

export interface TagSpec<Name extends string> {
  name: Name | 'header';
  value: Uint8Array;
}

/** Writes `tags`; `last` makes tags from all bytes before them, then END follows. */
export function encodeTags<Name extends string>(
  format: TagFormat<Name>,
  tags: readonly TagSpec<Name>[],
  last: (covered: Uint8Array) => readonly TagSpec<Name>[] = () => [],
  paddingBytes: (bytes: number) => number = () => 0,
): Uint8Array {
  const before = joinTags(format, tags);
  const covered = concat(before, joinTags(format, last(before)));
  const bytes = covered.length + format.headBytes + 4;
  const out = new ByteWriter(new Uint8Array(bytes + paddingBytes(bytes)));
  out.raw(covered);
  writeHead(out, format, format.kinds.end.id, 4);
  out.u32(crc32(out.bytes, 0, 0, out.position)).fill(PADDING, out.bytes.length - bytes);
  assert(!out.overrun && out.position === out.bytes.length, 'the tags fill the file');
  return out.bytes;
}

function joinTags<Name extends string>(
  format: TagFormat<Name>,
  tags: readonly TagSpec<Name>[],
): Uint8Array {
  const bytes = tags.reduce((sum, { value }) => sum + format.headBytes + value.length, 0);
  const out = new ByteWriter(new Uint8Array(bytes));
  for (const { name, value } of tags) {
    writeHead(out, format, format.kinds[name].id, value.length);
    out.raw(value);
  }
  return out.bytes;
}

function writeHead(
  out: ByteWriter,
  { order }: Pick<TagFormat<string>, 'order'>,
  id: number,
  valueBytes: number,
): void {
  if (order === 'little') {
    out.u32(id).u32(valueBytes);
    return;
  }
  assert(valueBytes <= 0xffff, 'the length of a tag fits 16 bits');
  out.u16be(id).u16be(valueBytes);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

function checkTag(
  kind: TagKind,
  before: TagKind | undefined,
  valueBytes: number,
  offset: number,
): Refusal | undefined {
  if (before && kind.rank < before.rank) {
    const expected = `nothing that comes before ${before.title}`;
    return refusal('tag-order', { offset, expected, actual: kind.title });
  }
  if (before === kind && !kind.repeats)
    return refusal('tag-repeated', { offset, actual: kind.title });
  const { bytesMin, bytesMax = Number.POSITIVE_INFINITY } = kind;
  if (valueBytes >= bytesMin && valueBytes <= bytesMax) return undefined;
  const range = bytesMin === bytesMax ? `${bytesMin} bytes` : `at least ${bytesMin} bytes`;
  const expected = `${kind.title}: ${range}`;
  return refusal('tag-length', { offset, expected, actual: `${valueBytes} bytes` });
}

function checkCrc(file: Uint8Array, end: number): Refusal | undefined {
  const stated = new ByteReader(file, end - 4).u32();
  const found = crc32(file, 0, 0, end - 4);
  if (stated === found) return undefined;
  return refusal('end-crc', {
    offset: end - 4,
    expected: `${hex(stated, 8)}, as the END tag says`,
    actual: hex(found, 8),
    next: 'fetch the file again; it was damaged',
  });
}

function checkPadding(file: Uint8Array, end: number, bytesMax: number): Refusal | undefined {
  const bytes = file.length - end;
  if (bytes <= bytesMax && file.subarray(end).every((byte) => byte === PADDING)) return undefined;
  return refusal('data-after-end', {
    offset: end,
    expected: `at most ${bytesMax} bytes of 0xFF`,
    actual: `${bytes} bytes`,
    next: 'fetch the file again, and use it as the manufacturer published it',
  });
}

function endMissing(file: Uint8Array): Refusal {
  const next = 'fetch the file again; it is incomplete';
  return refusal('end-missing', { offset: file.length, next });
}

function tagTruncated(file: Uint8Array, offset: number, valueBytes: number): Refusal {
  return refusal('tag-truncated', {
    offset,
    expected: `a tag of ${valueBytes} bytes and its head`,
    actual: `${file.length - offset} bytes up to the end of the file`,
    next: 'fetch the file again; it is incomplete or damaged',
  });
}
