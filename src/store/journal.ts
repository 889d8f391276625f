/**
 * The journal: everything the gateway does, in order, in a chain that shows every change. A record is on
 * disk before `append` returns, and only then is done what it announces.
 *
 *     journal.db         the records, in SQLite (with -wal and -shm while it is open)
 *     journal.head       sequence and hash of the newest that was acknowledged
 *     journal.lock       while a process has it open
 *     journal.db.backup  a copy of some earlier day
 *     archive/           what was retired, in the audit log's format
 *
 * A record may be on disk without having been acknowledged: where `append` threw, or the process ended
 * within it. The next start finds it and says how many there are.
 *
 * Invariants: sequence numbers are never given out twice; an acknowledged record is either readable, in
 * an archive, or reported as lost; after a fault nothing is written until the journal is opened anew.
 */
import { join } from 'node:path';
import {
  type AuditCheck,
  type AuditHead,
  type ChainEntry,
  type ChainRecord,
  type CheckpointEntry,
  nextRecord,
  recordLine,
} from '../audit/chain.ts';
import { assert, UpliftError } from '../errors.ts';
import { codeOfError, faulted, READY, STORE_CODES, type StoreState } from './codes.ts';
import { type FileSystem, realFiles, syncFolder, withFile } from './files.ts';
import { exportRows, exportTo, type JournalExport } from './journal-export.ts';
import {
  backupPathOf,
  type JournalOptions,
  type JournalReport,
  openParts,
  type Parts,
  proveCopy,
} from './journal-opening.ts';
import { headLineOf, type JournalTable } from './journal-table.ts';
import type { KeptHead } from './kept-head.ts';
import { openLocked } from './opening.ts';
import { giveUpLock } from './process-lock.ts';
import type { Database } from './sqlite.ts';

/** What is recorded: a kind of the caller's and whatever else that is JSON. */
export type JournalEntry = ChainEntry & Readonly<Record<string, unknown>>;
export type JournalRecord = ChainRecord<JournalEntry>;

/** Written by the journal itself. */
const OWN_KINDS: readonly string[] = ['checkpoint', 'recovered'];
/** Of one record's line; the audit log finds its newest record within as much. */
export const RECORD_CHARACTERS_MAX = 256 * 1024;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Notes kept back at most; with more they are written without waiting. */
const NOTES_MAX = 1000;

export type { JournalOptions, JournalReport } from './journal-opening.ts';

export interface Retirement {
  /** The newest record that is in the archive now. */
  retired: AuditHead;
  archive: string;
  records: number;
}

interface Note {
  entry: JournalEntry;
  atMs: number;
}

export class Journal {
  readonly folder: string;
  private readonly files: FileSystem;
  private readonly options: JournalOptions;
  private readonly database: Database;
  private readonly table: JournalTable;
  private readonly kept: KeptHead;
  private newest: AuditHead;
  private condition: StoreState = READY;
  /** By what they are replaced by, a key or themselves; in the order of their times. */
  private readonly notes = new Map<string | symbol, Note>();
  /** When the first of them was put down, or one that it took the place of. */
  private notedMs = Number.POSITIVE_INFINITY;
  /** When the log is moved into the database; Infinity when nothing is in it. */
  private checkpointMs = Number.POSITIVE_INFINITY;
  private isOpen = true;

  private constructor(folder: string, options: JournalOptions, parts: Parts) {
    this.folder = folder;
    this.files = options.files ?? realFiles;
    this.options = options;
    this.database = parts.database;
    this.table = parts.table;
    this.kept = parts.kept;
    this.newest = parts.head;
  }

  /** Opens it for this process alone, after a check of all of it. @throws UpliftError */
  static open(
    folder: string,
    options: JournalOptions,
    nowMs: number,
  ): { journal: Journal; report: JournalReport } {
    const files = options.files ?? realFiles;
    return openLocked({
      folder,
      lock: join(folder, 'journal.lock'),
      prepare: () => files.makeFolder(folder),
      open: () => {
        const { parts, report } = openParts(folder, files, options, nowMs);
        return { journal: new Journal(folder, options, parts), report };
      },
    });
  }

  get state(): StoreState {
    return this.condition;
  }

  /** Of the newest record that was acknowledged. */
  get head(): AuditHead {
    return this.newest;
  }

  get bytes(): number {
    return this.database.bytes;
  }

