/**
 * Answers and alerts: golden documents, the order of the schema, and texts that strangers chose.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALERT_CODES, alertCodeOf, hasAlert, isAlertCode } from '../../src/duis/dcc-alert.ts';
import { euiText, fitsFirmwareVersion } from '../../src/duis/identifiers.ts';
import { encodeResponse, responseText, type ServiceResponse } from '../../src/duis/response.ts';
import { RESPONSE_CODES } from '../../src/duis/response-codes.ts';
import { signedSmets1Response, smets1Document } from '../../src/duis/smets1-response.ts';
import { parseXml, type XmlElement } from '../../src/xml/strict-xml.ts';
import { quickestMs } from '../support/quickest.ts';
import {
  ACTIVATION_ID,
  ALERTS,
  ANSWERED_MS,
  FULL_HEADER,
  HUB_1,
  HUB_2,
  SAMPLES,
  SUPPLIER,
  signInForm,
  UPDATE_ID,
} from './response-samples.ts';

const test = suite('responses');

const SR = 'xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway"';
const RA = 'xmlns:ra="http://www.dccinterface.co.uk/ResponseAndAlert"';
const UPDATE = '02-55-50-4C-46-54-00-01:02-55-50-4C-46-54-00-02:1700000000001';

/** Golden: never edited. Ends of lines are for reading alone. */
const GOLDEN: Readonly<Record<string, readonly string[]>> = {
  'an acknowledgement': [
    `<sr:Response ${SR} schemaVersion="5.1"><sr:Header><sr:RequestID>${UPDATE}</sr:RequestID>`,
    '<sr:ResponseCode>I99</sr:ResponseCode>',
    '<sr:ResponseDateTime>2026-02-03T10:00:01.250Z</sr:ResponseDateTime></sr:Header><sr:Body>',
    '<sr:ResponseMessage><sr:ServiceReference>11.3</sr:ServiceReference>',
    '<sr:ServiceReferenceVariant>11.3</sr:ServiceReferenceVariant></sr:ResponseMessage>',
    '</sr:Body></sr:Response>',
  ],
  'the warning of 11.4': [
    `<sr:Response ${SR} schemaVersion="5.1"><sr:Header><sr:RequestID>${UPDATE}</sr:RequestID>`,
    '<sr:ResponseCode>W110401</sr:ResponseCode>',
    '<sr:ResponseDateTime>2026-02-03T10:00:01.250Z</sr:ResponseDateTime></sr:Header><sr:Body>',
    '<sr:ResponseMessage><sr:ServiceReference>11.4</sr:ServiceReference>',
    '<sr:ServiceReferenceVariant>11.4</sr:ServiceReferenceVariant>',
    '<sr:DSPUpdatePPMIDFirmwareWarning><sr:OtherRequestInProgressList>',
    '02-55-50-4C-46-54-20-01</sr:OtherRequestInProgressList></sr:DSPUpdatePPMIDFirmwareWarning>',
    '</sr:ResponseMessage></sr:Body></sr:Response>',
  ],
  'a Pre-Command': [
    `<sr:Response ${SR} schemaVersion="5.1"><sr:Header><sr:RequestID>${UPDATE}</sr:RequestID>`,
    '<sr:ResponseCode>I0</sr:ResponseCode>',
    '<sr:ResponseDateTime>2026-02-03T10:00:01.250Z</sr:ResponseDateTime></sr:Header><sr:Body>',
    '<sr:ResponseMessage><sr:ServiceReference>11.3</sr:ServiceReference>',
    '<sr:ServiceReferenceVariant>11.3</sr:ServiceReferenceVariant>',
    '<sr:PreCommand><sr:GBCSVersion>4.1</sr:GBCSVersion><sr:GBCSPayload>3wA=</sr:GBCSPayload>',
    '</sr:PreCommand></sr:ResponseMessage></sr:Body></sr:Response>',
  ],
  'alert 5, CSPFirmwareDeliveryStatus': [
    `<sr:Response ${SR} schemaVersion="5.1"><sr:Header><sr:ResponseCode>I0</sr:ResponseCode>`,
    '<sr:ResponseDateTime>2026-02-03T10:00:01.250Z</sr:ResponseDateTime></sr:Header><sr:Body>',
    '<sr:DCCAlertMessage><sr:DCCAlertCode>N60</sr:DCCAlertCode><sr:DCCAlert>',
    `<sr:CSPFirmwareDeliveryStatus><sr:UpdateFirmwareRequestID>${UPDATE}`,
    '</sr:UpdateFirmwareRequestID><sr:CommsHubDeviceID>02-55-50-4C-46-54-10-01',
    '</sr:CommsHubDeviceID><sr:TargetDeviceID>02-55-50-4C-46-54-20-01</sr:TargetDeviceID>',
    '<sr:FirmwareVersion>00010203</sr:FirmwareVersion>',
    '<sr:TimeStamp>2026-02-03T10:00:00.000Z</sr:TimeStamp>',
    '<sr:CommsHubTransferStatus>Success</sr:CommsHubTransferStatus>',
    '</sr:CSPFirmwareDeliveryStatus></sr:DCCAlert></sr:DCCAlertMessage></sr:Body></sr:Response>',
  ],
};

