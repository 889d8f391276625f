/**
 * The HTTP API of a gateway: its doors, its routes, its answers. The only import of fastify.
 *
 * Order of every request: the name it was asked by, who asks, whether a foreign page made them ask,
 * whether they may; only then the body, bounded, and its schema; then the gateway. Nothing of the
 * API waits in the way of an upgrade: what the gateway is asked it answers at once or refuses.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { GatewayConfig, Role } from '../config/gateway.ts';
import { type ApiToken, loadTokens } from '../config/tokens.ts';
import { UpliftError } from '../errors.ts';
import type { GatewayControl } from '../gateway/control.ts';
import type { Log, Timers } from '../ports.ts';
import {
  ATTEMPT_LIMITS,
  AttemptCounter,
  type AttemptLimits,
  type Identity,
  identifyCertificate,
  isForeign,
  mayUse,
  TokenBook,
} from './access.ts';
import { checked, discardRest, readBody } from './body.ts';
import {
  certificateOf,
  closeDoor,
  DOOR_LIMITS,
  type Door,
  type DoorLimits,
  openSocketDoor,
  openTcpDoor,
} from './doors.ts';
import { EVENT_LIMITS, type EventLimits, EventStream } from './events.ts';
import { openApiOf } from './openapi.ts';
import { ApiError, problemHeaders, problemOf } from './problem.ts';
import type { Answer, ApiMetrics, ApiWorld, Call, RouteShape } from './route.ts';
import { API_ROOT, EVENTS_PATH, ROUTES } from './routes.ts';

export interface ApiOptions {
  control: GatewayControl;
  /** The section `api` of the configuration. */
  config: GatewayConfig['api'];
  timers: Timers;
  log: Log;
  /** Where metrics are served here. */
  metrics?: ApiMetrics;
  /** Of Uplift. */
  version: string;
  limits?: Partial<DoorLimits & EventLimits & AttemptLimits>;
}

const LEAST_GRACE_MS = 2_000;
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

export class ApiServer {
  readonly events: EventStream;
  private readonly options: ApiOptions;
  private readonly limits: DoorLimits & EventLimits & AttemptLimits;
  private readonly app: FastifyInstance;
  private readonly world: ApiWorld;
  private readonly tokens: TokenBook;
  private readonly attempts: AttemptCounter;
  private readonly doors: Door[] = [];
  private readonly doorOf = new WeakMap<IncomingMessage, Door>();
  private readonly identities = new WeakMap<IncomingMessage, Identity>();

  private constructor(options: ApiOptions) {
    this.options = options;
    this.limits = { ...DOOR_LIMITS, ...EVENT_LIMITS, ...ATTEMPT_LIMITS, ...options.limits };
    this.tokens = new TokenBook(tokensOf(options.config));
    this.attempts = new AttemptCounter(this.limits);
    this.events = new EventStream(options.control, options.timers, this.limits);
    const document = openApiOf(options.version);
    const { control, timers, metrics } = options;
    this.world = { control, clock: timers, metrics, openApi: () => document };
    this.app = fastify({
      logger: false,
      routerOptions: { maxParamLength: this.limits.headerBytesMax },
      frameworkErrors: (error, request, reply) => this.refuse(error, request, reply),
    });
    this.build();
  }

