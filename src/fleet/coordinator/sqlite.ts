/** A fleet in one file, for one process: the store's SQLite as Kysely wants to see it. */
import { dirname } from 'node:path';
import { UpliftError } from '../../errors.ts';
import { realFiles } from '../../store/files.ts';
import { openLocked } from '../../store/opening.ts';
import { giveUpLock } from '../../store/process-lock.ts';
import { Database, type Statement } from '../../store/sqlite.ts';

/** Texts are few, as rows by the thousand are one parameter; those of filters come in some forms. */
const STATEMENTS_MAX = 200;

type Value = null | number | bigint | string | Uint8Array;

interface PreparedStatement {
  readonly reader: boolean;
  all(parameters: readonly unknown[]): unknown[];
  run(parameters: readonly unknown[]): {
    changes: number | bigint;
    lastInsertRowid: number | bigint;
  };
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>;
}

/** @throws UpliftError where another process has it */
export function openSqlite(path: string): {
  prepare(sql: string): PreparedStatement;
  close(): void;
} {
  const lock = `${path}.lock`;
  const database = openLocked({
    folder: path,
    lock,
    prepare: () => realFiles.makeFolder(dirname(path)),
    open: () => Database.open(path),
  });
  const kept = new Map<string, PreparedStatement>();
  return {
    prepare(sql) {
      const known = kept.get(sql);
      if (known) return known;
      const made = prepared(database.prepare(sql));
      if (kept.size >= STATEMENTS_MAX) kept.delete(kept.keys().next().value!);
      kept.set(sql, made);
      return made;
    },
    close() {
      kept.clear();
      database.close();
      giveUpLock(lock);
    },
  };
}

/** What SQLite says of the file or the disk; a programmer's error stays one. */
export function sqliteRefusal(error: unknown): unknown {
  const said = (error as { errcode?: number }).errcode;
  if (said === undefined || !DISK_ERRORS.includes(said & 0xff)) return error;
  return new UpliftError('database-away', 'the database cannot be used', {
    expected: 'a file on a disk with room, which this user may write',
    actual: (error as Error).message,
    next: 'put that right; nothing of what was asked is done',
    cause: error,
  });
}

/** SQLITE_PERM, BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN (sqlite.org/rescode.html). */
const DISK_ERRORS = [3, 5, 6, 8, 10, 11, 13, 14];

function prepared(statement: Statement): PreparedStatement {
  const values = (parameters: readonly unknown[]) => parameters as readonly Value[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => statement.run(...values(parameters)),
    iterate: (parameters) => statement.iterate(...values(parameters)),
  };
}