const ACTIVATED = [
  `<sr:SMETS1SignedResponse ${RA} ${SR} schemaVersion="3.1"><sr:SMETS1Response><sr:Header>`,
  '<ra:BusinessOriginatorID>02-55-50-4C-46-54-10-01</ra:BusinessOriginatorID>',
  '<ra:BusinessTargetID>02-55-50-4C-46-54-00-01</ra:BusinessTargetID>',
  '<ra:OriginatorCounter>1700000000003</ra:OriginatorCounter></sr:Header><sr:Body>',
  '<sr:ResponseMessage><ra:SMETSData><ra:ActivateFirmwareRsp MessageSuccess="true">',
  '<ra:ActivateImageResponseCode ResponseCode="0"><ra:ASN1Status>success</ra:ASN1Status>',
  '</ra:ActivateImageResponseCode><ra:FirmwareVersion>00010203</ra:FirmwareVersion>',
  '</ra:ActivateFirmwareRsp></ra:SMETSData></sr:ResponseMessage></sr:Body></sr:SMETS1Response>',
  '</sr:SMETS1SignedResponse>',
].join('');

const sample = (name: string): ServiceResponse => {
  const found = SAMPLES.find((one) => one.name === name);
  assert.ok(found, name);
  return found!.response;
};

for (const [name, lines] of Object.entries(GOLDEN)) {
  test(`${name} is these very characters`, () => {
    assert.is(responseText(sample(name)), lines.join(''));
    assert.is(new TextDecoder().decode(encodeResponse(sample(name))), lines.join(''));
  });
}

test('the answer to 11.1 with one device refused is these very characters', () => {
  const response: ServiceResponse = {
    schemaVersion: '3.1',
    requestId: UPDATE_ID,
    responseCode: 'W110101',
    respondedMs: ANSWERED_MS,
    body: {
      kind: 'message',
      serviceReference: '11.1',
      serviceReferenceVariant: '11.1',
      content: {
        kind: 'DSPUpdateFirmwareWarning',
        lists: { NotApplicableFirmwareDeviceIDList: [HUB_2] },
      },
    },
  };
  const lines = [
    `<sr:Response ${SR} schemaVersion="3.1"><sr:Header>`,
    `<sr:RequestID>${UPDATE}</sr:RequestID>`,
    '<sr:ResponseCode>W110101</sr:ResponseCode>',
    '<sr:ResponseDateTime>2026-02-03T10:00:01.250Z</sr:ResponseDateTime></sr:Header><sr:Body>',
    '<sr:ResponseMessage><sr:ServiceReference>11.1</sr:ServiceReference>',
    '<sr:ServiceReferenceVariant>11.1</sr:ServiceReferenceVariant>',
    '<sr:DSPUpdateFirmwareWarning><sr:NotApplicableFirmwareDeviceIDList>',
    '02-55-50-4C-46-54-10-02</sr:NotApplicableFirmwareDeviceIDList>',
    '</sr:DSPUpdateFirmwareWarning></sr:ResponseMessage></sr:Body></sr:Response>',
  ];
  assert.is(responseText(response), lines.join(''));
});

