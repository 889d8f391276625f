/** The session of Silicon Labs bootloaders against a virtual hub under a simulated clock. */
import { generateKeyPairSync } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readHubImage } from '../../src/image/hub-image.ts';
import { HUB_SESSION_LIMITS } from '../../src/upgrade/hub-session-messages.ts';
import type { GeckoBoard } from '../../src/virtual/communications-hub/gecko-board.ts';
import type { HubSettings } from '../../src/virtual/communications-hub/options.ts';
import { makeEbl, makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';
import { HubWorld, type RequestChange } from './hub-world.ts';

const test = suite('bootloader session');
const OLD = makeGbl({ version: 0x10000 });
const NEW = makeGbl({ version: 0x20000 });
const LIMITS = HUB_SESSION_LIMITS;

function gecko(settings: Partial<HubSettings> = {}): HubWorld {
  return new HubWorld({ protocol: 'gecko-bootloader', firmware: OLD, ...settings });
}

function version(world: HubWorld): number | undefined {
  return (world.hub.board as GeckoBoard).application?.version;
}

function ends(world: HubWorld, state: string, code?: string): void {
  assert.is(world.state, state, world.story());
  assert.is(world.session.code, code, world.story());
}

function isDone(world: HubWorld): void {
  ends(world, 'done');
  assert.is(version(world), 0x20000);
}

/** The application that was uploaded, not the one before it. */
function hasStarted(world: HubWorld): boolean {
  return (
    world.state !== 'staged' &&
    world.state !== 'distributing' &&
    world.hubEvents.at(-1)?.kind === 'application-started'
  );
}

const sent = (world: HubWorld) => world.samples().at(-1)?.sentBytes ?? 0;

test('an upgrade from beginning to end; what it costs is said before the first block', () => {
  const world = gecko().bootloader(NEW);
  world.until(() => world.state === 'distributing');
  const said = world.notes().join('\n');
  assert.match(said, /its bootloader answers: Gecko Bootloader v2\.04\.01/);
  assert.match(said, /from the first block on that is gone/);
  world.settle();
  isDone(world);
  assert.match(world.detail(), /the application says 0x00020000, read back/);
  const way = ['staged', 'distributing', 'distributed', 'activating', 'confirming', 'done'];
  assert.equal(world.states(), way);
  assert.is(sent(world), NEW.length);
});

test('a buffer that is not what was admitted: the application is not given up for it', () => {
  const hubImage = readHubImage(NEW.slice(), 'gbl');
  assert.ok(hubImage.ok);
  hubImage.sendBytes[40]! ^= 1;
  const world = gecko().bootloader(NEW, 'gbl', { hubImage }).settle();
  ends(world, 'failed', 'image-changed');
  assert.is(sent(world), 0);
});

test('an application that says nothing: what was seen, and no word of done', () => {
  const world = gecko().bootloader(NEW);
  world.toHost = (bytes) => (hasStarted(world) ? undefined : bytes);
  world.settle();
  ends(world, 'unknown-outcome', 'application-unheard');
  assert.match(world.detail(), /it printed nothing/);
});

/** A hub whose application says its version only when it is asked. */
function asked(firmware = OLD): HubWorld {
  const bootloader = { versionCommand: 'version', announcesVersion: false };
  const world = gecko({ firmware, bootloader });
  world.run(2_000);
  world.lineSteps = () => world.hub.receive(new Uint8Array(Buffer.from('bootloader\n')));
  return world;
}

const ASKED: RequestChange = {
  line: { canEnterBootloader: true },
  applicationVersion: {
    send: 'version\n',
    pattern: 'firmware=(0x[0-9a-f]+);',
    withinMs: 1_500,
  },
};

test('an application that is asked: its version before the upload, and after it', () => {
  const world = asked().bootloader(NEW, 'gbl', ASKED).settle();
  isDone(world);
  assert.match(world.notes()[0]!, /its application says that it is 0x00010000$/);
  assert.match(world.detail(), /the application says 0x00020000, read back/);
  const without = asked()
    .bootloader(NEW, 'gbl', { line: { canEnterBootloader: true } })
    .settle();
  ends(without, 'unknown-outcome', 'application-unheard');
});

test('an application that says it is newer, or the same, is not left', () => {
  for (const firmware of [NEW, makeGbl({ version: 0x30000 })]) {
    const world = asked(firmware).bootloader(NEW, 'gbl', ASKED).settle();
    ends(world, 'refused');
    assert.equal(world.commands, []);
  }
});

test('an application that does not answer, or in words of another kind, is upgraded all the same', () => {
  const silent = { ...ASKED.applicationVersion!, send: 'what\n' };
  const world = asked()
    .bootloader(NEW, 'gbl', { ...ASKED, applicationVersion: silent })
    .settle();
  ends(world, 'unknown-outcome', 'application-unheard');
  assert.is(version(world), 0x20000);
  const pattern = '(firmware=0x[0-9a-f]+);';
  const other = asked()
    .bootloader(NEW, 'gbl', {
      ...ASKED,
      applicationVersion: { ...ASKED.applicationVersion!, pattern },
    })
    .settle();
  assert.match(other.notes()[0]!, /says that it is firmware=0x00010000, which cannot be compared/);
  assert.is(version(other), 0x20000);
});

test('a bootloader that is there already is asked nothing that might be a choice of its menu', () => {
  const world = gecko({ bootloader: { versionCommand: '1', windowMs: 1_000_000 } });
  let sentOne = false;
  world.toHub = (bytes) => {
    if (world.state === 'staged' && bytes.includes(0x31)) sentOne = true;
    return bytes;
  };
  const applicationVersion = { send: '1\n', pattern: '(0x[0-9a-f]+)', withinMs: 500 };
  isDone(world.bootloader(NEW, 'gbl', { applicationVersion }).settle());
  assert.not(sentOne);
});

test('the link vanishes while the application is asked: it is asked again', () => {
  const world = asked();
  let cut = false;
  world.toHub = (bytes) => {
    if (cut || !bytes.includes(0x76)) return bytes;
    cut = true;
    return undefined;
  };
  world.bootloader(NEW, 'gbl', ASKED);
  world.until(() => cut);
  world.cutLink();
  world.run(3_000);
  world.restoreLink();
  isDone(world.settle());
  assert.ok(
    world.notes().some((text) => /says that it is 0x00010000/.test(text)),
    world.story(),
  );
});

test('an application that says another version', () => {
  const world = gecko().bootloader(NEW);
  let said = '\r\nhub application 0x000200001\r\n';
  world.toHost = (bytes) => {
    if (!hasStarted(world)) return bytes;
    const instead = new Uint8Array(Buffer.from(said));
    said = '';
    return instead;
  };
  world.settle();
  ends(world, 'unknown-outcome', 'application-unheard');
  assert.match(world.detail(), /it printed "hub application 0x000200001"/);
});

test('Ember and EBL, where no version is known', () => {
  const world = new HubWorld({ protocol: 'ember-bootloader', firmware: makeEbl() });
  world.bootloader(makeEbl(), 'ebl').settle();
  ends(world, 'unknown-outcome', 'application-unheard');
});

test('nothing can be held; at its time the upload is the activation', () => {
  const held = gecko().bootloader(NEW, 'gbl', { activation: { when: 'held' } });
  ends(held, 'failed', 'hold-impossible');
  assert.is(held.sentBytes, 0);
  const world = gecko({ bootloader: { windowMs: 10_000_000 } });
  const atMs = world.nowMs + 60_000;
  world.bootloader(NEW, 'gbl', { activation: { when: 'at', atMs } });
  world.until(() => world.nowMs >= atMs - 100);
  assert.is(world.sentBytes, 0);
  world.settle();
  isDone(world);
});

test('an application is left over its line, and only where no bootloader answers', () => {
  const change: RequestChange = { line: { canEnterBootloader: true } };
  const world = gecko();
  world.run(2_000);
  world.lineSteps = () => world.hub.receive(new Uint8Array(Buffer.from('bootloader\n')));
  world.bootloader(NEW, 'gbl', change).settle();
  isDone(world);
  assert.is(world.commands.length, 1);
  const there = gecko().bootloader(NEW, 'gbl', change).settle();
  isDone(there);
  assert.is(there.commands.length, 0);
});

test('a hub whose application is gone is upgraded like any other', () => {
  const world = gecko({ firmware: new Uint8Array(0) });
  world.run(20_000);
  isDone(world.bootloader(NEW).settle());
});

test('an image the bootloader refuses: whether the old application runs is found out', () => {
  const world = gecko({ faults: { refusesImage: true } })
    .bootloader(NEW)
    .settle();
  ends(world, 'failed', 'image-refused-by-bootloader');
  assert.match(world.detail(), /signature/);
  assert.is(version(world), undefined);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signatureKey = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const strict = gecko({ bootloader: { signatureKey } }).bootloader(NEW).settle();
  assert.is(strict.state, 'failed', strict.story());
  const runs = version(strict) !== undefined;
  assert.is(
    strict.session.code,
    runs ? 'image-refused-by-device' : 'image-refused-by-bootloader',
    strict.story(),
  );
});

test('a bootloader of the other kind is not sent a block', () => {
  const world = new HubWorld({ protocol: 'ember-bootloader', firmware: makeEbl() });
  world.bootloader(NEW).settle();
  ends(world, 'failed', 'bootloader-other');
  assert.is(world.samples().length, 0);
});

test('silence ends in time', () => {
  const world = gecko({ faults: { silent: true } });
  const sinceMs = world.nowMs;
  world.bootloader(NEW).settle();
  ends(world, 'failed', 'hub-silent');
  assert.ok(world.nowMs - sinceMs <= LIMITS.contactMs + 1_000);
});

test('the power goes in the upload: it begins anew', () => {
  const world = gecko().bootloader(NEW);
  world.until(() => sent(world) > 1_000);
  world.hub.powerOff();
  world.run(300);
  world.hub.powerOn();
  isDone(world.settle());
  assert.ok(world.notes().some((text) => /the upload begins anew/.test(text)));
});

test('the link vanishes in the upload: it begins anew', () => {
  const world = gecko().bootloader(NEW);
  world.until(() => sent(world) > 1_000);
  world.cutLink();
  world.run(8_000);
  world.restoreLink();
  isDone(world.settle());
});

test('a link that stays away says what is left', () => {
  const world = gecko().bootloader(NEW);
  world.until(() => sent(world) > 1_000);
  world.cutLink();
  world.settle();
  ends(world, 'failed', 'left-in-bootloader');
  const late = gecko().bootloader(NEW);
  late.until(() => late.state === 'activating');
  late.cutLink();
  late.settle();
  ends(late, 'unknown-outcome', 'link-lost');
});

test('stopped in the upload, the bootloader is back in its menu, and it is said', () => {
  const world = gecko().bootloader(NEW);
  world.until(() => sent(world) > 1_000);
  world.stop();
  world.settle(10_000);
  assert.ok(world.stopped, world.story());
  assert.match(world.detail(), /in its bootloader, without an application/);
  isDone(world.bootloader(NEW).settle());
});

test('a line that loses, damages and adds bytes costs time and nothing else', () => {
  const faults = { loss: 0.0002, corruption: 0.0003, noise: 0.0001 };
  for (let seed = 1; seed <= 5; seed++) {
    const world = gecko({ faults, seed }).bootloader(NEW).settle();
    assert.is(version(world), 0x20000, world.story());
    const open = world.session.code === 'application-unheard';
    assert.ok(world.state === 'done' || open, world.story());
  }
});

test('the session that was killed at any transmission is carried on by the next', () => {
  const clean = gecko().bootloader(NEW).settle();
  for (let kill = 1; kill <= clean.transmits; kill++) {
    // The application of a hub that was upgraded already has left its bootloader: it is brought back.
    const world = gecko();
    world.run(2_000);
    world.lineSteps = () => world.hub.receive(new Uint8Array(Buffer.from('\nbootloader\n')));
    const change: RequestChange = { line: { canEnterBootloader: true } };
    world.bootloader(NEW, 'gbl', change);
    world.until(() => world.transmits >= kill || world.state === 'done');
    world.run((kill * 37) % 400);
    world.bootloader(NEW, 'gbl', change).settle();
    isDone(world);
  }
});

test.run();
