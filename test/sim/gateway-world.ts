/**
 * A gateway and two devices in one process under one clock: the real core, field, hosts, sessions and OTA
 * server, a virtual hub at the end of a simulated line and a virtual PPMID behind a simulated coordinator.
 * Each thing the gateway does to the world is counted, and the process can be gone at any of them: then
 * nothing more of it has effect, and another is started over what was kept.
 */
import { resolve } from 'node:path';
import { gatherImageFacts } from '../../src/admission/facts.ts';
import { loadRig } from '../../src/config/load.ts';
import type { HubDevice, PpmidDevice, Rig } from '../../src/config/schema.ts';
import type { CoordinatorSite } from '../../src/gateway/coordinator-host.ts';
import type { Brief } from '../../src/gateway/field.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { LoadedImage } from '../../src/gateway/image-library.ts';
import { RigField } from '../../src/gateway/rig-field.ts';
import type { Distribution } from '../../src/gateway/state-folder.ts';
import type { CoordinatorLink } from '../../src/gateway/zigbee-device.ts';
import type { SiteEvent } from '../../src/gateway/zigbee-site.ts';
import { isOver } from '../../src/jobs/states.ts';
import type { Link, LinkListener, Timers } from '../../src/ports.ts';
import { OTA_CLUSTER, OTA_COMMAND } from '../../src/protocol/zcl-ota/codec.ts';
import type { DeviceReading } from '../../src/protocol/zcl-ota/device-reading.ts';
import { ZclOtaServer } from '../../src/protocol/zcl-ota/server.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import type { AssignRequest, Method, Methods } from '../../src/transport/zigbee/messages.ts';
import type { HubEvent } from '../../src/virtual/communications-hub/board.ts';
import { VirtualHub } from '../../src/virtual/communications-hub/hub.ts';
import { VirtualPpmid } from '../../src/virtual/ppmid.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { MemoryJournal } from '../gateway/gateway-desk.ts';
import { counting, naiveImage } from '../image/naive-ota.ts';
import { GEOMETRY, makeImage } from '../virtual/communications-hub/fixture.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

const SITE = resolve(import.meta.dirname, '../../hw-config/rigs/virtual-site.yaml');
const OLD = 0x01000000;
const NEW = 0x02000000;
const RADIO_MS = 5;
const BLOCK_BYTES = 50;
const HOUR_MS = 3_600_000;

const OTA_FILE = naiveImage({
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: NEW,
  hardware: [0x0100, 0x01ff],
  body: counting(400),
});
const HUB_OLD = makeImage({ version: [1, 0, 0, 0], bodyBytes: 600 });
const HUB_NEW = makeImage({ version: [2, 0, 0, 0], bodyBytes: 900 });
const IMAGES = { ppmid: 'a'.repeat(64), hub: 'b'.repeat(64) };

/** Whether the process is gone before the deed is done, or after it. */
export type CrashSide = 'before' | 'after';

export interface Crash {
  at: number;
  side: CrashSide;
}

export class GatewayWorld {
  readonly clock = new SimulatedScheduler();
  readonly hub: VirtualHub;
  readonly ppmid: VirtualPpmid;
  readonly hubEvents: HubEvent[] = [];
  /** Deeds of all processes so far. */
  deeds = 0;
  /** Blocks of image data that left for the PPMID. */
  blocks = 0;
  /** What is on disk. */
  journal = new MemoryJournal();
  readonly distributions = new Map<string, Distribution>();
  gateway!: Gateway;
  /** Of the process that lives. */
  generation = 0;
  crashes: Crash[];
  hubListener: LinkListener | undefined;
  site: SimulatedSite | undefined;
  private readonly rig: Rig;

