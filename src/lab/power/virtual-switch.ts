/** The supply and the button of a device that is made of software and runs in this program. */
import type { VirtualHub } from '../../virtual/communications-hub/hub.ts';
import type { VirtualPpmid } from '../../virtual/ppmid.ts';
import type { VirtualRig } from '../../virtual/rig.ts';
import type { Switch, SwitchState } from './switch.ts';

/** What is switched. */
export interface Supply {
  set(isOn: boolean): Promise<void>;
  isOn(): boolean;
}

export class VirtualSwitch implements Switch {
  readonly kind = 'virtual';
  readonly name: string;
  private readonly supply: Supply;

  constructor(device: string, supply: Supply) {
    this.name = `virtual supply of ${device}`;
    this.supply = supply;
  }

  set(isOn: boolean): Promise<void> {
    return this.supply.set(isOn);
  }

  async read(): Promise<SwitchState> {
    return this.supply.isOn() ? 'on' : 'off';
  }

  async close(): Promise<void> {}
}

/** That of a device or a coordinator of a running rig; undefined where the rig has no such one. */
export function supplyIn(rig: VirtualRig, id: string): Supply | undefined {
  const hub = rig.hubs.get(id);
  if (hub) return hubSupply(hub.hub);
  const ppmid = rig.devices.get(id);
  if (ppmid) return ppmidSupply(ppmid);
  const coordinator = rig.coordinators.get(id);
  if (coordinator === undefined) return undefined;
  let isOn = true;
  return {
    isOn: () => isOn,
    // Its port is gone with its power, and it starts anew when that is back.
    set: async (wanted) => {
      if (wanted === isOn) return;
      isOn = wanted;
      if (!wanted) {
        await coordinator.cutLink();
        return;
      }
      await coordinator.restoreLink();
      coordinator.powerCycle();
    },
  };
}

/** A virtual PPMID whose button was pressed for so long forgets its network. */
const LONG_PRESS_MS = 5_000;

/** The button of a device of a running rig: what it does, it does when it is let go of. */
export function buttonIn(rig: VirtualRig, id: string): Supply | undefined {
  const hub = rig.hubs.get(id)?.hub;
  if (hub) return pressed(() => hub.reset());
  const ppmid = rig.devices.get(id);
  if (ppmid === undefined) return undefined;
  return pressed((heldMs) => {
    if (heldMs >= LONG_PRESS_MS) ppmid.resetByHand();
    else ppmid.restart();
  });
}

function pressed(act: (heldMs: number) => void): Supply {
  let sinceMs: number | undefined;
  return {
    isOn: () => sinceMs !== undefined,
    set: async (isOn) => {
      if (isOn) sinceMs ??= performance.now();
      else if (sinceMs !== undefined) {
        const heldMs = Math.round(performance.now() - sinceMs);
        sinceMs = undefined;
        act(heldMs);
      }
    },
  };
}

function hubSupply(hub: VirtualHub): Supply {
  return {
    isOn: () => hub.isPowered,
    set: async (isOn) => (isOn ? hub.powerOn() : hub.powerOff()),
  };
}

function ppmidSupply(ppmid: VirtualPpmid): Supply {
  let isOn = true;
  return {
    isOn: () => isOn,
    set: async (wanted) => {
      if (wanted === isOn) return;
      isOn = wanted;
      if (wanted) ppmid.powerOn();
      else ppmid.powerOff();
    },
  };
}
