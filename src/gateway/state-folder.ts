/**
 * What a gateway keeps on disk for a rig, below the folder the rig file names: a lock, so that two never
 * serve one coordinator; the network keys it generated; the newest products list that it accepted; and which content it is
 * distributing to whom.
 *
 * The last is what lets a device go on after the gateway was killed: its partial download is continued
 * only if it is of the very content that is to be sent now. A record of other content is gone before that
 * content is offered, and a new one is written when the device begins with it: a gateway that is killed
 * between the two knows nothing, and the device begins anew.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, UpliftError } from '../errors.ts';
import { type AcceptedEdition, type ListEdition, parseEdition } from '../products/list-edition.ts';
import { giveUpLock, takeLock } from '../store/process-lock.ts';
import { syncFolder, writeDurably } from './durable-file.ts';

/** The database of leases that a lab has here, and what SQLite keeps beside it. */
export const LEASES = 'leases.db';

export interface Distribution {
  /** SHA-256 of the OTA image, hex. */
  sha256: string;
  fileVersion: number;
}

export class StateFolder {
  readonly path: string;
  private readonly lockPath: string;

  private constructor(path: string) {
    this.path = path;
    this.lockPath = join(path, 'lock');
  }

  /** Opens the folder for this process alone. */
  static open(path: string): StateFolder {
    const folder = new StateFolder(path);
    try {
      mkdirSync(join(path, 'distribution'), { recursive: true });
      const lock = takeLock(folder.lockPath);
      if (!lock.taken) throw locked(path, lock.holder);
      return folder;
    } catch (error) {
      throw error instanceof UpliftError ? error : notWritable(path, error);
    }
  }

  /** The folder beside another process that may hold it: for what is only read, or made once. */
  static shared(path: string): StateFolder {
    return new StateFolder(path);
  }

  /**
   * Forgets everything but the lock, who has leases of its devices, and the list: what was withdrawn from
   * it stays withdrawn.
   */
  clear(): void {
    for (const name of readdirSync(this.path)) {
      if (name.startsWith(LEASES)) continue;
      const path = join(this.path, name);
      if (path !== this.lockPath && path !== this.listPath)
        rmSync(path, { recursive: true, force: true });
    }
    mkdirSync(join(this.path, 'distribution'), { recursive: true });
  }

  close(): void {
    giveUpLock(this.lockPath);
  }

  coordinatorFolder(coordinator: string): string {
    return join(this.path, coordinator);
  }

  /** The configured key, or the one generated for this coordinator, once. */
  networkKey(coordinator: string, configured: string): string {
    if (configured !== 'generated') return configured;
    const folder = this.coordinatorFolder(coordinator);
    const path = join(folder, 'network-key');
    try {
      if (existsSync(path)) return keptKey(path);
      mkdirSync(folder, { recursive: true });
      const key = randomBytes(16).toString('hex');
      writeDurably(path, `${key}\n`, 0o600);
      return key;
    } catch (error) {
      throw error instanceof UpliftError ? error : notWritable(this.path, error);
    }
  }

  /**
   * Throws where the driver's files of a coordinator are damaged. The driver itself would drop what it
   * cannot read of its devices and write the rest back, and they would all have to join anew.
   */
  checkCoordinator(coordinator: string): void {
    const folder = this.coordinatorFolder(coordinator);
    const database = join(folder, 'database.db');
    const backup = join(folder, 'coordinator-backup.json');
    const kept = `${database}.kept`;
    try {
      const text = existsSync(database) ? readFileSync(database, 'utf8') : '';
      const damage = databaseDamage(text);
      // A first start that failed leaves an empty one.
      const known = existsSync(kept);
      if (damage && (text !== '' || known)) throw damagedDatabase(database, damage, known && kept);
      if (existsSync(backup) && !isBackup(readFileSync(backup, 'utf8')))
        throw damagedBackup(backup);
      if (!damage) writeDurably(kept, text, 0o600);
    } catch (error) {
      throw error instanceof UpliftError ? error : notWritable(this.path, error);
    }
  }

