/**
 * One coordinator in a process of its own, with its doors, over a fleet that was put straight into the
 * database: enrolling is not what is measured. It does at its desk, as if so many gateways asked at
 * once, what it is told to do, and says what that took.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeManifest, type Manifest } from '../../../src/campaign/manifest.ts';
import type { Coordinator } from '../../../src/fleet/coordinator/control.ts';
import { openCoordinator } from '../../../src/fleet/coordinator/coordinator.ts';
import {
  type DatabaseSpec,
  type FleetDatabase,
  openDatabase,
  rowsOf,
  sql,
} from '../../../src/fleet/coordinator/database.ts';
import { FleetDoors } from '../../../src/fleet/coordinator/doors.ts';
import type { JournalMark } from '../../../src/fleet/wire.ts';
import { hardwareKey } from '../../../src/products/device-model.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import {
  ANN,
  BOB,
  changed,
  HARDWARE,
  IMAGE,
  NOW,
  signedBy,
  TRUST,
} from '../../campaign/campaigns.ts';
import { serverIdentity } from '../../support/coordinator-double.ts';
import { collector, mix } from '../bench.ts';
import { type InHand, stretchOf } from './fleet-stretch.ts';

export interface FleetPlan {
  database: DatabaseSpec;
  gateways: number;
  devicesEach: number;
  /** How often each asks for what has not changed: of a few gateways once is too short to be measured. */
  asksUnchanged: number;
  /** Of the first gateways: those ask at the doors, and the others at the desk. */
  certificates: readonly string[];
}

/** What a piece of work took, and what came of it. */
export interface Took {
  wallMs: number;
  nodeMs: number;
  /** Of all processes of the server; none with SQLite. */
  postgresMs: number;
  /** How often it was done. */
  count: number;
  digest: number;
  /** Evaluations that were made meanwhile, ms each. */
  housesMs?: readonly number[];
}

export interface Opened {
  port: number;
  certificatePem: string;
}

export interface Held {
  residentBytes: number;
  heapBytes: number;
  databaseBytes: number;
  /** Events there are; unknown with SQLite, whose file is the coordinator's alone. */
  events: number | undefined;
}

/** `rest`: nothing, until it is told again; what that takes is what others made it do. */
export type FleetWork =
  | 'start'
  | 'changed'
  | 'unchanged'
  | 'tell'
  | 'grant'
  | 'tell-all'
  | 'counts'
  | 'held'
  | 'rest';

/** A campaign has no more devices: larger fleets have several, each in a region of its own. */
const CAMPAIGN_DEVICES = 50_000;
const AT_ONCE = 200;
/** As the service does. */
const HOUSE_PAUSE_MS = 2_000;
const CONTENT = new Uint8Array(10_000).fill(7);
const TEST_IMAGE = { ...IMAGE, sha256: sha256Hex(CONTENT), bytes: CONTENT.length };
/** Nobody has it. */
const TOKENS_FILE = `viewer nobody sha256:${'0'.repeat(64)}\n`;
/** Of Linux on every machine that this runs on. */
const TICK_MS = 10;

interface Simulated {
  id: string;
  version?: number;
  mark?: JournalMark;
  devices: readonly InHand[];
}

