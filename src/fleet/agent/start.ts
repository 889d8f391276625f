/** Campaigns on a gateway, put together from what its configuration names: who is believed, and who carries. */
import { createPrivateKey } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CampaignsConfig, CoordinatorConfig, HawkbitConfig } from '../../config/campaigns.ts';
import type { GatewayConfig } from '../../config/gateway.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import type { AdmissionDesk } from '../../gateway/admission-desk.ts';
import { readBounded } from '../../gateway/bounded-file.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { loadRevocationLists } from '../../gateway/trust-documents.ts';
import { loadTrust } from '../../gateway/trust-folder.ts';
import type { Log, Timers } from '../../ports.ts';
import type { ImageStore } from '../../store/images.ts';
import type { Journal } from '../../store/journal.ts';
import { MessageStore } from '../../store/messages.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { TrustAnchor } from '../../trust/trust-anchors.ts';
import { parseCertificate } from '../../trust/x509.ts';
import { sealEvents } from '../bundle/carried-events.ts';
import { attributesOf } from '../hawkbit/attributes.ts';
import { fetchArtifactsInto } from '../hawkbit/fetch-artifact.ts';
import { HawkbitCarrier } from '../hawkbit/hawkbit-carrier.ts';
import { HawkbitFolder } from '../hawkbit/hawkbit-folder.ts';
import type { EventBatch, Inventory } from '../wire.ts';
import { FleetAgent } from './agent.ts';
import { AgentRecords } from './agent-records.ts';
import { BEAT, type BeatSettings } from './beat-settings.ts';
import { CampaignDesk } from './campaign-desk.ts';
import { CoordinatorLink } from './coordinator-link.ts';
import { Follower } from './follower.ts';
import { type GatewayIdentity, identityFrom, ownIdentity } from './identity.ts';
import { followedDevices, inventoryOf } from './inventory.ts';
import { RaisedFloors } from './raised-floors.ts';
import { linkView } from './views.ts';

export interface CampaignParts {
  config: GatewayConfig & { campaigns: CampaignsConfig };
  version: string;
  gateway: Gateway;
  desk: AdmissionDesk;
  images: ImageStore;
  journal: Journal;
  timers: Timers;
  log: Log;
}

export interface Campaigns {
  control: CampaignDesk;
  follower: Follower;
  agent: FleetAgent | undefined;
  /** After the gateway has started. */
  start(): void;
  /** Since when records are needed. */
  neededSinceMs(nowMs: number): number;
  retire(beforeMs: number): void;
  keepHouse(): void;
  stop(): Promise<void>;
}

const CA_BYTES_MAX = 1024 * 1024;
const TOKEN_BYTES_MAX = 4096;
/** What nobody came for is not kept for ever. */
const UNTOLD_MS = 400 * 24 * 3_600_000;

/** @throws UpliftError where a key, certificate or anchor is not what it is to be */
export function startCampaigns(parts: CampaignParts): Campaigns {
  const { config, gateway, desk, images, journal, timers, log } = parts;
  const { campaigns, stateFolder, id } = config;
  const folder = join(stateFolder, 'campaigns');
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  const anchors = campaignAnchors(config);
  const { revocationLists } = config.admission;
  const floors = new RaisedFloors(join(folder, 'floors.json'), config.admission.floors, (path) =>
    desk.change({ floors: path }),
  );
  const devices = followedDevices(config.rigs);
  const windows = Object.keys(config.schedule.windows);
  const documents = new MessageStore(join(folder, 'documents'));
  const { fleet, region, approvals, coordinator } = campaigns;
  const trust = {
    anchors,
    ...(revocationLists.length > 0 ? { crls: loadRevocationLists(revocationLists) } : {}),
  };
  const follower = new Follower({
    ...{ gateway, journal, timers, devices, log },
    identity: {
      ...{ id, fleet, windows, approvalsMin: approvals },
      ...(region === undefined ? {} : { region }),
    },
    trust,
    anchorsDigest: digestOfAnchors(anchors),
    floors: () => floors.current,
    raiseFloors: (targets) => floors.raise(targets),
    imageBytes: (sha256) => images.bytesOf(sha256),
    readsDaily: coordinator !== undefined || campaigns.hawkbit !== undefined,
  });
  follower.replay(journal.records(1));
  const about = { version: parts.version, windows, ...(region === undefined ? {} : { region }) };
  const inventory = () => inventoryOf(about, devices, follower.readings);
  const identity = identityOf(coordinator, stateFolder, id);
  const agent =
    coordinator &&
    agentOf(coordinator, { ...parts, folder, follower, documents, identity, inventory });
  const control = new CampaignDesk({
    ...{ gateway, follower, documents, gatewayId: id },
    coordinator: () => agent && linkView(agent.status()),
    told: () => agent?.told,
    seal: sealBy(identity, fleet, id),
    headOf: () => journal.head,
  });
  const hawkbit =
    campaigns.hawkbit && hawkbitOf(campaigns.hawkbit, { ...parts, folder, follower, inventory });
  const stopListening = agent ? wakeBy(gateway, agent, timers) : () => {};
  return {
    ...{ control, follower, agent },
    start: () => {
      control.start();
      agent?.start();
      hawkbit?.start();
    },
    neededSinceMs: (nowMs) => {
      const untold = agent ? follower.coordinatorEvents.untoldSinceMs(agent.told) : undefined;
      const keptMs = Math.max(untold ?? Number.POSITIVE_INFINITY, nowMs - UNTOLD_MS);
      return follower.ledger.neededSinceMs(nowMs, keptMs);
    },
    retire: (beforeMs) => follower.retire(beforeMs),
    keepHouse: () => {
      documents.removeUnused(new Set([...control.needed, ...(agent?.documentsNeeded ?? [])]));
    },
    stop: async () => {
      stopListening();
      hawkbit?.stop();
      follower.stop();
      await agent?.stop();
    },
  };
}

