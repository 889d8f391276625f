/** One server, some naive clients, a link with faults by message number, and a clock that only jumps. */
import { ZclOtaServer } from '../../src/protocol/zcl-ota/server.ts';
import type { Admitted, Assignment } from '../../src/protocol/zcl-ota/session.ts';
import { type ClientPlan, NaiveClient } from './zcl-ota-client.ts';

/** What happens to, or at, one message. */
export const FAULTS = [
  'drop',
  'duplicate',
  'late',
  'truncate',
  'flip',
  'restart',
  'restart-empty',
  'old-offset',
  'gateway',
  'gateway-forgetful',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Device {
  plan: ClientPlan;
  assignment: Assignment;
}

export interface WorldOptions {
  devices: Device[];
  /** The fault of message n, counted from 0 over both directions. */
  fault?: (message: number) => Fault | undefined;
  /** Chooses the bit that is turned, of so many. */
  bit?: (bits: number, message: number) => number;
  /** The decision comes so long after the device asked; at once where absent. */
  authoriseAfterMs?: number;
  /** At message n the upgrade is aborted. */
  abortAt?: number;
  makeServer?: () => ZclOtaServer;
  limitMs: number;
}

export interface DeviceOutcome {
  installed: Uint8Array | undefined;
  activatedUnasked: boolean;
  blocksSent: number;
  /** When each block left. */
  blockTimesMs: number[];
  finishedMs: number;
}

export interface WorldOutcome {
  devices: DeviceOutcome[];
  messages: number;
  /** A promise broken on the way. */
  broken: string | undefined;
}

const LATENCY_MS = 20;
/** Behind the client's time-out and its repeated request. */
const LATE_MS = 6_000;
const START_MS = 1_900_000_000_000;
const MESSAGES_MAX = 100_000;

export function run(options: WorldOptions): WorldOutcome {
  return new World(options).run();
}

class World {
  nowMs = START_MS;
  private readonly options: WorldOptions;
  private readonly actions: { atMs: number; order: number; action: () => void }[] = [];
  private readonly clients: NaiveClient[];
  private readonly outcomes: DeviceOutcome[];
  private server!: ZclOtaServer;
  private authorised: boolean[] = [];
  private readonly begun: boolean[];
  private aborted = false;
  private messages = 0;
  private order = 0;
  private broken: string | undefined;

  constructor(options: WorldOptions) {
    this.options = options;
    this.clients = options.devices.map(({ plan }, device) => {
      const world = this;
      return new NaiveClient(plan, {
        get nowMs() {
          return world.nowMs;
        },
        at: (atMs, action) => world.at(atMs, action),
        send: (frame) => world.transfer(device, frame, true),
      });
    });
    this.begun = options.devices.map(() => false);
    this.outcomes = options.devices.map(() => ({
      installed: undefined,
      activatedUnasked: false,
      blocksSent: 0,
      blockTimesMs: [],
      finishedMs: Number.POSITIVE_INFINITY,
    }));
    this.startServer(false);
    this.clients.forEach((client, device) => {
      this.at(START_MS + 7 * device, () => client.boot());
    });
  }

  run(): WorldOutcome {
    const untilMs = START_MS + this.options.limitMs;
    while (!this.broken && this.clients.some(({ state }) => state !== 'done')) {
      const first = this.actions[0];
      const wakeMs = this.server.pollTimeout();
      const atMs = Math.min(first?.atMs ?? Number.POSITIVE_INFINITY, wakeMs);
      if (atMs > untilMs || this.messages > MESSAGES_MAX) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      if (first && first.atMs <= wakeMs) {
        this.actions.shift();
        first.action();
      } else {
        this.server.handleTimeout(this.nowMs);
      }
      this.drain();
      this.note();
    }
    return { devices: this.outcomes, messages: this.messages, broken: this.broken };
  }

  private at(atMs: number, action: () => void): void {
    const entry = { atMs, order: this.order++, action };
    let index = this.actions.length;
    while (index > 0 && this.actions[index - 1]!.atMs > atMs) index--;
    this.actions.splice(index, 0, entry);
  }

  /** What a gateway may remember: the devices that took this content from its first byte on. */
  private startServer(remembers: boolean): void {
    this.server = this.options.makeServer?.() ?? new ZclOtaServer();
    const decided = this.options.authoriseAfterMs === undefined;
    this.authorised = this.options.devices.map(() => decided);
    this.options.devices.forEach(({ assignment }, device) => {
      const resumable = assignment.resumable || (remembers && this.begun[device]!);
      const again = { ...assignment, resumable, authorised: decided };
      this.server.assign(this.server.addDevice(), again, this.nowMs);
    });
    if (this.aborted) this.abort();
  }

  private abort(): void {
    for (let device = 0; device < this.clients.length; device++) this.server.abort(device);
  }

  private transfer(device: number, frame: Uint8Array, toServer: boolean): void {
    const message = this.messages++;
    if (message === this.options.abortAt) {
      this.aborted = true;
      this.abort();
    }
    const deliver = (bytes: Uint8Array, delayMs: number) =>
      this.at(this.nowMs + delayMs, () => {
        if (toServer) this.server.handleFrame(device, bytes, this.nowMs);
        else this.clients[device]!.receive(bytes);
      });
    const fault = this.options.fault?.(message);
    if (fault !== 'drop' && fault !== 'late')
      deliver(this.damaged(frame, fault, message), LATENCY_MS);
    if (fault === 'duplicate') deliver(frame, LATENCY_MS + 1);
    if (fault === 'late') deliver(frame, LATE_MS);
    // Not in the middle of what the sender does.
    if (fault) this.at(this.nowMs, () => this.strike(device, fault));
  }

  private damaged(frame: Uint8Array, fault: Fault | undefined, message: number): Uint8Array {
    if (fault === 'truncate') return frame.slice(0, frame.length >> 1);
    const copy = frame.slice();
    if (fault !== 'flip') return copy;
    const bit = this.options.bit?.(8 * frame.length, message) ?? 0;
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  }

  private strike(device: number, fault: Fault): void {
    const client = this.clients[device]!;
    if (fault === 'restart') client.restart(true);
    if (fault === 'restart-empty') client.restart(false);
    if (fault === 'old-offset') client.goBack(2 * this.options.devices[device]!.plan.blockBytes);
    if (fault === 'gateway') this.startServer(true);
    if (fault === 'gateway-forgetful') this.startServer(false);
  }

  private drain(): void {
    for (let out = this.server.pollTransmit(this.nowMs); out; ) {
      this.watch(out.device, out.bytes);
      this.transfer(out.device, out.bytes.slice(), false);
      out = this.server.pollTransmit(this.nowMs);
    }
    for (let event = this.server.pollEvent(); event; event = this.server.pollEvent()) {
      if (event.kind === 'started' && event.offset === 0) this.begun[event.device] = true;
      if (event.kind === 'asks-unauthorised') this.decide(event.device, 'unasked');
      if (event.kind === 'query' && event.answer === 'deferred')
        this.decide(event.device, event.facts);
    }
  }

  /** As a session does: once for a device that has not asked, and again for each that asks. */
  private decide(device: number, admitted: Admitted): void {
    const { server } = this;
    this.at(this.nowMs + (this.options.authoriseAfterMs ?? 0), () => {
      if (server !== this.server || (admitted === 'unasked' && this.authorised[device])) return;
      this.authorised[device] = true;
      server.authorise(device, admitted, this.nowMs);
    });
  }

  private watch(device: number, bytes: Uint8Array): void {
    const data = bytes[0] === 0x19 && bytes[2] === 5 && bytes[3] === 0;
    const offered = bytes[0] === 0x19 && bytes[2] === 2 && bytes[3] === 0;
    const commanded = bytes[2] === 7 && !bytes.subarray(-4).every((byte) => byte === 0xff);
    if ((data || offered || commanded) && !this.authorised[device]) this.broken ??= 'unauthorised';
    if ((data || offered || commanded) && this.aborted) this.broken ??= 'aborted';
    if (!data) return;
    const outcome = this.outcomes[device]!;
    outcome.blocksSent++;
    outcome.blockTimesMs.push(this.nowMs);
  }

  private note(): void {
    this.clients.forEach((client, device) => {
      const outcome = this.outcomes[device]!;
      if (client.state !== 'done' || outcome.installed) return;
      outcome.installed = client.installed;
      outcome.activatedUnasked = client.activatedUnasked;
      outcome.finishedMs = this.nowMs - START_MS;
    });
  }
}
