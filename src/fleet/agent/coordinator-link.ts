/**
 * The gateway's requests to its coordinator, over HTTPS. Whatever happens is a result: nothing that a peer
 * does throws. What is answered is bounded, and read as wire.ts says or not at all. Redirects are refused:
 * a gateway asks the coordinator that it was given.
 *
 * Which request is made when is the machine's to say (beat.ts).
 */
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { gzipSync } from 'node:zlib';
import type { z } from '../../config/fields.ts';
import type { Clock } from '../../ports.ts';
import {
  type Desired,
  desired,
  type Enrolled,
  type Enrolment,
  type EventBatch,
  type EventsTaken,
  enrolled,
  eventsTaken,
  FLEET_ROOT,
  type Inventory,
  WIRE_LIMITS,
} from '../wire.ts';
import { isBlobStatus, partHeaders, passBlob } from './blob-head.ts';
import { ClientAgent, type TlsTrust, UntrustedServerError } from './client-agent.ts';
import { type AgentCode, isFleetCode, LINK_CODES } from './codes.ts';
import type {
  Answered,
  BlobPart,
  BlobPartEnd,
  BlobReceiver,
  FleetLink,
  LinkFailure,
} from './fleet-link.ts';
import { retryAfterMs } from './retry-after.ts';

export interface LinkOptions {
  /** `https://host:port`, with a path in front of `/v1` where there is one. */
  url: string;
  /** As it enrolled. */
  gateway: string;
  /** Of Uplift. */
  version: string;
  trust: TlsTrust;
  clock: Clock;
  limits?: Partial<LinkLimits>;
}

export interface LinkLimits {
  connectMs: number;
  /** Without a byte for so long a request is given up; a long poll that long after its time. */
  idleMs: number;
  /** Of a request but a long poll or a blob. */
  wholeMs: number;
  /** Of one part of a blob, which then goes on from where it is. */
  blobMs: number;
}

const DEFAULTS: LinkLimits = {
  connectMs: 15_000,
  idleMs: 30_000,
  wholeMs: 120_000,
  blobMs: 3_600_000,
};
const ANSWER_BYTES_MAX = 64 * 1024;
const CODE = /^[a-z][a-z0-9-]{0,63}$/;

interface Sent {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  /** Sent as JSON, and packed. */
  body?: unknown;
  idleMs?: number;
  wholeMs?: number;
  signal?: AbortSignal;
  /** The same twice would be something else. */
  once?: boolean;
}

/** The response with its body to come, and what ends the wait for it. */
interface Opened {
  kind: 'opened';
  response: IncomingMessage;
}

export class CoordinatorLink implements FleetLink {
  private readonly options: LinkOptions;
  private readonly limits: LinkLimits;
  private readonly base: URL;
  private readonly agent: ClientAgent;
  /** Ends a request, wherever it is. */
  private readonly enders = new Set<(error: Error) => void>();
  private isClosed = false;

  constructor(options: LinkOptions) {
    this.options = options;
    this.limits = { ...DEFAULTS, ...options.limits };
    this.base = new URL(options.url);
    this.agent = new ClientAgent(options.trust, this.limits.connectMs);
  }

  async enrol(request: Enrolment): Promise<Answered<Enrolled>> {
    const sent: Sent = { method: 'POST', path: '/enrolment', body: request, once: true };
    return await this.ask(sent, enrolled, ANSWER_BYTES_MAX);
  }

  async desired(
    version: number | undefined,
    waitSeconds: number,
    signal?: AbortSignal,
  ): Promise<Answered<Desired> | { kind: 'unchanged' }> {
    const headers: Record<string, string> = {};
    if (version !== undefined) headers['if-none-match'] = `"${version}"`;
    if (waitSeconds > 0) headers['prefer'] = `wait=${waitSeconds}`;
    const waitMs = waitSeconds * 1_000;
    const sent: Sent = {
      method: 'GET',
      path: `${this.own}/desired`,
      headers,
      idleMs: waitMs + this.limits.idleMs,
      wholeMs: waitMs + this.limits.wholeMs,
      ...(signal ? { signal } : {}),
    };
    const opened = await this.open(sent);
    if (opened.kind !== 'opened') return opened;
    if (opened.response.statusCode === 304 && version !== undefined) {
      await this.bodyOf(opened.response, 0);
      return { kind: 'unchanged' };
    }
    return await this.read(opened.response, desired, WIRE_LIMITS.desiredBytesMax);
  }

