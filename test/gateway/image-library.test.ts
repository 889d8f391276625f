import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { FILE_BYTES_MAX, ImageFile, loadImage } from '../../src/gateway/image-library.ts';
import { loadCentralProductsList } from '../../src/gateway/list-library.ts';
import { FIRMWARE, sha256Of } from '../support/rigs.ts';

const test = suite('image library');
const HUB = {
  mcuboot: join(FIRMWARE.list, '../hub-2.0.0-test.mcuboot.bin'),
  gbl: join(FIRMWARE.list, '../hub-00020000-test.gbl'),
};
const folder = mkdtempSync(join(tmpdir(), 'uplift-library-'));
test.after(() => rmSync(folder, { recursive: true }));

function refusal(body: () => unknown): UpliftError {
  try {
    body();
  } catch (error) {
    assert.instance(error, UpliftError, String(error));
    const { exit, expected, actual, next } = error as UpliftError;
    assert.is(exit, 2);
    assert.ok(expected && actual && next, 'expected, found and next are said');
    return error as UpliftError;
  }
  throw new Error('it was taken');
}

function saved(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('an image with its facts, the path absolute for whoever opens it next', () => {
  const path = relative(process.cwd(), FIRMWARE.new);
  const loaded = loadImage(path, { profile: 'gb-ppmid' });
  const { facts, image, sha256, file, path: absolute, sendBytes } = loaded;
  assert.ok(facts.ok);
  assert.is(absolute, FIRMWARE.new);
  assert.is(file.length, 262_204);
  assert.is(image!.bytes.length, 262_204);
  assert.is(sendBytes, image!.bytes);
  assert.is(loaded.hubImage, undefined);
  assert.is(sha256, sha256Of(FIRMWARE.new));
});

test('a file that is no image is a fact, not an error', () => {
  for (const content of ['', 'x', '%PDF-1.7']) {
    for (const profile of ['gb-ppmid', 'mcuboot', 'gbl', 'ebl'] as const) {
      const loaded = loadImage(saved('no-image', content), { profile });
      const { facts, image, hubImage, sha256, sendBytes } = loaded;
      assert.is(facts.ok, false);
      assert.equal([image, hubImage, sha256], [undefined, undefined, undefined]);
      assert.is(sendBytes.length, 0, 'nothing of it may leave');
    }
  }
});

test("a hub's image: what leaves ends where the image does, and the hash is of just that", () => {
  const bytes = new Uint8Array(readFileSync(HUB.mcuboot));
  const padded = saved('padded.bin', Buffer.concat([bytes, Buffer.alloc(4096, 0xff)]));
  const { facts, image, hubImage, sha256, sendBytes } = loadImage(padded, { profile: 'mcuboot' });
  assert.ok(facts.ok && facts.kind === 'hub');
  assert.is(image, undefined);
  assert.is(hubImage!.sendBytes, sendBytes);
  assert.equal(sendBytes, bytes);
  assert.is(sha256, sha256Of(HUB.mcuboot));
  assert.equal([facts.sendSha256, facts.sendBytes], [sha256, bytes.length]);
  assert.is(facts.outsideBytes, 4096);
});

const KINDS = ['gb-ppmid', 'gb-signed', 'mcuboot', 'gbl', 'ebl'] as const;

test('which devices a file can be for, and how each is to be told of it', () => {
  const told: [string, (typeof KINDS)[number][], string[]][] = [
    // A hub's image is what its bytes say; an OTA file is what the device takes.
    [HUB.mcuboot, ['mcuboot'], ['mcuboot', 'mcuboot', 'mcuboot', 'mcuboot', 'mcuboot']],
    [HUB.gbl, ['gbl'], ['gbl', 'gbl', 'gbl', 'gbl', 'gbl']],
    [
      FIRMWARE.new,
      ['gb-ppmid', 'gb-signed'],
      ['gb-ppmid', 'gb-signed', 'gb-ppmid', 'gb-ppmid', 'gb-ppmid'],
    ],
    [saved('garbage', 'garbage'), [...KINDS], [...KINDS]],
    [saved('wrapped', `:wrapped`), [...KINDS], [...KINDS]],
    [saved('zip', 'PK\x03\x04'), [...KINDS], [...KINDS]],
  ];
  for (const [path, takers, profiles] of told) {
    const file = new ImageFile(path, {});
    assert.equal(
      KINDS.filter((kind) => file.isFor(kind)),
      takers,
      path,
    );
    assert.equal(
      KINDS.map((kind) => file.profileFor(kind)),
      profiles,
      path,
    );
    for (const kind of KINDS) assert.is(file.for(kind), file.as(file.profileFor(kind)));
  }
});

test('what cannot be read: nothing there, a folder, a pipe, a device', () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const below = join(saved('file', ''), 'below');
  for (const path of [join(folder, 'none'), folder, pipe, '/dev/zero', below, '']) {
    const error = refusal(() => loadImage(path, { profile: 'gb-ppmid' }));
    assert.is(error.code, 'file-unreadable', path);
  }
});

test('a file larger than any image is not read', () => {
  const path = saved('large', '');
  truncateSync(path, 100_000_000);
  const before = process.memoryUsage().arrayBuffers;
  assert.is(refusal(() => loadImage(path, { profile: 'gb-ppmid' })).code, 'file-too-large');
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  truncateSync(path, FILE_BYTES_MAX);
  assert.is(loadImage(path, { profile: 'gb-ppmid' }).facts.ok, false, 'one of just the size is');
});

test('a Central Products List, and what is none', () => {
  assert.ok(loadCentralProductsList(FIRMWARE.list).entries.length > 0);
  const text = readFileSync(FIRMWARE.list, 'utf8');
  const wrong = [
    '',
    'garbage',
    '\0\0',
    text.replace('entry_id', 'id'),
    text.replace(',status,', ','),
    '[]',
  ];
  for (const content of wrong) {
    const error = refusal(() => loadCentralProductsList(saved('cpl.csv', content)));
    assert.match(error.message, 'cpl.csv');
    assert.match(error.actual!, /^line \d+|something else/);
  }
  assert.is(refusal(() => loadCentralProductsList(folder)).code, 'file-unreadable');
});

test.run();
