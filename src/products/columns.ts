/**
 * From the columns of a file to the fields of a list.
 *
 * Every list has fields with names of our own; they are also the names of its columns in our own CSV
 * form. The columns of the published lists were not found, and vary, so a mapping in a file says
 * which headings stand for which field, how dates are written and what the words mean.
 */
import {
  type IssueDetail,
  type ListFault,
  type ListIssue,
  listFault,
  listIssue,
  showCharacter,
} from './codes.ts';
import type { Row, Table } from './table.ts';

/** One heading, several of which one is there, or cells that are joined with colons. */
export type ColumnChoice = string | readonly string[] | { join: readonly string[] };

export type DateForm = 'YYYY-MM-DD' | 'DD/MM/YYYY';

export interface ColumnMapping {
  /** Of a workbook; the first if not named. */
  sheet?: string | undefined;
  /** The row with the headings; the first that is not empty if not named. */
  headingRow?: number | undefined;
  columns?: Readonly<Record<string, ColumnChoice>> | undefined;
  /** What a field without a column holds, in every row. */
  defaults?: Readonly<Record<string, string>> | undefined;
  dates?: DateForm | undefined;
  /** A field's words in the file to our words. */
  words?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
}

/** Each field of a list, and whether it must have a column. */
export type Fields<F extends string> = Readonly<Record<F, 'required' | 'optional'>>;

/** Where the fields of one table stand. */
export interface BoundColumns<F extends string> {
  fields: Fields<F>;
  mapping: ColumnMapping;
  /** Indexes of the cells; several are joined. */
  cellsOf: ReadonlyMap<F, readonly number[]>;
  width: number;
  /** Rows behind the heading. */
  rows: readonly Row[];
  form: Table['form'];
  issues: ListIssue[];
}

export type BindResult<F extends string> = ({ ok: true } & BoundColumns<F>) | ListFault;

export function bindColumns<F extends string>(
  table: Table,
  fields: Fields<F>,
  mapping: ColumnMapping = {},
): BindResult<F> {
  const { headingRow } = mapping;
  const at = headingRow === undefined ? 0 : table.rows.findIndex(({ line }) => line === headingRow);
  const heading = table.rows[at];
  if (!heading) {
    const expected = Object.keys(fields).join(',');
    return listFault('list-empty', headingRow ?? 1, { expected, actual: 'no line' });
  }
  const issues: ListIssue[] = [];
  const headings = heading.cells.map(foldHeading);
  const bound = new Map<F, readonly number[]>();
  for (const field of Object.keys(fields) as F[]) {
    const cells = locate(field, headings, fields, mapping, heading.line, issues);
    if (cells) bound.set(field, cells);
  }
  const used = new Set([...bound.values()].flat());
  checkHeadings(headings, used, heading.line, issues);
  const absent = (Object.keys(fields) as F[]).filter((field) => !bound.has(field));
  checkSlips(headings, used, absent, heading.line, issues);
  for (const name of unknownNames(fields, mapping)) {
    issues.push(listIssue('error', 'mapping-unknown', heading.line, name, { actual: name }));
  }
  const fatal = issues.find(({ severity }) => severity === 'error');
  if (fatal) return { ok: false, code: fatal.code, message: fatal.message, issues };
  return {
    ok: true,
    fields,
    mapping,
    cellsOf: bound,
    width: headings.length,
    rows: table.rows.slice(at + 1),
    form: table.form,
    issues,
  };
}

/** Blanks, letter case and line breaks of a heading say nothing. */
function foldHeading(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}

