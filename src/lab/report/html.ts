/**
 * One page about a lab, to be opened anywhere: nothing is loaded from outside, no script runs. States are
 * told by words and shape beside colour.
 */
import type { Failure } from '../failure.ts';
import { LAB_CLASSES, type LabClass } from '../failure-classes.ts';
import type { RunResult } from '../run-result.ts';
import type { RunLogContent } from '../runner/run-log.ts';
import { throughputSvg, timelineSvg } from './charts.ts';
import { type SteadinessRow, steadiness, steadinessWord } from './flakiness.ts';
import { STYLE } from './html-style.ts';
import { againCommand, replayCommand } from './replay.ts';
import { xmlText } from './xml-text.ts';

/** Runs that are told in full; of those that passed, the first. */
const TOLD_MAX = 300;

const CLASS_SIGNS: Readonly<Record<LabClass, string>> = {
  infra: '⚠',
  flash: '⇥',
  device: '✖',
  assertion: '≠',
};

export function reportHtml(logs: readonly RunLogContent[]): string {
  const results = logs.flatMap(({ finals }) => [...finals.values()]);
  const failed = results.filter(({ failure }) => failure !== undefined);
  const passed = results.filter(({ failure }) => failure === undefined);
  const told = [...failed, ...passed].slice(0, Math.max(failed.length, TOLD_MAX));
  const headOf = new Map(
    logs.flatMap((log) => [...log.finals.values()].map((result) => [result, log] as const)),
  );
  const rest = results.length - told.length;
  const title = `${results.length} runs, ${failed.length} failed`;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">',
    `<title>Uplift lab: ${title}</title>`,
    `<style>${STYLE}</style></head><body><main>`,
    `<h1>${title}</h1>`,
    labsTable(logs),
    classTiles(results),
    '<h2>How steady</h2>',
    steadinessTable(steadiness(logs)),
    '<h2>Runs</h2>',
    ...told.map((result) => runSection(result, headOf.get(result)!)),
    ...(rest > 0 ? [`<p class="quiet">${rest} more runs passed; they are in the log.</p>`] : []),
    '</main></body></html>',
    '',
  ].join('\n');
}

function labsTable(logs: readonly RunLogContent[]): string {
  const rows = logs.map(({ head, finals }) => [
    head.rig.id,
    head.scenarios.map(({ name }) => name).join(', '),
    new Date(head.startedAtMs).toISOString().slice(0, 16).replace('T', ' '),
    `${head.seed}`,
    `${finals.size}`,
  ]);
  return table(['Rig', 'Scenarios', 'Began (UTC)', 'Seed', 'Runs'], rows);
}

function classTiles(results: readonly RunResult[]): string {
  const counts = Map.groupBy(results, ({ failure }) => failure?.class);
  const tile = (sign: string, name: string, words: string, count: number, tone: string) =>
    `<div class="tile ${tone}"><b>${count}</b> <span>${sign} ${name}</span><small>${words}</small></div>`;
  const passed = counts.get(undefined)?.length ?? 0;
  const tiles = [tile('✔', 'passed', 'Everything held.', passed, 'good')];
  for (const [name, words] of Object.entries(LAB_CLASSES)) {
    const count = counts.get(name as LabClass)?.length ?? 0;
    const tone = count > 0 ? 'bad' : 'none';
    tiles.push(tile(CLASS_SIGNS[name as LabClass], name, words, count, tone));
  }
  return `<div class="tiles">${tiles.join('')}</div>`;
}

function steadinessTable(rows: readonly SteadinessRow[]): string {
  const cells = rows.map((row) => [
    row.scenario,
    row.model,
    row.image,
    `${row.runs}`,
    `${row.passed}`,
    `${row.failed.flash} / ${row.failed.device} / ${row.failed.assertion}`,
    `${row.failed.infra}`,
    row.interval ? `${percent(row.interval.low)} to ${percent(row.interval.high)}` : 'no run',
    `${row.isFlaky ? '⚡ ' : ''}${steadinessWord(row)}`,
  ]);
  const heads = ['Scenario', 'Model', 'Image', 'Runs', 'Passed', 'flash / device / assertion'];
  return table([...heads, 'infra, not counted', 'Passes (95 %)', ''], cells);
}

function runSection(result: RunResult, log: RunLogContent): string {
  const { run, failure, wallMs, attempt, devices, seed, faults } = result;
  const replay = replayCommand(result, log.folder);
  const mark = failure
    ? `<span class="badge bad">${CLASS_SIGNS[failure.class]} ${failure.class}: ${xmlText(failure.code)}</span>`
    : '<span class="badge good">✔ passed</span>';
  const facts: [string, string][] = [
    ['devices', Object.values(devices).join(', ')],
    ['took', `${(wallMs / 1000).toFixed(1)} s, attempt ${attempt}`],
    ['seed of the run', `${seed}`],
    ...(Object.keys(faults).length > 0
      ? [['faults made', countsText(faults)] as [string, string]]
      : []),
    ...(replay ? [['replay', replay] as [string, string]] : []),
    ['again', againCommand(result, log)],
  ];
  return [
    `<details${failure ? ' open' : ''}><summary>${mark} ${xmlText(run)}</summary>`,
    failure ? failureBox(failure) : '',
    timelineSvg(result),
    throughputSvg(result),
    `<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${xmlText(value)}</dd>`).join('')}</dl>`,
    stepsTable(result),
    '</details>',
  ].join('');
}

function failureBox({ message, step, expected, actual, next }: Failure): string {
  const rows: [string, string | undefined][] = [
    ['in', step],
    ['expected', expected],
    ['found', actual],
    ['next', next],
  ];
  const told = rows.filter(([, value]) => value !== undefined && value !== '');
  const list = told.map(([name, value]) => `<dt>${name}</dt><dd>${xmlText(value!)}</dd>`);
  return `<div class="failure"><p>${xmlText(message)}</p><dl>${list.join('')}</dl></div>`;
}

function stepsTable({ steps }: RunResult): string {
  const rows = steps.map(({ step, title, startedMs, wallMs, outcome }) => [
    step,
    title,
    `${(startedMs / 1000).toFixed(1)} s`,
    `${(wallMs / 1000).toFixed(1)} s`,
    outcome,
  ]);
  return rows.length === 0 ? '' : table(['Step', 'What', 'At', 'Took', ''], rows);
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th>${xmlText(text)}</th>`).join('');
  const body = rows
    .map((row) => `<tr>${row.map((cell) => `<td>${xmlText(cell)}</td>`).join('')}</tr>`)
    .join('');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
