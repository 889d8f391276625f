/**
 * A gateway in memory that keeps what it is told and refuses as the real one does; no device, no
 * disk.
 */
import { decideAdmission } from '../../src/admission/decide.ts';
import { RULES } from '../../src/admission/rules.ts';
import { UpliftError } from '../../src/errors.ts';
import {
  CAMPAIGN_CONTROL_CODES,
  type CampaignControl,
  type CampaignControlCode,
  type CampaignView,
  CONTROL_CODES,
  type ControlCode,
  type CoordinatorLinkView,
  type DeviceCampaignView,
  type DeviceView,
  type DuisControl,
  type GatewayControl,
  type GatewayListener,
  type GatewayRecord,
  type HealthView,
  type ImageView,
  type ListKind,
  type ListView,
  OUTBOX_CODES,
  type OutboxCode,
  type OutboxView,
  type ReviewView,
  type ServiceRequestView,
  type UploadView,
} from '../../src/gateway/control.ts';
import { type Job, JobBook, type Upgrade } from '../../src/jobs/book.ts';
import {
  type Actor,
  isJobRecord,
  type JobActivation,
  type JobRecordBody,
  type JobRequest,
} from '../../src/jobs/records.ts';
import { isBeyondRecall, isOver, STATE_RULES, type UpgradeState } from '../../src/jobs/states.ts';
import { STORE_CODES, type StoreCode } from '../../src/store/codes.ts';
import { sha256Hex } from '../../src/trust/digest.ts';

export const IMAGE = '11'.repeat(32);
export const DEVICES = ['hub-1', 'hub-2', 'ppmid-1'] as const;
const IMAGE_BYTES_MAX = 1_000_000;
const UPLOADS_MAX = 16;
const UNREADABLE = { ok: false, code: 'format-unknown', message: 'It is none.' } as const;

interface Upload extends UploadView {
  sha256: string;
  name: string;
  pieces: Uint8Array[];
}

export class FakeControl implements GatewayControl {
  duis: DuisControl | undefined;
  campaigns: FakeCampaigns | undefined;
  readonly book = new JobBook();
  readonly journal: GatewayRecord[] = [];
  readonly stored = new Map<string, ImageView>();
  readonly uploads = new Map<string, Upload>();
  readonly held = new Map<ListKind, ListView>();
  readonly listeners = new Set<GatewayListener>();
  /** Sequence of the oldest record that is still there. */
  oldest = 1;
  state: HealthView['state'] = 'ready';
  nowMs: () => number;
  /** Thrown by whatever is asked next, once. */
  trouble: Error | undefined;

  constructor(nowMs: () => number = () => 1_800_000_000_000) {
    this.nowMs = nowMs;
    const name = 'hub.bin';
    this.stored.set(IMAGE, { sha256: IMAGE, bytes: 9, name, storedMs: 1, neededBy: [] });
    this.append({ kind: 'gateway-started' });
  }

  health(): HealthView {
    const hash = '00'.repeat(32);
    return {
      gateway: 'test',
      version: '0.0.0',
      state: this.state,
      reasons: [],
      startedMs: 1,
      journal: { sequence: this.journal.length, hash },
      upgrades: {},
      links: [{ link: 'port:hub-1', up: true, since: 1, detail: '' }],
      ...this.campaigns?.health,
    };
  }

  jobs(): Iterable<Job> {
    return this.book.jobs;
  }

  job(id: string): Job | undefined {
    return this.book.job(id);
  }

  story(job: string): readonly GatewayRecord[] {
    return this.journal.filter((record) => record['job'] === job);
  }

  explain(upgrade: Upgrade) {
    const { state, owner, untilMs } = upgrade;
    return { upgrade, waitsFor: STATE_RULES[state].waitsFor, owner, untilMs };
  }

