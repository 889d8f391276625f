/**
 * What each device last said that it runs, and asking those that have to say it. An answer counts for a day;
 * after an upgrade the device is asked again. One that does not answer is asked a few times more, and is
 * silent then.
 */
import { UpliftError } from '../../errors.ts';
import type { GatewayRecord } from '../../gateway/control.ts';
import type { DeviceWords } from '../../gateway/device-words.ts';
import type { Timers } from '../../ports.ts';
import type { DeviceKind } from '../../products/combinations.ts';
import type { DeviceHardware } from '../../products/device-model.ts';

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

interface Asking {
  failures: number;
  isAsking: boolean;
  againMs: number;
  askedMs: number;
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

  /** It may be asked anew. */
  forget(name: string): void {
    this.asking.delete(name);
  }

  /** One whose answer is as old as that, or that was silent for as long; the longest first. */
  stale(isFree: (device: FollowedDevice) => boolean): string | undefined {
    const boundMs = this.options.timers.nowMs() - FRESH_MS;
    let found: { name: string; atMs: number } | undefined;
    for (const { name, ...device } of this.options.devices) {
      const atMs = this.asking.get(name)?.askedMs ?? this.readings.get(name)?.atMs ?? 0;
      if (atMs > boundMs || !isFree({ name, ...device })) continue;
      if (!found || atMs < found.atMs) found = { name, atMs };
    }
    return found?.name;
  }

  /** Once at a time, and after a while again. */
  ask(name: string): void {
    const device = this.byName.get(name);
    if (!device) return;
    const { timers, read, changed } = this.options;
    const asking = this.asking.get(name) ?? {
      ...{ failures: 0, isAsking: false, againMs: 0, askedMs: 0 },
    };
    this.asking.set(name, asking);
    if (asking.isAsking || asking.againMs > timers.nowMs()) return;
    asking.isAsking = true;
    asking.askedMs = timers.nowMs();
    read(device.id).then(
      () => {
        asking.isAsking = false;
        changed();
      },
      (error: unknown) => {
        asking.isAsking = false;
        if (!(error instanceof UpliftError)) throw error;
        // The gateway's own trouble is not the device's.
        if (error.code === 'not-accepting') return;
        const againMs = AGAIN_MS[asking.failures++] ?? 0;
        asking.againMs = timers.nowMs() + againMs;
        this.after(againMs, changed);
      },
    );
  }

  stop(): void {
    for (const timer of this.timers) timer.cancel();
  }

  private after(delayMs: number, task: () => void): void {
    const timer = this.options.timers.after(delayMs, () => {
      this.timers.delete(timer);
      task();
    });
    this.timers.add(timer);
  }
}

function stateOf(record: GatewayRecord): string {
  return String(record['state']);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
