/** The lists: every kind of issue is found where it is, and what is read is what is written. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CPL_FIELDS,
  entriesForModel,
  loadedByDcc,
  mayPrecede,
  parseCentralProductsList,
  predecessorsOf,
  readCentralProductsList,
  showStanding,
} from '../../src/products/central-products-list.ts';
import { LIST_ISSUES, type ListIssue, type ListIssueCode } from '../../src/products/codes.ts';
import { type ColumnMapping, parseDate } from '../../src/products/columns.ts';
import { combinationKey } from '../../src/products/combinations.ts';
import {
  DMVES_FIELDS,
  parseDeviceModelVariations,
  variationsOf,
} from '../../src/products/device-model-variations.ts';
import {
  EPCL_FIELDS,
  findEligible,
  lintAgainstProducts,
  parseEligibleCombinations,
} from '../../src/products/eligible-combinations.ts';
import { expeditedCover, NOT_COVERED } from '../../src/products/expedited.ts';
import {
  INSTALLATION_FIELDS,
  isSplitSupply,
  parseInstallations,
} from '../../src/products/installations.ts';
import { LIST_AGE_LIMITS, listAge } from '../../src/products/list-age.ts';
import { otherCodings } from '../../src/products/list-lint.ts';
import { PPCT_FIELDS, parsePendingCombinations } from '../../src/products/pending-combinations.ts';
import { parseTable } from '../../src/products/table.ts';
import { type NaiveCell, naiveWorkbook, zipOfParts } from './naive-workbook.ts';

const test = suite('lists');
const HASH = 'ab'.repeat(32);
const JANUARY_2022 = Date.UTC(2022, 0, 10);

type Cells = Record<string, string>;
const HUB = 'A001:0001:01:00:00000001';
const ESME = 'A001:0002:01:00:00000001';

/** For each list its fields, a good row, and how it is read. */
const LISTS = {
  cpl: {
    fields: CPL_FIELDS,
    good: {
      entry_id: 'E1',
      device_type: 'ESME',
      manufacturer: 'A001',
      model: '0002',
      hardware_version: '01',
      hardware_revision: '00',
      firmware_version: '00000001',
      manufacturer_image_hash: HASH,
      status: 'Current',
      listed_from: '2021-01-01',
    },
    parse: parseCentralProductsList,
  },
  epcl: {
    fields: EPCL_FIELDS,
    good: {
      combination_id: 'C1',
      provider: 'CSP-N',
      communications_hub: HUB,
      esme: ESME,
      added_on: '2021-01-01',
    },
    parse: parseEligibleCombinations,
  },
  ppct: {
    fields: PPCT_FIELDS,
    good: {
      ppct_reference: 'T1',
      provider: 'CSP-N',
      communications_hub: HUB,
      esme: ESME,
      opened_on: '2021-01-01',
      outcome: 'open',
    },
    parse: parsePendingCombinations,
  },
  dmves: {
    fields: DMVES_FIELDS,
    good: {
      variation_id: 'V1',
      manufacturer: 'A001',
      model: '0002',
      hardware_version: '01',
      hardware_revision: '00',
      clause: '18.3',
      equivalent_steps: 'reads twice',
    },
    parse: parseDeviceModelVariations,
  },
  installations: {
    fields: INSTALLATION_FIELDS,
    good: {
      installation_id: 'I1',
      provider: 'CSP-N',
      communications_hub: HUB,
      esme: ESME,
      electricity_supplier: 'S1',
    },
    parse: parseInstallations,
  },
} as const;

type Kind = keyof typeof LISTS;

function csvOf(kind: Kind, rows: readonly Cells[]): string {
  const { fields, good } = LISTS[kind];
  const names = Object.keys(fields);
  const quoted = (text: string) =>
    /[",\n#]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const lines = rows.map((cells) => {
    const all: Cells = { ...good, ...cells };
    return names.map((name) => quoted(all[name] ?? '')).join();
  });
  return [names.join(), ...lines].join('\n');
}

interface Read {
  entries: readonly { line: number }[];
  issues: readonly ListIssue[];
}

function readText(kind: Kind, text: string, mapping?: ColumnMapping): Read {
  const parsed = LISTS[kind].parse(text, { mapping });
  return parsed.ok ? parsed.list : { entries: [], issues: parsed.issues };
}

