/**
 * Images by what they are: files named by their SHA-256, written once, hashed again whenever one is used.
 *
 *     images/ab/abcd….img      complete, and as it was stated
 *     uploads/ID.part, .json   being uploaded: what came so far, and what it is to be
 *     poisoned/HASH.N          found to be something else than its name says
 *     images.lock              while a process has it open
 *
 * A file gets its name when all of it is on disk: half an image never has one. No name that a client
 * gives becomes part of a path. An image is held in memory where it is used, never where it is written.
 */
import { createHash, type Hash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { assert } from '../errors.ts';
import { sha256Hex } from '../trust/digest.ts';
import {
  codeOfError,
  faulted,
  READY,
  refuse,
  type StoreCode,
  type StoreRefusal,
  type StoreState,
} from './codes.ts';
import { type FileSystem, readFully, realFiles, syncFolder, withFile } from './files.ts';
import { type Upload, UploadFolder, type UploadRequest } from './image-uploads.ts';
import { openLocked } from './opening.ts';
import { giveUpLock } from './process-lock.ts';

export interface ImageStoreOptions {
  files?: FileSystem;
  /** No larger image is kept. */
  imageBytesMax?: number;
  /** Stored images and uploads together. */
  totalBytesMax?: number;
  /** What is left free on the disk for everything else. */
  reserveBytes?: number;
  uploadsMax?: number;
  /** An upload that nothing was added to for so long is forgotten. */
  staleMs?: number;
}

export interface ImageStoreReport {
  images: number;
  uploads: number;
  /** Left by a process that was killed, and removed: files in `uploads` that belong to no upload. */
  leftOvers: string[];
}

export interface StoredImage {
  sha256: string;
  bytes: number;
}

export type Begun =
  | { ok: true; kind: 'upload'; uploadId: string; offset: number }
  /** The store has it already. */
  | { ok: true; kind: 'present'; sha256: string }
  | StoreRefusal;
export type Appended =
  | { ok: true; offset: number }
  /** With `upload-offset`: where the upload goes on. */
  | (StoreRefusal & { offset?: number });
export type UploadStatus =
  | { ok: true; offset: number; bytes: number; expiresMs: number }
  | StoreRefusal;
export type Finished =
  | { ok: true; sha256: string; bytes: number; name: string }
  | (StoreRefusal & { offset?: number });
export type OpenedImage = { ok: true; sha256: string; bytes: Uint8Array } | StoreRefusal;

const DEFAULTS = {
  // Larger than any image that is read.
  imageBytesMax: 67_108_864,
  totalBytesMax: 4 * 1024 * 1024 * 1024,
  reserveBytes: 256 * 1024 * 1024,
  uploadsMax: 16,
  staleMs: 24 * 60 * 60 * 1000,
};
const NAME_CHARACTERS_MAX = 255;
const HASH_CHUNK_BYTES = 256 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/** Trouble that leaves nothing on disk in doubt. */
const PASSING: readonly StoreCode[] = ['open-files'];

export class ImageStore {
  readonly folder: string;
  private readonly files: FileSystem;
  private readonly limits: Required<Omit<ImageStoreOptions, 'files'>>;
  private readonly uploads: UploadFolder;
  private readonly stored = new Map<string, number>();
  private condition: StoreState = READY;
  private isOpen = true;

  private constructor(folder: string, { files = realFiles, ...limits }: ImageStoreOptions) {
    this.folder = folder;
    this.files = files;
    this.limits = { ...DEFAULTS, ...limits };
    this.uploads = new UploadFolder(files, join(folder, 'uploads'));
  }

  /** Opens it for this process alone. @throws UpliftError */
  static open(
    folder: string,
    options: ImageStoreOptions,
    nowMs: number,
  ): { images: ImageStore; report: ImageStoreReport } {
    const images = new ImageStore(folder, options);
    return openLocked({
      folder,
      lock: images.lockPath,
      prepare: () => {
        for (const name of ['images', 'uploads', 'poisoned']) {
          images.files.makeFolder(join(folder, name));
        }
        syncFolder(images.files, folder);
      },
      open: () => ({ images, report: images.load(nowMs) }),
    });
  }

  get state(): StoreState {
    return this.condition;
  }

  /** Stored images and what uploads are to have. */
  get usedBytes(): number {
    let bytes = 0;
    for (const size of this.stored.values()) bytes += size;
    for (const upload of this.uploads.all()) bytes += upload.bytes;
    return bytes;
  }

  list(): StoredImage[] {
    return [...this.stored].map(([sha256, bytes]) => ({ sha256, bytes }));
  }

  /** Undefined where it is not there. */
  bytesOf(sha256: string): number | undefined {
    return this.stored.get(sha256);
  }

  has(sha256: string): boolean {
    return this.stored.has(sha256);
  }

  /** What an image is to be, before its first byte. */
  begin(request: UploadRequest, nowMs: number): Begun {
    const { bytes, sha256, name } = request;
    if (!SHA256.test(sha256)) return refuse('digest-malformed');
    const { imageBytesMax, uploadsMax } = this.limits;
    if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes > imageBytesMax) {
      return refuse('image-size', `${bytes} of at most ${imageBytesMax} bytes`);
    }
    return this.guarded('beginning an upload', (): Begun => {
      if (this.stored.has(sha256) && this.proves(sha256)) {
        return { ok: true, kind: 'present', sha256 };
      }
      if (this.uploads.count >= uploadsMax) return refuse('uploads-many');
      const room = this.roomFor(bytes);
      if (room) return room;
      const bounded = { bytes, sha256, name: name.slice(0, NAME_CHARACTERS_MAX) };
      const { id } = this.uploads.begin(bounded, nowMs);
      return { ok: true, kind: 'upload', uploadId: id, offset: 0 };
    });
  }

  /** How far an upload came: what a client that lost its connection asks. */
  status(uploadId: string): UploadStatus {
    const upload = this.uploads.get(uploadId);
    if (!upload) return refuse('upload-unknown');
    const { received, bytes, touchedMs } = upload;
    return { ok: true, offset: received, bytes, expiresMs: touchedMs + this.limits.staleMs };
  }

  /** The bytes are the caller's again when this returns. */
  append(uploadId: string, offset: number, chunk: Uint8Array, nowMs: number): Appended {
    return this.withUpload(uploadId, (upload): Appended => {
      if (offset !== upload.received) {
        return { ...refuse('upload-offset', `${upload.received}`), offset: upload.received };
      }
      if (chunk.length > upload.bytes - offset) {
        this.uploads.discard(upload);
        return refuse('upload-too-long', `${upload.bytes} bytes`);
      }
      this.uploads.write(upload, chunk, nowMs);
      return { ok: true, offset: upload.received };
    });
  }

  /** Keeps the image if all of it is what was stated, and nothing of it otherwise. */
  finish(uploadId: string): Finished {
    return this.withUpload(uploadId, (upload): Finished => {
      const { received, bytes, sha256, name } = upload;
      if (received < bytes) {
        return {
          ...refuse('upload-incomplete', `${received} of ${bytes} bytes`),
          offset: received,
        };
      }
      if (this.uploads.digest(upload) !== sha256) {
        this.uploads.discard(upload);
        return refuse('digest-differs');
      }
      this.keep(upload);
      return { ok: true, sha256, bytes, name };
    });
  }

  abandon(uploadId: string): { ok: true } | StoreRefusal {
    return this.withUpload(uploadId, (upload) => {
      this.uploads.discard(upload);
      return { ok: true };
    });
  }

  /**
   * The image for use, hashed as it is now, in memory of its own: what is sent is what was hashed. One
   * that is something else than its name says is set aside.
   */
  open(sha256: string): OpenedImage {
    const size = this.stored.get(sha256);
    if (size === undefined) return refuse('image-missing');
    return this.reading('reading an image', (): OpenedImage => {
      const path = this.imagePath(sha256);
      const status = this.files.status(path);
      if (!status) {
        this.stored.delete(sha256);
        return refuse('image-missing');
      }
      if (status.bytes === size) {
        const bytes = withFile(this.files, path, 'r', (descriptor) =>
          readFully(this.files, descriptor, new Uint8Array(size), 0),
        );
        if (sha256Hex(bytes) === sha256) return { ok: true, sha256, bytes };
      }
      return this.setAside(sha256);
    });
  }

  /** Deletes the images that nothing needs, and says which. */
  removeUnused(needed: ReadonlySet<string>): { ok: true; removed: string[] } | StoreRefusal {
    return this.guarded('removing images', () => {
      const removed = [...this.stored.keys()].filter((sha256) => !needed.has(sha256));
      for (const sha256 of removed) {
        this.files.remove(this.imagePath(sha256));
        this.stored.delete(sha256);
        syncFolder(this.files, dirname(this.imagePath(sha256)));
      }
      return { ok: true as const, removed };
    });
  }

  /** When `handleTimeout` wants to be called next; Infinity for never. */
  pollTimeout(): number {
    if (this.condition.state === 'faulted') return Number.POSITIVE_INFINITY;
    const { staleMs } = this.limits;
    return Math.min(...this.uploads.all().map(({ touchedMs }) => touchedMs + staleMs));
  }

  /** Forgets uploads that are stale. */
  handleTimeout(nowMs: number): void {
    const { staleMs } = this.limits;
    this.guarded('forgetting a stale upload', () => {
      for (const upload of this.uploads.all()) {
        if (nowMs - upload.touchedMs >= staleMs) this.uploads.discard(upload);
      }
      return { ok: true as const };
    });
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    giveUpLock(this.lockPath);
    this.uploads.close();
  }

  private get lockPath(): string {
    return join(this.folder, 'images.lock');
  }

  /** Where an image is, or would be. */
  imagePath(sha256: string): string {
    assert(SHA256.test(sha256), 'only a digest becomes a path');
    return join(this.folder, 'images', sha256.slice(0, 2), `${sha256}.img`);
  }

  private load(nowMs: number): ImageStoreReport {
    const { files, folder } = this;
    for (const prefix of files.list(join(folder, 'images'))) {
      for (const file of files.list(join(folder, 'images', prefix))) {
        const sha256 = file.slice(0, -'.img'.length);
        const isNamed = SHA256.test(sha256) && file === `${sha256}.img`;
        const status = files.status(join(folder, 'images', prefix, file));
        if (isNamed && status && prefix === sha256.slice(0, 2)) {
          this.stored.set(sha256, status.bytes);
        }
      }
    }
    const leftOvers = this.uploads.load(nowMs);
    return { images: this.stored.size, uploads: this.uploads.count, leftOvers };
  }

  private roomFor(bytes: number): StoreRefusal | undefined {
    const { totalBytesMax, reserveBytes } = this.limits;
    if (this.usedBytes + bytes > totalBytesMax) {
      return refuse('store-full', `${this.usedBytes} of ${totalBytesMax} bytes`);
    }
    let promised = 0;
    for (const upload of this.uploads.all()) promised += upload.bytes - upload.received;
    const free = this.files.freeBytes(this.folder) - promised - reserveBytes;
    return free < bytes ? refuse('disk-low', `${Math.max(0, free)} bytes`) : undefined;
  }

  /** From its first name to the one it keeps, on disk at every step. */
  private keep(upload: Upload): void {
    const { files } = this;
    const path = this.imagePath(upload.sha256);
    const folder = dirname(path);
    this.uploads.sync(upload);
    files.makeFolder(folder);
    syncFolder(files, dirname(folder));
    files.rename(this.uploads.partPath(upload), path);
    syncFolder(files, folder);
    this.stored.set(upload.sha256, upload.bytes);
    this.uploads.discard(upload);
  }

  /** Whether the stored file is what its name says; one that is not is set aside. */
  private proves(sha256: string): boolean {
    const path = this.imagePath(sha256);
    if (!this.files.status(path)) {
      this.stored.delete(sha256);
      return false;
    }
    const isSame = digestOfFile(this.files, path) === sha256;
    if (!isSame) this.setAside(sha256);
    return isSame;
  }

  private setAside(sha256: string): StoreRefusal {
    const { files, folder } = this;
    const taken = files.list(join(folder, 'poisoned')).filter((name) => name.startsWith(sha256));
    const aside = join(folder, 'poisoned', `${sha256}.${taken.length + 1}`);
    this.stored.delete(sha256);
    files.rename(this.imagePath(sha256), aside);
    syncFolder(files, join(folder, 'poisoned'));
    syncFolder(files, dirname(this.imagePath(sha256)));
    return refuse('image-poisoned', aside);
  }

  private withUpload<T extends { ok: boolean }>(
    uploadId: string,
    work: (upload: Upload) => T,
  ): T | StoreRefusal {
    return this.guarded('taking an upload', () => {
      const upload = this.uploads.get(uploadId);
      if (!upload) return refuse('upload-unknown');
      try {
        return work(upload);
      } catch (error) {
        const code = codeOfError(error);
        // What is on disk of it is in doubt, so it begins anew.
        const isSame = code && PASSING.includes(code) && this.uploads.isThere(upload);
        if (code && !isSame) this.uploads.forget(upload);
        throw error;
      }
    });
  }

  /** Work that writes: not after a fault. */
  private guarded<T extends { ok: boolean }>(doing: string, work: () => T): T | StoreRefusal {
    if (this.condition.state === 'ready') return this.reading(doing, work);
    return refuse('faulted', `${this.condition.code}: ${this.condition.detail}`);
  }

  private reading<T extends { ok: boolean }>(doing: string, work: () => T): T | StoreRefusal {
    assert(this.isOpen, 'the image store is open');
    try {
      return work();
    } catch (error) {
      const code = codeOfError(error);
      if (code === undefined) throw error;
      const detail = `${doing}: ${(error as Error).message}`;
      const isFirst = this.condition.state === 'ready';
      if (isFirst && !PASSING.includes(code)) this.condition = faulted(code, detail);
      return refuse(code, detail);
    }
  }
}

function digestOfFile(files: FileSystem, path: string): string {
  const hash: Hash = createHash('sha256');
  const buffer = new Uint8Array(HASH_CHUNK_BYTES);
  withFile(files, path, 'r', (descriptor) => {
    for (let at = 0; ; ) {
      const bytes = readFully(files, descriptor, buffer, at);
      hash.update(bytes);
      at += bytes.length;
      if (bytes.length < buffer.length) return;
    }
  });
  return hash.digest('hex');
}
