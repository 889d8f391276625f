/** What a peer may say, and what is left of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { escapeText } from '../../src/bytes/escape-text.ts';

test('plain text stays', () => {
  assert.is(escapeText('plain text, 12 % ~'), 'plain text, 12 % ~');
});

test('line ends, escapes, marks of direction and the backslash are written out', () => {
  assert.is(escapeText('a\r\nb\x1b[2J\x9b'), 'a\\x0d\\x0ab\\x1b[2J\\x9b');
  assert.is(escapeText('\u202eexe\u2066\u200f'), '\\u202eexe\\u2066\\u200f');
  assert.is(escapeText('\\x0a'), '\\x5cx0a', 'cannot be mistaken for an escape');
});

test('every code unit becomes printable ASCII', () => {
  for (let unit = 0; unit <= 0xffff; unit++) {
    assert.match(escapeText(String.fromCharCode(unit)), /^[\x20-\x7e]+$/);
  }
});

test.run();
