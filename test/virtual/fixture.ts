/** What the tests of the virtual devices share: a model, rigs, images, and a clock that is told the time. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ppmidModelSchema } from '../../src/config/ppmid-schema.ts';
import { rigSchema, type ZigbeeDeviceDocument } from '../../src/config/rig-schema.ts';
import type {
  OtaClientConfig,
  PpmidDevice,
  PpmidFaults,
  PpmidModel,
  Rig,
} from '../../src/config/schema.ts';
import { encodeOtaImage } from '../../src/image/zigbee-ota.ts';
import type { Scheduled, Scheduler } from '../../src/virtual/scheduler.ts';

export const MANUFACTURER = 0x1234;
export const IMAGE_TYPE = 0x0084;
export const VERSION_OLD = 0x01000000;
export const VERSION_NEW = 0x02000001;
export const NETWORK_KEY = '01030507090b0d0f00020406080a0c0d';

export function makeModel(overrides: { flash?: Partial<PpmidModel['flash']> } = {}): PpmidModel {
  return ppmidModelSchema.parse({
    model: 'test-ppmid',
    kind: 'ppmid',
    description: 'a PPMID of the tests',
    source: 'none',
    deviceModel: {
      manufacturer: '1234',
      model: '0001',
      hardwareVersion: '01',
      hardwareRevision: '00',
    },
    imageProfile: 'zigbee-ota',
    zigbee: {
      manufacturerCode: MANUFACTURER,
      imageType: IMAGE_TYPE,
      hardwareVersion: 0x0101,
      manufacturerName: 'Uplift Test',
      modelIdentifier: 'PPMID-TEST',
    },
    flash: {
      slotBytes: 524_288,
      eraseBlockBytes: 4_096,
      programPageBytes: 256,
      eraseBlockMs: 0,
      programPageMs: 0,
      ...overrides.flash,
    },
    otaClient: { answerTimeoutMs: 500, retryPauseMs: 50, queryPeriodMs: 0, rebootMs: 20 },
  });
}

/** An image of about `bytes`, with content that repeats nowhere near. */
export function makeImage(fileVersion: number, bytes: number): Uint8Array {
  const data = new Uint8Array(bytes);
  let state = fileVersion ^ bytes;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    data[i] = state >>> 16;
  }
  return encodeOtaImage({
    manufacturerCode: MANUFACTURER,
    imageType: IMAGE_TYPE,
    fileVersion,
    headerString: 'Uplift test image',
    minimumHardwareVersion: 0x0100,
    maximumHardwareVersion: 0x01ff,
    elements: [{ tag: 0, data }],
  });
}

export interface RigShape {
  devices?: number;
  port?: string;
  network?: 'formed' | 'blank';
  linkDelayMs?: number;
  linkFaults?: object;
  model?: PpmidModel;
  otaClient?: Partial<OtaClientConfig>;
  faults?: Partial<PpmidFaults>;
}

/** A rig in a folder of its own; `remove` it at the end of the test. */
export function makeRig(shape: RigShape = {}): Rig & { remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-virtual-'));
  const firmwarePath = join(folder, 'factory.ota');
  writeFileSync(firmwarePath, makeImage(VERSION_OLD, 64));
  const count = shape.devices ?? 1;
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const document = rigSchema.parse({
    rig: 'test',
    description: 'a rig of the tests',
    state: './state',
    coordinators: [
      {
        id: 'coordinator',
        adapter: 'zstack',
        port: 'tcp://127.0.0.1:1',
        network: {
          panId: 0x1a62,
          extendedPanId: 'dddddddddddddd01',
          channel: 15,
          networkKey: NETWORK_KEY,
        },
        virtual: {
          network: shape.network ?? 'formed',
          linkDelayMs: shape.linkDelayMs ?? 0,
          faults: shape.linkFaults ?? {},
        },
      },
    ],
    devices: ids.map((id) => ({
      id: `ppmid-${id}`,
      model: 'unused.yaml',
      coordinator: 'coordinator',
      eui64: `000d6f000a9${(0x10000 + id).toString(16)}`,
      virtual: { firmware: 'factory.ota', faults: shape.faults ?? {} },
    })),
  });
  const model = shape.model ?? makeModel();
  // Port 0, any free one, is for tests only: a rig file has to name a port.
  document.coordinators[0]!.port = shape.port ?? 'tcp://127.0.0.1:0';
  const ppmids = (document.devices as ZigbeeDeviceDocument[]).map(
    (device): PpmidDevice => ({
      kind: 'ppmid',
      id: device.id,
      eui64: device.eui64,
      coordinator: device.coordinator,
      installCode: undefined,
      installation: undefined,
      model,
      virtual: {
        firmwarePath,
        otaClient: { ...model.otaClient, ...shape.otaClient },
        faults: device.virtual!.faults,
      },
    }),
  );
  return {
    id: document.rig,
    description: document.description,
    path: join(folder, 'rig.yaml'),
    stateFolder: join(folder, 'state'),
    centralProductsList: undefined,
    trustAnchors: undefined,
    admission: undefined,
    auditLog: undefined,
    wan: [],
    coordinators: document.coordinators,
    devices: ppmids,
    ppmids,
    hubs: [],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Time that moves only when a test says so; equal times run in the order in which they were asked for. */
export class SimulatedScheduler implements Scheduler {
  private timeMs: number;
  private order = 0;
  private tasks: { atMs: number; order: number; task: () => void }[] = [];

  constructor(startMs = 1_000_000) {
    this.timeMs = startMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  /** Tasks that are still to run: they would keep a process from ending. */
  get pending(): number {
    return this.tasks.length;
  }

  after(delayMs: number, task: () => void): Scheduled {
    const entry = { atMs: this.timeMs + Math.max(0, delayMs), order: this.order++, task };
    this.tasks.push(entry);
    return {
      cancel: () => {
        this.tasks = this.tasks.filter((other) => other !== entry);
      },
    };
  }

  /** When the next task is due; Infinity where there is none. */
  get nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.tasks) nextMs = Math.min(nextMs, atMs);
    return nextMs;
  }

  /** Runs everything due within `durationMs`; an endless chain of tasks is an error. */
  run(durationMs: number, tasksMax = 100_000): void {
    const untilMs = this.timeMs + durationMs;
    for (let ran = 0; ; ran++) {
      if (ran > tasksMax) throw new Error(`more than ${tasksMax} tasks`);
      let next: (typeof this.tasks)[number] | undefined;
      for (const entry of this.tasks) {
        if (entry.atMs > untilMs) continue;
        if (
          !next ||
          entry.atMs < next.atMs ||
          (entry.atMs === next.atMs && entry.order < next.order)
        ) {
          next = entry;
        }
      }
      if (next === undefined) break;
      this.tasks = this.tasks.filter((entry) => entry !== next);
      this.timeMs = next.atMs;
      next.task();
    }
    this.timeMs = untilMs;
  }
}
