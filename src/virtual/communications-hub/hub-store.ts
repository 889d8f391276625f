/**
 * A hub's memory on disk: the bytes of its flash. Changes within a time become one write, and a
 * file is either the old one or the new one.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Scheduled, Scheduler } from '../scheduler.ts';
import type { HubFlash } from './hub-flash.ts';

const GATHER_MS = 2_000;

export class HubStore {
  private readonly scheduler: Scheduler;
  private readonly path: string;
  private pending: Scheduled | undefined;
  private flash: HubFlash | undefined;

  constructor(scheduler: Scheduler, path: string) {
    this.scheduler = scheduler;
    this.path = path;
  }

  /** The areas of an earlier run; `undefined` where there is none of this geometry. */
  load(areaCount: number, slotBytes: number): Uint8Array[] | undefined {
    let file: Uint8Array;
    try {
      file = readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    if (file.length !== areaCount * slotBytes) return undefined;
    return Array.from({ length: areaCount }, (_, area) =>
      file.subarray(area * slotBytes, (area + 1) * slotBytes),
    );
  }

  watch(flash: HubFlash): void {
    this.flash = flash;
  }

  changed(): void {
    this.pending ??= this.scheduler.after(GATHER_MS, () => this.flush());
  }

  flush(): void {
    if (this.pending === undefined || this.flash === undefined) return;
    this.pending.cancel();
    this.pending = undefined;
    const { slotBytes } = this.flash.geometry;
    const file = new Uint8Array(this.flash.areaCount * slotBytes);
    for (const [area, bytes] of this.flash.snapshot().entries()) file.set(bytes, area * slotBytes);
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(`${this.path}.new`, file, { mode: 0o600 });
    renameSync(`${this.path}.new`, this.path);
  }
}
