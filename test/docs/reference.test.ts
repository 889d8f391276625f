/** docs/reference is what the sources say now, and leaves no table of codes out. */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  NOT_TABLES,
  saidInPlace,
  TITLES,
  tableNames,
} from '../../scripts/reference/error-codes.ts';
import { referencePages } from '../../scripts/reference/pages.ts';

const test = suite('reference');
const ROOT = resolve(import.meta.dirname, '../..');

test('what is committed is what scripts/docs writes', async () => {
  const pages = await referencePages();
  for (const { path, text } of pages) {
    assert.is(readFileSync(resolve(ROOT, path), 'utf8'), text, `${path}: run scripts/docs`);
  }
  assert.equal(
    globSync('docs/reference/*', { cwd: ROOT }).sort(),
    pages.map(({ path }) => path).sort(),
  );
});

test('every table of codes is in it, or said to be none', () => {
  const names = tableNames().map(({ name }) => name);
  const known = [...Object.keys(TITLES), ...NOT_TABLES];
  assert.equal(
    names.filter((name) => !known.includes(name)),
    [],
    'name it in scripts/reference/error-codes.ts',
  );
  assert.equal(
    known.filter((name) => !names.includes(name)),
    [],
    'it is in no source any more',
  );
});

test('codes that are said in place are found with their words', () => {
  const said = saidInPlace();
  assert.ok(said.length > 60, `${said.length}`);
  const one = said.find(({ code }) => code === 'rule-unknown');
  assert.equal(one, {
    code: 'rule-unknown',
    message: 'There is no rule {id}.',
    exit: '2',
    file: 'cli/rules.ts',
  });
});

test.run();
