/**
 * Sessions of a gateway that keeps a journal: what cannot be undone is announced first and done when the
 * record is durable; and a session that goes on for one which was cut off, at whatever point, activates at
 * most once under one command, whatever became of the device meanwhile.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UPGRADE_STATUS } from '../../src/protocol/zcl-ota/device-reading.ts';
import type { GeckoBoard } from '../../src/virtual/communications-hub/gecko-board.ts';
import { makeImage } from '../virtual/communications-hub/fixture.ts';
import { makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';
import { Desk, IMAGE_BYTES, LIMITS, NEW, OLD, query, reading } from './desk.ts';
import { HubWorld } from './hub-world.ts';

const test = suite('kept record');
const FRESH = { announced: [] };
const ANNOUNCED = { announced: ['activate'] } as const;
const GRANTED = { kind: 'granted' } as const;

// ---- ZigBee -----------------------------------------------------------------------------------------

function downloaded(desk: Desk): Desk {
  return desk
    .distributing()
    .say({ kind: 'progress', sentBytes: IMAGE_BYTES }, { kind: 'downloaded', answer: 'held' });
}

function intents(desk: Desk): number {
  return desk.events.filter(({ value }) => value.kind === 'intent').length;
}

test('ZigBee: the OTA server is never told to activate by itself, nor before the record', () => {
  const desk = downloaded(new Desk({ kept: FRESH }));
  assert.equal(desk.commands[0]?.value, {
    kind: 'assign',
    resumable: false,
    activation: { when: 'held' },
  });
  assert.is(desk.state, 'distributed');
  assert.is(intents(desk), 1);
  assert.is(desk.count('activate'), 0, 'announced, and not done');
  desk.say(GRANTED);
  assert.is(desk.count('activate'), 1);
  assert.is(desk.state, 'activating');
  desk.say(GRANTED);
  assert.is(desk.count('activate'), 1, 'granted once');
});

test('ZigBee: a record that is never durable ends the session, and nothing is activated', () => {
  const desk = downloaded(new Desk({ kept: FRESH }));
  desk.frozenMs(LIMITS.confirmMs);
  assert.is(desk.session.code, 'deadline-passed');
  assert.is(desk.count('activate'), 0);
  desk.say(GRANTED);
  assert.is(desk.count('activate'), 0, 'too late');
});

test('ZigBee: cut off after the record, the device runs the image: done, and nothing is sent', () => {
  const desk = new Desk({ kept: ANNOUNCED, resumable: true }).start();
  assert.is(desk.state, 'activating');
  desk.say(reading({ currentFileVersion: NEW }));
  assert.is(desk.state, 'done');
  assert.is(desk.count('activate') + desk.count('authorise') + desk.count('notify'), 0);
});

test('ZigBee: cut off before the command left, the device waits still: told once more', () => {
  const desk = new Desk({ kept: ANNOUNCED, resumable: true }).start().say(
    reading({
      currentFileVersion: OLD,
      downloadedFileVersion: NEW,
      imageUpgradeStatus: UPGRADE_STATUS.waitingToUpgrade,
    }),
  );
  const commands = desk.commands.map(({ value }) => value.kind);
  assert.equal(commands, ['assign', 'read', 'authorise', 'activate'], 'a new OTA server serves it');
  assert.is(intents(desk), 0, 'under the command that was recorded');
});

test('ZigBee: cut off, and the device went back: it is not given the image again', () => {
  const desk = new Desk({ kept: ANNOUNCED, resumable: true }).start();
  let answered = 0;
  const old = () => {
    for (; answered < desk.count('read'); answered++)
      desk.say(reading({ currentFileVersion: OLD }), query(OLD));
  };
  old();
  desk.pass(LIMITS.confirmMs + 1, old);
  assert.is(desk.session.code, 'not-activated');
  assert.is(desk.count('activate') + desk.count('authorise'), 0);
});

test('ZigBee: cut off, and the device is silent: nobody knows, and that is said', () => {
  const desk = new Desk({ kept: ANNOUNCED, resumable: true }).start();
  desk.frozenMs(LIMITS.confirmMs);
  assert.is(desk.state, 'unknown-outcome');
});

test('ZigBee: called off in a download, in hold, and too late', () => {
  const before = new Desk({ kept: FRESH }).distributing();
  assert.ok(before.session.cancel());
  before.say();
  assert.is(before.state, 'cancelled');
  assert.is(before.count('abort'), 1);
  assert.is(before.count('release'), 0, 'a release would forget that it is to be dropped');
  const held = new Desk({ kept: FRESH, activation: { when: 'held' } }).downloaded();
  assert.is(held.state, 'awaiting-activation');
  assert.ok(held.session.cancel());
  const late = downloaded(new Desk({ kept: FRESH })).say(GRANTED);
  assert.not.ok(late.session.cancel());
  assert.is(late.state, 'activating');
});

// ---- hubs -------------------------------------------------------------------------------------------

const SMALL = makeImage({ version: [2, 0, 0, 0], bodyBytes: 700 });
const OLD_GBL = makeGbl({ version: 0x10000, programBytes: 300 });
const NEW_GBL = makeGbl({ version: 0x20000, programBytes: 500 });

interface HubKind {
  name: string;
  make(): HubWorld;
  begin(world: HubWorld): HubWorld;
  /** How often the new image was started where something else had run. */
  activations(world: HubWorld): number;
  runsNew(world: HubWorld): boolean;
  /** Of one that was cut off in its activation, while the hub restarted. */
  mayEndAs: readonly string[];
}

