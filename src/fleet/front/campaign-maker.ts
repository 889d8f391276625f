/**
 * Which campaign a device that is asked for goes on in: one of this front that has it already, else a new
 * one for all that were gathered with it. Where the coordinator is away they wait, and may be called off.
 */

import { inPieces } from '../../bytes/in-pieces.ts';
import type { CampaignImage } from '../../campaign/manifest.ts';
import { encodeManifest, type Manifest } from '../../campaign/manifest.ts';
import { UpliftError } from '../../errors.ts';
import type { Log, Timers } from '../../ports.ts';
import type { FleetClient } from './client.ts';
import type { FrontCode } from './codes.ts';
import { isAway, pauseMs } from './contact.ts';
import {
  CAMPAIGN_DEVICES_MAX,
  type CampaignRules,
  commandOf,
  isFor,
  manifestOf,
  type Order,
} from './draft.ts';
import type { FleetDevices } from './fleet-devices.ts';
import type { FrontLimits } from './fleet-field.ts';
import type { FleetRun } from './fleet-run.ts';
import { FrontCampaign } from './front-campaign.ts';
import type { Inventories } from './inventories.ts';
import { nothingOf } from './steps.ts';
import { nextTurn } from './teller.ts';

export interface MakerOptions {
  client: FleetClient;
  devices: FleetDevices;
  inventories: Inventories;
  timers: Timers;
  log: Log;
  limits: FrontLimits;
  rules: CampaignRules;
  /** By the author, and by those who approve by themselves. */
  sign(manifest: Uint8Array, nextTurn: () => Promise<void>): Promise<Uint8Array>;
  /** Its gateway has not said yet what it runs: it is placed again after so long. */
  again(run: FleetRun, afterMs: number): void;
}

/** A campaign of this front, as far as it is known without asking. */
interface Made {
  through: number;
  /** Absent: the coordinator has to be asked what it is for. */
  for?: { image: string; activation: 'now' | 'held' };
}

const PAGE = 200;

export class CampaignMaker {
  private readonly options: MakerOptions;
  /** By id; those of earlier processes, too, when they were listed. */
  private readonly made = new Map<string, Made>();
  private readonly followed = new Map<string, FrontCampaign>();
  private readonly campaignOf = new Map<FleetRun, FrontCampaign>();
  private work: Promise<void> = Promise.resolve();
  private isListed = false;
  private isStopped = false;
  private wake: () => void = () => {};

  constructor(options: MakerOptions) {
    this.options = options;
  }

  /** All of one image and activation; resolves when each has a campaign, or an end. */
  place(runs: readonly FleetRun[]): Promise<void> {
    const placed = this.work.then(() => this.placeAll(runs));
    this.work = placed;
    return placed;
  }

  over(run: FleetRun): void {
    this.campaignOf.get(run)?.over(run);
    this.campaignOf.delete(run);
  }

  stop(): void {
    this.isStopped = true;
    for (const campaign of this.followed.values()) campaign.stop();
    this.wake();
  }

  private async placeAll(runs: readonly FleetRun[]): Promise<void> {
    for (let failures = 0; !this.isStopped; ) {
      const open = runs.filter((run) => run.isOpen && !run.isPlaced);
      if (open.length === 0) return;
      try {
        await this.list();
        await this.makeFor(await this.goOn(open));
        return;
      } catch (error) {
        if (!(error instanceof UpliftError)) throw error;
        this.tellWaiting(open, error, failures);
        await this.pause(pauseMs(failures++));
      }
    }
  }