  createJob(request: JobRequest, by: string): Job {
    this.assertWell();
    const { requestId } = request;
    const known = requestId === undefined ? undefined : this.book.jobOfRequest(requestId);
    if (known && JSON.stringify(known.request) === JSON.stringify(request)) return known;
    if (known) throw refused('request-id-reused', known.id);
    const stranger = request.devices.find((id) => !(DEVICES as readonly string[]).includes(id));
    if (stranger !== undefined) throw refused('device-unknown', stranger);
    if (new Set(request.devices).size < request.devices.length) {
      throw refused('job-malformed', 'one device twice');
    }
    if (!this.stored.has(request.image)) throw refused('image-unknown', request.image);
    if (request.window !== undefined) throw refused('window-unknown', request.window);
    if (request.deadlineMs <= this.nowMs())
      throw refused('job-malformed', 'a deadline that is past');
    const open = request.devices.flatMap((device) => this.book.openFor(device));
    if (open.length > 0 && !request.supersede) throw refused('job-open', open[0]!.id);
    const job = `j${this.journal.length + 1}`;
    this.append(
      { kind: 'job', job, by, request },
      ...open.map((upgrade) => this.moved(upgrade.job.id, upgrade.device, 'superseded')),
      ...request.devices.map((device) =>
        this.moved(job, device, request.needsApproval ? 'awaiting-approval' : 'scheduled'),
      ),
    );
    return this.book.job(job)!;
  }

  approve(id: string, by: string): Job {
    const job = this.jobOf(id);
    const waiting = job.upgrades.filter(({ state }) => state === 'awaiting-approval');
    if (waiting.length === 0) throw refused('not-approvable', id);
    if (job.by === by) throw refused('own-approval', by);
    this.append({ kind: 'command', job: id, by, command: 'approve' });
    return this.move(job, waiting, 'scheduled');
  }

  reject(id: string, by: string, reason: string): Job {
    const job = this.jobOf(id);
    const waiting = job.upgrades.filter(({ state }) => state === 'awaiting-approval');
    if (waiting.length === 0) throw refused('not-approvable', id);
    this.append({ kind: 'command', job: id, by, command: 'reject', reason });
    return this.move(job, waiting, 'refused');
  }

  activate(
    id: string,
    devices: readonly string[] | undefined,
    activation: JobActivation,
    by: string,
  ): Job {
    const { job, upgrades } = this.meant(id, devices);
    const held = upgrades.filter(({ state }) => state === 'awaiting-activation');
    if (held.length === 0) throw refused('not-activatable', id);
    const names = held.map(({ device }) => device);
    this.append({ kind: 'command', job: id, by, command: 'activate', devices: names, activation });
    return this.move(job, held, 'scheduled');
  }

  cancel(id: string, devices: readonly string[] | undefined, by: string, reason?: string): Job {
    const { job, upgrades } = this.meant(id, devices);
    const open = upgrades.filter(({ state }) => !isOver(state) && !isBeyondRecall(state));
    if (open.length === 0) throw refused('not-cancellable', id);
    const why = reason === undefined ? {} : { reason };
    this.append({ kind: 'command', job: id, by, command: 'cancel', ...why });
    return this.move(job, open, 'cancelled');
  }

  retry(id: string, devices: readonly string[] | undefined, by: string): Job {
    const { job, upgrades } = this.meant(id, devices);
    const again = upgrades.filter(
      ({ state, device }) =>
        isOver(state) &&
        STATE_RULES[state].next.includes('scheduled') &&
        this.book.openFor(device).length === 0,
    );
    if (again.length === 0) throw refused('not-retryable', id);
    this.append({ kind: 'command', job: id, by, command: 'retry' });
    return this.move(job, again, 'scheduled');
  }

  devices(): readonly DeviceView[] {
    return DEVICES.map((id) => ({
      id,
      kind: 'communications_hub' as const,
      link: `port:${id}`,
      linkUp: true,
      ...this.campaigns?.place(id),
    }));
  }

  review(image: string, devices: readonly string[]): ReviewView[] {
    if (!this.stored.has(image)) throw refused('image-unknown', image);
    const stranger = devices.find((id) => !(DEVICES as readonly string[]).includes(id));
    if (stranger !== undefined) throw refused('device-unknown', stranger);
    return devices.map((device) => {
      const facts = { image: UNREADABLE, device: {} };
      return { device, facts, decision: decideAdmission(facts, this.nowMs()), entries: [] };
    });
  }

