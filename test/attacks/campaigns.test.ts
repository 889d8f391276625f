/**
 * Attacks by and on campaigns: what a gateway refuses although, or because, somebody signed it. Each is
 * refused under a code that names it, what the gateway remembers is left as it was, and the next good
 * campaign is taken.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeCbor } from '../../src/bytes/cbor.ts';
import {
  acceptCampaign,
  acceptDevice,
  type CampaignSituation,
  type CampaignState,
  checkImageBytes,
  checkTime,
} from '../../src/campaign/acceptance.ts';
import {
  CAMPAIGN_CONTENT_TYPE,
  encodeManifest,
  type Manifest,
  manifestDocument,
  readManifestDocument,
} from '../../src/campaign/manifest.ts';
import { decodeCampaign, openCampaign } from '../../src/campaign/signed-campaign.ts';
import { type CoseSigner, signAlone } from '../../src/trust/cose.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import {
  ANN,
  BOB,
  CARLA,
  changed,
  DAY_MS,
  GATEWAY,
  HARDWARE,
  IMAGE,
  MANIFEST,
  NOW,
  PPMID,
  signedBy,
  signedCampaign,
  signer,
  situation,
  TRUST,
} from '../campaign/campaigns.ts';
import { crl, UNTIL_MS } from '../trust/naive-x509.ts';
import { anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';

const test = suite('attacks on campaigns');
const HOUR_MS = 3_600_000;

/** A gateway that accepted generation 6 an hour ago. */
const STATE: CampaignState = {
  newestSeenMs: NOW - HOUR_MS,
  lines: new Map([
    ['ppmid', { generation: 6, digest: 'f0'.repeat(32), ended: true, anchors: 'anchors-1' }],
  ]),
};

function attack(
  bytes: Uint8Array,
  expected: string,
  more: Partial<CampaignSituation> = {},
  trust: Parameters<typeof acceptCampaign>[1] = TRUST,
): void {
  const state = more.state ?? STATE;
  const before = structuredClone(state);
  const answer = acceptCampaign(bytes, trust, situation({ state, ...more }));
  assert.is(answer.ok ? 'ok' : answer.code, expected);
  assert.equal(state, before, 'what is remembered');
  const next = signedCampaign({ generation: 9, id: 'next' });
  assert.ok(acceptCampaign(next, TRUST, situation({ state: STATE })).ok, 'the next one is taken');
}

const signedAs = (changes: Partial<Manifest>, ...signers: CoseSigner[]) =>
  signedBy(encodeManifest(changed(changes)), ...signers);

test('2 a campaign older than the one accepted', () => {
  attack(signedCampaign({ generation: 5 }), 'generation-rollback');
  attack(signedCampaign({ generation: 6 }), 'generation-reused');
});

test('3 a generation at its maximum, and the way back with new trust anchors', () => {
  attack(signedCampaign({ generation: 0xffff_ffff }), 'generation-fast-forward');
  attack(signedCampaign({ generation: 1007 }), 'generation-fast-forward');
  const burnt = { ...STATE.lines.get('ppmid')!, generation: 0xffff_fff0 };
  const state = { ...STATE, lines: new Map([['ppmid', burnt]]) };
  attack(signedCampaign(), 'generation-rollback', { state });
  attack(signedCampaign(), 'ok', { state, anchorsDigest: 'anchors-2' });
});

test('4a an expired campaign, offered or waiting', () => {
  attack(signedCampaign({ expiresMs: NOW - 1000 }), 'campaign-expired');
  attack(signedCampaign(), 'campaign-expired', { nowMs: MANIFEST.expiresMs });
  assert.is(
    checkTime(MANIFEST, { state: STATE, nowMs: MANIFEST.expiresMs })?.code,
    'campaign-expired',
  );
});

test('4b the clock set back, so that an end is in the future again', () => {
  const expiresMs = NOW - 2 * HOUR_MS;
  attack(signedCampaign({ expiresMs }), 'clock-set-back', { nowMs: NOW - 3 * HOUR_MS });
  attack(signedCampaign(), 'expired', { state: { ...STATE, newestSeenMs: UNTIL_MS + 1000 } });
});

test('5b a device that changed its version since', () => {
  const device = { name: PPMID, deviceModel: { ...HARDWARE, firmwareVersion: '01900000' } };
  const answer = acceptDevice(MANIFEST, device);
  assert.is(answer.ok ? 'ok' : answer.code, 'other-precursor');
});

