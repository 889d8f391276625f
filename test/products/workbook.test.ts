/** Workbooks: read as what they show, refused where they are damaged, too large or too clever. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTable } from '../../src/products/table.ts';
import { openZip } from '../../src/products/zip.ts';
import {
  letters,
  naiveParts,
  naiveWorkbook,
  naiveZip,
  type ZipPart,
  zipOfParts,
} from './naive-workbook.ts';

const test = suite('workbooks');
const bytesOf = (text: string) => new TextEncoder().encode(text);

function codeOf(file: Uint8Array, sheet?: string): string {
  const parsed = parseTable(file, sheet);
  return parsed.ok ? 'ok' : parsed.code;
}

function rowsOf(file: Uint8Array, sheet?: string) {
  const parsed = parseTable(file, sheet);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  return parsed.table.rows;
}

/** The text and the note of one cell. */
function cellOf(xml: string, is1904 = false): [string | undefined, string | undefined] {
  const rows = rowsOf(naiveWorkbook({ sheets: { List: [['a'], [{ xml }]] }, is1904 }));
  return [rows[1]?.cells[0], rows[1]?.notes?.get(0)];
}

test('texts, in one run or several, with the row they came from', () => {
  const long = `${'0123456789'.repeat(4)} & <more> é`;
  const rows = rowsOf(naiveWorkbook({ sheets: { List: [['a', '', 'c'], [], ['', long]] } }));
  assert.equal(
    rows.map(({ cells, line }) => [cells, line]),
    [
      [['a', '', 'c'], 1],
      [['', long], 3],
    ],
  );
});

const CELLS: [name: string, xml: string, text: string | undefined, note?: string][] = [
  ['a number has lost its zeros', '<c><v>1000000</v></c>', '1000000', 'number'],
  ['a number that is too long for one', '<c><v>1.0000000000000001E+63</v></c>', '1e+63', 'number'],
  ['a text as it is', '<c t="inlineStr"><is><t> 0100 </t></is></c>', ' 0100 '],
  ['a formula, by what it came to', '<c t="str"><f>A1&amp;"x"</f><v>ax</v></c>', 'ax', 'formula'],
  ['an error', '<c t="e"><v>#N/A</v></c>', '#N/A', 'error'],
  ['true', '<c t="b"><v>1</v></c>', 'TRUE'],
  ['a date by a built-in format', '<c s="1"><v>44397</v></c>', '2021-07-20'],
  ['a date by its own format', '<c s="2"><v>44397</v></c>', '2021-07-20'],
  ['a date and time', '<c s="1"><v>44397.5</v></c>', '2021-07-20T12:00:00Z'],
  ['a colour and quoted text make no date', '<c s="3"><v>44397</v></c>', '44397', 'number'],
  ['nothing', '<c s="1"/>', undefined],
];

for (const [name, xml, text, note] of CELLS) {
  test(`a cell: ${name}`, () => assert.equal(cellOf(xml), [text, note]));
}

test('days from 1904', () => {
  assert.is(cellOf('<c s="1"><v>42935</v></c>', true)[0], '2021-07-20');
});

test('sheets by name, the first without one', () => {
  const file = naiveWorkbook({ sheets: { Notes: [['note']], List: [['list']] } });
  assert.equal(rowsOf(file)[0]!.cells, ['note']);
  assert.equal(rowsOf(file, 'List')[0]!.cells, ['list']);
  assert.is(codeOf(file, 'Other'), 'sheet-missing');
});

test('columns are letters', () => {
  const row = Array.from({ length: 60 }, (_, column) => letters(column));
  assert.equal(rowsOf(naiveWorkbook({ sheets: { List: [row] } }))[0]!.cells, row);
});

const PART = naiveParts({ sheets: { List: [['a']] } });
const sheetOf = (data: string) => {
  const name = 'xl/worksheets/sheet1.xml';
  return zipOfParts({
    ...PART,
    [name]: PART[name]!.replace(/<sheetData>.*<\/sheetData>/, `<sheetData>${data}</sheetData>`),
  });
};
const lying = (part: ZipPart) => {
  const all = Object.entries(PART).map(([name, text]): ZipPart => ({ name, bytes: bytesOf(text) }));
  return naiveZip([...all.filter(({ name }) => name !== part.name), part]);
};
const BOOK = { name: 'xl/workbook.xml', bytes: bytesOf(PART['xl/workbook.xml']!) };
const zeros = new Uint8Array(64 * 1024 * 1024);
const many = Object.fromEntries(Array.from({ length: 4097 }, (_, i) => [`p${i}`, '']));

