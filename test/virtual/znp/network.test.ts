/** The coordinator's memory: items, tables, the seed of a formed network, and its file. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { UpliftError } from '../../../src/errors.ts';
import {
  changeChannel,
  clearNetwork,
  NV_ITEM,
  readCommissioning,
  readNetwork,
  seedBlank,
  seedFormed,
} from '../../../src/virtual/znp/network.ts';
import { NV_STATUS, NvMemory } from '../../../src/virtual/znp/nv.ts';
import { SimulatedScheduler } from '../fixture.ts';

const NETWORK = {
  panId: 0x1a62,
  extendedPanId: '0102030405060708',
  channel: 15,
  networkKey: '01030507090b0d0f00020406080a0c0d',
};
const EUI64 = '00124b0011223344';

test('a formed network reads back, and lies at the offsets the driver reads', () => {
  const nv = new NvMemory(new SimulatedScheduler());
  seedFormed(nv, NETWORK, EUI64);
  assert.equal(readNetwork(nv), NETWORK);
  const nib = nv.item(NV_ITEM.nib)!;
  assert.is(nib.length, 116);
  assert.is(nib[12], 5);
  assert.is(nib[24], 15);
  assert.is(encodeHex(nib.subarray(28, 36)), '4433221100 4b1200'.replace(' ', ''));
  assert.is(encodeHex(nib.subarray(36, 38)), '621a');
  assert.is(encodeHex(nib.subarray(40, 44)), '00800000');
  assert.is(encodeHex(nib.subarray(57, 65)), '0807060504030201');
  const keyInfo = encodeHex(nv.item(NV_ITEM.activeKeyInfo)!);
  assert.is(keyInfo, `00${NETWORK.networkKey}00`);
  assert.is(encodeHex(nv.item(NV_ITEM.alternateKeyInfo)!), keyInfo);
  assert.equal(nv.item(NV_ITEM.hasConfigured), Uint8Array.of(0x55));
  assert.is(nv.item(NV_ITEM.networkKey)!.length, 24);
});

test('a blank memory has what the driver cannot do without, and no network', () => {
  const nv = new NvMemory(new SimulatedScheduler());
  seedBlank(nv);
  assert.is(readNetwork(nv), undefined);
  for (const item of [0x82, 0x62, 0x3a, 0x3b, 0x4c]) assert.ok(nv.item(item), item.toString(16));
  assert.is(nv.item(NV_ITEM.hasConfigured), undefined);
  for (const table of [1, 4, 6, 7]) assert.ok(nv.tableEntry(1, table, 0));
});

test('what the driver writes before it forms a network is the network', () => {
  const nv = new NvMemory(new SimulatedScheduler());
  seedBlank(nv);
  nv.setItem(NV_ITEM.panId, Uint8Array.of(0x62, 0x1a));
  nv.setItem(NV_ITEM.extendedPanId, Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1));
  nv.setItem(NV_ITEM.preconfiguredKey, Buffer.from(NETWORK.networkKey, 'hex'));
  assert.equal(readCommissioning(nv, 1 << 15), NETWORK);
  assert.is(readCommissioning(nv, 0).channel, 11);
});

test('clearing forgets the network, changing the channel keeps it', () => {
  const nv = new NvMemory(new SimulatedScheduler());
  seedFormed(nv, NETWORK, EUI64);
  changeChannel(nv, 20);
  assert.equal(readNetwork(nv), { ...NETWORK, channel: 20 });
  clearNetwork(nv);
  assert.is(readNetwork(nv), undefined);
});

test('a write has to fit an item that exists', () => {
  const nv = new NvMemory(new SimulatedScheduler());
  nv.setItem(7, new Uint8Array(4));
  assert.is(nv.patchItem(7, 2, Uint8Array.of(1, 2)), NV_STATUS.success);
  assert.equal(nv.item(7), Uint8Array.of(0, 0, 1, 2));
  assert.is(nv.patchItem(7, 3, Uint8Array.of(1, 2)), NV_STATUS.badLength);
  assert.is(nv.patchItem(8, 0, Uint8Array.of(1)), NV_STATUS.absent);
  assert.equal(nv.item(7), Uint8Array.of(0, 0, 1, 2));
});

test('the file follows the memory, is replaced as a whole, and a broken one is an error', () => {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-nv-'));
  const path = join(folder, 'deep', 'nv.json');
  const scheduler = new SimulatedScheduler();
  const nv = new NvMemory(scheduler, path);
  seedFormed(nv, NETWORK, EUI64);
  nv.setTableEntry(1, 4, 3, Uint8Array.of(9));
  assert.not.ok(existsSync(path));
  scheduler.run(100);
  assert.equal(readdirSync(join(folder, 'deep')), ['nv.json']);
  const again = new NvMemory(scheduler, path);
  assert.equal(readNetwork(again), NETWORK);
  assert.equal(again.tableEntry(1, 4, 3), Uint8Array.of(9));
  for (const broken of ['{', '{"0021": "xyz"}', '{"0021": 3}']) {
    writeFileSync(path, broken);
    try {
      new NvMemory(scheduler, path);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UpliftError);
      assert.is((error as UpliftError).code, 'VIRTUAL_STATE_UNREADABLE');
    }
  }
  rmSync(folder, { recursive: true });
});

test.run();
