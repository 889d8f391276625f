/**
 * What is not kept for ever: the events of campaigns that ended long ago. How their devices stood in the
 * end stays, and so do campaigns and the audit log; a journal goes on where it was, whatever was dropped.
 */
import { type Change, type Db, sql } from './database.ts';
import type { Desk } from './settings.ts';

/** In one transaction: others wait no longer for it than for anything else. */
const EVENTS_AT_ONCE = 10_000;

/** Part of what is due; the rest when house is kept again. */
export async function dropEvents(desk: Desk): Promise<void> {
  const beforeMs = desk.timers.nowMs() - desk.settings.eventsMs;
  const digest = await desk.database.ask((db) => oldest(db, beforeMs));
  if (digest === undefined) return;
  await desk.database.change(async (change) => {
    if ((await dropSome(change, digest)) === EVENTS_AT_ONCE) return;
    const done = { has_events: 0 };
    await change.db.updateTable('campaigns').set(done).where('digest', '=', digest).execute();
  });
}

async function oldest(db: Db, beforeMs: number): Promise<string | undefined> {
  const found = await db
    .selectFrom('campaigns')
    .select('digest')
    .where('has_events', '=', 1)
    .where('ended_ms', '<', beforeMs)
    .orderBy('ended_ms')
    .limit(1)
    .executeTakeFirst();
  return found?.digest;
}

/** By the gateways of the campaign, as events are in order of gateways. */
async function dropSome({ db }: Change, digest: string): Promise<number> {
  const dropped = await sql`delete from events
    where (gateway, epoch, sequence, device) in (
      select e.gateway, e.epoch, e.sequence, e.device
      from (select distinct gateway from campaign_devices where campaign = ${digest}) d
        join events e on e.gateway = d.gateway
      where e.campaign = ${digest} limit ${sql.lit(EVENTS_AT_ONCE)})`.execute(db);
  return Number(dropped.numAffectedRows ?? 0);
}
