/**
 * What may be asked of a running gateway, by whatever door: HTTP, the command line, a request of the DCC.
 * Every call that changes something is durable when it returns, or throws an `UpliftError` and changed
 * nothing. Codes of refusals are in `CONTROL_CODES`.
 */
import type { Decision } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import type { RuleText } from '../admission/rule.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import type { Actor, JobActivation, JobRequest } from '../jobs/records.ts';
import type { Owner } from '../jobs/states.ts';
import type { ListEntry } from '../products/central-products-list.ts';
import type { DeviceKind } from '../products/combinations.ts';
import type { UpgradePlan } from '../upgrade/plan.ts';

export const CONTROL_CODES = {
  'job-unknown': 'There is no such job.',
  'device-unknown': 'No rig of this gateway has such a device.',
  'device-not-in-job': 'The job is not for this device.',
  'image-unknown': 'There is no such image in the store.',
  'image-in-use': 'A job that is not over needs the image.',
  'window-unknown': 'The configuration names no such maintenance window.',
  'job-malformed': 'The job cannot be taken as it is asked for.',
  'job-open': 'Another job for the device is open.',
  'request-id-reused': 'The request id was used for another job.',
  'not-approvable': 'The job does not wait for approval.',
  'own-approval': 'The author of a job does not approve it.',
  'not-activatable': 'The device does not hold an image that waits for its activation.',
  'not-cancellable': 'It is over, or the device acts on the command already.',
  'not-retryable': 'It is not over, or went well.',
  'not-accepting': 'The gateway takes no new work: its store is damaged or full, or it stops.',
} as const;

export type ControlCode = keyof typeof CONTROL_CODES;

/** What a journal record looks like to whoever listens; `sequence` is the id to replay from. */
export interface GatewayRecord {
  sequence: number;
  atMs: number;
  kind: string;
  [field: string]: unknown;
}

/** Between records: how far a transfer is. Not kept, not replayed. */
export interface LiveProgress {
  job: string;
  device: string;
  atMs: number;
  sentBytes: number;
  totalBytes: number;
  /** Blocks that were sent, and those of them that were sent again. */
  blocks: number;
  repeats: number;
  /** When the device last asked for one, or took one. */
  lastRequestMs: number;
}

export interface GatewayListener {
  /** Must not throw and must not wait: it is called between a record and the action it announces. */
  record(record: GatewayRecord): void;
  progress(progress: LiveProgress): void;
  /** A link came or went. Neither kept nor replayed. */
  link?(link: string, up: boolean): void;
}

/** What answers when a device is asked: all of it, or only what is to bring it back. */
export const DEVICE_ANSWERS = ['application', 'recovery', 'bootloader'] as const;

/** How a device was found when it was asked last. */
export interface DeviceReadingView {
  atMs: number;
  /** Absent where nothing answered that was understood, or it does not tell. */
  answers?: (typeof DEVICE_ANSWERS)[number];
  /** Why it did not say what it runs. */
  code?: string;
  detail?: string;
  next?: string;
}

export interface DeviceView {
  id: string;
  kind: DeviceKind;
  eui64?: string;
  /** As its model file says: manufacturer, model, hardware version and revision. */
  deviceModel?: string;
  /** Silence in a transfer of so long is looked into. */
  stallMs?: number;
  /** `network:zigbee-1`, `port:hub-1`. */
  link: string;
  linkUp: boolean;
  /** As it last said itself, in its own words. */
  runs?: string;
  runsReadMs?: number;
  reading?: DeviceReadingView;
  /** The upgrade that is not over, `JOB/DEVICE`. */
  upgrade?: string;
  /** Where it is in one that goes on. */
  campaign?: DeviceCampaignView;
}

/** How a device stands in a campaign. */
export interface DeviceCampaignView {
  id: string;
  generation: number;
  ring?: string;
  /** As a campaign counts its devices. */
  state: string;
}

/** What an upgrade waits for, in words, who acts next and until when. */
export interface UpgradeWait {
  waitsFor: string;
  owner: Owner;
  untilMs?: number | undefined;
}

export interface UpgradeView extends UpgradeWait {
  upgrade: Upgrade;
}

