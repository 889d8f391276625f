/** The products list: what is read, and where each kind of error is reported. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  entriesByDeviceModel,
  entriesByHash,
  isCurrent,
  parseCentralProductsList,
} from '../../src/products/central-products-list.ts';

const COLUMNS =
  'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
  'manufacturer_image_hash,status,listed_from,removed_from,ota_file_version,upgrade_from';
const HASH_A = 'ab'.repeat(32);
const HASH_B = 'cd'.repeat(32);

/** A good line with some cells replaced, by column. */
function line(cells: Record<string, string> = {}): string {
  const good: Record<string, string> = {
    entry_id: 'E1',
    device_type: 'PPMID',
    manufacturer: '121D',
    model: '0084',
    hardware_version: '01',
    hardware_revision: '00',
    firmware_version: '01000000',
    manufacturer_image_hash: HASH_A,
    status: 'Current',
    listed_from: '2021-01-01',
    removed_from: '',
    ota_file_version: '',
    upgrade_from: '',
  };
  const replaced = { ...good, ...cells };
  return COLUMNS.split(',')
    .map((column) => replaced[column])
    .join(',');
}

function parse(...lines: string[]) {
  const parsed = parseCentralProductsList([COLUMNS, ...lines].join('\n'));
  if (!parsed.ok) throw new Error(parsed.code);
  return parsed.list;
}

test('a good line is read whole', () => {
  const list = parse(
    line({
      manufacturer_image_hash: HASH_A.toUpperCase(),
      removed_from: '2022-01-01T12:00:00Z',
      ota_file_version: '0x0100ABCD',
      upgrade_from: 'E0; E9',
    }),
  );
  assert.equal(
    list.issues.map(({ code }) => code),
    ['predecessor-unknown', 'predecessor-unknown'],
  );
  assert.equal(list.entries, [
    {
      entryId: 'E1',
      deviceType: 'PPMID',
      manufacturer: '121D',
      model: '0084',
      hardwareVersion: '01',
      hardwareRevision: '00',
      firmwareVersion: '01000000',
      manufacturerImageHash: HASH_A,
      status: 'current',
      listedFromMs: Date.UTC(2021, 0, 1),
      removedFromMs: Date.UTC(2022, 0, 1, 12),
      otaFileVersion: 0x0100abcd,
      upgradeFrom: { kind: 'listed', entryIds: ['E0', 'E9'] },
      line: 2,
    },
  ]);
});

test('columns may come in any order, optional ones may be absent', () => {
  const columns = COLUMNS.split(',').slice(0, 11).reverse();
  const cells = line().split(',').slice(0, 11).reverse();
  const parsed = parseCentralProductsList(`\ufeff${columns.join(' , ')}\r\n${cells.join(',')}\r\n`);
  assert.ok(parsed.ok && parsed.list.entries[0]!.entryId === 'E1');
});

const FAULTS: [string, Record<string, string>, string, string][] = [
  [
    'a hash with a letter',
    { manufacturer_image_hash: `${HASH_A.slice(1)}g` },
    'hash-not-hexadecimal',
    'manufacturer_image_hash',
  ],
  [
    'a short hash',
    { manufacturer_image_hash: HASH_A.slice(1) },
    'hash-length',
    'manufacturer_image_hash',
  ],
  [
    'a long hash',
    { manufacturer_image_hash: `${HASH_A}0` },
    'hash-length',
    'manufacturer_image_hash',
  ],
  ['no hash', { manufacturer_image_hash: '' }, 'hash-length', 'manufacturer_image_hash'],
  ['no manufacturer', { manufacturer: ' ' }, 'cell-empty', 'manufacturer'],
  ['no entry id', { entry_id: '' }, 'cell-empty', 'entry_id'],
  ['a model of 31 characters', { model: 'A'.repeat(31) }, 'text-too-long', 'model'],
  [
    'a version of 9 characters',
    { firmware_version: '010000000' },
    'text-too-long',
    'firmware_version',
  ],
  ['an unknown status', { status: 'Fine' }, 'status-unknown', 'status'],
  ['a status from the prototype', { status: 'constructor' }, 'status-unknown', 'status'],
  ['30 February', { listed_from: '2021-02-30' }, 'date-invalid', 'listed_from'],
  ['a British date', { listed_from: '01/02/2021' }, 'date-invalid', 'listed_from'],
  ['no date', { listed_from: '' }, 'date-invalid', 'listed_from'],
  ['hour 24', { removed_from: '2021-02-03T24:00:00Z' }, 'date-invalid', 'removed_from'],
  ['an end before the beginning', { removed_from: '2020-12-31' }, 'dates-reversed', 'removed_from'],
  [
    'a bad file version',
    { ota_file_version: '123456789' },
    'file-version-invalid',
    'ota_file_version',
  ],
];

for (const [name, cells, code, column] of FAULTS) {
  test(`${name}: reported with line and column, not used, the others are`, () => {
    const list = parse(line({ entry_id: 'E0', firmware_version: '9001' }), line(cells));
    const errors = list.issues.filter(({ severity }) => severity === 'error');
    assert.equal(
      errors.map((issue) => [issue.code, issue.line, issue.column]),
      [[code, 3, column]],
    );
    assert.equal(
      list.entries.map(({ entryId }) => entryId),
      ['E0'],
    );
  });
}

test('a line with another number of cells', () => {
  const list = parse('a,b', `${line()},more`);
  assert.equal(
    list.issues.map(({ code, line: at }) => [code, at]),
    [
      ['cell-count', 2],
      ['cell-count', 3],
    ],
  );
});

