/**
 * A fleet's coordinator over one database: what it keeps in memory may be lost at any time, so any number
 * of processes may serve one fleet, and one that is killed leaves nothing half done.
 */
import { randomBytes } from 'node:crypto';
import type { CampaignTrust } from '../../campaign/signed-campaign.ts';
import type { Actor } from '../../jobs/records.ts';
import type { Log, Timers } from '../../ports.ts';
import { takeCarriedEvents } from '../bundle/carried-events.ts';
import type { Desired, EventBatch, EventsTaken, Inventory } from '../wire.ts';
import { appendAudit, auditPage, firstTampered, openFleet } from './audit.ts';
import { blobBytes, dropUploads, openBlob, putBlob } from './blobs.ts';
import { campaignPage, campaignView, deviceEvents, devicePage, viewOf } from './campaign-views.ts';
import { takeCensus } from './census.ts';
import { abortCampaign, pauseCampaign, resumeCampaign, retryFailed } from './commands.ts';
import type { CampaignView, Coordinator, DeviceFilter, EventsBrought } from './control.ts';
import { type Change, type DatabaseSpec, openDatabase } from './database.ts';
import { changedSince, DesiredReader, READING } from './desired.ts';
import { endTelling, evaluateCampaign, GOING, NOT_STARTED } from './evaluation.ts';
import { type Stretch, type Taken, takenOf, takeStretches } from './events.ts';
import {
  addGateway,
  devicesOf,
  enrol,
  gatewayPage,
  gatewayView,
  idsOf,
  renewGateway,
  revokeGateway,
  takeInventory,
} from './gateways.ts';
import { Gathered, type GatheredOptions } from './gathered.ts';
import { Manifests } from './manifests.ts';
import { refusedBy } from './refusals.ts';
import { dropEvents } from './retention.ts';
import type { CampaignTable } from './schema.ts';
import {
  COORDINATOR_SETTINGS,
  type CoordinatorSettings,
  type Desk,
  EVALUATION_MS,
  EVALUATION_MS_MAX,
  EVALUATION_PAUSE,
} from './settings.ts';
import { startCampaign } from './start.ts';
import { submitCampaign } from './submission.ts';

export interface CoordinatorOptions {
  database: DatabaseSpec;
  /** A database is one fleet's. */
  fleet: string;
  /** Whose signatures on campaigns count, asked each time. */
  trust: () => Omit<CampaignTrust, 'atMs'>;
  clock: Timers;
  log: Log;
  settings?: Partial<CoordinatorSettings>;
  /** So many octets that nobody can guess. */
  random?: (bytes: number) => Uint8Array;
}

/** Where changes are looked up that nobody told of: a connection may have been away. */
const LOOK_MS = 10_000;
/** Clocks of two processes differ, and a change is seen when it is durable, not when it is made. */
const LOOK_BACK_MS = 60_000;

/** One makes its commit while another is made. By events, so that a transaction stays short. */
const INTAKE: GatheredOptions<Stretch> = {
  atOnce: 2,
  most: 2_000,
  weigh: ({ batch }) => 10 + batch.events.length,
  keyOf: ({ gateway }) => gateway,
};

/** @throws UpliftError */
export async function openCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { clock: timers, log, fleet, trust, random = randomBytes } = options;
  const database = await openDatabase(options.database, { log, timers });
  const settings = { ...COORDINATOR_SETTINGS, ...options.settings };
  try {
    await database.change((change) => openFleet(change, fleet));
    return new DatabaseCoordinator({ database, fleet, trust, timers, random, log, settings });
  } catch (error) {
    await database.close();
    throw error;
  }
}

class DatabaseCoordinator implements Coordinator {
  readonly fleet: string;
  private readonly desk: Desk;
  private readonly manifests = new Manifests();
  private readonly reader: DesiredReader;
  private readonly identities: Gathered<string, string | undefined>;
  private readonly intake: Gathered<Stretch, Taken>;
  private readonly wakers = new Set<(gateway: string) => void>();
  private evaluation: { cancel(): void } | undefined;
  private isTouched = false;
  /** What the last took. */
  private evaluationMs = 0;
  private evaluating: Promise<void> = Promise.resolve();
  private look: { cancel(): void } | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(desk: Desk) {
    this.desk = desk;
    this.fleet = desk.fleet;
    this.reader = new DesiredReader(desk);
    this.identities = new Gathered((all) => idsOf(desk, all), READING);
    this.intake = new Gathered((all) => takeStretches(desk, this.manifests, all), INTAKE);
    desk.database.onWake((gateway) => this.wake(gateway));
    if (desk.database.kind === 'postgres') this.lookLater();
  }

