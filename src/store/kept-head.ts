/**
 * The head of a chain, kept in a file of its own: sequence and hash of the newest record that was
 * acknowledged. It is what shows that newer records were cut off.
 *
 * Two slots are written in turn, each in a block of its own, so that a write that a power cut tears
 * leaves the head before it. The file never grows: one fdatasync makes a head durable.
 */
import { dirname } from 'node:path';
import { type AuditHead, headText, parseHead } from '../audit/chain.ts';
import { type FileSystem, readFully, syncFolder, withFile, writeAll } from './files.ts';

/** Larger than what any disk tears. */
const SLOT_BYTES = 4096;
/** Digits of a sequence, a blank, 64 of a hash, an end of line. */
const HEAD_BYTES = 15 + 1 + 64 + 1;

export class KeptHead {
  readonly path: string;
  private readonly files: FileSystem;
  private slot = 0;
  private descriptor: number | undefined;

  constructor(files: FileSystem, path: string) {
    this.files = files;
    this.path = path;
  }

  /** `missing` where there is no file, `malformed` where it holds no head. */
  read(): AuditHead | 'missing' | 'malformed' {
    if (!this.files.status(this.path)) return 'missing';
    const heads = withFile(this.files, this.path, 'r', (descriptor) =>
      [0, 1].map((slot) => this.readSlot(descriptor, slot)),
    );
    const [first, second] = heads;
    const newest = (second?.sequence ?? -1) > (first?.sequence ?? -1) ? second : first;
    this.slot = newest === second && second !== undefined ? 1 : 0;
    return newest ?? 'malformed';
  }

  /** On disk when it returns, and the one before it is still there if it does not. */
  write(head: AuditHead): void {
    const { files } = this;
    this.descriptor ??= this.openForWriting();
    this.slot = 1 - this.slot;
    const text = headText(head).padStart(HEAD_BYTES, '0');
    writeAll(files, this.descriptor, Buffer.from(text), this.slot * SLOT_BYTES);
    files.syncData(this.descriptor);
  }

  close(): void {
    if (this.descriptor !== undefined) this.files.close(this.descriptor);
    this.descriptor = undefined;
  }

  private openForWriting(): number {
    const { files, path } = this;
    if (files.status(path)) return files.open(path, 'r+');
    const descriptor = files.open(path, 'wx');
    try {
      writeAll(files, descriptor, new Uint8Array(2 * SLOT_BYTES), 0);
      files.sync(descriptor);
      syncFolder(files, dirname(path));
      return descriptor;
    } catch (error) {
      files.close(descriptor);
      throw error;
    }
  }

  private readSlot(descriptor: number, slot: number): AuditHead | undefined {
    const bytes = readFully(this.files, descriptor, new Uint8Array(HEAD_BYTES), slot * SLOT_BYTES);
    return parseHead(Buffer.from(bytes).toString('latin1'));
  }
}
