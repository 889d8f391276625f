/**
 * A whole gateway and all that hangs on it, in one process and on one simulated clock: the gateway with
 * its rig field, sessions and journal as they are in service; virtual coordinators, PPMIDs and hubs that
 * go on whatever becomes of it. Processes are started and killed; what is on disk is all that they share.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hubModelSchema } from '../../src/config/hub-schema.ts';
import { ppmidFaults } from '../../src/config/ppmid-schema.ts';
import type {
  CoordinatorConfig,
  HubDevice,
  OtaClientConfig,
  PpmidDevice,
  Rig,
} from '../../src/config/schema.ts';
import { UpliftError } from '../../src/errors.ts';
import type { GatewayRecord } from '../../src/gateway/control.ts';
import type { Brief, Field } from '../../src/gateway/field.ts';
import { Gateway, type GatewayLimits, type GatewayOptions } from '../../src/gateway/gateway.ts';
import { ImageFile } from '../../src/gateway/image-library.ts';
import type { DistributionRecords } from '../../src/gateway/ppmid-run.ts';
import type { GatewayJournal } from '../../src/gateway/record-keeper.ts';
import { RigField } from '../../src/gateway/rig-field.ts';
import type { Distribution } from '../../src/gateway/state-folder.ts';
import type { JobRequest } from '../../src/jobs/records.ts';
import { isOver } from '../../src/jobs/states.ts';
import type { PaceOptions } from '../../src/schedule/pace.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import type { FileSystem } from '../../src/store/files.ts';
import { realFiles } from '../../src/store/files.ts';
import { Journal, type JournalOptions } from '../../src/store/journal.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import type { HubEvent } from '../../src/virtual/communications-hub/board.ts';
import { VirtualHub } from '../../src/virtual/communications-hub/hub.ts';
import { VirtualPpmid } from '../../src/virtual/ppmid.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { GEOMETRY, makeImage as makeHubImage } from '../virtual/communications-hub/fixture.ts';
import {
  makeModel,
  makeImage as makePpmidImage,
  NETWORK_KEY,
  VERSION_NEW,
  VERSION_OLD,
} from '../virtual/fixture.ts';
import { Killed, ProcessImage, SimulatedClock } from './clock.ts';
import { SimulatedPort } from './serial-port.ts';
import { SimulatedNetwork, SimulatedSite } from './zigbee-network.ts';

export const HOUR_MS = 3_600_000;

/** Small, so that every point of an upgrade can be tried: a dozen blocks, a few chunks. */
const PPMID_IMAGE = makePpmidImage(VERSION_NEW, 500);
const HUB_OLD = makeHubImage({ version: [1, 0, 0, 0], bodyBytes: 600 });
const HUB_NEW = makeHubImage({ version: [2, 0, 0, 0], bodyBytes: 900 });

export const PPMID_SHA256 = sha256Hex(PPMID_IMAGE);
export const HUB_SHA256 = sha256Hex(HUB_NEW.bytes);
const HUB_VERSION_NEW = '2.0.0';

const PPMID_MODEL = makeModel();
const HUB_MODEL = hubModelSchema.parse({
  model: 'simulated-hub',
  kind: 'communications-hub',
  description: 'a hub of the simulation',
  source: 'none',
  deviceModel: {
    manufacturer: '121D',
    model: '00C1',
    hardwareVersion: '01',
    hardwareRevision: '00',
  },
  imageProfile: 'mcuboot',
  serial: { protocol: 'smp', bootMs: 2_000 },
  smp: {},
  flash: GEOMETRY,
});
const root = temporaryFolder('sim');
let worlds = 0;

const POLICY = {
  listRequired: false,
  unsignedImage: 'warn',
  unverifiedSignature: 'warn',
} as const;

export interface WorldShape {
  coordinators?: number;
  /** Behind each coordinator. */
  ppmids?: number;
  hubs?: number;
  seed?: number;
  /** Of the image for PPMIDs, behind its header. */
  ppmidImageBytes?: number;
  /** How PPMIDs ask, where it is another way than their model's. */
  otaClient?: Partial<OtaClientConfig>;
  /** Measured where it is given. */
  pace?: Partial<PaceOptions>;
  gateway?: Partial<Omit<GatewayOptions, 'limits'>>;
  limits?: GatewayLimits;
  /** For a defect that a test plants. */
  wrapField?: (field: Field, world: GatewayWorld) => Field;
  wrapRecords?: (records: DistributionRecords, world: GatewayWorld) => DistributionRecords;
}

