/**
 * Whether an installation is ready for migration by the lists of one moment; if not, the upgrades
 * that make it so, or what stands in the way.
 *
 * Ready means: its combination is on the Eligible Products Combination List, and no dated rule holds
 * it back. An answer is a fact about lists and time; it asks nothing of any device and permits no
 * upgrade: each step still goes through admission when it is carried out.
 */
import { assert } from '../errors.ts';
import type { ListEntry } from '../products/central-products-list.ts';
import type { DeviceKind } from '../products/combinations.ts';
import type { DeviceModel } from '../products/device-model.ts';
import type { EligibleCombination } from '../products/eligible-combinations.ts';
import { type Installation, isSplitSupply } from '../products/installations.ts';
import { type ListStamp, listAge } from '../products/list-age.ts';
import { Catalogue, type Cover, type Pathway, type ReadinessLists } from './catalogue.ts';
import { type Cause, type CauseCode, cause, type Note, note } from './codes.ts';
import { diagnose } from './diagnose.ts';
import { READINESS_POLICY, type ReadinessPolicy } from './policy.ts';
import { findUpgrades, type SearchStep } from './search.ts';

export type { ReadinessLists } from './catalogue.ts';

export type Fuel = 'electricity' | 'gas';

/** One upgrade of one device. */
export interface UpgradeStep {
  kind: DeviceKind;
  from: DeviceModel;
  entry: ListEntry;
  pathway: Pathway;
  /** Where the combination after the step is not eligible: what covers it. */
  cover?: Cover;
  /**
   * Whose supplier may ask for it: electricity for an ESME, gas for a GSME (request matrix; read for
   * the roles, inferred for the devices); either for hub and PPMID (assumed: no source names one).
   */
  askedBy: readonly Fuel[];
}

export type Readiness = { installationId: string; notes: readonly Note[] } & (
  | { verdict: 'migrated' }
  | { verdict: 'ready'; combination: EligibleCombination }
  | { verdict: 'after-upgrades'; combination: EligibleCombination; steps: readonly UpgradeStep[] }
  | { verdict: 'blocked'; causes: readonly Cause[] }
);

/** What is the same for all installations with one provider and one set of Device Models. */
type Answer =
  | { kind: 'found'; combination: EligibleCombination; steps: readonly SearchStep[] }
  | { kind: 'none'; causes: readonly Cause[] };

const NO_MODELS: ReadonlySet<number> = new Set();

/** Answers for many installations; each distinct combination is searched once. */
export class ReadinessPlanner {
  private readonly catalogue: Catalogue;
  private readonly policy: ReadinessPolicy;
  private readonly nowMs: number;
  private readonly answers = new Map<string, Answer>();
  private readonly listCauses: readonly Cause[];
  private readonly listNotes: readonly Note[];

  constructor(lists: ReadinessLists, nowMs: number, policy: Partial<ReadinessPolicy> = {}) {
    this.policy = { ...READINESS_POLICY, ...policy };
    this.nowMs = nowMs;
    this.catalogue = new Catalogue(lists, this.policy, nowMs);
    const ages = judgeAges(lists, this.policy, nowMs);
    this.listCauses = ages.causes;
    this.listNotes = ages.notes;
  }

  /** How many different combinations have been searched so far. */
  get searched(): number {
    return this.answers.size;
  }

  plan(installation: Installation): Readiness {
    const { installationId } = installation;
    const notes = [...this.listNotes];
    if (installation.migration === 'migrated')
      return { installationId, verdict: 'migrated', notes };
    if (installation.migration === 'in-progress') notes.push(note('migration-in-progress'));
    const causes = [...this.listCauses, ...this.datedCauses(installation)];
    const answer = this.answerFor(installation);
    if (answer.kind === 'none') causes.push(...answer.causes);
    if (causes.length > 0) return { installationId, verdict: 'blocked', causes, notes };
    assert(answer.kind === 'found', 'an answer of no upgrades has a cause');
    if (installation.cohort === 'FOC' && installation.profileDataPush === true) {
      notes.push(note('profile-data-to-switch-off'));
    }
    const { combination } = answer;
    if (answer.steps.length === 0) return { installationId, verdict: 'ready', combination, notes };
    const steps = this.stepsOf(installation, answer.steps);
    notes.push(...stepNotes(steps));
    return { installationId, verdict: 'after-upgrades', combination, steps, notes };
  }

