/**
 * A week of a gateway with fifty devices, in seconds: jobs with holds, cancels, retries and approvals;
 * links that drop and fall, devices that lose power, a disk that fills up, a clock that jumps, kills. Then
 * everything heals, and everything has to come to an end. The journal is read afterwards by a check of
 * its own. A seed that failed is run again with UPLIFT_SIM_SEED; UPLIFT_SIM_SEEDS runs so many.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import type { GatewayRecord } from '../../src/gateway/control.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { JobActivation } from '../../src/jobs/records.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { sqliteError } from '../store/failing-files.ts';
import { checkJournal, GatewayWorld, HOUR_MS } from './gateway-world.ts';
import { checkRecords } from './records-check.ts';

const test = suite('a week');

const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
/** More of them by night. */
const SEEDS = [1, 2];
const SHAPE = { coordinators: 2, ppmids: 20, hubs: 10 };
/** Between two things that happen: some fall into what the one before began. */
const PAUSE_MS_MAX = 2 * HOUR_MS;
const SOON_MS_MAX = 4_000;
const SOON_SHARE = 0.7;
/** A slow network: a transfer takes seconds. */
const AIR_MS = 150;
/** Long enough for every deadline after the last fault. */
const HEAL_DAYS = 10;
const DOWN_MS_MAX = HOUR_MS;
const SQLITE_FULL = 13;

class Week {
  readonly seed: number;
  readonly happened = new Map<string, number>();
  jumpsMs = 0;
  world!: GatewayWorld;
  private readonly random: SeededRandom;
  private isDiskFull = false;
  private jobs = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
  }

  async run(): Promise<void> {
    const { seed } = this;
    this.world = await GatewayWorld.begin({ ...SHAPE, seed });
    for (const network of this.world.networks) network.airMs = AIR_MS;
    this.start();
    const endMs = this.world.nowMs + WEEK_MS;
    while (this.world.nowMs < endMs) {
      const mostMs = this.random.chance(SOON_SHARE) ? SOON_MS_MAX : PAUSE_MS_MAX;
      await this.world.clock.run(this.random.next() * mostMs);
      this.restartWhereDegraded();
      this.something();
    }
    this.heal();
    // A hold lasts until somebody ends it.
    for (let day = 0; day < HEAL_DAYS && !this.world.isOver; day++) {
      this.endHolds();
      await this.world.clock.until(() => this.world.isOver, DAY_MS);
    }
  }

  private start(): void {
    const beforeCommit = () => {
      if (this.isDiskFull) throw sqliteError(SQLITE_FULL);
    };
    this.world.start({ beforeCommit });
    this.world.gateway!.listen({ record: (record) => this.hear(record), progress: () => {} });
  }

  private hear({ kind, device, state, job }: GatewayRecord): void {
    if (kind !== 'state' || state !== 'done') return;
    const truth = this.world.truth.get(device as string)!;
    if (!truth.runsNew)
      this.world.broken.push(`6: ${job}/${device} is done and runs the old version`);
  }

  private restart(): void {
    this.isDiskFull = false;
    this.world.kill();
    this.start();
  }

  private restartWhereDegraded(): void {
    if (this.world.gateway!.condition.state === 'degraded') this.restart();
  }

  private something(): void {
    const deeds: [number, string, () => void][] = [
      [30, 'job', () => this.job()],
      [6, 'approve', () => this.command((gateway, id) => gateway.jobs.approve(id, 'api:b'))],
      [2, 'reject', () => this.command((gateway, id) => gateway.jobs.reject(id, 'api:b', 'no'))],
      [8, 'activate', () => this.command((gateway, id) => this.activate(gateway, id))],
      [
        5,
        'cancel',
        () => this.command((gateway, id) => gateway.jobs.cancel(id, undefined, 'api:a')),
      ],
      [
        10,
        'retry',
        () => this.command((gateway, id) => gateway.jobs.retry(id, undefined, 'api:a')),
      ],
      [6, 'kill', () => this.restart()],
      [6, 'cable', () => this.cable()],
      [6, 'port', () => this.port()],
      [6, 'loss', () => this.loss()],
      [6, 'power', () => this.power()],
      [40, 'device replaced', () => this.replace()],
      [2, 'disk full', () => this.fillDisk()],
      [2, 'clock', () => this.jump()],
    ];
    let draw = this.random.next() * deeds.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, what, deed] of deeds) {
      draw -= weight;
      if (draw >= 0) continue;
      this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
      deed();
      return;
    }
  }

  // ---- what is asked ----------------------------------------------------------------------------------

  private job(): void {
    const { world } = this;
    const all = [...world.truth.keys()];
    const kind = this.random.chance(0.3) ? 'hub' : 'ppmid';
    const ofKind = all.filter((id) => id.startsWith(kind));
    const count = 1 + Math.floor(this.random.next() * 8);
    const devices = [...new Set(Array.from({ length: count }, () => this.pick(ofKind)))];
    const nowMs = world.image.timers.nowMs();
    const request = world.request(devices, {
      activation: this.activation(),
      priority: Math.floor(this.random.next() * 9),
      deadlineMs: nowMs + HOUR_MS + this.random.next() * 2 * DAY_MS,
      needsApproval: this.random.chance(0.2),
      supersede: this.random.chance(0.5),
      requestId: `job ${++this.jobs}`,
    });
    this.refusable((gateway) => gateway.jobs.create(request, 'api:a'));
  }

  private activation(): JobActivation {
    if (this.random.chance(0.6)) return { when: 'now' };
    if (this.random.chance(0.5)) return { when: 'held' };
    const atMs = this.world.image.timers.nowMs() + this.random.next() * DAY_MS;
    return { when: 'at', atMs };
  }

  private activate(gateway: Gateway, id: string): void {
    gateway.jobs.activate(id, undefined, { when: 'now' }, 'api:a');
  }

  private command(give: (gateway: Gateway, id: string) => void): void {
    const jobs = [...this.world.gateway!.book.jobs];
    if (jobs.length === 0) return;
    const { id } = this.pick(jobs);
    this.refusable((gateway) => give(gateway, id));
  }

  /** What does not fit is refused, with a code and without a change. */
  private refusable(question: (gateway: Gateway) => void): void {
    try {
      this.world.ask(question);
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
    }
  }

  // ---- what goes wrong --------------------------------------------------------------------------------

  private cable(): void {
    const network = this.pick(this.world.networks);
    network.setUp(false);
    this.later(() => network.setUp(true));
  }

  private port(): void {
    const port = this.pick([...this.world.ports.values()]);
    port.setPresent(false);
    this.later(() => port.setPresent(true));
  }

  private loss(): void {
    const link = this.pick([...this.world.networks, ...this.world.ports.values()]);
    link.loss = this.random.next() * 0.3;
    this.later(() => {
      link.loss = 0;
    });
  }

  private power(): void {
    const { ppmids, hubs } = this.world;
    const device = this.pick([...ppmids.values(), ...hubs.values()]);
    device.powerOff();
    this.later(() => device.powerOn());
  }

  /** Of those that no upgrade is open for, so that there is always something to do. */
  private replace(): void {
    const { world } = this;
    const { book } = world.gateway!;
    const idle = [...world.truth.values()].filter(
      ({ id, runsNew }) => runsNew && book.openFor(id).length === 0,
    );
    if (idle.length > 0) world.replace(this.pick(idle).id);
  }

  private fillDisk(): void {
    this.isDiskFull = true;
  }

  private jump(): void {
    const ms = (this.random.next() - 0.5) * 2 * HOUR_MS;
    this.world.wall.aheadMs += ms;
    this.jumpsMs += Math.abs(ms);
  }

  private heal(): void {
    const { networks, ports, ppmids, hubs } = this.world;
    for (const network of networks) {
      network.setUp(true);
      network.loss = 0;
    }
    for (const port of ports.values()) {
      port.setPresent(true);
      port.loss = 0;
    }
    for (const device of [...ppmids.values(), ...hubs.values()]) device.powerOn();
    this.restart();
  }

  private endHolds(): void {
    for (const { id } of [...this.world.gateway!.book.jobs]) {
      this.refusable((gateway) => this.activate(gateway, id));
      this.refusable((gateway) => gateway.jobs.approve(id, 'api:b'));
    }
  }

  private later(deed: () => void): void {
    this.world.clock.after(this.random.next() * DOWN_MS_MAX, deed);
  }

  private pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.random.next() * all.length)]!;
  }
}

