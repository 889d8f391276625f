/** Attacks by lists: rows 2, 4, 5, 16, 18, 21 and 34 of the table of attacks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseInventoryResponse } from '../../src/duis/inventory.ts';
import { UpliftError } from '../../src/errors.ts';
import { StateFolder } from '../../src/gateway/state-folder.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { editionOf } from '../../src/products/list-edition.ts';
import { concat, counting } from '../image/naive-ota.ts';
import { naiveParts, naiveWorkbook, naiveZip, zipOfParts } from '../products/naive-workbook.ts';
import { Desk, LIMITS } from '../upgrade/desk.ts';
import {
  type Attack,
  BODY,
  DecisionDesk,
  GatewayDesk,
  GOOD,
  GOOD_LINES,
  GOOD_LIST,
  hashOf,
  listText,
  otaFacts,
  PPMID,
} from './gateway-desk.ts';

const test = suite('attacks by lists');
const NOW = Date.UTC(2021, 8, 1);
const DAY_MS = 86_400_000;
let desk: GatewayDesk;
const decisions = new DecisionDesk();
test.before(async () => {
  desk = await GatewayDesk.open();
});
test.after(async () => {
  await desk.close();
  decisions.close();
});

const SHA256 = GOOD_LINES.ppmid.hash;
const hashed = (hash: string) => listText({ ...GOOD_LINES.ppmid, hash });
const utf8 = (text: string) => new TextEncoder().encode(text);

// ---- hashes that are confused -------------------------------------------------------------------------

const HASHES: [id: string, attack: string, hash: string, issue: string][] = [
  ['16a', 'a space before', ` ${SHA256}`, 'blanks-around'],
  ['16a', 'a space inside', `${SHA256.slice(0, 8)} ${SHA256.slice(9)}`, 'hash-not-hexadecimal'],
  ['16a', 'a short prefix', SHA256.slice(0, 16), 'hash-length'],
  ['16a', 'an odd length', SHA256.slice(0, 63), 'hash-length'],
  ['16a', 'a digit more', `${SHA256}0`, 'hash-length'],
  ['16b', 'SHA-1', SHA256.slice(0, 40), 'hash-sha-1-length'],
  ['16b', 'MD5', SHA256.slice(0, 32), 'hash-md5-length'],
  ['34', 'a hash that is not hexadecimal', SHA256.replace(/^./, 'g'), 'hash-not-hexadecimal'],
];

for (const [id, attack, hash, issue] of HASHES) {
  test(`${id} hash confusion: ${attack}: ${issue}, cpl.listed`, async () => {
    const list = hashed(hash);
    await desk.refuses({ id, attack, present: () => ({ list }), expect: 'cpl.listed' });
    const parsed = parseCentralProductsList(list);
    assert.ok(parsed.ok);
    assert.equal(parsed.list.entries, [], 'the row is not used');
    const [{ code, severity, line, column } = {}] = parsed.list.issues;
    assert.equal([code, severity, line], [issue, 'error', 2]);
    assert.is(column, 'manufacturer_image_hash');
  });
}

test('16a hash confusion: another letter case is the same value', () => {
  const { list } = read(hashed(SHA256.toUpperCase()));
  decisions.admits({ image: otaFacts(), device: PPMID, list }, NOW);
});

const RANGES: Attack[] = [
  {
    id: '16c',
    attack: 'hash confusion: of the whole file',
    present: () => ({ list: hashed(hashOf(GOOD.ppmid)) }),
    expect: 'cpl.listed',
    code: 'hash-of-whole-file',
  },
  {
    id: '16c',
    attack: 'hash confusion: of the whole file, slot and all',
    present: () => {
      const file = concat(GOOD.hub, counting(64));
      return { device: 'hub', file, list: listText({ ...GOOD_LINES.hub, hash: hashOf(file) }) };
    },
    expect: 'cpl.listed',
    code: 'hash-of-whole-file',
  },
];

// ---- workbooks ------------------------------------------------------------------------------------------

const ROWS = GOOD_LIST.trim()
  .split('\n')
  .map((line) => line.split(','));
const PARTS = naiveParts({ sheets: { CPL: ROWS } });
const SHEET = 'xl/worksheets/sheet1.xml';
const BOOK = 'xl/workbook.xml';
const bytesOf = (parts: Record<string, string>) =>
  Object.entries(parts).map(([name, text]) => ({ name, bytes: utf8(text) }));

/** The external attributes of the first part: as a Unix system wrote it, with this file mode. */
function withMode(mode: number): Uint8Array {
  const file = zipOfParts(PARTS);
  const at = Buffer.from(file).indexOf('PK\x01\x02', 0, 'latin1');
  file[at + 5] = 3;
  new DataView(file.buffer).setUint32(at + 38, mode * 0x10000, true);
  return file;
}

