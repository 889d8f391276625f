/**
 * A gateway process that serves one OTA image to the devices of a rig and says what CPU time it took:
 * by Uplift's server, or by zigbee-herdsman's own OTA engine.
 *
 *   node gateway.ts ours|ours-public|theirs RIG IMAGE SHA256
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import herdsman from 'zigbee-herdsman';
import { loadRig } from '../../../src/config/load.ts';
import { parseOtaFile } from '../../../src/image/zigbee-ota.ts';
import { ZigbeeController } from '../../../src/transport/zigbee/controller.ts';
import { OtaLink } from '../../../src/transport/zigbee/ota-link.ts';

const [engine, rigPath, imagePath] = process.argv.slice(2) as [string, string, string];
const rig = loadRig(rigPath);
const { network, port, adapter } = rig.coordinators[0]!;
const stateFolder = join(rig.stateFolder, 'bench-gateway');
const eui64s = rig.ppmids.map(({ eui64 }) => eui64);
const silent = { write: () => {} };

interface Usage {
  cpuMs: number;
  wallMs: number;
  heapBytes: number;
}

const usage = engine === 'theirs' ? await theirs() : await ours(engine === 'ours');
process.send!(usage);
process.disconnect();

async function ours(lane: boolean): Promise<Usage> {
  const finished = new Set<string>();
  let settle: () => void;
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const link = new OtaLink((event) => {
    if (event.kind !== 'downloaded') return;
    finished.add(event.eui64);
    if (finished.size === eui64s.length) settle();
  });
  const joined = new Set<string>();
  const controller = await ZigbeeController.open(
    {
      adapter,
      port,
      baudRate: 115_200,
      rtscts: false,
      panId: network.panId,
      extendedPanId: network.extendedPanId,
      channel: network.channel,
      networkKey: network.networkKey,
      stateFolder,
      inFlightMax: undefined,
      lane,
    },
    {
      otaFrame: (frame) => link.handleFrame(frame),
      announced: () => {},
      joined: (eui64) => joined.add(eui64),
      lost: () => {},
    },
    silent,
  );
  link.setSender(controller);
  await controller.openJoining(60, []);
  await until(() => joined.size === eui64s.length);
  const parsed = parseOtaFile(new Uint8Array(readFileSync(imagePath)));
  if (!parsed.ok) throw new Error(parsed.message);
  const { bytes: image, header } = parsed.images[0]!;
  const { manufacturerCode, imageType, fileVersion } = header;
  const before = mark();
  link.command((server, nowMs) => {
    for (const eui64 of eui64s) {
      const device = link.device(eui64);
      server.assign(
        device,
        {
          image,
          triple: { manufacturerCode, imageType, fileVersion },
          authorised: true,
          resumable: true,
          activation: { when: 'held' },
          blockPeriodMs: 0,
          paceBy: 'delay',
          stallMs: 60_000,
          blockBytesMax: 50,
        },
        nowMs,
      );
      server.notify(device, 0);
    }
  });
  await done;
  const used = since(before);
  link.stop();
  await controller.close();
  return used;
}

async function theirs(): Promise<Usage> {
  const quiet = () => {};
  herdsman.setLogger({ debug: quiet, info: quiet, warning: quiet, error: quiet });
  mkdirSync(stateFolder, { recursive: true });
  const controller = new herdsman.Controller({
    network: {
      panID: network.panId,
      extendedPanID: [...Buffer.from(network.extendedPanId, 'hex')],
      channelList: [network.channel],
      networkKey: [...Buffer.from(network.networkKey, 'hex')],
    },
    databasePath: join(stateFolder, 'database.db'),
    databaseBackupPath: join(stateFolder, 'database.db.backup'),
    backupPath: join(stateFolder, 'coordinator-backup.json'),
    transport: { path: port, adapter: 'zstack', baudRate: 115_200, rtscts: false },
    adapter: { disableLED: false },
    acceptJoiningDeviceHandler: async () => true,
  });
  let joined = 0;
  controller.on('deviceInterview', ({ status }) => {
    if (status === 'successful') joined++;
  });
  await controller.start();
  await controller.permitJoin(60);
  await until(() => joined === eui64s.length);
  const settings = { requestTimeout: 60_000, responseDelay: 0, baseSize: 50 };
  const before = mark();
  await Promise.all(
    eui64s.map((eui64) =>
      controller
        .getDeviceByIeeeAddr(`0x${eui64}`)!
        .updateOta({ url: imagePath }, undefined, undefined, {}, () => {}, settings),
    ),
  );
  const used = since(before);
  await controller.stop();
  return used;
}

function mark() {
  globalThis.gc?.();
  return { cpu: process.cpuUsage(), at: performance.now(), heap: process.memoryUsage().heapUsed };
}

function since(before: ReturnType<typeof mark>): Usage {
  const { user, system } = process.cpuUsage(before.cpu);
  const wallMs = performance.now() - before.at;
  globalThis.gc?.();
  const heapBytes = process.memoryUsage().heapUsed - before.heap;
  return { cpuMs: (user + system) / 1000, wallMs, heapBytes };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((wake) => setTimeout(wake, 10));
}
