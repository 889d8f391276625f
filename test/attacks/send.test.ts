/**
 * Attacks between the check and the sending: rows 5b, 6c, 13a and 15 of the table of attacks, through what
 * really reads files and sends bytes. The driver's part is in test/e2e/attacks.test.ts.
 */
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decideAdmission } from '../../src/admission/decide.ts';
import { tokenFor } from '../../src/admission/token.ts';
import { UpliftError } from '../../src/errors.ts';
import { ImageFile } from '../../src/gateway/image-library.ts';
import { readAdmitted } from '../../src/transport/zigbee/checked-image.ts';
import { concat, counting } from '../image/naive-ota.ts';
import { Desk, NEW, OLD, query, reading } from '../upgrade/desk.ts';
import { B, C, HubWorld } from '../upgrade/hub-world.ts';
import { GatewayDesk, GOOD, ota } from './gateway-desk.ts';

const test = suite('attacks while sending');
const OTHER = ota({ body: counting(400, 8) });
const folder = mkdtempSync(join(tmpdir(), 'uplift-sending-'));
const path = join(folder, 'image');
let desk: GatewayDesk;
test.before(async () => {
  desk = await GatewayDesk.open();
});
test.after(async () => {
  await desk.close();
  rmSync(folder, { recursive: true });
});
test.before.each(() => {
  rmSync(path, { force: true });
  writeFileSync(path, GOOD.ppmid);
});

function admitted() {
  const { facts } = new ImageFile(path, {}).for('gb-ppmid');
  if (!facts.ok) throw new Error(facts.message);
  return tokenFor(facts);
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.instance(error, UpliftError);
    return (error as UpliftError).code;
  }
  return 'taken';
}

/** What becomes of the file after it was admitted, and before the worker reads what it sends. */
const CHANGES: [id: string, attack: string, change: () => void][] = [
  ['6c', 'splice: the second half is of another image', () => writeFileSync(path, spliced())],
  ['13a', 'poisoned at rest: one bit flipped', () => writeFileSync(path, flipped(GOOD.ppmid, 200))],
  ['15a', 'TOCTOU: written over', () => writeFileSync(path, OTHER)],
  ['15a', 'TOCTOU: another file renamed over it', () => renameOver(OTHER)],
  ['15a', 'TOCTOU: cut short', () => writeFileSync(path, GOOD.ppmid.subarray(0, 300))],
  ['15b', 'link swap: a link to another image', () => linkTo(OTHER)],
  ['15b', 'link swap: a link to the very same bytes', () => linkTo(GOOD.ppmid)],
];

for (const [id, attack, change] of CHANGES) {
  test(`${id} ${attack}: image-changed, and the next valid file is read`, () => {
    const token = admitted();
    change();
    assert.is(
      codeOf(() => readAdmitted(path, 0, token)),
      'image-changed',
    );
    rmSync(path);
    writeFileSync(path, GOOD.ppmid);
    assert.equal(readAdmitted(path, 0, token), GOOD.ppmid);
  });
}

test('15a TOCTOU: what was added to the file is not sent', () => {
  const token = admitted();
  appendFileSync(path, Uint8Array.from(counting(500)));
  assert.equal(readAdmitted(path, 0, token), GOOD.ppmid);
});

test('15b link swap: an image that is named through a link: file-is-link', async () => {
  await desk.refuses({
    id: '15b',
    attack: 'a link in place of an image',
    present: () => ({ place: (at) => symlinkSync(path, at) }),
    expect: 'file-is-link',
  });
});

test('15c open writer: what it writes after the reading is in nothing that is decided or sent', () => {
  const writer = openSync(path, 'r+');
  const loaded = new ImageFile(path, {}).for('gb-ppmid');
  const token = admitted();
  const bytes = readAdmitted(path, 0, token);
  for (let at = 0; at < OTHER.length; at += 46) writeSync(writer, OTHER, at, 46, at);
  closeSync(writer);
  assert.equal(bytes, GOOD.ppmid, 'the private copy');
  assert.equal(loaded.sendBytes, GOOD.ppmid);
  assert.is(
    codeOf(() => readAdmitted(path, 0, token)),
    'image-changed',
  );
});

