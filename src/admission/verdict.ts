/** What one rule answers for one image and one device. */
import type { AdmissionFacts, ImageFacts } from './facts.ts';
import type { PendingFact } from './pending-facts.ts';

export type Outcome = Verdict['outcome'];

/** Whatever is not plain says what would change it: no refusal, no doubt without a way on. */
export type Verdict = Plain | Objection | Waiting | Undecidable;

/** What exactly a rule found, where it tells several things apart: for programs, which read no text. */
export const VERDICT_CODES = {
  'hash-of-whole-file': 'The list has the hash of the whole file.',
  'hash-after-header': 'The list has the hash of the bytes after the header.',
  'hash-of-ota-image': 'The list has the hash of the OTA image with its header.',
  'version-of-another-entry': 'The header has the version of another image on the list.',
} as const;

export type VerdictCode = keyof typeof VERDICT_CODES;

interface Plain {
  outcome: 'pass' | 'not-applicable';
  code?: undefined;
  expected?: undefined;
  /** Why, where the rule's text does not say so by itself. */
  actual?: string;
  next?: undefined;
  pending?: undefined;
}

export interface Objection extends Words {
  outcome: 'refuse' | 'warn';
  pending?: undefined;
}

/** Not known yet: the decision is conditional until `pending` is. */
interface Waiting {
  outcome: 'unknown';
  code?: undefined;
  expected: string;
  actual?: string | undefined;
  next: string;
  pending: PendingFact;
}

/** Not known, and by nothing that anybody could say before the upgrade. */
interface Undecidable extends Words {
  outcome: 'unknown';
  pending?: undefined;
}

interface Words {
  code?: VerdictCode;
  expected: string;
  actual: string;
  /** What would change the answer: which file, device, date, party. */
  next: string;
}

/** A verdict without what it waits for: what a finding keeps of it. */
export type SaidVerdict = Verdict extends infer One
  ? One extends Verdict
    ? Omit<One, 'pending'>
    : never
  : never;

/** Pure and total: for any facts it returns a verdict and never throws. */
export type Check<I extends ImageFacts = ImageFacts> = (
  image: I,
  facts: AdmissionFacts,
  nowMs: number,
) => Verdict;

export const PASS: Verdict = Object.freeze({ outcome: 'pass' });
export const NOT_APPLICABLE: Verdict = Object.freeze({ outcome: 'not-applicable' });

export function atMost(bytes: number, limitBytes: number, next: string): Verdict {
  if (bytes <= limitBytes) return PASS;
  return {
    outcome: 'refuse',
    expected: `at most ${limitBytes} bytes`,
    actual: `${bytes} bytes`,
    next,
  };
}
