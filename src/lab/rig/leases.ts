/**
 * Leases of devices: who has each, until when. Two runs never share a device, and one that crashed, or hangs,
 * keeps nobody out for ever.
 *
 * They are in one small database in the rig's state folder. SQLite's locks are the operating system's and end
 * with their process, and a transaction takes all the devices of a run or none; so of two that try at once one
 * wins, whenever either is killed. A lease is over when its time is, or when the process on this machine that
 * took it is gone; a lease of a person (`uplift rig lock`) hangs on no process. Whoever takes over a lease
 * makes that of its holder void: the next renewal says so.
 *
 * The time is the wall clock's, since a lease may outlive a restart of the machine.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { EXIT, UpliftError } from '../../errors.ts';
import { LEASES } from '../../gateway/state-folder.ts';
import { isProcessThere, processMark } from '../../store/process-lock.ts';
import { Database } from '../../store/sqlite.ts';
import type { Lease } from '../ports.ts';

/** Without a renewal; a run renews its leases three times as often. */
export const LEASE_MS = 60_000;
export const LEASE_MS_MAX = 7 * 86_400_000;

/** Attempts to open a database that another process makes at this moment. */
const OPENINGS_MAX = 20;
const OPENING_PAUSE_MS = 50;
/** SQLite's result codes: busy, and locked. */
const BUSY = [5, 6];

const TABLE = `
CREATE TABLE IF NOT EXISTS leases (
  device TEXT PRIMARY KEY,
  token TEXT NOT NULL,
  holder TEXT NOT NULL,
  host TEXT NOT NULL,
  process TEXT,
  taken_ms INTEGER NOT NULL,
  renewed_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT`;

export interface LeaseRecord {
  device: string;
  /** Who has it, in words: a run, a person. */
  holder: string;
  host: string;
  /** Number of the process; undefined where a person has it. */
  pid: number | undefined;
  takenMs: number;
  renewedMs: number;
  untilMs: number;
}

export interface TakeOptions {
  holder: string;
  forMs?: number;
  /** Of a person: it stays when this process ends. */
  outlivesProcess?: boolean;
  nowMs?: () => number;
}

interface Row {
  device: string;
  token: string;
  holder: string;
  host: string;
  process: string | null;
  taken_ms: number;
  renewed_ms: number;
  until_ms: number;
}

export class LeaseBook {
  private readonly database: Database;

  private constructor(database: Database) {
    this.database = database;
  }

  /** That of a rig's state folder. @throws UpliftError */
  static async open(stateFolder: string): Promise<LeaseBook> {
    const path = join(stateFolder, LEASES);
    for (let attempt = 1; ; attempt++) {
      try {
        return LeaseBook.tryToOpen(stateFolder, path);
      } catch (error) {
        if (error instanceof UpliftError) throw error;
        if (!isBusy(error) || attempt === OPENINGS_MAX) throw unusable(path, error);
        await new Promise((done) => setTimeout(done, OPENING_PAUSE_MS));
      }
    }
  }

  /** Those in force in that folder; nothing is made there to find that there are none. @throws UpliftError */
  static async inForce(stateFolder: string): Promise<readonly LeaseRecord[]> {
    if (!existsSync(join(stateFolder, LEASES))) return [];
    return LeaseBook.use(stateFolder, (book) => book.list());
  }

  /** Open for as long as the work takes. @throws UpliftError */
  static async use<T>(stateFolder: string, work: (book: LeaseBook) => T): Promise<T> {
    const book = await LeaseBook.open(stateFolder);
    try {
      return work(book);
    } finally {
      book.close();
    }
  }

