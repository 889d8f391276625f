/**
 * What gateways tell of: a stretch of a journal is taken whole, in one transaction under the lock of the
 * gateway's row, or it changes nothing. Its events, what they make of devices and how far the journal is
 * here are so many statements whether it has one event or two thousand.
 */
import type {
  CampaignRefusedEvent,
  EventBatch,
  EventsTaken,
  FleetEvent,
  JournalMark,
} from '../wire.ts';
import { appendAudit, COORDINATOR_ACTOR } from './audit.ts';
import { type Change, type Fragment, rowsOf, sql, together } from './database.ts';
import { changesDesired, type DeviceStanding, standingAfter } from './event-effects.ts';
import { mustBeEnrolled, takeGateway } from './gateways.ts';
import { isRefusal, type StretchStanding, stretchStanding } from './journal-stretch.ts';
import type { Manifests } from './manifests.ts';
import { refusedFleet } from './refusals.ts';
import type { GatewayTable } from './schema.ts';
import type { Desk } from './settings.ts';

/** What keeps a gateway from telling any more, until somebody acts. */
type Trouble = 'events-forked' | 'event-of-other';

type Taken =
  | { standing: Exclude<StretchStanding, 'next'>; mark: JournalMark | undefined }
  | { standing: 'other'; about: string }
  | { standing: 'next'; mark: JournalMark; isTouched: boolean };

/** @returns also whether campaigns are to be evaluated */
export async function takeEvents(
  desk: Desk,
  manifests: Manifests,
  gateway: string,
  batch: EventBatch,
): Promise<EventsTaken & { isTouched: boolean }> {
  const atMs = desk.timers.nowMs();
  const taken = await desk.database.change<Taken>(async (change) => {
    const row = await takeGateway(change, gateway);
    mustBeEnrolled(row);
    const mark = markOf(row);
    const standing = stretchStanding(mark, batch);
    if (standing === 'forked') await noteTrouble(change, row, 'events-forked', atMs);
    if (standing === 'repeated') await noteHeard(change, gateway, atMs);
    if (standing !== 'next') return { standing, mark };
    const effects = await effectsOf(change, manifests, row, batch);
    if ('other' in effects) {
      await noteTrouble(change, row, 'event-of-other', atMs);
      return { standing: 'other', about: effects.other };
    }
    await keep(change, row, batch, effects, atMs);
    return { standing, mark: batch.through, isTouched: effects.campaigns.length > 0 };
  });
  switch (taken.standing) {
    case 'gap':
      throw refusedFleet(
        'events-gap',
        taken.mark ? `it ends at ${taken.mark.sequence}` : 'none yet',
      );
    case 'forked':
      throw refusedFleet('events-forked', `record ${taken.mark?.sequence} has another hash`);
    case 'disordered':
      throw refusedFleet('events-order');
    case 'other':
      throw refusedFleet('event-of-other', taken.about);
    case 'repeated':
      return { journal: taken.mark!, isTouched: false };
    case 'next':
      return { journal: taken.mark, isTouched: taken.isTouched };
  }
}

interface Effects {
  changed: readonly DeviceStanding[];
  /** Digests of those whose devices changed. */
  campaigns: readonly string[];
  isDesiredChanged: boolean;
}

/** Or what of it is another's. */
async function effectsOf(
  { db, kind }: Change,
  manifests: Manifests,
  { id, epoch }: GatewayTable,
  { events }: EventBatch,
): Promise<Effects | { other: string }> {
  if (events.length === 0) return { changed: [], campaigns: [], isDesiredChanged: false };
  const digests = [...new Set(events.map(({ campaign }) => campaign))];
  const known = await manifests.byDigest(db, digests);
  const unknown = digests.find((digest) => !known.has(digest));
  if (unknown !== undefined) return { other: `campaign ${unknown}` };
  const progress = events.filter((event) => !isRefusal(event)) as FleetEvent[];
  const keys = [...new Set(progress.map(keyOf))].map((key) => key.split(' '));
  const found = await sql<DeviceStanding>`
    select campaign, device, gateway, state, attempt, phase, failure, code, detail, runs, epoch,
      sequence, granted_ms
    from ${rowsOf(kind, keys)} join campaign_devices d
      on d.campaign = value->>0 and d.device = value->>1
    where gateway = ${id}`.execute(db);
  const before = new Map(found.rows.map((row) => [keyOf(row), row]));
  const after = new Map<string, DeviceStanding>();
  for (const event of progress) {
    const key = keyOf(event);
    const standing = after.get(key) ?? before.get(key);
    if (!standing) return { other: event.device };
    const { activation } = known.get(event.campaign)!;
    const next = standingAfter(standing, event, epoch, activation);
    if (next) after.set(key, next);
  }
  const changed = [...after.values()];
  const refused = events.filter(isRefusal);
  return {
    changed,
    campaigns: [...new Set([...changed, ...refused].map(({ campaign }) => campaign))],
    isDesiredChanged:
      refused.length > 0 ||
      changed.some((standing) => changesDesired(before.get(keyOf(standing))!, standing)),
  };
}

