/** Plans for hubs, their times against sums made by hand. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type PlanStep, planUpgrade } from '../../src/upgrade/plan.ts';
import type { BootloaderPlanRequest } from '../../src/upgrade/plan-bootloader.ts';
import type { SmpPlanRequest } from '../../src/upgrade/plan-smp.ts';

const test = suite('plan for hubs');
const AT_MS = Date.UTC(2026, 0, 5, 2);

const FLASH = {
  slotBytes: 40_960,
  eraseBlockBytes: 4_096,
  eraseBlockMs: 100,
  programPageBytes: 256,
  programPageMs: 1,
};
/** One byte a millisecond. */
const SERIAL = { baudRate: 10_000, enterMs: 300, bootMs: 5_000, answerTimeoutMs: 2_000 };

const SMP: SmpPlanRequest = {
  kind: 'smp',
  imageBytes: 20_000,
  version: '2.0.0',
  activation: { when: 'now' },
  serial: SERIAL,
  smp: {
    assumedBufferBytes: 256,
    chunkAlignmentBytes: 16,
    confirm: 'after-test',
    recovery: 'none',
  },
  flash: FLASH,
};

const BOOTLOADER: BootloaderPlanRequest = {
  kind: 'bootloader',
  imageBytes: 20_000,
  activation: { when: 'now' },
  serial: SERIAL,
  flash: FLASH,
};

function times(steps: PlanStep[]): [string, number, number][] {
  return steps.map(({ step, leastMs, mostMs }) => [step, Math.round(leastMs), Math.round(mostMs)]);
}

function step(steps: PlanStep[], name: PlanStep['step']): PlanStep {
  return steps.find((one) => one.step === name)!;
}

test('SMP: every step, in order, and its time', () => {
  const plan = planUpgrade(SMP);
  assert.is(plan.link, 'serial-line');
  // 256 bytes less length and CRC, header and keys: 224 of them image, in steps of 16.
  assert.is(plan.blocks, Math.ceil(20_000 / 224));
  // 256 raw bytes are 344 as base64, in three lines with three bytes each beside it; an answer is one line.
  const turnMs = 344 + 9 + (32 + 3) + 16;
  assert.equal(times(plan.steps), [
    ['admit', 0, 4_000],
    ['erase', 0, 10 * 100],
    // At the least 127 bytes on the line for 93 of the image; at the most 79 pages are written besides.
    ['distribute', Math.round((20_000 / 93) * 127), 90 * turnMs + 79],
    ['verify', 0, 2_000],
    ['activate', 0, 2_000],
    // Both slots, 5 blocks and 79 pages of each, and no longer than the model says.
    ['restart', 250 + 2 * (500 + 79), 250 + 5_000],
    ['confirm', 0, 4_000],
  ]);
  const sum = (bound: 'leastMs' | 'mostMs') =>
    plan.steps.reduce((all, each) => all + each[bound], 0);
  assert.equal([plan.leastMs, plan.mostMs], [sum('leastMs'), sum('mostMs')]);
  assert.not(
    plan.steps.some(({ irreversible }) => irreversible),
    'a test goes back by itself',
  );
  assert.match(step(plan.steps, 'confirm').text, '2.0.0');
});

test('SMP, for good: one step has no way back', () => {
  const { steps } = planUpgrade({ ...SMP, smp: { ...SMP.smp, confirm: 'permanent' } });
  const final = steps.filter(({ irreversible }) => irreversible);
  assert.equal(
    final.map((one) => one.step),
    ['activate'],
  );
  assert.is(step(steps, 'confirm').mostMs, 2_000);
});

test('SMP: held ends with the hold, at a time names it', () => {
  const held = planUpgrade({ ...SMP, activation: { when: 'held' } });
  assert.is(held.steps.at(-1)!.step, 'hold');
  assert.not(held.steps.some((one) => one.step === 'activate' || one.step === 'restart'));
  const at = planUpgrade({ ...SMP, activation: { when: 'at', atMs: AT_MS } });
  assert.match(step(at.steps, 'activate').text, '2026-01-05T02:00:00.000Z');
});

test('SMP with serial recovery: the way into it, which may not be needed', () => {
  for (const [recovery, how] of [
    ['line-steps', 'line signals'],
    ['reset-command', 'a reset command'],
  ] as const) {
    const { steps } = planUpgrade({ ...SMP, smp: { ...SMP.smp, recovery } });
    const enter = step(steps, 'enter');
    assert.equal([enter.leastMs, enter.mostMs], [0, 5_300]);
    assert.match(enter.text, how);
  }
});

test('SMP: chunks keep to the alignment, and to the largest message', () => {
  const blocks = (change: Partial<SmpPlanRequest['smp']>) =>
    planUpgrade({ ...SMP, smp: { ...SMP.smp, ...change } }).blocks;
  assert.is(blocks({ chunkAlignmentBytes: 64 }), Math.ceil(20_000 / 192));
  assert.is(blocks({ chunkAlignmentBytes: 160 }), Math.ceil(20_000 / 160));
  assert.is(blocks({ chunkAlignmentBytes: 4 }), Math.ceil(20_000 / 228));
  assert.is(blocks({ assumedBufferBytes: 65_535 }), blocks({ assumedBufferBytes: 4_096 }));
  assert.ok(blocks({ assumedBufferBytes: 64 }) < 20_000);
});

test('a swap that takes longer than the model says makes the longest time longer', () => {
  const flash = { ...FLASH, eraseBlockMs: 2_000 };
  const { leastMs, mostMs } = step(planUpgrade({ ...SMP, flash }).steps, 'restart');
  assert.equal([leastMs, mostMs], [250 + 5_000, 250 + 2 * (10_000 + 79)]);
});

test('a bootloader: every step, in order, and its time', () => {
  const plan = planUpgrade(BOOTLOADER);
  assert.is(plan.blocks, 157);
  // 3 + 128 + 2 bytes and one that answers.
  const wireMs = 157 * 134;
  assert.equal(times(plan.steps), [
    ['admit', 0, 0],
    ['enter', 300, 5_300],
    ['erase', 0, 500],
    ['distribute', wireMs, wireMs + 157 * 16 + 79],
    ['verify', 0, 2_000],
    ['restart', 0, 5_000],
    ['confirm', 0, 2_000],
  ]);
});

test('a bootloader: it is said that the upload takes the application away', () => {
  const { steps } = planUpgrade(BOOTLOADER);
  assert.equal(
    steps.filter(({ irreversible }) => irreversible).map((one) => one.step),
    ['erase'],
  );
  assert.match(step(steps, 'erase').text, 'nothing but its bootloader');
  assert.match(step(steps, 'confirm').text, 'cannot be read');
});

test('a bootloader at a time: nothing is sent before it', () => {
  const { steps } = planUpgrade({ ...BOOTLOADER, activation: { when: 'at', atMs: AT_MS } });
  const names = steps.map((one) => one.step);
  assert.ok(names.indexOf('wait') < names.indexOf('enter'));
  assert.match(step(steps, 'wait').text, '2026-01-05T02:00:00.000Z');
});

test('a faster line makes either time shorter, by its share', () => {
  for (const request of [SMP, BOOTLOADER]) {
    const serial = { ...SERIAL, baudRate: 100_000 };
    const slow = step(planUpgrade(request).steps, 'distribute');
    const fast = step(planUpgrade({ ...request, serial }).steps, 'distribute');
    assert.ok(Math.abs(slow.leastMs - 10 * fast.leastMs) < 1e-6);
    assert.ok(fast.mostMs < slow.mostMs && fast.mostMs > fast.leastMs);
  }
});

test.run();
