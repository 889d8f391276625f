/**
 * The devices of a fleet in the form of a rig, so that they are decided on as those of any rig are: each
 * has the model file of its hardware, which devices of one model share.
 */
import type { HubModel, PpmidModel, Rig, RigDevice } from '../../config/schema.ts';
import type { FieldDevice } from '../../gateway/field.ts';
import { hardwareKey } from '../../products/device-model.ts';
import type { InventoryDevice } from '../wire.ts';

export type DeviceModelFile = PpmidModel | HubModel;

export interface FleetDevice {
  /** Which of the gateways has it. */
  gateway: string;
  told: InventoryDevice;
  /** `hardwareKey` of what it said that it is. */
  key: string;
  field: FieldDevice;
  rig: RigDevice;
}

const RIG_ID = 'fleet';
const HUB = 'hub:';

/** It has devices when they are put into it. */
export function newFleetRig(path: string, stateFolder: string): Rig {
  return {
    id: RIG_ID,
    description: 'the devices of a fleet, as its gateways tell of them',
    ...{ path, stateFolder },
    ...{ centralProductsList: undefined, trustAnchors: undefined, admission: undefined },
    ...{ auditLog: undefined, wan: [], coordinators: [], devices: [], ppmids: [], hubs: [] },
  };
}

export function linkOf(gateway: string): string {
  return `gateway:${gateway}`;
}

/** By what devices say that they are. */
export class ModelShelf {
  private readonly models = new Map<string, DeviceModelFile>();

  constructor(models: readonly DeviceModelFile[]) {
    for (const model of models) {
      const { deviceModel, kind } = model;
      if (deviceModel) this.models.set(`${kind} ${hardwareKey(deviceModel)}`, model);
    }
  }

  modelOf(told: InventoryDevice): DeviceModelFile | undefined {
    const { kind } = told;
    const named = kind === 'communications_hub' ? 'communications-hub' : kind;
    return this.models.get(`${named} ${hardwareKey(told)}`);
  }
}

/** @param isInstallation the premises of a device are known by the gateway that it hangs on */
export function fleetDevice(
  gateway: string,
  told: InventoryDevice,
  model: DeviceModelFile,
  isInstallation: boolean,
): FleetDevice {
  const id = told.device;
  const link = linkOf(gateway);
  const isSerial = id.startsWith(HUB);
  const named = isSerial ? {} : { eui64: id };
  const installation = isInstallation ? gateway : undefined;
  const key = hardwareKey(told);
  if (model.kind === 'ppmid') {
    const field: FieldDevice = { id, kind: 'ppmid', ...named, link, canHold: true };
    const rig: RigDevice = {
      ...{ kind: 'ppmid', id, eui64: id, coordinator: gateway, model, installation },
      ...{ installCode: undefined, virtual: undefined },
    };
    return { gateway, told, key, field, rig };
  }
  const canHold = model.smp !== undefined;
  const rig: RigDevice = {
    ...{ kind: 'hub', id, port: link, baudRate: model.serial.baudRate, model, installation },
    ...{ serialNumber: isSerial ? id.slice(HUB.length) : undefined },
    ...{ eui64: isSerial ? undefined : id, virtual: undefined },
  };
  return {
    gateway,
    told,
    key,
    field: { id, kind: 'communications_hub', ...named, link, canHold },
    rig,
  };
}
