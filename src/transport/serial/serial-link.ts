/**
 * A link over a serial port of this machine: locked for this process, quick in turning round, and closed
 * with a word when its device goes.
 */
import { assert } from '../../errors.ts';
import type { Link, LinkClosed, LinkListener, LinkSignals } from '../../ports.ts';
import { Attachment } from './attachment.ts';
import { OpenPort } from './binding.ts';
import { openFailure, unfitPort } from './open-failure.ts';
import { listPorts, portAt, resolvePort, type SerialPortInfo, stableId } from './ports.ts';

export interface SerialLinkOptions {
  /** As a rig file writes it: a path, `usb:SERIAL` or `usb:VID:PID:SERIAL`. */
  port: string;
  baudRate: number;
  rtscts: boolean;
}

/** What is known of an open port. */
export interface PortReading {
  /** The device node. */
  path: string;
  /** Undefined where the kernel does not list it, as a pseudo-terminal. */
  info: SerialPortInfo | undefined;
  hasModemLines: boolean;
  /** Whether the driver was won over to hand short input on at once. */
  isLowLatency: boolean;
}

/** What an error says of a device that is gone, rather than of one that fails. */
const GONE = /hung up|EIO|ENXIO|ENODEV|EBADF|bad file descriptor|no such device|disconnected/i;

export class SerialLink implements Link {
  readonly name: string;
  private readonly options: SerialLinkOptions;
  private port: OpenPort | undefined;
  private attachment: Attachment | undefined;
  private opened: Omit<PortReading, 'isLowLatency'> | undefined;
  private opening = false;
  private closing: Promise<void> | undefined;
  /** Of the adapter it was open on: where the rig file names a path, that may become another's. */
  private known: string | undefined;

  constructor(options: SerialLinkOptions) {
    this.options = options;
    this.name = options.port;
  }

  get isOpen(): boolean {
    return this.port !== undefined && this.closing === undefined;
  }

  async open(listener: LinkListener): Promise<void> {
    assert(!this.isOpen && !this.opening, 'a link is opened once at a time');
    this.opening = true;
    try {
      await this.closing;
      const ports = await listPorts();
      const path = resolvePort(this.options.port, ports, this.known);
      const unfit = unfitPort(path, ports);
      if (unfit) throw unfit;
      const port = await OpenPort.open({ ...this.options, path }).catch((error) => {
        throw openFailure(path, error, ports);
      });
      const info = portAt(path, ports);
      this.known = info && stableId(info);
      this.attach(port, new Attachment(listener));
      // Low latency is a wish: most drivers have no such mode.
      const hasModemLines = await port.set({ lowLatency: true }).catch(() => false);
      this.opened = { path, info, hasModemLines };
    } finally {
      this.opening = false;
    }
  }

  /** Undefined where it is closed. */
  async reading(): Promise<PortReading | undefined> {
    const { port, opened } = this;
    if (!this.isOpen || port === undefined || opened === undefined) return undefined;
    return { ...opened, isLowLatency: await port.lowLatency() };
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    const { port, attachment } = this;
    if (port === undefined || attachment === undefined || !this.isOpen) {
      queueMicrotask(() => taken(false));
      return;
    }
    attachment.beginSend(taken);
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    port.stream.write(view, (error) => {
      // An error closes the port, and that tells it.
      if (!error) attachment.endSend(true);
    });
  }

  async drained(): Promise<void> {
    const { port, attachment } = this;
    if (port === undefined || attachment === undefined) return;
    await Promise.race([port.drain().catch(() => attachment.ended), attachment.ended]);
  }

  async discard(): Promise<void> {
    await this.port?.flush().catch(() => this.attachment?.ended);
  }

  async setBaudRate(baudRate: number): Promise<boolean> {
    if (!this.isOpen) return false;
    try {
      await this.port!.setBaudRate(baudRate);
      return true;
    } catch {
      return false;
    }
  }

  setSignals(signals: LinkSignals): Promise<boolean> {
    return this.setLines(signals);
  }

  async sendBreak(durationMs: number): Promise<boolean> {
    if (!(await this.setLines({ brk: true }))) return false;
    await new Promise((done) => setTimeout(done, durationMs));
    return this.setLines({ brk: false });
  }

  close(): Promise<void> {
    const { port, attachment } = this;
    if (port === undefined || attachment === undefined) return this.closing ?? Promise.resolve();
    this.closing ??= this.closePort(port, attachment);
    return this.closing;
  }

  private attach(port: OpenPort, attachment: Attachment): void {
    this.port = port;
    this.attachment = attachment;
    let failure = '';
    port.stream.on('data', (chunk: Buffer) => attachment.received(chunk));
    port.stream.on('error', (error: Error) => {
      failure ||= error.message;
    });
    // It may come twice: of a stream that failed, and of the port when it is closed.
    port.stream.on('close', (error?: Error | null) => {
      failure = error?.message ?? failure;
      if (port.stream.isOpen || port.stream.closing) return;
      this.detach(port, attachment, {
        reason: failure === '' || GONE.test(failure) ? 'vanished' : 'failed',
        detail: failure,
      });
    });
  }

  private async closePort(port: OpenPort, attachment: Attachment): Promise<void> {
    // What nobody takes would hold the closing up for as long as the driver waits for it.
    if (attachment.isSending) await port.flush().catch(() => {});
    attachment.end({ reason: 'closed', detail: '' });
    // It may be closing by itself: then that is waited for.
    await port.close().catch(() => closedByItself(port));
    this.detach(port, attachment, { reason: 'closed', detail: '' });
  }

  private detach(port: OpenPort, attachment: Attachment, how: LinkClosed): void {
    if (this.port === port) {
      this.port = undefined;
      this.attachment = undefined;
      this.closing = undefined;
    }
    attachment.end(how);
  }

  private async setLines(changes: Parameters<OpenPort['set']>[0]): Promise<boolean> {
    if (!this.isOpen) return false;
    return this.port!.set(changes).catch(() => false);
  }
}

async function closedByItself({ stream }: OpenPort): Promise<void> {
  while (stream.isOpen || stream.closing) {
    await new Promise<void>((done) => stream.once('close', () => done()));
  }
}
