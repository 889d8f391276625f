/** Queries, the end of a download, and activation, under a simulated clock. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Activation } from '../../../src/protocol/zcl-ota/session.ts';
import { assignmentOf, Fixture, IMAGE } from './fixture.ts';
import {
  block,
  blockData,
  defaultResponse,
  end,
  names,
  offer,
  query,
  refusal,
  response,
  specificFile,
  TRIPLE,
  upgradeEnd,
} from './naive-frames.ts';

const HOLD = 0xffffffff;
const OLD = { ...TRIPLE, fileVersion: 0x01020303 };
const HOUR_MS = 3_600_000;

/** A device that has the image, down to its last byte. */
function downloaded(activation: Activation): Fixture {
  const fixture = Fixture.assigned({ activation });
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .receive(block(2, TRIPLE, 990, 50))
    .take();
  fixture.says('started');
  return fixture;
}

// ---- permission --------------------------------------------------------------------------------------

test('permission that is taken back: told to wait for blocks and activation, and nothing is dropped', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.takeEvents();
  fixture.server.withhold(0);
  fixture.receive(block(2, TRIPLE, 50, 50));
  assert.equal(fixture.takeEvents(), [{ kind: 'asks-unauthorised', device: 0, offset: 50 }]);
  assert.is(fixture.take().length, 1, 'one answer, and it is the one to wait');
  fixture.server.authorise(0, 'anything');
  fixture.receive(block(3, TRIPLE, 50, 50));
  fixture.sends(blockData(3, TRIPLE, 50, IMAGE.subarray(50, 100)));
});

test('permission that is taken back from a device that has it all: it is not activated', () => {
  const fixture = downloaded({ when: 'now' });
  fixture.server.withhold(0);
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, HOLD));
  fixture.pass(HOUR_MS).sends();
  fixture.call((server, nowMs) => server.authorise(0, 'anything', nowMs));
  assert.is(fixture.take().length, 1, 'it is told when the permission is there again');
});

// ---- queries -----------------------------------------------------------------------------------------

test('a query is offered the image, with and without a hardware version', () => {
  const fixture = Fixture.assigned();
  fixture.receive(query(7, OLD)).sends(offer(7, TRIPLE, IMAGE.length));
  fixture.receive(query(8, OLD, 0x1211)).sends(offer(8, TRIPLE, IMAGE.length));
  assert.equal(fixture.takeEvents(), [
    { kind: 'query', device: 0, facts: { ...OLD, hardwareVersion: undefined }, answer: 'offered' },
    { kind: 'query', device: 0, facts: { ...OLD, hardwareVersion: 0x1211 }, answer: 'offered' },
  ]);
});

test('a query in mid-download is answered the same again, and the download goes on', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.receive(query(2, OLD)).sends(offer(2, TRIPLE, IMAGE.length));
  fixture.receive(block(3, TRIPLE, 50, 50));
  fixture.sends(blockData(3, TRIPLE, 50, IMAGE.subarray(50, 100)));
});

test('a query of another kind, or that runs this version, is told there is nothing', () => {
  const fixture = Fixture.assigned();
  const answers = [
    [{ ...OLD, manufacturerCode: 1 }, 'no-image'],
    [{ ...OLD, imageType: 0xffff }, 'no-image'],
    [TRIPLE, 'running-already'],
  ] as const;
  for (const [facts, answer] of answers) {
    fixture.receive(query(7, facts)).sends(refusal(7, 0x98));
    const [event] = fixture.takeEvents();
    assert.is(event?.kind === 'query' && event.answer, answer);
  }
});

test('a device that does not say what it runs is offered the image', () => {
  const fixture = Fixture.assigned();
  const unknown = { ...TRIPLE, fileVersion: 0xffffffff };
  fixture.receive(query(7, unknown, 0xffff)).sends(offer(7, TRIPLE, IMAGE.length));
});

test('a query waits for the decision, and is answered when it falls', () => {
  const fixture = Fixture.assigned({ authorised: false });
  fixture.receive(query(7, OLD)).sends().says('query').pass(2_499).sends();
  fixture.receive(query(8, OLD)).sends();
  fixture.call((server) => server.authorise(0, 'anything')).sends(offer(8, TRIPLE, IMAGE.length));
  fixture.pass(100_000).sends();
});

