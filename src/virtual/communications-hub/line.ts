/**
 * The serial line between a host and a hub, 8N1: ten bits a byte at the line rate, in both
 * directions, with the latency of a USB adapter on the way to the host, and what can go wrong with
 * bytes.
 *
 * A byte's time on the wire is worked out, not waited for: what is due is passed on every
 * millisecond or two, each byte to the hub with the moment at which it was complete. A timer that
 * comes late delays bytes but loses neither rate nor order.
 */
import type { SeededRandom } from '../random.ts';
import type { Scheduled, Scheduler } from '../scheduler.ts';
import type { HubFaults } from './options.ts';

const BITS_PER_BYTE = 10;
const SLICE_MS = 1;
/** Payload of an FTDI adapter's full packet: it goes at once, less waits for the latency timer. */
const ADAPTER_PACKET_BYTES = 62;

export interface LineOptions {
  baudRate: number;
  turnRoundMs: number;
}

export interface LineHooks {
  toHub(byte: number, atMs: number): void;
  toHost(bytes: Uint8Array): void;
}

export class Line {
  readonly faults: HubFaults;
  private readonly scheduler: Scheduler;
  private readonly random: SeededRandom;
  private readonly hooks: LineHooks;
  private readonly turnRoundMs: number;
  private readonly inbound: Wire;
  private readonly outbound: Wire;
  private held: number[] = [];
  private heldSinceMs = 0;
  private tick: Scheduled | undefined;

  constructor(
    scheduler: Scheduler,
    options: LineOptions,
    faults: HubFaults,
    random: SeededRandom,
    hooks: LineHooks,
  ) {
    this.scheduler = scheduler;
    this.faults = faults;
    this.random = random;
    this.hooks = hooks;
    this.turnRoundMs = options.turnRoundMs;
    const byteMs = (BITS_PER_BYTE * 1000) / options.baudRate;
    this.inbound = new Wire(byteMs);
    this.outbound = new Wire(byteMs);
  }

  /** The host wrote. The bytes are kept, not copied. */
  fromHost(chunk: Uint8Array): void {
    this.inbound.push(chunk, this.scheduler.nowMs());
    this.arm();
  }

  /** The hub sends, not before `atMs`. The bytes are kept, not copied. */
  fromHub(bytes: Uint8Array, atMs: number): void {
    this.outbound.push(bytes, atMs);
    this.arm();
  }

  /** The hub is without power: what it had not sent is gone, what comes is for nobody. */
  clearFromHub(): void {
    this.outbound.clear();
  }

  /** Nothing is on its way any more. */
  clear(): void {
    this.inbound.clear();
    this.outbound.clear();
    this.held = [];
    this.tick?.cancel();
    this.tick = undefined;
  }

  private arm(): void {
    this.tick ??= this.scheduler.after(SLICE_MS, this.pass);
  }

  private readonly pass = (): void => {
    this.tick = undefined;
    const nowMs = this.scheduler.nowMs();
    for (let entry = this.inbound.take(nowMs); entry; entry = this.inbound.take(nowMs)) {
      const { atMs } = entry;
      this.suffer(entry.byte, (byte) => this.hooks.toHub(byte, atMs));
    }
    const before = this.held.length;
    for (let entry = this.outbound.take(nowMs); entry; entry = this.outbound.take(nowMs)) {
      this.suffer(entry.byte, (byte) => this.held.push(byte));
    }
    if (before === 0 && this.held.length > 0) this.heldSinceMs = nowMs;
    this.flushHeld(nowMs);
    if (!this.inbound.idle || !this.outbound.idle || this.held.length > 0) this.arm();
  };

  private flushHeld(nowMs: number): void {
    if (this.held.length === 0) return;
    const due = nowMs - this.heldSinceMs >= this.turnRoundMs;
    const whole = this.held.length - (this.held.length % ADAPTER_PACKET_BYTES);
    const count = due ? this.held.length : whole;
    if (count === 0) return;
    this.hooks.toHost(Uint8Array.from(this.held.slice(0, count)));
    this.held = this.held.slice(count);
    this.heldSinceMs = nowMs;
  }

  private suffer(byte: number, pass: (byte: number) => void): void {
    const { faults, random } = this;
    if (random.chance(faults.loss)) return;
    if (faults.wrongBaudRate) pass(Math.floor(random.next() * 256));
    else if (random.chance(faults.corruption)) pass(byte ^ (1 << Math.floor(random.next() * 8)));
    else pass(byte);
    if (random.chance(faults.noise)) pass(Math.floor(random.next() * 256));
  }
}

/** One direction: bytes and the moments at which each has left the wire. */
class Wire {
  private readonly byteMs: number;
  private queue: { bytes: Uint8Array; startMs: number }[] = [];
  private position = 0;
  private freeMs = 0;

  constructor(byteMs: number) {
    this.byteMs = byteMs;
  }

  get idle(): boolean {
    return this.queue.length === 0;
  }

  push(bytes: Uint8Array, atMs: number): void {
    if (bytes.length === 0) return;
    const startMs = Math.max(atMs, this.freeMs);
    this.freeMs = startMs + bytes.length * this.byteMs;
    this.queue.push({ bytes, startMs });
  }

  take(nowMs: number): { byte: number; atMs: number } | undefined {
    const head = this.queue[0];
    if (head === undefined) return undefined;
    const atMs = head.startMs + (this.position + 1) * this.byteMs;
    if (atMs > nowMs) return undefined;
    const byte = head.bytes[this.position++]!;
    if (this.position === head.bytes.length) {
      this.queue.shift();
      this.position = 0;
    }
    return { byte, atMs };
  }

  clear(): void {
    this.queue = [];
    this.position = 0;
    this.freeMs = 0;
  }
}