  async postEvents(batch: EventBatch): Promise<Answered<EventsTaken>> {
    const sent: Sent = { method: 'POST', path: `${this.own}/events`, body: batch };
    return await this.ask(sent, eventsTaken, ANSWER_BYTES_MAX);
  }

  async postInventory(inventory: Inventory): Promise<Answered<undefined>> {
    const sent: Sent = { method: 'POST', path: `${this.own}/inventory`, body: inventory };
    return await this.ask(sent, undefined, ANSWER_BYTES_MAX);
  }

  async fetchBlob(part: BlobPart, receiver: BlobReceiver): Promise<BlobPartEnd> {
    const opened = await this.open({
      method: 'GET',
      path: `/blob/sha256/${part.sha256}`,
      headers: partHeaders(part),
      wholeMs: this.limits.blobMs,
    });
    if (opened.kind !== 'opened') return opened;
    const { response } = opened;
    const { statusCode } = response;
    if (!isBlobStatus(statusCode)) return await this.failureOf(response);
    if (isPacked(response)) return drop(response, answerOther('it is packed'));
    return await passBlob(statusCode, response, receiver, (error) => this.brokenOff(error));
  }

  close(): void {
    this.isClosed = true;
    for (const end of this.enders) end(new Error('stopped'));
    this.agent.destroy();
  }

  private get own(): string {
    return `/gw/${encodeURIComponent(this.options.gateway)}`;
  }

  private async ask<T>(
    sent: Sent,
    schema: z.ZodType<T> | undefined,
    bytesMax: number,
  ): Promise<Answered<T>> {
    const opened = await this.open(sent);
    if (opened.kind !== 'opened') return opened;
    return await this.read(opened.response, schema, bytesMax);
  }

  /** Without a schema nothing of the body is read: that it was taken is all there is to know. */
  private async read<T>(
    response: IncomingMessage,
    schema: z.ZodType<T> | undefined,
    bytesMax: number,
  ): Promise<Answered<T>> {
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) return await this.failureOf(response);
    if (schema === undefined) {
      await this.bodyOf(response, ANSWER_BYTES_MAX);
      return { kind: 'answered', value: undefined as T };
    }
    if (!isJson(response, 'application/json')) return drop(response, answerOther('it is no JSON'));
    const body = await this.bodyOf(response, bytesMax);
    if (body.kind !== 'answered') return body;
    const parsed = schema.safeParse(parsedJson(body.value));
    if (parsed.success) return { kind: 'answered', value: parsed.data };
    const issue = parsed.error.issues[0];
    return answerOther(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it is no JSON'}`);
  }

  /** What another answer than the one that was hoped for means. */
  private async failureOf(response: IncomingMessage): Promise<LinkFailure> {
    const { statusCode = 0 } = response;
    const nowMs = this.options.clock.nowMs();
    const detail = `HTTP ${statusCode}`;
    if (statusCode >= 300 && statusCode <= 399) {
      return drop(response, { kind: 'unreached', code: 'fleet-redirects', detail });
    }
    const said = await this.problemOf(response);
    const code = isFleetCode(said) ? said : undefined;
    if (statusCode >= 500 || statusCode === 429 || statusCode === 408) {
      const waitMs = retryAfterMs(response.headers['retry-after'], response.headers.date, nowMs);
      const wait = waitMs === undefined ? {} : { retryAfterMs: waitMs };
      return { kind: 'later', code: code ?? 'fleet-failing', detail, ...wait };
    }
    // A server in between may answer so, and it is not the one to shut a gateway out.
    if (said === undefined) return { kind: 'unreached', code: 'fleet-answer', detail };
    const shown = code === undefined ? `${detail}, ${said}` : detail;
    return { kind: 'refused', code: code ?? 'fleet-refuses', detail: shown };
  }

  /** The code of a problem document, in the form that codes have. */
  private async problemOf(response: IncomingMessage): Promise<string | undefined> {
    if (!isJson(response, 'application/problem+json')) return drop(response, undefined);
    const body = await this.bodyOf(response, ANSWER_BYTES_MAX);
    if (body.kind !== 'answered') return undefined;
    const { code } = (parsedJson(body.value) ?? {}) as { code?: unknown };
    return typeof code === 'string' && CODE.test(code) ? code : undefined;
  }

