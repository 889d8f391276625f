/** Keys are trusted for what their sub-folder says, and a key that says nothing is an error. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { loadTrustAnchors } from '../../src/gateway/trust-folder.ts';

const test = suite('trust folder');
const SHIPPED = resolve(import.meta.dirname, '../../firmware/trust');
const KEY = join(SHIPPED, 'mcuboot/test-hub-mcuboot.pem');
const root = mkdtempSync(join(tmpdir(), 'uplift-trust-'));
test.after(() => rmSync(root, { recursive: true }));

/** A folder with a copy of one key under each of the names. */
function folderOf(...names: string[]): string {
  const folder = mkdtempSync(join(root, 'trust-'));
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(KEY, join(folder, name));
  }
  return folder;
}

function refusal(folder: string): UpliftError {
  try {
    loadTrustAnchors(folder);
  } catch (error) {
    assert.instance(error, UpliftError, String(error));
    const { exit, expected, actual, next } = error as UpliftError;
    assert.is(exit, 2);
    assert.ok(expected && actual && next, 'expected, found and next are said');
    return error as UpliftError;
  }
  throw new Error('it was taken');
}

test('the shipped folder: one key for each purpose', () => {
  const anchors = loadTrustAnchors(SHIPPED);
  assert.equal(Object.keys(anchors), ['gbl', 'mcuboot', 'zigbee']);
  for (const keys of Object.values(anchors)) assert.is(keys?.length, 1);
});

test('what is beside keys and purposes is left alone', () => {
  const folder = folderOf('gbl/a.pem', 'gbl/b.pem', 'zigbee/readme.txt', 'notes/readme.txt');
  writeFileSync(join(folder, 'README.md'), 'whose keys these are');
  const anchors = loadTrustAnchors(folder);
  assert.is(anchors.gbl?.length, 2);
  assert.equal(anchors.zigbee, []);
  assert.is(anchors.mcuboot, undefined);
});

test('links are followed, as mounted secrets have them', () => {
  const folder = folderOf();
  symlinkSync(join(SHIPPED, 'gbl'), join(folder, 'gbl'));
  symlinkSync(join(root, 'nowhere'), join(folder, 'mcuboot'));
  assert.is(loadTrustAnchors(folder).gbl?.length, 1);
});

const WRONG: [string, string, string][] = [
  ['a key beside the sub-folders', 'a.pem', 'trust-purpose-unknown'],
  ['a sub-folder of another name', 'hubs/a.pem', 'trust-purpose-unknown'],
  ['a format that nobody signs', 'ebl/a.pem', 'trust-purpose-unknown'],
  ['a name of every object', 'toString/a.pem', 'trust-purpose-unknown'],
  ['no key at all', 'zigbee/readme.txt', 'trust-anchors-missing'],
  ['keys one folder too deep', 'zigbee/old/a.pem', 'trust-anchors-missing'],
];

for (const [name, file, code] of WRONG) {
  test(`${name}: ${code}`, () => assert.is(refusal(folderOf(file)).code, code));
}

test('one misplaced key spoils the folder, and is named', () => {
  const error = refusal(folderOf('gbl/a.pem', 'hubs/b.pem'));
  assert.is(error.code, 'trust-purpose-unknown');
  assert.match(error.message, 'hubs');
  assert.match(error.expected!, /zigbee\/ for .*mcuboot\/ for .*gbl\/ for /);
});

test('no folder, a file, a key that is none, a folder with the name of a key', () => {
  assert.is(refusal(join(root, 'none')).code, 'file-unreadable');
  assert.is(refusal(KEY).code, 'file-unreadable');
  const folder = folderOf('gbl/a.pem');
  writeFileSync(join(folder, 'gbl/b.pem'), 'garbage');
  assert.is(refusal(folder).code, 'key-unreadable');
  assert.match(refusal(folder).message, 'b.pem');
  const named = folderOf();
  mkdirSync(join(named, 'gbl/c.pem'), { recursive: true });
  assert.is(refusal(named).code, 'file-unreadable');
});

test.run();
