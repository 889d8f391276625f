/** The coordinator over SQLite. Over PostgreSQL the same is asked of it in test/interop. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database } from '../../../src/store/sqlite.ts';
import { courseCases, submissionCases } from './campaign-cases.ts';
import { fleetTest, OPERATOR, open, refusesWith, TestClock } from './fleets.ts';
import { eventCases, gatewayCases } from './gateway-cases.ts';
import { rolloutCases } from './rollout-cases.ts';

const test = suite('coordinator over SQLite');
const folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-'));
let databases = 0;
const makeDatabase = () =>
  ({ kind: 'sqlite', path: join(folder, `${++databases}`, 'fleet.db') }) as const;
test.after(() => rmSync(folder, { recursive: true, force: true }));

const own = fleetTest(test, makeDatabase);
gatewayCases(own);
eventCases(own);
submissionCases(own);
courseCases(own);
rolloutCases(own);

test('one process at a time has the file', async () => {
  const database = makeDatabase();
  const first = await open(database, new TestClock());
  await refusesWith('store-in-use', open(database, new TestClock()));
  await first.close();
  await (await open(database, new TestClock())).close();
});

test('what was kept is there after a restart', async () => {
  const database = makeDatabase();
  const first = await open(database, new TestClock());
  await first.addGateway('gw', OPERATOR);
  await first.close();
  const second = await open(database, new TestClock());
  assert.is((await second.gateway('gw'))?.state, 'expected');
  await second.close();
});

/** Changes the file behind the coordinator's back. */
async function tampered(sql: string): Promise<number | undefined> {
  const database = makeDatabase();
  const first = await open(database, new TestClock());
  for (const id of ['a', 'b', 'c']) await first.addGateway(id, OPERATOR);
  await first.close();
  const file = Database.open(database.path);
  file.exec(sql);
  file.close();
  const second = await open(database, new TestClock());
  const found = await second.checkAudit();
  await second.close();
  return found?.sequence;
}

test('an audit log that was changed shows where', async () => {
  assert.is(await tampered('select 1'), undefined);
  assert.is(await tampered("update audit set actor = 'x' where sequence = 2"), 2);
  assert.is(await tampered("update audit set detail = 'x' where sequence = 1"), 1);
  assert.is(await tampered('update audit set at_ms = at_ms + 1 where sequence = 3'), 3);
  assert.is(await tampered('delete from audit where sequence = 2'), 3);
  assert.is(await tampered('delete from audit where sequence = 3'), 2);
  assert.is(await tampered('delete from audit'), 0);
});

test('a database of a later layout, or of another fleet, is left alone', async () => {
  const database = makeDatabase();
  await (await open(database, new TestClock())).close();
  const change = (sql: string) => {
    const file = Database.open(database.path);
    file.exec(sql);
    file.close();
  };
  change('update fleet_schema set version = version + 1');
  await refusesWith('database-too-new', open(database, new TestClock()));
  change("update fleet_schema set version = version - 1; update fleet set name = 'south'");
  await refusesWith('database-other-fleet', open(database, new TestClock()));
});

test.run();
