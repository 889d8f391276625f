/** The word that was probably meant: for a misspelt key, id or file name. */

/** Share of a word's letters that may be wrong. */
const WRONG_SHARE_MAX = 0.34;

/**
 * The candidate with the fewest edits (insert, delete, replace, swap of neighbours), letter case, hyphens
 * and underscores aside; `undefined` where none is close.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(word).slice(0, 64);
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(wanted.length * WRONG_SHARE_MAX)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, fold(candidate));
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Optimal string alignment distance. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replace, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

function fold(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}
