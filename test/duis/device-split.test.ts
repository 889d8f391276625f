/** Devices of one request, parted: every device in one place, and the answer that says so. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  acknowledge,
  answerDated,
  answerUpdate,
  answerVersion,
  refuse,
} from '../../src/duis/answers.ts';
import { type DeviceDecision, decisionOf, splitByAdmission } from '../../src/duis/device-split.ts';
import { responseText } from '../../src/duis/response.ts';
import { quickestMs } from '../support/quickest.ts';
import {
  ACTIVATION_ID,
  ANSWERED_MS,
  HUB_1,
  HUB_2,
  PPMID,
  SUPPLIER,
  signInForm,
  UPDATE_ID,
} from './response-samples.ts';

const test = suite('devices of a request');

const REQUEST = { serviceReference: '11.1', duisVersion: '5.1' };
const refused = (code: string): DeviceDecision => ({ origin: 'admission', code });
const split = (deviceIds: readonly string[], decisions: Record<string, DeviceDecision>) =>
  splitByAdmission({ ...REQUEST, deviceIds }, new Map(Object.entries(decisions)));

test('all admitted', () => {
  const done = split([HUB_2, HUB_1], { [HUB_1]: 'admitted', [HUB_2]: 'admitted' });
  assert.equal(done, {
    outcome: 'done',
    responseCode: 'I0',
    admitted: [HUB_2, HUB_1],
    lists: {},
    repeated: [],
    refusals: [],
  });
});

test('some refused: each in its list', () => {
  const partly = split([HUB_1, HUB_2, PPMID, SUPPLIER], {
    [HUB_1]: 'admitted',
    [HUB_2]: refused('request.one-open'),
    [PPMID]: refused('epcl.combination'),
  });
  assert.is(partly.outcome, 'partly');
  assert.is(partly.responseCode, 'W110101');
  assert.equal(partly.admitted, [HUB_1]);
  assert.equal(partly.lists, {
    InvalidDeviceIDList: [SUPPLIER],
    NotApplicableFirmwareDeviceIDList: [PPMID],
    OtherRequestInProgressList: [HUB_2],
  });
});

test('a device that stands there twice is done once, and told', () => {
  const partly = split([HUB_1, HUB_2, HUB_1, HUB_2, HUB_1], { [HUB_1]: 'admitted' });
  assert.equal(partly.admitted, [HUB_1]);
  assert.equal(partly.lists, { InvalidDeviceIDList: [HUB_2] });
  assert.equal(partly.repeated, [HUB_1, HUB_2]);
});

test('an image that is refused refuses the request; devices that are refused are listed', () => {
  const image = refused('image.signature');
  const whole = split([HUB_1, HUB_2], { [HUB_1]: image, [HUB_2]: image });
  assert.is(whole.outcome, 'refused');
  assert.is(whole.responseCode, 'E110101');
  assert.equal(whole.lists, {});
  assert.equal(whole.refusals, [{ refusal: image, devices: 2 }]);

  const mixed = split([HUB_1, HUB_2], { [HUB_1]: image });
  assert.is(mixed.outcome, 'partly', 'one is unknown: the list says which');
  assert.equal(mixed.admitted, []);
  assert.equal(mixed.lists, {
    InvalidDeviceIDList: [HUB_2],
    NotApplicableFirmwareDeviceIDList: [HUB_1],
  });
});

test('a decision of admission names its rule', () => {
  assert.is(decisionOf({ verdict: 'admitted' }), 'admitted');
  assert.equal(decisionOf({ verdict: 'refused', ruleId: 'cpl.listed' }), refused('cpl.listed'));
});

test('every device of any request stands in one place', () => {
  const device = fc.integer({ min: 0, max: 20 }).map((n) => n.toString(16).padStart(16, '0'));
  const decision = fc.constantFrom<DeviceDecision | undefined>(
    'admitted',
    undefined,
    refused('request.one-open'),
    refused('image.readable'),
    { origin: 'service', code: 'device-not-commissioned' },
    { origin: 'service', code: 'device-gbcs-version' },
  );
  const property = fc.property(
    fc.array(device, { minLength: 1, maxLength: 60 }),
    fc.array(decision, { minLength: 21, maxLength: 21 }),
    (deviceIds, decisions) => {
      const of = { get: (id: string) => decisions[Number.parseInt(id, 16)] };
      const result = splitByAdmission({ ...REQUEST, deviceIds }, of);
      const placed = [...result.admitted, ...Object.values(result.lists).flat()];
      const distinct = [...new Set(deviceIds)];
      if (result.outcome === 'refused') assert.equal(placed, []);
      else assert.equal(placed.sort(), distinct.sort());
      const refusals = result.refusals.reduce((sum, { devices }) => sum + devices, 0);
      assert.is(refusals + result.admitted.length, distinct.length);
      assert.is(new Set(result.repeated).size, result.repeated.length);
    },
  );
  fc.assert(property, { seed: 11, numRuns: 300 });
});

test('50,000 devices are parted in well under a second', () => {
  const deviceIds = Array.from({ length: 50_000 }, (_, n) => n.toString(16).padStart(16, '0'));
  const decisions = new Map<string, DeviceDecision>(
    deviceIds.map((id, n) => [id, n % 3 === 0 ? 'admitted' : refused('device.newer')]),
  );
  const tookMs = quickestMs(() => {
    const result = splitByAdmission({ ...REQUEST, deviceIds }, decisions);
    assert.is(result.admitted.length, 16_667);
    assert.is(result.lists.NotApplicableFirmwareDeviceIDList?.length, 33_333);
  });
  assert.ok(tookMs < 1_000, `${tookMs} ms`);
});

const header = (serviceReference: string, requestId = UPDATE_ID) => ({
  schemaVersion: '5.40',
  header: { requestId, serviceReference, serviceReferenceVariant: serviceReference },
});

test('the answers of the DCC itself', () => {
  const asked = header('11.4');
  const done = split([HUB_1], { [HUB_1]: 'admitted' });
  const plain = answerUpdate(asked, ANSWERED_MS, done);
  assert.is(plain.responseId, undefined);
  assert.is(plain.schemaVersion, '5.40', 'as it was asked');
  assert.equal(plain.body, {
    kind: 'message',
    serviceReference: '11.4',
    serviceReferenceVariant: '11.4',
  });
  const partly = splitByAdmission(
    { serviceReference: '11.4', duisVersion: '5.4', deviceIds: [PPMID] },
    new Map(),
  );
  const text = responseText(answerUpdate(asked, ANSWERED_MS, partly));
  assert.match(text, /W110401.*<sr:DSPUpdatePPMIDFirmwareWarning><sr:InvalidDeviceIDList>/);
  assert.is(acknowledge(header('11.3'), ANSWERED_MS).responseCode, 'I99');
  const signature = { origin: 'signature', code: 'signature-missing' } as const;
  const refusal = refuse({ ...header('11.2'), schemaVersion: '9.9' }, ANSWERED_MS, signature);
  assert.is(refusal.responseCode, 'E100');
  assert.is(refusal.schemaVersion, '3.0', 'in a version that there is');
});

test('the answers of a device', () => {
  const asked = header('11.3', ACTIVATION_ID);
  const dated = responseText(answerDated(asked, ANSWERED_MS), signInForm);
  assert.ok(
    dated.includes('<ra:ActivateFirmwareRsp MessageSuccess="true"></ra:ActivateFirmwareRsp>'),
  );
  const read = answerVersion(header('11.2', ACTIVATION_ID), ANSWERED_MS, {
    firmwareVersion: '00010203',
  });
  assert.equal(read.responseId, {
    originator: ACTIVATION_ID.target,
    target: ACTIVATION_ID.originator,
    counter: ACTIVATION_ID.counter,
  });
  assert.match(
    responseText(read, signInForm),
    /<ra:ReadFirmwareVersionRsp MessageSuccess="true"><ra:FirmwareVersion>00010203</,
  );
  const silent = answerVersion(header('11.2', ACTIVATION_ID), ANSWERED_MS, {
    error: { responseCode: 1, text: 'the device did not answer' },
  });
  assert.match(
    responseText(silent, signInForm),
    /MessageSuccess="false"><\/ra:ReadFirmwareVersionRsp><\/ra:SMETSData><ra:DebugInfo>/,
  );
});

test.run();
