/**
 * A year of campaigns, in a minute: what began has ended, what is told is so, and a campaign that fails ends
 * itself. A seed that failed is run again with UPLIFT_SIM_SEED; UPLIFT_SIM_SEEDS runs so many.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CampaignView } from '../../src/fleet/coordinator/control.ts';
import { FleetYear } from './fleet-year.ts';

const test = suite('a year of campaigns');
const count = Number(process.env['UPLIFT_SIM_SEEDS'] ?? 1);
const only = process.env['UPLIFT_SIM_SEED'];
const seeds = only ? [Number(only)] : Array.from({ length: count }, (_, index) => index + 1);

for (const seed of seeds) {
  test(`seed ${seed}`, async () => {
    console.log(`SEED ${seed} (UPLIFT_SIM_SEED)`);
    const startMs = performance.now();
    const year = new FleetYear({ seed, rounds: Number(process.env['UPLIFT_SIM_ROUNDS'] ?? 26) });
    try {
      await year.run();
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      const deeds = [...year.happened].map(([what, times]) => `${times} ${what}`).join(', ');
      const told = year.gateways.reduce((sum, { eventCount }) => sum + eventCount, 0);
      console.log(`NOTE seed ${seed}: ${told} events in ${seconds} s; ${deeds}`);
      assert.equal(year.broken, []);
    } finally {
      await year.close();
    }
  });
}

/** Said by a coordinator that is wrong, and what is found. */
const DEFECTS: Record<string, [RegExp, (view: CampaignView) => CampaignView]> = {
  'an abort that does not trip': [
    /is over a threshold and running/,
    (view) => (view.state === 'aborted' ? { ...view, state: 'running' } : view),
  ],
  'an abort that trips too soon': [
    /no threshold was passed/,
    (view) => (view.state === 'running' ? { ...view, state: 'aborted' } : view),
  ],
  'a success that is counted twice': [
    /ring .* counts/,
    (view) => ({ ...view, rings: view.rings.map(withOneMore) }),
  ],
};

function withOneMore(ring: CampaignView['rings'][number]): CampaignView['rings'][number] {
  const { counts } = ring;
  const isAny = counts.succeeded > 0;
  return { ...ring, counts: { ...counts, succeeded: counts.succeeded + (isAny ? 1 : 0) } };
}

for (const [name, [finding, defect]] of Object.entries(DEFECTS)) {
  test(`it is found out: ${name}`, async () => {
    const year = new FleetYear({ seed: 1, rounds: 3, gateways: 4, fails: [60], defect });
    try {
      await year.run();
      assert.ok(
        year.broken.some((what) => finding.test(what)),
        year.broken.join('\n'),
      );
    } finally {
      await year.close();
    }
  });
}

test.run();
