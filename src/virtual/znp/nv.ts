/**
 * The non-volatile memory of a Z-Stack coordinator: numbered items, and the extended tables of
 * Z-Stack 3.x.0 (system, item, sub-item).
 *
 * With a path it lives in a file, so that a restarted coordinator resumes its network. Writes are
 * gathered for a moment and then replace the file as a whole.
 */
import { decodeHex, encodeHex } from '../../bytes/hex.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { readJson, writeJsonAtomically } from '../atomic-file.ts';
import type { Scheduled, Scheduler } from '../scheduler.ts';

export const NV_STATUS = { success: 0x00, absent: 0x02, created: 0x09, badLength: 0x0c } as const;

/** Writes within this time become one write of the file. */
const GATHER_MS = 20;

export class NvMemory {
  /** Goes up with every change, so that what is derived from the memory knows when it is stale. */
  changes = 0;
  private readonly entries = new Map<string, Uint8Array>();
  private readonly path: string | undefined;
  private readonly scheduler: Scheduler;
  private pendingWrite: Scheduled | undefined;

  constructor(scheduler: Scheduler, path?: string) {
    this.scheduler = scheduler;
    this.path = path;
    const stored = path === undefined ? undefined : readJson(path);
    if (stored === undefined) return;
    for (const [name, text] of Object.entries(stored as Record<string, unknown>)) {
      const value = typeof text === 'string' ? decodeHex(text) : undefined;
      if (value === undefined) throw unreadable(path!, name);
      this.entries.set(name, value);
    }
  }

  get empty(): boolean {
    return this.entries.size === 0;
  }

  item(id: number): Uint8Array | undefined {
    return this.entries.get(itemName(id));
  }

  setItem(id: number, value: Uint8Array): void {
    this.set(itemName(id), value);
  }

  deleteItem(id: number): boolean {
    return this.remove(itemName(id));
  }

  tableEntry(system: number, item: number, sub: number): Uint8Array | undefined {
    return this.entries.get(tableName(system, item, sub));
  }

  setTableEntry(system: number, item: number, sub: number, value: Uint8Array): void {
    this.set(tableName(system, item, sub), value);
  }

  deleteTableEntry(system: number, item: number, sub: number): boolean {
    return this.remove(tableName(system, item, sub));
  }

  /** Writes into an item that exists: a status of `NV_STATUS`. */
  patchItem(id: number, offset: number, bytes: Uint8Array): number {
    return this.patch(itemName(id), offset, bytes);
  }

  patchTableEntry(
    system: number,
    item: number,
    sub: number,
    offset: number,
    bytes: Uint8Array,
  ): number {
    return this.patch(tableName(system, item, sub), offset, bytes);
  }

  /** Puts what is gathered on disk now. */
  flush(): void {
    if (this.pendingWrite === undefined || this.path === undefined) return;
    this.pendingWrite.cancel();
    this.pendingWrite = undefined;
    const document: Record<string, string> = {};
    for (const [name, value] of this.entries) document[name] = encodeHex(value);
    writeJsonAtomically(this.path, document);
  }

  private patch(name: string, offset: number, bytes: Uint8Array): number {
    const value = this.entries.get(name);
    if (value === undefined) return NV_STATUS.absent;
    if (offset + bytes.length > value.length) return NV_STATUS.badLength;
    const changed = value.slice();
    changed.set(bytes, offset);
    this.set(name, changed);
    return NV_STATUS.success;
  }

  private set(name: string, value: Uint8Array): void {
    this.entries.set(name, value.slice());
    this.changed();
  }

  private remove(name: string): boolean {
    const existed = this.entries.delete(name);
    if (existed) this.changed();
    return existed;
  }

  private changed(): void {
    this.changes++;
    if (this.path === undefined) return;
    this.pendingWrite ??= this.scheduler.after(GATHER_MS, () => this.flush());
  }
}

function itemName(id: number): string {
  return id.toString(16).padStart(4, '0');
}

function tableName(system: number, item: number, sub: number): string {
  return `${system}/${item}/${sub}`;
}

function unreadable(path: string, name: string): UpliftError {
  return new UpliftError('VIRTUAL_STATE_UNREADABLE', `NV item ${name} in ${path} is no hex text`, {
    next: 'delete the file, or start the rig fresh',
    exit: EXIT.usage,
  });
}
