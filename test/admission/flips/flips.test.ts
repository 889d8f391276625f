/** A sample of test/sweep/admission-flips.test.ts; and that each base is what it says. */
import { randomInt } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BASES } from './bases.ts';
import { Desk } from './desk.ts';
import { naivelyAdmits } from './oracle.ts';
import { sweep } from './sweep.ts';

for (const base of BASES) {
  const { name, ruleId, also, scene, documents, mayTurn } = base;
  test(`${name}: ${ruleId ? `refused by ${ruleId}, and nothing else` : 'admitted'}`, () => {
    const decision = new Desk(scene).decide(documents);
    if (decision === 'unread') throw new Error('every document is read');
    const refused = decision.findings.filter(({ outcome }) => outcome === 'refuse');
    assert.equal(
      refused.map((finding) => finding.ruleId).sort(),
      [ruleId, also].filter((id) => id !== undefined).sort(),
    );
    assert.not(decision.conditional);
    if (mayTurn && scene.profile !== 'zigbee-ota') {
      assert.is(naivelyAdmits(scene, documents), ruleId === undefined, 'the oracle agrees');
    }
  });
}

test('a sample of flips: none turns refused into admitted', () => {
  const seed = randomInt(2 ** 20);
  console.log(`SEED ${seed}`);
  for (const base of BASES) sweep(base, { causeStride: 499, otherStride: 1999, seed });
});

test.run();