/** What would become of an upgrade, before anything is asked for or sent. */
export interface ReviewView {
  device: string;
  decision: Decision;
  /** What it was made on, for what each rule saw. */
  facts: AdmissionFacts;
  /** What the device would run, as far as the image tells. */
  installs?: string;
  /** What it runs, in its own words, as it said last. */
  runs?: string;
  runsReadMs?: number;
  /** Rows of the Central Products List that speak for it. */
  entries: readonly ListEntry[];
  /** Absent where the image cannot be read as the device takes it. */
  plan?: UpgradePlan;
  /** Why somebody other than its author has to approve the job; absent: nobody has to. */
  secondPerson?: string;
}

export interface ImageView {
  sha256: string;
  bytes: number;
  /** As its uploader called it; text of a stranger. */
  name: string;
  storedMs: number;
  /** What the file is, by its first bytes. */
  format?: string;
  /** Of jobs that are not over. */
  neededBy: readonly string[];
}

export interface UploadView {
  upload: string;
  bytes: number;
  receivedBytes: number;
  expiresMs: number;
}

export const LIST_KINDS = [
  'central-products-list',
  'eligible-combinations',
  'pending-combinations',
  'installations',
] as const;

export type ListKind = (typeof LIST_KINDS)[number];

/** By which name a site tells each of them. */
export const LIST_FIELDS = {
  'central-products-list': 'centralProductsList',
  'eligible-combinations': 'eligibleCombinations',
  'pending-combinations': 'pendingCombinations',
  installations: 'installations',
} as const satisfies Record<ListKind, string>;

export interface ListView {
  kind: ListKind;
  sha256: string;
  entries: number;
  fetchedAtMs: number;
  source: string;
}

export interface HealthView {
  gateway: string;
  version: string;
  /** `ready`: takes work. `degraded`: works on, takes none. `stopping`. */
  state: 'ready' | 'degraded' | 'stopping';
  /** Why it is not ready: code and sentence. */
  reasons: readonly { code: string; message: string }[];
  startedMs: number;
  journal: { sequence: number; hash: string };
  upgrades: Readonly<Record<string, number>>;
  links: readonly { link: string; up: boolean; since: number; detail?: string }[];
  /** Those that are followed, where the gateway belongs to a fleet. */
  campaigns?: readonly Pick<
    CampaignView,
    'id' | 'digest' | 'generation' | 'carrier' | 'state' | 'code'
  >[];
  /** Where the gateway has one. */
  coordinator?: CoordinatorLinkView;
}

/** How the gateway stands with its coordinator. */
export interface CoordinatorLinkView {
  connected: boolean;
  enrolled: boolean;
  /** When it last answered; absent: not since the start. */
  lastContactMs?: number;
  /** The gravest that lasts. */
  trouble?: { code: string; sinceMs: number };
  /** Events that it is not known to have. */
  eventsWaiting: number;
}

/** A Service Request that was taken. */
export interface ServiceRequestView {
  /** Originator:target:counter. */
  requestId: string;
  serviceReference: string;
  duisVersion: string;
  takenMs: number;
  deviceCount: number;
  jobs: readonly string[];
  /** For when it was dated, ms, or `cancel`. */
  execution?: number | 'cancel';
}

/** What waits for one Service User, the oldest first. */
export interface OutboxView {
  user: string;
  waiting: number;
  waitingSinceMs?: number;
  /** In a row. */
  failures: number;
  lastFailure?: { outcome: string; detail: string; atMs: number };
  nextTryMs?: number;
  /** Refused again and again; a person releases or discards them. */
  parked: readonly { message: number; queuedMs: number; parkedMs: number; detail: string }[];
}

export const OUTBOX_CODES = {
  'message-unknown': 'No message of that number waits or is put aside.',
  'message-not-parked': 'The message is not put aside.',
} as const;

export type OutboxCode = keyof typeof OUTBOX_CODES;

/** The DCC User Interface, where the gateway has Service Users. */
export interface DuisControl {
  requests(): readonly ServiceRequestView[];
  outbox(): readonly OutboxView[];
  /** The document of a message. */
  message(message: number): Uint8Array;
  /** Tried again. */
  release(message: number, by: Actor): void;
  discard(message: number, by: Actor, reason: string): void;
}

export const CAMPAIGN_CONTROL_CODES = {
  'campaign-refused': 'The bytes are no signed campaign; a code of its own says why.',
  'campaign-unknown': 'No such campaign came to this gateway.',
  'campaign-over': 'The campaign has ended here.',
  'campaign-of-other': 'Another carrier brought the campaign, and calls it off.',
  'campaigns-many': 'As many campaigns were brought as are followed at once.',
} as const;

