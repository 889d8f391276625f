/** Numbers that a seed brings back. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  /** For one input of a family by itself: the inputs before it need not be made. */
  static of(seed: number, family: string, input: number): Random {
    let mixed = seed | 0;
    for (const char of `${family} ${input}`) {
      mixed = Math.imul(mixed ^ char.charCodeAt(0), 0x01000193);
    }
    const random = new Random(mixed);
    for (let i = 0; i < 8; i++) random.next();
    return random;
  }

  /** 32 bits; Marsaglia, 2003. */
  next(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }

  /** 0 where there is nothing to choose from. */
  below(count: number): number {
    return count > 0 ? this.next() % count : 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** Mostly small, now and then as large as `max`: sizes that matter are of every order. */
  size(max: number): number {
    return 1 + (this.below(2 ** this.below(1 + Math.ceil(Math.log2(max + 1)))) % max);
  }
}
