/** What gateways ask of a coordinator; see the head of wire.ts. */
import type { AttemptCounter } from '../../api/access.ts';
import { ApiError } from '../../api/problem.ts';
import { type Answer, type Call, type RouteShape, routeMaker } from '../../api/route.ts';
import { z } from '../../config/fields.ts';
import { UpliftError } from '../../errors.ts';
import type { Log, Timers } from '../../ports.ts';
import {
  type Desired,
  desired,
  enrolled,
  enrolment,
  eventBatch,
  eventsTaken,
  inventory,
  sha256,
  WIRE_LIMITS,
  wireName,
} from '../wire.ts';
import type { BlobCache } from './blob-cache.ts';
import { byteRange, matchesNone } from './byte-range.ts';
import type { GatewayDesk } from './control.ts';
import { type FleetDoorCode, FleetError } from './fleet-problems.ts';
import { pourPieces } from './pour-pieces.ts';
import type { Turns } from './turns.ts';
import type { WaitingRoom } from './waiting-room.ts';

export interface GatewayWorld {
  desk: GatewayDesk;
  timers: Timers;
  log: Log;
  /** By addresses that showed tokens which are none. */
  attempts: AttemptCounter;
  waiting: WaitingRoom;
  /** Of reading what is wanted, and of taking what is told. */
  readings: Turns;
  intakes: Turns;
  blobs: BlobCache;
  /** Of a client that reads nothing of a blob. */
  stallMs: number;
}

type GatewayCall<B = undefined> = Call<{ gateway: string }, undefined, B>;

const ENROLMENT_BYTES_MAX = 4 * 1024;
const A_YEAR_S = 31_536_000;

const inGateway = z.strictObject({ gateway: wireName });
const inBlob = z.strictObject({ sha256 });

const route = routeMaker<GatewayWorld, FleetDoorCode>();

const routes: RouteShape<GatewayWorld>[] = [
  route({
    operation: 'enrol',
    method: 'POST',
    path: '/enrolment',
    role: 'certificate',
    summary: 'Makes the certificate of this connection that of a gateway: once for each token.',
    body: { kind: 'json', schema: enrolment, bytesMax: ENROLMENT_BYTES_MAX, mayBePacked: true },
    answers: { 200: enrolled },
    refuses: [
      'certificate-missing',
      'token-unknown',
      'certificate-in-use',
      'gateway-revoked',
      'gateway-unknown',
    ],
    handle: enrol,
  }),
  route({
    operation: 'desired',
    method: 'GET',
    path: '/gw/{gateway}/desired',
    role: 'gateway',
    summary: `What it should be doing. \`Prefer: wait=N\` waits for a change, ${WIRE_LIMITS.waitSecondsMax} s at most.`,
    params: inGateway,
    asks: [
      { name: 'If-None-Match', description: 'The version it has.', pattern: '.*' },
      { name: 'Prefer', description: '`wait=N`: for so many seconds.', pattern: '.*' },
    ],
    answers: { 200: desired, 304: null },
    headers: { etag: 'The version, in quotes.', 'preference-applied': 'How long it may wait.' },
    isPacked: true,
    refuses: ['certificate-missing', 'gateway-unknown', 'busy'],
    handle: tellDesired,
  }),
  route({
    operation: 'events',
    method: 'POST',
    path: '/gw/{gateway}/events',
    role: 'gateway',
    summary: 'A stretch of its journal, which follows what was told before.',
    params: inGateway,
    body: {
      kind: 'json',
      schema: eventBatch,
      bytesMax: WIRE_LIMITS.eventsBytesMax,
      mayBePacked: true,
    },
    answers: { 200: eventsTaken },
    headers: { 'retry-after': 'Where the next is to wait.' },
    refuses: [
      'certificate-missing',
      'gateway-unknown',
      'events-gap',
      'events-forked',
      'event-of-other',
      'events-order',
      'busy',
    ],
    turn: ({ gateway = '' }, { intakes }) => intakes.take(gateway),
    async handle({ params, body }, { desk }) {
      const taken = await desk.takeEvents(params.gateway, body);
      const { retryAfterMs } = taken;
      const wait: Record<string, string> = retryAfterMs
        ? { 'retry-after': `${Math.ceil(retryAfterMs / 1_000)}` }
        : {};
      return { status: 200, body: taken, headers: wait };
    },
  }),
  route({
    operation: 'inventory',
    method: 'POST',
    path: '/gw/{gateway}/inventory',
    role: 'gateway',
    summary: 'All its devices, in place of those that it told of before.',
    params: inGateway,
    body: {
      kind: 'json',
      schema: inventory,
      bytesMax: WIRE_LIMITS.inventoryBytesMax,
      mayBePacked: true,
    },
    answers: { 204: null },
    refuses: ['certificate-missing', 'gateway-unknown', 'busy'],
    turn: ({ gateway = '' }, { intakes }) => intakes.take(gateway),
    async handle({ params, body }, { desk }) {
      await desk.takeInventory(params.gateway, body);
      return { status: 204 };
    },
  }),
  route({
    operation: 'blob',
    method: 'GET',
    path: '/blob/sha256/{sha256}',
    role: 'gateway',
    summary: 'An image or a signed campaign, or one range of its bytes.',
    params: inBlob,
    asks: [
      { name: 'Range', description: 'One range; of several, the whole is given.', pattern: '.*' },
      { name: 'If-Range', description: 'The ETag that the range is of.', pattern: '.*' },
      { name: 'If-None-Match', description: 'ETags that need not be sent.', pattern: '.*' },
    ],
    answers: {
      200: 'application/octet-stream',
      206: 'application/octet-stream',
      304: null,
      416: null,
    },
    headers: {
      etag: 'SHA-256 in 64 digits, in quotes.',
      'accept-ranges': '`bytes`.',
      'content-range': 'With 206 and 416.',
    },
    refuses: ['certificate-missing', 'gateway-unknown', 'blob-unknown'],
    handle: giveBlob,
  }),
];

