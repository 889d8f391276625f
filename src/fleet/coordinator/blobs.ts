/**
 * Images and signed campaigns, by their SHA-256, in pieces, so that who asks for a range takes no more
 * than what it needs. Pieces that come in belong to an upload; it becomes a blob when all of them are
 * there and have the digest and the length that were stated, and not before.
 */
import { createHash } from 'node:crypto';
import type { Actor } from '../../jobs/records.ts';
import { sha256Hex } from '../../trust/digest.ts';
import { appendAudit } from './audit.ts';
import type { BlobReader } from './control.ts';
import type { Change, Db } from './database.ts';
import { refusedFleet } from './refusals.ts';
import type { Desk } from './settings.ts';

export const PIECE_BYTES = 256 * 1024;
/** More than any image that a campaign may carry has (campaign/manifest.ts). */
const BLOB_BYTES_MAX = 16 * 1024 * 1024;
const UPLOAD_ID_BYTES = 16;

/** Harmless where it is there already: then nothing is read. @throws UpliftError `blob-other` */
export async function putBlob(
  desk: Desk,
  sha256: string,
  bytes: number,
  content: AsyncIterable<Uint8Array>,
  by: Actor,
): Promise<void> {
  if (bytes > BLOB_BYTES_MAX) throw refusedFleet('blob-other', `${bytes} octets are too many`);
  const known = await desk.database.ask((db) => blobBytes(db, sha256));
  if (known !== undefined) {
    if (known !== bytes) throw refusedFleet('blob-other', `it has ${known} octets`);
    return;
  }
  const upload = Buffer.from(desk.random(UPLOAD_ID_BYTES)).toString('hex');
  const atMs = desk.timers.nowMs();
  const began = { upload, began_ms: atMs };
  await desk.database.ask((db) => db.insertInto('uploads').values(began).execute());
  try {
    await storePieces(desk, upload, sha256, bytes, content);
    const stored = { sha256, bytes, upload, stored_by: by, stored_ms: desk.timers.nowMs() };
    await desk.database.change((change) => finishUpload(change, stored));
  } catch (error) {
    // Where the database is away it stays, and goes with what was not finished.
    await desk.database.change((change) => dropUpload(change, upload)).catch(() => {});
    throw error;
  }
}

/** Small content, within the caller's transaction. */
export async function putDocument(
  change: Change,
  desk: Desk,
  content: Uint8Array,
  by: Actor,
): Promise<string> {
  const sha256 = sha256Hex(content);
  if ((await blobBytes(change.db, sha256)) !== undefined) return sha256;
  const upload = Buffer.from(desk.random(UPLOAD_ID_BYTES)).toString('hex');
  for (let at = 0; at * PIECE_BYTES < content.length; at++) {
    const piece = content.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES);
    await storePiece(change.db, upload, at, piece);
  }
  const stored_ms = desk.timers.nowMs();
  const row = { sha256, bytes: content.length, upload, stored_by: by, stored_ms };
  await change.db.insertInto('blobs').values(row).execute();
  return sha256;
}

/** Undefined where it is not there. */
export async function blobBytes(db: Db, sha256: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('blobs')
    .select('bytes')
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  return row?.bytes;
}

export async function openBlob(desk: Desk, sha256: string): Promise<BlobReader | undefined> {
  const row = await desk.database.ask((db) =>
    db.selectFrom('blobs').selectAll().where('sha256', '=', sha256).executeTakeFirst(),
  );
  return (
    row && { bytes: row.bytes, read: (offset, length) => readPieces(desk, row, offset, length) }
  );
}

export async function readBlob(db: Db, sha256: string): Promise<Uint8Array | undefined> {
  const pieces = await db
    .selectFrom('blobs')
    .innerJoin('blob_pieces', 'blob_pieces.upload', 'blobs.upload')
    .select('content')
    .where('sha256', '=', sha256)
    .orderBy('piece')
    .execute();
  return pieces.length === 0 ? undefined : Buffer.concat(pieces.map(({ content }) => content));
}

/** Uploads that nobody finishes any more. */
export async function dropUploads(desk: Desk): Promise<void> {
  const beforeMs = desk.timers.nowMs() - desk.settings.uploadMs;
  const old = await desk.database.ask((db) =>
    db.selectFrom('uploads').select('upload').where('began_ms', '<', beforeMs).execute(),
  );
  for (const { upload } of old) await desk.database.change((change) => dropUpload(change, upload));
}

async function storePieces(
  desk: Desk,
  upload: string,
  sha256: string,
  bytes: number,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const hash = createHash('sha256');
  const piece = new Uint8Array(Math.min(PIECE_BYTES, Math.max(1, bytes)));
  let [used, number, total] = [0, 0, 0];
  const flush = async () => {
    const full = piece.slice(0, used);
    await desk.database.ask((db) => storePiece(db, upload, number, full));
    number++;
    used = 0;
  };
  for await (const chunk of content) {
    total += chunk.length;
    if (total > bytes) throw refusedFleet('blob-other', `more than ${bytes} octets`);
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + piece.length - used);
      piece.set(part, used);
      used += part.length;
      at += part.length;
      if (used === piece.length) await flush();
    }
  }
  if (used > 0) await flush();
  if (total !== bytes) throw refusedFleet('blob-other', `${total} octets for ${bytes}`);
  const found = hash.digest('hex');
  if (found !== sha256) throw refusedFleet('blob-other', `SHA-256 ${found}`);
}

async function storePiece(db: Db, upload: string, piece: number, bytes: Uint8Array): Promise<void> {
  // The driver of PostgreSQL takes any other array for one of numbers.
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  await db.insertInto('blob_pieces').values({ upload, piece, content }).execute();
}

/** Another may have stored the same bytes meanwhile. */
async function finishUpload(
  change: Change,
  row: { sha256: string; bytes: number; upload: string; stored_by: Actor; stored_ms: number },
): Promise<void> {
  const { db } = change;
  const { upload } = row;
  const ended = await db.deleteFrom('uploads').where('upload', '=', upload).executeTakeFirst();
  // One that took too long was dropped, and its pieces with it.
  if (Number(ended.numDeletedRows) === 0) throw refusedFleet('busy', 'the upload took too long');
  const made = await db
    .insertInto('blobs')
    .values(row)
    .onConflict((clash) => clash.doNothing())
    .executeTakeFirst();
  if (Number(made.numInsertedOrUpdatedRows) === 0) return dropUpload(change, upload);
  appendAudit(change, {
    atMs: row.stored_ms,
    by: row.stored_by,
    what: 'blob-stored',
    detail: `${row.sha256}, ${row.bytes} octets`,
  });
}

async function dropUpload({ db }: Change, upload: string): Promise<void> {
  await db.deleteFrom('blob_pieces').where('upload', '=', upload).execute();
  await db.deleteFrom('uploads').where('upload', '=', upload).execute();
}

async function* readPieces(
  { database }: Desk,
  { upload, bytes }: { upload: string; bytes: number },
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array> {
  const end = Math.min(bytes, offset + length);
  for (let at = offset; at < end; ) {
    const piece = Math.floor(at / PIECE_BYTES);
    const start = at - piece * PIECE_BYTES;
    const row = await database.ask((db) =>
      db
        .selectFrom('blob_pieces')
        .select('content')
        .where('upload', '=', upload)
        .where('piece', '=', piece)
        .executeTakeFirst(),
    );
    if (!row) throw refusedFleet('blob-unknown');
    const part = row.content.subarray(start, Math.min(PIECE_BYTES, end - piece * PIECE_BYTES));
    yield part;
    at += part.length;
  }
}
