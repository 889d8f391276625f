/**
 * From what becomes of a device to what its Service User is told: a pure mapping over
 * `PROGRESS_ROWS`.
 *
 * It looks at where a device is now and at what was told about it before, not at how it came there.
 * So nothing is lost where records were skipped or the gateway was down: it is asked again for
 * every device after a start, and says what is missing. Each milestone of a device is told once for
 * a request, since the record that queues the message marks it (`RequestBook`). Of a device that
 * the request is not for, or of one that is settled, nothing is told.
 */
import { assert } from '../errors.ts';
import type { UpgradeState } from '../jobs/states.ts';
import type { DeviceKind } from '../products/combinations.ts';
import { deviceAnswer } from './answers.ts';
import {
  type AlertCodes,
  alertCodeOf,
  type DccAlert,
  hasAlert,
  type TransferResult,
} from './dcc-alert.ts';
import { fitsFirmwareVersion, requestIdOf } from './identifiers.ts';
import {
  ANY_FAILURE,
  DEVICE_ALERTS,
  DUIS_TYPES,
  FAILURE_MEANINGS,
  type FailureMeaning,
  MILESTONES,
  type Milestone,
  PROGRESS_ROWS,
  type ProgressRow,
  type Telling,
} from './progress-rows.ts';
import { ACCEPTED_CODES, type AcceptedCodes } from './refusals.ts';
import type { AcceptedRequest } from './request-book.ts';
import type { MessageSubject } from './request-records.ts';
import type { ServiceResponse } from './response.ts';
import type { ActivationResult, Smets1DeviceAlert } from './smets1-response.ts';

/** One device of one request, as it stands. */
export interface DeviceStory {
  request: AcceptedRequest;
  deviceId: string;
  kind: DeviceKind;
  /** Of its premises; of a hub itself. */
  hubId: string;
  state: UpgradeState;
  code?: string | undefined;
  atMs: number;
  /** Of the image, as the request has it; of an activation, where it is known. */
  firmwareVersion: string | undefined;
  /** 64 hexadecimal digits. */
  imageHash?: string | undefined;
  /** As the inventory has it, and as the device says: told where they differ. */
  versions?: { inventory: string; device: string };
  /** Of an activation that was dated for later. */
  executionMs?: number;
  /** For the alert of a device, which counts by itself: above the one before. */
  alertCounter: bigint;
}

/** A message to queue. Its record carries `about`, so that it is queued once. */
export interface Notice {
  user: string;
  about: MessageSubject;
  response: ServiceResponse;
}

/** For the `FailureCollector`. */
export interface Collected {
  request: AcceptedRequest;
  deviceId: string;
  mark: number;
}

export interface ProgressSettings {
  rows?: readonly ProgressRow[];
  alertCodes?: AlertCodes;
  accepted?: AcceptedCodes;
}

/**
 * What is to be told of it now. All notices are queued in one write: a milestone may be told in two
 * messages, and either of them marks it.
 */
export function progressOf(
  story: DeviceStory,
  settings: ProgressSettings = {},
): { notices: Notice[]; collected: Collected[] } {
  const { request, deviceId, kind } = story;
  const { rows = PROGRESS_ROWS } = settings;
  if (!request.devices.has(deviceId)) return { notices: [], collected: [] };
  const notices: Notice[] = [];
  const collected: Collected[] = [];
  const told = request.devices.marksOf(deviceId);
  // A command has one result, whatever becomes of the device under others.
  const isAnswered = request.serviceReference === '11.3' && (told & RESULTS) !== 0;
  const meaning = meaningOf(story, told);
  for (const milestone of milestonesOf(story, meaning)) {
    const mark = MILESTONES[milestone];
    if (told & mark || (isAnswered && mark & RESULTS)) continue;
    const row = rows.find(
      (one) =>
        one.milestone === milestone &&
        one.kinds.includes(kind) &&
        one.serviceReferences.includes(request.serviceReference),
    );
    for (const telling of row?.tells ?? []) {
      if (telling === 'distribution-failure') {
        collected.push({ request, deviceId, mark });
        continue;
      }
      const response = TELLERS[telling](story, milestone, meaning, settings);
      if (!response) continue;
      const about = { requestId: request.id, mark, devices: [deviceId] };
      notices.push({ user: request.originator, about, response });
    }
  }
  return { notices, collected };
}

/** The other supplier of the premises hears of an upgrade of what both use. */
export function upgradeRequested(
  request: AcceptedRequest,
  { user, kind, deviceIds }: { user: string; kind: DeviceKind; deviceIds: readonly string[] },
  nowMs: number,
  settings: ProgressSettings = {},
): Notice {
  const { firmwareVersion } = request;
  assert(firmwareVersion !== undefined, 'the request is one for an upgrade');
  const response = alertResponse(
    request,
    {
      kind: 'FirmwareUpgradeRequested',
      deviceType: DUIS_TYPES[kind],
      firmwareVersion,
      deviceIds,
    },
    nowMs,
    settings,
  );
  const about = { requestId: request.id, mark: MILESTONES['other-told'], devices: deviceIds };
  return { user, about, response };
}

