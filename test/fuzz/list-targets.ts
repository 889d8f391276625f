/** Lists, as CSV, as workbooks and below the workbook's archive, and under mappings of columns. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import {
  CPL_FIELDS,
  type ListOptions,
  readCentralProductsList,
} from '../../src/products/central-products-list.ts';
import { LIST_ISSUES, type ListFault, type ListIssue } from '../../src/products/codes.ts';
import type { ColumnMapping } from '../../src/products/columns.ts';
import { readDeviceModelVariations } from '../../src/products/device-model-variations.ts';
import {
  lintAgainstProducts,
  readEligibleCombinations,
} from '../../src/products/eligible-combinations.ts';
import { readInstallations } from '../../src/products/installations.ts';
import { readPendingCombinations } from '../../src/products/pending-combinations.ts';
import { parseTable, type Table } from '../../src/products/table.ts';
import { openZip } from '../../src/products/zip.ts';
import { naiveParts, naiveWorkbook, naiveZip, zipOfParts } from '../products/naive-workbook.ts';
import { type Answer, expectOk, type Family, hold, known, textOf, utf8 } from './target.ts';

const FIRMWARE = resolve(import.meta.dirname, '../../firmware');
const shipped = (name: string) => new Uint8Array(readFileSync(resolve(FIRMWARE, name)));
const PRODUCTS = shipped('central-products-list.csv');
const WORDS = [
  'Current',
  'Removed',
  'active',
  'N/A',
  'no',
  '2021-02-30',
  '31/12/2021',
  '""',
  '\r\n',
];
const VARIATIONS =
  'variation_id,manufacturer,model,hardware_version,hardware_revision,firmware_version,clause,' +
  'equivalent_steps\nV1,121D,0084,01,00,,18.3,none\nV2,121D,0084,01,00,01000000,18.4,two\n';
const CELLS = [
  ['entry_id', 'device_type', 'manufacturer', 'model', 'hardware_version', 'hardware_revision'],
  ['E1', 'PPMID', '121D', '0084', '01', '00'],
].map((row, at) => [
  ...row,
  ...(at === 0
    ? ['firmware_version', 'manufacturer_image_hash', 'status', 'listed_from', 'removed_from']
    : ['02000000', 'ab'.repeat(32), 'Current', '2021-01-01', '']),
]);
const BOOK = {
  sheets: {
    list: [
      ...CELLS,
      CELLS[1]!.map((text, at) => (at === 9 ? { xml: '<c s="1"><v>44197</v></c>' } : text)),
    ],
    other: [['a', 'b']],
  },
};
const PARTS = naiveParts(BOOK);
const MAPPED = shipped('lists/products-other-columns.csv');

type Reader<L> = (table: Table, options: ListOptions) => { ok: true; list: L } | ListFault;

const products = expectOk(readCentralProductsList(tableOf(PRODUCTS), {})).list;

export const LISTS: Family = {
  name: 'lists',
  targets: [
    {
      name: 'Central Products List',
      good: [PRODUCTS, shipped('lists/products.csv')],
      words: WORDS,
      arbitrary: rows(Object.keys(CPL_FIELDS)),
      read: read(readCentralProductsList, ({ entries }) => {
        for (const { manufacturerImageHash, listedFromMs, otaFileVersion = 0 } of entries) {
          hold(/^[0-9a-f]{64}$/.test(manufacturerImageHash), 'a hash has 64 lower-case digits');
          hold(Number.isSafeInteger(listedFromMs), 'a date is a moment');
          hold(Number.isInteger(otaFileVersion), 'a file version is a number');
        }
      }),
    },
    {
      name: 'EPCL',
      good: [shipped('lists/eligible-combinations.csv')],
      words: WORDS,
      read: read(readEligibleCombinations, ({ entries }) => {
        lintAgainstProducts(entries, products);
        hold(
          entries.every(({ devices }) => devices.length > 0),
          'a combination has devices',
        );
      }),
    },
    {
      name: 'PPCT',
      good: [shipped('lists/pending-combinations.csv')],
      words: [...WORDS, 'open', 'passed', 'failed'],
      read: read(readPendingCombinations),
    },
    {
      name: 'installations',
      good: [shipped('lists/installations.csv')],
      words: [...WORDS, 'IOC', 'MOC', 'FOC', 'yes'],
      read: read(readInstallations),
    },
    {
      name: 'DMVES',
      good: [utf8(VARIATIONS)],
      words: WORDS,
      read: read(readDeviceModelVariations),
    },
    {
      name: 'workbook',
      good: [naiveWorkbook(BOOK)],
      read: read(readCentralProductsList),
    },
    ...Object.keys(PARTS).map((part) => ({
      name: `${part} of a workbook`,
      good: [utf8(PARTS[part]!)],
      words: ['<c r="ZZZ99999"/>', 't="s"', '<v>1E400</v>', '&#x0;', 'r="A0"', '<!DOCTYPE a>'],
      read: (bytes: Uint8Array) =>
        read(readCentralProductsList)(zipOfParts({ ...PARTS, [part]: textOf(bytes) })),
    })),
    {
      name: 'ZIP archive',
      good: [
        naiveZip([
          { name: 'a', bytes: utf8('a'.repeat(200)) },
          { name: 'b/c', bytes: utf8('bc'), stored: true },
        ]),
      ],
      read: readArchive,
    },
    {
      name: 'mapping of columns',
      good: [MAPPED],
      arbitrary: mapping().map((made) => utf8(JSON.stringify(made))),
      read: readMapped,
    },
  ],
};

function tableOf(file: Uint8Array): Table {
  return expectOk(parseTable(file)).table;
}

function read<L extends { issues: ListIssue[] }>(
  reader: Reader<L>,
  check: (list: L) => void = () => {},
): (bytes: Uint8Array) => Answer {
  return (bytes) => {
    const parsed = parseTable(bytes);
    return parsed.ok ? answerOf(reader(parsed.table, {}), check) : faulty(parsed);
  };
}

function answerOf<L extends { issues: ListIssue[] }>(
  result: { ok: true; list: L } | ListFault,
  check: (list: L) => void = () => {},
): Answer {
  if (!result.ok) return faulty(result);
  check(result.list);
  return { accepted: true, codes: codesOf(result.list.issues) };
}

function faulty({ code, issues }: ListFault): Answer {
  return { accepted: false, codes: [known(LIST_ISSUES, code), ...codesOf(issues)] };
}

function codesOf(issues: readonly ListIssue[]): string[] {
  return [...new Set(issues.map(({ code }) => known(LIST_ISSUES, code)))];
}

function readArchive(bytes: Uint8Array): Answer {
  const archive = openZip(bytes, 1_000_000);
  if (!archive.ok) return { accepted: false, codes: [known(LIST_ISSUES, archive.code)] };
  const codes: string[] = [];
  for (const name of archive.entries.keys()) {
    const part = archive.read(name);
    if (!part.ok) codes.push(known(LIST_ISSUES, part.code));
    else hold(part.bytes.length <= 1_000_000, 'unpacked no larger than asked for');
  }
  return { accepted: codes.length === 0, codes };
}

/** Either a list under a fixed mapping, or a mapping over a fixed list. */
function readMapped(bytes: Uint8Array): Answer {
  const text = textOf(bytes);
  if (!text.startsWith('{')) {
    const parsed = parseTable(bytes);
    if (!parsed.ok) return faulty(parsed);
    return answerOf(readCentralProductsList(parsed.table, { mapping: OTHER_COLUMNS }));
  }
  let made: ColumnMapping;
  try {
    made = JSON.parse(text) as ColumnMapping;
  } catch {
    return { accepted: false, codes: [] };
  }
  return isMapping(made)
    ? answerOf(readCentralProductsList(tableOf(MAPPED), { mapping: made }))
    : { accepted: false, codes: [] };
}

