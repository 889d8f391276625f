/**
 * What a downloading OTA client asks for next, and what it does with what comes: block by block, or in
 * pages whose holes are fetched as blocks. No timers and no frames; the client brings both.
 */
import type { SlotWriter } from './flash.ts';

export type FetchRequest =
  | { kind: 'block'; offset: number; maximumDataBytes: number }
  | { kind: 'page'; offset: number; maximumDataBytes: number; pageBytes: number };

/** What became of a block: stored, kept until a hole before it is filled, or of no use. */
export type BlockOutcome = 'stored' | 'parked' | 'duplicate' | 'empty' | 'oversized';

export class ImageFetch {
  readonly totalBytes: number;
  /** Flash time that the blocks taken so far still cost, in ms; the client waits for it. */
  busyMs = 0;
  private readonly writer: SlotWriter;
  private readonly maximumDataBytes: number;
  private readonly parked = new Map<number, Uint8Array>();
  private pageBytes: number;
  /** End of the page being received; where it is behind the next byte, no page is open. */
  private pageEnd = 0;
  private fetchingHoles = false;

  constructor(
    writer: SlotWriter,
    options: { totalBytes: number; maximumDataBytes: number; pageBytes: number },
  ) {
    this.writer = writer;
    this.totalBytes = options.totalBytes;
    this.maximumDataBytes = options.maximumDataBytes;
    this.pageBytes = options.pageBytes;
  }

  get offset(): number {
    return this.writer.takenBytes;
  }

  get complete(): boolean {
    return this.offset === this.totalBytes;
  }

  /** A page has been asked for and more of it should come by itself. */
  get expectsMoreOfPage(): boolean {
    return !this.fetchingHoles && this.offset < this.pageEnd;
  }

  next(): FetchRequest {
    const offset = this.offset;
    const left = this.totalBytes - offset;
    if (offset >= this.pageEnd) this.fetchingHoles = false;
    if (this.pageBytes > 0 && offset >= this.pageEnd) {
      this.pageEnd = offset + Math.min(this.pageBytes, left);
      this.parked.clear();
      const { maximumDataBytes, pageBytes } = this;
      return { kind: 'page', offset, maximumDataBytes, pageBytes };
    }
    const untilParked = this.nextParkedOffset() - offset;
    const maximumDataBytes = Math.min(this.maximumDataBytes, left, untilParked);
    return { kind: 'block', offset, maximumDataBytes };
  }

  /** What is left of the open page will not come by itself: blocks from now on, to its end. */
  pageWentQuiet(): void {
    this.fetchingHoles = true;
  }

  /** The server knows no pages: blocks for good. */
  withoutPages(): void {
    this.pageBytes = 0;
    this.pageEnd = 0;
    this.parked.clear();
    this.fetchingHoles = false;
  }

  accept(offset: number, data: Uint8Array): BlockOutcome {
    if (data.length === 0) return 'empty';
    const end = offset + data.length;
    if (data.length > this.maximumDataBytes || end > this.totalBytes) return 'oversized';
    if (offset === this.offset) {
      this.store(data);
      return 'stored';
    }
    const inPage = offset > this.offset && offset < this.pageEnd;
    if (!inPage || this.parked.has(offset)) return 'duplicate';
    this.parked.set(offset, data.slice());
    if (end >= this.pageEnd) this.fetchingHoles = true;
    return 'parked';
  }

  private store(data: Uint8Array): void {
    this.busyMs += this.writer.append(data);
    for (let next = this.unpark(); next !== undefined; next = this.unpark()) {
      this.busyMs += this.writer.append(next);
    }
    if (this.complete) this.busyMs += this.writer.finish();
  }

  private unpark(): Uint8Array | undefined {
    const data = this.parked.get(this.offset);
    this.parked.delete(this.offset);
    return data;
  }

  private nextParkedOffset(): number {
    let first = this.totalBytes;
    for (const offset of this.parked.keys()) {
      if (offset > this.offset && offset < first) first = offset;
    }
    return first;
  }
}
