/**
 * MCUboot as a hub has it: two slots an image, "swap using offset", trailers in flash, and a swap
 * that goes on where a power cut stopped it.
 *
 * A new image lies one block into slot 1, so that the swap needs no scratch: block by block from
 * the first, the old one moves to slot 1, the new one to slot 0, and the old image ends at the very
 * start of slot 1. A revert does the same from the last block down. Each move is one erase and its
 * programs, and is marked done in slot 0's trailer afterwards: done twice it gives the same.
 *
 * Trailer at a slot's end, in units of 8 bytes: marks of finished moves, swap size, swap info, copy
 * done, image ok; then the magic of 16. The application reads and writes the last four too. What
 * the layout of the marks is, and that a revert is first announced in slot 1's trailer so that a
 * cut while slot 0's is rewritten cannot lose it, is this device's own.
 */
import type { KeyObject } from 'node:crypto';
import { assert } from '../../errors.ts';
import type { HubFlash } from './hub-flash.ts';
import {
  checkMcubootImage,
  compareImageVersions,
  IMAGE_FAULTS,
  type ImageFault,
  imageVersionText,
  type ReadBytes,
  type ReadImage,
  readMcubootImage,
} from './mcuboot-image.ts';

/** As the trailer's swap info has them, in its low four bits. */
const SWAP_INFO = { none: 1, test: 2, permanent: 3, revert: 4 } as const;
export type SwapType = keyof typeof SWAP_INFO;
type Swap = Exclude<SwapType, 'none'>;

const MAGIC = Uint8Array.of(
  ...[0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f],
  ...[0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80],
);
const UNIT_BYTES = 8;
const SET = 0x01;
const UNSET = 0xff;
const MOVES_PER_BLOCK = 2;
/** Swap size, swap info, copy done, image ok. */
const FIELD_UNITS = 4;

interface Trailer {
  magicGood: boolean;
  imageOk: number;
  copyDone: number;
  swapType: SwapType | undefined;
  swapBytes: number;
}

export interface McubootOptions {
  flash: HubFlash;
  imageCount: number;
  signatureKey: KeyObject | undefined;
  preventsDowngrade: boolean;
}

export interface BootReport {
  /** Slot 0 of every image is sound: the application runs. */
  boots: boolean;
  /** What was done for each image; `refused` where slot 1 held something that may not run. */
  swaps: (SwapType | 'refused')[];
  /** What it prints. */
  log: string[];
}

export class Mcuboot {
  readonly imageCount: number;
  /** Finds every new image invalid. */
  refusesImages = false;
  /** Looks at the structure of an image only. */
  skipsVerification = false;
  private readonly flash: HubFlash;
  private readonly options: McubootOptions;
  private readonly trailerBytes: number;

  constructor(options: McubootOptions) {
    assert(options.flash.areaCount >= 2 * options.imageCount, 'two areas an image');
    this.options = options;
    this.flash = options.flash;
    this.imageCount = options.imageCount;
    const units = this.flash.blockCount * MOVES_PER_BLOCK + FIELD_UNITS;
    const bytes = units * UNIT_BYTES + MAGIC.length;
    this.trailerBytes = roundUp(bytes, this.flash.geometry.eraseBlockBytes);
    assert(this.imageBytesMax > 0, 'a slot has room for an image beside its trailer');
  }

  /** Largest image that can be swapped: a slot without its trailer and the block of the offset. */
  get imageBytesMax(): number {
    const { slotBytes, eraseBlockBytes } = this.flash.geometry;
    return slotBytes - this.trailerBytes - eraseBlockBytes;
  }

  get trailerStart(): number {
    return this.flash.geometry.slotBytes - this.trailerBytes;
  }

  /** Where an image begins: after a test swap the old one lies at the start of slot 1. */
  imageStart(image: number, slot: number): number {
    if (slot === 0 || this.swapType(image) === 'revert') return 0;
    return this.flash.geometry.eraseBlockBytes;
  }

  readImage(image: number, slot: number): ReadImage {
    return readMcubootImage(this.reader(image, slot), this.readableBytes(image, slot));
  }

  /** What the next boot will do, from the trailers. */
  swapType(image: number): SwapType {
    const primary = this.trailer(areaOf(image, 0));
    const secondary = this.trailer(areaOf(image, 1));
    if (secondary.magicGood) {
      if (secondary.swapType === 'revert') return 'revert';
      return secondary.imageOk === SET ? 'permanent' : 'test';
    }
    const tried = primary.magicGood && primary.copyDone === SET;
    return tried && primary.imageOk === UNSET ? 'revert' : 'none';
  }

  /** What the application does to ask for a swap at the next boot. */
  setPending(image: number, permanent: boolean): void {
    const area = areaOf(image, 1);
    if (this.trailer(area).magicGood) return;
    // A pending request that a power cut left half written would not take a second one.
    this.flash.eraseRange(area, this.trailerStart, this.flash.geometry.slotBytes);
    this.writeField(area, 'swapInfo', SWAP_INFO[permanent ? 'permanent' : 'test']);
    if (permanent) this.writeField(area, 'imageOk', SET);
    this.writeMagic(area);
  }