  readDevice(device: string, by: Actor): { from: number } {
    if (!(DEVICES as readonly string[]).includes(device)) {
      throw refused('device-unknown', device);
    }
    this.append({ kind: 'device-read', device, by, version: '1.0.0' });
    return { from: this.journal.at(-1)!.sequence };
  }

  images(): readonly ImageView[] {
    return [...this.stored.values()].map((image) => ({
      ...image,
      neededBy: [...this.book.jobs]
        .filter(
          ({ request, upgrades }) =>
            request.image === image.sha256 && upgrades.some(({ state }) => !isOver(state)),
        )
        .map(({ id }) => id),
    }));
  }

  beginUpload(
    { bytes, sha256, name }: { bytes: number; sha256: string; name: string },
    _by: string,
  ): UploadView | ImageView {
    this.assertWell();
    const present = this.images().find((image) => image.sha256 === sha256);
    if (present) return present;
    if (bytes > IMAGE_BYTES_MAX) throw refusedByStore('image-size');
    if (this.uploads.size >= UPLOADS_MAX) throw refusedByStore('uploads-many');
    const upload = (this.uploads.size + 1 + this.journal.length * 100)
      .toString(16)
      .padStart(32, '0');
    const expiresMs = this.nowMs() + 86_400_000;
    this.uploads.set(upload, {
      upload,
      bytes,
      receivedBytes: 0,
      expiresMs,
      sha256,
      name,
      pieces: [],
    });
    return this.upload(upload)!;
  }

  upload(id: string): UploadView | undefined {
    const found = this.uploads.get(id);
    if (!found) return undefined;
    const { upload, bytes, receivedBytes, expiresMs } = found;
    return { upload, bytes, receivedBytes, expiresMs };
  }

  appendUpload(id: string, offset: number, chunk: Uint8Array): UploadView {
    const upload = this.uploads.get(id);
    if (!upload) throw refusedByStore('upload-unknown');
    if (offset !== upload.receivedBytes) throw refusedByStore('upload-offset');
    if (offset + chunk.length > upload.bytes) {
      this.uploads.delete(id);
      throw refusedByStore('upload-too-long');
    }
    upload.pieces.push(chunk.slice());
    upload.receivedBytes += chunk.length;
    return this.upload(id)!;
  }

  finishUpload(id: string, by: string): ImageView {
    const upload = this.uploads.get(id);
    if (!upload) throw refusedByStore('upload-unknown');
    const { sha256, bytes, name, receivedBytes, pieces } = upload;
    if (receivedBytes < bytes) throw refusedByStore('upload-incomplete');
    this.uploads.delete(id);
    if (sha256Hex(Buffer.concat(pieces)) !== sha256) throw refusedByStore('digest-differs');
    const image: ImageView = { sha256, bytes, name, storedMs: this.nowMs(), neededBy: [] };
    this.stored.set(sha256, image);
    this.append({ kind: 'image', by, sha256, bytes, name });
    return image;
  }

  abandonUpload(id: string): void {
    if (!this.uploads.delete(id)) throw refusedByStore('upload-unknown');
  }

  deleteImage(sha256: string, by: string): void {
    const image = this.images().find((one) => one.sha256 === sha256);
    if (!image) throw refusedByStore('image-missing');
    if (image.neededBy.length > 0) throw refused('image-in-use', image.neededBy.join(', '));
    this.stored.delete(sha256);
    this.append({ kind: 'image-deleted', by, sha256 });
  }

  lists(): readonly ListView[] {
    return [...this.held.values()];
  }

  putList(
    kind: ListKind,
    file: Uint8Array,
    stamp: { fetchedAtMs: number; source: string },
    by: string,
  ): ListView {
    const rows = Buffer.from(file).toString().split('\n').filter(Boolean);
    if (rows.length === 0) throw new UpliftError('list-empty', 'The list has no row.');
    const list = { kind, sha256: sha256Hex(file), entries: rows.length, ...stamp };
    this.held.set(kind, list);
    this.append({ kind: 'list', by, list: kind, sha256: list.sha256 });
    return list;
  }