/** Each is about what is in the database. */
export const GATEWAY_ROUTES: readonly RouteShape<GatewayWorld>[] = routes.map((one) => ({
  ...one,
  refuses: [...one.refuses, 'database-away'],
}));

async function enrol(
  { body, who, address }: Call<undefined, undefined, z.output<typeof enrolment>>,
  { desk, attempts, timers }: GatewayWorld,
): Promise<Answer> {
  const { token, gateway, version } = body;
  const certificate = who.certificate!;
  if (attempts.isBarred(address, timers.nowMs())) throw new ApiError('attempts-many');
  try {
    await desk.enrol(token, gateway, version, certificate);
  } catch (error) {
    const isGuess = error instanceof UpliftError && error.code === 'token-unknown';
    if (isGuess) attempts.failed(address, timers.nowMs());
    throw error;
  }
  return { status: 200, body: { gateway, fleet: desk.fleet, certificate } };
}

async function tellDesired(
  { params: { gateway }, headers, onGone }: GatewayCall,
  { desk, waiting, readings }: GatewayWorld,
): Promise<Answer> {
  const ifNoneMatch = headerOf(headers['if-none-match']);
  const known = versionIn(ifNoneMatch);
  const seconds = waitIn(headerOf(headers['prefer']));
  const applied: Record<string, string> =
    seconds > 0 ? { 'preference-applied': `wait=${seconds}` } : {};
  const read = async (): Promise<Desired | undefined> => {
    const done = await readings.take(gateway);
    try {
      return await desk.desired(gateway, known);
    } finally {
      done();
    }
  };
  const wait = known !== undefined && seconds > 0 && waiting.begin(gateway, seconds * 1_000);
  try {
    if (wait) onGone(wait.end);
    let found = await read();
    while (wait && !found) {
      const how = await wait.next();
      found = await read();
      if (how === 'over') break;
    }
    const etag = `"${found?.version ?? known}"`;
    if (!found || matchesNone(ifNoneMatch, etag)) {
      return { status: 304, headers: { etag, ...applied } };
    }
    return { status: 200, body: found, headers: { etag, ...applied } };
  } finally {
    if (wait) wait.end();
  }
}

async function giveBlob(
  { params, headers }: Call<{ sha256: string }, undefined, undefined>,
  { blobs, timers, stallMs, log }: GatewayWorld,
): Promise<Answer> {
  const found = await blobs.find(params.sha256);
  if (!found) throw new FleetError('blob-unknown', { actual: params.sha256 });
  const { bytes } = found;
  const etag = `"${params.sha256}"`;
  const lasting = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': `private, max-age=${A_YEAR_S}, immutable`,
  };
  if (matchesNone(headerOf(headers['if-none-match']), etag)) {
    return { status: 304, headers: lasting, pour: (response) => response.end() };
  }
  const [range, ifRange] = [headerOf(headers['range']), headerOf(headers['if-range'])];
  const wanted = byteRange(range, ifRange, etag, bytes);
  if (wanted.kind === 'unsatisfiable') {
    const none = { 'content-range': `bytes */${bytes}`, 'content-length': '0' };
    return { status: 416, headers: { ...none, etag }, pour: (response) => response.end() };
  }
  const [offset, end] = wanted.kind === 'whole' ? [0, bytes] : [wanted.offset, wanted.end];
  const part: Record<string, string> =
    wanted.kind === 'part' ? { 'content-range': `bytes ${offset}-${end - 1}/${bytes}` } : {};
  return {
    status: wanted.kind === 'part' ? 206 : 200,
    headers: {
      ...lasting,
      ...part,
      'content-type': 'application/octet-stream',
      'content-length': `${end - offset}`,
    },
    pour(response) {
      void pourPieces(blobs.read(params.sha256, offset, end), response, { timers, stallMs, log });
    },
  };
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Of one version, which is what gateways send; several are compared when it is known what there is. */
function versionIn(ifNoneMatch: string | undefined): number | undefined {
  const [, digits] = /^\s*(?:W\/)?"(\d{1,15})"\s*$/.exec(ifNoneMatch ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** RFC 7240, 4.3. */
function waitIn(prefer: string | undefined): number {
  const [, digits] = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(prefer ?? '') ?? [];
  return Math.min(Number(digits ?? 0), WIRE_LIMITS.waitSecondsMax);
}
