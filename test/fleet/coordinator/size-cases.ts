/** A fleet of the largest size that one campaign may have. */
import * as assert from 'uvu/assert';
import type { Manifest } from '../../../src/campaign/manifest.ts';
import {
  AUTHOR,
  deviceName,
  document,
  type FleetTest,
  hashOf,
  inventoryDevice,
  OPERATOR,
  uploadImage,
} from './fleets.ts';

const GATEWAYS = 10;
const DEVICES = 5000;
/** Takes 1 to 2 s on two busy cores. */
const START_MS_MAX = 15_000;

export function sizeCases(fleetTest: FleetTest): void {
  fleetTest('50,000 devices start', async ({ coordinator }) => {
    for (let at = 1; at <= GATEWAYS; at++) {
      const id = `gateway-${at}`;
      const { token } = await coordinator.addGateway(id, OPERATOR);
      await coordinator.enrol(token, id, '1', hashOf(id));
      const names = Array.from({ length: DEVICES }, (_, device) => deviceName(at, device));
      const devices = names.map((device) => inventoryDevice(device));
      await coordinator.takeInventory(id, { version: '1', windows: [], devices });
    }
    await uploadImage(coordinator);
    const changes: Partial<Manifest> = {
      rings: [
        { name: 'tenth', percent: 10, untilPercent: 90 },
        { name: 'all', all: true, untilPercent: 90 },
      ],
    };
    const { id } = await coordinator.submit(document(changes), AUTHOR);
    const beganMs = performance.now();
    const view = await coordinator.start(id, OPERATOR);
    const tookMs = performance.now() - beganMs;
    console.log(`NOTE 50,000 devices started in ${Math.round(tookMs)} ms`);
    assert.ok(tookMs < START_MS_MAX);
    const [tenth, rest] = view.rings.map(({ size }) => size) as [number, number];
    assert.is(tenth + rest, GATEWAYS * DEVICES);
    assert.ok(tenth > 4500 && tenth < 5500);
    for (let at = 1; at <= GATEWAYS; at++) {
      const desired = await coordinator.desired(`gateway-${at}`, undefined);
      assert.is(desired?.campaigns[0]?.devices.length, 10);
    }
  });
}
