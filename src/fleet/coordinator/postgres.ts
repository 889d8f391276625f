/**
 * Connections to PostgreSQL, and the only import of `pg`. A server that goes away costs the questions
 * that were under way, each with an error; the next ones find it when it is back.
 */
import { Client, Pool, types } from 'pg';
import type { Log, Timers } from '../../ports.ts';
import { refusedFleet } from './refusals.ts';

export interface PostgresOptions {
  /** postgresql://USER@HOST:PORT/NAME; its password may be in a file that PGPASSFILE names. */
  url: string;
  connectionsMax?: number;
}

const INT8 = 20;
const CONNECTIONS = 10;
const CONNECT_MS = 5_000;
const STATEMENT_MS = 30_000;
const LOCK_MS = 10_000;
/** A server that is gone without a word. */
const ANSWER_MS = STATEMENT_MS + 5_000;
const LISTEN_AGAIN_MS = 1_000;

function settingsOf({ url }: PostgresOptions, applicationName: string) {
  return {
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    // A commit that is acknowledged is on disk, whatever the server's default.
    options: '-c synchronous_commit=on',
  };
}

export function openPool(options: PostgresOptions, log: Log): Pool {
  const pool = new Pool({
    ...settingsOf(options, 'uplift-coordinator'),
    max: options.connectionsMax ?? CONNECTIONS,
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    query_timeout: ANSWER_MS,
    types: {
      // Numbers here are sequences and times, within what a double counts exactly.
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? Number : types.getTypeParser(oid, format as 'text'),
    } as typeof types,
  });
  const lost = ({ message }: Error) =>
    log.write('warning', 'a connection to the database was lost', { said: message });
  pool.on('error', lost);
  // One that is in use when it is lost tells nobody else, and an error that nobody hears ends the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Broken off by the server: a deadlock, or one that could not be put in an order. */
export function isToBeRepeated(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error));
}

/** Of what the server or the way to it did; any other error stays what it is. */
export function postgresRefusal(error: unknown): unknown {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : '';
  if (isAway(code, message)) return refusedFleet('database-away', message, error);
  return BUSY_CODES.includes(code) || BUSY_WORDS.test(message)
    ? refusedFleet('busy', message, error)
    : error;
}

/** Of one channel, for as long as it is not closed: where its connection is lost it makes another. */
export class PostgresListener {
  private readonly channel: string;
  private readonly options: PostgresOptions;
  private readonly log: Log;
  private readonly timers: Timers;
  private client: Client | undefined;
  private again: { cancel(): void } | undefined;
  private isClosed = false;
  private connecting: Promise<void> = Promise.resolve();

  constructor(channel: string, options: PostgresOptions, log: Log, timers: Timers) {
    this.channel = channel;
    this.options = options;
    this.log = log;
    this.timers = timers;
  }

  start(heard: (payload: string) => void): void {
    this.connecting = this.connect(heard);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.again?.cancel();
    await this.connecting;
    await this.client?.end().catch(() => {});
  }

  private async connect(heard: (payload: string) => void): Promise<void> {
    const client = new Client(settingsOf(this.options, 'uplift-coordinator-listener'));
    let isLost = false;
    const lost = (error?: Error) => {
      if (isLost) return;
      isLost = true;
      this.client = undefined;
      if (this.isClosed) return;
      this.log.write('warning', 'the database tells of no changes; it is asked for them', {
        said: error?.message,
      });
      client.end().catch(() => {});
      this.again = this.timers.after(LISTEN_AGAIN_MS, () => this.start(heard));
    };
    client.on('error', lost);
    client.on('end', () => lost());
    client.on('notification', ({ payload }) => heard(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${this.channel}`);
      this.client = client;
    } catch (error) {
      lost(error as Error);
    }
  }
}

/** Query cancelled or lock waited for too long; too many connections, or no room (PostgreSQL, appendix A). */
const BUSY_CODES = ['57014', '55P03', '53200', '53300', '53400'];
const BUSY_WORDS = /^(Query read timeout|timeout exceeded when trying to connect)/;
/** Of Node, and of the server as it goes or comes (class 57P), or is not reached (class 08). */
const AWAY_CODES =
  /^(E(CONN(REFUSED|RESET|ABORTED)|NOENT|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOTFOUND)|57P0[1-5]|08...|53100)$/;
const AWAY_WORDS =
  /(Connection terminated|Client has encountered a connection error|connection has been discarded|Connection ended|not queryable)/i;

function isAway(code: string, message: string): boolean {
  return AWAY_CODES.test(code) || AWAY_WORDS.test(message);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
