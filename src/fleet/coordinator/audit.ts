/**
 * The coordinator's audit log: who changed what, in the transaction that changed it. Each entry's hash is
 * over it and the hash of the one before, and the newest is named beside them, so that an entry which was
 * edited, put in, taken out or cut off shows.
 */
import { UpliftError } from '../../errors.ts';
import type { Actor } from '../../jobs/records.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { AuditEntry, Page } from './control.ts';
import { type Change, type Db, locked } from './database.ts';

/** What the coordinator does by itself. */
export const COORDINATOR_ACTOR: Actor = 'coordinator';

export const AUDITED = [
  'gateway-added',
  'gateway-renewed',
  'gateway-enrolled',
  'gateway-revoked',
  'gateway-trouble',
  'events-brought',
  'blob-stored',
  'campaign-submitted',
  'campaign-signed',
  'campaign-started',
  'campaign-paused',
  'campaign-resumed',
  'campaign-retried',
  'campaign-held',
  'campaign-finished',
  'campaign-aborted',
  'campaign-expired',
  'campaign-superseded',
] as const;

export interface Audited {
  atMs: number;
  by: Actor;
  what: (typeof AUDITED)[number];
  about?: string;
  detail?: string;
}

/** Of a log without entries. */
const NO_HASH = '0'.repeat(64);
const PAGE_ENTRIES = 1000;

/** The row that the log hangs on; the database is one fleet's from then on. @throws UpliftError */
export async function openFleet({ db, kind }: Change, name: string): Promise<void> {
  const made = { row: 1, name, audit_sequence: 0, audit_hash: NO_HASH };
  await db
    .insertInto('fleet')
    .values(made)
    .onConflict((clash) => clash.doNothing())
    .execute();
  const found = await locked({ kind }, db.selectFrom('fleet').select('name')).executeTakeFirst();
  if (found?.name === name) return;
  throw new UpliftError('database-other-fleet', 'the database is of another fleet', {
    expected: `the fleet ${name}`,
    actual: `the fleet ${found?.name}`,
    next: 'give each fleet a database of its own',
  });
}

/** Written when all else of the transaction is: its lock is the last that is taken. */
export function appendAudit(change: Change, entry: Audited): void {
  change.last.push((own) => append(own, entry));
}

export async function auditPage(
  db: Db,
  after: number | undefined,
  limit: number,
): Promise<Page<AuditEntry>> {
  const rows = await db
    .selectFrom('audit')
    .selectAll()
    .where('sequence', '>', after ?? 0)
    .orderBy('sequence')
    .limit(limit + 1)
    .execute();
  const items = rows
    .slice(0, limit)
    .map(({ sequence, at_ms, actor, what, about, detail, hash }) => ({
      sequence,
      atMs: at_ms,
      by: actor,
      what,
      ...(about === null ? {} : { about }),
      ...(detail === null ? {} : { detail }),
      hash,
    }));
  return { items, more: rows.length > limit };
}

/** The first entry that is not what it has to be; of a log whose end is missing, the last there is. */
export async function firstTampered(db: Db): Promise<AuditEntry | undefined> {
  // Read first: entries that are made meanwhile come after it.
  const head = await db.selectFrom('fleet').selectAll().executeTakeFirstOrThrow();
  let [sequence, hash] = [0, NO_HASH];
  let last: AuditEntry | undefined;
  for (;;) {
    const { items, more } = await auditPage(db, sequence, PAGE_ENTRIES);
    for (const entry of items) {
      const isNext = entry.sequence === sequence + 1;
      if (!isNext || entry.hash !== hashOf(hash, entry)) return entry;
      if (entry.sequence === head.audit_sequence && entry.hash !== head.audit_hash) return entry;
      ({ sequence, hash } = entry);
      last = entry;
    }
    if (!more) break;
  }
  if (sequence >= head.audit_sequence) return undefined;
  const missing = 'the log ends here, and has had more entries';
  return last
    ? { ...last, detail: missing }
    : { sequence: 0, atMs: 0, by: COORDINATOR_ACTOR, what: 'missing', detail: missing, hash };
}

async function append({ db, kind }: Change, entry: Audited): Promise<void> {
  const head = await locked({ kind }, db.selectFrom('fleet').selectAll()).executeTakeFirstOrThrow();
  const sequence = head.audit_sequence + 1;
  const hash = hashOf(head.audit_hash, { sequence, ...entry });
  const { atMs, by, what, about = null, detail = null } = entry;
  const row = { sequence, at_ms: atMs, actor: by, what, about, detail, hash };
  await db.insertInto('audit').values(row).execute();
  await db.updateTable('fleet').set({ audit_sequence: sequence, audit_hash: hash }).execute();
}

/** Over a list, whose one encoding no other entry has. */
function hashOf(before: string, entry: Omit<AuditEntry, 'hash'>): string {
  const { sequence, atMs, by, what, about = null, detail = null } = entry;
  const text = JSON.stringify([before, sequence, atMs, by, what, about, detail]);
  return sha256Hex(new TextEncoder().encode(text));
}
