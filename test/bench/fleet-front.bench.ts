/**
 * The largest request that there is at a front: 50,000 devices of 500 gateways in one 11.1, from the job to one
 * signed campaign, and on until each is held and told of. The real gateway, field and journal on SQLite; a
 * coordinator in memory, which opens the campaign as the real one has to: its work is in the figures, too.
 *
 * States how long the devices of the fleet take to be known, how long until the campaign is with the
 * coordinator, until all is on record as held, and until a start has found all of it again; the longest time for
 * which nothing else had its turn; and what the process holds. The digest is of the campaign and of where
 * devices are.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetClient } from '../../src/fleet/front/client.ts';
import { FleetDevices } from '../../src/fleet/front/fleet-devices.ts';
import { FleetField, FRONT_GATEWAY_LIMITS } from '../../src/fleet/front/fleet-field.ts';
import { ModelShelf, newFleetRig } from '../../src/fleet/front/fleet-rig.ts';
import { nextTurn } from '../../src/fleet/front/teller.ts';
import type { Brief } from '../../src/gateway/field.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { ImageFile } from '../../src/gateway/image-library.ts';
import type { UpgradeState } from '../../src/jobs/states.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { frontRetryOf } from '../../src/service/choices.ts';
import { Journal } from '../../src/store/journal.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { ANN, BOB, signedBy } from '../campaign/campaigns.ts';
import { MemoryFleet } from '../fleet/front/memory-fleet.ts';
import { RULES } from '../fleet/front/rules.ts';
import { makeImage, makeModel, VERSION_NEW } from '../virtual/fixture.ts';
import { collector, FULL, mix, printDigest } from './bench.ts';

const DEVICES = FULL ? 50_000 : 600;
const GATEWAYS = FULL ? 500 : 6;
const IMAGE = makeImage(VERSION_NEW, FULL ? 500_000 : 5_000);
const IMAGE_SHA256 = sha256Hex(IMAGE);
const FILE = new ImageFile('bench.zigbee', { trust: undefined }, IMAGE).for('zigbee-ota');
const BRIEF: Brief = { image: FILE, list: undefined, policy: {}, context: undefined };
const MODEL = makeModel();
const HOLD_UP_MS_MAX = 250;
const MIB = 1024 * 1024;
const TIMERS = {
  nowMs: Date.now,
  after: (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
const euiOf = (n: number) => `000d6f00${n.toString(16).padStart(8, '0')}`;

interface Running {
  journal: Journal;
  field: FleetField;
  gateway: Gateway;
}

const collect = collector();
const folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-front-'));
const holdUps: number[] = [];
try {
  await measure();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const fleet = newFleet();
  console.log(`${DEVICES} devices of ${GATEWAYS} gateways`);
  collect();
  const before = process.memoryUsage().heapUsed;
  let running = open(fleet);
  await phase('known', () => until(() => running.gateway.devices.size === DEVICES));
  collect();
  const knownMiB = (process.memoryUsage().heapUsed - before) / MIB;
  const { gateway } = running;
  const job = await phase('on record', async () => gateway.jobs.create(request(), 'api:bench'));
  await phase('one campaign', () => until(() => fleet.last?.state === 'running'));
  const { devices } = fleet.last.manifest;
  const isOne = fleet.all.size === 1 && devices!.length === DEVICES;
  if (!isOne) throw new Error(`${fleet.all.size} campaigns, the last of ${devices!.length}`);
  await phase('staged', () => until(() => areAll(running, job.id, 'staged')));
  fleet.sayAll({ state: 'succeeded', phase: 'awaiting-activation' });
  await phase('held', () => until(() => areAll(running, job.id, 'awaiting-activation')));
  collect();
  const heldMiB = (process.memoryUsage().heapUsed - before) / MIB;
  await close(running);
  await phase('started again', async () => {
    running = open(fleet);
    await until(() => areAll(running, job.id, 'awaiting-activation'));
  });
  const digest = digestOf(running, fleet);
  await close(running);
  console.log(
    `  the fleet takes ${knownMiB.toFixed(0)} MiB of heap, with its job ${heldMiB.toFixed(0)} MiB; ` +
      // A start is over before anybody waits for a turn.
      `${Math.max(...holdUps.slice(0, -1)).toFixed(0)} ms the longest hold-up (target ${HOLD_UP_MS_MAX})`,
  );
  printDigest('fleet-front', digest);
}

async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(20);
  delay.reset();
  const startedMs = performance.now();
  const result = await work();
  const tookMs = performance.now() - startedMs;
  await sleep(5);
  delay.disable();
  const holdUpMs = delay.max / 1e6;
  holdUps.push(holdUpMs);
  const words = `${tookMs.toFixed(0).padStart(7)} ms, longest hold-up ${holdUpMs.toFixed(0)} ms`;
  console.log(`  ${name.padEnd(20)}${words}`);
  return result;
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await sleep(20);
}

function areAll({ gateway }: Running, job: string, state: UpgradeState): boolean {
  if (gateway.condition.error) throw gateway.condition.error;
  const { upgrades } = gateway.book.job(job)!;
  // From the last: they are told of in their order.
  return upgrades.findLast((upgrade) => upgrade.state !== state) === undefined;
}

function digestOf({ gateway }: Running, fleet: MemoryFleet): number {
  let digest = fleet.all.size;
  for (const device of fleet.last.manifest.devices!)
    digest = mix(digest, Number(`0x${device.slice(8)}`));
  for (const { upgrades } of gateway.book.jobs)
    for (const { state } of upgrades) digest = mix(digest, state.length);
  return digest;
}

// ---- what is around it --------------------------------------------------------------------------------

function request() {
  return {
    ...{ image: IMAGE_SHA256, activation: { when: 'held' as const }, priority: 4 },
    devices: Array.from({ length: DEVICES }, (_, n) => euiOf(n)),
    deadlineMs: Date.now() + 24 * 3_600_000,
  };
}

function newFleet(): MemoryFleet {
  const fleet = new MemoryFleet(Date.now);
  const { manufacturer, model, hardwareVersion, hardwareRevision } = MODEL.deviceModel;
  const hardware = { manufacturer, model, hardwareVersion, hardwareRevision };
  for (let gateway = 0; gateway < GATEWAYS; gateway++) {
    const devices = Array.from({ length: DEVICES / GATEWAYS }, (_, n) => ({
      ...{ device: euiOf(n * GATEWAYS + gateway), id: `ppmid-${n}`, kind: 'ppmid', ...hardware },
      ...{ firmwareVersion: '01000000', readMs: Date.now() },
    }));
    fleet.inventories.set(`gateway-${gateway}`, devices);
  }
  return fleet;
}

/** Answers come in turns of their own, as over a socket. */
function overASocket(fleet: MemoryFleet): FleetClient {
  const client: Record<string, unknown> = {};
  const names = ['gateways', 'gatewayDevices', 'hasBlob', 'putBlob', 'submit'] as const;
  for (const name of [
    ...names,
    'campaigns',
    'campaign',
    'manifest',
    'campaignDevices',
    'start',
  ] as const) {
    client[name] = async (...asked: unknown[]) => {
      await new Promise(setImmediate);
      const answer = await (fleet[name] as (...words: unknown[]) => Promise<unknown>)(...asked);
      await new Promise(setImmediate);
      return answer;
    };
  }
  return client as unknown as FleetClient;
}

