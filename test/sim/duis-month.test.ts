/**
 * A month of Service Requests, in seconds: sent again, late and out of order, over a gateway that is killed
 * at any moment; then everything has to have come to its end, told once and done once. A seed that
 * failed is run again with UPLIFT_SIM_SEED; UPLIFT_SIM_SEEDS runs so many.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFECTS } from './duis-defects.ts';
import { DuisMonth } from './duis-month.ts';

const test = suite('a month of Service Requests');
/** More of them by night. */
const SEEDS = [1, 2];
const DEFECT_DAYS = 10;

const count = Number(process.env['UPLIFT_SIM_SEEDS'] ?? SEEDS.length);
const only = process.env['UPLIFT_SIM_SEED'];
const seeds = only ? [Number(only)] : Array.from({ length: count }, (_, index) => index + 1);

for (const seed of seeds) {
  test(`seed ${seed}`, async () => {
    console.log(`SEED ${seed} (UPLIFT_SIM_SEED)`);
    const startMs = performance.now();
    const month = new DuisMonth(seed);
    await month.run();
    assert.equal(month.judge(), []);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const deeds = [...month.happened].map(([what, times]) => `${times} ${what}`).join(', ');
    const { rows } = month.desk.desk.journal;
    const taken = rows.filter(({ kind, step }) => kind === 'duis-request' && step === 'accepted');
    console.log(
      `NOTE seed ${seed}: ${rows.length} records, ${taken.length} requests taken, ` +
        `${month.endpoints.heard.length} messages heard in ${seconds} s; ${deeds}`,
    );
  });
}

for (const { name, plant } of DEFECTS) {
  test(`it is found where ${name}`, async () => {
    const takeOut = plant();
    try {
      const month = new DuisMonth(1, DEFECT_DAYS);
      const found = await month.run().then(
        () => month.judge(),
        (error: Error) => [error.message],
      );
      console.log(`NOTE ${name}: ${found.length} findings, first ${found[0]}`);
      assert.ok(found.length > 0);
    } finally {
      takeOut();
    }
  });
}

test.run();
