/**
 * The start of a campaign: it is opened once more, its images are there, and its devices are those that
 * gateways are known to have now. What ran of its line before is superseded.
 */
import { imageOf, type Manifest } from '../../campaign/manifest.ts';
import { ringOf } from '../../campaign/rings.ts';
import type { Actor } from '../../jobs/records.ts';
import { foldText, hardwareKey } from '../../products/device-model.ts';
import { appendAudit } from './audit.ts';
import { among, type Change, locked, rowsOf, sql } from './database.ts';
import { endCampaign } from './evaluation.ts';
import { refusedBy, refusedFleet } from './refusals.ts';
import type { CampaignTable } from './schema.ts';
import type { Desk } from './settings.ts';
import { openStored, signaturesOf } from './submission.ts';

/** @throws UpliftError */
export async function startCampaign(
  change: Change,
  desk: Desk,
  id: string,
  by: Actor,
): Promise<CampaignTable> {
  const row = await takeLine(change, desk, id, by);
  const opened = await openStored(change, desk, row);
  if (signaturesOf(opened).missing > 0)
    throw refusedFleet('campaign-state', 'approvals are missing');
  const { manifest } = opened;
  await mustHaveImages(change, manifest);
  const devices = placed(manifest, await targetsOf(change, manifest));
  if (devices.length === 0) throw refusedFleet('no-devices', id);
  const atMs = desk.timers.nowMs();
  await insertDevices(change, row.digest, devices, atMs);
  const started = {
    state: 'running' as const,
    started_by: by,
    started_ms: atMs,
    gateways: new Set(devices.map(({ gateway }) => gateway)).size,
  };
  const { db } = change;
  await db.updateTable('campaigns').set(started).where('digest', '=', row.digest).execute();
  const detail = `${devices.length} devices of ${started.gateways} gateways`;
  appendAudit(change, { atMs, by, what: 'campaign-started', about: id, detail });
  return { ...row, ...started };
}

/** The campaign; all of its line are locked, and the earlier ones end. */
async function takeLine(change: Change, desk: Desk, id: string, by: Actor): Promise<CampaignTable> {
  const { db, kind } = change;
  const named = db.selectFrom('campaigns').select('line').where('id', '=', id);
  const { line } = (await named.executeTakeFirst()) ?? {};
  if (line === undefined) throw refusedFleet('campaign-unknown', id);
  const query = db.selectFrom('campaigns').selectAll().where('line', '=', line).orderBy('digest');
  const rows = await locked({ kind }, query).execute();
  const row = rows.find((one) => one.id === id)!;
  if (row.state !== 'ready') throw refusedFleet('campaign-state', row.state);
  if (row.submitted_by === by) throw refusedFleet('author-starts', by);
  const later = rows.find((one) => one.generation > row.generation && one.started_ms !== null);
  if (later) throw refusedFleet('generation-not-above', `${later.id} was started`);
  for (const one of rows) {
    const isEarlier = one.generation < row.generation && one.ended_ms === null;
    if (isEarlier) await endCampaign(change, desk, one, 'superseded', by, `by ${id}`);
  }
  return row;
}

async function mustHaveImages({ db, kind }: Change, { images }: Manifest): Promise<void> {
  const digests = among(
    kind,
    images.map(({ sha256 }) => sha256),
  );
  const found = await sql<{ sha256: string; bytes: number }>`select sha256, bytes from blobs
    where sha256 ${digests}`.execute(db);
  const stored = new Map(found.rows.map(({ sha256, bytes }) => [sha256, bytes]));
  for (const { sha256, bytes } of images) {
    const there = stored.get(sha256);
    if (there === undefined) throw refusedFleet('image-missing', sha256);
    if (there !== bytes) {
      const message = 'The bytes are more or fewer than the campaign states.';
      throw refusedBy({ code: 'image-size', message: `${message} (${there} for ${bytes})` });
    }
  }
}

interface Target {
  device: string;
  gateway: string;
}

/** A device that two gateways list is that of the one that read it last. */
async function targetsOf({ db, kind }: Change, manifest: Manifest): Promise<readonly Target[]> {
  const { gateways, devices, regions } = manifest;
  const keys = [...new Set(manifest.targets.map(hardwareKey))];
  const found = await sql<
    Target & { region: string | null; hardware: string; firmware_version: string }
  >`select d.device, d.gateway, g.region, d.hardware, d.firmware_version
    from devices d join gateways g on g.id = d.gateway
    where d.hardware ${among(kind, keys)} and d.firmware_version is not null
      and g.state <> 'revoked'
    order by d.device, coalesce(d.read_ms, 0) desc, d.gateway`.execute(db);
  const named = {
    gateways: gateways && new Set(gateways),
    devices: devices && new Set(devices),
    regions: regions && new Set(regions),
  };
  const versions = versionsOf(manifest);
  const targets = new Map<string, Target>();
  for (const { device, gateway, region, hardware, firmware_version } of found.rows) {
    if (targets.has(device)) continue;
    const isNamed =
      (named.devices?.has(device) ?? true) &&
      (named.gateways?.has(gateway) ?? true) &&
      (named.regions?.has(region ?? '') ?? true);
    if (!isNamed || !versions.get(hardware)?.has(foldText(firmware_version))) continue;
    targets.set(device, { device, gateway });
  }
  return [...targets.values()];
}

/** By hardware: versions to start from, and the ones to arrive at, as who runs one already counts too. */
function versionsOf(manifest: Manifest): ReadonlyMap<string, ReadonlySet<string>> {
  const versions = new Map<string, Set<string>>();
  for (const target of manifest.targets) {
    const key = hardwareKey(target);
    const known = versions.get(key) ?? new Set();
    for (const version of [...target.from, imageOf(manifest, target).firmwareVersion])
      known.add(foldText(version));
    versions.set(key, known);
  }
  return versions;
}

interface Placed extends Target {
  ring: number;
  turn: number;
}

/** In each ring, the first of every gateway has its turn before the second of any. */
function placed(manifest: Manifest, targets: readonly Target[]): readonly Placed[] {
  const turns = new Map<string, number>();
  return targets.map(({ device, gateway }) => {
    const ring = ringOf(manifest, device, gateway);
    const key = `${ring} ${gateway}`;
    const turn = turns.get(key) ?? 0;
    turns.set(key, turn + 1);
    return { device, gateway, ring, turn };
  });
}

async function insertDevices(
  { db, kind }: Change,
  digest: string,
  devices: readonly Placed[],
  atMs: number,
): Promise<void> {
  const rows = devices.map(({ device, gateway, ring, turn }) => [device, gateway, ring, turn]);
  await sql`insert into campaign_devices (campaign, device, gateway, ring, turn, state, attempt,
      epoch, sequence, changed_ms)
    select cast(${digest} as text), value->>0, value->>1, cast(value->>2 as integer),
      cast(value->>3 as integer), 'pending', 1, 0, 0, cast(${atMs} as bigint)
    from ${rowsOf(kind, rows)}`.execute(db);
  // Else PostgreSQL plans for a minute as if they were not there.
  if (kind === 'postgres') await sql`analyze campaign_devices`.execute(db);
}