export type CampaignControlCode = keyof typeof CAMPAIGN_CONTROL_CODES;

export const CAMPAIGN_STANDINGS = [
  'refused',
  'lacks-images',
  'running',
  'paused',
  'held',
  'finished',
  'aborted',
  'expired',
] as const;

/** What a campaign has become on this gateway. */
export interface CampaignView {
  id: string;
  /** SHA-256 of its manifest. */
  digest: string;
  /** Absent where its signatures are not believed. */
  generation?: number;
  /** Who brought it: a coordinator, a server, a stick. */
  carrier: string;
  state: (typeof CAMPAIGN_STANDINGS)[number];
  /** Why it is refused, or was ended. */
  code?: string;
  detail?: string;
  /** Images that are not in the store. */
  missing: readonly { sha256: string; bytes: number }[];
  /** This gateway's devices that are targets, by state. */
  devices: Readonly<Record<string, number>>;
}

/** What the journal says of campaigns, sealed with the key that the gateway is known by. */
export interface SealedEventsView {
  gateway: string;
  /** Sequence of the last record that is in it. */
  through: number;
  /** The journal goes on after it. */
  more: boolean;
  /** COSE_Sign1. */
  sealed: Uint8Array;
}

/** Campaigns, where the gateway belongs to a fleet. */
export interface CampaignControl {
  campaigns(): readonly CampaignView[];
  /**
   * Follows it beside those that were brought before; the same again changes nothing. Whether it is
   * believed is said by its state.
   */
  carry(document: Uint8Array, by: Actor): CampaignView;
  /** Begins nothing more of one that was brought by `carry`. */
  cancel(digest: string, by: Actor, reason: string): CampaignView;
  /** Where a device is in one that goes on. */
  campaignOf(device: string): DeviceCampaignView | undefined;
  coordinator(): CoordinatorLinkView | undefined;
  /** @param after absent: what the coordinator is not known to have */
  sealedEvents(after: number | undefined): SealedEventsView;
}

export interface GatewayControl {
  health(): HealthView;
  readonly duis: DuisControl | undefined;
  readonly campaigns: CampaignControl | undefined;

  jobs(): Iterable<Job>;
  job(id: string): Job | undefined;
  /** Every record of the job, in order. */
  story(job: string): readonly GatewayRecord[];
  explain(upgrade: Upgrade): UpgradeView;
  /** The same `requestId` with the same content gives the job that is there. */
  createJob(request: JobRequest, by: Actor): Job;
  approve(job: string, by: Actor): Job;
  reject(job: string, by: Actor, reason: string): Job;
  activate(
    job: string,
    devices: readonly string[] | undefined,
    activation: JobActivation,
    by: Actor,
  ): Job;
  cancel(job: string, devices: readonly string[] | undefined, by: Actor, reason?: string): Job;
  retry(job: string, devices: readonly string[] | undefined, by: Actor): Job;

  /**
   * What each device would be told if it were asked now, on what is known of it; nothing is asked, sent or
   * recorded.
   */
  review(
    image: string,
    devices: readonly string[],
    activation: JobActivation,
  ): readonly ReviewView[];

  devices(): readonly DeviceView[];
  /** Asks it what it runs; the answer, or why there is none, is a `device-read` record from then on. */
  readDevice(device: string, by: Actor): { from: number };

  images(): readonly ImageView[];
  /** The image, where the store has it already. */
  beginUpload(
    upload: { bytes: number; sha256: string; name: string },
    by: Actor,
  ): UploadView | ImageView;
  upload(id: string): UploadView | undefined;
  /** Bytes go where the upload is; any other offset is refused and says where it is. */
  appendUpload(id: string, offset: number, chunk: Uint8Array): UploadView;
  finishUpload(id: string, by: Actor): ImageView;
  abandonUpload(id: string): void;
  deleteImage(sha256: string, by: Actor): void;

  lists(): readonly ListView[];
  /** Checked as `uplift lists lint` does; in force when it returns. */
  putList(
    kind: ListKind,
    file: Uint8Array,
    stamp: { fetchedAtMs: number; source: string },
    by: Actor,
  ): ListView;

  rules(): readonly RuleText[];
  /** Records from `sequence` on, at most `limit`. */
  records(sequence: number, limit: number): readonly GatewayRecord[];
  listen(listener: GatewayListener): () => void;
}
