/**
 * What can go wrong with the store. One table for the whole folder; codes are never reused.
 *
 * A fault is trouble with the disk. What was being written is then in doubt, and a second attempt that
 * succeeds would prove nothing about the first: the store takes no more, keeps what it has, and says why
 * until it is opened anew. A refusal is about one request, and the store goes on.
 */
export const STORE_CODES = {
  // Faults.
  'no-space': 'The disk, or the share of it that is allowed, is full.',
  'sync-failed': 'The disk did not confirm what was written to it.',
  io: 'The disk failed to read or write.',
  'read-only': 'The disk takes no writes.',
  denied: 'This user may not read or write here.',
  missing: 'A file or folder of the store is gone.',
  damaged: 'A file of the store is not what was written.',
  busy: 'Another program holds the database.',
  system: 'The operating system refused for another reason.',

  // Refusals.
  'open-files': 'The process has as many files open as it may.',
  faulted: 'The store had a fault before and takes no more until it is opened anew.',
  'digest-malformed': 'A SHA-256 is 64 lower-case hexadecimal digits.',
  'image-size': 'No image is of such a size, or larger ones are not kept.',
  'store-full': 'With this image the store would hold more than it may.',
  'disk-low': 'The disk has too little room for the image.',
  'uploads-many': 'As many uploads are under way as may be.',
  'upload-unknown': 'There is no such upload: it ended, expired, or never began.',
  'upload-offset': 'The upload goes on at another offset.',
  'upload-too-long': 'More came than the upload was to have; nothing is kept.',
  'upload-incomplete': 'The upload has not come to its end.',
  'digest-differs': 'What was uploaded has another SHA-256 than was stated; nothing is kept.',
  'image-missing': 'The store has no such image.',
  'image-poisoned': 'The stored image is not what was stored; it is set aside.',
} as const;

export type StoreCode = keyof typeof STORE_CODES;

export type StoreState =
  | { state: 'ready' }
  | {
      state: 'faulted';
      code: StoreCode;
      message: string;
      /** What was done, and what the system said to it. */
      detail: string;
    };

export interface StoreRefusal {
  ok: false;
  code: StoreCode;
  message: string;
}

export const READY: StoreState = { state: 'ready' };

export function refuse(code: StoreCode, detail?: string): StoreRefusal {
  const message = detail === undefined ? STORE_CODES[code] : `${STORE_CODES[code]} (${detail})`;
  return { ok: false, code, message };
}

export function faulted(code: StoreCode, detail: string): StoreState {
  return { state: 'faulted', code, message: STORE_CODES[code], detail };
}

const SYSTEM_ERRORS: Record<string, StoreCode> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
  EIO: 'io',
  EROFS: 'read-only',
  EMFILE: 'open-files',
  ENFILE: 'open-files',
  EACCES: 'denied',
  EPERM: 'denied',
  ENOENT: 'missing',
};

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const SQLITE_ERRORS: Record<number, StoreCode> = {
  3: 'denied',
  5: 'busy',
  6: 'busy',
  8: 'read-only',
  10: 'io',
  11: 'damaged',
  13: 'no-space',
  14: 'denied',
  26: 'damaged',
};
/** SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC. */
const SQLITE_SYNC_ERRORS = [1034, 1290];

/** The code of what the system or SQLite threw; `undefined` where neither did, which is a bug of ours. */
export function codeOfError(error: unknown): StoreCode | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode, syscall } = error as NodeJS.ErrnoException & { errcode?: number };
  if (code === 'ERR_SQLITE_ERROR' && errcode !== undefined) {
    if (SQLITE_SYNC_ERRORS.includes(errcode)) return 'sync-failed';
    return SQLITE_ERRORS[errcode & 0xff];
  }
  if (code === undefined || syscall === undefined) return undefined;
  if (syscall === 'fsync' || syscall === 'fdatasync') return 'sync-failed';
  return SYSTEM_ERRORS[code] ?? 'system';
}
