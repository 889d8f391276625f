/**
 * The shortest lawful sequence of upgrades that makes a combination eligible: breadth first, so the
 * first that is found has the fewest steps. One device changes in each step, and what stands in
 * between has to be eligible or covered too (`ReadinessPolicy.intermediates`).
 */
import type { EligibleCombination } from '../products/eligible-combinations.ts';
import { ascending, type Catalogue, type Cover, type Move } from './catalogue.ts';

export interface SearchStep {
  from: number;
  move: Move;
  /** What the combination after the step stands on, where it is not eligible. */
  cover?: Cover;
}

export type SearchResult =
  | { kind: 'found'; combination: EligibleCombination; steps: readonly SearchStep[] }
  | { kind: 'none'; limited: boolean };

interface Node {
  state: readonly number[];
  parent: number;
  step?: SearchStep;
}

/** `state` is sorted. A Device Model in `fixed` is not upgraded. */
export function findUpgrades(
  catalogue: Catalogue,
  provider: number,
  state: readonly number[],
  fixed: ReadonlySet<number>,
): SearchResult {
  const already = catalogue.eligibleAt(provider, state);
  if (already) return { kind: 'found', combination: already, steps: [] };
  const nodes: Node[] = [{ state, parent: -1 }];
  const seen = new Set([state.join()]);
  for (let at = 0; at < nodes.length; at++) {
    const node = nodes[at]!;
    for (const [from, move, next] of stepsFrom(catalogue, node.state, fixed)) {
      const key = next.join();
      if (seen.has(key)) continue;
      seen.add(key);
      const combination = catalogue.eligibleAt(provider, next);
      if (combination) {
        return { kind: 'found', combination, steps: [...stepsTo(nodes, at), { from, move }] };
      }
      const cover = catalogue.coverAt(provider, next);
      if (!cover && catalogue.policy.intermediates === 'covered') continue;
      if (nodes.length >= catalogue.policy.statesMax) return { kind: 'none', limited: true };
      const step = cover ? { from, move, cover } : { from, move };
      nodes.push({ state: next, parent: at, step });
    }
  }
  return { kind: 'none', limited: false };
}

function* stepsFrom(
  catalogue: Catalogue,
  state: readonly number[],
  fixed: ReadonlySet<number>,
): Generator<[from: number, move: Move, next: number[]]> {
  for (let index = 0; index < state.length; index++) {
    const from = state[index]!;
    // Of two devices of one model it does not matter which goes first.
    if (from === state[index - 1] || fixed.has(from)) continue;
    for (const move of catalogue.moves(from)) {
      if (move.refusal) continue;
      const next = [...state];
      next[index] = move.to;
      yield [from, move, next.sort(ascending)];
    }
  }
}

function stepsTo(nodes: readonly Node[], at: number): SearchStep[] {
  const steps: SearchStep[] = [];
  for (let index = at; index > 0; index = nodes[index]!.parent) steps.push(nodes[index]!.step!);
  return steps.reverse();
}
