/** The parts of the doors by themselves: ranges, waits, turns, and what of blobs is in memory. */
import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BlobCache } from '../../../src/fleet/coordinator/blob-cache.ts';
import {
  type ByteRange,
  byteRange,
  matchesNone,
} from '../../../src/fleet/coordinator/byte-range.ts';
import { Turns } from '../../../src/fleet/coordinator/turns.ts';
import { WaitingRoom } from '../../../src/fleet/coordinator/waiting-room.ts';
import { ManualTimers } from '../../service/manual-timers.ts';
import { MemoryCoordinator } from '../../support/memory-coordinator.ts';

const test = suite('parts of the doors of a coordinator');
const ETAG = '"e"';
const WHOLE: ByteRange = { kind: 'whole' };
const NONE: ByteRange = { kind: 'unsatisfiable' };
const part = (offset: number, end: number): ByteRange => ({ kind: 'part', offset, end });

test('every form of a range', () => {
  const cases: [range: string | undefined, bytes: number, wanted: ByteRange][] = [
    [undefined, 10, WHOLE],
    ['bytes=0-0', 10, part(0, 1)],
    ['bytes=0-9', 10, part(0, 10)],
    ['bytes=0-99', 10, part(0, 10)],
    ['bytes=4-6', 10, part(4, 7)],
    ['bytes=9-', 10, part(9, 10)],
    ['bytes=0-', 10, part(0, 10)],
    ['bytes=10-', 10, NONE],
    ['bytes=10-20', 10, NONE],
    ['bytes=-1', 10, part(9, 10)],
    ['bytes=-10', 10, part(0, 10)],
    ['bytes=-11', 10, part(0, 10)],
    ['bytes=-0', 10, NONE],
    ['bytes=6-4', 10, WHOLE],
    ['bytes=99999999999999999999-', 10, NONE],
    ['BYTES = 1 - 2 ', 10, part(1, 3)],
    ['bytes=0-1,3-4', 10, WHOLE],
    ['bytes=-', 10, WHOLE],
    ['bytes=', 10, WHOLE],
    ['bytes=a-b', 10, WHOLE],
    ['bytes=1.5-2', 10, WHOLE],
    ['items=0-1', 10, WHOLE],
    ['bytes=0-', 0, NONE],
    ['bytes=-5', 0, NONE],
  ];
  for (const [range, bytes, wanted] of cases) {
    assert.equal(byteRange(range, undefined, ETAG, bytes), wanted, `${range} of ${bytes}`);
  }
  assert.equal(byteRange('bytes=1-2', '"e"', ETAG, 10), part(1, 3));
  for (const other of ['"f"', 'W/"e"', 'e', 'Thu, 26 Nov 2026 06:00:00 GMT', '*']) {
    assert.equal(byteRange('bytes=1-2', other, ETAG, 10), WHOLE, other);
  }
});

test('If-None-Match: one, several, weakly, any', () => {
  for (const yes of ['"e"', 'W/"e"', '"a", "e"', '*', '"a",W/"e"']) {
    assert.is(matchesNone(yes, ETAG), true, yes);
  }
  for (const no of [undefined, '', '"f"', 'e']) assert.is(matchesNone(no, ETAG), false, `${no}`);
});

test('a wait ends with a change, with its time, or with the room; and leaves nothing', async () => {
  const timers = new ManualTimers();
  const room = new WaitingRoom(timers);
  const woken = room.begin('a', 1_000);
  const other = room.begin('b', 1_000);
  room.wake('a');
  assert.is(await woken.next(), 'woken', 'also where it was woken before it was asked');
  let how = '';
  void woken.next().then((ended) => {
    how = ended;
  });
  await setImmediate();
  assert.is(how, '', 'one change wakes once');
  timers.pass(999);
  await setImmediate();
  assert.is(how, '');
  timers.pass(1);
  await setImmediate();
  assert.is(how, 'over');
  assert.is(await other.next(), 'over');
  assert.is(room.size, 0);
  const left = room.begin('a', 1_000);
  left.end();
  assert.is(await left.next(), 'over');
  const last = room.begin('a', 1_000).next();
  room.close();
  assert.is(await last, 'over');
  assert.is(await room.begin('a', 1_000).next(), 'over', 'nobody waits in a closed room');
});

