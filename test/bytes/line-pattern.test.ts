import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseLinePattern } from '../../src/bytes/line-pattern.ts';

const test = suite('line pattern');

function find(source: string, line: string): string | undefined {
  const parsed = parseLinePattern(source);
  assert.ok(parsed.ok, source);
  return parsed.ok ? parsed.pattern.find(line) : undefined;
}

test('what it finds is what a regular expression finds', () => {
  const patterns = [
    'version (\\d+\\.\\d+\\.\\d+)',
    'hub application (0x[0-9a-f]{8})',
    '(a*)b',
    'a(.*)b',
    'a(b?)b',
    '([^ ]+) *end',
    '(\\w{2,3})\\s',
    'x{2,}(\\S)',
    '([\\]a/])/',
    'a{0}(b)',
  ];
  const lines = [
    'hub application 0x00020000, version 1.22.333.4',
    'aaab ab abb aab/]/',
    'the  very   end xxxy ',
    '',
    'b',
    'x'.repeat(200),
  ];
  for (const source of patterns) {
    for (const line of lines) {
      assert.is(find(source, line), new RegExp(source).exec(line)?.[1], `${source} in "${line}"`);
    }
  }
});

test('what it does not take is told with its column', () => {
  const wrong: [string, number][] = [
    ['version', 8],
    ['()', 3],
    ['(a', 3],
    ['a)', 2],
    ['((a))', 2],
    ['(a)(b)', 4],
    ['(a)+', 4],
    ['(a|b)', 3],
    ['^(a)', 1],
    ['(?:a)', 2],
    ['(a)\\1', 4],
    ['([z-a])', 2],
    ['(a{3,2})', 3],
    ['(a**)', 4],
    ['([a)', 2],
    [`(${'a'.repeat(65)})`, 66],
  ];
  for (const [source, column] of wrong) {
    const parsed = parseLinePattern(source);
    assert.is(parsed.ok ? undefined : parsed.column, column, source);
  }
});

test('a pattern that makes others run for ever ends', () => {
  const sources = ['a*a*a*a*a*a*a*a*(a*)b', `(${'.*'.repeat(64)})`, `${'a?'.repeat(60)}(a{60})`];
  for (const source of sources) find(source, 'a'.repeat(100_000));
  assert.is(find('a*a*a*a*a*a*(a*)b', 'a'.repeat(100_000)), undefined);
});

test.run();