async function keep(
  change: Change,
  { id, epoch, trouble }: GatewayTable,
  { events, through }: EventBatch,
  { changed, campaigns, isDesiredChanged }: Effects,
  atMs: number,
): Promise<void> {
  const { kind } = change;
  // A fork stays until it enrols anew: one of two told the truth, and nobody knows which.
  const kept = trouble === 'events-forked' ? trouble : null;
  await together(change, [
    ...(events.length > 0 ? [insertEvents(kind, id, epoch, events)] : []),
    ...(changed.length > 0 ? [updateDevices(kind, changed, atMs), ...carriedOut(id, changed)] : []),
    ...campaigns.map((digest) => sql`insert into touches (campaign) values (${digest})`),
    sql`update gateways set journal_sequence = ${through.sequence}, journal_hash = ${through.hash},
      seen_ms = ${atMs}, trouble = ${kept},
      desired_version = desired_version + ${sql.lit(isDesiredChanged ? 1 : 0)}
      where id = ${id}`,
  ]);
  for (const event of events.filter(isRefusal)) await keepRefusal(change, id, event, atMs);
}

function insertEvents(
  kind: Change['kind'],
  gateway: string,
  epoch: number,
  events: EventBatch['events'],
): Fragment {
  const rows = events.map((event) => {
    const own = [event.sequence, event.campaign, event.atMs];
    if (isRefusal(event)) {
      return [...own, '', null, 'campaign-refused', event.refused, event.detail ?? null, 0, null];
    }
    const { device, attempt, phase, code = null, detail = null, withdrawn, runs = null } = event;
    return [...own, device, attempt, phase, code, detail, withdrawn ? 1 : 0, runs];
  });
  return sql`insert into events (gateway, epoch, sequence, campaign, at_ms, device, attempt, phase,
      code, detail, withdrawn, runs)
    select cast(${gateway} as text), cast(${epoch} as integer), cast(value->>0 as bigint), value->>1,
      cast(value->>2 as bigint), value->>3, cast(value->>4 as integer), value->>5, value->>6,
      value->>7, cast(value->>8 as integer), value->>9
    from ${rowsOf(kind, rows)}`;
}

function updateDevices(
  kind: Change['kind'],
  standings: readonly DeviceStanding[],
  atMs: number,
): Fragment {
  const rows = standings.map((row) => {
    const { campaign, device, state, attempt, phase, failure, code, detail, runs } = row;
    const own = [campaign, device, state, attempt, phase, failure, code, detail, runs];
    return [...own, row.epoch, row.sequence, row.granted_ms];
  });
  return sql`update campaign_devices as d set state = value->>2,
      attempt = cast(value->>3 as integer), phase = value->>4, failure = value->>5,
      code = value->>6, detail = value->>7, runs = value->>8, epoch = cast(value->>9 as integer),
      sequence = cast(value->>10 as bigint), granted_ms = cast(value->>11 as bigint),
      changed_ms = cast(${atMs} as bigint)
    from ${rowsOf(kind, rows)}
    where d.campaign = value->>0 and d.device = value->>1`;
}

/** A campaign that is carried out is not refused any more. */
function carriedOut(gateway: string, changed: readonly DeviceStanding[]): readonly Fragment[] {
  const digests = [...new Set(changed.map(({ campaign }) => campaign))];
  return digests.map(
    (digest) => sql`delete from campaign_refusals
      where campaign = ${digest} and gateway = ${gateway}`,
  );
}

/** What it was granted of a campaign that it refuses is free for others. */
async function keepRefusal(
  { db }: Change,
  gateway: string,
  { campaign, refused, detail }: CampaignRefusedEvent,
  atMs: number,
): Promise<void> {
  const said = { code: refused, detail: detail ?? null, at_ms: atMs };
  await db
    .insertInto('campaign_refusals')
    .values({ campaign, gateway, ...said })
    .onConflict((clash) => clash.columns(['campaign', 'gateway']).doUpdateSet(said))
    .execute();
  await db
    .updateTable('campaign_devices')
    .set({ state: 'pending', granted_ms: null, changed_ms: atMs })
    .where('campaign', '=', campaign)
    .where('gateway', '=', gateway)
    .where('state', '=', 'granted')
    .execute();
}

/** Audited once, however often it is told again. */
async function noteTrouble(
  change: Change,
  { id, trouble }: GatewayTable,
  found: Trouble,
  atMs: number,
): Promise<void> {
  if (trouble === found || trouble === 'events-forked') return;
  await change.db.updateTable('gateways').set({ trouble: found }).where('id', '=', id).execute();
  const by = COORDINATOR_ACTOR;
  appendAudit(change, { atMs, by, what: 'gateway-trouble', about: id, detail: found });
}

async function noteHeard({ db }: Change, gateway: string, atMs: number): Promise<void> {
  await db.updateTable('gateways').set({ seen_ms: atMs }).where('id', '=', gateway).execute();
}

function markOf({ journal_sequence, journal_hash }: GatewayTable): JournalMark | undefined {
  if (journal_sequence === null || journal_hash === null) return undefined;
  return { sequence: journal_sequence, hash: journal_hash };
}

function keyOf({ campaign, device }: { campaign: string; device: string }): string {
  return `${campaign} ${device}`;
}