function judge({ world, jumpsMs }: Week): void {
  assert.equal(world.broken, []);
  checkJournal(world);
  const records = world.records();
  assert.equal(checkRecords(records, jumpsMs), []);
  const commands = new Map<string, number>();
  for (const { kind, ...entry } of records) {
    const device = entry['device'] as string;
    if (kind === 'intent' && entry['intent'] === 'activate')
      commands.set(device, (commands.get(device) ?? 0) + 1);
  }
  for (const { id, activations, unasked } of world.truth.values()) {
    const most = commands.get(id) ?? 0;
    assert.ok(activations - unasked <= most, `${id}: ${activations} activations, ${most} commands`);
  }
  for (const { upgrades } of world.gateway!.book.jobs)
    for (const upgrade of upgrades) assert.ok(world.gateway!.explain(upgrade).waitsFor.length > 0);
}

const count = Number(process.env['UPLIFT_SIM_SEEDS'] ?? SEEDS.length);
const only = process.env['UPLIFT_SIM_SEED'];
const seeds = only ? [Number(only)] : Array.from({ length: count }, (_, index) => index + 1);

for (const seed of seeds) {
  test(`seed ${seed}`, async () => {
    console.log(`SEED ${seed}`);
    const startMs = performance.now();
    const week = new Week(seed);
    await week.run();
    judge(week);
    const { world, happened } = week;
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const deeds = [...happened].map(([what, times]) => `${times} ${what}`).join(', ');
    const { sequence } = world.journal!.head;
    const states = new Map<string, number>();
    for (const { upgrades } of world.gateway!.book.jobs)
      for (const { state } of upgrades) states.set(state, (states.get(state) ?? 0) + 1);
    const ends = [...states].map(([state, times]) => `${times} ${state}`).join(', ');
    console.log(`NOTE seed ${seed}: ${sequence} records in ${seconds} s; ${deeds}; ${ends}`);
    world.remove();
  });
}

test.run();
