/**
 * Pending Product Combinations Tests (PPCT): combinations that the DCC tests so that they can become
 * eligible (SEC H14.36A, from 31 August 2018, glossary; read). The form of the record, its states
 * and its reference are assumed.
 */
import type { ListOptions } from './central-products-list.ts';
import type { ListFault, ListIssue } from './codes.ts';
import { bindColumns, FieldReader } from './columns.ts';
import {
  COMBINATION_FIELDS,
  type Combination,
  readCombination,
  withoutRepeatedIds,
} from './combinations.ts';
import type { DeviceModel } from './device-model.ts';
import type { ListStamp } from './list-age.ts';
import { parseCsvTable, type Table } from './table.ts';

export const PPCT_OUTCOMES = ['open', 'passed', 'failed', 'withdrawn'] as const;

export type PpctOutcome = (typeof PPCT_OUTCOMES)[number];

export interface PendingCombination extends Combination {
  /** What an expedited entry of the Central Products List refers to. */
  ppctReference: string;
  openedOnMs: number;
  outcome: PpctOutcome;
  /** When it ended; absent while it is open. */
  closedOnMs?: number;
  line: number;
}

export interface PendingCombinations {
  entries: PendingCombination[];
  issues: ListIssue[];
  byReference: ReadonlyMap<string, PendingCombination>;
  stamp?: ListStamp;
}

export type PendingResult = { ok: true; list: PendingCombinations } | ListFault;

export const PPCT_FIELDS = {
  ppct_reference: 'required',
  ...COMBINATION_FIELDS,
  opened_on: 'required',
  outcome: 'required',
  closed_on: 'optional',
} as const;

export function parsePendingCombinations(text: string, options: ListOptions = {}): PendingResult {
  const parsed = parseCsvTable(text);
  return parsed.ok ? readPendingCombinations(parsed.table, options) : parsed;
}

export function readPendingCombinations(table: Table, options: ListOptions = {}): PendingResult {
  const bound = bindColumns(table, PPCT_FIELDS, options.mapping);
  if (!bound.ok) return bound;
  const reader = new FieldReader<keyof typeof PPCT_FIELDS>(bound);
  const known = new Map<string, DeviceModel>();
  const read = bound.rows.flatMap((row) => {
    if (!reader.begin(row)) return [];
    const pending = readPending(reader, known);
    return pending ? [pending] : [];
  });
  const { issues } = reader;
  const entries = withoutRepeatedIds(read, (row) => row.ppctReference, 'ppct_reference', issues);
  issues.sort((a, b) => a.line - b.line);
  const byReference = new Map(entries.map((entry) => [entry.ppctReference, entry]));
  const stamp = options.stamp ? { stamp: options.stamp } : {};
  return { ok: true, list: { entries, issues, byReference, ...stamp } };
}

/** Whether the test was under way at that time: opened, and not closed or without a day of it. */
export function isOpen(pending: PendingCombination, nowMs: number): boolean {
  const { outcome, openedOnMs, closedOnMs } = pending;
  if (nowMs < openedOnMs) return false;
  return closedOnMs === undefined ? outcome === 'open' : nowMs < closedOnMs;
}

function readPending(
  reader: FieldReader<keyof typeof PPCT_FIELDS>,
  known: Map<string, DeviceModel>,
): PendingCombination | undefined {
  reader.checkCell('ppct_reference');
  const ppctReference = reader.text('ppct_reference');
  if (ppctReference === '') {
    reader.say('error', 'cell-empty', 'ppct_reference', { expected: 'a value' });
  }
  const combination = readCombination(reader, known);
  const openedOnMs = reader.date('opened_on', 'required');
  const closedOnMs = reader.date('closed_on', 'optional');
  if (openedOnMs !== undefined && closedOnMs !== undefined && closedOnMs < openedOnMs) {
    const expected = `not before ${reader.text('opened_on')}`;
    reader.say('error', 'dates-reversed', 'closed_on', { expected });
  }
  const word = reader.word('outcome');
  const outcome = PPCT_OUTCOMES.find((known) => known === word);
  if (outcome === undefined) {
    reader.say('error', 'word-unknown', 'outcome', { expected: PPCT_OUTCOMES.join(', ') });
  }
  if (reader.failed || openedOnMs === undefined || outcome === undefined) return undefined;
  const closed = closedOnMs === undefined ? {} : { closedOnMs };
  return { ppctReference, ...combination, openedOnMs, outcome, ...closed, line: reader.line };
}
