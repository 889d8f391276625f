/**
 * The file operations of the store, as a port: the real ones below, and in tests ones that fail.
 * Synchronous, because what is announced has to be on disk before it is done.
 *
 * Every operation throws what node:fs throws. A write may be short, as the system's may.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

export interface FileStatus {
  bytes: number;
  modifiedMs: number;
}

export interface FileSystem {
  /** `r` reads, `r+` writes to what is there, `wx` makes a file that was not, `w` one that is empty. */
  open(path: string, flags: 'r' | 'r+' | 'w' | 'wx'): number;
  /** How many bytes it read; 0 at the end. */
  read(descriptor: number, target: Uint8Array, position: number): number;
  /** How many bytes it took: at least one, or it throws. */
  write(descriptor: number, bytes: Uint8Array, position: number): number;
  /** Content and status are on the disk when it returns. */
  sync(descriptor: number): void;
  /** The same without what is not needed to read the content again. */
  syncData(descriptor: number): void;
  close(descriptor: number): void;
  /** `undefined` where there is no file of that name, or it is something else than a file. */
  status(path: string): FileStatus | undefined;
  rename(from: string, to: string): void;
  /** Harmless where it is gone. */
  remove(path: string): void;
  /** With all above it; harmless where it is there. */
  makeFolder(path: string): void;
  /** Names, in order; none where the folder is not there. */
  list(path: string): string[];
  /** What this user may still write. */
  freeBytes(path: string): number;
}

/** What is in the store is for the user that runs the gateway. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const COPY_BYTES = 1024 * 1024;

export const realFiles: FileSystem = {
  open: (path, flags) => openSync(path, flags, FILE_MODE),
  read: (descriptor, target, position) => readSync(descriptor, target, 0, target.length, position),
  write: (descriptor, bytes, position) => writeSync(descriptor, bytes, 0, bytes.length, position),
  sync: fsyncSync,
  syncData: fdatasyncSync,
  close: closeSync,
  status(path) {
    const status = statSync(path, { throwIfNoEntry: false });
    return status?.isFile() ? { bytes: status.size, modifiedMs: status.mtimeMs } : undefined;
  },
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  makeFolder: (path) => void mkdirSync(path, { recursive: true, mode: FOLDER_MODE }),
  list(path) {
    try {
      return readdirSync(path).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  freeBytes(path) {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  },
};

/** All of the bytes, however many the system takes at a time. */
export function writeAll(
  files: FileSystem,
  descriptor: number,
  bytes: Uint8Array,
  position: number,
): void {
  for (let at = 0; at < bytes.length; ) {
    at += files.write(descriptor, bytes.subarray(at), position + at);
  }
}

/** As many bytes as there are up to the target's end: a view of it. */
export function readFully(
  files: FileSystem,
  descriptor: number,
  target: Uint8Array,
  position: number,
): Uint8Array {
  let at = 0;
  while (at < target.length) {
    const read = files.read(descriptor, target.subarray(at), position + at);
    if (read === 0) break;
    at += read;
  }
  return target.subarray(0, at);
}

export function withFile<T>(
  files: FileSystem,
  path: string,
  flags: 'r' | 'r+' | 'w' | 'wx',
  work: (descriptor: number) => T,
): T {
  const descriptor = files.open(path, flags);
  try {
    return work(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** A reader sees the old content or the new, whole, also after a power cut. */
export function replaceFile(files: FileSystem, path: string, content: string | Uint8Array): void {
  const temporary = `${path}.new`;
  withFile(files, temporary, 'w', (descriptor) => {
    writeAll(files, descriptor, typeof content === 'string' ? Buffer.from(content) : content, 0);
    files.sync(descriptor);
  });
  files.rename(temporary, path);
  syncFolder(files, dirname(path));
}

/** The copy has its name when all of it is on disk. */
export function copyFile(files: FileSystem, from: string, to: string): void {
  const temporary = `${to}.new`;
  const chunk = new Uint8Array(COPY_BYTES);
  withFile(files, from, 'r', (source) =>
    withFile(files, temporary, 'w', (target) => {
      for (let at = 0; ; ) {
        const bytes = readFully(files, source, chunk, at);
        writeAll(files, target, bytes, at);
        at += bytes.length;
        if (bytes.length < chunk.length) break;
      }
      files.sync(target);
    }),
  );
  files.rename(temporary, to);
  syncFolder(files, dirname(to));
}

/** A new name is on disk only when its folder is. */
export function syncFolder(files: FileSystem, path: string): void {
  withFile(files, path, 'r', (descriptor) => files.sync(descriptor));
}

/** The content of a small file; `undefined` where there is none or it is longer. */
export function readSmall(files: FileSystem, path: string, bytesMax: number): string | undefined {
  const status = files.status(path);
  if (!status || status.bytes > bytesMax) return undefined;
  return withFile(files, path, 'r', (descriptor) => {
    const bytes = readFully(files, descriptor, new Uint8Array(status.bytes), 0);
    return Buffer.from(bytes).toString('utf8');
  });
}
