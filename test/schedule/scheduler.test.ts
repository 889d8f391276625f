/**
 * The scheduler rule by rule; what holds for all sequences of calls is in scheduler-model.test.ts.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EXPIRIES } from '../../src/schedule/codes.ts';
import type { ScheduleItem } from '../../src/schedule/item.ts';
import { RETRY_POLICY, RetryDesk } from '../../src/schedule/retry.ts';
import { ROUNDS_A_PRIORITY, Scheduler } from '../../src/schedule/scheduler.ts';
import { type LocalHours, parseHours } from '../../src/schedule/windows.ts';
import { SeededRandom } from '../../src/virtual/random.ts';

const test = suite('scheduler');

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** A Saturday in winter: local time of London is UTC. */
const NOON = Date.UTC(2026, 0, 10, 12);
const NETWORK = 'network:zigbee-1';

function scheduler(): Scheduler {
  return new Scheduler(new RetryDesk(new SeededRandom(1), NOON));
}

function item(id: string, rest: Partial<ScheduleItem> = {}): ScheduleItem {
  return {
    id,
    job: 'job',
    stage: 'distribute',
    resources: [NETWORK],
    priority: 0,
    notBeforeMs: NOON,
    deadlineMs: NOON + 100 * HOUR_MS,
    expectedMs: HOUR_MS,
    ...rest,
  };
}

function daily(from: string, until: string): LocalHours {
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  const parsed = parseHours({ weekly: [{ days, from, until }] });
  if (!parsed.ok) throw new Error(parsed.code);
  return parsed.hours;
}

function ids(machine: Scheduler, nowMs = NOON): string[] {
  return machine.poll(nowMs).start.map(({ id }) => id);
}

/** Runs one after the other, each for no time, and says in which order. */
function order(machine: Scheduler, nowMs = NOON): string[] {
  const all: string[] = [];
  for (;;) {
    const started = ids(machine, nowMs);
    if (started.length === 0) return all;
    for (const id of started) machine.ended(id, { kind: 'done' }, nowMs);
    all.push(...started);
  }
}

test('a port runs one, a network as many as its pace', () => {
  const machine = scheduler();
  for (const id of ['a', 'b', 'c']) machine.submit(item(id, { resources: ['port:hub-1'] }));
  for (const id of ['d', 'e', 'f']) machine.submit(item(id));
  machine.setPace(NETWORK, 2);
  assert.equal(ids(machine).sort(), ['a', 'd', 'e']);
  assert.equal(ids(machine), []);
  machine.ended('a', { kind: 'done' }, NOON);
  assert.is(machine.pollTimeout(), 0);
  assert.equal(ids(machine), ['b']);
  machine.setPace(NETWORK, 1);
  machine.ended('d', { kind: 'done' }, NOON);
  assert.equal(ids(machine), []);
  machine.ended('e', { kind: 'done' }, NOON);
  assert.equal(ids(machine), ['f']);
});

test('in all so many run, and the resources take turns at it', () => {
  const machine = new Scheduler(new RetryDesk(new SeededRandom(1), NOON), 2);
  const networks = ['network:a', 'network:b', 'network:c'];
  for (const network of networks) machine.setPace(network, 3);
  for (const network of networks)
    for (let n = 0; n < 4; n++)
      machine.submit(item(`${network.at(-1)}${n}`, { resources: [network] }));
  const [first, second] = ids(machine);
  const started = [first!, second!];
  assert.equal(ids(machine), []);
  assert.match(machine.explain('c0', NOON)!.text, /as many devices are upgraded as may be/);
  for (let ended = 0; started.length < 12; ended++) {
    machine.ended(started[ended]!, { kind: 'done' }, NOON);
    const more = ids(machine);
    assert.is(more.length, 1, 'one for one');
    started.push(...more);
  }
  assert.is(started.map((id) => id[0]).join(''), 'abcabcabcabc');
});

test('the higher priority first, then the older', () => {
  const machine = scheduler();
  machine.submit(item('a'));
  machine.submit(item('b', { priority: 1 }));
  machine.submit(item('c', { priority: 1 }));
  machine.submit(item('d', { priority: -1 }));
  assert.equal(order(machine), ['b', 'c', 'a', 'd']);
});

