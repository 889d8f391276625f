/**
 * Documents that came in and go out, by what they are: files named by their SHA-256, written once, hashed
 * again when one is read. What has its name is on disk.
 */
import { join } from 'node:path';
import { assert } from '../errors.ts';
import { sha256Hex } from '../trust/digest.ts';
import { type FileSystem, readFully, realFiles, replaceFile, withFile } from './files.ts';

const SHA256 = /^[0-9a-f]{64}$/;

export class MessageStore {
  private readonly folder: string;
  private readonly files: FileSystem;

  constructor(folder: string, files: FileSystem = realFiles) {
    this.folder = folder;
    this.files = files;
    files.makeFolder(folder);
  }

  /** On disk when it returns; the same again is one file. */
  put(bytes: Uint8Array): string {
    const sha256 = sha256Hex(bytes);
    const path = this.pathOf(sha256);
    if (this.files.status(path)?.bytes !== bytes.length) replaceFile(this.files, path, bytes);
    return sha256;
  }

  /** `undefined` where it is not there, or is something else than its name says. */
  get(sha256: string): Uint8Array | undefined {
    const path = this.pathOf(sha256);
    const status = this.files.status(path);
    if (!status) return undefined;
    const bytes = withFile(this.files, path, 'r', (descriptor) =>
      readFully(this.files, descriptor, new Uint8Array(status.bytes), 0),
    );
    return sha256Hex(bytes) === sha256 ? bytes : undefined;
  }

  /** Deletes what nothing needs, and what a killed process left half written. */
  removeUnused(needed: ReadonlySet<string>): number {
    let removed = 0;
    for (const name of this.files.list(this.folder)) {
      if (needed.has(name)) continue;
      this.files.remove(join(this.folder, name));
      removed++;
    }
    return removed;
  }

  private pathOf(sha256: string): string {
    assert(SHA256.test(sha256), 'only a digest becomes a path');
    return join(this.folder, sha256);
  }
}
