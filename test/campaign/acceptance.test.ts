/** What a gateway takes of a campaign that is signed well: every refusal, and what it remembers. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  acceptCampaign,
  acceptDevice,
  type CampaignSituation,
  type CampaignState,
  checkImageBytes,
  checkTime,
  FIRST_GENERATION_MAX,
  GENERATION_STEP_MAX,
  type LineState,
  NO_CAMPAIGNS,
} from '../../src/campaign/acceptance.ts';
import type { Manifest } from '../../src/campaign/manifest.ts';
import {
  changed,
  DAY_MS,
  GATEWAY,
  HARDWARE,
  IMAGE,
  MANIFEST,
  NOW,
  PPMID,
  signedCampaign,
  situation,
  TRUST,
} from './campaigns.ts';

const test = suite('campaign/acceptance');

const accept = (changes: Partial<Manifest>, more: Partial<CampaignSituation> = {}) =>
  acceptCampaign(signedCampaign(changes), TRUST, situation(more));
const codeOf = (result: { ok: boolean; code?: string }) => (result.ok ? 'ok' : result.code!);

const knowing = (line: Partial<LineState>, newestSeenMs = 0): { state: CampaignState } => ({
  state: {
    newestSeenMs,
    lines: new Map([
      ['ppmid', { generation: 7, digest: 'f0', ended: false, anchors: 'anchors-1', ...line }],
    ]),
  },
});

const CASES: [string, Partial<Manifest>, Partial<CampaignSituation>, string][] = [
  ['the first of its line', {}, {}, 'ok'],
  ['for this gateway by name', { gateways: ['gateway-1'] }, {}, 'ok'],
  ['for another gateway', { gateways: ['gateway-2'] }, {}, 'other-gateway'],
  ['for another fleet', { fleet: 'south' }, {}, 'other-fleet'],
  ['for this region', { regions: ['scotland', 'wales'] }, {}, 'ok'],
  ['for another region', { regions: ['wales'] }, {}, 'other-region'],
  [
    'for regions, at a gateway of none',
    { regions: ['wales'] },
    { gateway: { id: 'gateway-1', fleet: 'north', windows: ['night'], approvalsMin: 1 } },
    'other-region',
  ],
  ['in a window that is not here', { window: 'noon' }, {}, 'window-unknown'],
  [
    'fewer approvals than here',
    {},
    { gateway: { ...GATEWAY, approvalsMin: 2 } },
    'approvals-lowered',
  ],
  ['ended', { expiresMs: NOW }, {}, 'campaign-expired'],
  ['in its last second', { expiresMs: NOW + 1000 }, {}, 'ok'],
  [
    'ended, and the clock set back',
    { expiresMs: NOW },
    { ...knowing({ generation: 6 }, NOW), nowMs: NOW - DAY_MS / 2 },
    'clock-set-back',
  ],
  ['issued in an hour', { issuedMs: NOW + 3_600_000 }, {}, 'campaign-from-future'],
  ['issued in a minute: clocks differ', { issuedMs: NOW + 60_000 }, {}, 'ok'],
  ['a time that is no number', {}, { nowMs: Number.NaN }, 'not-yet-valid'],
  ['the next generation', {}, knowing({ generation: 6 }), 'ok'],
  ['an older one', {}, knowing({ generation: 8 }), 'generation-rollback'],
  ['another of the same', {}, knowing({}), 'generation-reused'],
  ['as far ahead as may be', { generation: 7 + GENERATION_STEP_MAX }, knowing({}), 'ok'],
  ['one further', { generation: 8 + GENERATION_STEP_MAX }, knowing({}), 'generation-fast-forward'],
  ['the last there is', { generation: 0xffff_ffff }, knowing({}), 'generation-fast-forward'],
  ['the last there is, at first', { generation: 0xffff_ffff }, {}, 'generation-fast-forward'],
  ['far ahead, at first', { generation: FIRST_GENERATION_MAX }, {}, 'ok'],
  [
    'older, under other trust anchors',
    {},
    knowing({ generation: 0xffff_ffff, anchors: 'before' }),
    'ok',
  ],
  [
    'far ahead, under other trust anchors',
    { generation: 0xffff_ffff },
    knowing({ anchors: 'before' }),
    'generation-fast-forward',
  ],
  ['an older one of another line', { line: 'hubs', generation: 1 }, knowing({}), 'ok'],
];

for (const [what, changes, more, expected] of CASES) {
  test(what, () => assert.is(codeOf(accept(changes, more)), expected));
}

test('what is remembered', () => {
  const first = accept({});
  if (!first.ok) return assert.unreachable(first.code);
  assert.is(first.repeated, false);
  assert.is(first.state.newestSeenMs, NOW);
  const { digest } = first.campaign;
  const line = { generation: 7, digest, ended: false, anchors: 'anchors-1' };
  assert.equal([...first.state.lines], [['ppmid', line]]);
  assert.is(NO_CAMPAIGNS.lines.size, 0);
});

test('accepted again it is the same campaign, and nothing new', () => {
  const bytes = signedCampaign();
  const first = acceptCampaign(bytes, TRUST, situation());
  if (!first.ok) return assert.unreachable(first.code);
  const again = acceptCampaign(bytes, TRUST, situation({ state: first.state }));
  assert.ok(again.ok && again.repeated);
  const known = first.state.lines.get('ppmid')!;
  const state = { ...first.state, lines: new Map([['ppmid', { ...known, ended: true }]]) };
  assert.is(codeOf(acceptCampaign(bytes, TRUST, situation({ state }))), 'campaign-replayed');
});

test('a campaign that waits runs out', () => {
  assert.is(checkTime(MANIFEST, situation()), undefined);
  const later = { ...situation(), nowMs: MANIFEST.expiresMs };
  assert.is(checkTime(MANIFEST, later)?.code, 'campaign-expired');
  const back = { state: { ...NO_CAMPAIGNS, newestSeenMs: MANIFEST.expiresMs }, nowMs: NOW };
  assert.is(checkTime(MANIFEST, back)?.code, 'clock-set-back');
});

const device = (more: object = {}, name = PPMID) => ({
  name,
  deviceModel: { ...HARDWARE, firmwareVersion: '01000000', ...more },
});

test('which devices it is for', () => {
  const of = (manifest: Manifest, ...rest: [ReturnType<typeof device>]) =>
    codeOf(acceptDevice(manifest, ...rest));
  assert.is(of(MANIFEST, device()), 'ok');
  assert.is(of(MANIFEST, device({ manufacturer: '121d', firmwareVersion: ' 01800000' })), 'ok');
  for (const field of ['manufacturer', 'model', 'hardwareVersion', 'hardwareRevision']) {
    assert.is(of(MANIFEST, device({ [field]: 'FF' })), 'other-device-model', field);
  }
  assert.is(of(MANIFEST, device({ firmwareVersion: '02000000' })), 'other-precursor');
  const named = changed({ devices: [PPMID] });
  assert.is(of(named, device()), 'ok');
  assert.is(of(named, device({}, '0255504c46542099')), 'device-not-named');
});

test('each start has its own image, and no image is below the floor', () => {
  const [target] = MANIFEST.targets;
  const other = { ...IMAGE, sha256: 'c3'.repeat(32), version: 0x0180_0000 };
  const manifest = changed({
    images: [IMAGE, other],
    targets: [
      { ...target!, from: ['01800000'] },
      { ...target!, from: ['01000000'], image: other.sha256 },
    ],
  });
  const accepted = acceptDevice(manifest, device());
  if (!accepted.ok) return assert.unreachable(accepted.code);
  assert.is(accepted.image, other);
  const floors = { version: 1, floors: [{ ...HARDWARE, floor: 0x0180_0001 }] } as const;
  assert.is(codeOf(acceptDevice(manifest, device(), floors)), 'below-floor');
  const newer = acceptDevice(manifest, device({ firmwareVersion: '01800000' }), floors);
  assert.ok(newer.ok && newer.image === IMAGE);
  const check = (sha256: string, bytes: number = IMAGE.bytes) =>
    checkImageBytes(manifest, accepted, { sha256, bytes })?.code;
  assert.is(check(other.sha256), undefined);
  assert.is(check(other.sha256, 1), 'image-size');
  assert.is(check(IMAGE.sha256), 'image-of-other-target');
  assert.is(check('d4'.repeat(32)), 'image-mixed');
});

test.run();
