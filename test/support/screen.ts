/**
 * A program on a pseudo-terminal, and what a person sees there: a screen that understands what a table of moving lines
 * writes. It breaks a line that is too long, as terminals do, and does not take it back when it is resized.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { IPty } from '@lydell/node-pty';
import { MAIN } from './main.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const WIDE = /^[\u1100-\u115f\u2e80-\ua4c6\uac00-\ud7a3\uff01-\uff60]/;
const ESCAPE = '\u001b';
const BELL = '\u0007';
/** An escape code, with its numbers and its letter, or one character. */
const PIECE = new RegExp(`^(?:${ESCAPE}\\[([?\\d;]*)([A-Za-z])|[^${ESCAPE}])`, 'u');

export class Screen {
  /** All of it, from the first line on: nothing scrolls away. */
  readonly lines: string[][] = [[]];
  bells = 0;
  /** Codes that colour. */
  colours = 0;
  isCursorHidden = false;
  columns: number;
  private row = 0;
  private column = 0;
  private rest = '';

  constructor(columns: number) {
    this.columns = columns;
  }

  get text(): string {
    return this.lines.map((line) => line.join('').trimEnd()).join('\n');
  }

  write(text: string): void {
    this.rest += text;
    for (;;) {
      const found = PIECE.exec(this.rest);
      // The rest of an escape code is on its way.
      if (!found) return;
      this.rest = this.rest.slice(found[0].length);
      if (found[2] === undefined) this.put(found[0]);
      else this.obey(found[2], found[1]!);
    }
  }

  private put(character: string): void {
    if (character === '\r') this.column = 0;
    else if (character === '\n') this.down(1);
    else if (character === BELL) this.bells++;
    else if (/^\p{M}/u.test(character)) this.append(character);
    else this.place(character);
  }

  private place(character: string): void {
    const cells = WIDE.test(character) ? 2 : 1;
    if (this.column + cells > this.columns) {
      this.column = 0;
      this.down(1);
    }
    const line = this.lines[this.row]!;
    while (line.length < this.column) line.push(' ');
    line[this.column] = character;
    if (cells === 2) line[this.column + 1] = '';
    this.column += cells;
  }

  private append(mark: string): void {
    this.lines[this.row]![this.column - 1] += mark;
  }

  private down(count: number): void {
    this.row += count;
    while (this.lines.length <= this.row) this.lines.push([]);
  }

  private obey(letter: string, numbers: string): void {
    const count = Number(numbers || 1);
    if (letter === 'A') this.row = Math.max(0, this.row - count);
    else if (letter === 'B') this.down(count);
    else if (letter === 'G') this.column = count - 1;
    else if (letter === 'K' && numbers === '2') this.lines[this.row] = [];
    else if (letter === 'K') this.lines[this.row]!.length = this.column;
    else if (letter === 'm') this.colours++;
    else if (numbers === '?25') this.isCursorHidden = letter === 'l';
    else if (!numbers.startsWith('?')) throw new Error(`a code unknown here: ${numbers}${letter}`);
  }
}

export interface OnScreen {
  screen: Screen;
  pty: IPty;
  resize(columns: number): void;
  done: Promise<number>;
  /** Resolves when the screen shows it; not while it is over. */
  until(fits: (screen: Screen) => boolean): Promise<void>;
}

/** The command line at a terminal; undefined, and said so, where this machine cannot make one. */
export function onScreen(
  words: string[],
  columns: number,
  environment: Record<string, string | undefined> = {},
): OnScreen | undefined {
  const spawn = spawnOnTerminal();
  if (!spawn) return undefined;
  const screen = new Screen(columns);
  // A person sits there: with CI set Node takes a terminal for a log, and gives it no colour.
  const person = { NO_COLOR: undefined, CI: undefined, TERM: 'xterm-256color' };
  const all = { ...process.env, ...person, ...environment };
  const env = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const pty = spawn(process.execPath, [MAIN, ...words], {
    cols: columns,
    rows: 30,
    cwd: ROOT,
    env,
  });
  const looks = new Set<() => void>();
  pty.onData((data) => {
    screen.write(data);
    for (const look of looks) look();
  });
  const done = new Promise<number>((ended) => pty.onExit(({ exitCode }) => ended(exitCode)));
  const until = (fits: (screen: Screen) => boolean) =>
    new Promise<void>((found, failed) => {
      const look = () => {
        if (!fits(screen)) return;
        looks.delete(look);
        found();
      };
      looks.add(look);
      look();
      void done.then((code) => failed(new Error(`ended (${code}) before:\n${screen.text}`)));
    });
  const resize = (to: number) => {
    screen.columns = to;
    pty.resize(to, 30);
  };
  return { screen, pty, resize, done, until };
}

function spawnOnTerminal(): typeof import('@lydell/node-pty').spawn | undefined {
  try {
    const library = createRequire(import.meta.url)('@lydell/node-pty');
    return (library as typeof import('@lydell/node-pty')).spawn;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log(`SKIP no pseudo-terminal here: ${(error as Error).message}`);
    return undefined;
  }
}
