/** How a campaign goes on: what is granted, to whom, and what ends it. */
import * as assert from 'uvu/assert';
import type { Manifest } from '../../../src/campaign/manifest.ts';
import type { Coordinator } from '../../../src/fleet/coordinator/control.ts';
import type { FleetEvent } from '../../../src/fleet/wire.ts';
import {
  type FleetTest,
  MINUTE_MS,
  OPERATOR,
  open,
  type Place,
  refusesWith,
  startCampaign,
  TestGateway,
} from './fleets.ts';

const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

/** So many at once, whatever comes of them. */
function atOnce(count: number): Partial<Manifest> {
  return { pace: { first: count, growthPercent: 100, afterSucceeded: 1, most: count } };
}

/** Gateways that enrolled, and a campaign that runs. */
async function running(
  { coordinator, clock }: Place,
  sizes: readonly number[],
  changes: Partial<Manifest>,
) {
  const gateways: TestGateway[] = [];
  for (const [at, devices] of sizes.entries()) {
    gateways.push(await new TestGateway(coordinator, clock, at + 1, devices).enrol());
  }
  const id = await startCampaign(coordinator, changes);
  const { digest } = (await coordinator.campaign(id))!;
  for (const gateway of gateways) gateway.campaign = digest;
  return { id, gateways };
}

async function countsOf(coordinator: Coordinator, id: string) {
  return (await coordinator.campaign(id))!.rings[0]!.counts;
}

const failed = (
  device: string,
  code = 'link-lost',
): Pick<FleetEvent, 'device' | 'phase'> & { code: string } => ({
  device,
  phase: 'failed',
  code,
});