test('jobs take turns: a late small one does not wait for all of a large one', () => {
  const machine = scheduler();
  for (let n = 0; n < 6; n++) machine.submit(item(`large-${n}`, { job: 'large' }));
  assert.equal(ids(machine), ['large-0']);
  for (let n = 0; n < 2; n++) machine.submit(item(`small-${n}`, { job: 'small' }));
  ids(machine);
  machine.ended('large-0', { kind: 'done' }, NOON);
  assert.equal(order(machine), [
    'large-1',
    'small-0',
    'large-2',
    'small-1',
    'large-3',
    'large-4',
    'large-5',
  ]);
});

test('nothing starves: an old item is overtaken by a bounded number of rounds', () => {
  const machine = scheduler();
  machine.submit(item('old', { job: 'patient' }));
  machine.submit(item('first', { job: 'urgent', priority: 2 }));
  let starts = 0;
  for (let n = 0; n < 1000; n++) {
    machine.submit(item(`urgent-${n}`, { job: 'urgent', priority: 2 }));
    const [id] = ids(machine);
    starts++;
    if (id === 'old') break;
    machine.ended(id!, { kind: 'done' }, NOON);
  }
  assert.is(starts, 2 * ROUNDS_A_PRIORITY + 1);
});

/**
 * Port and network become free in turn, never together; stops when one of them is kept free for the
 * item that needs both.
 */
function untilKept(machine: Scheduler): string {
  machine.submit(item('both', { job: 'both', resources: ['port:hub-1', NETWORK] }));
  const running = new Set<string>();
  for (let n = 0; n < 100; n++) {
    machine.submit(item(`p${n}`, { job: 'ports', resources: ['port:hub-1'], priority: 1 }));
    machine.submit(item(`n${n}`, { job: 'network', priority: 1 }));
    for (const id of ids(machine)) running.add(id);
    const left = [...running];
    if (left.length === 1) return left[0]!;
    const ending = left.find((id) => id.startsWith(n % 2 ? 'p' : 'n'))!;
    machine.ended(ending, { kind: 'done' }, NOON);
    running.delete(ending);
  }
  throw new Error('nothing was kept free');
}

test('an item that needs two resources gets them although others always want one', () => {
  const machine = scheduler();
  const last = untilKept(machine);
  machine.ended(last, { kind: 'done' }, NOON);
  assert.equal(ids(machine), ['both']);
  machine.ended('both', { kind: 'done' }, NOON);
  assert.is(ids(machine).length, 2);
});

test('what was kept free is free again when its item is cancelled or loses a link', () => {
  const cancelled = scheduler();
  untilKept(cancelled);
  cancelled.cancel('both');
  assert.is(ids(cancelled).length, 1);
  const unplugged = scheduler();
  const last = untilKept(unplugged);
  unplugged.linkDown(last.startsWith('p') ? 'port:hub-1' : NETWORK);
  assert.is(ids(unplugged).length, 1);
});

test('what waits for a link begins when it is back, and expires at its deadline', () => {
  const machine = scheduler();
  machine.linkDown(NETWORK);
  machine.submit(item('a', { deadlineMs: NOON + HOUR_MS }));
  machine.submit(item('b', { deadlineMs: NOON + 2 * HOUR_MS }));
  assert.equal(ids(machine), []);
  const why = machine.explain('a', NOON)!;
  assert.is(why.waitsFor, 'link');
  assert.is(why.owner, 'person');
  assert.is(why.untilMs, NOON + HOUR_MS);
  assert.match(why.text, /network:zigbee-1/);
  assert.is(machine.pollTimeout(), NOON + HOUR_MS);
  assert.equal(machine.poll(NOON + HOUR_MS - 1).expire, []);
  assert.equal(machine.poll(NOON + HOUR_MS).expire, [{ id: 'a', code: 'link-not-back' }]);
  assert.is(EXPIRIES['link-not-back'].owner, 'person');
  assert.is(machine.explain('a', NOON), undefined);
  machine.linkUp(NETWORK);
  assert.equal(ids(machine, NOON + HOUR_MS), ['b']);
});

