/** Files read whole, and never more of one than is sensible. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { EXIT, UpliftError } from '../errors.ts';

export interface ReadOptions {
  /** `refuse`: the last part of the path may not be a symbolic link, which could be turned elsewhere. */
  links?: 'follow' | 'refuse';
}

/** A pipe is refused too: opening one may wait for ever, and it could not be read a second time. */
export function readBounded(
  path: string,
  bytesMax: number,
  what: string,
  { links = 'follow' }: ReadOptions = {},
): Uint8Array {
  try {
    return readAll(path, bytesMax, what, links === 'refuse' ? constants.O_NOFOLLOW : 0);
  } catch (error) {
    if (error instanceof UpliftError) throw error;
    if (links === 'refuse' && (error as NodeJS.ErrnoException).code === 'ELOOP') {
      throw isLink(path, what);
    }
    throw unreadable(path, what, error);
  }
}

/**
 * As much as was there when it was opened, and never more than `bytesMax`, whatever is added meanwhile.
 * What is judged is what was opened, not what the path led to a moment before.
 */
function readAll(path: string, bytesMax: number, what: string, flags: number): Uint8Array {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  try {
    const kind = fstatSync(descriptor);
    if (kind.isDirectory()) throw new Error('it is a folder');
    if (!kind.isFile()) throw new Error('it is a pipe or a device, not a file');
    if (kind.size > bytesMax) throw tooLarge(path, what, bytesMax, kind.size);
    const bytes = new Uint8Array(kind.size);
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(descriptor, bytes, at, bytes.length - at, at);
      if (read === 0) return bytes.subarray(0, at);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

function isLink(path: string, what: string): UpliftError {
  return new UpliftError('file-is-link', `${path} is a symbolic link`, {
    expected: `${what} itself, which nothing can turn elsewhere while it is in use`,
    actual: 'a symbolic link',
    next: 'name the file that it leads to',
    exit: EXIT.refused,
  });
}

function tooLarge(path: string, what: string, bytesMax: number, bytes: number): UpliftError {
  return new UpliftError('file-too-large', `${path} is too large to be ${what}`, {
    expected: `at most ${bytesMax} bytes`,
    actual: `${bytes} bytes`,
    next: 'check that this is the right file',
  });
}

export function unreadable(path: string, what: string, error: unknown): UpliftError {
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return new UpliftError('file-unreadable', `${path} cannot be read`, {
    expected: what,
    actual: missing ? 'no such file' : (error as Error).message,
    next: 'check the path',
    exit: EXIT.usage,
    cause: error,
  });
}
