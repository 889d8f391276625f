/** What a bad line does: the same bytes meet the same faults however they are cut, and each is counted. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteFaults, noByteFaults } from '../../src/lab/faults/byte-faults.ts';
import { drawAt } from '../../src/lab/faults/draws.ts';
import type { LinkFaultSettings } from '../../src/lab/ports.ts';
import { seeded } from '../protocol/zcl-ota/naive-frames.ts';

const test = suite('byte faults');

const BYTES = Uint8Array.from({ length: 4_000 }, (_, i) => (i * 31) ^ (i >> 3));
const EVERYTHING: LinkFaultSettings = {
  drop: 0.02,
  duplicate: 0.02,
  corrupt: 0.02,
  burst: { bytes: 5, count: 20 },
};

/** The stream in pieces, the sizes in turn. */
function through(seed: number, settings: LinkFaultSettings, sizes: readonly number[]) {
  const counts = noByteFaults();
  const faults = new ByteFaults(seed, 'up', counts);
  faults.set(settings);
  const out: number[] = [];
  for (let at = 0, turn = 0; at < BYTES.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    out.push(...faults.take(BYTES.subarray(at, at + size)));
    at += size;
  }
  return { out, counts };
}

test('the same seed, the same faults, in pieces of any sizes', () => {
  const random = seeded(0x5eed11);
  for (let seed = 1; seed <= 20; seed++) {
    const whole = through(seed, EVERYTHING, [BYTES.length]);
    for (const sizes of [[1], [3], [64], [1, 500]])
      assert.equal(through(seed, EVERYTHING, sizes), whole, `seed ${seed}, ${sizes}`);
    const sizes = Array.from({ length: 13 }, () => random(200));
    sizes.push(1);
    assert.equal(through(seed, EVERYTHING, sizes), whole, `seed ${seed}, ${sizes}`);
  }
});

test('another seed, other faults; each direction its own', () => {
  const [one, other] = [1, 2].map((seed) => through(seed, EVERYTHING, [100]).out);
  assert.not.equal(one, other);
  const down = new ByteFaults(1, 'down', noByteFaults());
  down.set(EVERYTHING);
  assert.not.equal([...down.take(BYTES)], one);
});

test('every byte is accounted for', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { out, counts } = through(seed, EVERYTHING, [77]);
    assert.is(counts.passed + counts.dropped, BYTES.length);
    assert.is(out.length, counts.passed + counts.duplicated);
    assert.is(counts.bursts, 20, 'so many bursts, and then no more');
    assert.is(counts.burstBytes <= 100, true);
    for (const kind of ['dropped', 'duplicated', 'corrupted'] as const)
      assert.ok(counts[kind] > 30 && counts[kind] < 160, `${kind}: ${counts[kind]} of 80`);
  }
});

test('each fault does what it says, and nothing else', () => {
  const nothing = through(1, {}, [10]);
  assert.equal(nothing.out, [...BYTES]);
  const corrupt = through(1, { corrupt: 0.1 }, [10]);
  let differing = 0;
  corrupt.out.forEach((byte, at) => {
    const flipped = byte ^ BYTES[at]!;
    assert.is(flipped & (flipped - 1), 0, 'one bit at the most');
    if (flipped !== 0) differing++;
  });
  assert.is(differing, corrupt.counts.corrupted);
  const burst = through(1, { burst: { bytes: 8, count: 3 } }, [10]);
  const wrong = burst.out.flatMap((byte, at) => (byte === BYTES[at] ? [] : [at]));
  assert.is(wrong.length, 24, 'every byte of a burst is another one');
  const runs = wrong.filter((at, n) => at !== wrong[n - 1]! + 1).length;
  assert.ok(runs <= 3);
  assert.is(through(1, { drop: 1 }, [10]).out.length, 0);
  assert.is(through(1, { duplicate: 1 }, [10]).out.length, 2 * BYTES.length);
});

test('what is switched meanwhile changes nothing of what else is drawn', () => {
  const faults = new ByteFaults(9, 'up', noByteFaults());
  const before = faults.take(BYTES.subarray(0, 1_000)).slice();
  faults.set({ corrupt: 0.05 });
  const after = faults.take(BYTES.subarray(1_000)).slice();
  const straight = through(9, { corrupt: 0.05 }, [BYTES.length]).out;
  assert.equal([...before], [...BYTES.subarray(0, 1_000)]);
  assert.equal([...after], straight.slice(1_000));
});

test('draws are even, also beyond 32 bits', () => {
  for (const start of [0, 2 ** 32 - 500, 2 ** 40]) {
    const bins = new Array(10).fill(0);
    for (let i = 0; i < 10_000; i++) bins[Math.floor(drawAt(3, 1, start + i) * 10)]++;
    for (const bin of bins) assert.ok(bin > 850 && bin < 1_150, `${bins}`);
  }
  assert.is.not(drawAt(1, 0, 5), drawAt(1, 0, 5 + 2 ** 32));
});

test.run();
