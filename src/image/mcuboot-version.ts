/** The version of an MCUboot image: eight bytes in its header, and as text with tools and hubs. */
import type { ByteReader } from '../bytes/reader.ts';
import type { ByteWriter } from '../bytes/writer.ts';
import { assert } from '../errors.ts';

export interface McubootVersion {
  major: number;
  minor: number;
  revision: number;
  build: number;
}

/** `1.2.3`, or `1.2.3+4` where there is a build number: as imgtool takes it. */
export function mcubootVersionText({ major, minor, revision, build }: McubootVersion): string {
  return `${major}.${minor}.${revision}${build === 0 ? '' : `+${build}`}`;
}

/** A version as a hub lists it: `1.2.3`, with `.4` where a build follows (or imgtool's `+4`). */
export function parseMcubootVersion(text: string): McubootVersion | undefined {
  const digits = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:[.+](\d{1,10}))?$/.exec(text);
  if (!digits) return undefined;
  const [major, minor, revision, build] = digits.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  const version = { major, minor, revision, build };
  return fits(version) ? version : undefined;
}

/** One byte each for major and minor, two for revision, four for build; little-endian. */
export function readMcubootVersion(reader: ByteReader): McubootVersion {
  return { major: reader.u8(), minor: reader.u8(), revision: reader.u16(), build: reader.u32() };
}

export function writeMcubootVersion(out: ByteWriter, version: McubootVersion): void {
  assert(fits(version), 'the version fits its fields');
  out.u8(version.major).u8(version.minor).u16(version.revision).u32(version.build);
}

function fits({ major, minor, revision, build }: McubootVersion): boolean {
  return major <= 0xff && minor <= 0xff && revision <= 0xffff && build <= 0xffffffff;
}
