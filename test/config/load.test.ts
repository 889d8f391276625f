/** What a right file becomes, and that every file of hw-config is right. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { knownRigs, loadPpmidModel, loadRig } from '../../src/config/load.ts';
import { edited, MODEL, newFolder, RIG, removeFolders } from './folder.ts';
import { jsonSchemaFiles } from './json-schemas.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const HW_CONFIG = join(ROOT, 'hw-config');

test.after(removeFolders);

test('every rig of hw-config loads', () => {
  const paths = globSync('rigs/*.yaml', { cwd: HW_CONFIG });
  assert.ok(paths.length >= 3);
  for (const path of paths) {
    const rig = loadRig(join(HW_CONFIG, path));
    assert.is(`rigs/${rig.id}.yaml`, path, 'a rig is named as its file');
  }
});

test('every model of hw-config loads', () => {
  const paths = globSync('ppmids/*.yaml', { cwd: HW_CONFIG });
  assert.ok(paths.length >= 1);
  for (const path of paths)
    assert.is(`ppmids/${loadPpmidModel(join(HW_CONFIG, path)).model}.yaml`, path);
});

test('the rigs that come with Uplift are found', () => {
  assert.ok(knownRigs().some((path) => path.endsWith('hw-config/rigs/virtual-ppmid.yaml')));
});

test('the ports and EUI-64s of the virtual rigs are all different, so that they can run at once', () => {
  const rigs = ['virtual-ppmid', 'virtual-site'].map((id) =>
    loadRig(join(HW_CONFIG, `rigs/${id}.yaml`)),
  );
  const ports = rigs.flatMap((rig) => rig.coordinators.map(({ port }) => port));
  const eui64s = rigs.flatMap((rig) => rig.devices.map(({ eui64 }) => eui64));
  assert.is(new Set(ports).size, ports.length);
  assert.is(new Set(eui64s).size, eui64s.length);
});

for (const { path, text } of jsonSchemaFiles()) {
  test(`${path.slice(ROOT.length + 1)} is current`, () => {
    assert.is(readFileSync(path, 'utf8'), text, 'run: node test/config/json-schemas.ts');
  });
}

test('every YAML file names its JSON Schema in the first line', () => {
  for (const path of globSync('*/*.yaml', { cwd: HW_CONFIG })) {
    const schema = path.startsWith('rigs/') ? 'rig' : 'ppmid';
    const [first] = readFileSync(join(HW_CONFIG, path), 'utf8').split('\n');
    assert.is(first, `# yaml-language-server: $schema=../${schema}.schema.json`, path);
  }
});

test('a rig is resolved: paths from its folder, EUI-64 as digits, model and defaults in', () => {
  const folder = newFolder();
  const rig = loadRig(join(folder, 'rig.yaml'));
  assert.is(rig.path, join(folder, 'rig.yaml'));
  assert.is(rig.stateFolder, join(folder, 'state'));
  assert.is(rig.centralProductsList, undefined);
  assert.is(rig.trustAnchors, undefined);
  assert.is(rig.coordinators[0]!.baudRate, 115_200);
  assert.is(rig.coordinators[0]!.virtual!.network, 'formed');
  const [device] = rig.devices;
  assert.is(device!.id, 'ppmid');
  assert.is(device!.eui64, '000d6f0000000001');
  assert.is(device!.virtual!.firmwarePath, join(folder, 'old.zigbee'));
  assert.is(device!.virtual!.faults.duplicateRequests, 1);
});

test('a code is the same as hexadecimal number, quoted text and decimal number', () => {
  const { zigbee } = loadPpmidModel(join(newFolder(), 'model.yaml'));
  assert.is(zigbee.manufacturerCode, 0x121d);
  assert.is(zigbee.imageType, 0x0084);
  assert.is(zigbee.hardwareVersion, 0x0100);
  assert.is(zigbee.profileId, 0x0104);
});

test("overrides replace single settings of the model's OTA client and bring no defaults along", () => {
  const text = `${RIG}      otaClient:\n        retryPauseMs: 7\n`;
  const { model, virtual } = loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml')).devices[0]!;
  assert.is(virtual!.otaClient.maximumDataBytes, 64, "the model's, not the default 50");
  assert.is(virtual!.otaClient.rebootMs, 9);
  assert.is(virtual!.otaClient.retryPauseMs, 7);
  assert.is(virtual!.otaClient.failuresMax, 10);
  assert.is(model.otaClient.retryPauseMs, 2_000, 'the model itself stays');
});

test('count spreads a device, its EUI-64 counted over the 32-bit edge', () => {
  const text = edited(RIG, '00:00:00:01', 'ff:ff:ff:fe').concat('      count: 4\n');
  const { devices } = loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml'));
  assert.equal(
    devices.map(({ id, eui64 }) => `${id} ${eui64}`),
    [
      'ppmid-1 000d6f00fffffffe',
      'ppmid-2 000d6f00ffffffff',
      'ppmid-3 000d6f0100000000',
      'ppmid-4 000d6f0100000001',
    ],
  );
});

test('EUI-64s count up beyond what a double holds', () => {
  const text = edited(RIG, '00:0d:6f:00:00:00:00:01', 'fffffffffffffff0').concat(
    '      count: 15\n',
  );
  const { devices } = loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml'));
  assert.is(devices.at(-1)!.eui64, 'fffffffffffffffe');
  assert.is(new Set(devices.map(({ eui64 }) => eui64)).size, 15);
});

test('an install code goes with the EUI-64 of its device, a QR text stays as it is', () => {
  const code = '83FED3407A939723A5C639B26916D505C3B5';
  const load = (written: string) => {
    const text = edited(RIG, '    eui64:', `    installCode: "${written}"\n    eui64:`);
    return loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml')).devices[0]!.installCode;
  };
  assert.is(load(code), `000d6f0000000001|${code}`);
  assert.is(load(`Z:000D6F0000000001$I:${code}`), `Z:000D6F0000000001$I:${code}`);
});

test('products list and trust anchors are found from the rig file', () => {
  const text = `centralProductsList: lists/cpl.csv\ntrustAnchors: trust\n${RIG}`;
  const folder = newFolder({ 'rig.yaml': text, 'lists/cpl.csv': 'x', 'trust/a.pem': 'x' });
  const rig = loadRig(join(folder, 'rig.yaml'));
  assert.is(rig.centralProductsList, join(folder, 'lists/cpl.csv'));
  assert.is(rig.trustAnchors, join(folder, 'trust'));
});

test('anchors and a few aliases are allowed, and so is a byte order mark', () => {
  const text = edited(RIG, 'id: zigbee-1', 'id: &id zigbee-1').replace(
    'coordinator: zigbee-1',
    'coordinator: *id',
  );
  const folder = newFolder({
    'rig.yaml': `\ufeff${text}`,
    'model.yaml': MODEL.replaceAll('\n', '\r\n'),
  });
  assert.is(loadRig(join(folder, 'rig.yaml')).devices[0]!.coordinator, 'zigbee-1');
});

test.run();
