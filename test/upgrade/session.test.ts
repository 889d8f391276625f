/** One device's upgrade under a simulated clock: what it does, when it ends, and by which code. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { STATUS } from '../../src/protocol/zcl-ota/codec.ts';
import { UPGRADE_STATUS } from '../../src/protocol/zcl-ota/device-reading.ts';
import type { SessionInput } from '../../src/upgrade/session.ts';
import { Desk, imageFacts, LIMITS, NEW, OLD, query, reading, START_MS } from './desk.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LINK_DOWN: SessionInput = { kind: 'link-down', reason: 'pulled' };
const LINK_UP: SessionInput = { kind: 'link-up' };
const ANNOUNCED: SessionInput = { kind: 'announced' };

function readsBack(desk: Desk, fileVersion: number, build?: string): () => void {
  let answered = desk.count('read');
  return () => {
    for (; answered < desk.count('read'); answered++)
      desk.say(reading({ currentFileVersion: fileVersion, softwareBuild: build }));
  };
}

function neverReads(desk: Desk): () => void {
  let answered = desk.count('read');
  return () => {
    for (; answered < desk.count('read'); answered++)
      desk.say({ kind: 'reading-failed', reason: 'no answer' });
  };
}

test('the usual way: staged, distributed, activated, read back', () => {
  const desk = new Desk().start();
  assert.equal(desk.commands[0]?.value, {
    kind: 'assign',
    resumable: false,
    activation: { when: 'now' },
  });
  assert.is(desk.count('authorise'), 0, 'not before the device has said what it runs');
  desk.say(reading({ currentFileVersion: OLD }));
  assert.is(desk.count('authorise'), 1);
  assert.is(desk.count('notify'), 1);
  desk.say(query(OLD, {}, 'offered'), { kind: 'started', offset: 0 });
  desk.say({ kind: 'progress', sentBytes: 60 }, { kind: 'downloaded', answer: 'now' });
  assert.is(desk.state, 'activating');
  desk.pass(2_400);
  assert.is(desk.count('read'), 1, 'not asked while it still activates');
  desk.pass(100).say(ANNOUNCED);
  assert.is(desk.state, 'confirming');
  desk.pass(200).say(reading({ currentFileVersion: NEW }));
  assert.equal(desk.states(), [
    'staged',
    'distributing',
    'distributed',
    'activating',
    'confirming',
    'done',
  ]);
  assert.is(desk.detail(), 'runs 0x02000000, read back');
  assert.is(desk.count('release'), 1);
  assert.is(desk.count('activate'), 0, 'the answer to its upgrade end request was the command');
  assert.is(desk.session.pollTimeout(), Number.POSITIVE_INFINITY);
});

// ---- admission ------------------------------------------------------------------------------------

test('refused at the start: nothing is assigned, nothing asked', () => {
  const desk = new Desk({ device: { manufacturerCode: 0x1234, imageType: 0x0084 } }).start();
  assert.is(desk.state, 'refused');
  assert.is(desk.detail(), 'device.manufacturer-code');
  assert.equal(desk.commands, []);
});

test('what a device says of itself when it asks counts, whatever was admitted before', () => {
  const desk = new Desk().offered();
  const [early] = desk.commands.flatMap(({ value }) => (value.kind === 'authorise' ? value : []));
  assert.is(early!.admitted, 'unasked', 'on its model file and what it runs');
  desk.say(query(OLD, { hardwareVersion: 0x0200 }));
  assert.is(desk.state, 'refused');
  assert.is(desk.detail(), 'device.hardware-range');
  assert.is(desk.count('authorise'), 1);
  const fits = new Desk().offered().say(query(OLD, { hardwareVersion: 0x0101 }));
  const { value } = fits.commands.findLast(({ value: { kind } }) => kind === 'authorise')!;
  assert.is(value.kind === 'authorise' && typeof value.admitted === 'object', true);
});

test('what goes to a device is remembered from its first byte on, and only then', () => {
  const anew = new Desk().offered().say(query(OLD, {}, 'offered'));
  assert.is(anew.count('remember'), 0);
  assert.is(anew.say({ kind: 'started', offset: 0 }).count('remember'), 1);
  const goesOn = new Desk({ resumable: true }).offered().say({ kind: 'started', offset: 1_000 });
  assert.is(goesOn.count('remember'), 0, 'it is remembered already');
});

test('a command to activate that got lost is repeated on evidence, a limited number of times', () => {
  const desk = new Desk({ activation: { when: 'held' } }).downloaded();
  desk.session.activate({ when: 'now' }, desk.nowMs);
  desk.say();
  assert.is(desk.count('activate'), 1);
  const waits = { currentFileVersion: OLD, downloadedFileVersion: NEW, imageUpgradeStatus: 3 };
  for (const change of [{ imageUpgradeStatus: 4 }, { downloadedFileVersion: OLD }])
    desk.say(reading({ ...waits, ...change }));
  assert.is(desk.count('activate'), 1, 'it counts down, or holds something else');
  for (let looks = 1; looks <= 5; looks++) {
    desk.pass(3_000).say(reading(waits));
    assert.is(desk.count('activate'), 1 + Math.min(looks, 3));
  }
  desk
    .say(ANNOUNCED)
    .pass(200)
    .say(reading({ currentFileVersion: NEW }));
  assert.is(desk.state, 'done');
});

test('refused on what is read, and on what a query says', () => {
  const read = new Desk().start().say(reading({ currentFileVersion: NEW + 1 }));
  assert.is(read.state, 'refused');
  assert.is(read.detail(), 'device.newer');
  for (const [change, ruleId] of [
    [{ manufacturerCode: 0x1234 }, 'device.manufacturer-code'],
    [{ imageType: 0x0085 }, 'device.image-type'],
    [{ hardwareVersion: 0x0200 }, 'device.hardware-range'],
    [{ fileVersion: NEW + 1 }, 'device.newer'],
  ] as const) {
    const answer = 'imageType' in change || 'manufacturerCode' in change ? 'no-image' : 'deferred';
    const asked = new Desk().start().say(query(OLD, change, answer));
    assert.is(asked.state, 'refused', ruleId);
    assert.is(asked.detail(), ruleId);
    assert.is(asked.count('authorise'), 0, ruleId);
    assert.is(asked.count('release'), 1, ruleId);
  }
});

test('a condition stays until the device says what is missing', () => {
  const desk = new Desk({ device: { imageProfile: 'gb-ppmid' } })
    .start()
    .say(reading({ currentFileVersion: OLD }));
  assert.is(desk.state, 'staged');
  assert.is(desk.count('authorise'), 0, 'manufacturer, type and hardware are not known');
  assert.is(desk.count('notify'), 1, 'a query would say them');
  desk.say(query(OLD));
  assert.is(desk.count('authorise'), 1);
});

test('a query that leaves a rule open ends it', () => {
  const unknown = {
    device: { imageProfile: 'gb-ppmid' as const, manufacturerCode: 0x121d, imageType: 0x0084 },
  };
  for (const hardwareVersion of [undefined, 0xffff]) {
    const desk = new Desk(unknown).start().say(query(OLD, { hardwareVersion }));
    assert.is(desk.session.code, 'facts-missing', `${hardwareVersion}`);
    assert.is(desk.count('authorise'), 0);
    const known = new Desk().start().say(query(OLD, { hardwareVersion }));
    assert.is(known.count('authorise'), 1, `the model file knows it: ${hardwareVersion}`);
  }
});

test('what is not admitted yet does not count as distributed, whatever is said of it', () => {
  const desk = new Desk()
    .start()
    .say(
      { kind: 'started', offset: 0 },
      { kind: 'progress', sentBytes: 50 },
      { kind: 'downloaded', answer: 'now' },
    );
  assert.is(desk.state, 'staged');
});

test('a device that asks before it is known is read, once at a time', () => {
  const desk = new Desk().start();
  for (let i = 0; i < 10; i++) desk.say({ kind: 'asks-unauthorised', offset: 0 });
  assert.is(desk.count('read'), 1);
  desk.say(
    { kind: 'reading-failed', reason: 'no answer' },
    { kind: 'asks-unauthorised', offset: 0 },
  );
  assert.is(desk.count('read'), 2, 'a failed read is not in flight any more');
  desk.say(reading({ currentFileVersion: OLD }));
  assert.is(desk.count('authorise'), 1);
});

test('one that keeps asking and never says enough: facts-missing, in time', () => {
  const desk = new Desk({ device: { imageProfile: 'gb-ppmid' } }).start();
  const answer = neverReads(desk);
  for (let i = 0; i < 100 && desk.state === 'staged'; i++) {
    desk.say({ kind: 'asks-unauthorised', offset: 0 }).pass(1_000, answer);
  }
  assert.is(desk.session.code, 'facts-missing');
  assert.is(desk.nowMs - START_MS, 90_000);
});

test('asking for another of its images does not end a running download', () => {
  const desk = new Desk().distributing().say(query(5, { imageType: 0x0099 }, 'no-image'));
  assert.is(desk.state, 'distributing');
  desk.say(query(OLD, {}, 'offered'));
  assert.is(desk.state, 'distributing', 'and a repeated query is the same again');
  assert.is(desk.count('authorise'), 1);
});

// ---- resuming -------------------------------------------------------------------------------------

test('the device runs the target and the record says ours: done', () => {
  const read = new Desk({ resumable: true }).start().say(reading({ currentFileVersion: NEW }));
  assert.is(read.state, 'done');
  const asked = new Desk({ resumable: true }).start().say(query(NEW, {}, 'running-already'));
  assert.is(asked.state, 'done');
  assert.is(asked.count('authorise'), 0);
});

test('the device runs the target and there is no record: refused, not newer', () => {
  for (const input of [reading({ currentFileVersion: NEW }), query(NEW, {}, 'running-already')]) {
    const desk = new Desk().start().say(input);
    assert.is(desk.state, 'refused');
    assert.is(desk.detail(), 'device.newer');
  }
});

test('an upgrade interrupted by the device itself: silence activates, and that is no refusal', () => {
  const desk = new Desk().distributing().say(query(NEW, {}, 'running-already'));
  assert.is(desk.state, 'done');
  const held = new Desk({ activation: { when: 'held' } }).downloaded();
  assert.is(held.say(query(NEW, {}, 'running-already')).state, 'done');
});

const HOLDS = {
  currentFileVersion: OLD,
  downloadedFileVersion: NEW,
  imageUpgradeStatus: UPGRADE_STATUS.waitingToUpgrade,
};

test('an image it holds already is activated without a download', () => {
  const desk = new Desk({ resumable: true }).start().say(reading(HOLDS));
  assert.is(desk.state, 'activating');
  assert.is(desk.count('activate'), 1);
  assert.is(desk.count('notify'), 0);
  desk.pass(10_000, readsBack(desk, NEW));
  assert.is(desk.state, 'done');
  const held = new Desk({ resumable: true, activation: { when: 'held' } }).start();
  held.say(reading(HOLDS));
  assert.ok(held.session.holds());
  assert.is(held.count('activate'), 0);
});

test('one that nobody here sent is not activated', () => {
  const desk = new Desk().start().say(reading(HOLDS));
  assert.is(desk.session.code, 'holds-unknown-image');
  assert.is(desk.count('activate'), 0);
  const other = new Desk().start().say(reading({ ...HOLDS, downloadedFileVersion: NEW + 1 }));
  assert.is(other.state, 'staged', 'another version is simply overwritten');
});

test('one that is held by a device nobody was admitted for is not activated', () => {
  const { currentFileVersion: _, ...silent } = HOLDS;
  const desk = new Desk({ resumable: true }).start().say(reading(silent));
  assert.is(desk.session.code, 'facts-missing');
  assert.is(desk.count('activate'), 0);
});

test('one that counts down already is waited for: a count-down cannot be recalled', () => {
  const counting = { ...HOLDS, imageUpgradeStatus: UPGRADE_STATUS.countDown };
  for (const when of ['now', 'held'] as const) {
    const desk = new Desk({ resumable: true, activation: { when } }).start();
    desk.say(reading(counting));
    assert.is(desk.state, 'activating', when);
    const early = readsBack(desk, OLD);
    desk.pass(HOUR_MS, early);
    assert.is(desk.state, 'activating', when);
    desk.pass(10_000, readsBack(desk, NEW));
    assert.is(desk.state, 'done', when);
  }
});

test('a partial of other content is dropped and the download begins anew', () => {
  const desk = new Desk().offered().say({ kind: 'partial-dropped', offset: 500 });
  const notified = desk.count('notify');
  desk.pass(2_000);
  assert.is(desk.count('notify'), notified + 1);
  desk.say({ kind: 'started', offset: 0 });
  assert.is(desk.state, 'distributing');
});

test('one that does not drop it is given up', () => {
  const desk = new Desk().offered();
  for (let i = 0; i < 5; i++) desk.say({ kind: 'partial-dropped', offset: 500 }).pass(500);
  assert.is(desk.session.code, 'holds-unknown-image');
});

test('a late word about a partial does not disturb what came after', () => {
  const desk = new Desk({ activation: { when: 'at', atMs: START_MS + DAY_MS } }).downloaded();
  desk.say({ kind: 'partial-dropped', offset: 500 }, { kind: 'ended', status: STATUS.abort });
  desk.pass(HOUR_MS);
  assert.is(desk.state, 'awaiting-activation');
  assert.is(desk.count('read'), 1, 'nothing is activated before its time');
});

// ---- held and later -------------------------------------------------------------------------------

test('held, and activated by a command of its own later', () => {
  const desk = new Desk({ activation: { when: 'held' } }).downloaded();
  assert.ok(desk.session.holds());
  desk.pass(9 * DAY_MS);
  assert.is(desk.state, 'awaiting-activation');
  desk.session.activate({ when: 'now' }, desk.nowMs);
  desk.say();
  assert.is(desk.state, 'activating');
  assert.is(desk.count('activate'), 1);
  desk.pass(10_000, readsBack(desk, NEW));
  assert.is(desk.state, 'done');
  assert.throws(() => desk.session.activate({ when: 'now' }, desk.nowMs), /assertion/);
});

test('held, then activated at a time: repeated questions of the device do not lose the time', () => {
  const desk = new Desk({ activation: { when: 'held' } }).downloaded();
  const atMs = desk.nowMs + 3 * DAY_MS;
  desk.session.activate({ when: 'at', atMs }, desk.nowMs);
  desk.say();
  assert.not(desk.session.holds());
  for (let hour = 0; hour < 71; hour++) {
    desk.pass(HOUR_MS).say({ kind: 'downloaded', answer: 'at' });
  }
  desk.pass(HOUR_MS - 1);
  assert.is(desk.state, 'awaiting-activation');
  desk.pass(1);
  assert.is(desk.state, 'activating');
  assert.is(desk.count('activate'), 1);
  assert.ok(desk.frozenMs(200_000) <= 180_000);
});

test('held, then to be activated later than it may be held: the command counts', () => {
  const desk = new Desk({ activation: { when: 'held' } }).downloaded();
  const atMs = desk.nowMs + 2 * LIMITS.heldMs;
  desk.session.activate({ when: 'at', atMs }, desk.nowMs);
  desk.pass(2 * LIMITS.heldMs);
  assert.is(desk.state, 'activating');
});

test('at a time, within the hour and days ahead: confirmed after it, not before', () => {
  for (const aheadMs of [10 * 60_000, 3 * DAY_MS]) {
    const atMs = START_MS + aheadMs;
    const desk = new Desk({ activation: { when: 'at', atMs } }).downloaded();
    assert.is(desk.state, 'awaiting-activation');
    desk.pass(atMs - desk.nowMs - 1);
    assert.is(desk.state, 'awaiting-activation');
    assert.is(desk.count('read'), 1);
    desk.pass(1);
    assert.is(desk.state, 'activating');
    desk.pass(5_000, readsBack(desk, NEW));
    assert.is(desk.state, 'done');
    assert.is(desk.count('activate'), 0, 'the OTA server commands it');
  }
});

test('at a time that passes while the link is down: commanded when it is up, if the server was to', () => {
  for (const [aheadMs, commands] of [
    [3 * DAY_MS, 1],
    [30 * 60_000, 0],
  ] as const) {
    const atMs = START_MS + aheadMs;
    const desk = new Desk({ activation: { when: 'at', atMs } }).downloaded();
    desk
      .pass(aheadMs - 30_000)
      .say(LINK_DOWN)
      .pass(60_000)
      .say(LINK_UP);
    assert.is(desk.count('activate'), commands, `${aheadMs} ms ahead`);
    desk.pass(1_000);
    assert.is(desk.state, 'activating');
    desk.pass(10_000, readsBack(desk, NEW));
    assert.is(desk.state, 'done');
    assert.is(desk.count('activate'), commands);
  }
});

test('a command to activate while the link is down is carried out once it is up', () => {
  const desk = new Desk({ activation: { when: 'held' } }).downloaded().say(LINK_DOWN);
  desk.session.activate({ when: 'now' }, desk.nowMs);
  desk.say();
  assert.is(desk.count('activate'), 0);
  desk.pass(5_000).say(LINK_UP);
  assert.is(desk.count('activate'), 1);
  assert.is(desk.state, 'activating');
});

test('short link losses do not move the time of an activation', () => {
  const atMs = START_MS + 2 * DAY_MS;
  const desk = new Desk({ activation: { when: 'at', atMs } }).downloaded();
  for (let i = 0; i < 40; i++)
    desk
      .pass(HOUR_MS - 30_000)
      .say(LINK_DOWN)
      .pass(30_000)
      .say(LINK_UP);
  desk.pass(atMs - desk.nowMs);
  assert.is(desk.state, 'activating');
  assert.is(desk.nowMs, atMs);
  assert.is(desk.count('activate'), 0);
});

// ---- the outcome ----------------------------------------------------------------------------------

test('the old version after a restart: reverted, but not at once', () => {
  const desk = new Desk().downloaded().pass(1_000).say(ANNOUNCED);
  desk.pass(5_900, readsBack(desk, OLD));
  assert.is(desk.state, 'confirming');
  desk.pass(10_000, readsBack(desk, OLD));
  assert.is(desk.session.code, 'device-reverted');
  assert.match(desk.detail()!, /0x01000000/);
});

test('the old version before a restart: not activated, at the deadline', () => {
  const desk = new Desk().downloaded();
  const downloadedMs = desk.nowMs;
  desk.pass(179_000, readsBack(desk, OLD));
  assert.is(desk.state, 'activating');
  desk.pass(2_000, readsBack(desk, OLD));
  assert.is(desk.session.code, 'not-activated');
  assert.is(desk.events.at(-1)!.atMs - downloadedMs, 180_000);
});

test('a restart in the download says nothing about the activation', () => {
  const desk = new Desk().distributing().say(ANNOUNCED).pass(10_000);
  desk.say({ kind: 'progress', sentBytes: 2_000 }, { kind: 'downloaded', answer: 'now' });
  desk.pass(30_000, readsBack(desk, OLD));
  assert.is(desk.state, 'activating', 'it has not restarted since');
  desk.say(ANNOUNCED).pass(3_000, readsBack(desk, NEW));
  assert.is(desk.state, 'done');
});

test('a restart days before the time to activate says nothing about it either', () => {
  const atMs = START_MS + 2 * DAY_MS;
  const desk = new Desk({ activation: { when: 'at', atMs } }).downloaded().pass(HOUR_MS);
  desk.say(ANNOUNCED).pass(atMs - desk.nowMs + 60_000, readsBack(desk, OLD));
  assert.is(desk.state, 'activating');
  const early = new Desk({ activation: { when: 'at', atMs: START_MS + 60_000 } }).downloaded();
  early.pass(59_500).say(ANNOUNCED).pass(20_000, readsBack(early, OLD));
  assert.is(early.session.code, 'device-reverted', 'one half a second early does');
});

test('a version that is never readable is an unknown outcome', () => {
  const desk = new Desk().downloaded();
  desk.pass(200_000, neverReads(desk));
  assert.is(desk.state, 'unknown-outcome');
  assert.is(desk.session.code, 'version-not-readable');
});

test('a build text alone proves nothing, either way', () => {
  const desk = new Desk().downloaded();
  let answered = desk.count('read');
  desk.pass(200_000, () => {
    for (; answered < desk.count('read'); answered++) desk.say(reading({ softwareBuild: '2.0.0' }));
  });
  assert.is(desk.state, 'unknown-outcome');
  assert.match(desk.detail()!, /2\.0\.0/);
});

test('an old reading of a device that fell silent is no outcome', () => {
  const silent = new Desk().downloaded().pass(30_000);
  silent.say(reading({ currentFileVersion: OLD })).pass(200_000, neverReads(silent));
  assert.is(silent.state, 'unknown-outcome');
  const restarted = new Desk().downloaded().pass(170_000);
  restarted.say(reading({ currentFileVersion: OLD }), ANNOUNCED);
  restarted.pass(20_000, neverReads(restarted));
  assert.is(restarted.state, 'unknown-outcome');
});

test('a query after the activation is a version read back', () => {
  const desk = new Desk()
    .downloaded()
    .pass(1_000)
    .say(query(NEW, {}, 'running-already'));
  assert.is(desk.state, 'done');
});

test('a device that checks the image and refuses it; one that ends otherwise', () => {
  for (const [status, code] of [
    [STATUS.invalidImage, 'image-refused-by-device'],
    [STATUS.requireMoreImage, 'download-refused-by-device'],
    [0x01, 'download-refused-by-device'],
  ] as const) {
    const desk = new Desk().distributing().say({ kind: 'ended', status });
    assert.is(desk.session.code, code);
    assert.is(desk.count('release'), 1);
  }
});

// ---- deadlines: the peer freezes --------------------------------------------------------------------

test('frozen in every state: it ends by itself, by the right code', () => {
  const at = { when: 'at', atMs: START_MS + 600_000 } as const;
  const cases: [string, Desk, string, number, number][] = [
    ['staged, unknown', new Desk().start(), 'device-silent', 90_000, 90_000],
    ['staged, offered', new Desk().offered(), 'device-silent', 90_000, 90_000],
    ['distributing', distributingAndStalled(), 'transfer-stalled', 120_000, 140_000],
    ['activating', new Desk().downloaded(), 'version-not-readable', 180_000, 180_000],
    ['confirming', new Desk().downloaded().say(ANNOUNCED), 'version-not-readable', 1, 180_000],
    ['at', new Desk({ activation: at }).downloaded(), 'version-not-readable', 780_000, 780_000],
    [
      'held',
      new Desk({ activation: { when: 'held' } }).downloaded(),
      'hold-expired',
      1,
      10 * DAY_MS,
    ],
  ];
  for (const [name, desk, code, leastMs, mostMs] of cases) {
    const tookMs = desk.frozenMs(mostMs);
    assert.is(desk.session.code, code, name);
    assert.ok(tookMs >= leastMs, `${name}: after ${tookMs} ms`);
    assert.is(desk.count('release'), 1, name);
  }
});

/** As the OTA server says it: once, 20 s after the last request. */
function distributingAndStalled(): Desk {
  return new Desk().distributing().pass(20_000).say({ kind: 'stalled', silentMs: 20_000 });
}

