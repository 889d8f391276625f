/** A JSON line for each run that is done with, without its curves: for other programs. */
import type { RunLogContent } from '../runner/run-log.ts';

export function runLines({ head, finals }: RunLogContent): string {
  const lines = [...finals.values()].map((result) => {
    const { timeline, steps, upgrades, ...rest } = result;
    const told = upgrades.map(({ samples, ...upgrade }) => upgrade);
    return JSON.stringify({ ...rest, labSeed: head.seed, rig: head.rig.id, upgrades: told });
  });
  return lines.map((line) => `${line}\n`).join('');
}
