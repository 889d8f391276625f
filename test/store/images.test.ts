/** Images: named by what they are, whole or not there, hashed again at use. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { ImageStore, type ImageStoreOptions } from '../../src/store/images.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { seededBytes } from '../bench/bench.ts';
import { temporaryFolder } from './failing-files.ts';

const test = suite('images');
const root = temporaryFolder('images');
let folders = 0;
const newFolder = () => join(root, `${++folders}`);
const NOW = Date.UTC(2026, 0, 1);

const IMAGE = seededBytes(1_000, 1);
const SHA256 = sha256Hex(IMAGE);

function open(folder = newFolder(), options: ImageStoreOptions = {}) {
  return ImageStore.open(folder, { reserveBytes: 0, ...options }, NOW);
}

function begin(images: ImageStore, bytes = IMAGE, name = 'image.zigbee'): string {
  const begun = images.begin({ bytes: bytes.length, sha256: sha256Hex(bytes), name }, NOW);
  assert.ok(begun.ok && begun.kind === 'upload', JSON.stringify(begun));
  return begun.uploadId;
}

function store(images: ImageStore, bytes = IMAGE): string {
  const uploadId = begin(images, bytes);
  assert.ok(images.append(uploadId, 0, bytes, NOW).ok);
  const finished = images.finish(uploadId);
  assert.ok(finished.ok, JSON.stringify(finished));
  return sha256Hex(bytes);
}

const codeOf = (answer: { ok: boolean; code?: string }) => (answer.ok ? 'ok' : answer.code);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && !file.name.endsWith('.lock'))
    .map((file) => file.name)
    .sort();
}

test('uploaded in pieces, named by its hash, found again, and the bytes are the same', () => {
  const folder = newFolder();
  const { images } = open(folder);
  const uploadId = begin(images);
  for (let at = 0; at < IMAGE.length; at += 300) {
    const answer = images.append(uploadId, at, IMAGE.subarray(at, at + 300), NOW);
    assert.equal(answer, { ok: true, offset: Math.min(at + 300, IMAGE.length) });
  }
  assert.equal(images.finish(uploadId), {
    ok: true,
    sha256: SHA256,
    bytes: 1000,
    name: 'image.zigbee',
  });
  assert.is(codeOf(images.finish(uploadId)), 'upload-unknown');
  assert.equal(filesBelow(folder), [`${SHA256}.img`]);
  images.close();
  const { images: again, report } = open(folder);
  assert.equal(report, { images: 1, uploads: 0, leftOvers: [] });
  const opened = again.open(SHA256);
  assert.ok(opened.ok && Buffer.from(opened.bytes).equals(IMAGE));
  assert.equal(again.begin({ bytes: 1000, sha256: SHA256, name: 'x' }, NOW), {
    ok: true,
    kind: 'present',
    sha256: SHA256,
  });
  again.close();
});

test('21d: the second half of another file, and every flipped bit: nothing is kept', () => {
  const folder = newFolder();
  const { images } = open(folder);
  const other = seededBytes(1_000, 2);
  const uploadId = begin(images);
  images.append(uploadId, 0, IMAGE.subarray(0, 500), NOW);
  images.append(uploadId, 500, other.subarray(500), NOW);
  assert.is(codeOf(images.finish(uploadId)), 'digest-differs');
  assert.equal([filesBelow(folder), images.list()], [[], []]);
  for (let bit = 0; bit < IMAGE.length * 8; bit += 397) {
    const flipped = Uint8Array.from(IMAGE);
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    const id = begin(images);
    images.append(id, 0, flipped, NOW);
    assert.is(codeOf(images.finish(id)), 'digest-differs');
  }
  assert.equal(filesBelow(folder), []);
  images.close();
});

test('10a: endless data ends at the stated length, and nothing is kept', () => {
  const folder = newFolder();
  const { images } = open(folder);
  const uploadId = begin(images);
  assert.ok(images.append(uploadId, 0, IMAGE, NOW).ok);
  assert.is(codeOf(images.append(uploadId, 1000, new Uint8Array(1), NOW)), 'upload-too-long');
  assert.is(codeOf(images.append(uploadId, 1000, new Uint8Array(1), NOW)), 'upload-unknown');
  const second = begin(images);
  assert.is(codeOf(images.append(second, 0, new Uint8Array(5000), NOW)), 'upload-too-long');
  assert.equal(filesBelow(folder), []);
  images.close();
});

test('an upload goes on after a restart, from where it is told', () => {
  const folder = newFolder();
  const first = open(folder);
  const uploadId = begin(first.images);
  first.images.append(uploadId, 0, IMAGE.subarray(0, 700), NOW);
  first.images.close();
  const { images, report } = open(folder);
  assert.is(report.uploads, 1);
  const wrong = images.append(uploadId, 100, IMAGE.subarray(100), NOW);
  assert.equal([codeOf(wrong), 'offset' in wrong && wrong.offset], ['upload-offset', 700]);
  const status = images.status(uploadId);
  assert.ok(status.ok);
  assert.equal([status.offset, status.bytes], [700, 1000]);
  assert.is(codeOf(images.finish(uploadId)), 'upload-incomplete');
  assert.ok(images.append(uploadId, 700, IMAGE.subarray(700), NOW).ok);
  assert.ok(images.finish(uploadId).ok);
  assert.ok(images.open(SHA256).ok);
  images.close();
});

test('13a: one bit flipped at rest: never handed out, set aside, and taken anew', () => {
  const folder = newFolder();
  const { images } = open(folder);
  store(images);
  const path = join(folder, 'images', SHA256.slice(0, 2), `${SHA256}.img`);
  for (const damage of ['flip', 'cut', 'longer', 'gone']) {
    const bytes = Buffer.from(IMAGE);
    if (damage === 'flip') bytes[500]! ^= 1;
    const length = { cut: 999, longer: 1001 }[damage] ?? 1000;
    if (damage === 'gone') rmSync(path);
    else writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(1)]).subarray(0, length));
    const expected = damage === 'gone' ? 'image-missing' : 'image-poisoned';
    assert.is(codeOf(images.open(SHA256)), expected, damage);
    assert.is(codeOf(images.open(SHA256)), 'image-missing');
    assert.is(images.state.state, 'ready');
    store(images);
    assert.ok(images.open(SHA256).ok);
  }
  assert.is(readdirSync(join(folder, 'poisoned')).length, 3);
  writeFileSync(path, Buffer.alloc(1000));
  begin(images);
  assert.is(readdirSync(join(folder, 'poisoned')).length, 4);
  images.close();
});

test('21b, 25d: no name becomes a path, and no id but one that was given out', () => {
  const folder = newFolder();
  const { images } = open(folder);
  const names = ['../../x', '/etc/passwd', 'a\0b', '..%2f..%2fx', 'x'.repeat(10_000), '', 'CON'];
  for (const name of names) {
    const id = begin(images, IMAGE, name);
    assert.ok(images.abandon(id).ok);
    for (const answer of [
      images.append(name, 0, IMAGE, NOW),
      images.finish(name),
      images.abandon(name),
      images.status(name),
    ]) {
      assert.is(codeOf(answer), 'upload-unknown');
    }
    assert.is(codeOf(images.begin({ bytes: 10, sha256: name, name }, NOW)), 'digest-malformed');
    assert.is(codeOf(images.open(name)), 'image-missing');
  }
  const upper = SHA256.toUpperCase();
  assert.is(codeOf(images.begin({ bytes: 10, sha256: upper, name: '' }, NOW)), 'digest-malformed');
  assert.equal(filesBelow(folder), []);
  assert.equal(
    readdirSync(root).filter((name) => !/^\d+$/.test(name)),
    [],
  );
  images.close();
});

test('bounds: of an image, of all of them, of the disk, of uploads', () => {
  const sizes = { imageBytesMax: 1000, totalBytesMax: 2500, uploadsMax: 2 };
  const { images } = open(newFolder(), sizes);
  for (const bytes of [0, -1, 1.5, 1001, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
    assert.is(codeOf(images.begin({ bytes, sha256: SHA256, name: '' }, NOW)), 'image-size');
  }
  const asked = (seed: number) => {
    const bytes = seededBytes(1000, seed);
    return { bytes: 1000, sha256: sha256Hex(bytes), name: '' };
  };
  begin(images, seededBytes(1000, 10));
  const second = begin(images, seededBytes(1000, 11));
  assert.is(codeOf(images.begin(asked(12), NOW)), 'uploads-many');
  images.abandon(second);
  store(images, seededBytes(1000, 12));
  assert.is(images.usedBytes, 2000);
  assert.is(codeOf(images.begin(asked(13), NOW)), 'store-full');
  images.close();
  const { images: small } = open(newFolder(), { reserveBytes: 2 ** 50 });
  assert.is(codeOf(small.begin(asked(13), NOW)), 'disk-low');
  small.close();
});

test('a stale upload is forgotten, a live one is not', () => {
  const folder = newFolder();
  const { images } = open(folder, { staleMs: 1000 });
  assert.is(images.pollTimeout(), Number.POSITIVE_INFINITY);
  const stale = begin(images);
  const live = begin(images, seededBytes(1000, 3));
  images.append(live, 0, new Uint8Array(1), NOW + 500);
  assert.is(images.pollTimeout(), NOW + 1000);
  images.handleTimeout(NOW + 999);
  assert.ok(images.status(stale).ok);
  images.handleTimeout(NOW + 1000);
  assert.is(codeOf(images.status(stale)), 'upload-unknown');
  assert.ok(images.status(live).ok);
  assert.is(filesBelow(folder).length, 2);
  images.close();
});

test('only what nothing needs is deleted', () => {
  const { images } = open();
  const [first, second] = [4, 5].map((seed) => store(images, seededBytes(1000, seed)));
  assert.equal(images.removeUnused(new Set([second!])), { ok: true, removed: [first] });
  assert.equal(
    images.list().map(({ sha256 }) => sha256),
    [second],
  );
  images.close();
});

test('what a killed process left is cleared away, and nothing else is taken for an image', () => {
  const folder = newFolder();
  const { images } = open(folder);
  store(images);
  images.close();
  const put = (name: string, text = '{}') => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  const id = 'ab'.repeat(16);
  put(`uploads/${id}.part`);
  put(`uploads/${'cd'.repeat(16)}.json`);
  put(`uploads/${'ef'.repeat(16)}.json.new`);
  put(`images/zz/${SHA256}.img`);
  put('images/ab/readme.txt');
  const { images: again, report } = open(folder);
  assert.equal([report.images, report.uploads, report.leftOvers.length], [1, 0, 3]);
  assert.equal(readFileSync(join(folder, 'images/ab/readme.txt'), 'utf8'), '{}');
  again.close();
});

test('one process has it', () => {
  const folder = newFolder();
  const { images } = open(folder);
  try {
    open(folder);
    assert.unreachable('it is in use');
  } catch (error) {
    assert.is((error as UpliftError).code, 'store-in-use');
    assert.instance(error, UpliftError);
  }
  images.close();
});

test.run();
