/** Turns what a driver says when a coordinator does not open into an error for the person at the keyboard. */
import { EXIT, UpliftError } from '../../errors.ts';
import { portHolder } from '../port-holder.ts';

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
