/** Gateways: who is expected, how each enrols, once with each token, and what it has. */
import type { Actor } from '../../jobs/records.ts';
import { hardwareKey } from '../../products/device-model.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { Inventory, InventoryDevice } from '../wire.ts';
import { appendAudit } from './audit.ts';
import type { GatewayView, Page } from './control.ts';
import { among, type Change, type Db, locked, rowsOf, sql } from './database.ts';
import { refusedFleet } from './refusals.ts';
import type { GatewayTable } from './schema.ts';
import { type Desk, SEEN_MS } from './settings.ts';

const TOKEN_BYTES = 32;

export interface EnrolmentToken {
  /** Told once: the database has its digest. */
  token: string;
  untilMs: number;
}

export async function addGateway(desk: Desk, id: string, by: Actor): Promise<EnrolmentToken> {
  const { token, untilMs, digest, atMs } = makeToken(desk);
  await desk.database.change(async (change) => {
    const row = {
      ...newGateway(id),
      token: digest,
      token_until_ms: untilMs,
      desired_ms: atMs,
    };
    const made = await change.db
      .insertInto('gateways')
      .values(row)
      .onConflict((clash) => clash.doNothing())
      .executeTakeFirst();
    if (Number(made.numInsertedOrUpdatedRows) === 0) throw refusedFleet('gateway-exists', id);
    appendAudit(change, { atMs, by, what: 'gateway-added', about: id });
  });
  return { token, untilMs };
}

/** Its certificate and its journal are forgotten when the token is used. */
export async function renewGateway(desk: Desk, id: string, by: Actor): Promise<EnrolmentToken> {
  const { token, untilMs, digest, atMs } = makeToken(desk);
  await desk.database.change(async (change) => {
    await takeGateway(change, id);
    await change.db
      .updateTable('gateways')
      .set({ token: digest, token_until_ms: untilMs })
      .where('id', '=', id)
      .execute();
    appendAudit(change, { atMs, by, what: 'gateway-renewed', about: id });
  });
  return { token, untilMs };
}

/** What it was granted is taken back by the next evaluation. */
export async function revokeGateway(
  desk: Desk,
  id: string,
  by: Actor,
  reason: string,
): Promise<void> {
  const atMs = desk.timers.nowMs();
  await desk.database.change(async (change) => {
    await takeGateway(change, id);
    const out = { token: null, token_until_ms: null, token_used: null, certificate: null };
    await change.db
      .updateTable('gateways')
      .set({ state: 'revoked', ...out })
      .where('id', '=', id)
      .execute();
    await touchCampaignsOf(change, id);
    appendAudit(change, { atMs, by, what: 'gateway-revoked', about: id, detail: reason });
  });
}

/**
 * Of two who use one token at the same instant, the second finds the gateway's row locked, and then the
 * token used. One whose answer was lost asks again with the same certificate, and is told the same.
 */
export async function enrol(
  desk: Desk,
  token: string,
  gateway: string,
  version: string,
  certificate: string,
): Promise<void> {
  const digest = digestOf(token);
  const atMs = desk.timers.nowMs();
  await desk.database.change(async (change) => {
    const { db, kind } = change;
    const query = db.selectFrom('gateways').selectAll().where('id', '=', gateway);
    const row = await locked({ kind }, query).executeTakeFirst();
    if (row?.token_used === digest && row.certificate === certificate) return;
    if (row?.token !== digest || !(atMs < (row.token_until_ms ?? 0))) {
      throw refusedFleet('token-unknown');
    }
    const holder = await idOf(db, certificate);
    if (holder !== undefined && holder !== gateway) throw refusedFleet('certificate-in-use');
    await bind(change, { gateway, version, certificate, digest, atMs });
    appendAudit(change, {
      atMs,
      by: `gateway:${gateway}`,
      what: 'gateway-enrolled',
      about: gateway,
      detail: `certificate ${certificate}`,
    });
  });
}

interface Binding {
  gateway: string;
  version: string;
  certificate: string;
  digest: string;
  atMs: number;
}

