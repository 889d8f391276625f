/**
 * The Central Products List as CSV with our own column names, one entry a line: a Device Model with
 * its firmware, the Manufacturer Image Hash, and from when until when it stands.
 *
 * The published list's columns are not known, so importing it is a mapping to these and lies
 * elsewhere. What an entry holds: SEC news, CPL quality data, 16 April 2019. Lines beginning with
 * `#` are comments.
 *
 * Invariant: an entry that is read has a hash of 64 lower-case digits, valid dates and a known
 * status. A line with an error yields an issue with its place and no entry, so a faulty line admits
 * nothing and the others still count. Of two entries that give one Device Model two hashes, neither
 * is used. That an entry is on the list does not prove that it is right: values of valid form but
 * wrong content have been.
 */
import { parse } from 'csv-parse/sync';
import { LIST_ISSUES, type ListIssue, type ListIssueCode } from './codes.ts';
import {
  type DeviceHardware,
  type DeviceModel,
  FIRMWARE_VERSION_CHARACTERS_MAX,
  foldText,
  isFirmwareVersion,
  MODEL_CHARACTERS_MAX,
  sameHardware,
  sameText,
} from './device-model.ts';

/**
 * Words for an entry's standing at the DCC interface (DUIS schema), and on the published list
 * (assumed).
 */
export const LIST_STATUSES = {
  active: 'current',
  current: 'current',
  cancelled: 'ended',
  expired: 'ended',
  removed: 'ended',
  withdrawn: 'ended',
} as const;

export type ListStatus = keyof typeof LIST_STATUSES;

/**
 * Which versions one may upgrade from; a list that does not say is `unknown`, which is not `none`.
 */
export type UpgradeFrom =
  | { kind: 'unknown' }
  | { kind: 'none' }
  | { kind: 'listed'; entryIds: string[] };

export interface ListEntry extends DeviceModel {
  entryId: string;
  deviceType: string;
  /** 64 lower-case digits. */
  manufacturerImageHash: string;
  status: ListStatus;
  listedFromMs: number;
  /** The first moment at which the entry does not stand any more. */
  removedFromMs?: number;
  otaFileVersion?: number;
  upgradeFrom: UpgradeFrom;
  /** In the file it was read from. */
  line: number;
}

export interface CentralProductsList {
  entries: ListEntry[];
  issues: ListIssue[];
  byHash: ReadonlyMap<string, ListEntry[]>;
}

export type ListResult =
  | { ok: true; list: CentralProductsList }
  | { ok: false; code: ListIssueCode; message: string; issues: ListIssue[] };

const COLUMNS_REQUIRED = [
  'entry_id',
  'device_type',
  'manufacturer',
  'model',
  'hardware_version',
  'hardware_revision',
  'firmware_version',
  'manufacturer_image_hash',
  'status',
  'listed_from',
  'removed_from',
] as const;
const COLUMNS_OPTIONAL = ['ota_file_version', 'upgrade_from'] as const;

type Column = (typeof COLUMNS_REQUIRED)[number] | (typeof COLUMNS_OPTIONAL)[number];

/** The published list has some thousand entries; this is far above, and bounds the memory. */
const LIST_CHARACTERS_MAX = 64 * 1024 * 1024;

/** `text` is the whole file, UTF-8 decoded. */
export function parseCentralProductsList(text: string): ListResult {
  if (text.length > LIST_CHARACTERS_MAX) {
    return failed('list-too-large', 1, {
      expected: `at most ${LIST_CHARACTERS_MAX} characters`,
      actual: `${text.length}`,
    });
  }
  const rows = readCsv(text);
  if (!Array.isArray(rows)) return rows;
  const heading = rows[0];
  if (!heading) {
    return failed('list-empty', 1, { expected: COLUMNS_REQUIRED.join(','), actual: 'no line' });
  }
  const columns = heading.cells.map((cell) => cell.trim().toLowerCase());
  const issues = checkHeading(columns, heading.line);
  const fatal = issues.find(({ severity }) => severity === 'error');
  if (fatal) return { ok: false, code: fatal.code, message: fatal.message, issues };
  const read = rows.slice(1).flatMap((row) => readEntry(row, columns, issues));
  const entries = withoutConflicts(withoutRepeats(read, issues), issues);
  issues.sort((a, b) => a.line - b.line);
  return { ok: true, list: { entries, issues, byHash: groupByHash(entries) } };
}

/** Every entry with this Manufacturer Image Hash: hardware revisions can share one image. */
export function entriesByHash(list: CentralProductsList, hash: string): readonly ListEntry[] {
  return list.byHash.get(hash.trim().toLowerCase()) ?? [];
}

/** Every entry that agrees in all fields that `wanted` names. */
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

/** Whether status and dates both say that the entry stands; they need not agree. */
export function isCurrent(entry: ListEntry, nowMs: number): boolean {
  const { status, listedFromMs, removedFromMs } = entry;
  if (LIST_STATUSES[status] !== 'current') return false;
  return nowMs >= listedFromMs && (removedFromMs === undefined || nowMs < removedFromMs);
}

