/**
 * A file system that fails at a chosen operation, and folders for tests of the store. Operations are
 * counted from 1; a fault comes once or from then on.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileSystem, realFiles } from '../../src/store/files.ts';

export const FAULTS = ['ENOSPC', 'EIO', 'EROFS', 'EMFILE', 'short'] as const;
export type Fault = (typeof FAULTS)[number];

/** How the system names the operation in its errors. */
const SYSCALLS: Record<string, string> = {
  sync: 'fsync',
  syncData: 'fdatasync',
  makeFolder: 'mkdir',
};

export class FailingFiles implements FileSystem {
  operations = 0;
  /** The operation that failed first. */
  failed: string | undefined;
  private readonly at: number;
  private readonly fault: Fault;
  private readonly isLasting: boolean;

  constructor(at = Number.POSITIVE_INFINITY, fault: Fault = 'EIO', isLasting = false) {
    this.at = at;
    this.fault = fault;
    this.isLasting = isLasting;
  }

  open(path: string, flags: 'r' | 'r+' | 'w' | 'wx'): number {
    this.step('open');
    return realFiles.open(path, flags);
  }
  read(descriptor: number, target: Uint8Array, position: number): number {
    this.step('read');
    return realFiles.read(descriptor, target, position);
  }
  write(descriptor: number, bytes: Uint8Array, position: number): number {
    const isShort = this.step('write') && bytes.length > 1;
    const taken = isShort ? bytes.subarray(0, bytes.length >>> 1) : bytes;
    return realFiles.write(descriptor, taken, position);
  }
  sync(descriptor: number): void {
    this.step('sync');
    realFiles.sync(descriptor);
  }
  syncData(descriptor: number): void {
    this.step('syncData');
    realFiles.syncData(descriptor);
  }
  close(descriptor: number): void {
    // What was open is closed in any case, as Linux does it.
    realFiles.close(descriptor);
    this.step('close');
  }
  status(path: string) {
    this.step('status');
    return realFiles.status(path);
  }
  rename(from: string, to: string): void {
    this.step('rename');
    realFiles.rename(from, to);
  }
  remove(path: string): void {
    this.step('remove');
    realFiles.remove(path);
  }
  makeFolder(path: string): void {
    this.step('makeFolder');
    realFiles.makeFolder(path);
  }
  list(path: string): string[] {
    this.step('list');
    return realFiles.list(path);
  }
  freeBytes(path: string): number {
    this.step('freeBytes');
    return realFiles.freeBytes(path);
  }

  /** True where a write is to be short. */
  private step(operation: string): boolean {
    this.operations++;
    const isNow = this.isLasting ? this.operations >= this.at : this.operations === this.at;
    if (!isNow) return false;
    this.failed ??= operation;
    if (this.fault === 'short') return true;
    throw systemError(this.fault, SYSCALLS[operation] ?? operation);
  }
}

export function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: made for a test, ${syscall}`), { code, syscall });
}

/** As node:sqlite throws it. */
export function sqliteError(errcode: number): Error {
  return Object.assign(new Error(`made for a test: ${errcode}`), {
    code: 'ERR_SQLITE_ERROR',
    errcode,
  });
}

/** A folder that goes when the process does; in memory where there is such a place. */
export function temporaryFolder(name: string): string {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(base, `uplift-${name}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