const WORKBOOKS: [id: string, attack: string, list: () => Uint8Array, code: string][] = [
  [
    '21a',
    'a part that says it unpacks to 4 GB',
    () =>
      naiveZip(
        bytesOf(PARTS).map((part) =>
          part.name === SHEET ? { ...part, lie: { bytes: 0xfffffff0 } } : part,
        ),
      ),
    'zip-too-large',
  ],
  [
    '21a',
    'a part that goes on past what it says',
    () =>
      naiveZip(
        bytesOf(PARTS).map((part) =>
          part.name === SHEET
            ? { name: SHEET, bytes: new Uint8Array(8_000_000), lie: { bytes: 1_000 } }
            : part,
        ),
      ),
    'zip-malformed',
  ],
  [
    '21a',
    'an archive in the archive',
    () =>
      naiveZip(
        bytesOf(PARTS).map((part) =>
          part.name === SHEET ? { name: SHEET, bytes: zipOfParts(PARTS) } : part,
        ),
      ),
    'workbook-malformed',
  ],
  ['21b', 'a name with ..', () => zipOfParts({ ...PARTS, '../list.xml': 'x' }), 'zip-entry-name'],
  ['21b', 'an absolute name', () => zipOfParts({ ...PARTS, '/etc/x': 'x' }), 'zip-entry-name'],
  ['21b', 'a name with \\', () => zipOfParts({ ...PARTS, '..\\x': 'x' }), 'zip-entry-name'],
  ['21b', 'a drive', () => zipOfParts({ ...PARTS, 'C:/x': 'x' }), 'zip-entry-name'],
  ['21b', 'a NUL in a name', () => zipOfParts({ ...PARTS, 'x\0y': 'x' }), 'zip-entry-name'],
  ['21b', 'a symbolic link', () => withMode(0o120777), 'zip-unsupported'],
  ['21b', 'a device node', () => withMode(0o020666), 'zip-unsupported'],
  [
    '21b',
    'a sheet outside of the archive',
    () => naiveWorkbook({ sheets: { CPL: ROWS }, parts: { [RELATIONS]: climbing() } }),
    'sheet-missing',
  ],
  [
    '21c',
    'two parts of one name',
    () => naiveZip([...bytesOf(PARTS), { name: SHEET, bytes: utf8(PARTS[SHEET]!) }]),
    'zip-entry-twice',
  ],
  [
    '21c',
    'a CRC that is wrong',
    () =>
      naiveZip(
        bytesOf(PARTS).map((part) => (part.name === SHEET ? { ...part, lie: { crc: 1 } } : part)),
      ),
    'zip-malformed',
  ],
];
const RELATIONS = 'xl/_rels/workbook.xml.rels';
const climbing = () =>
  PARTS[RELATIONS]!.replace('worksheets/sheet1.xml', '../../../etc/passwd/sheet1.xml');

for (const [id, attack, list, expect] of WORKBOOKS) {
  test(`${id} workbook: ${attack}: ${expect}`, () =>
    desk.refuses({ id, attack, present: () => ({ list: list() }), expect }).then(() => {}));
}

RANGES.push({
  id: '21c',
  attack: 'workbook: a CRC that is right, and a hash that is not',
  present: () => ({
    list: naiveWorkbook({
      sheets: { CPL: ROWS.map((row) => row.map((cell) => cell.replace(SHA256, 'e'.repeat(64)))) },
    }),
  }),
  expect: 'cpl.listed',
});
for (const attack of RANGES) {
  test(`${attack.id} ${attack.attack}: ${attack.code ?? attack.expect}`, () =>
    desk.refuses(attack).then(() => {}));
}

test('a good workbook is taken as the text is', () => {
  const { list } = { list: desk.list(naiveWorkbook({ sheets: { CPL: ROWS } })) };
  assert.is(list.entries.length, 3);
  decisions.admits({ image: otaFacts(), device: PPMID, list }, NOW);
});

// ---- XML: in a workbook, and as an inventory -------------------------------------------------------------

const NAMESPACE = 'http://www.dccinterface.co.uk/ServiceUserGateway';
const HEAD = '<?xml version="1.0" encoding="UTF-8"?>';
const DEVICE =
  '<DeviceID>00-12-4B-00-00-00-00-01</DeviceID><DeviceType>PPMID</DeviceType>' +
  '<DeviceManufacturer>121D</DeviceManufacturer><DeviceModel>00840100</DeviceModel>';

