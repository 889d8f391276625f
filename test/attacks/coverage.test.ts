/**
 * Every row of the table of attacks that is about images, lists, signatures, campaigns, Service
 * Requests, protocols or the HTTP interface has a test, and every test is of a row. The rest is named
 * here by where it belongs, so that nothing is left out in silence:
 *
 *   fleets     13b 13c 26c 29 30, and their part of 12: where campaigns come from, and what becomes of
 *              devices that never answer
 *   store      26a 27a 27b, and its part of 4b 6c 13a 15 24 26b 28
 */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testWithShared } from '../support/shared.ts';

const test = suite('coverage of the table of attacks');
const TESTS = resolve(import.meta.dirname, '..');

/** Rows of images, lists, signatures, campaigns, requests and the HTTP interface, whatever else they concern. */
const OURS =
  '1a 1b 2 3 4a 4b 4c 5a 5b 6a 6b 6c 6d 7a 7b 7c 8 9 10a 10b 10c 10d 11a 11b 11c 12 13a ' +
  '14a 14b 14c 14d 14e 15a 15b 15c 15d ' +
  '16a 16b 16c 17a 17b 17c 17d 17e 18a 18b 18c 18d 18e 18f 18g 18h 18i 18j 18k ' +
  '19a 19b 19c 19d 19e 19f 19g 19h 19i ' +
  '20a 20b 20c 20d 20e 20f 20g 20h 21a 21b 21c 21d 22a 22b 22c 23a 23b 23c 23d 23e 24 25a 25b 25c 25d 26b 28 31 32 33 34';

interface RowOfTable {
  id: string;
  where: string[];
}

function tableOf(path: string): RowOfTable[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, id = '']) => /^\d+[a-z]?$/.test(id))
    .map((cells) => ({ id: cells[1]!, where: cells[5]!.split(/\s+/) }));
}

/** Ids in the names of tests, or in the tables that they are made of. */
function testedIds(): Set<string> {
  const files = ['attacks/*.test.ts', 'e2e/attacks.test.ts'].flatMap((glob) =>
    globSync(glob, { cwd: TESTS }),
  );
  const found = files
    .filter((file) => !file.endsWith('coverage.test.ts'))
    .flatMap((file) => [
      ...readFileSync(resolve(TESTS, file), 'utf8').matchAll(
        /\bid: '(\d+[a-z]?)'|^\s*(?:test\('(\d+[a-z]?) |\[?'(\d+[a-z]?)',)/gm,
      ),
    ]);
  return new Set(found.map(([, field, name, cell]) => (field ?? name ?? cell)!));
}

testWithShared(
  test,
  'facts/attacks.md',
  'every row here has a test, and every test a row',
  (path) => {
    const table = tableOf(path);
    assert.ok(table.length > 90, `${table.length} rows`);
    const tested = testedIds();
    const inScope = table.filter(({ where }) =>
      where.some((place) => ['image', 'admission', 'protocol', 'api'].includes(place)),
    );
    const wanted = new Set([...inScope.map(({ id }) => id), ...OURS.split(' ')]);
    assert.equal(
      [...wanted].filter((id) => !tested.has(id)),
      [],
      'rows without a test',
    );
    const known = new Set(table.map(({ id }) => id));
    assert.equal(
      [...tested].filter((id) => !known.has(id)),
      [],
      'tests without a row',
    );
  },
);

test('every row that is named as ours is tested, also without the table', () => {
  const tested = testedIds();
  assert.equal(
    OURS.split(' ').filter((id) => !tested.has(id)),
    [],
  );
});

test.run();
