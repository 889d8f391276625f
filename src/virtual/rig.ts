/**
 * A rig's virtual half: every coordinator and every hub of the rig file that has `virtual`, with the
 * devices behind the first. What they remember is kept below `<state folder>/virtual`, so that the next
 * start goes on: networks, associations, versions, flash, downloads that were cut off.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CoordinatorConfig, PpmidDevice, Rig } from '../config/schema.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { locateUpgradeImage } from '../image/gb-upgrade.ts';
import { parseOtaFile } from '../image/zigbee-ota.ts';
import type { HubEvent } from './communications-hub/board.ts';
import type { OpenHub } from './communications-hub/open-hub.ts';
import { type CoordinatorEvent, VirtualCoordinator } from './coordinator.ts';
import { DeviceStore } from './device-store.ts';
import type { WireFaults } from './host-output.ts';
import type { ClientQuirks } from './ota-client.ts';
import { type PpmidEvent, VirtualPpmid } from './ppmid.ts';
import { SeededRandom } from './random.ts';
import { openRigHub, readFirmware } from './rig-hub.ts';
import { type Scheduler, SystemScheduler } from './scheduler.ts';
import { checkSeal } from './sealed-firmware.ts';
import type { NetworkParameters } from './znp/network.ts';

export type VirtualRigEvent =
  | { source: 'coordinator'; id: string; event: CoordinatorEvent }
  | { source: 'device'; id: string; event: PpmidEvent }
  | { source: 'hub'; id: string; event: HubEvent };

export interface VirtualRigOptions {
  /** Instead of the rig file's own. */
  stateFolder?: string;
  /** Forgets what earlier runs left. */
  fresh?: boolean;
  /** Keys of coordinators whose rig file says `generated`; without one the coordinator starts blank. */
  networkKeys?: ReadonlyMap<string, string>;
  wireFaults?: Partial<WireFaults>;
  quirks?: Partial<ClientQuirks>;
  expectedSha256?: string;
  onEvent?: (event: VirtualRigEvent) => void;
}

export interface VirtualRig {
  coordinators: Map<string, VirtualCoordinator>;
  /** PPMIDs. */
  devices: Map<string, VirtualPpmid>;
  hubs: Map<string, OpenHub>;
  /** Writes all state and closes every port. */
  stop(): Promise<void>;
}

