/**
 * A coordinator that stays open: opened, opened again when its process ended or it was not there, and the
 * upgrades of the devices behind it told what concerns them.
 */
import type { CoordinatorConfig, PpmidDevice } from '../config/schema.ts';
import { assert, EXIT, UpliftError } from '../errors.ts';
import type { Timers } from '../ports.ts';
import type { Pace } from '../schedule/pace.ts';
import { isLinkFailure } from '../schedule/retry.ts';
import type { LinkEvent } from '../transport/zigbee/messages.ts';
import { type DeviceWords, wordsOfReading } from './device-words.ts';
import type { FieldOwner, FieldRun } from './field.ts';
import { NetworkPace } from './network-pace.ts';
import {
  type CoordinatorLink,
  READ_TIMEOUT_MS,
  sessionInput,
  type ZigbeeDevice,
} from './zigbee-device.ts';
import { notJoined, type SiteEvent } from './zigbee-site.ts';

/** As much of a ZigbeeSite as is needed; a simulated one has it as well. */
export interface CoordinatorSite {
  open(coordinator: CoordinatorConfig): Promise<CoordinatorLink>;
  missing(coordinator: CoordinatorConfig, devices: PpmidDevice[]): Promise<PpmidDevice[]>;
  close(): Promise<void>;
}

export interface CoordinatorHostOptions {
  config: CoordinatorConfig;
  newSite(onEvent: (event: SiteEvent) => void): CoordinatorSite;
  timers: Timers;
  onLink(up: boolean, detail: string): void;
  /** Absent: blocks are as fast as devices ask, and how many run is decided elsewhere. */
  pace?: { pace: Pace; onConcurrency(devices: number): void } | undefined;
}

const REOPEN_FIRST_MS = 2_000;
const REOPEN_MAX_MS = 60_000;
/** A stopped gateway tells devices to ask again after this; they have their own patience besides. */
const PARK_MS = 60_000;
const PARK_GRACE_MS = 4_000;
const KEEPS = 'stopped; the device keeps what it has';

interface Run {
  device: PpmidDevice;
  owner: FieldOwner;
  /** Once it is known to be on the network. */
  zigbee: ZigbeeDevice | undefined;
  isOver: boolean;
}

export class CoordinatorHost {
  private readonly options: CoordinatorHostOptions;
  private readonly runs = new Map<string, Run>();
  private site: CoordinatorSite | undefined;
  private link: CoordinatorLink | undefined;
  private reopenMs = REOPEN_FIRST_MS;
  private timer: { cancel(): void } | undefined;
  private isClosed = false;
  private parked: Promise<unknown> = Promise.resolve();
  private readonly pace: NetworkPace | undefined;

  constructor(options: CoordinatorHostOptions) {
    this.options = options;
    const { pace, timers } = options;
    this.pace =
      pace &&
      new NetworkPace({
        ...pace,
        timers,
        onBlockPeriod: (blockPeriodMs) => {
          this.link?.call('pace', { blockPeriodMs }).catch(() => {});
        },
      });
  }

  start(): void {
    this.pace?.start();
    void this.connect();
  }

  run(
    device: PpmidDevice,
    owner: FieldOwner,
    begin: (link: CoordinatorLink) => ZigbeeDevice,
  ): FieldRun {
    assert(!this.runs.has(device.eui64), 'one upgrade runs on a device at a time');
    const run: Run = { device, owner, zigbee: undefined, isOver: false };
    this.runs.set(device.eui64, run);
    void this.carryOut(run, begin);
    return {
      cancel: () => this.cancel(run),
      stop: () => this.stop(run, KEEPS),
    };
  }

  /** @throws UpliftError where it does not say */
  async read(device: PpmidDevice): Promise<DeviceWords> {
    const { site, link } = this;
    const { config } = this.options;
    if (!site || !link) throw this.notOpen();
    const missing = await site.missing(config, [device]);
    if (missing.length > 0) throw notJoined(device, config);
    const { eui64, model } = device;
    const { endpoint } = model.zigbee;
    const reading = await link
      .call('read', { eui64, endpoint, timeoutMs: READ_TIMEOUT_MS })
      .catch((cause: Error) => {
        // A link that went down meanwhile is not the device's silence.
        if (cause instanceof UpliftError && isLinkFailure(cause.code)) throw cause;
        throw new UpliftError('device-silent', cause.message, {
          next: 'check that it is powered and in range; a sleeping device may need its button pressed',
          exit: EXIT.notReachable,
          cause,
        });
      });
    return wordsOfReading(reading);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    this.pace?.stop();
    for (const run of [...this.runs.values()]) this.stop(run, KEEPS);
    await this.parked;
    await this.site?.close();
  }

