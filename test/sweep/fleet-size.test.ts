/** The largest campaign over SQLite; over PostgreSQL it is in test/interop. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { fleetTest } from '../fleet/coordinator/fleets.ts';
import { sizeCases } from '../fleet/coordinator/size-cases.ts';

const test = suite('a large fleet over SQLite');
const folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

sizeCases(fleetTest(test, () => ({ kind: 'sqlite', path: join(folder, 'fleet.db') })));

test.run();
