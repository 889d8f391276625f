/** `uplift rules list` and `show`: the rules of admission, where they come from and since when. */
import { rules } from '../admission/decide.ts';
import { FACTS } from '../admission/fact-table.ts';
import type { RuleText } from '../admission/rules.ts';
import { nearest } from '../config/nearest.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { type Output, table } from './output.ts';

export function listRules(output: Output): ExitCode {
  const all = rules();
  const rows = all.map(({ id, confidence, text }) => [id, confidence, text]);
  output.result({ rules: all.map(documentOf) }, table(rows));
  return EXIT.done;
}

export function showRule(id: string, output: Output): ExitCode {
  const all = rules();
  const rule = all.find((one) => one.id === id);
  if (!rule) {
    const ids = all.map((one) => one.id);
    const meant = nearest(id, ids);
    throw new UpliftError('rule-unknown', `there is no rule ${id}`, {
      expected: ids.join(', '),
      actual: id,
      next: meant === undefined ? 'run `uplift rules list`' : `did you mean ${meant}?`,
    });
  }
  const { text, source, confidence, siteMayChange, effectiveFromMs, effectiveUntilMs } = rule;
  const seen = table(rule.sees.map((fact) => [fact, FACTS[fact].what]));
  const rows = [
    ['rule', rule.id],
    ['says', text],
    ['source', [source.document, source.version].filter(Boolean).join(', ')],
    ['known', confidence],
    ['a site may change it', siteMayChange ? 'yes' : 'no'],
    ...(effectiveFromMs === undefined ? [] : [['in force from', iso(effectiveFromMs)]]),
    ...(effectiveUntilMs === undefined ? [] : [['in force until', iso(effectiveUntilMs)]]),
    ...seen.map((line, at) => [at === 0 ? 'sees' : '', line]),
  ];
  output.result(documentOf(rule), table(rows));
  return EXIT.done;
}

function documentOf({ effectiveFromMs, effectiveUntilMs, ...rule }: RuleText) {
  return {
    ...rule,
    ...(effectiveFromMs === undefined ? {} : { effectiveFrom: iso(effectiveFromMs) }),
    ...(effectiveUntilMs === undefined ? {} : { effectiveUntil: iso(effectiveUntilMs) }),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
