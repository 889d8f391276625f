/**
 * Small state files that are either the old one or the new one, never half of it, when the process is
 * killed. They are not flushed to the disk: a virtual device need not survive a power cut of its host.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, UpliftError } from '../errors.ts';

export function writeJsonAtomically(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.new`;
  writeFileSync(temporary, `${JSON.stringify(value)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** `undefined` where there is no such file; a file that cannot be read is an error with its way out. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UpliftError('VIRTUAL_STATE_UNREADABLE', `cannot read the virtual state in ${path}`, {
      expected: 'the JSON document that a virtual device wrote',
      actual: (error as Error).message,
      next: 'delete the file, or start the rig fresh',
      exit: EXIT.usage,
      cause: error,
    });
  }
}
