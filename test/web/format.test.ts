/** Numbers, times and places as the page shows them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bytesText,
  countText,
  durationText,
  percentOf,
  rangeText,
  rateText,
} from '../../src/web/format.ts';
import { hrefOf, placeOf } from '../../src/web/route.ts';
import { storedName } from '../../src/web/upload.ts';

const test = suite('what the page shows');

test('sizes, rates and counts', () => {
  assert.is(bytesText(1023), '1,023 B');
  assert.is(bytesText(262_204), '256.1 KiB');
  assert.is(bytesText(16 * 1024 * 1024), '16.0 MiB');
  assert.is(rateText(44_912.4), '43.9 KiB/s');
  assert.is(countText(1_234_567), '1,234,567');
});

test('nothing is 100 % before all of it is there', () => {
  assert.is(percentOf(999_999, 1_000_000), 99);
  assert.is(percentOf(1_000_000, 1_000_000), 100);
  assert.is(percentOf(0, 0), 0);
});

test('durations have two parts at most, and no 60 of anything', () => {
  const cases: [number, string][] = [
    [0, '0 s'],
    [-5, '0 s'],
    [59_400, '59 s'],
    [60_000, '1 min'],
    [200_000, '3 min 20 s'],
    [119_900, '2 min'],
    [3_600_000, '1 h'],
    [7_199_000, '2 h'],
    [90_000_000, '1 d 1 h'],
  ];
  for (const [ms, text] of cases) assert.is(durationText(ms), text);
  for (let ms = 0; ms < 90_000_000; ms += 7_321) assert.not.match(durationText(ms), /\b60 (s|min)/);
});

test('a range that reads the same at both ends is one', () => {
  assert.is(rangeText(20_000, 200_000), '20 s to 3 min 20 s');
  assert.is(rangeText(20_000, 20_200), 'about 20 s');
});

test('each place has an address and is found by it', () => {
  const place = { view: 'jobs', steps: ['j1', 'a/b c?#'], query: { device: 'ü&=' } } as const;
  assert.equal(placeOf(hrefOf(place.view, place.steps, place.query)), place);
  for (const odd of ['', '#', '#/', '#/nothing', '#/%', '#/constructor'])
    assert.is(placeOf(odd).view, 'devices', odd);
});

test('a file is stored under a name that the store takes', () => {
  assert.is(storedName('../../etc/passwd'), 'etc_passwd');
  assert.is(storedName('Bild für Hub.bin'), 'Bild f_r Hub.bin');
  assert.is(storedName('…'), 'image');
  assert.is(storedName('a'.repeat(300)).length, 128);
});

test.run();
