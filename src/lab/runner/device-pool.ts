/** Which devices are free: none is in two runs, and no two runs share a port or a network. */
import type { Rig, RigDevice } from '../../config/schema.ts';
import { assert } from '../../errors.ts';
import type { PlannedRun } from './expand.ts';
import { resourcesOf } from './run-rig.ts';

export type Taking =
  | { kind: 'taken'; devices: ReadonlyMap<string, RigDevice> }
  /** Later, when other runs have ended. */
  | { kind: 'busy' }
  /** Never: too few that can play it are left. */
  | { kind: 'none' };

export class DevicePool {
  private readonly rig: Rig;
  private readonly setAsideAfter: number;
  private readonly used = new Set<string>();
  private readonly aside = new Set<string>();
  /** Failures of the rig at a device, one after the other. */
  private readonly troubles = new Map<string, number>();

  constructor(rig: Rig, setAsideAfter: number) {
    this.rig = rig;
    this.setAsideAfter = setAsideAfter;
  }

  get setAside(): readonly string[] {
    return [...this.aside];
  }

  /** `avoided`: where it failed before; taken again only where there is no other. */
  take({ roles }: PlannedRun, avoided: ReadonlySet<string>): Taking {
    const devices = new Map<string, RigDevice>();
    for (const [role, players] of roles) {
      const left = players.filter(({ id }) => !this.aside.has(id) && !isIn(devices, id));
      if (left.length === 0) return { kind: 'none' };
      const free = left.filter((device) => this.isFree(device));
      const chosen = free.find(({ id }) => !avoided.has(id)) ?? free[0];
      if (chosen === undefined) return { kind: 'busy' };
      devices.set(role, chosen);
    }
    for (const resource of this.resources(devices)) this.used.add(resource);
    return { kind: 'taken', devices };
  }

  /** Those that are set aside by it. */
  give(devices: ReadonlyMap<string, RigDevice>, isTrouble: boolean): string[] {
    for (const resource of this.resources(devices)) {
      assert(this.used.delete(resource), `${resource} was in use`);
    }
    const newlyAside: string[] = [];
    for (const { id } of devices.values()) {
      const troubles = isTrouble ? (this.troubles.get(id) ?? 0) + 1 : 0;
      this.troubles.set(id, troubles);
      if (troubles < this.setAsideAfter || this.aside.has(id)) continue;
      this.aside.add(id);
      newlyAside.push(id);
    }
    return newlyAside;
  }

  private isFree(device: RigDevice): boolean {
    return resourcesOf(this.rig, device).every((resource) => !this.used.has(resource));
  }

  private resources(devices: ReadonlyMap<string, RigDevice>): Set<string> {
    return new Set([...devices.values()].flatMap((device) => resourcesOf(this.rig, device)));
  }
}

function isIn(devices: ReadonlyMap<string, RigDevice>, id: string): boolean {
  return [...devices.values()].some((device) => device.id === id);
}
