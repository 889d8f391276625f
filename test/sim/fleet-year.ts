/**
 * A year of campaigns over some gateways, in one process under one clock: the real coordinator on SQLite, the
 * real agents, followers and gateways, and a WAN, processes, clocks and devices that fail by a seed.
 *
 * Every two weeks begins a campaign of random shape, some of them followed by the next generation before they end.
 * People sign late or never, pause, resume, abort and retry; events of a gateway without WAN come on a stick.
 *
 * Looked at whenever something was told or was due: the counts against those of the oracle, thresholds that
 * were passed and have not tripped, and states that stand longer than they may.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AbortRule,
  encodeManifest,
  type Manifest,
  type Ring,
} from '../../src/campaign/manifest.ts';
import { UpliftError } from '../../src/errors.ts';
import { BEAT } from '../../src/fleet/agent/beat-settings.ts';
import { placeOfRequest } from '../../src/fleet/agent/campaign-records.ts';
import { boundedStretch } from '../../src/fleet/agent/event-source.ts';
import type { CampaignView, Coordinator } from '../../src/fleet/coordinator/control.ts';
import { openCoordinator } from '../../src/fleet/coordinator/coordinator.ts';
import { Database } from '../../src/store/sqlite.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { ANN, BOB, HARDWARE, keyIdOf, signedBy, TRUST } from '../campaign/campaigns.ts';
import { SimulatedClock } from './clock.ts';
import { FleetGateway } from './fleet-gateway.ts';
import { FleetOracle, type Placed } from './fleet-oracle.ts';
import { FleetWire } from './fleet-wire.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const ROUND_MS = 14 * DAY_MS;
const CAMPAIGN_MS = 9 * DAY_MS;
/** Nothing fails any more, and everything has to come to its end. */
const CALM_MS = 36 * HOUR_MS;
const STEP_MS = 3 * HOUR_MS;
/** Two rounds of whatever looks seldom, and what a device may take. */
const LATE_MS = 2 * STEP_MS + 2 * HOUR_MS;
/** Gateways wait at the door for hours, so that a year is some 20,000 questions. */
const WAIT_SECONDS = 8 * 3600;
const BEAT_SETTINGS = {
  ...BEAT,
  waitSeconds: WAIT_SECONDS,
  eventsPauseMs: 20 * MINUTE_MS,
  inventoryPauseMs: 6 * HOUR_MS,
};
const SETTINGS = { aliveMs: 18 * HOUR_MS, grantMs: 20 * HOUR_MS, takenMs: 30 * HOUR_MS };
/** Evaluations follow what was told by less. */
const EVALUATED_MS = 2_000;
/** Where a commit costs nothing: no disk is what is tested. */
const MEMORY = '/dev/shm';
const FINAL = ['finished', 'aborted', 'expired', 'superseded'];
const IMAGE_BYTES = 1_000;

export interface YearShape {
  seed: number;
  rounds?: number;
  gateways?: number;
  devices?: number;
  /** Of a hundred upgrades, in one round or another. */
  fails?: readonly number[];
  /** What the coordinator would say if it were wrong: it has to be found out. */
  defect?: (view: CampaignView) => CampaignView;
}

export class FleetYear {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly gateways: FleetGateway[] = [];
  readonly broken: string[] = [];
  readonly happened = new Map<string, number>();
  readonly oracle = new FleetOracle();
  readonly wire: FleetWire;
  private readonly shape: Required<YearShape>;
  private readonly folder: string;
  private readonly path: string;
  /** Version by image. */
  private readonly versions = new Map<string, string>();
  private readonly manifests = new Map<string, Manifest>();
  /** They are not looked at any more, until they are judged. */
  private readonly ended = new Set<string>();
  private readonly places = new Map<string, readonly Placed[]>();
  private readonly tripped = new Set<string>();
  private readonly abortedByPeople = new Set<string>();
  /** Those of this round, the last of them last; and what lacks a signature until somebody gives it. */
  private campaigns: string[] = [];
  private unsigned: Manifest | undefined;
  private isCalm = true;
  private isLookDue = false;
  private generation = 0;
  private fails = 0;

