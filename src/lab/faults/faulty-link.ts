/**
 * A link with what a bad line does to bytes, either way, and a cable that can be pulled. Everything else is
 * the link's own: its modem lines, its speed, its errors.
 *
 * A link that is disconnected closes as one whose device vanished, and does not open until it is connected
 * again.
 */
import { EXIT, UpliftError } from '../../errors.ts';
import type { Link, LinkClosed, LinkListener, LinkSignals, Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';
import type { LinkFaultSettings, LinkFaults } from '../ports.ts';
import { ByteFaults, noByteFaults } from './byte-faults.ts';
import { DelayLine } from './delay-line.ts';
import { checkFaults, faultsOf } from './settings.ts';

export const LINK_FAULTS = [
  'drop',
  'duplicate',
  'corrupt',
  'delayMs',
  'burst',
  'disconnected',
] as const;

export interface FaultyLinkOptions {
  seed: number;
  timers?: Timers;
  /** Hears what the faults are set to: a recording. */
  onSet?: (settings: LinkFaultSettings) => void;
}

export class FaultyLink implements Link, LinkFaults {
  readonly name: string;
  readonly counts = { ...noByteFaults(), delayed: 0, disconnections: 0 };
  private readonly link: Link;
  private readonly up: ByteFaults;
  private readonly down: ByteFaults;
  private readonly lateUp: DelayLine<Uint8Array>;
  private readonly lateDown: DelayLine<Uint8Array>;
  private readonly onSet: ((settings: LinkFaultSettings) => void) | undefined;
  private listener: LinkListener | undefined;
  private isDisconnected = false;
  /** Late pieces go to the link one after another, as everything does. */
  private readonly queue: Uint8Array[] = [];
  private isSending = false;

  constructor(link: Link, { seed, timers = SYSTEM_TIMERS, onSet }: FaultyLinkOptions) {
    this.name = link.name;
    this.link = link;
    this.onSet = onSet;
    this.up = new ByteFaults(seed, 'up', this.counts);
    this.down = new ByteFaults(seed, 'down', this.counts);
    this.lateUp = new DelayLine(timers, (bytes) => this.listener?.received(bytes));
    this.lateDown = new DelayLine(timers, (bytes) => {
      this.queue.push(bytes);
      this.sendQueued();
    });
  }

  set(settings: LinkFaultSettings): void {
    checkFaults(settings, LINK_FAULTS, `the link ${this.name}`);
    this.onSet?.(settings);
    const up = faultsOf(settings, 'up');
    const down = faultsOf(settings, 'down');
    this.up.set(up);
    this.down.set(down);
    this.lateUp.delayMs = up.delayMs ?? 0;
    this.lateDown.delayMs = down.delayMs ?? 0;
    const isDisconnected = settings.disconnected === true;
    if (isDisconnected && !this.isDisconnected) this.disconnect();
    this.isDisconnected = isDisconnected;
  }

  clear(): void {
    this.set({});
  }

  get isOpen(): boolean {
    return this.link.isOpen && !this.isDisconnected;
  }

  async open(listener: LinkListener): Promise<void> {
    if (this.isDisconnected) throw unplugged(this.name);
    await this.link.open({
      received: (bytes) => this.receive(bytes),
      closed: (how) => this.end(how),
    });
    this.listener = listener;
    // The cable was pulled while it opened.
    if (this.isDisconnected) this.disconnect();
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    if (!this.isOpen) {
      queueMicrotask(() => taken(false));
      return;
    }
    const through = this.down.take(bytes);
    const isQueued = this.lateDown.holds || this.queue.length > 0 || this.isSending;
    if (!isQueued && through.length > 0) {
      this.link.send(through, taken);
      return;
    }
    if (through.length > 0) {
      this.counts.delayed++;
      this.lateDown.push(through.slice());
    }
    queueMicrotask(() => taken(this.isOpen));
  }

  drained(): Promise<void> {
    return this.link.drained();
  }

  async discard(): Promise<void> {
    this.forget();
    await this.link.discard();
  }

  setBaudRate(baudRate: number): Promise<boolean> {
    return this.link.setBaudRate(baudRate);
  }

  setSignals(signals: LinkSignals): Promise<boolean> {
    return this.link.setSignals(signals);
  }

  sendBreak(durationMs: number): Promise<boolean> {
    return this.link.sendBreak(durationMs);
  }

  close(): Promise<void> {
    return this.link.close();
  }

  private receive(bytes: Uint8Array): void {
    if (this.isDisconnected) return;
    const through = this.up.take(bytes);
    if (through.length === 0) return;
    if (!this.lateUp.holds) {
      this.listener?.received(through);
      return;
    }
    this.counts.delayed++;
    this.lateUp.push(through.slice());
  }

  private sendQueued(): void {
    const bytes = this.isSending ? undefined : this.queue.shift();
    if (bytes === undefined || !this.link.isOpen) return;
    this.isSending = true;
    this.link.send(bytes, () => {
      this.isSending = false;
      this.sendQueued();
    });
  }

  private disconnect(): void {
    if (!this.link.isOpen) return;
    this.counts.disconnections++;
    this.end({ reason: 'vanished', detail: 'disconnected by the lab' });
    void this.link.close();
  }

  private end(how: LinkClosed): void {
    const { listener } = this;
    this.listener = undefined;
    this.forget();
    listener?.closed(how);
  }

  private forget(): void {
    this.lateUp.clear();
    this.lateDown.clear();
    this.queue.length = 0;
  }
}

function unplugged(name: string): UpliftError {
  return new UpliftError('port-missing', `${name} is disconnected by the lab`, {
    expected: 'a link that is connected',
    actual: 'its fault "disconnected" is set',
    next: 'clear the faults of the link',
    exit: EXIT.notReachable,
  });
}
