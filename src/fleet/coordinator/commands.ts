/** What people decide about campaigns that were started; each is audited with whoever it was. */
import type { Actor } from '../../jobs/records.ts';
import { appendAudit } from './audit.ts';
import type { CampaignState } from './control.ts';
import { among, type Change, locked, sql } from './database.ts';
import { raiseDesired } from './desired.ts';
import { endCampaign, GOING, gatewaysInHand, NOT_STARTED, withdrawGrants } from './evaluation.ts';
import { refusedFleet } from './refusals.ts';
import type { CampaignTable } from './schema.ts';
import type { Desk } from './settings.ts';

/** As many as desired state can say. */
const ATTEMPTS_MAX = 1000;

/** What was granted and not taken goes back; what has begun goes on. */
export async function pauseCampaign(
  change: Change,
  desk: Desk,
  id: string,
  by: Actor,
  reason: string,
): Promise<CampaignTable> {
  const row = await take(change, id, ['running', 'held']);
  const atMs = desk.timers.nowMs();
  await withdrawGrants(change, row.digest, atMs);
  await setState(change, row, { state: 'paused', detail: reason });
  appendAudit(change, { atMs, by, what: 'campaign-paused', about: id, detail: reason });
  return row;
}

/** One that was held goes on only as far as its rings let it. */
export async function resumeCampaign(
  change: Change,
  desk: Desk,
  id: string,
  by: Actor,
): Promise<CampaignTable> {
  const row = await take(change, id, ['paused']);
  const atMs = desk.timers.nowMs();
  await raiseDesired(change, await gatewaysInHand(change, row.digest), atMs, true);
  await setState(change, row, { state: 'running', detail: null });
  appendAudit(change, { atMs, by, what: 'campaign-resumed', about: id });
  return row;
}

/** Also one that was not started: it never is then. */
export async function abortCampaign(
  change: Change,
  desk: Desk,
  id: string,
  by: Actor,
  reason: string,
): Promise<CampaignTable> {
  const row = await take(change, id, [...NOT_STARTED, ...GOING]);
  await endCampaign(change, desk, row, 'aborted', by, reason);
  return row;
}

/** @param devices absent: all that failed; of those named, the ones that did */
export async function retryFailed(
  change: Change,
  desk: Desk,
  id: string,
  devices: readonly string[] | undefined,
  by: Actor,
): Promise<CampaignTable> {
  const row = await take(change, id, GOING);
  const { db, kind } = change;
  const atMs = desk.timers.nowMs();
  const named = devices ? sql`and device ${among(kind, devices)}` : sql``;
  const found = await sql<{ device: string; gateway: string }>`select device, gateway
    from campaign_devices where campaign = ${row.digest} and state = 'failed'
      and attempt < ${ATTEMPTS_MAX} ${named}`.execute(db);
  if (found.rows.length === 0) throw refusedFleet('nothing-failed', id);
  const gateways = [...new Set(found.rows.map(({ gateway }) => gateway))];
  await raiseDesired(change, gateways, atMs, false);
  const failed = found.rows.map(({ device }) => device);
  const retried = await sql`update campaign_devices set state = 'pending', attempt = attempt + 1,
      phase = null, failure = null, code = null, detail = null, runs = null, changed_ms = ${atMs}
    where campaign = ${row.digest} and state = 'failed'
      and device ${among(kind, failed)}`.execute(db);
  if (row.state === 'held') await setState(change, row, { state: 'running', detail: null });
  const detail = `${retried.numAffectedRows} devices`;
  appendAudit(change, { atMs, by, what: 'campaign-retried', about: id, detail });
  return row;
}

/** The campaign, locked, where it is in one of these states. */
async function take(
  { db, kind }: Change,
  id: string,
  states: readonly CampaignState[],
): Promise<CampaignTable> {
  const query = db.selectFrom('campaigns').selectAll().where('id', '=', id);
  const row = await locked({ kind }, query).executeTakeFirst();
  if (!row) throw refusedFleet('campaign-unknown', id);
  if (!states.includes(row.state)) throw refusedFleet('campaign-state', row.state);
  return row;
}

async function setState(
  { db }: Change,
  { digest }: CampaignTable,
  to: Pick<CampaignTable, 'state' | 'detail'>,
): Promise<void> {
  await db.updateTable('campaigns').set(to).where('digest', '=', digest).execute();
}
