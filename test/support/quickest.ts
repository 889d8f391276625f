/** The least of `tries` durations of a piece of work, ms: of a machine that stands still for a moment one has the delay. */
export function quickestMs(work: () => void, tries = 3): number {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let left = tries; left > 0; left--) {
    const startedMs = performance.now();
    work();
    leastMs = Math.min(leastMs, performance.now() - startedMs);
  }
  return leastMs;
}
