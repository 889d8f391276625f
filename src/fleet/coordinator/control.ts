/**
 * What may be asked of a coordinator, by gateways and by people. Every call that changes something is
 * durable when it resolves, or rejects with an `UpliftError` of `FLEET_CODES`, `CAMPAIGN_CODES` or the
 * codes of signers, and changed nothing. Any number of processes answer over one database.
 */

import type { DeviceState } from '../../campaign/device-progress.ts';
import type { FailureClass } from '../../campaign/failure-classes.ts';
import type { Manifest } from '../../campaign/manifest.ts';
import type { CampaignCourse } from '../../campaign/rings.ts';
import type { Actor } from '../../jobs/records.ts';
import type { Desired, EventBatch, EventsTaken, Inventory, InventoryDevice } from '../wire.ts';

/**
 * `unsigned`: approvals are missing. `ready`: to be started. `held`: a ring ended and too few succeeded, a
 * person decides. The last four are final.
 */
export const CAMPAIGN_STATES = [
  'unsigned',
  'ready',
  'running',
  'paused',
  'held',
  'finished',
  'aborted',
  'expired',
  'superseded',
] as const;
export type CampaignState = (typeof CAMPAIGN_STATES)[number];

export const GATEWAY_STATES = ['expected', 'enrolled', 'revoked'] as const;

export interface GatewayView {
  id: string;
  state: (typeof GATEWAY_STATES)[number];
  region?: string;
  version?: string;
  devices: number;
  /** When it last asked or told anything. */
  seenMs?: number;
  enrolledMs?: number;
  /** SHA-256 of its certificate. */
  certificate?: string;
  journal?: { sequence: number; hash: string };
  /** Why it reports no more, such as `events-forked`. */
  trouble?: string;
}

export interface RingView {
  name: string;
  size: number;
  counts: Readonly<Record<DeviceState, number>>;
  failed: Readonly<Partial<Record<FailureClass, number>>>;
  isOpen: boolean;
}

export interface CampaignView {
  id: string;
  digest: string;
  line: string;
  generation: number;
  state: CampaignState;
  /** Of the last evaluation, while it runs. */
  course?: CampaignCourse;
  /** Why it was aborted, paused or held. */
  detail?: string;
  submittedBy: Actor;
  submittedMs: number;
  startedBy?: Actor;
  startedMs?: number;
  endedMs?: number;
  expiresMs: number;
  author: string;
  approvers: readonly string[];
  approvalsMissing: number;
  gateways: number;
  rings: readonly RingView[];
  /** Devices that may be under way at once, now. */
  width: number;
  /** Gateways that do not carry it out, by why. */
  refusals: Readonly<Record<string, number>>;
  manifest: Manifest;
}

export interface CampaignDeviceView {
  device: string;
  gateway: string;
  ring: string;
  state: DeviceState;
  attempt: number;
  phase?: string;
  failure?: FailureClass;
  code?: string;
  detail?: string;
  runs?: string;
  changedMs: number;
}

/** What its gateway told of a device in a campaign: one event of its journal. */
export interface DeviceEventView {
  atMs: number;
  attempt: number;
  phase: string;
  code?: string;
  detail?: string;
  runs?: string;
  /** It was called off before it began. */
  isWithdrawn: boolean;
  /** Enrolment, and record of the journal that began with it. */
  epoch: number;
  sequence: number;
}

/** How many there are of what, now. */
export interface FleetCensus {
  gateways: Readonly<Record<GatewayView['state'], number>>;
  /** Enrolled, and not heard of for as long as nothing is granted to it. */
  gatewaysSilent: number;
  gatewaysInTrouble: number;
  campaigns: Readonly<Record<CampaignState, number>>;
  /** Of campaigns that were started and have not ended. */
  devices: Readonly<Record<DeviceState, number>>;
}

export interface AuditEntry {
  sequence: number;
  atMs: number;
  by: Actor;
  what: string;
  /** Gateway or campaign. */
  about?: string;
  detail?: string;
  /** Over this entry and the hash of the one before. */
  hash: string;
}

/** Part of a list, in order; the next begins after the last of `items`. */
export interface Page<T> {
  items: readonly T[];
  more: boolean;
}