test('6a an image that the campaign does not list, or lists for others', () => {
  const device = { name: PPMID, deviceModel: { ...HARDWARE, firmwareVersion: '01000000' } };
  const accepted = acceptDevice(MANIFEST, device);
  if (!accepted.ok) return assert.unreachable(accepted.code);
  const found = { sha256: 'ee'.repeat(32), bytes: IMAGE.bytes };
  assert.is(checkImageBytes(MANIFEST, accepted, found)?.code, 'image-mixed');
  const good = { sha256: IMAGE.sha256, bytes: IMAGE.bytes };
  assert.is(checkImageBytes(MANIFEST, accepted, good), undefined);
});

test('7a another Device Model: that device alone', () => {
  const [target] = MANIFEST.targets;
  for (const field of ['manufacturer', 'model', 'hardwareVersion', 'hardwareRevision'] as const) {
    const deviceModel = { ...HARDWARE, firmwareVersion: target!.from[0]!, [field]: 'FF' };
    const answer = acceptDevice(MANIFEST, { name: PPMID, deviceModel });
    assert.is(answer.ok ? 'ok' : answer.code, 'other-device-model');
  }
});

test('7b another region', () => {
  attack(signedCampaign({ regions: ['wales'] }), 'other-region');
});

test('14a all signatures from one key, or one person', () => {
  attack(signedAs({}, ANN), 'approvals-too-few');
  attack(signedAs({ approvals: 2 }, ANN, BOB, BOB), 'approver-twice');
  const renewed = signer('robert', { key: 'the next key of robert' });
  attack(signedAs({ approvals: 2 }, ANN, BOB, renewed), 'approver-twice');
  attack(signedAs({ approvals: 2 }, ANN, BOB, CARLA), 'ok');
  const strict = { gateway: { ...GATEWAY, approvalsMin: 2 } };
  attack(signedAs({ approvals: 1 }, ANN, BOB), 'approvals-lowered', strict);
});

test('14b a revoked key, and a certificate that is not in its dates', () => {
  const lists = [
    parseRevocationList(crl({ signedBy: 'root', issuer: ROOT })),
    parseRevocationList(
      crl({ signedBy: 'issuing', issuer: ISSUING, revoked: [BOB.certificates[0].serialNumber] }),
    ),
  ].filter((list) => 'revoked' in list);
  attack(signedCampaign(), 'revoked', {}, { ...TRUST, crls: lists });
  const ended = signer('robert', { untilMs: NOW - DAY_MS });
  attack(signedAs({}, ANN, ended), 'expired');
  const early = signer('robert', { fromMs: NOW + DAY_MS });
  attack(signedAs({}, ANN, early), 'not-yet-valid');
  // Enough others make it no better.
  attack(signedAs({}, ANN, CARLA, ended), 'expired');
});

test('14c a key for another purpose', () => {
  const firmware = { anchors: [anchor(make(SPECS.root).der, 'gb-firmware')] };
  attack(signedCampaign(), 'wrong-purpose', {}, firmware);
  attack(signedAs({}, ANN, signer('xml', { subject: [['OU', '87']] })), 'wrong-role');
});

test('14d the author approves, under the same key, another key, or another name', () => {
  attack(signedAs({}, ANN, ANN), 'self-approval');
  attack(signedAs({}, ANN, signer('ann', { key: 'another key of ann' })), 'self-approval');
  attack(signedAs({}, ANN, signer('annette', { key: 'ann' })), 'self-approval');
  attack(signedAs({}, BOB, CARLA), 'author-unsigned');
});

test('14e a chain through a certificate that is no CA', () => {
  const leaf = make(SPECS.supplier);
  const below = signer('eve', { signedBy: 'supplier', issuer: SPECS.supplier.subject });
  const through: CoseSigner = {
    ...below,
    certificates: [below.certificates[0], leaf, make(SPECS.issuing)],
  };
  attack(signedAs({}, ANN, through), 'leaf-as-ca');
});

test('15d the bytes change between verification and use', () => {
  const bytes = signedCampaign();
  const accepted = acceptCampaign(bytes, TRUST, situation({ state: STATE }));
  const evil = signedCampaign({ devices: ['0255504c46542099'] });
  bytes.set(evil.subarray(0, bytes.length));
  if (!accepted.ok) return assert.unreachable(accepted.code);
  assert.equal(accepted.campaign.manifest, MANIFEST);
  attack(bytes.slice(), 'cose-cbor');
});

