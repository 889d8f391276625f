/**
 * Asks a gateway or a coordinator: on this machine over its Unix socket, elsewhere over HTTPS. What it
 * refuses is thrown as it says it; what it streams goes on after a lost connection, with no record lost or told twice.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { GatewayRecord, ImageView, LiveProgress, UploadView } from '../gateway/control.ts';
import type { ProblemDocument } from './problem.ts';

export type ApiEvent =
  | { event: 'record'; record: GatewayRecord }
  | { event: 'progress'; progress: LiveProgress }
  | { event: 'gap'; from: number; to: number };

/** Where it is asked: by the path of a socket, or by an address. */
export interface ApiPlace {
  socket?: string;
  /** https://host:port; without TLS on loopback alone. */
  url?: string;
  /** Who signs its certificate (PEM); else the CAs of the system. */
  ca?: Uint8Array;
}

export interface ApiClientOptions {
  /** Without a byte for so long a request, or a stream, is given up. */
  silenceMs?: number;
  /** How often in a row a connection that is lost is made anew, and how long is waited before. */
  attemptsMax?: number;
  pauseMs?: number;
  /** Who asks, where the gateway is to know more than that it is somebody on this machine. */
  token?: string;
  /** What is asked, in words, and how it is started; a gateway where nothing is said. */
  served?: Served;
}

export interface Served {
  name: string;
  /** Said where nobody answers. */
  start: string;
}

const GATEWAY: Served = {
  name: 'gateway',
  start: 'start it (systemctl start uplift), or name its socket with --socket',
};

interface Sent {
  method?: string;
  path: string;
  /** JSON, but for bytes. */
  body?: unknown;
  headers?: Record<string, string>;
}

interface Received {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: unknown;
}

const ROOT = '/api/v1';
const PIECE_BYTES = 1024 * 1024;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const EVENT_CHARACTERS_MAX = 16 * 1024 * 1024;
const DEFAULTS = { silenceMs: 60_000, attemptsMax: 10, pauseMs: 1_000, served: GATEWAY };

export class ApiClient {
  private readonly place: ApiPlace;
  private readonly options: Required<Omit<ApiClientOptions, 'token'>>;
  private readonly authorization: Record<string, string>;

  /** @param place the path of a socket, if it is text */
  constructor(place: string | ApiPlace, options: ApiClientOptions = {}) {
    this.place = typeof place === 'string' ? { socket: place } : place;
    const { token, ...limits } = options;
    this.options = { ...DEFAULTS, ...limits };
    this.authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** @throws UpliftError */
  async get<T>(path: string): Promise<T> {
    return (await this.send({ path })).body as T;
  }

  /** @throws UpliftError */
  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return (await this.send({ method: 'POST', path, body })).body as T;
  }

  /** A document that is no JSON. @throws UpliftError */
  async postBytes<T>(path: string, body: Uint8Array, mediaType: string): Promise<T> {
    const headers = { 'content-type': mediaType };
    return (await this.send({ method: 'POST', path, body, headers })).body as T;
  }

  /** @throws UpliftError */
  async putBytes(path: string, body: Uint8Array, mediaType: string): Promise<void> {
    await this.send({ method: 'PUT', path, body, headers: { 'content-type': mediaType } });
  }

  /** Whether something is there. @throws UpliftError */
  async has(path: string): Promise<boolean> {
    const answer = await this.ask({ method: 'HEAD', path });
    if (answer.status >= 400 && answer.status !== 404) throw refusalOf(answer);
    return answer.status < 400;
  }

  /**
   * Brings a file as one body below `root`, named by its SHA-256; nothing is sent where it is there
   * already. @throws UpliftError
   */
  async putFile(
    root: string,
    path: string,
    told: (sentBytes: number, bytes: number) => void = () => {},
  ): Promise<{ sha256: string; bytes: number }> {
    const file = openImage(path);
    try {
      const { bytes, sha256 } = digestOf(file);
      if (!(await this.has(`${root}/${sha256}`))) {
        const body = new Content(bytes, piecesOf(file, bytes, told));
        const headers = { 'content-type': 'application/octet-stream' };
        await this.send({ method: 'PUT', path: `${root}/${sha256}`, body, headers });
      }
      told(bytes, bytes);
      return { sha256, bytes };
    } finally {
      closeSync(file);
    }
  }

  /** @throws UpliftError */
  async delete(path: string): Promise<void> {
    await this.send({ method: 'DELETE', path });
  }

