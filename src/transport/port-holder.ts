/** Who has a serial port open, where this system tells: Linux does, below /proc. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

/** Program name and process number of another process that has the port open. */
export function portHolder(port: string): string | undefined {
  try {
    const target = realpathSync(port);
    for (const pid of readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && name !== String(process.pid),
    )) {
      if (!holds(pid, target)) continue;
      return `${programName(pid)} (process ${pid})`;
    }
  } catch {
    // Not Linux, or not a path: the message does without the name.
  }
  return undefined;
}

/** Whether this very process has it open. */
export function holdsItself(port: string): boolean {
  try {
    return holds(String(process.pid), realpathSync(port));
  } catch {
    return false;
  }
}

/** The program and, of an interpreter, its script: the name of the process alone may be "MainThread". */
function programName(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const program = words[0] ?? '';
  const script = words.slice(1).find((word) => !word.startsWith('-')) ?? '';
  if (program === '') return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  return script.startsWith('/') ? `${basename(program)} ${script}` : basename(program);
}

function holds(pid: string, target: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      (fd) => linkTarget(`/proc/${pid}/fd/${fd}`) === target,
    );
  } catch {
    return false;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