/** Its journal begins anew. */
async function bind(change: Change, { gateway, version, certificate, digest, atMs }: Binding) {
  const { db } = change;
  await db
    .updateTable('gateways')
    .set((eb) => ({
      state: 'enrolled',
      version,
      certificate,
      token: null,
      token_until_ms: null,
      token_used: digest,
      epoch: eb('epoch', '+', 1),
      journal_sequence: null,
      journal_hash: null,
      trouble: null,
      seen_ms: atMs,
      enrolled_ms: atMs,
      desired_version: eb('desired_version', '+', 1),
      desired_ms: atMs,
    }))
    .where('id', '=', gateway)
    .execute()
    // Another may have enrolled with it at this very instant.
    .catch((error: unknown) => {
      throw isUniqueViolation(error) ? refusedFleet('certificate-in-use', '', error) : error;
    });
}

async function idOf(db: Db, certificate: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('gateways')
    .select('id')
    .where('certificate', '=', certificate)
    .where('state', '=', 'enrolled')
    .executeTakeFirst();
  return row?.id;
}

/** Who enrolled with each of these, in their order. */
export async function idsOf(
  { database }: Desk,
  certificates: readonly string[],
): Promise<readonly (string | undefined)[]> {
  const found = await database.ask((db) =>
    sql<{ id: string; certificate: string }>`select id, certificate from gateways
      where certificate ${among(database.kind, certificates)} and state = 'enrolled'`.execute(db),
  );
  const ids = new Map(found.rows.map(({ id, certificate }) => [certificate, id]));
  return certificates.map((certificate) => ids.get(certificate));
}

/** All that the gateway has now; what is not in it is there no more. */
export async function takeInventory(
  desk: Desk,
  gateway: string,
  { version, region, windows, devices }: Inventory,
): Promise<void> {
  const atMs = desk.timers.nowMs();
  const listed = [...new Map(devices.map((device) => [device.device, device])).values()];
  await desk.database.change(async (change) => {
    const { db, kind } = change;
    mustBeEnrolled(await takeGateway(change, gateway));
    const names = among(
      kind,
      listed.map(({ device }) => device),
    );
    await sql`delete from devices where gateway = ${gateway} and not (device ${names})`.execute(db);
    const rows = listed.map((device) => inventoryRow(gateway, device));
    if (rows.length > 0) {
      await sql`insert into devices as d (gateway, device, id, kind, manufacturer, model,
          hardware_version, hardware_revision, hardware, firmware_version, read_ms)
        select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
          value->>7, value->>8, value->>9, cast(value->>10 as bigint)
        from ${rowsOf(kind, rows)} where true
        on conflict (gateway, device) do update set id = excluded.id, kind = excluded.kind,
          manufacturer = excluded.manufacturer, model = excluded.model,
          hardware_version = excluded.hardware_version,
          hardware_revision = excluded.hardware_revision, hardware = excluded.hardware,
          firmware_version = excluded.firmware_version, read_ms = excluded.read_ms`.execute(db);
    }
    await db
      .updateTable('gateways')
      .set({
        version,
        region: region ?? null,
        windows: JSON.stringify(windows),
        devices: listed.length,
        seen_ms: atMs,
      })
      .where('id', '=', gateway)
      .execute();
  });
}

export async function gatewayPage(
  db: Db,
  after: string | undefined,
  limit: number,
): Promise<Page<GatewayView>> {
  const rows = await db
    .selectFrom('gateways')
    .selectAll()
    .where('id', '>', after ?? '')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return { items: rows.slice(0, limit).map(viewOf), more: rows.length > limit };
}

export async function gatewayView(db: Db, id: string): Promise<GatewayView | undefined> {
  const row = await db.selectFrom('gateways').selectAll().where('id', '=', id).executeTakeFirst();
  return row && viewOf(row);
}

export async function devicesOf(db: Db, gateway: string): Promise<readonly InventoryDevice[]> {
  const rows = await db
    .selectFrom('devices')
    .selectAll()
    .where('gateway', '=', gateway)
    .orderBy('device')
    .execute();
  return rows.map(({ hardware_version, hardware_revision, firmware_version, read_ms, ...row }) => ({
    device: row.device,
    id: row.id,
    kind: row.kind,
    manufacturer: row.manufacturer,
    model: row.model,
    hardwareVersion: hardware_version,
    hardwareRevision: hardware_revision,
    ...(firmware_version === null ? {} : { firmwareVersion: firmware_version }),
    ...(read_ms === null ? {} : { readMs: read_ms }),
  }));
}

