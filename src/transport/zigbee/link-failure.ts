/** Turns what a driver says when a coordinator does not open into an error for the person at the keyboard. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { EXIT, UpliftError } from '../../errors.ts';

export function linkFailure(port: string, error: unknown): UpliftError {
  if (error instanceof UpliftError) return error;
  const said = (error as Error)?.message ?? String(error);
  const detail = {
    expected: `a coordinator on ${port}`,
    actual: said,
    exit: EXIT.notReachable,
    cause: error,
  };
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN/.test(said)) {
    return new UpliftError('coordinator-unreachable', `nothing answers on ${port}`, {
      ...detail,
      next: 'check the address; for a rig of virtual devices start them first with `uplift rig up --rig FILE`',
    });
  }
  if (/ENOENT|no such file|cannot open.*No such/i.test(said)) {
    return new UpliftError('port-missing', `there is no port ${port}`, {
      ...detail,
      next: 'plug the coordinator in, and look for it below /dev/serial/by-id',
    });
  }
  if (/lock port|EBUSY|busy/i.test(said)) {
    const holder = portHolder(port);
    return new UpliftError('port-in-use', `${port} is in use${holder ? ` by ${holder}` : ''}`, {
      ...detail,
      next: 'stop the program that holds the port and try again',
    });
  }
  if (/EACCES|EPERM|permission/i.test(said)) {
    return new UpliftError('port-forbidden', `${port} may not be opened by this user`, {
      ...detail,
      next: 'add the user to the group that owns the port (Debian: dialout) and log in again',
    });
  }
  if (/configuration|does not match|mismatch|backup/i.test(said)) {
    return new UpliftError(
      'network-mismatch',
      `the coordinator on ${port} has another network than the rig file`,
      {
        ...detail,
        next: 'compare panId, extendedPanId and networkKey of the rig file with what the coordinator was set up with',
      },
    );
  }
  return new UpliftError('coordinator-failed', `the coordinator on ${port} did not start`, {
    ...detail,
    next: 'check that the adapter named in the rig file is the one plugged in, unplug it, plug it in and try again',
  });
}

/** Program name and process number of who has the port open, where this system tells. */
function portHolder(port: string): string | undefined {
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

/** The program and, of an interpreter, its script: the name of the process alone may be "MainThread". */
function programName(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const [program, script] = [words[0] ?? '', words[1] ?? ''];
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
