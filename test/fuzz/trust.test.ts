/** Two seconds of random damage; more with `scripts/fuzz`. */
import { randomInt } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzzTrust } from './trust-fuzz.ts';

test('no damage crashes a reader, or is accepted for something else', () => {
  const seed = randomInt(2 ** 31);
  console.log(`SEED ${seed}`);
  const report = fuzzTrust(seed, 2000);
  assert.ok(report.inputs > 50, `${report.inputs} inputs`);
});

test.run();
