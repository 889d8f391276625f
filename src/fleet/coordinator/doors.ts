/**
 * The doors of a coordinator: one port for gateways, which are known by their certificates, and a Unix
 * socket and a port for people, as a gateway has them.
 */
import { ATTEMPT_LIMITS, AttemptCounter, type AttemptLimits } from '../../api/access.ts';
import { describeApi } from '../../api/describe.ts';
import { DOOR_LIMITS, type DoorLimits } from '../../api/doors.ts';
import { type Condition, HttpServer, type HttpServerOptions } from '../../api/http-server.ts';
import { builtPagesFolder, loadPages } from '../../api/pages.ts';
import type { ApiMetrics } from '../../api/route.ts';
import { TokenAccess } from '../../api/token-access.ts';
import type { GatewayConfig } from '../../config/gateway.ts';
import type { ListenAddress } from '../../config/network-fields.ts';
import type { Log, Timers } from '../../ports.ts';
import { FLEET_ROOT } from '../wire.ts';
import { BLOB_CACHE_LIMITS, BlobCache, type BlobCacheLimits } from './blob-cache.ts';
import type { GatewayDesk, OperatorDesk } from './control.ts';
import { GATEWAY_DOOR_PROBLEMS, OPERATOR_PROBLEMS } from './fleet-problems.ts';
import { GATEWAY_ROUTES, type GatewayWorld } from './gateway-routes.ts';
import { OPERATOR_ROUTES, type OperatorWorld } from './operator-routes.ts';
import { PinnedAccess } from './pinned-access.ts';
import { Turns } from './turns.ts';
import { WaitingRoom } from './waiting-room.ts';

export const OPERATOR_ROOT = '/api/v1';

export interface GatewayDoorConfig {
  listen: ListenAddress;
  tls: { certificateFile: string; keyFile: string };
  connectionsMax: number;
}

export interface FleetDoorsOptions {
  desk: GatewayDesk & OperatorDesk;
  gateways: GatewayDoorConfig;
  api: GatewayConfig['api'];
  timers: Timers;
  log: Log;
  /** Where they are served to viewers. */
  metrics?: ApiMetrics;
  onAnswered?: HttpServerOptions<unknown>['onAnswered'];
  /** Of Uplift. */
  version: string;
  limits?: Partial<FleetDoorLimits>;
}

export interface FleetDoorLimits extends AttemptLimits, BlobCacheLimits {
  gateways: Partial<DoorLimits>;
  people: Partial<DoorLimits>;
  intakesAtOnce: number;
  intakesWaitingMax: number;
  readingsAtOnce: number;
  stallMs: number;
}

const LIMITS: FleetDoorLimits = {
  ...ATTEMPT_LIMITS,
  ...BLOB_CACHE_LIMITS,
  // A gateway asks again on the connection on which it waited.
  gateways: { keepAliveMs: 75_000 },
  // An image is one request.
  people: { requestMs: 600_000 },
  intakesAtOnce: 16,
  intakesWaitingMax: 512,
  readingsAtOnce: 16,
  stallMs: 30_000,
};
/** One that is sent again while the connection of the first is not known to be lost. */
const INTAKES_OF_ONE = 2;
const REACHABLE_MS = 2_000;
const NO_BLOB = '0'.repeat(64);

export class FleetDoors {
  private readonly waiting: WaitingRoom;
  private readonly access: TokenAccess;
  private readonly forGateways: HttpServer<GatewayWorld>;
  private readonly forPeople: HttpServer<OperatorWorld>;
  private readonly unlisten: () => void;

  private constructor(
    waiting: WaitingRoom,
    access: TokenAccess,
    servers: [HttpServer<GatewayWorld>, HttpServer<OperatorWorld>],
    unlisten: () => void,
  ) {
    this.waiting = waiting;
    this.access = access;
    [this.forGateways, this.forPeople] = servers;
    this.unlisten = unlisten;
  }

  /** Opens every door, or none. @throws UpliftError */
  static async open(options: FleetDoorsOptions): Promise<FleetDoors> {
    const { desk, api, timers } = options;
    const limits = { ...LIMITS, ...options.limits };
    const access = new TokenAccess(api, timers, limits);
    const waiting = new WaitingRoom(timers);
    const unlisten = desk.onDesired((gateway) => waiting.wake(gateway));
    const condition = conditionOf(options);
    try {
      const forPeople = await openForPeople(options, limits, access, condition);
      try {
        const forGateways = await openForGateways(options, limits, waiting, condition);
        return new FleetDoors(waiting, access, [forGateways, forPeople], unlisten);
      } catch (error) {
        await forPeople.close(0);
        throw error;
      }
    } catch (error) {
      unlisten();
      throw error;
    }
  }

