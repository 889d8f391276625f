/** Why a lab does not begin, or not go on: told before anything is opened. */
import { nearest } from '../../config/nearest.ts';
import { UpliftError } from '../../errors.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type Expansion, turnOf } from './expand.ts';
import type { RunLogContent } from './run-log.ts';

/** What the rig file does not name is missed before the first run, and not in the middle of the night. */
export function refuseLacks({ leftOut }: Expansion, only: readonly string[] | undefined): void {
  const isMeant = (run: string) => !only || only.some((name) => name.replace(/ #\d+$/, '') === run);
  const missed = leftOut.find(({ lack, scenario, what }) => lack && isMeant(`${scenario} ${what}`));
  if (missed?.lack) throw missed.lack;
}

export function refuseNothing({ runs, leftOut }: Expansion): void {
  if (runs.length > 0) return;
  const reasons = [...new Set(leftOut.map(({ reason }) => reason))].join('; ');
  throw new UpliftError('nothing-to-run', 'the scenarios come to no run on this rig', {
    expected: 'a device for each part, and images for it',
    actual: reasons,
    next: '`uplift lab show` tells what is left out and why',
  });
}

export function refuseUnknown(only: readonly string[], { runs }: Expansion): void {
  const known = runs.map((run) => turnOf(run, 1, 0).id);
  const isKnown = (name: string) => known.includes(name.replace(/#\d+$/, '#1'));
  const unknown = only.find((name) => !isKnown(name));
  if (unknown === undefined) return;
  const meant = nearest(unknown, known);
  throw new UpliftError('run-unknown', `the scenarios come to no run "${unknown}"`, {
    expected: 'a run as a report or `uplift lab show` names it',
    actual: unknown,
    next: meant === undefined ? 'look at `uplift lab show`' : `did you mean "${meant}"?`,
  });
}

/** Half of the results of one scenario and half of another are none of either. */
export function refuseOthers(
  { head }: RunLogContent,
  scenarios: readonly Scenario[],
  folder: string,
): void {
  const now = new Map(scenarios.map(({ name, sha256 }) => [name, sha256]));
  const changed = head.scenarios.filter(({ name, sha256 }) => now.get(name) !== sha256);
  if (changed.length === 0 && now.size === head.scenarios.length) return;
  const names = changed.map(({ name }) => name).join(', ') || [...now.keys()].join(', ');
  throw new UpliftError('lab-changed', `${folder} has runs of other scenarios`, {
    expected: 'the scenarios as they were when it began',
    actual: `${names} was changed since, or is another`,
    next: 'begin anew in another folder',
  });
}