function open(fleet: MemoryFleet): Running {
  const client = overASocket(fleet);
  const { journal } = Journal.open(join(folder, 'journal'), {}, Date.now());
  const rig = newFleetRig('bench', folder);
  const devices = new FleetDevices({
    ...{ path: join(folder, 'devices.jsonl'), rig, shelf: new ModelShelf([MODEL]) },
    ...{ isInstallation: false, nextTurn: () => nextTurn(TIMERS) },
  });
  const field = new FleetField({
    ...{ client, devices, timers: TIMERS, rules: RULES, onDevices() {}, log: { write() {} } },
    sign: async (manifest) => signedBy(manifest, ANN, BOB),
    // A small run asks more often, so that it is not one of waiting.
    ...(FULL ? {} : { limits: { quietMs: 200, pollMs: 50, idleMs: 200 } }),
  });
  const policy = frontRetryOf({ schedule: { retry: {} } } as never);
  const gateway = new Gateway({
    ...{ timers: TIMERS, journal, field, windows: {}, limits: FRONT_GATEWAY_LIMITS },
    scheduler: new Scheduler(new RetryDesk({ next: () => 0.5 }, Date.now(), policy)),
    brief: () => BRIEF,
    expectedMs: () => 60_000,
    hasImage: () => true,
  });
  gateway.start();
  return { journal, field, gateway };
}

async function close({ journal, field, gateway }: Running): Promise<void> {
  gateway.stop();
  await field.close();
  journal.close();
}
