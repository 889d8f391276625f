/**
 * Every operation of the store × every fault: what was acknowledged is there afterwards, nothing half
 * done is taken for whole, and a store with a fault takes no more until it is opened anew.
 *
 * Faults are made three ways: in the file port, at every operation of a clean run; at the commit of every
 * transaction, as SQLite would tell them; and for real, by the limits that an unprivileged process can
 * put on its own files.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkChain, parseRecord } from '../../src/audit/chain.ts';
import { UpliftError } from '../../src/errors.ts';
import { codeOfError, STORE_CODES, type StoreCode } from '../../src/store/codes.ts';
import { type FileSystem, realFiles } from '../../src/store/files.ts';
import { ImageStore } from '../../src/store/images.ts';
import { Journal, type JournalOptions } from '../../src/store/journal.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { seededBytes } from '../bench/bench.ts';
import {
  FAULTS,
  FailingFiles,
  type Fault,
  sqliteError,
  systemError,
  temporaryFolder,
} from '../store/failing-files.ts';

const test = suite('store faults');
const root = temporaryFolder('faults');
let folders = 0;
const newFolder = () => join(root, `${++folders}`);
const NOW = Date.UTC(2026, 0, 1);

/** Which faults are told by which code; `short` is none, the rest of the bytes follows. */
const CODES: Record<Fault, StoreCode[]> = {
  ENOSPC: ['no-space', 'sync-failed'],
  EIO: ['io', 'sync-failed'],
  EROFS: ['read-only', 'sync-failed'],
  EMFILE: ['open-files', 'sync-failed'],
  short: [],
};

interface Course {
  acknowledged: number[];
  error: UpliftError | undefined;
}

/** A journal's life: every kind of write it does. Ends at the first error. */
function live(folder: string, options: JournalOptions): Course {
  const course: Course = { acknowledged: [], error: undefined };
  let journal: Journal | undefined;
  try {
    ({ journal } = Journal.open(folder, options, NOW));
    for (let n = 1; n <= 6; n++) {
      if (n === 3) journal.note({ kind: 'progress' }, NOW + n);
      const records = journal.append([{ kind: 'event', n }], NOW + n);
      course.acknowledged.push(...records.map(({ sequence }) => sequence));
      if (n === 4) journal.retire({ beforeSequence: 3 }, NOW + n);
    }
    journal.exportTo(join(folder, 'export.jsonl'));
    journal.handleTimeout(NOW + 60_000);
    assert.equal(journal.check().findings, []);
  } catch (error) {
    assert.instance(error, UpliftError, `${(error as Error).stack}`);
    course.error = error as UpliftError;
    if (journal) checkAfterFault(journal, course);
  } finally {
    closeQuietly(journal);
  }
  return course;
}

/** Closing cannot repair anything, and what it cannot do any more it says. */
function closeQuietly(store: { close(): void } | undefined): void {
  try {
    store?.close();
  } catch (error) {
    assert.ok(error instanceof UpliftError || codeOfError(error) !== undefined, `${error}`);
  }
}

function checkAfterFault(journal: Journal, { acknowledged }: Course): void {
  const { state } = journal;
  if (state.state === 'ready') return;
  assert.is(state.message, STORE_CODES[state.code]);
  try {
    journal.append([{ kind: 'event' }], NOW);
    assert.unreachable('a faulted journal takes no more');
  } catch (error) {
    assert.is((error as UpliftError).code, 'store-faulted');
  }
  assert.is(journal.pollTimeout(), Number.POSITIVE_INFINITY);
  const there = [...journal.records()].map(({ sequence }) => sequence);
  for (const sequence of acknowledged) {
    assert.ok(there.includes(sequence) || sequence < 3, `record ${sequence} is readable`);
  }
}

/** Opened anew, on a disk that is well again: nothing acknowledged is missing. */
function checkReopened(folder: string, { acknowledged }: Course, what: string): void {
  const { journal, report } = Journal.open(folder, {}, NOW);
  assert.is(report.damage, undefined, `${what}: ${JSON.stringify(report.damage)}`);
  assert.equal(journal.check().findings, [], what);
  const there = new Set([...journal.records()].map(({ sequence }) => sequence));
  for (const sequence of archivedNumbers(folder)) there.add(sequence);
  for (const sequence of acknowledged) assert.ok(there.has(sequence), `${what}: ${sequence}`);
  const newest = Math.max(0, ...there);
  assert.is(journal.append([{ kind: 'event' }], NOW)[0]!.sequence, newest + 1, what);
  journal.close();
}

