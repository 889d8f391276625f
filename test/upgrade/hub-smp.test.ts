/**
 * The SMP session against a virtual hub under a simulated clock: every state a hub may be found in, every
 * way an upgrade ends, and what is said on the way.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex } from '../../src/bytes/hex.ts';
import { readHubImage } from '../../src/image/hub-image.ts';
import { encodeMcubootImage } from '../../src/image/mcuboot.ts';
import type { ImageEntry } from '../../src/protocol/smp/messages.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { HUB_SESSION_LIMITS } from '../../src/upgrade/hub-session-messages.ts';
import { otherImagesOf } from '../../src/upgrade/smp-plan.ts';
import type { SmpBoard } from '../../src/virtual/communications-hub/smp-board.ts';
import { makeImage } from '../virtual/communications-hub/fixture.ts';
import { A, B, C, HubWorld, type RequestChange } from './hub-world.ts';

const test = suite('smp session');
const LIMITS = HUB_SESSION_LIMITS;

function board(world: HubWorld): SmpBoard {
  return world.hub.board as SmpBoard;
}

/** `2.0.0 none`: what runs, and what the next boot will do. */
function runs(world: HubWorld): string {
  const { bootloader } = board(world);
  const found = bootloader.readImage(0, 0);
  if (!found.ok) return found.fault;
  const { major, minor, revision } = found.image.version;
  return `${major}.${minor}.${revision} ${bootloader.swapType(0)}`;
}

function ends(world: HubWorld, state: string, code?: string): void {
  assert.is(world.state, state, world.story());
  assert.is(world.session.code, code, world.story());
}

function isDone(world: HubWorld): void {
  ends(world, 'done');
  assert.is(runs(world), '2.0.0 none');
  assert.match(world.detail(), /read back/);
}

function resets(world: HubWorld): number {
  return world.hubEvents.filter(({ kind }) => kind === 'application-started').length - 1;
}

test('an upgrade from beginning to end, with what is said before the first byte', () => {
  const world = new HubWorld().smp();
  world.until(() => world.samples().length > 0);
  const [found, plan] = world.notes();
  assert.match(found!, /its application answers: slot 0 runs 1\.0\.0, confirmed; slot 1 holds no/);
  assert.match(plan!, /6552 bytes go into the slot that does not run/);
  world.settle();
  isDone(world);
  const way = ['staged', 'distributing', 'distributed', 'activating', 'confirming', 'done'];
  assert.equal(world.states(), way);
  assert.is(resets(world), 1, 'one activation');
  const last = world.samples().at(-1)!;
  assert.is(last.sentBytes, B.bytes.length);
  assert.is(last.repeats, 0);
});

test('permanent: no trial, and nothing to confirm', () => {
  const world = new HubWorld().smp(B.bytes, { smp: { confirm: 'permanent' } }).settle();
  isDone(world);
  assert.not.ok(world.states().includes('confirming'));
});

test('what runs already is done, and nothing is sent', () => {
  const world = new HubWorld({ firmware: B.bytes }).smp().settle();
  ends(world, 'done');
  assert.is(world.samples().length, 0);
  assert.is(resets(world), 0);
});

test('a buffer that is not what was admitted: nothing of it is sent', () => {
  const hubImage = readHubImage(C.bytes, 'mcuboot');
  assert.ok(hubImage.ok);
  const world = new HubWorld().smp(B.bytes, { hubImage }).settle();
  ends(world, 'failed', 'image-changed');
  assert.is(world.samples().length, 0);
  assert.is(runs(world), '1.0.0 none');
  const changed = readHubImage(B.bytes.slice(), 'mcuboot');
  assert.ok(changed.ok);
  changed.sendBytes[40]! ^= 1;
  const flipped = new HubWorld().smp(B.bytes, { hubImage: changed }).settle();
  ends(flipped, 'failed', 'image-changed');
});

