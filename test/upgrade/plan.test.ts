/** A plan's steps, and its times against sums made by hand. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planUpgrade } from '../../src/upgrade/plan.ts';
import type { ZigbeePlanRequest } from '../../src/upgrade/plan-zigbee.ts';

const REQUEST: ZigbeePlanRequest = {
  kind: 'zigbee',
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  imageBytes: 60_000,
  blockBytes: 50,
  activation: { when: 'now' },
  flash: {
    slotBytes: 524_288,
    eraseBlockBytes: 4_096,
    eraseBlockMs: 20,
    programPageBytes: 256,
    programPageMs: 2,
  },
  rebootMs: 4_000,
};

test('activated at once: every step, in order, and its time', () => {
  const plan = planUpgrade(REQUEST);
  assert.is(plan.blocks, 1_200);
  assert.equal(
    plan.steps.map(({ step, leastMs, mostMs }) => [step, leastMs, mostMs]),
    [
      ['admit', 0, 6_000],
      ['offer', 0, 60_000],
      // 1200 blocks at 60 and at 10 a second; 15 blocks of flash erased, 235 pages written.
      ['distribute', 20_000, 120_000 + 15 * 20 + 235 * 2],
      ['verify', 0, 10_000],
      ['activate', 4_000, 64_000],
      ['confirm', 0, 60_000],
    ],
  );
  assert.is(plan.leastMs, 24_000);
  assert.is(plan.mostMs, 6_000 + 60_000 + 120_770 + 10_000 + 64_000 + 60_000);
});

test('a last block that is not full counts as one', () => {
  for (const [imageBytes, blocks] of [
    [1, 1],
    [50, 1],
    [51, 2],
    [60_001, 1_201],
  ] as const) {
    assert.is(planUpgrade({ ...REQUEST, imageBytes }).blocks, blocks);
  }
});

test('held: it ends with the hold, and takes no time for it', () => {
  const plan = planUpgrade({ ...REQUEST, activation: { when: 'held' } });
  assert.equal(
    plan.steps.map(({ step }) => step),
    ['admit', 'offer', 'distribute', 'verify', 'hold'],
  );
  assert.is(plan.leastMs, 20_000);
});

test('at a time: the plan names it', () => {
  const atMs = Date.UTC(2026, 0, 5, 2);
  const plan = planUpgrade({ ...REQUEST, activation: { when: 'at', atMs } });
  const activate = plan.steps.find(({ step }) => step === 'activate')!;
  assert.match(activate.text, /2026-01-05T02:00:00\.000Z/);
});

test('slow flash makes the longest time longer, never the shortest', () => {
  const slow = planUpgrade({ ...REQUEST, flash: { ...REQUEST.flash, eraseBlockMs: 1_000 } });
  const plan = planUpgrade(REQUEST);
  assert.is(slow.mostMs - plan.mostMs, 15 * 980);
  assert.is(slow.leastMs, plan.leastMs);
});

test.run();
