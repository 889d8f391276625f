/**
 * Copies of the journal while it is in use: one beside it every day, from which a damaged one is put
 * together again, and, where the configuration names a folder, dated ones there. A copy that fails is
 * told and made another time; the work goes on.
 */
import { join } from 'node:path';
import { UpliftError } from '../errors.ts';
import type { Log } from '../ports.ts';
import { copyFile, type FileSystem, realFiles } from '../store/files.ts';

export interface CopiedJournal {
  /** When the copy beside it is due, ms. */
  readonly backupDueMs: number;
  /** @throws UpliftError */
  backup(): Promise<{ path: string }>;
}

export interface DatedCopies {
  directory: string;
  everyHours: number;
  /** The newest that stay. */
  keep: number;
}

export interface JournalCopiesOptions {
  journal: CopiedJournal;
  dated: DatedCopies | undefined;
  log: Log;
  files?: FileSystem;
}

const HOUR_MS = 3_600_000;
/** After a failure. */
const AGAIN_MS = HOUR_MS;

export class JournalCopies {
  private readonly options: JournalCopiesOptions;
  private readonly files: FileSystem;
  private running: Promise<void> | undefined;
  private notBeforeMs = 0;

  constructor(options: JournalCopiesOptions) {
    this.options = options;
    this.files = options.files ?? realFiles;
  }

  /** Begins what is due; nothing waits for it. */
  keepHouse(nowMs: number): void {
    if (this.running || nowMs < this.notBeforeMs) return;
    const isDue = nowMs >= this.options.journal.backupDueMs;
    const isDatedDue = nowMs >= this.datedDueMs();
    if (!isDue && !isDatedDue) return;
    this.running = this.copy(isDatedDue, nowMs).finally(() => {
      this.running = undefined;
    });
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await this.running;
  }

  private async copy(isDated: boolean, nowMs: number): Promise<void> {
    const { journal, dated, log } = this.options;
    try {
      const { path } = await journal.backup();
      if (!dated || !isDated) return;
      copyFile(this.files, path, join(dated.directory, nameOf(nowMs)));
      const names = this.datedNames();
      for (const name of names.slice(0, Math.max(0, names.length - dated.keep))) {
        this.files.remove(join(dated.directory, name));
      }
    } catch (error) {
      this.notBeforeMs = nowMs + AGAIN_MS;
      const { message, code = 'journal-copy' } = error as Error & { code?: string };
      const actual = error instanceof UpliftError ? `: ${error.actual}` : '';
      log.write('error', `the journal was not copied: ${message}${actual}`, { code });
    }
  }

  private datedDueMs(): number {
    const { dated } = this.options;
    if (!dated) return Number.POSITIVE_INFINITY;
    const newest = this.datedNames().at(-1);
    return newest === undefined ? 0 : momentOf(newest) + dated.everyHours * HOUR_MS;
  }

  /** The oldest first; other files in the folder are none of ours. */
  private datedNames(): string[] {
    const { directory } = this.options.dated!;
    return this.files
      .list(directory)
      .filter((name) => NAME.test(name))
      .sort();
  }
}

const NAME = /^journal-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.db$/;

function nameOf(atMs: number): string {
  const [moment] = new Date(atMs).toISOString().replaceAll(/[-:]/g, '').split('.');
  return `journal-${moment}Z.db`;
}

function momentOf(name: string): number {
  const [, year, month, day, hour, minute, second] = NAME.exec(name)!.map(Number);
  return Date.UTC(year!, month! - 1, day, hour, minute, second);
}
