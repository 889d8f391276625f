/** Asks a device of a run what it runs, over a link that is opened for it and closed again. */
import type { HubDevice, PpmidDevice, Rig, RigDevice } from '../../config/schema.ts';
import { assert, EXIT, UpliftError } from '../../errors.ts';
import { type DevicePorts, linkTo } from '../../gateway/device-ports.ts';
import {
  type DeviceWords,
  probeHub,
  wordsOfFinding,
  wordsOfReading,
} from '../../gateway/device-words.ts';
import { StateFolder } from '../../gateway/state-folder.ts';
import { READ_TIMEOUT_MS } from '../../gateway/zigbee-device.ts';
import { notJoined, ZigbeeSite } from '../../gateway/zigbee-site.ts';
import { LinkDriver } from '../../transport/serial/driver.ts';
import { rigOfDevice } from './run-rig.ts';

/** @throws UpliftError where it does not say */
export function readDevice(device: RigDevice, rig: Rig, ports: DevicePorts): Promise<DeviceWords> {
  return device.kind === 'hub'
    ? readHub(device, ports)
    : readPpmid(device, rigOfDevice(rig, device), ports);
}

async function readHub(device: HubDevice, ports: DevicePorts): Promise<DeviceWords> {
  const link = linkTo(device, ports);
  try {
    const driver = new LinkDriver(link);
    await driver.open();
    return wordsOfFinding(await probeHub(driver, device));
  } finally {
    await link.close();
  }
}

async function readPpmid(device: PpmidDevice, rig: Rig, ports: DevicePorts): Promise<DeviceWords> {
  const coordinator = rig.coordinators.find(({ id }) => id === device.coordinator);
  assert(coordinator !== undefined, 'a device is behind a coordinator of its rig');
  const state = StateFolder.open(rig.stateFolder);
  const site = new ZigbeeSite(state, () => {}, ports);
  try {
    const link = await site.open(coordinator);
    const missing = await site.missing(coordinator, [device]);
    if (missing.length > 0) throw notJoined(device, coordinator);
    const { eui64, model } = device;
    const { endpoint } = model.zigbee;
    const reading = await link
      .call('read', { eui64, endpoint, timeoutMs: READ_TIMEOUT_MS })
      .catch((cause: Error) => {
        throw new UpliftError('device-silent', cause.message, { exit: EXIT.notReachable, cause });
      });
    return wordsOfReading(reading);
  } finally {
    await site.close();
    state.close();
  }
}
