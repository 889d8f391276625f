/** `uplift lab report`: how steady scenarios are, over the folders of one lab or many. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, type ExitCode } from '../errors.ts';
import { writeDurably } from '../gateway/durable-file.ts';
import { type SteadinessRow, steadiness, steadinessWord } from '../lab/report/flakiness.ts';
import { reportHtml } from '../lab/report/html.ts';
import { writeReports } from '../lab/report/write-reports.ts';
import { readRunLog } from '../lab/runner/run-log.ts';
import { type Output, table } from './output.ts';

export function reportLabs(
  folders: readonly string[],
  options: { out?: string },
  output: Output,
): ExitCode {
  const logs = folders.map((folder) => readRunLog(folder));
  const rows = steadiness(logs);
  const html = written(folders, logs, options.out);
  output.result({ rows, ...(html !== undefined && { html }) }, [
    ...table([
      ['scenario', 'model', 'image', 'passed', 'share that passes (95 %)', ''],
      ...rows.map(rowCells),
    ]),
    ...(html === undefined ? [] : ['', `report  ${html}`]),
  ]);
  return EXIT.done;
}

/** Of several folders nowhere, where no place is named. */
function written(
  folders: readonly string[],
  logs: ReturnType<typeof readRunLog>[],
  out: string | undefined,
): string | undefined {
  if (out === undefined) return folders.length === 1 ? writeReports(folders[0]!).html : undefined;
  mkdirSync(out, { recursive: true });
  const path = join(out, 'report.html');
  writeDurably(path, reportHtml(logs));
  return path;
}

function rowCells(row: SteadinessRow): string[] {
  const { scenario, model, image, runs, passed, failed, interval } = row;
  const share = (value: number) => `${(value * 100).toFixed(1)} %`;
  const verdict = steadinessWord(row);
  const aside = failed.infra > 0 ? `, ${failed.infra} infra not counted` : '';
  return [
    ...[scenario, model, image, `${passed} of ${runs}`],
    interval ? `${share(interval.low)} to ${share(interval.high)}` : 'no run',
    `${runs === 0 ? 'no run' : verdict}${aside}`,
  ];
}