test('without the server to say so, a download is not waited for without end either', () => {
  const tookMs = new Desk().distributing().frozenMs(LIMITS.progressMs);
  assert.is(tookMs, LIMITS.progressMs);
});

test('frozen with the link down: link-lost, and unknown once it was told to activate', () => {
  for (const desk of [new Desk().offered(), new Desk().distributing()]) {
    assert.is(desk.say(LINK_DOWN).frozenMs(120_000), 120_000);
    assert.is(desk.state, 'failed');
    assert.is(desk.session.code, 'link-lost');
  }
  const activating = new Desk().downloaded().say(LINK_DOWN);
  activating.frozenMs(120_000);
  assert.is(activating.state, 'unknown-outcome');
  assert.is(activating.session.code, 'link-lost');
});

test('a chattering device does not push its deadline away', () => {
  const chatter: [string, () => Desk, SessionInput[], number][] = [
    ['announces', () => new Desk().start(), [ANNOUNCED], 90_000],
    [
      'is not admitted yet',
      () => new Desk().start(),
      [{ kind: 'asks-unauthorised', offset: 0 }],
      90_000,
    ],
    ['asks again and again', () => new Desk().offered(), [query(OLD, {}, 'offered')], 90_000],
    [
      'asks for one block for ever',
      () => new Desk().distributing(),
      [query(OLD, {}, 'offered'), ANNOUNCED, { kind: 'started', offset: 0 }],
      LIMITS.progressMs,
    ],
    [
      'says it is complete',
      () => new Desk().downloaded(),
      [{ kind: 'downloaded', answer: 'now' }],
      180_000,
    ],
    ['restarts for ever', () => new Desk().downloaded(), [ANNOUNCED], 180_000],
    [
      'runs the old version and restarts for ever',
      () => new Desk().downloaded(),
      [ANNOUNCED, reading({ currentFileVersion: OLD })],
      180_000,
    ],
  ];
  for (const [name, make, inputs, endMs] of chatter) {
    const desk = make();
    const stepMs = endMs / 1_000;
    for (
      let at = 0;
      at <= endMs + stepMs && desk.session.pollTimeout() < Number.POSITIVE_INFINITY;
      at += stepMs
    ) {
      desk.pass(stepMs).say(...inputs);
    }
    assert.ok(['failed', 'unknown-outcome'].includes(desk.state), `${name}: ${desk.state}`);
  }
});

