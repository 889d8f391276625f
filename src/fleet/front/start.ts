/** A front, put together from what its configuration names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, type ApiPlace } from '../../api/client.ts';
import {
  CAMPAIGN_CONTENT_TYPE,
  encodeManifest,
  type Manifest,
  parseManifest,
} from '../../campaign/manifest.ts';
import type { FileIdentity } from '../../config/duis.ts';
import type { FrontConfig, FrontCoordinator } from '../../config/front.ts';
import type { Rig } from '../../config/schema.ts';
import { UpliftError } from '../../errors.ts';
import type { AdmissionDesk } from '../../gateway/admission-desk.ts';
import { readBounded } from '../../gateway/bounded-file.ts';
import { loadSigningIdentity } from '../../gateway/signing-identity.ts';
import { loadCertificates } from '../../gateway/trust-documents.ts';
import type { Log, Timers } from '../../ports.ts';
import { addSignature, COSE_CHAIN_MAX, type CoseSigner, encodeUnsigned } from '../../trust/cose.ts';
import type { FleetClient } from './client.ts';
import type { CampaignRules } from './draft.ts';
import { FleetDevices } from './fleet-devices.ts';
import { FleetField, type FleetFieldOptions } from './fleet-field.ts';
import { ModelShelf, newFleetRig } from './fleet-rig.ts';
import { fleetClientOver } from './http-client.ts';
import { nextTurn } from './teller.ts';

export interface FrontParts {
  /** The name of this gateway: no other front has it. */
  id: string;
  config: FrontConfig;
  rig: Rig;
  stateFolder: string;
  desk: AdmissionDesk;
  timers: Timers;
  log: Log;
  /** Else as the configuration has it. */
  client?: FleetClient;
}

const DAY_MS = 24 * 3_600_000;
const TOKEN_BYTES_MAX = 4_096;

/** Its rig is taken by the gateway like any other; it has devices when its field was made. */
export function frontRig(configPath: string, stateFolder: string): Rig {
  return newFleetRig(configPath, join(stateFolder, 'fleet'));
}

/** The same with the devices that it had last, for whoever only looks. @throws UpliftError */
export function knownRig(configPath: string, stateFolder: string, config: FrontConfig): Rig {
  const rig = frontRig(configPath, stateFolder);
  devicesOf({ config, rig, stateFolder, nextTurn: () => Promise.resolve() });
  return rig;
}

/** @throws UpliftError where a file is not what it is to be */
export function startFront(parts: FrontParts): FleetField {
  const { id, config, rig, stateFolder, desk, timers, log } = parts;
  const signing = checkFront(id, config);
  const devices = devicesOf({ config, rig, stateFolder, nextTurn: () => nextTurn(timers) });
  desk.devicesChanged(rig, rig.devices);
  return new FleetField({
    ...{ client: parts.client ?? clientOf(config.coordinator), devices, timers, log, ...signing },
    limits: { inventoryMs: config.inventoryMs },
    onDevices: (changed) =>
      desk.devicesChanged(
        rig,
        changed.map((device) => device.rig),
      ),
  });
}

function devicesOf({
  config,
  rig,
  stateFolder,
  nextTurn: next,
}: Pick<FrontParts, 'config' | 'rig' | 'stateFolder'> & { nextTurn(): Promise<void> }) {
  return new FleetDevices({
    ...{ rig, shelf: new ModelShelf(config.models), nextTurn: next },
    path: join(stateFolder, 'fleet-devices.jsonl'),
    isInstallation: config.installationIsGateway,
  });
}

/** Who signs by which rules, every file read. @throws UpliftError */
export function checkFront(
  id: string,
  { fleet, signing, campaign }: FrontConfig,
): Pick<FleetFieldOptions, 'rules' | 'sign'> {
  const author = loadSigner(signing.author);
  const signers = [author, ...signing.approvers.map(loadSigner)];
  const { lifeDays, ...rest } = campaign;
  const rules = {
    ...{ fleet, front: id, author: author.certificates[0].fingerprint },
    ...{ approvals: signing.approvals, lifeMs: lifeDays * DAY_MS, ...rest },
  } as CampaignRules;
  checkRules(rules);
  return { rules, sign: (manifest, next) => signedBy(manifest, signers, next) };
}

async function signedBy(
  manifest: Uint8Array,
  signers: readonly CoseSigner[],
  next: () => Promise<void>,
): Promise<Uint8Array> {
  let document = encodeUnsigned(manifest, CAMPAIGN_CONTENT_TYPE);
  for (const signer of signers) {
    const signed = addSignature(document, CAMPAIGN_CONTENT_TYPE, signer);
    if (!signed.ok) throw new UpliftError(signed.code, signed.message);
    document = signed.bytes;
    await next();
  }
  return document;
}

function loadSigner(identity: FileIdentity): CoseSigner {
  const { privateKey, certificate } = loadSigningIdentity(identity);
  const chain = loadCertificates([identity.certificateFile]).slice(1, COSE_CHAIN_MAX);
  return { privateKey, certificates: [certificate, ...chain] };
}

/** Held against the form of manifests by one that has them. @throws UpliftError */
function checkRules({
  fleet,
  author,
  approvals,
  lifeMs,
  rings,
  pace,
  aborts,
}: CampaignRules): void {
  const sha256 = '0'.repeat(64);
  const hardware = { manufacturer: '0', model: '0', hardwareVersion: '0', hardwareRevision: '0' };
  const manifest: Manifest = {
    ...{ version: 1, id: 'example', reason: 'example', fleet, line: 'example', generation: 1 },
    ...{ issuedMs: 0, expiresMs: lifeMs, author, approvals },
    images: [{ sha256, bytes: 1, format: 'zigbee-ota', version: 1, firmwareVersion: '1' }],
    targets: [{ ...hardware, from: ['0'], image: sha256 }],
    ...{ rings, pace, aborts, activation: { when: 'held' } },
  };
  const parsed = parseManifest(encodeManifest(manifest));
  if (parsed.ok) return;
  throw new UpliftError(parsed.code, 'campaigns cannot go on by these rules', {
    expected: 'rings, pace and aborts as signed campaigns have them',
    actual: parsed.message,
    next: 'correct front.campaign',
  });
}

function clientOf(coordinator: FrontCoordinator): FleetClient {
  const { url, socket, caFile, tokenFile, starterTokenFile } = coordinator;
  const place: ApiPlace =
    url === undefined
      ? { socket: socket! }
      : { url, ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }) };
  const clientBy = (file: string | undefined) =>
    new ApiClient(place, {
      ...(file === undefined ? {} : { token: tokenIn(file) }),
      served: { name: 'coordinator', start: 'start it, or correct front.coordinator' },
    });
  return fleetClientOver(clientBy(tokenFile), clientBy(starterTokenFile ?? tokenFile));
}

function tokenIn(path: string): string {
  return new TextDecoder().decode(readBounded(path, TOKEN_BYTES_MAX, 'a token')).trim();
}
