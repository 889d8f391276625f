/**
 * A port between a gateway and a coordinator that speaks ZNP: TCP or a pseudo-terminal on the gateway's side,
 * the coordinator's link on the other, and in between what bad air does to frames (frame-faults.ts). It can
 * also take the wire away, and have the coordinator restart.
 */
import type { Link, Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';
import { type HostPort, openHostPort } from '../../virtual/host-port.ts';
import type { LinkFaultSettings, LinkFaults, LinkRecorder } from '../ports.ts';
import { MONOTONIC_CLOCK } from '../recording/clock.ts';
import { FrameFaults } from './frame-faults.ts';

const REOPEN_MS = 500;

export interface CoordinatorProxyOptions {
  /** The coordinator. */
  link: Link;
  /** What the gateway opens: `tcp://host:port`, port 0 for any free one, or a path to make. */
  port: string;
  seed: number;
  timers?: Timers;
  /** Records what the gateway sees, faults and all. */
  recorder?: LinkRecorder;
  name?: string;
}

export class CoordinatorProxy implements LinkFaults {
  private readonly options: CoordinatorProxyOptions;
  private readonly timers: Timers;
  private readonly frames: FrameFaults;
  private host: HostPort | undefined;
  private isDisconnected = false;
  private isStopped = false;
  /** Cuts and openings of the two sides follow each other. */
  private changing: Promise<void> = Promise.resolve();
  private readonly waiting: Uint8Array[] = [];
  private isSending = false;
  private disconnections = 0;

  private constructor(options: CoordinatorProxyOptions) {
    this.options = options;
    this.timers = options.timers ?? SYSTEM_TIMERS;
    this.frames = new FrameFaults({
      seed: options.seed,
      timers: this.timers,
      toHost: (bytes) => {
        this.record('up', bytes);
        this.host?.write(bytes);
      },
      toCoordinator: (bytes) => this.send(bytes),
      onSet: (settings) => this.note(`faults ${JSON.stringify(settings)}`),
    });
  }

  /** @throws UpliftError */
  static async start(options: CoordinatorProxyOptions): Promise<CoordinatorProxy> {
    const proxy = new CoordinatorProxy(options);
    await proxy.openCoordinator();
    try {
      proxy.host = await openHostPort(options.port, {
        // A new driver begins anew: nothing of the one before is answered to it.
        connected: () => proxy.frames.restart(),
        received: (bytes) => {
          proxy.record('down', bytes);
          proxy.frames.hostWrote(bytes);
        },
        disconnected: () => {},
      });
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    return proxy;
  }

  /** What the gateway opens. */
  get path(): string {
    return this.host!.path;
  }

  get counts(): Readonly<Record<string, number>> {
    return { ...this.frames.counts, disconnections: this.disconnections };
  }

  set(settings: LinkFaultSettings): void {
    this.frames.set(settings);
    const isDisconnected = settings.disconnected === true;
    if (isDisconnected === this.isDisconnected) return;
    this.isDisconnected = isDisconnected;
    if (isDisconnected) this.disconnections++;
    this.change(() => (isDisconnected ? this.host!.cut() : this.host!.restore()));
  }

  clear(): void {
    this.set({});
  }

  resetCoordinator(): void {
    this.note('the coordinator is reset by the lab');
    this.frames.resetCoordinator();
  }

  /** What `set` began is done. */
  async settled(): Promise<void> {
    await this.changing;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.changing;
    this.frames.restart();
    await this.options.link.close();
    await this.host?.cut();
  }

  private change(work: () => Promise<void>): void {
    this.changing = this.changing.then(work).catch((error: Error) => this.note(error.message));
  }

  private openCoordinator(): Promise<void> {
    return this.options.link.open({
      received: (bytes) => this.frames.coordinatorWrote(bytes),
      closed: ({ reason, detail }) => {
        if (this.isStopped) return;
        this.note(`the coordinator is gone: ${reason}${detail === '' ? '' : `, ${detail}`}`);
        this.waiting.length = 0;
        this.isSending = false;
        this.change(async () => {
          await this.host?.cut();
          await this.reopen();
        });
      },
    });
  }

  private async reopen(): Promise<void> {
    while (!this.isStopped && !this.options.link.isOpen) {
      try {
        await this.openCoordinator();
        if (!this.isDisconnected) await this.host?.restore();
        this.note('the coordinator is there again');
      } catch {
        await new Promise<void>((done) => this.timers.after(REOPEN_MS, done));
      }
    }
  }

  /** The link takes one piece at a time. */
  private send(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.sendNext();
  }

  private sendNext(): void {
    const next = this.isSending ? undefined : this.waiting.shift();
    if (next === undefined || !this.options.link.isOpen) return;
    this.isSending = true;
    this.options.link.send(next, () => {
      this.isSending = false;
      this.sendNext();
    });
  }

  private record(direction: 'up' | 'down', bytes: Uint8Array): void {
    const { recorder, link, name = link.name } = this.options;
    recorder?.record(name, direction, bytes, MONOTONIC_CLOCK.nowMs());
  }

  private note(text: string): void {
    const { recorder, link, name = link.name } = this.options;
    recorder?.note(name, text, MONOTONIC_CLOCK.nowMs());
  }
}