test('one that requests the same block for ever ends too', () => {
  const desk = new Desk().distributing();
  for (let second = 1; desk.state === 'distributing' && second < 10_000; second++) {
    desk.pass(1_000).say({ kind: 'progress', sentBytes: 1_000, lastRequestMs: desk.nowMs });
  }
  assert.is(desk.session.code, 'deadline-passed');
  assert.is(desk.nowMs - START_MS, LIMITS.progressMs);
  assert.is(desk.count('notify'), 1, 'and is not invited: it is busy');
});

test('a slow download that moves is left in peace', () => {
  const desk = new Desk().distributing();
  let hours = 0;
  while (desk.state === 'distributing' && hours < 1_000) {
    hours++;
    const sentBytes = 1_000 + hours;
    desk.pass(HOUR_MS).say({ kind: 'progress', sentBytes, lastRequestMs: desk.nowMs });
  }
  assert.is(hours, 7 * 24, 'up to a week');
  assert.is(desk.session.code, 'deadline-passed');
});

test('a storm of announcements does not keep a device from being invited or read', () => {
  const invited = new Desk().offered();
  for (let i = 0; i < 600; i++) invited.pass(100).say(ANNOUNCED);
  assert.ok(invited.count('notify') >= 15, `${invited.count('notify')} in 60 s`);
  assert.ok(invited.count('notify') <= 31, `no storm of notifies: ${invited.count('notify')}`);
  const read = new Desk().downloaded();
  let reads = read.count('read');
  for (let i = 0; i < 50 && read.state !== 'done'; i++) {
    read.pass(100).say(ANNOUNCED);
    if (read.count('read') > reads) read.say(reading({ currentFileVersion: NEW }));
    reads = read.count('read');
  }
  assert.is(read.state, 'done');
});