test('held: in the other slot, not pending; activated later without an upload', () => {
  const world = new HubWorld().smp(B.bytes, { activation: { when: 'held' } }).settle();
  ends(world, 'awaiting-activation');
  assert.ok(world.session.holds());
  assert.is(runs(world), '1.0.0 none');
  world.hub.reset();
  world.run(2_000);
  assert.is(runs(world), '1.0.0 none', 'a reset changes nothing');
  const before = world.sentBytes;
  world.smp().settle();
  isDone(world);
  assert.is(world.samples().length, 0, 'no upload');
  assert.ok(world.sentBytes - before < 1_000);
});

test('held: one that nobody commands to be activated expires', () => {
  const limits = { ...LIMITS, heldMs: 60_000 };
  const world = new HubWorld().smp(B.bytes, { activation: { when: 'held' }, limits }).settle();
  world.until(() => world.state === 'failed', limits.heldMs + 1_000);
  ends(world, 'failed', 'hold-expired');
});

test('an activation at its time, not before', () => {
  const world = new HubWorld();
  const atMs = world.nowMs + 300_000;
  world.smp(B.bytes, { activation: { when: 'at', atMs } });
  world.until(() => world.nowMs >= atMs - 1_000);
  assert.is(world.state, 'awaiting-activation');
  assert.is(resets(world), 0);
  world.settle();
  isDone(world);
});

test('an image that is pending already is not sent again; held, it is made to wait', () => {
  const prepared = () => {
    const world = new HubWorld().smp(B.bytes, { activation: { when: 'held' } }).settle();
    board(world).bootloader.setPending(0, false);
    return world;
  };
  const world = prepared().smp().settle();
  isDone(world);
  assert.is(world.samples().length, 0);
  const held = prepared()
    .smp(B.bytes, { activation: { when: 'held' } })
    .settle();
  ends(held, 'awaiting-activation');
  assert.is(runs(held), '1.0.0 none', 'nothing is pending');
});

test('another image that is pending is given up, and that is said', () => {
  const world = new HubWorld().smp(C.bytes, { activation: { when: 'held' } }).settle();
  board(world).bootloader.setPending(0, false);
  world.smp().settle();
  isDone(world);
  assert.ok(world.notes().some((text) => /another image is pending and is given up/.test(text)));
});

test('on trial: this image is confirmed, another one blocks', () => {
  const prepared = () => {
    const world = new HubWorld().smp(B.bytes, { activation: { when: 'held' } }).settle();
    board(world).bootloader.setPending(0, false);
    world.hub.reset();
    world.run(2_000);
    assert.is(runs(world), '2.0.0 revert');
    return world;
  };
  const kept = prepared().smp().settle();
  isDone(kept);
  assert.is(kept.samples().length, 0);
  const held = prepared()
    .smp(B.bytes, { activation: { when: 'held' } })
    .settle();
  ends(held, 'failed', 'trial-unconfirmed');
  const other = prepared().smp(C.bytes).settle();
  ends(other, 'failed', 'trial-unconfirmed');
  assert.is(runs(other), '2.0.0 revert', 'untouched');
});

test('an older image, and the same version with other content, are refused by admission', () => {
  const older = new HubWorld({ firmware: C.bytes }).smp().settle();
  ends(older, 'refused');
  const twin = makeImage({ version: [2, 0, 0, 0], bodyBytes: 4_000 });
  const same = new HubWorld({ firmware: twin.bytes }).smp().settle();
  ends(same, 'refused');
  assert.is(same.samples().length, 0);
  const policy = { listRequired: false, unsignedImage: 'warn', allowDowngrade: true } as const;
  const allowed = new HubWorld({ firmware: C.bytes }).smp(B.bytes, { policy }).settle();
  isDone(allowed);
});

test('an image that depends on another which the hub does not have: refused before a byte', () => {
  const least = Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0);
  const file = encodeMcubootImage({
    version: { major: 2, minor: 0, revision: 0, build: 0 },
    body: B.bytes.subarray(32, 200),
    protectedTlvs: [{ type: 'dependency', value: least }],
    seal: (covered) => [{ type: 'sha256', value: decodeHex(sha256Hex(covered))! }],
  });
  const world = new HubWorld().smp(file).settle();
  ends(world, 'refused');
  assert.match(world.detail(), 'image.dependencies');
  assert.is(world.samples().length, 0);
});

