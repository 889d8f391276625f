/**
 * The pace in a whole gateway: what its coordinator's process measures decides how many PPMIDs download
 * at once and how far apart their blocks are. The air carries one frame at a time, and meters are read
 * over it as well.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Field } from '../../src/gateway/field.ts';
import { PACE_DEFAULTS } from '../../src/schedule/pace.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { GatewayWorld, HOUR_MS, type WorldShape } from './gateway-world.ts';

const test = suite('pace of a gateway');

const DEVICES = 20;
const SHAPE: WorldShape = {
  ...{ ppmids: DEVICES, hubs: 0, ppmidImageBytes: 20_000 },
  // As patient as devices in the field: an answer that is held back is not asked for again.
  otaClient: { answerTimeoutMs: 3_000, retryPauseMs: 2_000 },
};
/** A device alone leaves five sixths of the air idle. */
const AIRTIME_MS = 8;
const LATENCY_MS = 40;
const READ_EVERY_MS = 2_000;

interface Course {
  tookMs: number;
  /** What each meter read took, and when it was asked. */
  reads: { atMs: number; tookMs: number }[];
  /** How many devices might have their turn, as it was said. */
  concurrency: { atMs: number; devices: number }[];
  blockPeriods: readonly number[];
  world: GatewayWorld;
}

/** All PPMIDs upgraded; `disturb` sees the time since the beginning, in seconds. */
async function upgradeAll(
  change: Partial<WorldShape>,
  disturb: (world: GatewayWorld, second: number) => void = () => {},
): Promise<Course> {
  const concurrency: Course['concurrency'] = [];
  const world = await GatewayWorld.begin({
    ...SHAPE,
    ...change,
    wrapField: (field, { clock }) =>
      watched(field, (devices) => concurrency.push({ atMs: clock.nowMs() - startMs, devices })),
  });
  const network = world.networks[0]!;
  network.airtimeMs = AIRTIME_MS;
  network.airMs = LATENCY_MS;
  const startMs = world.nowMs;
  const reads: Course['reads'] = [];
  let isOver = false;
  const read = () => {
    if (isOver) return;
    const atMs = world.nowMs - startMs;
    network.exchange(() => reads.push({ atMs, tookMs: world.nowMs - startMs - atMs }));
    disturb(world, atMs / 1_000);
    world.clock.after(READ_EVERY_MS, read);
  };
  world.start();
  await world.clock.run(1_000);
  world.ask((gateway) => gateway.jobs.create(world.request([...world.ppmids.keys()]), 'api:test'));
  read();
  assert.ok(await world.clock.until(() => world.isOver, HOUR_MS), 'over within an hour');
  isOver = true;
  const tookMs = world.nowMs - startMs;
  for (const { id, runsNew } of world.truth.values())
    assert.ok(runsNew, `${id} runs the new image`);
  assert.equal(world.broken, []);
  const { blockPeriods } = network;
  world.remove();
  return { tookMs, reads, concurrency, blockPeriods, world };
}

function watched(field: Field, onPace: (devices: number) => void): Field {
  return {
    devices: field.devices,
    start: (listener) =>
      field.start({
        link: (link, up, detail) => listener.link(link, up, detail),
        pace: (link, devices) => {
          onPace(devices);
          listener.pace(link, devices);
        },
        devices: (changed) => listener.devices(changed),
        together: (work) => listener.together(work),
      }),
    run: (task, owner) => field.run(task, owner),
    read: (device) => field.read(device),
    close: () => field.close(),
  };
}

function allAtOnce(): Partial<WorldShape> {
  const scheduler = new Scheduler(new RetryDesk({ next: () => 0.5 }, 0));
  scheduler.setPace('network:zigbee-1', DEVICES);
  return { gateway: { scheduler } };
}

function mean(reads: Course['reads']): number {
  return reads.reduce((sum, { tookMs }) => sum + tookMs, 0) / reads.length;
}

function note(name: string, { tookMs, reads, concurrency }: Course): void {
  const most = Math.max(1, ...concurrency.map(({ devices }) => devices));
  const text = `${(tookMs / 1000).toFixed(0)} s, reads answered in ${mean(reads).toFixed(0)} ms on average`;
  console.log(`NOTE ${name}: ${text}, up to ${most} at once`);
}

test('twenty devices are done sooner together, and meter reads are answered in time', async () => {
  const inTurn = await upgradeAll({});
  const together = await upgradeAll(allAtOnce());
  const paced = await upgradeAll({ pace: {} });
  note('in turn', inTurn);
  note('all at once', together);
  note('paced', paced);
  assert.is(inTurn.concurrency.length, 0, 'nothing measures it');
  assert.ok(paced.tookMs < inTurn.tookMs / 2, `${paced.tookMs} ms, in turn ${inTurn.tookMs} ms`);
  assert.ok(mean(paced.reads) <= PACE_DEFAULTS.answerMsMax, `${mean(paced.reads)} ms`);
  // What the pace is for.
  assert.ok(mean(together.reads) > mean(paced.reads));
});

test('where reads wait too long fewer may begin, and blocks are further apart', async () => {
  const [fromS, untilS] = [100, 260];
  const disturb = ({ networks }: GatewayWorld, second: number) => {
    networks[0]!.airtimeMs = second >= fromS && second < untilS ? 4 * AIRTIME_MS : AIRTIME_MS;
  };
  const paced = await upgradeAll({ pace: {} }, disturb);
  const together = await upgradeAll(allAtOnce(), disturb);
  note('paced, with interference', paced);
  const settled = ({ reads }: Course) =>
    mean(reads.filter(({ atMs }) => atMs > (fromS + 80) * 1_000 && atMs < untilS * 1_000));
  const most = Math.max(...paced.concurrency.map(({ devices }) => devices));
  const after = paced.concurrency.findLast(({ atMs }) => atMs <= untilS * 1_000)!.devices;
  assert.ok(most > 3 && after <= (2 / 3) * most, `${most} before, ${after} after`);
  assert.ok(Math.max(...paced.blockPeriods) > 0);
  assert.ok(settled(paced) <= PACE_DEFAULTS.answerMsMax, `${settled(paced)} ms`);
  assert.ok(settled(together) > PACE_DEFAULTS.answerMsMax, 'without a pace they wait too long');
});

test.run();
