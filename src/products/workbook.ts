/**
 * One sheet of an XLSX workbook (ECMA-376, Office Open XML, transitional and strict) as a table.
 *
 * Read: workbook, relationships, shared strings, number formats (only to tell dates) and one sheet.
 * Nothing is calculated: of a formula the value that was saved with it is taken, and noted. A number
 * is shown in its shortest form, so it may have lost leading zeros, and is noted too. A date is
 * shown as YYYY-MM-DD. Everything goes through the strict XML reader under limits of our own.
 */
import { attributeOf, parseXml, scanXml, type XmlElement, type XmlTag } from '../xml/strict-xml.ts';
import { type ListFault, listFault } from './codes.ts';
import type { CellNote, Row, TableResult } from './table.ts';
import { openZip, type ZipArchive } from './zip.ts';

/** Columns with anything in them. */
const COLUMNS_MAX = 256;
const ROWS_MAX = 500_000;
const XML_BYTES_MAX = 128 * 1024 * 1024;
const XML_ELEMENTS_MAX = 12_000_000;
/** Characters of one cell in a workbook (the program's own limit). */
const CELL_CHARACTERS_MAX = 32_767;

/** Without a name the first sheet. */
export function parseWorkbook(file: Uint8Array, sheet?: string): TableResult {
  const archive = openZip(file);
  if (!archive.ok) return listFault(archive.code, 1, { actual: archive.actual ?? '' });
  const book = readBook(archive);
  if ('issues' in book) return book;
  const chosen = sheet === undefined ? book.sheets[0] : book.sheets.find((s) => s.name === sheet);
  if (!chosen) {
    return listFault('sheet-missing', 1, {
      expected: book.sheets.map(({ name }) => name).join(', ') || 'a sheet',
      actual: sheet ?? 'no sheet',
      next: 'name one of the sheets in the mapping',
    });
  }
  const strings = readSharedStrings(archive, book);
  if ('issues' in strings) return strings;
  const dates = readDateStyles(archive, book);
  if ('issues' in dates) return dates;
  return readSheet(archive, chosen.part, { ...book, strings, dates });
}

interface Book {
  sheets: { name: string; part: string }[];
  stringsPart?: string;
  stylesPart?: string;
  /** Days count from 1904, as old Macintosh workbooks have it. */
  is1904: boolean;
}

const BOOK_PART = 'xl/workbook.xml';

function readBook(archive: ZipArchive): Book | ListFault {
  const workbook = readPart(archive, BOOK_PART);
  if ('issues' in workbook) return workbook;
  const relations = readPart(archive, 'xl/_rels/workbook.xml.rels');
  if ('issues' in relations) return relations;
  const targets = new Map<string, { type: string; part: string }>();
  for (const relation of relations.children) {
    const target = attributeOf(relation, 'Target');
    const id = attributeOf(relation, 'Id');
    const mode = attributeOf(relation, 'TargetMode');
    if (target === undefined || id === undefined || mode === 'External') continue;
    const part = partOf(target);
    const type = attributeOf(relation, 'Type')?.split('/').at(-1) ?? '';
    if (part !== undefined) targets.set(id, { type, part });
  }
  const sheets = childrenOf(workbook, 'sheets').flatMap((element) => {
    const id = element.attributes.find(({ name, namespace }) => name === 'id' && namespace !== '');
    const target = targets.get(id?.value ?? '');
    const name = attributeOf(element, 'name');
    const isSheet = target?.type === 'worksheet' && name !== undefined;
    return isSheet ? [{ name, part: target.part }] : [];
  });
  const properties = workbook.children.find(({ name }) => name === 'workbookPr');
  const is1904 = ['1', 'true'].includes((properties && attributeOf(properties, 'date1904')) ?? '');
  const ofType = (type: string) => [...targets.values()].find((one) => one.type === type)?.part;
  const stringsPart = ofType('sharedStrings');
  const stylesPart = ofType('styles');
  return {
    sheets,
    is1904,
    ...(stringsPart === undefined ? {} : { stringsPart }),
    ...(stylesPart === undefined ? {} : { stylesPart }),
  };
}

/** Targets are relative to `xl/`, or absolute in the archive; one that climbs out is none. */
function partOf(target: string): string | undefined {
  if (target.split('/').includes('..')) return undefined;
  return target.startsWith('/') ? target.slice(1) : `xl/${target}`;
}

