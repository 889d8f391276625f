/**
 * What is done with a journal that is damaged: its file is set aside as it is, and what can be proven of
 * it is carried over into a new one, which begins by saying what was lost.
 *
 *     journal.db.new              being written; complete before anything is moved
 *     journal.db.damaged-TIME     the damaged one, with its -wal and -shm
 *
 * Whenever it is killed, the next start goes on: a complete new one without an old one is put in its
 * place, and one beside an old one is written anew.
 *
 * The numbers of lost records are not given out again: whoever was told of one knows it by its number.
 */
import { dirname, join } from 'node:path';
import {
  type AuditCode,
  type AuditHead,
  ChainCheck,
  type ChainRecord,
  EMPTY_HEAD,
  nextRecord,
  parseRecord,
  type RecoveredEntry,
  type SequenceRange,
} from '../audit/chain.ts';
import { codeOfError } from './codes.ts';
import { type FileSystem, readFully, syncFolder, withFile, writeAll } from './files.ts';
import { JournalTable, type Row, takeRow } from './journal-table.ts';
import { Database } from './sqlite.ts';

export interface JournalDamage {
  /** `damaged` and `missing` are about the file, the others about the chain in it. */
  code: AuditCode | 'damaged' | 'missing';
  detail: string;
  /** Where the damaged file is now; absent where it stayed, or there is none. */
  movedTo?: string;
  lost: readonly SequenceRange[];
}

export interface RecoveryOptions {
  files: FileSystem;
  /** The journal's database. */
  path: string;
  /** A copy of some earlier day, which may be better than what is left. */
  backupPath: string;
  kept: AuditHead | undefined;
  damage: Pick<JournalDamage, 'code' | 'detail'>;
  nowMs: number;
}

/** Copied at a time. */
const COPY_BYTES = 1024 * 1024;
/** Records in one transaction of the new database. */
const BATCH_RECORDS = 1000;
const COMPANIONS = ['-wal', '-shm'] as const;

/** The journal at `path` is whole afterwards, and its newest record says what happened. */
export function recoverJournal(options: RecoveryOptions): JournalDamage {
  const { files, path, backupPath, kept, damage, nowMs } = options;
  const fresh = `${path}.new`;
  const aside = `${path}.damaged-${new Date(nowMs).toISOString().replace(/[:.]/g, '')}`;
  removeDatabase(files, fresh);
  const candidates = [path, backupPath].filter((candidate) => files.status(candidate));
  const database = Database.open(fresh);
  let lost: SequenceRange[];
  try {
    const table = JournalTable.create(database);
    const salvaged = salvageBest(options, candidates, `${path}.salvage`, database, table);
    lost = rangesLost(salvaged, kept);
    const entry: RecoveredEntry = {
      kind: 'recovered',
      reason: damage.code,
      ...(files.status(path) ? { damaged: aside.slice(dirname(path).length + 1) } : {}),
      lost,
    };
    const skipped = { ...salvaged.head, sequence: lastNumber(salvaged, kept) };
    database.transaction(() => table.insert(nextRecord(skipped, entry, nowMs)));
  } finally {
    database.close();
  }
  const isThere = files.status(path) !== undefined;
  moveDatabase(files, path, aside);
  files.rename(fresh, path);
  syncFolder(files, dirname(path));
  return { ...damage, lost, ...(isThere ? { movedTo: aside } : {}) };
}

/** Completes a recovery that was killed, or clears away what it left. */
export function resumeRecovery(files: FileSystem, path: string): void {
  const fresh = `${path}.new`;
  removeDatabase(files, `${path}.salvage`);
  if (files.status(path) || !files.status(fresh) || !isComplete(fresh)) {
    removeDatabase(files, fresh);
    return;
  }
  const folder = dirname(path);
  const aside = files
    .list(folder)
    .filter((name) => join(folder, name).startsWith(`${path}.damaged-`) && /\d+Z$/.test(name))
    .at(-1);
  if (aside !== undefined) moveDatabase(files, path, join(folder, aside));
  files.rename(fresh, path);
  syncFolder(files, folder);
}

interface Salvaged {
  /** Of the newest record that is proven. */
  head: AuditHead;
  records: number;
  /** Records before this one are neither there nor accounted for. */
  unprovenStart: number | undefined;
  /** Rows after the proven ones. */
  rest: number;
}

/** Carries over the longest chain that any of the candidates proves. */
function salvageBest(
  { files, kept }: RecoveryOptions,
  candidates: readonly string[],
  copy: string,
  database: Database,
  table: JournalTable,
): Salvaged {
  const none: Salvaged = { head: EMPTY_HEAD, records: 0, unprovenStart: undefined, rest: 0 };
  let best = { salvaged: none, path: '' };
  for (const path of candidates) {
    const salvaged = salvage(files, path, copy, kept, () => {});
    if (salvaged.head.sequence > best.salvaged.head.sequence) best = { salvaged, path };
  }
  if (best.path === '') return best.salvaged;
  let batch: ChainRecord[] = [];
  const flush = () => {
    database.transaction(() => batch.forEach((record) => void table.insert(record)));
    batch = [];
  };
  salvage(files, best.path, copy, kept, (record) => {
    batch.push(record);
    if (batch.length === BATCH_RECORDS) flush();
  });
  flush();
  return best.salvaged;
}

