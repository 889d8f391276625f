/** What the routes of a gateway work on, and what they may refuse with. */
import type { GatewayControl } from '../gateway/control.ts';
import type { Clock } from '../ports.ts';
import type { EventStream } from './events.ts';
import type { GatewayCode } from './gateway-problems.ts';
import type { ApiCode } from './problem.ts';
import { type ApiMetrics, type RouteShape, routeMaker } from './route.ts';

export { type ByteStream, JSON_BYTES_MAX } from './route.ts';

/** Whatever writes is refused so while the store or the gateway is not well. */
export const UNWELL = ['not-accepting', 'faulted', 'no-space', 'io'] as const;

export interface ApiWorld {
  control: GatewayControl;
  clock: Clock;
  events: EventStream;
  metrics: ApiMetrics | undefined;
  openApi(): unknown;
}

export type GatewayRoute = RouteShape<ApiWorld>;

export const route = routeMaker<ApiWorld, ApiCode | GatewayCode>();