/** A text may be in runs of different looks; a phonetic reading beside it is not part of it. */
function readSharedStrings(archive: ZipArchive, book: Book): string[] | ListFault {
  const strings: string[] = [];
  if (book.stringsPart === undefined) return strings;
  const path: string[] = [];
  let current = '';
  const fault = scanPart(archive, book.stringsPart, {
    open({ name }) {
      path.push(name);
      if (name === 'si') current = '';
    },
    text(text) {
      if (path.at(-1) === 't' && !path.includes('rPh')) current += text;
    },
    close() {
      if (path.pop() === 'si') strings.push(current);
    },
  });
  return fault ?? strings;
}

/** For each cell style whether it shows a date. */
function readDateStyles(archive: ZipArchive, book: Book): boolean[] | ListFault {
  if (book.stylesPart === undefined) return [];
  const styles = readPart(archive, book.stylesPart);
  if ('issues' in styles) return styles;
  const custom = new Map<string, string>();
  for (const format of childrenOf(styles, 'numFmts')) {
    custom.set(attributeOf(format, 'numFmtId') ?? '', attributeOf(format, 'formatCode') ?? '');
  }
  return childrenOf(styles, 'cellXfs').map((style) => {
    const id = attributeOf(style, 'numFmtId') ?? '0';
    const code = custom.get(id);
    return code === undefined ? isBuiltInDate(Number(id)) : isDateFormat(code);
  });
}

/** Built-in formats that show a day (ECMA-376 part 1, 18.8.30); 18 to 21 show only a time of day. */
function isBuiltInDate(id: number): boolean {
  return (id >= 14 && id <= 17) || id === 22 || (id >= 27 && id <= 36) || (id >= 50 && id <= 58);
}