  constructor(crashes: Crash[] = []) {
    this.crashes = crashes;
    this.rig = smallRig();
    this.hub = new VirtualHub({
      flash: GEOMETRY,
      firmware: HUB_OLD.bytes,
      scheduler: this.clock,
      write: (bytes) => this.hubListener?.received(bytes),
      onEvent: (event) => this.hubEvents.push(event),
    });
    this.hub.powerOn();
    const { model, eui64, virtual } = this.rig.ppmids[0]!;
    this.ppmid = new VirtualPpmid({
      ...{ id: 'ppmid', eui64, model, fileVersion: OLD, scheduler: this.clock },
      otaClient: { ...virtual!.otaClient, answerTimeoutMs: 500, retryPauseMs: 50, rebootMs: 200 },
      faults: virtual!.faults,
      random: new SeededRandom(1),
      network: {
        uplink: (_, { clusterId, payload }) => {
          if (clusterId !== OTA_CLUSTER) return;
          this.clock.after(RADIO_MS, () => this.site?.hears(payload));
        },
        announce: () => this.site?.announced(),
        findServer: () => 1,
        rejoinWithNewAddress: () => {},
        forget: () => {},
      },
    });
    this.ppmid.networkUp();
    this.clock.run(1_000);
  }

  /** A process over what is on disk. */
  start(): void {
    const mine = ++this.generation;
    this.hubListener = undefined;
    this.site = undefined;
    this.journal = new MemoryJournal(this.journal.rows);
    const timers: Timers = {
      nowMs: () => this.clock.nowMs(),
      after: (delayMs, task) =>
        this.clock.after(delayMs, () => {
          if (this.isAlive(mine)) task();
        }),
    };
    const field = new RigField({
      rigs: [this.rig],
      ports: {
        timers,
        newSite: (_, onEvent) => new SimulatedSite(this, mine, onEvent),
        newLink: () => new SimulatedLine(this, mine),
        isPresent: async () => true,
        records: () => ({
          distribution: (eui64) => this.distributions.get(eui64),
          rememberDistribution: (eui64, record) =>
            this.deed(mine, () => this.distributions.set(eui64, record)),
          forgetDistribution: (eui64) => this.deed(mine, () => this.distributions.delete(eui64)),
        }),
      },
    });
    const { journal } = this;
    const append = journal.append.bind(journal);
    journal.append = (entries, nowMs) => {
      const written = this.deed(mine, () => append(entries, nowMs));
      return written ?? [];
    };
    const records = journal.records.bind(journal);
    journal.records = (from, limit) => (this.isAlive(mine) ? records(from, limit) : empty());
    this.gateway = new Gateway({
      ...{ timers, journal, field },
      scheduler: new Scheduler(new RetryDesk({ next: () => 0.5 }, this.clock.nowMs())),
      brief: (image, device) => this.brief(image, device),
      expectedMs: () => 60_000,
      hasImage: () => true,
      windows: {},
    });
    this.gateway.start();
  }

  /** One job a device. */
  ask(): void {
    const deadlineMs = this.clock.nowMs() + 48 * HOUR_MS;
    for (const [device, image] of [
      ['ppmid-1', IMAGES.ppmid],
      ['hub', IMAGES.hub],
    ] as const) {
      if (this.gateway.book.openFor(device).length > 0 || this.jobOf(device)) continue;
      const request = {
        image,
        devices: [device],
        activation: { when: 'now' },
        priority: 0,
      } as const;
      this.gateway.createJob({ ...request, deadlineMs, requestId: device }, 'cli:test');
    }
  }

  /** Until both upgrades are over; a process that is gone is followed by another. */
  async settle(mostMs = 24 * HOUR_MS): Promise<void> {
    const endMs = this.clock.nowMs() + mostMs;
    for (;;) {
      if (!this.isAlive(this.generation)) {
        this.clock.run(700);
        this.living(() => this.start());
        await drained();
      }
      if (this.isAlive(this.generation)) this.living(() => this.ask());
      await drained();
      if (this.isAlive(this.generation) && this.isSettled) return;
      if (this.clock.nowMs() > endMs) throw new Error(`not over: ${this.story()}`);
      this.living(() => this.clock.run(5));
      await drained();
    }
  }

  get isSettled(): boolean {
    const states = [this.stateOf('ppmid-1'), this.stateOf('hub')];
    return states.every(
      (state) => state !== undefined && isOver(state) && state !== 'unknown-outcome',
    );
  }

  stateOf(device: string) {
    return this.jobOf(device)?.upgrades[0]?.state;
  }

  codeOf(device: string): string | undefined {
    return this.jobOf(device)?.upgrades[0]?.code;
  }

