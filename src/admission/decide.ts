/**
 * May this image go to this device, now? One pure function of facts and time.
 *
 * Every rule is asked, so that a person sees all reasons at once; the first refusal in rule order
 * gives the decision its name. What the device has not said yet makes the decision conditional:
 * admitted as far as is known, to be decided again when the pending facts arrive and before a byte
 * is sent.
 */
import type { AdmissionFacts } from './facts.ts';
import { askRule, RULES, type RuleId, type RuleText } from './rules.ts';
import { type AdmissionToken, tokenFor } from './token.ts';
import type { Outcome, PendingFact, Verdict } from './verdict.ts';

export interface Finding {
  ruleId: RuleId;
  outcome: Outcome;
  expected?: string;
  actual?: string;
  next?: string;
}

export interface Decision {
  verdict: 'admitted' | 'refused';
  /** Of the first refusal. */
  ruleId?: RuleId;
  /** What may be sent, where it is admitted. */
  token?: AdmissionToken;
  /** Admitted only as far as is known: `pending` says what is not. */
  conditional: boolean;
  pending: PendingFact[];
  /** One for each rule, in rule order. */
  findings: Finding[];
  decidedAtMs: number;
}

export function decideAdmission(facts: AdmissionFacts, nowMs: number): Decision {
  const { image } = facts;
  if (!image.ok) return unreadable(image, nowMs);
  const pending = new Set<PendingFact>();
  const findings = RULES.map((rule, index): Finding => {
    const { pending: waitsFor, ...verdict } = askRule(rule, image, facts, nowMs);
    if (waitsFor !== undefined) pending.add(waitsFor);
    return shared(index, verdict) ?? { ruleId: rule.id, ...verdict };
  });
  const refused = findings.find(({ outcome }) => outcome === 'refuse');
  return {
    verdict: refused ? 'refused' : 'admitted',
    ...(refused ? { ruleId: refused.ruleId } : { token: tokenFor(image) }),
    conditional: !refused && pending.size > 0,
    pending: [...pending],
    findings,
    decidedAtMs: nowMs,
  };
}

/** Most findings of most decisions say nothing but the outcome: kept once, however many devices. */
const BARE = RULES.map(
  ({ id }): Partial<Record<Outcome, Finding>> => ({
    pass: Object.freeze<Finding>({ ruleId: id, outcome: 'pass' }),
    'not-applicable': Object.freeze<Finding>({ ruleId: id, outcome: 'not-applicable' }),
  }),
);

function shared(rule: number, verdict: Omit<Verdict, 'pending'>): Finding | undefined {
  const { outcome, expected, actual, next } = verdict;
  if (expected !== undefined || actual !== undefined || next !== undefined) return undefined;
  return BARE[rule]![outcome];
}

/** The rules as they are asked, for printing. */
export function rules(): RuleText[] {
  return RULES.map(({ ota, hub, ...text }) => text);
}

function unreadable(
  image: Exclude<AdmissionFacts['image'], { ok: true }>,
  nowMs: number,
): Decision {
  const { code, message, expected, actual, next, offset } = image;
  const place = offset === undefined ? '' : ` (offset ${offset})`;
  const first: Finding = {
    ruleId: 'image.readable',
    outcome: 'refuse',
    expected: expected ?? 'an image that can be read',
    actual: `${code}: ${message}${actual === undefined ? '' : ` Found ${actual}`}${place}`,
    ...(next === undefined ? {} : { next }),
  };
  const rest = BARE.slice(1).map((bare) => bare['not-applicable']!);
  return {
    verdict: 'refused',
    ruleId: 'image.readable',
    conditional: false,
    pending: [],
    findings: [first, ...rest],
    decidedAtMs: nowMs,
  };
}
