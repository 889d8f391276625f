/** Times of the calendar and what is none; the other values are in the tests of requests. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { collapse, readDateTime, readDeviceIds, readHash } from '../../src/duis/schema-values.ts';

const test = suite('values of the DUIS schemas');

const TIMES: [text: string, iso: string][] = [
  ['2026-03-01T02:00:00.00Z', '2026-03-01T02:00:00.000Z'],
  [' 2026-03-01T02:00:00Z\n', '2026-03-01T02:00:00.000Z'],
  ['2024-02-29T23:59:59.9999Z', '2024-02-29T23:59:59.999Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
  ['2026-12-31T24:00:00Z', '2027-01-01T00:00:00.000Z'],
  ['2026-12-31T24:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['2026-01-01T00:30:00+01:00', '2025-12-31T23:30:00.000Z'],
  ['2026-01-01T00:00:00-14:00', '2026-01-01T14:00:00.000Z'],
  ['2026-01-01T00:00:00-00:00', '2026-01-01T00:00:00.000Z'],
  ['2026-01-01T00:00:00.5Z', '2026-01-01T00:00:00.500Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0099-12-31T00:00:00Z', '0099-12-31T00:00:00.000Z'],
  ['1969-12-31T23:59:59.25Z', '1969-12-31T23:59:59.250Z'],
  ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z'],
];

for (const [text, iso] of TIMES) {
  test(`${JSON.stringify(text)} is ${iso}`, () => {
    const time = readDateTime(text);
    assert.ok(typeof time === 'object');
    assert.is(new Date(time.ms).toISOString(), iso);
  });
}

const NO_TIMES = [
  '',
  '2026-03-01',
  '2026-03-01 02:00:00Z',
  '2026-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2026-04-31T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '-2026-01-01T00:00:00Z',
  '12026-01-01T00:00:00Z',
  '2026-01-01T24:00:01Z',
  '2026-01-01T24:00:00.001Z',
  '2026-01-01T25:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-01-01T23:59:60Z',
  '2026-01-01T00:00:00.Z',
  '2026-01-01T00:00Z',
  '2026-01-01T00:00:00z',
  '2026-01-01T00:00:00+1:00',
  '2026-01-01T00:00:00+14:01',
  '2026-01-01T00:00:00+01:60',
  '2026-01-01T00:00:00Z Z',
  '2026-01-01T00:00:00\u00a0',
];

for (const text of NO_TIMES) {
  test(`${JSON.stringify(text)} is no time`, () => {
    assert.is(readDateTime(text), 'date-time-invalid');
  });
}

test('a time without a zone is nobody’s', () => {
  assert.is(readDateTime('2026-03-01T02:00:00'), 'date-time-no-zone');
  assert.is(readDateTime('2026-03-01T02:00:00.5'), 'date-time-no-zone');
});

test('every time that JavaScript writes is the same here', () => {
  const date = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(date, (one) => {
      const time = readDateTime(one.toISOString());
      assert.ok(typeof time === 'object');
      assert.is(time.ms, one.getTime());
      assert.is(time.year, one.getUTCFullYear());
    }),
  );
});

test('only the white space of XML is taken away', () => {
  assert.is(collapse(' \t\r\n a b \n'), 'a b');
  assert.is(collapse(' \n '), '');
  assert.is(collapse('\u00a0a\ufeff'), '\u00a0a\ufeff');
});

test('a hash is one value in either letter case', () => {
  assert.is(readHash(` ${'aB'.repeat(32)} `), 'ab'.repeat(32));
});

test('a list of devices, changed in any one character, is another one or none', () => {
  const list = '02-55-50-4C-46-54-10-01,02-55-50-4c-46-54-10-02';
  for (let at = 0; at < list.length; at++) {
    for (const character of [' ', '-', ',', '0', 'g', '']) {
      const read = readDeviceIds(list.slice(0, at) + character + list.slice(at + 1));
      if (character === list[at]) continue;
      const isDigit = character === '0' && /[0-9a-f]/i.test(list[at]!);
      assert.is(read !== undefined, isDigit, `${at} ${character}`);
    }
  }
});

test.run();