test('what a SMETS1 device answered is signed as a document of its own, and put in as it is', () => {
  let signed = '';
  const text = responseText(sample('an activation that was done'), (document) => {
    assert.is(document, ACTIVATED);
    signed = signInForm(document);
    return signed;
  });
  assert.is(
    text.slice(text.indexOf('<sr:Body>')),
    '<sr:Body><sr:SMETS1ResponseMessage><sr:ServiceReference>11.3</sr:ServiceReference>' +
      `<sr:ServiceReferenceVariant>11.3</sr:ServiceReferenceVariant>${signed}` +
      '</sr:SMETS1ResponseMessage></sr:Body></sr:Response>',
  );
  const ids =
    '<sr:RequestID>02-55-50-4C-46-54-00-01:02-55-50-4C-46-54-10-01:1700000000003</sr:RequestID>' +
    '<sr:ResponseID>02-55-50-4C-46-54-10-01:02-55-50-4C-46-54-00-01:1700000000003</sr:ResponseID>';
  assert.ok(text.includes(ids), 'the device answers: target, originator, the same counter');
  assert.throws(() => responseText(sample('an activation that was done')), /signed/);
  assert.throws(() => signedSmets1Response(FULL_HEADER, (text) => `<?xml ?>${text}`), /document/);
});

/** Children of each element in the order of the schema (DUIS 5.0a to 5.4), written down by hand. */
const ORDER: Readonly<Record<string, string>> = {
  Response: 'Header Body',
  'Response/Header': 'RequestID ResponseID ResponseCode ResponseDateTime',
  'Response/Body': 'ResponseMessage SMETS1ResponseMessage DCCAlertMessage',
  'Body/ResponseMessage':
    'ServiceReference ServiceReferenceVariant DSPUpdateFirmwareWarning ' +
    'DSPUpdatePPMIDFirmwareWarning GBCSPayload PreCommand SMETSData DebugInfo',
  DSPUpdateFirmwareWarning:
    'InvalidDeviceIDList NotCommissionedDeviceIDList NotApplicableFirmwareDeviceIDList ' +
    'OtherRequestInProgressList InvalidGBCSVersionList',
  DSPUpdatePPMIDFirmwareWarning:
    'InvalidDeviceIDList NotCommissionedDeviceIDList NotApplicableFirmwareDeviceIDList ' +
    'OtherRequestInProgressList InvalidGBCSVersionList',
  PreCommand: 'GBCSVersion GBCSPayload',
  SMETS1ResponseMessage: 'ServiceReference ServiceReferenceVariant SMETS1SignedResponse',
  SMETS1SignedResponse: 'SMETS1Response Signature',
  SMETS1Response: 'Header Body',
  'SMETS1Response/Header':
    'BusinessOriginatorID BusinessTargetID OriginatorCounter SupplementaryRemotePartyID ' +
    'SupplementaryRemotePartyCounter SupplementaryOriginatorCounter GBCSHexadecimalMessageCode ' +
    'ServiceReference ServiceReferenceVariant Timestamp',
  'SMETS1Response/Body': 'ResponseMessage DeviceAlertMessage',
  SMETSData: 'ReadFirmwareVersionRsp ActivateFirmwareRsp',
  ReadFirmwareVersionRsp: 'FirmwareVersion',
  ActivateFirmwareRsp: 'ActivateImageResponseCode FirmwareVersion',
  ActivateImageResponseCode: 'ASN1Status',
  DebugInfo: 'SMETS1Debug',
  SMETS1Debug: 'SMETS1Response',
  'SMETS1Debug/SMETS1Response': 'Error',
  DeviceAlertMessage: 'DeviceAlertContent',
  DeviceAlertContent: 'GBCSHexAlertCode AlertDescription Timestamp Payload',
  Payload: 'FirmwareVerificationDeviceAlert FutureDatedCommandOutcomeDeviceAlert',
  FirmwareVerificationDeviceAlert: 'ManufacturerImageHash',
  FutureDatedCommandOutcomeDeviceAlert: 'FirmwareActivationDeviceAlert',
  FirmwareActivationDeviceAlert:
    'ExecutionDateTime OriginatorCounterFromCommand ActivateImageResponseCode FirmwareVersion',
  DCCAlertMessage: 'DCCAlertCode DCCAlert',
  DCCAlert:
    'FirmwareDistributionFailure PPMIDAlert FirmwareVersionMismatch S1SPAlertDSP ' +
    'SMETS1CHFirmwareNotification FirmwareUpgradeRequested CSPFirmwareDeliveryStatus ' +
    'CommsHubAlert CommsHubFirmwareActivation DUISVersionMismatch',
  FirmwareDistributionFailure: 'UpdateFirmwareRequestID MeterIDs',
  FirmwareVersionMismatch: 'DeviceID DeviceType FirmwareVersionSMI FirmwareVersionDevice',
  SMETS1CHFirmwareNotification: 'DeviceID FirmwareVersion FirmwareVersionUpdateStatus',
  FirmwareUpgradeRequested: 'DeviceType FirmwareVersion DeviceList',
  CSPFirmwareDeliveryStatus:
    'UpdateFirmwareRequestID CommsHubDeviceID TargetDeviceID FirmwareVersion TimeStamp ' +
    'CommsHubTransferStatus',
  CommsHubAlert: 'CommsHubDeviceID AlertCode TimeStamp FirmwareTransferAlert',
  FirmwareTransferAlert:
    'UpdateFirmwareRequestID OtherDeviceID FirmwareVersion TransferResponseCode',
  PPMIDAlert: 'DeviceID DeviceAlertCode Timestamp PPMIDFirmwareUpgradeAlert',
  PPMIDFirmwareUpgradeAlert: 'FirmwareVersion ActivateImageResultCode',
  CommsHubFirmwareActivation: 'DeviceID FirmwareVersion',
  S1SPAlertDSP: 'S1SPAlert',
  S1SPAlert: 'RequestID DeviceID S1SPAlertCode AdditionalInformation DateTime Signature',
  DUISVersionMismatch:
    'DCCAlertVersionMismatch ServiceResponseVersionMismatch ServiceUserDUISVersion',
  DCCAlertVersionMismatch: 'DCCAlertCode DeviceID RequestID',
  ServiceResponseVersionMismatch:
    'RequestID ServiceReference ServiceReferenceVariant ServiceRequestDUISVersion',
};

