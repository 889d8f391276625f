/**
 * Where a virtual device's host plugs in: a TCP port, or a pseudo-terminal with a name of its own.
 *
 * One host at a time. A cut takes the line away as a pulled cable does (TCP: connection gone and port
 * closed; pseudo-terminal: hung up, its name gone); a restored one is found under the same name.
 */
import { closeSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { ReadStream } from 'node:tty';
import { EXIT, UpliftError } from '../errors.ts';

/** Bytes a host may leave unread before more are lost, as on a serial line nobody reads. */
const UNREAD_BYTES_MAX = 1_048_576;

/** How long a new host waits for the one before it to close its connection. */
const CHANGEOVER_MS = 250;

export interface HostPortHandlers {
  connected(): void;
  received(chunk: Uint8Array): void;
  disconnected(): void;
}

export interface HostPort {
  /** What the driver opens: `tcp://host:port`, or the path of the pseudo-terminal. */
  readonly path: string;
  write(bytes: Uint8Array): void;
  cut(): Promise<void>;
  restore(): Promise<void>;
}

/** Opens `tcp://host:port` (port 0: any free one) or a path for a pseudo-terminal. */
export async function openHostPort(port: string, handlers: HostPortHandlers): Promise<HostPort> {
  const tcp = /^(?:tcp|socket):\/\/(\[[^\]]+\]|[^:/]+):(\d+)$/.exec(port);
  if (tcp !== null) {
    const listener = new TcpPort(tcp[1]!.replace(/^\[|\]$/g, ''), Number(tcp[2]), handlers);
    await listener.restore();
    return listener;
  }
  if (port.includes('://')) {
    throw new UpliftError('VIRTUAL_PORT_UNKNOWN', `a virtual device cannot listen on ${port}`, {
      expected: 'tcp://host:port, or the path of a pseudo-terminal to make',
      actual: port,
    });
  }
  const terminal = new PseudoTerminal(resolve(port), handlers);
  await terminal.restore();
  return terminal;
}

class TcpPort implements HostPort {
  private readonly host: string;
  private portNumber: number;
  private readonly handlers: HostPortHandlers;
  private server: Server | undefined;
  private socket: Socket | undefined;

  constructor(host: string, portNumber: number, handlers: HostPortHandlers) {
    this.host = host;
    this.portNumber = portNumber;
    this.handlers = handlers;
  }

  get path(): string {
    return `tcp://${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.portNumber}`;
  }

  write(bytes: Uint8Array): void {
    if (this.socket && this.socket.writableLength < UNREAD_BYTES_MAX) this.socket.write(bytes);
  }

  async cut(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    this.drop();
    if (server) await new Promise((done) => server.close(done));
  }

  restore(): Promise<void> {
    if (this.server) return Promise.resolve();
    const server = createServer({ noDelay: true }, (socket) => this.accept(socket));
    this.server = server;
    return new Promise((done, fail) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        this.server = undefined;
        fail(cannotListen(this.path, error));
      });
      server.listen(this.portNumber, this.host, () => {
        this.portNumber = (server.address() as AddressInfo).port;
        done();
      });
    });
  }

  /**
   * A second host is turned away: a device has one serial line. One that comes while the first is
   * just leaving waits for it, unread.
   */
  private accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.socket === undefined) {
      this.attach(socket);
      return;
    }
    const patience = setTimeout(() => socket.destroy(), CHANGEOVER_MS);
    const change = () => {
      if (this.socket === undefined && this.server !== undefined) this.attach(socket);
      else socket.destroy();
    };
    this.socket.once('close', change);
    const leaving = this.socket;
    socket.once('close', () => {
      clearTimeout(patience);
      leaving.off('close', change);
    });
    leaving.once('close', () => clearTimeout(patience));
  }

  private attach(socket: Socket): void {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.handlers.received(plain(chunk)));
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.handlers.disconnected();
    });
    this.handlers.connected();
  }

  private drop(): void {
    const socket = this.socket;
    if (socket === undefined) return;
    this.socket = undefined;
    socket.resetAndDestroy();
    this.handlers.disconnected();
  }
}

