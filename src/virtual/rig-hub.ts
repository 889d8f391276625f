/** A virtual hub as a rig file describes it: model, firmware and faults as the hub's own settings. */
import { readFileSync } from 'node:fs';
import type { HubDevice } from '../config/schema.ts';
import { UpliftError } from '../errors.ts';
import { readHubImage } from '../image/hub-image.ts';
import type { HubEvent } from './communications-hub/board.ts';
import { type OpenHub, openVirtualHub } from './communications-hub/open-hub.ts';
import type { HubSettings } from './communications-hub/options.ts';
import type { Scheduler } from './scheduler.ts';

export interface RigHubOptions {
  scheduler: Scheduler;
  /** Where its flash is kept. */
  statePath: string;
  onEvent?: (event: HubEvent) => void;
}

/** Powered, and booting when this returns. The device has to have `virtual`. */
export function openRigHub(device: HubDevice, options: RigHubOptions): Promise<OpenHub> {
  return openVirtualHub({ ...hubSettingsOf(device), ...options, port: device.port });
}

export function hubSettingsOf(device: HubDevice): HubSettings {
  const { model, virtual, baudRate } = device;
  const { firmwarePath, seed, turnRoundMs, bootMs, smp, faults } = virtual!;
  return {
    protocol: model.serial.protocol,
    baudRate,
    turnRoundMs,
    bootMs,
    seed,
    flash: model.flash,
    firmware: firmwareOf(device, readFirmware(firmwarePath, device.id)),
    ...(smp && {
      smp: { ...smp, recovery: smp.startsInRecovery || model.smp?.recovery !== 'none' },
    }),
    faults,
  };
}

/** What lies on a hub when it is new: an image of the format that its model takes, and one that fits. */
function firmwareOf({ id, model, virtual }: HubDevice, file: Uint8Array): Uint8Array {
  const path = virtual!.firmwarePath;
  const image = readHubImage(file, model.imageProfile);
  const next = 'name another image under devices / virtual / firmware in the rig file';
  if (!image.ok) {
    throw new UpliftError(
      'VIRTUAL_FIRMWARE_UNREADABLE',
      `device ${id}: ${path} is no ${model.imageProfile} image: ${image.message}`,
      { next },
    );
  }
  const { slotBytes } = model.flash;
  if (image.sendBytes.length > slotBytes) {
    throw new UpliftError('VIRTUAL_FIRMWARE_TOO_LARGE', `device ${id}: ${path} does not fit it`, {
      expected: `at most the ${slotBytes} bytes of a slot of ${model.model}`,
      actual: `${image.sendBytes.length} bytes`,
      next,
    });
  }
  return image.sendBytes;
}

export function readFirmware(path: string, deviceId: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UpliftError(
      'VIRTUAL_FIRMWARE_MISSING',
      `device ${deviceId}: cannot read its firmware ${path}`,
      {
        actual: (error as Error).message,
        next: 'check the path under devices / virtual / firmware in the rig file',
        cause: error,
      },
    );
  }
}
