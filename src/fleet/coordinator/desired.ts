/**
 * What a gateway should be doing: a level, made of what the database says now. Its version rises in the
 * transaction of every change to it. Most who ask know it, and cost one read.
 *
 * A campaign is told of to the gateways that have devices of it in hand (granted, taken or under way): to
 * be run; or, while it is paused, to start nothing of it. One that ended before its time (aborted,
 * expired, superseded) is told of as `abort` to gateways that have devices in hand still, until those
 * ended, or for a day (`toldMs`). A campaign that is not told of starts nothing either, so who comes
 * later misses nothing by that.
 *
 * The mark of the journal is told as it stands when the document is made, and has no part in its version.
 */
import type { Desired, DesiredCampaign } from '../wire.ts';
import { WIRE_LIMITS } from '../wire.ts';
import type { CampaignState } from './control.ts';
import { among, type Change, type DatabaseKind, type Db, sql } from './database.ts';
import { IN_HAND } from './event-effects.ts';
import { isSeenLongAgo, mustBeEnrolled, noteSeen } from './gateways.ts';
import { Gathered } from './gathered.ts';
import { refusedFleet } from './refusals.ts';
import type { CampaignTable, GatewayTable } from './schema.ts';
import type { Desk } from './settings.ts';

const CAMPAIGNS_MAX = 256;
/** Gateways, in one question of the database. */
export const READING = { atOnce: 2, most: 100 };
const COURSE_OF: Partial<Record<CampaignState, DesiredCampaign['course']>> = {
  running: 'run',
  held: 'run',
  paused: 'pause',
};

/** How desired states are read: those that are asked for at a time, together. */
export class DesiredReader {
  private readonly desk: Desk;
  private readonly rows: Gathered<string, GatewayTable | undefined>;
  private readonly campaigns: Gathered<string, Campaigns>;
  private readonly seen: Gathered<string, undefined>;

  constructor(desk: Desk) {
    this.desk = desk;
    const { database } = desk;
    this.rows = new Gathered(
      (ids) => database.ask((db) => rowsFor(db, database.kind, ids)),
      READING,
    );
    this.campaigns = new Gathered(
      (ids) => database.ask((db) => campaignsFor(db, database.kind, ids)),
      READING,
    );
    this.seen = new Gathered((ids) => noteSeen(desk, ids), { ...READING, atOnce: 1 });
  }

  /** Undefined where `known` is what it still is. @throws UpliftError */
  async desiredOf(gateway: string, known: number | undefined): Promise<Desired | undefined> {
    const row = await this.rows.one(gateway);
    if (!row) throw refusedFleet('gateway-unknown', gateway);
    mustBeEnrolled(row);
    if (isSeenLongAgo(row, this.desk.timers.nowMs())) await this.seen.one(gateway);
    if (row.desired_version === known) return undefined;
    // Read after the version: what is newer than it is told again with the next.
    return documentOf(row, await this.campaigns.one(gateway), this.desk);
  }
}

/**
 * A change of what these should be doing; their rows are locked from then on, always in one order.
 * @param isUrgent whoever waits hears of it
 */
export async function raiseDesired(
  change: Change,
  gateways: readonly string[],
  atMs: number,
  isUrgent: boolean,
): Promise<void> {
  if (gateways.length === 0) return;
  const { db, kind } = change;
  await lockGateways(change, gateways);
  await sql`update gateways set desired_version = desired_version + 1, desired_ms = ${atMs}
    where id ${among(kind, gateways)}`.execute(db);
  if (isUrgent) for (const gateway of gateways) change.wake.add(gateway);
}

export async function lockGateways(
  { db, kind }: Change,
  gateways: readonly string[],
): Promise<readonly GatewayTable[]> {
  const lock = kind === 'postgres' ? sql`for update` : sql``;
  const query = sql<GatewayTable>`select * from gateways where id ${among(kind, gateways)}
    order by id ${lock}`;
  return (await query.execute(db)).rows;
}

/** Those whose desired state changed since: for whoever may have missed to be told. */
export async function changedSince(db: Db, sinceMs: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('gateways')
    .select('id')
    .where('desired_ms', '>=', sinceMs)
    .execute();
  return rows.map(({ id }) => id);
}

type Campaigns = readonly DesiredCampaign[];

function documentOf(row: GatewayTable, campaigns: Campaigns, { settings }: Desk): Desired {
  const { desired_version: version, journal_sequence: sequence, journal_hash: hash } = row;
  return {
    version,
    pollMs: settings.pollMs,
    ...(sequence === null || hash === null ? {} : { journal: { sequence, hash } }),
    campaigns: [...campaigns],
  };
}

/** In the order of these. */
async function rowsFor(
  db: Db,
  kind: DatabaseKind,
  ids: readonly string[],
): Promise<readonly (GatewayTable | undefined)[]> {
  const found =
    await sql<GatewayTable>`select * from gateways where id ${among(kind, ids)}`.execute(db);
  const rows = new Map(found.rows.map((row) => [row.id, row]));
  return ids.map((id) => rows.get(id));
}

interface InHand {
  gateway: string;
  campaign: string;
  device: string;
  attempt: number;
}

/** In the order of these. */
async function campaignsFor(
  db: Db,
  kind: DatabaseKind,
  ids: readonly string[],
): Promise<readonly Campaigns[]> {
  const found = await sql<InHand>`select gateway, campaign, device, attempt from campaign_devices
    where gateway ${among(kind, ids)} and state ${among(kind, IN_HAND)}
    order by gateway, campaign, device`.execute(db);
  const told = await toldOf(db, [...new Set(found.rows.map(({ campaign }) => campaign))]);
  const ofGateway = new Map(ids.map((id): [string, InHand[]] => [id, []]));
  for (const row of found.rows) ofGateway.get(row.gateway)!.push(row);
  return ids.map((id) => {
    const inHand = ofGateway.get(id)!;
    return told
      .filter(({ digest }) => inHand.some(({ campaign }) => campaign === digest))
      .slice(0, CAMPAIGNS_MAX)
      .map((row) => entryOf(row, inHand));
  });
}

type Told = Pick<CampaignTable, 'digest' | 'id' | 'document' | 'document_bytes' | 'state'>;

/** Of these, those that gateways are told of: the ones that were started last first. */
async function toldOf(db: Db, digests: readonly string[]): Promise<readonly Told[]> {
  if (digests.length === 0) return [];
  return db
    .selectFrom('campaigns')
    .select(['digest', 'id', 'document', 'document_bytes', 'state'])
    .where('digest', 'in', digests)
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['running', 'held', 'paused']),
        eb('told_until_ms', 'is not', null),
      ]),
    )
    .orderBy('started_ms', 'desc')
    .orderBy('digest')
    .execute();
}

function entryOf(
  { digest, id, document, document_bytes: bytes, state }: Told,
  inHand: readonly InHand[],
): DesiredCampaign {
  const course = COURSE_OF[state] ?? 'abort';
  const devices = course === 'run' ? inHand.filter(({ campaign }) => campaign === digest) : [];
  return {
    id,
    digest,
    document: { sha256: document, bytes },
    course,
    devices: devices
      .slice(0, WIRE_LIMITS.devicesMax)
      .map(({ device, attempt }) => ({ device, attempt })),
  };
}