function assertOrder(element: XmlElement, parent = ''): void {
  if (element.name === 'Signature') return;
  const order = (ORDER[`${parent}/${element.name}`] ?? ORDER[element.name] ?? '').split(' ');
  const places = element.children.map(({ name }) => order.indexOf(name));
  assert.not.ok(places.includes(-1), `${element.name}: ${element.children.map((c) => c.name)}`);
  for (let index = 1; index < places.length; index++) {
    const isRepeatable = element.name === 'SMETS1Debug';
    const inOrder = places[index]! > places[index - 1]!;
    assert.ok(isRepeatable || inOrder, `${element.name}: ${element.children[index]!.name}`);
  }
  for (const child of element.children) assertOrder(child, element.name);
}

for (const { name, response } of SAMPLES) {
  test(`${name}: children in the order of the schema, and no white space between`, () => {
    const text = responseText(response, signInForm);
    const parsed = parseXml(new TextEncoder().encode(text), {});
    assert.ok(parsed.ok);
    if (parsed.ok) assertOrder(parsed.root);
    assert.not.match(text, />\s+</);
  });
}

test('the header of a device with all it can have', () => {
  const parsed = parseXml(new TextEncoder().encode(smets1Document(FULL_HEADER)), {});
  assert.ok(parsed.ok);
  if (!parsed.ok) return;
  assertOrder(parsed.root);
  assert.is(parsed.root.children[0]!.children[0]!.children.length, 10);
  const early = smets1Document({ ...FULL_HEADER, schemaVersion: '5.0' });
  assert.ok(early.includes('<ra:Timestamp>'), 'its attributes came with 5.1');
});

test('every kind of alert is among the samples, with a code', () => {
  const kinds = new Set(ALERTS.map(({ kind }) => kind));
  assert.is(kinds.size, 10);
  const delivered = ALERTS.filter(({ kind }) => kind === 'CSPFirmwareDeliveryStatus');
  assert.equal(
    delivered.map((one) => alertCodeOf(one, '5.0')),
    ['N60', 'N61'],
  );
  const codes = { ...ALERT_CODES, PPMIDAlert: { code: 'N64', source: 'a site' } };
  const ppmid = ALERTS.find(({ kind }) => kind === 'PPMIDAlert')!;
  assert.is(alertCodeOf(ppmid, '5.1', codes), 'N64');
  assert.is(alertCodeOf(ppmid, '5.0', codes), 'N999', 'a peer gets only what its version has');
});

