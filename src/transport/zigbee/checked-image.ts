/** Reads the image that was admitted, once more and for the last time: what is read here is sent. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type AdmissionToken, checkBytes } from '../../admission/token.ts';
import { EXIT, UpliftError } from '../../errors.ts';

/**
 * The bytes of the token, from their place in the file; never another byte.
 *
 * @throws UpliftError where the file is no file any more or holds other bytes
 */
export function readAdmitted(path: string, offset: number, token: AdmissionToken): Uint8Array {
  const bytes = readAt(path, offset, token);
  const check = checkBytes(token, bytes);
  if (check.ok) return bytes;
  throw imageChanged(path, check.expected, check.actual);
}

function readAt(path: string, offset: number, token: AdmissionToken): Uint8Array {
  // A pipe that took the place of the file would otherwise be waited for without end.
  const descriptor = openFile(path, token);
  try {
    if (!fstatSync(descriptor).isFile()) {
      throw imageChanged(path, `SHA-256 ${token.sha256}`, 'something else than a file');
    }
    const bytes = new Uint8Array(token.bytes);
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(descriptor, bytes, at, bytes.length - at, offset + at);
      if (read === 0) return bytes.subarray(0, at);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** Not through a link: what was checked was a file of this name itself. */
function openFile(path: string, token: AdmissionToken): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
    throw imageChanged(path, `SHA-256 ${token.sha256}`, 'a symbolic link');
  }
}

function imageChanged(path: string, expected: string, actual: string): UpliftError {
  return new UpliftError('image-changed', `${path} changed after it was checked`, {
    expected,
    actual,
    next: 'start again with a file that nobody writes to',
    exit: EXIT.refused,
  });
}
