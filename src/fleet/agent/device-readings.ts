/**
 * What each device last said that it runs, and asking those that have to say it. An answer counts for a day;
 * after an upgrade the device is asked again. One that does not answer is asked a few times more, and is
 * silent then.
 *
 * A link that is down, or a port that somebody else holds, is the gateway's own trouble and not the
 * device's silence: nobody is asked over a link that is down, and all are as soon as it is up.
 */
import { UpliftError } from '../../errors.ts';
import type { GatewayRecord } from '../../gateway/control.ts';
import type { DeviceWords } from '../../gateway/device-words.ts';
import type { Timers } from '../../ports.ts';
import type { DeviceKind } from '../../products/combinations.ts';
import type { DeviceHardware } from '../../products/device-model.ts';
import { isLinkFailure } from '../../schedule/retry.ts';

export interface FollowedDevice {
  /** As its rig calls it. */
  id: string;
  /** As campaigns call it: EUI-64, or `hub:SERIAL`. */
  name: string;
  kind: DeviceKind;
  hardware: DeviceHardware;
}

export interface DeviceReadingsOptions {
  devices: readonly FollowedDevice[];
  timers: Timers;
  /** The answer is a record when it resolves. @throws UpliftError */
  read(device: string): Promise<DeviceWords>;
  /** Whether its link is up. */
  isUp(device: string): boolean;
  changed(): void;
}

export interface Reading {
  /** In each of the ways in which it says it. */
  words: readonly string[];
  atMs: number;
}

/** Policy: a version does not change by itself, but somebody may have been there. */
const FRESH_MS = 24 * 3_600_000;
/** After each that failed; with the last it is silent. */
const AGAIN_MS = [60_000, 5 * 60_000, 15 * 60_000];
/** After trouble of the gateway's own: doubled with each in a row. */
const OWN_AGAIN_MS = { first: 1_000, most: 5 * 60_000 };
/** For as long as a silent one is asked, nothing waits for one that cannot be. */
const OUT_OF_REACH_MS = AGAIN_MS.reduce((sum, ms) => sum + ms);
/** Beside links: the gateway's store, or something else of it that has the device's port. */
const OWN_CODES: readonly string[] = ['not-accepting', 'device-busy', 'link-lost'];

interface Asking {
  /** The device did not say it. */
  failures: number;
  /** It could not be asked, so often in a row. */
  ownFailures: number;
  /** Since when it cannot be asked. */
  ownSinceMs: number | undefined;
  isAsking: boolean;
  againMs: number;
  /** When it last had the chance to say it. */
  askedMs: number | undefined;
}

export class DeviceReadings {
  private readonly options: DeviceReadingsOptions;
  private readonly byName: ReadonlyMap<string, FollowedDevice>;
  private readonly nameOf: ReadonlyMap<string, string>;
  private readonly readings = new Map<string, Reading>();
  private readonly asking = new Map<string, Asking>();
  private readonly timers = new Set<{ cancel(): void }>();

  constructor(options: DeviceReadingsOptions) {
    this.options = options;
    this.byName = new Map(options.devices.map((device) => [device.name, device]));
    this.nameOf = new Map(options.devices.map(({ id, name }) => [id, name]));
  }

  /** As the journal has it. */
  keep(record: GatewayRecord): void {
    const name = this.nameOf.get(String(record['device']));
    if (name === undefined) return;
    const { kind, atMs } = record;
    if (kind === 'device-read' && typeof record['version'] === 'string') {
      const words = [record['fileVersion'], record['version']].filter(isText);
      this.readings.set(name, { words: [...new Set(words)], atMs });
      this.asking.delete(name);
    }
    // It was activated, or may have been: what it said before counts no more.
    const isMoved =
      kind === 'state' && ['done', 'failed', 'unknown-outcome'].includes(stateOf(record));
    if (isMoved) this.readings.delete(name);
  }

  last(name: string): Reading | undefined {
    return this.readings.get(name);
  }

  fresh(name: string): readonly string[] | undefined {
    const reading = this.readings.get(name);
    if (!reading) return undefined;
    const ageMs = this.options.timers.nowMs() - reading.atMs;
    return ageMs >= 0 && ageMs < FRESH_MS ? reading.words : undefined;
  }

