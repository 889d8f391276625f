/**
 * Uploads under way, one file each with what came so far, and one with what it is to be: so that an
 * upload goes on after the gateway was restarted. What came is hashed while it is written; after a
 * restart it is read again for that.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { codeOfError } from './codes.ts';
import {
  type FileSystem,
  readFully,
  readSmall,
  replaceFile,
  syncFolder,
  withFile,
  writeAll,
} from './files.ts';

export interface UploadRequest {
  bytes: number;
  /** Of all of it: 64 lower-case digits. */
  sha256: string;
  /** As its sender calls it: to be shown, never a path. */
  name: string;
}

export interface Upload extends UploadRequest {
  id: string;
  received: number;
  /** When anything was last added, ms. */
  touchedMs: number;
}

interface OpenUpload extends Upload {
  /** Open while bytes come. */
  descriptor: number | undefined;
  /** Of what was received; absent after a restart until it is needed. */
  hash: Hash | undefined;
}

const ID_BYTES = 16;
const REQUEST_BYTES_MAX = 4096;
const READ_BYTES = 256 * 1024;

export class UploadFolder {
  private readonly files: FileSystem;
  private readonly folder: string;
  private readonly uploads = new Map<string, OpenUpload>();

  constructor(files: FileSystem, folder: string) {
    this.files = files;
    this.folder = folder;
  }

  get count(): number {
    return this.uploads.size;
  }

  all(): readonly Upload[] {
    return [...this.uploads.values()];
  }

  /** By the id that was given out, and by nothing else. */
  get(id: string): Upload | undefined {
    return this.uploads.get(id);
  }

  /** Finds the uploads that an earlier process left; removes and returns what belongs to none. */
  load(nowMs: number): string[] {
    const { files, folder } = this;
    const names = files.list(folder);
    for (const name of names) {
      const id = /^([0-9a-f]{32})\.json$/.exec(name)?.[1];
      const request = id && parseRequest(readSmall(files, join(folder, name), REQUEST_BYTES_MAX));
      const part = id && files.status(join(folder, `${id}.part`));
      if (!id || !request || !part || part.bytes > request.bytes) continue;
      const received = part.bytes;
      const fresh = { descriptor: undefined, hash: undefined };
      this.uploads.set(id, { ...request, id, received, touchedMs: nowMs, ...fresh });
    }
    const leftOvers = names.filter((name) => !this.uploads.has(name.split('.')[0]!));
    for (const name of leftOvers) files.remove(join(folder, name));
    return leftOvers;
  }

  begin(request: UploadRequest, nowMs: number): Upload {
    const { files } = this;
    const id = randomBytes(ID_BYTES).toString('hex');
    const open = { descriptor: undefined, hash: createHash('sha256') };
    const upload: OpenUpload = { ...request, id, received: 0, touchedMs: nowMs, ...open };
    this.uploads.set(id, upload);
    try {
      upload.descriptor = files.open(this.partPath(upload), 'wx');
      replaceFile(files, this.requestPath(upload), JSON.stringify(request));
    } catch (error) {
      this.forget(upload);
      throw error;
    }
    return upload;
  }

  write({ id }: Upload, chunk: Uint8Array, nowMs: number): void {
    const upload = this.uploads.get(id)!;
    const hash = this.hashOf(upload);
    upload.descriptor ??= this.files.open(this.partPath(upload), 'r+');
    writeAll(this.files, upload.descriptor, chunk, upload.received);
    hash.update(chunk);
    upload.received += chunk.length;
    upload.touchedMs = nowMs;
  }

  /** SHA-256 of what was received. */
  digest({ id }: Upload): string {
    return this.hashOf(this.uploads.get(id)!).copy().digest('hex');
  }

  /** All of it is on disk when this returns. */
  sync({ id }: Upload): void {
    const upload = this.uploads.get(id)!;
    upload.descriptor ??= this.files.open(this.partPath(upload), 'r+');
    this.files.sync(upload.descriptor);
  }

  isThere(upload: Upload): boolean {
    return this.files.status(this.partPath(upload)) !== undefined;
  }

  /** Ends an upload, and removes what is left of it. */
  discard(upload: Upload): void {
    this.release(upload);
    this.files.remove(this.requestPath(upload));
    this.files.remove(this.partPath(upload));
    syncFolder(this.files, this.folder);
  }

  /** The same as far as a disk that just failed lets it; the next start removes the rest. */
  forget(upload: Upload): void {
    for (const step of [
      () => this.release(upload),
      () => this.files.remove(this.requestPath(upload)),
      () => this.files.remove(this.partPath(upload)),
    ]) {
      try {
        step();
      } catch (error) {
        if (codeOfError(error) === undefined) throw error;
      }
    }
  }

  close(): void {
    for (const upload of this.uploads.values()) this.release(upload);
  }

  partPath({ id }: Upload): string {
    return join(this.folder, `${id}.part`);
  }

  private requestPath({ id }: Upload): string {
    return join(this.folder, `${id}.json`);
  }

  private release({ id }: Upload): void {
    const upload = this.uploads.get(id);
    this.uploads.delete(id);
    if (upload?.descriptor === undefined) return;
    const { descriptor } = upload;
    upload.descriptor = undefined;
    this.files.close(descriptor);
  }

  private hashOf(upload: OpenUpload): Hash {
    if (upload.hash) return upload.hash;
    const hash = createHash('sha256');
    const buffer = new Uint8Array(READ_BYTES);
    withFile(this.files, this.partPath(upload), 'r', (descriptor) => {
      for (let at = 0; at < upload.received; ) {
        const wanted = buffer.subarray(0, Math.min(buffer.length, upload.received - at));
        const bytes = readFully(this.files, descriptor, wanted, at);
        hash.update(bytes);
        at += bytes.length;
        if (bytes.length < wanted.length) break;
      }
    });
    upload.hash = hash;
    return hash;
  }
}

function parseRequest(text: string | undefined): UploadRequest | undefined {
  try {
    const { bytes, sha256, name } = JSON.parse(text ?? '') as Partial<UploadRequest>;
    const isWhole =
      Number.isSafeInteger(bytes) &&
      typeof sha256 === 'string' &&
      /^[0-9a-f]{64}$/.test(sha256) &&
      typeof name === 'string';
    return isWhole ? { bytes: bytes!, sha256, name } : undefined;
  } catch {
    return undefined;
  }
}