/** Signed by those who may, so that nothing but the form is wrong. */
const payload = (hex: string) => signedBy(Uint8Array.from(Buffer.from(hex, 'hex')), ANN, BOB);
const raw = (hex: string) => Uint8Array.from(Buffer.from(`d862${hex}`, 'hex'));
const FORMS: { id: string; what: string; hex: string }[] = [
  { id: '20a', what: '200,000 nested arrays', hex: '81'.repeat(200_000) },
  { id: '20b', what: 'an array of 2^32 - 1', hex: '9affffffff' },
  { id: '20b', what: 'bytes of 2^32 - 1', hex: '5affffffff' },
  { id: '20b', what: 'a map of 2^64 - 1', hex: 'bbffffffffffffffff' },
  { id: '20c', what: 'an array that never ends', hex: '9f0000' },
  { id: '20c', what: 'a string that never ends', hex: '7f6161' },
  { id: '20d', what: 'a key twice', hex: 'a201010101' },
  { id: '20e', what: 'a long-form integer', hex: 'a1011801' },
  { id: '20e', what: 'a map without a length', hex: 'bf0101ff' },
  { id: '20e', what: 'keys out of order', hex: 'a202010101' },
  { id: '20f', what: 'bytes after the item', hex: 'a1010100' },
  { id: '20h', what: 'text that is no UTF-8', hex: 'a10161ff' },
  { id: '20h', what: 'a tag', hex: 'a101c100' },
  { id: '20h', what: 'NaN', hex: 'a101f97e00' },
  { id: '20h', what: 'undefined', hex: 'a101f7' },
  { id: '20h', what: 'null', hex: 'a101f6' },
];

for (const { id, what, hex } of FORMS) {
  test(`${id} ${what}, as a manifest and as a document`, () => {
    attack(payload(hex), 'manifest-cbor');
    attack(raw(hex), 'cose-cbor');
  });
}

test('20g keys __proto__ and constructor', () => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    attack(signedBy(encodeCbor(new Map([[key, 1]])), ANN, BOB), 'field-unknown');
    const document = JSON.parse(`{"${key}": {"polluted": true}}`) as unknown;
    const read = readManifestDocument(document);
    assert.is(read.ok ? 'ok' : read.code, 'field-unknown');
  }
  assert.is(({} as { polluted?: unknown }).polluted, undefined);
});

test('22a a campaign again: the same answer, and nothing once it has ended', () => {
  const bytes = signedCampaign();
  const first = acceptCampaign(bytes, TRUST, situation({ state: STATE }));
  if (!first.ok) return assert.unreachable(first.code);
  assert.is(first.repeated, false);
  const again = acceptCampaign(bytes, TRUST, situation({ state: first.state }));
  assert.ok(again.ok && again.repeated);
  const line = { ...first.state.lines.get('ppmid')!, ended: true };
  const state = { ...first.state, lines: new Map([['ppmid', line]]) };
  attack(bytes, 'campaign-replayed', { state });
  // With another signature it is the same campaign.
  attack(signedAs({}, ANN, BOB, CARLA), 'campaign-replayed', { state });
});

test('22b an older campaign held back and let through after a newer one', () => {
  const newer = acceptCampaign(
    signedCampaign({ generation: 8 }),
    TRUST,
    situation({ state: STATE }),
  );
  if (!newer.ok) return assert.unreachable(newer.code);
  attack(signedCampaign(), 'generation-rollback', { state: newer.state });
});

test('22c a campaign of another gateway, or of another fleet', () => {
  attack(signedCampaign({ gateways: ['gateway-2'] }), 'other-gateway');
  attack(signedCampaign({ fleet: 'south' }), 'other-fleet');
});

test('32 what is not signed changes nothing that is', () => {
  const bytes = signedCampaign();
  const at = Buffer.from(bytes).indexOf('ppmid-2026-01');
  const other = Uint8Array.from(bytes);
  other[at] = 0x71;
  attack(other, 'signature-other-bytes');
  attack(signAlone(encodeManifest(MANIFEST), CAMPAIGN_CONTENT_TYPE, ANN), 'cose-structure');
  attack(signedBy(encodeManifest(MANIFEST)), 'cose-no-signature');
  const unsigned = decodeCampaign(signedBy(encodeManifest(MANIFEST)));
  assert.is(unsigned.ok ? 'ok' : unsigned.code, 'cose-no-signature');
  // What approvers see: one digest for one manifest, whoever signed.
  const digests = [signedAs({}, ANN, BOB), signedAs({}, ANN, CARLA)].map((one) => {
    const opened = openCampaign(one, { ...TRUST, atMs: NOW });
    return opened.ok ? opened.digest : opened.code;
  });
  assert.is(digests[0], digests[1]);
});

test('33 a second image: along with the first, or for the same device', () => {
  const other = { ...IMAGE, sha256: 'c3'.repeat(32) };
  attack(signedCampaign({ images: [IMAGE, other] }), 'image-unused');
  const [target] = MANIFEST.targets;
  const twice = [target!, { ...target!, image: other.sha256 }];
  attack(signedCampaign({ images: [IMAGE, other], targets: twice }), 'two-images');
  const required = { ...manifestDocument(MANIFEST), requires: [other.sha256] };
  const read = readManifestDocument(required);
  assert.is(read.ok ? 'ok' : read.code, 'field-unknown');
});

test.run();
