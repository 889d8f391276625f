/** The running gateway as its doors see it: jobs, devices, images, lists, records, health. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rules } from '../admission/decide.ts';
import type { DeviceFacts } from '../admission/facts.ts';
import type { RuleText } from '../admission/rule.ts';
import { UpliftError } from '../errors.ts';
import { recogniseFormat } from '../image/file-format.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import type { Actor, JobActivation, JobRequest } from '../jobs/records.ts';
import { isOver } from '../jobs/states.ts';
import type { StoreRefusal, StoreState } from '../store/codes.ts';
import type { ImageStore } from '../store/images.ts';
import { sha256Hex } from '../trust/digest.ts';
import type { AdmissionDesk } from './admission-desk.ts';
import {
  type CampaignControl,
  CONTROL_CODES,
  type DeviceView,
  type DuisControl,
  type GatewayControl,
  type GatewayListener,
  type GatewayRecord,
  type HealthView,
  type ImageView,
  LIST_FIELDS,
  type ListKind,
  type ListView,
  type ReviewView,
  type UpgradeView,
  type UploadView,
} from './control.ts';
import type { Gateway } from './gateway.ts';
import {
  loadCentralProductsList,
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from './list-library.ts';
import type { GatewayJournal } from './record-keeper.ts';
import type { StandingRecords } from './standing.ts';

export interface ServiceControlOptions {
  id: string;
  version: string;
  gateway: Gateway;
  journal: GatewayJournal & { readonly state: StoreState };
  images: ImageStore;
  desk: AdmissionDesk;
  standing: StandingRecords;
  /** Where there are Service Users. */
  duis(): DuisControl | undefined;
  /** Where it belongs to a fleet. */
  campaigns?(): CampaignControl | undefined;
  /** Where lists are kept that came in by a door. */
  listFolder: string;
  nowMs(): number;
}

const LIST_READERS = {
  'central-products-list': loadCentralProductsList,
  'eligible-combinations': loadEligibleCombinations,
  'pending-combinations': loadPendingCombinations,
  installations: loadInstallations,
} as const satisfies Record<ListKind, (path: string) => { entries: readonly unknown[] }>;

export class ServiceControl implements GatewayControl {
  private readonly options: ServiceControlOptions;
  private readonly formats = new Map<string, string | undefined>();

  constructor(options: ServiceControlOptions) {
    this.options = options;
  }

  get duis(): DuisControl | undefined {
    return this.options.duis();
  }

  get campaigns(): CampaignControl | undefined {
    return this.options.campaigns?.();
  }

  health(): HealthView {
    const { id, version, gateway, journal, images } = this.options;
    const { state, error } = gateway.condition;
    const upgrades: Record<string, number> = {};
    for (const { state: where } of gateway.book.openUpgrades())
      upgrades[where] = (upgrades[where] ?? 0) + 1;
    const stores = [journal.state, images.state].flatMap((store) =>
      store.state === 'faulted' ? [{ code: store.code, message: store.message }] : [],
    );
    const reasons = error ? [{ code: error.code, message: error.message }, ...stores] : stores;
    return {
      gateway: id,
      version,
      state: state === 'ready' && stores.length > 0 ? 'degraded' : state,
      reasons,
      startedMs: gateway.startedMs,
      journal: { sequence: journal.head.sequence, hash: journal.head.hash },
      upgrades,
      links: [...gateway.linkStates].map(([link, { up, since, detail }]) => ({
        link,
        up,
        since,
        detail,
      })),
      ...this.fleetHealth(),
    };
  }

  jobs(): Iterable<Job> {
    return this.options.gateway.book.jobs;
  }

  job(id: string): Job | undefined {
    return this.options.gateway.book.job(id);
  }

  story(job: string): readonly GatewayRecord[] {
    return this.options.gateway.jobs.story(job);
  }

  explain(upgrade: Upgrade): UpgradeView {
    return { upgrade, ...this.options.gateway.jobs.explain(upgrade) };
  }

  createJob(request: JobRequest, by: Actor): Job {
    const { gateway } = this.options;
    return gateway.jobs.create(request, by, (asked) => ({
      secondPerson: asked.devices.some((device) => this.needsSecondPerson(asked, device)),
    }));
  }

  review(
    image: string,
    devices: readonly string[],
    activation: JobActivation,
  ): readonly ReviewView[] {
    const { gateway, images } = this.options;
    if (!images.has(image)) throw refused('image-unknown', image);
    for (const device of devices) gateway.assertKnown(device);
    return devices.map((device) => this.reviewOf(image, device, activation));
  }