export interface ProcessFaults {
  killAt?: number;
  files?: FileSystem;
  beforeCommit?: () => void;
}

/** Beside its own lines of code: what a device did, whatever a gateway says of it. */
export interface DeviceTruth {
  id: string;
  /** Times it restarted into an image it was sent. */
  activations: number;
  /** Of them those that nobody commanded: a PPMID takes silence for consent. */
  unasked: number;
  runsNew: boolean;
  /** Image blocks that left for it, by offset. PPMIDs only. */
  blocks: Map<number, number>;
}

export class GatewayWorld {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly folder = join(root, `${++worlds}`);
  readonly networks: SimulatedNetwork[] = [];
  readonly ports = new Map<string, SimulatedPort>();
  readonly ppmids = new Map<string, VirtualPpmid>();
  readonly hubs = new Map<string, VirtualHub>();
  readonly rig: Rig;
  /** Of the gateway's clock before the devices'. */
  readonly wall = { aheadMs: 0 };
  /** What was on disk when it was acknowledged. */
  readonly acknowledged = new Map<number, string>();
  readonly truth = new Map<string, DeviceTruth>();
  /** Promises that were broken on the way. */
  readonly broken: string[] = [];
  image!: ProcessImage;
  gateway: Gateway | undefined;
  journal: Journal | undefined;
  kills = 0;
  readonly shape: WorldShape;
  private readonly ppmidSha256: string;
  private field: Field | undefined;
  private readonly imageFiles = new Map<string, ImageFile>();
  private readonly sent = new Map<string, Uint8Array>();
  private readonly distributions = new Map<string, Distribution>();
  private readonly byEui64 = new Map<string, string>();
  /** Devices whose admission was looked up, by the process it was of. */
  private admitted = new Set<string>();

  /** When every device has started. */
  static async begin(shape: WorldShape = {}): Promise<GatewayWorld> {
    const world = new GatewayWorld(shape);
    await world.clock.run(1_000);
    return world;
  }

