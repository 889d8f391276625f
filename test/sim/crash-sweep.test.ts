/**
 * An upgrade of two devices, a PPMID and a hub, with the gateway's process ended at every single operation:
 * each journal write and each file it touches, each record of the state folder, each message to a link
 * or from one. Devices go on; another process starts over what is on disk. The promises hold at each.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  Field,
  FieldListener,
  FieldOwner,
  FieldRun,
  FieldTask,
} from '../../src/gateway/field.ts';
import type { DistributionRecords } from '../../src/gateway/ppmid-run.ts';
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
const HELD_EVERY = 3;
const SEED = 20_260_601;
/** Of the planted defects. */
const LATE_MS = 1_000;
const LATE_EVERY = 10;

interface Course {
  shape?: WorldShape;
  /** Of each process, the operation that it is ended at; the last goes on. */
  kills: readonly number[];
  /** The hub loses its power with the gateway. */
  cutsHub?: boolean;
  /** The image is held, and its activation is a command of its own. */
  isHeld?: boolean;
}

interface Outcome {
  operations: number;
  end: string;
  broken: string[];
}

const ALL_DONE = 'done + done';
/**
 * A hub lists an image that waits as one that it tried and gave up. Killed between the announcement and the
 * command, or cut off on trial, it is not given the command a second time: a person has to say so.
 */
const GIVEN_BACK = 'done + failed device-reverted';
const GIVEN_BACK_MAX = 4;

/** The whole upgrade; whoever asked for it asks again until it is told that the job was taken. */
async function upgrade({ shape = {}, kills, cutsHub, isHeld }: Course): Promise<Outcome> {
  const world = await GatewayWorld.begin(shape);
  try {
    const requests: JobRequest[] = [];
    for (let process = 0; ; process++) {
      const killAt = kills[process];
      world.start(killAt === undefined ? {} : { killAt });
      if (requests.length === 0)
        requests.push(
          ...DEVICES.map((device) =>
            world.request([device], {
              requestId: `once ${device}`,
              activation: { when: isHeld ? 'held' : 'now' },
            }),
          ),
        );
      for (const request of requests) world.ask((gateway) => gateway.jobs.create(request, 'api:a'));
      await toItsEnd(world);
      if (world.image.isAlive) break;
      world.kill();
      if (cutsHub) world.hubs.get('hub-1')!.powerOff();
      await world.clock.run(DOWN_MS);
      world.hubs.get('hub-1')!.powerOn();
    }
    const outcome = judge(world);
    if (outcome.end !== ALL_DONE) await carryThrough(world, outcome);
    return outcome;
  } finally {
    world.remove();
  }
}

/** Of the process or of the upgrade; whoever waits for a hold commands its activation. */
async function toItsEnd(world: GatewayWorld): Promise<void> {
  const held = () =>
    world.image.isAlive
      ? upgradesOf(world).filter(
          ({ state, activation }) => state === 'awaiting-activation' && activation.when === 'held',
        )
      : [];
  const isEnded = () => world.isOver || !world.image.isAlive;
  const isNext = () => isEnded() || held().length > 0;
  while (!isEnded()) {
    const isSo = await world.clock.until(isNext, MOST_MS);
    assert.ok(isSo, `ends; ${statesText(world)}`);
    for (const { job } of held())
      world.ask((gateway) => gateway.jobs.activate(job.id, undefined, { when: 'now' }, 'api:a'));
  }
}

function judge(world: GatewayWorld): Outcome {
  const broken = [...world.broken];
  checkJournal(world);
  const states: string[] = [];
  for (const upgrade of upgradesOf(world)) {
    const { state, code, device } = upgrade;
    const { activations, runsNew, blocks } = world.truth.get(device)!;
    states.push(code ? `${state} ${code}` : state);
    if (activations > 1) broken.push(`4: ${device} was activated ${activations} times`);
    if ((state === 'done') !== runsNew)
      broken.push(`6: ${device} is ${state}, runs new: ${runsNew}`);
    const again = [...blocks.values()].reduce((sum, times) => sum + times - 1, 0);
    if (again > world.kills) broken.push(`5: ${again} blocks were sent again to ${device}`);
  }
  return { operations: world.image.operations, end: states.join(' + '), broken };
}

/** What ended otherwise is done when somebody commands it anew. */
async function carryThrough(world: GatewayWorld, { broken, end }: Outcome): Promise<void> {
  world.image.killAt = Number.POSITIVE_INFINITY;
  for (const { job, state } of upgradesOf(world))
    if (state !== 'done') world.ask((gateway) => gateway.jobs.retry(job.id, undefined, 'api:b'));
  assert.ok(await world.clock.until(() => world.isOver, MOST_MS), statesText(world));
  checkJournal(world);
  for (const { device, state } of upgradesOf(world)) {
    const { activations, runsNew } = world.truth.get(device)!;
    if (state !== 'done' || !runsNew) broken.push(`after ${end} and a retry ${device} is ${state}`);
    if (activations > 2) broken.push(`4: two commands, ${device} activated ${activations} times`);
  }
}

