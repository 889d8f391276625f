/**
 * When a gateway whose store failed is started anew in the same process: not before its disk takes and
 * keeps bytes again, and the more seldom the more often it failed.
 */
import { join } from 'node:path';
import { codeOfError } from '../store/codes.ts';
import { type FileSystem, realFiles, withFile, writeAll } from '../store/files.ts';

export interface ReopeningLimits {
  /** From the fault to the first attempt; each that follows waits twice as long. */
  firstMs: number;
  longestMs: number;
  /** So long without a fault, and it is as if there was none. */
  forgottenMs: number;
}

export const REOPENING_LIMITS: ReopeningLimits = {
  firstMs: 10_000,
  longestMs: 15 * 60_000,
  forgottenMs: 24 * 3_600_000,
};

/** More than the first records of a start need. */
const PROBE_BYTES = 1024 * 1024;

export class Reopening {
  private readonly folder: string;
  private readonly files: FileSystem;
  private readonly limits: ReopeningLimits;
  private failures = 0;
  private dueMs: number | undefined;
  private wellSinceMs: number | undefined;

  constructor(
    folder: string,
    { files = realFiles, limits = REOPENING_LIMITS }: ReopeningOptions = {},
  ) {
    this.folder = folder;
    this.files = files;
    this.limits = limits;
  }

  /** Told again and again how the store is: whether it is time to open it anew. */
  isDue(isFaulted: boolean, nowMs: number): boolean {
    const { firstMs, longestMs, forgottenMs } = this.limits;
    if (!isFaulted) {
      this.dueMs = undefined;
      this.wellSinceMs ??= nowMs;
      if (nowMs - this.wellSinceMs >= forgottenMs) this.failures = 0;
      return false;
    }
    this.wellSinceMs = undefined;
    this.dueMs ??= nowMs + Math.min(firstMs * 2 ** this.failures++, longestMs);
    if (nowMs < this.dueMs) return false;
    if (this.keepsBytes()) return true;
    this.dueMs = nowMs + Math.min(firstMs * 2 ** this.failures++, longestMs);
    return false;
  }

  private keepsBytes(): boolean {
    const path = join(this.folder, 'probe');
    const bytes = new Uint8Array(PROBE_BYTES).fill(0x55);
    try {
      withFile(this.files, path, 'w', (descriptor) => {
        writeAll(this.files, descriptor, bytes, 0);
        this.files.sync(descriptor);
      });
      this.files.remove(path);
      return true;
    } catch (error) {
      if (codeOfError(error) === undefined) throw error;
      return false;
    }
  }
}

export interface ReopeningOptions {
  files?: FileSystem;
  limits?: ReopeningLimits;
}
