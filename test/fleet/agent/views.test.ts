/** How a gateway shows its campaigns: in which a device is, and how it stands with its coordinator. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FleetStatus } from '../../../src/fleet/agent/agent.ts';
import { linkView } from '../../../src/fleet/agent/views.ts';
import { HOUR_MS } from '../../gateway/gateway-desk.ts';
import { euiOf, FollowerDesk } from './follower-desk.ts';

const test = suite('views of campaigns');
const [ONE, TWO] = [euiOf(1), euiOf(2)];
const RINGS = {
  rings: [
    { name: 'canary', members: [ONE], untilPercent: 100 },
    { name: 'rest', all: true as const, untilPercent: 100 },
  ],
};

test('a device is in the campaign that goes on, with its ring and state, until that ends', async () => {
  const desk = new FollowerDesk(3);
  const of = (n: number) => desk.follower.campaignOf(`ppmid-${n}`);
  assert.is(of(1), undefined);
  desk.desire(RINGS, 'own', 'run', 'stick');
  const about = { id: 'ppmid-2026-01', generation: 7 };
  assert.equal(of(1), { ...about, ring: 'canary', state: 'pending' });
  await desk.settle();
  assert.equal(of(1), { ...about, ring: 'canary', state: 'under-way' });
  assert.equal(of(2), { ...about, ring: 'rest', state: 'pending' });
  assert.is(desk.follower.campaignOf('nobody'), undefined);
  for (const n of [1, 2, 3]) {
    desk.run(n).end('done');
    await desk.settle();
  }
  assert.is(desk.follower.campaigns()[0]?.state, 'finished');
  assert.is(of(1), undefined);
});

test('one that the coordinator granted is shown as granted, others are in none', async () => {
  const desk = new FollowerDesk(2);
  desk.desk.field.listener.link('network:zigbee-1', false, 'not open yet');
  desk.desire(RINGS, { [TWO]: 1 });
  await desk.settle();
  assert.is(desk.follower.campaignOf('ppmid-2')?.state, 'granted');
  assert.is(desk.follower.campaignOf('ppmid-1'), undefined);
});

test('while what began goes on its device is in it, though the campaign has ended', async () => {
  const desk = new FollowerDesk(1);
  desk.desire({}, { [ONE]: 1 });
  await desk.settle();
  desk.run(1).say('staged', 'distributing');
  desk.desire({}, {}, 'abort');
  assert.is(desk.follower.campaigns()[0]?.state, 'aborted');
  assert.is(desk.follower.campaignOf('ppmid-1')?.state, 'under-way');
  desk.run(1).end('done');
  await desk.settle(HOUR_MS);
  assert.is(desk.follower.campaignOf('ppmid-1'), undefined);
});

test('a later generation is the one that a device is in; both say theirs', async () => {
  const desk = new FollowerDesk(1);
  desk.desire();
  await desk.settle();
  desk.run(1).end('failed', 'image-refused-by-device');
  await desk.settle();
  desk.desire({ id: 'ppmid-2026-02', generation: 8 });
  await desk.settle();
  assert.is(desk.follower.campaignOf('ppmid-1')?.generation, 8);
  const generations = desk.follower.campaigns().map(({ generation }) => generation);
  assert.equal(generations, [7, 8]);
});

test('of the coordinator: when it last answered, the gravest trouble, how much it does not have', () => {
  const status: FleetStatus = {
    ...{ connected: false, enrolled: true, lastContactMs: 4, eventsWaiting: 3 },
    conditions: [
      { about: 'coordinator', code: 'fleet-unreachable', detail: 'refused', sinceMs: 5 },
      { about: 'events', code: 'events-gap', detail: '', sinceMs: 1 },
    ],
    ...{
      blobs: { waiting: 0, conditions: [] },
      desiredVersion: 1,
      fetchedBytes: 0,
      storedBytes: 0,
    },
  };
  assert.equal(linkView(status), {
    ...{ connected: false, enrolled: true, lastContactMs: 4, eventsWaiting: 3 },
    trouble: { code: 'fleet-unreachable', sinceMs: 5 },
  });
  const quiet = linkView({ ...status, connected: true, conditions: [], lastContactMs: undefined });
  assert.equal(quiet, { connected: true, enrolled: true, eventsWaiting: 3 });
});

test.run();
