/** Version floors only rise; a waiver of one holds for what two people signed, and nothing else. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import type { DeviceHardware } from '../../src/products/device-model.ts';
import {
  type DowngradeWaiver,
  parseWaiver,
  verifyWaiver,
  type WaivedUpgrade,
  type WaiverCode,
  type WaiverKey,
  waiverName,
  waiverText,
} from '../../src/trust/downgrade-waiver.ts';
import {
  checkFloor,
  type FloorCode,
  NO_FLOORS,
  parseVersionFloors,
  raiseFloor,
} from '../../src/trust/rollback.ts';
import { loadTrustAnchors } from '../../src/trust/trust-anchors.ts';
import { fingerprint, signRaw } from './naive-x509.ts';

const HARDWARE: DeviceHardware = {
  manufacturer: '121D',
  model: 'PPMID1',
  hardwareVersion: '0100',
  hardwareRevision: '00',
};
const OTHER: DeviceHardware = { ...HARDWARE, hardwareRevision: '01' };

test('a floor is raised, holds, and is not lowered', () => {
  const first = raiseFloor(NO_FLOORS, HARDWARE, 100);
  assert.ok(first.ok);
  assert.equal(checkFloor(NO_FLOORS, HARDWARE, 0), { ok: true });
  assert.equal(checkFloor(first.floors, HARDWARE, 100), { ok: true, floor: 100 });
  const below = checkFloor(first.floors, HARDWARE, 99);
  assert.ok(!below.ok && below.code === 'below-floor' && below.floor === 100);
  assert.equal(checkFloor(first.floors, OTHER, 0), { ok: true });
  const same = raiseFloor(first.floors, HARDWARE, 99);
  assert.ok(same.ok && same.floors === first.floors);
  const second = raiseFloor(first.floors, { ...HARDWARE, model: ' ppmid1 ' }, 101);
  assert.ok(second.ok && second.floors.floors.length === 1);
  assert.not(checkFloor(second.floors, HARDWARE, 100).ok);
  assert.ok(checkFloor(first.floors, HARDWARE, 100).ok, 'the document before is as it was');
});

test('no fast-forward: not to the wildcard, and not by more than a step', () => {
  const code = (result: { ok: boolean; code?: FloorCode }) => (result.ok ? 'ok' : result.code);
  for (const version of [0xffffffff, -1, 1.5, Number.NaN, 2 ** 32]) {
    assert.is(code(raiseFloor(NO_FLOORS, HARDWARE, version)), 'floor-wildcard');
    assert.is(code(checkFloor(NO_FLOORS, HARDWARE, version)), 'floor-wildcard');
  }
  const first = raiseFloor(NO_FLOORS, HARDWARE, 100);
  assert.ok(first.ok);
  assert.is(code(raiseFloor(first.floors, HARDWARE, 151, { stepMax: 50 })), 'floor-step');
  assert.is(code(raiseFloor(first.floors, HARDWARE, 150, { stepMax: 50 })), 'ok');
});

test('the document, and what is none', () => {
  const entry = { ...HARDWARE, floor: 7 };
  const good = parseVersionFloors({ version: 1, floors: [entry, { ...OTHER, floor: 8 }] });
  assert.ok(good.ok && good.floors.floors.length === 2);
  const codeOf = (document: unknown) => {
    const parsed = parseVersionFloors(document);
    return parsed.ok ? 'ok' : parsed.code;
  };
  for (const wrong of [null, [], {}, { version: 2, floors: [] }, { version: 1, floors: {} }]) {
    assert.is(codeOf(wrong), 'floors-malformed');
  }
  for (const floor of ['7', -1, 0xffffffff, undefined]) {
    assert.is(codeOf({ version: 1, floors: [{ ...entry, floor }] }), 'floors-malformed');
  }
  assert.is(codeOf({ version: 1, floors: [{ ...entry, model: undefined }] }), 'floors-malformed');
  const twin = { ...entry, model: 'ppmid1', floor: 1 };
  assert.is(codeOf({ version: 1, floors: [entry, twin] }), 'floor-repeated');
});

const DEVICE = '90b3d51f30010000';
const SHA256 = 'ab'.repeat(32);
const DOCUMENT = {
  kind: 'downgrade-waiver',
  version: 1,
  id: 'W-0001',
  reason: 'The new image fails on this revision.',
  author: 'ann',
  approver: 'bob',
  devices: ['90-B3-D5-1F-30-01-00-00', '90b3d51f30010001'],
  hardware: HARDWARE,
  imageVersion: 90,
  imageSha256: SHA256,
  notBefore: '2026-01-01T00:00:00Z',
  expires: '2026-01-15T00:00:00Z',
  signatures: [] as { person: string; value: string }[],
};
const UPGRADE: WaivedUpgrade = {
  device: DEVICE,
  hardware: HARDWARE,
  imageVersion: 90,
  imageSha256: SHA256,
  atMs: Date.UTC(2026, 0, 10),
};

function keyOf(person: string, phrase = person, purpose = 'downgrade-waiver'): WaiverKey {
  const key = testKey(phrase);
  const der = new Uint8Array(key.publicKey.export({ type: 'spki', format: 'der' }));
  const spec = { name: person, purpose, fingerprint: fingerprint(der), pem: key.pem, person };
  const loaded = loadTrustAnchors([spec]);
  if (!loaded.ok) throw new Error(loaded.message);
  return { person, anchor: loaded.anchors[0]! };
}

const KEYS = [keyOf('ann'), keyOf('bob'), keyOf('eve')];

function waiver(
  changes: Partial<typeof DOCUMENT> = {},
  signers: [person: string, phrase: string][] = [
    ['ann', 'ann'],
    ['bob', 'bob'],
  ],
): DowngradeWaiver {
  const parsed = parseWaiver({ ...DOCUMENT, ...changes });
  if (!parsed.ok) throw new Error(parsed.message);
  const text = Buffer.from(waiverText(parsed.waiver));
  const signatures = signers.map(([person, phrase]) => ({
    person,
    value: Buffer.from(signRaw(testKey(phrase).privateKey, text)).toString('hex'),
  }));
  return { ...parsed.waiver, signatures };
}

function codeOf(
  signed: DowngradeWaiver,
  upgrade: Partial<WaivedUpgrade> = {},
  keys: readonly WaiverKey[] = KEYS,
): WaiverCode | 'ok' {
  const result = verifyWaiver(signed, keys, { ...UPGRADE, ...upgrade });
  return result.ok ? 'ok' : result.code;
}

test('the text that is signed', () => {
  assert.is(
    waiverText(waiver()),
    [
      'Uplift downgrade waiver 1',
      'id: "W-0001"',
      'reason: "The new image fails on this revision."',
      'author: "ann"',
      'approver: "bob"',
      'devices: ["90b3d51f30010000","90b3d51f30010001"]',
      'manufacturer: "121D"',
      'model: "PPMID1"',
      'hardwareVersion: "0100"',
      'hardwareRevision: "00"',
      'image version: 90',
      `image SHA-256: "${SHA256}"`,
      'not before: "2026-01-01T00:00:00.000Z"',
      'expires: "2026-01-15T00:00:00.000Z"',
      '',
    ].join('\n'),
  );
  const forged = { ...waiver(), reason: 'x"\nauthor: "eve' };
  assert.is(waiverText(forged).split('\n').length, waiverText(waiver()).split('\n').length);
});

test('a waiver holds for its devices, Device Model, image and time', () => {
  const result = verifyWaiver(waiver(), KEYS, UPGRADE);
  assert.equal(result, { ok: true, id: 'W-0001', people: ['ann', 'bob'] });
  assert.is(codeOf(waiver(), { device: '90b3d51f30010002' }), 'waiver-other-device');
  assert.is(codeOf(waiver(), { hardware: OTHER }), 'waiver-other-hardware');
  assert.is(codeOf(waiver(), { imageVersion: 89 }), 'waiver-other-image');
  assert.is(codeOf(waiver(), { imageSha256: 'ac'.repeat(32) }), 'waiver-other-image');
  for (const [atMs, code] of [
    [Date.UTC(2026, 0, 1) - 1, 'waiver-not-yet-valid'],
    [Date.UTC(2026, 0, 1), 'ok'],
    [Date.UTC(2026, 0, 15) - 1, 'ok'],
    [Date.UTC(2026, 0, 15), 'waiver-expired'],
    [Number.NaN, 'waiver-not-yet-valid'],
  ] as const) {
    assert.is(codeOf(waiver(), { atMs }), code);
  }
});

test('a hub on a line is named by its serial number', () => {
  const device = waiverName({ serialNumber: 'CH-0001a' });
  assert.is(device, 'hub:CH-0001a');
  const signed = waiver({ devices: ['hub:CH-0001a', '90-B3-D5-1F-30-01-00-00'] });
  assert.equal(signed.devices, [DEVICE, 'hub:CH-0001a']);
  assert.is(codeOf(signed, { device: 'hub:CH-0001a' }), 'ok');
  assert.is(codeOf(signed), 'ok');
  for (const other of ['hub:CH-0001A', 'hub:CH-0001', 'CH-0001a', 'hub:']) {
    assert.is(codeOf(signed, { device: other }), 'waiver-other-device', other);
  }
  assert.is(waiverName({ serialNumber: 'CH-0001a', eui64: DEVICE }), DEVICE);
  assert.is(waiverName({}), undefined);
});

test('two people, two keys, each for waivers', () => {
  const ann: [string, string] = ['ann', 'ann'];
  assert.is(codeOf(waiver({ approver: 'Ann' })), 'waiver-author-approves');
  assert.is(codeOf(waiver({ approver: 'ann' }, [ann, ann])), 'waiver-author-approves');
  assert.is(codeOf(waiver({}, [])), 'waiver-one-signature');
  assert.is(codeOf(waiver({}, [ann])), 'waiver-one-signature');
  assert.is(codeOf(waiver({}, [ann, ann])), 'waiver-one-signature');
  assert.is(codeOf(waiver({}, [ann, ['eve', 'eve']])), 'waiver-one-signature');
  assert.is(codeOf(waiver({}, [ann, ['bob', 'bob'], ['eve', 'eve']])), 'waiver-one-signature');
  assert.is(codeOf(waiver({}, [ann, ['bob', 'ann']])), 'waiver-signature');
  assert.is(codeOf(waiver({}, [['bob', 'bob'], ann])), 'ok');
  assert.is(codeOf(waiver(), {}, [KEYS[0]!, KEYS[2]!]), 'waiver-key-unknown');
  const forFirmware = [KEYS[0]!, keyOf('bob', 'bob', 'gb-firmware')];
  assert.is(codeOf(waiver(), {}, forFirmware), 'waiver-key-purpose');
  const shared = [KEYS[0]!, keyOf('bob', 'ann')];
  assert.is(codeOf(waiver({}, [ann, ['bob', 'ann']]), {}, shared), 'waiver-key-shared');
  assert.is(codeOf(waiver({}, [ann, ['bob', 'new']]), {}, [...KEYS, keyOf('bob', 'new')]), 'ok');
});

test('signatures are asked once; device, time and keys each time', () => {
  const one = waiver();
  assert.is(codeOf(one), 'ok');
  assert.is(codeOf(one, { atMs: Date.UTC(2026, 0, 15) }), 'waiver-expired');
  assert.is(codeOf(one, { device: '90b3d51f30010002' }), 'waiver-other-device');
  assert.is(codeOf(one, {}, [KEYS[0]!, KEYS[2]!]), 'waiver-key-unknown');
  assert.is(codeOf(one), 'ok');
  assert.is(codeOf({ ...one, id: 'W-0002' }), 'waiver-signature');
});

test('every field is signed', () => {
  const good = waiver();
  const changes: Partial<DowngradeWaiver>[] = [
    { id: 'W-0002' },
    { reason: 'other' },
    { devices: [...good.devices, '90b3d51f30010009'] },
    { devices: good.devices.slice(1) },
    { hardware: OTHER },
    { imageVersion: 91 },
    { imageSha256: 'ac'.repeat(32) },
    { notBeforeMs: good.notBeforeMs - 1000 },
    { expiresMs: good.expiresMs + 1000 },
    { author: 'bob', approver: 'ann' },
  ];
  for (const change of changes) {
    assert.is(codeOf({ ...good, ...change }), 'waiver-signature', Object.keys(change)[0]);
  }
});

test('no flipped bit of a document is accepted', () => {
  const { signatures } = waiver();
  const text = Buffer.from(JSON.stringify({ ...DOCUMENT, signatures }));
  const accepts = (bytes: Buffer): boolean => {
    let document: unknown;
    try {
      document = JSON.parse(bytes.toString('utf8'));
    } catch {
      return false;
    }
    const parsed = parseWaiver(document);
    return parsed.ok && verifyWaiver(parsed.waiver, KEYS, UPGRADE).ok;
  };
  assert.ok(accepts(text));
  // An EUI-64 in the document may be written in either case and with other separators.
  const device = text.indexOf('90-B3');
  const digits = { start: device, end: text.indexOf('],"hardware"') };
  for (let bit = 0; bit < 8 * text.length; bit++) {
    const at = bit >> 3;
    const flipped = Buffer.from(text);
    flipped[at]! ^= 1 << (bit & 7);
    if (!accepts(flipped)) continue;
    assert.ok(
      at >= digits.start && at < digits.end,
      `bit ${bit} at ${text.subarray(at - 9, at + 9)}`,
    );
    const parsed = parseWaiver(JSON.parse(flipped.toString('utf8')));
    assert.ok(parsed.ok && parsed.waiver.devices.join() === waiver().devices.join());
  }
});

test('what is no waiver', () => {
  const codeOfDocument = (changes: object) => {
    const parsed = parseWaiver({ ...DOCUMENT, ...changes });
    return parsed.ok ? 'ok' : parsed.code;
  };
  assert.is(codeOfDocument({}), 'ok');
  for (const changes of [
    { kind: 'waiver' },
    { version: 2 },
    { extra: 1 },
    { id: '' },
    { author: ' ann' },
    { reason: 'x'.repeat(501) },
    { devices: [] },
    { devices: ['*'] },
    { devices: ['hub:'] },
    { devices: ['hub:a b'] },
    { devices: ['hub:*'] },
    { devices: ['CH-0001'] },
    { devices: ['hub:x', 'hub:x'] },
    { devices: [DEVICE, '90-B3-D5-1F-30-01-00-00'] },
    { hardware: { ...HARDWARE, extra: 'x' } },
    { hardware: { ...HARDWARE, model: '' } },
    { imageVersion: 0xffffffff },
    { imageSha256: SHA256.toUpperCase() },
    { notBefore: '2026-01-01' },
    { expires: '2026-02-31T00:00:00Z' },
    { signatures: [{ person: 'ann', value: '00' }] },
    { signatures: {} },
  ]) {
    assert.is(codeOfDocument(changes), 'waiver-malformed', JSON.stringify(changes).slice(0, 60));
  }
  assert.is(codeOfDocument({ expires: DOCUMENT.notBefore }), 'waiver-life');
  assert.is(codeOfDocument({ expires: '2026-03-01T00:00:00Z' }), 'waiver-life');
});

test.run();