/** In an alert of the DCC: nobody asked for it, so that it has no ids. */
export function alertResponse(
  { duisVersion }: Pick<AcceptedRequest, 'duisVersion'>,
  alert: DccAlert,
  respondedMs: number,
  { alertCodes, accepted = ACCEPTED_CODES }: ProgressSettings = {},
): ServiceResponse {
  assert(hasAlert(duisVersion, alert), `DUIS ${duisVersion} has no ${alert.kind}`);
  return {
    schemaVersion: duisVersion,
    responseCode: accepted.done.code,
    respondedMs,
    body: { kind: 'dcc-alert', alertCode: alertCodeOf(alert, duisVersion, alertCodes), alert },
  };
}

/**
 * What a device has come to that is in a state; of an end without its new version, beside its
 * meaning.
 */
const REACHED: Readonly<Record<UpgradeState, readonly Milestone[]>> = {
  planned: [],
  'awaiting-approval': [],
  scheduled: ['requested'],
  verifying: ['requested'],
  staged: ['requested'],
  distributing: ['requested'],
  distributed: ['requested', 'transferred'],
  'awaiting-activation': ['requested', 'transferred'],
  activating: ['requested', 'transferred'],
  confirming: ['requested', 'transferred'],
  done: ['requested', 'transferred', 'activated'],
  // What else they come to says their meaning.
  failed: ['requested'],
  refused: [],
  cancelled: [],
  superseded: [],
  expired: [],
  // Nothing is said before it is known.
  'unknown-outcome': ['requested'],
};

const RESULTS = MILESTONES.activated | MILESTONES['not-activated'];

const UNFINISHED: readonly UpgradeState[] = [
  'failed',
  'refused',
  'cancelled',
  'superseded',
  'expired',
];

/** Of one that ended without its new version: `undefined` of all others. */
function meaningOf(
  { state, code = '', request }: DeviceStory,
  told: number,
): FailureMeaning | undefined {
  if (!UNFINISHED.includes(state)) return undefined;
  const isKnown = Object.hasOwn(FAILURE_MEANINGS, code);
  const meaning = isKnown ? FAILURE_MEANINGS[code as keyof typeof FAILURE_MEANINGS] : ANY_FAILURE;
  // A device that has the image fails at nothing but its activation.
  const hasImage = (told & MILESTONES.transferred) !== 0 || request.serviceReference === '11.3';
  if (hasImage && meaning.milestone !== 'not-activated') {
    return { milestone: 'not-activated', activation: 'activationFailure' };
  }
  return meaning;
}

function milestonesOf(
  { state, versions }: DeviceStory,
  meaning: FailureMeaning | undefined,
): Milestone[] {
  const milestones = [...REACHED[state]];
  if (meaning?.milestone === 'not-activated') milestones.push('transferred');
  if (meaning) milestones.push(meaning.milestone);
  // A text that the schema has no room for cannot be told.
  const fit = versions && Object.values(versions).every(fitsFirmwareVersion);
  if (fit && versions.inventory !== versions.device) milestones.push('mismatched');
  return milestones;
}

type Teller = (
  story: DeviceStory,
  milestone: Milestone,
  meaning: FailureMeaning | undefined,
  settings: ProgressSettings,
) => ServiceResponse | undefined;

const TELLERS: Readonly<Record<Exclude<Telling, 'distribution-failure'>, Teller>> = {
  'hub-notification': (story, milestone, _meaning, settings) =>
    alertResponse(
      story.request,
      {
        kind: 'SMETS1CHFirmwareNotification',
        deviceId: story.deviceId,
        firmwareVersion: versionOf(story),
        status: milestone === 'activated' ? 'ActivationSuccessful' : 'UpdateRequested',
      },
      story.atMs,
      settings,
    ),
  'delivery-status': (story, milestone, _meaning, settings) =>
    alertResponse(
      story.request,
      {
        kind: 'CSPFirmwareDeliveryStatus',
        updateRequestId: requestIdOf(story.request.id),
        hubId: story.hubId,
        deviceId: story.deviceId,
        firmwareVersion: versionOf(story),
        atMs: story.atMs,
        status: milestone === 'transferred' ? 'Success' : 'Failure',
      },
      story.atMs,
      settings,
    ),
  'hub-transfer-alert': (story, _milestone, meaning, settings) =>
    alertResponse(story.request, hubTransferAlert(story, meaning), story.atMs, settings),
  'ppmid-alert': (story, milestone, _meaning, settings) =>
    alertResponse(
      story.request,
      {
        kind: 'PPMIDAlert',
        deviceId: story.deviceId,
        alertCode: DEVICE_ALERTS.ppmidActivated.code,
        atMs: story.atMs,
        upgrade: {
          firmwareVersion: versionOf(story),
          result: milestone === 'activated' ? 'ActivationSuccess' : 'ActivationFailure',
        },
      },
      story.atMs,
      settings,
    ),
  'verification-alert': verificationAlert,
  'version-mismatch': (story, _milestone, _meaning, settings) =>
    alertResponse(
      story.request,
      {
        kind: 'FirmwareVersionMismatch',
        deviceId: story.deviceId,
        deviceType: DUIS_TYPES[story.kind],
        inventoryVersion: story.versions!.inventory,
        deviceVersion: story.versions!.device,
      },
      story.atMs,
      settings,
    ),
  'activation-answer': activationAnswer,
};

