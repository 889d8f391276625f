/**
 * Every bench runs at its small size, so that none can rot: it ends well and prints its digests.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesAllocatedPerCall, compare } from './bench.ts';

/** One bench's small size, ms: a bench that needs more is not small. */
const LIMIT_MS = 60_000;

const benches = globSync('*.bench.ts', { cwd: import.meta.dirname }).sort();

test('there are benches', () => {
  assert.ok(benches.includes('crc.bench.ts'));
});

for (const bench of benches) {
  test(`${bench} runs`, () => {
    const child = spawnSync(process.execPath, [resolve(import.meta.dirname, bench)], {
      encoding: 'utf8',
      timeout: LIMIT_MS,
    });
    assert.is(child.status, 0, `${child.signal ?? ''} ${child.stderr}`);
    assert.match(child.stdout, /^digest .+ 0x[0-9a-f]{8}$/m);
  });
}

test('contenders that compute different things are found out', () => {
  const same = { name: 'same', contenders: { one: (n: number) => n, two: (n: number) => n | 0 } };
  assert.is(compare(same).ratios['one'], 1);
  const odd = { name: 'odd', contenders: { one: (n: number) => n, two: (n: number) => n + 1 } };
  assert.throws(() => compare(odd), /two computed something else/);
  compare({ ...odd, sameResult: false });
});

test('allocation is counted, and none is none', () => {
  const kept = { last: new Uint8Array(0) as Uint8Array | { n: number } };
  assert.is(
    bytesAllocatedPerCall((call) => call & 7),
    0,
  );
  const small = bytesAllocatedPerCall((call) => {
    kept.last = { n: call };
    return call;
  });
  assert.ok(small >= 16 && small < 80, `an object of one field takes ${small} bytes`);
  const rare = bytesAllocatedPerCall((call) => {
    if (call % 100 === 0) kept.last = { n: call };
    return call;
  });
  assert.ok(rare > 0 && rare < 1, `one in a hundred shows as ${rare} bytes a call`);
});

test.run();