  /** Rules that hold an installation back until a date, whatever its combination. */
  private datedCauses(installation: Installation): Cause[] {
    const { devices, cohort, profileDataPush } = installation;
    const hubs = devices.filter(({ kind }) => kind === 'communications_hub').length;
    const codes: CauseCode[] = hubs === 1 ? [] : ['hub-not-one'];
    if (this.nowMs < this.policy.upliftMs && (cohort ?? 'FOC') === 'FOC') {
      const split = isSplitSupply(installation);
      if (cohort === undefined) {
        if (split !== false || profileDataPush !== false) codes.push('cohort-unknown');
      } else {
        if (split === undefined) codes.push('supply-unknown');
        else if (split) codes.push('split-supply-before-uplift');
        if (profileDataPush === undefined) codes.push('profile-data-unknown');
        else if (profileDataPush) codes.push('profile-data-before-uplift');
      }
    }
    return codes.map((code) => cause(code));
  }

  private answerFor(installation: Installation): Answer {
    const { catalogue } = this;
    const provider = catalogue.providerOf(installation.provider);
    const state = catalogue.stateOf(installation);
    const fixed = this.fixedModels(installation);
    const key = `${provider}|${state.join()}|${[...fixed].join()}`;
    const known = this.answers.get(key);
    if (known) return known;
    const found = findUpgrades(catalogue, provider, state, fixed);
    const answer: Answer =
      found.kind === 'found'
        ? found
        : {
            kind: 'none',
            causes: found.limited
              ? [cause('search-limit', `${this.policy.statesMax}`)]
              : diagnose(catalogue, provider, state, fixed),
          };
    this.answers.set(key, answer);
    return answer;
  }

  /** PPMIDs of an FOC installation before the exclusion was lifted; of an unknown cohort too. */
  private fixedModels({ devices, cohort }: Installation): ReadonlySet<number> {
    if (this.nowMs >= this.policy.focPpmidMs || (cohort ?? 'FOC') !== 'FOC') return NO_MODELS;
    const ppmids = devices.filter(({ kind }) => kind === 'ppmid');
    return new Set(ppmids.map(({ deviceModel }) => this.catalogue.idOf(deviceModel)).sort());
  }

  /** The steps, each given to a device of the installation that runs what it starts from. */
  private stepsOf({ devices }: Installation, steps: readonly SearchStep[]): UpgradeStep[] {
    const running = devices.map(({ deviceModel }) => this.catalogue.idOf(deviceModel));
    return steps.map(({ from, move, cover }) => {
      const index = running.indexOf(from);
      running[index] = move.to;
      const { kind } = devices[index]!;
      return {
        kind,
        from: this.catalogue.deviceModels[from]!,
        entry: move.entry,
        pathway: move.pathway,
        ...(cover ? { cover } : {}),
        askedBy: ASKED_BY[kind],
      };
    });
  }
}

const ASKED_BY: Record<DeviceKind, readonly Fuel[]> = {
  communications_hub: ['electricity', 'gas'],
  esme: ['electricity'],
  gsme: ['gas'],
  ppmid: ['electricity', 'gas'],
};

function stepNotes(steps: readonly UpgradeStep[]): Note[] {
  return steps.flatMap(({ pathway, entry, cover, askedBy }) => {
    const found: Note[] = [];
    if (pathway === 'unknown') found.push(note('pathway-unknown', entry.entryId));
    if (pathway === 'none') found.push(note('pathway-none-permitted', entry.entryId));
    if (cover) found.push(note('expedited-cover', cover.pending.ppctReference));
    if (askedBy.length > 1) found.push(note('tell-other-supplier', entry.entryId));
    return found;
  });
}

function judgeAges(
  { products, eligible, pending }: ReadinessLists,
  { ages }: ReadinessPolicy,
  nowMs: number,
): { causes: Cause[]; notes: Note[] } {
  const causes: Cause[] = [];
  const notes: Note[] = [];
  const named: [string, ListStamp | undefined][] = [
    ['Central Products List', products.stamp],
    ['Eligible Products Combination List', eligible.stamp],
    ...(pending
      ? [['pending combinations', pending.stamp] as [string, ListStamp | undefined]]
      : []),
  ];
  for (const [name, stamp] of named) {
    const { age, days } = listAge(stamp, nowMs, ages);
    const detail = days === undefined ? name : `${name}, ${Math.floor(days)} days`;
    if (age === 'too-old') causes.push(cause('list-too-old', detail));
    if (age === 'from-the-future') causes.push(cause('list-from-the-future', detail));
    if (age === 'old') notes.push(note('list-old', detail));
    if (age === 'unknown') notes.push(note('list-age-unknown', detail));
  }
  return { causes, notes };
}
