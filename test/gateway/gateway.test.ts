/** The gateway under a simulated clock: jobs, what becomes of them, and what a restart finds. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { STATE_RULES, type UpgradeState } from '../../src/jobs/states.ts';
import { parseHours } from '../../src/schedule/windows.ts';
import { RECORD_CHARACTERS_MAX } from '../../src/store/journal.ts';
import { GatewayDesk, HOUR_MS, IMAGE } from './gateway-desk.ts';

const test = suite('gateway');
const MINUTE_MS = 60_000;

test('a job from beginning to end, each state on record before what follows it', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  const run = desk.field.of('ppmid-1');
  assert.is(desk.state(job), 'verifying');
  run.say('staged', 'distributing', 'distributed', 'activating', 'confirming');
  assert.equal(run.announced, [true]);
  run.end('done');
  assert.equal(desk.states(job), [
    'scheduled',
    'verifying',
    'staged',
    'distributing',
    'distributed',
    'activating',
    'confirming',
    'done',
  ]);
  const { upgrade } = { upgrade: desk.gateway.book.upgrade(job, 'ppmid-1')! };
  assert.is(upgrade.attempt, 1);
  assert.is(upgrade.owner, 'nobody');
});

test('every state that is on record and not final says who acts and until when', () => {
  const desk = new GatewayDesk();
  const job = desk.job({ devices: ['ppmid-1', 'hub-1'], activation: { when: 'held' } });
  desk.field.of('ppmid-1').say('staged', 'distributing', 'distributed').hold();
  desk.field.of('hub-1').say('staged').end('failed', 'device-reverted');
  desk.gateway.jobs.cancel(job, undefined, 'api:author');
  for (const record of desk.journal.rows.filter(({ kind }) => kind === 'state')) {
    const { owner } = STATE_RULES[record['state'] as UpgradeState];
    assert.is(record['owner'], owner);
    assert.is(typeof record['untilMs'], owner === 'nobody' ? 'undefined' : 'number');
  }
});

test('held for days, then activated by its own command', () => {
  const desk = new GatewayDesk();
  const job = desk.job({ activation: { when: 'held' } });
  const first = desk.field.of('ppmid-1');
  assert.equal(first.task.activation, { when: 'held' });
  desk.refuses('not-activatable', () =>
    desk.gateway.jobs.activate(job, undefined, { when: 'now' }, 'api:author'),
  );
  first.say('staged', 'distributing', 'distributed').hold();
  assert.is(desk.state(job), 'awaiting-activation');
  desk.clock.run(5 * 24 * HOUR_MS);
  desk.start();
  assert.is(desk.field.runs.length, 0, 'nobody commanded it');
  desk.gateway.jobs.activate(job, ['ppmid-1'], { when: 'now' }, 'api:author');
  const second = desk.field.of('ppmid-1');
  assert.equal(second.task.activation, { when: 'now' });
  second.say('staged', 'distributed', 'activating').end('done');
  assert.is(desk.state(job), 'done');
  assert.is(desk.intents(job), 1);
});

test('a hold that nobody ends expires, and the device keeps the image', () => {
  const desk = new GatewayDesk();
  const job = desk.job({ activation: { when: 'held' } });
  desk.field.of('ppmid-1').hold();
  desk.clock.run(31 * 24 * HOUR_MS);
  assert.is(desk.state(job), 'expired');
  assert.is(desk.gateway.book.upgrade(job, 'ppmid-1')!.code, 'hold-expired');
});

test('activated at its time, and not before; also by another process', () => {
  const desk = new GatewayDesk();
  const job = desk.job({ activation: { when: 'at', atMs: desk.nowMs + 6 * HOUR_MS } });
  desk.field.of('ppmid-1').say('staged', 'distributing', 'distributed').hold();
  desk.clock.run(3 * HOUR_MS);
  desk.start();
  desk.clock.run(3 * HOUR_MS - 10);
  assert.is(desk.field.runs.length, 0);
  desk.clock.run(20);
  assert.equal(desk.field.of('ppmid-1').task.activation, { when: 'now' });
  desk.field.of('ppmid-1').say('staged', 'distributed', 'activating').end('done');
  assert.is(desk.state(job), 'done');
});

test('killed in its activation: read back under the same command, whatever the process', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field.of('ppmid-1').say('staged', 'distributing', 'distributed', 'activating');
  desk.start();
  const again = desk.field.of('ppmid-1');
  assert.equal(again.task.announced, ['activate']);
  assert.is(desk.state(job), 'activating', 'and not verified anew');
  again.say('activating', 'confirming').end('done');
  assert.is(desk.intents(job), 1);
});

test('killed in its distribution: goes on at once, in a further attempt', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field.of('ppmid-1').say('staged', 'distributing');
  desk.start();
  const again = desk.field.of('ppmid-1');
  assert.equal(again.task.announced, []);
  assert.is(desk.gateway.book.upgrade(job, 'ppmid-1')!.attempt, 2);
  again.say('staged', 'distributing', 'distributed', 'activating').end('done');
  assert.is(desk.state(job), 'done');
});

test('an unknown outcome is read again until it is known, and never activated again', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field
    .of('ppmid-1')
    .say('staged', 'activating')
    .end('unknown-outcome', 'version-not-readable');
  assert.is(desk.state(job), 'unknown-outcome');
  desk.clock.run(MINUTE_MS);
  assert.is(desk.field.runs.length, 2);
  const second = desk.field.of('ppmid-1');
  assert.equal(second.task.announced, ['activate']);
  second.say('activating').end('unknown-outcome', 'version-not-readable');
  desk.start();
  desk.clock.run(MINUTE_MS / 2);
  const third = desk.field.of('ppmid-1');
  third.say('activating').end('done');
  assert.is(desk.state(job), 'done');
  assert.is(desk.intents(job), 1);
});

test('a failure is tried again by its class, and after an activation by a person only', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field.of('ppmid-1').say('staged', 'distributing').end('failed', 'transfer-stalled');
  assert.is(desk.state(job), 'scheduled');
  desk.clock.run(MINUTE_MS);
  const second = desk.field.of('ppmid-1');
  assert.not.ok(second.isOver);
  second.say('staged', 'distributed', 'activating').end('failed', 'device-reverted');
  desk.clock.run(10 * HOUR_MS);
  assert.is(desk.state(job), 'failed');
  assert.is(desk.field.runs.length, 2);
  desk.gateway.jobs.retry(job, undefined, 'api:author');
  assert.equal(desk.field.of('ppmid-1').task.announced, [], 'a command of its own');
});

test('a run that is never heard of ends, and its device is turned to again', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  const first = desk.field.of('ppmid-1');
  desk.clock.run(MINUTE_MS + 1);
  assert.ok(first.isOver);
  assert.is(desk.state(job), 'scheduled');
  assert.is(desk.gateway.book.upgrade(job, 'ppmid-1')!.code, 'link-down');
});

test('commanded, and never heard of again: nobody says that it failed', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field.of('ppmid-1').say('staged', 'distributing', 'distributed', 'activating').stop();
  desk.field.listener.link('network:zigbee-1', false, 'no cable');
  desk.refuses('not-cancellable', () => desk.gateway.jobs.cancel(job, undefined, 'api:author'));
  desk.clock.run(25 * HOUR_MS);
  assert.is(desk.state(job), 'unknown-outcome');
});

test('a job whose link is not there waits with its deadline, and goes on when it is', () => {
  const desk = new GatewayDesk();
  desk.field.listener.link('network:zigbee-1', false, 'no cable');
  const job = desk.job();
  assert.is(desk.field.runs.length, 0);
  assert.match(
    desk.gateway.jobs.explain(desk.gateway.book.upgrade(job, 'ppmid-1')!).waitsFor,
    /zigbee-1 is down/,
  );
  desk.clock.run(5 * HOUR_MS);
  desk.field.listener.link('network:zigbee-1', true, 'open');
  assert.is(desk.field.runs.length, 1);
  desk.field.of('ppmid-1').notBegun('port-missing');
  assert.is(desk.state(job), 'scheduled');
  desk.field.listener.link('network:zigbee-1', false, 'no cable');
  desk.clock.run(20 * HOUR_MS);
  assert.is(desk.state(job), 'expired');
  assert.is(desk.gateway.book.upgrade(job, 'ppmid-1')!.code, 'link-not-back');
});

test('approval: by somebody else, or rejected, or too late', () => {
  const desk = new GatewayDesk();
  const job = desk.job({ needsApproval: true });
  assert.is(desk.state(job), 'awaiting-approval');
  desk.refuses('own-approval', () => desk.gateway.jobs.approve(job, 'api:author'));
  desk.start();
  desk.gateway.jobs.approve(job, 'api:other');
  assert.is(desk.state(job), 'verifying');
  desk.refuses('not-approvable', () => desk.gateway.jobs.approve(job, 'api:other'));
  const no = desk.job({ needsApproval: true, devices: ['hub-1'] });
  desk.gateway.jobs.reject(no, 'api:other', 'not this week');
  assert.is(desk.state(no, 'hub-1'), 'refused');
  const late = desk.job({ needsApproval: true, devices: ['ppmid-2'] });
  desk.clock.run(25 * HOUR_MS);
  assert.is(desk.state(late, 'ppmid-2'), 'expired');
});

test('called off in every state in which it can be, and refused where not', () => {
  const states = ['staged', 'distributing', 'distributed'] as const;
  for (let count = 0; count <= states.length; count++) {
    const desk = new GatewayDesk();
    const job = desk.job();
    desk.field.of('ppmid-1').say(...states.slice(0, count));
    desk.gateway.jobs.cancel(job, undefined, 'api:author');
    assert.is(desk.state(job), 'cancelled');
    desk.refuses('not-cancellable', () => desk.gateway.jobs.cancel(job, undefined, 'api:author'));
  }
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field.of('ppmid-1').say('staged', 'activating');
  desk.refuses('not-cancellable', () => desk.gateway.jobs.cancel(job, undefined, 'api:author'));
  const waits = desk.job({ devices: ['hub-1'], notBeforeMs: desk.nowMs + HOUR_MS });
  desk.gateway.jobs.cancel(waits, undefined, 'api:author');
  desk.clock.run(2 * HOUR_MS);
  assert.is(desk.state(waits, 'hub-1'), 'cancelled');
});

test('a hub that has no application is not left without: it is called off when it can be', () => {
  const desk = new GatewayDesk();
  const job = desk.job({ devices: ['hub-2'] });
  const run = desk.field.of('hub-2').say('staged', 'distributing');
  run.cancellable = false;
  desk.gateway.jobs.cancel(job, undefined, 'api:author');
  assert.is(desk.state(job, 'hub-2'), 'distributing');
  run.end('failed', 'transfer-broken');
  assert.is(desk.state(job, 'hub-2'), 'cancelled');
});

test('one job a device; a later one may take the place of what has not begun', () => {
  const desk = new GatewayDesk();
  const first = desk.job({ notBeforeMs: desk.nowMs + HOUR_MS });
  desk.refuses('job-open', () => desk.job());
  const second = desk.job({ supersede: true });
  assert.is(desk.state(first), 'superseded');
  assert.is(desk.state(second), 'verifying');
  desk.refuses('job-open', () => desk.job({ supersede: true }));
});

test('the same request is the same job, and another under its id is refused', () => {
  const desk = new GatewayDesk();
  const deadlineMs = desk.nowMs + HOUR_MS;
  const first = desk.job({ requestId: 'r-1', deadlineMs });
  assert.is(desk.job({ requestId: 'r-1', deadlineMs }), first);
  desk.start();
  assert.is(desk.job({ requestId: 'r-1', deadlineMs }), first);
  desk.refuses('request-id-reused', () => desk.job({ requestId: 'r-1', deadlineMs, priority: 3 }));
});

test('what cannot be taken is refused with its code, and nothing is changed', () => {
  const desk = new GatewayDesk();
  desk.refuses('image-unknown', () => desk.job({ image: 'b'.repeat(64) }));
  desk.refuses('device-unknown', () => desk.job({ devices: ['nobody'] }));
  desk.refuses('window-unknown', () => desk.job({ window: 'night' }));
  desk.refuses('job-malformed', () => desk.job({ devices: [] }));
  desk.refuses('job-malformed', () => desk.job({ devices: ['hub-1', 'hub-1'] }));
  desk.refuses('job-malformed', () => desk.job({ priority: 9 }));
  desk.refuses('job-malformed', () => desk.job({ priority: 0.5 }));
  desk.refuses('job-malformed', () => desk.job({ deadlineMs: desk.nowMs }));
  desk.refuses('job-malformed', () => desk.job({ deadlineMs: Number.NaN }));
  desk.refuses('job-malformed', () =>
    desk.job({ devices: ['hub-2'], activation: { when: 'held' } }),
  );
  desk.refuses('job-unknown', () => desk.gateway.jobs.cancel('j99', undefined, 'api:author'));
  const job = desk.job({ image: IMAGE });
  desk.refuses('device-not-in-job', () => desk.gateway.jobs.cancel(job, ['hub-1'], 'api:author'));
});

test('a job for 50,000 devices: no record over its bound, the same book after a restart', () => {
  const devices = Array.from(
    { length: 50_000 },
    (_, n) => `device-${n}-of-a-name-as-long-as-names-are`,
  );
  const many = devices.map((id) => ({
    ...{ id, kind: 'communications_hub' as const, link: 'port:one', canHold: true },
  }));
  const desk = new GatewayDesk({}, many);
  const job = desk.job({ devices });
  const longest = Math.max(...desk.journal.rows.map((row) => JSON.stringify(row).length));
  assert.ok(longest < RECORD_CHARACTERS_MAX, `${longest} characters`);
  desk.start();
  assert.equal(desk.gateway.book.job(job)!.request.devices, devices);
  assert.is(desk.state(job, devices[49_999]), 'planned');
  desk.clock.run(0);
  assert.is(desk.state(job, devices[49_999]), 'scheduled');
  desk.gateway.jobs.cancel(job, devices.slice(1), 'api:author');
  assert.is(desk.state(job, devices[49_999]), 'cancelled');
  assert.is(desk.state(job, devices[0]), 'verifying');
});

test('a large job is taken over in pieces: each device once, over a crash, and none that was called off', () => {
  const devices = Array.from({ length: 2_000 }, (_, n) => `device-${n}`);
  const many = devices.map((id, n) => ({
    ...{ id, kind: 'ppmid' as const, link: `network:${n}`, canHold: true },
  }));
  const desk = new GatewayDesk({}, many);
  const job = desk.job({ devices });
  const upgrades = () => desk.gateway.book.job(job)!.upgrades;
  const count = (state: string) => upgrades().filter((upgrade) => upgrade.state === state).length;
  assert.is(count('planned'), 2_000, 'taken, and on record as that');
  // Of the pieces two have room.
  desk.journal.room = 4;
  desk.clock.run(0);
  assert.is(desk.gateway.condition.state, 'degraded');
  desk.start();
  assert.is(count('planned'), 1_000);
  desk.gateway.jobs.cancel(job, ['device-1999'], 'api:author');
  const waiting = desk.job({ devices: ['device-1998'], supersede: true });
  desk.clock.run(0);
  assert.equal([count('planned'), count('verifying')], [0, 1_998]);
  assert.is(desk.state(job, 'device-1999'), 'cancelled');
  assert.is(desk.state(job, 'device-1998'), 'superseded');
  assert.is(desk.state(waiting, 'device-1998'), 'verifying');
  assert.equal(desk.states(job, 'device-1500'), ['scheduled', 'verifying']);
});

test('a journal that takes no more: nothing goes on, everybody is told, a restart finds all', () => {
  for (let room = 0; room < 12; room++) {
    const desk = new GatewayDesk();
    desk.journal.room = room;
    let job: string | undefined;
    try {
      job = desk.job();
    } catch {
      assert.is(desk.field.runs.length, 0);
    }
    if (job !== undefined && desk.field.runs.length > 0) {
      const run = desk.field.of('ppmid-1');
      run.say('staged', 'distributing', 'distributed', 'activating');
      const kept = desk.journal.rows.some(({ kind }) => kind === 'intent');
      assert.equal(run.announced, run.announced.length === 0 ? [] : [kept], `room ${room}`);
    }
    if (job !== undefined && desk.gateway.condition.state === 'degraded') {
      assert.ok(
        desk.field.runs.every(({ isOver }) => isOver),
        'left as it is',
      );
      desk.refuses('not-accepting', () => desk.job({ devices: ['hub-1'] }));
      desk.start();
      assert.is(desk.gateway.condition.state, 'ready');
      assert.ok(desk.gateway.book.job(job), 'what was acknowledged is there');
    }
  }
});

test('a blackout of activations parts the stages', () => {
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  const startMs = new GatewayDesk().nowMs;
  const at = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const weekly = [{ days, from: at(startMs - HOUR_MS), until: at(startMs + 2 * HOUR_MS) }];
  const parsed = parseHours({ zone: 'UTC', weekly });
  assert.ok(parsed.ok);
  const desk = new GatewayDesk({ blackout: parsed.hours });
  const job = desk.job();
  const first = desk.field.of('ppmid-1');
  assert.equal(first.task.activation, { when: 'held' });
  first.say('staged', 'distributing', 'distributed').hold();
  desk.clock.run(1.9 * HOUR_MS);
  assert.is(desk.field.runs.length, 1);
  const upgrade = desk.gateway.book.upgrade(job, 'ppmid-1')!;
  assert.equal(desk.gateway.jobs.explain(upgrade), {
    waitsFor: 'nothing is activated in these hours',
    owner: 'gateway',
    untilMs: Math.floor((startMs + 2 * HOUR_MS) / 60_000) * 60_000,
  });
  desk.clock.run(0.2 * HOUR_MS);
  assert.equal(desk.field.of('ppmid-1').task.activation, { when: 'now' });
});

test('an attempt that was heard of, or is over, is not waited for any more', () => {
  const desk = new GatewayDesk();
  desk.job();
  const run = desk.field.of('ppmid-1');
  const before = desk.clock.pending;
  run.say('staged', 'distributing');
  assert.is(desk.clock.pending, before - 1);
  run.end('done');
  desk.job({ devices: ['hub-1'] });
  desk.field.of('hub-1').stop();
  desk.gateway.stop();
  assert.is(desk.clock.pending, 0);
});

test('stopped: devices keep what they have, and the next process goes on', () => {
  const desk = new GatewayDesk();
  const job = desk.job();
  desk.field.of('ppmid-1').say('staged', 'distributing');
  desk.gateway.stop();
  assert.ok(desk.field.of('ppmid-1').isOver);
  assert.is(desk.state(job), 'distributing', 'no outcome is made up');
  desk.refuses('not-accepting', () => desk.job({ devices: ['hub-1'] }));
  assert.is(desk.clock.pending, 0, 'nothing keeps its process from ending');
  desk.start();
  assert.is(desk.field.runs.length, 1);
});

test.run();
