import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { someOf } from '../../src/bytes/some-of.ts';
import {
  activationOf,
  devicesFor,
  otaProfileOf,
  profileOf,
  selectDevices,
  selectPpmids,
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
  refuses(() => otaProfileOf('mcuboot'), 'option-invalid');
  assert.is(profileOf('mcuboot'), 'mcuboot');
  assert.is(profileOf('gb-ppmid'), otaProfileOf('gb-ppmid'));
});

const PPMIDS = [
  { kind: 'ppmid', id: 'ppmid-1', eui64: '000d6f000a9069e7', model: { imageProfile: 'gb-ppmid' } },
  { kind: 'ppmid', id: 'ppmid-2', eui64: '000d6f000a9069e8', model: { imageProfile: 'gb-ppmid' } },
];
const HUBS = [
  { kind: 'hub', id: 'hub', model: { imageProfile: 'mcuboot' } },
  { kind: 'hub', id: 'radio', model: { imageProfile: 'gbl' } },
];
const BOTH = { id: 'r', devices: [...PPMIDS, ...HUBS], ppmids: PPMIDS, hubs: HUBS } as never as Rig;
const HUBS_ONLY = { id: 'r', devices: HUBS, ppmids: [], hubs: HUBS } as never as Rig;

test('devices by name or EUI-64, each once; none named is all', () => {
  assert.equal(selectDevices(BOTH, undefined), BOTH.devices);
  assert.equal(selectDevices(BOTH, []), BOTH.devices);
  const names = ['PPMID-2', '00:0D:6F:00:0A:90:69:E8', '000d6f000a9069e8', 'Hub'];
  assert.equal(selectDevices(BOTH, names), [PPMIDS[1], HUBS[0]]);
  refuses(() => selectDevices(BOTH, ['ppmid-1', 'ppmid-3']), 'device-unknown');
  refuses(() => selectDevices(BOTH, ['undefined']), 'device-unknown');
});

test('of PPMIDs alone', () => {
  assert.equal(selectPpmids(BOTH, undefined), PPMIDS);
  assert.equal(selectPpmids(BOTH, ['ppmid-2']), [PPMIDS[1]]);
  refuses(() => selectPpmids(BOTH, ['hub']), 'device-unknown');
  refuses(() => selectPpmids(HUBS_ONLY, undefined), 'device-unknown');
});

test('where none is named, the image says which are meant; where one is, the person does', () => {
  const fileFor = (...kinds: string[]) => ({ isFor: (taken: string) => kinds.includes(taken) });
  const ids = (rig: Rig, kinds: string[], names?: string[]) => {
    const { devices, leftOut } = devicesFor(fileFor(...kinds), rig, names);
    return [devices.map(({ id }) => id), leftOut.map(({ id }) => id)];
  };
  assert.equal(ids(BOTH, ['gb-ppmid']), [
    ['ppmid-1', 'ppmid-2'],
    ['hub', 'radio'],
  ]);
  assert.equal(ids(BOTH, ['gbl']), [['radio'], ['ppmid-1', 'ppmid-2', 'hub']]);
  assert.equal(ids(BOTH, ['gbl'], ['hub', 'radio']), [['hub', 'radio'], []]);
  assert.equal(ids(HUBS_ONLY, ['ebl']), [['hub', 'radio'], []], 'for none: each says why');
});

test('a long list of names is cut short', () => {
  assert.is(someOf(['a', 'b', 'c'], 3), 'a, b, c');
  assert.is(someOf(['a', 'b', 'c', 'd'], 2), 'a, b and 2 more');
});

test.run();
