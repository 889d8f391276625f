/** Where a service is asked: the options, and the variables that stand in for them. */
import type { ApiPlace } from '../api/client.ts';
import { isLoopback } from '../config/network-fields.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { usage } from './inputs.ts';

export interface PlaceOptions {
  socket?: string;
  api?: string;
  apiCa?: string;
  tokenFile?: string;
}

export interface PlaceDefaults {
  socket: string;
  /** Names of environment variables. */
  socketVariable: string;
  apiVariable: string;
  /** An address to show whoever wrote none. */
  example: string;
}

const CA_BYTES_MAX = 1024 * 1024;
const TOKEN_BYTES_MAX = 1024;

/** What is written goes before what the environment says. @throws UpliftError */
export function placeOf({ socket, api, apiCa }: PlaceOptions, defaults: PlaceDefaults): ApiPlace {
  const { socketVariable, apiVariable, example } = defaults;
  const url = api ?? (socket === undefined ? process.env[apiVariable] : undefined);
  if (!url) return { socket: socket ?? (process.env[socketVariable] || defaults.socket) };
  if (socket !== undefined) throw usage('--api', 'either --socket or --api', 'both');
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const host = parsed?.hostname.replace(/^\[|\]$/g, '') ?? '';
  const isSafe =
    parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopback(host));
  if (!isSafe) throw usage('--api', `an address such as ${example}`, url);
  return { url, ...(apiCa ? { ca: readBounded(apiCa, CA_BYTES_MAX, 'certificates of CAs') } : {}) };
}

/** Who asks, where they are to be known. @throws UpliftError where the file cannot be read */
export function tokenOf({ tokenFile }: PlaceOptions): { token?: string } {
  const path = tokenFile ?? process.env['UPLIFT_TOKEN_FILE'];
  return path ? { token: tokenIn(path) } : {};
}

export function tokenIn(path: string): string {
  const bytes = readBounded(path, TOKEN_BYTES_MAX, 'the file of the token');
  return Buffer.from(bytes).toString('latin1').trim();
}
