/**
 * A gateway of a fleet in the simulation: the real gateway, follower and agent over devices that follow a
 * seed, a journal that outlives its processes, and a WAN that comes and goes. It can be ended at any moment.
 */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { UpliftError } from '../../src/errors.ts';
import { FleetAgent } from '../../src/fleet/agent/agent.ts';
import type { BeatSettings } from '../../src/fleet/agent/beat-settings.ts';
import type { ToldJournal } from '../../src/fleet/agent/event-source.ts';
import type { FleetLink } from '../../src/fleet/agent/fleet-link.ts';
import { Follower } from '../../src/fleet/agent/follower.ts';
import { inventoryOf } from '../../src/fleet/agent/inventory.ts';
import type { Brief, FieldDevice } from '../../src/gateway/field.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { Timers } from '../../src/ports.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { NO_FLOORS } from '../../src/trust/rollback.ts';
import type { SeededRandom } from '../../src/virtual/random.ts';
import { HARDWARE, TRUST } from '../campaign/campaigns.ts';
import {
  MemoryJournal,
  ProcessTimers,
  ScriptedField,
  type ScriptedRun,
} from '../gateway/gateway-desk.ts';

const MINUTE_MS = 60_000;
const ANSWER_MS = 10_000;
const LOOK_MS = 60 * MINUTE_MS;

/** What a device does with an upgrade. */
export interface Temper {
  /** Of a hundred. */
  fails: number;
  /** Seldom heard: that it answers, of a hundred. */
  answers: number;
}

export interface DeviceTruth {
  name: string;
  version: string;
  /** Upgrades that ended well, by version. */
  upgrades: string[];
}

export interface FleetGatewayOptions {
  id: string;
  fleet: string;
  names: readonly string[];
  timers: Timers;
  random: SeededRandom;
  link: FleetLink;
  folder: string;
  certificate: string;
  token: string;
  temper(): Temper;
  /** Version that an image leads to. */
  versionOf(image: string): string;
  settings: BeatSettings;
}

const WORDS = ['image-refused-by-device', 'device-reverted', 'transfer-given-up', 'upload-refused'];

export class FleetGateway {
  readonly options: FleetGatewayOptions;
  readonly truth: DeviceTruth[];
  readonly journal = new MemoryJournal();
  follower!: Follower;
  agent!: FleetAgent;
  gateway!: Gateway;
  lives = 0;
  isUp = false;
  /** Of its clock. */
  aheadMs = 0;
  private timers!: ProcessTimers;
  private field!: ScriptedField;
  private rows: MemoryJournal['rows'];
  private readonly documents = new Map<string, Uint8Array>();
  /** Of images: the sim has none of their bytes. */
  readonly images = new Set<string>();

  constructor(options: FleetGatewayOptions) {
    this.options = options;
    this.rows = this.journal.rows;
    this.truth = options.names.map((name) => ({ name, version: '00000000', upgrades: [] }));
    mkdirSync(options.folder, { recursive: true });
  }

  start(): void {
    const { options } = this;
    const { id, timers, names, random } = options;
    this.lives++;
    this.isUp = true;
    this.timers = new ProcessTimers({
      nowMs: () => timers.nowMs() + this.aheadMs,
      after: (delayMs, task) => timers.after(delayMs, task),
    });
    const journal = new MemoryJournal(this.rows);
    const devices = names.map(
      (eui64, n): FieldDevice => ({
        ...{ id: `ppmid-${n + 1}`, kind: 'ppmid', eui64, link: 'network:zigbee-1', canHold: true },
      }),
    );
    this.field = new ScriptedField(devices);
    this.field.read = (device) => this.read(device);
    this.field.onRun = (run) => this.play(run, this.timers);
    this.gateway = new Gateway({
      ...{ timers: this.timers, journal, field: this.field, windows: {} },
      scheduler: new Scheduler(new RetryDesk(random, timers.nowMs())),
      brief: (image) => ({ image: { sha256: image } }) as unknown as Brief,
      expectedMs: () => MINUTE_MS,
      hasImage: (sha256) => this.images.has(sha256),
    });
    this.follower = new Follower({
      gateway: this.gateway,
      journal: hashed(journal),
      timers: patient(this.timers),
      identity: { id, fleet: options.fleet, windows: [], approvalsMin: 1 },
      ...{ trust: TRUST, anchorsDigest: 'anchors-1' },
      ...{ floors: () => NO_FLOORS, raiseFloors: () => {} },
      devices: devices.map((device) => ({
        ...{ id: device.id, name: device.eui64!, kind: device.kind, hardware: HARDWARE },
      })),
      imageBytes: (sha256) => (this.images.has(sha256) ? 1_000 : undefined),
      readsDaily: true,
      log: { write() {} },
    });
    this.follower.replay(hashed(journal).records(1, Number.MAX_SAFE_INTEGER));
    this.gateway.start();
    this.field.listener.pace('network:zigbee-1', 4);
    this.startAgent(devices);
  }

