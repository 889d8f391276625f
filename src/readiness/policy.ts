/** What a site may change about readiness. The defaults refuse what no source allows. */
import {
  DIRECTION_2021_MS,
  EXPEDITED_POLICY,
  type ExpeditedPolicy,
} from '../products/expedited.ts';
import { LIST_AGE_LIMITS, type ListAgeLimits } from '../products/list-age.ts';

export interface ReadinessPolicy {
  /** A pathway that the list does not state. Default: use it, with a note (assumed). */
  unknownPathway: 'warn' | 'refuse';
  /** An entry with N/A for a pathway. Default: no upgrade to it (assumed). */
  noPathway: 'warn' | 'refuse';
  /**
   * What a combination between two upgrades has to be. `covered`: eligible, or covered by an
   * expedited entry with its test open (inferred). `any`: for installations that no one serves yet.
   */
  intermediates: 'covered' | 'any';
  expedited: ExpeditedPolicy;
  ages: ListAgeLimits;
  /**
   * From when uplift 2.1 is in production. It was due on 21 July 2021 (letter, paragraph 10; read);
   * start of that day in UK local time (assumed), and that it came (inferred).
   */
  upliftMs: number;
  /** From when firmware of FOC PPMIDs is not excluded any more: the direction of July 2021. */
  focPpmidMs: number;
  /** Combinations looked through for one installation. */
  statesMax: number;
}

export const READINESS_POLICY: ReadinessPolicy = {
  unknownPathway: 'warn',
  noPathway: 'refuse',
  intermediates: 'covered',
  expedited: EXPEDITED_POLICY,
  ages: LIST_AGE_LIMITS,
  upliftMs: Date.UTC(2021, 6, 20, 23),
  focPpmidMs: DIRECTION_2021_MS,
  statesMax: 20_000,
};