const readRows = (kind: Kind, ...rows: Cells[]) => readText(kind, csvOf(kind, rows));

function readBook(rows: NaiveCell[][], sheet?: string): Read {
  const file = naiveWorkbook({ sheets: { List: rows } });
  const parsed = parseTable(file, sheet);
  const result = parsed.ok ? readCentralProductsList(parsed.table) : parsed;
  return result.ok ? result.list : { entries: [], issues: result.issues };
}

function bookOf(cells: Record<string, NaiveCell>): Read {
  const names = Object.keys(CPL_FIELDS);
  const all: Record<string, NaiveCell> = { ...LISTS.cpl.good, ...cells };
  return readBook([names, names.map((name) => all[name] ?? '')]);
}

function readFile(file: Uint8Array): Read {
  const parsed = parseTable(file);
  return parsed.ok ? { entries: [], issues: [] } : { entries: [], issues: parsed.issues };
}

/** What is wrong, the code, its line and its field, and how many entries are used. */
type Fault = [name: string, read: () => Read, code: ListIssueCode, line: number, field?: string];

const row = (kind: Kind, cells: Cells) => () => readRows(kind, cells);
const rows =
  (kind: Kind, ...cells: Cells[]) =>
  () =>
    readRows(kind, ...cells);
const text = (kind: Kind, csv: string, mapping?: ColumnMapping) => () =>
  readText(kind, csv, mapping);
const good = (kind: Kind) => csvOf(kind, [{}]);
const bytes = (text: string) => new TextEncoder().encode(text);