/** Whether a day or a year is left of a format code once quoted text and colours are taken away. */
function isDateFormat(code: string): boolean {
  return /[dy]/i.test(code.replace(/"[^"]*"|\\.|\[[^\]]*\]/g, ''));
}

interface SheetContext extends Book {
  strings: string[];
  dates: boolean[];
}

/** The cell that is being read. */
interface OpenCell {
  column: number;
  type: string;
  style: number;
  value: string;
  isFormula: boolean;
}

function readSheet(archive: ZipArchive, part: string, context: SheetContext): TableResult {
  const rows: Row[] = [];
  let line = 0;
  let cells: string[] = [];
  let notes = new Map<number, CellNote>();
  let cell: OpenCell | undefined;
  let problem: ListFault | undefined;
  const refuse = (actual: string) => {
    problem ??= listFault('workbook-malformed', Math.max(1, line), { actual });
  };
  const path: string[] = [];
  const fault = scanPart(archive, part, {
    open(tag) {
      path.push(tag.name);
      if (tag.name === 'row') {
        const next = Number(attributeOf(tag, 'r') ?? line + 1);
        if (!Number.isInteger(next) || next <= line) refuse('rows out of order');
        line = next;
        cells = [];
        notes = new Map();
      } else if (tag.name === 'c') {
        cell = openCell(tag, cell);
        if (!cell) refuse(`a cell reference ${attributeOf(tag, 'r')}`);
      } else if (tag.name === 'f' && cell) cell.isFormula = true;
    },
    text(text) {
      const name = path.at(-1);
      const isValue = name === 'v' || (name === 't' && !path.includes('rPh'));
      if (cell && isValue && path.includes('c')) cell.value += text;
    },
    close() {
      const name = path.pop();
      if (name === 'c' && cell) {
        const shown = showCell(cell, context);
        if (shown === undefined) refuse(`a value that is none: ${cell.value.slice(0, 60)}`);
        else if (shown.text !== '') {
          if (cell.column >= COLUMNS_MAX) refuse(`something in column ${cell.column + 1}`);
          else {
            while (cells.length < cell.column) cells.push('');
            cells[cell.column] = shown.text;
            if (shown.note) notes.set(cell.column, shown.note);
          }
        }
      } else if (name === 'row') {
        if (cells.length > 0) rows.push({ cells, line, notes });
        if (rows.length > ROWS_MAX) refuse(`more than ${ROWS_MAX} rows`);
        cell = undefined;
      }
    },
  });
  return problem ?? fault ?? { ok: true, table: { rows, form: 'workbook' } };
}

function openCell(tag: XmlTag, before: OpenCell | undefined): OpenCell | undefined {
  const reference = attributeOf(tag, 'r');
  const column = reference === undefined ? (before?.column ?? -1) + 1 : columnOf(reference);
  if (column === undefined || (before && column <= before.column)) return undefined;
  const style = Number(attributeOf(tag, 's') ?? '0');
  return { column, type: attributeOf(tag, 't') ?? 'n', style, value: '', isFormula: false };
}

/** `AB12` is column 27, counted from 0. */
function columnOf(reference: string): number | undefined {
  const letters = /^([A-Z]{1,3})[0-9]{1,7}$/.exec(reference)?.[1];
  if (letters === undefined) return undefined;
  let column = 0;
  for (const letter of letters) column = column * 26 + letter.charCodeAt(0) - 64;
  return column - 1;
}

function showCell(
  cell: OpenCell,
  { strings, dates, is1904 }: SheetContext,
): { text: string; note?: CellNote } | undefined {
  const noted = (text: string, note?: CellNote) => {
    const found = cell.isFormula ? 'formula' : note;
    return found === undefined ? { text } : { text, note: found };
  };
  switch (cell.type) {
    case 's': {
      const text = /^[0-9]{1,7}$/.test(cell.value) ? strings[Number(cell.value)] : undefined;
      return text === undefined ? undefined : noted(text);
    }
    case 'str':
    case 'inlineStr':
    case 'd':
      return noted(cell.value);
    case 'b':
      return noted(cell.value === '1' ? 'TRUE' : 'FALSE');
    case 'e':
      return { text: cell.value, note: 'error' };
    case 'n':
      if (cell.value === '') return { text: '' };
      return showNumber(cell, dates[cell.style] === true, is1904, noted);
    default:
      return undefined;
  }
}

function showNumber(
  { value }: OpenCell,
  isDate: boolean,
  is1904: boolean,
  noted: (text: string, note?: CellNote) => { text: string; note?: CellNote },
): { text: string; note?: CellNote } | undefined {
  const number = Number(value);
  if (!/^-?[0-9.]+(?:[eE][+-]?[0-9]+)?$/.test(value) || !Number.isFinite(number)) return undefined;
  if (!isDate) return noted(String(number), 'number');
  const text = dateOfSerial(number, is1904);
  return text === undefined ? undefined : noted(text);
}

const DAY_MS = 86_400_000;

/**
 * Days since 30 December 1899, as days after February 1900 count (29 February 1900 is a day of the
 * system, which never was), or since 1 January 1904. A time of day is shown to the second.
 */
function dateOfSerial(serial: number, is1904: boolean): string | undefined {
  if (serial < (is1904 ? 0 : 61) || serial > 2_958_465) return undefined;
  const epochMs = is1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, 30);
  const seconds = Math.round((epochMs + serial * DAY_MS) / 1000);
  const [day, time] = new Date(seconds * 1000).toISOString().split(/[T.]/);
  return time === '00:00:00' ? day : `${day}T${time}Z`;
}

const LIMITS = {
  bytesMax: XML_BYTES_MAX,
  elementsMax: XML_ELEMENTS_MAX,
  textCharactersMax: CELL_CHARACTERS_MAX,
};

function readPart(archive: ZipArchive, name: string): XmlElement | ListFault {
  const part = archive.read(name);
  if (!part.ok) return listFault(part.code, 1, { actual: part.actual ?? name });
  const parsed = parseXml(part.bytes, { limits: LIMITS, uniqueIds: false });
  if (parsed.ok) return parsed.root;
  return xmlFault(name, parsed);
}

function scanPart(
  archive: ZipArchive,
  name: string,
  handler: Parameters<typeof scanXml>[1],
): ListFault | undefined {
  const part = archive.read(name);
  if (!part.ok) return listFault(part.code, 1, { actual: part.actual ?? name });
  const fault = scanXml(part.bytes, handler, { limits: LIMITS, uniqueIds: false });
  return fault && xmlFault(name, fault);
}

function xmlFault(
  name: string,
  { code, message, line, column }: { code: string; message: string; line: number; column: number },
): ListFault {
  const actual = `${name}:${line}:${column}: ${message} (${code})`;
  return listFault('workbook-malformed', 1, { actual });
}

function childrenOf(root: XmlElement, name: string): XmlElement[] {
  return root.children.find((child) => child.name === name)?.children ?? [];
}