interface AgentParts extends CampaignParts {
  folder: string;
  follower: Follower;
  documents: MessageStore;
  identity: GatewayIdentity;
  inventory(): Inventory;
}

function agentOf(coordinator: CoordinatorConfig, parts: AgentParts): FleetAgent {
  const { config, version, folder, follower, documents, identity, inventory } = parts;
  const { images, timers, log } = parts;
  const { url, caFile, certificateSha256, enrolmentTokenFile } = coordinator;
  const { id } = config;
  const link = new CoordinatorLink({
    ...{ url, gateway: id, version, clock: timers },
    trust: {
      ...{ keyPem: identity.keyPem, certificatePem: identity.certificatePem },
      ...(caFile === undefined ? {} : { caPem: textOf(caFile, CA_BYTES_MAX) }),
      ...(certificateSha256 === undefined ? {} : { serverCertificate: certificateSha256 }),
    },
  });
  // The file may be gone when the token was used.
  const token =
    enrolmentTokenFile !== undefined && existsSync(enrolmentTokenFile)
      ? textOf(enrolmentTokenFile, TOKEN_BYTES_MAX).trim()
      : undefined;
  return new FleetAgent({
    ...{ gateway: id, version, fingerprint: identity.fingerprint, token, link, follower },
    ...{
      folder: join(folder, 'agent'),
      events: follower.coordinatorEvents,
      inventory,
      images,
      documents,
    },
    ...{ timers, random: { next: Math.random }, log, settings: beatOf(coordinator) },
  });
}

function beatOf({ contactMs, inventoryMs }: CoordinatorConfig): BeatSettings {
  return {
    ...BEAT,
    ...(contactMs === undefined ? {} : { contact: { ...BEAT.contact, baseMs: contactMs } }),
    ...(inventoryMs === undefined ? {} : { inventoryPauseMs: inventoryMs }),
  };
}

/** Not from within a record, and once for all that are written together. */
function wakeBy(gateway: Gateway, agent: FleetAgent, timers: Timers): () => void {
  let isDue = false;
  let areRead = false;
  return gateway.listen({
    record: ({ kind }) => {
      areRead ||= kind === 'device-read';
      if (isDue) return;
      isDue = true;
      timers.after(0, () => {
        isDue = false;
        if (areRead) agent.inventoryChanged();
        else agent.wake();
        areRead = false;
      });
    },
    progress() {},
  });
}

function hawkbitOf(
  hawkbit: HawkbitConfig,
  parts: Omit<AgentParts, 'documents' | 'identity'>,
): HawkbitCarrier {
  const { config, folder, follower, inventory, images, timers, log } = parts;
  const { url, tenant, controllerId, caFile, targetTokenFile, gatewayTokenFile } = hawkbit;
  const own = join(folder, 'hawkbit');
  const uploads = new AgentRecords(own).uploads;
  const token = (kind: 'TargetToken' | 'GatewayToken', file: string) => ({
    token: { kind, value: textOf(file, TOKEN_BYTES_MAX).trim() },
  });
  return new HawkbitCarrier({
    server: {
      ...{ url: new URL(url), tenant, controller: controllerId ?? config.id },
      ...(caFile === undefined ? {} : { caFile }),
      ...(targetTokenFile === undefined ? {} : token('TargetToken', targetTokenFile)),
      ...(gatewayTokenFile === undefined ? {} : token('GatewayToken', gatewayTokenFile)),
      ...(hawkbit.identity ? { client: hawkbit.identity } : {}),
    },
    ...{ follower, timers, random: { next: Math.random }, log },
    judge: (document) => follower.judge(document),
    hasImage: (sha256) => images.has(sha256),
    fetch: fetchArtifactsInto(images, uploads, timers),
    store: new HawkbitFolder(own),
    attributes: () => attributesOf(inventory()),
  });
}

function identityOf(
  coordinator: CoordinatorConfig | undefined,
  stateFolder: string,
  id: string,
): GatewayIdentity {
  const given = coordinator?.identity;
  return given ? identityFrom(given) : ownIdentity(stateFolder, id);
}

function campaignAnchors({ admission }: GatewayConfig): TrustAnchor[] {
  const path = admission.trustAnchors;
  const anchors = path === undefined ? [] : loadTrust(path).anchors;
  const found = anchors.filter(({ purpose }) => purpose === 'campaign');
  if (found.length > 0) return found;
  throw new UpliftError('anchors-missing', 'nobody is trusted to sign campaigns', {
    expected: 'an anchor of purpose campaign among those that admission.trustAnchors names',
    actual: path === undefined ? 'no trust anchors' : 'none of that purpose',
    next: 'add the certificate of who signs campaigns, or remove the section campaigns',
    exit: EXIT.usage,
  });
}

/** With others, generations count from nothing. */
function digestOfAnchors(anchors: readonly TrustAnchor[]): string {
  const fingerprints = anchors.map(({ fingerprint }) => fingerprint).sort();
  return sha256Hex(new TextEncoder().encode(fingerprints.join('\n')));
}

function sealBy({ keyPem, certificatePem }: GatewayIdentity, fleet: string, gateway: string) {
  const certificate = parseCertificate(certificatePem);
  if (!certificate.ok) throw new Error('the identity was read before');
  const signer = { privateKey: createPrivateKey(keyPem), certificates: [certificate] as const };
  return (batch: EventBatch) => sealEvents({ fleet, gateway, batch }, signer);
}

function textOf(path: string, bytesMax: number): string {
  return new TextDecoder().decode(readBounded(path, bytesMax, 'text'));
}
