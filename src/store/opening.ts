/** How a part of the store is opened: its folder made, its lock taken, and what goes wrong told. */
import { EXIT, UpliftError } from '../errors.ts';
import { codeOfError, STORE_CODES } from './codes.ts';
import { giveUpLock, takeLock } from './process-lock.ts';

export interface Opening<T> {
  folder: string;
  lock: string;
  /** Before the lock: the folder that it lies in. */
  prepare(): void;
  /** Under the lock, which is given up where this throws. */
  open(): T;
}

/** For this process alone. @throws UpliftError */
export function openLocked<T>({ folder, lock, prepare, open }: Opening<T>): T {
  try {
    prepare();
    const taken = takeLock(lock);
    if (!taken.taken) throw inUse(folder, taken.holder);
    try {
      return open();
    } catch (error) {
      giveUpLock(lock);
      throw error;
    }
  } catch (error) {
    throw notOpened(folder, error);
  }
}

function inUse(folder: string, holder: string): UpliftError {
  return new UpliftError('store-in-use', `another Uplift (${holder}) is using ${folder}`, {
    expected: 'to be the only one that writes to it',
    actual: `${holder} has its lock, and is running`,
    next: 'wait for it or stop it, then try again',
    exit: EXIT.notReachable,
  });
}

function notOpened(folder: string, error: unknown): unknown {
  const code = codeOfError(error);
  if (error instanceof UpliftError || code === undefined) return error;
  return new UpliftError('store-unusable', `the store ${folder} cannot be opened`, {
    expected: 'a folder on a disk that this user may read and write',
    actual: `${STORE_CODES[code]} (${(error as Error).message})`,
    next: 'put that right; nothing of what is in it was changed',
    cause: error,
  });
}
