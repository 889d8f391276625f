/**
 * A pattern that finds one piece in a line of text: the part of regular expressions that can be matched in
 * bounded time, whatever the pattern and the text are. Characters, `.`, `\d`, `\w`, `\s` and classes in
 * brackets, each with `?`, `*`, `+` or `{m,n}`, and one group around what is looked for. No alternatives, no
 * quantified or nested groups, no references.
 *
 * Without those a match is a walk along one row of atoms: which atom may end the line from which character
 * is worked out once, back to front, and no path is tried twice: at most 64 atoms x 256 characters x 256
 * repeats of a line, which is cut there.
 */

const ATOMS_MAX = 64;
const LINE_CHARACTERS_MAX = 256;
const REPEATS_MAX = 256;

const ATOM = /\\[dwsDWS]|\\[^0-9A-Za-z]|\[\^?(?:\\.|[^\]\\])+\]|[^\\()[\]{}*+?|^$]/y;
const QUANTIFIER = /[?*+]|\{(\d{1,3})(,(\d{0,3}))?\}/y;

interface Atom {
  /** Of the codes 0 to 127. */
  takes: boolean[];
  least: number;
  most: number;
}

export type LinePatternResult =
  | { ok: true; pattern: LinePattern }
  /** `column` counts the characters of the pattern from 1. */
  | { ok: false; message: string; column: number };

export function parseLinePattern(source: string): LinePatternResult {
  const atoms: Atom[] = [];
  const group: number[] = [];
  const wrong = (message: string, at: number): LinePatternResult => ({
    ok: false,
    message,
    column: at + 1,
  });
  for (let at = 0; at < source.length; ) {
    const bracket = source[at] === '(' ? 0 : source[at] === ')' ? 1 : undefined;
    if (bracket !== undefined) {
      if (group.length !== bracket) return wrong('a second group, or half of one', at);
      group.push(atoms.length);
      at++;
      continue;
    }
    if (atoms.length === ATOMS_MAX) return wrong(`one of more than ${ATOMS_MAX} pieces`, at);
    const written = match(ATOM, source, at);
    if (written === undefined) return wrong('no character, class or group that is known', at);
    const takes = charactersOf(written[0]);
    if (takes === undefined) return wrong('a class that is none', at);
    at += written[0].length;
    const quantifier = match(QUANTIFIER, source, at);
    const [least, most] = boundsOf(quantifier);
    if (least > most) return wrong('a count that ends before it begins', at);
    at += quantifier?.[0].length ?? 0;
    atoms.push({ takes, least, most });
  }
  const [start, end] = group;
  // At the end of the pattern: it is there that it is missed.
  if (start === undefined || end === undefined || start === end) {
    return wrong('no group in round brackets around what is looked for', source.length);
  }
  return { ok: true, pattern: new LinePattern(atoms, start, end) };
}

export class LinePattern {
  private readonly atoms: readonly Atom[];
  private readonly groupStart: number;
  private readonly groupEnd: number;

  constructor(atoms: readonly Atom[], groupStart: number, groupEnd: number) {
    this.atoms = atoms;
    this.groupStart = groupStart;
    this.groupEnd = groupEnd;
  }

  /** What stands in the group, in the first place where the line matches. */
  find(text: string): string | undefined {
    const line = text.slice(0, LINE_CHARACTERS_MAX);
    const ends = this.endsOf(line);
    for (let at = 0; at <= line.length; at++) {
      if (ends[0]![at]! > NO_END) return this.groupFrom(ends, line, at);
    }
    return undefined;
  }

  /** Of each atom at each character: how far it reaches, at the most, so that the rest matches too. */
  private endsOf(line: string): Int32Array[] {
    const { atoms } = this;
    const ends = atoms.map(() => new Int32Array(line.length + 1).fill(NO_END));
    for (let index = atoms.length - 1; index >= 0; index--) {
      const { takes, least, most } = atoms[index]!;
      const next = ends[index + 1];
      for (let at = 0; at <= line.length; at++) {
        for (let to = at; to <= line.length && to - at <= most; to++) {
          if (to - at >= least && (next === undefined || next[to]! > NO_END)) ends[index]![at] = to;
          if (!takes[line.charCodeAt(to)]) break;
        }
      }
    }
    return ends;
  }

  private groupFrom(ends: readonly Int32Array[], line: string, start: number): string {
    let at = start;
    let groupAt = start;
    for (let index = 0; index < this.groupEnd; index++) {
      if (index === this.groupStart) groupAt = at;
      at = ends[index]![at]!;
    }
    return line.slice(groupAt, at);
  }
}

const NO_END = -1;

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source) ?? undefined;
}

function charactersOf(atom: string): boolean[] | undefined {
  try {
    const one = new RegExp(`^${atom === '/' ? '\\/' : atom}$`);
    return Array.from({ length: 128 }, (_, code) => one.test(String.fromCharCode(code)));
  } catch {
    return undefined;
  }
}

function boundsOf(quantifier: RegExpExecArray | undefined): [least: number, most: number] {
  const [written, least, range, most] = quantifier ?? [];
  switch (written) {
    case undefined:
      return [1, 1];
    case '?':
      return [0, 1];
    case '*':
      return [0, REPEATS_MAX];
    case '+':
      return [1, REPEATS_MAX];
    default:
      if (range === undefined) return [Number(least), Number(least)];
      return [Number(least), most ? Number(most) : REPEATS_MAX];
  }
}
