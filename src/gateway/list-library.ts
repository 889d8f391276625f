/**
 * Lists on disk as documents: CSV or workbooks, under the columns a mapping file names. A list that
 * cannot be read at all is an error; rows that cannot are issues of the list.
 */
import { loadYamlInstallations } from '../config/lists.ts';
import { EXIT, UpliftError } from '../errors.ts';
import {
  type CentralProductsList,
  type ListOptions,
  readCentralProductsList,
} from '../products/central-products-list.ts';
import type { ListFault, ListIssue } from '../products/codes.ts';
import {
  type DeviceModelVariations,
  readDeviceModelVariations,
} from '../products/device-model-variations.ts';
import {
  type EligibleCombinations,
  readEligibleCombinations,
} from '../products/eligible-combinations.ts';
import { type Installations, readInstallations } from '../products/installations.ts';
import {
  type PendingCombinations,
  readPendingCombinations,
} from '../products/pending-combinations.ts';
import { parseTable, type Table } from '../products/table.ts';
import { readBounded } from './bounded-file.ts';

const LIST_BYTES_MAX = 67_108_864;

/** A file that is no list, with everything that says so. */
export class ListError extends UpliftError {
  readonly issues: readonly ListIssue[];

  constructor(path: string, what: string, { code, message, issues }: ListFault) {
    const [first] = issues;
    const column = first?.column === undefined ? '' : `, column ${first.column}`;
    super(code, `${path}: ${message}`, {
      expected: first?.expected ?? `${what} as CSV or a workbook, with its heading`,
      actual: first ? `line ${first.line}${column}: ${first.actual ?? message}` : 'other bytes',
      next: first?.next ?? 'compare it with the lists in firmware, or map its columns (--columns)',
      exit: EXIT.usage,
    });
    this.issues = issues;
  }
}

/** @throws ListError, or UpliftError where the file cannot be read */
export function loadCentralProductsList(
  path: string,
  options: ListOptions = {},
): CentralProductsList {
  return loadList(path, 'a Central Products List', options, readCentralProductsList);
}

/** @throws ListError, or UpliftError where the file cannot be read */
export function loadEligibleCombinations(
  path: string,
  options: ListOptions = {},
): EligibleCombinations {
  return loadList(path, 'a list of eligible combinations', options, readEligibleCombinations);
}

/** @throws ListError, or UpliftError where the file cannot be read */
export function loadPendingCombinations(
  path: string,
  options: ListOptions = {},
): PendingCombinations {
  return loadList(path, 'a list of pending combinations', options, readPendingCombinations);
}

/** @throws ListError, or UpliftError where the file cannot be read */
export function loadDeviceModelVariations(
  path: string,
  options: ListOptions = {},
): DeviceModelVariations {
  return loadList(path, 'a list of Device Model variations', options, readDeviceModelVariations);
}

/** From YAML too, by the file's name. @throws ListError, or UpliftError where the file cannot be read */
export function loadInstallations(path: string, options: ListOptions = {}): Installations {
  if (/\.ya?ml$/i.test(path)) return loadYamlInstallations(path);
  return loadList(path, 'a list of installations', options, readInstallations);
}

function loadList<L>(
  path: string,
  what: string,
  options: ListOptions,
  read: (table: Table, options: ListOptions) => { ok: true; list: L } | ListFault,
): L {
  const parsed = parseTable(readBounded(path, LIST_BYTES_MAX, what), options.mapping?.sheet);
  const result = parsed.ok ? read(parsed.table, options) : parsed;
  if (result.ok) return result.list;
  throw new ListError(path, what, result);
}
