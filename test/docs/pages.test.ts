/**
 * What pages say, without running it: links and paths are there, commands and options exist, and whatever looks
 * like a command is run by test/e2e/docs.test.ts or says why not.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { MANIFEST_SCHEMA } from '../../src/campaign/manifest.ts';
import { makeProgram } from '../../src/cli/program.ts';
import {
  fleetJsonSchema,
  gatewayJsonSchema,
  type JsonSchema,
  rigJsonSchema,
} from '../../src/config/schema.ts';
import { scenarioJsonSchema } from '../../src/lab/scenario/schema.ts';
import { faultOf, upliftCommands } from './command-words.ts';
import { difference } from './expected.ts';
import { commandsOf, type Page, parsePage, ROOT, readPages } from './pages.ts';

const test = suite('pages');
const SCENARIO = scenarioJsonSchema() as JsonSchema;
const program = makeProgram('');
const pages = readPages();
const byPath = new Map(pages.map((page) => [page.path, page]));

test('every relative link leads to a file, and its anchor to a heading', () => {
  const wrong: string[] = [];
  for (const page of pages) {
    for (const { target, line } of page.links) {
      const fault = linkFault(page, target);
      if (fault) wrong.push(`${page.path}:${line} ${target}: ${fault}`);
    }
  }
  assert.equal(wrong, []);
});

test('every path of the repository that is named is there', () => {
  const wrong = pages.flatMap(({ path, inline }) =>
    inline
      .filter(({ code }) => looksLikePath(code) && !existsSync(join(ROOT, code)))
      .map(({ code, line }) => `${path}:${line} ${code}`),
  );
  assert.equal(wrong, []);
});

test('every command and option that is named exists', () => {
  const wrong: string[] = [];
  for (const { path, inline, blocks } of pages) {
    const texts = [
      ...inline.map(({ code, line }) => ({ text: code, line })),
      ...blocks.flatMap(commandsOf),
      ...blocks
        .filter(({ language }) => language !== 'console' && language !== 'yaml')
        .flatMap((block) => block.lines.map((text) => ({ text, line: block.line }))),
    ];
    for (const { text, line } of texts) {
      for (const words of upliftCommands(text)) {
        const fault = faultOf(words, program);
        if (fault) wrong.push(`${path}:${line} ${text}: ${fault}`);
      }
    }
  }
  assert.equal(wrong, []);
});

test('what looks like a command is run, or says why not', () => {
  const tested = pages.filter(({ path }) => path === 'README.md' || path.startsWith('docs/'));
  const wrong = tested.flatMap(({ path, blocks }) =>
    blocks
      .filter(({ language, notRun, lines }) => {
        if (notRun !== undefined) return false;
        if (language === 'console') return commandsOf({ lines, line: 1 } as never).length === 0;
        return language !== 'yaml' && lines.some((line) => COMMAND.test(line));
      })
      .map(({ line }) => `${path}:${line}`),
  );
  assert.equal(wrong, [], 'fence it as console, or mark it <!-- not run: why -->');
});

test('every key of a piece of configuration is one', () => {
  const wrong = pages
    .filter(({ path }) => path.startsWith('docs/'))
    .flatMap(({ path, blocks }) =>
      blocks
        .filter(({ language }) => language === 'yaml')
        .flatMap(({ line, lines }) => {
          const document = parse(lines.join('\n')) as Record<string, unknown>;
          return unknownKeys(document, [schemaFor(document)]).map(
            (key) => `${path}:${line} ${key}`,
          );
        }),
    );
  assert.equal(wrong, []);
  assert.equal(unknownKeys({ rig: 'a', devices: [{ id: 'x', bogus: 1 }] }, [rigJsonSchema()]), [
    'devices.bogus',
  ]);
  const nested = { scenario: 'a', steps: [{ group: { steps: [{ powerOff: { bogus: 1 } }] } }] };
  assert.equal(unknownKeys(nested, [SCENARIO]), ['steps.group.steps.powerOff.bogus']);
});

test('every page of the manual is reached from its index', () => {
  const reached = new Set(['docs/README.md']);
  for (const path of reached) {
    for (const { target } of byPath.get(path)!.links) {
      const found = normalize(join(dirname(path), target.split('#')[0]!));
      if (byPath.has(found)) reached.add(found);
    }
  }
  const lost = pages.filter(({ path }) => path.startsWith('docs/') && !reached.has(path));
  assert.equal(
    lost.map(({ path }) => path),
    [],
  );
});

test('commands are found in shell, and held against the tree', () => {
  const inLine =
    'until uplift job show j1 | grep -q done; do sleep 1; done && ./scripts/uplift bogus';
  assert.equal(upliftCommands(inLine), [['job', 'show', 'j1'], ['bogus']]);
  assert.equal(upliftCommands('cat uplift.log'), []);
  const fault = (line: string) => faultOf(upliftCommands(line)[0]!, program);
  assert.is(fault('uplift job show <job> --watch'), undefined);
  assert.is(fault('uplift job approve|reject ...'), undefined);
  assert.is(fault('uplift --help'), undefined);
  assert.match(fault('uplift job bogus')!, /no command bogus/);
  assert.match(fault('uplift job approve|bogus j1')!, /no command bogus/);
  assert.match(fault('uplift job show j1 --bogus=1')!, /no option --bogus/);
});

test('a page is taken apart: blocks, marks, what continues a command', () => {
  const text = [
    '<!-- docs-test: keys baud=1 -->',
    '# A title, and `code`',
    '<!-- not run: no port -->',
    '',
    '```console',
    '$ one \\',
    '> two',
    'says',
    '',
    '$ three',
    '```',
    '1. An item',
    '',
    '    that goes on',
    '',
    'Then:',
    '',
    '    indented',
  ].join('\n');
  const { fixture, blocks, anchors, inline } = parsePage('x.md', text);
  assert.equal(fixture, ['keys', 'baud=1']);
  assert.equal([...anchors], ['a-title-and-code']);
  assert.equal(
    inline.map(({ code }) => code),
    ['code'],
  );
  assert.equal(
    blocks.map(({ language, line, notRun }) => [language, line, notRun]),
    [
      ['console', 6, 'no port'],
      ['', 18, undefined],
    ],
  );
  assert.equal(commandsOf(blocks[0]!), [
    { text: 'one \\\ntwo', line: 6, expected: ['says'] },
    { text: 'three', line: 10, expected: [] },
  ]);
});

test('what varies is not compared, and everything else is', () => {
  const same = (expected: string[], said: string) => difference(expected, said) === undefined;
  assert.ok(same(['took     7 s'], 'took     63 s\n'));
  assert.ok(same(['2027-01-31T02:30:00Z  done'], '2026-11-26T09:44:45.123Z  done\n'));
  assert.ok(same(['head 2:d187bd3573b093d2'], `head 2:${'a'.repeat(64)}`));
  assert.ok(same(['a ... d', '...', 'z'], 'a b c d\nx\ny\nz'));
  assert.ok(same(['...', 'z'], 'z'));
  assert.ok(same([], ''));
  assert.not(same([], 'something'));
  assert.not(same(['sent 5 bytes'], 'sent 6 bytes'));
  assert.not(same(['a', 'b'], 'b\na'));
  assert.not(same(['a.c'], 'abc'));
});

const COMMAND =
  /^\s*(?:\$ |(?:\.\/scripts\/|sudo |apt |apt-get |systemctl |npm |git |docker |node |curl )|uplift [a-z])/;
const PATHS = /^(?:src|test|scripts|docs|hw-config|firmware|\.ci|\.github)\/[\w./-]+$/;

function schemaFor(document: Record<string, unknown>): JsonSchema {
  if ('rig' in document) return rigJsonSchema();
  if ('scenario' in document) return SCENARIO;
  if ('targets' in document) return MANIFEST_SCHEMA;
  if ('database' in document || typeof document['fleet'] === 'object') return fleetJsonSchema();
  return gatewayJsonSchema();
}

/** `schemas`: it may be any of these, or of their own choices. */
function unknownKeys(value: unknown, schemas: readonly JsonSchema[], at = ''): string[] {
  const options = schemas.map(referred).flatMap((schema) => [schema, ...(schema.anyOf ?? [])]);
  if (options.some(isOpen)) return [];
  if (Array.isArray(value)) {
    const items = options.flatMap(({ items: of }): JsonSchema[] => (of ? [of] : []));
    return items.length > 0 ? value.flatMap((entry) => unknownKeys(entry, items, at)) : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => {
    const path = at === '' ? key : `${at}.${key}`;
    const found = options.flatMap(({ properties, additionalProperties: others }): JsonSchema[] => {
      const named = properties?.[key];
      if (named) return [named];
      return typeof others === 'object' && others !== null ? [others as JsonSchema] : [];
    });
    return found.length > 0 ? unknownKeys(below, found, path) : [path];
  });
}

/** A list of steps may hold lists of steps: it is named once and referred to. */
function referred(schema: JsonSchema): JsonSchema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : SCENARIO.$defs![name]!;
}

/** It says nothing of its keys. */
function isOpen({ type, properties, additionalProperties }: JsonSchema): boolean {
  return type === 'object' && properties === undefined && additionalProperties === undefined;
}

function looksLikePath(code: string): boolean {
  return PATHS.test(code.replace(/^\.\//, '')) && !/NAME|\*|\.\.\./.test(code);
}

function linkFault(page: Page, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
  if (!existsSync(join(ROOT, path))) return 'there is no such file';
  if (anchor === undefined) return undefined;
  if (statSync(join(ROOT, path)).isDirectory()) return 'a folder has no headings';
  return byPath.get(path)?.anchors.has(anchor) ? undefined : 'there is no such heading';
}

test.run();
