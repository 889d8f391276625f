/**
 * One layer over PostgreSQL and SQLite, and the only import of Kysely. Work asks, each statement by
 * itself; or it is a change: a transaction, durable when it resolves. A change that the database broke
 * off to untangle it from another is done again from its beginning, so it does nothing but ask the
 * database.
 *
 * Transactions take their locks in one order, so that few are broken off: campaigns, gateways, devices of
 * campaigns, the audit log.
 *
 * Rows by the thousand go in as one parameter in JSON (`rowsOf`): one statement and one text of it,
 * however many there are.
 */
import {
  Kysely,
  PostgresDialect,
  type RawBuilder,
  SqliteDialect,
  sql,
  type Transaction,
} from 'kysely';
import { UpliftError } from '../../errors.ts';
import type { Log, Timers } from '../../ports.ts';
import {
  isToBeRepeated,
  openPool,
  PostgresListener,
  type PostgresOptions,
  postgresRefusal,
} from './postgres.ts';
import { type SqlTypes, schemaSteps, type Tables } from './schema.ts';
import { openSqlite, sqliteRefusal } from './sqlite.ts';

export { sql };
export type Db = Kysely<Tables> | Transaction<Tables>;
export type Fragment = RawBuilder<unknown>;

export type DatabaseSpec =
  | ({ kind: 'postgres' } & PostgresOptions)
  | { kind: 'sqlite'; path: string };

export type DatabaseKind = DatabaseSpec['kind'];

/** A transaction. */
export interface Change {
  db: Transaction<Tables>;
  kind: DatabaseKind;
  /** Gateways whose desired state it changed: they hear of it when it is durable. */
  wake: Set<string>;
  /** Done when all else is, in this order. */
  last: ((change: Change) => Promise<void>)[];
}

const TYPES: Readonly<Record<DatabaseKind, SqlTypes>> = {
  postgres: { text: 'text collate "C"', bytes: 'bytea', roomy: 'with (fillfactor = 60)' },
  sqlite: { text: 'text', bytes: 'blob', roomy: '' },
};
/** Of transactions that collided. */
const ATTEMPTS_MAX = 5;
/** Any number that nobody else in the database uses: `uplift`. */
const MIGRATION_LOCK = 0x75706c696674;
const CHANNEL = 'uplift_desired';
/** PostgreSQL takes less than 8,000. */
const NOTICE_CHARACTERS_MAX = 7900;

export class FleetDatabase {
  readonly kind: DatabaseKind;
  private readonly db: Kysely<Tables>;
  private readonly listeners = new Set<(gateway: string) => void>();
  private readonly notices: PostgresListener | undefined;

  constructor(kind: DatabaseKind, db: Kysely<Tables>, notices?: PostgresListener) {
    this.kind = kind;
    this.db = db;
    this.notices = notices;
    notices?.start((payload) => this.tell(payload.split(' ')));
  }

  /** @throws UpliftError where the database is away, or has too much to do */
  async ask<T>(work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await work(this.db);
    } catch (error) {
      throw this.refusal(error);
    }
  }

  /** @throws UpliftError as above, or what `work` throws; then nothing is changed */
  async change<T>(work: (change: Change) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const wake = new Set<string>();
      try {
        const result = await this.db.transaction().execute(async (db) => {
          const change: Change = { db, kind: this.kind, wake, last: [] };
          const done = await work(change);
          for (const task of change.last) await task(change);
          if (this.kind === 'postgres' && wake.size > 0) await notify(db, wake);
          return done;
        });
        if (this.kind === 'sqlite') this.tell(wake);
        return result;
      } catch (error) {
        if (attempt < ATTEMPTS_MAX && isToBeRepeated(error)) continue;
        throw this.refusal(error);
      }
    }
  }

  /** Of changes in whichever process; one that is missed while the connection is away is not made up for. */
  onWake(listener: (gateway: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.notices?.close();
    await this.db.destroy();
  }

  private tell(gateways: Iterable<string>): void {
    for (const gateway of gateways) for (const listener of this.listeners) listener(gateway);
  }

  private refusal(error: unknown): unknown {
    if (error instanceof UpliftError) return error;
    return this.kind === 'postgres' ? postgresRefusal(error) : sqliteRefusal(error);
  }
}

