/** docs/reference/rules.md: the rules of admission, from the rules themselves. */
import { rules } from '../../src/admission/decide.ts';
import { code, page, table } from './markdown.ts';

export function rulesPage(): string {
  const all = rules();
  return page(
    'Rules of admission',
    'What an image, a device and what is around them are held against before a byte is sent. `read`: the rule ' +
      'stands so in its source. `inferred`: it follows from what does. `assumed`: no source that could be read says it. ' +
      '`uplift rules show ID` lists the facts that a rule sees.',
    table(
      ['Rule', 'What it says', 'Source', 'Known', 'In force', 'A site may change it'],
      all.map((rule) => [
        code(rule.id),
        rule.text,
        [rule.source.document, rule.source.version].filter(Boolean).join(', '),
        rule.confidence,
        inForce(rule.effectiveFromMs, rule.effectiveUntilMs),
        rule.siteMayChange ? 'yes' : 'no',
      ]),
    ),
  );
}

function inForce(fromMs: number | undefined, untilMs: number | undefined): string {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  return [
    ...(fromMs === undefined ? [] : [`from ${day(fromMs)}`]),
    ...(untilMs === undefined ? [] : [`until ${day(untilMs)}`]),
  ].join(' ');
}
