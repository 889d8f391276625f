/**
 * Does a Service Request fit together, and may its sender ask this? The schema says neither: header
 * and body are not tied to each other in it. Every check is made, so that a person sees all that is
 * wrong; the first finding is the one the sender is told.
 */

import { requestIdText } from './identifiers.ts';
import { canonicalVersion, DUIS_VERSIONS, isAtLeast } from './schema-version.ts';
import { SERVICE_CODES, type ServiceCode } from './service-codes.ts';
import { DATING, SERVICE_MATRIX, type ServiceRow } from './service-matrix.ts';
import type { RequestBody, RequestHeader, ServiceRequest } from './service-request.ts';

export interface RequestFinding {
  code: ServiceCode;
  message: string;
  expected: string;
  actual: string;
}

/** What a site says: all of it plain data. */
export interface RequestSettings {
  /** EUI-64s of the access control broker. */
  brokers: readonly string[];
  /** The roles of every Service User, by its EUI-64. */
  users: ReadonlyMap<string, readonly string[]>;
  matrix?: readonly ServiceRow[];
  /** Canonical: `5.4`. */
  versions?: readonly string[];
  dating?: { pastToleranceMs: number; futureMsMax: number };
}

/** What is known besides the request: the devices, and the requests before it. */
export interface RequestSurroundings {
  nowMs: number;
  /** EUI-64s of devices here. */
  devices: { has(deviceId: string): boolean };
  past: {
    /** The originator of what is dated for later at the device. */
    datedBy(deviceId: string): string | undefined;
    isAccepted(requestId: string): boolean;
  };
}

export function checkRequest(
  request: ServiceRequest,
  settings: RequestSettings,
  surroundings: RequestSurroundings,
): RequestFinding[] {
  const findings: RequestFinding[] = [];
  const say = (code: ServiceCode, expected: string, actual: string) =>
    findings.push({ code, message: SERVICE_CODES[code], expected, actual });
  const { header, body } = request;
  const version = checkVersion(request, settings, say);
  const row = findRow(header, body, settings, say);
  checkOriginator(header, row, settings, say);
  checkPreceding(header, surroundings, say);
  if (!row) return findings;
  if (version !== undefined && !isAtLeast(version, row.fromDuis)) {
    say('service-too-early', `DUIS ${row.fromDuis} or later`, `DUIS ${version}`);
  }
  if (!row.commandVariants.includes(header.commandVariant)) {
    say('variant-not-served', row.commandVariants.join(' or '), `${header.commandVariant}`);
  }
  checkTarget(header, row, settings, surroundings, say);
  checkExecution(request, row, settings, surroundings, say);
  return findings;
}

/** When it is to be done: `undefined` is now. */
export function executionOf(body: RequestBody): number | 'cancel' | undefined {
  switch (body.kind) {
    case 'ReadFirmwareVersion':
      return body.executionMs;
    case 'ActivateFirmware':
    case 'SignedPreCommand':
      return body.execution;
    default:
      return undefined;
  }
}

type Say = (code: ServiceCode, expected: string, actual: string) => void;

function checkVersion(
  { schemaVersion }: ServiceRequest,
  { versions = DUIS_VERSIONS.map(({ version }) => version) }: RequestSettings,
  say: Say,
): string | undefined {
  const version = canonicalVersion(schemaVersion);
  if (version !== undefined && versions.includes(version)) return version;
  say('duis-version-unknown', versions.join(', '), schemaVersion);
  return undefined;
}

/** The row for both header and body, where there is one. */
function findRow(
  { serviceReference, serviceReferenceVariant }: RequestHeader,
  { kind }: RequestBody,
  { matrix = SERVICE_MATRIX }: RequestSettings,
  say: Say,
): ServiceRow | undefined {
  if (serviceReferenceVariant !== serviceReference) {
    say('reference-variant-differs', serviceReference, serviceReferenceVariant);
  }
  const rows = matrix.filter((row) => row.serviceReference === serviceReference);
  if (rows.length === 0) {
    const served = new Set(matrix.map((row) => row.serviceReference));
    say('service-not-served', [...served].join(', '), serviceReference);
    return undefined;
  }
  const row = rows.find(({ body }) => body === kind);
  if (!row) say('body-differs', rows.map(({ body }) => body).join(' or '), kind);
  return row;
}

function checkOriginator(
  { requestId: { originator } }: RequestHeader,
  row: ServiceRow | undefined,
  { users }: RequestSettings,
  say: Say,
): void {
  const roles = users.get(originator);
  if (!roles) say('originator-unknown', 'a configured Service User', originator);
  else if (row && !roles.some((role) => row.roles.includes(role))) {
    say('role-not-allowed', row.roles.join(' or '), roles.join(', ') || 'no role');
  }
}

function checkPreceding(
  { precedingRequestId }: RequestHeader,
  { past }: RequestSurroundings,
  say: Say,
): void {
  if (!precedingRequestId) return;
  const id = requestIdText(precedingRequestId);
  if (!past.isAccepted(id)) say('preceding-unknown', 'a request that was taken', id);
}

function checkTarget(
  { requestId: { target } }: RequestHeader,
  row: ServiceRow,
  { brokers }: RequestSettings,
  { devices }: RequestSurroundings,
  say: Say,
): void {
  const isBroker = brokers.includes(target);
  if (row.target === 'broker') {
    if (!isBroker) say('target-not-broker', brokers.join(' or '), target);
  } else if (isBroker) say('target-is-broker', 'a device', target);
  else if (!devices.has(target)) say('target-unknown', 'a device that is known here', target);
}

function checkExecution(
  { header, body }: ServiceRequest,
  row: ServiceRow,
  { dating = DATING }: RequestSettings,
  { nowMs, past }: RequestSurroundings,
  say: Say,
): void {
  const execution = executionOf(body);
  if (execution === undefined) return;
  const { originator, target } = header.requestId;
  if (row.datedBy === undefined) {
    say('execution-not-datable', 'no time', execution === 'cancel' ? execution : show(execution));
    return;
  }
  const datedBy = row.datedBy === 'device' ? past.datedBy(target) : undefined;
  if (datedBy !== undefined && datedBy !== originator) {
    say('dated-by-other', `what ${datedBy} dated to be done, or cancelled by it`, originator);
    return;
  }
  if (execution === 'cancel') {
    if (datedBy === undefined) say('nothing-to-cancel', 'an activation for later', 'none');
    return;
  }
  const aheadMs = execution - nowMs;
  if (aheadMs < -dating.pastToleranceMs) {
    say('execution-past', `a time from ${show(nowMs)}`, show(execution));
  } else if (aheadMs > dating.futureMsMax) {
    say('execution-too-late', `a time to ${show(nowMs + dating.futureMsMax)}`, show(execution));
  }
}

function show(ms: number): string {
  return new Date(ms).toISOString();
}
