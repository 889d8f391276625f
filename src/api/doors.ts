/**
 * Where the API is reached: a Unix socket whose file says who may open it, and one port, which
 * beyond loopback is TLS always. What a connection may cost is bounded before anything is known of
 * it.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import http, { type IncomingMessage, type RequestListener, type Server } from 'node:http';
import https from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { GatewayConfig } from '../config/gateway.ts';
import { isLoopback, type ListenAddress } from '../config/network-fields.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { type CertificateNames, hostName } from './access.ts';
import { API_PROBLEMS, ApiError } from './problem.ts';

export interface DoorLimits {
  connectionsMax: number;
  headerBytesMax: number;
  headersMs: number;
  /** Of the whole request, however slowly it comes. */
  requestMs: number;
  keepAliveMs: number;
  /** Nothing read and nothing written for so long. */
  idleMs: number;
}

export const DOOR_LIMITS: DoorLimits = {
  connectionsMax: 256,
  headerBytesMax: 16 * 1024,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 5_000,
  idleMs: 120_000,
};

/** Where a service manager has not made it. */
const FOLDER_MODE = 0o750;

export interface TcpDoorConfig {
  listen: ListenAddress;
  tls:
    | {
        certificateFile: string;
        keyFile: string;
        clientCaFile?: string | undefined;
        /** Clients show certificates that stand for themselves: no CA is asked. */
        clientsArePinned?: true;
      }
    | undefined;
}

export interface Door {
  kind: 'socket' | 'tcp';
  server: Server;
  /** Whether the API is called so; a browser is made to ask by other names. */
  isKnownHost(host: string | undefined): boolean;
}

/** @throws UpliftError */
export async function openSocketDoor(
  { path, mode }: GatewayConfig['api']['socket'],
  limits: DoorLimits,
  listener: RequestListener,
): Promise<Door> {
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
  await removeStale(path);
  const server = http.createServer(optionsOf(limits), listener);
  bound(server, limits);
  await listening(server, () => listenAs(mode, () => server.listen({ path })), path);
  // No browser opens it.
  return { kind: 'socket', server, isKnownHost: () => true };
}

/** @throws UpliftError */
export async function openTcpDoor(
  { listen, tls }: TcpDoorConfig,
  limits: DoorLimits,
  listener: RequestListener,
): Promise<Door> {
  const { host, port } = listen;
  if (!tls && !isLoopback(host)) {
    throw new UpliftError('listen-unprotected', 'the API does not listen beyond loopback so', {
      expected: 'a loopback address, or tls',
      actual: `${host} without tls`,
      next: 'add api.tcp.tls to the configuration',
    });
  }
  const secured = tls && readTls(tls);
  const server = secured
    ? https.createServer(
        { ...optionsOf(limits), ...secured.options, handshakeTimeout: limits.headersMs },
        listener,
      )
    : http.createServer(optionsOf(limits), listener);
  bound(server, limits);
  await listening(server, () => server.listen({ host, port }), `${host}:${port}`);
  const names = new Set([host.toLowerCase()]);
  if (isLoopback(host)) for (const name of LOOPBACK_NAMES) names.add(name);
  const isNamed = (name: string) => names.has(name) || secured?.covers(name) === true;
  return {
    kind: 'tcp',
    server,
    isKnownHost(written) {
      const name = hostName(written);
      return name !== undefined && isNamed(name);
    },
  };
}

/**
 * Of a client whose certificate a CA of the configuration signed; `false`: it gave one that none
 * did.
 */
export function certificateOf({ socket }: IncomingMessage): CertificateNames | false | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  if (!socket.authorized) return false;
  const common = certificate.subject
    .split('\n')
    .flatMap((line) => (line.startsWith('CN=') ? [line.slice(3)] : []));
  // Names with anything unusual in them are quoted by Node, and are none here.
  const dns = (certificate.subjectAltName ?? '')
    .split(', ')
    .flatMap((name) => /^DNS:([A-Za-z0-9*._-]+)$/.exec(name)?.[1] ?? []);
  return { names: [...common, ...dns], untilMs: Date.parse(certificate.validTo) };
}

/** SHA-256 of the DER that a client showed, whose key it has; who signed it was not asked. */
export function fingerprintOf({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && createHash('sha256').update(certificate.raw).digest('hex');
}

export async function closeDoor({ server }: Door, graceMs: number): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];

function optionsOf(limits: DoorLimits): http.ServerOptions {
  return {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headersMs / 4),
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
}

function bound(server: Server, { connectionsMax, idleMs }: DoorLimits): void {
  server.maxConnections = connectionsMax;
  server.setTimeout(idleMs, (socket) => socket.destroy());
  server.on('clientError', refuseConnection);
}

/** What came is no request: the answer is written by hand, as there is none to answer. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  const { _httpMessage: answering } = socket as { _httpMessage?: { headersSent: boolean } };
  if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent) {
    socket.destroy();
    return;
  }
  const refusal = new ApiError(
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'header-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request-slow'
        : 'request-malformed',
  );
  const document = API_PROBLEMS.documentOf(refusal);
  const body = JSON.stringify(document);
  const fields = {
    ...API_PROBLEMS.headersOf(refusal),
    'content-type': 'application/problem+json',
    'content-length': `${Buffer.byteLength(body)}`,
    connection: 'close',
  };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const reason = http.STATUS_CODES[document.status] ?? '';
  socket.end(`HTTP/1.1 ${document.status} ${reason}\r\n${head.join('')}\r\n${body}`);
}

function readTls(tls: NonNullable<TcpDoorConfig['tls']>) {
  const cert = readFileSync(tls.certificateFile);
  const certificate = new X509Certificate(cert);
  const { clientCaFile, clientsArePinned } = tls;
  return {
    options: {
      cert,
      key: readFileSync(tls.keyFile),
      minVersion: 'TLSv1.2' as const,
      // Who has no certificate may have a token: the answer is the API's, not the handshake's.
      rejectUnauthorized: false,
      ...(clientCaFile === undefined ? {} : { ca: readFileSync(clientCaFile), requestCert: true }),
      ...(clientsArePinned ? { ca: [], requestCert: true } : {}),
    },
    covers(name: string): boolean {
      return (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
    },
  };
}

/**
 * What a process that was killed left; never one that somebody answers on, and never another file.
 */
async function removeStale(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (!status) return;
  if (!status.isSocket()) {
    throw unusable(path, 'a file that is no socket');
  }
  const isAnswered = await new Promise<boolean>((done) => {
    const socket: Socket = connect(path);
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
  if (isAnswered) throw unusable(path, 'a socket that another process answers on');
  unlinkSync(path);
}

/** The socket is made with its mode: between its making and a chmod it would be open to others. */
function listenAs(mode: number, listen: () => void): void {
  const before = process.umask(0o777 & ~mode);
  try {
    listen();
  } finally {
    process.umask(before);
  }
}

async function listening(server: Server, listen: () => void, place: string): Promise<void> {
  try {
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.once('listening', () => {
        server.off('error', failed);
        done();
      });
      listen();
    });
  } catch (error) {
    throw unusable(place, (error as NodeJS.ErrnoException).code ?? 'an error', error);
  }
}

function unusable(place: string, actual: string, cause?: unknown): UpliftError {
  return new UpliftError('listen-failed', `the API cannot listen on ${place}`, {
    expected: 'a place of its own',
    actual,
    next: 'stop who has it, or name another place in the configuration',
    exit: EXIT.notReachable,
    cause,
  });
}
