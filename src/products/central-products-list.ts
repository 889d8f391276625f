/**
 * The Central Products List: one entry a Device Model with its firmware, the Manufacturer Image
 * Hash, and from when until when it stands.
 *
 * Read from CSV or a workbook, under a mapping where the columns are not ours (`columns.ts`). What
 * an entry holds: SEC news, CPL quality data, 16 April 2019 (read). Standing at the DCC interface:
 * DUIS schemas 5.0a to 5.4 (read); `Current` and `Removed` on the published list (assumed). Upgrade
 * pathways: consultation on MP231 to 12 May 2023 (read; whether it is in force was not found).
 * Expedited entries: letter of July 2021, paragraphs 11 and 12 (read; their form is inferred).
 *
 * Invariant: an entry that is read has a hash of 64 lower-case digits, valid dates and known words.
 * A line with an error yields an issue with its place and no entry, so a faulty line admits nothing
 * and the others still count. Of two entries that give one Device Model two hashes, neither is used.
 * That an entry is on the list does not prove that it is right: values of valid form but wrong
 * content have been.
 */
import { type ListFault, type ListIssue, listIssue } from './codes.ts';
import { bindColumns, type ColumnMapping, FieldReader } from './columns.ts';
import { type DeviceModel, deviceModelKey, sameHardware, sameText } from './device-model.ts';
import type { ListStamp } from './list-age.ts';
import type { AcceptedEdition } from './list-edition.ts';
import { readListEntry } from './list-entry.ts';
import { lintPredecessors, lintVersions } from './list-lint.ts';
import { parseCsvTable, type Table } from './table.ts';

/**
 * What the published list says (words assumed). `unstated` where its status column holds words of
 * the DCC interface instead, which are then the entry's `dccStatus`.
 */
export type ListStatus = 'current' | 'removed' | 'unstated';

/**
 * Words of the DCC interface for a Device Model (CPLStatus in DUIS schemas 5.0a to 5.4). They are
 * not the published list's: an entry can be published and not yet loaded (SEC news, May 2018).
 */
export const DCC_STATUSES = ['active', 'cancelled', 'expired', 'withdrawn'] as const;

export type DccStatus = (typeof DCC_STATUSES)[number];

/**
 * Which versions one may upgrade from; a list that does not say is `unknown`, which is not `none`.
 */
export type UpgradeFrom =
  | { kind: 'unknown' }
  | { kind: 'none' }
  | { kind: 'listed'; entryIds: string[] };

/** An entry that stands before any combination with it is eligible, while one is being tested. */
export interface Expedited {
  purpose: string;
  addedOnMs: number;
  /** Of the Pending Product Combinations Test. */
  ppctReference: string;
  /** The first moment at which it is not expedited any more. */
  endsOnMs?: number;
}

export interface ListEntry extends DeviceModel {
  entryId: string;
  deviceType: string;
  /** 64 lower-case digits. */
  manufacturerImageHash: string;
  status: ListStatus;
  listedFromMs: number;
  /** The first moment at which the entry does not stand any more. */
  removedFromMs?: number;
  /** Absent where the list does not say. */
  dccStatus?: DccStatus;
  /** Whether the DCC has loaded the entry, and since when; absent where the list does not say. */
  dccLoaded?: { isLoaded: false } | { isLoaded: true; fromMs: number };
  /** Absent where the list does not say. */
  generation?: 'smets1' | 'smets2';
  otaFileVersion?: number;
  upgradeFrom: UpgradeFrom;
  expedited?: Expedited;
  /** In the file it was read from. */
  line: number;
}

export interface CentralProductsList {
  entries: ListEntry[];
  issues: ListIssue[];
  byHash: ReadonlyMap<string, ListEntry[]>;
  /** By `deviceModelKey`. */
  byDeviceModel: ReadonlyMap<string, ListEntry[]>;
  byId: ReadonlyMap<string, ListEntry>;
  stamp?: ListStamp;
  /** Absent: nobody keeps which lists were accepted before. */
  accepted?: AcceptedEdition;
}

