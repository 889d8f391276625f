/**
 * The coordinator over a real PostgreSQL: all that is asked of it over SQLite, and what only several
 * processes, or a server that goes away, can show.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { courseCases, submissionCases } from '../fleet/coordinator/campaign-cases.ts';
import {
  fleetTest,
  OPERATOR,
  open,
  refusesWith,
  startCampaign,
  TestClock,
  TestGateway,
} from '../fleet/coordinator/fleets.ts';
import { eventCases, gatewayCases } from '../fleet/coordinator/gateway-cases.ts';
import { rolloutCases, severalCases } from '../fleet/coordinator/rollout-cases.ts';
import { sizeCases } from '../fleet/coordinator/size-cases.ts';
import { missingPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testWhere } from './tools.ts';

const test = suite('coordinator over PostgreSQL');
const missing = missingPostgres();
let postgres: TestPostgres;
test.before(async () => {
  if (missing.length === 0) postgres = await startPostgres();
});
test.after(async () => postgres?.remove());
const makeDatabase = async () =>
  ({ kind: 'postgres', url: await postgres.makeDatabase() }) as const;

function cases(): void {
  const own = fleetTest(test, makeDatabase);
  gatewayCases(own);
  eventCases(own);
  submissionCases(own);
  courseCases(own);
  rolloutCases(own);
  severalCases(own);
  sizeCases(own);
}
if (missing.length === 0) cases();
else testWhere(test, missing, 'all that is asked of it over SQLite', cases);

const postgresTest = (name: string, body: () => Promise<void>) =>
  testWhere(test, missing, name, body);

postgresTest('processes that start together lay the tables out once', async () => {
  const database = await makeDatabase();
  const clock = new TestClock();
  const all = await Promise.all(Array.from({ length: 5 }, () => open(database, clock)));
  await all[0]!.addGateway('gw', OPERATOR);
  for (const one of all) assert.is((await one.gateway('gw'))?.state, 'expected');
  await Promise.all(all.map((one) => one.close()));
});

for (const way of ['stop', 'kill9'] as const) {
  postgresTest(`a server that goes (${way}) and comes back is found again`, async () => {
    const clock = new TestClock();
    const coordinator = await open(await makeDatabase(), clock);
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    const id = await startCampaign(coordinator);
    await gateway.tell({ device: gateway.devices[0]!, phase: 'distributing' });
    const told = gateway.batch({ device: gateway.devices[0]!, phase: 'done' });
    await postgres[way]();
    await refusesWith('database-away', coordinator.takeEvents(gateway.id, told));
    await refusesWith('database-away', coordinator.desired(gateway.id, undefined));
    await refusesWith('database-away', coordinator.addGateway('other', OPERATOR));
    await refusesWith('database-away', coordinator.keepHouse());
    await postgres.start();
    assert.equal((await coordinator.gateway(gateway.id))?.journal, gateway.mark);
    await coordinator.takeEvents(gateway.id, told);
    await coordinator.keepHouse();
    assert.is((await coordinator.campaign(id))?.state, 'finished');
    // It hears of changes again, too.
    const heard = new Promise<string>((done) => coordinator.onDesired(done));
    clock.pass(1_000);
    const more = await new TestGateway(coordinator, clock, 2, 1).enrol();
    for (let wait = 0; wait < 100; wait++) await coordinator.gateway(more.id);
    await startCampaignAgain(coordinator);
    assert.is(await heard, 'gateway-2');
    assert.is(await coordinator.checkAudit(), undefined);
    await coordinator.close();
  });
}

postgresTest('what the database cannot keep is no matter to others', async () => {
  const clock = new TestClock();
  const coordinator = await open(await makeDatabase(), clock);
  const gateways: TestGateway[] = [];
  for (let at = 1; at <= 5; at++)
    gateways.push(await new TestGateway(coordinator, clock, at, 1).enrol());
  await startCampaign(coordinator);
  const told = await Promise.allSettled(
    gateways.map((gateway, at) => {
      // No text of PostgreSQL has this character.
      const detail = at === 2 ? 'a \0' : 'a detail';
      const [device] = gateway.devices;
      return gateway.tell({ device: device!, phase: 'distributing', detail });
    }),
  );
  const expected = ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'];
  assert.equal(
    told.map(({ status }) => status),
    expected,
  );
  await coordinator.close();
});

postgresTest('a server that goes in the middle leaves nothing half done', async () => {
  const clock = new TestClock();
  const coordinator = await open(await makeDatabase(), clock);
  const gateways: TestGateway[] = [];
  for (let at = 1; at <= 20; at++) {
    gateways.push(await new TestGateway(coordinator, clock, at, 5).enrol());
  }
  const id = await startCampaign(coordinator);
  const batches = gateways.map((gateway) =>
    gateway.batch(...gateway.devices.map((device) => ({ device, phase: 'done' }) as const)),
  );
  const send = () =>
    Promise.allSettled(gateways.map(({ id }, at) => coordinator.takeEvents(id, batches[at]!)));
  const sent = send();
  // Some are through, some under way.
  await coordinator.gateway('gateway-1');
  await postgres.kill9();
  const before = await sent;
  assert.ok(before.some(({ status }) => status === 'rejected'));
  await postgres.start();
  // Devices and journal agree: all of a stretch, or nothing.
  for (const { id: gateway } of gateways) {
    const { journal } = (await coordinator.gateway(gateway))!;
    const { items } = await coordinator.campaignDevices(id, { limit: 9, gateway });
    const done = items.filter(({ state }) => state === 'succeeded').length;
    assert.is(done, journal ? 5 : 0);
  }
  for (const { status } of await send()) assert.is(status, 'fulfilled');
  await coordinator.keepHouse();
  const view = (await coordinator.campaign(id))!;
  assert.equal([view.state, view.rings[0]?.counts.succeeded], ['finished', 100]);
  await coordinator.close();
});

async function startCampaignAgain(coordinator: Awaited<ReturnType<typeof open>>): Promise<void> {
  await startCampaign(coordinator, { id: 'again', generation: 8, devices: ['0000000000020001'] });
}

test.run();
