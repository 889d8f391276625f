/**
 * The Eligible Products Combination List (EPCL): each combination for which the DCC has shown that it
 * can process SMETS1 Service Requests and alerts, with the date on which it was first added (SEC
 * F2.10A(a), glossary; read). The DCC provides it, the SEC Panel publishes it. That a combination can
 * be taken off again, and when, is assumed.
 */

import {
  type CentralProductsList,
  entriesByDeviceModel,
  entriesForModel,
  type ListOptions,
} from './central-products-list.ts';
import { type ListFault, type ListIssue, listIssue } from './codes.ts';
import { bindColumns, FieldReader } from './columns.ts';
import {
  COMBINATION_FIELDS,
  type Combination,
  combinationKey,
  readCombination,
  withoutRepeatedIds,
} from './combinations.ts';
import {
  type DeviceModel,
  deviceModelKey,
  sameUnderOtherCoding,
  showDeviceModel,
} from './device-model.ts';
import type { ListStamp } from './list-age.ts';
import { parseCsvTable, type Table } from './table.ts';

export interface EligibleCombination extends Combination {
  combinationId: string;
  addedOnMs: number;
  /** The first moment at which it is not on the list any more. */
  removedFromMs?: number;
  /** In the file it was read from. */
  line: number;
}

export interface EligibleCombinations {
  entries: EligibleCombination[];
  issues: ListIssue[];
  /** By `combinationKey`. */
  byKey: ReadonlyMap<string, EligibleCombination[]>;
  stamp?: ListStamp;
}

export type EligibleResult = { ok: true; list: EligibleCombinations } | ListFault;

export const EPCL_FIELDS = {
  combination_id: 'required',
  ...COMBINATION_FIELDS,
  added_on: 'required',
  removed_from: 'optional',
} as const;

export function parseEligibleCombinations(text: string, options: ListOptions = {}): EligibleResult {
  const parsed = parseCsvTable(text);
  return parsed.ok ? readEligibleCombinations(parsed.table, options) : parsed;
}

export function readEligibleCombinations(table: Table, options: ListOptions = {}): EligibleResult {
  const bound = bindColumns(table, EPCL_FIELDS, options.mapping);
  if (!bound.ok) return bound;
  const reader = new FieldReader<keyof typeof EPCL_FIELDS>(bound);
  const known = new Map<string, DeviceModel>();
  const read = bound.rows.flatMap((row) => {
    if (!reader.begin(row)) return [];
    const combination = readEligible(reader, known);
    return combination ? [combination] : [];
  });
  const { issues } = reader;
  const entries = withoutRepeatedIds(read, (row) => row.combinationId, 'combination_id', issues);
  issues.sort((a, b) => a.line - b.line);
  const byKey = Map.groupBy(entries, combinationKey);
  const stamp = options.stamp ? { stamp: options.stamp } : {};
  return { ok: true, list: { entries, issues, byKey, ...stamp } };
}

/** The combination as it stands on the list at that time; `undefined` where it does not. */
export function findEligible(
  list: EligibleCombinations,
  combination: Combination,
  nowMs: number,
): EligibleCombination | undefined {
  return list.byKey.get(combinationKey(combination))?.find((found) => isEligible(found, nowMs));
}

export function isEligible(combination: EligibleCombination, nowMs: number): boolean {
  const { addedOnMs, removedFromMs } = combination;
  return nowMs >= addedOnMs && (removedFromMs === undefined || nowMs < removedFromMs);
}

/** Device Models of the combinations that the products list does not have, each once. */
export function lintAgainstProducts(
  combinations: readonly (Combination & { line: number })[],
  products: CentralProductsList,
): ListIssue[] {
  const issues: ListIssue[] = [];
  const seen = new Set<string>();
  for (const { devices, line } of combinations) {
    for (const { kind, deviceModel } of devices) {
      const key = deviceModelKey(deviceModel);
      if (seen.has(key)) continue;
      seen.add(key);
      if (entriesForModel(products, deviceModel).length > 0) continue;
      const { firmwareVersion, ...hardware } = deviceModel;
      const other = entriesByDeviceModel(products, hardware).find((entry) =>
        sameUnderOtherCoding(entry.firmwareVersion, firmwareVersion),
      );
      const next = other && {
        next: `the list has ${other.firmwareVersion}, the same number under the other coding`,
      };
      const actual = showDeviceModel(deviceModel);
      issues.push(listIssue('warning', 'device-model-not-listed', line, kind, { actual, ...next }));
    }
  }
  return issues;
}

function readEligible(
  reader: FieldReader<keyof typeof EPCL_FIELDS>,
  known: Map<string, DeviceModel>,
): EligibleCombination | undefined {
  reader.checkCell('combination_id');
  const combinationId = reader.text('combination_id');
  if (combinationId === '') {
    reader.say('error', 'cell-empty', 'combination_id', { expected: 'a value' });
  }
  const combination = readCombination(reader, known);
  const addedOnMs = reader.date('added_on', 'required');
  const removedFromMs = reader.date('removed_from', 'optional');
  if (addedOnMs !== undefined && removedFromMs !== undefined && removedFromMs < addedOnMs) {
    const expected = `not before ${reader.text('added_on')}`;
    reader.say('error', 'dates-reversed', 'removed_from', { expected });
  }
  if (reader.failed || addedOnMs === undefined) return undefined;
  const removed = removedFromMs === undefined ? {} : { removedFromMs };
  return { combinationId, ...combination, addedOnMs, ...removed, line: reader.line };
}
