/** A gateway in memory behind real sockets: a Unix socket and a port of this machine. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiOptions, ApiServer } from '../../src/api/server.ts';
import type { LogFields, LogLevel, Timers } from '../../src/ports.ts';
import { FakeControl } from './fake-control.ts';

export const TOKENS = {
  viewer: 'token-of-a-viewer',
  operator: 'token-of-an-operator',
  approver: 'token-of-an-approver',
  admin: 'token-of-an-admin',
  past: 'token-of-yesterday',
} as const;

export interface Answered {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  /** What the text says, where it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever a test looks for
  json: any;
}

export interface Asked {
  method?: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  token?: string | undefined;
}

export const realTimers: Timers = {
  nowMs: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

export class Served {
  readonly folder = mkdtempSync(join(tmpdir(), 'uplift-api-'));
  control = new FakeControl(() => Date.now());
  readonly log: { level: LogLevel; message: string; fields: LogFields | undefined }[] = [];
  server!: ApiServer;

  static async start(
    options: Partial<ApiOptions> & { control?: FakeControl } = {},
  ): Promise<Served> {
    const served = new Served();
    served.control = options.control ?? served.control;
    const tokensFile = join(served.folder, 'tokens');
    const lines = Object.entries(TOKENS).map(([name, token]) => {
      const sha256 = createHash('sha256').update(token).digest('hex');
      const role = name === 'past' ? 'admin until:2020-01-01' : name;
      const [word, ...rest] = role.split(' ');
      return [word, name, `sha256:${sha256}`, ...rest].join(' ');
    });
    writeFileSync(tokensFile, lines.join('\n'), { mode: 0o600 });
    served.server = await ApiServer.start({
      control: served.control,
      config: {
        socket: { path: served.path, mode: 0o600, role: 'admin' },
        tcp: {
          listen: { host: '127.0.0.1', port: 0 },
          tls: undefined,
          tokensFile,
          clients: [],
        },
      },
      timers: realTimers,
      log: { write: (level, message, fields) => served.log.push({ level, message, fields }) },
      version: '0.0.0',
      ...options,
    });
    return served;
  }

  get path(): string {
    return join(this.folder, 'uplift.sock');
  }

  get port(): number {
    return this.server.address!.port;
  }

  async stop(): Promise<void> {
    await this.server.close(100);
    rmSync(this.folder, { recursive: true });
  }

  /** Over the Unix socket. */
  local(asked: Asked): Promise<Answered> {
    return ask({ socketPath: this.path }, asked);
  }

  /** Over the port. */
  remote(asked: Asked): Promise<Answered> {
    return ask({ host: '127.0.0.1', port: this.port }, asked);
  }

  /** Bytes as they are, on a connection of their own; what comes back until it is closed. */
  raw(bytes: string | Uint8Array, door: 'socket' | 'tcp' = 'socket'): Promise<string> {
    return exchange(this.dial(door), bytes);
  }

  dial(door: 'socket' | 'tcp' = 'socket'): Socket {
    return door === 'socket' ? connect(this.path) : connect(this.port, '127.0.0.1');
  }
}

function exchange(socket: Socket, bytes: string | Uint8Array): Promise<string> {
  return new Promise((done) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => done(text));
    socket.write(bytes);
  });
}

export function ask(
  place: http.RequestOptions,
  { method = 'GET', path, body, headers, token }: Asked,
  by: Pick<typeof http, 'request'> = http,
): Promise<Answered> {
  const isBytes = typeof body === 'string' || body instanceof Uint8Array;
  const sent = body === undefined ? undefined : isBytes ? body : JSON.stringify(body);
  return new Promise((done, failed) => {
    const request = by.request(
      {
        agent: false,
        ...place,
        method,
        path,
        headers: {
          ...(sent === undefined
            ? {}
            : {
                'content-type': isBytes ? 'application/octet-stream' : 'application/json',
                'content-length': Buffer.byteLength(sent),
              }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', failed);
        response.on('end', () => {
          const { statusCode: status = 0 } = response;
          const isJson = /json/.test(response.headers['content-type'] ?? '');
          const json = isJson && text !== '' ? JSON.parse(text) : undefined;
          done({ status, headers: response.headers, text, json });
        });
      },
    );
    request.on('error', failed);
    request.end(sent);
  });
}
