/**
 * TEST MATERIAL: a coordinator as it is installed: a configuration, its keys, people with tokens, and the
 * process `uplift fleet serve`, which may be killed and started again at the same place.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../src/api/client.ts';
import { FLEET, type FleetMaterial, writeFleetMaterial } from './fleet-material.ts';
import { type CliResult, type CliRun, FIRMWARE, freePort, runCli, startCli } from './rigs.ts';

/** Who submits a campaign does not start it. */
export const PEOPLE = { ann: 'operator', olive: 'operator', victor: 'viewer' } as const;
export type Person = keyof typeof PEOPLE;

export interface FleetSiteOptions {
  /** In place of SQLite: the address of a PostgreSQL. */
  database?: string;
  settings?: Record<string, number>;
}

export class FleetSite {
  readonly folder: string;
  readonly material: FleetMaterial;
  private readonly options: FleetSiteOptions;
  private readonly tokens: string;

  constructor(options: FleetSiteOptions = {}) {
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-'));
    this.material = writeFleetMaterial(join(this.folder, 'keys'), FIRMWARE.trust);
    const lines = Object.entries(PEOPLE).map(([name, role]) => {
      const token = tokenOf(name);
      writeFileSync(this.tokenFile(name as Person), `${token}\n`, { mode: 0o600 });
      return `${role} ${name} sha256:${createHash('sha256').update(token).digest('hex')}\n`;
    });
    this.tokens = this.secret('tokens', lines.join(''));
  }

  tokenFile(person: Person): string {
    return join(this.folder, `${person}.token`);
  }

  /** One of any number of coordinators over the same database. */
  async coordinator(name = 'fleet'): Promise<CoordinatorProcess> {
    const state = join(this.folder, name);
    mkdirSync(state);
    const { coordinatorTls, trustAnchors } = this.material;
    const { database, settings = {} } = this.options;
    const port = await freePort();
    const config = join(state, 'fleet.yaml');
    const socket = join(state, 'run/fleet.sock');
    const postgres =
      database === undefined
        ? {}
        : { database: { postgres: { urlFile: this.secret('database', database) } } };
    const document = {
      fleet: { name: FLEET, stateDirectory: state },
      gateways: { listen: `127.0.0.1:${port}`, tls: coordinatorTls },
      api: { socket: { role: 'admin', tokensFile: this.tokens } },
      trust: { anchors: trustAnchors },
      ...{ ...postgres, settings },
    };
    writeFileSync(config, JSON.stringify(document));
    return new CoordinatorProcess(config, socket, port, (person) => this.tokenFile(person));
  }

  /** A file that nobody else reads: its path. */
  secret(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Made and signed by the real commands: its path. */
  async signed(document: { id: string } & Record<string, unknown>): Promise<string> {
    const { author, approver } = this.material;
    const source = join(this.folder, `${document.id}.json`);
    const path = join(this.folder, `${document.id}.campaign`);
    writeFileSync(source, JSON.stringify(document));
    await ok('campaign', 'make', source, '--author', author.certificateFile, '--out', path);
    for (const [as, { certificateFile, keyFile }] of Object.entries({ author, approver })) {
      const by = ['--certificate', certificateFile, '--key', keyFile];
      await ok('campaign', 'sign', path, '--as', as, ...by);
    }
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class CoordinatorProcess {
  readonly port: number;
  readonly socket: string;
  private readonly config: string;
  private readonly tokenFileOf: (person: Person) => string;
  private run: CliRun | undefined;

  constructor(
    config: string,
    socket: string,
    port: number,
    tokenFileOf: (person: Person) => string,
  ) {
    this.config = config;
    this.socket = socket;
    this.port = port;
    this.tokenFileOf = tokenFileOf;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Without a command: quicker, for what a test looks at again and again. */
  get client(): ApiClient {
    return new ApiClient(this.socket, { served: { name: 'coordinator', start: 'start it' } });
  }

  async start(): Promise<void> {
    this.run = startCli(['fleet', 'serve', '--config', this.config]);
    await this.run.until(({ code }) => code === 'ready');
  }

  async kill9(): Promise<void> {
    await this.run?.powerCut();
    this.run = undefined;
  }

  /** In good order. */
  async stop(): Promise<CliResult | undefined> {
    this.run?.child.kill('SIGTERM');
    const result = await this.run?.done;
    this.run = undefined;
    return result;
  }

  /** `uplift fleet ...`, asked by that person. */
  ask(person: Person, ...words: string[]): Promise<CliResult> {
    const by = ['--socket', this.socket, '--token-file', this.tokenFileOf(person)];
    return runCli(['fleet', ...words, ...by]);
  }

  /** The same, which has to be done: what it answers. */
  async told<T>(person: Person, ...words: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.ask(person, ...words, '--json');
    assert.is(code, 0, `${words.join(' ')}\n${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }
}

async function ok(...words: string[]): Promise<void> {
  const { code, stdout, stderr } = await runCli(words);
  assert.is(code, 0, `${words.join(' ')}\n${stdout}${stderr}`);
}

function tokenOf(name: string): string {
  return `token-of-${name}-`.padEnd(40, 'x');
}