function locate<F extends string>(
  field: F,
  headings: readonly string[],
  fields: Fields<F>,
  mapping: ColumnMapping,
  line: number,
  issues: ListIssue[],
): readonly number[] | undefined {
  const choice = mapping.columns?.[field] ?? field;
  const isJoined = typeof choice === 'object' && !isList(choice);
  const names = isJoined ? choice.join : isList(choice) ? choice : [choice];
  const found = names.map((name) => headings.indexOf(foldHeading(name)));
  const there = found.filter((index) => index >= 0);
  if (isJoined && there.length === found.length) return found;
  if (!isJoined && there.length > 0) {
    if (new Set(there).size > 1) {
      const actual = there.map((index) => headings[index]).join(', ');
      issues.push(listIssue('error', 'column-ambiguous', line, field, { actual }));
    }
    return there.slice(0, 1);
  }
  const isMapped = mapping.columns?.[field] !== undefined;
  if (mapping.defaults?.[field] !== undefined) return undefined;
  if (fields[field] === 'optional' && !isMapped) return undefined;
  issues.push(
    listIssue('error', 'column-missing', line, field, {
      expected: names.map((name) => `"${name}"`).join(isJoined ? ' and ' : ' or '),
      actual: headings.join(', '),
      next: `add the column ${names.join(', ')} to the heading, or map ${field} to another`,
    }),
  );
  return undefined;
}

/** A list has a method `join`, so that name tells nothing. */
function isList(choice: ColumnChoice): choice is readonly string[] {
  return Array.isArray(choice);
}

function checkHeadings(
  headings: readonly string[],
  used: ReadonlySet<number>,
  line: number,
  issues: ListIssue[],
): void {
  headings.forEach((name, index) => {
    if (name === '') return;
    const columnNumber = index + 1;
    if (headings.indexOf(name) !== index) {
      const isUsed = used.has(headings.indexOf(name));
      const severity = isUsed ? 'error' : 'warning';
      issues.push(listIssue(severity, 'column-repeated', line, name, { columnNumber }));
    } else if (!used.has(index)) {
      issues.push(listIssue('warning', 'column-unknown', line, name, { columnNumber }));
    }
  });
}

/**
 * A column whose heading is one character away from a field that has none is that field, damaged or
 * mistyped: unread, an entry would lose what it says there, such as the version to upgrade from.
 */
function checkSlips(
  headings: readonly string[],
  used: ReadonlySet<number>,
  absent: readonly string[],
  line: number,
  issues: ListIssue[],
): void {
  headings.forEach((name, index) => {
    const meant = used.has(index) ? undefined : absent.find((field) => isOneSlip(name, field));
    if (meant === undefined) return;
    const next = `write ${meant}, or give the column another name`;
    const detail = { expected: meant, actual: name, columnNumber: index + 1, next };
    issues.push(listIssue('error', 'column-misspelt', line, name, detail));
  });
}

