/**
 * The file of a recording: what passed on the links of a rig, and what was done to the machines at their
 * ends. It is only ever appended to, and each record has a check value: of a file that was cut off, or is
 * damaged, everything before that place is good.
 *
 *     "UPLREC" 00 | version 01 | record ...
 *     record: length u32 of the body | kind u8 | body | CRC-32 of length, kind and body
 *
 * Integers are little-endian. Times are microseconds since the start that the header names, 48 bits, and
 * never go back. A link is a number that a record of kind `link` named before.
 *
 *     1 header   JSON
 *     2 link     number u8 | name, UTF-8
 *     3 bytes    time u48 | link u8 | direction u8: 0 up, from the device, 1 down, to it | bytes
 *     4 note     time u48 | link u8 | text, UTF-8
 *     5 machine  time u48 | link u8 | JSON: which machine stands at the end of the link from here on
 *     6 call     time u48 | link u8 | JSON: what was done to that machine, and what it gave
 */
import type { MachineCall } from '../../protocol/tapped.ts';
import type { RecordingDamage } from './codes.ts';

export const MAGIC = Uint8Array.of(0x55, 0x50, 0x4c, 0x52, 0x45, 0x43, 0x00);
export const FORMAT_VERSION = 1;
export const FILE_HEAD_BYTES = MAGIC.length + 1;

/** Length and kind before a body, the check value behind it. */
export const RECORD_HEAD_BYTES = 5;
export const RECORD_TAIL_BYTES = 4;
/** Time and link before the rest of a body. */
export const STAMP_BYTES = 7;

export const RECORD_KIND = { header: 1, link: 2, bytes: 3, note: 4, machine: 5, call: 6 } as const;

export const DIRECTIONS = ['up', 'down'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** A longer piece of a link is more than one record. */
export const PIECE_BYTES_MAX = 32_768;
/** Of any record: the settings of a machine are the largest. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;
export const LINKS_MAX = 256;
export const RECORDING_BYTES_MAX = 1024 * 1024 * 1024;

/** 48 bits of microseconds are nine years. */
export const TIME_US_MAX = 2 ** 48 - 1;

/** What a link carries, for whoever reads the recording. */
export const LINK_KINDS = [
  'smp',
  'bootloader',
  'xmodem',
  'znp',
  'zcl-ota',
  'ota-server',
  'bytes',
] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

export interface RecordingHeader {
  /** Of Uplift. */
  version: string;
  rig: string;
  device: string;
  /** SHA-256 of the image as it is sent, lower-case digits. */
  imageSha256?: string;
  /** Of every random choice of the run. */
  seed: number;
  /** Milliseconds since 1970: what the times of all records are counted from. */
  startedAtMs: number;
  /** What its links carry, by their names; one that is not here carries what its machine takes, or bytes. */
  links?: Readonly<Record<string, LinkKind>>;
  /** Whatever else identifies the run: its scenario, its number. */
  about?: Readonly<Record<string, string | number | boolean>>;
}

export type RecordingRecord =
  | { kind: 'bytes'; atUs: number; link: string; direction: Direction; bytes: Uint8Array }
  | { kind: 'note'; atUs: number; link: string; text: string }
  | { kind: 'machine'; atUs: number; link: string; machine: string; settings: unknown }
  | { kind: 'call'; atUs: number; link: string; call: RecordedCall };

/** A call into a machine as its recording has it: parameters and result are encoded values. */
export type RecordedCall = MachineCall;

export interface Recording {
  header: RecordingHeader;
  records: RecordingRecord[];
  /** Where it is not whole. */
  damage?: RecordingDamage;
}