  /** It was asked as often as anything is, and said nothing. */
  isSilent(name: string): boolean {
    return (this.asking.get(name)?.failures ?? 0) > AGAIN_MS.length;
  }

  /** It could not be asked for so long that nothing waits for its answer any more. */
  isOutOfReach(name: string): boolean {
    const sinceMs = this.asking.get(name)?.ownSinceMs;
    return sinceMs !== undefined && this.options.timers.nowMs() - sinceMs >= OUT_OF_REACH_MS;
  }

  /** It was to be asked, and cannot be. */
  isAway(name: string): boolean {
    return this.asking.get(name)?.ownSinceMs !== undefined;
  }

  /** A link came up: who could not be asked over it is asked when somebody next wants to know. */
  linkUp(isThere: (device: FollowedDevice) => boolean): void {
    for (const [name, asking] of this.asking) {
      if (asking.ownFailures === 0 || !isThere(this.byName.get(name)!)) continue;
      asking.ownFailures = 0;
      asking.againMs = 0;
    }
  }

  /** It may be asked anew. */
  forget(name: string): void {
    this.asking.delete(name);
  }

  /** One whose answer is as old as that, or that was silent for as long; the longest first. */
  stale(isFree: (device: FollowedDevice) => boolean): string | undefined {
    const nowMs = this.options.timers.nowMs();
    let found: { name: string; atMs: number } | undefined;
    for (const device of this.options.devices) {
      const { name } = device;
      const asking = this.asking.get(name);
      const atMs = asking?.askedMs ?? this.readings.get(name)?.atMs ?? 0;
      // One that cannot be asked has no turn that others could have.
      const isPutOff = (asking?.ownFailures ?? 0) > 0 && asking!.againMs > nowMs;
      if (atMs > nowMs - FRESH_MS || isPutOff) continue;
      if (!this.options.isUp(device.id) || !isFree(device)) continue;
      if (!found || atMs < found.atMs) found = { name, atMs };
    }
    return found?.name;
  }

  /** Once at a time, and after a while again. */
  ask(name: string): void {
    const device = this.byName.get(name);
    if (!device) return;
    const { timers, read, isUp, changed } = this.options;
    const asking = this.askingOf(name);
    const nowMs = timers.nowMs();
    if (asking.isAsking) return;
    if (!isUp(device.id)) {
      asking.ownSinceMs ??= nowMs;
      return;
    }
    if (asking.againMs > nowMs) return;
    const before = asking.askedMs;
    asking.isAsking = true;
    asking.askedMs = nowMs;
    read(device.id).then(
      () => {
        asking.isAsking = false;
        changed();
      },
      (error: unknown) => {
        asking.isAsking = false;
        if (!(error instanceof UpliftError)) throw error;
        const isOwn = isLinkFailure(error.code) || OWN_CODES.includes(error.code);
        if (isOwn) asking.askedMs = before;
        const againMs = isOwn ? this.ownFailed(asking) : failed(asking);
        asking.againMs = timers.nowMs() + againMs;
        this.after(againMs, changed);
      },
    );
  }

  stop(): void {
    for (const timer of this.timers) timer.cancel();
  }

  private askingOf(name: string): Asking {
    const known = this.asking.get(name);
    if (known) return known;
    const asking: Asking = {
      ...{ failures: 0, ownFailures: 0, ownSinceMs: undefined },
      ...{ isAsking: false, againMs: 0, askedMs: undefined },
    };
    this.asking.set(name, asking);
    return asking;
  }

  /** @returns how long it is left alone */
  private ownFailed(asking: Asking): number {
    const { first, most } = OWN_AGAIN_MS;
    asking.ownSinceMs ??= this.options.timers.nowMs();
    return Math.min(first * 2 ** asking.ownFailures++, most);
  }

  private after(delayMs: number, task: () => void): void {
    const timer = this.options.timers.after(delayMs, () => {
      this.timers.delete(timer);
      task();
    });
    this.timers.add(timer);
  }
}

/** @returns how long it is left alone */
function failed(asking: Asking): number {
  asking.ownFailures = 0;
  asking.ownSinceMs = undefined;
  return AGAIN_MS[asking.failures++] ?? 0;
}

function stateOf(record: GatewayRecord): string {
  return String(record['state']);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