test('a query whose decision does not come in time is told "not now"', () => {
  const fixture = Fixture.assigned({ authorised: false });
  fixture.receive(query(7, OLD)).pass(2_499).sends().pass(1).sends(refusal(7, 0x7e));
  fixture
    .call((server) => server.authorise(0, 'anything'))
    .sends()
    .pass(10_000)
    .sends();
});

test('only a query that says what was decided on is answered at once', () => {
  const fixture = Fixture.assigned({ authorised: false });
  fixture.call((server) => server.authorise(0, 'unasked'));
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .sends(response(1, 5, 0x95))
    .says('partial-dropped');
  fixture
    .receive(query(2, OLD, 0x0200))
    .sends()
    .says('query');
  fixture.call((server) => server.authorise(0, 'unasked')).sends();
  fixture.receive(block(3, TRIPLE, 0, 50)).take();
  fixture.says('asks-unauthorised');
  const said = { ...OLD, hardwareVersion: 0x0200 };
  fixture.call((server) => server.authorise(0, said)).sends(offer(2, TRIPLE, IMAGE.length));
  fixture.receive(query(4, OLD, 0x0200)).sends(offer(4, TRIPLE, IMAGE.length));
  fixture.receive(block(5, TRIPLE, 0, 50)).sends(blockData(5, TRIPLE, 0, IMAGE.subarray(0, 50)));
  fixture.takeEvents();
  fixture.receive(query(6, OLD, 0x0201)).sends();
  fixture.receive(block(7, TRIPLE, 50, 50)).take();
  const answers = fixture.takeEvents();
  assert.equal(
    answers.map(({ kind }) => kind),
    ['query', 'asks-unauthorised'],
    'its download waits for the decision too',
  );
});

test('a waiting query is answered when its assignment is taken back, aborted or replaced', () => {
  const waiting = () => Fixture.assigned({ authorised: false }).receive(query(7, OLD)).sends();
  const released = waiting().call((server) => server.release(0));
  released.sends(refusal(7, 0x98)).pass(10_000).sends();
  waiting()
    .call((server) => server.abort(0))
    .sends(refusal(7, 0x98));
  const replaced = waiting();
  replaced.call((server, nowMs) => server.assign(0, assignmentOf(), nowMs));
  replaced
    .sends(offer(7, TRIPLE, IMAGE.length))
    .pass(10_000)
    .sends();
  const other = waiting();
  const triple = { ...TRIPLE, imageType: 1 };
  other.call((server, nowMs) => server.assign(0, assignmentOf({ triple }), nowMs));
  other.sends(refusal(7, 0x98));
});

test('an aborted device is offered nothing', () => {
  const fixture = Fixture.assigned();
  fixture.call((server) => server.abort(0));
  fixture.receive(query(7, OLD)).sends(refusal(7, 0x98));
  fixture.receive(specificFile(8, TRIPLE)).sends(refusal(8, 0x98, 9));
});

test('device specific files: offered by name or by any version, not now, or not at all', () => {
  const triple = { manufacturerCode: 0x121d, imageType: 0xffc0, fileVersion: 5 };
  const fixture = Fixture.assigned({ triple, authorised: false });
  fixture
    .receive(specificFile(1, triple))
    .sends(refusal(1, 0x7e, 9))
    .says('asks-unauthorised');
  fixture.call((server) => server.authorise(0, 'unasked'));
  fixture.receive(specificFile(2, triple)).sends(offer(2, triple, IMAGE.length, 9));
  fixture.receive(block(6, triple, 0, 50)).sends(blockData(6, triple, 0, IMAGE.subarray(0, 50)));
  fixture.receive(specificFile(3, { ...triple, fileVersion: 0xffffffff }));
  fixture.sends(offer(3, triple, IMAGE.length, 9));
  fixture.receive(specificFile(4, { ...triple, fileVersion: 6 })).sends(refusal(4, 0x98, 9));
  fixture.receive(specificFile(5, { ...triple, imageType: 0xffc1 })).sends(refusal(5, 0x98, 9));
});

