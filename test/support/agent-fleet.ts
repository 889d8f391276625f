/** TEST MATERIAL: gateway processes by the dozen (agent-process.ts), each with a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'tsup';
import { FLEET } from './fleet-material.ts';
import type { FleetSite } from './fleet-site.ts';
import { FIRMWARE } from './rigs.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Below node_modules, from where the packages are found that are left outside of it. */
const BUILT = join(ROOT, 'node_modules/.cache/agent-process');
const PROGRAM = join(BUILT, 'agent-process.js');

/** As one file: fifty processes that each read a hundred take a minute to start. */
export async function buildAgentProcess(): Promise<void> {
  await build({
    entry: { 'agent-process': join(import.meta.dirname, 'agent-process.ts') },
    outDir: BUILT,
    ...{ config: false, silent: true, splitting: false, skipNodeModulesBundle: true },
    ...{ format: 'esm', platform: 'node', target: 'node24', removeNodeProtocol: false },
  });
}

export interface AgentOptions {
  id: string;
  number: number;
  devices: number;
  url: string;
  seed: number;
}

export class AgentProcess {
  readonly id: string;
  readonly folder: string;
  readonly seed: number;
  readonly tokenFile: string;
  readonly logFile: string;
  /** How it ended where nobody ended it. */
  readonly falls: string[] = [];
  private readonly config: string;
  private child: ChildProcess | undefined;

  constructor(site: FleetSite, { id, number, devices, url, seed }: AgentOptions) {
    this.id = id;
    this.seed = seed;
    this.folder = join(site.folder, id);
    mkdirSync(this.folder);
    this.tokenFile = join(this.folder, 'enrolment');
    this.logFile = join(this.folder, 'log');
    this.config = join(this.folder, 'gateway.yaml');
    const { trustAnchors, tlsCa } = site.material;
    const coordinator = {
      ...{ url, caFile: tlsCa, enrolmentTokenFile: this.tokenFile },
      ...{ contactMs: 1_000, inventoryMs: 1_000 },
    };
    const rig = join(this.folder, 'rig.yaml');
    writeFileSync(rig, JSON.stringify(rigOf(number, devices)));
    writeFileSync(join(this.folder, 'model.yaml'), JSON.stringify(MODEL));
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id, stateDirectory: this.state },
        rigs: [rig],
        admission: { intake: 'bench', centralProductsList: FIRMWARE.list, trustAnchors },
        campaigns: { fleet: FLEET, coordinator },
      }),
    );
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  get fieldFile(): string {
    return join(this.state, 'field.jsonl');
  }

  get isUp(): boolean {
    return this.child !== undefined;
  }

  start(): void {
    const log = openSync(this.logFile, 'a');
    const child = spawn(process.execPath, [PROGRAM, this.config, `${this.seed}`], {
      cwd: ROOT,
      stdio: ['ignore', log, log],
    });
    this.child = child;
    child.on('close', (code, signal) => {
      // Ended by somebody, it is another one by now, or none.
      if (this.child !== child) return;
      this.child = undefined;
      this.falls.push(`${this.id} ended by itself (${code ?? signal}): ${this.lastWords()}`);
    });
  }

  kill9(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** In good order. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  lastWords(): string {
    return readFileSync(this.logFile, 'utf8').slice(-1_000);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (!child) return;
    this.child = undefined;
    const closed = new Promise((done) => child.once('close', done));
    child.kill(signal);
    await closed;
  }
}

const MODEL = {
  ...{ model: 'test-ppmid', kind: 'ppmid', description: 'a PPMID for tests', source: 'test' },
  deviceModel: {
    ...{ manufacturer: '121D', model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
  },
  imageProfile: 'gb-ppmid',
  zigbee: {
    ...{ manufacturerCode: 0x121d, imageType: 0x0084, hardwareVersion: 0x0100 },
    ...{ manufacturerName: 'Uplift Virtual', modelIdentifier: 'VPPMID-1' },
  },
  flash: {
    ...{ slotBytes: 524_288, eraseBlockBytes: 4096, programPageBytes: 256 },
    ...{ eraseBlockMs: 0, programPageMs: 0 },
  },
};

/** Nobody opens its port: it says which devices there are. */
function rigOf(number: number, devices: number): object {
  const octets = number.toString(16).padStart(4, '0');
  return {
    ...{ rig: `rig-${number}`, description: 'a rig for tests', state: 'rig-state' },
    coordinators: [
      {
        ...{ id: 'zigbee-1', adapter: 'zstack', port: 'tcp://127.0.0.1:1' },
        network: {
          ...{ panId: 0x1a62, extendedPanId: 'dddddddddddddddd', channel: 11 },
          networkKey: '01030507090b0d0f00020406080a0c0d',
        },
        ...{ joining: 'closed', virtual: { network: 'formed' } },
      },
    ],
    devices: [
      {
        ...{ id: 'ppmid', model: 'model.yaml', coordinator: 'zigbee-1' },
        eui64: `00:0d:6f:00:${octets.slice(0, 2)}:${octets.slice(2)}:00:01`,
        virtual: { firmware: FIRMWARE.old, count: devices },
      },
    ],
  };
}
