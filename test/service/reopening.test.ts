/** When a store that failed is opened anew: not before its disk keeps bytes, and ever more seldom. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Reopening } from '../../src/service/reopening.ts';
import { type FileSystem, realFiles } from '../../src/store/files.ts';

const test = suite('opening the store anew');

const LIMITS = { firstMs: 10, longestMs: 60, forgottenMs: 1_000 };

function desk() {
  const disk = { isFull: false, probes: 0 };
  const files: FileSystem = {
    ...realFiles,
    open: () => 1,
    write(_descriptor, bytes) {
      disk.probes++;
      if (disk.isFull)
        throw Object.assign(new Error('no room'), { code: 'ENOSPC', syscall: 'write' });
      return bytes.length;
    },
    sync() {},
    close() {},
    remove() {},
  };
  return { disk, reopening: new Reopening('/nowhere', { files, limits: LIMITS }) };
}

test('a store that is well is never opened anew, and its disk is not touched', () => {
  const { disk, reopening } = desk();
  for (let ms = 0; ms < 5_000; ms += 100) assert.not.ok(reopening.isDue(false, ms));
  assert.is(disk.probes, 0);
});

test('after a fault it waits, then asks the disk, and waits twice as long where that keeps nothing', () => {
  const { disk, reopening } = desk();
  disk.isFull = true;
  const asked: number[] = [];
  for (let ms = 0; ms < 300; ms++) {
    const before = disk.probes;
    assert.not.ok(reopening.isDue(true, ms));
    if (disk.probes > before) asked.push(ms);
  }
  assert.equal(asked, [10, 30, 70, 130, 190, 250], 'the longest wait is 60');
  disk.isFull = false;
  assert.not.ok(reopening.isDue(true, 309));
  assert.ok(reopening.isDue(true, 310));
});

test('one that fails again and again is opened more and more seldom, until it was well for long', () => {
  const { reopening } = desk();
  const waits: number[] = [];
  let nowMs = 0;
  const fault = () => {
    const fromMs = nowMs;
    while (!reopening.isDue(true, nowMs)) nowMs++;
    waits.push(nowMs - fromMs);
    reopening.isDue(false, ++nowMs);
  };
  for (let n = 0; n < 4; n++) fault();
  assert.equal(waits, [10, 20, 40, 60]);
  reopening.isDue(false, nowMs);
  nowMs += 1_001;
  reopening.isDue(false, nowMs);
  fault();
  assert.is(waits.at(-1), 10);
});

test('what is no fault of the disk is not swallowed', () => {
  const broken = { ...realFiles, open: () => fail() };
  const reopening = new Reopening('/nowhere', { files: broken, limits: LIMITS });
  reopening.isDue(true, 0);
  assert.throws(() => reopening.isDue(true, 10), /a bug/);
});

function fail(): never {
  throw new Error('a bug');
}

test.run();