  /** Where gateways ask. */
  get gatewayAddress(): { host: string; port: number } {
    return this.forGateways.address!;
  }

  /** Where people ask, if there is a port. */
  get address(): { host: string; port: number } | undefined {
    return this.forPeople.address;
  }

  /** Gateways that wait for a change. */
  get waiters(): number {
    return this.waiting.size;
  }

  /** @throws ConfigError where the file is wrong; the old tokens stay */
  reloadTokens(): void {
    this.access.reload();
  }

  /** Whoever waits is answered, what is being told is taken, and nothing new is. */
  async close(graceMs?: number): Promise<void> {
    this.waiting.close();
    await Promise.all([this.forGateways.close(graceMs), this.forPeople.close(graceMs)]);
    this.unlisten();
  }
}

/** Both as documents for others. */
export function fleetOpenApi(version: string): Record<'operators' | 'gateways', object> {
  return {
    operators: describeApi({
      title: 'Uplift fleet',
      summary: 'Campaigns over many gateways: gateways, images, campaigns, audit.',
      version,
      root: OPERATOR_ROOT,
      routes: OPERATOR_ROUTES,
      problems: OPERATOR_PROBLEMS,
      security: ['token', 'certificate'],
    }),
    gateways: describeApi({
      title: 'Uplift fleet, for gateways',
      summary: 'What a gateway asks of its coordinator, known by the certificate it enrolled with.',
      version,
      root: FLEET_ROOT,
      routes: GATEWAY_ROUTES,
      problems: GATEWAY_DOOR_PROBLEMS,
      security: ['certificate'],
    }),
  };
}

function openForGateways(
  { desk, gateways, timers, log, onAnswered }: FleetDoorsOptions,
  limits: FleetDoorLimits,
  waiting: WaitingRoom,
  condition: () => Promise<Condition>,
): Promise<HttpServer<GatewayWorld>> {
  const { listen, tls, connectionsMax } = gateways;
  const world: GatewayWorld = {
    ...{ desk, timers, log, waiting, stallMs: limits.stallMs },
    attempts: new AttemptCounter(limits),
    blobs: new BlobCache(desk, limits),
    readings: new Turns({
      atOnce: limits.readingsAtOnce,
      waitingMax: connectionsMax,
      perHolderMax: connectionsMax,
    }),
    intakes: new Turns({
      atOnce: limits.intakesAtOnce,
      waitingMax: limits.intakesWaitingMax,
      perHolderMax: INTAKES_OF_ONE,
    }),
  };
  return HttpServer.start({
    api: {
      root: FLEET_ROOT,
      routes: GATEWAY_ROUTES,
      world,
      access: new PinnedAccess(desk),
      problems: GATEWAY_DOOR_PROBLEMS,
      condition,
    },
    doors: { tcp: { listen, tls: { ...tls, clientsArePinned: true } } },
    limits: { ...DOOR_LIMITS, connectionsMax, ...LIMITS.gateways, ...limits.gateways },
    log,
    ...(onAnswered ? { onAnswered } : {}),
  });
}

function openForPeople(
  { desk, api, metrics, log, version, onAnswered }: FleetDoorsOptions,
  limits: FleetDoorLimits,
  access: TokenAccess,
  condition: () => Promise<Condition>,
): Promise<HttpServer<OperatorWorld>> {
  const document = fleetOpenApi(version).operators;
  return HttpServer.start({
    api: {
      root: OPERATOR_ROOT,
      routes: OPERATOR_ROUTES,
      world: { desk, metrics, openApi: () => document },
      access,
      problems: OPERATOR_PROBLEMS,
      pages: loadPages(builtPagesFolder(), 'fleet.html'),
      condition,
    },
    doors: { socket: api.socket, tcp: api.tcp },
    limits: { ...DOOR_LIMITS, ...LIMITS.people, ...limits.people },
    log,
    ...(onAnswered ? { onAnswered } : {}),
  });
}

/** Ready while the database answers. Everybody may ask, so it is asked once for all who do at a time. */
function conditionOf({ desk, timers }: FleetDoorsOptions): () => Promise<Condition> {
  let asking: Promise<Condition> | undefined;
  const ask = async (): Promise<Condition> => {
    const isReady = await new Promise<boolean>((done) => {
      const late = timers.after(REACHABLE_MS, () => done(false));
      desk
        .hasBlob(NO_BLOB)
        .then(
          () => done(true),
          () => done(false),
        )
        .finally(() => late.cancel());
    });
    return { state: isReady ? 'ready' : 'degraded', isReady };
  };
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}
