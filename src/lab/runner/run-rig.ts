/**
 * The part of a rig that a run has. Virtual devices begin each run anew, so all that the gateway knows of
 * them is the run's own as well; a real coordinator's network key and memory are the rig's.
 */
import { join } from 'node:path';
import type { Rig, RigDevice } from '../../config/schema.ts';

/** With these devices and their coordinators alone, what is kept of virtual ones in `folder`. */
export function rigOfRun(rig: Rig, devices: readonly RigDevice[], folder: string): Rig {
  const ids = new Set(devices.map(({ id }) => id));
  const kept = rig.devices.filter(({ id }) => ids.has(id));
  const used = new Set(kept.flatMap((device) => coordinatorOf(device) ?? []));
  const isReal = rig.coordinators.some(({ id, virtual }) => used.has(id) && virtual === undefined);
  return {
    ...rig,
    stateFolder: isReal ? rig.stateFolder : folder,
    coordinators: rig.coordinators.filter(({ id }) => used.has(id)),
    devices: kept,
    ppmids: kept.filter((device) => device.kind === 'ppmid'),
    hubs: kept.filter((device) => device.kind === 'hub'),
  };
}

/** With this device alone; a hub has nothing to share with another, so its folder is its own. */
export function rigOfDevice(rig: Rig, device: RigDevice): Rig {
  const own = rigOfRun(rig, [device], rig.stateFolder);
  const stateFolder = device.kind === 'hub' ? runFolderOf(rig, [device]) : rig.stateFolder;
  return { ...own, stateFolder };
}

/** Of what runs with these devices keep, below the state folder of the rig; no two have them at once. */
export function runFolderOf(rig: Rig, devices: readonly RigDevice[]): string {
  return join(rig.stateFolder, 'lab', devices.map(({ id }) => id).join('+'));
}

/** What no two runs use at once. */
export function resourcesOf(rig: Rig, device: RigDevice): string[] {
  const coordinator = coordinatorOf(device);
  if (coordinator === undefined) return [`port:${device.id}`];
  const config = rig.coordinators.find(({ id }) => id === coordinator);
  // The state folder of a rig has one user, and real coordinators share theirs.
  const state = config?.virtual === undefined ? [`state:${rig.stateFolder}`] : [];
  return [`network:${coordinator}`, ...state];
}

function coordinatorOf(device: RigDevice): string | undefined {
  return device.kind === 'ppmid' ? device.coordinator : undefined;
}