  constructor(shape: YearShape) {
    // A year.
    const usual = { rounds: 26, gateways: 12, devices: 5, fails: [0, 5, 15, 40] };
    this.shape = { ...usual, defect: (view) => view, ...shape };
    this.random = new SeededRandom(shape.seed);
    this.folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'uplift-year-'));
    this.path = join(this.folder, 'fleet.db');
    this.wire = new FleetWire({
      ...{ clock: this.clock, random: this.random },
      faults: () => (this.isCalm ? 0 : 0.05),
      took: (gateway, batch) => {
        this.oracle.took(gateway, batch);
        this.lookSoon();
      },
    });
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  async run(): Promise<void> {
    await this.open();
    for (let n = 1; n <= this.shape.gateways; n++) await this.addGateway(n);
    // They are read, and told of.
    await this.passUntil(this.nowMs + 4 * STEP_MS);
    for (let round = 1; round <= this.shape.rounds; round++) await this.oneRound();
    await this.kill();
    this.judgeRows();
  }

  async close(): Promise<void> {
    for (const gateway of this.gateways) gateway.kill();
    await this.wire.coordinator?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // ---- one round --------------------------------------------------------------------------------------

  private async oneRound(): Promise<void> {
    const endMs = this.nowMs + ROUND_MS;
    this.isCalm = false;
    this.fails = this.pick(this.shape.fails);
    this.campaigns = [];
    await this.begin();
    const secondMs = this.random.chance(0.3) ? this.nowMs + DAY_MS : Number.POSITIVE_INFINITY;
    while (this.nowMs < endMs - CALM_MS) {
      await this.pass(STEP_MS * (0.5 + this.random.next()));
      await this.something();
      if (this.nowMs > secondMs && this.campaigns.length === 1) await this.begin();
    }
    this.isCalm = true;
    if (!this.wire.coordinator) await this.open();
    this.wire.mend();
    for (const gateway of this.gateways) {
      gateway.aheadMs = 0;
      if (!gateway.isUp) gateway.start();
    }
    await this.passUntil(endMs);
    for (const id of this.campaigns) await this.judge(id, id === this.campaigns.at(-1));
  }

  /** The next generation: signed by its author alone, at first. */
  private async begin(): Promise<void> {
    if (!this.wire.coordinator) await this.open();
    const desk = this.wire.coordinator!;
    const generation = ++this.generation;
    const bytes = new Uint8Array(IMAGE_BYTES).fill(generation);
    const sha256 = sha256Of(bytes);
    const manifest = this.manifest(sha256, versionText(generation));
    this.versions.set(sha256, versionText(generation));
    this.campaigns.push(manifest.id);
    await desk.putBlob(sha256, bytes.length, piecesOf(bytes), 'api:ann');
    const { digest, state } = await desk.submit(signedBy(encodeManifest(manifest), ANN), 'api:ann');
    if (state !== 'unsigned') this.say(`${manifest.id} is ${state} by its author alone`);
    this.manifests.set(digest, manifest);
    this.unsigned = manifest;
    this.count('campaigns');
    if (this.random.chance(0.6)) await this.approve();
  }

  /** By somebody else; and started by a third. */
  private async approve(): Promise<void> {
    const desk = this.wire.coordinator;
    const manifest = this.unsigned;
    if (!desk || !manifest || this.nowMs >= manifest.expiresMs) return;
    this.unsigned = undefined;
    // Somebody may have given it up.
    if ((await desk.campaign(manifest.id))?.state !== 'unsigned') return;
    await desk.submit(signedBy(encodeManifest(manifest), ANN, BOB), 'api:robert');
    const own = await desk.start(manifest.id, 'api:ann').then(
      () => 'started',
      ({ code }: UpliftError) => code,
    );
    if (own !== 'author-starts') this.say(`${manifest.id}: its author's start is ${own}`);
    await desk.start(manifest.id, 'api:olive');
    this.count('approved');
  }

  private manifest(image: string, firmwareVersion: string): Manifest {
    const { generation, nowMs } = this;
    const from = Array.from({ length: Math.min(generation, 60) }, (_, n) =>
      versionText(generation - 1 - n),
    );
    const about = { format: 'zigbee-ota', version: generation, firmwareVersion } as const;
    return {
      ...{ version: 1, id: `campaign-${generation}`, reason: 'simulated', fleet: 'north' },
      ...{ line: 'ppmid', generation, author: keyIdOf(ANN), approvals: 1 },
      issuedMs: wholeSecond(nowMs),
      expiresMs: wholeSecond(nowMs) + CAMPAIGN_MS,
      images: [{ sha256: image, bytes: IMAGE_BYTES, ...about }],
      targets: [{ ...HARDWARE, from: from.sort(), image }],
      rings: this.rings(),
      pace: this.pick([
        { first: 1, growthPercent: 150, afterSucceeded: 2, most: 10 },
        { first: 5, growthPercent: 200, afterSucceeded: 5, most: 100 },
        { first: 100, growthPercent: 100, afterSucceeded: 1, most: 100 },
      ]),
      aborts: this.aborts(),
      activation: { when: 'now' },
    };
  }

  private rings(): Ring[] {
    const untilPercent = this.pick([50, 80, 100]);
    const canary = { name: 'canary', members: [nameOf(1, 1), 'gateway-2'], untilPercent };
    const part = { name: 'part', percent: 30, untilPercent };
    const all = { name: 'all', all: true as const, untilPercent };
    return this.pick<Ring[]>([[all], [canary, all], [canary, part, all], [part, all]]);
  }

  private aborts(): AbortRule[] {
    return this.pick<AbortRule[]>([
      [{ failure: 'any', count: 1 + Math.floor(6 * this.random.next()) }],
      [{ failure: 'any', percent: 30, minimum: 3 }],
      [
        { failure: 'reverted', count: 1 },
        { failure: 'any', percent: 50, minimum: 4 },
      ],
    ]);
  }

  // ---- what happens -----------------------------------------------------------------------------------

  private async something(): Promise<void> {
    const { random, wire } = this;
    const gateway = this.pick(this.gateways);
    const { id } = gateway.options;
    if (random.chance(0.15)) this.do('gateway killed', () => gateway.kill());
    for (const one of this.gateways) if (!one.isUp && random.chance(0.3)) one.start();
    if (random.chance(0.1)) {
      const hours = this.pick([1, 6, 30, 70]);
      this.do('WAN outage', () => wire.cut(id, this.nowMs + hours * HOUR_MS));
    }
    if (random.chance(0.05)) {
      const hours = this.pick([-30, -1, 1, 30]);
      this.do('clock wrong', () => {
        gateway.aheadMs = hours * HOUR_MS;
      });
    } else if (random.chance(0.3)) for (const one of this.gateways) one.aheadMs = 0;
    if (random.chance(0.05)) {
      this.count('coordinator killed');
      await this.kill();
    }
    if (!wire.coordinator && random.chance(0.5)) await this.open();
    if (!wire.coordinator) return;
    if (random.chance(0.2)) await this.approve();
    if (random.chance(0.25)) await this.somebody(wire.coordinator);
    for (const one of this.gateways) {
      const isCut = one.isUp && wire.isCut(one.options.id);
      if (isCut && random.chance(0.3)) await this.carryHome(wire.coordinator, one);
    }
  }

  private async somebody(desk: Coordinator): Promise<void> {
    const id = this.campaigns.at(-1)!;
    const by = 'api:operator';
    const deed = this.pick(['pause', 'resume', 'retry', 'retry', 'resume', 'abort'] as const);
    try {
      if (deed === 'pause') await desk.pause(id, by, 'a look');
      else if (deed === 'resume') await desk.resume(id, by);
      else if (deed === 'retry') {
        const { digest } = await desk.retryFailed(id, undefined, by);
        this.oracle.retried(digest);
      } else if (this.random.chance(0.2)) {
        this.abortedByPeople.add((await desk.abort(id, by, 'enough')).digest);
      } else return;
      this.count(deed);
    } catch (error) {
      // What the state of the campaign does not allow.
      if (!(error instanceof UpliftError)) throw error;
    }
  }

  /** A stick takes what follows what the coordinator has. */
  private async carryHome(desk: Coordinator, { options, follower }: FleetGateway): Promise<void> {
    const { journal } = (await desk.gateway(options.id))!;
    const batch = boundedStretch(follower.events, journal);
    if (!batch) return;
    await this.wire.carried(options.id, batch);
    this.count('stick carried home');
  }

  private async passUntil(endMs: number): Promise<void> {
    while (this.nowMs < endMs) await this.pass(Math.min(STEP_MS, endMs - this.nowMs));
  }

  private async pass(durationMs: number): Promise<void> {
    const endMs = this.nowMs + durationMs;
    while (this.nowMs < endMs) {
      await this.clock.until(() => this.isLookDue, endMs - this.nowMs);
      if (!this.isLookDue) break;
      this.isLookDue = false;
      await this.look();
    }
    await this.wire.coordinator?.keepHouse();
    await this.look();
    await this.lookForStuck();
  }

  private lookSoon(): void {
    this.clock.after(EVALUATED_MS, () => {
      this.isLookDue = true;
    });
  }

  // ---- what must hold ---------------------------------------------------------------------------------

  private async look(): Promise<void> {
    const desk = this.wire.coordinator;
    if (!desk) return;
    for (const id of this.campaigns) {
      if (this.ended.has(id)) continue;
      const view = this.shape.defect((await desk.campaign(id))!);
      if (FINAL.includes(view.state)) this.ended.add(id);
      const devices = await this.placesOf(desk, view);
      for (const difference of this.oracle.miscounted(view, devices)) this.say(difference);
      const isOver = this.oracle.isOver(view, this.manifests.get(view.digest)!, devices);
      const isGoing = ['running', 'held', 'paused'].includes(view.state);
      if (isGoing && isOver) this.say(`${id} is over a threshold and ${view.state}`);
      const isByRule = view.state === 'aborted' && !this.abortedByPeople.has(view.digest);
      if (isByRule && !this.tripped.has(id)) {
        this.tripped.add(id);
        this.count('tripped');
        if (!isOver) this.say(`${id} is aborted, and no threshold was passed: ${view.detail}`);
      }
      const granted = view.rings.reduce((sum, { counts }) => sum + counts.granted, 0);
      if (granted > view.manifest.pace.most) this.say(`${id}: ${granted} granted at once`);
    }
  }

  /** Its devices and their rings stay the same from its start on. */
  private async placesOf(
    desk: Coordinator,
    { id, startedMs }: CampaignView,
  ): Promise<readonly Placed[]> {
    const known = this.places.get(id);
    if (known) return known;
    const { items } = await desk.campaignDevices(id, { limit: 1_000 });
    if (startedMs !== undefined) this.places.set(id, items);
    return items;
  }

  /** Whatever is waited for may be waited for so long, and no longer. */
  private async lookForStuck(): Promise<void> {
    const desk = this.wire.coordinator;
    if (!desk) return;
    const { nowMs } = this;
    const { items: gateways } = await desk.gateways(undefined, 1_000);
    for (const id of this.campaigns) {
      if (this.ended.has(id)) continue;
      const view = (await desk.campaign(id))!;
      const { state, expiresMs } = view;
      if (nowMs > expiresMs) this.say(`${id} is ${state} after its time`);
      const { items } = await desk.campaignDevices(id, { limit: 1_000 });
      for (const difference of this.oracle.differences(view, items)) this.say(difference);
      for (const { device, gateway, state: own, changedMs } of items) {
        const lateMs = own === 'granted' ? SETTINGS.grantMs : SETTINGS.takenMs;
        const { seenMs = 0 } = gateways.find((one) => one.id === gateway)!;
        const isWaiting = own === 'granted' || own === 'taken';
        const isSilent = nowMs - seenMs > lateMs + LATE_MS;
        if (isWaiting && isSilent && nowMs - changedMs > lateMs + LATE_MS)
          this.say(`${id} ${device} is ${own} of a silent gateway`);
      }
    }
  }

  private async judge(id: string, isLast: boolean): Promise<void> {
    const desk = this.wire.coordinator!;
    const view = (await desk.campaign(id))!;
    if (!FINAL.includes(view.state)) this.say(`${view.id} is ${view.state} for ever`);
    this.count(`ended ${view.state}`);
    for (const gateway of this.gateways) {
      await this.judgeDevices(desk, view, gateway, isLast);
      const own = gateway.options.id;
      const told = (await desk.gateway(own))!;
      if (told.trouble) this.say(`${own}: ${told.trouble}`);
      const after = gateway.follower.events.waiting(told.journal);
      if (after > 0) this.say(`${own}: ${after} events untold`);
      this.judgeJobs(gateway);
    }
  }

  private async judgeDevices(
    desk: Coordinator,
    view: CampaignView,
    gateway: FleetGateway,
    isLast: boolean,
  ): Promise<void> {
    const { id } = gateway.options;
    const { items } = await desk.campaignDevices(view.id, { gateway: id, limit: 1_000 });
    const story = gateway.follower.ledger.stories.get(view.digest);
    const { items: all } = await desk.campaignDevices(view.id, { limit: 1_000 });
    for (const difference of this.oracle.differences(view, all)) this.say(difference);
    for (const { device, state, attempt } of items) {
      const standing = story?.devices.get(device);
      // Of an attempt that it was not told of before the campaign ended it knows nothing.
      const own = standing?.attempt === attempt ? standing.state : 'pending';
      if (own !== state) this.say(`${view.id} ${id} ${device}: ${state} there, ${own} here`);
      if (['granted', 'taken', 'under-way'].includes(state))
        this.say(`${view.id} ${id} ${device} is ${state} for ever`);
      const truth = gateway.truth.find(({ name }) => name === device)!;
      const version = view.manifest.images[0]!.firmwareVersion;
      if (isLast && state === 'succeeded' && truth.version !== version)
        this.say(`${view.id} ${device} is told to run ${version} and runs ${truth.version}`);
      if (truth.upgrades.filter((one) => one === version).length > 1)
        this.say(`${device} was upgraded to ${version} twice`);
    }
  }

  /** Of the jobs for one attempt at a device, one at the most begins. */
  private judgeJobs({ journal: { rows }, options }: FleetGateway): void {
    const attempts = new Map<string, string>();
    const begun = new Map<string, string>();
    for (const row of rows as unknown as Record<string, unknown>[]) {
      const job = String(row['job']);
      if (row['kind'] === 'job') {
        const { requestId } = row['request'] as { requestId?: string };
        const place = placeOfRequest(requestId);
        if (place) attempts.set(job, `${place.campaign} ${place.device} ${place.attempt}`);
        continue;
      }
      const attempt = attempts.get(job);
      if (row['kind'] !== 'state' || attempt === undefined) continue;
      const before = begun.get(attempt);
      if (row['state'] !== 'distributing') continue;
      if (before !== undefined && before !== job)
        this.say(`${options.id} ${attempt}: ${job} began after ${before}`);
      begun.set(attempt, job);
    }
  }

  /** Each event is there, and once. */
  private judgeRows(): void {
    const database = Database.open(this.path, { readOnly: true });
    const rows = database.prepare('select gateway, sequence, device from events').all();
    database.close();
    const kept = rows.map(({ gateway, sequence, device }) => `${gateway} ${sequence} ${device}`);
    const { events } = this.oracle;
    const isEach = kept.length === events.size && kept.every((one) => events.has(one));
    const told = this.gateways.reduce((sum, { eventCount }) => sum + eventCount, 0);
    if (!isEach || told !== kept.length)
      this.say(`${kept.length} events are kept, ${events.size} were taken, ${told} happened`);
  }

  private say(what: string): void {
    if (this.broken.length < 20) this.broken.push(`${new Date(this.nowMs).toISOString()} ${what}`);
  }

  // ---- the parts --------------------------------------------------------------------------------------

  private async open(): Promise<void> {
    const coordinator = await openCoordinator({
      database: { kind: 'sqlite', path: this.path },
      fleet: 'north',
      trust: () => TRUST,
      clock: this.timers(),
      random: (bytes) => Uint8Array.from({ length: bytes }, () => 256 * this.random.next()),
      log: { write() {} },
      settings: SETTINGS,
    });
    this.wire.connect(coordinator);
  }

  private async kill(): Promise<void> {
    const { coordinator } = this.wire;
    this.wire.disconnect();
    await coordinator?.close();
  }

  private async addGateway(n: number): Promise<void> {
    const id = `gateway-${n}`;
    const { token } = await this.wire.coordinator!.addGateway(id, 'api:operator');
    const certificate = sha256Of(new TextEncoder().encode(id));
    const gateway = new FleetGateway({
      ...{ id, fleet: 'north', token, certificate, timers: this.timers(), random: this.random },
      names: Array.from({ length: this.shape.devices }, (_, m) => nameOf(n, m + 1)),
      link: this.wire.linkOf(id, certificate),
      folder: join(this.folder, id),
      temper: () => ({ fails: this.isCalm ? 0 : this.fails, answers: this.isCalm ? 100 : 90 }),
      versionOf: (image) => this.versions.get(image) ?? 'unknown',
      settings: BEAT_SETTINGS,
    });
    this.gateways.push(gateway);
    gateway.start();
  }

  /** What runs on them may have promises that are to be followed. */
  private timers() {
    const { clock } = this;
    return {
      nowMs: () => clock.nowMs(),
      after: (delayMs: number, task: () => void) =>
        clock.after(delayMs, () => {
          clock.isTouched = true;
          task();
        }),
    };
  }

  private do(what: string, deed: () => void): void {
    this.count(what);
    deed();
  }

  private count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random.next() * list.length)]!;
  }
}

const wholeSecond = (ms: number) => 1_000 * Math.floor(ms / 1_000);
const versionText = (generation: number) => generation.toString(16).padStart(8, '0');
const nameOf = (gateway: number, device: number) =>
  `000d6f${gateway.toString(16).padStart(4, '0')}${device.toString(16).padStart(6, '0')}`;

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
