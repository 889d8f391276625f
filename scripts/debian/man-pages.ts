/**
 * The man pages, out of the tree of commands: uplift(1), and uplift-GROUP(1) for each command that stands below it,
 * with all beneath that. What is no help text is in uplift.1. Called by scripts/build-deb:
 *
 *   node scripts/debian/man-pages.ts FOLDER
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CommandEntry, commandTree, type OptionEntry } from '../../src/cli/command-tree.ts';
import { makeProgram } from '../../src/cli/program.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');
/** What every command has is said once, in uplift(1). */
const COMMON = ['--json', '--quiet', '--verbose', '--help'];

export interface ManPage {
  name: string;
  roff: string;
}

export function manPages(tree: readonly CommandEntry[], version: string, rest: string): ManPage[] {
  const [program, ...commands] = tree;
  const groups = commands.filter(({ path }) => path.length === 1);
  const below = (group: CommandEntry) => commands.filter(({ path }) => path[0] === group.path[0]);
  return [
    { name: 'uplift.1', roff: programPage(program!, groups, version, rest) },
    ...groups.map((group) => ({
      name: `uplift-${group.path[0]}.1`,
      roff: groupPage(below(group), version),
    })),
  ];
}

function programPage(
  program: CommandEntry,
  groups: readonly CommandEntry[],
  version: string,
  rest: string,
): string {
  const common = groups[0]!.options.filter(({ long }) => COMMON.includes(long));
  const sections = rest.search(/^\.SH /m);
  const names = groups.map(({ path }) => `.BR uplift\\-${text(path[0]!)} (1)`);
  return lines([
    ...head('uplift', version, 'firmware-update gateway for GB smart-metering hardware'),
    '.SH SYNOPSIS',
    '.B uplift',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    text(program.description),
    rest.slice(0, sections).trimEnd(),
    '.SH COMMANDS',
    ...groups.flatMap(({ path, description }) => [
      '.TP',
      `.BR uplift\\-${text(path[0]!)} (1)`,
      text(description),
    ]),
    '.SH OPTIONS',
    'Every command has:',
    ...common.flatMap(optionLines),
    ...exampleLines(program.examples),
    rest.slice(sections).trimEnd(),
    '.SH SEE ALSO',
    names.map((name, index) => (index < names.length - 1 ? `${name},` : name)).join('\n'),
  ]);
}

function groupPage(entries: readonly CommandEntry[], version: string): string {
  const [group, ...below] = entries;
  const name = `uplift-${group!.path[0]}`;
  const runs = entries.filter(({ commands }) => commands.length === 0);
  return lines([
    ...head(name, version, group!.description),
    '.SH SYNOPSIS',
    ...runs.flatMap(({ path, usage }, index) => [
      ...(index > 0 ? ['.br'] : []),
      `.B ${text(['uplift', ...path].join(' '))}`,
      text(usage),
    ]),
    '.SH DESCRIPTION',
    text(sentence(group!.description)),
    ...(below.length === 0 ? ownOptions(group!) : below.flatMap(commandLines)),
    ...exampleLines(group!.examples),
    '.SH SEE ALSO',
    '.BR uplift (1)',
    'for the options that every command has, files and exit status',
  ]);
}

function head(name: string, version: string, description: string): string[] {
  return [
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} 1 "" "Uplift ${text(version)}" "User Commands"`,
    '.SH NAME',
    `${text(name)} \\- ${text(description)}`,
  ];
}

function commandLines(entry: CommandEntry): string[] {
  return [
    `.SH ${quoted(['uplift', ...entry.path].join(' ').toUpperCase())}`,
    text(sentence(entry.description)),
    ...ownOptions(entry).slice(1),
    ...exampleLines(entry.examples).map((line) => (line === '.SH EXAMPLE' ? '.PP' : line)),
  ];
}

function ownOptions({ options }: CommandEntry): string[] {
  const own = options.filter(({ long }) => !COMMON.includes(long));
  return own.length === 0 ? [] : ['.SH OPTIONS', ...own.flatMap(optionLines)];
}

function optionLines({ flags, description, isRequired, defaultText }: OptionEntry): string[] {
  const more = [
    ...(isRequired ? ['required'] : []),
    ...(defaultText === undefined ? [] : [`else ${defaultText}`]),
  ];
  const said = more.length === 0 ? description : `${description} (${more.join('; ')})`;
  return ['.TP', `.B ${text(flags)}`, text(said)];
}

function exampleLines(examples: readonly string[]): string[] {
  if (examples.length === 0) return [];
  return ['.SH EXAMPLE', '.nf', '.RS', ...examples.map(text), '.RE', '.fi'];
}

function sentence(description: string): string {
  return `${description.slice(0, 1).toUpperCase()}${description.slice(1).replace(/\.?$/, '.')}`;
}

/** For roff: a hyphen is one that can be copied, and no line of text is taken for a request. */
export function text(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1');
}

function quoted(words: string): string {
  return `"${text(words).replaceAll('"', '""')}"`;
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('FOLDER wanted');
  const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    version: string;
  };
  const rest = readFileSync(join(import.meta.dirname, 'uplift.1'), 'utf8');
  mkdirSync(folder, { recursive: true });
  for (const { name, roff } of manPages(commandTree(makeProgram(version)), version, rest)) {
    writeFileSync(join(folder, name), roff);
  }
}