  private constructor(shape: WorldShape) {
    this.shape = shape;
    this.random = new SeededRandom(shape.seed ?? 1);
    mkdirSync(this.folder);
    const { ppmidImageBytes } = shape;
    const ppmidImage =
      ppmidImageBytes === undefined ? PPMID_IMAGE : makePpmidImage(VERSION_NEW, ppmidImageBytes);
    this.ppmidSha256 = sha256Hex(ppmidImage);
    for (const bytes of [ppmidImage, HUB_NEW.bytes]) {
      const sha256 = sha256Hex(bytes);
      const path = join(this.folder, sha256);
      writeFileSync(path, bytes);
      this.imageFiles.set(sha256, new ImageFile(path, {}, bytes));
    }
    this.sent.set(this.ppmidSha256, ppmidImage);
    const coordinators = numbers(shape.coordinators ?? 1).map(coordinatorConfig);
    const ppmids = coordinators.flatMap((config, at) => this.buildNetwork(config, at));
    const hubs = numbers(shape.hubs ?? 1).map((number) => this.buildHub(number));
    this.rig = rigOf(coordinators, ppmids, hubs);
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  // ---- processes --------------------------------------------------------------------------------------

  /** False where it was killed before it had started. @throws UpliftError where it does not start */
  start({ killAt, files, beforeCommit }: ProcessFaults = {}): boolean {
    assert.ok(!this.gateway, 'one gateway at a time');
    const image = new ProcessImage(this.clock, killAt, this.wall);
    this.image = image;
    this.admitted = new Set();
    this.clock.isTouched = true;
    try {
      const options: JournalOptions = {
        files: countedFiles(files ?? realFiles, image),
        beforeCommit: () => {
          image.step('journal commit');
          beforeCommit?.();
        },
      };
      const { nowMs } = image.timers;
      this.journal = Journal.open(join(this.folder, 'journal'), options, nowMs()).journal;
      this.gateway = this.build(image, this.journal);
      this.gateway.start();
      return true;
    } catch (error) {
      if (error instanceof Killed) return false;
      this.kill();
      throw error;
    }
  }

  /** Its process is gone; all it had open is closed as the system closes it. */
  kill(): void {
    this.kills++;
    this.image.kill();
    for (const network of this.networks) network.take(undefined);
    for (const port of this.ports.values()) port.take(undefined);
    try {
      this.journal?.close();
    } catch (error) {
      const isExpected = error instanceof Killed || error instanceof UpliftError;
      if (!isExpected && !('code' in (error as object))) throw error;
    }
    this.journal = undefined;
    this.gateway = undefined;
    this.field = undefined;
  }

  /** As asked to: its devices are left, its field is closed, its journal too. */
  async stop(): Promise<void> {
    const { gateway, field, journal } = this;
    this.image.enter(() => gateway!.stop());
    let isClosed = false;
    void field!.close().then(() => {
      isClosed = true;
    });
    await this.clock.until(() => isClosed, HOUR_MS);
    journal!.close();
    this.kill();
  }

  /** Forgets all that is on disk. */
  remove(): void {
    if (this.gateway) this.kill();
    for (const hub of this.hubs.values()) hub.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // ---- what is asked ----------------------------------------------------------------------------------

  request(devices: readonly string[], change: Partial<JobRequest> = {}): JobRequest {
    const image = devices[0]!.startsWith('hub') ? HUB_SHA256 : this.ppmidSha256;
    return {
      ...{ image, devices, activation: { when: 'now' }, priority: 0 },
      deadlineMs: this.image.timers.nowMs() + 24 * HOUR_MS,
      ...change,
    };
  }

  /** Within the process: undefined where it is killed by it. */
  ask<T>(question: (gateway: Gateway) => T): T | undefined {
    let answer: T | undefined;
    this.image.enter(() => {
      answer = question(this.gateway!);
    });
    return answer;
  }

  /** Everything that is on record of upgrades is over. */
  get isOver(): boolean {
    const { gateway } = this;
    if (!this.image.isAlive || !gateway) return false;
    for (const job of gateway.book.jobs)
      for (const { state } of job.upgrades)
        if (!isOver(state) || state === 'unknown-outcome') return false;
    return true;
  }

  /** Another of its kind, as from the factory, in its place. */
  replace(id: string): void {
    const ppmid = this.ppmids.get(id);
    const hub = this.hubs.get(id);
    ppmid?.powerOff();
    hub?.powerOff();
    if (ppmid) {
      ppmid.fileVersion = VERSION_OLD;
      ppmid.client.dropDownload();
    }
    if (hub) {
      for (let area = 0; area < hub.flash.areaCount; area++)
        hub.flash.load(area, new Uint8Array(GEOMETRY.slotBytes).fill(0xff));
      hub.flash.load(0, HUB_OLD.bytes);
    }
    this.truth.get(id)!.runsNew = false;
    ppmid?.powerOn();
    hub?.powerOn();
  }

  records(): GatewayRecord[] {
    return [...this.journal!.records()] as GatewayRecord[];
  }

  // ---- promises that are checked while it runs --------------------------------------------------------

  /** A byte of an image leaves for the device. */
  private bytesLeave(device: string): void {
    if (this.admitted.has(device)) return;
    const isAdmitted = this.records().some((record) => admits(record, device));
    if (isAdmitted) this.admitted.add(device);
    else this.broken.push(`1: bytes for ${device} before its admission was on record`);
  }

  private activationLeaves(device: string): void {
    const isAnnounced = this.records().some(
      ({ kind, ...entry }) =>
        kind === 'intent' && entry['device'] === device && entry['intent'] === 'activate',
    );
    if (!isAnnounced) this.broken.push(`4: ${device} acts on a command that is not on record`);
  }

  // ---- building ---------------------------------------------------------------------------------------

  private build(image: ProcessImage, journal: Journal): Gateway {
    const { timers } = image;
    const rigField = new RigField({
      rigs: [this.rig],
      ports: {
        timers,
        newSite: ({ id }, onEvent) => this.newSite(id, image, onEvent),
        newLink: ({ id }) => this.ports.get(id)!.newLink(image),
        isPresent: async ({ id }) => this.ports.get(id)!.isPresent,
        records: () => this.recordsFor(image),
      },
      ...(this.shape.pace ? { pace: this.shape.pace } : {}),
    });
    this.field = this.shape.wrapField?.(rigField, this) ?? rigField;
    return new Gateway({
      timers,
      journal: this.watched(journal, image),
      field: this.field,
      scheduler: new Scheduler(new RetryDesk(this.random, timers.nowMs())),
      brief: (sha256, device) => this.brief(sha256, device),
      expectedMs: () => 60_000,
      hasImage: (sha256) => this.imageFiles.has(sha256),
      windows: {},
      ...this.shape.gateway,
      ...(this.shape.limits ? { limits: this.shape.limits } : {}),
    });
  }

  private brief(sha256: string, id: string): Brief {
    const device = this.rig.devices.find((one) => one.id === id)!;
    const image = this.imageFiles.get(sha256)!.for(device.model.imageProfile);
    return { image, list: undefined, policy: POLICY, context: undefined };
  }

  /** The journal, and what it acknowledged. */
  private watched(journal: Journal, image: ProcessImage): GatewayJournal {
    const keep = ({ sequence, hash }: { sequence: number; hash: string }) =>
      this.acknowledged.set(sequence, hash);
    return {
      get head() {
        return journal.head;
      },
      append: (entries, nowMs) => {
        image.assertAlive('append');
        const records = journal.append(entries, nowMs);
        for (const record of records) keep(record);
        return records;
      },
      note: (entry, nowMs, key) => {
        image.assertAlive('note');
        journal.note(entry, nowMs, key);
      },
      records: (from, limit) => journal.records(from, limit),
      pollTimeout: () => journal.pollTimeout(),
      handleTimeout: (nowMs) => {
        image.assertAlive('timeout');
        journal.handleTimeout(nowMs);
      },
    };
  }

  private newSite(
    coordinator: string,
    image: ProcessImage,
    onEvent: ConstructorParameters<typeof SimulatedSite>[5],
  ): SimulatedSite {
    const network = this.networks.find(({ config }) => config.id === coordinator)!;
    const idOf = (eui64: string) => this.byEui64.get(eui64)!;
    const watch = {
      block: (eui64: string, offset: number) => {
        this.bytesLeave(idOf(eui64));
        const { blocks } = this.truth.get(idOf(eui64))!;
        blocks.set(offset, (blocks.get(offset) ?? 0) + 1);
      },
      activate: (eui64: string) => this.activationLeaves(idOf(eui64)),
    };
    const imageOf = (sha256: string) => this.sent.get(sha256)!;
    return new SimulatedSite(network, image, this.clock, watch, imageOf, onEvent);
  }

  /** What the state folder keeps; a record is there or not, as a file that is renamed. */
  private recordsFor(image: ProcessImage): DistributionRecords {
    const { distributions } = this;
    const records: DistributionRecords = {
      distribution: (eui64) => distributions.get(eui64),
      rememberDistribution: (eui64, distribution) => {
        image.step('remember a distribution');
        distributions.set(eui64, distribution);
      },
      forgetDistribution: (eui64) => {
        image.step('forget a distribution');
        distributions.delete(eui64);
      },
    };
    return this.shape.wrapRecords?.(records, this) ?? records;
  }

  private buildNetwork(config: CoordinatorConfig, at: number): PpmidDevice[] {
    const network = new SimulatedNetwork(config, this.clock, this.random);
    this.networks.push(network);
    return numbers(this.shape.ppmids ?? 1).map((number) => {
      const id = `ppmid-${at + 1}-${number}`;
      const eui64 = `000d6f0${at}000${(0x10000 + number).toString(16)}`;
      this.byEui64.set(eui64, id);
      const truth = newTruth(id);
      let isCommanded = false;
      this.truth.set(id, truth);
      const ppmid: VirtualPpmid = new VirtualPpmid({
        ...{ id, eui64, model: PPMID_MODEL, fileVersion: VERSION_OLD },
        otaClient: { ...PPMID_MODEL.otaClient, ...this.shape.otaClient },
        faults: NO_PPMID_FAULTS,
        scheduler: this.clock,
        random: this.random,
        network: {
          uplink: (_, frame) => network.uplink(eui64, frame),
          announce: () => network.announce(eui64),
          findServer: () => 1,
          rejoinWithNewAddress: () => network.announce(eui64),
          forget: () => {},
        },
        onEvent: ({ kind }) => {
          if (kind === 'count-down') isCommanded = true;
          if (kind !== 'activated' && kind !== 'reverted') return;
          truth.activations++;
          if (!isCommanded) truth.unasked++;
          isCommanded = false;
          truth.runsNew = kind === 'activated';
        },
      });
      network.add(ppmid);
      this.ppmids.set(id, ppmid);
      const coordinator = config.id;
      return {
        ...{ kind: 'ppmid', id, eui64, coordinator, model: PPMID_MODEL },
        ...{ installCode: undefined, installation: undefined, virtual: undefined },
      };
    });
  }

  private buildHub(number: number): HubDevice {
    const id = `hub-${number}`;
    const port = new SimulatedPort(id, this.clock, this.random);
    const truth = newTruth(id);
    this.truth.set(id, truth);
    const hub: VirtualHub = new VirtualHub({
      flash: GEOMETRY,
      firmware: HUB_OLD.bytes,
      seed: number,
      scheduler: this.clock,
      write: (bytes) => port.fromHub(bytes),
      onEvent: (event) => this.hubDid(truth, event),
      onChange: () => {
        if (hub.isPowered && this.journal && this.image.isAlive) this.bytesLeave(id);
      },
    });
    port.hub = hub;
    hub.powerOn();
    this.ports.set(id, port);
    this.hubs.set(id, hub);
    return {
      ...{ kind: 'hub', id, port: `/dev/${id}`, baudRate: 115_200, model: HUB_MODEL },
      ...{ serialNumber: undefined, eui64: undefined, installation: undefined, virtual: undefined },
    };
  }

  private hubDid(truth: DeviceTruth, event: HubEvent): void {
    if (event.kind === 'application-started')
      truth.runsNew = event.version.startsWith(HUB_VERSION_NEW);
    if (event.kind !== 'image-swapped' || event.swap === 'refused') return;
    if (event.swap === 'revert') return;
    truth.activations++;
    if (this.journal && this.image.isAlive) this.activationLeaves(truth.id);
  }
}

/** What every journal has to fulfil, whatever happened: promises 2 and 3, and the machine of states. */
export function checkJournal(world: GatewayWorld): void {
  const records = world.records();
  const lines = records.map((record) => JSON.stringify(record));
  assert.equal(world.journal!.check().findings, [], 'the chain is whole');
  assert.is(lines.length, records.length);
  const hashes = new Map(records.map(({ sequence, ...rest }) => [sequence, rest['hash']]));
  for (const [sequence, hash] of world.acknowledged)
    assert.is(hashes.get(sequence), hash, `record ${sequence} was acknowledged`);
  for (const { kind, sequence, ...entry } of records) {
    if (kind !== 'state') continue;
    const isFinal = entry['owner'] === 'nobody';
    assert.is(typeof entry['untilMs'], isFinal ? 'undefined' : 'number', `record ${sequence}`);
  }
}

function admits({ kind, subject, decision }: GatewayRecord, device: string): boolean {
  if (kind !== 'decision' || (subject as { device: string }).device !== device) return false;
  const { verdict, conditional } = decision as { verdict: string; conditional: boolean };
  return verdict !== 'refused' && !conditional;
}

/** Operations that change what is on disk; reading is not one. */
function countedFiles(files: FileSystem, image: ProcessImage): FileSystem {
  return {
    open(path, flags) {
      if (flags === 'w' || flags === 'wx') image.step('make a file');
      return files.open(path, flags);
    },
    read: (descriptor, target, position) => files.read(descriptor, target, position),
    write(descriptor, bytes, position) {
      image.step('write a file');
      return files.write(descriptor, bytes, position);
    },
    sync(descriptor) {
      image.step('sync a file');
      files.sync(descriptor);
    },
    syncData(descriptor) {
      image.step('sync data');
      files.syncData(descriptor);
    },
    close: (descriptor) => files.close(descriptor),
    status: (path) => files.status(path),
    rename(from, to) {
      image.step('rename a file');
      files.rename(from, to);
    },
    remove(path) {
      image.step('remove a file');
      files.remove(path);
    },
    makeFolder(path) {
      image.step('make a folder');
      files.makeFolder(path);
    },
    list: (path) => files.list(path),
    freeBytes: (path) => files.freeBytes(path),
  };
}

const NO_PPMID_FAULTS = ppmidFaults.parse({});

function newTruth(id: string): DeviceTruth {
  return { id, activations: 0, unasked: 0, runsNew: false, blocks: new Map() };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function coordinatorConfig(number: number): CoordinatorConfig {
  return {
    id: `zigbee-${number}`,
    adapter: 'zstack',
    port: 'tcp://127.0.0.1:1',
    baudRate: 115_200,
    rtscts: false,
    network: {
      panId: 0x1a60 + number,
      extendedPanId: `dddddddddddddd0${number}`,
      channel: 15,
      networkKey: NETWORK_KEY,
    },
    joining: 'closed',
    joinTimeoutMs: 60_000,
  };
}

function rigOf(coordinators: CoordinatorConfig[], ppmids: PpmidDevice[], hubs: HubDevice[]): Rig {
  return {
    ...{ id: 'sim', description: 'a rig of the simulation', path: 'rig.yaml' },
    ...{ stateFolder: 'state', centralProductsList: undefined, trustAnchors: undefined },
    ...{ admission: undefined, auditLog: undefined, wan: [] },
    ...{ coordinators, devices: [...ppmids, ...hubs], ppmids, hubs },
  };
}
