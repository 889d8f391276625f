/**
 * What is known around an upgrade besides image, device and list, and what each intake has to know.
 *
 * Three intakes ask for admission. On a bench an engineer flashes a device that hangs on nothing. In
 * the field the installation is known, and what it may become. A service request also says who asks,
 * by which request, under which version of DUIS. What an intake has to know and does not makes a
 * rule wait for it; what it need not know makes the rule not applicable. A rule whose fact is there is
 * asked at every intake.
 */
import type { EligibleCombinations } from '../products/eligible-combinations.ts';
import type { Installation } from '../products/installations.ts';
import type { PendingCombinations } from '../products/pending-combinations.ts';
import type { DowngradeWaiver, WaiverKey } from '../trust/downgrade-waiver.ts';
import type { VersionFloors } from '../trust/rollback.ts';
import { waitFor } from './pending-facts.ts';
import { NOT_APPLICABLE, type Verdict } from './verdict.ts';

export const INTAKES = ['bench', 'field', 'service-request'] as const;

export type Intake = (typeof INTAKES)[number];

export interface AdmissionContext {
  intake: Intake;
  /** As it is before the upgrade. */
  installation?: Installation | undefined;
  /** The Eligible Products Combination List. */
  eligible?: EligibleCombinations | undefined;
  /** Tests that expedited entries refer to. */
  pending?: PendingCombinations | undefined;
  request?: RequestFacts | undefined;
  /** EUI-64s, 16 lower-case digits, of devices for which another request is open. */
  openRequests?: ReadonlySet<string> | undefined;
  floors?: VersionFloors | undefined;
  waiver?: { waiver: DowngradeWaiver; keys: readonly WaiverKey[] } | undefined;
}

/** A Service Request, as far as admission is about it. */
export interface RequestFacts {
  /** `11.1`. */
  requestType?: string | undefined;
  /** `3.0`. */
  duisVersion?: string | undefined;
  /** `IS`, `GS`. */
  role?: string | undefined;
  /** Who asks, as the installation names its suppliers. */
  party?: string | undefined;
  /** Devices in the one request. */
  deviceCount?: number | undefined;
  /** When the hub took the image over and began to hold it. */
  heldSinceMs?: number | undefined;
}

/** A fact of the context that a rule can wait for. */
export const CONTEXT_FACTS = [
  'installation',
  'cohort',
  'suppliers',
  'eligible',
  'requestType',
  'duisVersion',
  'role',
  'openRequests',
  'listAge',
] as const;

export type ContextFact = (typeof CONTEXT_FACTS)[number];

const FIELD: readonly ContextFact[] = ['installation', 'eligible', 'listAge'];

/** What each intake has to know. */
export const DEMANDED: Readonly<Record<Intake, readonly ContextFact[]>> = {
  bench: [],
  field: FIELD,
  'service-request': CONTEXT_FACTS,
};

/** Without a context an upgrade is one on a bench: the strictest that can be asked of what is known. */
export const BENCH: AdmissionContext = { intake: 'bench' };

/** The verdict of a rule whose fact is not there. */
export function missing(fact: ContextFact, { intake }: AdmissionContext): Verdict {
  return DEMANDED[intake].includes(fact) ? waitFor(fact) : NOT_APPLICABLE;
}