  /** What the application does to keep running for good. */
  confirm(image: number): void {
    const area = areaOf(image, 0);
    const trailer = this.trailer(area);
    if (trailer.magicGood && trailer.imageOk === UNSET) this.writeField(area, 'imageOk', SET);
  }

  /** Decides, swaps or goes on swapping, checks what is to run. A power cut comes out of it. */
  boot(): BootReport {
    const report: BootReport = { boots: true, swaps: [], log: ['I: Starting bootloader'] };
    for (let image = 0; image < this.imageCount; image++) {
      const swap = this.settle(image, report.log);
      report.swaps.push(swap);
      const fault = this.check(image, 0);
      if (fault === undefined) continue;
      // Beside the first, an image may be absent.
      if (image > 0 && fault === 'no-header') continue;
      report.boots = false;
      report.log.push(`E: Image in the primary slot is not valid: ${IMAGE_FAULTS[fault]}`);
    }
    if (!report.boots) report.log.push('E: Unable to find bootable image');
    else report.log.push(...this.departure());
    return report;
  }

  private departure(): string[] {
    const running = this.readImage(0, 0);
    if (!running.ok) return [];
    const text = imageVersionText({ ...running.image.version, build: 0 });
    return [`I: Image version: v${text}`, 'I: Jumping to the first image slot'];
  }

  private settle(image: number, log: string[]): SwapType | 'refused' {
    const primary = this.trailer(areaOf(image, 0));
    const interrupted =
      primary.magicGood && primary.copyDone === UNSET ? primary.swapType : undefined;
    if (interrupted !== undefined && interrupted !== 'none') {
      log.push(`I: Image index: ${image}, Swap type: ${interrupted}, resumed`);
      this.runSwap(image, interrupted, primary.swapBytes);
      return interrupted;
    }
    const swap = this.swapType(image);
    log.push(`I: Image index: ${image}, Swap type: ${swap}`);
    if (swap === 'none') return 'none';
    const fault = this.refusal(image, swap);
    if (fault !== undefined) {
      log.push(`E: Image in the secondary slot is not valid: ${fault}`);
      this.dropSecondary(image);
      return 'refused';
    }
    log.push('I: Starting swap using offset algorithm.');
    this.startSwap(image, swap);
    return swap;
  }

  private refusal(image: number, swap: Swap): string | undefined {
    const fault = this.check(image, 1);
    if (fault !== undefined) return IMAGE_FAULTS[fault];
    if (swap === 'revert') return undefined;
    if (this.refusesImages) return 'refused.';
    const [running, next] = [this.readImage(image, 0), this.readImage(image, 1)];
    if (!this.options.preventsDowngrade || !running.ok || !next.ok) return undefined;
    const older = compareImageVersions(next.image.version, running.image.version) < 0;
    return older ? 'older than the one that runs.' : undefined;
  }

  private check(image: number, slot: number): ImageFault | undefined {
    const found = this.readImage(image, slot);
    if (!found.ok) return found.fault;
    if (found.image.totalBytes > this.imageBytesMax) return 'too-large';
    if (this.skipsVerification) return undefined;
    return checkMcubootImage(found.image, this.reader(image, slot), this.options.signatureKey);
  }

  /** The image may not run: it goes, and slot 0 stays what it is. */
  private dropSecondary(image: number): void {
    const { eraseBlockBytes, slotBytes } = this.flash.geometry;
    const primary = this.trailer(areaOf(image, 0));
    if (primary.copyDone === UNSET) this.writeField(areaOf(image, 0), 'copyDone', SET);
    if (primary.imageOk === UNSET) this.writeField(areaOf(image, 0), 'imageOk', SET);
    this.flash.eraseRange(areaOf(image, 1), 0, 2 * eraseBlockBytes);
    this.flash.eraseRange(areaOf(image, 1), this.trailerStart, slotBytes);
  }

  private startSwap(image: number, swap: Swap): void {
    const { slotBytes, eraseBlockBytes } = this.flash.geometry;
    const [primary, secondary] = [areaOf(image, 0), areaOf(image, 1)];
    const bytes = Math.max(this.imageBytes(image, 0), this.imageBytes(image, 1));
    const swapBytes = roundUp(bytes, eraseBlockBytes);
    if (swap === 'revert' && !this.trailer(secondary).magicGood) {
      this.flash.eraseRange(secondary, this.trailerStart, slotBytes);
      this.writeField(secondary, 'swapInfo', SWAP_INFO.revert);
      this.writeMagic(secondary);
    }
    this.flash.eraseRange(primary, this.trailerStart, slotBytes);
    this.writeSwapBytes(primary, swapBytes);
    this.writeField(primary, 'swapInfo', SWAP_INFO[swap]);
    if (swap !== 'test') this.writeField(primary, 'imageOk', SET);
    this.writeMagic(primary);
    this.runSwap(image, swap, swapBytes);
  }