test('readings in quick succession bring no storm of notifies', () => {
  const desk = new Desk({ device: { imageProfile: 'gb-ppmid' } }).start();
  for (let i = 0; i < 1_000; i++) {
    desk
      .say({ kind: 'asks-unauthorised', offset: 0 }, reading({ currentFileVersion: OLD }))
      .pass(10);
  }
  assert.ok(desk.count('notify') <= 6, `${desk.count('notify')} in 10 s`);
});

// ---- stalls and given-up downloads ------------------------------------------------------------------

test('a silent download is woken, and a sign of life begins the count anew', () => {
  const desk = distributingAndStalled();
  const before = desk.count('notify');
  desk.pass(60_000);
  assert.is(desk.count('notify') - before, 3, 'one each 20 s');
  desk.say({ kind: 'progress', sentBytes: 1_100 });
  desk.pass(19_999);
  assert.is(desk.count('notify') - before, 3, 'it is heard again');
  desk.say({ kind: 'stalled', silentMs: 20_000 }).pass(99_000);
  assert.is(desk.state, 'distributing');
  desk.pass(60_000);
  assert.is(desk.session.code, 'transfer-stalled');
});

test('a device that begins at 0 again after a silence is alive, though no byte is new', () => {
  const desk = distributingAndStalled();
  for (let i = 0; i < 600; i++) {
    desk.pass(1_000).say({ kind: 'progress', sentBytes: 1_000, lastRequestMs: desk.nowMs });
  }
  assert.is(desk.state, 'distributing');
  desk.say({ kind: 'progress', sentBytes: 1_050, lastRequestMs: desk.nowMs });
  assert.is(desk.state, 'distributing');
});

