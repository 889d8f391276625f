import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import {
  FILE_BYTES_MAX,
  loadCentralProductsList,
  loadImage,
  loadTrustAnchors,
} from '../../src/gateway/image-library.ts';
import { FIRMWARE, sha256Of } from '../support/rigs.ts';

const test = suite('image library');
const ANCHORS = join(FIRMWARE.list, '../trust');
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
  const { facts, image, sha256, file, path: absolute } = loadImage(path, { profile: 'gb-ppmid' });
  assert.ok(facts.ok);
  assert.is(absolute, FIRMWARE.new);
  assert.is(file.length, 262_204);
  assert.is(image!.bytes.length, 262_204);
  assert.is(sha256, sha256Of(FIRMWARE.new));
});

test('a file that is no image is a fact, not an error', () => {
  for (const content of ['', 'x', '%PDF-1.7']) {
    const { facts, image, sha256 } = loadImage(saved('no-image', content), { profile: 'gb-ppmid' });
    assert.is(facts.ok, false);
    assert.is(image, undefined);
    assert.is(sha256, undefined);
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

test('trust anchors, and what is none', () => {
  assert.is(loadTrustAnchors(ANCHORS).length, 3);
  const own = join(folder, 'trust');
  mkdirSync(own);
  assert.is(refusal(() => loadTrustAnchors(own)).code, 'trust-anchors-missing');
  assert.is(refusal(() => loadTrustAnchors(join(own, 'none'))).code, 'file-unreadable');
  saved('trust/a.pem', 'garbage');
  assert.match(refusal(() => loadTrustAnchors(own)).message, 'a.pem');
  rmSync(join(own, 'a.pem'));
  mkdirSync(join(own, 'b.pem'));
  assert.is(refusal(() => loadTrustAnchors(own)).code, 'file-unreadable', 'a folder is no key');
});

test.run();
