/** `uplift lists lint FILE`: what is wrong with a list, with row and column. Touches no device. */
import { loadListColumns } from '../config/lists.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import {
  ListError,
  loadCentralProductsList,
  loadDeviceModelVariations,
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from '../gateway/list-library.ts';
import type { ListIssue } from '../products/codes.ts';
import type { Combination } from '../products/combinations.ts';
import { lintAgainstProducts } from '../products/eligible-combinations.ts';
import { usage } from './inputs.ts';
import { LIST_KINDS, type ListKindName } from './list-kinds.ts';
import { bytesText, type Output, paint, table } from './output.ts';

export interface LintOptions {
  kind: string;
  columns?: string;
  cpl?: string;
}

interface Loaded {
  entries: readonly unknown[];
  issues: readonly ListIssue[];
}

/** What a list can be, and how each is read. */
const KINDS = {
  cpl: { name: 'centralProductsList', load: loadCentralProductsList },
  epcl: { name: 'eligibleCombinations', load: loadEligibleCombinations },
  ppct: { name: 'pendingCombinations', load: loadPendingCombinations },
  dmves: { name: 'deviceModelVariations', load: loadDeviceModelVariations },
  installations: { name: 'installations', load: loadInstallations },
} as const satisfies Record<ListKindName, object>;

export function lint(path: string, options: LintOptions, output: Output): ExitCode {
  if (!isKind(options.kind)) throw usage('--kind', LIST_KINDS.join(', '), options.kind);
  const { name, load } = KINDS[options.kind];
  const columns = options.columns === undefined ? {} : loadListColumns(options.columns);
  const list = loadOrIssues(() => load(path, { mapping: columns[name] }));
  const issues = [...list.issues];
  if (options.cpl !== undefined) {
    if (options.kind === 'cpl' || options.kind === 'dmves') {
      throw usage('--cpl', 'a list of combinations to hold against it', `--kind ${options.kind}`);
    }
    const products = loadCentralProductsList(options.cpl, { mapping: columns.centralProductsList });
    const combinations = list.entries as readonly (Combination & { line: number })[];
    issues.push(...lintAgainstProducts(combinations, products));
  }
  issues.sort((a, b) => a.line - b.line);
  const errors = issues.filter(({ severity }) => severity === 'error').length;
  const warnings = issues.length - errors;
  const used = bytesText(list.entries.length);
  const total = `${path}: ${used} entries used, ${errors} errors, ${warnings} warnings`;
  output.result(
    { file: path, kind: options.kind, entries: list.entries.length, errors, warnings, issues },
    [...table(issues.map((issue) => issueRow(path, issue))), total],
    errors === 0 ? [] : [total],
  );
  return errors > 0 ? EXIT.refused : EXIT.done;
}

/** A file that is no list has issues too: all are told, not the first alone. */
function loadOrIssues(load: () => Loaded): Loaded {
  try {
    return load();
  } catch (error) {
    if (error instanceof ListError) return { entries: [], issues: error.issues };
    throw error;
  }
}

function isKind(text: string): text is keyof typeof KINDS {
  return Object.hasOwn(KINDS, text);
}

/** `file:line:column  error  field  code  what`. */
function issueRow(path: string, issue: ListIssue): string[] {
  const { severity, code, message, line, column, columnNumber, expected, actual, next } = issue;
  const place = columnNumber === undefined ? `${path}:${line}` : `${path}:${line}:${columnNumber}`;
  const parts = [
    message,
    ...(actual ? [`found ${actual}`] : []),
    ...(expected ? [`expected ${expected}`] : []),
    ...(next ? [next] : []),
  ];
  const shown = paint(severity === 'error' ? 'red' : 'yellow', severity);
  return [place, shown, column ?? '-', code, parts.join('; ')];
}
