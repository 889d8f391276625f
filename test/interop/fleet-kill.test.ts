/**
 * A fleet that is killed at: two coordinators over one PostgreSQL, gateways that are processes with
 * devices by a seed, and kill -9 of any of them at times by the same seed. When it is quiet again, what
 * the coordinators say is held against the gateways' own journals and against what devices did.
 *
 *   FLEET_SEED=7 FLEET_KILL_SECONDS=3600 FLEET_GATEWAYS=50 node test/interop/fleet-kill.test.ts
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceProgress } from '../../src/campaign/device-progress.ts';
import type { z } from '../../src/config/fields.ts';
import { type FleetDatabase, openDatabase } from '../../src/fleet/coordinator/database.ts';
import type {
  auditCheck,
  campaignDetail,
  gatewayPage,
} from '../../src/fleet/coordinator/operator-schemas.ts';
import { Journal, type JournalRecord } from '../../src/store/journal.ts';
import { SYSTEM_TIMERS } from '../../src/transport/serial/driver.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { AgentProcess, buildAgentProcess } from '../support/agent-fleet.ts';
import { Balancer } from '../support/balancer.ts';
import { FLEET } from '../support/fleet-material.ts';
import { type CoordinatorProcess, FleetSite } from '../support/fleet-site.ts';
import { missingPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { FIRMWARE, NEW_VERSION, OLD_VERSION, sha256Of, sleep } from '../support/rigs.ts';
import {
  characterOf,
  type FieldLine,
  outcomeOf,
  readLines,
  VERSIONS,
  versionOf,
} from '../support/scripted-field.ts';
import { testWhere } from './tools.ts';

type Campaign = z.output<typeof campaignDetail>;

const SEED = Number(process.env['FLEET_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const KILL_MS = Number(process.env['FLEET_KILL_SECONDS'] ?? 30) * 1_000;
const GATEWAYS = Number(process.env['FLEET_GATEWAYS'] ?? 50);
const DEVICES = 6;
const CAMPAIGN = 'kill-1';
/** What is drawn of every ten: a gateway, a coordinator, the database. */
const OF_TEN = { gateway: 8, coordinator: 1.2 } as const;
const KILL_EVERY_MS = [150, 1_200] as const;
const DOWN_MS = [300, 5_000] as const;
const QUIET_LIMIT_MS = 150_000;
const START_LIMIT_MS = 120_000;
const ENDED = ['finished', 'held', 'aborted', 'expired'];

const test = suite('a fleet under kill -9');

interface Kills {
  gateways: number;
  coordinators: number;
  databases: number;
}

class World {
  readonly random = new SeededRandom(SEED);
  readonly kills: Kills = { gateways: 0, coordinators: 0, databases: 0 };
  readonly agents: AgentProcess[] = [];
  readonly coordinators: CoordinatorProcess[] = [];
  postgres!: TestPostgres;
  site!: FleetSite;
  database!: string;
  private balancer!: Balancer;
  private isDatabaseUp = true;
  private readonly down = new Set<CoordinatorProcess>();
  private readonly returns = new Set<Promise<void>>();
  /** Why something did not come back. */
  private readonly faults: string[] = [];

  async start(): Promise<void> {
    this.postgres = await startPostgres();
    this.database = await this.postgres.makeDatabase();
    this.site = new FleetSite({ database: this.database, settings: { pollMs: 2_000 } });
    for (const name of ['one', 'two']) this.coordinators.push(await this.site.coordinator(name));
    await Promise.all([buildAgentProcess(), ...this.coordinators.map((one) => one.start())]);
    this.balancer = await Balancer.start(this.coordinators.map(({ port }) => port));
    const { url } = this.balancer;
    for (let number = 1; number <= GATEWAYS; number++) {
      const id = `gateway-${number}`;
      const agent = new AgentProcess(this.site, {
        ...{ id, number, url, devices: DEVICES, seed: SEED },
      });
      const { client } = this.coordinators[number % 2]!;
      const { token } = await client.post<{ token: string }>('/gateways', { gateway: id });
      this.site.secret(join(id, 'enrolment'), token);
      this.agents.push(agent);
      agent.start();
    }
  }

