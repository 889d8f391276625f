/**
 * Alerts of the DCC itself that are about firmware (DUIS schemas 5.0a to 5.4). The schema ties no
 * code to any content: which goes with which is data, see `ALERT_CODES`.
 */
import { assert } from '../errors.ts';
import {
  attribute,
  cutText,
  dateTimeText,
  element,
  hexText,
  optionalElement,
  textElement,
  type Xml,
} from './compact-xml.ts';
import { deviceListText, euiText, firmwareVersionText, requestIdText } from './identifiers.ts';
import { NAMESPACES } from './namespaces.ts';
import { isAtLeast } from './schema-version.ts';
import type { RequestId } from './service-request.ts';
import type { SignDocument } from './smets1-response.ts';

export type DuisDeviceType = 'ESME' | 'GSME' | 'GPF' | 'CHF' | 'HCALCS' | 'PPMID' | 'IHD' | 'CAD';

/** With their numbers in GBCS. */
export const TRANSFER_RESULTS = {
  FileTransferSuccess: 0,
  FirmwareImageDiscarded: 1,
  HardwareVersionMismatch: 2,
  FileTransferFailure: 3,
} as const;

export type TransferResult = keyof typeof TRANSFER_RESULTS;

export type DccAlert =
  | {
      kind: 'FirmwareDistributionFailure';
      updateRequestId: RequestId;
      deviceIds: readonly string[];
    }
  | {
      kind: 'FirmwareVersionMismatch';
      deviceId: string;
      deviceType: DuisDeviceType;
      /** As the inventory (SMI) has it, and as the device says. */
      inventoryVersion: string;
      deviceVersion: string;
    }
  | {
      kind: 'SMETS1CHFirmwareNotification';
      deviceId: string;
      firmwareVersion: string;
      status: 'UpdateRequested' | 'ActivationSuccessful';
    }
  | {
      kind: 'FirmwareUpgradeRequested';
      deviceType: DuisDeviceType;
      firmwareVersion: string;
      deviceIds: readonly string[];
    }
  | {
      kind: 'CSPFirmwareDeliveryStatus';
      updateRequestId: RequestId;
      hubId: string;
      deviceId: string;
      firmwareVersion: string;
      atMs: number;
      status: 'Success' | 'Failure';
    }
  | {
      kind: 'CommsHubAlert';
      hubId: string;
      /** 16 bit. */
      alertCode: number;
      atMs?: number;
      transfer?: {
        updateRequestId?: RequestId;
        deviceId: string;
        firmwareVersion: string;
        result: TransferResult;
      };
    }
  | {
      kind: 'PPMIDAlert';
      deviceId: string;
      alertCode: number;
      atMs?: number;
      upgrade?: { firmwareVersion: string; result: 'ActivationSuccess' | 'ActivationFailure' };
    }
  | { kind: 'CommsHubFirmwareActivation'; deviceId: string; firmwareVersion: string }
  | {
      kind: 'S1SPAlertDSP';
      schemaVersion: string;
      requestId?: RequestId;
      deviceId?: string;
      s1spAlertCode: string;
      additionalInformation?: string;
      atMs: number;
    }
  | {
      kind: 'DUISVersionMismatch';
      userVersion: string;
      about:
        | { kind: 'alert'; alertCode: string; deviceId?: string; requestId?: RequestId }
        | { kind: 'response'; requestId: RequestId; serviceReference: string; version: string };
    };

export type DccAlertKind = DccAlert['kind'];

export interface AlertCode {
  code: string;
  source: string;
}

/** What DUIS 5.0 does not have: contents, and codes. */
const KINDS_SINCE: Readonly<Partial<Record<DccAlertKind, string>>> = {
  CommsHubFirmwareActivation: '5.1',
};
const CODES_SINCE: Readonly<Record<string, string | undefined>> = {
  N63: '5.1',
  N64: '5.1',
  N65: '5.1',
};
/** AD1, N1 to N31, N33 to N65 and N999 (schemas 5.0a to 5.4, read). */
const ALERT_CODE = /^(AD1|N([1-9]|[12][0-9]|3[013-9]|[45][0-9]|6[0-5]|999))$/;

const NO_CODE = {
  code: 'N999',
  source: 'assumed: a code of the schema for which no meaning was found; a site names another',
} as const;
const SECMP0007 = 'SECMP0007 (read); that it goes with this content is inferred';