test('the word of a stall does not count twice', () => {
  const desk = new Desk().distributing().say(ANNOUNCED).pass(5_000);
  for (let i = 0; i < 20; i++) desk.pass(1_000).say({ kind: 'stalled', silentMs: 20_000 });
  assert.is(desk.notes(/silent/), 2, 'after 5 s and 25 s');
});

test('a restart in the download is followed by one invitation if nothing comes', () => {
  const desk = new Desk().distributing().say(ANNOUNCED);
  const before = desk.count('notify');
  desk.pass(5_000);
  assert.is(desk.count('notify'), before + 1);
  const quick = new Desk().distributing().say(ANNOUNCED).pass(1_000);
  const invited = quick.count('notify');
  quick.say({ kind: 'progress', sentBytes: 2_000 }).pass(15_000);
  assert.is(quick.count('notify'), invited, 'none where it goes on by itself');
});

test('a download given up is begun anew, a limited number of times', () => {
  const desk = new Desk().distributing();
  for (let attempt = 1; attempt < 5; attempt++) {
    desk.say({ kind: 'ended', status: STATUS.abort });
    assert.is(desk.state, 'distributing', `${attempt}`);
    const before = desk.count('notify');
    desk.pass(2_000);
    assert.is(desk.count('notify'), before + 1);
    desk.say({ kind: 'started', offset: 0 }, { kind: 'progress', sentBytes: 50 });
  }
  desk.say({ kind: 'ended', status: STATUS.abort });
  assert.is(desk.session.code, 'transfer-given-up');
});

