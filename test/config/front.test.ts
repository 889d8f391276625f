/** The section `front` of the gateway's configuration. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadGateway } from '../../src/config/gateway.ts';
import { MODEL, newFolder, problemsOf, RIG, removeFolders } from './folder.ts';

const GATEWAY = 'gateway: {id: front-1, stateDirectory: state}\n';
const SIGNING = 'signing: {author: {certificateFile: ca.pem, keyFile: token}}';
const COORDINATOR = 'coordinator: {url: "https://fleet.example:8471", tokenFile: token}';
const MODELS = 'models: [model.yaml]';

function folderOf(section: string, more = ''): string {
  const folder = newFolder({
    'gateway.yaml': `${GATEWAY}${more}front: {${section}}\n`,
    ...{ 'rig.yaml': RIG, 'model.yaml': MODEL, 'wrong.yaml': 'model: m\n', 'ca.pem': 'x' },
    token: 'secret',
  });
  chmodSync(join(folder, 'token'), 0o600);
  return folder;
}

test.after(removeFolders);

test('a front wants no rigs; paths are absolute, models read, defaults in', () => {
  const folder = folderOf(`fleet: north, ${COORDINATOR}, ${MODELS}, ${SIGNING}`);
  const { front, rigs } = loadGateway(join(folder, 'gateway.yaml'), {}).config;
  assert.equal(rigs, []);
  assert.is(front?.models[0]?.deviceModel.model, '0084');
  assert.is(front?.coordinator.tokenFile, join(folder, 'token'));
  assert.is(front?.signing.author.certificateFile, join(folder, 'ca.pem'));
  assert.is(front?.signing.approvals, 1);
  assert.is(front?.campaign.lifeDays, 14);
  assert.is(front?.campaign.rings.at(-1)?.all, true);
  assert.is(front?.installationIsGateway, false);
  assert.is(front?.inventoryMs, 600_000);
});

test('a coordinator on this machine is reached by its socket', () => {
  const section = `fleet: north, coordinator: {socket: run/fleet.sock}, ${MODELS}, ${SIGNING}`;
  const folder = folderOf(section);
  const { front } = loadGateway(join(folder, 'gateway.yaml'), {}).config;
  assert.is(front?.coordinator.socket, join(folder, 'run/fleet.sock'));
});

for (const [what, key, section, more] of [
  [
    'rigs beside it',
    'rigs',
    `fleet: north, ${COORDINATOR}, ${MODELS}, ${SIGNING}`,
    'rigs: [rig.yaml]\n',
  ],
  [
    'campaigns beside it',
    'campaigns',
    `fleet: north, ${COORDINATOR}, ${MODELS}, ${SIGNING}`,
    'campaigns: {fleet: north}\n',
  ],
  [
    'no way to the coordinator',
    'front.coordinator',
    `fleet: north, coordinator: {}, ${MODELS}, ${SIGNING}`,
  ],
  [
    'two ways to it',
    'front.coordinator',
    `fleet: north, coordinator: {url: "https://f", tokenFile: token, socket: s}, ${MODELS}, ${SIGNING}`,
  ],
  [
    'an address without a token',
    'front.coordinator',
    `fleet: north, coordinator: {url: "https://f"}, ${MODELS}, ${SIGNING}`,
  ],
  [
    'an address in the clear',
    'front.coordinator',
    `fleet: north, coordinator: {url: "http://fleet.example", tokenFile: token}, ${MODELS}, ${SIGNING}`,
  ],
  ['no models', 'front.models', `fleet: north, ${COORDINATOR}, models: [], ${SIGNING}`],
  [
    'a model that is wrong',
    'front.models',
    `fleet: north, ${COORDINATOR}, models: [wrong.yaml], ${SIGNING}`,
  ],
  [
    'a model that is not there',
    'front.models',
    `fleet: north, ${COORDINATOR}, models: [no.yaml], ${SIGNING}`,
  ],
  ['nobody who signs', 'front.signing', `fleet: north, ${COORDINATOR}, ${MODELS}`],
] as const) {
  test(`refused: ${what}`, () => {
    const folder = folderOf(section, more);
    const problems = problemsOf(() => loadGateway(join(folder, 'gateway.yaml'), {}));
    assert.ok(problems.length > 0);
    assert.ok(problems[0]?.key?.startsWith(key), problems[0]?.key);
  });
}

test.run();
