/**
 * What a file is, by its first bytes: the image formats that are known, and what people give for
 * one by mistake. Says nothing about whether the rest is sound.
 */
import { type Refusal, refusal } from './codes.ts';

export type ImageFormat = 'zigbee-ota' | 'mcuboot' | 'gbl' | 'ebl';
export type FileFormat =
  | ImageFormat
  | 'intel-hex'
  | 'motorola-hex'
  | 'elf'
  | 'uf2'
  | 'zip'
  | 'gzip';

interface FormatRow {
  title: string;
  /** What the file begins with: hexadecimal digits, blanks for reading; or text. */
  begins: string | RegExp;
  /** For a file that is no upgrade image: what would be one. */
  instead?: string;
}

const BUILT_BESIDE_IT = 'give the signed image that the same build wrote, not this';
const UNPACK = 'unpack it and give the file with the image';

/**
 * ELF: System V ABI, 4.1. UF2: microsoft/uf2. Of the two hexadecimal formats the head of the first
 * record is looked at: one character alone also begins the length in a Legrand wrapper.
 */
export const FILE_FORMATS: Readonly<Record<FileFormat, FormatRow>> = {
  'zigbee-ota': { title: 'ZigBee OTA file', begins: '1ef1ee0b' },
  mcuboot: { title: 'MCUboot image', begins: '3db8f396' },
  gbl: { title: 'GBL image (Gecko bootloader)', begins: 'eb17a603' },
  ebl: { title: 'EBL image (Ember bootloader)', begins: '0000008c 0202e350' },
  'intel-hex': {
    title: 'Intel HEX file',
    begins: /^:[0-9A-F]{6}0[0-5]/i,
    instead: BUILT_BESIDE_IT,
  },
  'motorola-hex': {
    title: 'Motorola S-record file',
    begins: /^S[0-3][0-9A-F]{6}/i,
    instead: BUILT_BESIDE_IT,
  },
  elf: { title: 'ELF program', begins: '7f454c46', instead: BUILT_BESIDE_IT },
  uf2: { title: 'UF2 file', begins: '5546320a', instead: BUILT_BESIDE_IT },
  zip: { title: 'zip archive', begins: '504b0304', instead: UNPACK },
  gzip: { title: 'gzip file', begins: '1f8b08', instead: UNPACK },
};

/** Of every beginning above, the longest. */
const BEGINNING_BYTES = 9;

const TESTS = (Object.entries(FILE_FORMATS) as [FileFormat, FormatRow][]).map(
  ([format, { begins }]) => {
    const pattern = typeof begins === 'string' ? patternOf(begins) : begins;
    return { format, pattern };
  },
);

export function recogniseFormat(file: Uint8Array): FileFormat | undefined {
  const beginning = String.fromCharCode(...file.subarray(0, BEGINNING_BYTES));
  return TESTS.find(({ pattern }) => pattern.test(beginning))?.format;
}

export function isImageFormat(format: FileFormat): format is ImageFormat {
  return FILE_FORMATS[format].instead === undefined;
}

/** The refusal of a file that does not begin as `wanted` does, or as any image. */
export function refuseFormat(file: Uint8Array, wanted?: ImageFormat): Refusal {
  const expected = wanted
    ? `${FILE_FORMATS[wanted].title}: ${FILE_FORMATS[wanted].begins} at its start`
    : 'a ZigBee OTA file, or an MCUboot, GBL or EBL image';
  const found = recogniseFormat(file);
  if (found === undefined) {
    const next = 'check that this is the file the manufacturer published';
    return refusal('format-unknown', { offset: 0, expected, actual: beginningOf(file), next });
  }
  const { title: actual, instead } = FILE_FORMATS[found];
  if (instead !== undefined) {
    return refusal('not-an-upgrade-image', { offset: 0, expected, actual, next: instead });
  }
  const next = `use it where a ${actual} is wanted, or give another file`;
  return refusal('other-format', { offset: 0, expected, actual, next });
}

function beginningOf(file: Uint8Array): string {
  if (file.length === 0) return 'nothing: the file is empty';
  return Array.from(file.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** Each byte as one character, so that one test serves magic numbers and text. */
function patternOf(digits: string): RegExp {
  return new RegExp(`^${digits.replaceAll(' ', '').replace(/../g, '\\x$&')}`);
}