test('what the other images run after the next reset', () => {
  const entry = (image: number, slot: number, version: string, change: Partial<ImageEntry>) => ({
    ...{ image, slot, version, hash: Uint8Array.of(image, slot), bootable: true, pending: false },
    ...{ confirmed: false, active: false, permanent: false, flagged: true },
    ...change,
  });
  const survey = (mode: 'application' | 'recovery', ...images: ImageEntry[]) =>
    otherImagesOf({ mode, images, imageBytesMax: undefined, bufferBytes: undefined }, 0);
  const own = entry(0, 0, '1.0.0', { active: true, confirmed: true });
  const stays = entry(1, 0, '1.5.0', { active: true, confirmed: true });
  const trial = entry(1, 0, '1.5.0', { active: true });
  const staged = entry(1, 1, '1.6.0', {});
  assert.equal(survey('application', own), {});
  assert.equal(survey('application', own, stays, staged), { 1: '1.5.0' });
  assert.equal(survey('application', own, stays, { ...staged, pending: true }), { 1: '1.6.0' });
  assert.equal(survey('application', own, trial, staged), { 1: '1.6.0' }, 'it goes back');
  assert.equal(survey('recovery', own, stays, { ...staged, pending: true }), { 1: '1.5.0' });
});

test('the context is part of every decision: a floor refuses', () => {
  const hardware = {
    manufacturer: '121D',
    model: '00C1',
    hardwareVersion: '01',
    hardwareRevision: '00',
  };
  const device = { slotBytes: 65_536, imageProfile: 'mcuboot', deviceModel: hardware } as const;
  const floors = { version: 1 as const, floors: [{ ...hardware, floor: 9 }] };
  const context = { intake: 'bench' as const, floors };
  const world = new HubWorld().smp(B.bytes, { device, context }).settle();
  ends(world, 'refused');
  assert.match(world.detail(), 'version.floor');
});

test('a model that refuses is refused without a byte on the line', () => {
  const world = new HubWorld().smp(B.bytes, {
    device: { slotBytes: 100, imageProfile: 'mcuboot' },
  });
  ends(world, 'refused');
  assert.is(world.sentBytes, 0);
});

test('an image larger than the slots that the hub states', () => {
  const large = makeImage({ version: [2, 0, 0, 0], bodyBytes: 40_000 });
  const device = { slotBytes: 1_000_000, imageProfile: 'mcuboot' } as const;
  const world = new HubWorld().smp(large.bytes, { device }).settle();
  ends(world, 'failed', 'slot-too-small');
  assert.is(world.samples().length, 0);
});

test('an image that its bootloader does not take is not an activation', () => {
  const world = new HubWorld({ faults: { refusesImage: true } }).smp().settle();
  ends(world, 'failed', 'image-dropped-at-boot');
  assert.is(runs(world), '1.0.0 none');
});

test('an image that crashes on its trial: the hub goes back, and that is read back', () => {
  const world = new HubWorld({ faults: { crashAfterActivationMs: 1 } }).smp().settle();
  ends(world, 'failed', 'device-reverted');
  assert.is(runs(world), '1.0.0 none');
  assert.match(world.detail(), /runs 1\.0\.0/);
});

test('a hub that is not heard of again after the reset: unknown, not assumed', () => {
  const world = new HubWorld().smp();
  world.until(() => world.state === 'activating' && resets(world) === 0);
  world.until(() => board(world).bootloader.swapType(0) === 'test');
  world.toHost = (bytes) => (resets(world) > 0 || !world.hub.isPowered ? undefined : bytes);
  world.until(() => resets(world) > 0);
  const resetMs = world.nowMs;
  world.settle();
  ends(world, 'unknown-outcome', 'version-not-readable');
  assert.ok(world.nowMs - resetMs < LIMITS.confirmMs + 10_000, 'within its time');
});

