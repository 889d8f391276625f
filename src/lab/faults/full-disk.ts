/**
 * Files on a disk that fills up: from then on nothing that takes room is written, as the system refuses it
 * (ENOSPC), and everything else goes on. Room comes back when it is made.
 */
import type { FileSystem } from '../../store/files.ts';

export class FillingDisk {
  /** Writes that were refused. */
  refusals = 0;
  readonly files: FileSystem;
  /** Bytes that still fit; Infinity where it is not filling. */
  private roomBytes = Number.POSITIVE_INFINITY;

  constructor(files: FileSystem) {
    this.files = {
      ...bound(files),
      open: (path, flags) => {
        // A new file takes a new entry; what is there may be opened on a full disk too.
        const isNew = flags.startsWith('w') && files.status(path) === undefined;
        if (isNew) this.take(0, 'open');
        return files.open(path, flags);
      },
      write: (descriptor, bytes, position) => {
        const fits = Math.min(bytes.length, this.take(bytes.length, 'write'));
        return files.write(descriptor, bytes.subarray(0, fits), position);
      },
      makeFolder: (path) => {
        this.take(0, 'mkdir');
        files.makeFolder(path);
      },
      freeBytes: (path) => Math.min(this.roomBytes, files.freeBytes(path)),
    };
  }

  /** So many more bytes fit. */
  fill(roomBytes = 0): void {
    this.roomBytes = roomBytes;
  }

  makeRoom(): void {
    this.roomBytes = Number.POSITIVE_INFINITY;
  }

  /** How many of them fit; a disk takes a part of what it has room for. */
  private take(bytes: number, syscall: string): number {
    if (this.roomBytes <= 0) {
      this.refusals++;
      const words = `ENOSPC: no space left on device, ${syscall}`;
      throw Object.assign(new Error(words), { code: 'ENOSPC', errno: -28, syscall });
    }
    const fits = Math.min(bytes, this.roomBytes);
    this.roomBytes -= fits;
    return fits;
  }
}

function bound(files: FileSystem): FileSystem {
  return {
    open: (path, flags) => files.open(path, flags),
    read: (descriptor, target, position) => files.read(descriptor, target, position),
    write: (descriptor, bytes, position) => files.write(descriptor, bytes, position),
    sync: (descriptor) => files.sync(descriptor),
    syncData: (descriptor) => files.syncData(descriptor),
    close: (descriptor) => files.close(descriptor),
    status: (path) => files.status(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    makeFolder: (path) => files.makeFolder(path),
    list: (path) => files.list(path),
    freeBytes: (path) => files.freeBytes(path),
  };
}
