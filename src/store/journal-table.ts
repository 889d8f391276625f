/**
 * The journal's table: one row a record, its line exactly as it was sealed. The sequence is a column too,
 * for order and for ranges; that the two agree is part of every check.
 */
import {
  AUDIT_CODES,
  type AuditCheck,
  type AuditHead,
  ChainCheck,
  type ChainExpectations,
  type ChainRecord,
  parseRecord,
  recordLine,
} from '../audit/chain.ts';
import { EXIT, UpliftError } from '../errors.ts';
import type { Database, Statement } from './sqlite.ts';

/** Of the tables below; a later Uplift that lays them out in another way counts up. */
const SCHEMA_VERSION = 1;
/** Rows read at a time: none is left open between them, so that writing goes on. */
const PAGE_ROWS = 256;

export interface Row {
  sequence: number;
  /** Without an end of line. */
  line: string;
}

export class JournalTable {
  private readonly database: Database;
  private readonly selectRows: Statement;
  private readonly insertRow: Statement;

  private constructor(database: Database) {
    this.database = database;
    this.selectRows = database.prepare(
      'SELECT sequence, line FROM record WHERE sequence >= ? ORDER BY sequence LIMIT ?',
    );
    this.insertRow = database.prepare('INSERT INTO record (sequence, line) VALUES (?, ?)');
  }

  static create(database: Database): JournalTable {
    database.transaction(() => {
      database.exec(
        'CREATE TABLE record (sequence INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT',
      );
      database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
    return new JournalTable(database);
  }

  /** `undefined` where the database has no table at all, as one that was just made. */
  static of(database: Database): JournalTable | undefined {
    const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get();
    if (tables?.['count'] === 0) return undefined;
    const version = database.pragma('user_version');
    if (Number(version) > SCHEMA_VERSION) throw tooNew(database.path, version);
    return new JournalTable(database);
  }

  insert(record: ChainRecord): void {
    this.insertRow.run(record.sequence, recordLine(record).trimEnd());
  }

  *rows(from: number, to = Number.MAX_SAFE_INTEGER): Generator<Row> {
    for (let next = from; next <= to; ) {
      const page = this.selectRows.all(next, PAGE_ROWS) as unknown as Row[];
      for (const row of page) if (row.sequence <= to) yield row;
      if (page.length < PAGE_ROWS) return;
      next = page.at(-1)!.sequence + 1;
    }
  }

  *records(from: number, to?: number): Generator<ChainRecord> {
    for (const { sequence, line } of this.rows(from, to)) {
      const record = parseRecord(line);
      if (!record) throw unreadableRecord(this.database.path, sequence);
      yield record;
    }
  }

  /** How many there are from a number on. */
  count(from: number): number {
    const statement = this.database.prepare('SELECT count(*) AS n FROM record WHERE sequence >= ?');
    return Number(statement.get(from)?.['n']);
  }

  /** Of the newest record from `head` on. */
  newest(head: AuditHead): AuditHead {
    for (const { sequence, hash } of this.records(head.sequence)) head = { sequence, hash };
    return head;
  }

  /** Everything that is wrong, in order; the newest record is `head` of what it returns. */
  check(expected: ChainExpectations): AuditCheck {
    const check = new ChainCheck(expected);
    let line = 0;
    for (const row of this.rows(Number.MIN_SAFE_INTEGER)) {
      line++;
      takeRow(check, row, line);
    }
    return check.finish();
  }

  /** Within a transaction of the caller. */
  removeUpTo(sequence: number): void {
    this.database.prepare('DELETE FROM record WHERE sequence <= ?').run(sequence);
  }
}

/** Hands a row to a check: false where the row is not what follows. */
export function takeRow(check: ChainCheck, { sequence, line }: Row, number: number): boolean {
  const before = check.findings.length;
  const record = check.take(line);
  if (record && record.sequence !== sequence) {
    const message = AUDIT_CODES.reordered;
    check.findings.push({ code: 'reordered', message, sequence: record.sequence, line: number });
  }
  return check.findings.slice(before).every(({ code }) => code === 'lost');
}

/** `undefined` for no head at all. */
export function headLineOf(kept: AuditHead | 'missing' | 'malformed'): string | undefined {
  if (kept === 'missing') return undefined;
  return kept === 'malformed' ? '' : `${kept.sequence} ${kept.hash}`;
}

function tooNew(path: string, version: string | number): UpliftError {
  return new UpliftError('journal-too-new', `${path} was written by a later Uplift`, {
    expected: `layout ${SCHEMA_VERSION}`,
    actual: `layout ${version}`,
    next: 'start the Uplift that wrote it, or a later one',
  });
}

function unreadableRecord(path: string, sequence: number): UpliftError {
  return new UpliftError('journal-damaged', `${path} is damaged`, {
    expected: `record ${sequence}`,
    actual: 'something that is none',
    next: 'stop the gateway and start it again: it sets the damaged file aside and says what is lost',
    exit: EXIT.refused,
  });
}