  story(): string {
    const rows = this.journal.rows.flatMap((row) =>
      row.kind === 'state' || row.kind === 'intent'
        ? `${row['device']} ${row['state'] ?? row['intent']}${row['code'] ? ` (${row['code']})` : ''}`
        : row.kind === 'gateway-started'
          ? '*'
          : [],
    );
    return rows.join(', ');
  }

  isAlive(generation: number): boolean {
    return generation === this.generation && !this.isDead;
  }

  /** Nothing of a process that is gone has effect. */
  deed<T>(generation: number, work: () => T): T | undefined {
    if (!this.isAlive(generation)) return undefined;
    const at = ++this.deeds;
    const crash = this.crashes[0]?.at === at ? this.crashes.shift() : undefined;
    if (crash?.side === 'before') {
      this.die();
      return undefined;
    }
    const result = work();
    if (crash) this.die();
    return result;
  }

  /** What a process stumbles over that is gone already is nobody's. */
  private living(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.isAlive(this.generation)) throw error;
    }
  }

  /** At first there is none. */
  private isDeadAt = 0;

  private get isDead(): boolean {
    return this.isDeadAt === this.generation;
  }

  private die(): void {
    this.isDeadAt = this.generation;
    this.hubListener = undefined;
    this.site = undefined;
  }

  private jobOf(device: string) {
    return this.gateway.book.jobOfRequest(device);
  }

  private brief(image: string, device: string): Brief {
    const isPpmid = device !== 'hub';
    const file = isPpmid ? OTA_FILE : HUB_NEW.bytes;
    const gathered = gatherImageFacts(file, { profile: isPpmid ? 'gb-ppmid' : 'mcuboot' });
    if (!gathered.facts.ok) throw new Error(gathered.facts.message);
    const loaded: LoadedImage = {
      path: image,
      file,
      facts: gathered.facts,
      image: gathered.image,
      hubImage: gathered.hubImage,
      sendBytes: gathered.image?.bytes ?? gathered.hubImage!.sendBytes,
      sha256: gathered.facts.sendSha256,
    };
    const policy = {
      listRequired: false,
      unsignedImage: 'warn',
      unverifiedSignature: 'warn',
    } as const;
    return { image: loaded, list: undefined, policy, context: undefined };
  }
}

class SimulatedLine implements Link {
  readonly name = 'simulated';
  isOpen = false;
  private readonly world: GatewayWorld;
  private readonly generation: number;

  constructor(world: GatewayWorld, generation: number) {
    this.world = world;
    this.generation = generation;
  }

  async open(listener: LinkListener): Promise<void> {
    if (!this.world.isAlive(this.generation)) return new Promise(() => {});
    this.isOpen = true;
    this.world.hubListener = listener;
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    const { world } = this;
    const sent = bytes.slice();
    world.deed(this.generation, () => world.hub.receive(sent));
    world.clock.after(0, () => {
      if (world.isAlive(this.generation)) taken(true);
    });
  }

  async drained(): Promise<void> {}
  async discard(): Promise<void> {}
  async setBaudRate(): Promise<boolean> {
    return true;
  }
  async setSignals(): Promise<boolean> {
    return true;
  }
  async sendBreak(): Promise<boolean> {
    return true;
  }
  async close(): Promise<void> {
    this.isOpen = false;
    if (this.world.isAlive(this.generation)) this.world.hubListener = undefined;
  }
}

class SimulatedSite implements CoordinatorSite, CoordinatorLink {
  private readonly world: GatewayWorld;
  private readonly generation: number;
  private readonly onEvent: (event: SiteEvent) => void;
  private readonly server = new ZclOtaServer();
  private readonly device: number;
  private timer: { cancel(): void } | undefined;

  constructor(world: GatewayWorld, generation: number, onEvent: (event: SiteEvent) => void) {
    this.world = world;
    this.generation = generation;
    this.onEvent = onEvent;
    this.device = this.server.addDevice();
  }

  async open(): Promise<CoordinatorLink> {
    this.world.site = this;
    return this;
  }

  async missing(): Promise<PpmidDevice[]> {
    return [];
  }

  async close(): Promise<void> {}

