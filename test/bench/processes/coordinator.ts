/** A virtual rig in a process of its own, so that the bench measures the gateway alone. */
import { loadRig } from '../../../src/config/load.ts';
import { startVirtualRig } from '../../../src/virtual/rig.ts';

const virtual = await startVirtualRig(loadRig(process.argv[2]!), { fresh: true });
const digests = () => [...virtual.devices.values()].map((device) => device.flashedSha256);
const blocks = () =>
  [...virtual.devices.values()].reduce(
    (sum, { client }) => sum + client.counters.blocksReceived,
    0,
  );
process.on('message', () => process.send!({ digests: digests(), blocks: blocks() }));
process.on('disconnect', () => process.exit(0));
process.send!('ready');