  /** From the first move that is not marked as done. */
  private runSwap(image: number, swap: Swap, swapBytes: number): void {
    const { slotBytes, eraseBlockBytes } = this.flash.geometry;
    const [primary, secondary] = [areaOf(image, 0), areaOf(image, 1)];
    this.flash.eraseRange(secondary, this.trailerStart, slotBytes);
    const blocks = Math.min(swapBytes, this.imageBytesMax) / eraseBlockBytes;
    for (let move = 0; move < blocks * MOVES_PER_BLOCK; move++) {
      const mark = this.markOffset(move);
      if (!this.flash.isBlank(primary, mark, mark + UNIT_BYTES)) continue;
      const step = Math.floor(move / MOVES_PER_BLOCK);
      const first = move % MOVES_PER_BLOCK === 0;
      const block = swap === 'revert' ? blocks - 1 - step : step;
      // Forward the old image goes to the start of slot 1; back, the new one to one block into it.
      const [from, to] = swap === 'revert' ? [block, block + 1] : [block + 1, block];
      if (first) this.copyBlock(primary, block, secondary, to);
      else this.copyBlock(secondary, from, primary, block);
      this.writeUnit(primary, mark, SET);
    }
    this.writeField(primary, 'copyDone', SET);
  }

  private copyBlock(from: number, fromBlock: number, to: number, toBlock: number): void {
    const { eraseBlockBytes } = this.flash.geometry;
    const start = fromBlock * eraseBlockBytes;
    const bytes = this.flash.read(from, start, start + eraseBlockBytes);
    this.flash.eraseBlock(to, toBlock);
    this.flash.program(to, toBlock * eraseBlockBytes, bytes);
  }

  private imageBytes(image: number, slot: number): number {
    const found = this.readImage(image, slot);
    return found.ok ? Math.min(found.image.totalBytes, this.imageBytesMax) : 0;
  }

  private reader(image: number, slot: number): ReadBytes {
    const [area, start] = [areaOf(image, slot), this.imageStart(image, slot)];
    return (from, end) => this.flash.read(area, start + from, start + end);
  }

  private readableBytes(image: number, slot: number): number {
    return this.flash.geometry.slotBytes - this.imageStart(image, slot);
  }

  private trailer(area: number): Trailer {
    const { slotBytes } = this.flash.geometry;
    const magic = this.flash.read(area, slotBytes - MAGIC.length, slotBytes);
    const info = this.readUnit(area, 'swapInfo')[0]! & 0x0f;
    const types = Object.keys(SWAP_INFO) as SwapType[];
    const size = this.readUnit(area, 'swapSize');
    return {
      magicGood: magic.every((byte, index) => byte === MAGIC[index]),
      imageOk: this.readUnit(area, 'imageOk')[0]!,
      copyDone: this.readUnit(area, 'copyDone')[0]!,
      swapType: types.find((type) => SWAP_INFO[type] === info),
      swapBytes: new DataView(size.buffer).getUint32(0, true),
    };
  }

  private readUnit(area: number, field: TrailerField): Uint8Array {
    const offset = this.fieldOffset(field);
    return this.flash.read(area, offset, offset + UNIT_BYTES);
  }

  private fieldOffset(field: TrailerField): number {
    const end = this.flash.geometry.slotBytes - MAGIC.length;
    return end - (TRAILER_FIELDS.indexOf(field) + 1) * UNIT_BYTES;
  }

  private markOffset(move: number): number {
    return this.trailerStart + move * UNIT_BYTES;
  }

  private writeField(area: number, field: TrailerField, value: number): void {
    this.writeUnit(area, this.fieldOffset(field), value);
  }

  private writeSwapBytes(area: number, swapBytes: number): void {
    const unit = new Uint8Array(UNIT_BYTES).fill(UNSET);
    new DataView(unit.buffer).setUint32(0, swapBytes, true);
    this.flash.program(area, this.fieldOffset('swapSize'), unit);
  }

  private writeUnit(area: number, offset: number, value: number): void {
    const unit = new Uint8Array(UNIT_BYTES).fill(UNSET);
    unit[0] = value;
    this.flash.program(area, offset, unit);
  }

  private writeMagic(area: number): void {
    this.flash.program(area, this.flash.geometry.slotBytes - MAGIC.length, MAGIC);
  }
}

/** From the magic downwards. */
const TRAILER_FIELDS = ['imageOk', 'copyDone', 'swapInfo', 'swapSize'] as const;
type TrailerField = (typeof TRAILER_FIELDS)[number];

/** The flash area of a slot. */
export function areaOf(image: number, slot: number): number {
  return 2 * image + slot;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
