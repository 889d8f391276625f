/**
 * An HTTP API: its doors, its routes, its answers, whatever it serves. The only import of fastify.
 *
 * Order of every request: the name it was asked by, who asks, whether a foreign page made them ask,
 * whether they may; only then the body, bounded, and its schema; then whoever is behind the route.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { GatewayConfig } from '../config/gateway.ts';
import { UpliftError } from '../errors.ts';
import type { Log } from '../ports.ts';
import { type Access, type Asking, type Identity, isForeign } from './access.ts';
import { checked, discardRest, readBody } from './body.ts';
import {
  closeDoor,
  type Door,
  type DoorLimits,
  openSocketDoor,
  openTcpDoor,
  type TcpDoorConfig,
} from './doors.ts';
import { takesGzip } from './encoding.ts';
import { type Pages, pageAnswer } from './pages.ts';
import { ApiError, type Problems } from './problem.ts';
import type { Answer, Call, RouteRole, RouteShape } from './route.ts';

export interface HttpApi<W> {
  /** Begins every path of its routes. */
  root: string;
  routes: readonly RouteShape<W>[];
  world: W;
  access: Access;
  problems: Problems;
  /** Documents for browsers, which everybody is given. */
  pages?: Pages;
  /** Said to everybody: `/healthz` that it answers, `/readyz` whether it is well. */
  condition(): Condition | Promise<Condition>;
}

export interface Condition {
  state: string;
  isReady: boolean;
}

export interface HttpServerOptions<W> {
  api: HttpApi<W>;
  doors: { socket?: GatewayConfig['api']['socket']; tcp?: TcpDoorConfig | undefined };
  limits: DoorLimits;
  log: Log;
  /** A request to a route was answered, or broken off. */
  onAnswered?: (operation: string, status: number, seconds: number) => void;
}

const LEAST_GRACE_MS = 2_000;
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};
/** Less than a packet is not worth packing. */
const PACKED_BYTES_MIN = 1_400;

export class HttpServer<W> {
  private readonly options: HttpServerOptions<W>;
  private readonly app: FastifyInstance;
  private readonly doors: Door[] = [];
  private readonly doorOf = new WeakMap<IncomingMessage, Door>();
  private readonly identities = new WeakMap<IncomingMessage, Identity>();

  private constructor(options: HttpServerOptions<W>) {
    this.options = options;
    this.app = fastify({
      logger: false,
      routerOptions: { maxParamLength: options.limits.headerBytesMax },
      frameworkErrors: (error, request, reply) => this.refuse(error, request, reply),
    });
    this.build();
  }

