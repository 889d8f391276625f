/**
 * A list as a table: rows of text with the line each came from, read from CSV or from a workbook.
 * What the columns mean is not known here. Cells are as the file writes them, blanks included.
 */
import { type ListFault, listFault } from './codes.ts';
import { parseCsv } from './csv.ts';
import { parseWorkbook } from './workbook.ts';

/** What a cell of a workbook is that may have changed the text on its way in. */
export type CellNote = 'number' | 'formula' | 'error';

export interface Row {
  cells: string[];
  /** From 1: of a text file the line on which the row ends, of a workbook the row. */
  line: number;
  /** By index of the cell; absent for rows of text files. */
  notes?: ReadonlyMap<number, CellNote>;
}

export interface Table {
  rows: Row[];
  /** Short rows of a workbook are rows whose last cells are empty; in CSV they are errors. */
  form: 'csv' | 'workbook';
}

export type TableResult = { ok: true; table: Table } | ListFault;

/** No published list comes near it; bounds the memory. */
export const LIST_CHARACTERS_MAX = 64 * 1024 * 1024;

/** `PK`, then the signature of a local header: every workbook begins so, and no CSV file. */
export function isWorkbook(file: Uint8Array): boolean {
  return file[0] === 0x50 && file[1] === 0x4b && file[2] === 3 && file[3] === 4;
}

/** CSV or a workbook (XLSX), told apart by its first bytes; `sheet` is the first one if not named. */
export function parseTable(file: Uint8Array, sheet?: string): TableResult {
  if (isWorkbook(file)) return parseWorkbook(file, sheet);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file);
  } catch {
    return listFault('text-not-utf-8', 1, {
      expected: 'CSV in UTF-8, or a workbook (XLSX)',
      actual: 'other bytes',
      next: 'save the list as CSV UTF-8',
    });
  }
  return parseCsvTable(text);
}

/** Lines beginning with `#` are comments. */
export function parseCsvTable(text: string): TableResult {
  if (text.length > LIST_CHARACTERS_MAX) {
    return listFault('list-too-large', 1, {
      expected: `at most ${LIST_CHARACTERS_MAX} characters`,
      actual: `${text.length}`,
    });
  }
  return parseCsv(text);
}
