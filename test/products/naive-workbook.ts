/**
 * Workbooks as a spreadsheet program writes them, built without the code under test: the archive by
 * hand and node:zlib, the XML as text.
 */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipPart {
  name: string;
  bytes: Uint8Array;
  stored?: boolean;
  /** What the headers say in place of the truth. */
  lie?: { bytes?: number; crc?: number; flags?: number; method?: number; offset?: number };
}

export function naiveZip(parts: readonly ZipPart[], comment = ''): Uint8Array {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, stored, lie = {} } of parts) {
    const packed = stored ? Buffer.from(bytes) : deflateRawSync(bytes);
    const nameBytes = Buffer.from(name);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(lie.flags ?? 0, 2);
    fields.writeUInt16LE(lie.method ?? (stored ? 0 : 8), 4);
    fields.writeUInt32LE(lie.crc ?? crc32(bytes), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(lie.bytes ?? bytes.length, 18);
    fields.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, nameBytes, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(lie.offset ?? offset, 10);
    const made = Buffer.from('PK\x01\x02\x14\x00', 'latin1');
    directory.push(Buffer.concat([made, fields, tail, nameBytes]));
    files.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return new Uint8Array(Buffer.concat([...files, entries, end, Buffer.from(comment)]));
}

/** A cell as XML within its row; a plain text becomes a shared string. */
export type NaiveCell = string | { xml: string };

export interface NaiveBook {
  sheets: Record<string, NaiveCell[][]>;
  is1904?: boolean;
  /** Parts in place of those that are built, or besides them. */
  parts?: Record<string, string>;
}

const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006/relationships';
const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';

/** Styles 0 general, 1 a built-in date, 2 a date by its own code, 3 a colour by its own code. */
const STYLES =
  `${HEAD}<styleSheet xmlns="${MAIN}"><numFmts count="2">` +
  '<numFmt numFmtId="164" formatCode="dd\\/mm\\/yyyy;@"/>' +
  '<numFmt numFmtId="165" formatCode="[Red]0&quot; days&quot;"/></numFmts>' +
  '<cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/>' +
  '<xf numFmtId="165"/></cellXfs></styleSheet>';

export function naiveParts({ sheets, is1904, parts = {} }: NaiveBook): Record<string, string> {
  const strings: string[] = [];
  const names = Object.keys(sheets);
  const built: Record<string, string> = {
    'xl/workbook.xml':
      `${HEAD}<workbook xmlns="${MAIN}" xmlns:r="${RELATIONS}">` +
      `<workbookPr${is1904 ? ' date1904="1"' : ''}/><sheets>` +
      names
        .map((name, i) => `<sheet name="${name}" sheetId="${i + 1}" r:id="rId${i + 1}"/>`)
        .join('') +
      '</sheets></workbook>',
    'xl/_rels/workbook.xml.rels':
      `${HEAD}<Relationships xmlns="${PACKAGE}">` +
      names
        .map(
          (_, i) =>
            `<Relationship Id="rId${i + 1}" Type="${RELATIONS}/worksheet" ` +
            `Target="worksheets/sheet${i + 1}.xml"/>`,
        )
        .join('') +
      `<Relationship Id="s" Type="${RELATIONS}/sharedStrings" Target="/xl/sharedStrings.xml"/>` +
      `<Relationship Id="t" Type="${RELATIONS}/styles" Target="styles.xml"/></Relationships>`,
    'xl/styles.xml': STYLES,
  };
  names.forEach((name, i) => {
    built[`xl/worksheets/sheet${i + 1}.xml`] = sheetXml(sheets[name]!, strings);
  });
  built['xl/sharedStrings.xml'] =
    `${HEAD}<sst xmlns="${MAIN}">${strings.map((one) => `<si>${one}</si>`).join('')}</sst>`;
  return { ...built, ...parts };
}

export function naiveWorkbook(book: NaiveBook): Uint8Array {
  return zipOfParts(naiveParts(book));
}

export function zipOfParts(parts: Record<string, string>): Uint8Array {
  return naiveZip(
    Object.entries(parts).map(([name, text]) => ({ name, bytes: new TextEncoder().encode(text) })),
  );
}

/** `A`, `Z`, `AA`. */
export function letters(column: number): string {
  const last = String.fromCharCode(65 + (column % 26));
  return column < 26 ? last : letters(Math.floor(column / 26) - 1) + last;
}

function sheetXml(rows: readonly NaiveCell[][], strings: string[]): string {
  const body = rows.map((cells, at) => {
    const written = cells.map((cell, column) => {
      const reference = `r="${letters(column)}${at + 1}"`;
      if (typeof cell !== 'string') return cell.xml.replace('<c', `<c ${reference}`);
      if (cell === '') return `<c ${reference} s="0"/>`;
      strings.push(runs(cell));
      return `<c ${reference} t="s"><v>${strings.length - 1}</v></c>`;
    });
    return `<row r="${at + 1}">${written.join('')}</row>`;
  });
  return `${HEAD}<worksheet xmlns="${MAIN}"><sheetData>${body.join('')}</sheetData></worksheet>`;
}

/** Longer texts in two runs, with a phonetic reading that is no part of them. */
function runs(text: string): string {
  const half = text.length >> 1;
  const t = (part: string) => `<t xml:space="preserve">${escapeXml(part)}</t>`;
  if (text.length < 40) return t(text);
  return `<r>${t(text.slice(0, half))}</r><r>${t(text.slice(half))}</r><rPh>${t('no')}</rPh>`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
