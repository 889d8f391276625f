/**
 * A fleet as the field of a gateway service. What is asked for at about the same time becomes one signed
 * campaign over the gateways that have the devices, and what they report comes back as if each device hung
 * on this very gateway. So jobs, Service Requests, answers and alerts are those of any gateway.
 *
 * The coordinator is the record of what was made: after a start a device goes on in the campaign that has it
 * already, and only what is in none is put into a new one. Nothing here waits for a gateway: one that is
 * offline holds up its own devices, until their campaign ends.
 */
import { assert, EXIT, UpliftError } from '../../errors.ts';
import type { DeviceWords } from '../../gateway/device-words.ts';
import type {
  Field,
  FieldDevice,
  FieldListener,
  FieldOwner,
  FieldRun,
  FieldTask,
} from '../../gateway/field.ts';
import { GATEWAY_LIMITS, type GatewayLimits } from '../../gateway/gateway.ts';
import type { Log, Timers } from '../../ports.ts';
import { sha256Hex } from '../../trust/digest.ts';
import { CampaignMaker, type MakerOptions } from './campaign-maker.ts';
import type { FleetClient } from './client.ts';
import { Contact, isAway, pauseMs } from './contact.ts';
import { campaignImage } from './draft.ts';
import type { FleetDevices } from './fleet-devices.ts';
import { type FleetDevice, linkOf } from './fleet-rig.ts';
import { FleetRun, type RunImage } from './fleet-run.ts';
import { FOLLOW_LIMITS, type FollowLimits } from './front-campaign.ts';
import { Inventories } from './inventories.ts';
import { nextTurn, Teller } from './teller.ts';

export interface FrontLimits extends FollowLimits {
  /** Gathered until so long nothing more came, or so long in all. */
  quietMs: number;
  gatherMs: number;
  /** How often inventories are asked for. */
  inventoryMs: number;
  /** What a campaign starts from was asked for no longer ago. */
  freshMs: number;
  /** What a gateway has not read by then no campaign starts from. */
  unreadMs: number;
  /** A version counts as read. */
  readMs: number;
}

const HOUR_MS = 3_600_000;
export const FRONT_LIMITS: FrontLimits = {
  ...FOLLOW_LIMITS,
  quietMs: 2_000,
  gatherMs: 30_000,
  inventoryMs: 10 * 60_000,
  freshMs: 5 * 60_000,
  unreadMs: 5 * 60_000,
  readMs: 24 * HOUR_MS,
};

/** What runs here is heard of when a coordinator was. */
export const FRONT_GATEWAY_LIMITS: GatewayLimits = { ...GATEWAY_LIMITS, verifyMs: 24 * HOUR_MS };

export interface FleetFieldOptions extends Pick<MakerOptions, 'rules' | 'sign'> {
  client: FleetClient;
  devices: FleetDevices;
  timers: Timers;
  log: Log;
  limits?: Partial<FrontLimits>;
  /** Before the gateway hears of them. */
  onDevices(changed: readonly FleetDevice[]): void;
}

interface Gathering {
  runs: Set<FleetRun>;
  sinceMs: number;
  timer: { cancel(): void };
}

/** Everything that is asked for is under way: a campaign has a pace of its own. */
const AT_ONCE = 1_000_000;
const LINKS_A_TURN = 200;

export class FleetField implements Field {
  private readonly options: FleetFieldOptions;
  private readonly limits: FrontLimits;
  private readonly client: FleetClient;
  private readonly contact: Contact;
  private readonly inventories: Inventories;
  private readonly teller: Teller;
  private readonly maker: CampaignMaker;
  private readonly gatherings = new Map<string, Gathering>();
  private readonly early = new Set<{ cancel(): void }>();
  private readonly images = new WeakMap<Uint8Array, Map<string, RunImage>>();
  private readonly links = new Map<string, boolean | undefined>();
  private listener: FieldListener | undefined;
  private timer: { cancel(): void } | undefined;
  private isTellingLinks = false;
  private isClosed = false;
  private failures = 0;

