/** What a user is told of its devices: each thing once, whatever was skipped, repeated or lost. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceTable } from '../../src/duis/device-table.ts';
import { COLLECTING, FailureCollector } from '../../src/duis/failure-collector.ts';
import { requestIdText } from '../../src/duis/identifiers.ts';
import {
  type DeviceStory,
  type Notice,
  progressOf,
  upgradeRequested,
} from '../../src/duis/progress.ts';
import { FAILURE_MEANINGS, MILESTONES, PROGRESS_ROWS } from '../../src/duis/progress-rows.ts';
import type { AcceptedRequest } from '../../src/duis/request-book.ts';
import { responseText } from '../../src/duis/response.ts';
import { UPGRADE_STATES } from '../../src/jobs/states.ts';
import { DEVICE_KINDS, type DeviceKind } from '../../src/products/combinations.ts';
import { FAILURES } from '../../src/upgrade/states.ts';
import {
  ACTIVATION_ID,
  HASH,
  HUB_1,
  PPMID,
  RAISED_MS,
  SUPPLIER,
  signInForm,
  UPDATE_ID,
} from './response-samples.ts';

const test = suite('progress');

const request = (
  serviceReference: string,
  devices: readonly string[] = [PPMID],
): AcceptedRequest => ({
  id: requestIdText(serviceReference === '11.3' ? ACTIVATION_ID : UPDATE_ID),
  originator: SUPPLIER,
  atMs: 0,
  duisVersion: '5.1',
  serviceReference,
  body: 'UpdateFirmware',
  firmwareVersion: '00010203',
  devices: new DeviceTable(devices),
  hash: undefined,
  execution: undefined,
  deviceCount: 1,
  isExecuted: false,
  sequence: 1,
  jobs: ['j1'],
});

function story(
  kind: DeviceKind,
  state: DeviceStory['state'],
  more: Partial<DeviceStory> = {},
): DeviceStory {
  return {
    request: request('11.1'),
    deviceId: PPMID,
    kind,
    hubId: HUB_1,
    state,
    atMs: RAISED_MS,
    firmwareVersion: '00010203',
    imageHash: HASH,
    alertCounter: 77n,
    ...more,
  };
}

/** As a gateway does: what is queued is marked. */
function tell(told: DeviceStory): { texts: string[]; notices: Notice[]; collected: number } {
  const { notices, collected } = progressOf(told);
  for (const { about } of notices) {
    for (const device of about.devices) told.request.devices.mark(device, about.mark);
  }
  const texts = notices.map(({ response }) => responseText(response, signInForm));
  return { texts, notices, collected: collected.length };
}

test('a PPMID: transferred, then activated', () => {
  const of = request('11.1');
  const at = (state: DeviceStory['state']) => tell(story('ppmid', state, { request: of })).texts;
  assert.equal(at('planned'), []);
  assert.equal(at('distributing'), []);
  const [transferred, ...none] = at('distributed');
  assert.equal(none, []);
  assert.ok(
    transferred?.includes(
      '<sr:CommsHubAlert><sr:CommsHubDeviceID>02-55-50-4C-46-54-10-01</sr:CommsHubDeviceID>' +
        '<sr:AlertCode>8F8A</sr:AlertCode>',
    ),
  );
  assert.ok(transferred?.includes('<sr:TransferResponseCode>FileTransferSuccess<'));
  assert.equal(at('awaiting-activation'), [], 'once');
  const [activated] = at('done');
  assert.ok(activated?.includes('<sr:PPMIDAlert><sr:DeviceID>02-55-50-4C-46-54-20-01'));
  assert.ok(activated?.includes('<sr:ActivateImageResultCode>ActivationSuccess<'));
  assert.equal(at('done'), []);
});

test('what was skipped is told all the same', () => {
  const { texts } = tell(story('ppmid', 'done'));
  assert.is(texts.length, 2);
  assert.match(texts[0]!, /CommsHubAlert/);
  assert.match(texts[1]!, /PPMIDAlert/);
});

