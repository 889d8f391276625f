/** The coordinators of a rig, opened: one worker process each, their events told apart, their devices found. */
import type { CoordinatorConfig, PpmidDevice } from '../config/schema.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { ZigbeeLink } from '../transport/zigbee/client.ts';
import type { KnownDevice, LinkEvent, OpenResult } from '../transport/zigbee/messages.ts';
import type { DevicePorts } from './device-ports.ts';
import type { StateFolder } from './state-folder.ts';

export type SiteEvent =
  | { kind: 'opened'; coordinator: string; port: string; result: OpenResult }
  | { kind: 'joining'; coordinator: string; devices: string[]; timeoutMs: number }
  | { kind: 'link'; coordinator: string; event: LinkEvent }
  | { kind: 'ended'; coordinator: string; reason: string };

export class ZigbeeSite {
  private readonly state: StateFolder;
  private readonly onEvent: (event: SiteEvent) => void;
  private readonly ports: Pick<DevicePorts, 'onServer'>;
  private readonly links = new Map<string, ZigbeeLink>();

  constructor(
    state: StateFolder,
    onEvent: (event: SiteEvent) => void,
    ports: Pick<DevicePorts, 'onServer'> = {},
  ) {
    this.state = state;
    this.onEvent = onEvent;
    this.ports = ports;
  }

  /** Opens a coordinator of the rig; throws an UpliftError that says why not. */
  async open(coordinator: CoordinatorConfig): Promise<ZigbeeLink> {
    const { id, port } = coordinator;
    this.state.checkCoordinator(id);
    const { onServer } = this.ports;
    const link = new ZigbeeLink(
      (event) => {
        if (event.kind === 'server') onServer?.(id, event.said);
        else this.onEvent({ kind: 'link', coordinator: id, event });
      },
      (reason) => this.onEvent({ kind: 'ended', coordinator: id, reason }),
    );
    this.links.set(id, link);
    const { adapter, baudRate, rtscts, network, inFlightMax } = coordinator;
    const { panId, extendedPanId, channel } = network;
    const result = await link.call('open', {
      adapter,
      port,
      baudRate,
      rtscts,
      panId,
      extendedPanId,
      channel,
      networkKey: this.state.networkKey(id, network.networkKey),
      stateFolder: this.state.coordinatorFolder(id),
      inFlightMax,
      tellsServer: onServer !== undefined,
    });
    this.onEvent({ kind: 'opened', coordinator: id, port, result });
    return link;
  }

  link(coordinator: string): ZigbeeLink {
    return this.links.get(coordinator)!;
  }

  /**
   * Those of `devices` that are not on the network. Where the rig lets a missing device open the network,
   * or `join` says so, it is opened first and they are waited for.
   */
  async missing(
    coordinator: CoordinatorConfig,
    devices: PpmidDevice[],
    join = coordinator.joining === 'open-when-missing',
  ): Promise<PpmidDevice[]> {
    const link = this.link(coordinator.id);
    const absent = without(devices, await link.call('devices', {}));
    if (absent.length === 0 || !join) return absent;
    const timeoutMs = coordinator.joinTimeoutMs;
    const names = absent.map((device) => device.id);
    this.onEvent({ kind: 'joining', coordinator: coordinator.id, devices: names, timeoutMs });
    const { missing } = await link.call('join', {
      eui64s: absent.map((device) => device.eui64),
      installCodes: absent.flatMap((device) => device.installCode ?? []),
      timeoutMs,
    });
    return absent.filter((device) => missing.includes(device.eui64));
  }

  async close(): Promise<void> {
    await Promise.all([...this.links.values()].map((link) => link.close()));
  }
}

/** `waited`: the network was open for it, as long as the rig file says. */
export function notJoined(
  device: PpmidDevice,
  coordinator: CoordinatorConfig,
  waited = coordinator.joining === 'open-when-missing',
): UpliftError {
  return new UpliftError(
    'device-not-joined',
    `${device.id} (${device.eui64}) is not on the network of ${coordinator.id}`,
    {
      expected: 'a device that has joined this coordinator',
      actual: waited
        ? `it did not join within ${coordinator.joinTimeoutMs / 1000} s`
        : 'it never joined',
      next: waited
        ? 'check that it is powered, in range and in pairing mode, and that its EUI-64 in the rig file is right'
        : 'put it into pairing mode and run `uplift rig join --rig FILE`',
      exit: EXIT.notReachable,
    },
  );
}

function without(devices: PpmidDevice[], known: KnownDevice[]): PpmidDevice[] {
  const interviewed = new Set(
    known.filter((entry) => entry.interviewed).map((entry) => entry.eui64),
  );
  return devices.filter((device) => !interviewed.has(device.eui64));
}