function archivedNumbers(folder: string): number[] {
  const archive = join(folder, 'archive');
  if (!existsSync(archive)) return [];
  return readdirSync(archive)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(archive, name), 'utf8').trimEnd().split('\n'))
    .map((line) => parseRecord(line)!.sequence);
}

test('journal: each file operation fails once, with each fault', () => {
  const clean = new FailingFiles();
  const whole = live(newFolder(), { files: clean });
  assert.equal([whole.error, whole.acknowledged.length], [undefined, 6]);
  assert.ok(clean.operations > 60, `${clean.operations} operations`);
  let noticed = 0;
  for (let at = 1; at <= clean.operations; at++) {
    for (const fault of FAULTS) {
      const folder = newFolder();
      const files = new FailingFiles(at, fault);
      const course = live(folder, { files });
      const what = `${fault} at operation ${at} (${files.failed})`;
      if (course.error) noticed++;
      if (fault === 'short') assert.is(course.error, undefined, what);
      else checkTold(course.error, CODES[fault], what);
      checkReopened(folder, course, what);
    }
  }
  // Only what is left to be closed when all is done can fail without a word.
  assert.ok(noticed > clean.operations * 4 * 0.9, `${noticed} noticed`);
});

function checkTold(error: UpliftError | undefined, codes: StoreCode[], what: string): void {
  if (!error) return;
  assert.ok(error.expected && error.actual && error.next, what);
  const code = codeOfError(error.cause);
  assert.ok(code !== undefined && codes.includes(code), `${what}: ${code}`);
}

test('journal: the disk fails for good from each operation on', () => {
  const clean = new FailingFiles();
  live(newFolder(), { files: clean });
  for (let at = 1; at <= clean.operations; at++) {
    for (const fault of ['ENOSPC', 'EIO', 'EROFS'] as const) {
      const folder = newFolder();
      const course = live(folder, { files: new FailingFiles(at, fault, true) });
      checkReopened(folder, course, `${fault} from operation ${at}`);
    }
  }
});

test('journal: every commit fails as SQLite would tell it', () => {
  const faults: [number, StoreCode][] = [
    [13, 'no-space'],
    [10, 'io'],
    [778, 'io'],
    [1034, 'sync-failed'],
    [1290, 'sync-failed'],
    [8, 'read-only'],
    [11, 'damaged'],
    [14, 'denied'],
  ];
  for (let at = 1; at <= 8; at++) {
    for (const [errcode, code] of faults) {
      const folder = newFolder();
      let commits = 0;
      const beforeCommit = () => {
        if (++commits === at) throw sqliteError(errcode);
      };
      // Damage that is found while a journal is made is damage, not a fault: it has no records yet.
      if (at === 1 && code === 'damaged') continue;
      const course = live(folder, { beforeCommit });
      assert.is(codeOfError(course.error?.cause), code, `commit ${at}, ${errcode}`);
      checkReopened(folder, course, `commit ${at}, ${errcode}`);
    }
  }
});

test('journal: held by another program, it says so and goes on', () => {
  let isBusy = true;
  const beforeCommit = () => {
    if (isBusy) throw sqliteError(5);
  };
  const folder = newFolder();
  isBusy = false;
  const { journal } = Journal.open(folder, { beforeCommit }, NOW);
  isBusy = true;
  assert.throws(() => journal.append([{ kind: 'event' }], NOW), /Another program/);
  assert.is(journal.state.state, 'ready');
  isBusy = false;
  assert.is(journal.append([{ kind: 'event' }], NOW)[0]!.sequence, 1);
  journal.close();
});

test('journal: notes that could not be written wait for the next that can', () => {
  let isBusy = false;
  const beforeCommit = () => {
    if (isBusy) throw sqliteError(5);
  };
  const { journal } = Journal.open(newFolder(), { beforeCommit }, NOW);
  journal.note({ kind: 'progress' }, NOW);
  isBusy = true;
  assert.throws(() => journal.handleTimeout(NOW + 5000), /Another program/);
  isBusy = false;
  assert.is(journal.append([{ kind: 'event' }], NOW)[0]!.sequence, 2);
  journal.close();
});

test('SQLITE_FULL for real: it stops, keeps what it had, and can be retired and gone on with', () => {
  const folder = newFolder();
  const options = { bytesMax: 65_536 };
  const { journal } = Journal.open(folder, options, NOW);
  let acknowledged = 0;
  const fill = () => {
    for (;;) {
      acknowledged = journal.append([{ kind: 'event', text: 'x'.repeat(500) }], NOW)[0]!.sequence;
    }
  };
  assert.throws(fill, /full/);
  assert.equal([journal.state.state, journal.head.sequence], ['faulted', acknowledged]);
  assert.ok(acknowledged > 50);
  journal.close();
  const { journal: reopened, report } = Journal.open(folder, options, NOW);
  assert.equal([report.damage, report.records], [undefined, acknowledged]);
  reopened.retire({ beforeSequence: acknowledged - 10 }, NOW);
  reopened.append([{ kind: 'event' }], NOW);
  assert.equal(reopened.check().findings, []);
  reopened.close();
});

