/** What `inspect` shows: complete, and safe to print. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeImage } from '../../src/image/describe.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { concat, counting, naiveElement, naiveImage } from './naive-ota.ts';

function describe(file: Uint8Array, profile?: Parameters<typeof describeImage>[1]) {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) throw new Error(parsed.code);
  return describeImage(parsed, profile);
}

test('every header field and every sub-element has a line', () => {
  const lines = describe(
    naiveImage({
      credential: 1,
      destination: '0123456789abcdef',
      hardware: [0x0100, 0x01ff],
      extra: [1, 2],
      body: [...naiveElement(0, [1, 2, 3]), ...naiveElement(0xf000, [1]), 9, 9, 9],
    }),
  );
  const shown = (label: string) => lines.find((line) => line.label === label)?.value;
  const expected: Record<string, string> = {
    'header version': '0x0100',
    'header length': '71 bytes',
    'field control': '0x0007 (security credential version, destination, hardware versions)',
    'manufacturer code': '0x121D',
    'image type': '0x0084 (vendor firmware)',
    'file version': '0x01020304',
    'ZigBee stack version': '2 (ZigBee PRO)',
    'header string': '"naive"',
    'total image size': '90 bytes',
    'security credential version': '1 (SE 1.1)',
    'upgrade file destination': '0123456789abcdef',
    'minimum hardware version': '0x0100 (version 1, revision 0)',
    'maximum hardware version': '0x01FF (version 1, revision 255)',
    'more header bytes': '2',
    '0x0000 upgrade image': '3 bytes at offset 71',
    '0xF000 manufacturer specific': '1 bytes at offset 80',
    'not read as sub-elements': '3 bytes',
  };
  for (const [label, value] of Object.entries(expected)) assert.is(shown(label), value, label);
  assert.ok(shown('walk-broken') && shown('header-extra-bytes'));
});

test('several images are told apart, and file remarks stand alone', () => {
  const lines = describe(concat(naiveImage(), naiveImage({ fileVersion: 2 }), [1]));
  const versions = lines.filter(({ label }) => label === 'file version');
  assert.equal(
    versions.map(({ imageIndex, value }) => [imageIndex, value]),
    [
      [0, '0x01020304'],
      [1, '0x00000002'],
    ],
  );
  assert.is(lines.find(({ label }) => label === 'trailing-bytes')?.imageIndex, undefined);
});

test('a profile adds the parts of the Upgrade Image, or says why it does not fit', () => {
  const body = [...counting(10), 0, 0x40, ...counting(64)];
  const signed = describe(naiveImage({ body }), 'gb-signed');
  const shown = (label: string) => signed.find((line) => line.label === label)?.value;
  assert.is(shown('Manufacturer Image'), '10 bytes');
  assert.is(shown('forceReplace'), '0x00');
  const misfit = describe(naiveImage({ body: [1] }), 'gb-signed');
  assert.match(
    misfit.find(({ label }) => label === 'not of this profile')!.value,
    'trailer-truncated',
  );
});

test('a profile without sub-elements shows none, and no remark about them', () => {
  const file = naiveImage({ extra: [1], body: [...naiveElement(0x0100, [1]), 7] });
  const sections = describe(file, 'gb-ppmid').map(({ section, label }) => `${section}: ${label}`);
  assert.equal(
    sections.filter((line) => /^(sub-elements|remarks)/.test(line)),
    ['remarks: header-extra-bytes'],
  );
});

test('text from the file cannot reach the terminal as control characters', () => {
  const [line] = describe(naiveImage({ text: '\x1b[2Jx\xe9\\\n' })).filter(
    ({ label }) => label === 'header string',
  );
  assert.is(line!.value, '"\\x1b[2Jx\\xe9\\x5c\\x0a"');
});

test.run();