/**
 * The code of an alert; of a delivery it depends on how it went. A site may put others in their
 * place.
 */
export const ALERT_CODES: Readonly<Record<DccAlertKind | 'delivery-failed', AlertCode>> = {
  FirmwareDistributionFailure: NO_CODE,
  FirmwareVersionMismatch: NO_CODE,
  SMETS1CHFirmwareNotification: NO_CODE,
  FirmwareUpgradeRequested: NO_CODE,
  CSPFirmwareDeliveryStatus: { code: 'N60', source: SECMP0007 },
  'delivery-failed': { code: 'N61', source: SECMP0007 },
  CommsHubAlert: NO_CODE,
  PPMIDAlert: NO_CODE,
  CommsHubFirmwareActivation: NO_CODE,
  S1SPAlertDSP: NO_CODE,
  DUISVersionMismatch: NO_CODE,
};

export type AlertCodes = typeof ALERT_CODES;

/** The code for a peer of that version: one that it does not have is `N999`. */
export function alertCodeOf(
  alert: DccAlert,
  duisVersion: string,
  codes: AlertCodes = ALERT_CODES,
): string {
  const isFailed = alert.kind === 'CSPFirmwareDeliveryStatus' && alert.status === 'Failure';
  const { code } = codes[isFailed ? 'delivery-failed' : alert.kind];
  return isAlertCode(code, duisVersion) ? code : NO_CODE.code;
}

export function isAlertCode(code: string, duisVersion: string): boolean {
  return ALERT_CODE.test(code) && isAtLeast(duisVersion, CODES_SINCE[code]);
}

/** Whether a peer of that version can be told it at all. */
export function hasAlert(duisVersion: string, { kind }: DccAlert): boolean {
  return isAtLeast(duisVersion, KINDS_SINCE[kind]);
}

/** DCCAlertMessage. @param sign for the one alert that holds a signed document */
export function dccAlertText(code: string, alert: DccAlert, sign?: SignDocument): Xml {
  const content = element(`sr:${alert.kind}`, contentText(alert, sign));
  return element(
    'sr:DCCAlertMessage',
    textElement('sr:DCCAlertCode', code) + element('sr:DCCAlert', content),
  );
}

/** Of an S1SPAlert, as a document of its own, before it is signed. */
export function s1spAlertDocument(alert: DccAlert & { kind: 'S1SPAlertDSP' }): Xml {
  const { schemaVersion, requestId, deviceId, s1spAlertCode, additionalInformation, atMs } = alert;
  return element(
    'sr:S1SPAlert',
    optionalElement('sr:RequestID', requestId && requestIdText(requestId)) +
      optionalElement('sr:DeviceID', deviceId && euiText(deviceId)) +
      textElement('sr:S1SPAlertCode', s1spAlertCode) +
      optionalElement(
        'sr:AdditionalInformation',
        additionalInformation && cutText(additionalInformation, INFORMATION_CHARACTERS_MAX),
      ) +
      textElement('sr:DateTime', dateTimeText(atMs)),
    attribute('xmlns:sr', NAMESPACES.sr) + attribute('schemaVersion', schemaVersion),
  );
}

/** Ours: the schema has no bound. */
const INFORMATION_CHARACTERS_MAX = 1000;

function contentText(alert: DccAlert, sign: SignDocument | undefined): Xml {
  switch (alert.kind) {
    case 'FirmwareDistributionFailure':
      return (
        textElement('sr:UpdateFirmwareRequestID', requestIdText(alert.updateRequestId)) +
        textElement('sr:MeterIDs', deviceListText(alert.deviceIds))
      );
    case 'FirmwareVersionMismatch':
      return (
        textElement('sr:DeviceID', euiText(alert.deviceId)) +
        textElement('sr:DeviceType', alert.deviceType) +
        textElement('sr:FirmwareVersionSMI', firmwareVersionText(alert.inventoryVersion)) +
        textElement('sr:FirmwareVersionDevice', firmwareVersionText(alert.deviceVersion))
      );
    case 'SMETS1CHFirmwareNotification':
      return (
        textElement('sr:DeviceID', euiText(alert.deviceId)) +
        textElement('sr:FirmwareVersion', firmwareVersionText(alert.firmwareVersion)) +
        textElement('sr:FirmwareVersionUpdateStatus', alert.status)
      );
    case 'FirmwareUpgradeRequested':
      return (
        textElement('sr:DeviceType', alert.deviceType) +
        textElement('sr:FirmwareVersion', firmwareVersionText(alert.firmwareVersion)) +
        textElement('sr:DeviceList', deviceListText(alert.deviceIds))
      );
    case 'CommsHubFirmwareActivation':
      return (
        textElement('sr:DeviceID', euiText(alert.deviceId)) +
        textElement('sr:FirmwareVersion', firmwareVersionText(alert.firmwareVersion))
      );
    case 'CSPFirmwareDeliveryStatus':
      return deliveryText(alert);
    case 'CommsHubAlert':
      return hubAlertText(alert);
    case 'PPMIDAlert':
      return ppmidAlertText(alert);
    case 'S1SPAlertDSP':
      assert(sign !== undefined, 'an S1SPAlert is signed');
      return sign(s1spAlertDocument(alert));
    case 'DUISVersionMismatch':
      return versionMismatchText(alert);
  }
}

