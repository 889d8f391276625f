/**
 * One virtual device's memory on disk: a small document, and the bytes of its flash slot. The slot only
 * grows during a download, so only what is new is written, and it is written before the document that
 * counts it.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { readJson, writeJsonAtomically } from './atomic-file.ts';
import type { PpmidState, VirtualPpmid } from './ppmid.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';

/** Changes within this time become one write: a download changes with every block. */
const GATHER_MS = 2_000;

export class DeviceStore {
  device: VirtualPpmid | undefined;
  private readonly scheduler: Scheduler;
  private readonly path: string;
  private writtenBytes = 0;
  private writtenDownload: string | undefined;
  private pending: Scheduled | undefined;

  /** `path` without its extension. */
  constructor(scheduler: Scheduler, path: string) {
    this.scheduler = scheduler;
    this.path = path;
  }

  load(): { state: PpmidState; slot: Uint8Array } | undefined {
    const state = readJson(`${this.path}.json`) as PpmidState | undefined;
    if (state === undefined) return undefined;
    if (state.download === undefined) return { state, slot: new Uint8Array(0) };
    const slot = readFileSync(`${this.path}.slot`);
    this.writtenBytes = Math.min(slot.length, state.download.storedBytes);
    this.writtenDownload = nameOf(state.download);
    state.download.storedBytes = this.writtenBytes;
    if (this.writtenBytes < state.download.totalBytes) state.download.complete = false;
    return { state, slot };
  }

  changed(): void {
    this.pending ??= this.scheduler.after(GATHER_MS, () => this.flush());
  }

  flush(): void {
    if (this.pending === undefined || this.device === undefined) return;
    this.pending.cancel();
    this.pending = undefined;
    const state = this.device.state();
    if (state.download === undefined) {
      this.writtenBytes = 0;
      this.writtenDownload = undefined;
      writeJsonAtomically(`${this.path}.json`, state);
      rmSync(`${this.path}.slot`, { force: true });
      return;
    }
    this.writeSlot(state.download);
    writeJsonAtomically(`${this.path}.json`, state);
  }

  private writeSlot(download: NonNullable<PpmidState['download']>): void {
    const { storedBytes } = download;
    const same = this.writtenDownload === nameOf(download) && this.writtenBytes <= storedBytes;
    const from = same ? this.writtenBytes : 0;
    this.writtenDownload = nameOf(download);
    mkdirSync(dirname(this.path), { recursive: true });
    const file = openSync(`${this.path}.slot`, same && from > 0 ? 'r+' : 'w');
    try {
      if (from < storedBytes) {
        const bytes = this.device!.slot.read(from, storedBytes);
        writeSync(file, bytes, 0, bytes.length, from);
      }
    } finally {
      closeSync(file);
    }
    this.writtenBytes = storedBytes;
  }
}

function nameOf(download: NonNullable<PpmidState['download']>): string {
  return `${download.fileVersion}/${download.totalBytes}`;
}