  constructor(options: FleetFieldOptions) {
    this.options = options;
    const { devices, timers, client, log, rules, sign } = options;
    this.limits = { ...FRONT_LIMITS, ...options.limits };
    this.contact = new Contact((isUp, detail) => this.turnLinks(isUp, detail));
    this.client = askedThrough(this.contact, client);
    this.inventories = new Inventories({
      ...{ client: this.client, devices, timers },
      onDevices: (changed) => this.haveDevices(changed),
    });
    this.teller = new Teller(timers, (work) => this.listener!.together(work));
    this.maker = new CampaignMaker({
      ...{ client: this.client, devices, inventories: this.inventories, timers, log },
      ...{ limits: this.limits, rules, sign },
      again: (run, afterMs) => this.gatherAfter(run, afterMs),
    });
  }

  get devices(): readonly FieldDevice[] {
    return this.options.devices.fieldDevices;
  }

  start(listener: FieldListener): void {
    this.listener = listener;
    for (const { link } of this.devices) this.links.set(link, undefined);
    for (const link of this.links.keys()) {
      listener.pace(link, AT_ONCE);
      listener.link(link, false, 'the coordinator was not asked yet');
    }
    this.refreshAfter(0);
  }

  run(task: FieldTask, owner: FieldOwner): FieldRun {
    const run = new FleetRun(task, this.imageOf(task), owner, {
      teller: this.teller,
      onOver: (over) => this.over(over),
    });
    this.gather(run);
    return run;
  }