  private async bodyOf(response: IncomingMessage, bytesMax: number): Promise<Answered<string>> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const piece of response) {
        bytes += (piece as Uint8Array).length;
        if (bytes > bytesMax) {
          const code = 'fleet-answer-large';
          return drop(response, { kind: 'later', code, detail: `more than ${bytesMax} bytes` });
        }
        pieces.push(piece as Uint8Array);
      }
    } catch (error) {
      return this.brokenOff(error);
    }
    return { kind: 'answered', value: Buffer.concat(pieces).toString() };
  }

  private async open(sent: Sent): Promise<Opened | LinkFailure> {
    const first = await this.openOnce(sent);
    // A connection that was kept alive may have been closed by the other end just now.
    return first.kind === 'stale' ? stripStale(await this.openOnce(sent)) : first;
  }

  private openOnce(sent: Sent): Promise<Opened | LinkFailure | { kind: 'stale' }> {
    const { method, path, headers = {}, body, once = false } = sent;
    const { idleMs = this.limits.idleMs, wholeMs = this.limits.wholeMs } = sent;
    const content = body === undefined ? undefined : gzipSync(JSON.stringify(body));
    if (this.isClosed) return Promise.resolve(this.unreached(new Error('stopped')));
    return new Promise((done) => {
      let response: IncomingMessage | undefined;
      // The response where there is one: it tells its reader why it ends.
      const end = (error: Error) => void (response ?? request).destroy(error);
      const limit = setTimeout(() => end(new SilentError('not all of it in time')), wholeMs);
      const interrupt = () => end(new Error('interrupted'));
      sent.signal?.addEventListener('abort', interrupt);
      this.enders.add(end);
      const request = https.request(
        {
          agent: this.agent,
          host: this.base.hostname.replace(/^\[|\]$/g, ''),
          port: this.base.port || 443,
          method,
          path: `${this.base.pathname.replace(/\/$/, '')}${FLEET_ROOT}${path}`,
          timeout: idleMs,
          headers: {
            'user-agent': `uplift/${this.options.version}`,
            accept: 'application/json, application/problem+json, application/octet-stream',
            'accept-encoding': 'identity',
            ...headers,
            ...(content === undefined
              ? {}
              : {
                  'content-type': 'application/json',
                  'content-encoding': 'gzip',
                  'content-length': `${content.length}`,
                }),
          },
        },
        (opened) => {
          response = opened;
          // Whoever reads it hears of it too.
          response.on('error', () => {});
          done({ kind: 'opened', response });
        },
      );
      request.on('timeout', () => end(new SilentError('no byte in time')));
      request.on('close', () => {
        clearTimeout(limit);
        this.enders.delete(end);
        sent.signal?.removeEventListener('abort', interrupt);
      });
      request.on('error', (error) => {
        const isStale = request.reusedSocket && isReset(error) && !once;
        done(isStale ? { kind: 'stale' } : this.unreached(error));
      });
      request.end(content);
    });
  }

  private unreached(error: Error): LinkFailure {
    return { kind: 'unreached', ...this.causeOf(error, 'fleet-unreachable') };
  }

  private brokenOff(error: unknown): LinkFailure {
    return { kind: 'unreached', ...this.causeOf(error as Error, 'fleet-broken-off') };
  }

  private causeOf(error: Error, otherwise: AgentCode): { code: AgentCode; detail: string } {
    const detail = (error as NodeJS.ErrnoException).code ?? error.message;
    if (this.isClosed) return { code: 'fleet-stopped', detail: '' };
    if (error instanceof UntrustedServerError) {
      return { code: 'fleet-untrusted', detail: error.message };
    }
    return { code: error instanceof SilentError ? 'fleet-silent' : otherwise, detail };
  }
}

class SilentError extends Error {}

function stripStale(opened: Opened | LinkFailure | { kind: 'stale' }): Opened | LinkFailure {
  if (opened.kind !== 'stale') return opened;
  return { kind: 'unreached', code: 'fleet-unreachable', detail: LINK_CODES['fleet-unreachable'] };
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE';
}

function answerOther(detail: string): Extract<LinkFailure, { kind: 'later' }> {
  return { kind: 'later', code: 'fleet-answer', detail };
}

/** Nothing more of it is read, and nobody waits for its end. */
function drop<T>(response: IncomingMessage, result: T): T {
  response.destroy();
  return result;
}

function isJson({ headers }: IncomingMessage, type: string): boolean {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase() === type;
}

function isPacked({ headers }: IncomingMessage): boolean {
  return (headers['content-encoding'] ?? 'identity') !== 'identity';
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
