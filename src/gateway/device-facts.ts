/** What is known of a device before it is asked: what its model file says. */
import type { DeviceFacts } from '../admission/facts.ts';
import type { HubModel, PpmidModel, RigDevice } from '../config/schema.ts';

export function factsOfDevice(device: RigDevice): DeviceFacts {
  const facts = factsOfModel(device.model);
  return device.kind === 'ppmid' ? { ...facts, eui64: device.eui64 } : facts;
}

export function factsOfModel(model: PpmidModel | HubModel): DeviceFacts {
  const { deviceModel, imageProfile, flash } = model;
  const common = { deviceModel, imageProfile, slotBytes: flash.slotBytes };
  if (model.kind === 'communications-hub') return common;
  const { manufacturerCode, imageType, hardwareVersion } = model.zigbee;
  return { ...common, manufacturerCode, imageType, hardwareVersion };
}