  async read(id: string): Promise<DeviceWords> {
    const device = this.options.devices.device(id);
    assert(device !== undefined, `${id} is of this fleet`);
    const { gateway } = device;
    const found = (await this.client.gatewayDevices(gateway)).find((one) => one.device === id);
    const { firmwareVersion, readMs } = found ?? {};
    const isRead = readMs !== undefined && this.nowMs - readMs <= this.limits.readMs;
    if (firmwareVersion !== undefined && isRead) return { version: firmwareVersion };
    throw new UpliftError('version-not-said', 'the device does not say which version it runs', {
      expected: `a version that ${gateway} read within a day`,
      actual: readMs === undefined ? 'none' : `one of ${new Date(readMs).toISOString()}`,
      next: 'look whether its gateway reaches it',
      exit: EXIT.deviceFailed,
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    for (const { timer } of this.gatherings.values()) timer.cancel();
    for (const timer of this.early) timer.cancel();
    this.maker.stop();
    this.teller.stop();
  }

  private get nowMs(): number {
    return this.options.timers.nowMs();
  }

  // ---- what is gathered -------------------------------------------------------------------------------

  private gather(run: FleetRun): void {
    const { timers } = this.options;
    const { quietMs, gatherMs } = this.limits;
    const key = keyOf(run);
    const known = this.gatherings.get(key);
    known?.timer.cancel();
    const { runs, sinceMs } = known ?? { runs: new Set(), sinceMs: this.nowMs };
    const waitMs = Math.min(quietMs, Math.max(0, sinceMs + gatherMs - this.nowMs));
    const timer = timers.after(waitMs, () => this.gathered(key));
    this.gatherings.set(key, { runs: runs.add(run), sinceMs, timer });
  }

  private gatherAfter(run: FleetRun, afterMs: number): void {
    const timer = this.options.timers.after(afterMs, () => {
      this.early.delete(timer);
      if (run.isOpen) this.gather(run);
    });
    this.early.add(timer);
  }

  private gathered(key: string): void {
    const { runs } = this.gatherings.get(key)!;
    this.gatherings.delete(key);
    if (runs.size > 0) void this.maker.place([...runs]);
  }

  private over(run: FleetRun): void {
    this.gatherings.get(keyOf(run))?.runs.delete(run);
    this.maker.over(run);
  }

  /** One for all that are given the same file, read in the same way. */
  private imageOf({ brief: { image } }: FieldTask): RunImage {
    const { file, facts } = image;
    const byProfile = this.images.get(file) ?? new Map<string, RunImage>();
    this.images.set(file, byProfile);
    const profile = facts.ok ? facts.profile : '';
    const known = byProfile.get(profile);
    if (known) return known;
    const sha256 = [...byProfile.values()][0]?.sha256 ?? sha256Hex(file);
    const made = { sha256, file, words: campaignImage(image, sha256) };
    byProfile.set(profile, made);
    return made;
  }

  // ---- the fleet --------------------------------------------------------------------------------------

  private refreshAfter(delayMs: number): void {
    if (this.isClosed) return;
    this.timer?.cancel();
    this.timer = this.options.timers.after(delayMs, () => void this.refresh());
  }

  private async refresh(): Promise<void> {
    const { log } = this.options;
    try {
      await this.inventories.refresh();
      this.failures = 0;
      this.refreshAfter(this.limits.inventoryMs);
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      const { message, code } = error;
      if (!isAway(error)) log.write('warning', `inventories are not told: ${message}`, { code });
      this.refreshAfter(pauseMs(this.failures++));
    }
  }

  private haveDevices(changed: readonly FleetDevice[]): void {
    if (this.isClosed) return;
    const { devices, onDevices, log } = this.options;
    onDevices(changed);
    this.listener?.devices(changed.map(({ field }) => field));
    const without = devices.withoutModel;
    const more = without === 0 ? '' : `; ${without} others fit no model file`;
    log.write('info', `the fleet has ${devices.size} devices${more}`);
    for (const { gateway } of changed) {
      const link = linkOf(gateway);
      if (this.links.has(link)) continue;
      this.links.set(link, undefined);
      this.listener?.pace(link, AT_ONCE);
    }
    void this.tellLinks('the coordinator answers');
  }

  private turnLinks(isUp: boolean, detail: string): void {
    if (this.isClosed) return;
    this.options.log.write(isUp ? 'info' : 'warning', detail);
    void this.tellLinks(detail);
    if (!isUp) this.refreshAfter(pauseMs(this.failures++));
  }

  /** A gateway is reached as long as its coordinator is: what is for it waits there. */
  private async tellLinks(detail: string): Promise<void> {
    if (this.isTellingLinks || !this.listener) return;
    this.isTellingLinks = true;
    let told = 0;
    for (const [link, was] of this.links) {
      const isUp = this.contact.isThere;
      if (was === isUp) continue;
      this.links.set(link, isUp);
      this.listener.link(link, isUp, detail);
      if (++told % LINKS_A_TURN > 0) continue;
      await nextTurn(this.options.timers);
      if (this.isClosed) return;
    }
    this.isTellingLinks = false;
    const isOther = [...this.links.values()].some((isUp) => isUp !== this.contact.isThere);
    if (isOther) await this.tellLinks(detail);
  }
}

function keyOf({ image, activation }: FleetRun): string {
  return `${image.sha256} ${activation}`;
}

function askedThrough(contact: Contact, client: FleetClient): FleetClient {
  return {
    gateways: (...asked) => contact.ask(() => client.gateways(...asked)),
    gatewayDevices: (...asked) => contact.ask(() => client.gatewayDevices(...asked)),
    hasBlob: (...asked) => contact.ask(() => client.hasBlob(...asked)),
    putBlob: (...asked) => contact.ask(() => client.putBlob(...asked)),
    submit: (...asked) => contact.ask(() => client.submit(...asked)),
    campaigns: (...asked) => contact.ask(() => client.campaigns(...asked)),
    campaign: (...asked) => contact.ask(() => client.campaign(...asked)),
    manifest: (...asked) => contact.ask(() => client.manifest(...asked)),
    campaignDevices: (...asked) => contact.ask(() => client.campaignDevices(...asked)),
    start: (...asked) => contact.ask(() => client.start(...asked)),
  };
}
