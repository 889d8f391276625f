/**
 * A hub's flash: one slot an area, and every erase of a block and every program of a page an
 * operation that is counted, takes the time of its model and can be the one at which the power
 * goes.
 *
 * A torn operation leaves the block or page in a state that no rule promises anything about, as
 * real flash does: the bootloader has to live with it.
 */
import { assert } from '../../errors.ts';
import { type FlashGeometry, FlashSlot } from '../flash.ts';
import type { SeededRandom } from '../random.ts';

/** Thrown out of the operation at which the power went; the hub catches it and goes dark. */
export class PowerCut extends Error {
  constructor() {
    super('the power was cut');
    this.name = 'PowerCut';
  }
}

const ERASED = 0xff;

export class HubFlash {
  readonly geometry: FlashGeometry;
  /** Erases and programs since the hub was made. */
  operations = 0;
  /** The power goes at this operation; Infinity for never. */
  cutAtOperation = Number.POSITIVE_INFINITY;
  /** The power goes once the flash has been busy so long; Infinity for never. */
  cutAfterBusyMs = Number.POSITIVE_INFINITY;
  /** The operation that is cut is half done, else not begun. */
  tears = false;
  private busyMs = 0;
  private readonly areas: FlashSlot[];
  private readonly random: SeededRandom;

  /** All areas blank. */
  constructor(geometry: FlashGeometry, areaCount: number, random: SeededRandom) {
    this.geometry = geometry;
    this.random = random;
    this.areas = Array.from({ length: areaCount }, () => new FlashSlot(geometry));
    for (const area of this.areas) {
      for (let block = 0; block < this.blockCount; block++) area.erase(block);
    }
  }

  get areaCount(): number {
    return this.areas.length;
  }

  get blockCount(): number {
    return this.geometry.slotBytes / this.geometry.eraseBlockBytes;
  }

  /** How long the flash was busy since the last call. */
  takeBusyMs(): number {
    const busyMs = this.busyMs;
    this.busyMs = 0;
    return busyMs;
  }

  /** A copy. */
  read(area: number, start: number, end: number): Uint8Array {
    return this.areas[area]!.read(start, end);
  }

  isBlank(area: number, start: number, end: number): boolean {
    return this.read(area, start, end).every((byte) => byte === ERASED);
  }

  eraseBlock(area: number, block: number): void {
    const { eraseBlockBytes, eraseBlockMs } = this.geometry;
    const slot = this.areas[area]!;
    const start = block * eraseBlockBytes;
    const cut = this.begin(eraseBlockMs);
    if (cut && !this.tears) throw new PowerCut();
    const before = cut ? slot.read(start, start + eraseBlockBytes) : undefined;
    slot.erase(block);
    if (before === undefined) return;
    const torn = before.map((byte) => (this.random.chance(0.5) ? ERASED : byte));
    slot.program(start, torn);
    throw new PowerCut();
  }

  /** Erases the blocks that are not blank, from the last to the first. */
  eraseRange(area: number, start: number, end: number): void {
    const { eraseBlockBytes } = this.geometry;
    assert(start % eraseBlockBytes === 0, 'an erased range begins with a block');
    for (
      let block = Math.ceil(end / eraseBlockBytes) - 1;
      block * eraseBlockBytes >= start;
      block--
    ) {
      const from = block * eraseBlockBytes;
      if (!this.isBlank(area, from, from + eraseBlockBytes)) this.eraseBlock(area, block);
    }
  }

  /** Programs page by page; a part of a page is an operation too. */
  program(area: number, offset: number, bytes: Uint8Array): void {
    const { programPageBytes } = this.geometry;
    for (let at = 0; at < bytes.length; ) {
      const room = programPageBytes - ((offset + at) % programPageBytes);
      const part = bytes.subarray(at, at + room);
      this.programWithinPage(area, offset + at, part);
      at += part.length;
    }
  }

  private programWithinPage(area: number, offset: number, part: Uint8Array): void {
    const cut = this.begin(this.geometry.programPageMs);
    const length = cut ? (this.tears ? part.length >>> 1 : 0) : part.length;
    this.areas[area]!.program(offset, part.subarray(0, length));
    if (cut) throw new PowerCut();
  }

  /** Counts an operation; true where the power goes during it. */
  private begin(durationMs: number): boolean {
    this.operations++;
    this.busyMs += durationMs;
    if (this.operations !== this.cutAtOperation && this.busyMs <= this.cutAfterBusyMs) return false;
    this.cutAtOperation = Number.POSITIVE_INFINITY;
    this.cutAfterBusyMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** A copy of every area. */
  snapshot(): Uint8Array[] {
    return this.areas.map((area) => area.read(0, this.geometry.slotBytes));
  }

  /** Puts a whole area in place, as a factory or a state file does: no operation. */
  load(area: number, bytes: Uint8Array): void {
    const { slotBytes, eraseBlockBytes } = this.geometry;
    assert(bytes.length <= slotBytes, 'what is loaded fits its area');
    for (let block = 0; block < this.blockCount; block++) {
      const start = block * eraseBlockBytes;
      this.areas[area]!.erase(block);
      this.areas[area]!.program(start, bytes.subarray(start, start + eraseBlockBytes));
    }
  }
}
