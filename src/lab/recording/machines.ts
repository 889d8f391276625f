/** The machines that a recording can hold: how each is made of its settings, and what may be done to it. */
import type { MachineCalls } from '../../protocol/machine.ts';
import { XmodemSender } from '../../protocol/xmodem/sender.ts';
import { ZclOtaServer } from '../../protocol/zcl-ota/server.ts';
import { OTA_SERVER_CALLS } from '../../protocol/zcl-ota/server-calls.ts';
import { BootloaderSession } from '../../upgrade/bootloader-session.ts';
import { SmpSession } from '../../upgrade/smp-session.ts';
import type { LinkKind } from './format.ts';

/** Beside its calls: the results of its outputs are what a replay is held against. */
export interface MachineType extends MachineCalls {
  /** What its link carries. */
  linkKind: LinkKind;
  /** Of settings that a recording states: they may be anything. */
  make(settings: never): object;
}

const POLLS = ['pollTransmit', 'pollEvent'];
const BYTES = ['handleBytes', 'handleTimeout'];
const HUB_INPUTS = [...BYTES, 'start', 'handle', 'cancel', 'stop', 'activate', 'pollUnread'];
const HUB_OUTPUTS = [...POLLS, 'pollCommand'];

export const MACHINES = {
  'smp-session': {
    linkKind: 'smp',
    inputs: HUB_INPUTS,
    outputs: HUB_OUTPUTS,
    make: (settings) => new SmpSession(settings),
  },
  'bootloader-session': {
    linkKind: 'bootloader',
    inputs: HUB_INPUTS,
    outputs: HUB_OUTPUTS,
    make: (settings) => new BootloaderSession(settings),
  },
  'xmodem-sender': {
    linkKind: 'xmodem',
    inputs: [...BYTES, 'start', 'cancel', 'pollUnread'],
    outputs: POLLS,
    make: (settings) => new XmodemSender(settings),
  },
  'zcl-ota-server': {
    linkKind: 'ota-server',
    ...OTA_SERVER_CALLS,
    make: () => new ZclOtaServer(),
  },
} satisfies Record<string, MachineType>;

export type MachineKind = keyof typeof MACHINES;

export function isMachineKind(kind: string): kind is MachineKind {
  return Object.hasOwn(MACHINES, kind);
}