  async remove(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.kill9()));
    await Promise.all(this.coordinators.map((one) => one.kill9()));
    await this.balancer?.close();
    await this.postgres?.remove();
    this.site?.remove();
  }

  /** Of any coordinator that answers. */
  async ask<T>(question: (one: CoordinatorProcess) => Promise<T>): Promise<T> {
    for (const endMs = Date.now() + START_LIMIT_MS; ; await sleep(200)) {
      for (const one of this.coordinators) {
        try {
          return await question(one);
        } catch (error) {
          const { code } = error as { code?: string };
          const isAway = ['coordinator-unreachable', 'database-away', 'busy'].includes(code ?? '');
          if (!isAway || Date.now() > endMs) throw error;
        }
      }
    }
  }

  campaign(): Promise<Campaign> {
    return this.ask(({ client }) => client.get<Campaign>(`/campaigns/${CAMPAIGN}`));
  }

  /** Something dies, and comes back after a while. */
  async killOne(): Promise<void> {
    const drawn = this.random.next() * 10;
    const downMs = between(this.random, DOWN_MS);
    const pick = Math.floor(this.random.next() * 1e6);
    if (drawn < OF_TEN.gateway) {
      const agent = this.agents[pick % this.agents.length]!;
      if (!agent.isUp) return;
      this.kills.gateways++;
      await agent.kill9();
      this.back(downMs, async () => agent.start());
    } else if (drawn < OF_TEN.gateway + OF_TEN.coordinator) {
      const coordinator = this.coordinators[pick % 2]!;
      if (this.down.has(coordinator)) return;
      this.down.add(coordinator);
      this.kills.coordinators++;
      await coordinator.kill9();
      this.back(downMs, async () => {
        await this.startAgain(coordinator);
        this.down.delete(coordinator);
      });
    } else if (this.isDatabaseUp) {
      this.isDatabaseUp = false;
      this.kills.databases++;
      await this.postgres.kill9();
      this.back(downMs, async () => {
        await this.postgres.start();
        this.isDatabaseUp = true;
      });
    }
  }

  /** Everything is up. */
  async settle(): Promise<void> {
    while (this.returns.size > 0) await Promise.all(this.returns);
    assert.equal(this.faults, [], 'all came back');
  }

  private back(afterMs: number, start: () => Promise<void>): void {
    const returned = sleep(afterMs)
      .then(start)
      .catch((error: Error) => void this.faults.push(error.message))
      .finally(() => this.returns.delete(returned));
    this.returns.add(returned);
  }

  /** It does not start without its database, says so, and whoever supervises it tries again. */
  private async startAgain(coordinator: CoordinatorProcess): Promise<void> {
    for (;;) {
      try {
        return await coordinator.start();
      } catch (error) {
        assert.match((error as Error).message, 'database-away');
        await sleep(300);
      }
    }
  }
}

