/**
 * Records that stay in force until another takes their place, however old they get: which list counts,
 * how a stored image is called. Before they are retired they are written anew.
 */
import type { DeskSite } from './admission-desk.ts';
import { type GatewayRecord, LIST_FIELDS, type ListKind, type ListView } from './control.ts';
import type { JournalBody } from './record-keeper.ts';

export interface StoredName {
  name: string;
  storedMs: number;
}

type ListRecord = Omit<ListView, 'kind'> & { list: ListKind; path: string };

export class StandingRecords {
  private readonly listRecords = new Map<ListKind, GatewayRecord>();
  private readonly imageRecords = new Map<string, GatewayRecord>();

  keep(record: GatewayRecord): void {
    if (record.kind === 'list') this.listRecords.set(record['list'] as ListKind, record);
    else if (record.kind === 'image-stored') this.imageRecords.set(sha256Of(record), record);
    else if (record.kind === 'image-removed') this.imageRecords.delete(sha256Of(record));
  }

  /** What the lists say of the site, above its configuration. */
  get site(): DeskSite {
    const site: DeskSite = {};
    for (const record of this.listRecords.values()) {
      const { list, path, fetchedAtMs, source } = record as unknown as ListRecord;
      Object.assign(site, { [LIST_FIELDS[list]]: path, stamp: { fetchedAtMs, source } });
    }
    return site;
  }

  get lists(): ListView[] {
    return [...this.listRecords.values()].map((record) => {
      const { list, sha256, entries, fetchedAtMs, source } = record as unknown as ListRecord;
      return { kind: list, sha256, entries, fetchedAtMs, source };
    });
  }

  /** `undefined` where no record tells of it. */
  stored(sha256: string): StoredName | undefined {
    const record = this.imageRecords.get(sha256);
    if (!record) return undefined;
    const { name, storedMs = record.atMs } = record as unknown as Partial<StoredName>;
    return { name: name!, storedMs };
  }

  /** What has to be said again before records older than that are retired. */
  olderThan(beforeMs: number): JournalBody[] {
    const all = [...this.listRecords.values(), ...this.imageRecords.values()];
    return all.filter(({ atMs }) => atMs < beforeMs).map(entryOf);
  }
}

function sha256Of(record: GatewayRecord): string {
  return record['sha256'] as string;
}

/** As it was written, without its place in the chain; an image was stored when it was. */
function entryOf(record: GatewayRecord): JournalBody {
  const { sequence: _, atMs, hash: _hash, previous: _previous, ...entry } = record;
  return record.kind === 'image-stored' ? { storedMs: atMs, ...entry } : entry;
}