  approve(job: string, by: Actor): Job {
    return this.options.gateway.jobs.approve(job, by);
  }

  reject(job: string, by: Actor, reason: string): Job {
    return this.options.gateway.jobs.reject(job, by, reason);
  }

  activate(
    job: string,
    devices: readonly string[] | undefined,
    activation: JobActivation,
    by: Actor,
  ): Job {
    return this.options.gateway.jobs.activate(job, devices, activation, by);
  }

  cancel(job: string, devices: readonly string[] | undefined, by: Actor, reason?: string): Job {
    return this.options.gateway.jobs.cancel(job, devices, by, reason);
  }

  retry(job: string, devices: readonly string[] | undefined, by: Actor): Job {
    return this.options.gateway.jobs.retry(job, devices, by);
  }

  devices(): readonly DeviceView[] {
    const { gateway, desk } = this.options;
    return gateway.fieldDevices.map(({ id, kind, eui64, link, stallMs }) => {
      const runs = gateway.runsOf(id);
      const reading = gateway.readingOf(id);
      const deviceModel = deviceModelText(desk.factsOf(id));
      const [open] = gateway.book.openFor(id);
      const campaign = this.campaigns?.campaignOf(id);
      return {
        id,
        kind,
        ...(eui64 === undefined ? {} : { eui64 }),
        ...(deviceModel === undefined ? {} : { deviceModel }),
        ...(stallMs === undefined ? {} : { stallMs }),
        link,
        linkUp: gateway.linkStates.get(link)?.up === true,
        ...(runs ? { runs: runs.version, runsReadMs: runs.atMs } : {}),
        ...(reading ? { reading } : {}),
        ...(open ? { upgrade: open.id } : {}),
        ...(campaign ? { campaign } : {}),
      };
    });
  }

  readDevice(device: string, by: Actor): { from: number } {
    const { gateway, journal } = this.options;
    gateway.assertAccepting();
    gateway.assertKnown(device);
    const from = journal.head.sequence + 1;
    // Why it failed is on record.
    gateway.read(device, by).catch(() => {});
    return { from };
  }

  // ---- images -----------------------------------------------------------------------------------------

  images(): readonly ImageView[] {
    return this.options.images.list().map(({ sha256, bytes }) => this.imageView(sha256, bytes));
  }

  beginUpload(
    upload: { bytes: number; sha256: string; name: string },
    by: Actor,
  ): UploadView | ImageView {
    const { images, gateway, nowMs } = this.options;
    gateway.assertAccepting();
    const begun = images.begin(upload, nowMs());
    if (!begun.ok) throw storeError(begun);
    if (begun.kind === 'present') {
      const { sha256, bytes, name } = upload;
      if (!this.options.standing.stored(sha256)) this.tellStored(sha256, bytes, name, by);
      return this.imageView(sha256, bytes);
    }
    return this.upload(begun.uploadId)!;
  }

  upload(id: string): UploadView | undefined {
    const status = this.options.images.status(id);
    if (!status.ok) return undefined;
    const { bytes, offset, expiresMs } = status;
    return { upload: id, bytes, receivedBytes: offset, expiresMs };
  }

  appendUpload(id: string, offset: number, chunk: Uint8Array): UploadView {
    const appended = this.options.images.append(id, offset, chunk, this.options.nowMs());
    if (!appended.ok) throw storeError(appended);
    return this.upload(id)!;
  }

  finishUpload(id: string, by: Actor): ImageView {
    const finished = this.options.images.finish(id);
    if (!finished.ok) throw storeError(finished);
    this.tellStored(finished.sha256, finished.bytes, finished.name, by);
    return this.imageView(finished.sha256, finished.bytes);
  }

  abandonUpload(id: string): void {
    const abandoned = this.options.images.abandon(id);
    if (!abandoned.ok) throw storeError(abandoned);
  }

  deleteImage(sha256: string, by: Actor): void {
    const { images, gateway } = this.options;
    gateway.assertAccepting();
    if (!images.has(sha256)) throw refused('image-unknown', sha256);
    const [needing] = this.neededBy(sha256);
    if (needing !== undefined) throw refused('image-in-use', needing);
    gateway.record({ kind: 'image-removed', sha256, by });
    const kept = new Set(images.list().flatMap((one) => (one.sha256 === sha256 ? [] : one.sha256)));
    const removed = images.removeUnused(kept);
    if (!removed.ok) throw storeError(removed);
  }

  // ---- lists ------------------------------------------------------------------------------------------

  lists(): readonly ListView[] {
    return this.options.standing.lists;
  }