test('one that gives up and falls silent ends', () => {
  const desk = new Desk().distributing().say({ kind: 'ended', status: STATUS.abort });
  assert.ok(desk.frozenMs(150_000) >= 100_000);
  assert.is(desk.session.code, 'transfer-stalled');
});

// ---- the link -------------------------------------------------------------------------------------

test('short link losses do not count', () => {
  const desk = new Desk().offered().pass(50_000).say(LINK_DOWN).pass(100_000).say(LINK_UP);
  assert.is(desk.state, 'staged');
  assert.is(desk.frozenMs(60_000), 40_000, 'what was left of its 90 s');
  const distributing = new Desk().distributing().pass(15_000).say(LINK_DOWN);
  distributing.say({ kind: 'stalled', silentMs: 20_000 }).pass(60_000);
  assert.is(distributing.notes(/silent/), 0, 'no silence of the device is seen without a link');
  distributing.say(LINK_UP).pass(1_000).say({ kind: 'progress', sentBytes: 2_000 });
  assert.is(distributing.state, 'distributing');
});

test('after a link loss a download that does not go on by itself is woken', () => {
  const desk = new Desk().distributing().say(LINK_DOWN).pass(30_000).say(LINK_UP);
  const before = desk.count('notify');
  desk.pass(10_000);
  assert.is(desk.count('notify'), before + 1);
  assert.ok(desk.frozenMs(130_000) >= 100_000);
  assert.is(desk.session.code, 'transfer-stalled');
});

