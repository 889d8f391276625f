/** The section `campaigns` of the gateway's configuration. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadGateway } from '../../src/config/gateway.ts';
import { newFolder, problemsOf, RIG, removeFolders } from './folder.ts';

const GATEWAY = `gateway: {id: bench-1, stateDirectory: state}
rigs: [rig.yaml]
`;

function folderOf(section: string): string {
  const folder = newFolder({
    'gateway.yaml': `${GATEWAY}campaigns: ${section}\n`,
    'rig.yaml': RIG,
    'ca.pem': 'x',
    token: 'secret',
  });
  chmodSync(join(folder, 'token'), 0o600);
  return folder;
}

test.after(removeFolders);

test('a fleet alone: campaigns come on sticks', () => {
  const { config } = loadGateway(join(folderOf('{fleet: north}'), 'gateway.yaml'), {});
  const absent = { region: undefined, coordinator: undefined, hawkbit: undefined };
  assert.equal(config.campaigns, { fleet: 'north', approvals: 1, ...absent });
});

test('paths are absolute; a token that was used up may be gone', () => {
  const section =
    '{fleet: north, coordinator: {url: "https://fleet.example:8470", caFile: ca.pem, enrolmentTokenFile: gone, contactMs: 500},' +
    ' hawkbit: {url: "http://127.0.0.1:8080", targetTokenFile: token}}';
  const folder = folderOf(section);
  const { campaigns } = loadGateway(join(folder, 'gateway.yaml'), {}).config;
  assert.is(campaigns?.coordinator?.caFile, join(folder, 'ca.pem'));
  assert.is(campaigns?.coordinator?.enrolmentTokenFile, join(folder, 'gone'));
  assert.is(campaigns?.coordinator?.contactMs, 500);
  assert.is(campaigns?.coordinator?.inventoryMs, undefined);
  assert.is(campaigns?.hawkbit?.targetTokenFile, join(folder, 'token'));
  assert.is(campaigns?.hawkbit?.tenant, 'DEFAULT');
});

for (const [what, section] of [
  ['a coordinator in the clear', '{fleet: north, coordinator: {url: "http://127.0.0.1:8470"}}'],
  ['a coordinator with a password', '{fleet: north, coordinator: {url: "https://a:b@fleet"}}'],
  ['a fleet that is no name', '{fleet: "north sea"}'],
  ['nobody to approve', '{fleet: north, approvals: 0}'],
  [
    'hawkBit in the clear over a network',
    '{fleet: north, hawkbit: {url: "http://hawkbit.example", targetTokenFile: token}}',
  ],
  ['hawkBit without who asks', '{fleet: north, hawkbit: {url: "https://hawkbit.example"}}'],
  [
    'hawkBit with two of them',
    '{fleet: north, hawkbit: {url: "https://h", targetTokenFile: token, gatewayTokenFile: token}}',
  ],
  ['a file that is not there', '{fleet: north, coordinator: {url: "https://f", caFile: no.pem}}'],
] as const) {
  test(`refused: ${what}`, () => {
    const folder = folderOf(section);
    const problems = problemsOf(() => loadGateway(join(folder, 'gateway.yaml'), {}));
    assert.is(problems.length, 1);
    assert.ok(problems[0]?.key?.startsWith('campaigns.'), problems[0]?.key);
  });
}

test.run();
