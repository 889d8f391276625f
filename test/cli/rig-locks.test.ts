/** `uplift rig lock|unlock|locks`, and the look at supplies of `uplift rig check`. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Output } from '../../src/cli/output.ts';
import { checkPower, powerLines } from '../../src/cli/power-check.ts';
import { leasesOf, lock, locks, unlock } from '../../src/cli/rig-locks.ts';
import { loadRig } from '../../src/config/load.ts';
import { LeaseBook } from '../../src/lab/rig/leases.ts';
import { temporaryFolder } from '../store/failing-files.ts';

const test = suite('rig locks');
const folder = temporaryFolder('rig-locks');
const MODEL = join(import.meta.dirname, '../../hw-config/hubs/virtual-hub.yaml');
const relay = join(folder, 'relay');
writeFileSync(
  relay,
  `#!/bin/sh
echo "$1" >> "${relay}.log"
if [ "$1" = state ]; then cat "${relay}.is"; else echo "$1" > "${relay}.is"; fi
`,
);
chmodSync(relay, 0o755);
const path = join(folder, 'rig.yaml');
writeFileSync(
  path,
  `rig: r
description: d
state: state
devices:
  - id: hub
    model: ${MODEL}
    port: ports/hub
    power: {driver: command, on: [./relay, "on"], off: [./relay, "off"], state: [./relay, state]}
    buttons: {reset: {driver: command, on: [./gone], off: [./gone], state: [./gone]}}
  - id: other
    model: ${MODEL}
    port: ports/other
`,
);

const lines: string[] = [];
const output = {
  result: (_document: unknown, said: string[]) => void lines.push(...said),
} as unknown as Output;

const codeOf = async (body: () => Promise<unknown>) => {
  try {
    return await body();
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

test('lock, look, unlock', async () => {
  const rig = loadRig(path);
  await lock({ rig: path, device: ['hub'], for: '30m', holder: 'ada' }, output);
  assert.match(lines.at(-1)!, /^hub: locked for ada until /);
  assert.equal([...(await leasesOf(rig)).keys()], ['hub']);
  const again = await codeOf(() => lock({ rig: path }, output));
  assert.is(again, 'lease-held', 'all devices of the rig, and one is taken');
  await locks({ rig: path }, output);
  assert.match(lines.at(-1)!, /^hub: ada on /);
  await unlock({ rig: path }, output);
  assert.match(lines.at(-1)!, /^ended hub: ada/);
  await locks({ rig: path }, output);
  assert.is(lines.at(-1), 'nobody has any device of it');
  await lock({ rig: path }, output);
  assert.is((await leasesOf(rig)).size, 0, 'what I locked myself is not in my way');
  await unlock({ rig: path }, output);
});

test('a run is not ended without force; wrong words are refused', async () => {
  const book = await LeaseBook.open(loadRig(path).stateFolder);
  book.take(['other'], { holder: 'run 7' });
  assert.is(await codeOf(() => unlock({ rig: path }, output)), 'lease-of-run');
  await unlock({ rig: path, force: true }, output);
  assert.equal(book.list(), []);
  book.close();
  for (const time of ['8', '0h', '8w', '8d', 'soon'])
    assert.is(await codeOf(() => lock({ rig: path, for: time }, output)), 'option-invalid', time);
  assert.is(await codeOf(() => lock({ rig: path, device: ['hbu'] }, output)), 'option-invalid');
});

test('supplies are asked, and switched where that is wanted; buttons never', async () => {
  const { hubs } = loadRig(path);
  const [supply, button, ...none] = await checkPower(hubs, false);
  assert.equal(none, []);
  assert.equal(
    [supply!.works, supply!.isTested, supply!.code],
    [false, false, 'power-tool-failed'],
  );
  assert.equal([button!.what, button!.works, button!.code], ['reset', false, 'power-tool-missing']);
  const [switched] = await checkPower(hubs, true);
  assert.equal([switched!.works, switched!.state], [true, 'on']);
  assert.match(powerLines([switched!])[0]!, /power of hub \(command\) switches, and is on/);
  const words = readFileSync(`${relay}.log`, 'utf8').trim().split('\n');
  assert.equal(words.slice(1), ['off', 'state', 'on', 'state', 'state']);
});

test.run();
