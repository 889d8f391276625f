/**
 * Reads the configuration of the gateway service, the rigs it owns, and looks at every file it names.
 *
 * Paths in a file are relative to it. What is wrong is thrown, all of it at once; what may be right on
 * another day or for another user (an adapter that is unplugged, a folder of the service's) is a warning.
 * Nothing is written and no port is opened.
 */
import { resolve } from 'node:path';
import { type CampaignsConfig, campaignsConfig } from './campaigns.ts';
import { ConfigError, type Problem } from './codes.ts';
import { type DuisConfig, duisConfig } from './duis.ts';
import { keyText } from './explain.ts';
import { refuseAbsent, shownPath } from './files.ts';
import { GatewayFiles, type ServiceEnvironment } from './gateway-files.ts';
import {
  type GatewayDocument,
  gatewaySchema,
  type RetryClass,
  type Role,
} from './gateway-schema.ts';
import type { ReadinessChoices } from './lists.ts';
import { type ListColumns, loadListColumns, loadReadinessPolicy } from './lists.ts';
import { loadRig } from './load.ts';
import type { ListenAddress } from './network-fields.ts';
import { samePort } from './rig-builder.ts';
import { gatewayJsonSchema, type Rig } from './schema.ts';
import { loadTokens } from './tokens.ts';
import { validate } from './validate.ts';
import { type KeyPath, readYaml, throwAny, type YamlSource } from './yaml-source.ts';

/** `sun_path` of a Unix socket on Linux, without its closing zero. */
const SOCKET_PATH_BYTES_MAX = 107;
const METRICS_LISTEN: ListenAddress = { host: '127.0.0.1', port: 9464 };

export interface ApiTcp {
  listen: ListenAddress;
  tls: { certificateFile: string; keyFile: string; clientCaFile: string | undefined } | undefined;
  tokensFile: string | undefined;
  /** By the common name or a DNS name of their certificate. */
  clients: { name: string; role: Role }[];
}

type AdmissionFile =
  | 'centralProductsList'
  | 'eligibleCombinations'
  | 'pendingCombinations'
  | 'installations'
  | 'columns'
  | 'readinessPolicy'
  | 'floors'
  | 'waiver';

export interface GatewayAdmission {
  intake: GatewayDocument['admission']['intake'];
  centralProductsList: string | undefined;
  eligibleCombinations: string | undefined;
  pendingCombinations: string | undefined;
  installations: string | undefined;
  columns: ListColumns | undefined;
  listsFetched: string | undefined;
  readinessPolicy: ReadinessChoices | undefined;
  /** A folder or a document. */
  trustAnchors: string | undefined;
  certificates: string[];
  revocationLists: string[];
  floors: string | undefined;
  waiver: string | undefined;
  /** EUI-64s. */
  zseSigners: string[];
  listAges: GatewayDocument['admission']['listAges'];
}

/** The configuration after every check: paths absolute, defaults in, rigs and policies read. */
export interface GatewayConfig {
  id: string;
  path: string;
  stateFolder: string;
  runtimeFolder: string;
  stopWithinMs: number;
  rigs: Rig[];
  admission: GatewayAdmission;
  schedule: GatewayDocument['schedule'];
  journal: {
    retentionDays: number;
    bytesMax: number;
    headFile: string | undefined;
    backup: { directory: string; everyHours: number; keep: number } | undefined;
  };
  images: { fileBytesMax: number; allBytesMax: number };
  api: {
    socket: { path: string; mode: number; role: Role; tokensFile?: string };
    tcp: ApiTcp | undefined;
  };
  /** `listen` where `serve` is `listener`. */
  metrics: { serve: 'off' | 'api' | 'listener'; listen: ListenAddress | undefined };
  /** Absent: no Service Requests are taken. */
  duis: DuisConfig | undefined;
  /** Absent: no campaigns are followed. */
  campaigns: CampaignsConfig | undefined;
  log: { level: 'debug' | 'info' | 'warning' | 'error' };
}

export interface LoadedGateway {
  config: GatewayConfig;
  warnings: readonly Problem[];
}

export type { RetryClass, Role, ServiceEnvironment };

/** @throws ConfigError */
export function loadGateway(
  path: string,
  environment: ServiceEnvironment = process.env,
): LoadedGateway {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const source = readYaml(absolute, shownPath(absolute));
  const document = validate(gatewaySchema, source, gatewayJsonSchema);
  return new GatewayBuilder(absolute, source, document, environment).build();
}

class GatewayBuilder {
  private readonly path: string;
  private readonly source: YamlSource;
  private readonly document: GatewayDocument;
  private readonly environment: ServiceEnvironment;
  private readonly problems: Problem[] = [];
  private readonly warnings: Problem[] = [];
  private readonly files: GatewayFiles;

