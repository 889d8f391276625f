/**
 * `uplift config check`: what is wrong with the configuration of a service, a gateway or a coordinator, with line and key,
 * before it is started; and what it comes to with every default in it. No secret is shown: the
 * configuration holds none, and the files of secrets are named and not read out.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { describeProblem, type Problem } from '../config/codes.ts';
import type { FileIdentity } from '../config/duis.ts';
import { databaseUrl, isFleetFile, loadFleet } from '../config/fleet.ts';
import { type GatewayConfig, loadGateway } from '../config/gateway.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { checkFront } from '../fleet/front/start.ts';
import {
  loadCentralProductsList,
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from '../gateway/list-library.ts';
import { loadSigningIdentity } from '../gateway/signing-identity.ts';
import {
  loadCertificates,
  loadRevocationLists,
  loadVersionFloors,
  loadWaiver,
} from '../gateway/trust-documents.ts';
import { loadTrust } from '../gateway/trust-folder.ts';
import { errorLines, type Output, paint, table } from './output.ts';

/** Where the package puts it. */
const DEFAULT_CONFIG = '/etc/uplift/gateway.yaml';

export interface ConfigOptions {
  config?: string;
}

export function checkConfig(options: ConfigOptions, output: Output): ExitCode {
  const path = options.config ?? DEFAULT_CONFIG;
  const { shown, faults, warnings } = isFleetFile(path) ? checkedFleet(path) : checkedGateway(path);
  const troubles = [
    ...warnings.map((warning) => `${paint('yellow', 'warning')} ${describeProblem(warning)}`),
    ...faults.flatMap(({ key, error }) => {
      const [first, ...rest] = errorLines(error);
      return [`${key}: ${first}`, ...rest];
    }),
  ];
  const verdict =
    faults.length > 0
      ? `${faults.length} of the files it names ${faults.length === 1 ? 'is' : 'are'} wrong`
      : `${path} is right${warnings.length > 0 ? `, with ${warnings.length} warnings` : ''}`;
  const document = {
    config: shown,
    warnings,
    faults: faults.map(({ key, error }) => ({ key, code: error.code, message: error.message })),
  };
  output.result(document, [...table(rowsOf(shown)), '', ...troubles, verdict], troubles);
  return faults.length > 0 ? EXIT.usage : EXIT.done;
}

interface Checked {
  shown: Record<string, unknown>;
  faults: Fault[];
  warnings: readonly Problem[];
}

function checkedGateway(path: string): Checked {
  const { config, warnings } = loadGateway(path);
  return { shown: effective(config), faults: faultsOfContents(config), warnings };
}

function checkedFleet(path: string): Checked {
  const { config, warnings } = loadFleet(path);
  const { name, stateFolder, runtimeFolder, stopWithinMs, api, database, ...rest } = config;
  const faults: Fault[] = [];
  const reads = readerInto(faults);
  reads('gateways.tls', config.gateways.tls, checkTls);
  reads('api.tcp.tls', api.tcp?.tls, checkTls);
  reads('trust.anchors', config.trust.anchors, loadTrust);
  reads('trust.certificates', config.trust.certificates, loadCertificates);
  reads('trust.revocationLists', config.trust.revocationLists, loadRevocationLists);
  if (database.kind === 'postgres') reads('database.postgres', database, databaseUrl);
  const { mode, ...socket } = api.socket;
  const folders = { stateDirectory: stateFolder, runtimeDirectory: runtimeFolder };
  const shown = {
    fleet: { name, ...folders, stopWithinMs },
    database,
    ...rest,
    api: { ...api, socket: { ...socket, mode: `0${mode.toString(8)}` } },
  };
  return { shown, faults, warnings };
}

interface Fault {
  key: string;
  error: UpliftError;
}

