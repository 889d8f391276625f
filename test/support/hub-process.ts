/**
 * A hub in a process of its own: to whoever opens its pseudo-terminal it is hardware. Its supply is switched by
 * signals (SIGHUP: off, SIGUSR2: on), and a file beside its rig file, `power`, says how it is.
 *
 *   node test/support/hub-process.ts RIG
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadRig } from '../../src/config/load.ts';
import { startVirtualRig } from '../../src/virtual/rig.ts';

const path = process.argv[2]!;
const { hubs, stop } = await startVirtualRig(loadRig(path), { fresh: true });
const [open] = [...hubs.values()];
const hub = open!.hub;

function told(): void {
  writeFileSync(join(dirname(path), 'power'), hub.isPowered ? 'on\n' : 'off\n');
}

process.on('SIGHUP', () => {
  hub.powerOff();
  told();
});
process.on('SIGUSR2', () => {
  hub.powerOn();
  told();
});
process.on('SIGTERM', () => void stop());
told();
console.log('ready');
