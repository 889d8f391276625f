/** A virtual hub on a port: a pseudo-terminal or TCP, with its flash kept in a file. */
import { type HostPort, openHostPort } from '../host-port.ts';
import type { Scheduler } from '../scheduler.ts';
import type { HubEvent } from './board.ts';
import { VirtualHub } from './hub.ts';
import { HubStore } from './hub-store.ts';
import type { HubSettings } from './options.ts';

export interface OpenHubSettings extends HubSettings {
  scheduler: Scheduler;
  /** `tcp://host:port`, or the path of the pseudo-terminal to make. */
  port: string;
  /** Where flash is kept; without it the hub is new at every start. */
  statePath?: string;
  onEvent?: (event: HubEvent) => void;
}

export interface OpenHub {
  readonly hub: VirtualHub;
  /** What a host opens. */
  readonly path: string;
  /** The cable is pulled out and put back; the hub keeps its power. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
  /** Writes all state and closes the port. */
  stop(): Promise<void>;
}

/** Powered, and booting when this returns. */
export async function openVirtualHub(settings: OpenHubSettings): Promise<OpenHub> {
  const { scheduler, statePath } = settings;
  const store = statePath === undefined ? undefined : new HubStore(scheduler, statePath);
  const areas = (settings.protocol ?? 'smp') === 'smp' ? 2 * (settings.smp?.imageCount ?? 1) : 1;
  const restored = store?.load(areas, settings.flash.slotBytes);
  let port: HostPort | undefined;
  const hub = new VirtualHub({
    ...settings,
    write: (bytes) => port?.write(bytes),
    ...(restored !== undefined && { restored }),
    onChange: () => store?.changed(),
  });
  store?.watch(hub.flash);
  port = await openHostPort(settings.port, {
    connected: () => {},
    received: (chunk) => hub.receive(chunk),
    disconnected: () => {},
  });
  hub.powerOn();
  const open = port;
  return {
    hub,
    path: open.path,
    unplug: () => open.cut(),
    plug: () => open.restore(),
    stop: async () => {
      hub.stop();
      store?.flush();
      await open.cut();
    },
  };
}