  /**
   * Brings a file into the store; in pieces, and from where it broke off when a connection is lost.
   * @throws UpliftError
   */
  async upload(path: string, told: (sentBytes: number, bytes: number) => void = () => {}) {
    const file = openImage(path);
    try {
      const { bytes, sha256 } = digestOf(file);
      const name = nameOf(path);
      const begun = await this.post<UploadView | ImageView>('/images/uploads', {
        bytes,
        sha256,
        name,
      });
      if (!('upload' in begun)) return begun;
      await this.sendPieces(file, begun, told);
      return await this.post<ImageView>(`/images/uploads/${begun.upload}/finish`);
    } finally {
      closeSync(file);
    }
  }

  /** Records from a sequence on (absent: what is to come), and progress; without end. */
  async *events(
    wish: { from?: number; job?: string } = {},
    signal?: AbortSignal,
  ): AsyncGenerator<ApiEvent, void, undefined> {
    const query = new URLSearchParams();
    if (wish.from !== undefined) query.set('from', `${wish.from}`);
    if (wish.job !== undefined) query.set('job', wish.job);
    let last: string | undefined;
    for (let failures = 0; ; ) {
      try {
        const headers: Record<string, string> = last === undefined ? {} : { 'last-event-id': last };
        const response = await this.open({ path: `/events?${query}`, headers }, signal);
        if (response.statusCode !== 200) throw refusalOf(await received(response));
        for await (const { id, event } of eventsIn(response)) {
          if (id !== undefined) last = id;
          failures = 0;
          yield event;
        }
      } catch (error) {
        if (signal?.aborted) return;
        const isLost = !(error instanceof UpliftError) || error.exit === EXIT.notReachable;
        if (!isLost || ++failures > this.options.attemptsMax) throw this.unreachable(error);
      }
      if (signal?.aborted) return;
      await sleep(this.options.pauseMs);
    }
  }

  private async sendPieces(
    file: number,
    { upload, bytes, receivedBytes }: UploadView,
    told: (sentBytes: number, bytes: number) => void,
  ): Promise<void> {
    const piece = new Uint8Array(PIECE_BYTES);
    const path = `/images/uploads/${upload}`;
    let failures = 0;
    for (let offset = receivedBytes; offset < bytes; ) {
      told(offset, bytes);
      const length = readSync(file, piece, 0, Math.min(piece.length, bytes - offset), offset);
      if (length === 0) throw changed();
      const headers = {
        'upload-offset': `${offset}`,
        'content-type': 'application/offset+octet-stream',
      };
      try {
        const body = piece.subarray(0, length);
        const answer = await this.send({ method: 'PATCH', path, body, headers });
        offset = Number(answer.headers['upload-offset']);
        failures = 0;
      } catch (error) {
        const { code, exit } = error as UpliftError;
        const mayGoOn = code === 'upload-offset' || exit === EXIT.notReachable;
        if (!mayGoOn || ++failures > this.options.attemptsMax) throw error;
        await sleep(this.options.pauseMs);
        offset = (await this.get<UploadView>(path)).receivedBytes;
      }
    }
    told(bytes, bytes);
  }

  private async send(sent: Sent): Promise<Received> {
    const answer = await this.ask(sent);
    if (answer.status >= 400) throw refusalOf(answer);
    return answer;
  }

  private async ask(sent: Sent): Promise<Received> {
    try {
      return await received(await this.open(sent));
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  private open(sent: Sent, signal?: AbortSignal): Promise<IncomingMessage> {
    const { method = 'GET', path, body, headers = {} } = sent;
    const content = contentOf(body);
    const { place, host } = this.reached();
    return new Promise((done, failed) => {
      const request = (place.protocol === 'https:' ? https : http).request(
        {
          ...place,
          agent: false,
          method,
          path: `${ROOT}${path}`,
          timeout: this.options.silenceMs,
          ...(signal ? { signal } : {}),
          headers: {
            host,
            ...this.authorization,
            ...(content === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': `${content.bytes}` }),
            ...headers,
          },
        },
        done,
      );
      request.on('timeout', () => request.destroy(new Error('it says nothing')));
      request.on('error', failed);
      if (!content) request.end();
      else if (content.content instanceof Uint8Array) request.end(content.content);
      else pipeline(content.content, request).catch(failed);
    });
  }

  /** The connection, and the name that it is asked by. */
  private reached(): { place: https.RequestOptions; host: string } {
    const { socket, url, ca } = this.place;
    if (url === undefined) return { place: { socketPath: socket! }, host: 'localhost' };
    const { protocol, hostname, port, host } = new URL(url);
    const address = { protocol, host: hostname.replace(/^\[|\]$/g, ''), port };
    return { place: { ...address, ...(ca ? { ca: Buffer.from(ca) } : {}) }, host };
  }

  private unreachable(error: unknown): unknown {
    if (error instanceof UpliftError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    const { name, start } = this.options.served;
    return new UpliftError(`${name}-unreachable`, `the ${name} does not answer`, {
      expected: `a ${name} that answers at ${this.place.url ?? this.place.socket}`,
      actual: code ?? message,
      next: code === 'EACCES' ? 'join the group of the socket, or ask as another user' : start,
      exit: EXIT.notReachable,
      cause: error,
    });
  }
}

class Content {
  readonly bytes: number;
  readonly content: Uint8Array | AsyncIterable<Uint8Array>;

  constructor(bytes: number, content: Uint8Array | AsyncIterable<Uint8Array>) {
    this.bytes = bytes;
    this.content = content;
  }
}

/** Bytes as they are, a file as it is read, and all else as JSON. */
function contentOf(body: unknown): Content | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Content) return body;
  const content = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  return new Content(content.length, content);
}

/** Told as the connection takes them. */
async function* piecesOf(
  file: number,
  bytes: number,
  told: (sentBytes: number, bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes; ) {
    told(offset, bytes);
    const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes - offset));
    const length = readSync(file, piece, 0, piece.length, offset);
    if (length === 0) throw changed();
    yield piece.subarray(0, length);
    offset += length;
  }
}

