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
import { among, type Change, type Db, sql } from './database.ts';
import { IN_HAND } from './event-effects.ts';
import { mustBeEnrolled, noteSeen } from './gateways.ts';
import { refusedFleet } from './refusals.ts';
import type { CampaignTable, GatewayTable } from './schema.ts';
import type { Desk } from './settings.ts';

const CAMPAIGNS_MAX = 256;
const COURSE_OF: Partial<Record<CampaignState, DesiredCampaign['course']>> = {
  running: 'run',
  held: 'run',
  paused: 'pause',
};

export async function desiredOf(
  desk: Desk,
  gateway: string,
  known: number | undefined,
): Promise<Desired | undefined> {
  const row = await desk.database.ask((db) =>
    db.selectFrom('gateways').selectAll().where('id', '=', gateway).executeTakeFirst(),
  );
  if (!row) throw refusedFleet('gateway-unknown', gateway);
  mustBeEnrolled(row);
  await noteSeen(desk, row);
  if (row.desired_version === known) return undefined;
  // Read after the version: what is newer than it is told again with the next.
  return desk.database.ask(async (db) => documentOf(row, await campaignsFor(db, gateway), desk));
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

async function campaignsFor(db: Db, gateway: string): Promise<Campaigns> {
  const inHand = await db
    .selectFrom('campaign_devices')
    .select(['campaign', 'device', 'attempt'])
    .where('gateway', '=', gateway)
    .where('state', 'in', IN_HAND)
    .orderBy('campaign')
    .orderBy('device')
    .execute();
  if (inHand.length === 0) return [];
  const campaigns = await db
    .selectFrom('campaigns')
    .select(['digest', 'id', 'document', 'document_bytes', 'state', 'told_until_ms'])
    .where('digest', 'in', [...new Set(inHand.map(({ campaign }) => campaign))])
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['running', 'held', 'paused']),
        eb('told_until_ms', 'is not', null),
      ]),
    )
    .orderBy('started_ms', 'desc')
    .orderBy('digest')
    .limit(CAMPAIGNS_MAX)
    .execute();
  return campaigns.map((row) => entryOf(row, inHand));
}

function entryOf(
  {
    digest,
    id,
    document,
    document_bytes: bytes,
    state,
  }: Pick<CampaignTable, 'digest' | 'id' | 'document' | 'document_bytes' | 'state'>,
  inHand: readonly { campaign: string; device: string; attempt: number }[],
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