/** A hub is sent from the buffer that was judged: what becomes of its file is nothing to it. */
for (const [id, attack, change] of [
  ['13a', 'poisoned at rest', () => writeFileSync(path, flipped(B.bytes, 2_000))],
  ['15a', 'replaced', () => renameOver(C.bytes)],
  ['15b', 'a link in its place', () => linkTo(C.bytes)],
  ['15c', 'an open writer', () => writeFileSync(path, C.bytes, { flag: 'r+' })],
] as const) {
  test(`${id} ${attack} while a hub is being upgraded: it runs what was admitted`, () => {
    writeFileSync(path, B.bytes);
    const loaded = new ImageFile(path, {}).for('mcuboot');
    const world = new HubWorld().smp(loaded.file, { hubImage: loaded.hubImage! });
    world.until(() => world.samples().length > 0);
    change();
    world.settle();
    assert.is(world.state, 'done', world.story());
    assert.equal(loaded.file, B.bytes);
  });
}

test('6c splice: a buffer whose second half is another image: image-changed, not a chunk leaves', () => {
  writeFileSync(path, B.bytes);
  const loaded = new ImageFile(path, {}).for('mcuboot');
  loaded.file.set(C.bytes.subarray(3_000, 5_000), 3_000);
  const world = new HubWorld().smp(B.bytes, { hubImage: loaded.hubImage! }).settle();
  assert.equal([world.state, world.session.code], ['failed', 'image-changed']);
  assert.is(world.samples().length, 0);
  assert.is(new HubWorld().smp(B.bytes).settle().state, 'done', 'the next one is upgraded');
});

test('5b stale offer: the device changed its version since: decided anew, device.newer', () => {
  const offered = new Desk().offered();
  assert.is(offered.state, 'staged');
  offered.say(query(NEW + 1));
  assert.equal([offered.state, offered.detail()], ['refused', 'device.newer']);
  assert.is(offered.count('activate'), 0);
  const decided = offered.events.filter(({ value }) => value.kind === 'decision').length;
  assert.ok(decided >= 2, 'decided again, on the version that was read back');
  const downgraded = new Desk().offered().say(query(OLD - 1));
  assert.is(downgraded.state, 'staged', 'another old version is decided on, and offered');
  assert.is(new Desk().start().say(reading({ currentFileVersion: OLD })).state, 'staged');
});

test('7a wrong software: what the device says of itself counts, not what the offer was made on', () => {
  for (const [change, rule] of [
    [{ hardwareVersion: 0x0200 }, 'device.hardware-range'],
    [{ manufacturerCode: 0x1037 }, 'device.manufacturer-code'],
    [{ imageType: 0x0085 }, 'device.image-type'],
  ] as const) {
    const offered = new Desk().offered().say(query(OLD, change));
    assert.equal([offered.state, offered.detail()], ['refused', rule]);
  }
});

test('15a TOCTOU: a decision of one image is no leave for another', () => {
  const { facts } = new ImageFile(path, {}).for('gb-ppmid');
  const policy = { listRequired: false };
  const device = { imageProfile: 'gb-ppmid' as const };
  const decision = decideAdmission({ image: facts, device, policy }, Date.now());
  writeFileSync(path, OTHER);
  assert.is(
    codeOf(() => readAdmitted(path, 0, decision.token!)),
    'image-changed',
  );
  assert.equal(new Uint8Array(readFileSync(path)), OTHER, 'and the file is let be');
});

function spliced(): Uint8Array {
  return concat(GOOD.ppmid.subarray(0, 230), OTHER.subarray(230));
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at]! ^= 0x10;
  return changed;
}

function renameOver(bytes: Uint8Array): void {
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
}

function linkTo(bytes: Uint8Array): void {
  writeFileSync(`${path}.target`, bytes);
  rmSync(path);
  symlinkSync(`${path}.target`, path);
}

test.run();