test('notify: four payloads, the names of the assigned image, a sequence of its own', () => {
  const fixture = Fixture.assigned();
  fixture.call((server) => {
    for (const type of [0, 1, 2, 3] as const) server.notify(0, type);
    server.notify(0, 0, 50);
  });
  fixture.sends(
    response(1, 0, 0, 100),
    response(2, 0, 1, 100, ...names(TRIPLE).slice(0, 2)),
    response(3, 0, 2, 100, ...names(TRIPLE).slice(0, 4)),
    response(4, 0, 3, 100, ...names(TRIPLE)),
    response(5, 0, 0, 50),
  );
  const unassigned = new Fixture();
  unassigned.server.addDevice();
  unassigned.call((server) => server.notify(0, 1)).sends(response(1, 0, 1, 100, 0xff, 0xff));
});

// ---- the end of a download, and activation --------------------------------------------------------------

test('upgrade end: now', () => {
  const fixture = downloaded({ when: 'now' });
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, 0));
  assert.equal(fixture.takeEvents(), [{ kind: 'downloaded', device: 0, answer: 'now' }]);
  fixture.receive(end(4, 0, TRIPLE)).sends(upgradeEnd(4, TRIPLE, 0));
});

test('upgrade end: held, asked again by the hour, then commanded', () => {
  const fixture = downloaded({ when: 'held' });
  for (let hour = 0; hour < 3; hour++) {
    fixture
      .receive(end(3, 0, TRIPLE))
      .sends(upgradeEnd(3, TRIPLE, HOLD))
      .pass(HOUR_MS)
      .sends();
  }
  fixture.call((server, nowMs) => server.activate(0, { when: 'now' }, nowMs));
  fixture.sends(upgradeEnd(1, TRIPLE, 0));
  fixture.receive(end(4, 0, TRIPLE)).sends(upgradeEnd(4, TRIPLE, 0));
});

test('upgrade end: at a time within the hour, counted down again at each question', () => {
  const fixture = downloaded({ when: 'now' });
  const atMs = fixture.nowMs + HOUR_MS;
  fixture.call((server, nowMs) => server.activate(0, { when: 'at', atMs }, nowMs)).sends();
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, 3600));
  fixture
    .pass(600_000)
    .receive(end(4, 0, TRIPLE))
    .sends(upgradeEnd(4, TRIPLE, 3000));
  fixture.pass(2 * HOUR_MS).sends();
});

test('upgrade end: at a time beyond the hour is held, and commanded when it comes', () => {
  const fixture = downloaded({ when: 'held' });
  const atMs = fixture.nowMs + 5 * HOUR_MS;
  fixture.call((server, nowMs) => server.activate(0, { when: 'at', atMs }, nowMs)).sends();
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, HOLD));
  fixture
    .pass(5 * HOUR_MS - 1)
    .sends()
    .pass(1)
    .sends(upgradeEnd(2, TRIPLE, 0));
  fixture.pass(5 * HOUR_MS).sends();
});

test('upgrade end: beyond the hour, asked within it: one count-down and no second command', () => {
  const fixture = downloaded({ when: 'held' });
  const atMs = fixture.nowMs + 1.5 * HOUR_MS;
  fixture.call((server, nowMs) => server.activate(0, { when: 'at', atMs }, nowMs));
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, HOLD));
  fixture
    .pass(HOUR_MS)
    .receive(end(4, 0, TRIPLE))
    .sends(upgradeEnd(4, TRIPLE, 1800));
  fixture.pass(2 * HOUR_MS).sends();
});

test('upgrade end: at a time in the past is now', () => {
  const fixture = downloaded({ when: 'at', atMs: 0 });
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, 0));
});

test('held again: a scheduled command is taken back', () => {
  const fixture = downloaded({ when: 'held' });
  const atMs = fixture.nowMs + 2 * HOUR_MS;
  fixture.call((server, nowMs) => server.activate(0, { when: 'at', atMs }, nowMs));
  fixture.receive(end(3, 0, TRIPLE)).take();
  fixture.call((server, nowMs) => server.activate(0, { when: 'held' }, nowMs)).sends();
  fixture.pass(3 * HOUR_MS).sends();
});

