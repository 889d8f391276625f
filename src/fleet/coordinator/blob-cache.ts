/**
 * Blobs in memory, in pieces: ten thousand gateways that fetch one image read it from the database once.
 * Pieces are shared and never written to; the longest unused go first. Who asks for a piece that is being
 * read waits for that reading.
 */
import type { BlobReader, GatewayDesk } from './control.ts';

export interface BlobCacheLimits {
  pieceBytes: number;
  /** Of all pieces. */
  bytesMax: number;
  /** Blobs whose length is known. */
  blobsMax: number;
}

export const BLOB_CACHE_LIMITS: BlobCacheLimits = {
  pieceBytes: 256 * 1024,
  bytesMax: 128 * 1024 * 1024,
  blobsMax: 1_024,
};

export class BlobCache {
  private readonly desk: Pick<GatewayDesk, 'blob'>;
  private readonly limits: BlobCacheLimits;
  /** Both in the order of their use. */
  private readonly readers = new Map<string, BlobReader>();
  private readonly pieces = new Map<string, Promise<Uint8Array>>();
  /** Pieces that were read from the database. */
  reads = 0;

  constructor(desk: Pick<GatewayDesk, 'blob'>, limits: BlobCacheLimits = BLOB_CACHE_LIMITS) {
    this.desk = desk;
    this.limits = limits;
  }

  /** Undefined where there is no such blob; it may come yet, so that is not kept. */
  async find(sha256: string): Promise<{ bytes: number } | undefined> {
    const known = touched(this.readers, sha256);
    if (known) return known;
    const reader = await this.desk.blob(sha256);
    if (!reader) return undefined;
    this.readers.set(sha256, reader);
    trim(this.readers, this.limits.blobsMax);
    return reader;
  }

  /** Of a blob that was found. */
  async *read(sha256: string, offset: number, end: number): AsyncGenerator<Uint8Array> {
    const { pieceBytes } = this.limits;
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / pieceBytes);
      const start = index * pieceBytes;
      const piece = await this.piece(sha256, index);
      yield piece.subarray(at - start, Math.min(end - start, piece.length));
      at = start + piece.length;
    }
  }

  private piece(sha256: string, index: number): Promise<Uint8Array> {
    const key = `${sha256}/${index}`;
    const known = touched(this.pieces, key);
    if (known) return known;
    const reading = this.readPiece(sha256, index);
    this.pieces.set(key, reading);
    trim(this.pieces, Math.max(1, Math.floor(this.limits.bytesMax / this.limits.pieceBytes)));
    // Another may be luckier.
    reading.catch(() => this.pieces.delete(key));
    return reading;
  }

  private async readPiece(sha256: string, index: number): Promise<Uint8Array> {
    this.reads++;
    const { pieceBytes } = this.limits;
    const reader = this.readers.get(sha256) ?? (await this.desk.blob(sha256));
    if (!reader) throw new Error('a blob vanished while it was read');
    const offset = index * pieceBytes;
    const bytes = new Uint8Array(Math.min(pieceBytes, reader.bytes - offset));
    let filled = 0;
    for await (const part of reader.read(offset, bytes.length)) {
      bytes.set(part, filled);
      filled += part.length;
    }
    if (filled !== bytes.length) throw new Error('a blob is shorter than it is said to be');
    return bytes;
  }
}

function touched<T>(map: Map<string, T>, key: string): T | undefined {
  const found = map.get(key);
  if (found === undefined) return undefined;
  map.delete(key);
  map.set(key, found);
  return found;
}

function trim(map: Map<string, unknown>, sizeMax: number): void {
  for (const key of map.keys()) {
    if (map.size <= sizeMax) return;
    map.delete(key);
  }
}
