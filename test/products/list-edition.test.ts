/** Which of two editions of the products list is the older, as of when the newer one was accepted. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { editionOf, isOlder, parseEdition } from '../../src/products/list-edition.ts';

const test = suite('list edition');
const DAY_MS = 86_400_000;
const ACCEPTED_MS = Date.UTC(2021, 6, 20);

interface Row {
  id: string;
  status?: string;
  from?: string;
  until?: string;
}

function list(...rows: Row[]) {
  const heading =
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
    'manufacturer_image_hash,status,listed_from,removed_from';
  const lines = rows.map(({ id, status = 'Current', from = '2021-01-01', until = '' }, at) => {
    const hash = `${at}`.padStart(64, 'a');
    return `${id},PPMID,121D,0084,01,00,0${at}000000,${hash},${status},${from},${until}`;
  });
  const parsed = parseCentralProductsList([heading, ...lines].join('\n'));
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.list;
}

const A = { id: 'A' };
const B = { id: 'B', from: '2021-06-01' };
const ACCEPTED = list(A, B);
const MARK = editionOf(ACCEPTED, ACCEPTED_MS);

const OLDER: [string, ReturnType<typeof list>][] = [
  ['before its newest entry came', list(A)],
  ['before a withdrawal that has a date', list(A, { ...B, from: '2021-05-31' })],
  ['without any entry', list()],
  ['dated ahead, and old by all that was then', list(A, { id: 'C', from: '2999-01-01' })],
  ['with a planned end, and old by all that was then', list({ ...A, until: '2021-07-21' })],
];
for (const [name, presented] of OLDER) {
  test(`older: ${name}`, () => assert.ok(isOlder(presented, MARK)));
}

const NOT_OLDER: [string, ReturnType<typeof list>][] = [
  ['itself', ACCEPTED],
  ['an entry more of that time', list(A, B, { id: 'C' })],
  ['an entry more of a later time', list(A, B, { id: 'C', from: '2021-07-25' })],
  ['an entry that ended', list({ ...A, until: '2021-07-01' }, B)],
  ['an entry whose status is removed', list({ ...A, status: 'Removed' }, B)],
  ['an entry that is in error now', list({ ...A, status: 'what' }, B)],
  ['dated ahead', list(A, B, { id: 'C', from: '2999-01-01' })],
];
for (const [name, presented] of NOT_OLDER) {
  test(`not older: ${name}`, () => assert.not(isOlder(presented, MARK)));
}

test('a withdrawal without a date is not taken back', () => {
  const withdrawn = list({ ...A, status: 'Removed' }, B);
  const mark = editionOf(withdrawn, ACCEPTED_MS);
  assert.ok(isOlder(ACCEPTED, mark));
  assert.not(isOlder(withdrawn, mark));
});

test('a planned date never makes the accepted list old, nor an older one new', () => {
  const planned = list(A, { ...B, until: '2021-07-25' });
  const mark = editionOf(planned, ACCEPTED_MS);
  assert.not(isOlder(planned, mark));
  for (let day = 0; day < 30; day++) {
    assert.not(isOlder(planned, editionOf(planned, ACCEPTED_MS + day * DAY_MS)), `day ${day}`);
  }
  assert.ok(isOlder(list({ ...A, until: '2021-07-25' }), mark));
});

test('an edition is kept as plain data, and nothing else is one', () => {
  assert.equal(parseEdition(JSON.parse(JSON.stringify(MARK))), MARK);
  for (const wrong of [undefined, null, 1, {}, { ...MARK, rows: -1 }, { ...MARK, asOfMs: 1.5 }]) {
    assert.is(parseEdition(wrong), undefined);
  }
});

test.run();
