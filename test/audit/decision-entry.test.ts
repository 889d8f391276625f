/** An entry of the audit log tells that any fact was different that a rule can see. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decideAdmission } from '../../src/admission/decide.ts';
import { digestOf } from '../../src/admission/digest-of.ts';
import { FACTS, type FactName } from '../../src/admission/fact-table.ts';
import type { AdmissionFacts } from '../../src/admission/facts.ts';
import { decisionEntry } from '../../src/audit/decision-entry.ts';
import { gather as gatherHub } from '../admission/hub-desk.ts';
import { gather as gatherOta, REFUSED } from '../admission/ota-desk.ts';
import { expeditedCase, floors, gather, NOW, OLD, waived } from '../admission/regulation-desk.ts';

const test = suite('decision entry');

function entryOf(facts: AdmissionFacts, nowMs: number, judged = facts): string {
  const decision = decideAdmission(judged, nowMs);
  return JSON.stringify(decisionEntry({ by: 'verify', image: 'image' }, facts, decision));
}

const asked = { request: { party: 'A', deviceCount: 1, heldSinceMs: NOW } };
const around = { ...floors(1), ...waived(), openRequests: new Set(['00']) };
const expedited = expeditedCase({ ...asked, context: around });
const broken = REFUSED.find(([, ruleId]) => ruleId === 'image.readable')![2];
const BASES: [AdmissionFacts, number][] = [
  [gather(expedited).facts, NOW],
  [gather({ lines: [{ hash: 'ab'.repeat(20) }, OLD] }).facts, NOW],
  [gatherHub().facts, NOW],
  [gatherOta(broken).facts, NOW],
];

/** Those that are indices of the entries beside them. */
const INDICES = new Set(['list.byId', 'context.eligible.byKey', 'context.pending.byReference']);

/** A copy in which one value is another; undefined where what it is part of is not there. */
function changed(whole: unknown, parts: readonly string[]): unknown {
  const [first, ...rest] = parts;
  if (first === undefined) return another(whole);
  if (typeof whole !== 'object' || whole === null) return undefined;
  const value: unknown = Reflect.get(whole, first);
  const other = rest.length === 0 ? another(value) : changed(value, rest);
  if (other === undefined) return undefined;
  if (Array.isArray(whole)) return whole.with(Number(first), other);
  return { ...whole, [first]: other };
}

function another(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return `${value}'`;
  if (value instanceof Set) return new Set([...value, 'another']);
  if (Array.isArray(value)) return [...value, { another: 1 }];
  return { ...(value ?? {}), another: 1 };
}

test('one fact changed, one other entry: each path of each fact', () => {
  for (const fact of Object.keys(FACTS) as FactName[]) {
    for (const path of FACTS[fact].paths) {
      if (INDICES.has(path) || path === 'nowMs') continue;
      const parts = path.replace('list.byHash.*.length', 'list.entries');
      const at = parts.replace('list.byHash.*', 'list.entries.0').split('.');
      let tried = 0;
      for (const [facts, nowMs] of BASES) {
        const other = changed({ policy: { regulation: {} }, ...facts }, at);
        if (other === undefined) continue;
        tried++;
        const same = entryOf(facts, nowMs);
        // The decision is the old one, so that the facts alone make the difference.
        assert.is.not(entryOf(other as AdmissionFacts, nowMs, facts), same, path);
      }
      assert.ok(tried > 0, `no base has ${path}`);
    }
  }
});

test('another time, another entry', () => {
  const { facts } = gather();
  assert.is.not(entryOf(facts, NOW), entryOf(facts, NOW + 1));
  assert.is(entryOf(facts, NOW), entryOf(gather().facts, NOW), 'equal facts, equal entries');
});

test('a digest is of values: the order of keys aside, and of what JSON has no word for', () => {
  assert.is(digestOf({ a: 1, b: { c: 2, d: 3 } }), digestOf({ b: { d: 3, c: 2 }, a: 1 }));
  assert.is(digestOf({ a: 1, b: undefined }), digestOf({ a: 1 }));
  assert.is.not(digestOf([1, 2]), digestOf([2, 1]));
  assert.is.not(digestOf(new Set(['a'])), digestOf(new Set(['b'])));
  assert.is.not(digestOf({ serial: 1n }), digestOf({ serial: 2n }));
  assert.is.not(digestOf(Uint8Array.of(1)), digestOf(Uint8Array.of(2)));
});

test.run();
