/** What can be wrong with a list or the file it is in. Codes are never reused. */

export const LIST_ISSUES = {
  'csv-malformed': 'The text is not well-formed CSV.',
  'text-not-utf-8': 'The text is not UTF-8.',
  'zip-malformed': 'The workbook is not a well-formed ZIP archive.',
  'zip-unsupported': 'The workbook is a ZIP archive of a kind that is not read.',
  'zip-too-large': 'The workbook unpacks to more than is allowed.',
  'zip-entry-twice': 'Two parts of the workbook have one name.',
  'zip-entry-name': 'A part of the workbook has a name that leads out of it.',
  'zip-entry-missing': 'A part of the workbook is missing.',
  'workbook-malformed': 'A part of the workbook is not what it should be.',
  'sheet-missing': 'The workbook has no such sheet.',
  'list-too-large': 'The list is larger than any that is read.',
  'list-empty': 'The list has no heading line.',
  'column-missing': 'A column is missing.',
  'column-repeated': 'A column occurs twice.',
  'column-unknown': 'A column is not known and is not read.',
  'column-misspelt': 'A column is not known, and one character away from one that is missing.',
  'column-ambiguous': 'Two columns are mapped to one field.',
  'mapping-unknown': 'The mapping names a field that the list does not have.',
  'cell-count': 'The line has another number of cells than the heading.',
  'cell-empty': 'The cell is empty.',
  'cell-is-number': 'The cell is a number, not text: leading zeros may be lost.',
  'cell-is-formula': 'The cell is a formula; what it last came to is taken.',
  'cell-is-error': 'The cell is an error of the spreadsheet.',
  'blanks-around': 'The text has blanks before or after it.',
  'character-control': 'The text has a control character or an invisible one.',
  'character-odd': 'The text has a character outside ASCII.',
  'text-too-long': 'The text is longer than the field allows.',
  'not-hexadecimal': 'The text is not hexadecimal.',
  'hash-not-hexadecimal': 'The hash is not hexadecimal.',
  'hash-length': 'The hash has not 64 digits.',
  'hash-sha-1-length': 'The hash has 40 digits, as SHA-1 has; SHA-256 has 64.',
  'hash-md5-length': 'The hash has 32 digits, as MD5 has; SHA-256 has 64.',
  'date-invalid': 'The date is none.',
  'dates-reversed': 'A date comes before one that it should follow.',
  'status-unknown': 'The status is not a known word.',
  'word-unknown': 'The word is not one of those that the field knows.',
  'file-version-invalid': 'The OTA file version is none.',
  'entry-repeated': 'An entry with this id stands above.',
  'entry-duplicate': 'An entry with another id says the same.',
  'hash-conflict': 'One Device Model with its firmware version is listed with two hashes.',
  'version-other-coding':
    'Two entries may be one: their versions are one number, once in decimal and once in hexadecimal.',
  'predecessor-unknown': 'The entry to upgrade from is not on the list.',
  'predecessor-itself': 'The entry names itself as the one to upgrade from.',
  'predecessor-other-hardware': 'The entry to upgrade from is of other hardware.',
  'expedited-incomplete': 'An expedited entry has not all of purpose, date and PPCT.',
  'device-model-invalid': 'The text is no Device Model.',
  'combination-empty': 'The combination has no Device Model.',
  'combination-without-hub': 'The combination has no Communications Hub.',
  'combination-repeated': 'The same combination stands above.',
  'device-model-not-listed': 'The Device Model is not on the Central Products List.',
  'devices-too-many': 'There are more devices than an installation can have.',
  'suppliers-missing': 'No Responsible Supplier is named.',
} as const;

export type ListIssueCode = keyof typeof LIST_ISSUES;

export interface ListIssue {
  /** An entry with an error is not used; one with a warning is. */
  severity: 'error' | 'warning';
  code: ListIssueCode;
  message: string;
  /** In the file, the heading being 1; of a workbook the row. */
  line: number;
  /** The name of the field; absent where the whole line is meant. */
  column?: string;
  /** From 1; absent where the field has no column. */
  columnNumber?: number;
  expected?: string;
  actual?: string;
  next?: string;
}

export type IssueDetail = Pick<ListIssue, 'columnNumber' | 'expected' | 'actual' | 'next'>;

export interface ListFault {
  ok: false;
  code: ListIssueCode;
  message: string;
  issues: ListIssue[];
}

export function listIssue(
  severity: ListIssue['severity'],
  code: ListIssueCode,
  line: number,
  column?: string,
  detail: IssueDetail = {},
): ListIssue {
  const issue: ListIssue = { severity, code, message: LIST_ISSUES[code], line };
  if (column !== undefined) issue.column = printable(column);
  if (detail.columnNumber !== undefined) issue.columnNumber = detail.columnNumber;
  for (const part of ['expected', 'actual', 'next'] as const) {
    if (detail[part] !== undefined) issue[part] = printable(detail[part]);
  }
  return issue;
}

/** A list's own text in a message: what would move a cursor or hide is shown by its number. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, showCharacter);
}

/** `\u{200B}`. */
export function showCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16).toUpperCase()}}`;
}

/** A file that is not read as a list at all. */
export function listFault(code: ListIssueCode, line: number, detail: IssueDetail): ListFault {
  const issue = listIssue('error', code, line, undefined, detail);
  return { ok: false, code, message: issue.message, issues: [issue] };
}