testWhere(test, missingPostgres(), 'nothing is lost, nothing counts twice', async () => {
  console.log(`\nSEED ${SEED}`);
  const world = new World();
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1_000).toFixed(0)} s`;
  try {
    await world.start();
    await untilKnown(world);
    const readyAfter = seconds();
    await startCampaign(world);
    await killFor(world, KILL_MS);
    await world.settle();
    const quietAfter = seconds();
    const campaign = await untilOver(world);
    await Promise.all(world.agents.map((agent) => agent.stop()));
    const events = await assertTold(world, campaign);
    const { isWhole } = await world.ask(({ client }) =>
      client.get<z.output<typeof auditCheck>>('/audit/check'),
    );
    assert.ok(isWhole, 'the audit log is whole');
    assertNoneFell(world);
    assertNothingWrong(world);
    const { gateways, coordinators, databases } = world.kills;
    console.log(
      `\nNOTE ${gateways} gateways, ${coordinators} coordinators and ${databases} databases killed; ` +
        `${events} events of ${GATEWAYS * DEVICES} devices, each once; ready after ${readyAfter}, ` +
        `quiet after ${quietAfter}, compared after ${seconds()}`,
    );
  } finally {
    await world.remove();
  }
});

/** Enrolled, and of each device it is known what it runs. */
async function untilKnown(world: World): Promise<void> {
  await until(START_LIMIT_MS, async () => {
    const { gateways } = await world.ask(({ client }) =>
      client.get<z.output<typeof gatewayPage>>('/gateways?limit=1000'),
    );
    return gateways.every(({ state, devices }) => state === 'enrolled' && devices === DEVICES);
  });
  const database = await openDatabaseOf(world);
  try {
    await until(START_LIMIT_MS, async () => {
      const rows = await database.ask((db) =>
        db
          .selectFrom('devices')
          .select('device')
          .where('firmware_version', '=', VERSIONS.old)
          .execute(),
      );
      return rows.length === GATEWAYS * DEVICES;
    });
  } finally {
    await database.close();
  }
}

async function startCampaign(world: World): Promise<void> {
  const sha256 = sha256Of(FIRMWARE.new);
  const moment = (ms: number) => new Date(ms).toISOString().replace(/\.\d+/, '');
  const path = await world.site.signed({
    ...{ version: 1, id: CAMPAIGN, reason: 'a test', fleet: FLEET, line: 'ppmid', generation: 1 },
    ...{ approvals: 1, issued: moment(Date.now() - 60_000) },
    expires: moment(Date.now() + 86_400_000),
    images: [
      {
        ...{ sha256, bytes: statSync(FIRMWARE.new).size, format: 'zigbee-ota' },
        ...{ version: NEW_VERSION, firmwareVersion: VERSIONS.new },
      },
    ],
    targets: [
      {
        ...{ manufacturer: '121D', model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
        ...{ from: [VERSIONS.old], image: sha256, floor: OLD_VERSION },
      },
    ],
    rings: [
      { name: 'first', percent: 10, untilPercent: 10 },
      { name: 'rest', all: true, untilPercent: 10 },
    ],
    pace: { first: 30, growthPercent: 100, afterSucceeded: 100, most: 60 },
    aborts: [{ failure: 'any', count: 50_000 }],
    activation: { when: 'now' },
  });
  const [one, two] = world.coordinators;
  await one!.told('ann', 'campaign', 'submit', path, '--image', FIRMWARE.new);
  await two!.told('olive', 'campaign', 'start', CAMPAIGN);
}

/** In the middle, those that failed are given another attempt. */
async function killFor(world: World, ms: number): Promise<void> {
  const endMs = Date.now() + ms;
  const killed = async () => {
    while (Date.now() < endMs) {
      await sleep(between(world.random, KILL_EVERY_MS));
      await world.killOne();
    }
  };
  await Promise.all([killed(), sleep(ms / 3).then(() => retryFailed(world))]);
}

async function retryFailed(world: World): Promise<void> {
  await world.ask(({ client }) =>
    client.post(`/campaigns/${CAMPAIGN}/retry`).catch((error: { code?: string }) => {
      if (error.code !== 'nothing-failed') throw error;
    }),
  );
}

async function untilOver(world: World): Promise<Campaign> {
  let seen = await world.campaign();
  await until(QUIET_LIMIT_MS, async () => {
    assertNoneFell(world);
    seen = await world.campaign();
    return ENDED.includes(seen.state);
  }).catch((error: Error) => {
    const rings = JSON.stringify(seen.rings.map(({ counts }) => counts));
    throw new Error(`${error.message}: ${seen.state} ${rings}`);
  });
  assert.is(seen.state, 'finished');
  return seen;
}

interface Told {
  sequence: number;
  device: string;
  attempt: number | null;
  phase: string;
  code: string | null;
}

/** What is in the database is what each journal says, and what its devices did. */
async function assertTold(world: World, campaign: Campaign): Promise<number> {
  const database = await openDatabaseOf(world);
  try {
    const devices = await database.ask((db) =>
      db.selectFrom('campaign_devices').selectAll().orderBy('device').execute(),
    );
    assert.is(devices.length, GATEWAYS * DEVICES);
    const counted = { succeeded: 0, failed: 0 };
    let events = 0;
    for (const agent of world.agents) {
      const records = recordsOf(agent);
      const row = await database.ask((db) =>
        db.selectFrom('gateways').selectAll().where('id', '=', agent.id).executeTakeFirstOrThrow(),
      );
      const told = await database.ask((db) =>
        db
          .selectFrom('events')
          .select(['sequence', 'device', 'attempt', 'phase', 'code'])
          .where('gateway', '=', agent.id)
          .orderBy('sequence')
          .execute(),
      );
      const own = eventsIn(records);
      assert.equal(told, own, agent.id);
      events += told.length;
      const mark = records.find(({ sequence }) => sequence === row.journal_sequence);
      assert.is(mark?.hash, row.journal_hash, `${agent.id}: the mark is of its journal`);
      assert.is(row.trouble, null);
      const mine = devices.filter(({ gateway }) => gateway === agent.id);
      assertDone(agent, mine, own, records);
      for (const { state } of mine) counted[state as 'succeeded' | 'failed']++;
    }
    const shown = (state: 'succeeded' | 'failed') =>
      campaign.rings.reduce((sum, { counts }) => sum + counts[state], 0);
    assert.equal({ succeeded: shown('succeeded'), failed: shown('failed') }, counted);
    return events;
  } finally {
    await database.close();
  }
}

/** Each device stands as its last event says, and as it really is. */
function assertDone(
  agent: AgentProcess,
  rows: readonly { device: string; state: string; attempt: number; code: string | null }[],
  events: readonly Told[],
  records: readonly JournalRecord[],
): void {
  const field = readLines(agent.fieldFile);
  const names = new Map(field.map(({ device }) => [eui64Of(agent, device), device]));
  assert.is(names.size, DEVICES, `${agent.id}: every device was begun`);
  for (const { device, state, attempt, code } of rows) {
    const about = `${agent.id} ${device}`;
    const last = events.filter((event) => event.device === device).at(-1)!;
    const standing = { phase: last.phase as 'done', ...(last.code ? { code: last.code } : {}) };
    assert.is(deviceProgress(standing, { when: 'now' }, 'under-way').state, state, about);
    const id = names.get(device)!;
    const outcome = outcomeOf(characterOf(agent.seed, id), attempt);
    assert.is(code ?? 'done', outcome, about);
    assert.is(state, outcome === 'done' ? 'succeeded' : 'failed', about);
    assert.is(versionOf(agent.seed, id, field) === VERSIONS.new, state === 'succeeded', about);
    assertBegunOnce(about, id, field, records);
  }
}

/** Under one command for each attempt, and activated once under it. */
function assertBegunOnce(
  about: string,
  device: string,
  field: readonly FieldLine[],
  records: readonly JournalRecord[],
): void {
  const own = field.filter((line) => line.device === device);
  const attempts = new Map<number, number>();
  for (const by of new Set(own.map((line) => line.by))) {
    const attempt = attemptOf(records.find(({ sequence }) => sequence === by)!);
    assert.not(attempts.has(attempt), `${about}: attempt ${attempt} was begun twice`);
    attempts.set(attempt, by);
    const lines = own.filter((line) => line.by === by);
    const activated = lines.filter(({ what }) => what === 'activated');
    assert.ok(activated.length <= 1, `${about}: activated ${activated.length} times`);
    const at = lines.indexOf(activated[0]!);
    for (const line of at < 0 ? [] : lines.slice(at))
      if (line.what === 'begun') assert.ok(line.announced.includes('activate'), about);
  }
}

/** As a reader who knows nothing of ledgers would list them: by the names that jobs are asked for under. */
function eventsIn(records: readonly JournalRecord[]): Told[] {
  const places = new Map<string, { device: string; attempt: number }>();
  const events: Told[] = [];
  for (const record of records) {
    const { kind, sequence } = record;
    if (kind === 'job') {
      const { requestId } = record['request'] as { requestId: string };
      const [, device = '', attempt] = requestId.split('/');
      places.set(String(record['job']), { device, attempt: Number.parseInt(attempt!, 10) });
    }
    const { code = null } = record as { code?: string };
    if (kind === 'state') {
      const place = places.get(String(record['job']))!;
      events.push({ sequence, ...place, phase: String(record['state']), code });
    }
    if (kind === 'campaign-device') {
      const { device, attempt, phase } = record as unknown as Told;
      events.push({ sequence, device, attempt, phase, code });
    }
  }
  return events;
}

function attemptOf(record: JournalRecord): number {
  const { requestId } = record['request'] as { requestId: string };
  return Number.parseInt(requestId.split('/')[2]!, 10);
}

function recordsOf(agent: AgentProcess): JournalRecord[] {
  const { journal, report } = Journal.open(join(agent.state, 'journal'), {}, Date.now());
  try {
    assert.is(report.damage, undefined, `${agent.id}: its journal is whole`);
    return [...journal.records(1)];
  } finally {
    journal.close();
  }
}

/** Devices of a rig are numbered from the first of its addresses. */
function eui64Of({ id }: AgentProcess, device: string): string {
  const gateway = Number(id.split('-')[1]).toString(16).padStart(4, '0');
  const [, number = '1'] = /-(\d+)$/.exec(device) ?? [];
  return `000d6f00${gateway}${Number(number).toString(16).padStart(4, '0')}`;
}

function assertNoneFell({ agents }: World): void {
  const fallen = agents.flatMap(({ falls }) => falls);
  assert.equal(fallen, [], fallen.join('\n'));
}

function assertNothingWrong({ agents }: World): void {
  for (const { id, logFile } of agents) {
    const wrong = readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => /"level":"error"|^\s+at |Uncaught|Unhandled/.test(line));
    assert.equal(wrong, [], id);
  }
}

function openDatabaseOf({ database }: World): Promise<FleetDatabase> {
  const log = { write: () => {} };
  return openDatabase({ kind: 'postgres', url: database }, { log, timers: SYSTEM_TIMERS });
}

async function until(limitMs: number, isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + limitMs; !(await isSo()); await sleep(250)) {
    if (Date.now() > endMs) throw new Error(`not within ${limitMs / 1_000} s`);
  }
}

function between(random: SeededRandom, [least, most]: readonly [number, number]): number {
  return least + random.next() * (most - least);
}

test.run();
