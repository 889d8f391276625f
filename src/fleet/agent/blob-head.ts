/** What the head of a response says of a blob, or of a part of it (RFC 9110, 8.8.3 and 14.4). */
import type { IncomingMessage } from 'node:http';

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