const REFUSED: [name: string, file: () => Uint8Array, code: string][] = [
  ['a signature and nothing else', () => bytesOf('PK\x03\x04'), 'zip-malformed'],
  ['bytes behind the end', () => new Uint8Array([...zipOfParts(PART), 0]), 'zip-malformed'],
  ['no workbook in it', () => zipOfParts({ 'a.txt': 'a' }), 'zip-entry-missing'],
  ['a part outside', () => zipOfParts({ ...PART, '../x': '' }), 'zip-entry-name'],
  ['a part twice', () => naiveZip([BOOK, BOOK]), 'zip-entry-twice'],
  ['an encrypted part', () => lying({ ...BOOK, lie: { flags: 1 } }), 'zip-unsupported'],
  ['another compression', () => lying({ ...BOOK, lie: { method: 12 } }), 'zip-unsupported'],
  ['ZIP64', () => lying({ ...BOOK, lie: { offset: 0xffffffff } }), 'zip-unsupported'],
  ['a wrong CRC', () => lying({ ...BOOK, lie: { crc: 1 } }), 'zip-malformed'],
  ['more bytes than stated', () => lying({ ...BOOK, lie: { bytes: 10 } }), 'zip-malformed'],
  ['fewer bytes than stated', () => lying({ ...BOOK, lie: { bytes: 5000 } }), 'zip-malformed'],
  ['parts over one another', () => lying({ ...BOOK, lie: { offset: 0 } }), 'zip-malformed'],
  ['stated too large', () => lying({ ...BOOK, lie: { bytes: 0xf0000000 } }), 'zip-too-large'],
  ['a bomb that says so', () => lying({ ...BOOK, bytes: zeros }), 'workbook-malformed'],
  [
    'a bomb that lies',
    () => lying({ ...BOOK, bytes: zeros, lie: { bytes: 100 } }),
    'zip-malformed',
  ],
  ['too many parts', () => zipOfParts(many), 'zip-too-large'],
  [
    'a string that is not there',
    () => sheetOf('<row><c t="s"><v>9</v></c></row>'),
    'workbook-malformed',
  ],
  ['a type that is none', () => sheetOf('<row><c t="z"><v>9</v></c></row>'), 'workbook-malformed'],
  ['a number that is none', () => sheetOf('<row><c><v>9x</v></c></row>'), 'workbook-malformed'],
  ['rows out of order', () => sheetOf('<row r="2"/><row r="1"/>'), 'workbook-malformed'],
  ['cells out of order', () => sheetOf('<row><c r="B1"/><c r="A1"/></row>'), 'workbook-malformed'],
  ['a reference that is none', () => sheetOf('<row><c r="1A"/></row>'), 'workbook-malformed'],
  ['a date before 1900', () => sheetOf('<row><c s="1"><v>-1</v></c></row>'), 'workbook-malformed'],
  [
    'something in a far column',
    () => sheetOf('<row><c r="XFD1" t="inlineStr"><is><t>x</t></is></c></row>'),
    'workbook-malformed',
  ],
  [
    'a text longer than a cell holds',
    () => sheetOf(`<row><c t="str"><v>${'x'.repeat(32_768)}</v></c></row>`),
    'workbook-malformed',
  ],
];

for (const [name, file, code] of REFUSED) {
  test(`refused: ${name}`, () => assert.is(codeOf(file()), code));
}

test('an entity in a part is refused, and no file is read for it', () => {
  const evil = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>';
  for (const name of Object.keys(PART)) {
    const text = PART[name]!.replace('?>\n', `?>${evil}`);
    assert.is(codeOf(zipOfParts({ ...PART, [name]: text })), 'workbook-malformed', name);
  }
});

test('a relationship may not leave the archive', () => {
  const name = 'xl/_rels/workbook.xml.rels';
  const climbing = PART[name]!.replace('worksheets/sheet1.xml', '../../etc/passwd');
  assert.is(codeOf(zipOfParts({ ...PART, [name]: climbing })), 'sheet-missing');
});

test('stored parts and a comment behind the archive', () => {
  const parts = Object.entries(PART).map(([name, text]) => ({
    name,
    bytes: bytesOf(text),
    stored: true,
  }));
  assert.is(codeOf(naiveZip(parts, 'a comment')), 'ok');
});

test('all that is read of one archive is capped together', () => {
  const parts = ['a', 'b', 'c'].map((name) => ({ name, bytes: new Uint8Array(400) }));
  const archive = openZip(naiveZip(parts), 1000);
  assert.ok(archive.ok);
  if (!archive.ok) return;
  assert.ok(archive.read('a').ok);
  assert.ok(archive.read('b').ok);
  assert.not(archive.read('c').ok);
});

test('every truncation is refused', () => {
  const file = naiveWorkbook({ sheets: { List: [['a', 'b']] } });
  for (let length = 4; length < file.length; length++) {
    assert.is(codeOf(file.subarray(0, length)), 'zip-malformed', `${length}`);
  }
});

test('every flipped bit is refused, or changes nothing that is read', () => {
  const file = naiveWorkbook({ sheets: { List: [['a', 'b']] } });
  const whole = JSON.stringify(rowsOf(file));
  let refused = 0;
  for (let bit = 0; bit < file.length * 8; bit += 7) {
    const flipped = file.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const parsed = parseTable(flipped);
    if (!parsed.ok) refused += 1;
    else assert.is(JSON.stringify(parsed.table.rows), whole, `bit ${bit}`);
  }
  assert.ok(refused > file.length / 2, `${refused} of ${(file.length * 8) / 7}`);
});

test('whatever the bytes, there is an answer', () => {
  const file = naiveWorkbook({ sheets: { List: [['a', 'b']] } });
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.uint8Array({ maxLength: 64 }), (at, bytes) => {
      const changed = file.slice();
      changed.set(bytes.subarray(0, file.length - at), at);
      assert.type(parseTable(changed).ok, 'boolean');
    }),
    { numRuns: 300 },
  );
});

test.run();