  /** Opens every door, or none. @throws UpliftError */
  static async start(options: ApiOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    try {
      await server.app.ready();
      await server.open();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** Where the port is, if there is one. */
  get address(): { host: string; port: number } | undefined {
    const tcp = this.doors.find(({ kind }) => kind === 'tcp');
    const address = tcp?.server.address() as AddressInfo | null | undefined;
    return address ? { host: address.address, port: address.port } : undefined;
  }

  /**
   * Reads the file of tokens again; what is wrong in it leaves the old ones. @throws ConfigError
   */
  reloadTokens(): void {
    this.tokens.replace(tokensOf(this.options.config));
  }

  /** Streams end, requests that are under way are answered, and no new ones are taken. */
  async close(graceMs = LEAST_GRACE_MS): Promise<void> {
    this.events.close();
    await Promise.all(this.doors.splice(0).map((door) => closeDoor(door, graceMs)));
    await this.app.close();
  }

  private async open(): Promise<void> {
    const { config } = this.options;
    const enter = (door: () => Door) => (request: IncomingMessage, response: ServerResponse) => {
      this.doorOf.set(request, door());
      this.app.routing(request, response);
    };
    const socket: Door = await openSocketDoor(
      config.socket,
      this.limits,
      enter(() => socket),
    );
    this.doors.push(socket);
    if (!config.tcp) return;
    const tcp: Door = await openTcpDoor(
      config.tcp,
      this.limits,
      enter(() => tcp),
    );
    this.doors.push(tcp);
  }

  private build(): void {
    const { app } = this;
    app.removeAllContentTypeParsers();
    // Bodies are read by `readBody`, when it is known who sends them.
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.addHook('onRequest', async (request) => this.admit(request));
    app.addHook('onSend', async (_request, reply) => {
      reply.headers(HEADERS);
    });
    app.setErrorHandler((error, request, reply) => this.refuse(error, request, reply));
    app.setNotFoundHandler((request) => {
      throw missing(request);
    });
    for (const route of ROUTES) this.serve(route);
    for (const path of ['/healthz', '/readyz']) {
      app.get(path, { config: { isOpen: true } }, async (_request, reply) => {
        const { state } = this.options.control.health();
        const status = path === '/readyz' && state !== 'ready' ? 503 : 200;
        return sendAnswer(reply, { status, body: { state } });
      });
    }
  }

  private serve(route: RouteShape): void {
    const isEvents = route.path === EVENTS_PATH;
    this.app.route({
      method: route.method,
      url: `${API_ROOT}${route.path.replace(/\{(\w+)\}/g, ':$1')}`,
      exposeHeadRoute: route.method === 'GET' && !isEvents,
      bodyLimit: route.body?.bytesMax ?? 1,
      config: { least: route.role },
      handler: async (request, reply) => {
        const { by } = this.identities.get(request.raw)!;
        const params = checked(route.params, request.params, 'path');
        const query = checked(route.query, request.query, 'query');
        if (isEvents) return this.stream(request, reply, query as EventQuery);
        const body = route.body ? await readBody(request.raw, route.body) : undefined;
        const call = { params, query, body, by, headers: request.headers };
        const answer = await route.handle!(call as Call<never, never, never>, this.world);
        return sendAnswer(reply, answer);
      },
    });
  }

  // ---- who may ----------------------------------------------------------------------------------------

  /** @throws ApiError */
  private admit(request: FastifyRequest): void {
    const { raw, headers, method } = request;
    const door = this.doorOf.get(raw)!;
    const { least, isOpen } = request.routeOptions.config as { least?: Role; isOpen?: boolean };
    if (!door.isKnownHost(headers.host)) throw new ApiError('host-unknown');
    if (isOpen) return;
    const isLocal = door.kind === 'socket' && headers.authorization === undefined;
    const identity = isLocal ? this.local() : this.identify(request);
    this.identities.set(raw, identity);
    if (!SAFE_METHODS.includes(method) && isForeign(headers)) throw new ApiError('origin-foreign');
    if (least !== undefined && !mayUse(identity.role, least)) {
      this.warn('a role that does not allow it', 'forbidden', request, identity.by);
      throw new ApiError('forbidden');
    }
  }

  private local(): Identity {
    const { role } = this.options.config.socket;
    return { kind: 'socket', by: 'socket:local', role, untilMs: Number.POSITIVE_INFINITY };
  }

  private identify(request: FastifyRequest): Identity {
    const nowMs = this.options.timers.nowMs();
    const address = request.raw.socket.remoteAddress ?? '';
    if (this.attempts.isBarred(address, nowMs)) throw new ApiError('attempts-many');
    const certificate = certificateOf(request.raw);
    const { authorization } = request.headers;
    const identity =
      authorization === undefined && certificate
        ? identifyCertificate(certificate, this.options.config.tcp!.clients)
        : this.tokens.identify(authorization, nowMs);
    if (identity && certificate !== false) return identity;
    this.attempts.failed(address, nowMs);
    this.warn('somebody who is not known', 'unauthenticated', request);
    throw new ApiError('unauthenticated');
  }

  /** A token may be taken off its file, or come to its end, while a stream is open. */
  private stillMay(identity: Identity): boolean {
    const isKnown = identity.kind !== 'token' || this.tokens.has(identity);
    return isKnown && this.options.timers.nowMs() < identity.untilMs;
  }

  // ---- answers ----------------------------------------------------------------------------------------

  private stream(request: FastifyRequest, reply: FastifyReply, query: EventQuery): FastifyReply {
    if (this.events.isFull) throw new ApiError('listeners-many');
    const from = lastEventOf(request.headers['last-event-id']) ?? query.from;
    const identity = this.identities.get(request.raw)!;
    reply.hijack();
    const response = reply.raw;
    response.on('error', () => {});
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
    const stillMay = () => this.stillMay(identity);
    this.events.add(response, { from, job: query.job, stillMay });
    return reply;
  }

  private refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const refusal = refusalOf(error);
    if (refusal.code === 'internal') {
      const { stack = String(error) } = error as Error;
      this.options.log.write('error', 'the API failed to answer', { code: 'internal', stack });
    }
    discardRest(request.raw);
    const document = problemOf(refusal);
    return reply
      .code(document.status)
      .headers({ ...HEADERS, ...problemHeaders(refusal) })
      .type('application/problem+json')
      .send(JSON.stringify(document));
  }

  private warn(what: string, code: string, request: FastifyRequest, by?: string): void {
    const { method, routeOptions, raw } = request;
    const fields = { method, route: routeOptions.url, address: raw.socket.remoteAddress, by };
    this.options.log.write('warning', `the API refused ${what}`, { code, ...fields });
  }
}

interface EventQuery {
  from?: number;
  job?: string;
}

/** A token is one at both doors. */
function tokensOf({ socket, tcp }: GatewayConfig['api']): ApiToken[] {
  const files = new Set([socket.tokensFile, tcp?.tokensFile]);
  return [...files].flatMap((path) => (path === undefined ? [] : loadTokens(path)));
}

function sendAnswer(reply: FastifyReply, { status, body, headers }: Answer): FastifyReply {
  reply.code(status).headers(headers ?? {});
  if (body === undefined) return reply.send();
  if (typeof body === 'string') return reply.send(body);
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(body));
}

