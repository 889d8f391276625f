/** What a rule says that it sees is what its checks read: no less, and over all cases no more. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BENCH } from '../../src/admission/context.ts';
import { decideAdmission } from '../../src/admission/decide.ts';
import { FACTS, type FactName } from '../../src/admission/fact-table.ts';
import type { AdmissionFacts } from '../../src/admission/facts.ts';
import { askRule, RULES, type Rule } from '../../src/admission/rules.ts';
import { factsOf, factsSeen } from '../../src/admission/seen-facts.ts';
import { CASES as HUB_CASES } from './hub-cases.ts';
import { gather as gatherHub } from './hub-desk.ts';
import { ADMITTED, gather as gatherOta, REFUSED } from './ota-desk.ts';
import { recording } from './recording.ts';
import { gather as gatherRegulation, CASES as REGULATION_CASES } from './regulation-desk.ts';
import { FURTHER_CASES } from './seen-cases.ts';

const test = suite('facts seen');

interface Situation {
  name: string;
  facts: AdmissionFacts;
  nowMs: number;
}

const SITUATIONS: Situation[] = [
  ...REFUSED.map(([name, , change]) => ({ name, ...gatherOta(change) })),
  ...ADMITTED.map(([name, change]) => ({ name, ...gatherOta(change) })),
  ...HUB_CASES.map(([name, , , change]) => ({ name, ...gatherHub(change) })),
  ...REGULATION_CASES.map(([name, , , change]) => ({ name, ...gatherRegulation(change) })),
  ...FURTHER_CASES.map(([name, facts]) => ({ name, ...facts })),
];

/** Which of two kinds an image is, and whether it is one: read by whoever asks the rules. */
const KIND = new Set(['image.ok', 'image.kind']);
const LEAVES = new Set([...Object.values(FACTS).flatMap(({ paths }) => paths), ...KIND]);

/** What one rule reads in one situation, which must not change what it says. */
function readBy(rule: Rule, { facts, nowMs, name }: Situation): string[] {
  const ask = (given: AdmissionFacts, atMs: number) => {
    const { image } = given;
    if (image.ok) return askRule(rule, image, given, atMs);
    return rule.id === 'image.readable' ? decideAdmission(given, atMs).findings : undefined;
  };
  const watched = recording(filled(facts), nowMs, LEAVES);
  assert.equal(ask(watched.facts, watched.nowMs), ask(facts, nowMs), `${rule.id}, ${name}`);
  return [...watched.read].filter((path) => !KIND.has(path));
}

/** With room for every policy and context, so that it is seen when one is asked for and not there. */
function filled({ policy, context, ...facts }: AdmissionFacts): AdmissionFacts {
  return {
    ...facts,
    policy: { regulation: {}, inForce: {}, ...policy },
    context: { ...BENCH, request: {}, ...context },
  };
}

const factsAt = (path: string) =>
  (Object.keys(FACTS) as FactName[]).filter((fact) => FACTS[fact].paths.includes(path));

for (const rule of RULES) {
  test(`${rule.id} sees what it says`, () => {
    const kindsOf = new Map<FactName, Set<string>>();
    for (const situation of SITUATIONS) {
      const { image } = situation.facts;
      const kind = image.ok ? image.kind : 'ota';
      const declared = factsOf(rule, situation.facts);
      for (const path of readBy(rule, situation)) {
        const found = factsAt(path).filter((fact) => declared.includes(fact));
        assert.ok(found.length > 0, `reads ${path}, ${kind}, in "${situation.name}"`);
        for (const fact of found) kindsOf.set(fact, (kindsOf.get(fact) ?? new Set()).add(kind));
      }
    }
    for (const kind of ['ota', 'hub'] as const) {
      if (!rule[kind] || rule.id === 'image.readable') continue;
      const named = kind === 'ota' ? (rule.otaSees ?? []) : (rule.hubSees ?? []);
      const every = [...rule.sees, ...named, ...(rule.waivedSees ?? [])];
      const unread = every.filter((fact) => !kindsOf.get(fact)?.has(kind));
      assert.equal(unread, [], `names facts of ${kind} that it never reads`);
    }
  });
}

test('every fact is seen by a rule', () => {
  const seen = new Set(RULES.flatMap((rule) => factsOf(rule)));
  assert.equal(
    Object.keys(FACTS).filter((fact) => !seen.has(fact as FactName)),
    [],
  );
});

test('every refusal, warning and doubt of every case says what would change it', () => {
  for (const { name, facts, nowMs } of SITUATIONS) {
    for (const { ruleId, outcome, expected, actual, next } of decideAdmission(facts, nowMs)
      .findings) {
      if (outcome === 'pass' || outcome === 'not-applicable') continue;
      assert.ok(next && expected, `${ruleId}, ${name}`);
      assert.ok(actual || outcome === 'unknown', `${ruleId}, ${name}`);
    }
  }
});

test('facts are shown short and printable, the same each time, in any situation', () => {
  for (const { name, facts, nowMs } of SITUATIONS) {
    for (const { id } of RULES) {
      const seen = factsSeen(id, facts, nowMs);
      assert.equal(seen, factsSeen(id, facts, nowMs));
      for (const { fact, value } of seen) {
        const text = `${value}`;
        assert.ok(text !== '' && text.length < 300, `${fact}: ${text}, ${name}`);
        assert.not.match(text, /\[object|undefined\b.|NaN/, `${fact}, ${name}`);
      }
    }
  }
});

test.run();
