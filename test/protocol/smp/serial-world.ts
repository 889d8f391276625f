/**
 * A client and a device on a serial line, in simulated time: bytes take the time the line's speed gives
 * them, answers wait in an adapter, and each packet in either direction may meet with a fault.
 */
import { SmpClient } from '../../../src/protocol/smp/client.ts';
import type { SmpEvent, SmpOptions } from '../../../src/protocol/smp/messages.ts';
import { lines } from './naive-codec.ts';
import { type DevicePlan, NaiveReceiver, NaiveServer } from './naive-server.ts';

export const FAULTS = [
  'drop',
  'corrupt',
  'duplicate',
  'late',
  'split',
  'truncate',
  'noise',
  'power-cut',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface WorldPlan {
  device: Partial<DevicePlan>;
  options: Partial<SmpOptions>;
  baudRate: number;
  /** What the adapter adds to every answer, ms. */
  adapterMs: number;
  /** Strikes the packet with this number, counted over both directions. */
  fault?: (packet: number) => Fault | undefined;
  /** Makes the client, for planted defects. */
  makeClient?: (options: Partial<SmpOptions>) => SmpClient;
}

const START_MS = 1_700_000_000_000;
/** How late a late packet is, ms: beyond the first few retransmission times. */
const LATE_MS = 700;
/** Steps at one instant: more means a machine that wants to be woken and does nothing. */
const IDLE_STEPS_MAX = 1_000;
const BABBLE = '\x1b[1;32muart:~$ \x1b[0m[00:00:01.234] <inf> app: still here\r\n*** Booting ';

interface Due {
  atMs: number;
  order: number;
  run: () => void;
}

export class SerialWorld {
  readonly server: NaiveServer;
  readonly client: SmpClient;
  readonly events: SmpEvent[] = [];
  nowMs = START_MS;
  /** Packets so far, both directions. */
  packets = 0;
  requestsSent = 0;
  bytesToDevice = 0;
  linkUp = true;
  private readonly plan: WorldPlan;
  private readonly receiver: NaiveReceiver;
  private readonly queue: Due[] = [];
  private order = 0;
  private toDeviceFreeMs = 0;
  private toHostFreeMs = 0;
  private idleSteps = 0;
  /** When the device is woken next; 0 where nothing is planned. */
  private workAtMs = 0;

  constructor(plan: Partial<WorldPlan> = {}) {
    this.plan = { device: {}, options: {}, baudRate: 115_200, adapterMs: 0, ...plan };
    this.server = new NaiveServer(this.plan.device);
    this.receiver = new NaiveReceiver(this.server);
    const options = { baudRate: this.plan.baudRate, ...this.plan.options };
    this.client = this.plan.makeClient?.(options) ?? new SmpClient(options);
  }

  get elapsedMs(): number {
    return this.nowMs - START_MS;
  }

  /** Runs until `done` is true of an event, or the limit; that event. */
  until(done: (event: SmpEvent) => boolean, limitMs = 3_600_000): SmpEvent | undefined {
    const endMs = this.nowMs + limitMs;
    for (;;) {
      const found = this.pump().find(done);
      if (found) return found;
      if (!this.step(endMs)) return undefined;
    }
  }

  /** Runs for a while. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    do this.pump();
    while (this.step(endMs));
    this.nowMs = endMs;
  }

  at(delayMs: number, run: () => void): void {
    this.queue.push({ atMs: this.nowMs + delayMs, order: this.order++, run });
    this.queue.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
  }

  powerCut(): void {
    this.receiver.powerCut(this.nowMs);
  }

  /** Pulls the cable: what is on it is lost. */
  unplug(): void {
    this.linkUp = false;
    this.client.handleLinkDown();
  }

  replug(): void {
    this.linkUp = true;
    this.client.handleLinkUp();
  }

  /** The client's word, drained. */
  private pump(): SmpEvent[] {
    for (;;) {
      const out = this.client.pollTransmit(this.nowMs);
      if (!out) break;
      this.requestsSent++;
      this.bytesToDevice += out.length;
      this.transmit(Uint8Array.from(out), true);
    }
    const said: SmpEvent[] = [];
    for (let event = this.client.pollEvent(); event; event = this.client.pollEvent()) {
      said.push(event);
    }
    this.events.push(...said);
    return said;
  }

  /** One step in time; false where nothing more happens before `endMs`. */
  private step(endMs: number): boolean {
    const timerMs = this.client.pollTimeout();
    const nextMs = Math.min(this.queue[0]?.atMs ?? Number.POSITIVE_INFINITY, timerMs);
    if (nextMs > endMs) return false;
    this.idleSteps = nextMs > this.nowMs ? 0 : this.idleSteps + 1;
    if (this.idleSteps > IDLE_STEPS_MAX) throw new Error('time stands still');
    this.nowMs = Math.max(this.nowMs, nextMs);
    if (timerMs <= this.nowMs) this.client.handleTimeout(this.nowMs);
    while (this.queue.length > 0 && this.queue[0]!.atMs <= this.nowMs) this.queue.shift()!.run();
    return true;
  }

  private transmit(bytes: Uint8Array, toDevice: boolean): void {
    const number = this.packets++;
    const fault = this.plan.fault?.(number);
    for (const [delayMs, part] of this.struck(fault, bytes)) {
      if (toDevice) this.carryToDevice(part, delayMs);
      else this.carryToHost(part, delayMs);
    }
  }

  /** What a fault makes of a packet: parts with their delays. */
  private struck(fault: Fault | undefined, bytes: Uint8Array): [number, Uint8Array][] {
    const middle = bytes.length >> 1;
    switch (fault) {
      case 'drop':
        return [];
      case 'corrupt': {
        // Another symbol somewhere: what that does to the packet differs from place to place.
        const other = Uint8Array.from(bytes);
        const at = 3 + ((11 * this.packets) % (bytes.length - 4));
        other[at] = other[at] === 0x41 ? 0x42 : 0x41;
        return [[0, other]];
      }
      case 'duplicate':
        return [
          [0, bytes],
          [0, bytes],
        ];
      case 'late':
        return [[LATE_MS, bytes]];
      case 'split':
        return [
          [0, bytes.subarray(0, middle)],
          [3, bytes.subarray(middle)],
        ];
      case 'truncate':
        return [[0, bytes.subarray(0, middle)]];
      case 'noise':
        return [[0, Buffer.concat([Buffer.from('\x06\x09AB\x00~garbage\x04\x14'), bytes])]];
      case 'power-cut':
        this.powerCut();
        return [[0, bytes]];
      default:
        return [[0, bytes]];
    }
  }

  private carryToDevice(bytes: Uint8Array, delayMs: number): void {
    const perMs = this.plan.baudRate / 10_000;
    let from = 0;
    let atMs = Math.max(this.nowMs + delayMs, delayMs > 100 ? 0 : this.toDeviceFreeMs);
    while (from < bytes.length) {
      const newline = bytes.indexOf(0x0a, from);
      const to = newline < 0 ? bytes.length : newline + 1;
      const part = bytes.subarray(from, to);
      atMs += part.length / perMs;
      this.at(atMs - this.nowMs, () => this.atDevice(part));
      from = to;
    }
    if (delayMs < 100) this.toDeviceFreeMs = atMs;
  }

  private atDevice(part: Uint8Array): void {
    if (!this.linkUp) return;
    this.receiver.receive(part, this.nowMs);
    this.work();
  }

  private work(): void {
    const answer = this.receiver.work(this.nowMs);
    if (answer) {
      const babble = this.server.plan.babbles ? Buffer.from(BABBLE, 'latin1') : Buffer.alloc(0);
      this.transmit(Buffer.concat([babble, lines(answer, [93, 90])]), false);
    }
    const { wakeMs } = this.receiver;
    if (!Number.isFinite(wakeMs) || wakeMs === this.workAtMs) return;
    this.workAtMs = wakeMs;
    this.at(Math.max(0, wakeMs - this.nowMs), () => {
      this.workAtMs = 0;
      this.work();
    });
  }

  private carryToHost(bytes: Uint8Array, delayMs: number): void {
    const perMs = this.plan.baudRate / 10_000;
    const startMs = Math.max(this.nowMs + delayMs, delayMs > 100 ? 0 : this.toHostFreeMs);
    const endMs = startMs + bytes.length / perMs;
    if (delayMs < 100) this.toHostFreeMs = endMs;
    this.at(endMs + this.plan.adapterMs - this.nowMs, () => {
      if (this.linkUp) this.client.handleBytes(bytes, this.nowMs);
    });
  }
}
