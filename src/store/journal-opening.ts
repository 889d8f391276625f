/**
 * How a journal is opened: all of it is checked before it is used, what is damaged is set aside and
 * said, and a journal without its head says so in its own chain.
 */
import { dirname, join } from 'node:path';
import {
  type AuditCheck,
  type AuditHead,
  type ChainRecord,
  nextRecord,
  type RecoveredEntry,
} from '../audit/chain.ts';
import { UpliftError } from '../errors.ts';
import { type FileSystem, syncFolder } from './files.ts';
import {
  isDamage,
  type JournalDamage,
  recoverJournal,
  resumeRecovery,
} from './journal-recovery.ts';
import { headLineOf, JournalTable } from './journal-table.ts';
import { KeptHead } from './kept-head.ts';
import { Database } from './sqlite.ts';

export interface JournalOptions {
  files?: FileSystem;
  /** How long a note may wait for company. */
  flushMs?: number;
  /** How long nothing is written before the log is moved into the database. */
  idleMs?: number;
  /** The database may not grow beyond it; retire records before it does. */
  bytesMax?: number;
  /** On another disk it survives this one. Default: beside the database. */
  headPath?: string;
  /** A test's fault: see `Database`. */
  beforeCommit?: () => void;
}

export interface JournalReport {
  records: number;
  head: AuditHead;
  /** Records on disk after the kept head: whoever wrote them was never told so. */
  unacknowledged: number;
  /** What was found damaged, and what was lost with it. */
  damage?: JournalDamage;
}

export interface Parts {
  database: Database;
  table: JournalTable;
  kept: KeptHead;
  head: AuditHead;
}

export function backupPathOf(folder: string): string {
  return join(folder, 'journal.db.backup');
}

interface Found {
  database: Database;
  table: JournalTable;
  check: AuditCheck;
}

type FoundDamage = Pick<JournalDamage, 'code' | 'detail'>;

export function openParts(
  folder: string,
  files: FileSystem,
  options: JournalOptions,
  nowMs: number,
): { parts: Parts; report: JournalReport } {
  const path = join(folder, 'journal.db');
  const kept = new KeptHead(files, options.headPath ?? join(folder, 'journal.head'));
  resumeRecovery(files, path);
  const read = kept.read();
  const keptHead = typeof read === 'string' ? undefined : read;
  let damage: JournalDamage | undefined;
  let found = inspect(files, path, read, options);
  if ('code' in found) {
    const backupPath = backupPathOf(folder);
    damage = recoverJournal({ files, path, backupPath, kept: keptHead, damage: found, nowMs });
    found = inspect(files, path, read, options);
    if ('code' in found) throw notRecovered(path, found);
  } else if (found.check.head.sequence > 0 && !keptHead) {
    damage = recordHeadLoss(found, nowMs);
  }
  const { database, table, check } = found;
  const head = damage && !damage.movedTo ? table.newest(check.head) : check.head;
  damage ??= damageToldBy(folder, table, keptHead);
  const unacknowledged = keptHead && !damage ? table.count(keptHead.sequence + 1) : 0;
  try {
    if (read === 'missing' || head.sequence !== keptHead?.sequence) kept.write(head);
    syncFolder(files, folder);
    syncFolder(files, dirname(folder));
  } catch (error) {
    database.close();
    throw error;
  }
  const report = { records: table.count(0), head, unacknowledged, ...(damage ? { damage } : {}) };
  return { parts: { database, table, kept, head }, report };
}

/** Whether the database and the chain in it are whole; a folder without one gets one. */
function inspect(
  files: FileSystem,
  path: string,
  kept: AuditHead | 'missing' | 'malformed',
  { bytesMax, beforeCommit }: JournalOptions,
): Found | FoundDamage {
  const isKnown = typeof kept !== 'string' && kept.sequence > 0;
  if (isKnown && !files.status(path)) return { code: 'missing', detail: `no ${path}` };
  let database: Database | undefined;
  try {
    database = Database.open(path, { bytesMax, beforeCommit });
    const damage = isKnown || files.status(path) ? inspectPages(database) : undefined;
    let table = damage ? undefined : JournalTable.of(database);
    if (!damage && !table && !isKnown) table = JournalTable.create(database);
    if (table) {
      const check = table.check({ headLine: headLineOf(kept) });
      const [finding] = check.findings.filter(({ code }) => !HARMLESS.includes(code));
      if (!finding) return { database, table, check };
      database.close();
      return { code: finding.code, detail: `record ${finding.sequence}: ${finding.message}` };
    }
    database.close();
    return damage ?? { code: 'damaged', detail: 'the database is empty' };
  } catch (error) {
    database?.close();
    if (!isDamage(error)) throw error;
    return { code: 'damaged', detail: (error as Error).message };
  }
}

/**
 * A loss that was said before; a record that was written and not acknowledged; and a head that is gone,
 * which does not touch the records.
 */
const HARMLESS: readonly string[] = ['lost', 'head-behind', 'head-missing', 'head-malformed'];

function inspectPages(database: Database): FoundDamage | undefined {
  const words = database.quickCheck();
  return words.length === 0 ? undefined : { code: 'damaged', detail: words.join('; ') };
}

/** Without its head nobody can say whether the newest records are all there, and the chain says so. */
function recordHeadLoss({ database, table, check }: Found, nowMs: number): JournalDamage {
  const code = 'head-missing';
  const lost = [{ from: check.head.sequence + 1 }];
  const entry: RecoveredEntry = { kind: 'recovered', reason: code, lost };
  database.transaction(() => table.insert(nextRecord(check.head, entry, nowMs)));
  return { code, detail: 'no kept head to hold the records against', lost };
}

/** A recovery whose end was not acknowledged: its record is after the kept head. */
function damageToldBy(
  folder: string,
  table: JournalTable,
  kept: AuditHead | undefined,
): JournalDamage | undefined {
  for (const record of table.records((kept?.sequence ?? 0) + 1)) {
    if (record.kind !== 'recovered') continue;
    const { reason, damaged, lost } = record as ChainRecord<RecoveredEntry>;
    return {
      code: reason as JournalDamage['code'],
      detail: 'found by an earlier start that did not come to its end',
      lost,
      ...(damaged === undefined ? {} : { movedTo: join(folder, damaged) }),
    };
  }
  return undefined;
}

/** A copy nobody can read is none. */
export function proveCopy(path: string): { head: AuditHead } {
  const database = Database.open(path);
  try {
    const table = JournalTable.of(database);
    const [words] = database.quickCheck();
    const check = table?.check({ headLine: undefined });
    const finding = check?.findings.find(({ code }) => !HARMLESS.includes(code));
    if (check && !words && !finding) return { head: check.head };
    throw new UpliftError('backup-damaged', `the copy ${path} is not whole`, {
      expected: 'the journal',
      actual: words ?? finding?.message ?? 'no journal',
      next: 'check the disk, and the journal with `uplift audit export`',
    });
  } finally {
    database.close();
  }
}

function notRecovered(path: string, { detail }: FoundDamage): UpliftError {
  return new UpliftError('store-unusable', `${path} is damaged, and what was carried over is too`, {
    expected: 'a disk that keeps what is written',
    actual: detail,
    next: 'check the disk; the damaged file is beside it',
  });
}