  putList(
    kind: ListKind,
    file: Uint8Array,
    stamp: { fetchedAtMs: number; source: string },
    by: Actor,
  ): ListView {
    const { gateway, desk, listFolder } = this.options;
    gateway.assertAccepting();
    const sha256 = sha256Hex(file);
    const isBook = file[0] === 0x50 && file[1] === 0x4b;
    const path = join(listFolder, `${kind}-${sha256}.${isBook ? 'xlsx' : 'csv'}`);
    writeFileSync(path, file, { mode: 0o640, flush: true });
    const { entries } = LIST_READERS[kind](path);
    const { fetchedAtMs, source } = stamp;
    desk.change({ [LIST_FIELDS[kind]]: path, stamp });
    const view = { list: kind, path, sha256, entries: entries.length, fetchedAtMs, source };
    gateway.record({ kind: 'list', by, ...view });
    return this.lists().find((list) => list.kind === kind)!;
  }

  rules(): readonly RuleText[] {
    return rules();
  }

  records(sequence: number, limit: number): readonly GatewayRecord[] {
    return [...this.options.journal.records(sequence, limit)];
  }

  listen(listener: GatewayListener): () => void {
    return this.options.gateway.listen(listener);
  }

  // ---- leaves -----------------------------------------------------------------------------------------

  private fleetHealth(): Pick<HealthView, 'campaigns' | 'coordinator'> {
    const { campaigns } = this;
    if (!campaigns) return {};
    const coordinator = campaigns.coordinator();
    return {
      campaigns: campaigns.campaigns().map(({ id, digest, generation, carrier, state, code }) => ({
        ...{ id, digest, carrier, state },
        ...(generation === undefined ? {} : { generation }),
        ...(code === undefined ? {} : { code }),
      })),
      ...(coordinator ? { coordinator } : {}),
    };
  }

  private reviewOf(image: string, device: string, activation: JobActivation): ReviewView {
    const { gateway, desk, nowMs } = this.options;
    const said = gateway.runsOf(device);
    return {
      device,
      ...(said ? { runs: said.version, runsReadMs: said.atMs } : {}),
      ...desk.review(image, device, { said, activation, nowMs: nowMs() }),
    };
  }

  /** What cannot be judged now is judged when it begins, and refused there. */
  private needsSecondPerson({ image, activation }: JobRequest, device: string): boolean {
    if (!this.options.desk.mayGoBack(device)) return false;
    try {
      return this.reviewOf(image, device, activation).secondPerson !== undefined;
    } catch (error) {
      if (error instanceof UpliftError) return true;
      throw error;
    }
  }

  private tellStored(sha256: string, bytes: number, name: string, by: Actor): void {
    this.options.gateway.record({ kind: 'image-stored', sha256, bytes, name, by });
  }

  private imageView(sha256: string, bytes: number): ImageView {
    const { name = '', storedMs = 0 } = this.options.standing.stored(sha256) ?? {};
    const format = this.formatOf(sha256);
    return {
      sha256,
      bytes,
      name,
      storedMs,
      ...(format === undefined ? {} : { format }),
      neededBy: this.neededBy(sha256),
    };
  }

  /** Read once: an image is what its name says, or is set aside where it is used. */
  private formatOf(sha256: string): string | undefined {
    if (!this.formats.has(sha256)) {
      const opened = this.options.images.open(sha256);
      this.formats.set(sha256, opened.ok ? recogniseFormat(opened.bytes) : undefined);
    }
    return this.formats.get(sha256);
  }

  private neededBy(sha256: string): string[] {
    const jobs = [...this.options.gateway.book.jobs];
    return jobs.flatMap(({ id, request, upgrades }) =>
      request.image === sha256 && upgrades.some(({ state }) => !isOver(state)) ? [id] : [],
    );
  }
}

/** As far as its model file says. */
function deviceModelText({ deviceModel }: DeviceFacts): string | undefined {
  if (!deviceModel) return undefined;
  const { manufacturer, model, hardwareVersion, hardwareRevision } = deviceModel;
  const words = [manufacturer, model, hardwareVersion, hardwareRevision];
  return words.map((word) => word ?? '?').join(' ');
}

function storeError({ code, message, offset }: StoreRefusal & { offset?: number }): UpliftError {
  return new UpliftError(code, message, {
    ...(offset === undefined ? {} : { expected: `offset ${offset}` }),
    next: 'see how far the upload is, or begin anew',
  });
}

function refused(code: keyof typeof CONTROL_CODES, actual: string): UpliftError {
  return new UpliftError(code, CONTROL_CODES[code], { actual });
}
