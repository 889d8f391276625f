/**
 * TEST MATERIAL: one address for several servers, as a load balancer has it: each connection goes to one
 * of those that are up, in turn. It looks into nothing, and so TLS is between the ends.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Balancer {
  /** Connections that found a server, by its port. */
  readonly taken = new Map<number, number>();
  private readonly ports: readonly number[];
  private readonly server: Server;
  private readonly open = new Set<Socket>();
  private turn = 0;

  private constructor(ports: readonly number[]) {
    this.ports = ports;
    this.server = createServer((client) => this.serve(client, 0, this.turn++));
  }

  static async start(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    await new Promise<void>((done) => balancer.server.listen(0, '127.0.0.1', done));
    return balancer;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((done) => this.server.close(done));
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  private serve(client: Socket, tried: number, turn: number): void {
    this.keep(client);
    if (tried === this.ports.length) {
      client.destroy();
      return;
    }
    const port = this.ports[(turn + tried) % this.ports.length]!;
    const server = connect(port, '127.0.0.1');
    this.keep(server);
    let isThere = false;
    server.once('connect', () => {
      isThere = true;
      this.taken.set(port, (this.taken.get(port) ?? 0) + 1);
      client.pipe(server).pipe(client);
    });
    server.on('close', () => {
      if (isThere || client.destroyed) client.destroy();
      else this.serve(client, tried + 1, turn);
    });
    client.once('close', () => server.destroy());
  }

  private keep(socket: Socket): void {
    if (this.open.has(socket)) return;
    this.open.add(socket);
    // What ends it is seen when it is closed.
    socket.on('error', () => {});
    socket.on('close', () => this.open.delete(socket));
  }
}
