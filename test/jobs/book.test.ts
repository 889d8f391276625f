import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JobBook } from '../../src/jobs/book.ts';
import type { JobRecord, JobRecordBody, JobRequest } from '../../src/jobs/records.ts';
import {
  isBeyondRecall,
  isOver,
  mayFollow,
  STATE_RULES,
  UPGRADE_STATES,
  type UpgradeState,
} from '../../src/jobs/states.ts';

const test = suite('the book of jobs');

const REQUEST: JobRequest = {
  image: 'a'.repeat(64),
  devices: ['hub-1', 'ppmid-1'],
  activation: { when: 'held' },
  priority: 5,
  deadlineMs: 10_000,
  requestId: 'r1',
};

test('every state that is not final leads to a final one, and names who acts', () => {
  for (const state of UPGRADE_STATES) {
    const { owner, next } = STATE_RULES[state];
    assert.is(owner === 'nobody', isOver(state), state);
    if (!isOver(state)) assert.ok(next.some(isOver), `${state} can end`);
    assert.not.ok(next.includes(state), state);
  }
});

test('what a device acts on is not called off', () => {
  for (const state of UPGRADE_STATES.filter(isBeyondRecall)) {
    assert.not.ok(mayFollow(state, 'cancelled'), state);
    assert.not.ok(mayFollow(state, 'superseded'), state);
    assert.not.ok(mayFollow(state, 'expired'), state);
  }
});

test('a final state stays, but for a further attempt and an outcome that is read later', () => {
  for (const state of UPGRADE_STATES.filter(isOver)) {
    const allowed = state === 'unknown-outcome' ? ['done', 'failed', 'scheduled'] : ['scheduled'];
    for (const next of STATE_RULES[state].next) assert.ok(allowed.includes(next), state);
  }
  assert.equal(STATE_RULES.done.next, []);
  assert.equal(STATE_RULES.cancelled.next, []);
});

test('a job, its commands and its intents', () => {
  const { book, say } = desk();
  say({ kind: 'job', job: 'j1', by: 'cli:root', request: REQUEST });
  const hub = book.upgrade('j1', 'hub-1')!;
  assert.is(hub.state, 'planned');
  assert.is(book.jobOfRequest('r1')?.id, 'j1');
  say(state('hub-1', 'scheduled'));
  say({ kind: 'intent', job: 'j1', device: 'hub-1', intent: 'activate' });
  assert.ok(hub.intents.has('activate'));
  const first = hub.commandedBy;
  say({
    kind: 'command',
    job: 'j1',
    by: 'cli:root',
    command: 'activate',
    activation: { when: 'now' },
    devices: ['hub-1'],
  });
  assert.not.ok(hub.intents.has('activate'), 'another command, another activation');
  assert.ok(hub.commandedBy > first);
  assert.equal(hub.activation, { when: 'now' });
  assert.equal(
    book.upgrade('j1', 'ppmid-1')!.activation,
    { when: 'held' },
    'the other was not meant',
  );
  assert.equal(
    [...book.openUpgrades()].map(({ device }) => device),
    ['hub-1', 'ppmid-1'],
  );
  say(state('hub-1', 'cancelled'));
  assert.equal(book.openFor('hub-1'), []);
});

test('a state that cannot follow is a programmer’s error', () => {
  const { say } = desk();
  say({ kind: 'job', job: 'j1', by: 'cli:root', request: REQUEST });
  say(state('hub-1', 'scheduled'));
  say(state('hub-1', 'cancelled'));
  assert.throws(() => say(state('hub-1', 'distributing')), /cancelled is followed by distributing/);
});

test('jobs that ended are retired, and records of them passed over', () => {
  const { book, say } = desk();
  say({ kind: 'job', job: 'j1', by: 'cli:root', request: REQUEST });
  for (const device of REQUEST.devices) {
    say(state(device, 'scheduled'));
    say(state(device, 'expired'));
  }
  book.retire(0);
  assert.ok(book.job('j1'));
  book.retire(1e9);
  assert.is(book.job('j1'), undefined);
  assert.is(book.jobOfRequest('r1'), undefined);
  say(state('hub-1', 'scheduled'));
});

test('whatever lawful course a job takes, it replays to the same', () => {
  const walk = fc.array(fc.tuple(fc.constantFrom(...REQUEST.devices), fc.nat()), { maxLength: 60 });
  fc.assert(
    fc.property(walk, (steps) => {
      const { book, say, records } = desk();
      say({ kind: 'job', job: 'j1', by: 'cli:root', request: REQUEST });
      for (const [device, pick] of steps) {
        const { next } = STATE_RULES[book.upgrade('j1', device)!.state];
        if (next.length > 0) say(state(device, next[pick % next.length]!));
        if (pick % 7 === 0) say({ kind: 'intent', job: 'j1', device, intent: 'activate' });
        if (pick % 11 === 0) say({ kind: 'command', job: 'j1', by: 'x', command: 'retry' });
      }
      const again = new JobBook();
      for (const record of records) again.apply(record);
      assert.equal(snapshot(again), snapshot(book));
    }),
  );
});

function desk() {
  const book = new JobBook();
  const records: JobRecord[] = [];
  const say = (body: JobRecordBody): void => {
    const record = { ...body, sequence: records.length + 1, atMs: records.length } as JobRecord;
    records.push(record);
    book.apply(record);
  };
  return { book, records, say };
}

function state(device: string, to: UpgradeState): JobRecordBody {
  const { owner } = STATE_RULES[to];
  return { kind: 'state', job: 'j1', device, state: to, attempt: 1, owner, untilMs: 10_000 };
}

function snapshot(book: JobBook): unknown {
  const upgrades = book.job('j1')!.upgrades.map(({ job: _, intents, ...rest }) => ({
    ...rest,
    intents: [...intents].sort(),
  }));
  return { upgrades, open: [...book.openUpgrades()].map(({ id }) => id) };
}

test.run();