const plan = JSON.parse(process.argv[2]!) as FleetPlan;
const began = performance.now();
/** The coordinator's own: while they are held, campaigns are evaluated when they are told to be. */
let held: (() => void)[] | undefined;
const timers = {
  // Certificates of tests are good then.
  nowMs: () => NOW + Math.floor(performance.now() - began),
  after: (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
const log = { write: () => {} };
const regions = Math.max(1, Math.ceil((plan.gateways * plan.devicesEach) / CAMPAIGN_DEVICES));
const all = Array.from(
  { length: plan.gateways },
  (_, at): Simulated => ({ id: `gateway-${at}`, devices: [] }),
);
const atDesk = all.slice(plan.certificates.length);
const collect = collector();

const filling = await openDatabase(plan.database, { log, timers });
await filling.change(({ db }) => fill(db, filling.kind));
const server = await serverOf(filling);
await filling.close();
const coordinator = await openCoordinator({
  ...{ database: plan.database, fleet: 'north', log },
  clock: {
    ...timers,
    after: (delayMs: number, task: () => void) =>
      timers.after(delayMs, () => (held ? held.push(task) : task())),
  },
  trust: () => TRUST,
});
const folder = mkdtempSync(join(tmpdir(), 'uplift-load-'));
const identity = serverIdentity();
const doors = await openDoors(coordinator);
process.on('message', (work: FleetWork) => void answer(work));
process.on('disconnect', () => void stop());
const { port } = doors.gatewayAddress;
process.send!({ port, certificatePem: identity.certificatePem } satisfies Opened);
let resting: Reading | undefined;

async function answer(work: FleetWork): Promise<void> {
  if (work === 'held') return void process.send!(await whatIsHeld());
  if (work === 'rest') {
    const rested = resting && tookSince(resting, { count: 0, digest: 0 });
    resting = resting ? undefined : readUsage();
    return void process.send!(rested ?? {});
  }
  const before = readUsage();
  process.send!(tookSince(before, await WORK[work]()));
}

type Reading = ReturnType<typeof readUsage>;

function readUsage() {
  return { atMs: performance.now(), cpu: process.cpuUsage(), postgresMs: postgresCpuMs(server) };
}

function tookSince({ atMs, cpu, postgresMs }: Reading, done: Done): Took {
  const { user, system } = process.cpuUsage(cpu);
  return {
    wallMs: performance.now() - atMs,
    nodeMs: (user + system) / 1000,
    postgresMs: postgresCpuMs(server) - postgresMs,
    ...done,
  };
}

type Done = Pick<Took, 'count' | 'digest' | 'housesMs'>;

const WORK: Readonly<Record<Exclude<FleetWork, 'held' | 'rest'>, () => Promise<Done>>> = {
  /** The first ring is granted with it. */
  async start() {
    let [count, digest] = [0, 0];
    await coordinator.putBlob(TEST_IMAGE.sha256, CONTENT.length, piecesOf(CONTENT), 'api:ann');
    for (let region = 0; region < regions; region++) {
      const document = signedBy(encodeManifest(manifestOf(region)), ANN, BOB);
      const { id } = await coordinator.submit(document, 'api:ann');
      const { rings } = await coordinator.start(id, 'api:olive');
      for (const { size, counts } of rings) {
        count += size;
        digest = mix(mix(digest, size), counts.granted);
      }
    }
    return { count, digest };
  },
  async changed() {
    let digest = 0;
    await allOf(atDesk, async (gateway) => {
      const desired = await coordinator.desired(gateway.id, undefined);
      gateway.version = desired!.version;
      gateway.devices = desired!.campaigns.flatMap(({ digest: campaign, devices }) =>
        devices.map(({ device }): InHand => [campaign, device]),
      );
      digest += gateway.devices.length;
    });
    return { count: atDesk.length, digest };
  },
  async unchanged() {
    let changes = 0;
    const asking = Array.from({ length: plan.asksUnchanged }, () => atDesk).flat();
    await allOf(asking, async ({ id, version }) => {
      if ((await coordinator.desired(id, version)) !== undefined) changes++;
    });
    return { count: asking.length, digest: changes };
  },
  /** All that is in hand comes to its end; nothing is evaluated. */
  async tell() {
    held ??= [];
    const count = await tellAll();
    return { count, digest: count };
  },
  /** What was told of is evaluated, and the next ring granted with it. */
  async grant() {
    await coordinator.keepHouse();
    const due = held ?? [];
    held = undefined;
    for (const task of due) task();
    return { count: all.length * plan.devicesEach, digest: 0 };
  },
  /** The same as `tell`, while campaigns are evaluated. */
  async 'tell-all'() {
    const housesMs: number[] = [];
    const ended = new AbortController();
    const house = (async () => {
      while (!ended.signal.aborted) {
        const beganMs = performance.now();
        await coordinator.keepHouse();
        housesMs.push(performance.now() - beganMs);
        await sleep(HOUSE_PAUSE_MS, undefined, { signal: ended.signal }).catch(() => {});
      }
    })();
    const count = await tellAll();
    ended.abort();
    await house;
    return { count, digest: count, housesMs };
  },
  async counts() {
    await coordinator.keepHouse();
    let [count, digest] = [0, 0];
    for (const { state, rings } of (await coordinator.campaigns(undefined, 100)).items) {
      for (const { counts } of rings) {
        count += counts.succeeded;
        for (const devices of Object.values(counts)) digest = mix(digest, devices);
      }
      digest = mix(digest, state === 'finished' ? 1 : 0);
    }
    return { count, digest };
  },
};

/** @returns events */
async function tellAll(): Promise<number> {
  let count = 0;
  const telling = atDesk.filter(({ devices }) => devices.length > 0);
  await allOf(telling, async (gateway) => {
    const batch = stretchOf(gateway.id, gateway.mark, gateway.devices, timers.nowMs());
    const { journal } = await coordinator.takeEvents(gateway.id, batch);
    gateway.mark = journal!;
    gateway.devices = [];
    count += batch.events.length;
  });
  return count;
}

async function whatIsHeld(): Promise<Held> {
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  const own = { residentBytes: rss, heapBytes: heapUsed };
  if (plan.database.kind === 'sqlite') {
    const { path } = plan.database;
    const databaseBytes = bytesOf(path) + bytesOf(`${path}-wal`);
    return { ...own, databaseBytes, events: undefined };
  }
  const asking = await openDatabase(plan.database, { log, timers });
  const { rows } = await asking.ask((db) =>
    sql<{ databaseBytes: number; events: number }>`
      select pg_database_size(current_database()) as "databaseBytes",
        (select count(*) from events) as events`.execute(db),
  );
  await asking.close();
  return { ...own, ...rows[0]! };
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** So many under way at any time. */
async function allOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

function manifestOf(region: number): Manifest {
  const [target] = changed({}).targets;
  return changed({
    ...{ id: `region-${region}`, line: `region-${region}`, generation: 1 },
    regions: [`region-${region}`],
    images: [TEST_IMAGE],
    targets: [{ ...target!, image: TEST_IMAGE.sha256 }],
    rings: [
      { name: 'first', percent: 2, untilPercent: 90 },
      { name: 'all', all: true, untilPercent: 90 },
    ],
    pace: { first: 1000, growthPercent: 500, afterSucceeded: 1, most: CAMPAIGN_DEVICES },
    aborts: [{ failure: 'any', count: 1000 }],
    activation: { when: 'now' },
  });
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

// ---- the fleet --------------------------------------------------------------------------------------

async function fill(
  db: Parameters<Parameters<FleetDatabase['ask']>[0]>[0],
  kind: FleetDatabase['kind'],
) {
  const PIECE = 5_000;
  for (let from = 0; from < all.length; from += PIECE) {
    const part = all.slice(from, from + PIECE);
    const rows = part.map(({ id }, at) => {
      const region = Math.floor(((from + at) * regions) / all.length);
      return [id, `region-${region}`, plan.certificates[from + at] ?? null];
    });
    await sql`insert into gateways (id, state, region, certificate, epoch, devices, windows, seen_ms,
        enrolled_ms, desired_version, desired_ms)
      select value->>0, 'enrolled', value->>1, value->>2, 1, cast(${plan.devicesEach} as integer),
        '[]', cast(${NOW} as bigint), cast(${NOW} as bigint), 1, cast(${NOW} as bigint)
      from ${rowsOf(kind, rows)}`.execute(db);
    const devices = part.flatMap(({ id }, at) =>
      Array.from({ length: plan.devicesEach }, (_, own) => {
        const number = (from + at) * plan.devicesEach + own;
        const name = `000d6f${number.toString(16).padStart(10, '0')}`;
        return [id, name, `ppmid-${own}`];
      }),
    );
    const { manufacturer, model, hardwareVersion, hardwareRevision } = HARDWARE;
    await sql`insert into devices (gateway, device, id, kind, manufacturer, model, hardware_version,
        hardware_revision, hardware, firmware_version, read_ms)
      select value->>0, value->>1, value->>2, 'ppmid', cast(${manufacturer} as text),
        cast(${model} as text), cast(${hardwareVersion} as text), cast(${hardwareRevision} as text),
        cast(${hardwareKey(HARDWARE)} as text), '01000000', cast(${NOW} as bigint)
      from ${rowsOf(kind, devices)}`.execute(db);
  }
  // A fleet that grew by itself was looked at as it grew.
  await sql`analyze`.execute(db);
}

async function openDoors(desk: Coordinator): Promise<FleetDoors> {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const tls = {
    certificateFile: file('server.pem', identity.certificatePem),
    keyFile: file('server.key', identity.key),
  };
  const socket = { path: join(folder, 'fleet.sock'), mode: 0o600, role: 'admin' } as const;
  return FleetDoors.open({
    ...{ desk, timers, log, version: '0.0.0' },
    gateways: {
      ...{ listen: { host: '127.0.0.1', port: 0 }, tls },
      connectionsMax: 2 * plan.certificates.length + 1,
    },
    api: { socket: { ...socket, tokensFile: file('tokens', TOKENS_FILE) }, tcp: undefined },
  });
}

async function stop(): Promise<void> {
  await doors.close(0);
  await coordinator.close();
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

// ---- what the server uses ---------------------------------------------------------------------------

/** The process that has all others of the server. */
async function serverOf(database: FleetDatabase): Promise<number | undefined> {
  if (database.kind === 'sqlite') return undefined;
  const { rows } = await database.ask((db) =>
    sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db),
  );
  return Number(statOf(`${rows[0]!.pid}`)![1]);
}

/** Also of those that ended. */
function postgresCpuMs(pid: number | undefined): number {
  if (pid === undefined) return 0;
  let ticks = 0;
  for (const one of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(one);
    if (!stat || (one !== `${pid}` && stat[1] !== `${pid}`)) continue;
    const own = one === `${pid}` ? stat.slice(11, 15) : stat.slice(11, 13);
    for (const value of own) ticks += Number(value);
  }
  return ticks * TICK_MS;
}

/** Fields from the third on (proc(5)). */
function statOf(pid: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
