/**
 * A TCP port in front of a server of the wide-area network, which can be cut, stalled and slowed: connections
 * are reset and refused, or stay while nothing comes through them, or bring everything late. Bytes are never
 * changed: TCP would not let that through either.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { EXIT, UpliftError } from '../../errors.ts';
import type { Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';
import type { LinkFaultSettings, LinkFaults } from '../ports.ts';
import { DelayLine } from './delay-line.ts';
import { checkFaults, type Direction, faultsOf } from './settings.ts';

const POSSIBLE = ['delayMs', 'disconnected'] as const;
/** A side that is read slower than that holds the other up, as on a line. */
const UNREAD_BYTES_MAX = 1_048_576;

export interface WanProxyOptions {
  target: { host: string; port: number };
  /** Where it listens; any free port where absent. */
  host?: string;
  port?: number;
  timers?: Timers;
}

interface Piece {
  to: Socket;
  bytes: Uint8Array | undefined;
}

export class WanProxy implements LinkFaults {
  readonly counts = { connections: 0, refused: 0, cuts: 0, delayed: 0, upBytes: 0, downBytes: 0 };
  private readonly options: WanProxyOptions;
  private readonly server: Server;
  private readonly open = new Set<Socket>();
  private readonly late: Record<Direction, DelayLine<Piece>>;
  private isCut = false;
  private isStalled = false;

  private constructor(options: WanProxyOptions) {
    this.options = options;
    const { timers = SYSTEM_TIMERS } = options;
    const newLine = () => new DelayLine<Piece>(timers, (piece) => deliver(piece));
    this.late = { up: newLine(), down: newLine() };
    this.server = createServer({ noDelay: true }, (client) => this.serve(client));
  }

  /** @throws UpliftError where it cannot listen there */
  static async start(options: WanProxyOptions): Promise<WanProxy> {
    const proxy = new WanProxy(options);
    const { host = '127.0.0.1', port = 0 } = options;
    await new Promise<void>((done, fail) => {
      proxy.server.once('error', (error) => fail(cannotListen(`${host}:${port}`, error)));
      proxy.server.listen(port, host, done);
    });
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** `disconnected` resets all there is, and refuses what comes. `down` is to the server. */
  set(settings: LinkFaultSettings): void {
    checkFaults(settings, POSSIBLE, 'a connection of the network');
    this.late.up.delayMs = faultsOf(settings, 'up').delayMs ?? 0;
    this.late.down.delayMs = faultsOf(settings, 'down').delayMs ?? 0;
    this.isCut = settings.disconnected === true;
    if (this.isCut) this.cutAll();
  }

  /** Connections stay, and nothing comes through them: what a firewall does that forgot them. */
  stall(isStalled: boolean): void {
    this.isStalled = isStalled;
    for (const socket of this.open) {
      if (isStalled) socket.pause();
      else socket.resume();
    }
  }

  clear(): void {
    this.set({});
    this.stall(false);
  }

  cutAll(): void {
    this.counts.cuts += this.open.size > 0 ? 1 : 0;
    for (const socket of this.open) socket.resetAndDestroy();
    for (const line of Object.values(this.late)) line.clear();
  }

  async stop(): Promise<void> {
    const closed = new Promise((done) => this.server.close(done));
    this.cutAll();
    await closed;
  }

  private serve(client: Socket): void {
    this.counts.connections++;
    client.on('error', () => {});
    if (this.isCut) {
      this.counts.refused++;
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.options.target, noDelay: true });
    this.join(client, server, 'down');
    this.join(server, client, 'up');
  }

  private join(from: Socket, to: Socket, direction: Direction): void {
    const line = this.late[direction];
    this.open.add(from);
    if (this.isStalled) from.pause();
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      this.open.delete(from);
      if (!to.destroyed && from.errored) to.destroy();
    });
    const pass = (bytes: Uint8Array | undefined) => {
      this.counts[direction === 'up' ? 'upBytes' : 'downBytes'] += bytes?.length ?? 0;
      if (line.holds) {
        this.counts.delayed++;
        line.push({ to, bytes: bytes?.slice() });
      } else {
        deliver({ to, bytes });
      }
      if (to.writableLength <= UNREAD_BYTES_MAX) return;
      from.pause();
      to.once('drain', () => {
        if (!this.isStalled) from.resume();
      });
    };
    from.on('data', pass);
    from.on('end', () => pass(undefined));
  }
}

/** Nothing is the end of what comes. */
function deliver({ to, bytes }: Piece): void {
  if (to.destroyed) return;
  if (bytes === undefined) to.end();
  else to.write(bytes);
}

function cannotListen(address: string, cause: Error): UpliftError {
  return new UpliftError('fault-port-unavailable', `cannot listen on ${address}`, {
    expected: 'a port that this machine can listen on',
    actual: cause.message,
    next: 'name another port, or none for any that is free',
    exit: EXIT.notReachable,
    cause,
  });
}
