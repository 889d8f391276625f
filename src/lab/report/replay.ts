/** How a run is looked at again without its rig, and how it is made again on it. */
import { join } from 'node:path';
import type { RunResult } from '../run-result.ts';
import type { RunLogContent } from '../runner/run-log.ts';

/** From its recording: what its machines did once more; where it has none, what passed on the links. */
export function replayCommand(
  { recording }: Pick<RunResult, 'recording'>,
  folder: string,
): string | undefined {
  if (recording === undefined) return undefined;
  const words = recording.machines > 0 ? ['lab', 'replay'] : ['trace', 'show'];
  return ['uplift', ...words, join(folder, recording.path)].map(quoted).join(' ');
}

/** On the rig: the same scenario, rig, seed and name give the same choices. */
export function againCommand({ run, scenario }: RunResult, { head }: RunLogContent): string {
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
