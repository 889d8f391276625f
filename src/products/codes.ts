/** What can be wrong with a products list. Codes are never reused. */

export const LIST_ISSUES = {
  'csv-malformed': 'The text is not well-formed CSV.',
  'list-too-large': 'The list is larger than any that is read.',
  'list-empty': 'The list has no heading line.',
  'column-missing': 'A column is missing.',
  'column-repeated': 'A column occurs twice.',
  'column-unknown': 'A column is not known and is not read.',
  'cell-count': 'The line has another number of cells than the heading.',
  'cell-empty': 'The cell is empty.',
  'text-too-long': 'The text is longer than the field allows.',
  'not-hexadecimal': 'The text is not hexadecimal.',
  'hash-not-hexadecimal': 'The hash is not hexadecimal.',
  'hash-length': 'The hash has not 64 digits.',
  'date-invalid': 'The date is none.',
  'dates-reversed': 'The entry ends before it begins.',
  'status-unknown': 'The status is not a known word.',
  'file-version-invalid': 'The OTA file version is none.',
  'entry-repeated': 'An entry with this id stands above.',
  'hash-conflict': 'One Device Model with its firmware version is listed with two hashes.',
} as const;

export type ListIssueCode = keyof typeof LIST_ISSUES;

export interface ListIssue {
  /** An entry with an error is not used; one with a warning is. */
  severity: 'error' | 'warning';
  code: ListIssueCode;
  message: string;
  /** In the file, the heading being 1. */
  line: number;
  /** The name of the column; absent where the whole line is meant. */
  column?: string;
  expected?: string;
  actual?: string;
  next?: string;
}