test('a read that the link swallowed is asked again', () => {
  const desk = new Desk().downloaded().pass(2_500);
  const before = desk.count('read');
  desk.say(LINK_DOWN).pass(10_000).say(LINK_UP).pass(200);
  assert.is(desk.count('read'), before + 1);
  desk.say(reading({ currentFileVersion: NEW }));
  assert.is(desk.state, 'done');
});

test('a second word of a loss does not begin its time anew', () => {
  const desk = new Desk().distributing().say(LINK_DOWN).pass(100_000).say(LINK_DOWN);
  assert.is(desk.frozenMs(20_000), 20_000);
});

test('a link that flaps for ever ends it all the same', () => {
  for (const make of [
    () => new Desk().offered(),
    () => new Desk().distributing(),
    () => new Desk().downloaded(),
  ]) {
    const desk = make();
    let flaps = 0;
    while (['staged', 'distributing', 'activating'].includes(desk.state) && flaps < 100_000) {
      desk.say(LINK_DOWN).pass(8_000).say(LINK_UP);
      flaps++;
    }
    assert.ok(flaps < 2_000, `${flaps} flaps, without a moment between them`);
  }
});

// ---- late and repeated ------------------------------------------------------------------------------

test('"downloaded" again and again changes nothing', () => {
  for (const when of ['now', 'held'] as const) {
    const desk = new Desk({ activation: { when } }).downloaded();
    const states = desk.states().length;
    const commands = desk.commands.length;
    const timeoutMs = desk.session.pollTimeout();
    for (let i = 0; i < 5; i++) desk.say({ kind: 'downloaded', answer: when });
    assert.is(desk.states().length, states);
    assert.is(desk.commands.length, commands);
    assert.is(desk.session.pollTimeout(), timeoutMs);
  }
});