/** One character changed, left out or put in. */
function isOneSlip(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (a === b || long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at++;
  return short.slice(at + Number(short.length === long.length)) === long.slice(at + 1);
}

function unknownNames(fields: Fields<string>, { columns, defaults, words }: ColumnMapping) {
  const named = [columns, defaults, words].flatMap((part) => Object.keys(part ?? {}));
  return [...new Set(named)].filter((name) => !Object.hasOwn(fields, name));
}

/** What a part of a list needs that several lists have; a list with more fields fits too. */
export type RowReader<F extends string> = Pick<
  FieldReader<F>,
  'text' | 'checkCell' | 'say' | 'failed'
>;

/** Reads the fields of one row after another and keeps what is wrong with each. */
export class FieldReader<F extends string> {
  readonly issues: ListIssue[];
  private readonly bound: BoundColumns<F>;
  private row: Row = { cells: [], line: 0 };
  private errors = 0;

  constructor(bound: BoundColumns<F>) {
    this.bound = bound;
    this.issues = bound.issues;
  }

  /** Goes on to this row; false, with an issue, where it is no row of the table. */
  begin(row: Row): boolean {
    this.row = row;
    this.errors = 0;
    const { width, form } = this.bound;
    if (form === 'workbook' || row.cells.length === width) return true;
    const detail = { expected: `${width} cells`, actual: `${row.cells.length}` };
    this.errors += 1;
    this.issues.push(listIssue('error', 'cell-count', row.line, undefined, detail));
    return false;
  }

  get line(): number {
    return this.row.line;
  }

  /** Whether anything of this row is in error so far. */
  get failed(): boolean {
    return this.errors > 0;
  }

  hasColumn(field: F): boolean {
    return this.bound.cellsOf.has(field);
  }

  /** Without blanks around it; empty where there is no such column. */
  text(field: F): string {
    return this.written(field).trim();
  }

  /** `text` in lower case, after the mapping's words. */
  word(field: F): string {
    const text = this.text(field).toLowerCase();
    const words = this.bound.mapping.words?.[field];
    if (!words) return text;
    const key = Object.keys(words).find((name) => name.trim().toLowerCase() === text);
    return key === undefined ? text : words[key]!.toLowerCase();
  }

  say(
    severity: ListIssue['severity'],
    code: ListIssue['code'],
    field: F,
    detail: IssueDetail = {},
  ) {
    if (severity === 'error') this.errors += 1;
    const cell = this.bound.cellsOf.get(field)?.[0];
    const place = cell === undefined ? {} : { columnNumber: cell + 1 };
    const found = { actual: this.text(field), ...place, ...detail };
    this.issues.push(listIssue(severity, code, this.row.line, field, found));
  }

  /** What the file itself did to the cell: blanks, odd characters, a spreadsheet's number. */
  checkCell(field: F, blanks: ListIssue['severity'] = 'warning'): void {
    const written = this.written(field);
    if (written === '') return;
    if (written !== written.trim()) {
      this.say(blanks, 'blanks-around', field, { actual: JSON.stringify(written) });
    }
    const text = written.trim();
    if (/[\p{Cc}\p{Cf}]/u.test(text)) {
      this.say('error', 'character-control', field, { actual: escaped(text) });
    } else if (/[^ -~]/.test(text)) {
      this.say('warning', 'character-odd', field, { actual: escaped(text) });
    }
    for (const cell of this.bound.cellsOf.get(field) ?? []) {
      const note = this.row.notes?.get(cell);
      if (note === 'formula') this.say('warning', 'cell-is-formula', field);
      else if (note === 'error') this.say('error', 'cell-is-error', field);
      else if (note === 'number') {
        const next = 'format the column as text where the list is kept, and export it again';
        // 1E+07 was once a version that only looked like a number.
        const severity = /^[0-9]+$/.test(text) || text.includes(':') ? 'warning' : 'error';
        this.say(severity, 'cell-is-number', field, { next });
      }
    }
  }

  /** The moment a date names; `undefined` where the cell is empty, or in error with an issue. */
  date(field: F, need: 'required' | 'optional'): number | undefined {
    const text = this.text(field);
    if (text === '' && need === 'optional') return undefined;
    const form = this.bound.mapping.dates ?? 'YYYY-MM-DD';
    const ms = parseDate(text, form);
    if (ms !== undefined) return ms;
    const iso = form === 'YYYY-MM-DD' ? '' : `${form}, `;
    const expected = `${iso}YYYY-MM-DD, or YYYY-MM-DDThh:mm:ssZ`;
    const orNothing = need === 'optional' ? ', or nothing' : '';
    this.say('error', 'date-invalid', field, { expected: expected + orNothing });
    return undefined;
  }

  private written(field: F): string {
    const cells = this.bound.cellsOf.get(field);
    if (!cells) return this.bound.mapping.defaults?.[field] ?? '';
    if (cells.length === 1) return this.row.cells[cells[0]!] ?? '';
    const parts = cells.map((cell) => (this.row.cells[cell] ?? '').trim());
    // A combination of single fuel leaves all the cells of the other meter empty.
    return parts.every((part) => part === '') ? '' : parts.join(':');
  }
}

/** A date alone is its start in UTC: the lists' own zone is not stated. */
export function parseDate(text: string, form: DateForm = 'YYYY-MM-DD'): number | undefined {
  const turned =
    form === 'DD/MM/YYYY' ? text.replace(/^(\d{2})\/(\d{2})\/(\d{4})$/, '$3-$2-$1') : text;
  const parts = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})Z)?$/.exec(turned);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts
    .slice(1)
    .map((digits) => Number(digits ?? 0)) as [number, number, number, number, number, number];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls 30 February over into March; a list that says so is in error.
  const again = new Date(ms).toISOString();
  return again.startsWith(turned.replace(/Z$/, '')) ? ms : undefined;
}

function escaped(text: string): string {
  return text.replace(/[^ -~]/gu, showCharacter);
}
