/**
 * Whether an expedited entry stands in for an eligible combination (letter of July 2021, paragraphs
 * 11 and 12; the conditions are inferred from them).
 *
 * It waives the eligible-combination check and nothing else. Which purposes Appendix Z v3.0 names was
 * not found, so they are a site's data, and without any nothing is covered.
 */
import type { ListEntry } from './central-products-list.ts';
import { isCurrent } from './central-products-list.ts';
import { type Combination, combinationKey } from './combinations.ts';
import { deviceModelKey, foldText } from './device-model.ts';
import {
  isOpen,
  type PendingCombination,
  type PendingCombinations,
} from './pending-combinations.ts';

/**
 * From when the direction of July 2021 has effect: 20 July 2021 (read), as the start of that day in
 * UK local time (assumed: neither hour nor zone is stated).
 */
export const DIRECTION_2021_MS = Date.UTC(2021, 6, 19, 23);

export interface ExpeditedPolicy {
  /** Purposes that count, compared as folded text. */
  purposes: readonly string[];
  /** What the open test must be of: the combination itself, or any with the Device Model. */
  testOf: 'combination' | 'device-model';
  fromMs: number;
  source: string;
}

export const EXPEDITED_POLICY: ExpeditedPolicy = {
  purposes: [],
  testOf: 'combination',
  fromMs: DIRECTION_2021_MS,
  source: 'assumed: purposes are a site’s to name; the narrower reading of "relevant test"',
};

/** Why an entry does not stand in, in the order in which it is asked. */
export const NOT_COVERED = {
  'not-expedited': 'The entry is not an expedited one.',
  'before-direction': 'Expedited entries exist from 20 July 2021.',
  'not-smets1': 'The entry is not marked as a SMETS1 Device Model.',
  'entry-not-current': 'The entry does not stand at this time.',
  'not-yet-added': 'The entry is expedited only later.',
  ended: 'The entry is not expedited any more.',
  'purpose-not-named': 'The purpose is not one of those that the site names.',
  'test-unknown': 'No Pending Product Combinations Test of that reference is recorded.',
  'test-not-open': 'The Pending Product Combinations Test is not open.',
  'test-of-another': 'The Pending Product Combinations Test is of another combination.',
} as const;

export type NotCovered = keyof typeof NOT_COVERED;

export type ExpeditedCover =
  | { covered: true; pending: PendingCombination }
  | { covered: false; reason: NotCovered };

export function expeditedCover(
  entry: ListEntry,
  combination: Combination,
  pendingList: PendingCombinations | undefined,
  nowMs: number,
  policy: ExpeditedPolicy = EXPEDITED_POLICY,
): ExpeditedCover {
  const found = openTestOf(entry, pendingList, nowMs, policy);
  if (!found.covered) return found;
  const { pending } = found;
  const isOfIt =
    policy.testOf === 'combination'
      ? combinationKey(pending) === combinationKey(combination)
      : namesModel(pending, entry);
  return isOfIt ? found : { covered: false, reason: 'test-of-another' };
}

/** The open test that the entry refers to, before anything is asked about the combination. */
export function openTestOf(
  entry: ListEntry,
  pendingList: PendingCombinations | undefined,
  nowMs: number,
  policy: ExpeditedPolicy = EXPEDITED_POLICY,
): ExpeditedCover {
  const { expedited } = entry;
  const no = (reason: NotCovered): ExpeditedCover => ({ covered: false, reason });
  if (!expedited) return no('not-expedited');
  if (nowMs < policy.fromMs) return no('before-direction');
  if (entry.generation !== 'smets1') return no('not-smets1');
  if (!isCurrent(entry, nowMs)) return no('entry-not-current');
  if (nowMs < expedited.addedOnMs) return no('not-yet-added');
  if (expedited.endsOnMs !== undefined && nowMs >= expedited.endsOnMs) return no('ended');
  const purpose = foldText(expedited.purpose);
  if (!policy.purposes.some((named) => foldText(named) === purpose)) return no('purpose-not-named');
  const pending = pendingList?.byReference.get(expedited.ppctReference);
  if (!pending) return no('test-unknown');
  if (!isOpen(pending, nowMs)) return no('test-not-open');
  // A reference to a test of other devices is a mistake, whatever the policy.
  return namesModel(pending, entry) ? { covered: true, pending } : no('test-of-another');
}

function namesModel({ devices }: PendingCombination, entry: ListEntry): boolean {
  const key = deviceModelKey(entry);
  return devices.some(({ deviceModel }) => deviceModelKey(deviceModel) === key);
}
