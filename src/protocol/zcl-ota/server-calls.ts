/** What is done to an OTA server, by the names of its calls: for whoever looks on. */
import type { MachineCalls } from '../machine.ts';

export const OTA_SERVER_CALLS: MachineCalls = {
  inputs: [
    'handleFrame',
    'handleTimeout',
    'addDevice',
    'assign',
    'release',
    'authorise',
    'withhold',
    'setResumable',
    'setPace',
    'park',
    'unpark',
    'abort',
    'notify',
    'activate',
  ],
  outputs: ['pollTransmit', 'pollEvent'],
};