/** With the schema as it is to be. @throws UpliftError */
export async function openDatabase(
  spec: DatabaseSpec,
  { log, timers }: { log: Log; timers: Timers },
): Promise<FleetDatabase> {
  const database =
    spec.kind === 'postgres' ? openPostgres(spec, log, timers) : openSqliteFile(spec.path);
  try {
    await database.change(migrate);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Rows for `from`: each a list, its entries `value->>0`, `value->>1` in order, as text. */
export function rowsOf(kind: DatabaseKind, rows: readonly (readonly unknown[])[]): Fragment {
  const json = JSON.stringify(rows);
  return kind === 'postgres'
    ? sql`jsonb_array_elements(${json}::jsonb) as r(value)`
    : sql`json_each(${json}) as r`;
}

/** After a column: whether it is one of these, however many they are. */
export function among(kind: DatabaseKind, values: readonly string[]): Fragment {
  return kind === 'postgres'
    ? sql`= any(${values}::text[])`
    : sql`in (select value from json_each(${JSON.stringify(values)}))`;
}

/** Rows that are read to be changed; SQLite has one writer, and needs no lock. */
export function locked<T extends { forUpdate(): T }>({ kind }: Pick<Change, 'kind'>, query: T): T {
  return kind === 'postgres' ? query.forUpdate() : query;
}

/**
 * Statements that change different tables, in one question of PostgreSQL, as each costs a way there and
 * back: a stretch of 20 events took as long as 5 plain reads one by one, and as 3 so.
 */
export async function together(
  { db, kind }: Change,
  statements: readonly Fragment[],
): Promise<void> {
  if (kind === 'sqlite') {
    for (const statement of statements) await statement.execute(db);
    return;
  }
  const last = statements.at(-1);
  if (!last) return;
  const before = statements.slice(0, -1).map((one, at) => sql`${sql.ref(`s${at}`)} as (${one})`);
  const all = before.length === 0 ? last : sql`with ${sql.join(before)} ${last}`;
  await all.execute(db);
}

function openPostgres(options: PostgresOptions, log: Log, timers: Timers): FleetDatabase {
  const pool = openPool(options, log);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return new FleetDatabase('postgres', db, new PostgresListener(CHANNEL, options, log, timers));
}

function openSqliteFile(path: string): FleetDatabase {
  const dialect = new SqliteDialect({ database: openSqlite(path) });
  return new FleetDatabase('sqlite', new Kysely<Tables>({ dialect }));
}

async function notify(db: Db, gateways: Iterable<string>): Promise<void> {
  const notices: string[] = [];
  let notice = '';
  for (const gateway of gateways) {
    if (notice.length + 1 + gateway.length > NOTICE_CHARACTERS_MAX) {
      notices.push(notice);
      notice = '';
    }
    notice = notice === '' ? gateway : `${notice} ${gateway}`;
  }
  notices.push(notice);
  const json = JSON.stringify(notices);
  await sql`select pg_notify(${CHANNEL}, n) from json_array_elements_text(${json}::json) as t(n)`.execute(
    db,
  );
}

/** In one transaction, and one process at a time: the others then find it done. */
async function migrate({ db, kind }: Change): Promise<void> {
  if (kind === 'postgres') {
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(db);
  }
  await sql`create table if not exists fleet_schema (version integer not null)`.execute(db);
  const found = await sql<{ version: number }>`select version from fleet_schema`.execute(db);
  const version = found.rows[0]?.version;
  const steps = schemaSteps(TYPES[kind]);
  if ((version ?? 0) > steps.length) throw tooNew(version!, steps.length);
  for (const step of steps.slice(version ?? 0)) {
    for (const statement of step) await sql.raw(statement).execute(db);
  }
  if (version === steps.length) return;
  await (version === undefined
    ? sql`insert into fleet_schema (version) values (${steps.length})`.execute(db)
    : sql`update fleet_schema set version = ${steps.length}`.execute(db));
}

function tooNew(version: number, known: number): UpliftError {
  return new UpliftError('database-too-new', 'the database was laid out by a later Uplift', {
    expected: `layout ${known} or earlier`,
    actual: `layout ${version}`,
    next: 'start the Uplift that wrote it, or a later one; nothing was changed',
  });
}
