/**
 * Why no sequence of upgrades was found. Each device is looked at by itself here: whether it could
 * reach the version that an eligible combination wants, whatever the others run meanwhile.
 */
import { mayPrecede, showStanding } from '../products/central-products-list.ts';
import { sameUnderOtherCoding, showDeviceModel } from '../products/device-model.ts';
import { type EligibleCombination, isEligible } from '../products/eligible-combinations.ts';
import { NOT_COVERED, openTestOf } from '../products/expedited.ts';
import type { Catalogue } from './catalogue.ts';
import { type Cause, cause } from './codes.ts';

/** What each device would have to become for one eligible combination. */
interface Plan {
  combination: EligibleCombination;
  pairs: { from: number; to: number; steps: number | undefined }[];
}

export function diagnose(
  catalogue: Catalogue,
  provider: number,
  state: readonly number[],
  fixed: ReadonlySet<number>,
): Cause[] {
  const candidates = catalogue.sameHardware(provider, state);
  if (candidates.length === 0) {
    const others = catalogue.providersOfHardware(state);
    if (others.length > 0) return [cause('provider-differs', others.join(', '))];
    return [cause('hardware-not-eligible', showAll(catalogue, state))];
  }
  const standing = candidates.filter((one) => isEligible(one, catalogue.nowMs));
  if (standing.length === 0) return [whyNotStanding(candidates, catalogue.nowMs)];
  const plan = bestPlan(catalogue, state, fixed, standing);
  if (!plan) return [cause('hardware-not-eligible', showAll(catalogue, state))];
  const blocked = plan.pairs.filter(({ steps }) => steps === undefined);
  if (blocked.length > 0) {
    return blocked.map(({ from, to }) => whyBlocked(catalogue, from, to, fixed));
  }
  const { combinationId } = plan.combination;
  const between = cause('intermediate-not-eligible', `on the way to ${combinationId}`);
  return [between, ...expeditedCauses(catalogue, plan)];
}

function whyNotStanding(candidates: readonly EligibleCombination[], nowMs: number): Cause {
  const coming = candidates
    .filter(({ addedOnMs }) => addedOnMs > nowMs)
    .sort((a, b) => a.addedOnMs - b.addedOnMs)[0];
  if (coming) {
    const detail = `${coming.combinationId}, from ${showDate(coming.addedOnMs)}`;
    return cause('combination-not-yet-eligible', detail);
  }
  const last = candidates.reduce((a, b) => (b.removedFromMs! > a.removedFromMs! ? b : a));
  const detail = `${last.combinationId}, until ${showDate(last.removedFromMs!)}`;
  return cause('combination-removed', detail);
}

/** The combination with the fewest devices that cannot get there, then the fewest steps. */
function bestPlan(
  catalogue: Catalogue,
  state: readonly number[],
  fixed: ReadonlySet<number>,
  candidates: readonly EligibleCombination[],
): Plan | undefined {
  const reach = new Map(state.map((id) => [id, reachable(catalogue, id, fixed)]));
  let best: Plan | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const combination of candidates) {
    const pairs = pairUp(catalogue, state, catalogue.listedState(combination), reach);
    if (!pairs) continue;
    const cost = pairs.reduce((sum, { steps }) => sum + (steps ?? 1_000), 0);
    if (cost >= bestCost) continue;
    best = { combination, pairs };
    bestCost = cost;
  }
  return best;
}

/** Each version that the device can get to, with the number of upgrades. */
function reachable(
  catalogue: Catalogue,
  from: number,
  fixed: ReadonlySet<number>,
): Map<number, number> {
  const steps = new Map([[from, 0]]);
  if (fixed.has(from)) return steps;
  for (const [id, count] of steps) {
    for (const { to, refusal } of catalogue.moves(id)) {
      if (!refusal && !steps.has(to)) steps.set(to, count + 1);
    }
  }
  return steps;
}

