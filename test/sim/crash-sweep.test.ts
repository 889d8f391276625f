/**
 * An upgrade of two devices, a PPMID and a hub, with the gateway's process ended at every single operation:
 * each journal write and each file it touches, each record of the state folder, each message to a link
 * or from one. Devices go on; another process starts over what is on disk. The promises hold at each.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobRequest } from '../../src/jobs/records.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { checkJournal, GatewayWorld, HOUR_MS, type WorldShape } from './gateway-world.ts';

const test = suite('crash sweep');

const DEVICES = ['ppmid-1-1', 'hub-1'] as const;
/** A supervisor starts it again after so long. */
const DOWN_MS = 2_000;
const MOST_MS = 12 * HOUR_MS;
const PAIRS = 60;
const CUT_EVERY = 7;
const SEED = 20_260_601;

interface Course {
  shape?: WorldShape;
  /** Of each process, the operation that it is ended at; the last goes on. */
  kills: readonly number[];
  /** The hub loses its power with the gateway. */
  cutsHub?: boolean;
}

interface Outcome {
  operations: number;
  names: readonly string[];
  states: Record<string, string>;
  broken: string[];
}

/** The whole upgrade; whoever asked for it asks again until it is told that the job was taken. */
async function upgrade({ shape = {}, kills, cutsHub = false }: Course): Promise<Outcome> {
  const world = await GatewayWorld.begin(shape);
  try {
    const requests: JobRequest[] = [];
    for (let process = 0; ; process++) {
      const killAt = kills[process];
      world.start(killAt === undefined ? {} : { killAt });
      if (requests.length === 0)
        requests.push(
          ...DEVICES.map((device) => world.request([device], { requestId: `once ${device}` })),
        );
      for (const request of requests) world.ask((gateway) => gateway.createJob(request, 'api:a'));
      const isEnded = () => world.isOver || !world.image.isAlive;
      assert.ok(await world.clock.until(isEnded, MOST_MS), `ends; ${statesText(world)}`);
      if (world.image.isAlive) break;
      world.kill();
      if (cutsHub) world.hubs.get('hub-1')!.powerOff();
      await world.clock.run(DOWN_MS);
      world.hubs.get('hub-1')!.powerOn();
    }
    return judge(world);
  } finally {
    world.remove();
  }
}

function judge(world: GatewayWorld): Outcome {
  const broken = [...world.broken];
  checkJournal(world);
  const states: Record<string, string> = {};
  for (const { id, activations, runsNew, blocks } of world.truth.values()) {
    const [job] = [...world.gateway!.book.jobs].filter(({ request }) =>
      request.devices.includes(id),
    );
    const { state, code } = job!.upgrades[0]!;
    states[id] = code ? `${state} ${code}` : state;
    if (activations > 1) broken.push(`4: ${id} was activated ${activations} times`);
    if ((state === 'done') !== runsNew) broken.push(`6: ${id} is ${state}, runs new: ${runsNew}`);
    const again = [...blocks.values()].reduce((sum, times) => sum + times - 1, 0);
    if (again > world.kills) broken.push(`5: ${again} blocks were sent again to ${id}`);
  }
  const { operations, done } = world.image;
  return { operations, names: done, states, broken };
}

function statesText({ gateway }: GatewayWorld): string {
  if (!gateway) return 'no process';
  const upgrades = [...gateway!.book.jobs].flatMap((job) => job.upgrades);
  return upgrades.map(({ id, state, detail }) => `${id} ${state} ${detail}`).join('; ');
}

async function sweep(points: Course[], what: string): Promise<string[]> {
  const broken: string[] = [];
  const ends = new Map<string, number>();
  const startMs = performance.now();
  for (const course of points) {
    const outcome = await upgrade(course);
    const where = `killed at ${course.kills.join(', ')}`;
    broken.push(...outcome.broken.map((promise) => `${where}: ${promise}`));
    const end = Object.values(outcome.states).join(' + ');
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (end !== 'done + done') broken.push(`${where}: ended ${end}`);
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const ended = [...ends].map(([end, times]) => `${times} ${end}`).join(', ');
  console.log(`NOTE ${what}: ${points.length} points in ${seconds} s; ${ended}`);
  return broken;
}

const clean = await upgrade({ kills: [] });
const every = Array.from({ length: clean.operations }, (_, index) => index + 1);

test('a clean run keeps every promise', () => {
  assert.equal(clean.broken, []);
  assert.equal(clean.states, { 'ppmid-1-1': 'done', 'hub-1': 'done' });
  assert.ok(clean.operations > 300, `${clean.operations} operations`);
});

test('killed at every operation', async () => {
  const points = every.map((killAt) => ({ kills: [killAt] }));
  assert.equal(await sweep(points, 'every operation'), []);
});

test('the hub loses its power with the gateway', async () => {
  const points = every
    .filter((killAt) => killAt % CUT_EVERY === 0)
    .map((killAt) => ({ kills: [killAt], cutsHub: true }));
  assert.equal(await sweep(points, 'power cuts'), []);
});

test('killed twice in one upgrade', async () => {
  const random = new SeededRandom(SEED);
  const draw = () => 1 + Math.floor(random.next() * clean.operations);
  const points = Array.from({ length: PAIRS }, () => ({ kills: [draw(), draw()] }));
  assert.equal(await sweep(points, `pairs of seed ${SEED}`), []);
});

test.run();
