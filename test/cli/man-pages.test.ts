/** The man pages: nothing of the help is left out of them, and man shows each without a warning. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { manPages, text } from '../../scripts/debian/man-pages.ts';
import { commandTree } from '../../src/cli/command-tree.ts';
import { makeProgram } from '../../src/cli/program.ts';

const test = suite('man pages');
const REST = resolve(import.meta.dirname, '../../scripts/debian/uplift.1');
const tree = commandTree(makeProgram('1.2.3'));
const pages = manPages(tree, '1.2.3', readFileSync(REST, 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'uplift-man-'));
test.after(() => rmSync(folder, { recursive: true }));

const REQUESTS = new Set('TH SH PP TP B BR IR RI I br nf fi RS RE'.split(' '));

function pageOf(name: string): string {
  const found = pages.find((page) => page.name === name);
  assert.ok(found, name);
  return found.roff;
}

test('a page for uplift, and one for each command below it', () => {
  const names = tree
    .filter(({ path }) => path.length === 1)
    .map(({ path }) => `uplift-${path[0]}.1`);
  assert.equal(
    pages.map(({ name }) => name),
    ['uplift.1', ...names],
  );
  for (const name of names) {
    assert.match(pageOf('uplift.1'), text(name.slice(0, -2)), `${name} is listed`);
  }
});

test('every option and example of the help is in its page; what all have, once', () => {
  for (const { path, options, examples } of tree.slice(1)) {
    const page = pageOf(`uplift-${path[0]}.1`);
    for (const { flags, long, description } of options) {
      const isCommon = ['--json', '--quiet', '--verbose', '--help'].includes(long);
      const told = isCommon ? pageOf('uplift.1') : page;
      assert.ok(told.includes(`.B ${text(flags)}\n`), `${path.join(' ')} ${flags}`);
      assert.ok(told.includes(text(description)), `${path.join(' ')} ${flags}`);
    }
    for (const line of examples) assert.ok(page.includes(text(line)), line);
  }
});

test('exit status, files and services are in uplift(1)', () => {
  for (const heading of ['COMMANDS', 'OPTIONS', 'SERVICE', 'FILES', 'EXIT STATUS', 'SEE ALSO'])
    assert.match(pageOf('uplift.1'), `\n.SH ${heading}\n`);
});

test('the roff is sound: known requests, blocks that end, no blank lines, ASCII', () => {
  for (const { name, roff } of pages) {
    const lines = roff.trimEnd().split('\n');
    for (const line of lines) {
      assert.ok(line !== '', name);
      assert.match(line, /^[ -~]+$/, name);
      const [, request] = /^\.(\w+)/.exec(line) ?? [];
      if (request !== undefined) assert.ok(REQUESTS.has(request), `${name}: ${line}`);
      assert.not.match(line, /^'|(?<!\\)-/, `${name}: a hyphen that cannot be copied: ${line}`);
    }
    const count = (request: string) => lines.filter((line) => line === request).length;
    assert.is(count('.nf'), count('.fi'), name);
    assert.is(count('.RS'), count('.RE'), name);
  }
});

test('words that roff would obey are words', () => {
  assert.is(text(".so x\n'br\n-a\\b"), "\\&.so x\n\\&'br\n\\-a\\eb");
});

test('man shows each without a warning', () => {
  if (spawnSync('man', ['--version']).status !== 0) {
    if (process.env['CI'] === 'true') throw new Error('man is not installed');
    return console.log('SKIP man is not installed: the pages were checked as text alone');
  }
  for (const { name, roff } of pages) {
    const path = join(folder, name);
    writeFileSync(path, roff);
    const env = { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
    const { status, stdout, stderr } = spawnSync('man', ['--warnings=w', '-l', path], { env });
    assert.is(status, 0, name);
    assert.is(stderr.toString(), '', name);
    assert.match(stdout.toString(), /NAME[\s\S]*SYNOPSIS[\s\S]*SEE ALSO/);
  }
});

test.run();
