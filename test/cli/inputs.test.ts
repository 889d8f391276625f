import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  activationOf,
  profileOf,
  selectDevices,
  someOf,
  wholeNumber,
} from '../../src/cli/inputs.ts';
import type { Rig } from '../../src/config/schema.ts';
import { UpliftError } from '../../src/errors.ts';

const test = suite('inputs');
const NOW_MS = Date.parse('2027-01-31T02:30:00Z');

function refuses(body: () => unknown, code: string): void {
  try {
    body();
  } catch (error) {
    assert.instance(error, UpliftError);
    const { code: found, exit, expected, actual, next } = error as UpliftError;
    assert.is(found, code);
    assert.is(exit, 2);
    assert.ok(expected && actual !== undefined && next, 'expected, found and next are said');
    return;
  }
  assert.unreachable('it was taken');
}

test('now and held', () => {
  assert.equal(activationOf('now', NOW_MS), { when: 'now' });
  assert.equal(activationOf('held', NOW_MS), { when: 'held' });
});

test('a time with a zone is that time, whatever the clocks of the place do', () => {
  const same = ['2027-03-28T01:30:00Z', '2027-03-28T01:30Z', '2027-03-28T02:30:00+01:00'];
  for (const text of [...same, '2027-03-27T20:30:00.000-05:00'])
    assert.equal(activationOf(text, NOW_MS), { when: 'at', atMs: 1806197400000 }, text);
});

test('a time without a zone is that of the place', () => {
  const { atMs } = activationOf('2027-06-01T12:00:00', NOW_MS) as { atMs: number };
  assert.is(atMs, new Date(2027, 5, 1, 12).getTime());
});

test('what is no time to activate at', () => {
  const wrong = [
    '',
    'NOW',
    'later',
    '0',
    '1806197400000',
    '2027-02-30T00:00:00Z',
    '2027-13-01T00:00:00Z',
    '2027-02-01',
    '2027-02-01T',
    '2027-02-01T25:00:00Z',
    '2027-02-01T02:30:00Z and more',
    '2027-02-01T02:30:00 (x)',
    '2027-02-01 02:30:00',
    '27-02-01T02:30:00Z',
    '2027-02-01T2:30Z',
    '2027-02-01T02:60:00Z',
    '+002027-02-01T02:30:00Z',
    '2027-02-01T02:30:00+25:00',
  ];
  for (const text of wrong) refuses(() => activationOf(text, NOW_MS), 'option-invalid');
});

test('a time that is past, is now, or is years away', () => {
  for (const text of ['2027-01-31T02:29:59Z', '2027-01-31T02:30:00Z', '1970-01-01T00:00:00Z'])
    refuses(() => activationOf(text, NOW_MS), 'option-invalid');
  refuses(() => activationOf('2037-01-31T02:30:00Z', NOW_MS), 'option-invalid');
  assert.is(activationOf('2027-01-31T02:30:00.001Z', NOW_MS).when, 'at');
});

test('numbers in decimal and hexadecimal, within their field', () => {
  assert.is(wholeNumber('0x0C', '--n'), 12);
  assert.is(wholeNumber('12', '--n'), 12);
  assert.is(wholeNumber('0xFFFF', '--n', 0xffff), 0xffff);
  for (const text of ['', '-1', '1.5', '0x', '1e3', '12 ', 'twelve', '0b1', '0x10000'])
    refuses(() => wholeNumber(text, '--n', 0xffff), 'option-invalid');
  refuses(() => wholeNumber('99999999999999999999', '--n'), 'option-invalid');
  refuses(() => profileOf('gb'), 'option-invalid');
  refuses(() => profileOf('constructor'), 'option-invalid');
});

test('devices by name or EUI-64, each once; none named is all', () => {
  const devices = [
    { id: 'ppmid-1', eui64: '000d6f000a9069e7' },
    { id: 'ppmid-2', eui64: '000d6f000a9069e8' },
  ];
  const rig = { id: 'r', ppmids: devices } as unknown as Rig;
  assert.equal(selectDevices(rig, undefined), devices);
  assert.equal(selectDevices(rig, []), devices);
  const names = ['PPMID-2', '00:0D:6F:00:0A:90:69:E8', '000d6f000a9069e8'];
  assert.equal(selectDevices(rig, names), [devices[1]]);
  refuses(() => selectDevices(rig, ['ppmid-1', 'ppmid-3']), 'device-unknown');
  const hubsOnly = { id: 'r', ppmids: [] } as unknown as Rig;
  refuses(() => selectDevices(hubsOnly, undefined), 'device-unknown');
});

test('a long list of names is cut short', () => {
  assert.is(someOf(['a', 'b', 'c'], 3), 'a, b, c');
  assert.is(someOf(['a', 'b', 'c', 'd'], 2), 'a, b and 2 more');
});

test.run();
