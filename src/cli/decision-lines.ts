/** Decisions as people and programs read them: what each rule said, what it saw, what would change it. */
import { type Decision, type Finding, rules } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import { PENDING_FACTS } from '../admission/pending-facts.ts';
import { factsSeen, type SeenFact } from '../admission/seen-facts.ts';
import { escapeText } from '../bytes/escape-text.ts';
import { someOf } from '../bytes/some-of.ts';
import { printable } from '../products/codes.ts';
import { paint, table } from './output.ts';

/** A decision, and what it was made on. */
export interface Decided {
  device: string | undefined;
  decision: Decision;
  on: AdmissionFacts;
}

/** What people are told of a group of devices: one decision, and the facts of each. */
export interface Told {
  subject: string;
  decision: Decision;
  on: readonly AdmissionFacts[];
}

/** For programs: each finding with where its rule comes from and what it saw. */
export function explained(decision: Decision, on: AdmissionFacts) {
  const findings = decision.findings.map((finding) => {
    const { source, confidence } = RULE_TEXTS.get(finding.ruleId)!;
    const seen = factsSeen(finding.ruleId, on, decision.decidedAtMs).map(
      ({ fact, what, value = null }) => ({ fact, what, value }),
    );
    return { ...finding, source, confidence, seen };
  });
  return { ...decision, findings };
}

/** Devices that a decision says the same of are named together. */
export function grouped<V extends Decided>(
  verdicts: V[],
  path: string,
  linesOf: (told: Told, verdict: V) => string[],
): string[] {
  const groups = new Map<string, V[]>();
  for (const verdict of verdicts) {
    const { device, on, ...said } = verdict;
    const key = JSON.stringify({ ...said, decision: { ...said.decision, decidedAtMs: 0 } });
    groups.set(key, [...(groups.get(key) ?? []), verdict]);
  }
  return [...groups.values()].flatMap((group, index) => {
    const devices = group.flatMap(({ device }) => device ?? []);
    const subject = devices.length > 0 ? `${path} for ${someOf(devices)}` : path;
    const { decision } = group[0]!;
    const lines = linesOf({ subject, decision, on: group.map(({ on }) => on) }, group[0]!);
    return index > 0 && lines.length > 0 ? ['', ...lines] : lines;
  });
}

/** Devices that nobody asked about by name, and that take another kind of image. */
export function leftOutLines(devices: string[]): string[] {
  if (devices.length === 0) return [];
  const names = someOf(devices);
  return [
    '',
    `left out, since they take another kind of image: ${names} (--device asks about them)`,
  ];
}

/**
 * The findings in words. Passed rules are one line; what is not plain says what was expected, what was
 * found, what would change it and what was seen. `isVerbose`: so do all.
 */
export function decisionLines(told: Told, isVerbose: boolean): string[] {
  const shown = told.decision.findings.filter(
    ({ outcome }) => isVerbose || outcome !== 'not-applicable',
  );
  return [
    headline(told),
    ...shown.flatMap((finding) => findingLines(finding, told, isVerbose)),
    ...hashLines(told),
  ];
}

/** Both, where they differ: what is sent is more than what a list vouches for. */
function hashLines({ decision: { hashes } }: Told): string[] {
  if (!hashes) return [];
  const { sent, listed } = hashes;
  const rows = [['SHA-256 of what is sent', sent]];
  if (listed !== sent) rows.push(['the hash that lists know', listed]);
  return table(rows, '  ');
}

/** Why a device is refused, and nothing else; no line where it is admitted. */
export function refusalLines(told: Told): string[] {
  if (told.decision.verdict !== 'refused') return [];
  const refusals = told.decision.findings.filter(({ outcome }) => outcome === 'refuse');
  return [headline(told), ...refusals.flatMap((finding) => findingLines(finding, told, false))];
}

function findingLines(finding: Finding, told: Told, isVerbose: boolean): string[] {
  const { ruleId, outcome, expected, actual, next } = finding;
  const { text, source, confidence } = RULE_TEXTS.get(ruleId)!;
  const line = `  ${MARKS[outcome]} ${ruleId.padEnd(RULE_COLUMNS)}  ${text}`;
  if ((outcome === 'pass' || outcome === 'not-applicable') && !isVerbose) return [line];
  const from = `${source.document}${source.version ? ` ${source.version}` : ''} (${confidence})`;
  const detail = [
    ...(expected ? [['expected', printable(expected)]] : []),
    ...(actual ? [['found', printable(actual)]] : []),
    ...(next ? [['next', printable(next)]] : []),
    ['source', from],
    ...seenRows(finding, told, isVerbose),
  ];
  return [line, ...table(detail, '      ')];
}

/** One row a fact, the first one labelled. What the site left as it was is said on demand. */
function seenRows({ ruleId }: Finding, { decision, on }: Told, isVerbose: boolean): string[][] {
  const seen = on.map((facts) => factsSeen(ruleId, facts, decision.decidedAtMs));
  const rows = [...Map.groupBy(seen.flat(), ({ what }) => what)].flatMap(([what, each]) => {
    const isUntold = each.every(
      ({ value, absent }) => value === undefined && absent === 'not told',
    );
    if (isUntold && !isVerbose) return [];
    return [[what, someOf([...new Set(each.map(valueText))], VALUES_MAX)]];
  });
  return table(rows).map((text, at) => [at === 0 ? 'saw' : '', text]);
}

/** Devices that are named together may differ in a fact. */
const VALUES_MAX = 3;

function valueText({ value, absent }: SeenFact): string {
  return value === undefined ? absent : escapeText(`${value}`);
}

const RULE_TEXTS = new Map(rules().map((rule) => [rule.id, rule]));
const RULE_COLUMNS = Math.max(...[...RULE_TEXTS.keys()].map((id) => id.length));

const MARKS = { pass: '✓', refuse: '✗', warn: '!', 'not-applicable': '·', unknown: '?' } as const;

function headline({ subject, decision }: Told): string {
  if (decision.verdict === 'refused')
    return `${subject}: ${paint('red', 'refused')} by ${decision.ruleId}`;
  if (!decision.conditional) return `${subject}: ${paint('green', 'admitted')}`;
  const pending = decision.pending.map((fact) => PENDING_FACTS[fact].what).join(', ');
  return `${subject}: ${paint('yellow', 'admitted')} as far as is known; still open: ${pending}`;
}
