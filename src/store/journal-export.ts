/**
 * Records of the journal as a file in the audit log's format: one line a record, exactly as it was
 * sealed, with its head beside it, so that `uplift audit check` reads it. Whole or not there at all.
 *
 *     FILE        the records
 *     FILE.head   sequence and hash of the newest
 *     FILE.sig    a signature over all bytes of FILE, where it is asked for
 */
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { type AuditHead, EMPTY_HEAD, headText, parseRecord } from '../audit/chain.ts';
import { UpliftError } from '../errors.ts';
import { signDetached } from '../trust/detached-signature.ts';
import { codeOfError, STORE_CODES } from './codes.ts';
import {
  type FileSystem,
  readFully,
  replaceFile,
  syncFolder,
  withFile,
  writeAll,
} from './files.ts';
import type { JournalTable } from './journal-table.ts';

/** Written at a time. */
const CHUNK_CHARACTERS = 256 * 1024;

export interface JournalExport {
  path: string;
  records: number;
  /** Of the newest record in it. */
  head: AuditHead;
  bytes: number;
  sha256: string;
}

/** The same to where the user says, who is told what was wrong with it. @throws UpliftError */
export function exportTo(
  files: FileSystem,
  table: JournalTable,
  path: string,
  range: { from: number; to: number },
): JournalExport {
  try {
    return exportRows(files, table, path, range);
  } catch (error) {
    const code = codeOfError(error);
    if (code === undefined) throw error;
    throw new UpliftError('export-unwritten', `${path} was not written`, {
      expected: 'a file that this user may write, and a journal that can be read',
      actual: `${STORE_CODES[code]} (${(error as Error).message})`,
      next: 'name another file, or make room',
      cause: error,
    });
  }
}

export function exportRows(
  files: FileSystem,
  table: JournalTable,
  path: string,
  { from, to }: { from: number; to: number },
): JournalExport {
  const temporary = `${path}.new`;
  const hash = createHash('sha256');
  const written = { records: 0, head: EMPTY_HEAD, bytes: 0 };
  withFile(files, temporary, 'w', (descriptor) => {
    let text = '';
    const flush = () => {
      const chunk = Buffer.from(text);
      hash.update(chunk);
      writeAll(files, descriptor, chunk, written.bytes);
      written.bytes += chunk.length;
      text = '';
    };
    for (const { line } of table.rows(from, to)) {
      text += `${line}\n`;
      written.records++;
      const record = parseRecord(line);
      if (record) written.head = { sequence: record.sequence, hash: record.hash };
      if (text.length > CHUNK_CHARACTERS) flush();
    }
    flush();
    files.sync(descriptor);
  });
  files.rename(temporary, path);
  syncFolder(files, dirname(path));
  replaceFile(files, `${path}.head`, headText(written.head));
  return { path, ...written, sha256: hash.digest('hex') };
}

/** Signs a file that was exported with the private key of a PEM text; where the signature is. */
export function signExport(files: FileSystem, path: string, keyPem: string): string {
  const bytes = withFile(files, path, 'r', (descriptor) =>
    readFully(files, descriptor, new Uint8Array(files.status(path)?.bytes ?? 0), 0),
  );
  const signature = `${path}.sig`;
  replaceFile(files, signature, signDetached(bytes, keyPem));
  return signature;
}
