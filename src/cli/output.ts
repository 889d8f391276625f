/**
 * Where words go: results to stdout, progress and errors to stderr, and with --json one document (or a
 * line an event) on stdout. No colour and no moving line where nobody is at a terminal: each stream is
 * looked at by itself, since a result often goes to a file while progress stays on the screen.
 */
import { stripVTControlCharacters, styleText } from 'node:util';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { printable } from '../products/codes.ts';
import { cellsOf } from './cells.ts';

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

export type Style = Parameters<typeof styleText>[0];

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;

  constructor(options: OutputOptions) {
    this.json = options.json === true;
    this.quiet = options.quiet === true;
    this.verbose = options.verbose === true;
  }

  /**
   * The result of a command: lines for people, or the document for programs. `troubles` is what remains
   * to be said where nobody wants to hear of success.
   */
  result(document: unknown, lines: string[], troubles: string[] = []): void {
    if (this.json) writeLine(process.stdout, JSON.stringify(document, replacer));
    else if (!this.quiet) writeLine(process.stdout, lines.join('\n'));
    else if (troubles.length > 0) writeLine(process.stderr, troubles.join('\n'));
  }

  /** One event of long work. */
  event(document: unknown, line?: string): void {
    if (this.json) writeLine(process.stdout, JSON.stringify(document, replacer));
    else if (line !== undefined && !this.quiet) writeLine(process.stderr, line);
  }

  error(error: unknown): ExitCode {
    if (!(error instanceof UpliftError)) return this.bug(error);
    const { code, message, expected, actual, next, exit } = error;
    if (this.json) {
      const body = { code, message, expected, actual, next, exit };
      writeLine(process.stdout, JSON.stringify({ error: body }));
      return exit;
    }
    writeLine(process.stderr, errorLines(error).join('\n'));
    if (this.verbose && error.cause)
      writeLine(process.stderr, `${(error.cause as Error).stack ?? error.cause}`);
    return exit;
  }

  private bug(error: unknown): ExitCode {
    const text = (error as Error)?.stack ?? String(error);
    if (this.json) {
      const body = { code: 'bug', message: text, exit: EXIT.bug };
      writeLine(process.stdout, JSON.stringify({ error: body }));
    } else {
      const advice = 'this should not have happened; please report it';
      writeLine(process.stderr, `${paint('red', 'bug')} ${advice}\n${text}`);
    }
    return EXIT.bug;
  }
}

/** What went wrong, what was expected, what was found, what to do next. */
export function errorLines(error: UpliftError): string[] {
  const { code, message, expected, actual, next } = error;
  const lines = [`${paint('red', 'error')} ${printable(message)} (${code})`];
  if (expected) lines.push(`  expected  ${printable(expected)}`);
  if (actual) lines.push(`  found     ${printable(actual)}`);
  if (next) lines.push(`  next      ${printable(next)}`);
  return lines;
}

/** Colours text; `writeLine` takes the colours off again where a stream has none. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { validateStream: false });
}

/** Writes on the stream's terms. */
export function writeLine(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${onTerms(stream, text)}\n`);
}

/** No escape codes without a terminal or with NO_COLOR, unless FORCE_COLOR wants them. */
export function onTerms(stream: NodeJS.WriteStream, text: string): string {
  const hasColours = styleText('red', 'x', { stream }) !== 'x';
  return hasColours ? text : stripVTControlCharacters(text);
}

/**
 * Whoever read the output may stop reading, as `head` does. The work goes on without a word: an upgrade
 * is not given up because nobody watches.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

/** Rows with their columns aligned; the last column is not padded. */
export function table(rows: string[][], indent = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cellsOf(cell));
    });
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      column < row.length - 1 ? cell + ' '.repeat(widths[column]! - cellsOf(cell)) : cell,
    );
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}

/** `262,204`. A command that has only this to format does without the tables of all languages. */
export function bytesText(bytes: number): string {
  return `${bytes}`.replace(/\B(?=(?:\d{3})+$)/g, ',');
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