/** Every target gets the device that is nearest to it; devices that are left go to the nearest. */
function pairUp(
  catalogue: Catalogue,
  state: readonly number[],
  targets: readonly number[],
  reach: ReadonlyMap<number, ReadonlyMap<number, number>>,
): Plan['pairs'] | undefined {
  const free = [...state];
  const pairs: Plan['pairs'] = [];
  const stepsOf = (from: number, to: number) => reach.get(from)?.get(to);
  const nearer = (a: number | undefined, b: number | undefined) =>
    (a ?? Number.POSITIVE_INFINITY) < (b ?? Number.POSITIVE_INFINITY);
  const fits = (from: number, to: number) =>
    catalogue.hardwareOf[from] === catalogue.hardwareOf[to];
  for (const to of new Set(targets)) {
    let chosen = -1;
    free.forEach((from, index) => {
      if (!fits(from, to)) return;
      if (chosen < 0 || nearer(stepsOf(from, to), stepsOf(free[chosen]!, to))) chosen = index;
    });
    if (chosen < 0) return undefined;
    const from = free.splice(chosen, 1)[0]!;
    pairs.push({ from, to, steps: stepsOf(from, to) });
  }
  for (const from of free) {
    const options = targets.filter((to) => fits(from, to));
    if (options.length === 0) return undefined;
    const to = options.reduce((a, b) => (nearer(stepsOf(from, b), stepsOf(from, a)) ? b : a));
    pairs.push({ from, to, steps: stepsOf(from, to) });
  }
  return pairs;
}

function whyBlocked(
  catalogue: Catalogue,
  from: number,
  to: number,
  fixed: ReadonlySet<number>,
): Cause {
  const running = catalogue.deviceModels[from]!;
  const wanted = catalogue.deviceModels[to]!;
  const detail = `${showDeviceModel(running)} to ${wanted.firmwareVersion}`;
  if (fixed.has(from)) return cause('foc-ppmid-excluded', detail);
  if (sameUnderOtherCoding(running.firmwareVersion, wanted.firmwareVersion)) {
    const hint = 'the same number under the other coding: compare by hand';
    return cause('order-unknown', `${detail}, ${hint}`);
  }
  const move = catalogue.moves(from).find((one) => one.to === to);
  if (!move) return cause('target-not-listed', detail);
  const { entry } = move;
  const code = move.refusal ?? 'intermediate-not-eligible';
  if (code === 'entry-not-current') {
    const stands = `${entry.entryId}: ${showStanding(entry)}, from ${showDate(entry.listedFromMs)}`;
    const { removedFromMs } = entry;
    const until = removedFromMs === undefined ? '' : ` until ${showDate(removedFromMs)}`;
    return cause(code, `${detail}, ${stands}${until}`);
  }
  const precedence = mayPrecede(catalogue.lists.products, entry, running.firmwareVersion);
  if (precedence === 'not-listed' && entry.upgradeFrom.kind === 'listed') {
    return cause(code, `${detail}, ${entry.entryId} from ${entry.upgradeFrom.entryIds.join(', ')}`);
  }
  return cause(code, `${detail}, ${entry.entryId}`);
}

/** Expedited entries that the devices of the plan could be upgraded to, and why they do not cover. */
function expeditedCauses(catalogue: Catalogue, { pairs }: Plan): Cause[] {
  const { lists, nowMs, policy } = catalogue;
  const causes: Cause[] = [];
  for (const { from } of pairs) {
    for (const { entry, refusal } of catalogue.moves(from)) {
      if (refusal || !entry.expedited) continue;
      const test = openTestOf(entry, lists.pending, nowMs, policy.expedited);
      const reason = test.covered ? 'test-of-another' : test.reason;
      causes.push(cause('expedited-not-covering', `${entry.entryId}: ${NOT_COVERED[reason]}`));
    }
  }
  return causes;
}

function showAll(catalogue: Catalogue, state: readonly number[]): string {
  return state.map((id) => showDeviceModel(catalogue.deviceModels[id]!)).join(', ');
}

function showDate(ms: number): string {
  return new Date(ms).toISOString();
}
