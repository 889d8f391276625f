/** What is known of a device before it is asked: what its model file says. */
import type { DeviceFacts } from '../admission/facts.ts';
import type { HubModel, PpmidModel, RigDevice } from '../config/schema.ts';

export function factsOfDevice(device: RigDevice): DeviceFacts {
  const facts = factsOfModel(device.model);
  return device.kind === 'ppmid'
    ? { ...facts, eui64: device.eui64 }
    : { ...facts, serialNumber: device.serialNumber, eui64: device.eui64 };
}

export function factsOfModel(model: PpmidModel | HubModel): DeviceFacts {
  const { deviceModel, imageProfile, flash } = model;
  const kind = model.kind === 'communications-hub' ? 'communications_hub' : model.kind;
  const common = { deviceModel, imageProfile, slotBytes: flash.slotBytes, kind } as const;
  if (model.kind === 'communications-hub')
    return { ...common, imageNumber: model.smp?.imageNumber };
  const { manufacturerCode, imageType, hardwareVersion } = model.zigbee;
  return { ...common, manufacturerCode, imageType, hardwareVersion };
}