  /** Opens every door, or none. @throws UpliftError */
  static async start<W>(options: HttpServerOptions<W>): Promise<HttpServer<W>> {
    const server = new HttpServer(options);
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

  /** Requests that are under way are answered, and no new ones are taken. */
  async close(graceMs = LEAST_GRACE_MS): Promise<void> {
    await Promise.all(this.doors.splice(0).map((door) => closeDoor(door, graceMs)));
    await this.app.close();
  }

  private async open(): Promise<void> {
    const { doors, limits } = this.options;
    const enter = (door: () => Door) => (request: IncomingMessage, response: ServerResponse) => {
      this.doorOf.set(request, door());
      this.app.routing(request, response);
    };
    if (doors.socket) {
      const socket: Door = await openSocketDoor(
        doors.socket,
        limits,
        enter(() => socket),
      );
      this.doors.push(socket);
    }
    if (!doors.tcp) return;
    const tcp: Door = await openTcpDoor(
      doors.tcp,
      limits,
      enter(() => tcp),
    );
    this.doors.push(tcp);
  }

  private build(): void {
    const { app } = this;
    const { routes, condition, pages } = this.options.api;
    app.removeAllContentTypeParsers();
    // Bodies are read by `readBody`, when it is known who sends them.
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.addHook('onRequest', async (request) => this.admit(request));
    app.addHook('onSend', async (_request, reply) => {
      // A document for browsers says more of itself.
      if (!reply.hasHeader('content-security-policy')) reply.headers(HEADERS);
    });
    const { onAnswered } = this.options;
    if (onAnswered) {
      app.addHook('onResponse', async (request, reply) => {
        const { operation } = request.routeOptions.config as { operation?: string };
        if (operation) onAnswered(operation, reply.statusCode, reply.elapsedTime / 1000);
      });
    }
    app.setErrorHandler((error, request, reply) => this.refuse(error, request, reply));
    app.setNotFoundHandler((request) => {
      throw this.missing(request);
    });
    for (const route of routes) this.serve(route);
    if (pages) this.servePages(pages);
    for (const path of ['/healthz', '/readyz']) {
      app.get(path, { config: { isOpen: true } }, async (_request, reply) => {
        const { state, isReady } = await condition();
        const status = path === '/readyz' && !isReady ? 503 : 200;
        return sendAnswer(reply, { status, body: { state } });
      });
    }
  }

  private serve(route: RouteShape<W>): void {
    const { root, world } = this.options.api;
    this.app.route({
      method: route.method,
      url: `${root}${route.path.replace(/\{(\w+)\}/g, ':$1')}`,
      exposeHeadRoute: route.method === 'GET' && route.isEndless !== true,
      bodyLimit: route.body?.bytesMax ?? 1,
      config: { role: route.role, operation: route.operation },
      handler: async (request, reply) => {
        const who = this.identities.get(request.raw)!;
        const params = checked(route.params, request.params, 'path');
        const query = checked(route.query, request.query, 'query');
        const done = await route.turn?.(who, world);
        try {
          const body = route.body ? await readBody(request.raw, route.body) : undefined;
          const call = this.callOf(request, reply, who, { params, query, body });
          const answer = await route.handle(call as Call<never, never, never>, world);
          if (answer.pour) return pour(request, reply, answer);
          return await sendAnswer(reply, answer, route.isPacked ? request : undefined);
        } finally {
          done?.();
        }
      },
    });
  }

  private servePages(pages: Pages): void {
    for (const path of new Set(['/', ...pages.keys()])) {
      this.app.get(path, { config: { isOpen: true } }, async ({ headers }, reply) => {
        const page = pages.get(path);
        if (page) return sendAnswer(reply, pageAnswer(page, headers));
        throw new ApiError('not-found', {
          expected: 'the page, as `scripts/build web` makes it',
          actual: 'a gateway without it',
          next: 'build it, then start the gateway anew',
        });
      });
    }
  }

  private callOf(
    request: FastifyRequest,
    reply: FastifyReply,
    who: Identity,
    parts: { params: unknown; query: unknown; body: unknown },
  ): Call<unknown, unknown, unknown> {
    const { raw, headers, method } = request;
    return {
      ...parts,
      who,
      by: who.by,
      address: addressOf(raw),
      method,
      headers,
      stillMay: () => this.options.api.access.stillMay(who),
      onGone: (task) => {
        reply.raw.once('close', () => {
          if (!reply.raw.writableEnded) task();
        });
      },
    };
  }

  // ---- who may ----------------------------------------------------------------------------------------

  /** @throws RefusalError */
  private async admit(request: FastifyRequest): Promise<void> {
    const { raw, headers, method } = request;
    const { access } = this.options.api;
    const door = this.doorOf.get(raw)!;
    const { role, isOpen } = request.routeOptions.config as { role?: RouteRole; isOpen?: boolean };
    if (!door.isKnownHost(headers.host)) throw new ApiError('host-unknown');
    if (isOpen) return;
    const params = (request.params ?? {}) as Record<string, string>;
    const asking: Asking = { request: raw, door: door.kind, address: addressOf(raw), role, params };
    const identity = await this.identify(request, asking);
    this.identities.set(raw, identity);
    if (!SAFE_METHODS.includes(method) && isForeign(headers)) throw new ApiError('origin-foreign');
    if (access.mayUse(identity, asking)) return;
    this.warn('a role that does not allow it', 'forbidden', request, identity.by);
    throw new ApiError('forbidden');
  }

  private async identify(request: FastifyRequest, asking: Asking): Promise<Identity> {
    try {
      return await this.options.api.access.identify(asking);
    } catch (error) {
      const { code } = error as UpliftError;
      if (error instanceof UpliftError && code !== 'attempts-many')
        this.warn('somebody who is not known', code, request);
      throw error;
    }
  }

  // ---- refusals ---------------------------------------------------------------------------------------

  private refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { log, api } = this.options;
    const refusal = refusalOf(error);
    if (refusal.code === 'internal') {
      const { stack = String(error) } = error as Error;
      log.write('error', 'the API failed to answer', { code: 'internal', stack });
    }
    discardRest(request.raw);
    const document = api.problems.documentOf(refusal);
    return reply
      .code(document.status)
      .headers({ ...HEADERS, ...api.problems.headersOf(refusal) })
      .type('application/problem+json')
      .send(JSON.stringify(document));
  }

  private warn(what: string, code: string, request: FastifyRequest, by?: string): void {
    const { method, routeOptions, raw } = request;
    const fields = { method, route: routeOptions.url, address: raw.socket.remoteAddress, by };
    this.options.log.write('warning', `the API refused ${what}`, { code, ...fields });
  }

  private missing({ url, method }: FastifyRequest): ApiError {
    const { root, routes } = this.options.api;
    const path = url.split('?')[0]!;
    const methods = routes
      .filter(
        (route) =>
          route.method !== method &&
          new RegExp(
            `^${root}${route.path.replace(/\{\w+\}/g, '[^/]+').replace('.', '\\.')}$`,
          ).test(path),
      )
      .map((route) => route.method);
    if (methods.length === 0) return new ApiError('not-found');
    const allow = methods.join(', ');
    return new ApiError('method-unknown', { expected: allow, headers: { allow } });
  }
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? '';
}

/** What is written piece by piece; of HEAD the header alone. */
function pour(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
  const { status, headers = {}, pour: write } = answer;
  reply.hijack();
  const response = reply.raw;
  response.on('error', () => {});
  response.writeHead(status, { ...HEADERS, ...headers });
  if (request.method === 'HEAD') response.end();
  else write!(response);
  return reply;
}

/** @param packedFor whoever asked, where the answer may be packed */
async function sendAnswer(
  reply: FastifyReply,
  { status, body, headers }: Answer,
  packedFor?: FastifyRequest,
): Promise<FastifyReply> {
  reply.code(status).headers(headers ?? {});
  if (body === undefined) return reply.send();
  if (typeof body === 'string' || body instanceof Uint8Array) return reply.send(body);
  reply.type('application/json; charset=utf-8');
  const text = JSON.stringify(body);
  if (!packedFor) return reply.send(text);
  reply.header('vary', 'accept-encoding');
  const isWorthIt = text.length >= PACKED_BYTES_MIN && takesGzip(packedFor.headers);
  if (!isWorthIt) return reply.send(text);
  return reply.header('content-encoding', 'gzip').send(await promisify(gzip)(text));
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