/** Reads whatever the service would read at its start, as it would. */
function faultsOfContents(config: GatewayConfig): Fault[] {
  const { admission, api, duis, campaigns, front } = config;
  const { columns = {} } = admission;
  const faults: Fault[] = [];
  const reads = readerInto(faults);
  reads('admission.centralProductsList', admission.centralProductsList, (path) =>
    loadCentralProductsList(path, { mapping: columns.centralProductsList }),
  );
  reads('admission.eligibleCombinations', admission.eligibleCombinations, (path) =>
    loadEligibleCombinations(path, { mapping: columns.eligibleCombinations }),
  );
  reads('admission.pendingCombinations', admission.pendingCombinations, (path) =>
    loadPendingCombinations(path, { mapping: columns.pendingCombinations }),
  );
  reads('admission.installations', admission.installations, (path) =>
    loadInstallations(path, { mapping: columns.installations }),
  );
  reads('admission.trustAnchors', admission.trustAnchors, loadTrust);
  reads('admission.certificates', admission.certificates, loadCertificates);
  reads('admission.revocationLists', admission.revocationLists, loadRevocationLists);
  reads('admission.floors', admission.floors, loadVersionFloors);
  reads('admission.waiver', admission.waiver, loadWaiver);
  reads('api.tcp.tls', api.tcp?.tls, checkTls);
  reads('duis.tls', duis?.tls, checkTls);
  reads('duis.signing', duis?.signing, loadSigningIdentity);
  for (const [index, { certificates, endpoint }] of (duis?.users ?? []).entries()) {
    reads(`duis.users[${index}].certificates`, certificates, loadCertificates);
    reads(`duis.users[${index}].endpoint.caFile`, endpoint?.caFile, (path) =>
      loadCertificates([path]),
    );
    reads(`duis.users[${index}].endpoint.client`, endpoint?.client, checkTls);
  }
  for (const name of ['coordinator', 'hawkbit'] as const) {
    const carrier = campaigns?.[name];
    reads(`campaigns.${name}.caFile`, carrier?.caFile, (path) => loadCertificates([path]));
    reads(`campaigns.${name}.identity`, carrier?.identity, checkTls);
  }
  reads('front.coordinator.caFile', front?.coordinator.caFile, (path) => loadCertificates([path]));
  reads('front', front, (one) => checkFront(config.id, one));
  return faults;
}

/** Reads what is there, and keeps why it could not. */
function readerInto(faults: Fault[]) {
  return <T>(key: string, value: T | undefined, read: (value: T) => unknown): void => {
    if (value === undefined) return;
    try {
      read(value);
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      faults.push({ key, error });
    }
  };
}

/** Whether the key is that of the certificate. */
function checkTls(tls: FileIdentity & { clientCaFile?: string | undefined }): void {
  try {
    createSecureContext({
      cert: readFileSync(tls.certificateFile),
      key: readFileSync(tls.keyFile),
      ...(tls.clientCaFile === undefined ? {} : { ca: readFileSync(tls.clientCaFile) }),
    });
  } catch (cause) {
    throw new UpliftError('tls-unusable', 'the certificate and key cannot be used for TLS', {
      expected: 'a PEM certificate, and the PEM key that belongs to it, without passphrase',
      // The code alone: what OpenSSL says may quote the file.
      actual: (cause as { code?: string }).code ?? 'files that are none',
      next: 'make the two from one key pair',
    });
  }
}

/** In the order and by the names of the file, every default in; of a rig its name and what it is. */
function effective(config: GatewayConfig): Record<string, unknown> {
  const { id, path, stateFolder, runtimeFolder, stopWithinMs, rigs, front, api, ...rest } = config;
  const { mode, ...socket } = api.socket;
  return {
    gateway: {
      id,
      path,
      stateDirectory: stateFolder,
      runtimeDirectory: runtimeFolder,
      stopWithinMs,
    },
    rigs: rigs.map((rig) => ({
      id: rig.id,
      path: rig.path,
      state: rig.stateFolder,
      devices: rig.devices.length,
    })),
    ...(front ? { front: { ...front, models: front.models.map(({ model }) => model) } } : {}),
    ...rest,
    api: { ...api, socket: { ...socket, mode: `0${mode.toString(8)}` } },
  };
}

/** One row a setting: `schedule.windows.night.weekly[0].from`. */
function rowsOf(value: unknown, key = ''): string[][] {
  if (typeof value !== 'object' || value === null) {
    return value === undefined ? [] : [[key, String(value)]];
  }
  if (Array.isArray(value)) {
    const isPlain = value.every((entry) => typeof entry !== 'object');
    if (isPlain) return [[key, value.length === 0 ? 'none' : value.join(', ')]];
    return value.flatMap((entry, index) => rowsOf(entry, `${key}[${index}]`));
  }
  return Object.entries(value).flatMap(([name, entry]) =>
    rowsOf(entry, key === '' ? name : `${key}.${name}`),
  );
}
