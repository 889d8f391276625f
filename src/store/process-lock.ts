/**
 * A lock file that one process at a time has. It names its holder by number and start, so that one that
 * a killed process left behind, or a power cut, is known to be nobody's and is taken over.
 *
 * It is not made durable: after a power cut every lock is stale, whatever is left of it.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Attempts to take a lock whose holder is gone while others may try the same. */
const ATTEMPTS_MAX = 5;

/**
 * Takes the lock for this process; where it cannot be had, says who has it.
 *
 * The lock appears with its content, by a link to a file that is complete: nobody ever reads half of
 * it, and of two who try at once one wins.
 */
export function takeLock(path: string): { taken: true } | { taken: false; holder: string } {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, `${processMark()}\n`, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (linked(mine, path)) return { taken: true };
      const holder = holderAfterClearing(path);
      if (holder !== undefined) return { taken: false, holder };
    }
    return { taken: false, holder: 'another process' };
  } finally {
    rmSync(mine, { force: true });
  }
}

/** What tells this process from any other, also from a later one with its number. */
export function processMark(): string {
  return `${process.pid} ${processStart(process.pid) ?? ''}`.trim();
}

/** Whether the process with this mark still runs on this machine. */
export function isProcessThere(mark: string): boolean {
  return mark === processMark() || holds(mark);
}

/** To be called by its holder only. */
export function giveUpLock(path: string): void {
  rmSync(path, { force: true });
}

/** Takes away a lock whose holder is gone; names the holder that is not. */
function holderAfterClearing(path: string): string | undefined {
  const found = readLock(path);
  if (found === undefined) return undefined;
  if (holds(found)) return `process ${Number(found.split(' ')[0])}`;
  const aside = `${path}.${process.pid}.stale`;
  if (!moved(path, aside)) return undefined;
  // Another may have been quicker and this is its lock, taken since: it goes back.
  if (readLock(aside) !== found) linked(aside, path);
  rmSync(aside, { force: true });
  return undefined;
}

/** False where `to` is there already. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** False where `from` went away meanwhile. */
function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Undefined where it went away meanwhile. */
function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether the process that wrote this lock still runs, and is not a later one with its number. */
function holds(lock: string): boolean {
  const [pidText, ...start] = lock.split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const known = start.join(' ');
  const now = processStart(pid);
  if (known !== '' && now !== undefined) return known === now;
  return pid !== process.pid && isRunning(pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process began, as this boot and its clock ticks since; undefined where the system does not tell.
 * After a power cut the numbers are given out again, so the number alone would find a stranger.
 */
function processStart(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name is in brackets and may hold blanks; the start is the 20th field after it.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined;
  }
}