function lastEventOf(value: string | string[] | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && /^[0-9]{1,15}$/.test(value)) return Number(value) + 1;
  const expected = 'the id of an event: a whole number';
  throw new ApiError('request-invalid', {
    errors: [{ pointer: '/header/last-event-id', expected }],
  });
}

/**
 * What fastify and Node refuse by themselves, in our words; all else that is no refusal is a bug.
 */
function refusalOf(error: unknown): UpliftError {
  if (error instanceof UpliftError) return error;
  const { code = '', statusCode = 500 } = error as { code?: string; statusCode?: number };
  if (code === 'ECONNRESET' || code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') {
    return new ApiError('body-length');
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new ApiError('body-large');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new ApiError('media-type');
  return new ApiError(statusCode < 500 ? 'request-malformed' : 'internal');
}

function missing({ url, method }: FastifyRequest): ApiError {
  const path = url.split('?')[0]!;
  const methods = ROUTES.filter(
    (route) =>
      route.method !== method &&
      new RegExp(
        `^${API_ROOT}${route.path.replace(/\{\w+\}/g, '[^/]+').replace('.', '\\.')}$`,
      ).test(path),
  ).map((route) => route.method);
  if (methods.length === 0) return new ApiError('not-found');
  const allow = methods.join(', ');
  return new ApiError('method-unknown', { expected: allow, headers: { allow } });
}