export type ListResult = { ok: true; list: CentralProductsList } | ListFault;

export const CPL_FIELDS = {
  entry_id: 'required',
  device_type: 'required',
  manufacturer: 'required',
  model: 'required',
  hardware_version: 'required',
  hardware_revision: 'required',
  firmware_version: 'required',
  manufacturer_image_hash: 'required',
  status: 'required',
  listed_from: 'required',
  removed_from: 'required',
  ota_file_version: 'optional',
  upgrade_from: 'optional',
  dcc_status: 'optional',
  dcc_loaded_from: 'optional',
  generation: 'optional',
  expedited_purpose: 'optional',
  expedited_added_on: 'optional',
  expedited_ends_on: 'optional',
  ppct_reference: 'optional',
} as const;

export type CplField = keyof typeof CPL_FIELDS;

export interface ListOptions {
  mapping?: ColumnMapping | undefined;
  stamp?: ListStamp | undefined;
  /** The newest edition that was accepted before. */
  accepted?: AcceptedEdition | undefined;
}

/** `text` is the whole CSV file, UTF-8 decoded. */
export function parseCentralProductsList(text: string, options: ListOptions = {}): ListResult {
  const parsed = parseCsvTable(text);
  return parsed.ok ? readCentralProductsList(parsed.table, options) : parsed;
}

export function readCentralProductsList(table: Table, options: ListOptions = {}): ListResult {
  const bound = bindColumns(table, CPL_FIELDS, options.mapping);
  if (!bound.ok) return bound;
  const reader = new FieldReader<CplField>(bound);
  const read = bound.rows.flatMap((row) => {
    if (!reader.begin(row)) return [];
    const entry = readListEntry(reader);
    return entry ? [entry] : [];
  });
  const { issues } = reader;
  const entries = withoutConflicts(withoutRepeats(read, issues), issues);
  const byId = new Map(entries.map((entry) => [entry.entryId, entry]));
  lintPredecessors(read, issues);
  lintVersions(entries, issues);
  issues.sort((a, b) => a.line - b.line);
  return {
    ok: true,
    list: {
      entries,
      issues,
      byHash: Map.groupBy(entries, ({ manufacturerImageHash }) => manufacturerImageHash),
      byDeviceModel: Map.groupBy(entries, deviceModelKey),
      byId,
      ...(options.stamp ? { stamp: options.stamp } : {}),
      ...(options.accepted ? { accepted: options.accepted } : {}),
    },
  };
}

/** Every entry with this Manufacturer Image Hash: hardware revisions can share one image. */
export function entriesByHash(list: CentralProductsList, hash: string): readonly ListEntry[] {
  return list.byHash.get(hash.trim().toLowerCase()) ?? [];
}

/** Every entry of exactly this Device Model. */
export function entriesForModel(
  list: CentralProductsList,
  deviceModel: DeviceModel,
): readonly ListEntry[] {
  return list.byDeviceModel.get(deviceModelKey(deviceModel)) ?? [];
}

/** Every entry that agrees in all fields that `wanted` names; looks at the whole list. */
export function entriesByDeviceModel(
  list: CentralProductsList,
  wanted: Partial<DeviceModel>,
): readonly ListEntry[] {
  const { firmwareVersion } = wanted;
  return list.entries.filter(
    (entry) =>
      sameHardware(entry, wanted) &&
      (firmwareVersion === undefined || sameText(entry.firmwareVersion, firmwareVersion)),
  );
}

/** Whether status, dates and the DCC's word all say that the entry stands; they need not agree. */
export function isCurrent(entry: ListEntry, nowMs: number): boolean {
  const { listedFromMs, removedFromMs } = entry;
  if (!standsByItsWords(entry)) return false;
  return nowMs >= listedFromMs && (removedFromMs === undefined || nowMs < removedFromMs);
}

/** Whether its status and the DCC's word let the entry stand, whatever its dates say. */
export function standsByItsWords({ status, dccStatus }: ListEntry): boolean {
  if (status === 'removed' || (dccStatus !== undefined && dccStatus !== 'active')) return false;
  return status !== 'unstated' || dccStatus !== undefined;
}