  constructor(
    path: string,
    source: YamlSource,
    document: GatewayDocument,
    environment: ServiceEnvironment,
  ) {
    this.path = path;
    this.source = source;
    this.document = document;
    this.environment = environment;
    const { problems, warnings } = this;
    this.files = new GatewayFiles({ path, source, environment, problems, warnings });
  }

  build(): LoadedGateway {
    const { document, files } = this;
    files.checkItself();
    const stateFolder = this.stateFolder();
    const runtimeFolder = this.runtimeFolder(stateFolder);
    const config: GatewayConfig = {
      id: document.gateway.id,
      path: this.path,
      stateFolder,
      runtimeFolder,
      stopWithinMs: document.gateway.stopWithinMs,
      rigs: this.rigs(),
      admission: this.admission(),
      schedule: document.schedule,
      journal: this.journal(),
      images: document.images,
      api: this.api(runtimeFolder),
      metrics: this.metrics(),
      duis: document.duis && duisConfig(document.duis, files),
      campaigns: document.campaigns && campaignsConfig(document.campaigns, files),
      log: document.log,
    };
    throwAny(this.problems);
    return { config, warnings: this.warnings };
  }

  private stateFolder(): string {
    const { stateDirectory } = this.document.gateway;
    // Several may be set, with colons between: the first is the service's own.
    const given = this.environment['STATE_DIRECTORY']?.split(':')[0];
    const path = ['gateway', 'stateDirectory'];
    if (stateDirectory === undefined && (given === undefined || given === '')) {
      this.problems.push({
        code: 'key-missing',
        file: this.source.file,
        ...this.source.placeOfValue(path),
        key: keyText(path),
        expected: 'the folder of its state, or $STATE_DIRECTORY as a service manager sets it',
        found: 'neither',
        next: 'add the key "stateDirectory", or start it by its unit',
      });
      return '';
    }
    return this.files.folderToWrite(stateDirectory ?? given!, path);
  }

  private runtimeFolder(stateFolder: string): string {
    const { runtimeDirectory } = this.document.gateway;
    const given = this.environment['RUNTIME_DIRECTORY']?.split(':')[0];
    if (runtimeDirectory === undefined && !given) return resolve(stateFolder, 'run');
    return this.files.folderToWrite(runtimeDirectory ?? given!, ['gateway', 'runtimeDirectory']);
  }

  private rigs(): Rig[] {
    const rigs: Rig[] = [];
    const holders = new Map<string, KeyPath>();
    for (const [index, written] of this.document.rigs.entries()) {
      const path = ['rigs', index];
      const absolute = this.files.input(written, path, 'rig-missing');
      if (absolute === undefined) continue;
      const rig = this.nested(path, 'rig-wrong', () => loadRig(absolute));
      if (!rig) continue;
      rigs.push(rig);
      this.once(holders, rig, path);
      this.files.checkRig(rig, path);
    }
    return rigs;
  }

  /** Across rigs, as within one, a name, a port and a device are there once. */
  private once(holders: Map<string, KeyPath>, rig: Rig, path: KeyPath): void {
    const claims: { code: 'id-duplicate' | 'port-shared' | 'eui64-duplicate'; claim: string }[] = [
      { code: 'id-duplicate', claim: `the rig ${rig.id}` },
      { code: 'id-duplicate', claim: `the state folder ${rig.stateFolder}` },
      ...rig.devices.map(({ id }) => ({
        code: 'id-duplicate' as const,
        claim: `the device ${id}`,
      })),
      ...rig.coordinators.map(({ id }) => ({
        code: 'id-duplicate' as const,
        claim: `the coordinator ${id}`,
      })),
      ...rig.devices.flatMap(({ eui64 }) =>
        eui64 === undefined
          ? []
          : { code: 'eui64-duplicate' as const, claim: `the EUI-64 ${eui64}` },
      ),
      ...[...rig.coordinators, ...rig.hubs].map(({ port }) => ({
        code: 'port-shared' as const,
        claim: `the port ${samePort(port)}`,
      })),
    ];
    for (const { code, claim } of claims) {
      const holder = holders.get(claim);
      if (holder === undefined) holders.set(claim, path);
      else if (holder !== path) {
        const found = `${claim}, which ${keyText(holder)} has`;
        this.add(code, path, 'a rig that shares nothing with another', found);
      }
    }
  }

