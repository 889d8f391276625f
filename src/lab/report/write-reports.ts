/** The reports of a lab in its folder. */
import { join } from 'node:path';
import { writeDurably } from '../../gateway/durable-file.ts';
import { readRunLog } from '../runner/run-log.ts';
import { reportHtml } from './html.ts';
import { junitXml } from './junit.ts';
import { runLines } from './run-lines.ts';

export interface ReportPaths {
  html: string;
  junit: string;
  lines: string;
}

/** Of one lab, into its own folder. @throws UpliftError where it has no log */
export function writeReports(folder: string): ReportPaths {
  const content = readRunLog(folder);
  const paths = reportPaths(folder);
  writeDurably(paths.html, reportHtml([content]));
  writeDurably(paths.junit, junitXml(content));
  writeDurably(paths.lines, runLines(content));
  return paths;
}

export function reportPaths(folder: string): ReportPaths {
  return {
    html: join(folder, 'report.html'),
    junit: join(folder, 'junit.xml'),
    lines: join(folder, 'runs.jsonl'),
  };
}
