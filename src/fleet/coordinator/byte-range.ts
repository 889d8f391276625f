/**
 * Which part of a blob a request is for (RFC 9110, 14.2 and 13.1.5). Only one range of bytes is given;
 * what asks for several, or is not understood, gets the whole, as the RFC allows.
 */

export type ByteRange =
  | { kind: 'whole' }
  /** `end` is not of it. */
  | { kind: 'part'; offset: number; end: number }
  | { kind: 'unsatisfiable' };

const WHOLE: ByteRange = { kind: 'whole' };

/** @param ifRange a part is wanted only of this entity; a date never is, as blobs have none */
export function byteRange(
  range: string | undefined,
  ifRange: string | undefined,
  etag: string,
  bytes: number,
): ByteRange {
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return WHOLE;
  const [, first, last] = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(range) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return WHOLE;
  if (first === '') return suffix(Number(last), bytes);
  const offset = Number(first);
  const end = last === '' ? bytes : Math.min(Number(last) + 1, bytes);
  if (last !== '' && Number(last) < offset) return WHOLE;
  return offset < bytes ? { kind: 'part', offset, end } : { kind: 'unsatisfiable' };
}

function suffix(length: number, bytes: number): ByteRange {
  if (length === 0 || bytes === 0) return { kind: 'unsatisfiable' };
  return { kind: 'part', offset: Math.max(0, bytes - length), end: bytes };
}

/** Whether one of the entities of `If-None-Match` is this one: weakly, as the RFC has it. */
export function matchesNone(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