function cannotListen(path: string, error: NodeJS.ErrnoException): UpliftError {
  const inUse = error.code === 'EADDRINUSE';
  const why = inUse ? 'the port is in use' : (error.code ?? error.message);
  return new UpliftError('VIRTUAL_PORT_UNAVAILABLE', `cannot listen on ${path}: ${why}`, {
    expected: 'a port this machine can listen on',
    actual: error.message,
    next: inUse
      ? 'stop the program that listens there (another rig?), or name another port in the rig file'
      : 'name another address or port in the rig file',
    exit: EXIT.notReachable,
    cause: error,
  });
}

/** A Buffer's `slice` shares memory, an array's copies: inside, only arrays. */
function plain(chunk: Buffer): Uint8Array {
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
}

interface PtyLibrary {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}

/** A terminal's stream: read and write on one descriptor. */
class PseudoTerminal implements HostPort {
  readonly path: string;
  private readonly handlers: HostPortHandlers;
  private master: ReadStream | undefined;
  private slave: ReadStream | undefined;

  constructor(path: string, handlers: HostPortHandlers) {
    this.path = path;
    this.handlers = handlers;
  }

  write(bytes: Uint8Array): void {
    if (this.master && this.master.writableLength < UNREAD_BYTES_MAX) this.master.write(bytes);
  }

  async cut(): Promise<void> {
    if (this.master === undefined) return;
    const streams = [this.master, this.slave!];
    this.master = undefined;
    this.slave = undefined;
    const closed = streams.map((stream) => new Promise((done) => stream.once('close', done)));
    for (const stream of streams) stream.destroy();
    removeLink(this.path);
    await Promise.all(closed);
    this.handlers.disconnected();
  }

  async restore(): Promise<void> {
    if (this.master !== undefined) return;
    makeFolder(this.path);
    assertLinkIsOurs(this.path);
    const { master, slave, pty } = loadPtyLibrary().open(80, 24);
    // The slave stays open here and raw: no echo, and no hang-up when a host closes its end.
    this.slave = new ReadStream(slave);
    this.slave.setRawMode(true);
    // Node opens a terminal of its own for it, and would leave this one open for ever.
    if (descriptorOf(this.slave) !== slave) closeSync(slave);
    const stream = new ReadStream(master);
    stream.on('error', () => stream.destroy());
    stream.on('data', (chunk: Buffer) => this.handlers.received(plain(chunk)));
    this.master = stream;
    makeLink(this.path, pty);
    this.handlers.connected();
  }
}

/** What the stream really reads: it has no public name for it. */
function descriptorOf(stream: ReadStream): number | undefined {
  return (stream as unknown as { _handle?: { fd?: number } })._handle?.fd;
}

function loadPtyLibrary(): PtyLibrary {
  const name = `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`;
  try {
    return createRequire(import.meta.url)(name) as PtyLibrary;
  } catch (error) {
    throw new UpliftError('VIRTUAL_PTY_UNAVAILABLE', 'cannot make a pseudo-terminal here', {
      expected: `the package ${dirname(name)}`,
      actual: (error as Error).message,
      next: 'install @lydell/node-pty, or give the device a tcp:// port',
      exit: EXIT.notReachable,
      cause: error,
    });
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw new UpliftError('VIRTUAL_PORT_UNAVAILABLE', `cannot make the port ${path}`, {
      actual: (error as Error).message,
      next: 'name a path in a folder that can be written to',
      exit: EXIT.notReachable,
      cause: error,
    });
  }
}

/** Only a link that an earlier rig left behind is replaced, never a real device or file. */
function assertLinkIsOurs(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (
    there !== undefined &&
    !(there.isSymbolicLink() && readlinkSync(path).startsWith('/dev/pts/'))
  ) {
    throw new UpliftError('VIRTUAL_PORT_UNAVAILABLE', `${path} exists and is no pseudo-terminal`, {
      next: 'name a path that is free for the virtual device',
      exit: EXIT.notReachable,
    });
  }
}

function makeLink(path: string, target: string): void {
  removeLink(path);
  symlinkSync(target, path);
}

function removeLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(path);
}
