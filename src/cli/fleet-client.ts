/** Which coordinator is asked, and by whom: the options that all `uplift fleet` commands share. */
import { ApiClient } from '../api/client.ts';
import { type PlaceOptions, placeOf, tokenOf } from './api-place.ts';
import { usage, wholeNumber } from './inputs.ts';

export type FleetAskOptions = PlaceOptions;

const COORDINATOR = {
  socket: '/run/uplift-fleet/fleet.sock',
  socketVariable: 'UPLIFT_FLEET_SOCKET',
  apiVariable: 'UPLIFT_FLEET_API',
  example: 'https://fleet.example:8471',
};
const PAGE_MAX = 1_000;

/** @throws UpliftError */
export function fleetClient(options: FleetAskOptions): ApiClient {
  return new ApiClient(placeOf(options, COORDINATOR), {
    ...tokenOf(options),
    served: {
      name: 'coordinator',
      start: 'start it (uplift fleet serve), or name its place with --socket or --api',
    },
  });
}

/** In a path. @throws UpliftError where it is none that a coordinator knows anything by */
export function named(what: string, name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name;
  throw usage(what, 'a name of letters, digits, dots, hyphens and underscores, 64 at most', name);
}

export function lastOf(last: string): number {
  const limit = wholeNumber(last, '--last');
  if (limit < 1 || limit > PAGE_MAX) throw usage('--last', `1 to ${PAGE_MAX}`, last);
  return limit;
}

export function momentText(ms: number | undefined): string {
  return ms === undefined ? '-' : `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
