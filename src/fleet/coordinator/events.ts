/**
 * What gateways tell of: a stretch of a journal is taken whole, in one transaction under the lock of the
 * gateway's row, or it changes nothing. Stretches of several gateways are taken in one transaction: their
 * events, what they make of devices and how far each journal is here are so many statements whether it is
 * one stretch of one event or a hundred of twenty. What is wrong with one of them is no matter to the others.
 */
import type { CampaignRefusedEvent, EventBatch, EventsTaken, JournalMark } from '../wire.ts';
import { appendAudit, COORDINATOR_ACTOR } from './audit.ts';
import { among, type Change, type Fragment, rowsOf, sql, together } from './database.ts';
import { lockGateways } from './desired.ts';
import { changesDesired, type DeviceStanding, standingAfter } from './event-effects.ts';
import { mustBeEnrolled } from './gateways.ts';
import { isRefusal, type StretchStanding, stretchStanding } from './journal-stretch.ts';
import type { Manifests } from './manifests.ts';
import { refusedFleet } from './refusals.ts';
import type { GatewayTable } from './schema.ts';
import { newOfSealed } from './sealed-stretch.ts';
import type { Desk } from './settings.ts';

/** What a gateway tells: of several that are taken together, each is of another gateway. */
export interface Stretch {
  gateway: string;
  batch: EventBatch;
  /** It came on a medium: its gateway did not know how far its journal is here. */
  isSealed?: true;
}

/** What keeps a gateway from telling any more, until somebody acts. */
type Trouble = 'events-forked' | 'event-of-other';

export type Taken =
  | { standing: 'refused'; error: unknown }
  | { standing: Exclude<StretchStanding, 'next'>; mark: JournalMark | undefined }
  | { standing: 'other'; about: string }
  | { standing: 'next'; mark: JournalMark; isTouched: boolean };