  call<M extends Method>(method: M, parameters: Methods[M][0]): Promise<Methods[M][1]> {
    const { world } = this;
    return new Promise((answer) => {
      const isDone = world.deed(this.generation, () => {
        this.carryOut(method, parameters);
        return true;
      });
      // Whoever asked a process that is gone waits for ever.
      if (!isDone) return;
      const result = method === 'read' ? this.reading() : {};
      world.clock.after(2 * RADIO_MS, () => {
        if (world.isAlive(this.generation)) answer(result as Methods[M][1]);
      });
    });
  }

  hears(payload: Uint8Array): void {
    if (!this.world.isAlive(this.generation)) return;
    this.server.handleFrame(this.device, payload, this.world.clock.nowMs());
    this.pump();
  }

  announced(): void {
    this.tell({ kind: 'announced', eui64: this.world.ppmid.eui64 });
  }

  private carryOut(method: Method, parameters: unknown): void {
    const { server, device } = this;
    const nowMs = this.world.clock.nowMs();
    switch (method) {
      case 'assign': {
        const { triple, authorised, resumable, activation, stallMs } = parameters as AssignRequest;
        const image = Uint8Array.from(OTA_FILE);
        const pace = { blockPeriodMs: 0, paceBy: 'delay', blockBytesMax: BLOCK_BYTES } as const;
        const more = { image, triple, authorised, resumable, activation, stallMs };
        server.assign(device, { ...more, ...pace }, nowMs);
        break;
      }
      case 'authorise':
        server.authorise(device, (parameters as Methods['authorise'][0]).admitted, nowMs);
        break;
      case 'notify':
        server.notify(device, 0);
        break;
      case 'activate':
        server.activate(device, (parameters as Methods['activate'][0]).activation, nowMs);
        break;
      case 'abort':
        server.abort(device);
        break;
      case 'release':
        server.release(device);
        break;
      default:
        break;
    }
    this.pump();
  }

  private reading(): DeviceReading {
    const { ppmid } = this.world;
    const { record } = ppmid.client;
    const isHeld = record?.complete === true;
    return {
      manufacturerName: undefined,
      modelIdentifier: undefined,
      softwareBuild: undefined,
      currentFileVersion: ppmid.fileVersion,
      downloadedFileVersion: isHeld ? record.fileVersion : undefined,
      imageUpgradeStatus: ppmid.client.upgradeStatus,
      fileOffset: undefined,
      upgradeTimeoutPolicy: undefined,
    };
  }

  private pump(): void {
    const { world, server } = this;
    const nowMs = world.clock.nowMs();
    for (let out = server.pollTransmit(nowMs); out; out = server.pollTransmit(nowMs)) {
      const payload = out.bytes.slice();
      world.deed(this.generation, () => {
        if (payload[2] === OTA_COMMAND.imageBlockResponse && payload[3] === 0) world.blocks++;
        world.clock.after(RADIO_MS, () => {
          const way = { sourceEndpoint: 1, destinationEndpoint: 1, broadcast: false };
          world.ppmid.receive({ clusterId: OTA_CLUSTER, ...way, payload });
        });
      });
    }
    for (let event = server.pollEvent(); event; event = server.pollEvent()) {
      const { device: _, ...rest } = event;
      this.tell({ ...rest, eui64: world.ppmid.eui64 } as never);
    }
    this.timer?.cancel();
    const atMs = server.pollTimeout();
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.timer = world.clock.after(Math.max(0, atMs - nowMs), () => {
      if (!world.isAlive(this.generation)) return;
      server.handleTimeout(world.clock.nowMs());
      this.pump();
    });
  }

  private tell(event: Extract<SiteEvent, { kind: 'link' }>['event']): void {
    if (!this.world.isAlive(this.generation)) return;
    this.onEvent({ kind: 'link', coordinator: 'zigbee-1', event });
  }
}

/** One PPMID and the hub of the virtual site. */
function smallRig(): Rig {
  const rig = loadRig(SITE);
  const [ppmid] = rig.ppmids;
  const hub = rig.hubs[0] as HubDevice;
  const coordinators = rig.coordinators.filter(({ id }) => id === ppmid!.coordinator);
  return { ...rig, coordinators, ppmids: [ppmid!], hubs: [hub], devices: [ppmid!, hub] };
}

function* empty(): Generator<never> {}

/** Promises of what was just done have gone as far as they can. */
function drained(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
