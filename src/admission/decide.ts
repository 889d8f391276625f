/**
 * May this image go to this device, now? One pure function of facts and time.
 *
 * Every rule is asked, so that a person sees all reasons at once; the first refusal in rule order
 * gives the decision its name. What the device has not said yet makes the decision conditional:
 * admitted as far as is known, to be decided again when the pending facts arrive and before a byte
 * is sent.
 */
import { type AdmissionFacts, listedHash } from './facts.ts';
import type { PendingFact } from './pending-facts.ts';
import { askRule, RULES, type RuleId, type RuleText } from './rules.ts';
import { factsOf } from './seen-facts.ts';
import { type AdmissionToken, tokenFor } from './token.ts';
import { NOT_APPLICABLE, PASS, type SaidVerdict, type Verdict } from './verdict.ts';

/** What a rule said. The facts it saw are told on demand: see `factsSeen`. */
export type Finding = { ruleId: RuleId } & SaidVerdict;

export interface Decision {
  verdict: 'admitted' | 'refused';
  /** Of the first refusal. */
  ruleId?: RuleId;
  /** What may be sent, where it is admitted. */
  token?: AdmissionToken;
  /**
   * SHA-256 of what would be sent and the one lists know it by, of an image that can be read. In GB
   * the latter does not cover the header, so whoever approves the one has not seen the other.
   */
  hashes?: { sent: string; listed: string };
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
    const verdict = askRule(rule, image, facts, nowMs);
    if (verdict.pending !== undefined) pending.add(verdict.pending);
    return findingOf(index, verdict);
  });
  const refused = findings.find(({ outcome }) => outcome === 'refuse');
  return {
    verdict: refused ? 'refused' : 'admitted',
    ...(refused ? { ruleId: refused.ruleId } : { token: tokenFor(image) }),
    hashes: { sent: image.sendSha256, listed: listedHash(image) },
    conditional: !refused && pending.size > 0,
    pending: [...pending],
    findings,
    decidedAtMs: nowMs,
  };
}

function findingOf(rule: number, verdict: Verdict): Finding {
  if (verdict === PASS) return PASSED[rule]!;
  if (verdict === NOT_APPLICABLE) return NOT_APPLIED[rule]!;
  if (Object.isFrozen(verdict)) return constantFinding(rule, verdict);
  const { pending, ...said } = verdict;
  return { ruleId: RULES[rule]!.id, ...said };
}

/** What rules say most, and the same of most devices: kept once, however many devices. */
const PASSED = RULES.map(({ id }) => Object.freeze<Finding>({ ruleId: id, ...PASS }));
const NOT_APPLIED = RULES.map(({ id }) =>
  Object.freeze<Finding>({ ruleId: id, ...NOT_APPLICABLE }),
);

/** Of a frozen verdict, which is a constant of its rule: that it is not in force. */
const CONSTANT = RULES.map(() => new WeakMap<Verdict, Finding>());

function constantFinding(rule: number, verdict: Verdict): Finding {
  const known = CONSTANT[rule]!.get(verdict);
  if (known) return known;
  const finding = Object.freeze<Finding>({ ruleId: RULES[rule]!.id, ...verdict });
  CONSTANT[rule]!.set(verdict, finding);
  return finding;
}

/** The rules as they are asked, for printing. */
export function rules(): RuleText[] {
  return RULES.map((rule) => {
    const { ota, hub, otaSees, hubSees, waivedSees, ...text } = rule;
    return { ...text, sees: factsOf(rule) };
  });
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
    next: next ?? 'get the file again from its source, or name what kind of image it is',
  };
  const rest = RULES.slice(1).map((_rule, at) => findingOf(at + 1, NOT_APPLICABLE));
  return {
    verdict: 'refused',
    ruleId: 'image.readable',
    conditional: false,
    pending: [],
    findings: [first, ...rest],
    decidedAtMs: nowMs,
  };
}
