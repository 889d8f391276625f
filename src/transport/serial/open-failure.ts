/** Turns what an operating system says when a hub's port does not open into an error for a person. */
import { readFileSync, statSync } from 'node:fs';
import { EXIT, UpliftError } from '../../errors.ts';
import { holdsItself, portHolder } from '../port-holder.ts';
import { portChoices, type SerialPortInfo } from './ports.ts';

/** What is wrong with a path before it is opened: opening a file would lock it and change nothing more. */
export function unfitPort(path: string, ports: readonly SerialPortInfo[]): UpliftError | undefined {
  // Of Windows the names of ports are no paths.
  if (process.platform === 'win32') return undefined;
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return portMissing(path, ports);
  return status.isCharacterDevice() ? undefined : notAPort(path, kindOf(status));
}

export function openFailure(
  path: string,
  error: unknown,
  ports: readonly SerialPortInfo[],
): UpliftError {
  if (error instanceof UpliftError) return error;
  const said = (error as Error)?.message ?? String(error);
  const detail = {
    expected: 'a serial port that this process may use alone',
    actual: said,
    exit: EXIT.notReachable,
    cause: error,
  };
  if (/ENOENT|ENXIO|ENODEV|no such|file not found/i.test(said))
    return portMissing(path, ports, error);
  if (/lock port|EBUSY|busy|access denied/i.test(said)) {
    const holder = portHolder(path) ?? (holdsItself(path) ? 'this very program' : undefined);
    return new UpliftError('port-in-use', `${path} is in use${holder ? ` by ${holder}` : ''}`, {
      ...detail,
      next: 'stop the program that holds the port and try again',
    });
  }
  if (/EACCES|EPERM|permission/i.test(said)) {
    const group = groupOf(path);
    return new UpliftError('port-forbidden', `${path} may not be opened by this user`, {
      ...detail,
      next: `add the user to the group ${group ?? 'that owns the port'} and log in again`,
    });
  }
  if (/baud ?rate/i.test(said) && !/inappropriate ioctl/i.test(said)) {
    return new UpliftError('baud-rate-unsupported', `${path} does not do this baud rate`, {
      ...detail,
      next: 'give the rig file or the model a baud rate that hub and adapter both have',
    });
  }
  if (/inappropriate ioctl|not a (tty|typewriter)/i.test(said)) {
    return notAPort(path, 'a device that is none', error);
  }
  return new UpliftError('port-failed', `${path} did not open`, {
    ...detail,
    next: 'unplug the adapter, plug it in and try again',
  });
}

export function serverUnreachable(port: string, error: unknown): UpliftError {
  return new UpliftError('port-unreachable', `nothing answers on ${port}`, {
    expected: 'a serial server, or a virtual hub',
    actual: (error as Error).message,
    next: 'check the address; for a rig of virtual devices start them first with `uplift rig up --rig FILE`',
    exit: EXIT.notReachable,
    cause: error,
  });
}

function portMissing(path: string, ports: readonly SerialPortInfo[], cause?: unknown): UpliftError {
  return new UpliftError('port-missing', `there is no port ${path}`, {
    expected: 'a serial port, or a link to one',
    actual: portChoices(ports),
    next:
      'plug the adapter in, or name one that is there in the rig file; for a rig of virtual devices ' +
      'start them first with `uplift rig up --rig FILE`',
    exit: EXIT.notReachable,
    cause,
  });
}

function notAPort(path: string, actual: string, cause?: unknown): UpliftError {
  return new UpliftError('port-wrong-kind', `${path} is no serial port`, {
    expected: 'a serial port',
    actual,
    next: 'name the port in the rig file: a path, usb:SERIAL or tcp://host:port',
    exit: EXIT.notReachable,
    cause,
  });
}

function kindOf(status: { isDirectory(): boolean; isFile(): boolean }): string {
  if (status.isDirectory()) return 'a folder';
  return status.isFile() ? 'a file' : 'something else';
}

/** The name of the group that owns the port, or its number. */
function groupOf(path: string): string | undefined {
  try {
    const { gid } = statSync(path);
    const lines = readFileSync('/etc/group', 'utf8').split('\n');
    const line = lines.find((entry) => entry.split(':')[2] === String(gid));
    return line?.split(':')[0] ?? String(gid);
  } catch {
    return undefined;
  }
}
