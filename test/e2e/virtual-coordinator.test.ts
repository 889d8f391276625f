/**
 * The virtual coordinator and its devices against zigbee-herdsman's unmodified driver and its own OTA
 * engine: two programs that were not written for each other. A command the coordinator does not know
 * fails the test that sent it.
 */
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Controller, setLogger } from 'zigbee-herdsman';
import type { Rig } from '../../src/config/schema.ts';
import { EXIT, UpliftError } from '../../src/errors.ts';
import {
  startVirtualRig,
  type VirtualRig,
  type VirtualRigEvent,
  type VirtualRigOptions,
} from '../../src/virtual/rig.ts';
import {
  makeImage,
  makeRig,
  NETWORK_KEY,
  type RigShape,
  VERSION_NEW,
  VERSION_OLD,
} from '../virtual/fixture.ts';

const silent = () => {};
setLogger({ debug: silent, info: silent, warning: silent, error: silent });

interface Bench {
  rig: Rig & { remove: () => void };
  virtual: VirtualRig;
  events: VirtualRigEvent[];
}

async function openBench(shape: RigShape, options: VirtualRigOptions = {}): Promise<Bench> {
  return reopenBench(makeRig(shape), options);
}

async function reopenBench(rig: Bench['rig'], options: VirtualRigOptions = {}): Promise<Bench> {
  const events: VirtualRigEvent[] = [];
  const virtual = await startVirtualRig(rig, {
    ...options,
    onEvent: (event) => events.push(event),
  });
  return { rig, virtual, events };
}

function coordinatorOf(bench: Bench) {
  return bench.virtual.coordinators.get('coordinator')!;
}

function buildController(bench: Bench): Controller {
  const folder = bench.rig.path.replace(/rig\.yaml$/, '');
  return new Controller({
    network: {
      panID: 0x1a62,
      extendedPanID: [...Buffer.from('dddddddddddddd01', 'hex')],
      channelList: [15],
      networkKey: [...Buffer.from(NETWORK_KEY, 'hex')],
    },
    databasePath: join(folder, 'database.db'),
    databaseBackupPath: join(folder, 'database.db.backup'),
    backupPath: join(folder, 'backup.json'),
    transport: {
      path: coordinatorOf(bench).path,
      adapter: 'zstack',
      baudRate: 115_200,
      rtscts: false,
    },
    adapter: { disableLED: false },
    acceptJoiningDeviceHandler: async () => true,
  });
}

/** Opens the network and waits until so many devices are interviewed. */
async function joinAll(controller: Controller, count: number): Promise<void> {
  let done = 0;
  const interviewed = new Promise<void>((resolve, reject) => {
    controller.on('deviceInterview', ({ status }) => {
      if (status === 'failed') reject(new Error('an interview failed'));
      if (status === 'successful' && ++done === count) resolve();
    });
  });
  await controller.permitJoin(60);
  await interviewed;
  await controller.permitJoin(0);
}

function deviceOf(controller: Controller, bench: Bench, index = 0) {
  const device = controller.getDeviceByIeeeAddr(`0x${bench.rig.ppmids[index]!.eui64}`);
  assert.ok(device, 'the driver knows the device');
  return device;
}

/** No command was unknown or malformed, whatever else the test found. */
function assertUnderstood(bench: Bench): void {
  const wrong = bench.events.filter(
    ({ event }) => event.kind === 'unknown-command' || event.kind === 'malformed-command',
  );
  assert.equal(wrong, []);
}

async function closeBench(bench: Bench, controller?: Controller): Promise<void> {
  await controller?.stop();
  await bench.virtual.stop();
  assertUnderstood(bench);
}

test('a blank coordinator forms the network, and resumes it after a restart of both', async () => {
  const first = await openBench({ network: 'blank' });
  const controller = buildController(first);
  assert.is(await controller.start(), 'reset');
  const parameters = await controller.getNetworkParameters();
  assert.is(parameters.panID, 0x1a62);
  assert.is(parameters.channel, 15);
  await joinAll(controller, 1);
  await closeBench(first, controller);
  const second = await reopenBench(first.rig);
  const again = buildController(second);
  assert.is(await again.start(), 'resumed');
  const basic = await deviceOf(again, second).endpoints[0]!.read('genBasic', ['modelId']);
  assert.equal(basic, { modelId: 'PPMID-TEST' });
  await closeBench(second, again);
  second.rig.remove();
});

