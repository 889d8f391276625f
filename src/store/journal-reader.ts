/**
 * A journal that is only read, beside the process that writes it: one moment of it, however long that
 * takes. It needs no lock and changes nothing.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { AuditCheck, AuditHead, ChainRecord } from '../audit/chain.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { codeOfError, STORE_CODES } from './codes.ts';
import { realFiles } from './files.ts';
import { exportTo, type JournalExport } from './journal-export.ts';
import { isDamage } from './journal-recovery.ts';
import { headLineOf, JournalTable } from './journal-table.ts';
import { KeptHead } from './kept-head.ts';
import { Database } from './sqlite.ts';

export class JournalReader {
  private readonly database: Database;
  private readonly table: JournalTable;
  private readonly kept: AuditHead | 'missing' | 'malformed';

  private constructor(
    database: Database,
    table: JournalTable,
    kept: AuditHead | 'missing' | 'malformed',
  ) {
    this.database = database;
    this.table = table;
    this.kept = kept;
  }

  /** @throws UpliftError */
  static open(folder: string, headPath = join(folder, 'journal.head')): JournalReader {
    const path = resolve(folder, 'journal.db');
    if (!existsSync(path)) throw missing(path);
    let database: Database | undefined;
    try {
      // The head first: what is written meanwhile makes the journal longer than it, never shorter.
      const kept = new KeptHead(realFiles, headPath).read();
      database = Database.open(path, { readOnly: true });
      database.exec('BEGIN');
      const table = JournalTable.of(database);
      if (!table) throw missing(path);
      return new JournalReader(database, table, kept);
    } catch (error) {
      database?.close();
      throw unreadable(path, error);
    }
  }

  /** Everything that is wrong with it, against the head kept beside it. */
  check(): AuditCheck {
    const check = this.table.check({ headLine: headLineOf(this.kept) });
    // Written since the head was read, or not acknowledged.
    const findings = check.findings.filter(({ code }) => code !== 'head-behind');
    return { ...check, findings };
  }

  /** From the first on, unchecked. @throws UpliftError at one that cannot be read */
  records(): Iterable<ChainRecord> {
    return this.table.records(Number.MIN_SAFE_INTEGER);
  }

  exportTo(path: string): JournalExport {
    const all = { from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER };
    return exportTo(realFiles, this.table, path, all);
  }

  close(): void {
    this.database.close();
  }
}

function missing(path: string): UpliftError {
  return new UpliftError('journal-missing', `there is no journal ${path}`, {
    expected: 'the folder in which a gateway keeps its journal',
    actual: 'no such file, or nothing in it',
    next: "name the gateway's state folder",
  });
}

function unreadable(path: string, error: unknown): unknown {
  const code = codeOfError(error);
  if (error instanceof UpliftError || (code === undefined && !isDamage(error))) return error;
  return new UpliftError('journal-unreadable', `${path} cannot be read`, {
    expected: 'a journal that this user may read',
    actual: `${STORE_CODES[code ?? 'damaged']} (${(error as Error).message})`,
    next: 'a gateway that starts sets a damaged journal aside and says what is lost',
    exit: EXIT.refused,
    cause: error,
  });
}