export interface DeviceFilter {
  /** Changed then or later, by the coordinator's clock. */
  changedSinceMs?: number;
  ring?: string;
  state?: DeviceState;
  gateway?: string;
  after?: string;
  limit: number;
}

export interface BlobReader {
  bytes: number;
  /** In pieces, as they are stored. */
  read(offset: number, length: number): AsyncIterable<Uint8Array>;
}

/** For gateways. */
export interface GatewayDesk {
  readonly fleet: string;
  /** Once for each token. @param certificate SHA-256 of the DER that the connection was made with */
  enrol(token: string, gateway: string, version: string, certificate: string): Promise<void>;
  /** The gateway that enrolled with it and was not shut out since. */
  identify(certificate: string): Promise<string | undefined>;
  /** Undefined where `known` is what it still is. */
  desired(gateway: string, known: number | undefined): Promise<Desired | undefined>;
  takeEvents(gateway: string, batch: EventBatch): Promise<EventsTaken>;
  takeInventory(gateway: string, inventory: Inventory): Promise<void>;
  blob(sha256: string): Promise<BlobReader | undefined>;
  /** Called with a gateway whose desired state changed, in whichever process it was. */
  onDesired(listener: (gateway: string) => void): () => void;
}

/** Of one sealed stretch. */
export interface EventsBrought {
  gateway: string;
  /** How far the journal of the gateway is known now. */
  journal?: { sequence: number; hash: string };
}

/** For people and programs. */
export interface OperatorDesk {
  readonly fleet: string;
  gateways(after: string | undefined, limit: number): Promise<Page<GatewayView>>;
  gateway(id: string): Promise<GatewayView | undefined>;
  gatewayDevices(id: string): Promise<readonly InventoryDevice[]>;
  /** The token is told this once; the database has its digest. */
  addGateway(id: string, by: Actor): Promise<{ token: string; untilMs: number }>;
  /** A new token for one that is there: its certificate is forgotten when the token is used. */
  renewGateway(id: string, by: Actor): Promise<{ token: string; untilMs: number }>;
  revokeGateway(id: string, by: Actor, reason: string): Promise<void>;

  /**
   * What a gateway sealed where nobody connects it (bundle/carried-events.ts): counted once with all that it
   * tells itself.
   */
  bringEvents(sealed: Uint8Array, by: Actor): Promise<EventsBrought>;

  /** @returns what is not there yet, in order of its bytes; nothing: it is stored */
  putBlob(
    sha256: string,
    bytes: number,
    content: AsyncIterable<Uint8Array>,
    by: Actor,
  ): Promise<void>;
  hasBlob(sha256: string): Promise<boolean>;

  /** A signed campaign, or the same one with more signatures: they are put together. */
  submit(document: Uint8Array, by: Actor): Promise<CampaignView>;
  campaigns(after: string | undefined, limit: number): Promise<Page<CampaignView>>;
  campaign(id: string): Promise<CampaignView | undefined>;
  campaignDevices(id: string, filter: DeviceFilter): Promise<Page<CampaignDeviceView>>;
  /** In the order in which it happened; none once they are no longer kept. */
  deviceEvents(id: string, device: string, limit: number): Promise<readonly DeviceEventView[]>;
  /** The devices are those that are known now. */
  start(id: string, by: Actor): Promise<CampaignView>;
  pause(id: string, by: Actor, reason: string): Promise<CampaignView>;
  resume(id: string, by: Actor): Promise<CampaignView>;
  abort(id: string, by: Actor, reason: string): Promise<CampaignView>;
  /** Those that failed are given another attempt; what was aborted stays so. */
  retryFailed(id: string, devices: readonly string[] | undefined, by: Actor): Promise<CampaignView>;
  census(): Promise<FleetCensus>;
  audit(after: number | undefined, limit: number): Promise<Page<AuditEntry>>;
  /** @returns the first entry whose hash is not what it has to be */
  checkAudit(): Promise<AuditEntry | undefined>;
}

export interface Coordinator extends GatewayDesk, OperatorDesk {
  /**
   * What is due: campaigns whose devices changed are evaluated, grants that nobody took up are taken
   * back, what expired ends. At most one process at a time does it for a campaign.
   */
  keepHouse(): Promise<void>;
  close(): Promise<void>;
}
