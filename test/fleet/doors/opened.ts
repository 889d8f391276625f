/** The doors of a coordinator in memory, and gateways that ask at them over TLS. */
import { createHash, createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type FleetDoorLimits,
  FleetDoors,
  type FleetDoorsOptions,
} from '../../../src/fleet/coordinator/doors.ts';
import type { LogFields, LogLevel } from '../../../src/ports.ts';
import { NO_EXPIRY_MS, newP256Key, selfSigned } from '../../../src/trust/self-signed.ts';
import { type Answered, type Asked, ask, realTimers, TOKENS } from '../../api/served.ts';
import { serverIdentity } from '../../support/coordinator-double.ts';
import { MemoryCoordinator } from '../../support/memory-coordinator.ts';

export interface Client {
  key: string;
  cert: string;
  /** SHA-256 of its DER. */
  certificate: string;
}

/** A key and a certificate that nobody signed but itself. */
export function newClient(commonName: string): Client {
  const key = newP256Key();
  const notBeforeMs = Date.UTC(2020, 0, 1);
  const serial = createHash('sha256').update(key).digest().subarray(0, 16);
  const life = { notBeforeMs, notAfterMs: NO_EXPIRY_MS };
  const cert = selfSigned(createPrivateKey(key), { commonName, ...life, serial });
  const der = Buffer.from(cert.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return { key, cert, certificate: createHash('sha256').update(der).digest('hex') };
}

export const ONE = newClient('one');
export const TWO = newClient('two');

export class Opened {
  readonly folder = mkdtempSync(join(tmpdir(), 'uplift-doors-'));
  readonly desk = new MemoryCoordinator();
  readonly log: { level: LogLevel; message: string; fields: LogFields | undefined }[] = [];
  readonly identity = serverIdentity();
  doors!: FleetDoors;

  /** With the gateways `one` and `two`. */
  static async start(
    limits: Partial<FleetDoorLimits> = {},
    more: Partial<FleetDoorsOptions> = {},
  ): Promise<Opened> {
    const opened = new Opened();
    const { folder, desk, identity } = opened;
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const lines = Object.entries(TOKENS)
      .filter(([name]) => name !== 'past')
      .map(([name, token]) => {
        return `${name} ${name} sha256:${createHash('sha256').update(token).digest('hex')}`;
      });
    const tls = {
      certificateFile: file('server.pem', identity.certificatePem),
      keyFile: file('server.key', identity.key),
    };
    const listen = { host: '127.0.0.1', port: 0 };
    const tokensFile = file('tokens', lines.join('\n'));
    desk.enrolled('one', ONE.certificate);
    desk.enrolled('two', TWO.certificate);
    opened.doors = await FleetDoors.open({
      desk,
      gateways: { listen, tls, connectionsMax: 200 },
      api: {
        socket: { path: opened.socket, mode: 0o600, role: 'admin', tokensFile },
        tcp: { listen, tls: undefined, tokensFile, clients: [] },
      },
      timers: realTimers,
      log: { write: (level, message, fields) => opened.log.push({ level, message, fields }) },
      version: '0.0.0',
      limits,
      ...more,
    });
    return opened;
  }

  get socket(): string {
    return join(this.folder, 'fleet.sock');
  }

  async stop(): Promise<void> {
    await this.doors.close(100);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** At the door for gateways; `null`: without a certificate. */
  gateway(asked: Asked, client: Client | null = ONE): Promise<Answered> {
    return ask(this.place(client), asked, https);
  }

  place(client: Client | null = ONE): https.RequestOptions {
    return {
      host: '127.0.0.1',
      port: this.doors.gatewayAddress.port,
      ca: this.identity.certificatePem,
      ...(client ? { key: client.key, cert: client.cert } : {}),
    };
  }

  /** At the port for people. */
  person(asked: Asked): Promise<Answered> {
    return ask({ host: '127.0.0.1', port: this.doors.address!.port }, asked);
  }

  local(asked: Asked): Promise<Answered> {
    return ask({ socketPath: this.socket }, asked);
  }

  /** The bytes of an answer, as they are. */
  bytes(
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
    return new Promise((done, failed) => {
      const request = https.request(
        { agent: false, ...this.place(), path, headers, method },
        (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', failed);
          response.on('end', () => {
            const { statusCode: status = 0 } = response;
            done({ status, headers: response.headers, body: Buffer.concat(pieces) });
          });
        },
      );
      request.on('error', failed).end();
    });
  }
}
