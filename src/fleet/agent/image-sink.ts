/**
 * An image on its way into the store: an upload that this agent began, whose number it keeps, so that it
 * goes on after a restart from the offset that the store has.
 */
import type { Clock } from '../../ports.ts';
import type { ImageStore } from '../../store/images.ts';
import type { KeptUpload, KeptUploads } from './agent-records.ts';
import type { WantedBlob } from './blob-queue.ts';
import type { BlobSink, SinkRefusal } from './download.ts';

export type UploadStore = Pick<
  ImageStore,
  'begin' | 'status' | 'append' | 'finish' | 'abandon' | 'has'
>;

const NOTHING = new Uint8Array(0);

export class ImageSink implements BlobSink {
  private readonly images: UploadStore;
  private readonly kept: KeptUploads;
  private readonly clock: Clock;
  private readonly blob: WantedBlob;
  private received: number;

  constructor(images: UploadStore, kept: KeptUploads, clock: Clock, blob: WantedBlob) {
    this.images = images;
    this.kept = kept;
    this.clock = clock;
    this.blob = blob;
    const { upload } = this;
    const status = upload && images.status(upload.upload);
    const isOfIt = status?.ok && status.bytes === blob.bytes;
    if (upload && !isOfIt) this.drop();
    this.received = isOfIt ? status.offset : 0;
  }

  get offset(): number {
    return this.received;
  }

  get etag(): string | undefined {
    return this.upload?.etag;
  }

  begin(etag: string | undefined): SinkRefusal | undefined {
    const { upload } = this;
    if (upload && upload.etag === etag) return undefined;
    if (upload) {
      this.keep({ upload: upload.upload, ...tagOf(etag) });
      return undefined;
    }
    const { sha256, bytes } = this.blob;
    const name = `fleet-${sha256.slice(0, 12)}`;
    const begun = this.images.begin({ sha256, bytes, name }, this.clock.nowMs());
    if (!begun.ok) return { kind: 'refused', code: begun.code, detail: begun.message };
    // Somebody else brought it meanwhile.
    if (begun.kind === 'present') this.received = bytes;
    else this.keep({ upload: begun.uploadId, ...tagOf(etag) });
    return undefined;
  }

  append(chunk: Uint8Array): SinkRefusal | undefined {
    const { upload } = this;
    if (!upload) return { kind: 'refused', code: 'upload-unknown', detail: 'none was begun' };
    const appended = this.images.append(upload.upload, this.received, chunk, this.clock.nowMs());
    if (appended.ok) {
      this.received = appended.offset;
      return undefined;
    }
    // It was not this agent that ended it, or the disk failed: what is there of it is in doubt.
    this.drop();
    return { kind: 'refused', code: appended.code, detail: appended.message };
  }

  drop(): void {
    if (this.upload) this.images.abandon(this.upload.upload);
    this.received = 0;
    this.keep(undefined);
  }

  finish(): { kind: 'stored' } | { kind: 'spoiled'; detail: string } | SinkRefusal {
    const { upload, images } = this;
    if (!upload || images.has(this.blob.sha256)) {
      this.drop();
      return { kind: 'stored' };
    }
    const finished = images.finish(upload.upload);
    this.keep(undefined);
    this.received = 0;
    if (finished.ok) return { kind: 'stored' };
    const { code, message } = finished;
    if (code === 'digest-differs') return { kind: 'spoiled', detail: message };
    images.abandon(upload.upload);
    return { kind: 'refused', code, detail: message };
  }

  private get upload(): KeptUpload | undefined {
    return this.kept.value?.[this.blob.sha256];
  }

  private keep(upload: KeptUpload | undefined): void {
    const others = { ...this.kept.value };
    const isThere = this.blob.sha256 in others;
    if (!upload && !isThere) return;
    delete others[this.blob.sha256];
    this.kept.set(upload ? { ...others, [this.blob.sha256]: upload } : others);
  }
}

function tagOf(etag: string | undefined): { etag?: string } {
  return etag === undefined ? {} : { etag };
}

/**
 * Keeps uploads that are still wanted from being forgotten by the store, which waits a day for the next
 * byte, and gives up the others. To be called more often than that.
 */
export function tendUploads(
  images: UploadStore,
  kept: KeptUploads,
  wanted: ReadonlySet<string>,
  nowMs: number,
): void {
  const all = Object.entries(kept.value ?? {});
  const left = all.filter(([sha256, { upload }]) => {
    const status = images.status(upload);
    if (!status.ok) return false;
    if (wanted.has(sha256)) return images.append(upload, status.offset, NOTHING, nowMs).ok;
    images.abandon(upload);
    return false;
  });
  if (left.length !== all.length) kept.set(Object.fromEntries(left));
}