const ERRORS: Fault[] = [
  ['broken quotes', text('cpl', `${good('cpl')}"x`), 'csv-malformed', 2],
  ['Latin-1', () => readFile(new Uint8Array([0x61, 0xe9])), 'text-not-utf-8', 1],
  ['half a workbook', () => readFile(bytes('PK\x03\x04')), 'zip-malformed', 1],
  ['another archive', () => readFile(zipOfParts({ a: '' })), 'zip-entry-missing', 1],
  ['another sheet', () => readBook([['a']], 'Other'), 'sheet-missing', 1],
  ['nothing', text('epcl', ''), 'list-empty', 1],
  ['too much', text('epcl', ' '.repeat(64 * 1024 * 1024 + 1)), 'list-too-large', 1],
  ['no such heading row', text('epcl', good('epcl'), { headingRow: 9 }), 'list-empty', 9],
  ['a column is missing', text('epcl', 'combination_id'), 'column-missing', 1, 'provider'],
  [
    'a column twice',
    text('epcl', `${good('epcl').replace('\n', ',esme\n')},`),
    'column-repeated',
    1,
    'esme',
  ],
  [
    'a heading with one character changed',
    text('ppct', good('ppct').replace('closed_on', 'closed_om')),
    'column-misspelt',
    1,
    'closed_om',
  ],
  [
    'a heading without one character',
    text('cpl', good('cpl').replace('upgrade_from', 'upgradefrom')),
    'column-misspelt',
    1,
    'upgradefrom',
  ],
  [
    'two columns for one field',
    text('epcl', good('epcl'), { columns: { esme: ['esme', 'gsme'] } }),
    'column-ambiguous',
    1,
    'esme',
  ],
  [
    'a mapping of nothing',
    text('epcl', good('epcl'), { columns: { colour: 'esme' } }),
    'mapping-unknown',
    1,
    'colour',
  ],
  ['a cell too many', text('epcl', `${good('epcl')},`), 'cell-count', 2],
  [
    'an error of the spreadsheet',
    () => bookOf({ model: { xml: '<c t="e"><v>#N/A</v></c>' } }),
    'cell-is-error',
    2,
    'model',
  ],
  [
    'a version like 1E7',
    () => bookOf({ firmware_version: { xml: '<c><v>1E+77</v></c>' } }),
    'cell-is-number',
    2,
    'firmware_version',
  ],
  ['a control character', row('cpl', { model: '00\u000002' }), 'character-control', 2, 'model'],
  [
    'a zero-width blank',
    row('cpl', { firmware_version: '0000\u200b001' }),
    'character-control',
    2,
    'firmware_version',
  ],
  [
    'a hash like SHA-1',
    row('cpl', { manufacturer_image_hash: 'ab'.repeat(20) }),
    'hash-sha-1-length',
    2,
    'manufacturer_image_hash',
  ],
  [
    'a hash like MD5',
    row('cpl', { manufacturer_image_hash: 'ab'.repeat(16) }),
    'hash-md5-length',
    2,
    'manufacturer_image_hash',
  ],
  [
    'a hash of 63 digits',
    row('cpl', { manufacturer_image_hash: HASH.slice(1) }),
    'hash-length',
    2,
    'manufacturer_image_hash',
  ],
  [
    'a blank around a hash',
    row('cpl', { manufacturer_image_hash: `${HASH} ` }),
    'blanks-around',
    2,
    'manufacturer_image_hash',
  ],
  [
    'a hash with a blank',
    row('cpl', { manufacturer_image_hash: HASH.replace('b', ' ') }),
    'hash-not-hexadecimal',
    2,
    'manufacturer_image_hash',
  ],
  ['a word that is none', row('cpl', { status: 'Fine' }), 'status-unknown', 2, 'status'],
  [
    "the DCC's word in the wrong column",
    row('cpl', { status: 'Expired' }),
    'status-unknown',
    2,
    'status',
  ],
  [
    "a word that is none of the DCC's",
    row('cpl', { dcc_status: 'Current' }),
    'status-unknown',
    2,
    'dcc_status',
  ],
  [
    'a generation that is none',
    row('cpl', { generation: 'SMETS3' }),
    'word-unknown',
    2,
    'generation',
  ],
  [
    'a loading date that is none',
    row('cpl', { dcc_loaded_from: 'soon' }),
    'date-invalid',
    2,
    'dcc_loaded_from',
  ],
  [
    'a file version that is none',
    row('cpl', { ota_file_version: 'v1' }),
    'file-version-invalid',
    2,
    'ota_file_version',
  ],
  [
    'an expedited entry without a test',
    row('cpl', { expedited_purpose: 'x', expedited_added_on: '2021-09-01' }),
    'expedited-incomplete',
    2,
    'ppct_reference',
  ],
  [
    'an expedited entry that ends before it begins',
    row('cpl', {
      expedited_purpose: 'x',
      expedited_added_on: '2021-09-01',
      ppct_reference: 'T',
      expedited_ends_on: '2021-08-01',
    }),
    'dates-reversed',
    2,
    'expedited_ends_on',
  ],
  ['an empty cell', row('cpl', { model: '' }), 'cell-empty', 2, 'model'],
  ['a text too long', row('cpl', { model: 'A'.repeat(31) }), 'text-too-long', 2, 'model'],
  [
    'a text too long elsewhere',
    row('dmves', { model: 'A'.repeat(31) }),
    'text-too-long',
    2,
    'model',
  ],
  ['an id twice', rows('cpl', {}, { firmware_version: '2' }), 'entry-repeated', 3, 'entry_id'],
  [
    'an id twice in combinations',
    rows('epcl', {}, { gsme: HUB }),
    'entry-repeated',
    3,
    'combination_id',
  ],
  ['an id twice in variations', rows('dmves', {}, {}), 'entry-repeated', 3, 'variation_id'],
  [
    'an id twice in installations',
    rows('installations', {}, {}),
    'entry-repeated',
    3,
    'installation_id',
  ],
  [
    'two hashes',
    rows('cpl', {}, { entry_id: 'E2', manufacturer_image_hash: 'cd'.repeat(32) }),
    'hash-conflict',
    2,
    'manufacturer_image_hash',
  ],
  [
    'four fields for a Device Model',
    row('epcl', { esme: 'A:B:C:D' }),
    'device-model-invalid',
    2,
    'esme',
  ],
  [
    'a version of nine characters',
    row('epcl', { esme: 'A:B:1:2:123456789' }),
    'device-model-invalid',
    2,
    'esme',
  ],
  [
    'no device',
    row('epcl', { communications_hub: '', esme: '' }),
    'combination-empty',
    2,
    'communications_hub',
  ],
  ['no provider', row('ppct', { provider: '' }), 'cell-empty', 2, 'provider'],
  [
    '18 devices',
    row('installations', { esme: Array(18).fill(ESME).join(';') }),
    'devices-too-many',
    2,
    'communications_hub',
  ],
  [
    'added after removed',
    row('epcl', { removed_from: '2020-01-01' }),
    'dates-reversed',
    2,
    'removed_from',
  ],
  [
    'closed before opened',
    row('ppct', { closed_on: '2020-01-01' }),
    'dates-reversed',
    2,
    'closed_on',
  ],
  ['an outcome that is none', row('ppct', { outcome: 'maybe' }), 'word-unknown', 2, 'outcome'],
  ['no date', row('epcl', { added_on: '' }), 'date-invalid', 2, 'added_on'],
  ['a cohort that is none', row('installations', { cohort: 'XOC' }), 'word-unknown', 2, 'cohort'],
  [
    'a migration that is none',
    row('installations', { migration: 'soon' }),
    'word-unknown',
    2,
    'migration',
  ],
  [
    'a push that is neither',
    row('installations', { profile_data_push: '1' }),
    'word-unknown',
    2,
    'profile_data_push',
  ],
];