const OTHER_COLUMNS: ColumnMapping = {
  dates: 'DD/MM/YYYY',
  columns: {
    entry_id: 'CPL Entry ID',
    device_type: ['Type', 'Device Type'],
    hardware_version: 'HW Version',
    hardware_revision: 'HW Revision',
    firmware_version: 'Firmware Version',
    manufacturer_image_hash: 'Manufacturer Image Hash',
    status: 'Standing',
    listed_from: 'Date Added',
    removed_from: 'Date Removed',
    upgrade_from: { join: ['Upgrade From', 'Note'] },
  },
  words: { status: { live: 'current', Gone: 'removed' } },
};

/** Damage leaves the type that the schema of the mapping file stands for; see the family `config`. */
function isMapping(value: unknown): value is ColumnMapping {
  const isRecord = (one: unknown): one is Record<string, unknown> =>
    typeof one === 'object' && one !== null && !Array.isArray(one);
  const isTexts = (one: unknown) => isRecord(one) && Object.values(one).every(isText);
  const isChoice = (one: unknown) =>
    isText(one) ||
    (Array.isArray(one) && one.every(isText)) ||
    (isRecord(one) && Array.isArray(one['join']) && one['join'].every(isText));
  if (!isRecord(value)) return false;
  const { columns = {}, defaults = {}, words = {} } = value;
  return (
    isRecord(columns) &&
    Object.values(columns).every(isChoice) &&
    isTexts(defaults) &&
    isRecord(words) &&
    Object.values(words).every(isTexts)
  );
}

function isText(one: unknown): one is string {
  return typeof one === 'string';
}

function mapping(): fc.Arbitrary<unknown> {
  const heading = fc.constantFrom('CPL Entry ID', 'Model', 'Standing', 'Date Added', 'none', '');
  const field = fc.constantFrom(...Object.keys(CPL_FIELDS), '__proto__', 'other');
  const choice = fc.oneof(
    heading,
    fc.array(heading),
    fc.record({ join: fc.array(heading, { minLength: 1 }) }),
  );
  return fc.record(
    {
      headingRow: fc.nat(9),
      columns: fc.dictionary(field, choice),
      defaults: fc.dictionary(field, fc.string()),
      dates: fc.constantFrom('YYYY-MM-DD', 'DD/MM/YYYY'),
      words: fc.dictionary(field, fc.dictionary(fc.string(), fc.string())),
    },
    { requiredKeys: [] },
  );
}

/** Rows under the right headings, of cells that mean something and of any text. */
function rows(fields: readonly string[]): fc.Arbitrary<Uint8Array> {
  const cell = fc.oneof(
    fc.constantFrom(...WORDS.slice(0, 7), 'ab'.repeat(32), '01', '121D', '2021-01-01', 'E0;E1', ''),
    fc.string({ unit: 'grapheme' }).map((text) => `"${text.replaceAll('"', '""')}"`),
  );
  const row = fc.array(cell, { minLength: fields.length, maxLength: fields.length });
  return fc
    .array(row, { maxLength: 6 })
    .map((made) => utf8([fields, ...made].map((cells) => cells.join(',')).join('\n')));
}
