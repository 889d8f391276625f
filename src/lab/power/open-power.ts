/** The supply and the buttons of a device as its rig file describes them. Nothing is switched by opening. */
import type { PowerConfig } from '../../config/schema.ts';
import type { Timers } from '../../ports.ts';
import type { Button, Power } from '../ports.ts';
import { powerFailure } from './codes.ts';
import { CommandSwitch } from './command-switch.ts';
import { GpioSwitch } from './gpio-switch.ts';
import { RestSwitch, ShellySwitch } from './http-switch.ts';
import { ModbusSwitch } from './modbus-switch.ts';
import { type Switch, SwitchedButton, SwitchedPower } from './switch.ts';
import { UsbHubSwitch } from './usb-hub-switch.ts';
import { type Supply, VirtualSwitch } from './virtual-switch.ts';

export interface PowerOptions {
  /** As messages name it. */
  device: string;
  /** Of a virtual device that runs in this program. */
  supply?: Supply | undefined;
  timers?: Timers;
}

/** @throws UpliftError where a virtual device does not run in this program */
export function openPower(config: PowerConfig, options: PowerOptions): Power {
  return new SwitchedPower(openSwitch(config, options));
}

/** @throws UpliftError where a virtual device does not run in this program */
export function openButton(config: PowerConfig, options: PowerOptions): Button {
  return new SwitchedButton(openSwitch(config, options), options.timers);
}

function openSwitch(config: PowerConfig, { device, supply }: PowerOptions): Switch {
  switch (config.driver) {
    case 'command':
      return new CommandSwitch(config);
    case 'gpio':
      return new GpioSwitch(config);
    case 'usb-hub':
      return new UsbHubSwitch(config);
    case 'modbus':
      return new ModbusSwitch(config);
    case 'shelly':
      return new ShellySwitch(config);
    case 'rest':
      return new RestSwitch(config);
    case 'virtual':
      if (supply) return new VirtualSwitch(device, supply);
      throw powerFailure(
        'power-virtual-elsewhere',
        `virtual supply of ${device}`,
        'no such device',
      );
  }
}