const WARNINGS: Fault[] = [
  [
    'a column nobody knows',
    text('epcl', `${good('epcl').replace('\n', ',colour\n')},red`),
    'column-unknown',
    1,
    'colour',
  ],
  [
    'a column twice that nobody reads',
    text('epcl', `${good('epcl').replace('\n', ',x,x\n')},,`),
    'column-repeated',
    1,
    'x',
  ],
  [
    'a number',
    () => bookOf({ firmware_version: { xml: '<c><v>1</v></c>' } }),
    'cell-is-number',
    2,
    'firmware_version',
  ],
  [
    'a formula',
    () => bookOf({ model: { xml: '<c t="str"><f>A1</f><v>0002</v></c>' } }),
    'cell-is-formula',
    2,
    'model',
  ],
  [
    'a blank before',
    row('cpl', { firmware_version: ' 00000001' }),
    'blanks-around',
    2,
    'firmware_version',
  ],
  ['a blank after', row('cpl', { manufacturer: 'A001 ' }), 'blanks-around', 2, 'manufacturer'],
  [
    'a letter that only looks so',
    row('cpl', { manufacturer: '\u0410001' }),
    'character-odd',
    2,
    'manufacturer',
  ],
  ['no digits', row('cpl', { manufacturer: 'GEO' }), 'not-hexadecimal', 2, 'manufacturer'],
  [
    'the same under another id',
    rows('cpl', {}, { entry_id: 'E2' }),
    'entry-duplicate',
    3,
    'entry_id',
  ],
  [
    'one version, coded twice',
    rows(
      'cpl',
      { firmware_version: '0010' },
      { entry_id: 'E2', firmware_version: '000A', manufacturer_image_hash: 'cd'.repeat(32) },
    ),
    'version-other-coding',
    2,
    'firmware_version',
  ],
  [
    'from an entry that is not there',
    row('cpl', { upgrade_from: 'E9' }),
    'predecessor-unknown',
    2,
    'upgrade_from',
  ],
  ['from itself', row('cpl', { upgrade_from: 'E1' }), 'predecessor-itself', 2, 'upgrade_from'],
  [
    'from another device',
    rows('cpl', {}, { entry_id: 'E2', model: '0009', upgrade_from: 'E1' }),
    'predecessor-other-hardware',
    3,
    'upgrade_from',
  ],
  [
    'no hub',
    row('epcl', { communications_hub: '' }),
    'combination-without-hub',
    2,
    'communications_hub',
  ],
  [
    'the same in another order',
    rows('epcl', { esme: `${ESME};${HUB}`, communications_hub: HUB }, { combination_id: 'C2' }),
    'combination-repeated',
    3,
  ],
  [
    'no supplier',
    row('installations', { electricity_supplier: '' }),
    'suppliers-missing',
    2,
    'electricity_supplier',
  ],
];

for (const [severity, faults] of [
  ['error', ERRORS],
  ['warning', WARNINGS],
] as const) {
  for (const [name, read, code, line, field] of faults) {
    test(`${severity}: ${name}`, () => {
      const { issues, entries } = read();
      const found = issues.filter((issue) => issue.code === code && issue.severity === severity);
      assert.ok(found.length > 0, JSON.stringify(issues));
      assert.equal([found[0]!.line, found[0]!.column], [line, field]);
      assert.is(found[0]!.message, LIST_ISSUES[code]);
      const isUsed = entries.some((entry) => entry.line === line);
      if (line > 1) assert.is(isUsed, severity === 'warning', 'used only without an error');
    });
  }
}

