/** What a rig really hangs on: coordinators' processes, serial ports, and its folder of state. */

import { existsSync } from 'node:fs';
import type { CoordinatorConfig, HubDevice, Rig } from '../config/schema.ts';
import { UpliftError } from '../errors.ts';
import { SYSTEM_TIMERS } from '../transport/serial/driver.ts';
import { listPorts, resolvePort } from '../transport/serial/ports.ts';
import type { CoordinatorSite } from './coordinator-host.ts';
import { portOf } from './device-ports.ts';
import type { FieldPorts } from './rig-field.ts';
import { StateFolder } from './state-folder.ts';
import { type SiteEvent, ZigbeeSite } from './zigbee-site.ts';

export interface SystemPorts extends FieldPorts {
  folderOf(rig: Rig): StateFolder;
  /** Lets other processes have the rigs. */
  close(): void;
}

/** Takes the rigs for this process alone. @throws UpliftError where another has one */
export function takeSystemPorts(rigs: readonly Rig[]): SystemPorts {
  const folders = new Map<string, StateFolder>();
  const byRig = new Map<string, StateFolder>();
  const taken: StateFolder[] = [];
  try {
    for (const rig of rigs) {
      const folder = StateFolder.open(rig.stateFolder);
      taken.push(folder);
      byRig.set(rig.id, folder);
      for (const { id } of rig.coordinators) folders.set(id, folder);
    }
  } catch (error) {
    for (const folder of taken) folder.close();
    throw error;
  }
  const folderOf = (coordinator: string) => folders.get(coordinator)!;
  return {
    timers: SYSTEM_TIMERS,
    newSite: (coordinator: CoordinatorConfig, onEvent: (event: SiteEvent) => void) =>
      new ZigbeeSite(folderOf(coordinator.id), onEvent) satisfies CoordinatorSite,
    newLink: portOf,
    isPresent,
    records: folderOf,
    folderOf: ({ id }) => byRig.get(id)!,
    close: () => {
      for (const folder of taken) folder.close();
    },
  };
}

/** A serial server in the network tells by being connected to, and by nothing else. */
async function isPresent({ port }: HubDevice): Promise<boolean> {
  if (port.startsWith('tcp://')) return true;
  if (!port.startsWith('usb:')) return existsSync(port);
  try {
    resolvePort(port, await listPorts());
    return true;
  } catch (error) {
    if (error instanceof UpliftError) return false;
    throw error;
  }
}
