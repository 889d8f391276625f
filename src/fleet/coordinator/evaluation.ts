/**
 * How a campaign goes on: counted, evaluated (campaign/rings.ts) and acted on in one transaction, under
 * the lock of its row. Whoever else evaluates it waits, and finds what was granted.
 *
 * A device under way holds its room until it ends, or the campaign does: nobody knows what a gateway that
 * fell silent in the middle has done, and to find that out is what the first rings are for. What was
 * granted or taken and not begun is taken back from a silent gateway.
 */
import { DEVICE_STATES } from '../../campaign/device-progress.ts';
import type { FailureClass } from '../../campaign/failure-classes.ts';
import type { Manifest } from '../../campaign/manifest.ts';
import {
  type CampaignAbort,
  type Evaluation,
  evaluateRings,
  type RingCounts,
} from '../../campaign/rings.ts';
import type { Actor } from '../../jobs/records.ts';
import { type Audited, appendAudit, COORDINATOR_ACTOR } from './audit.ts';
import { countRings } from './campaign-views.ts';
import type { CampaignState } from './control.ts';
import { among, type Change, locked, sql } from './database.ts';
import { lockGateways, raiseDesired } from './desired.ts';
import { IN_HAND } from './event-effects.ts';
import type { Manifests } from './manifests.ts';
import type { CampaignTable } from './schema.ts';
import type { Desk } from './settings.ts';

/** What is evaluated; only what runs is granted anything. */
export const GOING: readonly CampaignState[] = ['running', 'paused', 'held'];
/** Campaigns that end by their time alone. */
export const NOT_STARTED: readonly CampaignState[] = ['unsigned', 'ready'];

/** Harmless for one that ended. */
export async function evaluateCampaign(
  change: Change,
  desk: Desk,
  manifests: Manifests,
  digest: string,
): Promise<void> {
  const { db, kind } = change;
  const query = db.selectFrom('campaigns').selectAll().where('digest', '=', digest);
  const row = await locked({ kind }, query).executeTakeFirst();
  // What is told of after this begins another evaluation, also where it is counted in this one.
  await db.deleteFrom('touches').where('campaign', '=', digest).execute();
  if (!row) return;
  const isOver = desk.timers.nowMs() >= row.expires_ms;
  if (isOver && row.ended_ms === null) {
    return endCampaign(change, desk, row, 'expired', COORDINATOR_ACTOR, 'its time was over');
  }
  if (!GOING.includes(row.state)) return;
  await takeBack(change, desk, row);
  const manifest = manifests.of(row);
  const counts = countsOf(manifest, await countRings(db, digest));
  const aborted = row.abort === null ? undefined : (JSON.parse(row.abort) as CampaignAbort);
  const evaluation = evaluateRings(manifest, counts, aborted);
  await keepEvaluation(change, row, evaluation);
  const { course, abort, starts } = evaluation;
  const end = endCampaign.bind(undefined, change, desk, row);
  if (abort) return end('aborted', COORDINATOR_ACTOR, abortText(manifest, abort));
  if (course === 'finished') return end('finished', COORDINATOR_ACTOR);
  if (row.state === 'paused') return;
  const state = course === 'held' ? 'held' : 'running';
  if (state !== row.state) await turnTo(change, desk, row, state);
  if (state === 'running') await grant(change, desk, digest, starts);
}

/** For good; what is in hand of gateways they are told to end, where it has not begun. */
export async function endCampaign(
  change: Change,
  desk: Desk,
  { digest, id }: Pick<CampaignTable, 'digest' | 'id'>,
  state: 'finished' | 'aborted' | 'expired' | 'superseded',
  by: Actor,
  detail?: string,
): Promise<void> {
  const atMs = desk.timers.nowMs();
  await withdrawGrants(change, digest, atMs);
  await change.db
    .updateTable('campaigns')
    .set({
      state,
      ended_ms: atMs,
      detail: detail ?? null,
      told_until_ms: state === 'finished' ? null : atMs + desk.settings.toldMs,
      ...(state === 'aborted' ? { course: 'aborted' } : {}),
    })
    .where('digest', '=', digest)
    .execute();
  const what: Audited['what'] = `campaign-${state}`;
  appendAudit(change, { atMs, by, what, about: id, ...(detail ? { detail } : {}) });
}

/** Grants that nobody took go back, and all who have devices in hand hear that something changed. */
export async function withdrawGrants(change: Change, digest: string, atMs: number): Promise<void> {
  const { db } = change;
  await raiseDesired(change, await gatewaysInHand(change, digest), atMs, true);
  await db
    .updateTable('campaign_devices')
    .set({ state: 'pending', granted_ms: null, changed_ms: atMs })
    .where('campaign', '=', digest)
    .where('state', '=', 'granted')
    .execute();
}

export async function gatewaysInHand({ db }: Change, digest: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('campaign_devices')
    .select('gateway')
    .distinct()
    .where('campaign', '=', digest)
    .where('state', 'in', IN_HAND)
    .execute();
  return rows.map(({ gateway }) => gateway);
}

/** Gateways are told no more that it ended. */
export async function endTelling(change: Change, digest: string, nowMs: number): Promise<void> {
  const { db, kind } = change;
  const query = db.selectFrom('campaigns').select('told_until_ms').where('digest', '=', digest);
  const row = await locked({ kind }, query).executeTakeFirst();
  if (!row || row.told_until_ms === null || nowMs < row.told_until_ms) return;
  await raiseDesired(change, await gatewaysInHand(change, digest), nowMs, false);
  const told = { told_until_ms: null };
  await db.updateTable('campaigns').set(told).where('digest', '=', digest).execute();
}

