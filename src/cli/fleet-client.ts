/** Which coordinator is asked, and by whom: the options that all `uplift fleet` commands share. */
import { ApiClient, type ApiPlace } from '../api/client.ts';
import { isLoopback } from '../config/network-fields.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { usage, wholeNumber } from './inputs.ts';
import { tokenIn } from './job.ts';

export interface FleetAskOptions {
  socket?: string;
  api?: string;
  apiCa?: string;
  tokenFile?: string;
}

const SOCKET = '/run/uplift-fleet/fleet.sock';
const CA_BYTES_MAX = 1024 * 1024;
const PAGE_MAX = 1_000;

/** @throws UpliftError */
export function fleetClient({ socket, api, apiCa, tokenFile }: FleetAskOptions): ApiClient {
  const path = tokenFile ?? process.env['UPLIFT_TOKEN_FILE'];
  return new ApiClient(placeOf(socket, api, apiCa), {
    ...(path ? { token: tokenIn(path) } : {}),
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

function placeOf(socket?: string, api?: string, apiCa?: string): ApiPlace {
  const url = api ?? (socket === undefined ? process.env['UPLIFT_FLEET_API'] : undefined);
  if (!url) return { socket: socket ?? (process.env['UPLIFT_FLEET_SOCKET'] || SOCKET) };
  if (socket !== undefined) throw usage('--api', 'either --socket or --api', 'both');
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const host = parsed?.hostname.replace(/^\[|\]$/g, '') ?? '';
  const isSafe =
    parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopback(host));
  if (!isSafe) throw usage('--api', 'an address such as https://fleet.example:8471', url);
  return { url, ...(apiCa ? { ca: readBounded(apiCa, CA_BYTES_MAX, 'certificates of CAs') } : {}) };
}