interface Row {
  cells: string[];
  line: number;
}

function readCsv(text: string): Row[] | ListResult {
  try {
    const records = parse(text, {
      bom: true,
      comment: '#',
      comment_no_infix: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
    return records.map(({ record, info }) => ({ cells: record, line: info.lines }));
  } catch (error) {
    const { lines, message } = error as { lines?: number; message: string };
    return failed('csv-malformed', lines ?? 1, { actual: message, next: 'correct this line' });
  }
}

function checkHeading(columns: string[], line: number): ListIssue[] {
  const issues: ListIssue[] = [];
  const known: readonly string[] = [...COLUMNS_REQUIRED, ...COLUMNS_OPTIONAL];
  for (const column of COLUMNS_REQUIRED.filter((name) => !columns.includes(name))) {
    issues.push(
      issue('error', 'column-missing', line, column, {
        expected: `the columns ${COLUMNS_REQUIRED.join(', ')}`,
        actual: columns.join(', '),
        next: `add the column ${column} to the heading`,
      }),
    );
  }
  columns.forEach((column, at) => {
    if (columns.indexOf(column) !== at) {
      issues.push(issue('error', 'column-repeated', line, column));
    } else if (!known.includes(column)) {
      issues.push(issue('warning', 'column-unknown', line, column));
    }
  });
  return issues;
}

/** One entry, or none and the issues that say why. */
function readEntry(row: Row, columns: string[], issues: ListIssue[]): ListEntry[] {
  const { line } = row;
  if (row.cells.length !== columns.length) {
    const lengths = { expected: `${columns.length} cells`, actual: `${row.cells.length}` };
    issues.push(issue('error', 'cell-count', line, undefined, lengths));
    return [];
  }
  const errorsBefore = countErrors(issues);
  const cell = (column: Column) => row.cells[columns.indexOf(column)]?.trim() ?? '';
  const say = (
    severity: ListIssue['severity'],
    code: ListIssueCode,
    column: Column,
    detail: IssueDetail = {},
  ) => issues.push(issue(severity, code, line, column, { actual: cell(column), ...detail }));
  checkTexts(cell, say);
  const hash = cell('manufacturer_image_hash').toLowerCase();
  if (!/^[0-9a-f]*$/.test(hash)) {
    say('error', 'hash-not-hexadecimal', 'manufacturer_image_hash', {
      expected: '64 hexadecimal digits',
    });
  } else if (hash.length !== 64) {
    say('error', 'hash-length', 'manufacturer_image_hash', {
      expected: '64 hexadecimal digits',
      actual: `${hash.length} digits`,
    });
  }
  const status = cell('status').toLowerCase();
  if (!isListStatus(status)) {
    say('error', 'status-unknown', 'status', { expected: Object.keys(LIST_STATUSES).join(', ') });
  }
  const dates = readDates(cell, say);
  const otaFileVersion = readFileVersion(cell('ota_file_version'));
  if (otaFileVersion === 'invalid') {
    say('error', 'file-version-invalid', 'ota_file_version', {
      expected: '1 to 8 hexadecimal digits, with or without 0x',
    });
  }
  if (countErrors(issues) > errorsBefore || !isListStatus(status)) return [];
  return [
    {
      entryId: cell('entry_id'),
      deviceType: cell('device_type'),
      manufacturer: cell('manufacturer'),
      model: cell('model'),
      hardwareVersion: cell('hardware_version'),
      hardwareRevision: cell('hardware_revision'),
      firmwareVersion: cell('firmware_version'),
      manufacturerImageHash: hash,
      status,
      ...dates,
      ...(typeof otaFileVersion === 'number' ? { otaFileVersion } : {}),
      upgradeFrom: readUpgradeFrom(cell('upgrade_from')),
      line,
    },
  ];
}

type ReadCell = (column: Column) => string;
type Say = (
  severity: ListIssue['severity'],
  code: ListIssueCode,
  column: Column,
  detail?: IssueDetail,
) => void;

function checkTexts(cell: ReadCell, say: Say): void {
  const filled = ['entry_id', 'device_type', 'manufacturer', 'model', 'hardware_version'] as const;
  for (const column of [...filled, 'hardware_revision', 'firmware_version'] as const) {
    if (cell(column) === '') say('error', 'cell-empty', column, { expected: 'a value' });
  }
  for (const column of ['manufacturer', 'model'] as const) {
    if (cell(column).length > MODEL_CHARACTERS_MAX) {
      say('error', 'text-too-long', column, {
        expected: `at most ${MODEL_CHARACTERS_MAX} characters`,
      });
    }
  }
  const version = cell('firmware_version');
  if (version !== '' && !isFirmwareVersion(version)) {
    const expected = `at most ${FIRMWARE_VERSION_CHARACTERS_MAX} characters`;
    say('error', 'text-too-long', 'firmware_version', { expected });
  }
  // Real inventories hold such values ("GEO" for a manufacturer), so they are pointed out and kept.
  const digits = ['manufacturer', 'model', 'hardware_version', 'hardware_revision'] as const;
  for (const column of [...digits, 'firmware_version'] as const) {
    if (!/^[0-9a-fA-F]*$/.test(cell(column))) say('warning', 'not-hexadecimal', column);
  }
}

function readDates(cell: ReadCell, say: Say): { listedFromMs: number; removedFromMs?: number } {
  const expected = 'YYYY-MM-DD, or YYYY-MM-DDThh:mm:ssZ';
  const listedFromMs = parseDate(cell('listed_from'));
  if (listedFromMs === undefined) say('error', 'date-invalid', 'listed_from', { expected });
  const dates = { listedFromMs: listedFromMs ?? 0 };
  if (cell('removed_from') === '') return dates;
  const removedFromMs = parseDate(cell('removed_from'));
  if (removedFromMs === undefined) {
    say('error', 'date-invalid', 'removed_from', { expected: `${expected}, or nothing` });
    return dates;
  }
  if (listedFromMs !== undefined && removedFromMs < listedFromMs) {
    const notBefore = { expected: `not before ${cell('listed_from')}` };
    say('error', 'dates-reversed', 'removed_from', notBefore);
  }
  return { ...dates, removedFromMs };
}

/** A date alone is its start in UTC: the list's own zone is not stated. */
function parseDate(text: string): number | undefined {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})Z)?$/.exec(text);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts
    .slice(1)
    .map((digits) => Number(digits ?? 0)) as [number, number, number, number, number, number];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls 30 February over into March; a list that says so is in error.
  const again = new Date(ms).toISOString();
  return again.startsWith(text.replace(/Z$/, '')) ? ms : undefined;
}