  rules() {
    return RULES;
  }

  records(sequence: number, limit: number): readonly GatewayRecord[] {
    const from = Math.max(sequence, this.oldest) - 1;
    return this.journal.slice(from, from + limit);
  }

  listen(listener: GatewayListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Puts upgrades into a state, as the field would. */
  move(job: Job, upgrades: readonly Upgrade[], state: UpgradeState): Job {
    this.append(...upgrades.map(({ device }) => this.moved(job.id, device, state)));
    return job;
  }

  append(...entries: (JobRecordBody | { kind: string; [field: string]: unknown })[]): void {
    for (const entry of entries) {
      const sequence = this.journal.length + 1;
      const record: GatewayRecord = { ...entry, sequence, atMs: this.nowMs() };
      this.journal.push(record);
      if (isJobRecord(record)) this.book.apply(record);
      for (const listener of this.listeners) listener.record(record);
    }
  }

  progress(job: string, device: string, sentBytes: number, totalBytes: number): void {
    const atMs = this.nowMs();
    const more = { blocks: 1, repeats: 0, lastRequestMs: atMs };
    const sample = { job, device, atMs, sentBytes, totalBytes, ...more };
    for (const listener of this.listeners) listener.progress(sample);
  }

  private moved(job: string, device: string, state: UpgradeState): JobRecordBody {
    return { kind: 'state', job, device, state, attempt: 0, owner: STATE_RULES[state].owner };
  }

  private jobOf(id: string): Job {
    this.assertWell();
    const job = this.book.job(id);
    if (job) return job;
    throw refused('job-unknown', id);
  }

  private meant(id: string, devices: readonly string[] | undefined) {
    const job = this.jobOf(id);
    const upgrades = job.upgrades.filter(({ device }) => devices?.includes(device) ?? true);
    const other = devices?.find((name) => !upgrades.some(({ device }) => device === name));
    if (other !== undefined) throw refused('device-not-in-job', other);
    return { job, upgrades };
  }

  private assertWell(): void {
    const { trouble } = this;
    this.trouble = undefined;
    if (trouble) throw trouble;
    if (this.state !== 'ready') throw refused('not-accepting', this.state);
  }
}

export function refused(code: ControlCode, actual: string): UpliftError {
  return new UpliftError(code, CONTROL_CODES[code], { actual });
}

export function refusedByStore(code: StoreCode, detail = ''): UpliftError {
  return new UpliftError(code, `${STORE_CODES[code]} (${detail})`, { actual: detail });
}

/** Of a gateway with Service Users: message 7 waits, message 5 is put aside. */
export class FakeDuis implements DuisControl {
  readonly documents = new Map([5, 7].map((n) => [n, Buffer.from(`<m n="${n}">\u00fc</m>`)]));
  /** What was done by whom, and why. */
  readonly done: string[] = [];
  private readonly parked = new Set([5]);

  requests(): ServiceRequestView[] {
    const of = '90-B3-D5-1F-30-01-00-00:02-55-50-4C-46-54-00-02';
    const taken = { duisVersion: '5.1', takenMs: 1, deviceCount: 2 };
    return [
      { ...taken, requestId: `${of}:1`, serviceReference: '11.1', jobs: ['j2', 'j3'] },
      { ...taken, requestId: `${of}:2`, serviceReference: '11.3', jobs: [], execution: 5 },
      { ...taken, requestId: `${of}:3`, serviceReference: '11.3', jobs: [], execution: 'cancel' },
    ];
  }

  outbox(): OutboxView[] {
    const lastFailure = { outcome: 'later', detail: 'status 503', atMs: 3 };
    const parked = [...this.parked].map((message) => {
      return { message, queuedMs: 1, parkedMs: 2, detail: 'status 400' };
    });
    return [
      {
        ...{ user: '90b3d51f30010000', waiting: 1, waitingSinceMs: 1, failures: 2 },
        ...{ lastFailure, nextTryMs: 4, parked },
      },
      { user: '90b3d51f30030000', waiting: 0, failures: 0, parked: [] },
    ];
  }