test('every code has a fault that shows it', () => {
  // Those of archives and parts of workbooks are in workbook.test.ts, of two lists further down.
  const elsewhere = [
    'zip-unsupported',
    'zip-too-large',
    'zip-entry-name',
    'zip-entry-twice',
    'workbook-malformed',
  ];
  const shown = new Set<string>([...ERRORS, ...WARNINGS].map(([, , code]) => code));
  assert.equal(
    Object.keys(LIST_ISSUES).filter(
      (code) => !shown.has(code) && ![...elsewhere, 'device-model-not-listed'].includes(code),
    ),
    [],
  );
});

test('a good row of each list has no issue, from CSV and with the column number', () => {
  for (const kind of Object.keys(LISTS) as Kind[]) {
    assert.equal(readRows(kind, {}).issues, [], kind);
    assert.is(readRows(kind, {}).entries.length, 1, kind);
  }
  const { issues } = readRows('epcl', { gsme: 'x' });
  assert.is(issues[0]!.columnNumber, Object.keys(EPCL_FIELDS).indexOf('gsme') + 1);
});

test('a workbook is read as the CSV of it', () => {
  const names = Object.keys(CPL_FIELDS);
  const cells: Cells = LISTS.cpl.good;
  const book = readBook([names, names.map((name) => cells[name] ?? '')]);
  assert.equal(book, readRows('cpl', {}));
});

test('no escape sequence of a list reaches a message', () => {
  const { issues } = readText('epcl', `\u001b[2Jcombination_id\u202e,provider\n`);
  assert.not.match(
    JSON.stringify(issues.map(({ actual, column }) => [actual, column])),
    /u001b|\u202e/,
  );
  assert.match(issues[0]!.actual!, '\\u{1B}');
});

test('a mapping: headings, one of several, joined, defaults, dates, words, heading row', () => {
  const csv = [
    'A list of eligible products,,,,,,,',
    'No,Region,Comms  Hub,ESME Make,ESME Model,HW,Rev,FW,Since,Live?',
    `7,CSP-N,${HUB},A001,0002,01,00,00000001,20/07/2021,yes`,
  ].join('\n');
  const mapping: ColumnMapping = {
    headingRow: 2,
    dates: 'DD/MM/YYYY',
    columns: {
      combination_id: ['Id', 'No'],
      communications_hub: 'comms hub',
      esme: { join: ['ESME Make', 'ESME Model', 'HW', 'Rev', 'FW'] },
      provider: 'Region',
      added_on: 'Since',
    },
  };
  const parsed = parseEligibleCombinations(csv, { mapping });
  assert.ok(parsed.ok);
  if (!parsed.ok) return;
  const [entry] = parsed.list.entries;
  assert.is(entry!.combinationId, '7');
  assert.is(entry!.addedOnMs, Date.UTC(2021, 6, 20));
  assert.is(entry!.devices[1]!.deviceModel.firmwareVersion, '00000001');
  const named = { ...mapping, defaults: { provider: 'CSP-S' }, columns: { ...mapping.columns } };
  delete (named.columns as Record<string, unknown>)['provider'];
  const other = parseEligibleCombinations(csv, { mapping: named });
  assert.ok(other.ok && other.list.entries[0]!.provider === 'CSP-S');
  const cpl = { words: { status: { Live: 'Current' } } };
  assert.is(readText('cpl', csvOf('cpl', [{ status: 'live' }]), cpl).entries.length, 1);
});

test('dates: the forms, and days that are none', () => {
  assert.is(parseDate('2021-07-20'), Date.UTC(2021, 6, 20));
  assert.is(parseDate('20/07/2021', 'DD/MM/YYYY'), Date.UTC(2021, 6, 20));
  assert.is(parseDate('2021-07-20', 'DD/MM/YYYY'), Date.UTC(2021, 6, 20));
  for (const none of [
    '20/07/2021',
    '2021-02-30',
    '2021-7-20',
    '2021-07-20T24:00:00Z',
    '',
    'today',
  ]) {
    assert.is(parseDate(none), undefined, none);
  }
  assert.is(parseDate('30/02/2021', 'DD/MM/YYYY'), undefined);
});

