/** A front as its configuration has it: files, service and HTTP are real, the coordinator is in memory. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../../src/api/client.ts';
import { encodeManifest } from '../../../src/campaign/manifest.ts';
import { loadGateway } from '../../../src/config/gateway.ts';
import { UpliftError } from '../../../src/errors.ts';
import { fleetClientOver } from '../../../src/fleet/front/http-client.ts';
import { checkFront, knownRig } from '../../../src/fleet/front/start.ts';
import { openMetrics } from '../../../src/observe/metrics.ts';
import { type Service, startService } from '../../../src/service/serve.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { changed, IMAGE } from '../../campaign/campaigns.ts';
import { MODEL, newFolder, removeFolders } from '../../config/folder.ts';
import { ISSUING_SPEC, materialIn, UNTIL_MS } from '../../support/material.ts';
import type { CertificateSpec } from '../../trust/naive-x509.ts';
import { ISSUING } from '../../trust/test-pki.ts';
import { MemoryFleet } from './memory-fleet.ts';
import { serveFleet } from './served-fleet.ts';

const HARDWARE = {
  ...{ manufacturer: '121D', model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
};
const euiOf = (n: number) => `000d6f00${n.toString(16).padStart(8, '0')}`;
const inventoryDevice = (n: number) => ({
  ...{ device: euiOf(n), id: `ppmid-${n}`, kind: 'ppmid', ...HARDWARE },
  ...{ firmwareVersion: '01000000', readMs: Date.now() },
});

function configured(campaign = '{}'): string {
  const folder = newFolder({ 'model.yaml': MODEL, token: 'abc', starter: 'def' });
  const { identity } = materialIn(folder);
  const person = (key: string, serial: bigint): CertificateSpec => ({
    ...{ key, signedBy: 'issuing', issuer: ISSUING, subject: [['CN', key]], serial },
    untilMs: UNTIL_MS,
  });
  identity('ann', person('ann', 11n), ISSUING_SPEC);
  identity('bob', person('robert', 12n), ISSUING_SPEC);
  for (const name of ['token', 'starter'])
    writeFileSync(join(folder, name), readFileSync(join(folder, name)), { mode: 0o600 });
  const config = [
    'gateway: {id: front-1, stateDirectory: state}',
    'front:',
    '  fleet: north',
    '  coordinator: {socket: fleet.sock}',
    '  models: [model.yaml]',
    '  signing:',
    '    author: {certificateFile: ann.pem, keyFile: ann.key}',
    '    approvers: [{certificateFile: bob.pem, keyFile: bob.key}]',
    `  campaign: ${campaign}`,
  ].join('\n');
  writeFileSync(join(folder, 'gateway.yaml'), config, { mode: 0o600 });
  mkdirSync(join(folder, 'state'), { recursive: true });
  return folder;
}

const configOf = (folder: string) => loadGateway(join(folder, 'gateway.yaml'), {}).config;

function started(folder: string): Service {
  const metrics = openMetrics({ version: '1.0.0', node: '24', sqlite: '3' });
  return startService(configOf(folder), { version: '1.0.0', log: { write() {} }, metrics });
}

async function until(is: () => boolean): Promise<void> {
  for (let left = 500; left > 0 && !is(); left--) await sleep(10);
  assert.ok(is());
}

const start = suite('a front: its start');
start.after(removeFolders);

start('the service has the devices of the fleet, and after a start at once', async () => {
  const folder = configured();
  const fleet = new MemoryFleet(Date.now);
  fleet.inventories.set('gateway-1', [inventoryDevice(1), inventoryDevice(2)]);
  const served = await serveFleet(fleet, join(folder, 'fleet.sock'));
  let service = started(folder);
  await until(() => service.control.devices().length === 2);
  await service.stop();
  await served.close();
  service = started(folder);
  assert.equal(
    service.control.devices().map(({ id }) => id),
    [euiOf(1), euiOf(2)],
  );
  await service.stop();
  const { front, path, stateFolder } = configOf(folder);
  assert.is(knownRig(path, stateFolder, front!).devices.length, 2);
});

start('rules by which no campaign can go on are refused before anything runs', () => {
  const { front } = configOf(configured('{rings: [{name: half, percent: 50, untilPercent: 90}]}'));
  const refused = (error: unknown) => error instanceof UpliftError && error.code === 'ring-order';
  assert.throws(() => checkFront('front-1', front!), refused);
});

start('every question of a front, over HTTP', async () => {
  const folder = newFolder();
  const socket = join(folder, 'fleet.sock');
  const fleet = new MemoryFleet(Date.now);
  fleet.inventories.set('gateway-1', [inventoryDevice(1)]);
  const served = await serveFleet(fleet, socket);
  const client = fleetClientOver(
    new ApiClient(socket, { token: 'abc' }),
    new ApiClient(socket, { token: 'def' }),
  );
  const { rules, sign } = checkFront('front-1', configOf(configured()).front!);
  assert.is(rules.approvals, 1);
  assert.equal(
    (await client.gateways(undefined, 5)).items.map(({ id }) => id),
    ['gateway-1'],
  );
  assert.is((await client.gatewayDevices('gateway-1')).length, 1);
  const image = new Uint8Array(2_000_000).fill(7);
  const sha256 = sha256Hex(image);
  assert.is(await client.hasBlob(sha256), false);
  await client.putBlob(sha256, image);
  assert.is(await client.hasBlob(sha256), true);
  assert.is(await client.campaign('none'), undefined);
  assert.equal((await client.campaigns(undefined, 5)).items, []);
  const refused = await client
    .submit(await sign(new Uint8Array([0xa0]), async () => {}))
    .catch((error) => error);
  assert.instance(refused, UpliftError);
  const manifest = changed({
    ...{ id: 'c-1', line: 'c-1', author: rules.author, rings: rules.rings },
    images: [{ ...IMAGE, sha256, bytes: image.length }],
    targets: [{ ...HARDWARE, from: ['01000000'], image: sha256 }],
    devices: [euiOf(1)],
  });
  const document = await sign(encodeManifest(manifest), async () => {});
  assert.is((await client.submit(document)).state, 'ready');
  assert.equal(await client.manifest('c-1'), manifest);
  assert.is((await client.campaign('c-1'))?.approvalsMissing, 0);
  assert.is((await client.start('c-1')).state, 'running');
  const { items } = await client.campaignDevices('c-1', { limit: 5, changedSinceMs: 0 });
  assert.equal(
    items.map(({ device }) => device),
    [euiOf(1)],
  );
  assert.ok(served.asked.includes('POST /api/v1/campaigns Bearer abc'));
  assert.ok(served.asked.includes('POST /api/v1/campaigns/c-1/start Bearer def'));
  fleet.isAway = true;
  const away = await client.hasBlob(sha256).catch((error) => error);
  assert.is(away.exit, 6);
  await served.close();
});

start.run();
