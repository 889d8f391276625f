/**
 * Block 0 of YMODEM: `name NUL size-decimal [blank time-octal ...] NUL`, then zeros; all zeros after the
 * last file.
 */
import { assert } from '../../errors.ts';
import { LARGE_BYTES, SMALL_BYTES } from './block.ts';
import type { XmodemFile } from './messages.ts';

export interface FileHeader {
  /** Empty where no more files follow. */
  name: string;
  bytes: number | undefined;
  modifiedS: number | undefined;
}

/** 128 bytes, or 1,024 where a name needs them. The name is text in UTF-8, without NUL. */
export function fileHeader({ name = '', bytes, modifiedS }: XmodemFile): Uint8Array<ArrayBuffer> {
  assert(!name.includes('\0'), 'a file name holds no NUL');
  const time = modifiedS === undefined ? '' : ` ${Math.floor(modifiedS).toString(8)}`;
  const text = encodeUtf8(`${name}\0${bytes.length}${time}`);
  assert(text.length < LARGE_BYTES, 'a file name fits into block 0');
  const header = new Uint8Array(text.length < SMALL_BYTES ? SMALL_BYTES : LARGE_BYTES);
  header.set(text);
  return header;
}

export function batchEnd(): Uint8Array {
  return new Uint8Array(SMALL_BYTES);
}

/** `undefined` where the bytes are no block 0. A size beyond 2^53, or none, is left out. */
export function decodeFileHeader(data: Uint8Array): FileHeader | undefined {
  const nameEnd = data.indexOf(0);
  if (nameEnd < 0) return undefined;
  const restEnd = data.indexOf(0, nameEnd + 1);
  const rest = latin1(data, nameEnd + 1, restEnd < 0 ? data.length : restEnd);
  const words = rest.split(' ').filter((word) => word !== '');
  const size = /^\d{1,15}$/.test(words[0] ?? '') ? Number(words[0]) : undefined;
  const time = /^[0-7]{1,15}$/.test(words[1] ?? '') ? Number.parseInt(words[1]!, 8) : undefined;
  const modifiedS = time === 0 ? undefined : time;
  return { name: decodeUtf8(data.subarray(0, nameEnd)), bytes: size, modifiedS };
}

function encodeUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