  // ---- gateways -------------------------------------------------------------------------------------

  enrol(token: string, gateway: string, version: string, certificate: string): Promise<void> {
    return enrol(this.desk, token, gateway, version, certificate);
  }

  identify(certificate: string) {
    return this.identities.one(certificate);
  }

  desired(gateway: string, known: number | undefined): Promise<Desired | undefined> {
    return this.reader.desiredOf(gateway, known);
  }

  takeEvents(gateway: string, batch: EventBatch): Promise<EventsTaken> {
    return this.take({ gateway, batch });
  }

  takeInventory(gateway: string, inventory: Inventory): Promise<void> {
    return takeInventory(this.desk, gateway, inventory);
  }

  blob(sha256: string) {
    return openBlob(this.desk, sha256);
  }

  onDesired(listener: (gateway: string) => void): () => void {
    this.wakers.add(listener);
    return () => this.wakers.delete(listener);
  }

  // ---- people ---------------------------------------------------------------------------------------

  gateways(after: string | undefined, limit: number) {
    return this.desk.database.ask((db) => gatewayPage(db, after, limit));
  }

  gateway(id: string) {
    return this.desk.database.ask((db) => gatewayView(db, id));
  }

  gatewayDevices(id: string) {
    return this.desk.database.ask((db) => devicesOf(db, id));
  }

  addGateway(id: string, by: Actor) {
    return addGateway(this.desk, id, by);
  }

  renewGateway(id: string, by: Actor) {
    return renewGateway(this.desk, id, by);
  }

  async revokeGateway(id: string, by: Actor, reason: string): Promise<void> {
    await revokeGateway(this.desk, id, by, reason);
    this.evaluateLater();
  }

  async bringEvents(sealed: Uint8Array, by: Actor): Promise<EventsBrought> {
    const brought = await takeCarriedEvents(
      {
        fleet: this.fleet,
        identify: (certificate) => this.identify(certificate),
        takeSealed: (gateway, batch) => this.take({ gateway, batch, isSealed: true }),
      },
      sealed,
    );
    if (!brought.ok) throw refusedBy(brought);
    const { gateway, taken } = brought;
    const { journal } = taken;
    const atMs = this.desk.timers.nowMs();
    const detail = `to record ${journal?.sequence ?? 0}`;
    // Where it ends before this, whoever got no answer brings them again.
    await this.desk.database.change(async (change) =>
      appendAudit(change, { atMs, by, what: 'events-brought', about: gateway, detail }),
    );
    return { gateway, ...(journal ? { journal } : {}) };
  }

  putBlob(sha256: string, bytes: number, content: AsyncIterable<Uint8Array>, by: Actor) {
    return putBlob(this.desk, sha256, bytes, content, by);
  }

  async hasBlob(sha256: string): Promise<boolean> {
    return (await this.desk.database.ask((db) => blobBytes(db, sha256))) !== undefined;
  }

  async submit(document: Uint8Array, by: Actor): Promise<CampaignView> {
    const digest = await submitCampaign(this.desk, document, by);
    return this.desk.database.ask(async (db) => {
      const query = db.selectFrom('campaigns').selectAll().where('digest', '=', digest);
      return viewOf(db, this.manifests, await query.executeTakeFirstOrThrow());
    });
  }

  campaigns(after: string | undefined, limit: number) {
    return this.desk.database.ask((db) => campaignPage(db, this.manifests, after, limit));
  }

  campaign(id: string): Promise<CampaignView | undefined> {
    return this.desk.database.ask((db) => campaignView(db, this.manifests, id));
  }

  campaignDevices(id: string, filter: DeviceFilter) {
    return this.desk.database.ask((db) => devicePage(db, this.manifests, id, filter));
  }

  deviceEvents(id: string, device: string, limit: number) {
    return this.desk.database.ask((db) => deviceEvents(db, id, device, limit));
  }

  start(id: string, by: Actor): Promise<CampaignView> {
    return this.command((change) => startCampaign(change, this.desk, id, by));
  }

  pause(id: string, by: Actor, reason: string): Promise<CampaignView> {
    return this.command((change) => pauseCampaign(change, this.desk, id, by, reason));
  }

  resume(id: string, by: Actor): Promise<CampaignView> {
    return this.command((change) => resumeCampaign(change, this.desk, id, by));
  }

  abort(id: string, by: Actor, reason: string): Promise<CampaignView> {
    return this.command((change) => abortCampaign(change, this.desk, id, by, reason));
  }

