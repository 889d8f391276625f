/** Files that are on disk when a call returns, and not only in the system's memory of them. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A reader sees the old content or the new, whole, also after a power cut. */
export function writeDurably(path: string, content: string | Uint8Array, mode = 0o644): void {
  const temporary = `${path}.new`;
  writeSynced(temporary, content, mode);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/**
 * The same in a folder of somebody else: the file keeps its mode, a link goes on leading to it, and no
 * other file is touched or left.
 */
export function replaceDurably(path: string, content: string | Uint8Array): void {
  const before = statSync(path, { throwIfNoEntry: false });
  const target = before ? realpathSync(path) : path;
  const folder = dirname(target);
  const temporary = join(folder, `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  try {
    writeSynced(temporary, content, before ? before.mode & 0o777 : 0o666, 'wx');
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

/** The content is on disk; its name is only when its folder is. */
export function writeSynced(
  path: string,
  content: string | Uint8Array,
  mode: number,
  flags = 'w',
): void {
  const file = openSync(path, flags, mode);
  try {
    writeAll(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The new name is on disk only when its folder is. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** A disk that fills up takes a part first and says so at the next. */
export function writeAll(descriptor: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
