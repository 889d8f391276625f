/**
 * EBL, the upgrade file of the Ember bootloader (EM35x), version 2.2: parsed, and built for tests.
 *
 * Tags of a 16-bit id and a 16-bit length, big-endian; only the CRC in END is little-endian. Padded
 * with 0xFF to a multiple of 64. There is no signature: the CRC finds damage, and nothing finds
 * intent. The encrypted variant begins with another tag and is not read.
 *
 * Sources: files of that platform; the layout of the application address table (AAT) in the header
 * is not read, so a version cannot be told.
 */
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';
import { type Refusal, type Remark, refusal, remark } from './codes.ts';
import { recogniseFormat, refuseFormat } from './file-format.ts';
import { encodeTags, readTags, type Tag, type TagFormat } from './gecko-tags.ts';

export const EBL_VERSION = 0x0202;
export const EBL_SIGNATURE = 0xe350;
/** The file's length is a multiple of this. */
export const EBL_BLOCK_BYTES = 64;
/** Version, signature, address and CRC of the table, and the first 128 bytes of it. */
const HEADER_BYTES = 140;
const AAT_BYTES = 128;

const PROGRAM = { rank: 1, repeats: true, bytesMin: 5 } as const;

export const EBL_TAGS = {
  header: {
    id: 0x0000,
    title: 'header',
    rank: 0,
    bytesMin: HEADER_BYTES,
    bytesMax: HEADER_BYTES,
  },
  program: { id: 0xfe01, title: 'program', ...PROGRAM },
  manufacturingProgram: { id: 0x02fe, title: 'program manufacturing data', ...PROGRAM },
  eraseProgram: { id: 0xfd03, title: 'erase and program', ...PROGRAM },
  end: { id: 0xfc04, title: 'end', rank: 2, bytesMin: 4, bytesMax: 4 },
} as const;

export type EblTagName = Exclude<keyof typeof EBL_TAGS, 'header' | 'end'>;

export const EBL_FORMAT: TagFormat<EblTagName> = {
  headBytes: 4,
  order: 'big',
  kinds: EBL_TAGS,
  paddingBytesMax: EBL_BLOCK_BYTES - 1,
};

export interface EblProgram {
  name: EblTagName;
  address: number;
  data: Uint8Array;
}

export interface EblHeader {
  address: number;
  aatCrc: number;
  /** Start of the application address table: a view. */
  aat: Uint8Array;
}

export interface EblImage {
  ok: true;
  header: EblHeader;
  tags: Tag<EblTagName>[];
  /** Header to END: what is sent. */
  bytes: Uint8Array;
  padding: Uint8Array;
  programs: EblProgram[];
  remarks: Remark[];
}

export function parseEblImage(file: Uint8Array): EblImage | Refusal {
  // Version and signature stand in the eight bytes that the format is recognised by.
  if (recogniseFormat(file) !== 'ebl') return refuseFormat(file, 'ebl');
  const read = readTags(file, EBL_FORMAT);
  if (!read.ok) return read;
  const { tags, bytes, padding } = read;
  const programs = tags.flatMap(readProgram);
  if (programs.length === 0) return refusal('payload-missing', { offset: 0 });
  const fields = new ByteReader(tags[0]!.value, 4);
  const header = { address: fields.u32be(), aatCrc: fields.u32be(), aat: fields.view(AAT_BYTES) };
  const remarks: Remark[] = [];
  if (file.length % EBL_BLOCK_BYTES !== 0) {
    remarks.push(remark('length-unaligned', `${file.length} bytes.`));
  }
  return { ok: true, header, tags, bytes, padding, programs, remarks };
}

export interface EblSpec {
  header: EblHeader;
  programs: readonly EblProgram[];
}

export function encodeEblImage({ header, programs }: EblSpec): Uint8Array {
  assert(header.aat.length === AAT_BYTES, 'the table in the header has 128 bytes');
  const fields = new ByteWriter(new Uint8Array(HEADER_BYTES));
  fields.u16be(EBL_VERSION).u16be(EBL_SIGNATURE).u32be(header.address).u32be(header.aatCrc);
  fields.raw(header.aat);
  return encodeTags<EblTagName>(
    EBL_FORMAT,
    [
      { name: 'header', value: fields.bytes },
      ...programs.map(({ name, address, data }) => {
        const value = new ByteWriter(new Uint8Array(4 + data.length)).u32be(address).raw(data);
        return { name, value: value.bytes };
      }),
    ],
    () => [],
    (bytes) => (EBL_BLOCK_BYTES - (bytes % EBL_BLOCK_BYTES)) % EBL_BLOCK_BYTES,
  );
}

function readProgram({ name, value }: Tag<EblTagName>): EblProgram[] {
  if (name === 'header' || name === 'end') return [];
  return [{ name, address: new ByteReader(value).u32be(), data: value.subarray(4) }];
}
