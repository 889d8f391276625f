/** How a run is made again: the same scenario, rig, seed and name give the same choices. */
import type { RunResult } from '../run-result.ts';
import type { RunLogContent } from '../runner/run-log.ts';

export function replayCommand({ run, scenario }: RunResult, head: RunLogContent['head']): string {
  const told = head.scenarios.find(({ name }) => name === scenario);
  const set = Object.entries(told?.values ?? {}).map(([name, value]) => `${name}=${value}`);
  const words = ['uplift', 'lab', 'run', told?.path ?? scenario, '--rig', head.rig.path];
  const choices = ['--seed', `${head.seed}`, ...(set.length > 0 ? ['--set', ...set] : [])];
  return [...words, ...choices, '--run', run].map(quoted).join(' ');
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