test('pathways: the three states, and who counts as predecessor', () => {
  const parsed = parseCentralProductsList(
    csvOf('cpl', [
      { entry_id: 'E1', upgrade_from: 'N/A' },
      { entry_id: 'E2', firmware_version: '00000002', upgrade_from: 'E1;X9' },
      { entry_id: 'E3', firmware_version: '00000003' },
      { entry_id: 'X9', model: '0009', firmware_version: '00000009' },
      { entry_id: 'E4', firmware_version: '00000004', hardware_revision: '01', upgrade_from: 'E1' },
    ]),
  );
  if (!parsed.ok) throw new Error(parsed.code);
  const entry = (id: string) => parsed.list.byId.get(id)!;
  const precedes = (id: string, running: string) => mayPrecede(parsed.list, entry(id), running);
  assert.is(precedes('E1', '00000000'), 'none');
  assert.is(precedes('E2', ' 00000001 '), 'listed');
  assert.is(precedes('E2', '1'), 'not-listed', 'text, not numbers');
  assert.is(precedes('E2', '00000009'), 'not-listed', 'of other hardware');
  assert.is(precedes('E3', '00000002'), 'unknown');
  assert.is(precedes('E4', '00000001'), 'listed', 'the revision may differ');
  assert.equal(
    predecessorsOf(parsed.list, entry('E2')).map(({ entryId }) => entryId),
    ['E1'],
  );
  assert.is(entriesForModel(parsed.list, entry('E2')).length, 1);
});

test('standing: published, at the DCC, loaded or not', () => {
  const of = (cells: Cells) => {
    const parsed = parseCentralProductsList(csvOf('cpl', [cells]));
    if (!parsed.ok) throw new Error(parsed.code);
    return parsed.list.entries[0]!;
  };
  assert.is(loadedByDcc(of({}), JANUARY_2022), 'unknown');
  assert.is(loadedByDcc(of({ dcc_loaded_from: 'No' }), JANUARY_2022), 'no');
  assert.is(loadedByDcc(of({ dcc_loaded_from: '2022-02-01' }), JANUARY_2022), 'no');
  assert.is(loadedByDcc(of({ dcc_loaded_from: '2022-01-10' }), JANUARY_2022), 'yes');
  assert.is(showStanding(of({ dcc_status: 'Withdrawn' })), 'current, withdrawn at the DCC');
  assert.is(showStanding(of({ status: 'Removed' })), 'removed');
});

test('combinations: found by set and provider, while they stand', () => {
  const parsed = parseEligibleCombinations(
    csvOf('epcl', [{ esme: `${ESME};A001:0004:01:00:1`, removed_from: '2022-02-01' }]),
  );
  if (!parsed.ok) throw new Error(parsed.code);
  const { devices } = parsed.list.entries[0]!;
  const asked = { provider: ' csp-n', devices: [...devices, devices[0]!].reverse() };
  assert.is(findEligible(parsed.list, asked, JANUARY_2022)?.combinationId, 'C1');
  assert.is(findEligible(parsed.list, asked, Date.UTC(2020, 11, 31)), undefined);
  assert.is(findEligible(parsed.list, asked, Date.UTC(2022, 1, 1)), undefined);
  assert.is(findEligible(parsed.list, { ...asked, provider: 'CSP-S' }, JANUARY_2022), undefined);
  const fewer = { ...asked, devices: devices.slice(1) };
  assert.is(findEligible(parsed.list, fewer, JANUARY_2022), undefined);
});

test('combinations against the products list, with the other coding as a hint', () => {
  const products = parseCentralProductsList(csvOf('cpl', [{ firmware_version: '0000000A' }]));
  const eligible = parseEligibleCombinations(
    csvOf('epcl', [{ esme: 'A001:0002:01:00:00000010' }, { combination_id: 'C2' }]),
  );
  if (!products.ok || !eligible.ok) throw new Error('the test lists are wrong');
  const issues = lintAgainstProducts(eligible.list.entries, products.list);
  assert.equal(
    issues.map(({ code, line, column, next }) => [code, line, column, next?.includes('0000000A')]),
    [
      ['device-model-not-listed', 2, 'communications_hub', undefined],
      ['device-model-not-listed', 2, 'esme', true],
      ['device-model-not-listed', 3, 'esme', undefined],
    ],
  );
});