  private tellWaiting(runs: readonly FleetRun[], error: UpliftError, failures: number): void {
    const { log, timers, rules } = this.options;
    const { code, message } = error;
    if (failures > 0) return;
    const why = isAway(error) ? 'the coordinator does not answer' : message;
    log.write('warning', `${runs.length} devices wait for a campaign: ${why}`, { code });
    const untilMs = timers.nowMs() + rules.lifeMs;
    for (const run of runs) run.wait(`waits for a campaign: ${why}`, untilMs);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const timer = this.options.timers.after(ms, done);
      this.wake = () => {
        timer.cancel();
        done();
      };
    });
  }

  // ---- what there is ----------------------------------------------------------------------------------

  private async list(): Promise<void> {
    const { client, rules } = this.options;
    for (let after: string | undefined; !this.isListed; ) {
      const page = await client.campaigns(after, PAGE);
      for (const { id } of page.items) {
        const through = commandOf(id, rules.front);
        if (through !== undefined && !this.made.has(id)) this.made.set(id, { through });
      }
      after = page.items.at(-1)?.id;
      this.isListed = !page.more;
    }
  }

  /** Puts into campaigns what is in one already. @returns the others */
  private async goOn(runs: readonly FleetRun[]): Promise<readonly FleetRun[]> {
    const { client, rules } = this.options;
    const rest = new Set(runs);
    const [{ image, activation } = { image: { sha256: '' }, activation: 'held' }] = runs;
    const least = runs.reduce((ms, { commandedBy }) => Math.min(ms, commandedBy), Infinity);
    const byAge = [...this.made].toSorted(([, a], [, b]) => b.through - a.through);
    for (const [id, { through, for: known }] of byAge) {
      if (through < least || rest.size === 0) break;
      const isOther = known && (known.image !== image.sha256 || known.activation !== activation);
      const manifest = isOther ? undefined : await client.manifest(id);
      if (!manifest || this.isStopped) continue;
      const named = new Set(manifest.devices);
      const its = [...rest].filter(
        (run) => named.has(run.device) && isFor(manifest, askedOf(run), rules.front),
      );
      for (const run of its) rest.delete(run);
      this.adopt(manifest, its, undefined);
    }
    return [...rest];
  }

  // ---- what is made -----------------------------------------------------------------------------------

  private async makeFor(runs: readonly FleetRun[]): Promise<void> {
    const { devices, inventories, timers, limits } = this.options;
    const gateways = new Set<string>();
    const unread = new Set<string>();
    for (const { device } of runs) {
      const { gateway, told } = devices.device(device)!;
      (told.firmwareVersion === undefined ? unread : gateways).add(gateway);
    }
    await inventories.freshen(gateways, timers.nowMs() - limits.freshMs);
    await inventories.freshen(unread, timers.nowMs());
    if (this.isStopped) return;
    // Who was called off meanwhile is in no campaign.
    const open = runs.filter((run) => run.isOpen);
    const able = open.filter((run) => {
      const code = this.obstacleOf(run);
      const isEarly = code === 'precursor-unknown' && this.waitsForReading(run);
      if (code && !isEarly) run.tell(nothingOf(run.standing, code));
      return code === undefined;
    });
    for (const piece of inPieces(able, CAMPAIGN_DEVICES_MAX)) await this.make(piece);
  }

  private obstacleOf({ device, image, standing }: FleetRun): FrontCode | undefined {
    if (standing.isAnnounced) return 'campaign-lost';
    if (!image.words) return 'image-unreadable';
    const { told } = this.options.devices.device(device)!;
    return told.firmwareVersion === undefined ? 'precursor-unknown' : undefined;
  }

  /** A gateway that was just installed reads its devices one after another. */
  private waitsForReading(run: FleetRun): boolean {
    const { timers, limits, again } = this.options;
    const { sinceMs, times } = run.unread ?? { sinceMs: timers.nowMs(), times: 0 };
    const untilMs = sinceMs + limits.unreadMs;
    if (timers.nowMs() >= untilMs) return false;
    run.unread = { sinceMs, times: times + 1 };
    if (times === 0) run.wait('waits for its gateway to read what it runs', untilMs);
    again(run, pauseMs(times));
    return true;
  }

  /** A large manifest takes its time: between its steps others have their turn. */
  private async make(runs: readonly FleetRun[]): Promise<void> {
    const { rules, timers, sign } = this.options;
    const [{ image, activation }] = runs as [FleetRun];
    // Too late to call any of them off.
    for (const run of runs) run.isPlaced = true;
    try {
      const orders = runs.map((run) => this.orderOf(run));
      const draft = { image: image.words as CampaignImage, activation, orders };
      const manifest = manifestOf(draft, rules, timers.nowMs());
      await nextTurn(timers);
      const payload = encodeManifest(manifest);
      await nextTurn(timers);
      const document = await sign(payload, () => nextTurn(timers));
      if (!this.isStopped) this.adopt(manifest, runs, document);
    } catch (error) {
      for (const run of runs) run.isPlaced = false;
      throw error;
    }
  }

  private adopt(
    manifest: Manifest,
    runs: readonly FleetRun[],
    document: Uint8Array | undefined,
  ): void {
    const [first] = runs;
    if (!first) return;
    const { id, expiresMs } = manifest;
    const { client, timers, limits, log, rules } = this.options;
    const { image, activation } = first;
    this.made.set(id, {
      through: commandOf(id, rules.front)!,
      for: { image: image.sha256, activation },
    });
    let campaign = this.followed.get(id);
    if (!campaign) {
      campaign = new FrontCampaign({
        ...{ id, expiresMs, client, timers, limits, log },
        ...(document ? { document } : {}),
        onOver: () => this.followed.delete(id),
      });
      this.followed.set(id, campaign);
    }
    for (const run of runs) this.campaignOf.set(run, campaign);
    campaign.adopt(runs);
  }

  private orderOf({ device, commandedBy, askedMs }: FleetRun): Order {
    const { told } = this.options.devices.device(device)!;
    return { device, hardware: told, runs: told.firmwareVersion!, commandedBy, askedMs };
  }
}

function askedOf({ image, activation, commandedBy, askedMs }: FleetRun) {
  return { image: image.sha256, activation, commandedBy, askedMs };
}
