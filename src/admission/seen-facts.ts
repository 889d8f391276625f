/**
 * What a rule saw when it answered: told on demand from the facts of the decision, and stored in no
 * finding, since one image is decided on for as many as fifty thousand devices.
 */

import type { FactRow, FactValue } from './fact-row.ts';
import { FACTS, type FactName } from './fact-table.ts';
import type { AdmissionFacts } from './facts.ts';
import type { Rule } from './rule.ts';
import { RULES, type RuleId } from './rules.ts';

export interface SeenFact {
  fact: FactName;
  /** As a person calls it. */
  what: string;
  /** `undefined` where nobody gave it, which is called `absent`. */
  value: FactValue;
  absent: FactRow['absent'];
}

/** In the order in which the rule names them. Pure: of the facts and the time of the decision. */
export function factsSeen(ruleId: RuleId, facts: AdmissionFacts, nowMs: number): SeenFact[] {
  const rule = BY_ID.get(ruleId);
  if (!rule) return [];
  return factsOf(rule, facts).map((fact) => {
    const { what, absent, read } = FACTS[fact];
    return { fact, what, absent, value: read(facts, nowMs) };
  });
}

/** What a rule sees, each fact once: of anything, or of what is decided on. */
export function factsOf(
  { sees, otaSees = [], hubSees = [], waivedSees = [] }: Rule,
  facts?: AdmissionFacts,
): FactName[] {
  const { image, context } = facts ?? {};
  const kind = image?.ok ? image.kind : undefined;
  const isWaived = !facts || context?.waiver !== undefined;
  return [
    ...new Set([
      ...(kind === 'hub' ? [] : otaSees),
      ...(kind === 'ota' ? [] : hubSees),
      ...sees,
      ...(isWaived ? waivedSees : []),
    ]),
  ];
}

const BY_ID = new Map(RULES.map((rule) => [rule.id, rule]));
