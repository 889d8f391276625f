/** What stands between a gateway and the devices of a rig: nothing, or what a lab puts there. */
import type { HubDevice } from '../config/schema.ts';
import type { Link } from '../ports.ts';
import { newLink } from '../transport/serial/link.ts';
import type { ServerSaid } from '../transport/zigbee/messages.ts';
import type { HubSession } from '../upgrade/hub-session-messages.ts';
import type { MadeHubSession } from './hub-run.ts';

export interface DevicePorts {
  /** In place of the port that the rig names. */
  newLink?(device: HubDevice): Link;
  /** In place of the session of a hub. */
  watch?(device: HubDevice, made: MadeHubSession): HubSession;
  /** Is told every call into the OTA server of a coordinator. */
  onServer?(coordinator: string, said: ServerSaid): void;
}

/** Opens nothing yet. */
export function linkTo(device: HubDevice, ports: DevicePorts = {}): Link {
  return ports.newLink?.(device) ?? portOf(device);
}

/** The port that the rig names, and nothing in it. */
export function portOf({ port, baudRate, model }: HubDevice): Link {
  return newLink({ port, baudRate, rtscts: model.serial.rtscts });
}
