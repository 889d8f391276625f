/** The classes of failures are complete, delays are jittered and capped, and budgets are kept. */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  delayOf,
  FAILURE_CLASSES,
  type FailureClass,
  RETRY_POLICY,
  RetryDesk,
} from '../../src/schedule/retry.ts';
import { FAILURES } from '../../src/upgrade/states.ts';
import { SeededRandom } from '../../src/virtual/random.ts';

const test = suite('retry');

const HOUR_MS = 3_600_000;
const NOON = Date.UTC(2026, 0, 10, 12);
const NEVER = Number.MAX_SAFE_INTEGER;

const failed = (failureClass: FailureClass, retriesDone = 0, deadlineMs = NEVER, job = 'job') => ({
  job,
  failureClass,
  retriesDone,
  deadlineMs,
});

test('every code of a session and of a link has a class, and no other has', () => {
  const transport = resolve(import.meta.dirname, '../../src/transport');
  const thrown = globSync('**/*.ts', { cwd: transport }).flatMap((path) =>
    [
      ...readFileSync(resolve(transport, path), 'utf8').matchAll(/new UpliftError\(\s*'([^']+)'/g),
    ].map(([, code]) => code!),
  );
  assert.ok(thrown.length >= 10);
  const codes = new Set([...Object.keys(FAILURES), ...thrown]);
  assert.equal(Object.keys(FAILURE_CLASSES).sort(), [...codes].sort());
});

test('what was refused is never tried again by itself', () => {
  const desk = new RetryDesk(new SeededRandom(1), NOON);
  assert.equal(desk.decide(failed('refused'), NOON), { kind: 'given-up', why: 'refused' });
  // As the rules, the image or the device's own check said no, the same bytes get the same answer.
  for (const code of ['image-refused-by-device', 'facts-missing', 'image-changed'] as const) {
    assert.is(FAILURE_CLASSES[code], 'refused');
  }
});

test('an outcome that is not known is read, and all else is run', () => {
  for (const failureClass of Object.keys(RETRY_POLICY.backoff) as FailureClass[]) {
    const desk = new RetryDesk(new SeededRandom(1), NOON);
    const decision = desk.decide(failed(failureClass), NOON);
    assert.ok(decision.kind === 'again');
    assert.is(
      decision.kind === 'again' && decision.task,
      failureClass === 'unknown-outcome' ? 'read' : 'run',
    );
  }
});

test('a delay is anything up to what has grown so far, and never more than the cap', () => {
  const random = new SeededRandom(7);
  for (const backoff of Object.values(RETRY_POLICY.backoff)) {
    for (const retriesDone of [0, 1, 2, 5, 20, 5_000]) {
      const most = Math.min(backoff.capMs, backoff.baseMs * backoff.factor ** retriesDone);
      const delays = Array.from({ length: 400 }, () => delayOf(backoff, retriesDone, random));
      assert.ok(Math.min(...delays) < 0.05 * most);
      assert.ok(Math.max(...delays) > 0.95 * most && Math.max(...delays) < most);
    }
  }
});

test('attempts end, at the last one and not before', () => {
  const { retriesMax } = RETRY_POLICY.backoff.transfer;
  const desk = new RetryDesk(new SeededRandom(1), NOON);
  assert.is(desk.decide(failed('transfer', retriesMax - 1), NOON).kind, 'again');
  assert.equal(desk.decide(failed('transfer', retriesMax), NOON), {
    kind: 'given-up',
    why: 'attempts',
  });
  assert.is(desk.decide(failed('unreachable', 1_000), NOON).kind, 'again');
});

test('a retry that would come at its deadline or later is given up, and costs nothing', () => {
  const random = { next: () => 0.5 };
  const desk = new RetryDesk(random, NOON);
  const delayMs = RETRY_POLICY.backoff.transfer.baseMs / 2;
  for (let n = 0; n < 100; n++) {
    const decision = desk.decide(failed('transfer', 0, NOON + delayMs), NOON);
    assert.equal(decision, { kind: 'given-up', why: 'deadline' });
  }
  assert.equal(desk.decide(failed('transfer', 0, NOON + delayMs + 1), NOON), {
    kind: 'again',
    atMs: NOON + delayMs,
    task: 'run',
  });
});

test('fifty thousand devices that fail together do not come back together', () => {
  const desk = new RetryDesk(new SeededRandom(3), NOON);
  const devices = 50_000;
  const times: number[] = [];
  for (let n = 0; n < devices; n++) {
    // Ten jobs of five thousand.
    const job = `job-${n % 10}`;
    desk.firstTry(job, NOON);
    const decision = desk.decide(failed('unreachable', 0, NEVER, job), NOON);
    if (decision.kind === 'again') times.push(decision.atMs);
  }
  assert.is(times.length, devices);
  const { reserve, share, perHour } = RETRY_POLICY.gatewayBudget;
  times.sort((a, b) => a - b);
  for (const hours of [0.1, 1, 5, 24]) {
    const retries = times.filter((ms) => ms <= NOON + hours * HOUR_MS).length;
    const most = reserve + share * devices + perHour * hours;
    assert.ok(retries <= most, `${retries} retries in ${hours} h, at most ${most}`);
  }
  const first = times.filter((ms) => ms < NOON + HOUR_MS).length;
  console.log(`NOTE of ${devices} failures at once, ${first} are retried within the first hour`);
});

test('a job does not spend what the gateway has for others', () => {
  const desk = new RetryDesk(new SeededRandom(3), NOON);
  const { reserve } = RETRY_POLICY.jobBudget;
  for (let n = 0; n < reserve + 5; n++) desk.decide(failed('gateway', 0, NEVER, 'greedy'), NOON);
  const late = desk.decide(failed('gateway', 0, NEVER, 'greedy'), NOON);
  const soon = desk.decide(failed('gateway', 0, NEVER, 'modest'), NOON);
  assert.ok(late.kind === 'again' && late.atMs > NOON + 5 * 60_000);
  assert.ok(soon.kind === 'again' && soon.atMs <= NOON + RETRY_POLICY.backoff.gateway.baseMs);
});

test('a budget never holds more than its reserve, however long nothing failed', () => {
  const desk = new RetryDesk({ next: () => 0 }, NOON);
  for (let n = 0; n < 10_000; n++) desk.firstTry('job', NOON);
  const laterMs = NOON + 1_000 * HOUR_MS;
  let atOnce = 0;
  for (; atOnce < 1_000; atOnce++) {
    const decision = desk.decide(failed('transfer'), laterMs);
    if (decision.kind === 'again' && decision.atMs > laterMs) break;
  }
  assert.is(atOnce, RETRY_POLICY.jobBudget.reserve);
});

test.run();
