/** Documents of JSON on disk. */
import { UpliftError } from '../errors.ts';
import { readBounded } from './bounded-file.ts';

export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** @throws UpliftError where the file cannot be read, or is no JSON */
export function readJson(path: string, what: string): unknown {
  const text = new TextDecoder().decode(readBounded(path, DOCUMENT_BYTES_MAX, what));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UpliftError('json-malformed', `${path} is not taken`, {
      expected: `${what}, as JSON`,
      actual: (error as Error).message,
      next: 'correct the document, or name another',
    });
  }
}
