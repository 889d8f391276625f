/** Hubs of a rig file: every key of their `virtual` part reaches the hub, and their flash outlives the rig. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hubFaults, virtualSmp } from '../../src/config/hub-schema.ts';
import { UpliftError } from '../../src/errors.ts';
import { completeHubOptions, NO_HUB_FAULTS } from '../../src/virtual/communications-hub/options.ts';
import type { SmpBoard } from '../../src/virtual/communications-hub/smp-board.ts';
import { startVirtualRig, type VirtualRigEvent } from '../../src/virtual/rig.ts';
import { hubSettingsOf } from '../../src/virtual/rig-hub.ts';
import { FIRMWARE, freePort, type TestHub, TestRig } from '../support/rigs.ts';

async function withRig(hubs: TestHub[], body: (rig: TestRig) => Promise<void> | void) {
  const rig = await TestRig.make({ devices: 0, hubs });
  try {
    await body(rig);
  } finally {
    await rig.remove();
  }
}

const FAULTS = {
  loss: 0.01,
  corruption: 0.02,
  noise: 0.03,
  babble: 0.04,
  unanswered: 0.05,
  duplicate: 0.06,
  late: 0.07,
  lateMs: 80,
  stallAtByte: 9,
  stallMs: 10,
  powerCutAtByte: 11,
  powerCutAtFlashOperation: [12, 13],
  powerCutTearsFlash: true,
  wrongBaudRate: true,
  silent: true,
  refusesImage: true,
  skipsVerification: true,
  crashAfterActivationMs: 14,
  neverReturns: true,
  losesSlotOnPowerCut: true,
};

const SMP = { bufBytes: 1024, bufCount: 2, poolLines: 8, startsInRecovery: true };

test('every key of the file is a setting of the hub', async () => {
  assert.equal(Object.keys(FAULTS).sort(), Object.keys(hubFaults.shape).sort());
  assert.equal(Object.keys(SMP).sort(), Object.keys(virtualSmp.shape).sort());
  const virtual = { seed: 5, turnRoundMs: 16, bootMs: 30, faults: FAULTS, smp: SMP };
  await withRig([{ baudRate: 9_600, virtual }], ({ rig }) => {
    const { firmware, smp, ...options } = completeHubOptions(hubSettingsOf(rig.hubs[0]!));
    assert.equal(firmware, new Uint8Array(readFileSync(FIRMWARE.hubOld)));
    assert.is(options.protocol, 'smp');
    assert.is(options.baudRate, 9_600);
    assert.is(options.turnRoundMs, 16);
    assert.is(options.bootMs, 30);
    assert.is(options.seed, 5);
    assert.equal(options.faults, FAULTS);
    assert.equal(options.flash, rig.hubs[0]!.model.flash);
    assert.equal({ ...smp, ...SMP, recovery: true }, smp);
  });
});

test('a hub is well where nothing is said, and has the recovery of its model', async () => {
  for (const recovery of ['none', 'reset-command'] as const) {
    await withRig([{ smp: { recovery } }, { protocol: 'gecko-bootloader' }], ({ rig }) => {
      const [hub, radio] = rig.hubs.map((device) => completeHubOptions(hubSettingsOf(device)));
      assert.equal(hub!.faults, NO_HUB_FAULTS);
      assert.is(hub!.smp.recovery, recovery !== 'none');
      assert.is(hub!.smp.startsInRecovery, false);
      assert.is(radio!.protocol, 'gecko-bootloader');
    });
  }
});

test('flash outlives the rig, and `fresh` does not keep it', async () => {
  await withRig([{}], async (test) => {
    const versionIn = (board: SmpBoard) => {
      const found = board.bootloader.readImage(0, 1);
      return found.ok ? found.image.version.major : undefined;
    };
    let rig = await test.up();
    const { hub } = test.hub();
    const image = new Uint8Array(readFileSync(FIRMWARE.hubNew));
    const start = (hub.board as SmpBoard).bootloader.imageStart(0, 1);
    hub.flash.program(1, start, image);
    hub.powerOff();
    hub.powerOn();
    assert.is(versionIn(hub.board as SmpBoard), 2);
    await test.down();
    assert.ok(existsSync(join(test.rig.stateFolder, 'virtual/hubs/hub.flash')));
    for (const [fresh, expected] of [
      [false, 2],
      [true, undefined],
    ] as const) {
      rig = await startVirtualRig(test.rig, { fresh });
      assert.is(versionIn(rig.hubs.get('hub')!.hub.board as SmpBoard), expected);
      await rig.stop();
    }
  });
});

test('events carry the id of their hub', async () => {
  const port = `tcp://127.0.0.1:${await freePort()}`;
  await withRig([{ id: 'left' }, { id: 'right', port }], async (test) => {
    const events: VirtualRigEvent[] = [];
    await test.up({ onEvent: (event) => events.push(event) });
    for (const id of ['left', 'right']) {
      while (!events.some((event) => event.id === id)) await new Promise((go) => setTimeout(go, 5));
    }
    assert.is(test.hub('right').path, port);
    assert.ok(existsSync(test.hub('left').path));
    const { path } = test.hub('left');
    await test.down();
    assert.not.ok(existsSync(path), 'the link to the terminal goes with the rig');
  });
});

test('firmware of the wrong format, and one that does not fit', async () => {
  const codeOf = async (rig: TestRig) => {
    try {
      await rig.up();
    } catch (error) {
      assert.instance(error, UpliftError);
      return (error as UpliftError).code;
    }
    return undefined;
  };
  await withRig([{ virtual: { firmware: FIRMWARE.radioOld } }], async (rig) => {
    assert.is(await codeOf(rig), 'VIRTUAL_FIRMWARE_UNREADABLE');
  });
  await withRig([{ flash: { slotBytes: 65_536 } }], async (rig) => {
    assert.is(await codeOf(rig), 'VIRTUAL_FIRMWARE_TOO_LARGE');
  });
  await withRig([{}], async (rig) => {
    writeFileSync(join(rig.folder, 'ports'), '');
    assert.is(await codeOf(rig), 'VIRTUAL_PORT_UNAVAILABLE');
  });
});

test.run();