function readFileVersion(text: string): number | undefined | 'invalid' {
  if (text === '') return undefined;
  const digits = text.replace(/^0x/i, '');
  return /^[0-9a-fA-F]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) : 'invalid';
}

function readUpgradeFrom(text: string): UpgradeFrom {
  if (text === '') return { kind: 'unknown' };
  if (/^n\/?a$/i.test(text)) return { kind: 'none' };
  return { kind: 'listed', entryIds: text.split(/[\s;]+/).filter((id) => id !== '') };
}

function withoutRepeats(entries: ListEntry[], issues: ListIssue[]): ListEntry[] {
  const lineOfId = new Map<string, number>();
  return entries.filter(({ entryId, line }) => {
    const first = lineOfId.get(entryId);
    if (first === undefined) {
      lineOfId.set(entryId, line);
      return true;
    }
    issues.push(
      issue('error', 'entry-repeated', line, 'entry_id', {
        expected: 'an id of its own',
        actual: `${entryId}, as in line ${first}`,
        next: 'remove one of the two lines, or correct its id',
      }),
    );
    return false;
  });
}

function withoutConflicts(entries: ListEntry[], issues: ListIssue[]): ListEntry[] {
  const byModel = Map.groupBy(entries, modelKey);
  return entries.filter((entry) => {
    const rivals = byModel.get(modelKey(entry))!;
    const rival = rivals.find(
      ({ manufacturerImageHash }) => manufacturerImageHash !== entry.manufacturerImageHash,
    );
    if (!rival) return true;
    issues.push(
      issue('error', 'hash-conflict', entry.line, 'manufacturer_image_hash', {
        expected: `the hash of line ${rival.line}, ${rival.manufacturerImageHash}`,
        actual: entry.manufacturerImageHash,
        next: 'ask who submitted the entries; until then neither is used',
      }),
    );
    return false;
  });
}

function modelKey(entry: DeviceHardware & { firmwareVersion: string }): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion } = entry;
  const fields = [manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion];
  return JSON.stringify(fields.map(foldText));
}

function groupByHash(entries: ListEntry[]): ReadonlyMap<string, ListEntry[]> {
  return Map.groupBy(entries, ({ manufacturerImageHash }) => manufacturerImageHash);
}

function isListStatus(text: string): text is ListStatus {
  return Object.hasOwn(LIST_STATUSES, text);
}

function countErrors(issues: ListIssue[]): number {
  return issues.filter(({ severity }) => severity === 'error').length;
}

type IssueDetail = Pick<ListIssue, 'expected' | 'actual' | 'next'>;

function issue(
  severity: ListIssue['severity'],
  code: ListIssueCode,
  line: number,
  column?: string,
  detail: IssueDetail = {},
): ListIssue {
  const place = column === undefined ? {} : { column };
  return { severity, code, message: LIST_ISSUES[code], line, ...place, ...detail };
}

function failed(code: ListIssueCode, line: number, detail: IssueDetail): ListResult {
  const found = issue('error', code, line, undefined, detail);
  return { ok: false, code, message: found.message, issues: [found] };
}
