/** The view that the formats of hubs share, and what `inspect` says of each. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../src/bytes/hex.ts';
import { describeHubImage } from '../../src/image/describe-hub.ts';
import {
  compareHubVersions,
  type HubImage,
  type HubImageProfile,
  hubVersionOf,
  isHubImageProfile,
  readHubImage,
} from '../../src/image/hub-image.ts';
import { parseMcubootVersion } from '../../src/image/mcuboot-version.ts';
import {
  type NaiveMcuboot,
  naiveEbl,
  naiveEblHeader,
  naiveGbl,
  naiveGblHeader,
  naiveMcuboot,
} from './naive-hub.ts';
import { counting, le } from './naive-ota.ts';

const HASH: [number, number[]] = [0x10, counting(32)];
const SIGNED: NaiveMcuboot = {
  version: [1, 2, 3, 4],
  flags: 0x30,
  protectedTlvs: [
    [0x50, [7, 0, 0, 0]],
    [0x40, [1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0]],
  ],
  tlvs: [HASH, [0x01, counting(32)], [0x22, counting(70)]],
};

function read(file: Uint8Array, profile: HubImageProfile): HubImage {
  const image = readHubImage(file, profile);
  if (!image.ok) throw new Error(image.code);
  return image;
}

/** The first line of each label: what is told of a part comes before where the part stands. */
function shown(image: HubImage): Map<string, string> {
  const lines = describeHubImage(image).map(({ label, value }): [string, string] => [label, value]);
  return new Map(lines.reverse());
}

test('MCUboot: sent up to the last TLV, named by its own digest', () => {
  const plain = naiveMcuboot(SIGNED);
  const file = naiveMcuboot({ ...SIGNED, trailing: [0xff, 0xff] });
  const image = read(file, 'mcuboot');
  assert.equal(image.sendBytes, plain);
  assert.is(image.sendBytes.buffer, file.buffer, 'a view');
  assert.is(image.outsideBytes, 2);
  assert.is(image.imageHash, encodeHex(Uint8Array.from(counting(32))));
  assert.equal(image.version, { text: '1.2.3+4', parts: [1, 2, 3, 4], listText: '01020003' });
  const lines = shown(image);
  const expected: Record<string, string> = {
    format: 'MCUboot image',
    'bytes that are sent': `${plain.length}`,
    'bytes after them': '2',
    version: '1.2.3+4',
    encrypted: 'no',
    digest: 'sha256 over bytes 0 to 63',
    flags: '0x00000030 (not bootable, load to RAM)',
    'depends on': 'image 1, version 2.0.1 or later',
    'security counter': '7',
    '0x0050 security counter, protected': '4 bytes at offset 44: 07000000',
    'trailing-bytes': 'Bytes follow the last image; they are not served. 2 bytes.',
  };
  for (const [label, value] of Object.entries(expected)) assert.is(lines.get(label), value, label);
  assert.match(
    lines.get('signature')!,
    'ECDSA P-256, DER, 70 bytes, over bytes 0 to 63, key hash 00',
  );
});

test('GBL: version and product; what is encrypted is not told', () => {
  const info = [...le(2, 4), ...le(0x10006, 4), ...le(5, 4), ...counting(16)];
  const file = naiveGbl(
    [
      naiveGblHeader(0x100),
      [0xf40a0af4, info],
      [0xf50909f5, [...le(7, 4), ...le(0x1000, 4), 1]],
      [0xfd0303fd, [...le(0x4000, 4), 1, 2, 3]],
      [0xf60808f6, [0x1b, 0x5b, 0x32, 0x4a]],
      [0xf30b0bf3, counting(136)],
      [0xf70a0af7, counting(64)],
    ],
    [0xff],
  );
  const image = read(file, 'gbl');
  assert.equal(image.version, { text: '0x00010006', parts: [0x10006], listText: '00010006' });
  assert.is(image.outsideBytes, 1);
  assert.is(image.imageHash, undefined);
  const lines = shown(image);
  assert.is(lines.get('type'), '0x00000100 (plain, signed)');
  assert.is(lines.get('application version'), '0x00010006 (65542)');
  assert.is(lines.get('bootloader upgrade'), 'version 0x00000007, 1 bytes at 0x00001000');
  assert.is(lines.get('erase and program'), '7 bytes at offset 69, to 0x00004000');
  assert.is(lines.get('metadata'), '"\\x1b[2J"', 'escaped');
  assert.ok(lines.get('certificate'));

  const cipher = read(
    naiveGbl([naiveGblHeader(1), [0xfa0606fa, counting(16)], [0xf90707f9, counting(9)]]),
    'gbl',
  );
  assert.ok(cipher.isEncrypted);
  assert.not(cipher.isSealedUnderEncryption, 'a signature would be over the cipher text');
  assert.is(shown(cipher).get('version'), 'the image does not tell');
});

test('EBL: pages in a row are one line, a gap begins another', () => {
  const page = (address: number): [number, number[]] => [
    0xfd03,
    [8, 0, address >>> 8, address & 0xff, 1, 2],
  ];
  const file = naiveEbl([naiveEblHeader(), page(0x4080), page(0x4082), page(0x5000)]);
  const image = read(file, 'ebl');
  assert.is(image.version, undefined);
  assert.is(image.sendBytes.length + image.outsideBytes, file.length);
  const programs = describeHubImage(image).filter(({ label }) => label === 'erase and program');
  assert.equal(
    programs.map(({ value }) => value),
    ['2 tags, 4 bytes, 0x08004080 to 0x08004083', '1 tags, 2 bytes, 0x08005000 to 0x08005001'],
  );
});

test('a file is read as one profile only', () => {
  const files = {
    mcuboot: naiveMcuboot(SIGNED),
    gbl: naiveGbl([naiveGblHeader(0), [0xfe0101fe, counting(5)]]),
    ebl: naiveEbl([naiveEblHeader(), [0xfe01, counting(5)]]),
  };
  for (const [own, file] of Object.entries(files)) {
    for (const profile of ['mcuboot', 'gbl', 'ebl'] as const) {
      const image = readHubImage(file, profile);
      assert.is(image.ok || image.code, own === profile ? true : 'other-format');
    }
  }
  assert.ok(isHubImageProfile('gbl'));
  assert.not(isHubImageProfile('zigbee-ota') || isHubImageProfile('toString'));
});

test('versions are compared part by part, most significant first', () => {
  const rising = ['0.0.0', '0.0.1', '0.0.1+1', '0.0.2', '0.0.10', '0.1.0', '1.0.0+9', '2.0.0'];
  const versions = rising.map((text) => hubVersionOf(parseMcubootVersion(text)!));
  versions.forEach((a, i) => {
    versions.forEach((b, j) => {
      assert.is(Math.sign(compareHubVersions(a, b)), Math.sign(i - j), `${a.text} ${b.text}`);
    });
  });
  assert.throws(() => compareHubVersions(versions[0]!, { parts: [1] }), /as many parts/);
});

test.run();
