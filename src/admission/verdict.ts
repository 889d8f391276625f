/** What one rule answers for one image and one device. */
import type { ContextFact } from './context.ts';
import type { AdmissionFacts, DeviceFacts, ImageFacts } from './facts.ts';

export type Outcome = 'pass' | 'refuse' | 'warn' | 'not-applicable' | 'unknown';

/** A value of the device, or of what is around the upgrade, that a rule waits for. */
export type PendingFact = keyof DeviceFacts | ContextFact;

export interface Verdict {
  outcome: Outcome;
  expected?: string;
  actual?: string;
  next?: string;
  pending?: PendingFact;
}

/** Pure and total: for any facts it returns a verdict and never throws. */
export type Check<I extends ImageFacts = ImageFacts> = (
  image: I,
  facts: AdmissionFacts,
  nowMs: number,
) => Verdict;

export const PASS: Verdict = { outcome: 'pass' };
export const NOT_APPLICABLE: Verdict = { outcome: 'not-applicable' };

export function atMost(bytes: number, limitBytes: number): Verdict {
  if (bytes <= limitBytes) return PASS;
  return { outcome: 'refuse', expected: `at most ${limitBytes} bytes`, actual: `${bytes} bytes` };
}
