/**
 * The pages that people read, taken apart: code blocks with their commands, code within lines, links.
 *
 * A block of commands is fenced as `console`: `$ ` before a command, `> ` before what continues it, and what
 * it says below. Comments in HTML, on the line before a block, are for the tests alone:
 *
 *   <!-- docs-test: baud=1000000 keys tokens -->   at the head of a page: what its folder has (page-folder.ts)
 *   <!-- file: my-rig.yaml -->                      the block is the content of this file
 *   <!-- not run: why -->                           the commands of the block cannot run here
 */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Page {
  /** In the repository. */
  path: string;
  text: string;
  /** Words of `docs-test`. */
  fixture: readonly string[];
  blocks: readonly Block[];
  /** Code within lines of text. */
  inline: readonly Inline[];
  links: readonly { target: string; line: number }[];
  /** What links may name behind `#`. */
  anchors: ReadonlySet<string>;
}

export interface Block {
  /** After the fence; empty of an indented block. */
  language: string;
  /** Of its first line of content, from 1. */
  line: number;
  lines: readonly string[];
  notRun: string | undefined;
  file: string | undefined;
}

export interface Inline {
  code: string;
  line: number;
}

export interface DocumentedCommand {
  text: string;
  /** From 1, in the page. */
  line: number;
  expected: readonly string[];
}

const HEAD = /^<!-- docs-test: (.+) -->$/m;
const NOT_RUN = /^<!-- not run: (.+) -->$/;
const FILE = /^<!-- file: (\S+) -->$/;

/** All of them, by path. */
export function readPages(): Page[] {
  const paths = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', '*/README.md', 'docs/**/*.md'];
  const found = globSync(paths, { cwd: ROOT, exclude: ['node_modules/**'] });
  return [...new Set(found)]
    .sort()
    .map((path) => parsePage(path, readFileSync(resolve(ROOT, path), 'utf8')));
}

export function parsePage(path: string, text: string): Page {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  const prose: { text: string; line: number }[] = [];
  let mark = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const fence = /^( *)```(\w*)$/.exec(line);
    const isIndented = /^ {4,}\S/.test(line) && (lines[at - 1] ?? '').trim() === '';
    const inList = isIndented && isInList(lines, at);
    if (fence || (isIndented && !inList)) {
      const begins = fence ? at + 1 : at;
      const isOver = (row: string) =>
        fence ? /^ *```$/.test(row) : row.trim() !== '' && !row.startsWith('    ');
      let ends = begins;
      while (ends < lines.length && !isOver(lines[ends]!)) ends += 1;
      const cut = fence ? fence[1]!.length : 4;
      const content = lines.slice(begins, ends).map((row) => row.slice(cut).trimEnd());
      while (content.at(-1) === '') content.pop();
      blocks.push({
        language: fence?.[2] ?? '',
        line: begins + 1,
        lines: content,
        notRun: NOT_RUN.exec(mark)?.[1],
        file: FILE.exec(mark)?.[1],
      });
      at = fence ? ends : ends - 1;
      mark = '';
    } else {
      if (line.trim() !== '') mark = line.trim();
      prose.push({ text: line, line: at + 1 });
    }
  }
  return {
    path,
    text,
    fixture: HEAD.exec(text)?.[1]?.split(' ') ?? [],
    blocks,
    inline: prose.flatMap(inlineOf),
    links: prose.flatMap(linksOf),
    anchors: anchorsOf(prose.map((row) => row.text)),
  };
}

/** What stands behind `$ `, with what it is to say. */
export function commandsOf({ lines, line }: Block): DocumentedCommand[] {
  const commands: { text: string; line: number; expected: string[] }[] = [];
  for (const [at, row] of lines.entries()) {
    const last = commands.at(-1);
    if (row.startsWith('$ ')) commands.push({ text: row.slice(2), line: line + at, expected: [] });
    else if (last && row.startsWith('> ') && last.expected.length === 0) {
      last.text += `\n${row.slice(2)}`;
    } else last?.expected.push(row);
  }
  for (const { expected } of commands) while (expected.at(-1) === '') expected.pop();
  return commands;
}

/** Deeper lines below an item of a list belong to it. */
function isInList(lines: readonly string[], at: number): boolean {
  for (let above = at - 1; above >= 0; above--) {
    const line = lines[above]!;
    if (line.trim() === '' || /^ {2,}\S/.test(line)) continue;
    return /^ *([-*]|\d+\.) /.test(line);
  }
  return false;
}

function inlineOf({ text, line }: { text: string; line: number }): Inline[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => ({ code: code!, line }));
}

function linksOf({ text, line }: { text: string; line: number }) {
  const bare = text.replace(/`[^`]*`/g, '');
  const inText = [...bare.matchAll(/\]\(([^)\s]+)\)/g)];
  const inHtml = [...bare.matchAll(/(?:src|srcset|href)="([^"]+)"/g)];
  return [...inText, ...inHtml].map(([, target]) => ({ target: target!, line }));
}

/** As GitHub makes them of headings. */
function anchorsOf(lines: readonly string[]): Set<string> {
  const anchors = new Set<string>();
  for (const line of lines) {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const base = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let name = base;
    for (let n = 1; anchors.has(name); n++) name = `${base}-${n}`;
    anchors.add(name);
  }
  return anchors;
}