interface ChildEnd {
  acknowledged: number;
  state: { state: string; code?: string };
  images: { ok: boolean; code?: string };
}

/** A child that appends until it cannot, under a shell's limit or in a small file system. */
function untilFull(shell: string, folder: string): ChildEnd | undefined {
  const child = resolve(import.meta.dirname, '../store/fill-child.ts');
  const { stdout, status } = spawnSync('sh', ['-c', shell, process.execPath, child, folder], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return status === 0 && stdout !== '' ? (JSON.parse(stdout) as ChildEnd) : undefined;
}

test('RLIMIT_FSIZE: writes that end short, for real', () => {
  const folder = newFolder();
  // Blocks of 512 bytes; node itself ignores the signal that comes with it.
  const end = untilFull('ulimit -f 400; exec "$0" "$1" "$2"', folder)!;
  assert.is(end.state.state, 'faulted');
  assert.ok(end.acknowledged > 10, `${end.acknowledged}`);
  assert.equal([end.images.ok, end.images.code], [false, 'no-space']);
  const { journal, report } = Journal.open(folder, {}, NOW);
  assert.equal([report.damage, journal.check().findings], [undefined, []]);
  assert.ok(report.head.sequence >= end.acknowledged);
  journal.close();
  const { images, report: kept } = ImageStore.open(folder, { reserveBytes: 0 }, NOW);
  assert.is(kept.images, 0);
  images.close();
});

test('a full file system, for real', () => {
  const mount = newFolder();
  realFiles.makeFolder(mount);
  // The same process tree sees the file system when it is full and after room was made.
  const shell = `exec unshare -rm sh -c 'mount -t tmpfs -o size=400k none "$2" && exec "$0" "$1" "$2" room' "$0" "$1" "$2"`;
  const end = untilFull(shell, mount);
  if (!end) {
    console.log('SKIP a full file system: this user may not mount one');
    return;
  }
  assert.equal([end.state.state, end.state.code], ['faulted', 'no-space']);
  assert.ok(end.acknowledged > 10);
});

test('/dev/full: the system itself says that an image has no room', () => {
  const full: FileSystem = {
    ...realFiles,
    open: (path, flags) =>
      realFiles.open(
        path.endsWith('.part') ? '/dev/full' : path,
        path.endsWith('.part') ? 'r+' : flags,
      ),
  };
  const { images } = ImageStore.open(newFolder(), { files: full, reserveBytes: 0 }, NOW);
  const begun = images.begin({ bytes: 10, sha256: sha256Hex(new Uint8Array(10)), name: '' }, NOW);
  assert.ok(begun.ok && begun.kind === 'upload');
  const answer = images.append(begun.uploadId, 0, new Uint8Array(10), NOW);
  assert.is(!answer.ok && answer.code, 'no-space');
  assert.is(images.state.state, 'faulted');
  images.close();
});

test('a folder that takes no writes', () => {
  for (const open of [
    () => Journal.open('/sys/uplift', {}, NOW),
    () => ImageStore.open('/sys/uplift', {}, NOW),
  ]) {
    assert.throws(open, (error: unknown) => (error as UpliftError).code === 'store-unusable');
  }
});

const IMAGES = [seededBytes(5_000, 1), seededBytes(3_000, 2)] as const;

interface ImageCourse {
  kept: string[];
  codes: StoreCode[];
}

/** An image store's life: two uploads, a use, an expiry, a deletion. */
function liveImages(folder: string, files: FileSystem): ImageCourse {
  const course: ImageCourse = { kept: [], codes: [] };
  const say = <T extends { ok: boolean }>(answer: T): T => {
    if (!answer.ok) course.codes.push((answer as unknown as { code: StoreCode }).code);
    return answer;
  };
  let images: ImageStore | undefined;
  try {
    ({ images } = ImageStore.open(folder, { files, reserveBytes: 0, staleMs: 1000 }, NOW));
    for (const bytes of IMAGES) {
      const sha256 = sha256Hex(bytes);
      const begun = say(images.begin({ bytes: bytes.length, sha256, name: 'x' }, NOW));
      if (!begun.ok || begun.kind !== 'upload') continue;
      say(images.append(begun.uploadId, 0, bytes.subarray(0, 2000), NOW));
      say(images.append(begun.uploadId, 2000, bytes.subarray(2000), NOW));
      if (say(images.finish(begun.uploadId)).ok) course.kept.push(sha256);
      const opened = say(images.open(sha256));
      if (opened.ok) assert.equal(sha256Hex(opened.bytes), sha256);
    }
    say(images.begin({ bytes: 10, sha256: '0'.repeat(64), name: 'stale' }, NOW));
    images.handleTimeout(NOW + 1000);
    const removed = say(images.removeUnused(new Set([sha256Hex(IMAGES[1])])));
    course.kept = course.kept.filter((sha256) => removed.ok && sha256 === sha256Hex(IMAGES[1]));
  } catch (error) {
    assert.instance(error, UpliftError, `${(error as Error).stack}`);
  } finally {
    closeQuietly(images);
  }
  return course;
}

function checkImages(folder: string, { kept }: ImageCourse, what: string): void {
  const { images } = ImageStore.open(folder, { reserveBytes: 0 }, NOW);
  for (const sha256 of kept) assert.ok(images.open(sha256).ok, `${what}: ${sha256} is kept`);
  for (const { sha256 } of images.list()) {
    assert.ok(images.open(sha256).ok, `${what}: what has a name is whole`);
  }
  images.close();
}

test('images: each file operation fails once or for good, with each fault', () => {
  const clean = new FailingFiles();
  const whole = liveImages(newFolder(), clean);
  assert.equal([whole.codes, whole.kept.length], [[], 1]);
  assert.ok(clean.operations > 80, `${clean.operations} operations`);
  for (let at = 1; at <= clean.operations; at++) {
    for (const fault of FAULTS) {
      for (const isLasting of [false, true]) {
        const folder = newFolder();
        const files = new FailingFiles(at, fault, isLasting);
        const course = liveImages(folder, files);
        const what = `${fault} ${isLasting ? 'from' : 'at'} operation ${at} (${files.failed})`;
        if (fault === 'short') assert.equal(course.codes, [], what);
        const first = course.codes[0];
        const expected = [...CODES[fault], 'upload-unknown', 'image-missing', 'faulted'] as const;
        if (first) assert.ok(expected.includes(first as never), `${what}: ${first}`);
        checkImages(folder, course, what);
      }
    }
  }
});

test('images: a sync that failed is not tried again', () => {
  const bytes = IMAGES[0];
  const sha256 = sha256Hex(bytes);
  let isFailing = false;
  const files: FileSystem = {
    ...realFiles,
    sync(descriptor) {
      if (isFailing) throw systemError('EIO', 'fsync');
      realFiles.sync(descriptor);
    },
  };
  const folder = newFolder();
  const { images } = ImageStore.open(folder, { files, reserveBytes: 0 }, NOW);
  const begun = images.begin({ bytes: bytes.length, sha256, name: 'x' }, NOW);
  assert.ok(begun.ok && begun.kind === 'upload');
  images.append(begun.uploadId, 0, bytes, NOW);
  isFailing = true;
  const failed = images.finish(begun.uploadId);
  assert.is(!failed.ok && failed.code, 'sync-failed');
  isFailing = false;
  const again = images.finish(begun.uploadId);
  assert.is(!again.ok && again.code, 'faulted');
  assert.equal(images.list(), []);
  images.close();
  const { images: reopened, report } = ImageStore.open(folder, { reserveBytes: 0 }, NOW);
  assert.equal([report.images, report.uploads], [0, 0]);
  reopened.close();
});

test('journal: a sync that failed is not tried again', () => {
  let isFailing = false;
  const files: FileSystem = {
    ...realFiles,
    syncData(descriptor) {
      if (isFailing) throw systemError('EIO', 'fdatasync');
      realFiles.syncData(descriptor);
    },
  };
  const folder = newFolder();
  const { journal } = Journal.open(folder, { files }, NOW);
  journal.append([{ kind: 'event' }], NOW);
  isFailing = true;
  assert.throws(() => journal.append([{ kind: 'event' }], NOW), /did not confirm/);
  isFailing = false;
  assert.throws(() => journal.append([{ kind: 'event' }], NOW), /takes no more/);
  // What was not acknowledged is not handed out.
  assert.equal([journal.head.sequence, [...journal.records()].length], [1, 1]);
  journal.close();
  const { journal: reopened, report } = Journal.open(folder, {}, NOW);
  assert.equal([report.records, report.damage], [2, undefined]);
  const path = join(folder, 'whole.jsonl');
  reopened.exportTo(path);
  const head = readFileSync(`${path}.head`, 'utf8');
  assert.equal(checkChain(readFileSync(path, 'utf8'), head).findings, []);
  reopened.close();
});

test.run();