test('an abort takes a scheduled command back, and refuses the end', () => {
  const fixture = downloaded({ when: 'held' });
  const atMs = fixture.nowMs + 2 * HOUR_MS;
  fixture.call((server, nowMs) => server.activate(0, { when: 'at', atMs }, nowMs));
  fixture
    .receive(end(3, 0, TRIPLE))
    .sends(upgradeEnd(3, TRIPLE, HOLD))
    .says('downloaded');
  fixture
    .call((server) => server.abort(0))
    .pass(3 * HOUR_MS)
    .sends();
  fixture.takeEvents();
  fixture.receive(end(4, 0, TRIPLE)).sends(defaultResponse(4, 6, 0x95));
  assert.equal(fixture.takeEvents(), [{ kind: 'downloaded', device: 0, answer: 'aborted' }]);
  assert.throws(() => fixture.server.activate(0, { when: 'now' }, 0), /aborted/);
});

test('a command to activate in mid-download waits for the end of it', () => {
  const fixture = Fixture.assigned({ activation: { when: 'held' } });
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.call((server, nowMs) => server.activate(0, { when: 'now' }, nowMs)).sends();
  fixture.receive(end(2, 0, TRIPLE)).sends(upgradeEnd(2, TRIPLE, 0));
});

test('an image held since before this gateway began is commanded unasked', () => {
  const fixture = Fixture.assigned({ activation: { when: 'held' }, resumable: true });
  fixture.receive(end(2, 0, TRIPLE)).sends(upgradeEnd(2, TRIPLE, HOLD));
  const silent = Fixture.assigned({ activation: { when: 'held' }, resumable: true });
  silent.call((server, nowMs) => server.activate(0, { when: 'now' }, nowMs));
  silent.sends(upgradeEnd(1, TRIPLE, 0));
});

test('an image nobody can vouch for is not commanded, now or at its time', () => {
  const fixture = Fixture.assigned({ activation: { when: 'held' } });
  fixture.call((server, nowMs) => server.activate(0, { when: 'now' }, nowMs)).sends();
  const atMs = fixture.nowMs + 2 * HOUR_MS;
  fixture.call((server, nowMs) => server.activate(0, { when: 'at', atMs }, nowMs));
  fixture.pass(3 * HOUR_MS).sends();
});

test('nothing is commanded before the assignment is authorised', () => {
  const fixture = Fixture.assigned({ authorised: false, resumable: true });
  fixture.call((server, nowMs) => server.activate(0, { when: 'now' }, nowMs)).sends();
  fixture.receive(end(2, 0, TRIPLE)).sends(upgradeEnd(2, TRIPLE, HOLD));
  const offset = IMAGE.length;
  assert.equal(fixture.takeEvents(), [{ kind: 'asks-unauthorised', device: 0, offset }]);
});

test('an image reported before the decision is held, and commanded when the decision falls', () => {
  const atMs = 1_900_000_000_000 + 600_000;
  const expected: [Activation, number][] = [
    [{ when: 'now' }, 0],
    [{ when: 'held' }, HOLD],
    [{ when: 'at', atMs }, 590],
  ];
  for (const [activation, waitS] of expected) {
    const fixture = Fixture.assigned({ authorised: false, resumable: true, activation });
    fixture
      .receive(end(2, 0, TRIPLE))
      .sends(upgradeEnd(2, TRIPLE, HOLD))
      .takeEvents();
    fixture.pass(10_000).call((server, nowMs) => server.authorise(0, 'anything', nowMs));
    fixture.sends(upgradeEnd(1, TRIPLE, waitS)).says('downloaded');
    fixture
      .call((server, nowMs) => server.authorise(0, 'anything', nowMs))
      .sends()
      .says();
  }
  const unknown = Fixture.assigned({ authorised: false });
  unknown
    .receive(end(2, 0, TRIPLE))
    .sends(upgradeEnd(2, TRIPLE, HOLD))
    .takeEvents();
  unknown
    .call((server, nowMs) => server.authorise(0, 'anything', nowMs))
    .sends()
    .says();
  unknown
    .receive(end(3, 0, TRIPLE))
    .sends(defaultResponse(3, 6, 0x95))
    .says('partial-dropped');
});

test('a report before the decision is forgotten with an abort or a failure', () => {
  for (const frame of [undefined, end(3, 0x96, TRIPLE)]) {
    const fixture = Fixture.assigned({ authorised: false, resumable: true });
    fixture.receive(end(2, 0, TRIPLE)).take();
    if (frame) fixture.receive(frame).take();
    else fixture.call((server) => server.abort(0));
    fixture.call((server, nowMs) => server.authorise(0, 'anything', nowMs)).sends();
  }
});

