/**
 * Whether an upgrade goes where nobody goes alone: back to an older version, on the word of a waiver. The
 * waiver was signed by two people for this device and this image; that it is used now is for two to say.
 */
import { type Decision, decideAdmission } from './decide.ts';
import type { AdmissionFacts } from './facts.ts';
import { leaveToGoBack } from './version-checks.ts';

const VERSION_FACTS: readonly string[] = ['currentFileVersion', 'runningVersion'];
const OTHERS: readonly unknown[] = ['waiver-other-device', 'waiver-other-image'];

/**
 * Why, in a sentence; `undefined`: one person is enough.
 * @param given what was decided on the same facts
 */
export function whySecondPerson(
  facts: AdmissionFacts,
  given: Decision,
  nowMs: number,
): string | undefined {
  const { context } = facts;
  if (!context?.waiver) return undefined;
  if (given.verdict === 'refused') return undefined;
  const { waiver: _, ...plain } = context;
  const without = decideAdmission({ ...facts, context: plain }, nowMs);
  if (without.verdict === 'refused') {
    return `it goes back to an older version: without its waiver ${without.ruleId} would refuse it`;
  }
  if (!given.pending.some((fact) => VERSION_FACTS.includes(fact))) return undefined;
  if (isForOthers(facts, nowMs)) return undefined;
  return 'there is a waiver for going back, and the device has not said yet which version it runs';
}

/** A waiver that names neither this device nor this image lets nobody go back here. */
function isForOthers(facts: AdmissionFacts, nowMs: number): boolean {
  const leave = facts.image.ok ? leaveToGoBack(facts.image, facts, nowMs) : { given: false };
  return 'code' in leave && OTHERS.includes(leave.code);
}
