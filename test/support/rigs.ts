/** Rigs for tests: a rig file in a folder of its own, its virtual devices in this process, the CLI beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadRig } from '../../src/config/load.ts';
import type { Rig } from '../../src/config/schema.ts';
import { startVirtualRig, type VirtualRig, type VirtualRigOptions } from '../../src/virtual/rig.ts';
import { MAIN } from './main.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const FIRMWARE = {
  old: join(ROOT, 'firmware/121D-0084-01000000-test.zigbee'),
  new: join(ROOT, 'firmware/121D-0084-02000000-test.zigbee'),
  /** 4 KiB, and removed from the list. */
  removed: join(ROOT, 'firmware/121D-0084-01800000-test-removed.zigbee'),
  wrongHardware: join(ROOT, 'firmware/121D-0084-02000000-test-wrong-hardware.zigbee'),
  list: join(ROOT, 'firmware/central-products-list.csv'),
  hubOld: join(ROOT, 'firmware/hub-1.0.0-test.mcuboot.bin'),
  hubNew: join(ROOT, 'firmware/hub-2.0.0-test.mcuboot.bin'),
  radioOld: join(ROOT, 'firmware/hub-00010000-test.gbl'),
  radioNew: join(ROOT, 'firmware/hub-00020000-test.gbl'),
  trust: join(ROOT, 'firmware/trust'),
} as const;
export const NEW_VERSION = 0x02000000;
export const OLD_VERSION = 0x01000000;

/** A client that loses no time: tests need what it does, not how long it waits. */
export const QUICK_CLIENT = {
  answerTimeoutMs: 60,
  retryPauseMs: 20,
  failuresMax: 500,
  rebootMs: 30,
  queryPeriodMs: 0,
};

/** A hub of a test rig; what is left out is quick and well. */
export interface TestHub {
  id?: string;
  /** The model file it is made after, with these keys on top; `serial` and `flash` are merged. */
  protocol?: 'smp' | 'gecko-bootloader';
  serial?: Record<string, unknown>;
  smp?: Record<string, unknown>;
  flash?: Record<string, unknown>;
  /** Instead of a pseudo-terminal in the rig's folder. */
  port?: string;
  baudRate?: number;
  /** `undefined` for a real one: nobody makes its port. */
  virtual?: Record<string, unknown> | undefined;
  /** What switches its supply. */
  power?: Record<string, unknown>;
  /** EUI-64 of its Communications Hub Function. */
  chf?: string;
}

export interface TestRigOptions {
  /** PPMIDs; without any there is no coordinator either. */
  devices?: number;
  hubs?: TestHub[];
  otaClient?: Record<string, unknown>;
  faults?: Record<string, unknown>;
  linkFaults?: Record<string, unknown>;
  linkDelayMs?: number;
  /** Instead of a free TCP port: a path for a pseudo-terminal. */
  port?: string;
  joining?: 'closed' | 'open-when-missing';
  joinTimeoutMs?: number;
  network?: 'formed' | 'blank';
  firmware?: string;
  flash?: Record<string, unknown>;
  /** Of all its devices: the id in a file of installations. */
  installation?: string;
  /** Beside the rig file. */
  auditLog?: string;
  /** Whether the rig names the products list and the trust anchors of the test material. */
  vouched?: boolean;
  /** From 1, of the rigs of one gateway: names and addresses of their own from the second on. */
  number?: number;
}

export class TestRig {
  readonly folder: string;
  readonly path: string;
  readonly rig: Rig;
  virtual: VirtualRig | undefined;

  private constructor(folder: string, path: string) {
    this.folder = folder;
    this.path = path;
    this.rig = loadRig(path);
  }

  static async make(options: TestRigOptions = {}): Promise<TestRig> {
    const folder = mkdtempSync(join(tmpdir(), 'uplift-rig-'));
    const port = options.port ?? `tcp://127.0.0.1:${await freePort()}`;
    const path = join(folder, 'rig.yaml');
    writeFileSync(join(folder, 'model.yaml'), modelText(options));
    for (const hub of hubsOf(options)) {
      writeFileSync(join(folder, `${hub.id}.model.yaml`), hubModelText(hub));
    }
    writeFileSync(path, rigText(port, options));
    return new TestRig(folder, path);
  }

