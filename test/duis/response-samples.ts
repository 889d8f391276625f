/** TEST MATERIAL: every kind of answer and alert, with ids of no real device. */
import type { DccAlert } from '../../src/duis/dcc-alert.ts';
import { alertCodeOf } from '../../src/duis/dcc-alert.ts';
import type { MessageContent, ResponseBody, ServiceResponse } from '../../src/duis/response.ts';
import type { Smets1Response } from '../../src/duis/smets1-response.ts';

export const SUPPLIER = '0255504c46540001';
export const BROKER = '0255504c46540002';
export const HUB_1 = '0255504c46541001';
export const HUB_2 = '0255504c46541002';
export const PPMID = '0255504c46542001';
export const ANSWERED_MS = Date.UTC(2026, 1, 3, 10, 0, 1, 250);
export const RAISED_MS = Date.UTC(2026, 1, 3, 10);
export const HASH = 'a49e3b4bb4e3b56ce3f8781b1353aed78fd3c026d6977fbcf7e6ee24df03b755';

export const UPDATE_ID = { originator: SUPPLIER, target: BROKER, counter: 1_700_000_000_001n };
export const ACTIVATION_ID = { originator: SUPPLIER, target: HUB_1, counter: 1_700_000_000_003n };

/** A signature that has the form of one and is none. */
export function signedAs(root: string): string {
  const algorithm = (name: string, uri: string) => `<ds:${name} Algorithm="${uri}"></ds:${name}>`;
  const info =
    algorithm('CanonicalizationMethod', 'http://www.w3.org/2001/10/xml-exc-c14n#') +
    algorithm('SignatureMethod', 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256') +
    '<ds:Reference URI=""><ds:Transforms>' +
    algorithm('Transform', 'http://www.w3.org/2000/09/xmldsig#enveloped-signature') +
    '</ds:Transforms>' +
    algorithm('DigestMethod', 'http://www.w3.org/2001/04/xmlenc#sha256') +
    '<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>';
  return (
    '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>' +
    `${info}</ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature></${root}>`
  );
}

export function signInForm(document: string): string {
  const end = document.lastIndexOf('</');
  return document.slice(0, end) + signedAs(document.slice(end + 2, -1));
}

export interface Sample {
  name: string;
  response: ServiceResponse;
}

const own = (serviceReference: string, content?: MessageContent): ResponseBody => ({
  kind: 'message',
  serviceReference,
  serviceReferenceVariant: serviceReference,
  ...(content ? { content } : {}),
});

const answer = (responseCode: string, body: ResponseBody): ServiceResponse => ({
  schemaVersion: '5.1',
  requestId: UPDATE_ID,
  responseCode,
  respondedMs: ANSWERED_MS,
  body,
});

const smets1 = (body: Smets1Response['body'], schemaVersion = '5.1'): ServiceResponse => {
  const responseId = { originator: HUB_1, target: SUPPLIER, counter: ACTIVATION_ID.counter };
  return {
    schemaVersion,
    requestId: ACTIVATION_ID,
    responseId,
    responseCode: 'I0',
    respondedMs: ANSWERED_MS,
    body: {
      kind: 'smets1',
      serviceReference: '11.3',
      response: { schemaVersion, header: responseId, body },
    },
  };
};

const alert = (alertBody: DccAlert): ServiceResponse => ({
  schemaVersion: '5.1',
  responseCode: 'I0',
  respondedMs: ANSWERED_MS,
  body: { kind: 'dcc-alert', alertCode: alertCodeOf(alertBody, '5.1'), alert: alertBody },
});

export const ALERTS: readonly DccAlert[] = [
  {
    kind: 'FirmwareDistributionFailure',
    updateRequestId: UPDATE_ID,
    deviceIds: [HUB_1, HUB_2],
  },
  {
    kind: 'FirmwareVersionMismatch',
    deviceId: HUB_1,
    deviceType: 'CHF',
    inventoryVersion: '00010203',
    deviceVersion: '00010202',
  },
  {
    kind: 'SMETS1CHFirmwareNotification',
    deviceId: HUB_1,
    firmwareVersion: '00010203',
    status: 'UpdateRequested',
  },
  {
    kind: 'FirmwareUpgradeRequested',
    deviceType: 'PPMID',
    firmwareVersion: '00010203',
    deviceIds: [PPMID],
  },
  {
    kind: 'CSPFirmwareDeliveryStatus',
    updateRequestId: UPDATE_ID,
    hubId: HUB_1,
    deviceId: PPMID,
    firmwareVersion: '00010203',
    atMs: RAISED_MS,
    status: 'Success',
  },
  {
    kind: 'CSPFirmwareDeliveryStatus',
    updateRequestId: UPDATE_ID,
    hubId: HUB_1,
    deviceId: PPMID,
    firmwareVersion: '00010203',
    atMs: RAISED_MS,
    status: 'Failure',
  },
  { kind: 'CommsHubAlert', hubId: HUB_1, alertCode: 0x8f8a },
  {
    kind: 'CommsHubAlert',
    hubId: HUB_1,
    alertCode: 0x8f89,
    atMs: RAISED_MS,
    transfer: {
      updateRequestId: UPDATE_ID,
      deviceId: PPMID,
      firmwareVersion: '00010203',
      result: 'HardwareVersionMismatch',
    },
  },
  {
    kind: 'PPMIDAlert',
    deviceId: PPMID,
    alertCode: 0x8f8b,
    atMs: RAISED_MS,
    upgrade: { firmwareVersion: '00010203', result: 'ActivationSuccess' },
  },
  { kind: 'CommsHubFirmwareActivation', deviceId: HUB_1, firmwareVersion: '00010203' },
  {
    kind: 'S1SPAlertDSP',
    schemaVersion: '5.1',
    requestId: UPDATE_ID,
    deviceId: HUB_1,
    s1spAlertCode: 'S1',
    additionalInformation: 'a < b',
    atMs: RAISED_MS,
  },
  {
    kind: 'DUISVersionMismatch',
    userVersion: '3.1',
    about: { kind: 'alert', alertCode: 'N63', deviceId: HUB_1, requestId: UPDATE_ID },
  },
  {
    kind: 'DUISVersionMismatch',
    userVersion: '3.1',
    about: { kind: 'response', requestId: UPDATE_ID, serviceReference: '11.1', version: '5.1' },
  },
];

export const SAMPLES: readonly Sample[] = [
  { name: 'an acknowledgement', response: answer('I99', own('11.3')) },
  { name: 'an error', response: answer('E110101', own('11.1')) },
  {
    name: 'the warning of 11.1',
    response: answer(
      'W110101',
      own('11.1', {
        kind: 'DSPUpdateFirmwareWarning',
        lists: {
          // Not in the order of the schema.
          InvalidGBCSVersionList: [HUB_2],
          OtherRequestInProgressList: [HUB_1],
          NotApplicableFirmwareDeviceIDList: [HUB_1, HUB_2],
          NotCommissionedDeviceIDList: [HUB_2],
          InvalidDeviceIDList: [PPMID],
        },
      }),
    ),
  },
  {
    name: 'the warning of 11.4',
    response: answer(
      'W110401',
      own('11.4', {
        kind: 'DSPUpdatePPMIDFirmwareWarning',
        lists: { InvalidDeviceIDList: [], OtherRequestInProgressList: [PPMID] },
      }),
    ),
  },
  {
    name: 'a Pre-Command',
    response: answer(
      'I0',
      own('11.3', {
        kind: 'PreCommand',
        gbcsVersion: '4.1',
        payload: Uint8Array.of(0xdf, 0x00),
      }),
    ),
  },
  {
    name: 'a GBCS payload',
    response: answer('I0', own('11.2', { kind: 'GBCSPayload', payload: Uint8Array.of(1, 2, 3) })),
  },
  {
    name: 'a version that was read',
    response: smets1({
      kind: 'message',
      data: { kind: 'ReadFirmwareVersion', succeeded: true, firmwareVersion: '00010203' },
    }),
  },
  {
    name: 'an activation that was done',
    response: smets1(
      {
        kind: 'message',
        data: {
          kind: 'ActivateFirmware',
          succeeded: true,
          result: 'success',
          firmwareVersion: '00010203',
        },
      },
      '3.1',
    ),
  },
  {
    name: 'an activation that is dated for later',
    response: smets1({ kind: 'message', data: { kind: 'ActivateFirmware', succeeded: true } }),
  },
  {
    name: 'what the device said in error',
    response: smets1({
      kind: 'message',
      data: { kind: 'ReadFirmwareVersion', succeeded: false },
      errors: [
        { responseCode: 7, text: 'no <answer>' },
        { responseCode: -1, text: 'x'.repeat(300) },
      ],
    }),
  },
  {
    name: 'firmware that was verified',
    response: smets1({
      kind: 'device-alert',
      alertCode: 0x8f72,
      description: 'Firmware verified',
      raisedMs: RAISED_MS,
      payload: { kind: 'verification', imageHash: HASH },
    }),
  },
  {
    name: 'firmware that was not verified',
    response: smets1({
      kind: 'device-alert',
      alertCode: 0x8f1c,
      description: 'Firmware verification failed',
      raisedMs: RAISED_MS,
      payload: { kind: 'verification' },
    }),
  },
  {
    name: 'a dated activation that failed',
    response: smets1({
      kind: 'device-alert',
      alertCode: 0x8f67,
      description: 'Future-dated command not carried out',
      raisedMs: RAISED_MS,
      payload: {
        kind: 'activation',
        executionMs: RAISED_MS,
        commandCounter: ACTIVATION_ID.counter,
        result: 'hashMismatch',
        firmwareVersion: '00010202',
      },
    }),
  },
  ...ALERTS.map((one, index) => ({
    name: `alert ${index + 1}, ${one.kind}`,
    response: alert(one),
  })),
];

/** Every optional part of the header of a device's answer. */
export const FULL_HEADER: Smets1Response = {
  schemaVersion: '5.1',
  header: {
    originator: HUB_1,
    target: BROKER,
    counter: 2n ** 64n - 1n,
    supplementaryParty: { id: SUPPLIER, counter: 5n },
    supplementaryCounter: 6n,
    gbcsMessageCode: 0x62,
    serviceReference: '11.2',
    timestamp: { ms: RAISED_MS, isFromGsme: false, clockStatus: 'reliable' },
  },
  body: { kind: 'message' },
};
