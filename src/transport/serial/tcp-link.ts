/**
 * A link to a serial server in the network that passes bytes as they are (`tcp://host:port`): no modem
 * lines, no baud rate; both are set at the server.
 */
import { connect, type Socket } from 'node:net';
import { assert } from '../../errors.ts';
import type { Link, LinkListener } from '../../ports.ts';
import { Attachment } from './attachment.ts';
import { serverUnreachable } from './open-failure.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** A server that lost its power says nothing: the system asks after so long. */
const KEEP_ALIVE_AFTER_MS = 10_000;

export class TcpLink implements Link {
  readonly name: string;
  private readonly host: string;
  private readonly portNumber: number;
  private socket: Socket | undefined;
  private attachment: Attachment | undefined;
  private opening = false;

  /** `port` as `tcp://host:port`, an IPv6 address in brackets. */
  constructor(port: string) {
    const [, host, portNumber] = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d{1,5})$/.exec(port) ?? [];
    assert(host !== undefined, 'the address of a serial server');
    this.name = port;
    this.host = host.replace(/^\[|\]$/g, '');
    this.portNumber = Number(portNumber);
  }

  get isOpen(): boolean {
    return this.socket !== undefined;
  }

  async open(listener: LinkListener): Promise<void> {
    assert(!this.isOpen && !this.opening, 'a link is opened once at a time');
    this.opening = true;
    try {
      this.attach(await this.connected(), new Attachment(listener));
    } finally {
      this.opening = false;
    }
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    const { socket, attachment } = this;
    if (socket === undefined || attachment === undefined) {
      queueMicrotask(() => taken(false));
      return;
    }
    attachment.beginSend(taken);
    socket.write(bytes, (error) => {
      if (!error) attachment.endSend(true);
    });
  }

  /** As far as this machine knows: the server may hold some of it. */
  async drained(): Promise<void> {
    const { socket, attachment } = this;
    if (socket === undefined || attachment === undefined || socket.writableLength === 0) return;
    const empty = new Promise<void>((done) => socket.write('', () => done()));
    await Promise.race([empty, attachment.ended]);
  }

  async discard(): Promise<void> {}

  async setBaudRate(): Promise<boolean> {
    return false;
  }

  async setSignals(): Promise<boolean> {
    return false;
  }

  async sendBreak(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {
    const { socket, attachment } = this;
    if (socket === undefined || attachment === undefined) return;
    const gone = new Promise<void>((done) => socket.once('close', () => done()));
    this.socket = undefined;
    attachment.end({ reason: 'closed', detail: '' });
    // A server that takes nothing would hold an orderly end up for ever.
    if (socket.writableLength > 0) socket.destroy();
    else socket.end(() => socket.destroy());
    await gone;
  }

  private connected(): Promise<Socket> {
    const socket = connect({ host: this.host, port: this.portNumber, noDelay: true });
    socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    return new Promise((done, fail) => {
      const patience = setTimeout(() => {
        socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`));
      }, CONNECT_TIMEOUT_MS);
      socket.once('error', (error) => {
        clearTimeout(patience);
        fail(serverUnreachable(this.name, error));
      });
      socket.once('connect', () => {
        clearTimeout(patience);
        done(socket);
      });
    });
  }

  private attach(socket: Socket, attachment: Attachment): void {
    this.socket = socket;
    this.attachment = attachment;
    let failure = '';
    socket.on('data', (chunk: Buffer) => attachment.received(chunk));
    socket.on('error', (error) => {
      failure = error.message;
    });
    // The server is through: what it would not hear is not sent either.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (this.socket === socket) this.socket = undefined;
      attachment.end({ reason: 'vanished', detail: failure });
    });
  }
}
