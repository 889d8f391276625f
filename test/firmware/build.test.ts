/** The committed test material is what the script builds, and does what its page says. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildFirmware } from '../../firmware/build.ts';
import { decideAdmission } from '../../src/admission/decide.ts';
import { type DeviceFacts, gatherImageFacts } from '../../src/admission/facts.ts';
import { loadHubModel } from '../../src/config/load.ts';
import { loadTrust } from '../../src/gateway/trust-folder.ts';
import { FILE_FORMATS, recogniseFormat } from '../../src/image/file-format.ts';
import type { ImageProfileId } from '../../src/image/gb-upgrade.ts';
import { type HubImageProfile, readHubImage } from '../../src/image/hub-image.ts';
import {
  entriesByHash,
  parseCentralProductsList,
} from '../../src/products/central-products-list.ts';
import { sameHardware } from '../../src/products/device-model.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { verifyHubImage } from '../../src/trust/hub-image.ts';
import { hubKeysFor } from '../../src/trust/trust-anchors.ts';

const FIRMWARE = resolve(import.meta.dirname, '../../firmware');
const NOW = Date.UTC(2024, 0, 1);

const PPMID: DeviceFacts = {
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  hardwareVersion: 0x0100,
  currentFileVersion: 0x01000000,
  imageProfile: 'gb-ppmid',
  deviceModel: {
    manufacturer: '121D',
    model: '0084',
    hardwareVersion: '01',
    hardwareRevision: '00',
  },
};

function committed(file: string): Uint8Array | undefined {
  const path = resolve(FIRMWARE, file);
  return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
}

function decide(file: string, profile: ImageProfileId = 'gb-ppmid', device = PPMID) {
  const list = parseCentralProductsList(
    new TextDecoder().decode(committed('central-products-list.csv')),
  );
  if (!list.ok) throw new Error(list.code);
  assert.equal(list.list.issues, []);
  const { facts } = gatherImageFacts(committed(file)!, {
    profile,
    trust: loadTrust(join(FIRMWARE, 'trust')),
  });
  return decideAdmission({ image: facts, device, list: list.list }, NOW);
}

test('a fresh build yields the committed files, and none besides', () => {
  const built = buildFirmware(committed);
  for (const [file, bytes] of built) {
    const there = committed(file);
    assert.ok(
      there && Buffer.compare(bytes, there) === 0,
      `${file} differs: scripts/build-firmware`,
    );
  }
  const files = globSync('**/*.{zigbee,bin,gbl,csv,pem,json}', { cwd: FIRMWARE });
  assert.equal(files.sort(), [...built.keys()].sort());
});

test('without a signature to keep, a new one verifies; only the signed image differs', () => {
  const fresh = buildFirmware(() => undefined);
  const kept = buildFirmware((file) => fresh.get(file));
  for (const [file, bytes] of fresh) {
    assert.is(Buffer.compare(kept.get(file)!, bytes), 0, file);
    const same = Buffer.compare(committed(file)!, bytes) === 0;
    assert.is(same, !file.includes('signed'), file);
  }
});

test('a damaged image gives no signature to keep', () => {
  const damaged = buildFirmware((file) => committed(file)?.fill(1, 60, 100));
  const signed = '121D-0000-02000000-test-signed.zigbee';
  assert.is(damaged.get(signed)!.length, committed(signed)!.length);
  assert.equal(damaged.get(signed)!.subarray(0, 8000), committed(signed)!.subarray(0, 8000));
});

test('every image says in its header string that it is a test', () => {
  for (const file of globSync('*.zigbee', { cwd: FIRMWARE })) {
    const { image } = gatherImageFacts(committed(file)!, { profile: 'gb-ppmid' });
    assert.match(image!.header.headerString, /^UPLIFT TEST /, file);
  }
});

test('the upgrade of the demo is admitted, without a warning', () => {
  const decision = decide('121D-0084-02000000-test.zigbee');
  assert.is(decision.verdict, 'admitted');
  assert.not(decision.conditional);
  assert.not(decision.findings.some(({ outcome }) => outcome === 'warn'));
});

