/**
 * A fleet at its coordinator: one process over one database, gateways of 5 devices that all ask what they
 * should be doing, and tell of 4 steps of each device's upgrade, durably and counted once, in one stretch
 * each; campaigns in two rings are evaluated meanwhile.
 *
 * First at the coordinator's desk, from 1,000 gateways to 50,000 of them: what each gateway, event and
 * device costs has to stay about the same. Then some of the gateways at its doors, over connections of
 * their own: the difference is TLS and HTTP. Time of the processors, Node's with that of the gateways
 * that it simulates, and PostgreSQL's with all its processes.
 *
 * Every device has to come to its end, and every event to be there once. The digest is of rings and ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSpec } from '../../src/fleet/coordinator/database.ts';
import { newClient } from '../fleet/doors/opened.ts';
import { missingPostgres, startPostgres } from '../support/postgres.ts';
import { FULL, mix, printDigest } from './bench.ts';
import { Asking, FleetProcess } from './processes/fleet-clients.ts';
import type { Held, Took } from './processes/fleet-coordinator.ts';

const DEVICES_EACH = 5;
const EVENTS_A_DEVICE = 4;
const GATEWAYS = FULL ? [1_000, 10_000, 50_000] : [20, 100];
const SQLITE_GATEWAYS = FULL ? [1_000, 10_000] : [20];
const AT_DOORS = FULL ? 1_000 : 10;
const AT_ONCE = FULL ? 200 : 10;
const ASKED_AGAIN = 10;
/** At the desk, by all together at the least. */
const UNCHANGED_MIN = FULL ? 50_000 : 100;
/** Of what one costs among 1,000 gateways, among 50,000. */
const GROWTH_MAX = 2;
const MIB = 1024 * 1024;

type Costs = Record<'changed' | 'unchanged' | 'event' | 'grant', number>;

const folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-load-'));
/** By gateways: over both databases the same comes about. */
const digests = new Map<number, number>();
let digest = 0;
try {
  if (missingPostgres().length === 0) await overPostgres();
  else if (process.env['CI'] === 'true') throw new Error('there is no PostgreSQL');
  else console.log('SKIP PostgreSQL is not here');
  const costs: Costs[] = [];
  for (const gateways of SQLITE_GATEWAYS) {
    const path = join(folder, `${gateways}`, 'fleet.db');
    costs.push(await measure({ kind: 'sqlite', path }, gateways));
  }
  judge(costs);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
printDigest('fleet-load', digest);

async function overPostgres(): Promise<void> {
  const postgres = await startPostgres();
  const database = async () => ({ kind: 'postgres', url: await postgres.makeDatabase() }) as const;
  try {
    const costs: Costs[] = [];
    for (const gateways of GATEWAYS) costs.push(await measure(await database(), gateways));
    judge(costs);
    await atDoors(await database(), GATEWAYS[1]!);
  } finally {
    await postgres.remove();
  }
}

/** At the desk. @returns ms of processors for one of each */
async function measure(database: DatabaseSpec, gateways: number): Promise<Costs> {
  console.log(`${database.kind}, ${gateways} gateways of ${DEVICES_EACH} devices`);
  const child = await FleetProcess.start({
    ...{ database, gateways, devicesEach: DEVICES_EACH, certificates: [] },
    asksUnchanged: Math.ceil(UNCHANGED_MIN / gateways),
  });
  try {
    const devices = gateways * DEVICES_EACH;
    const started = await child.row('campaigns started, 1st ring granted', 'start', 'device');
    mustBe('devices started', started.count, devices);
    await child.row('desired states, as they changed', 'changed', 'gateway');
    const first = await child.row('events of the 1st ring', 'tell', 'event');
    const grant = await child.row('evaluated, ring of all granted', 'grant', 'device');
    const changed = await child.row('desired states, as they changed', 'changed', 'gateway');
    const unchanged = await child.row('desired states, unchanged', 'unchanged', 'gateway');
    mustBe('states that changed unasked', unchanged.digest, 0);
    const rest = await child.row('events of all others', 'tell-all', 'event');
    const { count, digest: ends } = await child.do('counts');
    mustBe('devices at their end', count, devices);
    mustBe('events told', first.count + rest.count, devices * EVENTS_A_DEVICE);
    const held = await child.do('held');
    if (held.events !== undefined) mustBe('events kept', held.events, devices * EVENTS_A_DEVICE);
    printHeld(rest, held);
    const own = [started.digest, changed.digest, ends].reduce(mix);
    mustBe('digest over the other database', own, digests.get(gateways) ?? own);
    digests.set(gateways, own);
    digest = mix(digest, own);
    const costs = { changed, unchanged, event: rest, grant };
    const costOf = ({ nodeMs, postgresMs, count }: Took) => (nodeMs + postgresMs) / count;
    return Object.fromEntries(
      Object.entries(costs).map(([name, took]) => [name, costOf(took)]),
    ) as Costs;
  } finally {
    await child.stop();
  }
}

function printHeld({ housesMs = [] }: Took, held: Held): void {
  const houses = [...housesMs].sort((a, b) => a - b);
  const median = houses[Math.floor(houses.length / 2)]!;
  const longest = houses.at(-1)!;
  const events = `${houses.length} evaluations meanwhile: median ${median.toFixed(0)} ms`;
  const { residentBytes, heapBytes, databaseBytes } = held;
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;
  console.log(`  ${events}, longest ${longest.toFixed(0)} ms`);
  console.log(
    `  afterwards: resident ${mib(residentBytes)}, heap ${mib(heapBytes)}, ` +
      `database ${mib(databaseBytes)}`,
  );
}

/** That what one costs grows little with how many there are. */
function judge(costs: readonly Costs[]): void {
  const [least, most] = [costs[0]!, costs.at(-1)!];
  const ratios = (Object.keys(least) as (keyof Costs)[]).map((name) => {
    const ratio = most[name] / least[name];
    // Small fleets are noise.
    if (FULL && ratio > GROWTH_MAX) throw new Error(`${name} costs ${ratio} times as much`);
    return `${name} ${ratio.toFixed(2)}`;
  });
  console.log(`  one costs, of what it did in the smallest fleet: ${ratios.join(', ')}`);
}

/** Those that ask over TLS are done with both rings; the others do the same at the desk. */
async function atDoors(database: DatabaseSpec, gateways: number): Promise<void> {
  const clients = Array.from({ length: AT_DOORS }, (_, at) => newClient(`gateway-${at}`));
  console.log(`the same, ${AT_DOORS} of them at the doors: TLS with both certificates, HTTP`);
  const child = await FleetProcess.start({
    ...{ database, gateways, devicesEach: DEVICES_EACH, asksUnchanged: 1 },
    certificates: clients.map(({ certificate }) => certificate),
  });
  const asking = clients.map((client, at) => new Asking(client, `gateway-${at}`, child.opened));
  try {
    await child.do('start');
    await child.do('changed');
    await child.door('connected, and asked first', asking, AT_ONCE, (one) => one.changed());
    await child.do('tell');
    await child.door('events of the 1st ring', asking, AT_ONCE, (one) => one.tell());
    await child.do('grant');
    await child.door('desired states, as they changed', asking, AT_ONCE, (one) => one.changed());
    const again = Array.from({ length: ASKED_AGAIN }, () => asking).flat();
    await child.door('desired states, unchanged', again, AT_ONCE, (one) => one.unchanged());
    await child.door('events of all others', asking, AT_ONCE, (one) => one.tell());
    await child.do('changed');
    await child.do('tell-all');
    mustBe('devices at their end', (await child.do('counts')).count, gateways * DEVICES_EACH);
    const { events, residentBytes } = await child.do('held');
    mustBe('events kept', events!, gateways * DEVICES_EACH * EVENTS_A_DEVICE);
    console.log(`  afterwards: resident ${(residentBytes / MIB).toFixed(0)} MiB`);
  } finally {
    for (const one of asking) one.close();
    await child.stop();
  }
}

function mustBe(what: string, found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`${what}: ${found}, not ${wanted}`);
}