/** Its row, locked: whoever has it may change the gateway's devices in campaigns. @throws UpliftError */
export async function takeGateway({ db, kind }: Change, id: string): Promise<GatewayTable> {
  const query = db.selectFrom('gateways').selectAll().where('id', '=', id);
  const row = await locked({ kind }, query).executeTakeFirst();
  if (!row) throw refusedFleet('gateway-unknown', id);
  return row;
}

/** @throws UpliftError */
export function mustBeEnrolled({ state, id }: Pick<GatewayTable, 'state' | 'id'>): void {
  if (state === 'revoked') throw refusedFleet('gateway-revoked', id);
  if (state !== 'enrolled') throw refusedFleet('gateway-unknown', id);
}

/** Seldom enough that asking costs no write. */
export function isSeenLongAgo({ seen_ms: seenMs }: Pick<GatewayTable, 'seen_ms'>, nowMs: number) {
  return seenMs === null || Math.abs(nowMs - seenMs) >= SEEN_MS;
}

/** Whose row is locked is noted the next time: nobody waits for that. */
export async function noteSeen(
  { database, timers }: Desk,
  ids: readonly string[],
): Promise<readonly undefined[]> {
  const { kind } = database;
  const lock = kind === 'postgres' ? sql`for update skip locked` : sql``;
  await database.ask((db) =>
    sql`update gateways set seen_ms = ${timers.nowMs()}
      where id in (select id from gateways where id ${among(kind, ids)} ${lock})`.execute(db),
  );
  return ids.map(() => undefined);
}

/** Campaigns that have devices of it in hand are evaluated. */
async function touchCampaignsOf({ db }: Change, gateway: string): Promise<void> {
  await sql`insert into touches (campaign)
    select distinct campaign from campaign_devices where gateway = ${gateway}`.execute(db);
}

function makeToken({ random, timers, settings }: Desk) {
  const token = Buffer.from(random(TOKEN_BYTES)).toString('base64url');
  const atMs = timers.nowMs();
  return { token, digest: digestOf(token), atMs, untilMs: atMs + settings.tokenMs };
}

function digestOf(token: string): string {
  return sha256Hex(new TextEncoder().encode(token));
}

function newGateway(id: string): Omit<GatewayTable, 'token' | 'token_until_ms' | 'desired_ms'> {
  return {
    id,
    state: 'expected',
    region: null,
    version: null,
    certificate: null,
    token_used: null,
    epoch: 0,
    journal_sequence: null,
    journal_hash: null,
    trouble: null,
    devices: 0,
    windows: '[]',
    seen_ms: null,
    enrolled_ms: null,
    desired_version: 0,
  };
}

function inventoryRow(gateway: string, device: InventoryDevice): readonly unknown[] {
  const { id, kind, manufacturer, model, hardwareVersion, hardwareRevision } = device;
  const hardware = hardwareKey(device);
  const own = [gateway, device.device, id, kind, manufacturer, model, hardwareVersion];
  return [
    ...own,
    hardwareRevision,
    hardware,
    device.firmwareVersion ?? null,
    device.readMs ?? null,
  ];
}

function viewOf(row: GatewayTable): GatewayView {
  const { journal_sequence: sequence, journal_hash: hash } = row;
  return {
    id: row.id,
    state: row.state,
    devices: row.devices,
    ...(row.region === null ? {} : { region: row.region }),
    ...(row.version === null ? {} : { version: row.version }),
    ...(row.seen_ms === null ? {} : { seenMs: row.seen_ms }),
    ...(row.enrolled_ms === null ? {} : { enrolledMs: row.enrolled_ms }),
    ...(row.certificate === null ? {} : { certificate: row.certificate }),
    ...(sequence === null || hash === null ? {} : { journal: { sequence, hash } }),
    ...(row.trouble === null ? {} : { trouble: row.trouble }),
  };
}

/** As PostgreSQL and as SQLite say it. */
function isUniqueViolation(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === '23505' || /UNIQUE constraint failed/.test(message ?? '');
}
