/** Where a virtual device's host plugs in: what a pseudo-terminal leaves behind. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openHostPort } from '../../src/virtual/host-port.ts';

const DESCRIPTORS = '/proc/self/fd';

test('a pseudo-terminal that is cut and restored all night leaves no descriptor open', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-host-port-'));
  const handlers = { connected() {}, received() {}, disconnected() {} };
  const port = await openHostPort(join(folder, 'hub'), handlers);
  const before = readdirSync(DESCRIPTORS).length;
  for (let cuts = 0; cuts < 10; cuts++) {
    await port.cut();
    await port.restore();
  }
  assert.is(readdirSync(DESCRIPTORS).length, before);
  await port.cut();
  assert.equal(readdirSync(folder), [], 'nor its name');
  rmSync(folder, { recursive: true });
});

test.run();
