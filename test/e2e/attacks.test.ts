/**
 * Attacks that need the driver: the file is changed after the decision and before the worker that sends it
 * has read it; an older list comes back after a newer one was used. One rig, through the real gateway; at
 * the end the very same device is upgraded.
 */
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BENCH } from '../../src/admission/context.ts';
import { AuditLog } from '../../src/gateway/audit-log.ts';
import { type DeviceOutcome, flash } from '../../src/gateway/flash.ts';
import { ImageFile } from '../../src/gateway/image-library.ts';
import { loadCentralProductsList } from '../../src/gateway/list-library.ts';
import { HUB_SESSION_LIMITS } from '../../src/upgrade/hub-session-messages.ts';
import { SESSION_LIMITS } from '../../src/upgrade/session.ts';
import { FIRMWARE, NEW_VERSION, OLD_VERSION, runCli, TestRig } from '../support/rigs.ts';

const test = suite('attacks through the driver');
const good = new Uint8Array(readFileSync(FIRMWARE.new));
let rig: TestRig;
let path: string;
let log: AuditLog;

test.before(async () => {
  rig = await TestRig.make();
  await rig.up();
  path = join(rig.folder, 'image.zigbee');
  log = new AuditLog(join(rig.folder, 'audit.jsonl'));
});
test.after(() => rig.remove());

function flipped(): Uint8Array {
  const changed = good.slice();
  changed[70_000]! ^= 0x10;
  return changed;
}

/** The first half of the good image, the rest of another. */
function spliced(): Uint8Array {
  const changed = good.slice();
  const other = readFileSync(FIRMWARE.old);
  changed.set(other.subarray(1_000), good.length >> 1);
  return changed;
}

const CHANGES: [id: string, attack: string, change: () => void][] = [
  ['13a', 'poisoned at rest: one bit', () => writeFileSync(path, flipped())],
  ['6c', 'splice: blocks of two images', () => writeFileSync(path, spliced())],
  [
    '15a',
    'TOCTOU: another file renamed over it',
    () => {
      copyFileSync(FIRMWARE.old, `${path}.new`);
      renameSync(`${path}.new`, path);
    },
  ],
  [
    '15b',
    'link swap: to the same bytes',
    () => {
      rmSync(path);
      symlinkSync(FIRMWARE.new, path);
    },
  ],
];

for (const [id, attack, change] of CHANGES) {
  test(`${id} ${attack}, once the coordinator is open: image-changed, not a block is sent`, async () => {
    rmSync(path, { force: true });
    copyFileSync(FIRMWARE.new, path);
    const before = records();
    const [outcome] = await upgrade(change);
    assert.is(outcome!.exit, 3, JSON.stringify(outcome));
    assert.is(outcome!.code, 'image-changed');
    assert.is(rig.device().client.counters.blocksReceived, 0);
    assert.is(rig.device().fileVersion, OLD_VERSION);
    assert.ok(records() > before, 'the decision is on record');
    assert.equal(log.check().findings, []);
  });
}

test('15c open writer: what it writes once the download has begun is not sent; the upgrade is done', async () => {
  rmSync(path, { force: true });
  copyFileSync(FIRMWARE.new, path);
  const [outcome] = await upgrade(
    () => {},
    () => writeFileSync(path, flipped(), { flag: 'r+' }),
  );
  assert.is(outcome!.state, 'done', JSON.stringify(outcome));
  assert.is(rig.device().fileVersion, NEW_VERSION);
  assert.equal(new Uint8Array(readFileSync(path)), flipped(), 'it was written, and to no effect');
});

test('2 metadata rollback: a list before the one that was used: cpl.rollback, nothing is sent', async () => {
  const { blocksReceived } = rig.device().client.counters;
  const mark = join(rig.rig.stateFolder, 'newest-list.json');
  const kept = readFileSync(mark, 'utf8');
  const [heading, ...rows] = readFileSync(FIRMWARE.list, 'utf8').trim().split('\n');
  const older = join(rig.folder, 'older.csv');
  writeFileSync(older, [heading, ...rows.slice(0, -1)].join('\n'));
  for (const command of [
    ['verify', FIRMWARE.new, '--rig', rig.path, '--cpl', older, '--json'],
    ['flash', '--image', FIRMWARE.new, '--rig', rig.path, '--cpl', older, '--json'],
  ]) {
    const result = await runCli(command);
    assert.is(result.code, 3, result.stdout + result.stderr);
    assert.match(result.stdout, '"ruleId":"cpl.rollback"');
  }
  assert.is(readFileSync(mark, 'utf8'), kept, 'what was accepted stays accepted');
  assert.is(rig.device().client.counters.blocksReceived, blocksReceived);
});

/** Through the gateway; `opened` once the coordinator is open, `sending` at the first progress. */
async function upgrade(opened: () => void, sending = () => {}): Promise<DeviceOutcome[]> {
  const file = new ImageFile(path, {});
  let isOpen = false;
  let isSending = false;
  return flash(
    {
      rig: { ...rig.rig, auditLog: log.path },
      devices: rig.rig.devices,
      imageFor: ({ model }) => file.for(model.imageProfile),
      list: loadCentralProductsList(FIRMWARE.list),
      policy: {},
      contextFor: () => BENCH,
      activation: { when: 'now' },
      limits: { ppmid: SESSION_LIMITS, hub: HUB_SESSION_LIMITS },
    },
    (event) => {
      if (event.kind === 'site' && !isOpen) {
        isOpen = true;
        opened();
      }
      if (event.kind === 'progress' && event.sample.sentBytes > 0 && !isSending) {
        isSending = true;
        sending();
      }
    },
    new AbortController().signal,
  );
}

function records(): number {
  try {
    return log.records().length;
  } catch {
    return 0;
  }
}

test.run();