export function rolloutCases(fleetTest: FleetTest): void {
  fleetTest('grants are spread over gateways, and no wider than the pace', async (place) => {
    const { coordinator } = place;
    const { id, gateways } = await running(place, [5, 5, 5], atOnce(3));
    for (const gateway of gateways) assert.is((await gateway.granted()).length, 1);
    const [first] = gateways;
    await first!.tell({ device: first!.devices[0]!, phase: 'done' });
    await coordinator.keepHouse();
    const { granted, pending } = await countsOf(coordinator, id);
    assert.equal([granted, pending], [3, 11]);
  });

  fleetTest('desired state that is known is not told again', async (place) => {
    const { coordinator } = place;
    const { gateways } = await running(place, [2], {});
    const [gateway] = gateways;
    const { version, campaigns } = (await coordinator.desired(gateway!.id, undefined))!;
    assert.is(campaigns[0]?.devices.length, 2);
    assert.is(await coordinator.desired(gateway!.id, version), undefined);
    const heard: string[] = [];
    const stop = coordinator.onDesired((id) => heard.push(id));
    await gateway!.tell({ device: gateway!.devices[0]!, phase: 'done' });
    const next = (await coordinator.desired(gateway!.id, version))!;
    assert.ok(next.version > version);
    assert.equal(next.journal, gateway!.mark);
    assert.equal(next.campaigns[0]?.devices, [{ device: gateway!.devices[1]!, attempt: 1 }]);
    stop();
  });

  fleetTest('an abort trips in the evaluation after the last failure', async (place) => {
    const { coordinator, clock } = place;
    const aborts = [{ failure: 'unreachable', count: 2 } as const];
    const { id, gateways } = await running(place, [4], { aborts });
    const [gateway] = gateways;
    const [a, b] = gateway!.devices;
    await gateway!.tell(failed(a!), { device: b!, phase: 'distributing' });
    await coordinator.keepHouse();
    assert.is((await coordinator.campaign(id))?.state, 'running');
    await gateway!.tell(failed(b!));
    // By itself, a moment after it was told.
    clock.pass(200);
    for (let turn = 0; turn < 200; turn++) await new Promise((done) => setImmediate(done));
    await coordinator.keepHouse();
    const view = (await coordinator.campaign(id))!;
    assert.equal(
      [view.state, view.detail],
      ['aborted', '2 of 2 failed as unreachable; the limit is 2 of all'],
    );
    assert.equal(await gateway!.granted(), []);
    assert.is(view.rings[0]?.counts.granted, 0);
    const { items } = await coordinator.audit(undefined, 100);
    assert.equal([items.at(-1)?.what, items.at(-1)?.by], ['campaign-aborted', 'coordinator']);
  });

  fleetTest('what is told of is evaluated by itself', async (place) => {
    const { coordinator, clock } = place;
    const { id, gateways } = await running(place, [1], {});
    await gateways[0]!.tell({ device: gateways[0]!.devices[0]!, phase: 'done' });
    clock.pass(200);
    for (let turn = 0; turn < 500; turn++) {
      if ((await coordinator.campaign(id))?.state === 'finished') return;
    }
    assert.unreachable('it was not evaluated');
  });

  fleetTest('a silent gateway holds nothing up', async (place) => {
    const { coordinator, clock } = place;
    const { id, gateways } = await running(place, [2, 2], atOnce(2));
    const [here, silent] = gateways;
    assert.equal((await silent!.granted()).length, 1);
    for (let minutes = 0; minutes < 45; minutes += 5) {
      clock.pass(5 * MINUTE_MS);
      await coordinator.desired(here!.id, undefined);
      await coordinator.keepHouse();
    }
    assert.equal(await here!.granted(), [...here!.devices]);
    assert.equal((await countsOf(coordinator, id)).granted, 2);
    // It was out of reach and carried out what it had been told: that counts.
    await silent!.tell({ device: silent!.devices[0]!, phase: 'distributing' });
    const { granted, 'under-way': underWay } = await countsOf(coordinator, id);
    assert.equal([granted, underWay], [2, 1]);
    await coordinator.keepHouse();
    assert.equal((await countsOf(coordinator, id)).granted, 2);
  });

  fleetTest('a gateway that is not there is granted nothing', async (place) => {
    const { coordinator, clock } = place;
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    clock.pass(11 * MINUTE_MS);
    const id = await startCampaign(coordinator);
    assert.is((await countsOf(coordinator, id)).pending, 1);
    await coordinator.desired(gateway.id, undefined);
    await coordinator.keepHouse();
    assert.equal(await gateway.granted(), [...gateway.devices]);
  });

  fleetTest('a gateway that refuses makes room for others', async (place) => {
    const { coordinator, clock } = place;
    const { id, gateways } = await running(place, [1, 1, 1], atOnce(2));
    const holders: TestGateway[] = [];
    for (const one of gateways) if ((await one.granted()).length > 0) holders.push(one);
    assert.is(holders.length, 2);
    const [refusing] = holders;
    const sequence = 1;
    const refused = { sequence, atMs: clock.nowMs(), campaign: refusing!.campaign };
    await coordinator.takeEvents(refusing!.id, {
      through: { sequence, hash: refusing!.certificate },
      events: [{ ...refused, refused: 'window-unknown', detail: 'night' }],
    });
    await coordinator.keepHouse();
    const view = (await coordinator.campaign(id))!;
    assert.equal(view.refusals, { 'window-unknown': 1 });
    assert.is(view.rings[0]?.counts.granted, 2);
    assert.equal(await refusing!.granted(), []);
  });

  fleetTest('one that is shut out gives back what it was granted', async (place) => {
    const { coordinator } = place;
    const { id, gateways } = await running(place, [1, 1], atOnce(1));
    const [first, second] = gateways;
    const held = (await first!.granted()).length > 0 ? first! : second!;
    const other = held === first ? second! : first!;
    await coordinator.revokeGateway(held.id, OPERATOR, 'stolen');
    await coordinator.keepHouse();
    assert.equal(await other.granted(), [...other.devices]);
    assert.is((await countsOf(coordinator, id)).granted, 1);
  });

  fleetTest('a device that was called off may be granted again', async (place) => {
    const { coordinator } = place;
    const { id, gateways } = await running(place, [1], {});
    const [gateway] = gateways;
    const [device] = gateway!.devices;
    await gateway!.tell({ device: device!, phase: 'scheduled' });
    assert.is((await countsOf(coordinator, id)).taken, 1);
    await coordinator.pause(id, OPERATOR, 'wait');
    await gateway!.tell({ device: device!, phase: 'cancelled', withdrawn: true });
    assert.is((await countsOf(coordinator, id)).pending, 1);
    await coordinator.resume(id, OPERATOR);
    assert.equal(await gateway!.granted(), [device]);
  });

  fleetTest(
    'what was told of a device is its story, until its campaign is long over',
    async (place) => {
      const { coordinator, clock } = place;
      const { id, gateways } = await running(place, [2, 2], {});
      const [gateway, other] = gateways;
      const [first, second] = gateway!.devices;
      await gateway!.tell(
        { device: first!, phase: 'distributing' },
        { device: second!, phase: 'done' },
      );
      await other!.tell(failed(other!.devices[0]!), { device: other!.devices[1]!, phase: 'done' });
      clock.pass(1);
      await gateway!.tell(failed(first!, 'block-refused'));
      const story = await coordinator.deviceEvents(id, first!, 100);
      assert.equal(
        story.map(({ phase, code, sequence }) => [phase, code, sequence]),
        [
          ['distributing', undefined, 1],
          ['failed', 'block-refused', 4],
        ],
      );
      assert.equal((await coordinator.deviceEvents(id, first!, 1)).length, 1);
      assert.equal(await coordinator.deviceEvents(id, 'ffffffffffffffff', 100), []);
      await refusesWith('campaign-unknown', coordinator.deviceEvents('none', first!, 100));
      await coordinator.abort(id, OPERATOR, 'enough');
      clock.pass(YEAR_MS);
      await coordinator.keepHouse();
      assert.is((await coordinator.deviceEvents(id, first!, 100)).length, 2, 'kept for 400 days');
      clock.pass(YEAR_MS);
      await coordinator.keepHouse();
      for (const { devices } of gateways)
        for (const device of devices)
          assert.equal(await coordinator.deviceEvents(id, device, 100), [], device);
      // How they stood in the end stays, and the journal goes on where it was.
      assert.is((await countsOf(coordinator, id)).failed, 2);
      await gateway!.tell({ device: second!, phase: 'done' });
    },
  );

  fleetTest(
    'devices that changed since a moment, and how many there are of what',
    async (place) => {
      const { coordinator, clock } = place;
      const { id, gateways } = await running(place, [2, 1], atOnce(2));
      await coordinator.addGateway('expected', OPERATOR);
      const [gateway] = gateways;
      clock.pass(MINUTE_MS);
      const sinceMs = clock.nowMs();
      await gateway!.tell({ device: gateway!.devices[0]!, phase: 'done' });
      const changedOnes = async (changedSinceMs: number) => {
        const { items } = await coordinator.campaignDevices(id, { changedSinceMs, limit: 10 });
        return items.map(({ device }) => device);
      };
      assert.equal(await changedOnes(sinceMs), [gateway!.devices[0]!]);
      assert.is((await changedOnes(sinceMs - MINUTE_MS)).length, 3);
      assert.equal(await changedOnes(sinceMs + 1), []);
      const census = await coordinator.census();
      assert.equal(census.gateways, { expected: 1, enrolled: 2, revoked: 0 });
      assert.equal([census.gatewaysSilent, census.gatewaysInTrouble], [0, 0]);
      assert.is(census.campaigns.running, 1);
      assert.is(census.devices.succeeded, 1);
      clock.pass(60 * MINUTE_MS);
      await gateway!.tell();
      await coordinator.revokeGateway(gateways[1]!.id, OPERATOR, 'stolen');
      const later = await coordinator.census();
      assert.equal(later.gateways, { expected: 1, enrolled: 1, revoked: 1 });
      assert.is(later.gatewaysSilent, 0);
      clock.pass(60 * MINUTE_MS);
      assert.is((await coordinator.census()).gatewaysSilent, 1);
      await coordinator.abort(id, OPERATOR, 'enough');
      const end = await coordinator.census();
      assert.equal(
        [end.campaigns.running, end.campaigns.aborted, end.devices.succeeded],
        [0, 1, 0],
      );
    },
  );
}

