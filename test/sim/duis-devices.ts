/**
 * The devices of a month of Service Requests: each does what it is told after a while, or fails, reverts,
 * stays silent, or does it and is not heard. What is true of them is kept here, whatever the gateway
 * that asks is told, and outlives it.
 */

import type { UpgradeRun } from '../../src/gateway/upgrade-run.ts';
import type { Upgrade } from '../../src/jobs/book.ts';
import type { Timers } from '../../src/ports.ts';
import type { FailureCode } from '../../src/upgrade/states.ts';
import type { SeededRandom } from '../../src/virtual/random.ts';
import type { GatewayDesk, ScriptedRun } from '../gateway/gateway-desk.ts';

const MINUTE_MS = 60_000;
/** Of one step; the gateway waits a minute for the first. */
const FIRST_STEP_MS_MAX = 40_000;
const STEP_MS_MAX = 40 * MINUTE_MS;
const TRANSFER_FAILURES: readonly FailureCode[] = [
  'device-silent',
  'transfer-stalled',
  'transfer-given-up',
  'link-lost',
  'image-refused-by-device',
  'image-changed',
];

export interface Activation {
  /** `JOB/DEVICE`. */
  upgrade: string;
  device: string;
  /** Of the record by which it was commanded. */
  commandedBy: number;
}

interface Truth {
  runsNew: boolean;
  /** Followed since it was commanded last. */
  followed: boolean;
}

export class DuisDevices {
  /** What devices did, in order. */
  readonly activations: Activation[] = [];
  /** From then on everything goes well. */
  isHealed = false;
  private readonly desk: GatewayDesk;
  private readonly random: SeededRandom;
  private readonly truths = new Map<string, Truth>();

  constructor(desk: GatewayDesk, random: SeededRandom) {
    this.desk = desk;
    this.random = random;
    desk.onRun = (run) => this.begin(run);
  }

  private begin(run: ScriptedRun): void {
    const { upgrade } = run.owner as UpgradeRun;
    const { timers } = this.desk;
    timers.after(Math.floor(this.random.next() * FIRST_STEP_MS_MAX), () => {
      if (run.isOver) return;
      if (run.task.announced.includes('activate')) this.readBack(run, upgrade, timers);
      else if (this.fails(0.05)) run.notBegun('link-down');
      else if (this.fails(0.02)) run.end('refused', 'image.readable');
      else this.distribute(run, upgrade, timers);
    });
  }

  private distribute(run: ScriptedRun, upgrade: Upgrade, timers: Timers): void {
    const isHolding = upgrade.holds;
    run.say('staged');
    this.later(run, timers, () => {
      if (this.fails(0.08)) return run.end('failed', this.pick(TRANSFER_FAILURES));
      if (!isHolding) run.say('distributing');
      this.later(run, timers, () => {
        if (!isHolding && this.fails(0.06)) return run.end('failed', this.pick(TRANSFER_FAILURES));
        run.say('distributed');
        // Often so fast that nobody looks in between.
        if (this.random.chance(0.5)) this.finish(run, upgrade, timers);
        else this.later(run, timers, () => this.finish(run, upgrade, timers));
      });
    });
  }

  private finish(run: ScriptedRun, upgrade: Upgrade, timers: Timers): void {
    if (run.isOver) return;
    if (run.task.activation.when === 'held') {
      run.hold();
      return;
    }
    run.cancellable = false;
    run.say('activating');
    // What is not on record is not commanded.
    if (run.isOver || run.announced.at(-1) !== true) return;
    this.command(upgrade);
    this.later(run, timers, () => {
      if (this.fails(0.1)) return run.end('unknown-outcome');
      run.say('confirming');
      this.tellTruth(run, upgrade);
    });
  }

  /** A command may be lost on its way, and a device may go back to what it ran. */
  private command({ id, device, commandedBy }: Upgrade): void {
    const isLost = this.fails(0.08);
    const reverts = this.fails(0.12);
    if (!isLost) this.activations.push({ upgrade: id, device, commandedBy });
    this.truths.set(device, { runsNew: !isLost && !reverts, followed: !isLost });
  }

  /** Commanded by a session that was cut off: it is asked, and not told again. */
  private readBack(run: ScriptedRun, upgrade: Upgrade, timers: Timers): void {
    if (upgrade.state !== 'unknown-outcome') run.say('activating');
    this.later(run, timers, () => {
      if (this.fails(0.2)) return run.end('unknown-outcome');
      this.tellTruth(run, upgrade);
    });
  }

  private tellTruth(run: ScriptedRun, { device }: Upgrade): void {
    const { runsNew, followed } = this.truths.get(device) ?? { runsNew: false, followed: false };
    if (runsNew) run.end('done');
    else run.end('failed', followed ? 'device-reverted' : 'not-activated');
  }

  private later(run: ScriptedRun, timers: Timers, deed: () => void): void {
    const isQuick = this.isHealed || this.random.chance(0.5);
    const waitMs = isQuick ? 1_000 : Math.floor(this.random.next() * STEP_MS_MAX);
    timers.after(waitMs, () => {
      if (!run.isOver) deed();
    });
  }

  private fails(probability: number): boolean {
    return !this.isHealed && this.random.chance(probability);
  }

  private pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.random.next() * all.length)]!;
  }
}
