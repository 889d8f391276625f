/**
 * The command line: verify, plan and flash decide on the same context, from options or from the rig, a
 * device at a time; and what is wrong with it is said before a port is opened.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { HUB_FIRMWARE } from '../support/hub-rigs.ts';
import { FIRMWARE, runCli } from '../support/rigs.ts';
import { signedWaiver, waiverAnchors } from '../support/waivers.ts';

const test = suite('context');
const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'uplift-context-'));
test.after(() => rmSync(folder, { recursive: true }));

function inFolder(name: string, content: string | object): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(folder, name), text);
  return name;
}

const PPMID = '121D:0084:01:00';
inFolder(
  'installations.csv',
  [
    'installation_id,provider,communications_hub,esme,gsme,ppmid,cohort,electricity_supplier,gas_supplier',
    `HOME,CSP-N,106C:0001:01:00:00000007,,,${PPMID}:01000000,FOC,SUPPLIER-A,SUPPLIER-B`,
    `AWAY,CSP-N,106C:0009:01:00:00000007,,,${PPMID}:01000000,FOC,SUPPLIER-A,SUPPLIER-B`,
  ].join('\n'),
);
inFolder(
  'epcl.csv',
  [
    'combination_id,provider,communications_hub,esme,gsme,ppmid,added_on',
    `C1,CSP-N,106C:0001:01:00:00000007,,,${PPMID}:02000000,2021-01-01`,
  ].join('\n'),
);

/** Nothing listens there: a command that opened it would not end with 3. */
const PORT = 'tcp://127.0.0.1:9';

function rig(name: string, change: object, devices: object[]): string {
  const network = {
    panId: 0x1a62,
    extendedPanId: 'dddddddddddddddd',
    channel: 11,
    networkKey: '01030507090b0d0f00020406080a0c0d',
  };
  const document = {
    rig: 'context',
    description: 'devices of two installations',
    state: 'state',
    centralProductsList: FIRMWARE.list,
    trustAnchors: FIRMWARE.trust,
    coordinators: [{ id: 'zigbee-1', adapter: 'zstack', port: PORT, network }],
    devices,
    ...change,
  };
  return join(folder, inFolder(name, document));
}

const ppmid = (id: string, eui64: string, installation?: string) => ({
  id,
  model: join(ROOT, 'hw-config/ppmids/virtual-ppmid.yaml'),
  coordinator: 'zigbee-1',
  eui64,
  ...(installation === undefined ? {} : { installation }),
});

const admission = {
  intake: 'field',
  installations: 'installations.csv',
  eligibleCombinations: 'epcl.csv',
  listsFetched: new Date().toISOString(),
};
const two = rig('two.yaml', { admission }, [
  ppmid('home', '00:0d:6f:00:0a:90:69:e1', 'HOME'),
  ppmid('away', '00:0d:6f:00:0a:90:69:e2', 'AWAY'),
]);

type Answer = {
  verdicts?: Judged[];
  plans?: Judged[];
  error?: { code: string; expected: string; next: string };
};
type Judged = { device: string; decision: { verdict: string; ruleId?: string; pending: string[] } };

async function asked(...words: string[]): Promise<{ code: number | null; answer: Answer }> {
  const { code, stdout } = await runCli([...words, '--json']);
  return { code, answer: JSON.parse(stdout.trim().split('\n').at(-1)!) as Answer };
}

test('a rig says it once: each device is decided on in its own installation', async () => {
  for (const words of [
    ['verify', FIRMWARE.new, '--rig', two],
    ['plan', '--rig', two, '--image', FIRMWARE.new],
  ]) {
    const { code, answer } = await asked(...words);
    assert.is(code, 3);
    const found = (answer.verdicts ?? answer.plans!).map(({ device, decision }) => [
      device,
      decision.verdict,
      decision.ruleId,
    ]);
    assert.equal(found, [
      ['home', 'admitted', undefined],
      ['away', 'refused', 'epcl.combination'],
    ]);
  }
  const flashed = await asked('flash', '--rig', two, '--image', FIRMWARE.new, '--device', 'away');
  assert.is(flashed.code, 3, 'and no port was opened');
});