/** A name that an image may have, from that of its file. */
export function nameOf(path: string): string {
  const name = basename(path)
    .replace(/[^A-Za-z0-9 ._+@()=,~-]/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '');
  return name.slice(0, 128) || 'image';
}

/** Events of one connection, as the HTML standard writes them: a blank line ends one. */
export async function* eventsIn(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ id: string | undefined; event: ApiEvent }, void, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of stream) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > EVENT_CHARACTERS_MAX) throw new Error('an event without end');
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => {
          const colon = line.indexOf(': ');
          return [line.slice(0, colon), line.slice(colon + 2)] as const;
        }),
      );
      const event = eventOf(fields.get('event'), fields.get('data'));
      if (event) yield { id: fields.get('id'), event };
    }
  }
}

function eventOf(kind: string | undefined, data: string | undefined): ApiEvent | undefined {
  if (data === undefined) return undefined;
  const document = JSON.parse(data);
  if (kind === 'record') return { event: kind, record: document as GatewayRecord };
  if (kind === 'progress') return { event: kind, progress: document as LiveProgress };
  if (kind === 'gap') return { event: kind, ...(document as { from: number; to: number }) };
  return undefined;
}

async function received(response: IncomingMessage): Promise<Received> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response) {
    pieces.push(piece as Uint8Array);
    bytes += (piece as Uint8Array).length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('an answer without end');
  }
  const text = Buffer.concat(pieces).toString();
  const isJson = /^application\/(problem\+)?json/.test(response.headers['content-type'] ?? '');
  const body = isJson && text !== '' ? JSON.parse(text) : text;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function refusalOf({ status, body }: Received): UpliftError {
  const { code, title, expected, actual, next, errors } = body as Partial<ProblemDocument>;
  const fields = errors?.map((one) => `${one.pointer}: ${one.expected}`).join('; ');
  const wanted = expected ?? fields;
  return new UpliftError(code ?? 'answer-unknown', title ?? `the gateway answers ${status}`, {
    ...(wanted === undefined ? {} : { expected: wanted }),
    ...(actual === undefined ? {} : { actual }),
    ...(next === undefined ? {} : { next }),
    exit: exitOf(status),
  });
}

function exitOf(status: number): ExitCode {
  if (status >= 500 || status === 429 || status === 408) return EXIT.notReachable;
  return [401, 403, 409, 422].includes(status) ? EXIT.refused : EXIT.usage;
}

function openImage(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const { code = 'nothing' } = cause as NodeJS.ErrnoException;
    throw new UpliftError('file-unreadable', `the image ${path} cannot be read`, {
      expected: 'a file that this user may read',
      actual: code,
      next: 'name another file, or another user',
      cause,
    });
  }
}

function digestOf(file: number): { bytes: number; sha256: string } {
  const { size } = fstatSync(file);
  const hash = createHash('sha256');
  const piece = new Uint8Array(PIECE_BYTES);
  for (let at = 0; at < size; ) {
    const length = readSync(file, piece, 0, Math.min(piece.length, size - at), at);
    if (length === 0) throw changed();
    hash.update(piece.subarray(0, length));
    at += length;
  }
  return { bytes: size, sha256: hash.digest('hex') };
}

function changed(): UpliftError {
  return new UpliftError('image-changed', 'the image became shorter while it was read', {
    expected: 'a file that stays as it is',
    actual: 'one that somebody writes to',
    next: 'try again when it is whole',
    exit: EXIT.refused,
  });
}
