/**
 * What a gateway keeps on disk for a rig, below the folder the rig file names: a lock, so that two never
 * serve one coordinator; the network keys it generated; and which content it is distributing to whom.
 *
 * The last is what lets a device go on after the gateway was killed: its partial download is continued
 * only if it is of the very content that is to be sent now. It is on disk before the first block leaves.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { EXIT, UpliftError } from '../errors.ts';

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
    try {
      mkdirSync(join(path, 'distribution'), { recursive: true });
    } catch (error) {
      throw new UpliftError('state-folder', `the state folder ${path} cannot be made`, {
        actual: (error as Error).message,
        next: 'name a folder that may be written in the rig file, key `state`',
        cause: error,
      });
    }
    const folder = new StateFolder(path);
    folder.lock();
    return folder;
  }

  close(): void {
    rmSync(this.lockPath, { force: true });
  }

  coordinatorFolder(coordinator: string): string {
    return join(this.path, coordinator);
  }

  /** The configured key, or the one generated for this coordinator, once. */
  networkKey(coordinator: string, configured: string): string {
    if (configured !== 'generated') return configured;
    const folder = this.coordinatorFolder(coordinator);
    const path = join(folder, 'network-key');
    if (existsSync(path)) return readFileSync(path, 'utf8').trim();
    mkdirSync(folder, { recursive: true });
    const key = randomBytes(16).toString('hex');
    writeDurably(path, `${key}\n`, 0o600);
    return key;
  }

  distribution(eui64: string): Distribution | undefined {
    try {
      return JSON.parse(readFileSync(this.distributionPath(eui64), 'utf8'));
    } catch {
      // None, or not readable: then nothing the device holds can be vouched for.
      return undefined;
    }
  }

  rememberDistribution(eui64: string, distribution: Distribution): void {
    writeDurably(this.distributionPath(eui64), `${JSON.stringify(distribution)}\n`);
  }

  private distributionPath(eui64: string): string {
    return join(this.path, 'distribution', `${eui64}.json`);
  }

  private lock(): void {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const file = openSync(this.lockPath, 'wx');
        writeSync(file, `${process.pid}\n`);
        closeSync(file);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const holder = Number(readFileSync(this.lockPath, 'utf8'));
        if (isRunning(holder)) throw locked(this.path, holder);
        rmSync(this.lockPath, { force: true });
      }
    }
  }
}

function locked(path: string, holder: number): UpliftError {
  return new UpliftError('rig-in-use', `another Uplift (process ${holder}) is using this rig`, {
    expected: 'to be the only one that serves its coordinators',
    actual: `${join(path, 'lock')} names process ${holder}, which is running`,
    next: 'wait for it or stop it, then try again',
    exit: EXIT.notReachable,
  });
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A reader sees the old content or the new, whole, also after a power cut. */
function writeDurably(path: string, content: string, mode = 0o644): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', mode);
  writeSync(file, content);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
}
