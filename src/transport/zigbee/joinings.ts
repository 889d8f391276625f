/**
 * Who waits for devices to join a network. It is open as long as somebody waits, whoever else has what it
 * waited for: until the last has, or waits no longer.
 */
import type { Timers } from '../../ports.ts';

export interface JoiningNetwork {
  /** Lets devices in for so long from now on, whatever was said before. */
  open(seconds: number, installCodes: string[]): Promise<void>;
  close(): Promise<void>;
  /** Whether the device has joined. @throws UpliftError where the link is down */
  knows(eui64: string): boolean;
}

export interface JoinRequest {
  eui64s: string[];
  installCodes: string[];
  timeoutMs: number;
}

/** ZigBee has an octet for it, and 255 stands for ever. */
export const OPEN_SECONDS_MAX = 254;
const LOOK_MS = 50;

export class Joinings {
  private readonly network: JoiningNetwork;
  private readonly timers: Timers;
  /** Until when each waits. */
  private readonly waiting = new Set<{ untilMs: number }>();
  private closesMs = 0;
  /** Opening and closing are several commands each: never those of two at once. */
  private commands: Promise<unknown> = Promise.resolve();

  constructor(network: JoiningNetwork, timers: Timers) {
    this.network = network;
    this.timers = timers;
  }

  /** @throws UpliftError where the link is down */
  async wait({ eui64s, installCodes, timeoutMs }: JoinRequest): Promise<{ missing: string[] }> {
    const { network, timers } = this;
    const missing = () => eui64s.filter((eui64) => !network.knows(eui64));
    const one = { untilMs: timers.nowMs() + timeoutMs };
    this.waiting.add(one);
    try {
      await this.open(installCodes);
      while (missing().length > 0 && timers.nowMs() < one.untilMs) {
        await this.pause();
        if (timers.nowMs() >= this.closesMs && timers.nowMs() < one.untilMs) await this.open([]);
      }
    } finally {
      this.waiting.delete(one);
      await this.closeUnlessWaited();
    }
    return { missing: missing() };
  }

  /** For as long as the most patient waits. */
  private open(installCodes: string[]): Promise<void> {
    return this.inTurn(async () => {
      const nowMs = this.timers.nowMs();
      const longestMs = Math.max(...[...this.waiting].map(({ untilMs }) => untilMs - nowMs), 0);
      const seconds = Math.min(Math.ceil(longestMs / 1000), OPEN_SECONDS_MAX);
      if (seconds === 0) return;
      await this.network.open(seconds, installCodes);
      this.closesMs = nowMs + seconds * 1000;
    });
  }

  private closeUnlessWaited(): Promise<void> {
    return this.inTurn(async () => {
      if (this.waiting.size === 0) await this.network.close();
    });
  }

  private inTurn(command: () => Promise<void>): Promise<void> {
    const turn = this.commands.then(command);
    this.commands = turn.catch(() => {});
    return turn;
  }

  private pause(): Promise<void> {
    return new Promise((resume) => this.timers.after(LOOK_MS, resume));
  }
}