  /**
   * Writes the notes that wait and then these, all or none: they are on disk when it returns, with their
   * records for these alone. @throws UpliftError where they are not acknowledged
   */
  append(entries: readonly JournalEntry[], nowMs: number): JournalRecord[] {
    for (const { kind } of entries)
      assert(!OWN_KINDS.includes(kind), `${kind} is not the caller's`);
    const waiting = [...this.notes.values()];
    const all = [...waiting, ...entries.map((entry) => ({ entry, atMs: nowMs }))];
    const records = this.write(all, nowMs);
    this.notes.clear();
    this.notedMs = Number.POSITIVE_INFINITY;
    return records.slice(waiting.length);
  }

  /**
   * Keeps a record of progress back, to be written with the next that cannot wait, or after `flushMs`. A
   * later note with the same key takes the place of one that still waits, and does not make the others, or
   * what is told of its own progress, wait longer. What waits is lost if the process ends, so nothing may
   * depend on it.
   */
  note(entry: JournalEntry, nowMs: number, key?: string): void {
    assert(!OWN_KINDS.includes(entry.kind), `${entry.kind} is not the caller's`);
    const place = key ?? Symbol();
    this.notes.delete(place);
    this.notes.set(place, { entry, atMs: nowMs });
    this.notedMs = Math.min(this.notedMs, nowMs);
    if (this.notes.size >= NOTES_MAX) this.append([], nowMs);
  }

  /** When `handleTimeout` wants to be called next; Infinity for never. */
  pollTimeout(): number {
    if (this.condition.state === 'faulted' || !this.isOpen) return Number.POSITIVE_INFINITY;
    return Math.min(this.notesMs(), this.checkpointMs);
  }

  /** @throws UpliftError where notes could not be written */
  handleTimeout(nowMs: number): void {
    if (nowMs < this.pollTimeout()) return;
    if (nowMs >= this.notesMs()) this.append([], nowMs);
    if (nowMs < this.checkpointMs) return;
    this.guarded('moving the log into the database', () => this.database.checkpoint());
    this.checkpointMs = Number.POSITIVE_INFINITY;
  }

  /** Acknowledged records from a number on, oldest first; it may go on while others are appended. */
  *records(fromSequence = 1, limit = Number.POSITIVE_INFINITY): Generator<JournalRecord> {
    let left = limit;
    if (left <= 0) return;
    try {
      for (const record of this.table.records(fromSequence, this.newest.sequence)) {
        yield record as JournalRecord;
        if (--left <= 0) return;
      }
    } catch (error) {
      throw this.failed('reading records', error, true);
    }
  }

  /** Everything that is wrong, against the kept head and one that was kept elsewhere. */
  check(trusted?: AuditHead): AuditCheck {
    try {
      return this.table.check({ headLine: headLineOf(this.kept.read()), trusted });
    } catch (error) {
      throw this.failed('checking the records', error, false);
    }
  }

  /** Writes all acknowledged records to a file in the audit log's format, with its head beside it. */
  exportTo(path: string): JournalExport {
    return exportTo(this.files, this.table, path, { from: 1, to: this.newest.sequence });
  }

  /**
   * Moves the oldest records into an archive: those before a number, or the longest run at the beginning
   * that is older than a time. The chain stays provable; `undefined` where there is nothing to retire.
   */
  retire(
    bound: { beforeSequence: number } | { olderThanMs: number },
    nowMs: number,
  ): Retirement | undefined {
    const last = this.lastToRetire(bound);
    if (!last) return undefined;
    return this.guarded('retiring records', () => {
      const archive = this.archive(last);
      const entry: CheckpointEntry = {
        kind: 'checkpoint',
        retired: { sequence: last.sequence, hash: last.hash },
        archive: { name: archive.name, sha256: archive.sha256, records: archive.records },
      };
      // Removed first: a database that is full has room for the checkpoint then.
      this.write([{ entry, atMs: nowMs }], nowMs, () => this.table.removeUpTo(last.sequence));
      this.database.exec('PRAGMA incremental_vacuum');
      return { retired: entry.retired, archive: archive.path, records: archive.records };
    });
  }

  /** When the daily copy is due: at once where there is none. */
  get backupDueMs(): number {
    const status = this.files.status(backupPathOf(this.folder));
    return status ? status.modifiedMs + DAY_MS : 0;
  }

  /** Copies the database while work goes on, and proves the copy. @throws UpliftError */
  async backup(): Promise<{ path: string; head: AuditHead }> {
    this.assertReady();
    const path = backupPathOf(this.folder);
    const copy = `${path}.new`;
    try {
      for (const end of ['', '-wal', '-shm']) this.files.remove(copy + end);
      await this.database.backup(copy);
      const { head } = proveCopy(copy);
      withFile(this.files, copy, 'r+', (descriptor) => this.files.sync(descriptor));
      this.files.rename(copy, path);
      syncFolder(this.files, this.folder);
      return { path, head };
    } catch (error) {
      // The journal itself is as good as it was.
      throw this.told('copying the database', error, true);
    }
  }

