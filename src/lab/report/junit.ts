/**
 * Runs as JUnit XML, in the form that Jenkins and its like take: a suite a scenario, a case a run. A failure
 * of the rig is an `error`, every other a `failure`. The XML has no standard; elements and attributes are
 * those of the schema that Jenkins publishes, and no others.
 */
import type { RunResult } from '../run-result.ts';
import type { RunLogContent } from '../runner/run-log.ts';
import { againCommand, replayCommand } from './replay.ts';
import { xmlText } from './xml-text.ts';

export function junitXml(log: RunLogContent): string {
  const { head, finals, attempts } = log;
  const results = [...finals.values()];
  const tries = Map.groupBy(attempts, ({ run }) => run);
  const suites = [...Map.groupBy(results, ({ scenario }) => scenario)].map(([scenario, runs]) => {
    const properties = { seed: head.seed, rig: head.rig.id, rigFile: head.rig.path };
    return [
      `  <testsuite ${attributes({ name: scenario, ...counts(runs), timestamp: begun(runs) })}>`,
      '    <properties>',
      ...Object.entries(properties).map(
        ([name, value]) => `      <property ${attributes({ name, value })}/>`,
      ),
      '    </properties>',
      ...runs.flatMap((result) => caseLines(result, tries.get(result.run) ?? [], log)),
      '  </testsuite>',
    ];
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes({ name: `uplift lab on ${head.rig.id}`, ...counts(results) })}>`,
    ...suites.flat(),
    '</testsuites>',
    '',
  ].join('\n');
}

function caseLines(result: RunResult, tries: readonly RunResult[], log: RunLogContent): string[] {
  const replay = replayCommand(result, log.folder);
  const { run, scenario, wallMs, failure, seed, devices } = result;
  const name = run.slice(scenario.length + 1);
  const opening = attributes({ classname: scenario, name, time: seconds(wallMs) });
  const said = [
    ...Object.entries(devices).map(([role, id]) => `${role}: ${id}`),
    `seed: ${seed}`,
    `attempts: ${Math.max(1, tries.length)}`,
    ...tries.slice(0, -1).map(({ failure: one }) => `before: ${one?.class} ${one?.code}`),
    ...(replay ? [`replay: ${replay}`] : []),
    `again: ${againCommand(result, log)}`,
  ];
  return [
    `    <testcase ${opening}>`,
    ...(failure ? failureLines(failure) : []),
    `      <system-out>${xmlText(said.join('\n'))}</system-out>`,
    '    </testcase>',
  ];
}

function failureLines(failure: NonNullable<RunResult['failure']>): string[] {
  const { class: type, code, message, step, expected, actual, next } = failure;
  const element = type === 'infra' ? 'error' : 'failure';
  const rows = [`class: ${type}`, `code: ${code}`, `step: ${step}`];
  if (expected) rows.push(`expected: ${expected}`);
  if (actual) rows.push(`found: ${actual}`);
  if (next) rows.push(`next: ${next}`);
  const opening = attributes({ type, message: `${code}: ${message}` });
  return [`      <${element} ${opening}>${xmlText(rows.join('\n'))}</${element}>`];
}

function counts(runs: readonly RunResult[]) {
  const infra = runs.filter(({ failure }) => failure?.class === 'infra').length;
  return {
    tests: runs.length,
    failures: runs.filter(({ failure }) => failure !== undefined).length - infra,
    errors: infra,
    time: seconds(runs.reduce((sum, { wallMs }) => sum + wallMs, 0)),
  };
}

function begun(runs: readonly RunResult[]): string {
  const first = Math.min(...runs.map(({ startedAtMs }) => startedAtMs));
  return new Date(first).toISOString().slice(0, 19);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${xmlText(String(value))}"`)
    .join(' ');
}
