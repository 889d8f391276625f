/** What was admitted is what is sent, whatever became of the file between the two. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { gatherImageFacts } from '../../src/admission/facts.ts';
import { checkBytes, tokenFor } from '../../src/admission/token.ts';
import { UpliftError } from '../../src/errors.ts';
import { readAdmitted } from '../../src/transport/zigbee/checked-image.ts';
import { concat, counting, naiveImage } from '../image/naive-ota.ts';

const test = suite('checked image');
const ADMITTED = naiveImage({ body: counting(300) });
const OTHER = naiveImage({ body: counting(300, 1) });

const folder = mkdtempSync(join(tmpdir(), 'uplift-checked-image-'));
const path = join(folder, 'image.zigbee');
test.before.each(() => {
  rmSync(path, { force: true });
  writeFileSync(path, ADMITTED);
});
test.after(() => rmSync(folder, { recursive: true }));

function token(file: Uint8Array = ADMITTED) {
  const { facts } = gatherImageFacts(file, { profile: 'gb-ppmid' });
  if (!facts.ok) throw new Error(facts.message);
  return tokenFor(facts);
}

function refused(work: () => unknown): void {
  let thrown: unknown;
  try {
    work();
  } catch (error) {
    thrown = error;
  }
  assert.instance(thrown, UpliftError);
  assert.is((thrown as UpliftError).code, 'image-changed');
}

const read = (offset = 0) => readAdmitted(path, offset, token());

test('the file as it was', () => {
  assert.equal(read(), ADMITTED);
});

test('written over', () => {
  writeFileSync(path, OTHER);
  refused(read);
});

test('one bit of it', () => {
  for (let bit = 0; bit < ADMITTED.length * 8; bit += 101) {
    const changed = ADMITTED.slice();
    changed[bit >>> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, changed);
    refused(read);
  }
});

test('a second image of the same name', () => {
  writeFileSync(`${path}.new`, OTHER);
  renameSync(`${path}.new`, path);
  refused(read);
});

test('a link in its place, whatever it leads to', () => {
  writeFileSync(join(folder, 'other'), OTHER);
  writeFileSync(join(folder, 'same'), ADMITTED);
  rmSync(path);
  symlinkSync(join(folder, 'other'), path);
  refused(read);
  rmSync(path);
  symlinkSync(join(folder, 'same'), path);
  refused(read);
});

test('cut short, and grown: not a byte more than was admitted', () => {
  truncateSync(path, ADMITTED.length - 1);
  refused(read);
  writeFileSync(path, ADMITTED);
  appendFileSync(path, counting(1000).join());
  assert.equal(read(), ADMITTED);
});

test('at its place in a wrapper, and at no other', () => {
  writeFileSync(path, concat(counting(10), ADMITTED));
  assert.equal(read(10), ADMITTED);
  refused(() => read(9));
  refused(() => read(100_000));
});

test('a pipe in its place is not waited for', () => {
  rmSync(path);
  execFileSync('mkfifo', [path]);
  refused(read);
});

test('once read, the file may change: the buffer is what is sent', () => {
  const bytes = read();
  writeFileSync(path, OTHER);
  assert.ok(checkBytes(token(), bytes).ok);
  assert.not(checkBytes(token(OTHER), bytes).ok);
});

test.run();
