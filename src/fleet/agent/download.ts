/**
 * A blob by its digest, over a connection that breaks: what has come is never fetched again. A part is
 * asked for from where the sink is (Range), of the same blob as before (If-Range). A connection that
 * brought something is made anew at once; one that brought nothing is the queue's to wait for.
 *
 * The digest is the sink's to check, over all of it, before anything is kept under its name.
 */
import { createHash } from 'node:crypto';
import type { BlobHead } from './blob-head.ts';
import type { BlobEnd, WantedBlob } from './blob-queue.ts';
import type { AgentCode } from './codes.ts';
import type { BlobReceiver, FleetLink } from './fleet-link.ts';

/** Where the bytes of one blob go, in order. */
export interface BlobSink {
  /** So many are there. */
  readonly offset: number;
  /** Of what is there, where it had one. */
  readonly etag: string | undefined;
  /** What comes next has this ETag. `undefined`: it is as it should be. */
  begin(etag: string | undefined): SinkRefusal | undefined;
  append(chunk: Uint8Array): SinkRefusal | undefined;
  /** Nothing of it is kept. */
  drop(): void;
  /** All of it is there: kept if it is what its digest says, dropped otherwise. */
  finish(): { kind: 'stored' } | { kind: 'spoiled'; detail: string } | SinkRefusal;
}

export interface SinkRefusal {
  kind: 'refused';
  code: AgentCode;
  detail: string;
}

export interface Downloaded {
  end: BlobEnd;
  /** Of bodies, those that were there already among them. */
  fetchedBytes: number;
  connections: number;
}

/** Less than this is no reason to ask again at once: or a peer that sends a byte a time is asked for ever. */
const GAIN_BYTES_MIN = 16 * 1024;
/** Of one blob, in one go. */
const RESTARTS_MAX = 3;

export async function download(
  link: Pick<FleetLink, 'fetchBlob'>,
  blob: WantedBlob,
  sink: BlobSink,
  isWanted: () => boolean = () => true,
): Promise<Downloaded> {
  let fetchedBytes = 0;
  let connections = 0;
  let restarts = 0;
  const ended = (end: BlobEnd): Downloaded => ({ end, fetchedBytes, connections });
  while (sink.offset < blob.bytes) {
    const part = new Part(blob, sink, isWanted);
    const { offset, etag } = sink;
    const { sha256 } = blob;
    const end = await link.fetchBlob({ sha256, offset, etag }, part);
    connections++;
    fetchedBytes += part.fetchedBytes;
    if (part.restarted && ++restarts > RESTARTS_MAX) {
      sink.drop();
      const detail = `${restarts} times`;
      return ended({ kind: 'spoiled', code: 'blob-changed', detail });
    }
    if (part.refusal) return ended(part.refusal);
    if (sink.offset === blob.bytes) break;
    const isEager = part.gainedBytes >= GAIN_BYTES_MIN || part.restarted;
    if (end.kind === 'ended' || end.kind === 'dropped') {
      if (isEager) continue;
      return ended({ kind: 'broken', code: 'blob-short', detail: `at ${sink.offset}` });
    }
    const wait =
      end.kind === 'later' && end.retryAfterMs !== undefined
        ? { retryAfterMs: end.retryAfterMs }
        : {};
    if (end.kind === 'unreached' && isEager && end.code !== 'fleet-stopped') continue;
    return ended({ kind: 'broken', code: end.code, detail: end.detail, ...wait });
  }
  const finished = sink.finish();
  if (finished.kind === 'refused') {
    return ended({ kind: 'broken', code: finished.code, detail: finished.detail });
  }
  if (finished.kind === 'stored') return ended(finished);
  return ended({ kind: 'spoiled', code: 'blob-other', detail: finished.detail });
}

/** One response: what of it is new goes to the sink. */
class Part implements BlobReceiver {
  private readonly blob: WantedBlob;
  private readonly sink: BlobSink;
  private readonly isWanted: () => boolean;
  /** Where the next byte of the body stands in the blob. */
  private at = 0;
  fetchedBytes = 0;
  gainedBytes = 0;
  /** What was there was dropped. */
  restarted = false;
  refusal: Exclude<BlobEnd, { kind: 'stored' }> | undefined;

