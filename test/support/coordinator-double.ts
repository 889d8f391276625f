/**
 * The gateway's doors of a coordinator, as a test says: what it wants, what it has, and for any request
 * another answer than the right one. It knows a gateway by its certificate, keeps the journal that it is
 * told, and waits with a long poll until what it wants is another.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { testKey } from '../../firmware/test-material.ts';
import type { FleetCode } from '../../src/fleet/codes.ts';
import {
  type Desired,
  type EventBatch,
  enrolment,
  eventBatch,
  type Inventory,
  inventory,
  type JournalMark,
} from '../../src/fleet/wire.ts';
import { certificate, extension, fingerprint, pem, seq, tlv } from '../trust/naive-x509.ts';

export interface Received {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** SHA-256 of the certificate that was shown. */
  client: string | undefined;
  body: unknown;
}

export type Said = {
  status: number;
  headers?: Record<string, string | undefined>;
  body?: string | Uint8Array;
};
/** `undefined`: the right answer. `hang`: none at all. */
export type Instead = (request: Received, response: ServerResponse) => Said | 'hang' | undefined;

const NAME = [['CN', 'coordinator']] as const;
/** iPAddress 127.0.0.1 (RFC 5280, 4.2.1.6). */
const LOOPBACK = extension('2.5.29.17', false, seq(tlv(0x87, [127, 0, 0, 1])));

export function serverIdentity(phrase = 'coordinator') {
  const spec = { key: phrase, signedBy: phrase, subject: NAME, issuer: NAME };
  const der = certificate({ ...spec, usage: null, extra: [LOOPBACK] });
  const key = testKey(phrase).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key, certificatePem: pem('CERTIFICATE', der), fingerprint: fingerprint(der) };
}

export class CoordinatorDouble {
  readonly identity = serverIdentity();
  readonly requests: Received[] = [];
  readonly blobs = new Map<string, Uint8Array>();
  readonly batches: EventBatch[] = [];
  readonly inventories: Inventory[] = [];
  desired: Desired = { version: 1, pollMs: 60_000, campaigns: [] };
  journal: JournalMark | undefined;
  token = 'a-token-of-sixteen';
  /** Of the gateway that enrolled. */
  known: string | undefined;
  instead: Instead = () => undefined;
  private server: https.Server | undefined;
  private readonly open = new Set<Duplex>();
  private readonly waiting = new Set<() => void>();
  private boundPort = 0;

  /** At the port that it had before, where it was stopped. */
  async start(): Promise<this> {
    const { key, certificatePem: cert } = this.identity;
    const server = https.createServer(
      { key, cert, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.serve(request, response),
    );
    this.server = server;
    server.on('connection', (socket) => {
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket));
    });
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(this.boundPort, '127.0.0.1', done);
    });
    this.boundPort = (server.address() as AddressInfo).port;
    return this;
  }

  get port(): number {
    return this.boundPort;
  }

  get url(): string {
    return `https://127.0.0.1:${this.boundPort}`;
  }

  /** As if it was killed. */
  async stop(): Promise<void> {
    const { server } = this;
    const closed = new Promise((done) => server?.close(done));
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  blob(bytes: Uint8Array): { sha256: string; bytes: number } {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(sha256, bytes);
    return { sha256, bytes: bytes.length };
  }

  want(campaigns: Desired['campaigns']): void {
    this.desired = { ...this.desired, version: this.desired.version + 1, campaigns };
    for (const wake of this.waiting) wake();
  }

  count(path: string): number {
    return this.requests.filter((request) => request.path.endsWith(path)).length;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return;
    }
    const packed = Buffer.concat(pieces);
    const isPacked = request.headers['content-encoding'] === 'gzip';
    const text = (isPacked ? gunzipSync(packed) : packed).toString();
    const { fingerprint256 } = (request.socket as TLSSocket).getPeerCertificate();
    const received: Received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      client: fingerprint256?.replaceAll(':', '').toLowerCase(),
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.requests.push(received);
    const said = this.instead(received, response) ?? (await this.answer(received));
    if (said === 'hang') return;
    const { status, headers = {}, body = '' } = said;
    const date = { date: new Date().toUTCString() };
    const set = Object.entries(headers).filter(([, value]) => value !== undefined);
    const length = { 'content-length': `${Buffer.byteLength(body)}` };
    response.writeHead(status, { ...date, ...length, ...Object.fromEntries(set) });
    response.end(body);
  }

  private async answer(received: Received): Promise<Said> {
    const { path, client } = received;
    if (path === '/v1/enrolment') return this.enrol(received);
    if (path.startsWith('/v1/blob/sha256/')) return this.part(received);
    if (client !== this.known) return problem(403, 'gateway-unknown');
    if (path.endsWith('/desired')) return await this.tell(received);
    if (path.endsWith('/events')) return this.take(received);
    this.inventories.push(inventory.parse(received.body));
    return { status: 204 };
  }

  private enrol({ body, client }: Received): Said {
    const { token, gateway } = enrolment.parse(body);
    if (token !== this.token) return problem(403, 'token-unknown');
    this.token = 'used, and no more';
    this.known = client;
    return json({ gateway, fleet: 'double', certificate: client });
  }

  private async tell({ headers }: Received): Promise<Said> {
    const seconds = Number(/wait=(\d+)/.exec(`${headers['prefer']}`)?.[1] ?? 0);
    const isKnown = () => headers['if-none-match'] === `"${this.desired.version}"`;
    if (isKnown() && seconds > 0) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, seconds * 1000);
        const wake = () => {
          clearTimeout(timer);
          this.waiting.delete(wake);
          done();
        };
        this.waiting.add(wake);
        timer.unref();
      });
    }
    if (isKnown()) return { status: 304 };
    return json({ ...this.desired, ...(this.journal ? { journal: this.journal } : {}) });
  }

  private take({ body }: Received): Said {
    const batch = eventBatch.parse(body);
    const { sequence, hash } = batch.after ?? { sequence: -1, hash: '' };
    const at = this.journal?.sequence ?? -1;
    if (sequence === at && hash !== (this.journal?.hash ?? ''))
      return problem(409, 'events-forked');
    if (sequence !== at) return problem(409, 'events-gap');
    this.batches.push(batch);
    this.journal = batch.through;
    return json({ journal: this.journal });
  }

  private part({ path, headers }: Received): Said {
    const sha256 = path.slice('/v1/blob/sha256/'.length);
    const bytes = this.blobs.get(sha256);
    if (!bytes) return problem(404, 'blob-unknown');
    const etag = `"${sha256}"`;
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? Number.NaN);
    const isSame = (headers['if-range'] ?? etag) === etag;
    if (Number.isNaN(from) || !isSame) return { status: 200, headers: { etag }, body: bytes };
    if (from >= bytes.length) {
      return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` } };
    }
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    const body = bytes.subarray(from);
    return { status: 206, headers: { etag, 'content-range': range }, body };
  }
}

export function problem(
  status: number,
  code: FleetCode | string,
  headers: Record<string, string> = {},
): Said {
  const type = { 'content-type': 'application/problem+json' };
  return { status, headers: { ...type, ...headers }, body: JSON.stringify({ status, code }) };
}

export function json(value: unknown): Said {
  const headers = { 'content-type': 'application/json' };
  return { status: 200, headers, body: JSON.stringify(value) };
}
