/** Campaigns and their devices as people are shown them. */
import { DEVICE_STATES, type DeviceState } from '../../campaign/device-progress.ts';
import type { FailureClass } from '../../campaign/failure-classes.ts';
import type { Manifest } from '../../campaign/manifest.ts';
import type {
  CampaignDeviceView,
  CampaignView,
  DeviceEventView,
  DeviceFilter,
  Page,
  RingView,
} from './control.ts';
import { type Db, sql } from './database.ts';
import type { Manifests } from './manifests.ts';
import { refusedFleet } from './refusals.ts';
import type { CampaignDeviceTable, CampaignTable, EventTable } from './schema.ts';

export async function campaignPage(
  db: Db,
  manifests: Manifests,
  after: string | undefined,
  limit: number,
): Promise<Page<CampaignView>> {
  const rows = await db
    .selectFrom('campaigns')
    .selectAll()
    .where('id', '>', after ?? '')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  const items: CampaignView[] = [];
  for (const row of rows.slice(0, limit)) items.push(await viewOf(db, manifests, row));
  return { items, more: rows.length > limit };
}

export async function campaignView(
  db: Db,
  manifests: Manifests,
  id: string,
): Promise<CampaignView | undefined> {
  const row = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirst();
  return row && viewOf(db, manifests, row);
}

/** In order of their names. */
export async function devicePage(
  db: Db,
  manifests: Manifests,
  id: string,
  { changedSinceMs, ring, state, gateway, after, limit }: DeviceFilter,
): Promise<Page<CampaignDeviceView>> {
  const campaign = await mustBeCampaign(db, id);
  const { rings } = manifests.of(campaign);
  let query = db
    .selectFrom('campaign_devices')
    .selectAll()
    .where('campaign', '=', campaign.digest)
    .where('device', '>', after ?? '');
  if (ring !== undefined) {
    query = query.where(
      'ring',
      '=',
      rings.findIndex(({ name }) => name === ring),
    );
  }
  if (changedSinceMs !== undefined) query = query.where('changed_ms', '>=', changedSinceMs);
  if (state !== undefined) query = query.where('state', '=', state);
  if (gateway !== undefined) query = query.where('gateway', '=', gateway);
  const rows = await query
    .orderBy('device')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit).map((row) => deviceView(row, rings));
  return { items, more: rows.length > limit };
}

export async function deviceEvents(
  db: Db,
  id: string,
  device: string,
  limit: number,
): Promise<readonly DeviceEventView[]> {
  const { digest } = await mustBeCampaign(db, id);
  // By the gateway that has it in the campaign: events are in order of their journals.
  const { rows } = await sql<DeviceEventRow>`
    select e.at_ms, e.attempt, e.phase, e.code, e.detail, e.runs, e.withdrawn, e.epoch, e.sequence
    from campaign_devices d join events e on e.gateway = d.gateway
    where d.campaign = ${digest} and d.device = ${device}
      and e.campaign = d.campaign and e.device = d.device
    order by e.epoch, e.sequence limit ${limit}`.execute(db);
  return rows.map(({ at_ms, attempt, phase, code, detail, runs, withdrawn, epoch, sequence }) => ({
    atMs: at_ms,
    attempt,
    phase,
    ...(code === null ? {} : { code }),
    ...(detail === null ? {} : { detail }),
    ...(runs === null ? {} : { runs }),
    isWithdrawn: withdrawn === 1,
    ...{ epoch, sequence },
  }));
}

type DeviceEventRow = Omit<EventTable, 'gateway' | 'device' | 'campaign' | 'attempt'> & {
  attempt: number;
};

/** Of one campaign: by ring, state and failure. */
export interface RingCount {
  ring: number;
  state: DeviceState;
  failure: FailureClass | null;
  devices: number;
}

export async function countRings(db: Db, digest: string): Promise<readonly RingCount[]> {
  const counted = await sql<RingCount>`select ring, state, failure, count(*) as devices
    from campaign_devices where campaign = ${digest} group by ring, state, failure`.execute(db);
  return counted.rows;
}

export async function viewOf(
  db: Db,
  manifests: Manifests,
  row: CampaignTable,
): Promise<CampaignView> {
  const manifest = manifests.of(row);
  const counts = await countRings(db, row.digest);
  const refusals = await db
    .selectFrom('campaign_refusals')
    .select(({ fn }) => ['code', fn.countAll<number>().as('gateways')])
    .where('campaign', '=', row.digest)
    .groupBy('code')
    .orderBy('code')
    .execute();
  const { course, detail, started_by, started_ms, ended_ms } = row;
  return {
    id: row.id,
    digest: row.digest,
    line: row.line,
    generation: row.generation,
    state: row.state,
    ...(course === null ? {} : { course }),
    ...(detail === null ? {} : { detail }),
    submittedBy: row.submitted_by,
    submittedMs: row.submitted_ms,
    ...(started_by === null ? {} : { startedBy: started_by }),
    ...(started_ms === null ? {} : { startedMs: started_ms }),
    ...(ended_ms === null ? {} : { endedMs: ended_ms }),
    expiresMs: row.expires_ms,
    author: row.author,
    approvers: JSON.parse(row.approvers) as string[],
    approvalsMissing: row.approvals_missing,
    gateways: row.gateways,
    rings: manifest.rings.map((_, index) => ringView(manifest, row, counts, index)),
    width: row.width,
    refusals: Object.fromEntries(refusals.map(({ code, gateways }) => [code, gateways])),
    manifest,
  };
}

function ringView(
  { rings }: Manifest,
  { started_ms, ring }: CampaignTable,
  all: readonly RingCount[],
  index: number,
): RingView {
  const own = all.filter((one) => one.ring === index);
  const sum = (state: DeviceState) =>
    own.filter((one) => one.state === state).reduce((total, { devices }) => total + devices, 0);
  const counts = Object.fromEntries(DEVICE_STATES.map((state) => [state, sum(state)]));
  const failed = own.flatMap(({ failure, devices }) => (failure ? [[failure, devices]] : []));
  return {
    name: rings[index]!.name,
    size: own.reduce((total, { devices }) => total + devices, 0),
    counts: counts as Record<DeviceState, number>,
    failed: Object.fromEntries(failed) as RingView['failed'],
    isOpen: started_ms !== null && index <= ring,
  };
}

function deviceView(row: CampaignDeviceTable, rings: Manifest['rings']): CampaignDeviceView {
  const { phase, failure, code, detail, runs } = row;
  return {
    device: row.device,
    gateway: row.gateway,
    ring: rings[row.ring]!.name,
    state: row.state,
    attempt: row.attempt,
    ...(phase === null ? {} : { phase }),
    ...(failure === null ? {} : { failure }),
    ...(code === null ? {} : { code }),
    ...(detail === null ? {} : { detail }),
    ...(runs === null ? {} : { runs }),
    changedMs: row.changed_ms,
  };
}

async function mustBeCampaign(db: Db, id: string): Promise<CampaignTable> {
  const row = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw refusedFleet('campaign-unknown', id);
  return row;
}
