/** The configuration of a coordinator: what a right one becomes, and how it is wrong. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { databaseUrl, type FleetConfig, isFleetFile, loadFleet } from '../../src/config/fleet.ts';
import type { UpliftError } from '../../src/errors.ts';
import { edited, newFolder, problemsOf, removeFolders } from './folder.ts';

const FLEET = `fleet: {name: north, stateDirectory: state}
gateways:
  tls: {certificateFile: f.pem, keyFile: f.key}
trust: {anchors: anchors.json}
`;
const URL_TEXT = 'postgres://uplift:secret-word@db.example:5432/fleet';

function folderOf(text: string): string {
  const files = { 'f.pem': 'x', 'f.key': 'x', url: URL_TEXT, 'anchors.json': '{}' };
  const folder = newFolder({ 'fleet.yaml': text, ...files });
  for (const name of ['f.key', 'url']) chmodSync(join(folder, name), 0o600);
  return folder;
}

function load(text: string): { config: FleetConfig; folder: string } {
  const folder = folderOf(text);
  return { folder, config: loadFleet(join(folder, 'fleet.yaml'), {}).config };
}

const keysOf = (text: string) =>
  problemsOf(() => load(text)).map(({ code, key }) => `${code} ${key}`);

test.after(removeFolders);

test('what is not said has its default', () => {
  const { config, folder } = load(FLEET);
  assert.equal(config.database, { kind: 'sqlite', path: join(folder, 'state/fleet.db') });
  assert.equal(config.gateways.listen, { host: '0.0.0.0', port: 8470 });
  assert.is(config.api.socket.path, join(folder, 'state/run/fleet.sock'));
  assert.equal(config.settings, {});
  assert.is(isFleetFile(join(folder, 'fleet.yaml')), true);
  assert.is(
    isFleetFile(resolve(import.meta.dirname, '../../hw-config/gateway.example.yaml')),
    false,
  );
});

test('a database: one of two kinds, and its address a secret in a file', () => {
  const { config } = load(`${FLEET}database: {postgres: {urlFile: url}}\n`);
  assert.is(databaseUrl(config.database as never), URL_TEXT);
  assert.not.match(JSON.stringify(config), /secret-word/);
  const { database } = load(`${FLEET}database: {postgres: {socket: /run/pg}}\n`).config;
  assert.is(databaseUrl(database as never), 'postgres://uplift@/uplift?host=%2Frun%2Fpg');
  const { folder, config: other } = load(`${FLEET}database: {postgres: {urlFile: url}}\n`);
  writeFileSync(join(folder, 'url'), 'secret-word');
  try {
    databaseUrl(other.database as never);
    assert.unreachable('it was taken');
  } catch (error) {
    assert.is((error as UpliftError).code, 'database-url');
    assert.not.match(JSON.stringify(error), /secret-word/);
  }
});

test('what is wrong is told by its key', () => {
  assert.equal(keysOf(`${FLEET}database: {sqlite: a, postgres: {socket: b}}\n`), [
    'value-wrong database',
  ]);
  assert.equal(keysOf(`${FLEET}database: {postgres: {}}\n`), ['value-wrong database.postgres']);
  assert.equal(keysOf(edited(FLEET, 'name: north', 'name: a b')), ['value-wrong fleet.name']);
  assert.equal(keysOf(edited(FLEET, 'anchors.json', 'none.json')), ['input-missing trust.anchors']);
  assert.equal(keysOf(edited(FLEET, 'f.key', 'none.key')), ['secret-missing gateways.tls.keyFile']);
  assert.equal(keysOf(edited(FLEET, ', stateDirectory: state', '')), [
    'key-missing fleet.stateDirectory',
  ]);
  assert.equal(keysOf(`${FLEET}settings: {grantMs: 1}\n`), ['value-wrong settings.grantMs']);
  assert.equal(keysOf(`${FLEET}setings: {}\n`), ['key-unknown setings']);
});

test('the example is right but for its files, and says nothing that the schema does not know', () => {
  const text = readFileSync(
    resolve(import.meta.dirname, '../../hw-config/fleet.example.yaml'),
    'utf8',
  );
  const here = text
    .replace('tls/fleet.pem', 'f.pem')
    .replace('$CREDENTIALS_DIRECTORY/fleet.key', 'f.key')
    .replace('../firmware/trust', 'anchors.json');
  assert.is(load(here).config.name, 'north');
});

test.run();