test('the command line wins, for every device', async () => {
  const target = ['--rig', two, '--image', FIRMWARE.new];
  const home = await asked('plan', ...target, '--installation-id', 'HOME');
  assert.is(home.code, 0);
  const away = await asked('plan', ...target, '--installation-id', 'AWAY');
  assert.equal(
    away.answer.plans!.map(({ decision }) => decision.ruleId),
    ['epcl.combination', 'epcl.combination'],
  );
  const none = await asked('plan', ...target, '--installation-id', 'NONE');
  assert.is(none.answer.error?.code, 'option-invalid');
  assert.match(none.answer.error!.expected, 'HOME, AWAY for home');
});

test('what an intake has to know and no device can say: before a port is opened', async () => {
  const bare = rig('bare.yaml', {}, [ppmid('ppmid', '00:0d:6f:00:0a:90:69:e1')]);
  const target = ['--rig', bare, '--image', FIRMWARE.new, '--intake', 'field'];
  const { code, stdout } = await runCli(['flash', ...target, '--json']);
  assert.is(code, 3);
  const failed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; error?: { code: string; expected: string } })
    .find(({ kind }) => kind === 'failed');
  assert.is(failed?.error?.code, 'context-missing');
  assert.match(failed!.error!.expected, 'name the installation');
  const planned = await asked('plan', ...target);
  assert.ok(planned.answer.plans![0]!.decision.pending.includes('installation'));
});

test('a hub on a line, below the floor: refused, and let back by a waiver that names its serial', async () => {
  const image = HUB_FIRMWARE.new;
  const hardware = {
    manufacturer: '121D',
    model: '00C1',
    hardwareVersion: '01',
    hardwareRevision: '00',
  };
  inFolder('floors.json', { version: 1, floors: [{ ...hardware, floor: 3 }] });
  inFolder('anchors.json', { version: 1, anchors: waiverAnchors() });
  const imageSha256 = sha256Hex(new Uint8Array(readFileSync(image)));
  const waived = { devices: ['hub:CH-0001'], hardware, imageVersion: 2, imageSha256 };
  inFolder('waiver.json', signedWaiver(waived, Date.now()));
  const hub = (id: string, serialNumber: string, port: number) => ({
    id,
    model: join(ROOT, 'hw-config/hubs/virtual-hub.yaml'),
    port: `tcp://127.0.0.1:${port}`,
    serialNumber,
  });
  const hubs = [hub('hub', 'CH-0001', 9), hub('other', 'CH-0002', 10)];
  const floors = { floors: 'floors.json', waiver: 'waiver.json' };
  // The list vouches for the image, the anchors for the waiver.
  const change = { coordinators: [], trustAnchors: 'anchors.json', admission: floors };
  const path = rig('hubs.yaml', change, hubs);
  const { answer } = await asked('plan', '--rig', path, '--image', image);
  assert.equal(
    answer.plans!.map(({ device, decision }) => [device, decision.ruleId]),
    [
      ['hub', undefined],
      ['other', 'version.floor'],
    ],
  );
  const flashed = await asked('flash', '--rig', path, '--image', image, '--device', 'other');
  assert.is(flashed.code, 3);
});

test('trust anchors that changed under their name, and a signer that is none', async () => {
  const { pem } = testKey('somebody');
  inFolder('exchanged.pem', pem);
  const anchor = { name: 'maker', purpose: 'gb-firmware', fingerprint: '00'.repeat(32) };
  inFolder('exchanged.json', { version: 1, anchors: [{ ...anchor, file: 'exchanged.pem' }] });
  for (const [options, code] of [
    [['--trust', join(folder, 'exchanged.json')], 'anchor-fingerprint'],
    [['--zse-signer', '0012'], 'option-invalid'],
    [['--open-request', '0012'], 'option-invalid'],
    [['--floors', join(folder, 'none.json')], 'file-unreadable'],
  ] as const) {
    const { code: exit, answer } = await asked(
      ...['plan', '--rig', two, '--image', FIRMWARE.new, ...options],
    );
    assert.is(exit, 2, options.join(' '));
    assert.is(answer.error?.code, code);
  }
});

test.run();
