/** Faults in what passes a link, by the settings of the moment; every choice from one seed, each counted. */
import { SeededRandom } from '../../virtual/random.ts';
import type { LinkFaultSettings } from '../ports.ts';

type Direction = 'up' | 'down';

export class FaultMaker {
  readonly counts: Record<string, number> = {};
  private readonly random: SeededRandom;
  private current: LinkFaultSettings = {};
  private burstLeft = { bytes: 0, count: 0 };

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  set settings(faults: LinkFaultSettings) {
    this.current = faults;
    this.burstLeft = { bytes: 0, count: faults.burst?.count ?? 0 };
  }

  /** What arrives in place of the byte. */
  alterByte(byte: number, direction: Direction): readonly number[] {
    if (!this.concerns(direction)) return [byte];
    const { drop = 0, duplicate = 0, corrupt = 0, disconnected = false } = this.current;
    if (disconnected || this.random.chance(drop)) return this.counted('dropped', []);
    if (this.inBurst()) return this.counted('burst', [byte ^ this.oneBit()]);
    if (this.random.chance(corrupt)) return this.counted('corrupted', [byte ^ this.oneBit()]);
    if (this.random.chance(duplicate)) return this.counted('duplicated', [byte, byte]);
    return [byte];
  }

  /** What arrives in place of the frame; a damaged one is a copy. */
  alterFrame(frame: Uint8Array, direction: Direction): readonly Uint8Array[] {
    if (!this.concerns(direction)) return [frame];
    const { drop = 0, duplicate = 0, corrupt = 0, disconnected = false } = this.current;
    if (disconnected || this.random.chance(drop)) return this.counted('dropped', []);
    if (this.random.chance(corrupt)) return this.counted('corrupted', [this.damaged(frame)]);
    if (this.random.chance(duplicate)) return this.counted('duplicated', [frame, frame]);
    return [frame];
  }

  private concerns(direction: Direction): boolean {
    const { direction: wanted = 'both' } = this.current;
    return wanted === 'both' || wanted === direction;
  }

  /** So many bytes in a row, begun at once and again after as many good ones. */
  private inBurst(): boolean {
    const { burst } = this.current;
    if (burst === undefined || this.burstLeft.count === 0) return false;
    const { bytes } = this.burstLeft;
    this.burstLeft.bytes = (bytes + 1) % (2 * burst.bytes);
    if (this.burstLeft.bytes === 0) this.burstLeft.count--;
    return bytes < burst.bytes;
  }

  /** In its second half, where a frame has what it carries. */
  private damaged(frame: Uint8Array): Uint8Array {
    const copy = frame.slice();
    const half = frame.length >>> 1;
    const at = half + Math.floor(this.random.next() * (frame.length - half));
    if (at < copy.length) copy[at] = copy[at]! ^ this.oneBit();
    return copy;
  }

  private oneBit(): number {
    return 1 << Math.floor(this.random.next() * 8);
  }

  private counted<T>(what: string, result: T): T {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    return result;
  }
}