test('a lost memory is restored from the driver backup, and the devices are still there', async () => {
  const first = await openBench({});
  const controller = buildController(first);
  assert.is(await controller.start(), 'resumed');
  await joinAll(controller, 1);
  await closeBench(first, controller);
  const nvPath = join(first.rig.stateFolder, 'virtual', 'coordinator.nv.json');
  assert.ok(existsSync(nvPath));
  first.rig.coordinators[0]!.virtual!.network = 'blank';
  writeFileSync(nvPath, '{}');
  const second = await reopenBench(first.rig);
  const again = buildController(second);
  assert.is(await again.start(), 'restored');
  const basic = await deviceOf(again, second).endpoints[0]!.read('genBasic', ['modelId']);
  assert.equal(basic, { modelId: 'PPMID-TEST' });
  await closeBench(second, again);
  second.rig.remove();
});

for (const [name, port] of [
  ['TCP', undefined],
  ['a pseudo-terminal', 'pty'],
] as const) {
  test(`devices join, are interviewed and stay joined across a restart, over ${name}`, async () => {
    const shape: RigShape = { devices: 3 };
    if (port === 'pty') shape.port = `/tmp/uplift-pty-${process.pid}`;
    const first = await openBench(shape);
    const controller = buildController(first);
    assert.is(await controller.start(), 'resumed');
    await joinAll(controller, 3);
    for (const index of [0, 1, 2]) {
      const device = deviceOf(controller, first, index);
      assert.is(device.manufacturerID, 0x1234);
      assert.is(device.manufacturerName, 'Uplift Test');
      assert.is(device.softwareBuildID, '01000000');
      assert.is(device.endpoints[0]!.deviceID, 0x0502);
      assert.ok(device.endpoints[0]!.supportsOutputCluster('genOta'));
    }
    await closeBench(first, controller);
    const second = await reopenBench(first.rig);
    const again = buildController(second);
    assert.is(await again.start(), 'resumed');
    const ota = await deviceOf(again, second, 2).endpoints[0]!.read(
      'genOta',
      ['currentFileVersion', 'imageUpgradeStatus', 'manufacturerId', 'imageTypeId'],
      { direction: 1 },
    );
    assert.equal(ota, {
      currentFileVersion: VERSION_OLD,
      imageUpgradeStatus: 0,
      manufacturerId: 0x1234,
      imageTypeId: 0x0084,
    });
    await again.permitJoin(10);
    assert.not.ok(second.events.some(({ event }) => event.kind === 'device-joined'));
    await closeBench(second, again);
    second.rig.remove();
  });
}

interface UpgradeShape extends RigShape {
  imageBytes: number;
  wire?: VirtualRigOptions['wireFaults'];
}

/** One device, upgraded by the driver's own OTA engine from a file. */
async function upgradeByDriver(shape: UpgradeShape): Promise<Bench> {
  const bench = await openBench(shape);
  const controller = buildController(bench);
  await controller.start();
  await joinAll(controller, 1);
  if (shape.wire) coordinatorOf(bench).wireFaults = shape.wire;
  const image = makeImage(VERSION_NEW, shape.imageBytes - 66);
  assert.is(image.length, shape.imageBytes);
  const path = join(bench.rig.path, '..', 'new.ota');
  writeFileSync(path, image);
  const device = deviceOf(controller, bench);
  const [from, to] = await device.updateOta({ url: path }, undefined, undefined, {}, () => {}, {
    requestTimeout: 30_000,
    responseDelay: 0,
    baseSize: 50,
  });
  assert.is(from.fileVersion, VERSION_OLD);
  assert.is(to!.fileVersion, VERSION_NEW);
  const ppmid = bench.virtual.devices.get('ppmid-1')!;
  assert.is(ppmid.fileVersion, VERSION_NEW);
  assert.is(ppmid.activeSha256, createHash('sha256').update(image).digest('hex'));
  assert.is(ppmid.activations, 1);
  const basic = await device.endpoints[0]!.read('genBasic', ['swBuildId']);
  assert.equal(basic, { swBuildId: '02000001' });
  await closeBench(bench, controller);
  bench.rig.remove();
  return bench;
}

test('the driver upgrades a device by blocks', async () => {
  const bench = await upgradeByDriver({ imageBytes: 20_000 });
  const { counters } = bench.virtual.devices.get('ppmid-1')!.client;
  assert.is(counters.blocksReceived, 400);
  assert.is(counters.duplicates, 0);
  assert.is(counters.requestsSent, 402);
});

