/**
 * Where in a file the OTA image begins. Some manufacturers wrap it.
 *
 *   IKEA      `NGIS`, at 16 the image's offset, at 20 its length, at 24 the offset of a trailer
 *   Legrand   a 32-bit length, the image, a trailer
 *   other     the first plausible header in the first 64 KiB
 *
 * Observed on published files; no specification of either wrapper is known, and their signatures
 * are not checked. A wrapper that contradicts the file or the image inside is refused: then neither
 * is believed.
 */
import { ByteReader } from '../bytes/reader.ts';
import { type Refusal, refusal } from './codes.ts';
import { decodeOtaHeader, isOtaIdentifier, missingIdentifier } from './ota-header.ts';

export type ContainerKind = 'plain' | 'ikea-ngis' | 'legrand' | 'unknown-wrapper';

export interface OtaContainer {
  kind: ContainerKind;
  /** Of the first image, in the file. */
  imageOffset: number;
}

/** How far into a file an image is looked for; the farthest seen is 712 bytes. */
const SEARCH_BYTES_MAX = 65_536;
/** `NGIS` and the three offsets. */
const NGIS_BYTES_MIN = 28;

const ARCHIVES = [
  { name: 'a tar archive', at: 257, magic: [0x75, 0x73, 0x74, 0x61, 0x72] },
  { name: 'a zip archive', at: 0, magic: [0x50, 0x4b, 0x03, 0x04] },
  { name: 'a gzip file', at: 0, magic: [0x1f, 0x8b, 0x08] },
] as const;

export function findContainer(file: Uint8Array): { ok: true; container: OtaContainer } | Refusal {
  if (isOtaIdentifier(file, 0)) return found('plain', 0);
  const archive = ARCHIVES.find(({ at, magic }) => hasMagic(file, at, magic));
  if (archive) {
    return refusal('archive-file', {
      expected: 'a ZigBee OTA file',
      actual: archive.name,
      next: 'unpack it and give the file with the image',
    });
  }
  if (hasMagic(file, 0, [0x4e, 0x47, 0x49, 0x53])) return openNgis(file);
  if (isOtaIdentifier(file, 4) && legrandFits(file)) return found('legrand', 4);
  return search(file);
}

function openNgis(file: Uint8Array): { ok: true; container: OtaContainer } | Refusal {
  const reader = new ByteReader(file, 16);
  const imageOffset = reader.u32();
  const imageBytes = reader.u32();
  const trailerOffset = reader.u32();
  const imageEnd = imageOffset + imageBytes;
  if (reader.overrun || imageOffset < NGIS_BYTES_MIN || imageEnd > file.length) {
    return refusal('container-mismatch', {
      offset: 16,
      expected: `an image inside the ${file.length} bytes of the file`,
      actual: `offset ${imageOffset}, ${imageBytes} bytes`,
      next: 'fetch the file again; it is incomplete or damaged',
    });
  }
  const decoded = decodeOtaHeader(file, imageOffset);
  if (!decoded.ok) return decoded;
  const { totalImageBytes } = decoded.header;
  if (totalImageBytes !== imageBytes || trailerOffset !== imageEnd) {
    return refusal('container-mismatch', {
      offset: 20,
      expected: `an image of ${totalImageBytes} bytes and then the trailer, as the OTA header says`,
      actual: `${imageBytes} bytes, the trailer at ${trailerOffset}`,
    });
  }
  return found('ikea-ngis', imageOffset);
}

function legrandFits(file: Uint8Array): boolean {
  const decoded = decodeOtaHeader(file, 4);
  return decoded.ok && new ByteReader(file).u32() === decoded.header.totalImageBytes;
}

/**
 * The four bytes of an identifier can occur by chance, so only a header that holds together counts.
 */
function search(file: Uint8Array): { ok: true; container: OtaContainer } | Refusal {
  let firstRefusal: Refusal | undefined;
  const last = Math.min(file.length - 4, SEARCH_BYTES_MAX);
  for (let offset = file.indexOf(0x1e); offset >= 0 && offset <= last; ) {
    if (isOtaIdentifier(file, offset)) {
      const decoded = decodeOtaHeader(file, offset);
      if (decoded.ok) return found('unknown-wrapper', offset);
      firstRefusal ??= decoded;
    }
    offset = file.indexOf(0x1e, offset + 1);
  }
  return firstRefusal ?? missingIdentifier(file, 0);
}

function found(kind: ContainerKind, imageOffset: number): { ok: true; container: OtaContainer } {
  return { ok: true, container: { kind, imageOffset } };
}

function hasMagic(file: Uint8Array, at: number, magic: readonly number[]): boolean {
  return magic.every((byte, i) => file[at + i] === byte);
}