test('ten thousand wait, each is woken by its own change alone, and all leave', async () => {
  const timers = new ManualTimers();
  const room = new WaitingRoom(timers);
  let woken = 0;
  const ends = Array.from({ length: 10_000 }, async (_, number) => {
    const wait = room.begin(`gateway-${number}`, 50_000);
    if ((await wait.next()) === 'woken') woken++;
    wait.end();
  });
  assert.is(room.size, 10_000);
  for (let number = 0; number < 10_000; number += 2) room.wake(`gateway-${number}`);
  await setImmediate();
  assert.is(woken, 5_000);
  assert.is(room.size, 5_000);
  room.close();
  await Promise.all(ends);
  assert.is(`${woken} ${room.size} ${timers.waiting}`, '5000 0 0');
});

test('turns: so many at once, the rest in order, a bound on waiting and on each holder', async () => {
  const turns = new Turns({ atOnce: 2, waitingMax: 2, perHolderMax: 2 });
  const order: string[] = [];
  const take = async (holder: string) => {
    const done = await turns.take(holder);
    order.push(holder);
    return done;
  };
  const codeOf = (taking: Promise<unknown>) =>
    taking.then(
      () => 'taken',
      (error: { code: string; headers: Record<string, string> }) =>
        `${error.code} ${error.headers['retry-after']}`,
    );
  const first = await take('a');
  const second = await take('a');
  assert.is(await codeOf(turns.take('a')), 'busy 5', 'a third of one holder');
  const third = take('b');
  const fourth = take('c');
  assert.is(await codeOf(turns.take('d')), 'busy 5', 'no more wait');
  second();
  second();
  await third;
  await setImmediate();
  assert.equal(order, ['a', 'a', 'b'], 'given back once, whoever says it twice');
  first();
  const done = await fourth;
  done();
  (await third)();
  await take('d');
  await take('e');
  assert.equal(order, ['a', 'a', 'b', 'c', 'd', 'e']);
});

test('a blob is read from the database once, in pieces, by however many', async () => {
  const desk = new MemoryCoordinator();
  const bytes = new Uint8Array(1_000_003).map((_, index) => (index * 31) % 251);
  const sha256 = desk.keep(bytes);
  const cache = new BlobCache(desk, { pieceBytes: 65_536, bytesMax: 2_000_000, blobsMax: 4 });
  assert.is(await cache.find('00'.repeat(32)), undefined);
  const whole = async (offset = 0, end = bytes.length) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of cache.read(sha256, offset, end)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  await cache.find(sha256);
  const all = await Promise.all(Array.from({ length: 50 }, () => whole()));
  for (const one of all) assert.is(Buffer.compare(one, bytes), 0);
  assert.is(cache.reads, 16);
  for (const [offset, end] of [
    [0, 1],
    [65_535, 65_537],
    [65_536, 131_072],
    [1_000_002, 1_000_003],
    [123, 900_001],
  ]) {
    assert.is(Buffer.compare(await whole(offset, end), bytes.subarray(offset, end)), 0);
  }
  assert.is(cache.reads, 16);
});

test('what is in memory is bounded: what was unused longest goes; a failed reading is tried again', async () => {
  const desk = new MemoryCoordinator();
  const [one, two] = [desk.keep(new Uint8Array(100)), desk.keep(new Uint8Array(101))];
  const cache = new BlobCache(desk, { pieceBytes: 50, bytesMax: 150, blobsMax: 1 });
  const read = async (sha256: string, end: number) => {
    await cache.find(sha256);
    for await (const _ of cache.read(sha256, 0, end));
  };
  await read(one, 100);
  await read(one, 100);
  assert.is(cache.reads, 2);
  await read(two, 101);
  await read(one, 100);
  assert.is(cache.reads, 7, 'three of the other took their place');
  desk.before = (what) => {
    if (what === 'blob') throw new Error('the database is away');
  };
  desk.blobs.set('ab'.repeat(32), new Uint8Array(5));
  await read('ab'.repeat(32), 5).then(
    () => assert.unreachable('it was read'),
    () => {},
  );
  desk.before = () => {};
  await read('ab'.repeat(32), 5);
});

test.run();
