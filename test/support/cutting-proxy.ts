/**
 * A TCP proxy on loopback that does to connections what bad lines do: resets them after so many bytes,
 * lets them hang, or refuses them. The places are drawn from a seed, so that every run is the same.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { SeededRandom } from '../../src/virtual/random.ts';

export interface ProxyOptions {
  seed?: number;
  /** Each connection is reset after so many bytes from the server, drawn between them. Default: never. */
  cutBytes?: readonly [least: number, most: number];
}

/**
 * Between the last byte and the reset. Without it the system would throw away what it has of the connection,
 * megabytes on loopback, where a line loses only what is on its way. A client in this process reads a piece
 * a turn of the event loop, one in another process within the time.
 */
const IN_FLIGHT_TURNS = 40;
const IN_FLIGHT_MS = 10;

export class CuttingProxy {
  /** `stall`: connections stay, and nothing more comes through them. `refuse`: they end at once. */
  mode: 'pass' | 'stall' | 'refuse' = 'pass';
  cutBytes: readonly [number, number] | undefined;
  /** From the server to the client, with all that TLS adds. */
  forwardedBytes = 0;
  connections = 0;
  cuts = 0;
  private readonly target: number;
  private readonly random: SeededRandom;
  private readonly server: Server;
  private readonly open = new Set<Socket>();

  private constructor(target: number, { seed = 1, cutBytes }: ProxyOptions) {
    this.target = target;
    this.random = new SeededRandom(seed);
    this.cutBytes = cutBytes;
    this.server = createServer((client) => this.serve(client));
  }

  static async start(target: number, options: ProxyOptions = {}): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target, options);
    await new Promise<void>((done) => proxy.server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Resets all that is open now. */
  cutAll(): void {
    for (const socket of this.open) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise((done) => this.server.close(done));
    this.cutAll();
    await closed;
  }

  private serve(client: Socket): void {
    this.connections++;
    if (this.mode === 'refuse') {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target, '127.0.0.1');
    let left = this.draw();
    const reset = () => {
      this.cuts++;
      client.resetAndDestroy();
      server.resetAndDestroy();
    };
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.open.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.open.delete(one);
        other.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (this.mode === 'pass') server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (this.mode !== 'pass') return;
      const piece = bytes.subarray(0, left);
      left -= piece.length;
      this.forwardedBytes += piece.length;
      if (left === 0) {
        server.pause();
        client.write(piece, () => void inFlight().then(reset));
      } else if (!client.write(piece)) {
        server.pause();
        client.once('drain', () => server.resume());
      }
    });
  }

  private draw(): number {
    if (!this.cutBytes) return Number.POSITIVE_INFINITY;
    const [least, most] = this.cutBytes;
    return Math.floor(least + this.random.next() * (most - least));
  }
}

async function inFlight(): Promise<void> {
  for (let turn = 0; turn < IN_FLIGHT_TURNS; turn++) await new Promise(setImmediate);
  await new Promise((done) => setTimeout(done, IN_FLIGHT_MS));
}