  // ---- the coordinator --------------------------------------------------------------------------------

  private async connect(): Promise<void> {
    const { config, newSite, onLink } = this.options;
    const site = newSite((event) => this.handleSite(site, event));
    this.site = site;
    try {
      const link = await site.open(config);
      if (this.site !== site || this.isClosed) return;
      this.link = link;
      this.pace?.opened();
      this.reopenMs = REOPEN_FIRST_MS;
      onLink(true, 'open');
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      if (this.site === site) await this.lose(site, `${error.message}${of(error.actual)}`);
    }
  }

  /** It is opened again in a while, later each time. */
  private async lose(site: CoordinatorSite, detail: string): Promise<void> {
    if (this.site !== site) return;
    this.site = undefined;
    this.link = undefined;
    this.options.onLink(false, detail);
    for (const run of [...this.runs.values()]) this.end(run, { kind: 'stopped', detail });
    await site.close();
    if (this.isClosed) return;
    this.timer = this.options.timers.after(this.reopenMs, () => void this.connect());
    this.reopenMs = Math.min(2 * this.reopenMs, REOPEN_MAX_MS);
  }

  private handleSite(site: CoordinatorSite, event: SiteEvent): void {
    if (event.kind === 'ended') void this.lose(site, event.reason);
    else if (event.kind === 'link') this.route(event.event);
  }

  private route(event: LinkEvent): void {
    this.pace?.handle(event);
    if (event.kind === 'progress') {
      for (const sample of event.samples) {
        const run = this.runs.get(sample.eui64);
        const { sentBytes, servedBytes } = sample;
        run?.zigbee?.handle({ kind: 'progress', sentBytes, servedBytes });
        if (run && !run.isOver) run.owner.progress(sample);
      }
      return;
    }
    if (event.kind === 'link-down') this.options.onLink(false, event.reason);
    if (event.kind === 'link-up') this.options.onLink(true, 'open again');
    const input = sessionInput(event);
    if (!input) return;
    if ('eui64' in event) this.runs.get(event.eui64)?.zigbee?.handle(input);
    else for (const run of [...this.runs.values()]) run.zigbee?.handle(input);
  }

  // ---- its devices ------------------------------------------------------------------------------------

  private async carryOut(run: Run, begin: (link: CoordinatorLink) => ZigbeeDevice): Promise<void> {
    const { config } = this.options;
    const { device } = run;
    try {
      const { site, link } = this;
      if (!site || !link) throw this.notOpen();
      const missing = await site.missing(config, [device]);
      if (run.isOver) return;
      if (missing.length > 0) throw notJoined(device, config);
      const zigbee = begin(link);
      run.zigbee = zigbee;
      await zigbee.run();
      if (zigbee.isHalted) this.end(run, { kind: 'stopped', detail: KEEPS });
      else this.end(run, zigbee.holds() ? { kind: 'held' } : { kind: 'final' });
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      this.end(run, { kind: 'not-begun', error });
    }
  }

  private cancel(run: Run): boolean {
    if (run.isOver) return false;
    if (run.zigbee) return run.zigbee.cancel();
    run.owner.event({ kind: 'state', state: 'cancelled' });
    this.end(run, { kind: 'final' });
    return true;
  }

  private stop(run: Run, detail: string): void {
    const { link } = this;
    // Blocks would go on without anybody who keeps the record of them, at once or when a wait is over.
    link?.call('withhold', { eui64: run.device.eui64 }).catch(() => {});
    this.end(run, { kind: 'stopped', detail });
    if (this.runs.size > 0 || !link) return;
    const parking = link.call('park', { waitMs: PARK_MS, graceMs: PARK_GRACE_MS });
    this.parked = parking.catch(() => {});
  }

  private end(run: Run, end: Parameters<FieldOwner['ended']>[0]): void {
    if (run.isOver) return;
    run.isOver = true;
    this.runs.delete(run.device.eui64);
    run.zigbee?.stop();
    run.owner.ended(end);
  }

  private notOpen(): UpliftError {
    const { id } = this.options.config;
    return new UpliftError('link-down', `the coordinator ${id} is not open`, {
      expected: 'a coordinator that answers',
      actual: 'none; it is opened again in a while',
      next: 'check its cable or network',
    });
  }
}

function of(actual: string | undefined): string {
  return actual === undefined ? '' : `: ${actual}`;
}
