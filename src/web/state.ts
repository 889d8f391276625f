/**
 * All that the page knows, and how it changes: one snapshot of the gateway, then its events. Nothing here
 * decides: what an upgrade is, and what may follow, the gateway says.
 *
 * Memory is bounded: upgrades that are over are forgotten, the oldest first, and a rate's history does not
 * grow.
 */
import type { Answer } from './client.ts';
import { RateHistory } from './rate.ts';

export type Device = Answer<'listDevices'>['devices'][number];
export type Image = Answer<'listImages'>['images'][number];
export type Health = Answer<'health'>;
export type Job = Answer<'showJob'>;
export type Identity = Answer<'whoAmI'>;
type OpenUpgrade = Answer<'listUpgrades'>['upgrades'][number];
export type UpgradeState = OpenUpgrade['state'];

/** How far a transfer is, between records. */
export interface Progress {
  job: string;
  device: string;
  atMs: number;
  sentBytes: number;
  totalBytes: number;
  blocks: number;
  repeats: number;
  lastRequestMs: number;
}

export interface GatewayRecord {
  sequence: number;
  atMs: number;
  kind: string;
  [field: string]: unknown;
}

/** One device of a job, with what is known of its transfer. */
export interface Upgrade extends OpenUpgrade {
  /** With `done`: the version that was read back. */
  runs?: string;
  rate: RateHistory;
  progress: Progress | undefined;
}

export type Connection =
  | { state: 'connecting'; sinceMs: number }
  | { state: 'live'; sinceMs: number }
  /** What is shown is from before. */
  | { state: 'lost'; sinceMs: number; retryMs: number };

/** What the records do not tell in full and is asked for again. */
export type Wanted = 'devices' | 'images' | 'health' | { job: string };

const OVER_MAX = 300;

export class PageState {
  connection: Connection;
  /** How often the gateway was reached anew: what was asked before is asked again. */
  connections = 0;
  identity: Identity | undefined;
  health: Health | undefined;
  readonly devices = new Map<string, Device>();
  images: readonly Image[] = [];
  /** By `JOB/DEVICE`: what is open, and what ended while it was looked at. */
  readonly upgrades = new Map<string, Upgrade>();
  /** Of the newest record that is in here. */
  sequence = 0;
  /** The gateway's clock less that of this browser, to the second. */
  clockOffsetMs = 0;
  private over = 0;

  constructor(nowMs: number) {
    this.connection = { state: 'connecting', sinceMs: nowMs };
  }

  /** The time of what is shown, on the gateway's clock: while it is not reachable it stands still. */
  shownMs(nowMs: number): number {
    const { connection, clockOffsetMs } = this;
    return (connection.state === 'lost' ? connection.sinceMs : nowMs) + clockOffsetMs;
  }

  get openUpgrades(): Upgrade[] {
    return [...this.upgrades.values()].filter((upgrade) => !isOver(upgrade));
  }

  setDevices(devices: readonly Device[]): void {
    this.devices.clear();
    for (const device of devices) this.devices.set(device.id, device);
  }

  /** What was open before and is not in there ended meanwhile: its job is asked for. */
  setUpgrades(upgrades: readonly OpenUpgrade[], sequence: number): Wanted[] {
    const before = new Set(this.openUpgrades.map(keyOf));
    for (const upgrade of upgrades) {
      before.delete(keyOf(upgrade));
      this.put(upgrade);
    }
    this.sequence = sequence;
    return [...new Set([...before].map((key) => this.upgrades.get(key)!.job))].map((job) => ({
      job,
    }));
  }

  setJob({ id, request, upgrades }: Job): void {
    for (const upgrade of upgrades) this.put({ job: id, image: request.image, ...upgrade });
    this.forgetOldest();
  }

  /** One that this page brought: it need not wait until it is told of. */
  addImage(image: Image): void {
    const others = this.images.filter(({ sha256 }) => sha256 !== image.sha256);
    this.images = [...others, image];
  }

  applyRecord(record: GatewayRecord): Wanted[] {
    this.sequence = Math.max(this.sequence, record.sequence);
    const job = String(record['job'] ?? '');
    switch (record.kind) {
      case 'state':
        return this.applyState(record, `${job}/${record['device']}`);
      case 'job':
      case 'job-devices':
        return [{ job }, 'devices'];
      case 'command':
        return [{ job }];
      case 'device-read':
      case 'campaign-device':
        return ['devices'];
      case 'image-stored':
      case 'image-removed':
        return ['images'];
      case 'gateway-started':
        return ['health', 'devices'];
      default:
        return [];
    }
  }

  applyProgress(progress: Progress): void {
    const upgrade = this.upgrades.get(keyOf(progress));
    if (!upgrade) return;
    const { sentBytes, totalBytes } = progress;
    Object.assign(upgrade, { sentBytes, totalBytes, progress });
    upgrade.rate.add(progress);
  }

  applyLink(link: string, up: boolean): Wanted[] {
    for (const device of this.devices.values()) if (device.link === link) device.linkUp = up;
    return ['health'];
  }

  private applyState(record: GatewayRecord, key: string): Wanted[] {
    const upgrade = this.upgrades.get(key);
    if (!upgrade) return [{ job: String(record['job']) }];
    const { state, owner, attempt, untilMs, code, detail, next, runs } = record as Partial<Upgrade>;
    const wasOver = isOver(upgrade);
    Object.assign(upgrade, {
      ...{ state, owner, attempt, untilMs, code, detail, next, runs },
      sinceMs: record.atMs,
      waitsFor: '',
    });
    if (isOver(upgrade) !== wasOver) this.over += wasOver ? -1 : 1;
    this.forgetOldest();
    if (!isOver(upgrade)) return [];
    const device = this.devices.get(upgrade.device);
    if (device?.upgrade === key) delete device.upgrade;
    if (device && runs !== undefined) Object.assign(device, { runs, runsReadMs: record.atMs });
    return ['images'];
  }

  private put(told: OpenUpgrade): void {
    const known = this.upgrades.get(keyOf(told));
    if (known && isOver(known)) this.over--;
    if (isOver(told)) this.over++;
    // What is not said any more is not so any more.
    const { rate = new RateHistory(), progress } = known ?? {};
    this.upgrades.set(keyOf(told), { ...told, rate, progress });
  }

  private forgetOldest(): void {
    if (this.over <= OVER_MAX) return;
    for (const [key, upgrade] of this.upgrades) {
      if (!isOver(upgrade)) continue;
      this.upgrades.delete(key);
      this.over--;
      if (this.over <= OVER_MAX) return;
    }
  }
}

/** As the gateway says: nobody has to act. */
export function isOver({ owner }: { owner: string }): boolean {
  return owner === 'nobody';
}

export function keyOf({ job, device }: { job: string; device: string }): string {
  return `${job}/${device}`;
}

/** How many devices of each ring of a campaign are in which state. */
export function ringsOf(
  devices: Iterable<Device>,
  campaign: string,
): Map<string, Record<string, number>> {
  const rings = new Map<string, Record<string, number>>();
  for (const { campaign: place } of devices) {
    if (place?.id !== campaign) continue;
    const ring = place.ring ?? 'without a name';
    const states = rings.get(ring) ?? {};
    states[place.state] = (states[place.state] ?? 0) + 1;
    rings.set(ring, states);
  }
  return rings;
}