test('alert codes are those of the schema', () => {
  const all = Array.from({ length: 1_100 }, (_, n) => `N${n}`).filter((code) =>
    isAlertCode(code, '5.4'),
  );
  assert.is(all.length, 31 + 33 + 1);
  assert.not.ok(isAlertCode('N32', '5.4'));
  assert.ok(isAlertCode('AD1', '5.0'));
  assert.not.ok(
    hasAlert('5.0', { kind: 'CommsHubFirmwareActivation', deviceId: HUB_1, firmwareVersion: '1' }),
  );
});

test('text of strangers stays text', () => {
  const nasty = '<a>&"\'\r\n\t\u0000\u0007\ud800\ufffe\u{1f600}]]>';
  const alert = {
    kind: 'DUISVersionMismatch',
    userVersion: nasty,
    about: { kind: 'alert', alertCode: 'N63' },
  } as const;
  const response: ServiceResponse = {
    schemaVersion: `5.1" x="<&'\n`,
    responseCode: 'I0',
    respondedMs: 0,
    body: { kind: 'dcc-alert', alertCode: 'N999', alert },
  };
  const text = responseText(response);
  assert.ok(text.isWellFormed());
  const parsed = parseXml(new TextEncoder().encode(text), {});
  assert.ok(parsed.ok);
  if (!parsed.ok) return;
  const version = parsed.root.children[1]!.children[0]!.children[1]!.children[0]!.children[1]!;
  assert.is(version.text, '<a>&"\'\r\n\t\ufffd\ufffd\ufffd\ufffd\u{1f600}]]>');
  const { attributes } = parsed.root;
  const schemaVersion = attributes.find(({ name }) => name === 'schemaVersion');
  assert.is(schemaVersion?.value, `5.1" x="<&'\n`);
});

test('50,000 devices are written in no time, and all of them', () => {
  const deviceIds = Array.from({ length: 50_000 }, (_, index) =>
    (0x0255504c46540000n + BigInt(index)).toString(16).padStart(16, '0'),
  );
  let text = '';
  const tookMs = quickestMs(() => {
    text = responseText({
      ...sample('the warning of 11.1'),
      body: {
        kind: 'message',
        serviceReference: '11.1',
        serviceReferenceVariant: '11.1',
        content: { kind: 'DSPUpdateFirmwareWarning', lists: { InvalidDeviceIDList: deviceIds } },
      },
    });
  });
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
  const list = /<sr:InvalidDeviceIDList>([^<]*)</.exec(text)![1]!;
  assert.is(list.length, 50_000 * 24 - 1);
  assert.is(list.slice(-23), euiText(deviceIds.at(-1)!));
});

test('ids are written one way, or not at all', () => {
  assert.is(euiText(SUPPLIER), '02-55-50-4C-46-54-00-01');
  for (const wrong of ['', SUPPLIER.toUpperCase(), `${SUPPLIER}0`, '02-55-50-4C-46-54-00-01']) {
    assert.throws(() => euiText(wrong), /EUI-64/);
  }
  assert.is(ACTIVATION_ID.counter, 1_700_000_000_003n);
});

test('a firmware version has 1 to 8 characters, or is not written', () => {
  for (const version of ['0', ' ', '00010203', '\u{1f600}'.repeat(8)]) {
    assert.ok(fitsFirmwareVersion(version), version);
  }
  for (const version of ['', '000102030', '\u{1f600}'.repeat(9), '0'.repeat(10_000)]) {
    assert.not.ok(fitsFirmwareVersion(version));
    const alert = {
      kind: 'SMETS1CHFirmwareNotification',
      deviceId: HUB_1,
      firmwareVersion: version,
      status: 'UpdateRequested',
    } as const;
    const body = { kind: 'dcc-alert', alertCode: 'N999', alert } as const;
    const response = { schemaVersion: '5.1', responseCode: 'I0', respondedMs: 0, body };
    assert.throws(() => responseText(response), /1 to 8 characters/);
  }
});

test('codes of samples are codes of the table', () => {
  for (const { response } of SAMPLES) assert.ok(RESPONSE_CODES.has(response.responseCode));
});

test.run();