test('the images that are to be refused are, each by its rule', () => {
  assert.is(decide('121D-0084-01800000-test-removed.zigbee').ruleId, 'cpl.current');
  const hardware = decide('121D-0084-02000000-test-wrong-hardware.zigbee');
  assert.is(hardware.ruleId, 'device.hardware-range');
  assert.is(decide('121D-0084-01000000-test.zigbee').ruleId, 'device.newer');
});

test('the signed image is admitted for its ESME, by its trust anchor', () => {
  const esme: DeviceFacts = {
    ...PPMID,
    imageType: 0,
    imageProfile: 'gb-signed',
    deviceModel: { ...PPMID.deviceModel, model: '0000' },
  };
  const decision = decide('121D-0000-02000000-test-signed.zigbee', 'gb-signed', esme);
  assert.is(decision.verdict, 'admitted');
  const finding = decision.findings.find(({ ruleId }) => ruleId === 'image.signature');
  assert.is(finding?.outcome, 'pass');
});

test('the hub images: format, version, digest and signature are what their names say', () => {
  const { anchors } = loadTrust(join(FIRMWARE, 'trust'));
  const list = parseCentralProductsList(
    new TextDecoder().decode(committed('central-products-list.csv')),
  );
  if (!list.ok) throw new Error(list.code);
  const expected: [string, HubImageProfile, string, string][] = [
    ['hub-1.0.0-test.mcuboot.bin', 'mcuboot', '1.0.0', 'verified'],
    ['hub-2.0.0-test.mcuboot.bin', 'mcuboot', '2.0.0', 'verified'],
    ['hub-2.0.1-test-wrong-signature.mcuboot.bin', 'mcuboot', '2.0.1', 'wrong'],
    ['hub-2.0.2-test-unknown-key.mcuboot.bin', 'mcuboot', '2.0.2', 'key-unknown'],
    ['hub-00010000-test.gbl', 'gbl', '0x00010000', 'verified'],
    ['hub-00020000-test.gbl', 'gbl', '0x00020000', 'verified'],
  ];
  assert.equal(
    globSync('hub-*.{bin,gbl}', { cwd: FIRMWARE }).sort(),
    expected.map(([file]) => file).sort(),
  );
  for (const [file, profile, version, outcome] of expected) {
    const bytes = committed(file)!;
    assert.is(recogniseFormat(bytes), profile, FILE_FORMATS[profile].title);
    const image = readHubImage(bytes, profile);
    if (!image.ok) throw new Error(image.code);
    assert.is(image.version!.text, version);
    assert.is(image.outsideBytes, 0);
    assert.ok(Buffer.from(bytes).includes('UPLIFT TEST HUB'), file);
    const proof = verifyHubImage(image, hubKeysFor(profile, anchors));
    assert.is(proof.signature, outcome, file);
    assert.is(proof.digest, profile === 'mcuboot' ? 'match' : 'none');
    const [entry] = entriesByHash(list.list, proof.sendSha256);
    assert.is(entry?.firmwareVersion.toLowerCase(), image.version!.listText.toLowerCase(), file);
  }
});

test('the hub images are listed for the virtual hubs that take them', () => {
  const list = parseCentralProductsList(
    new TextDecoder().decode(committed('central-products-list.csv')),
  );
  if (!list.ok) throw new Error(list.code);
  for (const [image, model] of [
    ['hub-2.0.0-test.mcuboot.bin', 'virtual-hub'],
    ['hub-00020000-test.gbl', 'virtual-hub-radio'],
  ] as const) {
    const { deviceModel } = loadHubModel(resolve(FIRMWARE, `../hw-config/hubs/${model}.yaml`));
    const [entry] = entriesByHash(list.list, sha256Hex(committed(image)!));
    assert.ok(entry && sameHardware(entry, deviceModel), `${image} for ${model}`);
  }
});

test.run();