test('the driver upgrades a device by pages', async () => {
  // The driver's pages never end where the last one runs past the image, so these fit exactly.
  const otaClient = { pageBytes: 1_000, pageSpacingMs: 0, maximumDataBytes: 50 };
  const bench = await upgradeByDriver({ imageBytes: 20_000, otaClient });
  const { counters } = bench.virtual.devices.get('ppmid-1')!.client;
  assert.is(counters.pageRequests, 20);
  assert.is(counters.blocksReceived, 400);
});

test('the driver reads frames that come in halves', async () => {
  await upgradeByDriver({ imageBytes: 5_000, wire: { splitWrites: 0.5 } });
});

test('the driver reads a response, a confirm and a request that come in one write', async () => {
  // Its engine loses the first block request in such a chunk; the client asks again.
  const bench = await upgradeByDriver({ imageBytes: 5_000, wire: { coalesceMs: 3 } });
  assert.ok(bench.virtual.devices.get('ppmid-1')!.client.counters.timeouts <= 2);
});

test('a cut link is noticed by the driver, and a new one resumes after it is restored', async () => {
  for (const port of ['tcp://127.0.0.1:0', `/tmp/uplift-pty-cut-${process.pid}`]) {
    const bench = await openBench({ port });
    const controller = buildController(bench);
    await controller.start();
    const lost = new Promise<void>((resolve) => controller.on('adapterDisconnected', resolve));
    await coordinatorOf(bench).cutLink();
    // A hung-up pseudo-terminal is often noticed only by the next write.
    void controller.permitJoin(1).catch(() => {});
    await lost;
    await controller.stop().catch(() => {});
    if (port.startsWith('/')) assert.not.ok(existsSync(port));
    await coordinatorOf(bench).restoreLink();
    const again = buildController(bench);
    assert.is(await again.start(), 'resumed');
    await closeBench(bench, again);
    bench.rig.remove();
  }
});

test('a coordinator that restarts by itself has forgotten its endpoints', async () => {
  const bench = await openBench({});
  const controller = buildController(bench);
  await controller.start();
  await joinAll(controller, 1);
  coordinatorOf(bench).powerCycle();
  const endpoint = deviceOf(controller, bench).endpoints[0]!;
  try {
    await endpoint.read('genBasic', ['modelId'], { timeout: 1_000, disableRecovery: true });
    assert.unreachable('a coordinator without endpoints cannot send');
  } catch (error) {
    assert.match((error as Error).message, /INVALID_PARAMETER|failed/i);
  }
  await controller.stop();
  const again = buildController(bench);
  assert.is(await again.start(), 'resumed');
  const basic = await deviceOf(again, bench).endpoints[0]!.read('genBasic', ['modelId']);
  assert.equal(basic, { modelId: 'PPMID-TEST' });
  await closeBench(bench, again);
  bench.rig.remove();
});

test('a device that leaves is gone from the network and may join again', async () => {
  const bench = await openBench({});
  const controller = buildController(bench);
  await controller.start();
  await joinAll(controller, 1);
  const left = new Promise<void>((resolve) => controller.on('deviceLeave', () => resolve()));
  await deviceOf(controller, bench).removeFromNetwork();
  await left;
  assert.is(bench.virtual.devices.get('ppmid-1')!.association, undefined);
  await joinAll(controller, 1);
  await closeBench(bench, controller);
  bench.rig.remove();
});

test('a port in use, and a path that is a file, are errors that say what to do', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const rig = makeRig({ port: `tcp://127.0.0.1:${port}` });
  await refusedToStart(rig, new RegExp(`127\\.0\\.0\\.1:${port}.*in use`));
  server.close();
  const other = makeRig();
  other.coordinators[0]!.port = other.devices[0]!.virtual!.firmwarePath;
  await refusedToStart(other, /no pseudo-terminal/);
});

async function refusedToStart(rig: Bench['rig'], message: RegExp): Promise<void> {
  try {
    await startVirtualRig(rig);
    assert.unreachable('the rig started');
  } catch (error) {
    assert.instance(error, UpliftError);
    const { code, exit, next } = error as UpliftError;
    assert.is(code, 'VIRTUAL_PORT_UNAVAILABLE');
    assert.is(exit, EXIT.notReachable);
    assert.match((error as UpliftError).message, message);
    assert.ok(next);
  }
  rig.remove();
}

test.run();
