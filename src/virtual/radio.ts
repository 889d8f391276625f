/**
 * The air between a virtual coordinator and its devices: delay, loss, duplicates, late frames, and
 * parents that hold frames for sleeping children.
 *
 * Faults concern application frames (AF). ZDO traffic is only delayed: an interview that fails by
 * chance would say nothing about an upgrade.
 */
import type { LinkFaults } from '../config/schema.ts';
import type { DownlinkFrame, RadioNode } from './node.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import { PERSISTENCE_SECONDS } from './znp/network.ts';

/** Data confirm statuses of Z-Stack that the radio can bring about. */
export const CONFIRM = {
  success: 0x00,
  bufferFull: 0x11,
  noRoute: 0xcd,
  macNoAck: 0xe9,
  transactionExpired: 0xf0,
} as const;

/** A sleepy device listens so long after each frame of its own. */
const AWAKE_AFTER_UPLINK_MS = 3_000;

export const NO_FAULTS: LinkFaults = {
  lossDown: 0,
  lossUp: 0,
  lossReported: 0,
  duplicateUp: 0,
  lateUp: 0,
  lateMs: 500,
};

export interface RadioCounters {
  framesDown: number;
  framesUp: number;
  lostDown: number;
  lostUp: number;
  lostReported: number;
  duplicatedUp: number;
  lateUp: number;
}

export class Radio {
  faults: LinkFaults;
  linkDelayMs: number;
  readonly counters: RadioCounters = {
    framesDown: 0,
    framesUp: 0,
    lostDown: 0,
    lostUp: 0,
    lostReported: 0,
    duplicatedUp: 0,
    lateUp: 0,
  };
  private readonly scheduler: Scheduler;
  private readonly random: SeededRandom;
  private readonly awakeUntilMs = new WeakMap<RadioNode, number>();

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    options: { faults: LinkFaults; linkDelayMs: number },
  ) {
    this.scheduler = scheduler;
    this.random = random;
    this.faults = options.faults;
    this.linkDelayMs = options.linkDelayMs;
  }

  /** Sends one frame to a device; `confirm` hears what the coordinator's own radio believes. */
  down(node: RadioNode | undefined, frame: DownlinkFrame, confirm: (status: number) => void): void {
    this.counters.framesDown++;
    const faults = this.faults;
    if (node === undefined) {
      this.scheduler.after(this.linkDelayMs, () => confirm(CONFIRM.noRoute));
    } else if (this.random.chance(faults.lossReported)) {
      this.counters.lostReported++;
      this.scheduler.after(this.linkDelayMs, () => confirm(CONFIRM.macNoAck));
    } else if (this.random.chance(faults.lossDown)) {
      this.counters.lostDown++;
      this.scheduler.after(this.linkDelayMs, () => confirm(CONFIRM.success));
    } else {
      this.deliver(node, frame, confirm);
    }
  }

  /** Sends to every device at once; broadcasts are confirmed by nobody. */
  broadcast(nodes: Iterable<RadioNode>, frame: DownlinkFrame): void {
    for (const node of nodes) {
      if (this.random.chance(this.faults.lossDown)) {
        this.counters.lostDown++;
      } else if (this.sleepMs(node) === 0) {
        this.scheduler.after(this.linkDelayMs, () => {
          if (node.online) node.receive(frame);
        });
      }
    }
  }

  up(node: RadioNode, deliver: () => void): void {
    this.counters.framesUp++;
    if (node.sleepyPollMs > 0) {
      this.awakeUntilMs.set(node, this.scheduler.nowMs() + AWAKE_AFTER_UPLINK_MS);
    }
    const faults = this.faults;
    if (this.random.chance(faults.lossUp)) {
      this.counters.lostUp++;
      return;
    }
    const late = this.random.chance(faults.lateUp);
    if (late) this.counters.lateUp++;
    this.scheduler.after(this.linkDelayMs + (late ? faults.lateMs : 0), deliver);
    if (this.random.chance(faults.duplicateUp)) {
      this.counters.duplicatedUp++;
      this.scheduler.after(this.linkDelayMs, deliver);
    }
  }

  /** There and back, without faults: ZDO. */
  roundTrip(answer: () => void): void {
    this.scheduler.after(2 * this.linkDelayMs, answer);
  }

  /** How long until a sleepy device listens next. */
  private sleepMs(node: RadioNode): number {
    if (node.sleepyPollMs === 0) return 0;
    const nowMs = this.scheduler.nowMs();
    if (nowMs < (this.awakeUntilMs.get(node) ?? 0)) return 0;
    return node.sleepyPollMs - (nowMs % node.sleepyPollMs);
  }

  private deliver(node: RadioNode, frame: DownlinkFrame, confirm: (status: number) => void): void {
    const sleepMs = this.sleepMs(node);
    if (sleepMs > PERSISTENCE_SECONDS * 1000) {
      this.scheduler.after(PERSISTENCE_SECONDS * 1000, () => confirm(CONFIRM.transactionExpired));
      return;
    }
    this.scheduler.after(this.linkDelayMs + sleepMs, () => {
      if (!node.online) {
        confirm(CONFIRM.macNoAck);
        return;
      }
      confirm(CONFIRM.success);
      node.receive(frame);
    });
  }
}