  private static tryToOpen(stateFolder: string, path: string): LeaseBook {
    mkdirSync(stateFolder, { recursive: true });
    const database = Database.open(path);
    try {
      database.exec(TABLE);
      return new LeaseBook(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** All of them, or none. @throws UpliftError where another has one */
  take(devices: readonly string[], options: TakeOptions): Lease {
    const { holder, forMs = LEASE_MS, outlivesProcess = false, nowMs = Date.now } = options;
    const token = randomBytes(16).toString('hex');
    const atMs = nowMs();
    const held = this.database.transaction(() => {
      const taken = devices.flatMap((device) => this.heldBy(device, atMs) ?? []);
      if (taken.length > 0) return taken;
      const insert = this.database.prepare(
        'INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      );
      const mark = outlivesProcess ? null : processMark();
      for (const device of devices)
        insert.run(device, token, holder, hostname(), mark, atMs, atMs, atMs + forMs);
      return [];
    });
    if (held.length > 0) throw heldByOthers(held);
    return {
      devices: [...devices],
      renew: async () => this.renew(devices, token, nowMs(), forMs),
      release: async () => this.release(token),
    };
  }

  /** Those in force. */
  list(nowMs = Date.now()): LeaseRecord[] {
    const rows = this.database.prepare('SELECT * FROM leases ORDER BY device').all();
    return (rows as unknown as Row[]).filter((row) => isInForce(row, nowMs)).map(recordOf);
  }

  /**
   * Ends the leases of these devices that persons have; with `isForced` also those of runs, which find that
   * out at their next renewal. Tells which.
   */
  end(devices: readonly string[], isForced: boolean, nowMs = Date.now()): LeaseRecord[] {
    return this.database.transaction(() => {
      const ended = devices.flatMap((device) => this.heldBy(device, nowMs) ?? []);
      const ofRuns = ended.filter(({ pid }) => pid !== undefined);
      if (ofRuns.length > 0 && !isForced) throw heldByRuns(ofRuns);
      const remove = this.database.prepare('DELETE FROM leases WHERE device = ?');
      for (const { device } of ended) remove.run(device);
      return ended;
    });
  }

  close(): void {
    this.database.close();
  }

  private heldBy(device: string, nowMs: number): LeaseRecord | undefined {
    const row = this.database.prepare('SELECT * FROM leases WHERE device = ?').get(device);
    if (row === undefined) return undefined;
    return isInForce(row as unknown as Row, nowMs) ? recordOf(row as unknown as Row) : undefined;
  }

  private renew(devices: readonly string[], token: string, nowMs: number, forMs: number): void {
    const renewed = this.database.transaction(
      () =>
        this.database
          .prepare('UPDATE leases SET renewed_ms = ?, until_ms = ? WHERE token = ?')
          .run(nowMs, nowMs + forMs, token).changes,
    );
    if (Number(renewed) === devices.length) return;
    throw new UpliftError('lease-lost', `the lease of ${devices.join(', ')} is lost`, {
      expected: 'to have every device of this run until it gives them back',
      actual: 'it ran out, or was ended, and another may have taken them',
      next: 'stop the run; `uplift rig locks` says who has them now',
      exit: EXIT.notReachable,
    });
  }

  private release(token: string): void {
    this.database.transaction(() =>
      this.database.prepare('DELETE FROM leases WHERE token = ?').run(token),
    );
  }
}

/** Whether its time is not over, and its process, if it is one of this machine, is there. */
function isInForce({ until_ms, host, process }: Row, nowMs: number): boolean {
  if (until_ms <= nowMs) return false;
  return process === null || host !== hostname() || isProcessThere(process);
}

function recordOf(row: Row): LeaseRecord {
  const { device, holder, host, process, taken_ms, renewed_ms, until_ms } = row;
  const pid = process === null ? undefined : Number(process.split(' ')[0]);
  return { device, holder, host, pid, takenMs: taken_ms, renewedMs: renewed_ms, untilMs: until_ms };
}

/** `hub-1: run 12, process 4711 on bench-pc, until 2027-01-31T02:30:00.000Z`. */
export function leaseWords({ device, holder, host, pid, untilMs }: LeaseRecord): string {
  const process = pid === undefined ? '' : `, process ${pid}`;
  return `${device}: ${holder}${process} on ${host}, until ${new Date(untilMs).toISOString()}`;
}

function heldByOthers(held: readonly LeaseRecord[]): UpliftError {
  const names = held.map(({ device }) => device).join(', ');
  return new UpliftError('lease-held', `another has ${names}`, {
    expected: 'devices that nobody uses',
    actual: held.map(leaseWords).join('; '),
    next: 'wait for it, or take other devices; `uplift rig unlock` ends what a person left behind',
    exit: EXIT.notReachable,
  });
}

function heldByRuns(held: readonly LeaseRecord[]): UpliftError {
  return new UpliftError('lease-of-run', 'a run that goes on has them', {
    expected: 'leases that persons have',
    actual: held.map(leaseWords).join('; '),
    next: 'stop that run; or end its leases with --force, which stops it at its next renewal',
    exit: EXIT.refused,
  });
}

function isBusy(error: unknown): boolean {
  return BUSY.includes(((error as { errcode?: number }).errcode ?? 0) & 0xff);
}

function unusable(path: string, error: unknown): UpliftError {
  return new UpliftError('leases-unusable', `the leases in ${path} cannot be used`, {
    expected: 'a database on a local disk that this user may write to',
    actual: (error as Error).message,
    next: 'give this user the right to it; a damaged one may be removed while no run goes on',
    cause: error,
  });
}