test('a window: not before it, not too near its end, and paused where that is asked', () => {
  const machine = scheduler();
  const windows = [daily('01:00', '05:00')];
  machine.submit(item('whole', { windows, expectedMs: 3 * HOUR_MS }));
  machine.submit(item('part', { windows, expectedMs: 9 * HOUR_MS, atClosing: 'pause' }));
  machine.submit(item('never', { windows, expectedMs: 9 * HOUR_MS }));
  machine.setPace(NETWORK, 3);
  assert.equal(ids(machine), []);
  const opens = NOON + 13 * HOUR_MS;
  assert.is(machine.pollTimeout(), opens);
  assert.equal(machine.explain('whole', NOON), {
    waitsFor: 'window',
    owner: 'gateway',
    untilMs: opens,
    deadlineMs: NOON + 100 * HOUR_MS,
    text: 'the maintenance window is closed, or closes before it could end',
  });
  assert.is(machine.explain('never', NOON)!.owner, 'person');
  assert.equal(ids(machine, opens - 1), []);
  // Two hours late there is too little left for three hours, and enough for a part.
  assert.equal(ids(machine, opens + HOUR_MS + 1), ['part']);
  const closes = opens + 4 * HOUR_MS;
  assert.is(machine.pollTimeout(), closes);
  assert.equal(machine.poll(closes).pause, ['part']);
  assert.equal(machine.poll(closes + 1).pause, []);
  assert.equal(machine.ended('part', { kind: 'paused' }, closes + 1), {
    kind: 'again',
    atMs: closes + 1,
    task: 'run',
  });
  assert.equal(ids(machine, closes + 1), []);
  assert.is(machine.explain('part', closes + 1)!.waitsFor, 'window');
  assert.equal(machine.poll(opens + 24 * HOUR_MS).start, [
    { id: 'part', task: 'run', attempt: 2 },
    { id: 'whole', task: 'run', attempt: 1 },
  ]);
});

test('a window that closes while an item waits for its turn is waited for again', () => {
  const machine = scheduler();
  machine.submit(item('first'));
  machine.submit(item('second', { windows: [daily('11:00', '14:00')] }));
  assert.equal(ids(machine), ['first']);
  assert.is(machine.explain('second', NOON)!.waitsFor, 'capacity');
  machine.ended('first', { kind: 'done' }, NOON + 61 * MINUTE_MS);
  assert.equal(ids(machine, NOON + 61 * MINUTE_MS), []);
  assert.is(machine.explain('second', NOON + 61 * MINUTE_MS)!.waitsFor, 'window');
  assert.equal(ids(machine, NOON + 23 * HOUR_MS), ['second']);
});

test('the blackout is for activations, and an activation is an item of its own', () => {
  const machine = scheduler();
  machine.setPace(NETWORK, 2);
  const blackout = daily('10:00', '14:00');
  machine.submit(item('distribute', { blackout }));
  machine.submit(item('activate', { blackout, stage: 'activate' }));
  assert.equal(ids(machine), ['distribute']);
  assert.is(machine.explain('activate', NOON)!.waitsFor, 'blackout');
  assert.equal(ids(machine, NOON + 2 * HOUR_MS - 1), []);
  assert.equal(ids(machine, NOON + 2 * HOUR_MS), ['activate']);
});

test('what nobody approved waits for a person, and expires', () => {
  const machine = scheduler();
  machine.submit(item('a', { approved: false, deadlineMs: NOON + HOUR_MS }));
  machine.submit(item('b', { approved: false, deadlineMs: NOON + HOUR_MS }));
  assert.equal(ids(machine), []);
  assert.is(machine.explain('a', NOON)!.waitsFor, 'approval');
  assert.is(machine.explain('a', NOON)!.owner, 'person');
  assert.ok(machine.approve('b'));
  assert.not(machine.approve('b'));
  assert.equal(ids(machine), ['b']);
  assert.equal(machine.poll(NOON + HOUR_MS).expire, [{ id: 'a', code: 'not-approved' }]);
});

test('each way of expiring has its code', () => {
  const machine = scheduler();
  const deadlineMs = NOON + HOUR_MS;
  const windows = [daily('01:00', '05:00')];
  const blackout = daily('10:00', '14:00');
  machine.submit(item('early', { notBeforeMs: deadlineMs, deadlineMs }));
  machine.submit(item('shut', { windows, deadlineMs }));
  machine.submit(item('black', { blackout, stage: 'activate', deadlineMs, resources: ['x'] }));
  machine.submit(item('runs'));
  machine.submit(item('late', { deadlineMs }));
  machine.submit(item('fails', { deadlineMs, resources: ['port:hub-1'] }));
  assert.equal(ids(machine).sort(), ['fails', 'runs']);
  machine.poll(deadlineMs - 2);
  const again = machine.ended('fails', { kind: 'failed', code: 'hub-silent' }, NOON);
  assert.is(again.kind, 'again');
  machine.linkDown('port:hub-1');
  const codes = machine.poll(deadlineMs).expire.map(({ id, code }) => `${id} ${code}`);
  assert.equal(codes.sort(), [
    'black in-blackout',
    'early never-due',
    'fails link-not-back',
    'late no-turn',
    'shut no-window',
  ]);
});