test('variations: of all versions, of one, and of no other device', () => {
  const parsed = parseDeviceModelVariations(
    csvOf('dmves', [{}, { variation_id: 'V2', firmware_version: '00000002' }]),
  );
  if (!parsed.ok) throw new Error(parsed.code);
  const model = {
    manufacturer: 'a001',
    model: '0002',
    hardwareVersion: '01',
    hardwareRevision: '00',
  };
  const of = (firmwareVersion: string, more = {}) =>
    variationsOf(parsed.list, { ...model, firmwareVersion, ...more }).map((one) => one.variationId);
  assert.equal(of('00000001'), ['V1']);
  assert.equal(of('00000002'), ['V1', 'V2']);
  assert.equal(of('00000002', { hardwareRevision: '01' }), []);
});

test('an expedited entry covers a combination only where everything holds', () => {
  const marked = {
    generation: 'SMETS1',
    expedited_purpose: 'Security',
    expedited_added_on: '2021-09-01',
    expedited_ends_on: '2022-03-01',
    ppct_reference: 'T1',
  };
  const policy = {
    purposes: ['SECURITY'],
    testOf: 'combination',
    fromMs: Date.UTC(2021, 6, 19, 23),
    source: 'test',
  } as const;
  const ask = (cells: Cells, test: Cells | undefined, at = JANUARY_2022, chosen = policy) => {
    const products = parseCentralProductsList(csvOf('cpl', [{ ...marked, ...cells }]));
    const pending = parsePendingCombinations(csvOf('ppct', test ? [test] : []));
    const eligible = parseEligibleCombinations(csvOf('epcl', [{}]));
    if (!products.ok || !pending.ok || !eligible.ok) throw new Error('the test lists are wrong');
    const [entry] = products.list.entries;
    const cover = expeditedCover(entry!, eligible.list.entries[0]!, pending.list, at, chosen);
    return cover.covered ? 'covered' : cover.reason;
  };
  const CASES: [Cells, Cells | undefined, string, number?][] = [
    [{}, {}, 'covered'],
    [
      { expedited_purpose: '', expedited_added_on: '', expedited_ends_on: '', ppct_reference: '' },
      {},
      'not-expedited',
    ],
    [{}, {}, 'before-direction', Date.UTC(2021, 6, 19, 22)],
    [{ generation: 'SMETS2' }, {}, 'not-smets1'],
    [{ generation: '' }, {}, 'not-smets1'],
    [{ status: 'Removed' }, {}, 'entry-not-current'],
    [{}, {}, 'not-yet-added', Date.UTC(2021, 7, 31)],
    [{}, {}, 'ended', Date.UTC(2022, 2, 1)],
    [{ expedited_purpose: 'Colour' }, {}, 'purpose-not-named'],
    [{}, undefined, 'test-unknown'],
    [{}, { outcome: 'failed' }, 'test-not-open'],
    [{}, { outcome: 'passed', closed_on: '2022-01-11' }, 'covered'],
    [{}, { outcome: 'passed', closed_on: '2022-01-10' }, 'test-not-open'],
    [{}, { outcome: 'open', closed_on: '2022-01-10' }, 'test-not-open'],
    [{}, { opened_on: '2022-01-11' }, 'test-not-open'],
    [{}, { esme: '' }, 'test-of-another'],
    [{}, { gsme: ESME.replace('0002', '0003') }, 'test-of-another'],
    [{}, { provider: 'CSP-S' }, 'test-of-another'],
  ];
  for (const [cells, test, expected, at] of CASES) {
    assert.is(ask(cells, test, at), expected, JSON.stringify([cells, test]));
  }
  const reasons = new Set(CASES.map(([, , expected]) => expected));
  assert.equal(
    Object.keys(NOT_COVERED).filter((reason) => !reasons.has(reason)),
    [],
  );
  const wider = { ...policy, testOf: 'device-model' as const } as unknown as typeof policy;
  assert.is(ask({}, { provider: 'CSP-S' }, JANUARY_2022, wider), 'covered');
  assert.is(ask({}, { esme: '' }, JANUARY_2022, wider), 'test-of-another');
});

test('split supply: two suppliers, one, or not known', () => {
  const of = (cells: Cells) => {
    const gsme = ESME.replace('0002', '0003');
    const parsed = parseInstallations(csvOf('installations', [{ gsme, ...cells }]));
    if (!parsed.ok) throw new Error(parsed.code);
    return isSplitSupply(parsed.list.entries[0]!);
  };
  assert.is(of({ gas_supplier: 'S2' }), true);
  assert.is(of({ gas_supplier: ' s1' }), false);
  assert.is(of({}), undefined);
  assert.is(of({ gsme: '', gas_supplier: 'S2' }), false, 'no gas meter');
});