function inventory(inner = DEVICE, prolog = HEAD, attributes = '', after = ''): string {
  return (
    `${prolog}<Response xmlns="${NAMESPACE}"${attributes}><Body><ResponseMessage><DSPInventory>` +
    `<Device>${inner}</Device></DSPInventory></ResponseMessage></Body></Response>${after}`
  );
}

interface XmlAttack {
  id: string;
  attack: string;
  inventory: string | Uint8Array;
  code: string;
  /** The part of a workbook, from the good one; absent where such a part is allowed it. */
  part?: (text: string) => string;
}

const prolog = (declaration: string) => (text: string) =>
  text.replace(/^<\?xml[^>]*>/, declaration);
const LAUGHS =
  '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;"><!ENTITY n "&m;&m;&m;&m;">]>';
const QUADRATIC = `<!DOCTYPE a [<!ENTITY b "${'b'.repeat(50_000)}">]>`;
const doctype = (text: string) => prolog(`${HEAD}${text}`);

/** The same fault before the root, or in the first value, of both documents. */
const XML: XmlAttack[] = [
  ...(
    [
      ['18a', 'a DOCTYPE that nobody uses', '<!DOCTYPE a>'],
      ['18b', 'billion laughs', LAUGHS],
      ['18b', 'quadratic blow-up', QUADRATIC],
      ['18c', 'an entity from a file', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'],
      ['18c', 'a parameter entity', '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://x/">%p;]>'],
    ] as const
  ).map(
    ([id, attack, text]): XmlAttack => ({
      id,
      attack,
      inventory: inventory(DEVICE, `${HEAD}${text}`),
      code: 'xml-doctype',
      part: doctype(text),
    }),
  ),
  {
    id: '18d',
    attack: 'a flood of a million references',
    inventory: inventory(DEVICE.replace('PPMID', '&#65;'.repeat(150_000))),
    code: 'xml-text-too-long',
    part: (text) => text.replace('CPL', '&#65;'.repeat(1_000_000)),
  },
  {
    id: '18e',
    attack: 'elements 200,000 deep',
    inventory: inventory('<a>'.repeat(200_000)),
    code: 'xml-too-deep',
    part: (text) => text.replace('<sheets>', `<sheets>${'<a>'.repeat(200_000)}`),
  },
  {
    id: '18f',
    attack: 'one attribute twice',
    inventory: inventory(DEVICE, HEAD, ' a="1" a="2"'),
    code: 'xml-malformed',
    part: (text) => text.replace('<sheets', '<sheets a="1" a="2"'),
  },
  {
    id: '18f',
    attack: 'one attribute by two prefixes',
    inventory: inventory(DEVICE, HEAD, ' xmlns:p="u" xmlns:q="u" p:a="1" q:a="2"'),
    code: 'xml-malformed',
    part: (text) => text.replace('<sheets', '<sheets xmlns:p="u" xmlns:q="u" p:a="1" q:a="2"'),
  },
  {
    id: '18g',
    attack: 'two elements of one Id',
    inventory: inventory(DEVICE.replace('<DeviceID', '<DeviceID Id="x"'), HEAD, ' Id="x"'),
    code: 'xml-duplicate-id',
  },
  ...(['&#9999999;', '&#0;', '&#1;', '\u0001'] as const).map(
    (text): XmlAttack => ({
      id: '18h',
      attack: `a bad character, ${JSON.stringify(text)}`,
      inventory: inventory(DEVICE.replace('PPMID', text)),
      code: 'xml-malformed',
      part: (good) => good.replace('CPL', text),
    }),
  ),
  {
    id: '18i',
    attack: 'UTF-16 declared',
    inventory: inventory(DEVICE, '<?xml version="1.0" encoding="UTF-16"?>'),
    code: 'xml-encoding',
    part: prolog('<?xml version="1.0" encoding="UTF-16"?>'),
  },
  {
    id: '18i',
    attack: 'UTF-16 used',
    inventory: new Uint8Array(Buffer.from(`\ufeff${inventory()}`, 'utf16le')),
    code: 'xml-not-utf-8',
  },
  {
    id: '18i',
    attack: 'a second byte order mark',
    inventory: `\ufeff\ufeff${inventory()}`,
    code: 'xml-encoding',
    part: (text) => `\ufeff\ufeff${text}`,
  },
  {
    id: '18i',
    attack: 'XML 1.1',
    inventory: inventory(DEVICE, '<?xml version="1.1"?>'),
    code: 'xml-version',
    part: prolog('<?xml version="1.1"?>'),
  },
  {
    id: '18j',
    attack: 'a comment inside of a text',
    inventory: inventory(DEVICE.replace('PPMID', 'PP<!-- -->MID')),
    code: 'xml-split-text',
    part: (text) => text.replace('<sheets>', '<x>a<!-- -->b</x><sheets>'),
  },
  {
    id: '18j',
    attack: 'CDATA inside of a text',
    inventory: inventory(DEVICE.replace('PPMID', 'PP<![CDATA[MID]]>')),
    code: 'xml-cdata',
    part: (text) => text.replace('<sheets>', '<x>a<![CDATA[b]]></x><sheets>'),
  },
  {
    id: '18j',
    attack: 'an instruction inside of a text',
    inventory: inventory(DEVICE.replace('PPMID', 'PP<?p?>MID')),
    code: 'xml-split-text',
    part: (text) => text.replace('<sheets>', '<x>a<?p?>b</x><sheets>'),
  },
  ...(
    [
      ['two roots', (text: string) => `${text}<b/>`],
      ['text after the root', (text: string) => `${text}b`],
      ['an element left open', (text: string) => text.replace(/<\/[^>]*>$/, '')],
      ['an unquoted attribute', (text: string) => text.replace('xmlns="', 'a=b xmlns="')],
    ] as const
  ).map(
    ([attack, part]): XmlAttack => ({
      id: '18k',
      attack: `not well formed: ${attack}`,
      inventory: part(inventory()),
      code: 'xml-malformed',
      part,
    }),
  ),
];

for (const { id, attack, inventory: document, code, part } of XML) {
  test(`${id} XML, an inventory: ${attack}: ${code}`, () => {
    const bytes = typeof document === 'string' ? utf8(document) : document;
    const found = parseInventoryResponse(bytes);
    assert.is(found.ok ? 'read' : found.code, code);
    const good = parseInventoryResponse(utf8(inventory()));
    assert.ok(good.ok && good.devices.length === 1, 'the next one is read');
  });
  if (!part) continue;
  test(`${id} XML, a workbook: ${attack}: workbook-malformed`, async () => {
    const list = zipOfParts({ ...PARTS, [BOOK]: part(PARTS[BOOK]!) });
    await desk.refuses({ id, attack, present: () => ({ list }), expect: 'workbook-malformed' });
  });
}

test('18c XXE: nobody is asked for an entity over the network', async () => {
  let asked = 0;
  const server = createServer(() => asked++);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const text = `<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:${port}/">]>`;
  assert.not(parseInventoryResponse(utf8(inventory('&x;', `${HEAD}${text}`))).ok);
  const list = zipOfParts({ ...PARTS, [BOOK]: doctype(text)(PARTS[BOOK]!).replace('CPL', '&x;') });
  await desk.refuses({
    id: '18c',
    attack: 'XXE',
    present: () => ({ list }),
    expect: 'workbook-malformed',
  });
  await new Promise((done) => server.close(done));
  assert.is(asked, 0);
});

// ---- lists that are old, or went back -------------------------------------------------------------------

function stamped(days: number, text = GOOD_LIST) {
  const stamp = { fetchedAtMs: NOW - days * DAY_MS, source: 'the test' };
  const parsed = parseCentralProductsList(text, { stamp });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.list;
}

test('4a freeze: a list that has expired: cpl.stale', () => {
  const of = (days: number) => ({ image: otaFacts(), device: PPMID, list: stamped(days) });
  decisions.refuses('cpl.stale', of(31), NOW);
  decisions.refuses('cpl.stale', of(-2), NOW);
  decisions.admits(of(1), NOW);
});

test('4c freeze by silence: a warning after days without a fresh list, then a refusal', () => {
  const of = (days: number) => ({ image: otaFacts(), device: PPMID, list: stamped(days) });
  const says = (days: number) =>
    decisions.decide(of(days), NOW).findings.find(({ ruleId }) => ruleId === 'cpl.stale')!.outcome;
  assert.equal([6, 8, 29, 31].map(says), ['pass', 'warn', 'warn', 'refuse']);
  const { list } = read(GOOD_LIST);
  const context = { intake: 'field' as const };
  const unknown = decisions.decide({ image: otaFacts(), device: PPMID, list, context }, NOW);
  assert.ok(
    unknown.conditional && unknown.pending.includes('listAge'),
    'nobody says how old it is',
  );
});

test('5a old to offline: the entry has ended meanwhile, or the list is old: cpl.current, cpl.stale', () => {
  const of = (list: ReturnType<typeof stamped>) => ({ image: otaFacts(), device: PPMID, list });
  for (const change of [{ status: 'Removed' }, { until: '2021-08-31' }]) {
    const list = stamped(1, listText({ ...GOOD_LINES.ppmid, ...change }));
    decisions.refuses('cpl.current', of(list), NOW);
  }
  decisions.refuses('cpl.stale', of(stamped(31)), NOW);
  decisions.admits(of(stamped(1)), NOW);
});

test('5a old to offline: an offer that nobody takes up expires: device-silent', () => {
  const waiting = new Desk().start();
  waiting.frozenMs(LIMITS.contactMs);
  assert.equal([waiting.state, waiting.session.code], ['failed', 'device-silent']);
  assert.is(waiting.count('release'), 1, 'nothing is offered to it any more');
});

/** What an attacker brings back: without the newest row, with an entry that had been withdrawn. */
const OLD_LISTS: [attack: string, list: () => string][] = [
  ['before its newest entry came', () => listText(GOOD_LINES.ppmid, GOOD_LINES.hub)],
  [
    'before its newest date',
    () => listText(...Object.values(GOOD_LINES).map((line) => ({ ...line, from: '2020-12-31' }))),
  ],
];

for (const [attack, list] of OLD_LISTS) {
  test(`2 metadata rollback: a list ${attack}: cpl.rollback, and the mark stays`, async () => {
    const mark = join(desk.rig.stateFolder, 'newest-list.json');
    accept(GOOD_LIST);
    const kept = readFileSync(mark, 'utf8');
    await desk.refuses({
      id: '2',
      attack,
      present: () => ({ list: list() }),
      expect: 'cpl.rollback',
    });
    assert.is(readFileSync(mark, 'utf8'), kept);
  });
}

test('2 metadata rollback: an entry that was withdrawn stands again: cpl.rollback', async () => {
  const withdrawn = { ...GOOD_LINES.ppmid, id: 'P1', version: '01800000', status: 'Removed' };
  const [was, is] = [listText(withdrawn), listText({ ...withdrawn, status: 'Current' })];
  const accepted = editionOf(read(was).list, NOW);
  const { list } = read(is);
  const old = { ...list, accepted: { edition: accepted, keptIn: 'the test' } };
  decisions.refuses('cpl.rollback', { image: otaFacts(), device: PPMID, list: old }, NOW);
  decisions.admits({ image: otaFacts(), device: PPMID, list }, NOW);
});

test('2 metadata rollback: a mark that is damaged takes no new work: state-damaged', async () => {
  accept(GOOD_LIST);
  const mark = join(desk.rig.stateFolder, 'newest-list.json');
  const kept = readFileSync(mark, 'utf8');
  for (const damage of ['', '{}', kept.slice(0, -5), kept.replace(/\d/, '-')]) {
    writeFileSync(mark, damage);
    const { error } = await desk.flash(desk.goodPath('ppmid'), {});
    assert.instance(error, UpliftError);
    assert.is((error as UpliftError).code, 'state-damaged');
    assert.is(readFileSync(mark, 'utf8'), damage, 'it is not repaired in silence');
  }
  assert.is(desk.connected, 0);
  writeFileSync(mark, kept);
  desk.admitsGood();
});

test('2 metadata rollback: a rig that is begun afresh has not forgotten which list was the newest', () => {
  accept(GOOD_LIST);
  const state = StateFolder.open(desk.rig.stateFolder);
  const before = state.acceptedList();
  state.clear();
  assert.equal(state.acceptedList(), before);
  state.close();
});

test('34 well-formed wrong list data: one version in both codings is told with its rows', () => {
  const bcd = { id: 'A', version: '00000018', hash: SHA256 };
  const list = parseCentralProductsList(
    listText(bcd, { id: 'B', version: '00000012', hash: hashOf(counting(9)) }),
  );
  assert.ok(list.ok);
  const found = list.list.issues.filter(({ code }) => code === 'version-other-coding');
  assert.equal(
    found.map(({ line, severity }) => [line, severity]),
    [
      [2, 'warning'],
      [3, 'warning'],
    ],
  );
  for (const { actual } of found) {
    assert.ok(actual!.includes('00000018') && actual!.includes('00000012'), 'both readings');
  }
});

function read(text: string) {
  const parsed = parseCentralProductsList(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed;
}

/** As if something had been sent on its word. */
function accept(text: string): void {
  const state = StateFolder.open(desk.rig.stateFolder);
  state.rememberList(editionOf(read(text).list, Date.now()));
  state.close();
}

assert.is(hashOf(BODY), SHA256);
test.run();