/** The entry's standing in the words of the lists: `current`, `expired at the DCC`. */
export function showStanding({ status, dccStatus }: ListEntry): string {
  const atDcc = dccStatus === undefined ? [] : [`${dccStatus} at the DCC`];
  return [...(status === 'unstated' ? [] : [status]), ...atDcc].join(', ');
}

/** Whether the DCC has loaded the entry: published and loaded list can differ. */
export function loadedByDcc(entry: ListEntry, nowMs: number): 'yes' | 'no' | 'unknown' {
  const { dccLoaded } = entry;
  if (!dccLoaded) return 'unknown';
  return dccLoaded.isLoaded && nowMs >= dccLoaded.fromMs ? 'yes' : 'no';
}

/**
 * Whether a device that runs `runningVersion` may be upgraded to the entry, by its upgrade pathway
 * (MP231): one of its predecessors is of that version; none is; it has none (N/A); or the list does
 * not say. Predecessors of other hardware do not count; the hardware revision may differ.
 */
export function mayPrecede(
  list: CentralProductsList,
  entry: ListEntry,
  runningVersion: string,
): 'listed' | 'not-listed' | 'none' | 'unknown' {
  if (entry.upgradeFrom.kind !== 'listed') return entry.upgradeFrom.kind;
  const isListed = predecessorsOf(list, entry).some(({ firmwareVersion }) =>
    sameText(firmwareVersion, runningVersion),
  );
  return isListed ? 'listed' : 'not-listed';
}

/** The entries from which one may upgrade to this one, as far as they are on the list. */
export function predecessorsOf(list: CentralProductsList, entry: ListEntry): ListEntry[] {
  if (entry.upgradeFrom.kind !== 'listed') return [];
  const { manufacturer, model, hardwareVersion } = entry;
  return entry.upgradeFrom.entryIds.flatMap((id) => {
    const found = list.byId.get(id);
    return found && sameHardware(found, { manufacturer, model, hardwareVersion }) ? [found] : [];
  });
}

function withoutRepeats(entries: ListEntry[], issues: ListIssue[]): ListEntry[] {
  const lineOfId = new Map<string, number>();
  const lineOfContent = new Map<string, number>();
  return entries.filter((entry) => {
    const { entryId, line } = entry;
    const first = lineOfId.get(entryId);
    if (first !== undefined) {
      issues.push(
        listIssue('error', 'entry-repeated', line, 'entry_id', {
          expected: 'an id of its own',
          actual: `${entryId}, as in line ${first}`,
          next: 'remove one of the two lines, or correct its id',
        }),
      );
      return false;
    }
    lineOfId.set(entryId, line);
    const { manufacturerImageHash } = entry;
    const content = [deviceModelKey(entry), manufacturerImageHash, showStanding(entry)].join();
    const same = lineOfContent.get(content);
    if (same === undefined) lineOfContent.set(content, line);
    else {
      const actual = `the Device Model and hash of line ${same}`;
      issues.push(listIssue('warning', 'entry-duplicate', line, 'entry_id', { actual }));
    }
    return true;
  });
}

function withoutConflicts(entries: ListEntry[], issues: ListIssue[]): ListEntry[] {
  const byModel = Map.groupBy(entries, deviceModelKey);
  return entries.filter((entry) => {
    const rivals = byModel.get(deviceModelKey(entry))!;
    const rival = rivals.find(
      ({ manufacturerImageHash }) => manufacturerImageHash !== entry.manufacturerImageHash,
    );
    if (!rival) return true;
    issues.push(
      listIssue('error', 'hash-conflict', entry.line, 'manufacturer_image_hash', {
        expected: `the hash of line ${rival.line}, ${rival.manufacturerImageHash}`,
        actual: entry.manufacturerImageHash,
        next: 'ask who submitted the entries; until then neither is used',
      }),
    );
    return false;
  });
}
