/**
 * What a rule saw when it answered: told on demand from the facts of the decision, and stored in no
 * finding, since one image is decided on for as many as fifty thousand devices.
 */

import type { FactValue } from './fact-row.ts';
import { FACTS, type FactName } from './fact-table.ts';
import type { AdmissionFacts } from './facts.ts';
import type { Rule } from './rule.ts';
import { RULES, type RuleId } from './rules.ts';

export interface SeenFact {
  fact: FactName;
  /** As a person calls it. */
  what: string;
  /** Absent where nobody said it. */
  value: FactValue;
}

/** In the order in which the rule names them. Pure: of the facts and the time of the decision. */
export function factsSeen(ruleId: RuleId, facts: AdmissionFacts, nowMs: number): SeenFact[] {
  const rule = BY_ID.get(ruleId);
  if (!rule) return [];
  const { image } = facts;
  return factsOf(rule, image.ok ? image.kind : undefined).map((fact) => {
    const { what, read } = FACTS[fact];
    return { fact, what, value: read(facts, nowMs) };
  });
}

/** What a rule sees of an image of that kind; of any, where none is named. */
export function factsOf(
  { sees, otaSees = [], hubSees = [] }: Pick<Rule, 'sees' | 'otaSees' | 'hubSees'>,
  kind?: 'ota' | 'hub',
): FactName[] {
  const ofKind = [...(kind === 'hub' ? [] : otaSees), ...(kind === 'ota' ? [] : hubSees)];
  return [...sees, ...ofKind];
}

const BY_ID = new Map(RULES.map((rule) => [rule.id, rule]));