  retryFailed(
    id: string,
    devices: readonly string[] | undefined,
    by: Actor,
  ): Promise<CampaignView> {
    return this.command((change) => retryFailed(change, this.desk, id, devices, by));
  }

  census() {
    return this.desk.database.ask((db) => takeCensus(db, this.desk));
  }

  audit(after: number | undefined, limit: number) {
    return this.desk.database.ask((db) => auditPage(db, after, limit));
  }

  checkAudit() {
    return this.desk.database.ask(firstTampered);
  }

  private async take(stretch: Stretch): Promise<EventsTaken> {
    const { isTouched, ...taken } = takenOf(await this.intake.one(stretch));
    if (isTouched) this.evaluateLater();
    return taken;
  }

  // ---- what is due ----------------------------------------------------------------------------------

  async keepHouse(): Promise<void> {
    const { database, timers } = this.desk;
    const nowMs = timers.nowMs();
    const due = await database.ask((db) =>
      db
        .selectFrom('campaigns')
        .select(['digest', 'state', 'told_until_ms'])
        .where((eb) =>
          eb.or([
            eb('state', 'in', GOING),
            eb.and([eb('state', 'in', NOT_STARTED), eb('expires_ms', '<=', nowMs)]),
            eb('told_until_ms', '<=', nowMs),
          ]),
        )
        .orderBy('digest')
        .execute(),
    );
    for (const { digest, told_until_ms } of due) {
      await (told_until_ms === null
        ? this.evaluate(digest)
        : database.change((change) => endTelling(change, digest, nowMs)));
    }
    await this.evaluateTouched();
    await dropUploads(this.desk);
    await dropEvents(this.desk);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.evaluation?.cancel();
    this.look?.cancel();
    await Promise.all([this.evaluating, this.looking]);
    await this.desk.database.close();
  }

  /** What follows from a command is in what it returns. */
  private command(work: (change: Change) => Promise<Pick<CampaignTable, 'digest'>>) {
    return this.desk.database.change(async (change) => {
      const { digest } = await work(change);
      await evaluateCampaign(change, this.desk, this.manifests, digest);
      const query = change.db.selectFrom('campaigns').selectAll().where('digest', '=', digest);
      return viewOf(change.db, this.manifests, await query.executeTakeFirstOrThrow());
    });
  }

  private evaluate(digest: string): Promise<void> {
    return this.desk.database.change((change) =>
      evaluateCampaign(change, this.desk, this.manifests, digest),
    );
  }

  /** One for all that is told of meanwhile; where it cannot be done, what is due is done later. */
  private evaluateLater(): void {
    this.isTouched = true;
    if (this.evaluation || this.isClosed) return;
    const pauseMs = Math.max(EVALUATION_MS, EVALUATION_PAUSE * this.evaluationMs);
    this.evaluation = this.desk.timers.after(pauseMs, () => {
      this.isTouched = false;
      this.evaluating = this.evaluateMeasured()
        .catch(this.note)
        .then(() => {
          this.evaluation = undefined;
          if (this.isTouched) this.evaluateLater();
        });
    });
  }

  private async evaluateMeasured(): Promise<void> {
    const beganMs = this.desk.timers.nowMs();
    await this.evaluateTouched();
    // By a clock that may be set meanwhile.
    const tookMs = Math.max(0, this.desk.timers.nowMs() - beganMs);
    this.evaluationMs = Math.min(tookMs, EVALUATION_MS_MAX);
  }

  private async evaluateTouched(): Promise<void> {
    const touched = await this.desk.database.ask((db) =>
      db.selectFrom('touches').select('campaign').distinct().orderBy('campaign').execute(),
    );
    for (const { campaign } of touched) await this.evaluate(campaign);
  }

  private lookLater(): void {
    if (this.isClosed) return;
    this.look = this.desk.timers.after(LOOK_MS, () => {
      this.looking = this.wakeChanged()
        .catch(this.note)
        .then(() => this.lookLater());
    });
  }

  private async wakeChanged(): Promise<void> {
    if (this.wakers.size === 0) return;
    const sinceMs = this.desk.timers.nowMs() - LOOK_BACK_MS;
    const changed = await this.desk.database.ask((db) => changedSince(db, sinceMs));
    for (const gateway of changed) this.wake(gateway);
  }

  private wake(gateway: string): void {
    for (const listener of this.wakers) listener(gateway);
  }

  private readonly note = (error: unknown): void => {
    const { message } = error as Error;
    this.desk.log.write('warning', 'campaigns could not be evaluated; it is tried again', {
      said: message,
    });
  };
}