  message(message: number): Uint8Array {
    const document = this.documents.get(message);
    if (document) return document;
    throw refusedByOutbox('message-unknown', message);
  }

  release(message: number, by: string): void {
    this.take(message);
    this.done.push(`release ${message} ${by}`);
  }

  discard(message: number, by: string, reason: string): void {
    this.take(message);
    this.done.push(`discard ${message} ${by} ${reason}`);
  }

  private take(message: number): void {
    if (!this.parked.delete(message)) throw refusedByOutbox('message-not-parked', message);
  }
}

function refusedByOutbox(code: OutboxCode, message: number): UpliftError {
  return new UpliftError(code, OUTBOX_CODES[code], { actual: `${message}` });
}

/** Of a gateway of a fleet: it believes every campaign, and lacks the images of none. */
export class FakeCampaigns implements CampaignControl {
  /** By digest, which is of the whole document here. */
  readonly brought = new Map<string, CampaignView>();
  readonly done: string[] = [];
  /** By the record they begin after; the last of them ends the journal. */
  stretches = new Map<number, { through: number; sealed: Uint8Array }>([
    [0, { through: 20, sealed: Uint8Array.of(0xd2, 1, 2, 3) }],
    [20, { through: 31, sealed: Uint8Array.of(0xd2, 4, 5) }],
  ]);

  campaigns(): CampaignView[] {
    return [...this.brought.values()];
  }

  carry(document: Uint8Array, by: string): CampaignView {
    if (document[0] !== 0xd8) throw new UpliftError('cose-structure', 'It is no COSE_Sign.');
    const digest = sha256Hex(document);
    const known = this.brought.get(digest);
    if (known) return known;
    if (this.brought.size >= 4) throw refusedCampaign('campaigns-many', '4');
    const view: CampaignView = {
      ...{ id: `c-${this.brought.size + 1}`, digest, carrier: 'stick', state: 'running' },
      ...{ missing: [], devices: { pending: 2 } },
    };
    this.brought.set(digest, view);
    this.done.push(`carry ${view.id} ${by}`);
    return view;
  }

  cancel(digest: string, by: string, reason: string): CampaignView {
    const known = this.brought.get(digest);
    if (!known) throw refusedCampaign('campaign-unknown', digest);
    if (known.state === 'aborted') throw refusedCampaign('campaign-over', known.id);
    if (known.carrier !== 'stick') throw refusedCampaign('campaign-of-other', known.carrier);
    const view: CampaignView = { ...known, state: 'aborted', detail: reason };
    this.brought.set(digest, view);
    this.done.push(`cancel ${view.id} ${by} ${reason}`);
    return view;
  }

  /** The first device of the gateway is in the first of them. */
  campaignOf(device: string): DeviceCampaignView | undefined {
    const [first] = this.campaigns();
    if (!first || device !== DEVICES[0]) return undefined;
    return { id: first.id, generation: 7, ring: 'canary', state: 'under-way' };
  }

  coordinator(): CoordinatorLinkView {
    const trouble = { code: 'fleet-unreachable', sinceMs: 5 };
    return { connected: false, enrolled: true, lastContactMs: 4, trouble, eventsWaiting: 3 };
  }

  get health(): Pick<HealthView, 'campaigns' | 'coordinator'> {
    const campaigns = this.campaigns().map(({ id, digest, carrier, state }) => ({
      ...{ id, digest, generation: 7, carrier, state },
    }));
    return { campaigns, coordinator: this.coordinator() };
  }

  place(device: string): { campaign?: DeviceCampaignView } {
    const campaign = this.campaignOf(device);
    return campaign ? { campaign } : {};
  }

  sealedEvents(after = 0) {
    const found = this.stretches.get(after) ?? { through: after, sealed: Uint8Array.of(0xd2) };
    return { gateway: 'gateway-1', more: this.stretches.has(found.through), ...found };
  }
}

export function refusedCampaign(code: CampaignControlCode, actual: string): UpliftError {
  return new UpliftError(code, CAMPAIGN_CONTROL_CODES[code], { actual });
}
