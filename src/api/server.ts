/**
 * The HTTP API of a gateway. Nothing of it waits in the way of an upgrade: what the gateway is
 * asked it answers at once or refuses.
 */
import type { GatewayConfig } from '../config/gateway.ts';
import type { GatewayControl } from '../gateway/control.ts';
import type { Log, Timers } from '../ports.ts';
import { ATTEMPT_LIMITS, type AttemptLimits } from './access.ts';
import { DOOR_LIMITS, type DoorLimits } from './doors.ts';
import { EVENT_LIMITS, type EventLimits, EventStream } from './events.ts';
import { GATEWAY_PROBLEMS } from './gateway-problems.ts';
import type { ApiWorld } from './gateway-route.ts';
import { HttpServer } from './http-server.ts';
import { openApiOf } from './openapi.ts';
import { builtPagesFolder, loadPages } from './pages.ts';
import type { ApiMetrics } from './route.ts';
import { API_ROOT, ROUTES } from './routes.ts';
import { TokenAccess } from './token-access.ts';

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
  /** The folder of the page; absent: where it is built. */
  pages?: string;
  limits?: Partial<DoorLimits & EventLimits & AttemptLimits>;
}

export class ApiServer {
  readonly events: EventStream;
  private readonly access: TokenAccess;
  private readonly http: HttpServer<ApiWorld>;

  private constructor(events: EventStream, access: TokenAccess, http: HttpServer<ApiWorld>) {
    this.events = events;
    this.access = access;
    this.http = http;
  }

  /** Opens every door, or none. @throws UpliftError */
  static async start(options: ApiOptions): Promise<ApiServer> {
    const { control, config, timers, metrics, log } = options;
    const limits = { ...DOOR_LIMITS, ...EVENT_LIMITS, ...ATTEMPT_LIMITS, ...options.limits };
    const access = new TokenAccess(config, timers, limits);
    const events = new EventStream(control, timers, limits);
    const document = openApiOf(options.version);
    const world = { control, clock: timers, events, metrics, openApi: () => document };
    const condition = () => {
      const { state } = control.health();
      return { state, isReady: state === 'ready' };
    };
    const api = { root: API_ROOT, routes: ROUTES, world, access, problems: GATEWAY_PROBLEMS };
    const pages = loadPages(options.pages ?? builtPagesFolder());
    try {
      const http = await HttpServer.start({
        api: { ...api, pages, condition },
        doors: { socket: config.socket, tcp: config.tcp },
        limits,
        log,
      });
      return new ApiServer(events, access, http);
    } catch (error) {
      events.close();
      throw error;
    }
  }

  /** Where the port is, if there is one. */
  get address(): { host: string; port: number } | undefined {
    return this.http.address;
  }

  /**
   * Reads the file of tokens again; what is wrong in it leaves the old ones. @throws ConfigError
   */
  reloadTokens(): void {
    this.access.reload();
  }

  /** Streams end, requests that are under way are answered, and no new ones are taken. */
  async close(graceMs?: number): Promise<void> {
    this.events.close();
    await this.http.close(graceMs);
  }
}