test('a hub: requested, activated; what it did not take or run is collected', () => {
  const of = request('11.1');
  const at = (state: DeviceStory['state'], code?: string) =>
    tell(story('communications_hub', state, { request: of, code }));
  assert.match(at('scheduled').texts[0]!, /UpdateRequested/);
  assert.equal(at('distributing').texts, []);
  assert.is(at('failed', 'transfer-broken').collected, 1);
  assert.match(at('done').texts[0]!, /ActivationSuccessful/, 'a further attempt');
  assert.is(
    tell(story('communications_hub', 'failed', { code: 'image-dropped-at-boot' })).collected,
    1,
  );
});

test('a meter: delivered with its word on the image, or not', () => {
  const good = tell(story('esme', 'distributed')).texts;
  assert.is(good.length, 2);
  assert.match(good[0]!, /N60<.*<sr:CommsHubTransferStatus>Success</);
  assert.match(good[1]!, /8F72<.*<ra:ManufacturerImageHash>A49E/);
  const bad = tell(story('gsme', 'failed', { code: 'image-refused-by-device' })).texts;
  assert.is(bad.length, 2);
  assert.match(bad[0]!, /N61<.*<sr:CommsHubTransferStatus>Failure</);
  assert.match(bad[1]!, /8F1C</);
  const broken = tell(story('gsme', 'failed', { code: 'transfer-stalled' })).texts;
  assert.is(broken.length, 1, 'a transfer that broke off says nothing of the image');
});

test('what no byte reached is collected, whatever ended it', () => {
  for (const state of ['refused', 'cancelled', 'superseded', 'expired'] as const) {
    const { texts, collected } = tell(story('ppmid', state));
    assert.equal(texts, [], state);
    assert.is(collected, 1, state);
  }
  assert.is(tell(story('ppmid', 'failed', { code: 'no-such-code' })).collected, 1);
  assert.is(tell(story('ppmid', 'failed', { code: 'constructor' })).collected, 1);
});

test('a device that has the image fails at its activation alone', () => {
  const of = request('11.1');
  tell(story('ppmid', 'distributed', { request: of }));
  const { texts, collected } = tell(story('ppmid', 'expired', { request: of }));
  assert.is(collected, 0);
  assert.match(texts[0]!, /<sr:ActivateImageResultCode>ActivationFailure</);
});

test('nothing is said of what nobody knows, nor of a device of another request', () => {
  assert.equal(tell(story('ppmid', 'done', { deviceId: HUB_1 })).texts, []);
  assert.equal(tell(story('ppmid', 'unknown-outcome')).texts, []);
});

test('11.3 at once: the answer of the device, with both ids', () => {
  const of = request('11.3');
  const more = { request: of, deviceId: PPMID };
  assert.equal(tell(story('ppmid', 'activating', more)).texts, []);
  const [done] = tell(story('ppmid', 'done', more)).texts;
  assert.match(done!, /<sr:ResponseID>02-55-50-4C-46-54-10-01:02-55-50-4C-46-54-00-01:/);
  assert.match(done!, /ResponseCode="0"><ra:ASN1Status>success</);
  const failed = request('11.3');
  const [text] = tell(story('ppmid', 'failed', { request: failed, code: 'hold-expired' })).texts;
  assert.match(text!, /MessageSuccess="false"><ra:ActivateImageResponseCode ResponseCode="1"/);
});

test('11.3 for later: the alert of the device, without ids', () => {
  const executionMs = RAISED_MS;
  const [done] = tell(story('ppmid', 'done', { request: request('11.3'), executionMs })).texts;
  assert.not.match(done!, /<sr:RequestID>/);
  assert.match(done!, /<ra:OriginatorCounter>77</);
  assert.match(done!, /8F66<.*<ra:OriginatorCounterFromCommand>1700000000003</);
  const [failed] = tell(
    story('ppmid', 'failed', { request: request('11.3'), executionMs, code: 'device-reverted' }),
  ).texts;
  assert.match(failed!, /8F67<.*activationFailure</);
});

test('a version that the inventory does not have is told once', () => {
  const of = request('11.1');
  const versions = { inventory: '00010202', device: '00010203' };
  const first = tell(story('ppmid', 'verifying', { request: of, versions })).texts;
  assert.match(first[0]!, /<sr:FirmwareVersionSMI>00010202<.*<sr:FirmwareVersionDevice>00010203</);
  assert.equal(tell(story('ppmid', 'staged', { request: of, versions })).texts, []);
  const same = { inventory: '00010203', device: '00010203' };
  assert.equal(tell(story('ppmid', 'staged', { versions: same })).texts, []);
});