function upgradesOf({ gateway }: GatewayWorld) {
  return [...gateway!.book.jobs].flatMap((job) => job.upgrades);
}

function statesText(world: GatewayWorld): string {
  if (!world.gateway) return 'no process';
  const states = upgradesOf(world).map(({ id, state, detail }) => `${id} ${state} ${detail}`);
  return states.join('; ');
}

async function sweep(points: Course[], what: string, givenBackMax = GIVEN_BACK_MAX) {
  const broken: string[] = [];
  const ends = new Map<string, number>();
  const startMs = performance.now();
  for (const course of points) {
    const outcome = await upgrade(course);
    const { end } = outcome;
    const where = `killed at ${course.kills.join(', ')}`;
    broken.push(...outcome.broken.map((promise) => `${where}: ${promise}`));
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (end !== ALL_DONE && end !== GIVEN_BACK) broken.push(`${where}: ended ${end}`);
  }
  const givenBack = ends.get(GIVEN_BACK) ?? 0;
  if (givenBack > givenBackMax) broken.push(`${givenBack} times ${GIVEN_BACK}`);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const ended = [...ends].map(([end, times]) => `${times} ${end}`).join(', ');
  console.log(`NOTE ${what}: ${points.length} points in ${seconds} s; ${ended}`);
  return broken;
}

const clean = await upgrade({ kills: [] });
const every = Array.from({ length: clean.operations }, (_, index) => index + 1);

test('a clean run keeps every promise', () => {
  assert.equal(clean.broken, []);
  assert.is(clean.end, ALL_DONE);
  assert.ok(clean.operations > 300, `${clean.operations} operations`);
});

test('killed at every operation', async () => {
  const points = every.map((killAt) => ({ kills: [killAt] }));
  assert.equal(await sweep(points, 'every operation'), []);
});

test('killed in a hold and in what is commanded after it', async () => {
  const { operations } = await upgrade({ kills: [], isHeld: true });
  const points = Array.from({ length: Math.floor(operations / HELD_EVERY) }, (_, index) => ({
    kills: [HELD_EVERY * (index + 1)],
    isHeld: true,
  }));
  assert.equal(await sweep(points, 'held'), []);
});

test('the hub loses its power with the gateway', async () => {
  const points = every
    .filter((killAt) => killAt % CUT_EVERY === 0)
    .map((killAt) => ({ kills: [killAt], cutsHub: true }));
  // A trial that loses its power goes back, as it has to.
  assert.equal(await sweep(points, 'power cuts', points.length / 4), []);
});

test('killed twice in one upgrade', async () => {
  const random = new SeededRandom(SEED);
  const draw = () => 1 + Math.floor(random.next() * clean.operations);
  const points = Array.from({ length: PAIRS }, () => ({ kills: [draw(), draw()] }));
  assert.equal(await sweep(points, `pairs of seed ${SEED}`), []);
});

test('planted: an intent that is recorded after its command is found', async () => {
  const shape = { wrapField: (field: Field, world: GatewayWorld) => new LateField(field, world) };
  const { broken } = await upgrade({ shape, kills: [] });
  assert.ok(broken.some((promise) => promise.startsWith('4:')));
});

test('planted: a distribution that is recorded long after its first byte is found', async () => {
  const wrapRecords = (records: DistributionRecords, world: GatewayWorld) => {
    const { timers } = world.image;
    return {
      distribution: records.distribution,
      forgetDistribution: records.forgetDistribution,
      rememberDistribution: (...about: Parameters<typeof records.rememberDistribution>) =>
        void timers.after(LATE_MS, () => records.rememberDistribution(...about)),
    };
  };
  const points = every
    .filter((killAt) => killAt % LATE_EVERY === 0)
    .map((killAt) => ({ shape: { wrapRecords }, kills: [killAt] }));
  const broken = await sweep(points, 'planted defect');
  assert.ok(broken.some((promise) => /: 5: \d+ blocks were sent again/.test(promise)));
});

/** Grants an intent before it is on record. */
class LateField implements Field {
  private readonly field: Field;
  private readonly world: GatewayWorld;

  constructor(field: Field, world: GatewayWorld) {
    this.field = field;
    this.world = world;
  }

  get devices() {
    return this.field.devices;
  }

  start(listener: FieldListener): void {
    this.field.start(listener);
  }

  run(task: FieldTask, owner: FieldOwner): FieldRun {
    const { timers } = this.world.image;
    return this.field.run(task, {
      event: (event) => {
        if (event.kind !== 'intent') return owner.event(event);
        timers.after(LATE_MS, () => owner.event(event));
        return true;
      },
      progress: (sample) => owner.progress(sample),
      ended: (end) => owner.ended(end),
    });
  }

  read(device: string) {
    return this.field.read(device);
  }

  close(): Promise<void> {
    return this.field.close();
  }
}

test.run();