test('a download begun again after a failure is not commanded to activate', () => {
  const fixture = downloaded({ when: 'held' });
  fixture.receive(end(3, 0, TRIPLE)).receive(end(4, 0x96, TRIPLE));
  fixture.receive(block(5, TRIPLE, 0, 50)).take();
  fixture.call((server, nowMs) => server.activate(0, { when: 'now' }, nowMs)).sends();
});

test('a report is the whole image in the progress, whoever sent it', () => {
  const fixture = Fixture.assigned({ resumable: true });
  fixture.receive(end(2, 0, TRIPLE)).sends(upgradeEnd(2, TRIPLE, 0));
  assert.is(fixture.progress().sentBytes, IMAGE.length);
});

test('a complete image this gateway cannot vouch for is refused, not activated', () => {
  const fixture = Fixture.assigned({ activation: { when: 'now' } });
  fixture.receive(end(2, 0, TRIPLE)).sends(defaultResponse(2, 6, 0x95));
  const offset = IMAGE.length;
  assert.equal(fixture.takeEvents(), [{ kind: 'partial-dropped', device: 0, offset }]);
});

test('an end of a foreign image, or unassigned, is told to hold', () => {
  const foreign = { ...TRIPLE, fileVersion: 9 };
  const wild = { manufacturerCode: 0xffff, imageType: 0xffff, fileVersion: 0xffffffff };
  const fixture = downloaded({ when: 'now' });
  fixture
    .receive(end(2, 0, foreign))
    .sends(upgradeEnd(2, foreign, HOLD))
    .says('foreign-request');
  fixture
    .receive(end(3, 0, wild))
    .sends(upgradeEnd(3, wild, HOLD))
    .says('foreign-request');
  fixture.call((server) => server.release(0));
  fixture
    .receive(end(4, 0, TRIPLE))
    .sends(upgradeEnd(4, TRIPLE, HOLD))
    .says('foreign-request');
});

test('an end with a failure is noted and the next download begins with nothing', () => {
  for (const status of [0x95, 0x96, 0x99, 0x01]) {
    for (const triple of [TRIPLE, undefined]) {
      const fixture = downloaded({ when: 'now' });
      fixture.receive(end(2, status, triple)).sends(defaultResponse(2, 6, 0));
      assert.equal(fixture.takeEvents(), [{ kind: 'ended', device: 0, status }]);
      assert.is(fixture.progress().sentBytes, 0);
      fixture.receive(end(3, 0, TRIPLE)).sends(defaultResponse(3, 6, 0x95));
    }
  }
});

test('a failure of a foreign image is not a failure of ours', () => {
  const fixture = downloaded({ when: 'now' });
  const foreign = { ...TRIPLE, fileVersion: 9 };
  fixture
    .receive(end(2, 0x96, foreign))
    .sends(defaultResponse(2, 6, 0))
    .says('foreign-request');
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, 0));
});

test('each deadline wakes the server by itself', () => {
  const alone = { stallMs: Number.POSITIVE_INFINITY, authorised: false, resumable: true };
  const query7e = Fixture.assigned({ ...alone }).receive(query(7, OLD));
  query7e.call((server, nowMs) => server.assign(0, assignmentOf(alone), nowMs));
  query7e.sends().pass(2_500).sends(refusal(7, 0x7e));
  const amongOthers = Fixture.assigned({ ...alone, stallMs: 1_000 }).receive(query(7, OLD));
  amongOthers.pass(2_499).sends().pass(1).sends(refusal(7, 0x7e));

  const commanded = Fixture.assigned({ ...alone, authorised: true });
  const activation = { when: 'at', atMs: commanded.nowMs + 5 * HOUR_MS } as const;
  commanded.call((server, nowMs) => server.activate(0, activation, nowMs)).sends();
  commanded.pass(5 * HOUR_MS).sends(upgradeEnd(2, TRIPLE, 0));
  const decided = Fixture.assigned({ ...alone, activation });
  decided.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, HOLD));
  decided
    .call((server, nowMs) => server.authorise(0, 'anything', nowMs))
    .sends(upgradeEnd(1, TRIPLE, HOLD));
  decided.pass(5 * HOUR_MS).sends(upgradeEnd(2, TRIPLE, 0));
});

test.run();