  /** Writes the notes that wait, where it still can, and lets others open it. */
  close(): void {
    if (!this.isOpen) return;
    try {
      if (this.condition.state === 'ready') this.append([], 0);
    } finally {
      this.isOpen = false;
      this.database.close();
      giveUpLock(join(this.folder, 'journal.lock'));
      this.kept.close();
    }
  }

  private notesMs(): number {
    return this.notedMs + (this.options.flushMs ?? 1000);
  }

  private write(
    entries: readonly { entry: ChainEntry; atMs: number }[],
    nowMs: number,
    before?: () => void,
  ): JournalRecord[] {
    this.assertReady();
    if (entries.length === 0) return [];
    let head = this.newest;
    const records = entries.map(({ entry, atMs }) => {
      const record = nextRecord(head, entry, atMs) as JournalRecord;
      const { length } = recordLine(record);
      assert(
        length <= RECORD_CHARACTERS_MAX,
        `a record of kind ${entry.kind} has ${length} characters`,
      );
      head = { sequence: record.sequence, hash: record.hash };
      return record;
    });
    let isCommitted = false;
    try {
      this.database.transaction(() => {
        before?.();
        for (const record of records) this.table.insert(record);
      });
      isCommitted = true;
      this.kept.write(head);
    } catch (error) {
      throw this.failed('writing records', error, isCommitted);
    }
    this.newest = head;
    this.checkpointMs = nowMs + (this.options.idleMs ?? 5000);
    return records;
  }

  private lastToRetire(
    bound: { beforeSequence: number } | { olderThanMs: number },
  ): JournalRecord | undefined {
    let last: JournalRecord | undefined;
    let count = 0;
    for (const record of this.records()) {
      const isOld =
        'beforeSequence' in bound
          ? record.sequence < bound.beforeSequence
          : record.atMs < bound.olderThanMs;
      if (!isOld) break;
      last = record;
      count++;
    }
    // A checkpoint alone is not worth an archive.
    const isAlone = last?.kind === 'checkpoint' && count === 1;
    return isAlone ? undefined : last;
  }

  private archive({ sequence }: JournalRecord): JournalExport & { name: string } {
    const [first] = this.records(1, 1);
    const digits = (value: number) => String(value).padStart(12, '0');
    const name = `journal-${digits(first!.sequence)}-${digits(sequence)}.jsonl`;
    this.files.makeFolder(join(this.folder, 'archive'));
    syncFolder(this.files, this.folder);
    const path = join(this.folder, 'archive', name);
    return { ...exportRows(this.files, this.table, path, { from: 1, to: sequence }), name };
  }

  private guarded<T>(doing: string, work: () => T): T {
    this.assertReady();
    try {
      return work();
    } catch (error) {
      throw error instanceof UpliftError ? error : this.failed(doing, error, false);
    }
  }

  private assertReady(): void {
    assert(this.isOpen, 'the journal is open');
    if (this.condition.state === 'ready') return;
    const { code, detail } = this.condition;
    throw new UpliftError('store-faulted', 'the journal takes no more records', {
      expected: 'a disk that keeps what is written',
      actual: `${STORE_CODES[code]} (${detail})`,
      next: 'put the disk right, then start the gateway again; what was acknowledged is kept',
    });
  }

  /** What is to be thrown; a fault of the disk ends the taking of records. */
  private failed(doing: string, error: unknown, isBegun: boolean): unknown {
    const code = codeOfError(error);
    if (code === undefined) return error;
    const detail = `${doing}: ${(error as Error).message}`;
    // Nothing was begun, so nothing is in doubt.
    const isClean = !isBegun && (code === 'busy' || code === 'open-files');
    if (!isClean) this.condition = faulted(code, detail);
    return this.told(doing, error, isClean);
  }

  private told(doing: string, error: unknown, isClean: boolean): unknown {
    const code = codeOfError(error);
    if (code === undefined) return error;
    return new UpliftError('store-fault', `${this.folder}: ${STORE_CODES[code]}`, {
      expected: 'a disk that keeps what is written',
      actual: `${doing}: ${(error as Error).message}`,
      next: isClean
        ? 'try again'
        : 'put the disk right, then start the gateway again; what was acknowledged is kept',
      cause: error,
    });
  }
}