  constructor(blob: WantedBlob, sink: BlobSink, isWanted: () => boolean) {
    this.blob = blob;
    this.sink = sink;
    this.isWanted = isWanted;
  }

  head(head: BlobHead): boolean {
    const { sink } = this;
    const { offset } = sink;
    if (head.status === 416) return this.noSuchPart(head);
    if (head.status === 206) {
      if (!this.isThePart(head)) {
        const detail = `${head.start ?? '?'}-${head.end ?? '?'}/${head.total ?? '*'}`;
        return this.refuse({ kind: 'broken', code: 'range-other', detail });
      }
      // Another blob than before, though only a part of the same was asked for.
      if (this.isChanged(head)) return this.restart();
      this.at = offset;
    } else {
      if (head.length !== undefined && head.length !== this.blob.bytes) {
        return this.spoil(`${head.length} bytes, not ${this.blob.bytes}`);
      }
      if (offset > 0 && this.isChanged(head)) this.restart();
    }
    const refusal = sink.begin(head.etag ?? sink.etag);
    return refusal ? this.refuse({ ...refusal, kind: 'broken' }) : true;
  }

  chunk(bytes: Uint8Array): boolean {
    const { sink, blob } = this;
    if (!this.isWanted()) {
      return this.refuse({ kind: 'broken', code: 'blob-unwanted', detail: '' });
    }
    this.fetchedBytes += bytes.length;
    const from = this.at;
    this.at += bytes.length;
    if (this.at > blob.bytes) return this.spoil(`more than ${blob.bytes} bytes`);
    // What is there already comes again where the server has no parts.
    const fresh = bytes.subarray(Math.min(bytes.length, Math.max(0, sink.offset - from)));
    if (fresh.length === 0) return true;
    const refusal = sink.append(fresh);
    if (refusal) return this.refuse({ ...refusal, kind: 'broken' });
    this.gainedBytes += fresh.length;
    return true;
  }

  private isThePart({ start, end, total }: BlobHead): boolean {
    const { bytes } = this.blob;
    const isOfIt = total === undefined || total === bytes;
    return isOfIt && start === this.sink.offset && end !== undefined && end < bytes && start <= end;
  }

  /** Nothing is said of what has no ETag: then the digest decides. */
  private isChanged({ etag }: BlobHead): boolean {
    return this.sink.etag !== undefined && etag !== undefined && etag !== this.sink.etag;
  }

  private noSuchPart({ total }: BlobHead): boolean {
    const { bytes } = this.blob;
    if (total !== undefined && total !== bytes) return this.spoil(`${total} bytes, not ${bytes}`);
    if (this.sink.offset > 0) return this.restart();
    return this.refuse({ kind: 'broken', code: 'range-refused', detail: 'all of it' });
  }

  /** @returns false, as this response has nothing to begin with */
  private restart(): false {
    this.sink.drop();
    this.restarted = true;
    return false;
  }

  private spoil(detail: string): false {
    this.sink.drop();
    return this.refuse({ kind: 'spoiled', code: 'blob-other', detail });
  }

  private refuse(refusal: Exclude<BlobEnd, { kind: 'stored' }>): false {
    this.refusal = refusal;
    return false;
  }
}

/** A blob in memory, no larger than was said. */
export class MemorySink implements BlobSink {
  private readonly sha256: string;
  private readonly bytes: Uint8Array;
  private hash = createHash('sha256');
  offset = 0;
  etag: string | undefined;

  constructor({ sha256, bytes }: WantedBlob) {
    this.sha256 = sha256;
    this.bytes = new Uint8Array(bytes);
  }

  /** All of it, when it is stored. */
  get content(): Uint8Array {
    return this.bytes;
  }

  begin(etag: string | undefined): undefined {
    this.etag = etag;
  }

  append(chunk: Uint8Array): undefined {
    this.bytes.set(chunk, this.offset);
    this.hash.update(chunk);
    this.offset += chunk.length;
  }

  drop(): void {
    this.offset = 0;
    this.etag = undefined;
    this.hash = createHash('sha256');
  }

  finish(): { kind: 'stored' } | { kind: 'spoiled'; detail: string } {
    const found = this.hash.digest('hex');
    if (found === this.sha256) return { kind: 'stored' };
    this.drop();
    return { kind: 'spoiled', detail: found };
  }
}