  async up(options: VirtualRigOptions = {}): Promise<VirtualRig> {
    this.virtual = await startVirtualRig(this.rig, options);
    return this.virtual;
  }

  async down(): Promise<void> {
    await this.virtual?.stop();
    this.virtual = undefined;
  }

  async remove(): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  device(id = this.rig.devices[0]!.id) {
    return this.virtual!.devices.get(id)!;
  }

  hub(id = this.rig.hubs[0]!.id) {
    return this.virtual!.hubs.get(id)!;
  }

  coordinator() {
    return this.virtual!.coordinators.get('zigbee-1')!;
  }

  flashArguments(image: string = FIRMWARE.new): string[] {
    return ['flash', '--rig', this.path, '--image', image, '--cpl', FIRMWARE.list];
  }
}

/**
 * A pseudo-terminal of this process is handed down to whom it starts; one who holds both ends of its line
 * never sees it vanish. So the low descriptors are given something else.
 */
const NOT_INHERITED: number[] = new Array(125).fill(openSync('/dev/null', 'r'));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Lines of stdout as JSON, for commands run with --json. */
  events: Record<string, unknown>[];
}

export interface CliRun {
  child: ChildProcess;
  events: Record<string, unknown>[];
  done: Promise<CliResult>;
  /** Resolves with the first event that fits. */
  until(fits: (event: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Kills the command and its worker at once, as a power cut does. */
  powerCut(): Promise<void>;
}

/** `environment`: on top of this process's own. */
export function startCli(parameters: string[], environment: Record<string, string> = {}): CliRun {
  const child = spawn(process.execPath, [MAIN, ...parameters], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...NOT_INHERITED],
    env: { ...process.env, NO_COLOR: '1', ...environment },
  });
  const events: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  let stdout = '';
  let stderr = '';
  let partial = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    partial += chunk.toString();
    const lines = partial.split('\n');
    partial = lines.pop()!;
    for (const line of lines) if (line.startsWith('{')) events.push(JSON.parse(line));
    for (const wake of waiting) wake();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const done = new Promise<CliResult>((resolveDone) => {
    child.on('close', (code) => resolveDone({ code, stdout, stderr, events }));
  });
  return {
    child,
    events,
    done,
    until: (fits) =>
      new Promise((resolveFound, reject) => {
        const look = () => {
          const found = events.find(fits);
          if (!found) return;
          waiting.delete(look);
          resolveFound(found);
        };
        waiting.add(look);
        look();
        void done.then(({ code }) =>
          reject(
            new Error(`ended (${code}) before it was seen\n${stdout.slice(-2000)}\n${stderr}`),
          ),
        );
      }),
    powerCut: async () => {
      process.kill(-child.pid!, 'SIGKILL');
      await done;
    },
  };
}

export function runCli(parameters: string[]): Promise<CliResult> {
  return startCli(parameters).done;
}

export function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** A port nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolvePort) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolvePort(port));
    });
  });
}

export function sleep(waitMs: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, waitMs));
}

/** YAML reads JSON. */
function modelText(options: TestRigOptions): string {
  return JSON.stringify({
    model: 'test-ppmid',
    kind: 'ppmid',
    description: 'a PPMID for tests',
    source: 'test',
    deviceModel: {
      manufacturer: '121D',
      model: '0084',
      hardwareVersion: '01',
      hardwareRevision: '00',
    },
    imageProfile: 'gb-ppmid',
    zigbee: {
      manufacturerCode: 0x121d,
      imageType: 0x0084,
      hardwareVersion: 0x0100,
      manufacturerName: 'Uplift Virtual',
      modelIdentifier: 'VPPMID-1',
    },
    flash: {
      slotBytes: 524_288,
      eraseBlockBytes: 4096,
      programPageBytes: 256,
      eraseBlockMs: 0,
      programPageMs: 0,
      ...options.flash,
    },
  });
}