/** @returns also whether campaigns are to be evaluated. @throws UpliftError where it was not taken */
export function takenOf(taken: Taken): EventsTaken & { isTouched: boolean } {
  switch (taken.standing) {
    case 'refused':
      throw taken.error;
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

/** In the order of the stretches. */
export function takeStretches(
  desk: Desk,
  manifests: Manifests,
  stretches: readonly Stretch[],
): Promise<readonly Taken[]> {
  const atMs = desk.timers.nowMs();
  return desk.database.change(async (change) => {
    const ids = stretches.map(({ gateway }) => gateway);
    const rows = new Map((await lockGateways(change, ids)).map((row) => [row.id, row]));
    const standings: Standing[] = [];
    for (const stretch of stretches) {
      standings.push(await standingOf(change, rows.get(stretch.gateway), stretch));
    }
    const next = standings.flatMap(({ row, batch, standing: { standing } }) =>
      row && standing === 'next' ? [{ row, batch }] : [],
    );
    const effects = await effectsOf(change, manifests, next);
    const kept: Kept[] = [];
    const taken = standings.map(({ row, standing }): Taken => {
      if (standing.standing !== 'next') return standing;
      const effect = effects.get(row!.id)!;
      if ('other' in effect) return { standing: 'other', about: effect.other };
      kept.push(effect);
      return { ...standing, isTouched: effect.campaigns.length > 0 };
    });
    await keep(change, kept, atMs);
    await noteHeard(change, idsWhere(stretches, taken, 'repeated'), atMs);
    for (const [at, { standing }] of taken.entries()) {
      const { row } = standings[at]!;
      if (standing === 'forked') await noteTrouble(change, row!, 'events-forked', atMs);
      if (standing === 'other') await noteTrouble(change, row!, 'event-of-other', atMs);
    }
    return taken;
  });
}

interface Standing {
  row: GatewayTable | undefined;
  /** What of it is new here. */
  batch: EventBatch;
  standing: Exclude<Taken, { standing: 'other' }>;
}

/** Before it is known what its events are of. */
async function standingOf(
  change: Change,
  row: GatewayTable | undefined,
  { gateway, batch, isSealed }: Stretch,
): Promise<Standing> {
  try {
    if (!row) throw refusedFleet('gateway-unknown', gateway);
    mustBeEnrolled(row);
  } catch (error) {
    return { row, batch, standing: { standing: 'refused', error } };
  }
  const mark = markOf(row);
  const told = isSealed ? await newOfSealed(change, row, batch) : batch;
  if (!told) return { row, batch, standing: { standing: 'forked', mark } };
  const standing = stretchStanding(mark, told);
  return standing === 'next'
    ? { row, batch: told, standing: { standing, mark: told.through, isTouched: false } }
    : { row, batch: told, standing: { standing, mark } };
}

/** A stretch that follows what is here, and what it makes of devices. */
interface Kept extends Next {
  changed: readonly DeviceStanding[];
  /** Digests of those whose devices changed. */
  campaigns: readonly string[];
  isDesiredChanged: boolean;
}

interface Next {
  row: GatewayTable;
  batch: EventBatch;
}

type Known = Awaited<ReturnType<Manifests['byDigest']>>;

/** By gateway; or what of its stretch is another's. */
async function effectsOf(
  { db, kind }: Change,
  manifests: Manifests,
  all: readonly Next[],
): Promise<ReadonlyMap<string, Kept | { other: string }>> {
  const events = all.flatMap(({ batch }) => batch.events);
  const known = await manifests.byDigest(db, [...new Set(events.map(({ campaign }) => campaign))]);
  const keys = new Map<string, readonly string[]>();
  for (const { row, batch } of all) {
    for (const event of batch.events) {
      if (isRefusal(event) || keys.has(`${row.id} ${keyOf(event)}`)) continue;
      keys.set(`${row.id} ${keyOf(event)}`, [event.campaign, event.device, row.id]);
    }
  }
  const before = new Map<string, DeviceStanding>();
  if (keys.size > 0) {
    const found = await sql<DeviceStanding>`
      select campaign, device, gateway, state, attempt, phase, failure, code, detail, runs, epoch,
        sequence, granted_ms
      from ${rowsOf(kind, [...keys.values()])} join campaign_devices d
        on d.campaign = value->>0 and d.device = value->>1 and d.gateway = value->>2`.execute(db);
    // A device of a campaign is of one gateway.
    for (const row of found.rows) before.set(`${row.gateway} ${keyOf(row)}`, row);
  }
  return new Map(all.map((next) => [next.row.id, effectOf(next, known, before)]));
}

function effectOf(
  next: Next,
  known: Known,
  standings: ReadonlyMap<string, DeviceStanding>,
): Kept | { other: string } {
  const { row, batch } = next;
  const before = (key: string) => standings.get(`${row.id} ${key}`);
  const after = new Map<string, DeviceStanding>();
  const refused: string[] = [];
  for (const event of batch.events) {
    const manifest = known.get(event.campaign);
    if (!manifest) return { other: `campaign ${event.campaign}` };
    if (isRefusal(event)) {
      refused.push(event.campaign);
      continue;
    }
    const key = keyOf(event);
    const standing = after.get(key) ?? before(key);
    if (!standing) return { other: event.device };
    const then = standingAfter(standing, event, row.epoch, manifest.activation);
    if (then) after.set(key, then);
  }
  const changed = [...after.values()];
  return {
    ...next,
    changed,
    campaigns: [...new Set([...changed.map(({ campaign }) => campaign), ...refused])],
    isDesiredChanged:
      refused.length > 0 ||
      changed.some((standing) => changesDesired(before(keyOf(standing))!, standing)),
  };
}

async function keep(change: Change, all: readonly Kept[], atMs: number): Promise<void> {
  if (all.length === 0) return;
  const { kind } = change;
  const changed = all.flatMap((one) => one.changed);
  const campaigns = [...new Set(all.flatMap((one) => one.campaigns))];
  await together(change, [
    ...(all.some(({ batch }) => batch.events.length > 0) ? [insertEvents(kind, all)] : []),
    ...(changed.length > 0 ? [updateDevices(kind, changed, atMs), carriedOut(kind, changed)] : []),
    ...campaigns.map((digest) => sql`insert into touches (campaign) values (${digest})`),
    updateGateways(kind, all, atMs),
  ]);
  for (const { row, batch } of all) {
    for (const event of batch.events.filter(isRefusal))
      await keepRefusal(change, row.id, event, atMs);
  }
}

function updateGateways(kind: Change['kind'], all: readonly Kept[], atMs: number): Fragment {
  const rows = all.map(({ row: { id, trouble }, batch: { through }, isDesiredChanged }) => {
    // A fork stays until it enrols anew: one of two told the truth, and nobody knows which.
    const kept = trouble === 'events-forked' ? trouble : null;
    return [id, through.sequence, through.hash, kept, isDesiredChanged ? 1 : 0];
  });
  return sql`update gateways as g set journal_sequence = cast(value->>1 as bigint),
      journal_hash = value->>2, seen_ms = cast(${atMs} as bigint), trouble = value->>3,
      desired_version = desired_version + cast(value->>4 as integer)
    from ${rowsOf(kind, rows)}
    where g.id = value->>0`;
}

function insertEvents(kind: Change['kind'], all: readonly Next[]): Fragment {
  const rows = all.flatMap(({ row, batch }) =>
    batch.events.map((event) => [row.id, row.epoch, ...eventRow(event)]),
  );
  return sql`insert into events (gateway, epoch, sequence, campaign, at_ms, device, attempt, phase,
      code, detail, withdrawn, runs)
    select value->>0, cast(value->>1 as integer), cast(value->>2 as bigint), value->>3,
      cast(value->>4 as bigint), value->>5, cast(value->>6 as integer), value->>7, value->>8,
      value->>9, cast(value->>10 as integer), value->>11
    from ${rowsOf(kind, rows)}`;
}

function eventRow(event: EventBatch['events'][number]): readonly unknown[] {
  const own = [event.sequence, event.campaign, event.atMs];
  if (isRefusal(event)) {
    return [...own, '', null, 'campaign-refused', event.refused, event.detail ?? null, 0, null];
  }
  const { device, attempt, phase, code = null, detail = null, withdrawn, runs = null } = event;
  return [...own, device, attempt, phase, code, detail, withdrawn ? 1 : 0, runs];
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
function carriedOut(kind: Change['kind'], changed: readonly DeviceStanding[]): Fragment {
  const pairs = new Map(
    changed.map(({ campaign, gateway }) => [`${campaign} ${gateway}`, [campaign, gateway]]),
  );
  return sql`delete from campaign_refusals where (campaign, gateway) in
    (select value->>0, value->>1 from ${rowsOf(kind, [...pairs.values()])})`;
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

async function noteHeard(change: Change, ids: readonly string[], atMs: number): Promise<void> {
  if (ids.length === 0) return;
  const { db, kind } = change;
  await sql`update gateways set seen_ms = ${atMs} where id ${among(kind, ids)}`.execute(db);
}

function idsWhere(
  stretches: readonly Stretch[],
  taken: readonly Taken[],
  wanted: Taken['standing'],
): readonly string[] {
  return stretches.filter((_, at) => taken[at]!.standing === wanted).map(({ gateway }) => gateway);
}

function markOf({ journal_sequence, journal_hash }: GatewayTable): JournalMark | undefined {
  if (journal_sequence === null || journal_hash === null) return undefined;
  return { sequence: journal_sequence, hash: journal_hash };
}

function keyOf({ campaign, device }: { campaign: string; device: string }): string {
  return `${campaign} ${device}`;
}
