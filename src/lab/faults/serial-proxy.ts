/**
 * A pseudo-terminal between a program and a serial device: the program opens it as it would the port, and
 * what passes meets the faults of the lab. It also serves on `tcp://host:port`, as a serial server does.
 *
 * A pseudo-terminal has no modem lines and no speed of its own: what the program sets of them ends here. What
 * a lab does to the lines of the real port (a glitch of RTS or DTR, a break) it does on the device's link.
 */
import type { Link, Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';
import { type HostPort, openHostPort } from '../../virtual/host-port.ts';
import type { LinkFaultSettings, LinkFaults, LinkRecorder } from '../ports.ts';
import { MONOTONIC_CLOCK } from '../recording/clock.ts';
import { FaultyLink } from './faulty-link.ts';

/** Between two looks for a device that is gone, or disconnected by its faults. */
const REOPEN_MS = 100;
/** From a device's end to its port's: a program on the port reads what is there within it. */
const IN_FLIGHT_MS = 100;
/** Bytes that wait for a device that takes none; more are lost, as in a line without flow control. */
const WAITING_BYTES_MAX = 1_048_576;

export interface SerialProxyOptions {
  /** The device. */
  link: Link;
  /** The path of the pseudo-terminal to make, or `tcp://host:port`. */
  port: string;
  seed: number;
  timers?: Timers;
  /** Records what the program sees, faults and all. */
  recorder?: LinkRecorder;
  /** What the recording calls it; else the device's link. */
  name?: string;
}

export class SerialProxy implements LinkFaults {
  /** Bytes for a device that took none. */
  lostBytes = 0;
  private readonly options: SerialProxyOptions;
  private readonly device: FaultyLink;
  private readonly timers: Timers;
  private host: HostPort | undefined;
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private isSending = false;
  private isStopped = false;

  private constructor(options: SerialProxyOptions) {
    const { link, seed, timers = SYSTEM_TIMERS } = options;
    this.options = options;
    this.timers = timers;
    this.device = new FaultyLink(link, {
      seed,
      timers,
      onSet: (settings) => this.note(`faults ${JSON.stringify(settings)}`),
    });
  }

  /** @throws UpliftError where the device does not open, or the port cannot be made */
  static async start(options: SerialProxyOptions): Promise<SerialProxy> {
    const proxy = new SerialProxy(options);
    await proxy.openDevice();
    try {
      proxy.host = await openHostPort(options.port, {
        connected: () => {},
        received: (bytes) => proxy.toDevice(bytes),
        disconnected: () => {},
      });
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    return proxy;
  }

  /** What the program opens. */
  get path(): string {
    return this.host!.path;
  }

  get counts(): Readonly<Record<string, number>> {
    return this.device.counts;
  }

  set(settings: LinkFaultSettings): void {
    this.device.set(settings);
  }

  clear(): void {
    this.set({});
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.device.close();
    await this.host?.cut();
  }

  private openDevice(): Promise<void> {
    return this.device.open({
      received: (bytes) => {
        this.record('up', bytes);
        // It is the link's again after this call, and the port writes later.
        this.host?.write(bytes.slice());
      },
      closed: ({ reason, detail }) => {
        if (this.isStopped) return;
        this.note(`the device is gone: ${reason}${detail === '' ? '' : `, ${detail}`}`);
        this.waiting.length = 0;
        this.waitingBytes = 0;
        void this.cutHost(reason === 'vanished' ? IN_FLIGHT_MS : 0).then(() => this.reopen());
      },
    });
  }

  /** What a device said last is on its way still when it goes: hanging up would throw it away. */
  private async cutHost(afterMs: number): Promise<void> {
    if (afterMs > 0) await new Promise<void>((done) => this.timers.after(afterMs, done));
    await this.host?.cut();
  }

  /** Until the device is there again; its port has the same name then. */
  private async reopen(): Promise<void> {
    while (!this.isStopped && !this.device.isOpen) {
      try {
        await this.openDevice();
        await this.host?.restore();
        this.note('the device is there again');
      } catch {
        await new Promise<void>((done) => this.timers.after(REOPEN_MS, done));
      }
    }
  }

  private toDevice(bytes: Uint8Array): void {
    this.record('down', bytes);
    if (this.waitingBytes + bytes.length > WAITING_BYTES_MAX || !this.device.isOpen) {
      this.lostBytes += bytes.length;
      return;
    }
    this.waiting.push(bytes.slice());
    this.waitingBytes += bytes.length;
    this.sendNext();
  }

  private sendNext(): void {
    const next = this.isSending ? undefined : this.waiting.shift();
    if (next === undefined) return;
    this.waitingBytes -= next.length;
    this.isSending = true;
    this.device.send(next, () => {
      this.isSending = false;
      this.sendNext();
    });
  }

  private record(direction: 'up' | 'down', bytes: Uint8Array): void {
    const { recorder, name = this.device.name } = this.options;
    recorder?.record(name, direction, bytes, MONOTONIC_CLOCK.nowMs());
  }

  private note(text: string): void {
    const { recorder, name = this.device.name } = this.options;
    recorder?.note(name, text, MONOTONIC_CLOCK.nowMs());
  }
}
