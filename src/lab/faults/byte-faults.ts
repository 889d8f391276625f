/**
 * What a bad line does to the bytes of one direction: some are lost, come twice, or have a bit flipped, and
 * bursts destroy several in a row. Which, the seed and each byte's place in the stream decide.
 *
 * A burst turns so many bytes into others; the gap before each is drawn, on average sixteen bursts long.
 */
import type { LinkFaultSettings } from '../ports.ts';
import { drawAt } from './draws.ts';
import type { Direction } from './settings.ts';

/** What draws are for; a number is never used for another purpose, so that old seeds mean the same. */
const PURPOSE = { drop: 0, duplicate: 1, corrupt: 2, bit: 3, gap: 4, noise: 5 } as const;
const PURPOSES_OF_DOWN = 16;
/** From none to twice sixteen bursts. */
const GAP_BURSTS_MAX = 32;

export type ByteFaultCounts = Record<
  'passed' | 'dropped' | 'duplicated' | 'corrupted' | 'bursts' | 'burstBytes',
  number
>;

export class ByteFaults {
  private readonly seed: number;
  private readonly purposeBase: number;
  private readonly counts: ByteFaultCounts;
  private settings: LinkFaultSettings = {};
  private position = 0;
  private burstsLeft = 0;
  private burstAt = Number.POSITIVE_INFINITY;
  private burstEnd = 0;
  private out = new Uint8Array(256);

  /** Counts what it does in `counts`, which may be those of both directions. */
  constructor(seed: number, direction: Direction, counts: ByteFaultCounts) {
    this.seed = seed;
    this.purposeBase = direction === 'down' ? PURPOSES_OF_DOWN : 0;
    this.counts = counts;
  }

  /** From the next byte on. */
  set(settings: LinkFaultSettings): void {
    this.settings = settings;
    this.burstsLeft = settings.burst?.count ?? 0;
    this.burstAt = Number.POSITIVE_INFINITY;
    this.burstEnd = 0;
    this.planBurst(this.position);
  }

  /** What is left of the bytes: they themselves where nothing is set, else good until the next call. */
  take(bytes: Uint8Array): Uint8Array {
    const { drop = 0, duplicate = 0, corrupt = 0 } = this.settings;
    if (drop + duplicate + corrupt === 0 && this.burstAt === Number.POSITIVE_INFINITY) {
      this.position += bytes.length;
      this.counts.passed += bytes.length;
      return bytes;
    }
    if (this.out.length < 2 * bytes.length) this.out = new Uint8Array(4 * bytes.length);
    const { out, counts } = this;
    let length = 0;
    for (let at = 0; at < bytes.length; at++) {
      const position = this.position++;
      const isDestroyed = this.inBurst(position);
      if (this.isChosen(PURPOSE.drop, position, drop)) {
        counts.dropped++;
        continue;
      }
      let byte = bytes[at]!;
      // Never the byte itself: one that stays the same is not destroyed.
      if (isDestroyed)
        byte = (byte + 1 + Math.floor(this.draw(PURPOSE.noise, position) * 255)) & 0xff;
      if (this.isChosen(PURPOSE.corrupt, position, corrupt)) {
        byte ^= 1 << Math.floor(this.draw(PURPOSE.bit, position) * 8);
        counts.corrupted++;
      }
      out[length++] = byte;
      counts.passed++;
      if (this.isChosen(PURPOSE.duplicate, position, duplicate)) {
        out[length++] = byte;
        counts.duplicated++;
      }
    }
    return out.subarray(0, length);
  }

  private inBurst(position: number): boolean {
    if (position < this.burstAt) return false;
    if (position === this.burstAt) this.counts.bursts++;
    this.counts.burstBytes++;
    if (position + 1 >= this.burstEnd) this.planBurst(this.burstEnd);
    return true;
  }

  private planBurst(from: number): void {
    this.burstAt = Number.POSITIVE_INFINITY;
    const { burst } = this.settings;
    if (burst === undefined || this.burstsLeft === 0) return;
    this.burstsLeft--;
    const gap = Math.floor(this.draw(PURPOSE.gap, from) * GAP_BURSTS_MAX * burst.bytes);
    this.burstAt = from + gap;
    this.burstEnd = this.burstAt + burst.bytes;
  }

  private isChosen(purpose: number, position: number, rate: number): boolean {
    return rate > 0 && this.draw(purpose, position) < rate;
  }

  private draw(purpose: number, position: number): number {
    return drawAt(this.seed, this.purposeBase + purpose, position);
  }
}

export function noByteFaults(): ByteFaultCounts {
  return { passed: 0, dropped: 0, duplicated: 0, corrupted: 0, bursts: 0, burstBytes: 0 };
}
