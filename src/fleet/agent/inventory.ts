/** The devices of a gateway, as campaigns and coordinators call them. */
import type { Rig, RigDevice } from '../../config/schema.ts';
import { factsOfDevice } from '../../gateway/device-facts.ts';
import { waiverName } from '../../trust/downgrade-waiver.ts';
import type { Inventory } from '../wire.ts';
import type { DeviceReadings, FollowedDevice } from './device-readings.ts';

/** What has neither an EUI-64 nor a serial number cannot be named, and is no part of any campaign. */
export function followedDevices(rigs: readonly Rig[]): FollowedDevice[] {
  return rigs.flatMap((rig) => rig.devices.flatMap((device) => followed(device) ?? []));
}

function followed(device: RigDevice): FollowedDevice | undefined {
  const facts = factsOfDevice(device);
  const name = waiverName(facts);
  const { manufacturer, model, hardwareVersion, hardwareRevision } = facts.deviceModel ?? {};
  if (name === undefined || facts.kind === undefined) return undefined;
  const hardware = {
    manufacturer: manufacturer ?? '',
    model: model ?? '',
    hardwareVersion: hardwareVersion ?? '',
    hardwareRevision: hardwareRevision ?? '',
  };
  return { id: device.id, name, kind: facts.kind, hardware };
}

export function inventoryOf(
  about: Pick<Inventory, 'version' | 'region' | 'windows'>,
  devices: readonly FollowedDevice[],
  readings: Pick<DeviceReadings, 'last'>,
): Inventory {
  return {
    ...about,
    devices: devices.map(({ id, name: device, kind, hardware }) => {
      const { words: [firmwareVersion] = [], atMs: readMs } = readings.last(device) ?? {
        words: [],
      };
      const said = firmwareVersion === undefined ? {} : { firmwareVersion, readMs };
      return { device, id, kind, ...hardware, ...said };
    }),
  };
}
