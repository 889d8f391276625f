/**
 * Signed campaigns as they come in: verified, and where the same one is there already, their signatures
 * are put together. One that too few have signed is kept until others have; nothing of it is started.
 */
import { checkTime, NO_CAMPAIGNS } from '../../campaign/acceptance.ts';
import { CAMPAIGN_CONTENT_TYPE, type Manifest } from '../../campaign/manifest.ts';
import { openUnapproved, type UnapprovedCampaign } from '../../campaign/signed-campaign.ts';
import type { Actor } from '../../jobs/records.ts';
import { mergeSignatures } from '../../trust/cose.ts';
import { verifyApprovals } from '../../trust/cose-signers.ts';
import { WIRE_LIMITS } from '../wire.ts';
import { appendAudit } from './audit.ts';
import { putDocument, readBlob } from './blobs.ts';
import { type Change, locked } from './database.ts';
import { refusedBy, refusedFleet } from './refusals.ts';
import type { CampaignTable } from './schema.ts';
import type { Desk } from './settings.ts';

/** @returns the digest of its manifest. @throws UpliftError */
export async function submitCampaign(desk: Desk, document: Uint8Array, by: Actor): Promise<string> {
  const opened = open(desk, document);
  const atMs = desk.timers.nowMs();
  await desk.database.change(async (change) => {
    const { db, kind } = change;
    const query = db.selectFrom('campaigns').selectAll().where('digest', '=', opened.digest);
    const known = await locked({ kind }, query).executeTakeFirst();
    if (known) await addSignatures(change, desk, known, document, by);
    else await insertCampaign(change, desk, opened, document, { by, atMs });
  });
  return opened.digest;
}

/** As it has to be to be started. @throws UpliftError */
export async function openStored(
  { db }: Change,
  desk: Desk,
  { document }: Pick<CampaignTable, 'document'>,
): Promise<UnapprovedCampaign> {
  const stored = await readBlob(db, document);
  if (!stored) throw refusedFleet('blob-unknown', document);
  return open(desk, stored);
}

export interface Signatures {
  author: string;
  approvers: readonly string[];
  missing: number;
}

/** @throws UpliftError where its author has not signed */
export function signaturesOf({ manifest, signers }: UnapprovedCampaign): Signatures {
  const counted = verifyApprovals(signers, manifest.author, 0);
  if (!counted.ok) throw refusedBy(counted);
  const approvers = counted.approvers.map(({ person }) => person);
  const missing = Math.max(0, manifest.approvals - approvers.length);
  return { author: counted.author.person, approvers, missing };
}

/** Every signature is good, and the campaign is this fleet's and in time. */
function open(desk: Desk, document: Uint8Array): UnapprovedCampaign {
  if (document.length > WIRE_LIMITS.campaignBytesMax) {
    throw refusedBy({
      code: 'cose-too-large',
      message: 'The campaign is larger than is handed out.',
    });
  }
  const nowMs = desk.timers.nowMs();
  const opened = openUnapproved(document, { ...desk.trust(), atMs: nowMs });
  if (!opened.ok) throw refusedBy(opened);
  const { fleet } = opened.manifest;
  if (fleet !== desk.fleet) throw refusedFleet('other-fleet', fleet);
  const late = checkTime(opened.manifest, { state: NO_CAMPAIGNS, nowMs });
  if (late) throw refusedBy(late);
  return opened;
}

async function insertCampaign(
  change: Change,
  desk: Desk,
  opened: UnapprovedCampaign,
  document: Uint8Array,
  { by, atMs }: { by: Actor; atMs: number },
): Promise<void> {
  const { manifest, digest, payload } = opened;
  const signatures = signaturesOf(opened);
  await mustBeNew(change, manifest);
  const made = await change.db
    .insertInto('campaigns')
    .values({
      digest,
      id: manifest.id,
      line: manifest.line,
      generation: manifest.generation,
      manifest: Buffer.from(payload),
      document: await putDocument(change, desk, document, by),
      document_bytes: document.length,
      submitted_by: by,
      submitted_ms: atMs,
      expires_ms: manifest.expiresMs,
      gateways: 0,
      ring: 0,
      width: manifest.pace.first,
      has_events: 1,
      ...columnsOf(signatures),
    })
    // Of two at one instant the second is refused, or adds its signatures when it is sent again.
    .onConflict((clash) => clash.doNothing())
    .executeTakeFirst();
  if (Number(made.numInsertedOrUpdatedRows) === 0) throw refusedFleet('busy', manifest.id);
  const about = manifest.id;
  const detail = `manifest ${digest}`;
  appendAudit(change, { atMs, by, what: 'campaign-submitted', about, detail });
}

async function mustBeNew({ db }: Change, { id, line, generation }: Manifest): Promise<void> {
  const named = await db
    .selectFrom('campaigns')
    .select('digest')
    .where('id', '=', id)
    .executeTakeFirst();
  if (named) throw refusedFleet('campaign-exists', id);
  const last = await db
    .selectFrom('campaigns')
    .select('generation')
    .where('line', '=', line)
    .orderBy('generation', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (last && last.generation >= generation) {
    throw refusedFleet('generation-not-above', `${generation} after ${last.generation}`);
  }
}

/** Once it was started its document stands: gateways have it. */
async function addSignatures(
  change: Change,
  desk: Desk,
  row: CampaignTable,
  document: Uint8Array,
  by: Actor,
): Promise<void> {
  if (row.state !== 'unsigned' && row.state !== 'ready') return;
  const { db } = change;
  const stored = await readBlob(db, row.document);
  if (!stored) throw refusedFleet('blob-unknown', row.document);
  const merged = mergeSignatures(stored, document, CAMPAIGN_CONTENT_TYPE);
  if (!merged) throw refusedFleet('signature-of-other', row.id);
  if (!merged.ok) throw refusedBy(merged);
  const signatures = signaturesOf(open(desk, merged.bytes));
  const blob = await putDocument(change, desk, merged.bytes, by);
  if (blob === row.document) return;
  await db
    .updateTable('campaigns')
    .set({ document: blob, document_bytes: merged.bytes.length, ...columnsOf(signatures) })
    .where('digest', '=', row.digest)
    .execute();
  const detail = `signed by ${[signatures.author, ...signatures.approvers].join('; ')}`;
  const atMs = desk.timers.nowMs();
  appendAudit(change, { atMs, by, what: 'campaign-signed', about: row.id, detail });
}

function columnsOf({ author, approvers, missing }: Signatures) {
  return {
    state: missing === 0 ? ('ready' as const) : ('unsigned' as const),
    author,
    approvers: JSON.stringify(approvers),
    approvals_missing: missing,
  };
}
