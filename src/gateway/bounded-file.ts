/** Files read whole, and never more of one than is sensible. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { EXIT, UpliftError } from '../errors.ts';

/** A pipe is refused too: opening one may wait for ever, and it could not be read a second time. */
export function readBounded(path: string, bytesMax: number, what: string): Uint8Array {
  try {
    const kind = statSync(path);
    if (kind.isDirectory()) throw new Error('it is a folder');
    if (!kind.isFile()) throw new Error('it is a pipe or a device, not a file');
    if (kind.size > bytesMax) throw tooLarge(path, what, bytesMax, kind.size);
    return readAll(path, bytesMax);
  } catch (error) {
    if (error instanceof UpliftError) throw error;
    throw unreadable(path, what, error);
  }
}

/** As much as was there when it was opened, and never more than `bytesMax`, whatever is added meanwhile. */
function readAll(path: string, bytesMax: number): Uint8Array {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(Math.min(bytesMax, fstatSync(descriptor).size));
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