function hubTransferAlert(story: DeviceStory, meaning: FailureMeaning | undefined): DccAlert {
  const result: TransferResult =
    meaning?.milestone === 'transfer-failed' ? meaning.transfer : 'FileTransferSuccess';
  const isGood = result === 'FileTransferSuccess';
  return {
    kind: 'CommsHubAlert',
    hubId: story.hubId,
    alertCode: (isGood ? DEVICE_ALERTS.transferred : DEVICE_ALERTS.transferFailed).code,
    atMs: story.atMs,
    transfer: {
      updateRequestId: requestIdOf(story.request.id),
      deviceId: story.deviceId,
      firmwareVersion: versionOf(story),
      result,
    },
  };
}

/** A request for an upgrade says it, and says it in a form that fits. */
function versionOf({ request, firmwareVersion }: DeviceStory): string {
  const version = request.firmwareVersion ?? firmwareVersion;
  assert(version !== undefined, 'the request is one for an upgrade');
  return version;
}

/** Only where the device looked at the image: a transfer that broke off says nothing of it. */
function verificationAlert(
  story: DeviceStory,
  milestone: Milestone,
  meaning: FailureMeaning | undefined,
  settings: ProgressSettings,
): ServiceResponse | undefined {
  const isGood = milestone === 'transferred';
  const isDiscarded =
    meaning?.milestone === 'transfer-failed' && meaning.transfer === 'FirmwareImageDiscarded';
  if (!isGood && !isDiscarded) return undefined;
  const { code, description } = isGood ? DEVICE_ALERTS.verified : DEVICE_ALERTS.verificationFailed;
  const { imageHash } = story;
  return deviceAlert(
    story,
    {
      kind: 'device-alert',
      alertCode: code,
      description,
      raisedMs: story.atMs,
      payload: { kind: 'verification', ...(imageHash === undefined ? {} : { imageHash }) },
    },
    settings,
  );
}

function activationAnswer(
  story: DeviceStory,
  milestone: Milestone,
  meaning: FailureMeaning | undefined,
  settings: ProgressSettings,
): ServiceResponse {
  const { request, atMs, executionMs } = story;
  const succeeded = milestone === 'activated';
  const failure: ActivationResult =
    meaning?.milestone === 'not-activated' ? meaning.activation : 'activationFailure';
  const result = succeeded ? 'success' : failure;
  const { firmwareVersion } = story;
  // Of a device that runs its old version nobody said which one that is.
  const isKnown = firmwareVersion !== undefined && fitsFirmwareVersion(firmwareVersion);
  const version = succeeded && isKnown ? { firmwareVersion } : {};
  const requestId = requestIdOf(request.id);
  if (executionMs === undefined) {
    const { duisVersion: schemaVersion, serviceReference } = request;
    const asked = {
      schemaVersion,
      header: { requestId, serviceReference, serviceReferenceVariant: serviceReference },
    };
    const data = { kind: 'ActivateFirmware', succeeded, result, ...version } as const;
    return deviceAnswer(asked, atMs, { kind: 'message', data }, settings.accepted);
  }
  const { code, description } = succeeded ? DEVICE_ALERTS.datedDone : DEVICE_ALERTS.datedFailed;
  return deviceAlert(
    story,
    {
      kind: 'device-alert',
      alertCode: code,
      description,
      raisedMs: atMs,
      payload: {
        kind: 'activation',
        executionMs,
        commandCounter: requestId.counter,
        result,
        ...version,
      },
    },
    settings,
  );
}

function deviceAlert(
  { request, deviceId, atMs, alertCounter }: DeviceStory,
  body: Smets1DeviceAlert,
  { accepted = ACCEPTED_CODES }: ProgressSettings,
): ServiceResponse {
  const { duisVersion: schemaVersion, originator } = request;
  const header = { originator: deviceId, target: originator, counter: alertCounter };
  return {
    schemaVersion,
    responseCode: accepted.done.code,
    respondedMs: atMs,
    body: { kind: 'smets1', response: { schemaVersion, header, body } },
  };
}
