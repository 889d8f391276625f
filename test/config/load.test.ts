/** What a right file becomes, and that every file of hw-config is right. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/config/codes.ts';
import { knownRigs, loadHubModel, loadPpmidModel, loadRig } from '../../src/config/load.ts';
import type { Rig } from '../../src/config/schema.ts';
import { edited, HUB_MODEL, HUB_RIG, MODEL, newFolder, RIG, removeFolders } from './folder.ts';
import { jsonSchemaFiles } from './json-schemas.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const HW_CONFIG = join(ROOT, 'hw-config');

test.after(removeFolders);

test('every rig of hw-config loads', () => {
  const paths = globSync('rigs/*.yaml', { cwd: HW_CONFIG });
  assert.ok(paths.length >= 5);
  for (const path of paths) {
    const rig = loadUnlessFirmwareIsMissing(path);
    if (rig) assert.is(`rigs/${rig.id}.yaml`, path, 'a rig is named as its file');
  }
});

test('every model of hw-config loads', () => {
  for (const [folder, load] of [
    ['ppmids', loadPpmidModel],
    ['hubs', loadHubModel],
  ] as const) {
    const paths = globSync(`${folder}/*.yaml`, { cwd: HW_CONFIG });
    assert.ok(paths.length >= 1);
    for (const path of paths)
      assert.is(`${folder}/${load(join(HW_CONFIG, path)).model}.yaml`, path);
  }
});

test('the rigs that come with Uplift are found', () => {
  assert.ok(knownRigs().some((path) => path.endsWith('hw-config/rigs/virtual-ppmid.yaml')));
});

test('the ports and EUI-64s of the virtual rigs are all different, so that they can run at once', () => {
  const rigs = ['virtual-ppmid', 'virtual-site', 'virtual-hub'].flatMap(
    (id) => loadUnlessFirmwareIsMissing(`rigs/${id}.yaml`) ?? [],
  );
  const ports = rigs.flatMap((rig) => [...rig.coordinators, ...rig.hubs].map(({ port }) => port));
  const eui64s = rigs.flatMap((rig) => rig.ppmids.map(({ eui64 }) => eui64));
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
    const schema = path.slice(0, path.indexOf('s/'));
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
  const [device] = rig.ppmids;
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
  const { model, virtual } = loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml')).ppmids[0]!;
  assert.is(virtual!.otaClient.maximumDataBytes, 64, "the model's, not the default 50");
  assert.is(virtual!.otaClient.rebootMs, 9);
  assert.is(virtual!.otaClient.retryPauseMs, 7);
  assert.is(virtual!.otaClient.failuresMax, 10);
  assert.is(model.otaClient.retryPauseMs, 2_000, 'the model itself stays');
});

test('count spreads a device, its EUI-64 counted over the 32-bit edge', () => {
  const text = edited(RIG, '00:00:00:01', 'ff:ff:ff:fe').concat('      count: 4\n');
  const { ppmids } = loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml'));
  assert.equal(
    ppmids.map(({ id, eui64 }) => `${id} ${eui64}`),
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
  const { ppmids } = loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml'));
  assert.is(ppmids.at(-1)!.eui64, 'fffffffffffffffe');
  assert.is(new Set(ppmids.map(({ eui64 }) => eui64)).size, 15);
});

test('an install code goes with the EUI-64 of its device, a QR text stays as it is', () => {
  const code = '83FED3407A939723A5C639B26916D505C3B5';
  const load = (written: string) => {
    const text = edited(RIG, '    eui64:', `    installCode: "${written}"\n    eui64:`);
    return loadRig(join(newFolder({ 'rig.yaml': text }), 'rig.yaml')).ppmids[0]!.installCode;
  };
  assert.is(load(code), `000d6f0000000001|${code}`);
  assert.is(load(`Z:000D6F0000000001$I:${code}`), `Z:000D6F0000000001$I:${code}`);
});

test('products list and trust anchors are found from the rig file', () => {
  const text = `centralProductsList: lists/cpl.csv\ntrustAnchors: trust\nauditLog: log/a.jsonl\n${RIG}`;
  const folder = newFolder({ 'rig.yaml': text, 'lists/cpl.csv': 'x', 'trust/a.pem': 'x' });
  const rig = loadRig(join(folder, 'rig.yaml'));
  assert.is(rig.centralProductsList, join(folder, 'lists/cpl.csv'));
  assert.is(rig.trustAnchors, join(folder, 'trust'));
  assert.is(rig.auditLog, join(folder, 'log/a.jsonl'), 'it is made when it is needed');
});

test('what decisions rest on: paths from the rig file, an installation a device', () => {
  const lines = [
    'admission:',
    '  intake: field',
    '  installations: lists/i.csv',
    '  installationId: I-1',
    '  certificates: [trust/a.pem]',
    '  zseSigners: ["00:12:4b:00:01:02:03:04"]',
    '  listsFetched: "2021-07-20"',
  ];
  const text = edited(RIG, '    eui64:', '    installation: I-2\n    eui64:');
  const files = {
    'rig.yaml': `${lines.join('\n')}\n${text}`,
    'lists/i.csv': 'x',
    'trust/a.pem': '',
  };
  const folder = newFolder(files);
  const { admission, ppmids } = loadRig(join(folder, 'rig.yaml'));
  assert.is(admission?.installations, join(folder, 'lists/i.csv'));
  assert.equal(admission?.certificates, [join(folder, 'trust/a.pem')]);
  assert.equal(admission?.zseSigners, ['00124b0001020304']);
  assert.is(admission?.floors, undefined);
  assert.is(ppmids[0]!.installation, 'I-2');
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
  assert.is(loadRig(join(folder, 'rig.yaml')).ppmids[0]!.coordinator, 'zigbee-1');
});

test('a hub is resolved: port and firmware from the folder of the rig, defaults in', () => {
  const folder = newFolder({ 'hub-rig.yaml': HUB_RIG, 'hub.yaml': HUB_MODEL });
  const rig = loadRig(join(folder, 'hub-rig.yaml'));
  assert.equal([rig.coordinators, rig.ppmids], [[], []]);
  const [hub] = rig.hubs;
  assert.is(rig.devices[0], hub);
  assert.is(hub!.kind, 'hub');
  assert.is(hub!.port, join(folder, 'ports/hub'));
  assert.is(hub!.baudRate, 57_600, "the model's");
  assert.is(hub!.virtual!.firmwarePath, join(folder, 'old.zigbee'));
  assert.equal(hub!.virtual!.smp, {
    bufBytes: 384,
    bufCount: 4,
    poolLines: 2,
    startsInRecovery: false,
  });
  assert.equal(hub!.virtual!.faults.powerCutAtFlashOperation, []);
  const { serial, smp, imageProfile } = hub!.model;
  assert.is(imageProfile, 'mcuboot');
  assert.equal(serial.enterBootloader, [
    { rts: true, dtr: false, waitMs: 50 },
    { breakMs: 250, waitMs: 0 },
    { send: '\x03\n', waitMs: 0 },
    { waitMs: 7 },
  ]);
  assert.equal(serial.reset, []);
  assert.is(smp!.windowMax, 16);
  assert.is(smp!.confirm, 'after-test');
});

test('a hub of a bootloader has no SMP', () => {
  const text = edited(
    edited(edited(HUB_MODEL, 'protocol: smp', 'protocol: gecko-bootloader'), 'mcuboot', 'gbl'),
    'smp: {recovery: line-steps}\n',
    '',
  );
  const folder = newFolder({ 'hub-rig.yaml': HUB_RIG, 'hub.yaml': text });
  const [hub] = loadRig(join(folder, 'hub-rig.yaml')).hubs;
  assert.is(hub!.model.smp, undefined);
  assert.is(hub!.virtual!.smp, undefined);
});

test('the ports of a hub that are no paths stay as they are written', () => {
  for (const port of [
    'usb:FT4ABCDE',
    'usb:0403:6001:FT4ABCDE',
    'tcp://[::1]:4001',
    'COM7',
    '/dev/ttyUSB0',
  ]) {
    const text = edited(HUB_RIG, 'port: ports/hub', `port: "${port}"`).split('    virtual:')[0]!;
    const folder = newFolder({ 'hub-rig.yaml': text, 'hub.yaml': HUB_MODEL });
    assert.is(loadRig(join(folder, 'hub-rig.yaml')).hubs[0]!.port, port);
  }
});

test("a hub's line may have another speed than its model says", () => {
  const text = edited(HUB_RIG, '    port:', '    baudRate: 230400\n    port:');
  const folder = newFolder({ 'hub-rig.yaml': text, 'hub.yaml': HUB_MODEL });
  assert.is(loadRig(join(folder, 'hub-rig.yaml')).hubs[0]!.baudRate, 230_400);
});

test('PPMIDs and hubs of one rig keep the order of the file', () => {
  const hub = HUB_RIG.slice(HUB_RIG.indexOf('  - id: hub'));
  const text = `${edited(RIG, 'devices:\n', `devices:\n${hub}`)}${hub.replace('id: hub', 'id: hub-2').replace('ports/hub', 'ports/hub-2')}`;
  const folder = newFolder({ 'rig.yaml': text, 'hub.yaml': HUB_MODEL });
  const rig = loadRig(join(folder, 'rig.yaml'));
  assert.equal(
    rig.devices.map(({ id }) => id),
    ['hub', 'ppmid', 'hub-2'],
  );
  assert.equal([rig.ppmids.length, rig.hubs.length], [1, 2]);
});

/** Test images are made by scripts/build-firmware: a rig without its own is right all the same. */
function loadUnlessFirmwareIsMissing(path: string): Rig | undefined {
  try {
    return loadRig(join(HW_CONFIG, path));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.problems.some(({ code }) => code !== 'firmware-missing')) throw error;
    console.log(`SKIP ${path}: ${error.problems[0]!.found}`);
    return undefined;
  }
}

test.run();