test('before the start and after the end nothing is heard', () => {
  const early = new Desk().say(query(OLD), reading({ currentFileVersion: NEW + 1 }), ANNOUNCED);
  early.say({ kind: 'ended', status: STATUS.invalidImage }, { kind: 'downloaded', answer: 'now' });
  assert.is(early.state, 'planned');
  assert.equal(early.commands, []);
  assert.is(early.start().state, 'staged');
  const late = new Desk().downloaded().say(query(NEW));
  const { length } = late.commands;
  late.say(
    query(OLD),
    reading({ currentFileVersion: OLD }),
    { kind: 'ended', status: STATUS.invalidImage },
    { kind: 'assign-failed', error: new Error('late') },
    LINK_DOWN,
  );
  late.pass(DAY_MS);
  assert.is(late.state, 'done');
  assert.is(late.commands.length, length);
});

test('a link that was down before the start is known at the start', () => {
  const desk = new Desk().say(LINK_DOWN).start();
  assert.is(desk.frozenMs(120_000), 120_000);
  assert.is(desk.session.code, 'link-lost');
});

test('an image that cannot be served ends it', () => {
  const desk = new Desk().start().say({ kind: 'assign-failed', error: new Error('image changed') });
  assert.is(desk.session.code, 'image-not-served');
  assert.match(desk.detail()!, /image changed/);
  const error = new UpliftError('image-changed', 'other bytes');
  const changed = new Desk().start().say({ kind: 'assign-failed', error });
  assert.is(changed.session.code, 'image-changed');
});

test('the image is refused where it cannot be decided on', () => {
  const desk = new Desk({ image: imageFacts({ fileVersion: 0xffffffff }) }).start();
  assert.is(desk.state, 'refused');
});

test.run();