  /** @throws UpliftError where the record is damaged: then nobody knows which list is too old */
  acceptedList(): AcceptedEdition | undefined {
    const { listPath } = this;
    if (!existsSync(listPath)) return undefined;
    const edition = parseEdition(parsedObject(readFileSync(listPath, 'utf8')));
    if (edition) return { edition, keptIn: listPath };
    throw new UpliftError('state-damaged', `${listPath} is damaged: it names the newest list`, {
      expected: 'the edition of the newest products list that was accepted',
      actual: 'something else',
      next: 'put it back from a backup; or make sure that the list is the latest and remove it',
      exit: EXIT.refused,
    });
  }

  rememberList(edition: ListEdition): void {
    try {
      writeDurably(this.listPath, `${JSON.stringify(edition)}\n`);
    } catch (error) {
      throw notWritable(this.path, error);
    }
  }

  distribution(eui64: string): Distribution | undefined {
    try {
      const record: unknown = JSON.parse(readFileSync(this.distributionPath(eui64), 'utf8'));
      return isDistribution(record) ? record : undefined;
    } catch {
      // None, or not readable: then nothing the device holds can be vouched for.
      return undefined;
    }
  }

  rememberDistribution(eui64: string, distribution: Distribution): void {
    writeDurably(this.distributionPath(eui64), `${JSON.stringify(distribution)}\n`);
  }

  forgetDistribution(eui64: string): void {
    if (!existsSync(this.distributionPath(eui64))) return;
    rmSync(this.distributionPath(eui64));
    syncFolder(join(this.path, 'distribution'));
  }

  private get listPath(): string {
    return join(this.path, 'newest-list.json');
  }

  private distributionPath(eui64: string): string {
    return join(this.path, 'distribution', `${eui64}.json`);
  }
}

function locked(path: string, holder: string): UpliftError {
  return new UpliftError('rig-in-use', `another Uplift (${holder}) is using this rig`, {
    expected: 'to be the only one that serves its coordinators',
    actual: `${join(path, 'lock')} names ${holder}, which is running`,
    next: 'wait for it or stop it, then try again',
    exit: EXIT.notReachable,
  });
}

function notWritable(path: string, error: unknown): UpliftError {
  return new UpliftError('state-folder', `the state folder ${path} cannot be used`, {
    expected: 'a folder that this user may read and write',
    actual: (error as Error).message,
    next: 'give this user the right to it, or name another folder in the rig file, key `state`',
    cause: error,
  });
}

/** A damaged key is never replaced by a new one: the devices know the old one only. */
function keptKey(path: string): string {
  const key = readFileSync(path, 'utf8').trim();
  if (/^[0-9a-f]{32}$/.test(key)) return key;
  throw new UpliftError('state-damaged', `${path} holds no network key`, {
    expected: '32 hexadecimal digits',
    actual: `${key.length} characters that are not`,
    next: 'put the file back from a backup; without it, remove the folder it is in and let every device join anew',
  });
}

/** The driver keeps one JSON object a line, the coordinator among them; undefined where that is so. */
function databaseDamage(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  const damaged = lines.findIndex((line) => typeof parsedObject(line)?.['id'] !== 'number');
  if (damaged >= 0) return `line ${damaged + 1} is none`;
  return lines.length === 0 ? 'no line' : undefined;
}

function damagedDatabase(path: string, actual: string, kept: string | false): UpliftError {
  return new UpliftError('state-damaged', `${path} is damaged: it lists the devices that joined`, {
    expected: 'one device a line',
    actual,
    next: kept
      ? `copy ${kept} over it, which is what it was at the last start`
      : 'put it back from a backup; without one, remove it and let every device join anew',
  });
}

function isBackup(text: string): boolean {
  const metadata = parsedObject(text)?.['metadata'];
  return typeof metadata === 'object' && metadata !== null;
}

function damagedBackup(path: string): UpliftError {
  return new UpliftError('state-damaged', `${path} is damaged: it is the network's backup`, {
    expected: 'a backup as JSON',
    actual: 'something else',
    next: 'remove it: it is written anew from the coordinator, whose network goes on',
  });
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isDistribution(record: unknown): record is Distribution {
  const { sha256, fileVersion } = (record ?? {}) as Partial<Distribution>;
  return typeof sha256 === 'string' && typeof fileVersion === 'number';
}
