/** Records that stay in force: which list counts, how an image is called, and what is said again. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayRecord } from '../../src/gateway/control.ts';
import { StandingRecords } from '../../src/gateway/standing.ts';

const test = suite('standing records');

const LIST = { list: 'installations', sha256: 'aa', entries: 3, fetchedAtMs: 1, source: 'a' };

function standing(...entries: Record<string, unknown>[]): StandingRecords {
  const records = new StandingRecords();
  for (const [index, entry] of entries.entries()) {
    const seal = { sequence: index + 1, atMs: (index + 1) * 100, previous: 'p', hash: 'h' };
    records.keep({ ...seal, ...entry } as unknown as GatewayRecord);
  }
  return records;
}

test('the newest list of a kind counts, and an image is called as it was stored last', () => {
  const records = standing(
    { kind: 'list', by: 'api:a', path: '/l/1', ...LIST },
    { kind: 'list', by: 'api:a', path: '/l/2', ...LIST, sha256: 'bb' },
    { kind: 'image-stored', sha256: '11', bytes: 5, name: 'one', by: 'api:a' },
    { kind: 'image-stored', sha256: '22', bytes: 5, name: 'two', by: 'api:a' },
    { kind: 'image-removed', sha256: '22', by: 'api:a' },
    { kind: 'gateway-started' },
  );
  assert.equal(
    records.lists.map(({ kind, sha256 }) => [kind, sha256]),
    [['installations', 'bb']],
  );
  assert.equal(records.site, {
    installations: '/l/2',
    stamp: { fetchedAtMs: 1, source: 'a' },
  });
  assert.equal(records.stored('11'), { name: 'one', storedMs: 300 });
  assert.is(records.stored('22'), undefined);
});

test('what is said again before it is retired stands as it did, however often', () => {
  let records = standing(
    { kind: 'list', by: 'api:a', path: '/l/1', ...LIST },
    { kind: 'image-stored', sha256: '11', bytes: 5, name: 'one', by: 'api:a' },
  );
  const { lists, site } = records;
  for (let round = 0; round < 3; round++) {
    const again = records.olderThan(1_000);
    assert.is(again.length, 2);
    assert.not.ok(again.some((entry) => 'hash' in entry || 'sequence' in entry));
    records = standing(...again);
  }
  assert.equal(records.lists, lists);
  assert.equal(records.site, site);
  assert.equal(records.stored('11'), { name: 'one', storedMs: 200 });
  assert.equal(records.olderThan(50), []);
});

test.run();
