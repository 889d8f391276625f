/**
 * Where words go: results to stdout, progress and errors to stderr, and with --json one document (or a
 * line an event) on stdout. No colour and no moving line where nobody is at a terminal.
 */
import { styleText } from 'node:util';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

type Style = Parameters<typeof styleText>[0];

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;

  constructor(options: OutputOptions) {
    this.json = options.json === true;
    this.quiet = options.quiet === true;
    this.verbose = options.verbose === true;
  }

  /** The result of a command: lines for people, or the document for programs. */
  result(document: unknown, lines: string[]): void {
    if (this.json) process.stdout.write(`${JSON.stringify(document, replacer)}\n`);
    else if (!this.quiet) process.stdout.write(`${lines.join('\n')}\n`);
  }

  /** One event of long work. */
  event(document: unknown, line?: string): void {
    if (this.json) process.stdout.write(`${JSON.stringify(document, replacer)}\n`);
    else if (line !== undefined && !this.quiet) process.stderr.write(`${line}\n`);
  }

  error(error: unknown): ExitCode {
    if (!(error instanceof UpliftError)) return this.bug(error);
    const { code, message, expected, actual, next, exit } = error;
    if (this.json) {
      process.stdout.write(
        `${JSON.stringify({ error: { code, message, expected, actual, next, exit } })}\n`,
      );
      return exit;
    }
    const lines = [`${paint('red', 'error')} ${message} (${code})`];
    if (expected) lines.push(`  expected  ${expected}`);
    if (actual) lines.push(`  found     ${actual}`);
    if (next) lines.push(`  next      ${next}`);
    process.stderr.write(`${lines.join('\n')}\n`);
    if (this.verbose && error.cause)
      process.stderr.write(`${(error.cause as Error).stack ?? error.cause}\n`);
    return exit;
  }

  private bug(error: unknown): ExitCode {
    const text = (error as Error)?.stack ?? String(error);
    if (this.json)
      process.stdout.write(`${JSON.stringify({ error: { code: 'bug', message: text } })}\n`);
    else
      process.stderr.write(
        `${paint('red', 'bug')} this should not have happened; please report it\n${text}\n`,
      );
    return EXIT.bug;
  }
}

/** Colours text on stderr's terms: none without a terminal, none with NO_COLOR. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stderr });
}

/** Rows with their columns aligned; the last column is not padded. */
export function table(rows: string[][], indent = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      column < row.length - 1 ? cell.padEnd(widths[column]!) : cell,
    );
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}

export function bytesText(bytes: number): string {
  return bytes.toLocaleString('en-GB');
}

/** 42 s, 3 min 20 s, 2 h 5 min. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 950) return `${Math.round(ms)} ms`;
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes are not for JSON: a view becomes its length. */
function replacer(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: value.length };
  if (value instanceof Map) return undefined;
  return value;
}