  private admission(): GatewayAdmission {
    const { admission } = this.document;
    const at = ['admission', 'trustAnchors'];
    return {
      intake: admission.intake,
      centralProductsList: this.admissionFile('centralProductsList'),
      eligibleCombinations: this.admissionFile('eligibleCombinations'),
      pendingCombinations: this.admissionFile('pendingCombinations'),
      installations: this.admissionFile('installations'),
      columns: this.admissionDocument('columns', loadListColumns),
      listsFetched: admission.listsFetched,
      readinessPolicy: this.admissionDocument('readinessPolicy', loadReadinessPolicy),
      trustAnchors: this.files.optionalFileOrFolder(admission.trustAnchors, at),
      certificates: this.admissionFiles('certificates'),
      revocationLists: this.admissionFiles('revocationLists'),
      floors: this.admissionFile('floors'),
      waiver: this.admissionFile('waiver'),
      zseSigners: admission.zseSigners,
      listAges: admission.listAges,
    };
  }

  private admissionFile(name: AdmissionFile): string | undefined {
    return this.files.optionalInput(this.document.admission[name], ['admission', name]);
  }

  private admissionFiles(name: 'certificates' | 'revocationLists'): string[] {
    return this.document.admission[name].flatMap(
      (written, index) => this.files.input(written, ['admission', name, index]) ?? [],
    );
  }

  private admissionDocument<T>(name: AdmissionFile, load: (path: string) => T): T | undefined {
    const path = this.admissionFile(name);
    if (path === undefined) return undefined;
    return this.nested(['admission', name], 'input-wrong', () => load(path));
  }

  private journal(): GatewayConfig['journal'] {
    const { headFile, backup, ...rest } = this.document.journal;
    const at = ['journal', 'backup', 'directory'];
    return {
      ...rest,
      headFile: headFile === undefined ? undefined : this.files.absolute(headFile),
      backup: backup && { ...backup, directory: this.files.folderToWrite(backup.directory, at) },
    };
  }

  private api(runtimeFolder: string): GatewayConfig['api'] {
    const { socket, tcp } = this.document.api;
    const path = this.files.absolute(socket.path ?? resolve(runtimeFolder, 'uplift.sock'));
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      const found = `${Buffer.byteLength(path)} bytes`;
      const expected = `a path of at most ${SOCKET_PATH_BYTES_MAX} bytes`;
      this.add('socket-path-long', ['api', 'socket', 'path'], expected, found);
    }
    const { mode, role, tokensFile } = socket;
    const tokens = this.tokens(tokensFile, ['api', 'socket', 'tokensFile']);
    return {
      socket: {
        ...{ path, mode: Number.parseInt(mode, 8), role },
        ...(tokens === undefined ? {} : { tokensFile: tokens }),
      },
      tcp: tcp && this.apiTcp(tcp),
    };
  }

  private apiTcp({ tls, tokensFile, ...tcp }: NonNullable<GatewayDocument['api']['tcp']>): ApiTcp {
    const { files } = this;
    const at = ['api', 'tcp', 'tls'];
    return {
      ...tcp,
      tokensFile: this.tokens(tokensFile, ['api', 'tcp', 'tokensFile']),
      tls: tls && {
        certificateFile: files.input(tls.certificateFile, [...at, 'certificateFile']) ?? '',
        keyFile: files.secret(tls.keyFile, [...at, 'keyFile']) ?? '',
        clientCaFile: files.optionalInput(tls.clientCaFile, [...at, 'clientCaFile']),
      },
    };
  }

  private tokens(written: string | undefined, at: KeyPath): string | undefined {
    const path = written === undefined ? undefined : this.files.secret(written, at);
    if (path !== undefined) this.nested(at, 'input-wrong', () => loadTokens(path));
    return path;
  }

  private metrics(): GatewayConfig['metrics'] {
    const { serve, listen } = this.document.metrics;
    const address = serve === 'listener' ? (listen ?? METRICS_LISTEN) : undefined;
    const other = this.document.api.tcp?.listen;
    if (address && other && address.port !== 0 && address.port === other.port) {
      const found = `${address.port}, which api.tcp listens on`;
      this.add('port-shared', ['metrics', 'listen'], 'a port of its own', found);
    }
    return { serve, listen: address };
  }

  /** What is read from a file of its own, whose problems are told below the key that names it. */
  private nested<T>(
    path: KeyPath,
    code: 'rig-wrong' | 'input-wrong',
    load: () => T,
  ): T | undefined {
    try {
      return load();
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      const found = `one with ${cause.problems.length} wrong, told below`;
      this.add(code, path, 'a correct file', found);
      this.problems.push(...cause.problems);
      return undefined;
    }
  }

  private add(code: Problem['code'], path: KeyPath, expected: string, found: string): void {
    const place = this.source.placeOfValue(path);
    const { file } = this.source;
    this.problems.push({ code, file, ...place, key: keyText(path), expected, found });
  }
}