function countsOf(
  { rings }: Manifest,
  counted: Awaited<ReturnType<typeof countRings>>,
): readonly RingCounts[] {
  return rings.map((_, index) => {
    const own = counted.filter(({ ring }) => ring === index);
    const sum = (...states: readonly string[]) =>
      own
        .filter(({ state }) => states.includes(state))
        .reduce((total, { devices }) => total + devices, 0);
    const failed: Partial<Record<FailureClass, number>> = {};
    for (const { failure, devices } of own) if (failure) failed[failure] = devices;
    return {
      size: sum(...DEVICE_STATES),
      granted: sum('granted', 'taken'),
      attempted: sum('under-way', 'succeeded', 'failed'),
      succeeded: sum('succeeded'),
      failed,
    };
  });
}

async function keepEvaluation(
  { db }: Change,
  row: CampaignTable,
  { course, ring, width, abort }: Evaluation,
): Promise<void> {
  if (row.course === course && row.ring === ring && row.width === width) return;
  const kept = abort === undefined ? null : JSON.stringify(abort);
  await db
    .updateTable('campaigns')
    .set({ course, ring, width, abort: kept })
    .where('digest', '=', row.digest)
    .execute();
}

async function turnTo(
  change: Change,
  desk: Desk,
  { digest, id }: CampaignTable,
  state: 'held' | 'running',
): Promise<void> {
  const detail = state === 'held' ? 'a ring ended, and too few of it succeeded' : null;
  await change.db
    .updateTable('campaigns')
    .set({ state, detail })
    .where('digest', '=', digest)
    .execute();
  const what = state === 'held' ? 'campaign-held' : 'campaign-resumed';
  const atMs = desk.timers.nowMs();
  const said = detail === null ? {} : { detail };
  appendAudit(change, { atMs, by: COORDINATOR_ACTOR, what, about: id, ...said });
}

/** From gateways that were silent for long, or are shut out. */
async function takeBack(change: Change, desk: Desk, { digest }: CampaignTable): Promise<void> {
  const { db, kind } = change;
  const { grantMs, takenMs } = desk.settings;
  const nowMs = desk.timers.nowMs();
  const silentMs = nowMs - Math.min(grantMs, takenMs);
  // First the gateways, which are few, by what is known of them alone.
  const found = await sql<{ device: string; gateway: string }>`
    select d.device, d.gateway from campaign_devices d join gateways g on g.id = d.gateway
    where (coalesce(g.seen_ms, 0) <= ${silentMs} or g.state <> 'enrolled')
      and d.campaign = ${digest} and (
      (d.state = 'granted' and d.granted_ms <= ${nowMs - grantMs}
        and coalesce(g.seen_ms, 0) <= ${nowMs - grantMs})
      or (d.state = 'taken' and d.changed_ms <= ${nowMs - takenMs}
        and coalesce(g.seen_ms, 0) <= ${nowMs - takenMs})
      or (d.state in ('granted', 'taken') and g.state <> 'enrolled'))`.execute(db);
  if (found.rows.length === 0) return;
  const gateways = [...new Set(found.rows.map(({ gateway }) => gateway))];
  await raiseDesired(change, gateways, nowMs, false);
  const devices = found.rows.map(({ device }) => device);
  await sql`update campaign_devices
    set state = 'pending', granted_ms = null, changed_ms = ${nowMs}
    where campaign = ${digest} and state in ('granted', 'taken')
      and device ${among(kind, devices)}`.execute(db);
}

/** To gateways that are there, in order of turns; those that are not have theirs when they are back. */
async function grant(
  change: Change,
  desk: Desk,
  digest: string,
  starts: readonly number[],
): Promise<void> {
  const { db, kind } = change;
  const nowMs = desk.timers.nowMs();
  const picked: { device: string; gateway: string }[] = [];
  for (const [ring, more] of starts.entries()) {
    if (more === 0) continue;
    const found = await sql<{ device: string; gateway: string }>`
      select d.device, d.gateway from campaign_devices d join gateways g on g.id = d.gateway
      where d.campaign = ${digest} and d.state = 'pending' and d.ring = ${ring}
        and g.state = 'enrolled' and g.trouble is null
        and g.seen_ms > ${nowMs - desk.settings.aliveMs}
        and not exists (select 1 from campaign_refusals r where r.campaign = d.campaign
          and r.gateway = d.gateway and r.at_ms > ${nowMs - desk.settings.refusedMs})
      order by d.turn, d.device limit ${more}`.execute(db);
    picked.push(...found.rows);
  }
  if (picked.length === 0) return;
  const gateways = [...new Set(picked.map(({ gateway }) => gateway))];
  const rows = await lockGateways(change, gateways);
  // One may have been shut out before its row was locked.
  const fit = new Set(rows.filter(({ state }) => state === 'enrolled').map(({ id }) => id));
  const devices = picked.filter(({ gateway }) => fit.has(gateway)).map(({ device }) => device);
  await sql`update campaign_devices
    set state = 'granted', granted_ms = ${nowMs}, changed_ms = ${nowMs}
    where campaign = ${digest} and state = 'pending'
      and device ${among(kind, devices)}`.execute(db);
  await raiseDesired(change, [...fit], nowMs, true);
}

function abortText({ aborts, rings }: Manifest, abort: CampaignAbort): string {
  const { failure, count, percent } = aborts[abort.rule]!;
  const limit = count === undefined ? `${percent} % of those attempted` : `${count} of all`;
  const where = abort.ring === undefined ? '' : ` in ring ${rings[abort.ring]!.name}`;
  const what = failure === 'any' ? 'failed' : `failed as ${failure}`;
  return `${abort.failed} of ${abort.attempted}${where} ${what}; the limit is ${limit}`;
}
