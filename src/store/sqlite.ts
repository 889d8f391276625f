/**
 * A database of node:sqlite, opened so that a commit is on disk when it returns: write-ahead log,
 * synchronous in full, one writer.
 *
 * SQLite before 3.51.3 can damage such a database where two connections write or checkpoint at one
 * instant (https://www.sqlite.org/wal.html#walresetbug), and 3.52.0 was withdrawn for other faults
 * (https://github.com/pi-hole/FTL/issues/2809). Neither is used.
 */
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite';
import { UpliftError } from '../errors.ts';

export type Statement = StatementSync;

const OLDEST_VERSION = '3.51.3';
const WITHDRAWN_VERSIONS = ['3.52.0'];
/** For a program that reads the database meanwhile. */
const BUSY_TIMEOUT_MS = 5000;
/** PRAGMA synchronous answers with numbers: 2 is FULL. */
const SYNCHRONOUS_FULL = 2;
const QUICK_CHECK_FINDINGS_MAX = 10;

export interface DatabaseOptions {
  readOnly?: boolean;
  /** The database may not grow beyond it. */
  bytesMax?: number | undefined;
  /** Called in every transaction when all is written and nothing is committed; tests throw here. */
  beforeCommit?: (() => void) | undefined;
}

export class Database {
  readonly path: string;
  private readonly database: DatabaseSync;
  private readonly beforeCommit: (() => void) | undefined;

  private constructor(path: string, database: DatabaseSync, options: DatabaseOptions) {
    this.path = path;
    this.database = database;
    this.beforeCommit = options.beforeCommit;
  }

  /** @throws UpliftError of the version and the settings, else what SQLite says of the file */
  static open(path: string, options: DatabaseOptions = {}): Database {
    checkVersion(sqliteVersion());
    const readOnly = options.readOnly === true;
    const sqlite = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT_MS });
    try {
      const database = new Database(path, sqlite, options);
      if (!readOnly) database.set(options.bytesMax);
      return database;
    } catch (error) {
      sqlite.close();
      throw error;
    }
  }

  prepare(sql: string): Statement {
    return this.database.prepare(sql);
  }

  exec(sql: string): void {
    this.database.exec(sql);
  }

  /** All of the work is on disk when this returns, or none of it is done and this throws. */
  transaction<T>(work: () => T): T {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.beforeCommit?.();
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      this.rollBack();
      throw error;
    }
  }

  /** What is wrong with its pages, in SQLite's words; nothing where all is well. */
  quickCheck(): string[] {
    const rows = this.prepare(`PRAGMA quick_check(${QUICK_CHECK_FINDINGS_MAX})`).all();
    const words = rows.map((row) => String(row['quick_check']));
    return words.length === 1 && words[0] === 'ok' ? [] : words;
  }

  /** Moves what is committed from the log into the database, and waits for nobody. */
  checkpoint(): void {
    this.prepare('PRAGMA wal_checkpoint(PASSIVE)').all();
  }

  pragma(name: string): string | number {
    const row = this.prepare(`PRAGMA ${name}`).get();
    return Object.values(row ?? {})[0] as string | number;
  }

  get bytes(): number {
    return Number(this.pragma('page_count')) * Number(this.pragma('page_size'));
  }

  /** A copy that is consistent, while work goes on; not yet synchronised. */
  async backup(path: string): Promise<void> {
    await backup(this.database, path);
  }

  close(): void {
    if (this.database.isOpen) this.database.close();
  }

  private set(bytesMax: number | undefined): void {
    // Only a database without a table yet takes this.
    this.exec('PRAGMA auto_vacuum = INCREMENTAL');
    const mode = this.pragma('journal_mode = WAL');
    if (mode !== 'wal') throw this.notSet('journal_mode', 'wal', mode);
    this.exec('PRAGMA synchronous = FULL');
    const synchronous = this.pragma('synchronous');
    if (synchronous !== SYNCHRONOUS_FULL) throw this.notSet('synchronous', '2', synchronous);
    if (bytesMax === undefined) return;
    this.exec(`PRAGMA max_page_count = ${Math.floor(bytesMax / Number(this.pragma('page_size')))}`);
  }

  /** Some errors have rolled back already, and one that cannot be leaves it to the next start. */
  private rollBack(): void {
    if (!this.database.isTransaction) return;
    try {
      this.database.exec('ROLLBACK');
    } catch {
      // What was first wrong is the one to be told.
    }
  }

  private notSet(setting: string, expected: string, actual: string | number): UpliftError {
    return new UpliftError('sqlite-setting', `${this.path} cannot be opened durably`, {
      expected: `${setting} ${expected}`,
      actual: `${actual}`,
      next: 'keep the store on a local disk: network file systems do not do',
    });
  }
}

/** @throws UpliftError where a database must not be entrusted to this SQLite */
export function checkVersion(version: string): void {
  const isOld = compareVersions(version, OLDEST_VERSION) < 0;
  if (!isOld && !WITHDRAWN_VERSIONS.includes(version)) return;
  throw new UpliftError('sqlite-version', `SQLite ${version} may damage what it keeps`, {
    expected: `SQLite ${OLDEST_VERSION} or later, and not ${WITHDRAWN_VERSIONS.join(', ')}`,
    actual: `SQLite ${version}, in Node ${process.versions.node}`,
    next: 'install a newer Node 24; `node -p process.versions.sqlite` tells what one carries',
  });
}

export function sqliteVersion(): string {
  const memory = new DatabaseSync(':memory:');
  try {
    return String(memory.prepare('SELECT sqlite_version() AS version').get()?.['version']);
  } finally {
    memory.close();
  }
}

function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (a![part] ?? 0) - (b![part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