  private startAgent(devices: readonly FieldDevice[]): void {
    const { options, follower } = this;
    const { id, certificate, token, folder, link, random, settings } = options;
    const about = { version: 'simulated', windows: [] };
    const followed = devices.map((device) => ({
      ...{ id: device.id, name: device.eui64!, kind: device.kind, hardware: HARDWARE },
    }));
    this.agent = new FleetAgent({
      ...{ gateway: id, version: 'simulated', fingerprint: certificate, token, folder, link },
      ...{ follower, events: follower.events, timers: this.timers, random, settings },
      inventory: () => inventoryOf(about, followed, follower.readings),
      images: this.imageStore(),
      documents: {
        get: (sha256) => this.documents.get(sha256),
        put: (bytes) => {
          const sha256 = createHash('sha256').update(bytes).digest('hex');
          this.documents.set(sha256, bytes.slice());
          return sha256;
        },
      },
      log: { write() {} },
    });
    this.gateway.listen({
      record: ({ kind }) => {
        if (kind === 'device-read') this.agent.inventoryChanged();
        else this.timers.after(0, () => this.agent.wake());
      },
      progress() {},
    });
    this.agent.start();
  }

  /** As with kill -9. */
  kill(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.timers.end();
    this.follower.stop();
    void this.agent.stop();
  }

  /** What of its journal concerns campaigns. */
  get eventCount(): number {
    return this.follower.events.waiting(undefined);
  }

  private async read(device: string): Promise<{ version: string }> {
    const truth = this.truthOf(device);
    if (this.options.random.chance(this.options.temper().answers / 100))
      return { version: truth.version };
    throw new UpliftError('device-silent', 'it does not answer');
  }

  private truthOf(device: string): DeviceTruth {
    return this.truth[Number(device.slice(6)) - 1]!;
  }

  /** A download, and what comes of it; nothing of it once the process has ended. */
  private play(run: ScriptedRun, timers: Timers): void {
    const { random, temper, versionOf } = this.options;
    const truth = this.truthOf(run.task.device);
    const version = versionOf((run.task.brief.image as { sha256: string }).sha256);
    const minutes = () => MINUTE_MS * (1 + 30 * random.next());
    const step = (task: () => void) =>
      timers.after(minutes(), () => {
        if (!run.isOver) task();
      });
    // A link that is turned to answers soon.
    timers.after(ANSWER_MS, () => {
      if (run.isOver) return;
      if (run.task.announced.includes('activate')) {
        // An earlier process had it activated: what it runs says what came of that.
        if (truth.version === version) run.end('done');
        else run.end('failed', 'device-reverted');
        return;
      }
      run.say('staged', 'distributing');
      step(() => {
        if (random.chance(temper().fails / 100)) {
          const code = WORDS[Math.floor(random.next() * WORDS.length)]!;
          run.end('failed', code);
          return;
        }
        if (truth.version === version) {
          run.end('done');
          return;
        }
        run.say('distributed', 'activating');
        truth.version = version;
        truth.upgrades.push(version);
        step(() => run.end('done'));
      });
    });
  }

  private imageStore(): ConstructorParameters<typeof FleetAgent>[0]['images'] {
    const { images } = this;
    const uploads = new Map<string, { sha256: string; bytes: number; offset: number }>();
    return {
      has: (sha256) => images.has(sha256),
      begin: ({ sha256, bytes }) => {
        if (images.has(sha256)) return { ok: true, kind: 'present', sha256 };
        uploads.set(sha256, { sha256, bytes, offset: 0 });
        return { ok: true, kind: 'upload', uploadId: sha256, offset: 0 };
      },
      status: (id) => {
        const upload = uploads.get(id);
        if (!upload) return { ok: false, code: 'upload-unknown', message: '' };
        return { ok: true, offset: upload.offset, bytes: upload.bytes, expiresMs: 0 };
      },
      append: (id, offset, chunk) => {
        const upload = uploads.get(id);
        if (!upload) return { ok: false, code: 'upload-unknown', message: '' };
        upload.offset = offset + chunk.length;
        return { ok: true, offset: upload.offset };
      },
      finish: (id) => {
        const upload = uploads.get(id)!;
        uploads.delete(id);
        images.add(id);
        return { ok: true, sha256: id, bytes: upload.bytes, name: id };
      },
      abandon: (id) => {
        uploads.delete(id);
        return { ok: true };
      },
    } as ConstructorParameters<typeof FleetAgent>[0]['images'];
  }
}

/** What it looks at again and again it looks at less often: nothing that happens waits for that. */
function patient(timers: Timers): Timers {
  return {
    nowMs: () => timers.nowMs(),
    after: (delayMs, task) =>
      timers.after(delayMs < MINUTE_MS / 2 ? delayMs : Math.max(delayMs, LOOK_MS), task),
  };
}

/** A journal as it is told of: each record with a hash that follows from its place and from its content. */
function hashed(journal: MemoryJournal): ToldJournal {
  const hashOf = (row: unknown) => createHash('sha256').update(JSON.stringify(row)).digest('hex');
  return {
    get head() {
      const row = journal.rows.at(-1);
      return { sequence: journal.rows.length, hash: row ? hashOf(row) : '0'.repeat(64) };
    },
    *records(from, limit) {
      const most = Math.min(limit, journal.rows.length);
      for (const row of journal.records(from, most)) yield { ...row, hash: hashOf(row) };
    },
  };
}
