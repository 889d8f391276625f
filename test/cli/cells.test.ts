/** Room of text at a terminal, against the ruler that the moving lines are measured with. */
import stringWidth from 'string-width';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cellsOf, cutTo, padBefore, padTo } from '../../src/cli/cells.ts';

const test = suite('cells');

/** Text, and the cells it takes. */
const TEXTS: [text: string, cells: number][] = [
  ['', 0],
  ['ppmid-1', 7],
  ['\u001b[31mred\u001b[39m', 3],
  ['café', 4],
  ['cafe\u0301', 4],
  ['メーター', 8],
  ['전기', 4],
  ['\u1112\u1161\u11ab', 2],
  ['ｈｕｂ', 6],
  ['a\u200bb', 2],
  ['👍🏽', 2],
  ['👩‍🔧', 2],
  ['🇬🇧', 2],
  ['✓ done', 6],
  ['▸ █░', 4],
  ['ด้วย', 3],
];

test('a letter takes a cell, a mark none, a wide character two', () => {
  for (const [text, cells] of TEXTS) assert.is(cellsOf(text), cells, JSON.stringify(text));
});

test('no assigned character takes less than the moving lines are measured to take', () => {
  const wrong: string[] = [];
  for (let code = 0x20; code <= 0x3ffff; code++) {
    const character = String.fromCodePoint(code);
    if (/^[\p{Cn}\p{Cs}\p{Cc}\p{Co}]/u.test(character)) continue;
    if (cellsOf(character) < stringWidth(character)) wrong.push(code.toString(16));
  }
  assert.equal(wrong, []);
});

test('a cut is never wider, never inside a character, and shows', () => {
  for (const [text, whole] of TEXTS.filter(([one]) => !one.includes('\u001b'))) {
    const characters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
    for (let cells = 0; cells < whole; cells++) {
      const cut = cutTo(text, cells);
      assert.ok(cellsOf(cut) <= cells, `${text} to ${cells}: ${cut}`);
      if (cells === 0) continue;
      assert.ok(cut.endsWith('…'));
      const kept = cut.slice(0, -1);
      const isWhole = characters.some((_, count) => characters.slice(0, count).join('') === kept);
      assert.ok(isWhole, `${JSON.stringify(kept)} of ${text}`);
    }
    assert.is(cutTo(text, whole), text);
  }
  assert.is(cutTo('a long name', 6), 'a lon…');
  assert.is(cutTo('\u001b[31ma long name\u001b[39m', 6), 'a lon…', 'no code is cut in two');
  assert.is(cutTo('メーター', 6), 'メー…', 'the half of a wide character is nothing');
});

test('padded by what is seen', () => {
  assert.is(padTo('メ', 4), 'メ  ');
  assert.is(padBefore('cafe\u0301', 6), '  cafe\u0301');
  assert.is(padTo('longer', 3), 'longer');
});

test.run();