const SMP: HubKind = {
  name: 'SMP',
  make: () => new HubWorld(),
  begin: (world) => world.smp(SMALL.bytes, { kept: { announced: [...world.announced] } }),
  activations: (world) =>
    world.hubEvents.filter((event) => event.kind === 'image-swapped' && event.swap !== 'revert')
      .length,
  runsNew: (world) =>
    world.hubEvents.findLast((event) => event.kind === 'application-started')?.version === '2.0.0',
  mayEndAs: ['device-reverted'],
};

const GBL: HubKind = {
  name: 'GBL',
  make: () => new HubWorld({ protocol: 'gecko-bootloader', firmware: OLD_GBL }),
  begin: (world) => world.bootloader(NEW_GBL, 'gbl', { kept: { announced: [...world.announced] } }),
  // Whoever pulls the plug starts it as well; the first start is what was commanded.
  activations: (world) => (world.announced.filter((one) => one === 'activate').length > 1 ? 2 : 1),
  runsNew: (world) => (world.hub.board as GeckoBoard).application?.version === 0x20000,
  // It says its version once, when it starts, and nobody listened; or its old application was started.
  mayEndAs: ['application-unheard', 'hub-silent'],
};

test('hubs: nothing that cannot be undone before its record', () => {
  const smp = SMP.make();
  smp.grants = false;
  SMP.begin(smp).settle();
  assert.is(smp.session.code, 'deadline-passed', smp.story());
  assert.is(SMP.activations(smp), 0);
  const gecko = GBL.make();
  gecko.grants = false;
  GBL.begin(gecko).settle();
  assert.is((gecko.hub.board as GeckoBoard).application?.version, 0x10000, gecko.story());
  assert.ok(gecko.session.code !== undefined, 'and it ends');
});

test('hubs: called off before, and not after', () => {
  const smp = SMP.begin(SMP.make());
  smp.until(() => smp.samples().length > 0);
  assert.ok(smp.session.cancel(smp.nowMs));
  assert.is(smp.state, 'cancelled');
  const late = SMP.begin(SMP.make());
  late.until(() => late.announced.includes('activate'));
  assert.not.ok(late.session.cancel(late.nowMs));
  late.settle();
  assert.is(late.state, 'done');
  const gecko = GBL.begin(GBL.make());
  gecko.until(() => gecko.announced.includes('replace'));
  assert.not.ok(gecko.session.cancel(gecko.nowMs), 'it would be left without an application');
  gecko.settle();
  assert.is(gecko.state, 'done', gecko.story());
});

for (const kind of [SMP, GBL]) {
  /** The gateway is gone after each thing that it sent; the hub meanwhile stays up, or restarts. */
  for (const restarts of [0, 1, 2]) {
    test(`${kind.name}: cut off after every transmit, the hub restarts ${restarts} times`, () => {
      const clean = kind.begin(kind.make()).settle();
      assert.is(clean.state, 'done', clean.story());
      for (let cut = 0; cut <= clean.transmits; cut++) {
        const world = kind.make();
        kind.begin(world).until(() => world.transmits >= cut || world.state === 'done');
        world.kill();
        // What was on its way when the gateway went arrives all the same.
        world.run(50);
        for (let i = 0; i < restarts; i++) {
          world.hub.powerOff();
          world.hub.powerOn();
          world.run(6_000);
        }
        kind.begin(world).settle();
        const story = `cut after ${cut}: ${world.story()}`;
        assert.ok(kind.activations(world) <= 1, story);
        if (world.state === 'done') assert.ok(kind.runsNew(world), story);
        else assert.ok(kind.mayEndAs.includes(world.session.code!), story);
        if (restarts === 0 && kind === SMP) assert.is(world.state, 'done', story);
      }
    });
  }
}

test.run();