test('a failure is retried by its class, and an outcome that is not known is read', () => {
  const machine = scheduler();
  const windows = [daily('11:00', '13:30')];
  machine.submit(item('a', { windows }));
  ids(machine);
  const unknown = machine.ended('a', { kind: 'unknown-outcome' }, NOON);
  assert.ok(unknown.kind === 'again' && unknown.task === 'read');
  const readMs = unknown.kind === 'again' ? unknown.atMs : 0;
  assert.is(machine.explain('a', NOON)!.waitsFor, 'retry');
  assert.is(machine.explain('a', NOON)!.untilMs, readMs);
  // To read needs no window. A silent device says nothing about the outcome: it is read again.
  const lateMs = NOON + 3 * HOUR_MS;
  assert.equal(machine.poll(lateMs).start, [{ id: 'a', task: 'read', attempt: 2 }]);
  const silent = machine.ended('a', { kind: 'failed', code: 'device-silent' }, lateMs);
  assert.ok(silent.kind === 'again' && silent.task === 'read');
  assert.is(machine.poll(lateMs + HOUR_MS).start[0]?.attempt, 3);
  assert.equal(machine.ended('a', { kind: 'failed', code: 'device-reverted' }, lateMs + HOUR_MS), {
    kind: 'given-up',
    why: 'refused',
  });
  assert.is(machine.size, 0);
});

test('attempts of a class are counted, and then it is over', () => {
  const machine = scheduler();
  machine.submit(item('a'));
  let nowMs = NOON;
  let tries = 0;
  for (;;) {
    assert.equal(ids(machine, nowMs), ['a']);
    tries++;
    const then = machine.ended('a', { kind: 'failed', code: 'transfer-stalled' }, nowMs);
    if (then.kind !== 'again') {
      assert.equal(then, { kind: 'given-up', why: 'attempts' });
      break;
    }
    nowMs = then.atMs;
  }
  assert.is(tries, RETRY_POLICY.backoff.transfer.retriesMax + 1);
});

test('what is cancelled goes; what runs ends, and is not retried', () => {
  const machine = scheduler();
  machine.submit(item('a'));
  machine.submit(item('b'));
  machine.submit(item('c'));
  ids(machine);
  assert.is(machine.cancel('b'), 'removed');
  assert.is(machine.cancel('b'), 'unknown');
  assert.is(machine.cancel('a'), 'running');
  assert.equal(machine.ended('a', { kind: 'failed', code: 'transfer-stalled' }, NOON), {
    kind: 'over',
  });
  assert.equal(order(machine), ['c']);
});

test('what is found running after a restart runs, whatever window and capacity say', () => {
  const machine = scheduler();
  const windows = [daily('01:00', '05:00')];
  machine.submit(item('a', { windows }));
  machine.submit(item('b', { windows, atClosing: 'pause' }));
  machine.submit(item('c'));
  machine.started('a', NOON);
  machine.started('b', NOON);
  machine.started('b', NOON);
  assert.equal(machine.poll(NOON), { start: [], pause: ['b'], expire: [] });
  machine.ended('a', { kind: 'done' }, NOON);
  assert.equal(ids(machine), []);
  machine.ended('b', { kind: 'paused' }, NOON);
  assert.equal(ids(machine), ['c']);
});

test('a caller that breaks the contract is told', () => {
  const machine = scheduler();
  machine.submit(item('a'));
  assert.throws(() => machine.submit(item('a')), /submitted once/);
  assert.throws(() => machine.ended('a', { kind: 'done' }, NOON), /only while it runs/);
  assert.throws(() => machine.started('b', NOON), /no item b/);
  assert.throws(() => machine.submit(item('b', { deadlineMs: Infinity })), /deadline/);
  assert.throws(() => machine.submit(item('b', { resources: [] })), /resource/);
  assert.throws(() => machine.submit(item('b', { priority: 9 })), /priority/);
});

test.run();