test('a reset that is lost is repeated on evidence, and one that is not is not', () => {
  const world = new HubWorld();
  let swallowed = 0;
  world.smp();
  world.toHub = (bytes) => {
    const pending = board(world).bootloader.swapType(0) === 'test';
    if (!pending || swallowed > 0) return bytes;
    swallowed++;
    return undefined;
  };
  world.settle();
  isDone(world);
  assert.is(resets(world), 1);
});

test('a busy hub is reset all the same', () => {
  isDone(new HubWorld({ smp: { resetWantsForce: true } }).smp().settle());
});

test('a hub that loses its power anywhere in the upload is sent the image anew, and asked first', () => {
  const world = new HubWorld().smp();
  world.until(
    () => board(world).server !== undefined && (world.samples().at(-1)?.sentBytes ?? 0) > 2_000,
  );
  world.hub.powerOff();
  world.run(300);
  world.hub.powerOn();
  world.settle();
  isDone(world);
  assert.ok(
    world.notes().some((text) => /asked again what it has/.test(text)),
    world.story(),
  );
  const blocks = world.samples().map((sample) => sample.blocks);
  assert.equal(
    blocks,
    blocks.slice().sort((a, b) => a - b),
    'counted through all uploads',
  );
});

test('a link that vanishes in the upload: the same boot goes on where it was', () => {
  const world = new HubWorld().smp();
  world.until(() => (world.samples().at(-1)?.sentBytes ?? 0) > 3_000);
  world.cutLink();
  world.run(10_000);
  world.restoreLink();
  world.settle();
  isDone(world);
  assert.ok(
    world.notes().some((text) => /goes on at byte [3-6]\d\d\d/.test(text)),
    world.story(),
  );
});

test('a link that stays away ends the session within its limit', () => {
  const world = new HubWorld().smp();
  world.until(() => world.state === 'distributing');
  world.cutLink();
  const sinceMs = world.nowMs;
  world.settle();
  ends(world, 'failed', 'link-lost');
  assert.ok(world.nowMs - sinceMs <= LIMITS.linkDownMs + 100);
});

test('a link that is lost after the command to activate leaves the outcome unknown', () => {
  const world = new HubWorld().smp();
  world.until(() => world.state === 'activating');
  world.cutLink();
  world.settle();
  ends(world, 'unknown-outcome', 'link-lost');
});

test('a link that vanishes while the hub restarts', () => {
  const world = new HubWorld().smp();
  world.until(() => board(world).bootloader.swapType(0) === 'test');
  world.cutLink();
  world.run(5_000);
  world.restoreLink();
  world.settle();
  isDone(world);
  assert.is(resets(world), 1);
});

test('silence ends in time; noise is told from silence', () => {
  const silent = new HubWorld({ faults: { silent: true } });
  const sinceMs = silent.nowMs;
  silent.smp().settle();
  ends(silent, 'failed', 'hub-silent');
  assert.ok(silent.nowMs - sinceMs <= LIMITS.contactMs + 1_000);
  const noisy = new HubWorld({ faults: { silent: true } }).smp();
  noisy.session.handleBytes(new Uint8Array(500).fill(0xa5), noisy.nowMs);
  noisy.settle();
  assert.match(noisy.detail(), /500 bytes came that are no answers/);
});

