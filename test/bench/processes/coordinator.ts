/** Virtual rigs in a process of their own, so that a bench measures the gateway alone. */
import { loadRig } from '../../../src/config/load.ts';
import { startVirtualRig } from '../../../src/virtual/rig.ts';

const rigs = process.argv.slice(2).map(loadRig);
const virtual = await Promise.all(rigs.map((rig) => startVirtualRig(rig, { fresh: true })));
const devices = virtual.flatMap((rig) => [...rig.devices.values()]);
const digests = () => devices.map((device) => device.flashedSha256);
const blocks = () => devices.reduce((sum, { client }) => sum + client.counters.blocksReceived, 0);
process.on('message', () => process.send!({ digests: digests(), blocks: blocks() }));
process.on('disconnect', () => process.exit(0));
process.send!('ready');