function deliveryText(alert: DccAlert & { kind: 'CSPFirmwareDeliveryStatus' }): Xml {
  return (
    textElement('sr:UpdateFirmwareRequestID', requestIdText(alert.updateRequestId)) +
    textElement('sr:CommsHubDeviceID', euiText(alert.hubId)) +
    textElement('sr:TargetDeviceID', euiText(alert.deviceId)) +
    textElement('sr:FirmwareVersion', firmwareVersionText(alert.firmwareVersion)) +
    textElement('sr:TimeStamp', dateTimeText(alert.atMs)) +
    textElement('sr:CommsHubTransferStatus', alert.status)
  );
}

function hubAlertText({
  hubId,
  alertCode,
  atMs,
  transfer,
}: DccAlert & { kind: 'CommsHubAlert' }): Xml {
  return (
    textElement('sr:CommsHubDeviceID', euiText(hubId)) +
    textElement('sr:AlertCode', hexText(alertCode, 4)) +
    optionalElement('sr:TimeStamp', atMs === undefined ? undefined : dateTimeText(atMs)) +
    (transfer ? element('sr:FirmwareTransferAlert', transferText(transfer)) : '')
  );
}

function transferText(
  transfer: NonNullable<(DccAlert & { kind: 'CommsHubAlert' })['transfer']>,
): Xml {
  const { updateRequestId, deviceId, firmwareVersion, result } = transfer;
  return (
    optionalElement(
      'sr:UpdateFirmwareRequestID',
      updateRequestId && requestIdText(updateRequestId),
    ) +
    textElement('sr:OtherDeviceID', euiText(deviceId)) +
    textElement('sr:FirmwareVersion', firmwareVersionText(firmwareVersion)) +
    textElement('sr:TransferResponseCode', result)
  );
}

function ppmidAlertText({
  deviceId,
  alertCode,
  atMs,
  upgrade,
}: DccAlert & { kind: 'PPMIDAlert' }): Xml {
  return (
    textElement('sr:DeviceID', euiText(deviceId)) +
    textElement('sr:DeviceAlertCode', hexText(alertCode, 4)) +
    optionalElement('sr:Timestamp', atMs === undefined ? undefined : dateTimeText(atMs)) +
    (upgrade
      ? element(
          'sr:PPMIDFirmwareUpgradeAlert',
          textElement('sr:FirmwareVersion', firmwareVersionText(upgrade.firmwareVersion)) +
            textElement('sr:ActivateImageResultCode', upgrade.result),
        )
      : '')
  );
}

function versionMismatchText({
  about,
  userVersion,
}: DccAlert & { kind: 'DUISVersionMismatch' }): Xml {
  const user = textElement('sr:ServiceUserDUISVersion', userVersion);
  if (about.kind === 'alert') {
    const { alertCode, deviceId, requestId } = about;
    const content =
      textElement('sr:DCCAlertCode', alertCode) +
      optionalElement('sr:DeviceID', deviceId && euiText(deviceId)) +
      optionalElement('sr:RequestID', requestId && requestIdText(requestId));
    return element('sr:DCCAlertVersionMismatch', content) + user;
  }
  const content =
    textElement('sr:RequestID', requestIdText(about.requestId)) +
    textElement('sr:ServiceReference', about.serviceReference) +
    textElement('sr:ServiceReferenceVariant', about.serviceReference) +
    textElement('sr:ServiceRequestDUISVersion', about.version);
  return element('sr:ServiceResponseVersionMismatch', content) + user;
}