test('a hub without image management is brought into recovery where its model says how', () => {
  const broken = new HubWorld({ smp: { recovery: true } });
  // Its application answers, and lists nothing: as one that was built without the image group.
  const refusesLists = () => {
    const { server } = board(broken);
    const handle = server!.handlePacket.bind(server);
    server!.handlePacket = (packet) => {
      const image = packet.slice();
      if (image[5] === 1) image[5] = 63;
      return handle(image).map((answer) => {
        const back = answer.slice();
        if (packet[5] === 1) back[5] = 1;
        return back;
      });
    };
  };
  refusesLists();
  broken.smp().settle();
  ends(broken, 'failed', 'hub-state-unread');
  broken.smp(B.bytes, { smp: { recovery: 'reset-command' } }).settle();
  isDone(broken);
  assert.ok(broken.notes().some((text) => /MCUboot's serial recovery answers/.test(text)));
});

const RECOVERY = { smp: { recovery: true, recoveryWithoutImage: true } };

test('a hub whose application is gone is upgraded in serial recovery', () => {
  const world = new HubWorld({ ...RECOVERY, firmware: new Uint8Array(0) }).smp().settle();
  isDone(world);
  assert.ok(world.notes().some((text) => /primary slot: from the first chunk on/.test(text)));
});

test('serial recovery holds nothing, and is not asked to', () => {
  const world = new HubWorld({ ...RECOVERY, firmware: new Uint8Array(0) });
  world.smp(B.bytes, { activation: { when: 'held' } }).settle();
  ends(world, 'failed', 'hold-impossible');
  assert.is(world.samples().length, 0);
});

test('an upload in recovery that is cut off by the power begins anew', () => {
  const world = new HubWorld({ ...RECOVERY, firmware: new Uint8Array(0) }).smp();
  world.until(() => (world.samples().at(-1)?.sentBytes ?? 0) > 2_000);
  world.hub.powerOff();
  world.run(300);
  world.hub.powerOn();
  world.settle();
  isDone(world);
});

test('a silent application is brought into recovery over its line', () => {
  const world = new HubWorld({ ...RECOVERY, faults: { silent: true } });
  world.lineSteps = () => {
    world.hub.options.faults.silent = false;
  };
  const change: RequestChange = {
    smp: { recovery: 'line-steps' },
    line: { canEnterBootloader: true },
  };
  world.smp(B.bytes, change).settle();
  isDone(world);
  assert.equal(
    world.commands.map(({ steps }) => steps),
    ['enterBootloader'],
  );
});

test('stopped in the upload, the hub keeps what it has, and the next run goes on', () => {
  const world = new HubWorld().smp();
  world.until(() => (world.samples().at(-1)?.sentBytes ?? 0) > 3_000);
  world.stop();
  assert.ok(world.stopped);
  assert.match(world.detail(), /keeps what it has/);
  const before = world.sentBytes;
  world.run(60_000);
  assert.is(world.sentBytes, before, 'at rest');
  world.smp().settle();
  isDone(world);
  assert.ok(world.notes().some((text) => /goes on at byte/.test(text)));
});

test('log lines, late answers and a line that loses bytes cost time and nothing else', () => {
  const faults = { babble: 0.3, lateAnswer: 0.05, lateAnswerMs: 700, loss: 0.0005, noise: 0.0005 };
  for (let seed = 1; seed <= 5; seed++) {
    const world = new HubWorld({ faults, seed }).smp().settle();
    isDone(world);
    assert.is(resets(world), 1);
  }
});

test('builds that differ in what they answer', () => {
  const builds = [
    { omitFalseFlags: true },
    { indefiniteMaps: false, writeAnswersCarryRc: true },
    { progressiveErase: true, uploadMatch: true },
    { imageConfirmsItself: true },
    { bufBytes: 256, bufCount: 1 },
  ];
  for (const smp of builds) isDone(new HubWorld({ smp }).smp().settle());
});

test('the bytes that are sent are those that were checked, as they are', () => {
  const world = new HubWorld().smp();
  world.settle();
  const stored = world.hub.flash.read(0, 0, B.bytes.length);
  assert.equal(Buffer.from(stored).equals(Buffer.from(B.bytes)), true);
});

test('the session that was killed at any transmission is carried on by the next', () => {
  const clean = new HubWorld().smp().settle();
  for (let kill = 1; kill <= clean.transmits; kill++) {
    const world = new HubWorld().smp();
    world.until(() => world.transmits >= kill);
    world.run((kill * 37) % 400);
    world.smp().settle();
    isDone(world);
    assert.ok(resets(world) <= 2, `${resets(world)} resets, killed at ${kill}`);
  }
});

assert.ok(A.bytes.length < B.bytes.length);
test.run();
