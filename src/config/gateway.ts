/**
 * Reads the configuration of the gateway service, the rigs it owns, and looks at every file it names.
 *
 * Paths in a file are relative to it. What is wrong is thrown, all of it at once; what may be right on
 * another day or for another user (an adapter that is unplugged, a folder of the service's) is a warning.
 * Nothing is written and no port is opened.
 */
import { join, resolve } from 'node:path';
import { type CampaignsConfig, campaignsConfig } from './campaigns.ts';
import type { Problem } from './codes.ts';
import { type DuisConfig, duisConfig } from './duis.ts';
import { keyText } from './explain.ts';
import { refuseAbsent, shownPath } from './files.ts';
import { type FrontConfig, frontConfig } from './front.ts';
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
import { loadDeviceModel } from './models.ts';
import { samePort } from './rig-builder.ts';
import { gatewayJsonSchema, type Rig } from './schema.ts';
import { type ApiConfig, type MetricsConfig, ServiceParts } from './service-parts.ts';
import { validate } from './validate.ts';
import { type KeyPath, readYaml, throwAny, type YamlSource } from './yaml-source.ts';

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
  api: ApiConfig;
  /** `listen` where `serve` is `listener`. */
  metrics: MetricsConfig;
  /** Absent: no Service Requests are taken. */
  duis: DuisConfig | undefined;
  /** Absent: no campaigns are followed. */
  campaigns: CampaignsConfig | undefined;
  /** Absent: its devices are those of its rigs. */
  front: FrontConfig | undefined;
  log: { level: 'debug' | 'info' | 'warning' | 'error' };
}

export interface LoadedGateway {
  config: GatewayConfig;
  warnings: readonly Problem[];
}

export type { ApiTcp } from './service-parts.ts';
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
  private readonly document: GatewayDocument;
  private readonly problems: Problem[] = [];
  private readonly warnings: Problem[] = [];
  private readonly files: GatewayFiles;
  private readonly parts: ServiceParts;

  constructor(
    path: string,
    source: YamlSource,
    document: GatewayDocument,
    environment: ServiceEnvironment,
  ) {
    this.path = path;
    this.document = document;
    const { problems, warnings } = this;
    this.files = new GatewayFiles({ path, source, environment, problems, warnings });
    this.parts = new ServiceParts({ source, environment, problems, files: this.files });
  }

  build(): LoadedGateway {
    const { document, files } = this;
    files.checkItself();
    const stateFolder = this.parts.stateFolder('gateway', document.gateway);
    const runtimeFolder = this.parts.runtimeFolder('gateway', document.gateway, stateFolder);
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
      api: this.parts.api(document.api, join(runtimeFolder, 'uplift.sock')),
      metrics: this.parts.metrics(this.document.metrics, this.document.api),
      duis: document.duis && duisConfig(document.duis, files),
      campaigns: document.campaigns && campaignsConfig(document.campaigns, files),
      front:
        document.front &&
        frontConfig(document.front, files, (path, at) =>
          this.nested(at, 'input-wrong', () => loadDeviceModel(path)),
        ),
      log: document.log,
    };
    throwAny(this.problems);
    return { config, warnings: this.warnings };
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

  private nested<T>(
    path: KeyPath,
    code: 'rig-wrong' | 'input-wrong',
    load: () => T,
  ): T | undefined {
    return this.parts.nested(path, code, load);
  }

  private add(code: Problem['code'], path: KeyPath, expected: string, found: string): void {
    this.parts.add(code, path, expected, found);
  }
}