export async function startVirtualRig(
  rig: Rig,
  options: VirtualRigOptions = {},
): Promise<VirtualRig> {
  const folder = join(options.stateFolder ?? rig.stateFolder, 'virtual');
  if (options.fresh) rmSync(folder, { recursive: true, force: true });
  const scheduler = new SystemScheduler();
  const running = {
    coordinators: new Map<string, VirtualCoordinator>(),
    devices: new Map<string, VirtualPpmid>(),
    hubs: new Map<string, OpenHub>(),
  };
  const stores: DeviceStore[] = [];
  const firmware = new FirmwareVersions();
  const stop = async () => {
    for (const store of stores) store.flush();
    for (const coordinator of running.coordinators.values()) await coordinator.stop();
    for (const hub of running.hubs.values()) await hub.stop();
    scheduler.stop();
  };
  try {
    for (const config of rig.coordinators) {
      if (config.virtual === undefined) continue;
      const coordinator = await openCoordinator(config, folder, scheduler, options);
      running.coordinators.set(config.id, coordinator);
      const devices = rig.ppmids.filter((device) => device.coordinator === config.id);
      for (const [index, device] of devices.entries()) {
        if (device.virtual === undefined) continue;
        const store = new DeviceStore(scheduler, join(folder, 'devices', device.id));
        const { fileVersion, sealed } = firmware.of(device);
        const random = new SeededRandom(config.virtual.seed * 1009 + index);
        const context = { coordinator, scheduler, random, store, fileVersion, sealed };
        const ppmid = buildDevice(device, context, options);
        stores.push(store);
        running.devices.set(device.id, ppmid);
        coordinator.addNode(ppmid);
      }
    }
    for (const device of rig.hubs) {
      if (device.virtual === undefined) continue;
      const { id } = device;
      const hub = await openRigHub(device, {
        scheduler,
        statePath: join(folder, 'hubs', `${id}.flash`),
        onEvent: (event) => options.onEvent?.({ source: 'hub', id, event }),
      });
      running.hubs.set(id, hub);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...running, stop };
}

function openCoordinator(
  config: CoordinatorConfig,
  folder: string,
  scheduler: Scheduler,
  options: VirtualRigOptions,
): Promise<VirtualCoordinator> {
  const virtual = config.virtual!;
  if (config.adapter !== 'zstack') {
    throw new UpliftError(
      'VIRTUAL_ADAPTER_UNSUPPORTED',
      `coordinator ${config.id}: a virtual coordinator speaks zstack only`,
      { expected: 'adapter: zstack', actual: `adapter: ${config.adapter}`, exit: EXIT.usage },
    );
  }
  const network = virtual.network === 'formed' ? networkOf(config, options) : undefined;
  return VirtualCoordinator.open({
    scheduler,
    port: config.port,
    seed: virtual.seed,
    nvPath: join(folder, `${config.id}.nv.json`),
    linkDelayMs: virtual.linkDelayMs,
    linkFaults: virtual.faults,
    ...(network && { network }),
    ...(options.wireFaults && { wireFaults: options.wireFaults }),
    onEvent: (event) => options.onEvent?.({ source: 'coordinator', id: config.id, event }),
  });
}

function networkOf(
  config: CoordinatorConfig,
  options: VirtualRigOptions,
): NetworkParameters | undefined {
  const { panId, extendedPanId, channel, networkKey } = config.network;
  const key = networkKey === 'generated' ? options.networkKeys?.get(config.id) : networkKey;
  return key === undefined ? undefined : { panId, extendedPanId, channel, networkKey: key };
}

interface DeviceContext {
  coordinator: VirtualCoordinator;
  scheduler: Scheduler;
  random: SeededRandom;
  store: DeviceStore;
  fileVersion: number;
  sealed: boolean;
}

function buildDevice(
  device: PpmidDevice,
  context: DeviceContext,
  options: VirtualRigOptions,
): VirtualPpmid {
  const { coordinator, store } = context;
  const virtual = device.virtual!;
  const restored = store.load();
  const ppmid = new VirtualPpmid({
    id: device.id,
    eui64: device.eui64,
    model: device.model,
    otaClient: virtual.otaClient,
    faults: virtual.faults,
    fileVersion: context.fileVersion,
    wantsSeal: context.sealed,
    scheduler: context.scheduler,
    random: context.random,
    network: {
      uplink: (node, frame) => coordinator.uplink(node, frame),
      announce: (node) => coordinator.announce(node),
      findServer: (profileId, clusterId) => coordinator.findServer(profileId, clusterId),
      rejoinWithNewAddress: (node) => coordinator.registry.rejoinWithNewAddress(node),
      forget: (node) => coordinator.registry.remove(node),
    },
    ...(restored && { restored }),
    ...(options.quirks && { quirks: options.quirks }),
    ...(options.expectedSha256 && { expectedSha256: options.expectedSha256 }),
    onChange: () => store.changed(),
    onEvent: (event) => options.onEvent?.({ source: 'device', id: device.id, event }),
  });
  store.device = ppmid;
  return ppmid;
}

/** The file versions of the images that new devices run; each file is read once. */
class FirmwareVersions {
  private readonly known = new Map<string, { fileVersion: number; sealed: boolean }>();

  of(device: PpmidDevice): { fileVersion: number; sealed: boolean } {
    const path = device.virtual!.firmwarePath;
    const known = this.known.get(path);
    if (known !== undefined) return known;
    const parsed = parseOtaFile(readFirmware(path, device.id));
    if (!parsed.ok) {
      throw new UpliftError(
        'VIRTUAL_FIRMWARE_UNREADABLE',
        `device ${device.id}: ${path} is no upgrade image: ${parsed.message}`,
        { next: 'name an OTA upgrade file under devices / virtual / firmware in the rig file' },
      );
    }
    const image = parsed.images[0]!;
    const located = locateUpgradeImage(image, device.model.imageProfile);
    const sealed = located.ok && checkSeal(located.manufacturerImage) !== 'absent';
    const found = { fileVersion: image.header.fileVersion, sealed };
    this.known.set(path, found);
    return found;
  }
}
