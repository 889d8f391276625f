/**
 * Each peer freezes in each state and never answers again: every state ends by its deadline, and what is
 * not known is not made up.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { UpgradeState } from '../../src/jobs/states.ts';
import { checkJournal, GatewayWorld, HOUR_MS } from './gateway-world.ts';
import { checkRecords } from './records-check.ts';

const test = suite('frozen peers');

const DAY_MS = 24 * HOUR_MS;
const STATES = [
  'scheduled',
  'verifying',
  'staged',
  'distributing',
  'distributed',
  'activating',
  'confirming',
] as const satisfies readonly UpgradeState[];

const PEERS: Record<string, { device: string; freeze(world: GatewayWorld): void }> = {
  'a PPMID': {
    device: 'ppmid-1-1',
    freeze: ({ ppmids }) => ppmids.get('ppmid-1-1')!.powerOff(),
  },
  "a coordinator's process": {
    device: 'ppmid-1-1',
    freeze: ({ networks }) => {
      networks[0]!.isFrozen = true;
    },
  },
  'a hub': { device: 'hub-1', freeze: ({ hubs }) => hubs.get('hub-1')!.powerOff() },
  'a serial port': {
    device: 'hub-1',
    freeze: ({ ports }) => {
      ports.get('hub-1')!.isFrozen = true;
    },
  },
};

for (const [peer, { device, freeze }] of Object.entries(PEERS)) {
  for (const state of STATES) {
    test(`${peer} in ${state}`, async () => {
      const world = await GatewayWorld.begin();
      try {
        world.start();
        let isFrozen = false;
        world.gateway!.listen({
          record: (record) => {
            if (isFrozen || record['state'] !== state) return;
            isFrozen = true;
            freeze(world);
          },
          progress: () => {},
        });
        const request = world.request([device]);
        const { id } = world.ask((gateway) => gateway.jobs.create(request, 'api:a'))!;
        await world.clock.run(request.deadlineMs - world.nowMs + DAY_MS);
        assert.ok(isFrozen, `it was ${state}`);
        checkJournal(world);
        assert.equal(checkRecords(world.records()), []);
        const upgrade = world.gateway!.book.upgrade(id, device)!;
        const { runsNew } = world.truth.get(device)!;
        if (upgrade.state === 'done') assert.ok(runsNew, 'read back');
        const isSpent = upgrade.intents.has('activate');
        if (upgrade.state !== 'done' && isSpent && runsNew)
          assert.is(upgrade.state, 'unknown-outcome');
      } finally {
        world.remove();
      }
    });
  }
}

test.run();
