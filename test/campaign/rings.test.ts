/** Rings: which is open, how many may start, when a campaign is given up; and what holds of any course. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FAILURE_CLASSES, type FailureClass } from '../../src/campaign/failure-classes.ts';
import type { Manifest } from '../../src/campaign/manifest.ts';
import { evaluateRings, type RingCounts, ringOf } from '../../src/campaign/rings.ts';
import { MANIFEST, PPMID } from './campaigns.ts';

const test = suite('campaign/rings');

type Plan = Pick<Manifest, 'rings' | 'pace' | 'aborts'>;
const PLAN: Plan = {
  rings: [
    { name: 'canary', members: ['a'], untilPercent: 100 },
    { name: 'rest', all: true, untilPercent: 90 },
  ],
  pace: { first: 2, growthPercent: 200, afterSucceeded: 4, most: 20 },
  aborts: [
    { failure: 'any', percent: 10, minimum: 10 },
    { failure: 'reverted', count: 2 },
  ],
};
const ring = (
  size: number,
  attempted = 0,
  succeeded = 0,
  failed: RingCounts['failed'] = {},
): RingCounts => ({ size, attempted, succeeded, failed });

const COURSES: [string, RingCounts[], string, number, number[], number][] = [
  ['the first ring, two at once', [ring(4), ring(100)], 'running', 0, [2, 0], 2],
  ['both under way', [ring(4, 2), ring(100)], 'waiting', 0, [0, 0], 2],
  ['one through', [ring(4, 2, 1), ring(100)], 'running', 0, [1, 0], 2],
  ['never more than there are', [ring(4, 3, 3), ring(100)], 'running', 0, [1, 0], 2],
  ['the next ring, at twice the width', [ring(4, 4, 4), ring(100)], 'running', 1, [0, 4], 4],
  ['twice again', [ring(4, 4, 4), ring(100, 4, 4)], 'running', 1, [0, 8], 8],
  ['up to the most', [ring(4, 4, 4), ring(100, 40, 40)], 'running', 1, [0, 20], 20],
  [
    'held: one of the canaries failed',
    [ring(4, 4, 3, { transfer: 1 }), ring(100)],
    'held',
    0,
    [0, 0],
    2,
  ],
  ['finished', [ring(4, 4, 4), ring(9, 9, 9)], 'finished', 1, [0, 0], 16],
  [
    'finished, though not all succeeded',
    [ring(4, 4, 4), ring(9, 9, 8, { expired: 1 })],
    'finished',
    1,
    [0, 0],
    16,
  ],
  ['an empty ring holds nothing up', [ring(0), ring(9)], 'running', 1, [0, 2], 2],
  ['what a ring still lacks comes first', [ring(0), ring(9, 1, 1)], 'running', 1, [0, 2], 2],
];

for (const [what, counts, course, open, starts, width] of COURSES) {
  test(what, () => {
    assert.equal(evaluateRings(PLAN, counts), { course, ring: open, starts, width });
  });
}

const ABORTS: [string, RingCounts[], number | undefined, number | undefined][] = [
  [
    'a share below its minimum',
    [ring(4, 4, 4), ring(100, 9, 0, { transfer: 5 })],
    undefined,
    undefined,
  ],
  ['at its minimum', [ring(4, 4, 4), ring(100, 10, 0, { transfer: 1 })], 0, 1],
  [
    'a share of what was attempted, not of all',
    [ring(4, 4, 4), ring(100_000, 20, 5, { expired: 2 })],
    0,
    1,
  ],
  [
    'a share below its limit',
    [ring(4, 4, 4), ring(100, 11, 0, { transfer: 1 })],
    undefined,
    undefined,
  ],
  ['classes add up to any', [ring(4, 4, 4), ring(100, 20, 0, { transfer: 1, expired: 1 })], 0, 1],
  [
    'success before hides nothing',
    [ring(5000, 5000, 5000), ring(100, 10, 0, { refused: 1 })],
    0,
    1,
  ],
  ['a count, from the first on', [ring(4, 1, 0, { reverted: 1 }), ring(100)], undefined, undefined],
  [
    'a count over rings',
    [ring(4, 4, 3, { reverted: 1 }), ring(100, 5, 0, { reverted: 1 })],
    1,
    undefined,
  ],
  [
    'another class does not count',
    [ring(4, 4, 2, { transfer: 2 }), ring(100)],
    undefined,
    undefined,
  ],
];

for (const [what, counts, rule, inRing] of ABORTS) {
  test(`abort: ${what}`, () => {
    const { abort, course, starts } = evaluateRings(PLAN, counts);
    assert.is(abort?.rule, rule);
    assert.is(abort?.ring, inRing);
    if (!abort) return;
    assert.is(course, 'aborted');
    assert.equal(starts, [0, 0]);
  });
}

test('an abort is final, whatever is counted later', () => {
  const { abort } = evaluateRings(PLAN, [ring(4, 4, 4), ring(100, 10, 0, { transfer: 1 })]);
  const later = [ring(4, 4, 4), ring(100, 100, 99, { transfer: 1 })];
  assert.is(evaluateRings(PLAN, later).course, 'finished');
  assert.is(evaluateRings(PLAN, later, abort).course, 'aborted');
  assert.equal(evaluateRings(PLAN, later, abort).abort, abort);
});

test('counts that cannot be are a mistake of the caller', () => {
  for (const wrong of [ring(4, 5), ring(4, 1, 2), ring(4, 1, 1, { expired: 1 }), ring(4, -1)]) {
    assert.throws(() => evaluateRings(PLAN, [wrong, ring(9)]), /assertion/);
  }
  assert.throws(() => evaluateRings(PLAN, [ring(4)]), /assertion/);
});

test('which ring a device is in does not change, and shares are what they say', () => {
  assert.is(ringOf(MANIFEST, PPMID, 'gateway-9'), 0);
  assert.is(ringOf(MANIFEST, '0255504c46542099', 'gateway-1'), 0);
  const rings = [0, 0, 0];
  for (let device = 0; device < 10_000; device++)
    rings[ringOf(MANIFEST, `hub:${device}`, 'gateway-9')]!++;
  assert.is(rings[0], 0);
  assert.ok(rings[1]! > 850 && rings[1]! < 1150, `${rings[1]} of 10,000 in the ring of 10 %`);
  const other = { ...MANIFEST, id: 'another' };
  const inBoth = Array.from({ length: 10_000 }, (_, device) => `hub:${device}`).filter(
    (device) => ringOf(MANIFEST, device, 'g') === 1 && ringOf(other, device, 'g') === 1,
  );
  assert.ok(inBoth.length < 200, `${inBoth.length}: another campaign begins with others`);
});

const classes = Object.keys(FAILURE_CLASSES) as FailureClass[];
const plans: fc.Arbitrary<Plan> = fc.record({
  rings: fc
    .integer({ min: 1, max: 4 })
    .chain((count) =>
      fc.tuple(
        ...Array.from({ length: count }, (_, index) =>
          fc
            .integer({ min: 1, max: 100 })
            .map((untilPercent) => ({ name: `${index}`, untilPercent })),
        ),
      ),
    ),
  pace: fc.record({
    first: fc.integer({ min: 1, max: 10 }),
    growthPercent: fc.integer({ min: 100, max: 500 }),
    afterSucceeded: fc.integer({ min: 1, max: 10 }),
    most: fc.integer({ min: 10, max: 50 }),
  }),
  aborts: fc.array(
    fc.oneof(
      fc.record({
        failure: fc.constantFrom('any' as const, ...classes),
        count: fc.integer({ min: 1, max: 30 }),
      }),
      fc.record({
        failure: fc.constantFrom('any' as const, ...classes),
        percent: fc.integer({ min: 1, max: 100 }),
        minimum: fc.integer({ min: 1, max: 30 }),
      }),
    ),
    { minLength: 1, maxLength: 3 },
  ),
});
const courses = fc.tuple(
  plans,
  fc.array(fc.nat(60), { minLength: 4, maxLength: 4 }),
  fc.array(fc.tuple(fc.nat(), fc.constantFrom(undefined, undefined, undefined, ...classes)), {
    maxLength: 300,
  }),
);

test('of any course: bounds are kept, rings and width only grow, and an abort stays', () => {
  fc.assert(
    fc.property(courses, ([plan, sizes, endings]) => {
      const counts = plan.rings.map((_, index) => ring(sizes[index]!));
      let before = evaluateRings(plan, counts);
      for (const [pick, failure] of endings) {
        for (const [index, more] of before.starts.entries()) counts[index]!.attempted += more;
        const open = counts.filter((one) => underWay(one) > 0);
        const one = open[pick % Math.max(1, open.length)];
        if (!one) break;
        if (failure) one.failed[failure] = (one.failed[failure] ?? 0) + 1;
        else one.succeeded += 1;
        const now = evaluateRings(plan, counts, before.abort);
        check(counts, now, plan);
        assert.ok(now.ring >= before.ring && now.width >= before.width, 'monotone');
        if (before.abort) assert.equal(now.abort, before.abort);
        before = now;
      }
    }),
    { numRuns: 200 },
  );
});

function check(counts: RingCounts[], now: ReturnType<typeof evaluateRings>, { pace }: Plan): void {
  const started = now.starts.reduce((sum, more) => sum + more, 0);
  const busy = counts.reduce((sum, one) => sum + underWay(one), 0);
  assert.ok(now.width <= pace.most, 'the most at once');
  assert.ok(started === 0 || busy + started <= now.width, 'the width');
  for (const [index, one] of counts.entries()) {
    const more = now.starts[index]!;
    assert.ok(more >= 0 && one.attempted + more <= one.size, 'the size of the ring');
    assert.ok(index <= now.ring || (more === 0 && one.attempted === 0), 'a ring that is not open');
  }
  if (now.abort) assert.is(started, 0);
  assert.is(now.course === 'running', started > 0);
}

function underWay({ attempted, succeeded, failed }: RingCounts): number {
  return attempted - succeeded - Object.values(failed).reduce((sum, count) => sum + count, 0);
}

test('devices that were told to start take room, and are no sample of failures', () => {
  const manifest = {
    rings: [{ name: 'all', all: true as const, untilPercent: 100 }],
    pace: { first: 10, growthPercent: 100, afterSucceeded: 1, most: 10 },
    aborts: [{ failure: 'any' as const, percent: 50, minimum: 2 }],
  };
  const counts = { size: 100, attempted: 2, succeeded: 0, failed: { transfer: 1 } };
  const some = evaluateRings({ ...manifest, aborts: [] }, [{ ...counts, granted: 4 }]);
  assert.equal([some.course, some.starts], ['running', [5]]);
  const full = evaluateRings({ ...manifest, aborts: [] }, [{ ...counts, granted: 9 }]);
  assert.equal([full.course, full.starts], ['waiting', [0]]);
  // One of two attempted failed: half, however many were granted.
  assert.is(evaluateRings(manifest, [{ ...counts, granted: 90 }]).course, 'aborted');
});

test.run();
