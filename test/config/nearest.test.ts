/** The suggested word, and the distance it rests on against a naive one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { editDistance, nearest } from '../../src/config/nearest.ts';

/** By the definition, without a table. */
function naive(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const replace = naive(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1);
  const edits = [replace, naive(a.slice(1), b) + 1, naive(a, b.slice(1)) + 1];
  if (a.length > 1 && a[0] === b[1] && a[1] === b[0]) edits.push(naive(a.slice(2), b.slice(2)) + 1);
  return Math.min(...edits);
}

test('the distance is the one of the definition, for all words of up to four letters of two', () => {
  const words = [''];
  for (let i = 0; words[i]!.length < 4; i++) words.push(`${words[i]}a`, `${words[i]}b`);
  for (const a of words)
    for (const b of words) assert.is(editDistance(a, b), naive(a, b), `${a} ${b}`);
});

test('a misspelt word finds its own', () => {
  const known = ['id', 'model', 'coordinator', 'eui64', 'installCode', 'virtual'];
  assert.is(nearest('modle', known), 'model');
  assert.is(nearest('co-ordinator', known), 'coordinator');
  assert.is(nearest('install_code', known), 'installCode');
  assert.is(nearest('EUI64', known), 'eui64');
  assert.is(nearest('firmware', known), undefined);
  assert.is(nearest('x'.repeat(100_000), known), undefined);
  assert.is(nearest('modle', []), undefined);
});

test.run();
