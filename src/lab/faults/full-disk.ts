/** A disk that is really full: one file takes what room is left, and gives it back. */
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EXIT, UpliftError } from '../../errors.ts';

/** A file system that is filled up must be nobody else's: one so small was made for it. */
const DISK_BYTES_MAX = 1024 ** 3;
const FILL_NAME = 'uplift-lab-disk-full';
const FILL_BYTES = 1024 ** 2;

/** What frees it again. @throws UpliftError where others need the file system */
export function fillDisk(folder: string): () => void {
  refuseSharedDisk(folder);
  const path = join(folder, FILL_NAME);
  const file = openSync(path, 'w');
  try {
    for (let piece = FILL_BYTES; piece > 0; piece >>>= 1) fillBy(file, Buffer.alloc(piece));
  } finally {
    closeSync(file);
  }
  return () => rmSync(path, { force: true });
}

/** Fills nothing. @throws UpliftError */
export function refuseSharedDisk(
  folder: string,
  bytesOf: (folder: string) => number = fileSystemBytes,
): void {
  const bytes = bytesOf(folder);
  if (bytes <= DISK_BYTES_MAX) return;
  throw new UpliftError('disk-shared', `others need the file system of ${folder}`, {
    expected: `a file system of its own, at most ${DISK_BYTES_MAX} bytes`,
    actual: `${bytes} bytes`,
    next: 'put `state` of the rig on a small tmpfs or loop device',
    exit: EXIT.notReachable,
  });
}

/** Pieces of this size until none goes in any more. */
function fillBy(file: number, piece: Buffer): void {
  try {
    while (writeSync(file, piece) === piece.length);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
  }
}

/** Of a folder that is not there yet, that of the one above it. */
function fileSystemBytes(folder: string): number {
  if (!existsSync(folder)) return fileSystemBytes(dirname(folder));
  const { blocks, bsize } = statfsSync(folder);
  return blocks * bsize;
}
