/** Small state files that are either the old one or the new one, never half of it. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, UpliftError } from '../errors.ts';

export function writeJsonAtomically(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(value)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
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
