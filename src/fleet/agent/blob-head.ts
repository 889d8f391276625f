/** A blob, or a part of it, over HTTP: what is asked for, what the head says, the body (RFC 9110, 8.8.3 and 14). */
import type { IncomingMessage } from 'node:http';
import type { BlobPart, BlobPartEnd, BlobReceiver } from './fleet-link.ts';

export interface BlobHead {
  /** All of it, the part that was asked for, or none as there is no such part. */
  status: 200 | 206 | 416;
  /** A strong one. */
  etag: string | undefined;
  /** What Content-Range says; `undefined` for what it does not, or where it cannot be read. */
  start: number | undefined;
  end: number | undefined;
  total: number | undefined;
  /** Of the body, where it says so. */
  length: number | undefined;
}

const STRONG_ETAG = /^"[\x21\x23-\x7e]{0,128}"$/;
const CONTENT_RANGE = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/;

export function partHeaders({ offset, etag }: BlobPart): Record<string, string> {
  if (offset === 0) return {};
  return { range: `bytes=${offset}-`, ...(etag === undefined ? {} : { 'if-range': etag }) };
}

export function isBlobStatus(status: number | undefined): status is BlobHead['status'] {
  return status === 200 || status === 206 || status === 416;
}

/**
 * Hands a body over in the call in which it came: what is read ahead would be lost with the connection.
 *
 * @param brokenOff what an end before its time comes to
 */
export function passBlob(
  status: BlobHead['status'],
  response: IncomingMessage,
  receiver: BlobReceiver,
  brokenOff: (error: Error) => BlobPartEnd,
): Promise<BlobPartEnd> {
  return new Promise((done) => {
    const drop = () => {
      response.destroy();
      done({ kind: 'dropped' });
    };
    response.on('error', (error) => done(brokenOff(error)));
    if (!receiver.head(headOf(status, response))) {
      drop();
      return;
    }
    response.on('data', (chunk: Uint8Array) => {
      if (!receiver.chunk(chunk)) drop();
    });
    response.on('end', () => done({ kind: 'ended' }));
    response.on('close', () => done(brokenOff(new Error('it ended'))));
  });
}

export function headOf(status: BlobHead['status'], { headers }: IncomingMessage): BlobHead {
  const { etag = '' } = headers;
  const [, start, end, total] = CONTENT_RANGE.exec(headers['content-range'] ?? '') ?? [];
  const number = (digits: string | undefined) =>
    digits === undefined || digits === '*' ? undefined : Number(digits);
  return {
    status,
    etag: STRONG_ETAG.test(etag) ? etag : undefined,
    start: number(start),
    end: number(end),
    total: number(total),
    length: number(headers['content-length']),
  };
}