test('a version for which a message has no room is left out of it', () => {
  const versions = { inventory: '00010202', device: 'endless '.repeat(1_000) };
  assert.equal(tell(story('ppmid', 'staged', { versions })).texts, []);
  const of = { ...request('11.3'), firmwareVersion: undefined };
  for (const firmwareVersion of ['', undefined, 'v'.repeat(9)]) {
    const again = { ...of, devices: new DeviceTable([PPMID]) };
    const [done] = tell(story('ppmid', 'done', { request: again, firmwareVersion })).texts;
    assert.match(done!, /<\/ra:ActivateImageResponseCode><\/ra:ActivateFirmwareRsp>/);
  }
});

test('the other supplier hears of an upgrade of what both use', () => {
  const notice = upgradeRequested(
    request('11.4'),
    { user: '0255504c46540003', kind: 'ppmid', deviceIds: [PPMID] },
    RAISED_MS,
  );
  assert.is(notice.user, '0255504c46540003');
  assert.is(notice.about.mark, MILESTONES['other-told']);
  assert.match(responseText(notice.response), /<sr:DeviceType>PPMID</);
});

test('any course of any device tells no milestone twice, and every one as XML', () => {
  const step = fc.record({
    state: fc.constantFrom(...UPGRADE_STATES),
    code: fc.option(fc.constantFrom(...Object.keys(FAILURES)), { nil: undefined }),
    dated: fc.boolean(),
  });
  const property = fc.property(
    fc.constantFrom(...DEVICE_KINDS),
    fc.constantFrom('11.1', '11.3', '11.4'),
    fc.array(step, { maxLength: 25 }),
    (kind, serviceReference, steps) => {
      const of = request(serviceReference);
      const marks: number[] = [];
      for (const { state, code, dated } of steps) {
        const executionMs = dated ? { executionMs: RAISED_MS } : {};
        const before = of.devices.marksOf(PPMID);
        const { notices } = tell(story(kind, state, { request: of, code, ...executionMs }));
        const fresh = new Set(notices.map(({ about }) => about.mark));
        for (const mark of fresh) assert.is(before & mark, 0);
        marks.push(...fresh);
      }
      assert.is(new Set(marks).size, marks.length);
    },
  );
  fc.assert(property, { seed: 8, numRuns: 400 });
});

test('the table: each milestone of a kind in one row, each failure with a meaning', () => {
  const keys = PROGRESS_ROWS.flatMap(({ serviceReferences, kinds, milestone }) =>
    serviceReferences.flatMap((reference) =>
      kinds.map((kind) => `${reference} ${kind} ${milestone}`),
    ),
  );
  assert.is(new Set(keys).size, keys.length);
  assert.equal(Object.keys(FAILURE_MEANINGS).sort(), Object.keys(FAILURES).sort());
  const bits = Object.values(MILESTONES);
  assert.is(
    bits.reduce((sum, bit) => sum | bit, 0),
    0xff,
  );
  assert.is(
    bits.reduce((sum, bit) => sum + bit, 0),
    0xff,
    'no bit twice',
  );
});

test('many devices that were not reached are few messages, and each device is in one', () => {
  const devices = Array.from({ length: 5_001 }, (_, n) => n.toString(16).padStart(16, '0'));
  const of = request('11.1', devices);
  const collector = new FailureCollector();
  for (const [index, deviceId] of devices.entries()) {
    collector.add({ request: of, deviceId, mark: MILESTONES.undelivered }, index);
  }
  collector.add({ request: of, deviceId: devices[0]!, mark: MILESTONES.undelivered }, 10);
  const told: string[] = [];
  const take = (nowMs: number) => {
    const sizes: number[] = [];
    for (;;) {
      const notice = collector.pollNotice(nowMs);
      if (!notice) return sizes;
      sizes.push(notice.about.devices.length);
      told.push(...notice.about.devices);
      assert.match(responseText(notice.response), /<sr:FirmwareDistributionFailure>/);
    }
  };
  assert.equal(take(5_001), [2_000, 2_000], 'the rest may become more');
  assert.is(collector.pollTimeout(), COLLECTING.collectMs);
  assert.equal(take(COLLECTING.collectMs), [1_001]);
  assert.equal(told, devices);
  assert.is(collector.pollTimeout(), undefined);
});

test.run();