test('the age of a list, at its limits', () => {
  const day = 86_400_000;
  const age = (ms: number) =>
    listAge({ fetchedAtMs: JANUARY_2022 - ms, source: 't' }, JANUARY_2022).age;
  const { warnAfterDays, refuseAfterDays } = LIST_AGE_LIMITS;
  assert.is(age(0), 'fresh');
  assert.is(age(warnAfterDays * day), 'fresh');
  assert.is(age(warnAfterDays * day + 1), 'old');
  assert.is(age(refuseAfterDays * day + 1), 'too-old');
  assert.is(age(-day), 'fresh', 'clocks and zones');
  assert.is(age(-day - 1), 'from-the-future');
  assert.is(age(Number.NaN), 'unknown');
  assert.is(listAge(undefined, JANUARY_2022).age, 'unknown');
});

test('other codings are found as by comparing every pair', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0159AaF'), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(digits, { maxLength: 12 }), (versions) => {
      const found = otherCodings(versions);
      const folded = [...new Set(versions.map((one) => one.toUpperCase()))];
      const octets = (one: string) => (one.length % 2 === 0 ? one.match(/../g)! : []);
      const isSame = (decimal: string, hexadecimal: string) =>
        /^[0-9]+$/.test(decimal) &&
        decimal !== hexadecimal &&
        (Number.parseInt(decimal, 10) === Number.parseInt(hexadecimal, 16) ||
          (decimal.length === hexadecimal.length &&
            octets(decimal).length > 0 &&
            octets(decimal).every(
              (octet, i) =>
                Number.parseInt(octet, 10) === Number.parseInt(octets(hexadecimal)[i]!, 16),
            )));
      for (const one of folded) {
        const expected = folded.some((other) => isSame(one, other) || isSame(other, one));
        assert.is(found.has(one), expected, `${one} of ${folded.join()}`);
      }
    }),
    { numRuns: 500 },
  );
});

test('a key is equal for two combinations where and only where they are one set', () => {
  const part = fc.string({
    unit: fc.constantFrom('A', 'a', ':', '|', ',', '1'),
    minLength: 1,
    maxLength: 3,
  });
  const device = fc
    .tuple(part, part, part, part, part)
    .map(([manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion]) => ({
      kind: 'esme' as const,
      deviceModel: { manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion },
    }));
  const combination = fc.record({ provider: part, devices: fc.array(device, { maxLength: 3 }) });
  const naive = ({ provider, devices }: { provider: string; devices: { deviceModel: object }[] }) =>
    JSON.stringify([
      provider.toUpperCase(),
      [...new Set(devices.map((one) => JSON.stringify(one.deviceModel).toUpperCase()))].sort(),
    ]);
  fc.assert(
    fc.property(combination, combination, (a, b) => {
      assert.is(combinationKey(a) === combinationKey(b), naive(a) === naive(b));
      const turned = { ...a, devices: [...a.devices, ...a.devices].reverse() };
      assert.is(combinationKey(turned), combinationKey(a));
    }),
    { numRuns: 500 },
  );
});

test('whatever the text, every list answers, and each row is an entry or has an error', () => {
  const cell = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom(HUB, ESME, HASH, '2021-01-01', 'Current', 'open', 'N/A', '"', ';', ' E1 '),
  );
  for (const kind of Object.keys(LISTS) as Kind[]) {
    const names = Object.keys(LISTS[kind].fields);
    const cells = fc.record(Object.fromEntries(names.map((name) => [name, cell])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(fc.array(cells, { maxLength: 4 }), (drawn) => {
        const { entries, issues } = readText(kind, csvOf(kind, drawn as Cells[]));
        const used = entries.length;
        const wrong = new Set(
          issues.filter(({ severity }) => severity === 'error').map(({ line }) => line),
        );
        assert.ok(used + wrong.size >= (wrong.has(1) ? 1 : drawn.length), JSON.stringify(issues));
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (csv) => void readText(kind, csv)),
      { numRuns: 100 },
    );
  }
});

test('every truncation of each list ends in an answer', () => {
  for (const kind of Object.keys(LISTS) as Kind[]) {
    const csv = csvOf(kind, [{}, {}]);
    for (let length = 0; length <= csv.length; length++) readText(kind, csv.slice(0, length));
  }
});

test.run();
