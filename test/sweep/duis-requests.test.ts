/** Signed Service Requests of every kind: each truncation, and each single bit flipped. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { flipBits, truncate } from '../duis/damaged-requests.ts';
import { REQUESTS, requestXml, utf8 } from '../duis/requests.ts';
import { signNaively } from '../trust/naive-xml-signature.ts';

for (const [name, spec] of Object.entries(REQUESTS)) {
  const signed = utf8(signNaively(requestXml(spec)));

  test(`${name}: ${signed.length} truncations`, () => truncate(signed, 1));

  test(`${name}: ${8 * signed.length} bits`, () => {
    // The letter case of the types in the issuer's name, CN and OU: they are the same in either.
    assert.is(flipBits(signed, 1), 4);
  });
}

test.run();
