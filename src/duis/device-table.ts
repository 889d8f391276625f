/**
 * The devices of one request with eight marks each: 9 bytes a device, where a set of texts has some
 * hundred. 50,000 of them are 450 KB.
 */
import { assert } from '../errors.ts';

export class DeviceTable {
  /** In ascending order, each once. */
  private readonly ids: BigUint64Array;
  private readonly marks: Uint8Array;

  /** @param deviceIds 16 lower-case digits each; one that stands twice counts once */
  constructor(deviceIds: readonly string[]) {
    const sorted = BigUint64Array.from(deviceIds, idOf).sort();
    let count = 0;
    for (let at = 0; at < sorted.length; at++) {
      if (at === 0 || sorted[at] !== sorted[at - 1]) sorted[count++] = sorted[at]!;
    }
    this.ids = sorted.slice(0, count);
    this.marks = new Uint8Array(count);
  }

  get size(): number {
    return this.ids.length;
  }

  has(deviceId: string): boolean {
    return this.placeOf(deviceId) !== undefined;
  }

  /** Marks of a device that is not in the table are none. */
  marksOf(deviceId: string): number {
    const place = this.placeOf(deviceId);
    return place === undefined ? 0 : this.marks[place]!;
  }

  /**
   * @param marks of one byte, added to those that it has; a device that is not in the table has
   * none
   */
  mark(deviceId: string, marks: number): void {
    assert(marks > 0 && marks <= 0xff, 'a mark is one of eight bits');
    const place = this.placeOf(deviceId);
    if (place !== undefined) this.marks[place]! |= marks;
  }

  *deviceIds(): IterableIterator<string> {
    for (const id of this.ids) yield id.toString(16).padStart(16, '0');
  }

  private placeOf(deviceId: string): number | undefined {
    const { ids } = this;
    const id = idOf(deviceId);
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low < ids.length && ids[low] === id ? low : undefined;
  }
}

function idOf(deviceId: string): bigint {
  return BigInt(`0x${deviceId}`);
}
