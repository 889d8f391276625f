/** A coordinator of tests, on a clock that stands still, and gateways with a journal as they keep it. */
import { equal, ok } from 'node:assert/strict';
import type { Test } from 'uvu';
import type { Manifest } from '../../../src/campaign/manifest.ts';
import { encodeManifest } from '../../../src/campaign/manifest.ts';
import type { Coordinator } from '../../../src/fleet/coordinator/control.ts';
import { openCoordinator } from '../../../src/fleet/coordinator/coordinator.ts';
import type { DatabaseSpec } from '../../../src/fleet/coordinator/database.ts';
import type { CoordinatorSettings } from '../../../src/fleet/coordinator/settings.ts';
import type {
  EventBatch,
  FleetEvent,
  InventoryDevice,
  JournalMark,
} from '../../../src/fleet/wire.ts';
import type { Timers } from '../../../src/ports.ts';
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

export const AUTHOR = 'api:ann';
export const OPERATOR = 'api:olive';
export const MINUTE_MS = 60_000;

export const IMAGE_FILE = new Uint8Array(300_000).map((_, at) => at * 7 + (at >> 8));
export const TEST_IMAGE = { ...IMAGE, sha256: sha256Hex(IMAGE_FILE), bytes: IMAGE_FILE.length };

/** Time that passes when a test says so; what is due then is done. */
export class TestClock implements Timers {
  #nowMs = NOW;
  #tasks: { atMs: number; task: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void) {
    const entry = { atMs: this.#nowMs + delayMs, task };
    this.#tasks.push(entry);
    return {
      cancel: () => {
        this.#tasks = this.#tasks.filter((one) => one !== entry);
      },
    };
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#tasks.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#tasks = this.#tasks.filter((one) => !due.includes(one));
    for (const { task } of due) task();
  }
}

export function open(
  database: DatabaseSpec,
  clock: Timers,
  settings: Partial<CoordinatorSettings> = {},
): Promise<Coordinator> {
  const log = { write: () => {} };
  const trust = () => TRUST;
  return openCoordinator({ database, fleet: 'north', trust, clock, log, settings });
}

/** One ring of all, and room for all, unless a test says otherwise. */
export function fleetManifest(changes: Partial<Manifest> = {}): Manifest {
  const [target] = changed({}).targets;
  return changed({
    images: [TEST_IMAGE],
    targets: [{ ...target!, image: TEST_IMAGE.sha256 }],
    rings: [{ name: 'all', all: true, untilPercent: 90 }],
    pace: { first: 100, growthPercent: 100, afterSucceeded: 1, most: 100 },
    aborts: [{ failure: 'any', count: 1000 }],
    activation: { when: 'now' },
    ...changes,
  });
}

export function document(changes: Partial<Manifest> = {}, signers = [ANN, BOB]): Uint8Array {
  return signedBy(encodeManifest(fleetManifest(changes)), ...signers);
}

export const digestOf = (changes: Partial<Manifest> = {}) =>
  sha256Hex(encodeManifest(fleetManifest(changes)));

export async function* inChunks(bytes: Uint8Array, size = 70_001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function uploadImage(coordinator: Coordinator): Promise<void> {
  const { sha256, bytes } = TEST_IMAGE;
  return coordinator.putBlob(sha256, bytes, inChunks(IMAGE_FILE), AUTHOR);
}

/** Uploaded, submitted and started. */
export async function startCampaign(
  coordinator: Coordinator,
  changes: Partial<Manifest> = {},
): Promise<string> {
  await uploadImage(coordinator);
  const { id } = await coordinator.submit(document(changes), AUTHOR);
  await coordinator.start(id, OPERATOR);
  return id;
}

/** `gateway` and a number of its own; 16 digits. */
export function deviceName(gateway: number, device: number): string {
  return (gateway * 0x1_0000 + device + 1).toString(16).padStart(16, '0');
}

export function inventoryDevice(device: string, firmwareVersion = '01000000'): InventoryDevice {
  return { device, id: `ppmid-${device}`, kind: 'ppmid', ...HARDWARE, firmwareVersion };
}

export const hashOf = (text: string) => sha256Hex(new TextEncoder().encode(text));

/** A coordinator on a database of its own, and its clock. */
export interface Place {
  coordinator: Coordinator;
  clock: TestClock;
  database: DatabaseSpec;
}

/** Makes a database that nobody used. */
export type MakeDatabase = () => DatabaseSpec | Promise<DatabaseSpec>;

/** Registers a test that has a coordinator to itself. */
export type FleetTest = (
  name: string,
  body: (place: Place) => Promise<void>,
  settings?: Partial<CoordinatorSettings>,
) => void;

export function fleetTest(test: Test<object>, makeDatabase: MakeDatabase): FleetTest {
  return (name, body, settings) =>
    test(name, async () => {
      const clock = new TestClock();
      const database = await makeDatabase();
      const coordinator = await open(database, clock, settings);
      try {
        await body({ coordinator, clock, database });
      } finally {
        await coordinator.close();
      }
    });
}

/** Any refusal, by its code. */
export async function refusesWith(code: string, work: Promise<unknown>): Promise<void> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  equal((error as { code?: string } | undefined)?.code ?? 'taken', code);
}

type Told = Pick<FleetEvent, 'device' | 'phase'> & Partial<FleetEvent>;

/** Of one gateway: it has a journal, and tells of it in stretches. */
export class TestGateway {
  readonly id: string;
  readonly number: number;
  readonly devices: readonly string[];
  readonly #coordinator: Coordinator;
  readonly #clock: Timers;
  mark: JournalMark | undefined;
  /** Digest of the one that its events are of. */
  campaign = digestOf();

  constructor(coordinator: Coordinator, clock: Timers, number: number, devices: number) {
    this.#coordinator = coordinator;
    this.#clock = clock;
    this.id = `gateway-${number}`;
    this.number = number;
    this.devices = Array.from({ length: devices }, (_, at) => deviceName(number, at));
  }

  get certificate(): string {
    return hashOf(this.id);
  }

  async enrol(region?: string): Promise<this> {
    const { token } = await this.#coordinator.addGateway(this.id, OPERATOR);
    await this.#coordinator.enrol(token, this.id, '1.0.0', this.certificate);
    const devices = this.devices.map((device) => inventoryDevice(device));
    const own = { version: '1.0.0', windows: ['night'], devices };
    await this.#coordinator.takeInventory(this.id, region === undefined ? own : { ...own, region });
    return this;
  }

  /** The devices it may start now. */
  async granted(): Promise<string[]> {
    const desired = await this.#coordinator.desired(this.id, undefined);
    ok(desired);
    return desired.campaigns.flatMap(({ devices }) => devices.map(({ device }) => device));
  }

  /** The next stretch; each event is a record of its own. */
  batch(...told: readonly Told[]): EventBatch {
    const from = this.mark?.sequence ?? 0;
    const events = told.map((one, at) => ({
      sequence: from + at + 1,
      atMs: this.#clock.nowMs(),
      campaign: this.campaign,
      attempt: 1,
      ...one,
    }));
    const sequence = from + told.length + 1;
    const through = { sequence, hash: hashOf(`${this.id} ${sequence}`) };
    return { ...(this.mark ? { after: this.mark } : {}), through, events };
  }

  async tell(...told: readonly Told[]): Promise<void> {
    const batch = this.batch(...told);
    const { journal } = await this.#coordinator.takeEvents(this.id, batch);
    this.mark = journal;
  }
}
