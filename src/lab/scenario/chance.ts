/** Random choices that follow from a seed and from what they are for, whatever was chosen before them. */
import { SeededRandom } from '../../virtual/random.ts';
import type { RandomChoice, Scalar } from './schema.ts';

/** FNV-1a over the text, begun from the seed. */
export function seedFor(seed: number, what: string): number {
  let mixed = (seed ^ 0x811c9dc5) >>> 0;
  for (let at = 0; at < what.length; at++) {
    mixed = Math.imul(mixed ^ what.charCodeAt(at), 0x01000193) >>> 0;
  }
  return mixed;
}

/** `what`: the place in the scenario, and the turn of a repetition. */
export function choose(choice: RandomChoice, seed: number, what: string): Scalar {
  const random = new SeededRandom(seedFor(seed, what));
  // Two seeds that are near each other begin with numbers that are.
  for (let warm = 0; warm < 4; warm++) random.next();
  if ('of' in choice) return choice.of[Math.floor(random.next() * choice.of.length)]!;
  const [from, to] = choice.between;
  return from + Math.floor(random.next() * (to - from + 1));
}
