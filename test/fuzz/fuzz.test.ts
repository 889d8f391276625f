/** Two seconds of random damage to every parser; more with `scripts/fuzz`. And the fuzzer itself. */
import { randomInt } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { minimise } from './damage.ts';
import { FAMILIES } from './families.ts';
import { fuzz, replay } from './fuzz.ts';
import { ACCEPTED, type Family, known, type Target, utf8 } from './target.ts';

test('every target accepts something undamaged', () => {
  for (const { targets } of FAMILIES) {
    for (const { name, good, read } of targets) {
      assert.ok(
        good.some((bytes) => read(bytes).accepted),
        name,
      );
    }
  }
});

test('no damage crashes a parser, holds it up, or is accepted for what it is not', () => {
  const seed = randomInt(2 ** 31);
  console.log(`SEED ${seed}`);
  const { families } = fuzz(seed, 2000, FAMILIES);
  for (const { name, inputs } of families) assert.ok(inputs > 0, name);
});

const good = [utf8('The quick brown fox jumps over the lazy dog.')];

function planted(read: Target['read'], change: Partial<Target> = {}): Family {
  return { name: 'planted', targets: [{ name: 'planted', good, read, ...change }] };
}

test('an exception is found, and told with an input made as small as it fails', () => {
  const family = planted((bytes) => {
    if (bytes.includes(0x7f)) throw new RangeError('offset 12 is outside');
    return ACCEPTED;
  });
  assert.throws(() => fuzz(1, 5000, [family]), /planted:\d+, planted: threw: .*\ninput: 7f$/s);
});

test('a code of no table is found', () => {
  const family = planted((bytes) => {
    if (bytes[0] !== 0x54) known({ 'another-code': '' }, 'no-code');
    return ACCEPTED;
  });
  assert.throws(() => fuzz(1, 5000, [family]), /no-code is no code/);
});

test('a slow input is found, though only where it is slow again', () => {
  const slow = (bytes: Uint8Array) => {
    const { user } = process.threadCpuUsage();
    while (bytes[0] === 0x55 && process.threadCpuUsage().user - user < 12_000);
    return ACCEPTED;
  };
  const family = planted(slow, { inputMsMax: 4 });
  assert.throws(() => fuzz(1, 5000, [family]), /too slow\ninput: "U"/);
});

test('what a parser keeps is found', () => {
  const kept: Uint8Array[] = [];
  const family = planted(() => {
    for (const untilMs = performance.now() + 5; performance.now() < untilMs; );
    // More than may be kept in all: found on a machine, too, that comes to few inputs in a second.
    kept.push(new Uint8Array(2 ** 24));
    return ACCEPTED;
  });
  assert.throws(() => fuzz(1, 500, [family]), /the heap grew by/);
});

test('an input is made again from seed and number alone', () => {
  const seen: string[] = [];
  const family = planted((bytes) => {
    seen.push(Buffer.from(bytes).toString('hex'));
    return ACCEPTED;
  });
  fuzz(7, 50, [family]);
  assert.ok(seen.length > 10);
  const [first, ninth] = [seen[0], seen[8]];
  seen.length = 0;
  replay(7, family, 8);
  replay(7, family, 0);
  assert.equal(seen, [ninth, first]);
});

test('an input is made small: what it fails by is left', () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i & 255);
  bytes.set([1, 2, 3], 3000);
  const fails = (one: Uint8Array) => Buffer.from(one).includes(Buffer.from([1, 2, 3, 187]));
  const small = minimise(bytes, fails, performance.now() + 5000);
  assert.equal([...small], [1, 2, 3, 187]);
});

test.run();