function rigText(port: string, options: TestRigOptions): string {
  return JSON.stringify({
    rig: numbered('test-rig', options),
    description: 'a rig for tests',
    state: 'state',
    ...(options.auditLog && { auditLog: options.auditLog }),
    ...(options.vouched && {
      centralProductsList: FIRMWARE.list,
      trustAnchors: FIRMWARE.trust,
    }),
    coordinators: (options.devices ?? 1) === 0 ? [] : [coordinatorOf(port, options)],
    devices: [
      ...((options.devices ?? 1) === 0 ? [] : [ppmidOf(options)]),
      ...hubsOf(options).map((hub) => ({ ...hubOf(hub), ...installationOf(options) })),
    ],
  });
}

function coordinatorOf(port: string, options: TestRigOptions): object {
  return {
    id: `zigbee-${options.number ?? 1}`,
    adapter: 'zstack',
    port,
    network: {
      panId: 0x1a62,
      extendedPanId: 'dddddddddddddddd',
      channel: 11,
      networkKey: '01030507090b0d0f00020406080a0c0d',
    },
    joining: options.joining ?? 'open-when-missing',
    joinTimeoutMs: options.joinTimeoutMs ?? 20_000,
    virtual: {
      network: options.network ?? 'formed',
      linkDelayMs: options.linkDelayMs ?? 0,
      faults: options.linkFaults ?? {},
    },
  };
}

function ppmidOf(options: TestRigOptions): object {
  const number = options.number ?? 1;
  return {
    id: numbered('ppmid', options),
    model: 'model.yaml',
    coordinator: `zigbee-${number}`,
    eui64: number === 1 ? '00:0d:6f:00:0a:90:69:e7' : `00:0d:6f:00:0b:${octet(number)}:00:01`,
    virtual: {
      firmware: options.firmware ?? FIRMWARE.old,
      count: options.devices ?? 1,
      otaClient: { ...QUICK_CLIENT, ...options.otaClient },
      faults: options.faults ?? {},
    },
    ...installationOf(options),
  };
}

function installationOf({ installation }: TestRigOptions): { installation?: string } {
  return installation === undefined ? {} : { installation };
}

function numbered(name: string, { number = 1 }: TestRigOptions): string {
  return number === 1 ? name : `${name}-${number}`;
}

function octet(value: number): string {
  return value.toString(16).padStart(2, '0');
}

type NamedHub = TestHub & { id: string };

function hubsOf({ hubs = [] }: TestRigOptions): NamedHub[] {
  return hubs.map((hub, n) => ({ ...hub, id: hub.id ?? (n === 0 ? 'hub' : `hub-${n + 1}`) }));
}

function hubOf(hub: NamedHub): object {
  const { id, port, baudRate, power, protocol = 'smp' } = hub;
  const isVirtual = !('virtual' in hub) || hub.virtual !== undefined;
  return {
    id,
    model: `${id}.model.yaml`,
    port: port ?? `ports/${id}`,
    ...(baudRate && { baudRate }),
    ...(hub.chf && { chf: hub.chf }),
    ...(power && { power }),
    ...(isVirtual && {
      virtual: {
        firmware: protocol === 'smp' ? FIRMWARE.hubOld : FIRMWARE.radioOld,
        turnRoundMs: 0,
        bootMs: 20,
        ...hub.virtual,
      },
    }),
  };
}

function hubModelText({ protocol = 'smp', serial, smp, flash }: NamedHub): string {
  const isSmp = protocol === 'smp';
  return JSON.stringify({
    model: isSmp ? 'test-hub' : 'test-hub-radio',
    kind: 'communications-hub',
    description: 'a hub for tests',
    source: 'test',
    deviceModel: {
      manufacturer: '121D',
      model: isSmp ? '00C1' : '00C2',
      hardwareVersion: '01',
      hardwareRevision: '00',
    },
    imageProfile: isSmp ? 'mcuboot' : 'gbl',
    serial: {
      protocol,
      baudRate: 1_000_000,
      bootMs: 2_000,
      ...(!isSmp && { enterBootloader: [{ send: '\nbootloader\n', waitMs: 100 }] }),
      ...serial,
    },
    ...(isSmp && { smp: { ...smp } }),
    flash: {
      slotBytes: 262_144,
      eraseBlockBytes: 4096,
      programPageBytes: 256,
      eraseBlockMs: 0,
      programPageMs: 0,
      ...flash,
    },
  });
}
