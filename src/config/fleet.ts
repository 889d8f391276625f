/** Reads the configuration of a coordinator, and looks at every file it names. Nothing is written. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UpliftError } from '../errors.ts';
import type { Problem } from './codes.ts';
import type { FileIdentity } from './duis.ts';
import { refuseAbsent, shownPath } from './files.ts';
import { type FleetDocument, fleetSchema } from './fleet-schema.ts';
import { GatewayFiles, type ServiceEnvironment } from './gateway-files.ts';
import type { ListenAddress } from './network-fields.ts';
import { fleetJsonSchema } from './schema.ts';
import { type ApiConfig, type MetricsConfig, ServiceParts } from './service-parts.ts';
import { validate } from './validate.ts';
import { readYaml, throwAny } from './yaml-source.ts';

export type FleetDatabase =
  | { kind: 'sqlite'; path: string }
  | { kind: 'postgres'; urlFile: string }
  | { kind: 'postgres'; socket: string; name: string; user: string };

/** The configuration after every check: paths absolute, defaults in. */
export interface FleetConfig {
  name: string;
  path: string;
  stateFolder: string;
  runtimeFolder: string;
  stopWithinMs: number;
  database: FleetDatabase;
  gateways: { listen: ListenAddress; tls: FileIdentity; connectionsMax: number };
  api: ApiConfig;
  trust: { anchors: string; certificates: string[]; revocationLists: string[] };
  metrics: MetricsConfig;
  settings: { [K in keyof FleetDocument['settings']]: number };
  log: { level: 'debug' | 'info' | 'warning' | 'error' };
}

export interface LoadedFleet {
  config: FleetConfig;
  warnings: readonly Problem[];
}

/** @throws ConfigError */
export function loadFleet(
  path: string,
  environment: ServiceEnvironment = process.env,
): LoadedFleet {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const source = readYaml(absolute, shownPath(absolute));
  const document = validate(fleetSchema, source, fleetJsonSchema);
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const files = new GatewayFiles({ path: absolute, source, environment, problems, warnings });
  const parts = new ServiceParts({ source, environment, problems, files });
  files.checkItself();
  const stateFolder = parts.stateFolder('fleet', document.fleet);
  const runtimeFolder = parts.runtimeFolder('fleet', document.fleet, stateFolder);
  const config: FleetConfig = {
    name: document.fleet.name,
    path: absolute,
    ...{ stateFolder, runtimeFolder, stopWithinMs: document.fleet.stopWithinMs },
    database: databaseOf(document.database, files, stateFolder),
    gateways: gatewaysOf(document.gateways, files),
    api: parts.api(document.api, join(runtimeFolder, 'fleet.sock')),
    trust: trustOf(document.trust, files),
    metrics: parts.metrics(document.metrics, document.api),
    settings: settingsOf(document.settings),
    log: document.log,
  };
  throwAny(problems);
  return { config, warnings };
}

/** Whether the file is such a one, and not of a gateway. */
export function isFleetFile(path: string): boolean {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  return readYaml(absolute, shownPath(absolute)).has(['fleet']);
}

/** What the database is reached by; a secret, where its file has a password in it. @throws UpliftError */
export function databaseUrl(database: Exclude<FleetDatabase, { kind: 'sqlite' }>): string {
  if (!('urlFile' in database)) {
    const { socket, name, user } = database;
    const [folder, base, who] = [socket, name, user].map(encodeURIComponent);
    return `postgres://${who}@/${base}?host=${folder}`;
  }
  const url = readFileSync(database.urlFile, 'utf8').trim();
  if (/^postgres(ql)?:\/\/\S+$/.test(url)) return url;
  throw new UpliftError('database-url', 'the file of the database has no address in it', {
    expected: 'one line: postgres://user:password@host:5432/name',
    actual: 'another text, which is not shown',
    next: 'write the address into the file that database.postgres.urlFile names',
  });
}

/** What is said of them. */
function settingsOf(settings: FleetDocument['settings']): FleetConfig['settings'] {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function databaseOf(
  { sqlite, postgres }: FleetDocument['database'],
  files: GatewayFiles,
  stateFolder: string,
): FleetDatabase {
  if (!postgres) {
    const path = sqlite === undefined ? join(stateFolder, 'fleet.db') : files.absolute(sqlite);
    return { kind: 'sqlite', path };
  }
  const { urlFile, socket = '', name, user } = postgres;
  if (urlFile === undefined) {
    return { kind: 'postgres', socket: files.absolute(socket), name, user };
  }
  const at = ['database', 'postgres', 'urlFile'];
  return { kind: 'postgres', urlFile: files.secret(urlFile, at) ?? '' };
}

function gatewaysOf(
  { listen, tls, connectionsMax }: FleetDocument['gateways'],
  files: GatewayFiles,
): FleetConfig['gateways'] {
  const at = ['gateways', 'tls'];
  return {
    listen,
    tls: {
      certificateFile: files.input(tls.certificateFile, [...at, 'certificateFile']) ?? '',
      keyFile: files.secret(tls.keyFile, [...at, 'keyFile']) ?? '',
    },
    connectionsMax,
  };
}

function trustOf(
  { anchors, ...lists }: FleetDocument['trust'],
  files: GatewayFiles,
): FleetConfig['trust'] {
  const inputs = (name: 'certificates' | 'revocationLists') =>
    lists[name].flatMap((path, index) => files.input(path, ['trust', name, index]) ?? []);
  return {
    anchors: files.optionalFileOrFolder(anchors, ['trust', 'anchors']) ?? '',
    certificates: inputs('certificates'),
    revocationLists: inputs('revocationLists'),
  };
}
