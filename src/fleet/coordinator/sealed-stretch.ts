/**
 * What of a sealed stretch is new here. Whoever sealed it had no connection: it may begin before where the
 * journal is here, as the stick before it was brought meanwhile, and it tells of campaigns that came to
 * the gateway on a stick alone, which nobody here knows.
 */
import type { EventBatch } from '../wire.ts';
import { type Change, rowsOf, sql } from './database.ts';
import { isRefusal } from './journal-stretch.ts';
import type { GatewayTable } from './schema.ts';

type Event = EventBatch['events'][number];

/** Under the lock of its row. Undefined: what both tell of one record is not the same. */
export async function newOfSealed(
  change: Change,
  row: GatewayTable,
  batch: EventBatch,
): Promise<EventBatch | undefined> {
  const known = await knownOf(change, row, batch.events);
  const { journal_sequence: sequence, journal_hash: hash } = row;
  const isOverlap =
    sequence !== null &&
    hash !== null &&
    (batch.after?.sequence ?? 0) < sequence &&
    sequence < batch.through.sequence;
  if (!isOverlap) return { ...batch, events: known };
  const before = known.filter((event) => event.sequence <= sequence);
  if (!(await areAsHere(change, row, before))) return undefined;
  const events = known.filter((event) => event.sequence > sequence);
  return { after: { sequence, hash }, through: batch.through, events };
}

/** Those of campaigns that are here, and of devices that the gateway has in them. */
async function knownOf(
  { db, kind }: Change,
  { id }: GatewayTable,
  events: readonly Event[],
): Promise<Event[]> {
  if (events.length === 0) return [];
  const rows = events.map((event, at) => [at, event.campaign, deviceOf(event)]);
  const { rows: found } = await sql<{ place: number }>`
    select cast(value->>0 as integer) as place from ${rowsOf(kind, rows)}
    where exists (select 1 from campaigns c where c.digest = value->>1) and (value->>2 = '' or exists (
      select 1 from campaign_devices d
      where d.campaign = value->>1 and d.device = value->>2 and d.gateway = ${id}))`.execute(db);
  const places = new Set(found.map(({ place }) => place));
  return events.filter((_, at) => places.has(at));
}

async function areAsHere(
  { db, kind }: Change,
  { id, epoch }: GatewayTable,
  events: readonly Event[],
): Promise<boolean> {
  if (events.length === 0) return true;
  const rows = events.map((event) => {
    const phase = isRefusal(event) ? 'campaign-refused' : event.phase;
    return [event.sequence, deviceOf(event), event.campaign, phase, event.atMs];
  });
  const { rows: other } = await sql`
    select 1 from ${rowsOf(kind, rows)} join events e on e.gateway = ${id} and e.epoch = ${epoch}
      and e.sequence = cast(value->>0 as bigint) and e.device = value->>1
    where e.campaign <> value->>2 or e.phase <> value->>3
      or e.at_ms <> cast(value->>4 as bigint) limit 1`.execute(db);
  return other.length === 0;
}

function deviceOf(event: Event): string {
  return isRefusal(event) ? '' : event.device;
}