/** Where several processes may serve one fleet. */
export function severalCases(fleetTest: FleetTest): void {
  fleetTest('however many evaluate at once, the pace is kept', async (place) => {
    const { clock, database } = place;
    const { id, gateways } = await running(place, [4, 4, 4, 4], atOnce(3));
    const coordinators = [place.coordinator];
    for (let more = 0; more < 3; more++) coordinators.push(await open(database, clock));
    try {
      for (let round = 0; round < 5; round++) {
        for (const gateway of gateways) {
          const [device] = await gateway.granted();
          if (device !== undefined) await gateway.tell({ device, phase: 'done' });
        }
        await Promise.all(coordinators.map((one) => one.keepHouse()));
        const counts = await countsOf(place.coordinator, id);
        assert.ok(counts.granted <= 3, `${counts.granted} granted`);
      }
      assert.ok((await countsOf(place.coordinator, id)).succeeded >= 15);
    } finally {
      for (const one of coordinators.slice(1)) await one.close();
    }
  });

  fleetTest('of two processes with one token, one enrols a gateway', async (place) => {
    const { coordinator, clock, database } = place;
    const other = await open(database, clock);
    try {
      for (let round = 0; round < 10; round++) {
        const id = `gw-${round}`;
        const { token } = await coordinator.addGateway(id, OPERATOR);
        const tried = await Promise.allSettled([
          coordinator.enrol(token, id, '1', `a${round}`.padEnd(64, '0')),
          other.enrol(token, id, '1', `b${round}`.padEnd(64, '0')),
        ]);
        assert.is(tried.filter(({ status }) => status === 'fulfilled').length, 1);
      }
      assert.is(await coordinator.checkAudit(), undefined);
    } finally {
      await other.close();
    }
  });

  fleetTest('one process hears of what another changed', async (place) => {
    const other = await open(place.database, place.clock);
    try {
      const heard = new Set<string>();
      const all = new Promise<void>((done) => {
        other.onDesired((gateway) => {
          heard.add(gateway);
          if (heard.size === 2) done();
        });
      });
      await running(place, [1, 1], {});
      await all;
      assert.equal([...heard].sort(), ['gateway-1', 'gateway-2']);
    } finally {
      await other.close();
    }
  });
}