test('values that are not hexadecimal are pointed out and kept', () => {
  const list = parse(line({ manufacturer: 'GEO' }));
  assert.is(list.issues[0]!.code, 'not-hexadecimal');
  assert.is(list.issues[0]!.severity, 'warning');
  assert.is(list.entries.length, 1);
});

test('a repeated id: the first line counts', () => {
  const list = parse(line(), line({ firmware_version: '02000000' }));
  assert.equal(
    list.issues.map(({ code, line: at }) => [code, at]),
    [['entry-repeated', 3]],
  );
  assert.equal(
    list.entries.map(({ firmwareVersion }) => firmwareVersion),
    ['01000000'],
  );
});

test('one Device Model and version with two hashes: neither is used', () => {
  const list = parse(
    line(),
    line({ entry_id: 'E2', manufacturer: '121d', manufacturer_image_hash: HASH_B }),
    line({ entry_id: 'E3', hardware_revision: '01', manufacturer_image_hash: HASH_B }),
  );
  assert.equal(
    list.issues.map(({ code, line: at }) => [code, at]),
    [
      ['hash-conflict', 2],
      ['hash-conflict', 3],
    ],
  );
  assert.equal(
    list.entries.map(({ entryId }) => entryId),
    ['E3'],
  );
});

test('one hash under two hardware revisions is right', () => {
  const list = parse(line(), line({ entry_id: 'E2', hardware_revision: '01' }));
  assert.equal(list.issues, []);
  assert.is(entriesByHash(list, ` ${HASH_A.toUpperCase()} `).length, 2);
  assert.is(entriesByHash(list, HASH_B).length, 0);
  assert.is(entriesByDeviceModel(list, { manufacturer: ' 121d', model: '0084' }).length, 2);
  assert.is(entriesByDeviceModel(list, { hardwareRevision: '01' }).length, 1);
  assert.is(entriesByDeviceModel(list, { firmwareVersion: '02000000' }).length, 0);
});

test('every missing required column is named; the list is not read', () => {
  for (const missing of COLUMNS.split(',').slice(0, 11)) {
    const columns = COLUMNS.split(',').filter((column) => column !== missing);
    const parsed = parseCentralProductsList(columns.join(','));
    assert.not(parsed.ok);
    if (parsed.ok) return;
    assert.equal(
      parsed.issues.map(({ code, column }) => [code, column]),
      [['column-missing', missing]],
    );
    assert.match(parsed.issues[0]!.next!, missing);
  }
});

test('repeated and unknown columns, no text at all, broken quotes', () => {
  const code = (text: string) => {
    const parsed = parseCentralProductsList(text);
    return parsed.ok ? parsed.list.issues.map((issue) => issue.code).join() : parsed.code;
  };
  assert.is(code(`${COLUMNS},model`), 'column-repeated');
  assert.is(code(`${COLUMNS},colour`), 'column-unknown');
  assert.is(code(''), 'list-empty');
  assert.is(code('# only a comment\n'), 'list-empty');
  assert.is(code(' '.repeat(64 * 1024 * 1024 + 1)), 'list-too-large');
  assert.is(code(`${COLUMNS}\n"x`), 'csv-malformed');
  assert.is(code(`${COLUMNS}\nx"y",`), 'csv-malformed');
});

test('line numbers count comments, blank lines and quoted line breaks', () => {
  const list = parse('# comment', '', `"E1\n"${line().slice(2)}`, line({ status: 'x' }));
  assert.equal(
    list.entries.map(({ line: at }) => at),
    [5],
  );
  assert.equal(
    list.issues.map(({ code, line: at }) => [code, at]),
    [
      ['blanks-around', 5],
      ['status-unknown', 6],
    ],
  );
});

test('an entry stands only where status and dates both say so', () => {
  const [entry] = parse(line({ removed_from: '2022-01-01' })).entries;
  const from = Date.UTC(2021, 0, 1);
  const until = Date.UTC(2022, 0, 1);
  assert.not(isCurrent(entry!, from - 1));
  assert.ok(isCurrent(entry!, from));
  assert.ok(isCurrent(entry!, until - 1));
  assert.not(isCurrent(entry!, until));
  assert.not(isCurrent(entry!, Number.NaN));
  assert.not(isCurrent({ ...entry!, removedFromMs: undefined }, Number.NaN));
  assert.not(isCurrent({ ...entry!, status: 'removed' }, from));
  for (const dccStatus of ['cancelled', 'expired', 'withdrawn'] as const) {
    assert.not(isCurrent({ ...entry!, dccStatus }, from));
  }
  assert.ok(isCurrent({ ...entry!, dccStatus: 'active' }, from));
});

test('three states of the upgrade path', () => {
  const pathOf = (text: string) => parse(line({ upgrade_from: text })).entries[0]!.upgradeFrom.kind;
  assert.is(pathOf(''), 'unknown');
  assert.is(pathOf('n/a'), 'none');
  assert.is(pathOf('E0'), 'listed');
});

test('every truncation of a list ends in a result', () => {
  const text = [COLUMNS, line({ manufacturer: '"a""b"' }), line({ entry_id: 'E2' })].join('\n');
  for (let length = 0; length <= text.length; length++) {
    const parsed = parseCentralProductsList(text.slice(0, length));
    assert.type(parsed.ok, 'boolean');
  }
});

test.run();
