/**
 * Byte strings by their SHA-256, each a file in one folder beside the recordings that name it. A file has
 * its name when all of it is there, and what is read is held against its name.
 */
import { dirname, join } from 'node:path';
import { EXIT, UpliftError } from '../../errors.ts';
import { type FileSystem, readFully, replaceFile, withFile } from '../../store/files.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { Contents } from './values.ts';

const FOLDER = 'content';
const BYTES_MAX = 256 * 1024 * 1024;
const NAME = /^[0-9a-f]{64}$/;

/** Those of a recording at `path`. */
export function contentsBeside(path: string, files: FileSystem): Contents {
  const folder = join(dirname(path), FOLDER);
  // A run hands the same buffers over again and again.
  const names = new WeakMap<Uint8Array, string>();
  return {
    put(bytes) {
      const known = names.get(bytes);
      if (known !== undefined) return known;
      const name = sha256Hex(bytes);
      const file = join(folder, name);
      if (files.status(file)?.bytes !== bytes.length) {
        files.makeFolder(folder);
        replaceFile(files, file, bytes);
      }
      names.set(bytes, name);
      return name;
    },
    get(name) {
      const file = join(folder, name);
      const status = NAME.test(name) ? files.status(file) : undefined;
      if (status === undefined || status.bytes > BYTES_MAX) throw missing(name, 'no such file');
      const bytes = withFile(files, file, 'r', (descriptor) =>
        readFully(files, descriptor, new Uint8Array(status.bytes), 0),
      );
      if (sha256Hex(bytes) !== name) throw missing(name, 'a file of other content');
      return bytes;
    },
  };
}

function missing(name: string, actual: string): UpliftError {
  return new UpliftError('recording-content-missing', 'what the recording refers to is missing', {
    expected: `${FOLDER}/${name} beside the recording`,
    actual,
    next: 'keep the folder "content" with the recordings; it was made beside them',
    exit: EXIT.usage,
  });
}
