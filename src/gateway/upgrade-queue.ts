/**
 * The upgrades that the scheduler has, each as the item that its job, its state and the configuration make
 * of it. Those of a large job come to it in pieces, each in a turn of its own, so that others have theirs
 * between two of them.
 */
import { isCommanded, type Upgrade } from '../jobs/book.ts';
import type { Timers } from '../ports.ts';
import type { Disposition, Explanation, ItemResult } from '../schedule/item.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { LocalHours } from '../schedule/windows.ts';
import type { FieldDevice } from './field.ts';

export interface UpgradeQueueOptions {
  timers: Timers;
  scheduler: Scheduler;
  windows: Readonly<Record<string, LocalHours>>;
  blackout?: LocalHours;
  devices: ReadonlyMap<string, FieldDevice>;
  /** How long an upgrade of the device will take with this image, ms. */
  expectedMs(image: string, device: string): number;
  /** Unknown outcomes are read again for so long. */
  unknownMs: number;
  /** Puts them on record as scheduled and adds them. */
  takeOver(planned: readonly Upgrade[]): void;
}

/** What is put on record and scheduled in one turn: some 50 ms. */
export const UPGRADES_A_PIECE = 500;

export class UpgradeQueue {
  private readonly options: UpgradeQueueOptions;
  /** Until when each is tried. */
  private readonly ends = new Map<string, number>();
  /** Of large jobs, what the scheduler does not have yet. */
  private planned: Upgrade[] = [];
  private takingOver: { cancel(): void } | undefined;

  constructor(options: UpgradeQueueOptions) {
    this.options = options;
  }

  has({ id }: Upgrade): boolean {
    return this.ends.has(id);
  }

  /** When what it waits for ends. */
  endMs({ id, job }: Upgrade): number {
    return this.ends.get(id) ?? job.request.deadlineMs;
  }

  /** What it waits for; `undefined` where it is not waited for here. */
  explain(upgrade: Upgrade): Explanation | undefined {
    const { scheduler, timers } = this.options;
    return this.has(upgrade) ? scheduler.explain(upgrade.id, timers.nowMs()) : undefined;
  }

  /** A blackout of activations parts its two stages: the second is an item of its own. */
  isParted({ device }: Upgrade): boolean {
    return this.options.blackout !== undefined && this.options.devices.get(device)!.canHold;
  }

  /** As it is now. */
  add(upgrade: Upgrade): void {
    const { scheduler, windows, blackout, devices, timers, expectedMs } = this.options;
    const { id, job, state, activation, device, holds } = upgrade;
    const { request } = job;
    const nowMs = timers.nowMs();
    const isReading = state === 'unknown-outcome' || upgrade.intents.has('activate');
    const activates = holds || (activation.when === 'now' && !this.isParted(upgrade));
    const dueMs = holds && activation.when === 'at' ? activation.atMs : nowMs;
    const window = request.window === undefined ? undefined : windows[request.window];
    const deadlineMs = this.deadlineOf(upgrade, nowMs);
    scheduler.submit({
      id,
      job: job.id,
      stage: activates ? 'activate' : 'distribute',
      resources: [devices.get(device)!.link],
      priority: request.priority,
      notBeforeMs: holds ? dueMs : Math.max(request.notBeforeMs ?? 0, nowMs),
      deadlineMs,
      expectedMs: expectedMs(request.image, device),
      approved: state !== 'awaiting-approval',
      // What was commanded is read back whatever the hour.
      ...(window === undefined || isReading ? {} : { windows: [window] }),
      ...(blackout === undefined || isReading || !activates ? {} : { blackout }),
    });
    this.ends.set(id, deadlineMs);
  }

  /** They are on record as planned: taken over in pieces. */
  plan(upgrades: readonly Upgrade[]): void {
    for (const upgrade of upgrades) this.planned.push(upgrade);
    if (this.planned.length > 0 && !this.takingOver) this.takeOverSoon();
  }

  approve({ id }: Upgrade): void {
    this.options.scheduler.approve(id);
  }

  /** An attempt of it ended; it stays here where the scheduler tries it again. */
  tried({ id }: Upgrade, result: ItemResult): Disposition {
    const { scheduler, timers } = this.options;
    return scheduler.ended(id, result, timers.nowMs());
  }

  /** Its last attempt ended. */
  leave(upgrade: Upgrade, result: ItemResult): void {
    this.ends.delete(upgrade.id);
    this.tried(upgrade, result);
  }

  /** It is not waited for any more. */
  remove({ id }: Upgrade): void {
    if (this.ends.delete(id)) this.options.scheduler.cancel(id);
  }

  /** What is planned stays so, until the next start. */
  stop(): void {
    this.planned = [];
    this.takingOver?.cancel();
  }

  private takeOverSoon(): void {
    this.takingOver = this.options.timers.after(0, () => {
      this.takingOver = undefined;
      const piece = this.planned.slice(0, UPGRADES_A_PIECE);
      this.planned = this.planned.slice(UPGRADES_A_PIECE);
      // Called off, or given way, meanwhile.
      const waiting = piece.filter(({ state }) => state === 'planned');
      if (waiting.length > 0) this.options.takeOver(waiting);
      if (this.planned.length > 0) this.takeOverSoon();
    });
  }

  private deadlineOf(upgrade: Upgrade, nowMs: number): number {
    const { state, untilMs, job } = upgrade;
    if (isCommanded(upgrade) || state === 'unknown-outcome') return nowMs + this.options.unknownMs;
    return Math.max(untilMs ?? job.request.deadlineMs, nowMs + 1);
  }
}