/** Reads a copy, so that the evidence stays as it was found. */
function salvage(
  files: FileSystem,
  path: string,
  copy: string,
  kept: AuditHead | undefined,
  carry: (record: ChainRecord) => void,
): Salvaged {
  removeDatabase(files, copy);
  for (const end of ['', ...COMPANIONS]) {
    if (end !== '-shm' && files.status(path + end)) copyFile(files, path + end, copy + end);
  }
  const salvaged: Salvaged = { head: EMPTY_HEAD, records: 0, unprovenStart: undefined, rest: 0 };
  let database: Database | undefined;
  try {
    database = Database.open(copy);
    const table = JournalTable.of(database);
    if (table) walk(table, kept, salvaged, carry);
  } catch (error) {
    // What can be read was carried over by then.
    if (!isDamage(error)) throw error;
  } finally {
    database?.close();
    removeDatabase(files, copy);
  }
  return salvaged;
}

function walk(
  table: JournalTable,
  kept: AuditHead | undefined,
  salvaged: Salvaged,
  carry: (record: ChainRecord) => void,
): void {
  const check = new ChainCheck({ headLine: undefined });
  let isProven = true;
  for (const row of table.rows(Number.MIN_SAFE_INTEGER)) {
    const record = isProven ? provenRecord(check, row, salvaged.records, kept) : undefined;
    if (!record) {
      isProven = false;
      salvaged.rest++;
      continue;
    }
    carry(record);
    salvaged.records++;
    salvaged.head = { sequence: record.sequence, hash: record.hash };
    salvaged.unprovenStart = check.unprovenStart;
  }
}

function provenRecord(
  check: ChainCheck,
  row: Row,
  before: number,
  kept: AuditHead | undefined,
): ChainRecord | undefined {
  if (!takeRow(check, row, before + 1)) return undefined;
  const record = parseRecord(row.line);
  const isAnother = record?.sequence === kept?.sequence && record?.hash !== kept?.hash;
  return isAnother ? undefined : record;
}

function rangesLost(salvaged: Salvaged, kept: AuditHead | undefined): SequenceRange[] {
  const { head, unprovenStart } = salvaged;
  const lost: SequenceRange[] = [];
  if (unprovenStart !== undefined) lost.push({ from: 1, to: unprovenStart - 1 });
  const from = head.sequence + 1;
  const to = lastNumber(salvaged, kept);
  if (to >= from) lost.push({ from, to });
  // Without a head nobody knows how many there were.
  if (!kept) lost.push({ from: to + 1 });
  return lost;
}

/** The highest number that was given out, as far as that can be known. */
function lastNumber({ head, rest }: Salvaged, kept: AuditHead | undefined): number {
  return Math.max(head.sequence, kept?.sequence ?? head.sequence + rest);
}

function isComplete(path: string): boolean {
  try {
    const database = Database.open(path);
    try {
      const table = JournalTable.of(database);
      if (!table || database.quickCheck().length > 0) return false;
      let newest: ChainRecord | undefined;
      for (const record of table.records(0)) newest = record;
      return newest?.kind === 'recovered';
    } finally {
      database.close();
    }
  } catch {
    return false;
  }
}

function copyFile(files: FileSystem, from: string, to: string): void {
  withFile(files, from, 'r', (source) =>
    withFile(files, to, 'w', (target) => {
      const buffer = new Uint8Array(COPY_BYTES);
      for (let at = 0; ; ) {
        const bytes = readFully(files, source, buffer, at);
        writeAll(files, target, bytes, at);
        at += bytes.length;
        if (bytes.length < buffer.length) return;
      }
    }),
  );
}

/** The database first: what is left of its log then belongs to nothing. */
function moveDatabase(files: FileSystem, from: string, to: string): void {
  for (const end of ['', ...COMPANIONS]) {
    if (files.status(from + end)) files.rename(from + end, to + end);
  }
}

function removeDatabase(files: FileSystem, path: string): void {
  for (const end of ['', ...COMPANIONS]) files.remove(path + end);
}

/** The file is no database or holds no journal; anything else is not about what is in it. */
export function isDamage(error: unknown): boolean {
  // SQLITE_ERROR, of a statement that fits the table: the schema that was read is another.
  const isOtherSchema = (error as { errcode?: number }).errcode === 1;
  return codeOfError(error) === 'damaged' || isOtherSchema;
}
