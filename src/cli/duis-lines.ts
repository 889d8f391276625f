/** What is said of requests and responses of the DCC User Interface: for people, and for programs. */
import { escapeText } from '../bytes/escape-text.ts';
import { someOf } from '../bytes/some-of.ts';
import type { DeviceGroup } from '../dcc/look-ahead.ts';
import type { RequestSplit } from '../duis/device-split.ts';
import { euiText, requestIdText } from '../duis/identifiers.ts';
import { refusalRow } from '../duis/refusals.ts';
import { executionOf } from '../duis/request-check.ts';
import { RESPONSE_CODES } from '../duis/response-codes.ts';
import type { ResponseSummary } from '../duis/response-reader.ts';
import type { ServiceRequest } from '../duis/service-request.ts';
import { sha256Hex } from '../trust/digest.ts';
import type { Certificate } from '../trust/x509.ts';
import { decisionLines, explained, refusalLines } from './decision-lines.ts';
import { certificateDocument, certificateText, placeText } from './duis-documents.ts';
import { bytesText, paint, table } from './output.ts';

export interface CheckFinding {
  code: string;
  message: string;
  line?: number;
  column?: number;
  element?: string;
  expected?: string;
  actual?: string;
  next: string;
}

/** What became known of a request. */
export interface Checked {
  /** It would be, for one device at least. */
  isTaken: boolean;
  /** Before, byte for byte. */
  isRepeated?: boolean;
  /** As it would be answered; absent where that is not known. */
  responseCode?: string;
  request?: ServiceRequest;
  signer?: Certificate;
  findings: CheckFinding[];
  groups: readonly DeviceGroup[];
  split?: RequestSplit | undefined;
  unchecked?: readonly string[];
}

export function meaningOf(responseCode: string): string {
  const row = RESPONSE_CODES.get(responseCode);
  if (!row) return 'no code that is known';
  return row.meaning ?? 'its meaning is not known';
}

// ---- for programs ---------------------------------------------------------------------------------------

export function checkDocument(file: string, checked: Checked): Record<string, unknown> {
  const { isTaken, isRepeated, responseCode, request, signer, findings, groups, split } = checked;
  return {
    file,
    isTaken,
    ...(isRepeated ? { isRepeated } : {}),
    ...(responseCode === undefined ? {} : { responseCode, meaning: meaningOf(responseCode) }),
    ...(request ? { request: requestDocument(request) } : {}),
    ...(signer ? { signer: certificateDocument(signer) } : {}),
    findings,
    devices: groups.map(groupDocument),
    ...(split ? { lists: split.lists, repeatedDevices: split.repeated } : {}),
    unchecked: checked.unchecked ?? [],
  };
}

export function responseDocument(
  { requestId, ...response }: ResponseSummary,
  signer: Certificate | undefined,
  file?: string,
): Record<string, unknown> {
  return {
    ...(file === undefined ? {} : { file }),
    ...response,
    meaning: meaningOf(response.responseCode),
    ...(requestId ? { requestId: requestIdText(requestId) } : {}),
    ...(signer ? { signer: certificateDocument(signer) } : {}),
  };
}

function requestDocument({ schemaVersion, header, body }: ServiceRequest) {
  const { requestId, precedingRequestId, ...rest } = header;
  const { image, ...asked } = 'image' in body ? body : { ...body, image: undefined };
  const payload = 'gbcsPayload' in asked ? { gbcsPayload: asked.gbcsPayload.length } : {};
  return {
    schemaVersion,
    ...rest,
    requestId: requestIdText(requestId),
    ...(precedingRequestId ? { precedingRequestId: requestIdText(precedingRequestId) } : {}),
    ...asked,
    ...payload,
    ...(image ? { image: { bytes: image.length, sha256: sha256Hex(image) } } : {}),
  };
}

function groupDocument({ decision, devices, example }: DeviceGroup) {
  const said = example ? { decision: explained(example.decision, example.on) } : {};
  if (decision === 'admitted') return { verdict: decision, devices, ...said };
  const { code } = decision;
  return { verdict: 'refused', code, list: refusalRow(decision).list, devices, ...said };
}

// ---- for people -----------------------------------------------------------------------------------------

export function checkLines(file: string, checked: Checked, isVerbose: boolean): string[] {
  const { request, signer, findings, groups, unchecked = [] } = checked;
  const facts = [
    ...(request ? requestRows(request) : []),
    ...(signer ? [['signed by', escapeText(certificateText(signer))]] : []),
    ...unchecked.map((what, at) => [at === 0 ? 'not checked' : '', what]),
  ];
  return [
    `${file}: ${verdictText(checked)}`,
    ...table(facts, '  '),
    ...findings.flatMap(findingLines),
    ...groups.flatMap((group) => groupLines(group, isVerbose)),
  ];
}

export function responseLines(
  response: ResponseSummary,
  signer: Certificate | undefined,
  file = 'the answer',
): string[] {
  const { responseCode, respondedAt, requestId, content, serviceReference, lists } = response;
  const rows = [
    ...(requestId ? [['request', requestIdText(requestId)]] : []),
    ...(serviceReference === undefined ? [] : [['service', escapeText(serviceReference)]]),
    ...(respondedAt === undefined ? [] : [['time', escapeText(respondedAt)]]),
    ['holds', escapeText(content)],
    ['signed by', signer ? escapeText(certificateText(signer)) : 'not checked'],
    ...Object.entries(lists).map(([name, devices]) => [
      name,
      `${devices.length}: ${someOf(devices.map(euiText))}`,
    ]),
  ];
  return [`${file}: ${codeText(responseCode)}`, ...table(rows, '  ')];
}

export function codeText(responseCode: string): string {
  const colour = responseCode.startsWith('E')
    ? 'red'
    : responseCode.startsWith('W')
      ? 'yellow'
      : 'green';
  return `${paint(colour, escapeText(responseCode))}, ${meaningOf(responseCode)}`;
}

function verdictText({ isTaken, isRepeated, responseCode, split }: Checked): string {
  if (isRepeated) return `${paint('green', 'was taken')}, and would get the same answer again`;
  const refused = split ? 'would be done for no device' : 'would be refused';
  const verdict = isTaken ? paint('green', 'would be taken') : paint('red', refused);
  return responseCode === undefined ? verdict : `${verdict}: ${codeText(responseCode)}`;
}

function requestRows({ schemaVersion, header, body }: ServiceRequest): string[][] {
  const { serviceReference, commandVariant, requestId } = header;
  const execution = executionOf(body);
  const rows = [
    [
      'asks for',
      `${escapeText(serviceReference)} ${body.kind}, variant ${commandVariant}, DUIS ${schemaVersion}`,
    ],
    ['RequestID', requestIdText(requestId)],
  ];
  if ('image' in body) {
    rows.push(
      ['image', `${bytesText(body.image.length)} bytes, SHA-256 ${sha256Hex(body.image)}`],
      ['version', escapeText(body.firmwareVersion)],
      ['devices', `${body.deviceIds.length}: ${someOf(body.deviceIds.map(euiText))}`],
    );
  }
  if ('firmwareHash' in body) rows.push(['hash', body.firmwareHash]);
  if (execution !== undefined) {
    rows.push(['time', execution === 'cancel' ? 'calls off' : new Date(execution).toISOString()]);
  }
  return rows;
}

function findingLines(finding: CheckFinding): string[] {
  const { code, message, line, column, element, expected, actual, next } = finding;
  const place =
    line === undefined || column === undefined
      ? []
      : [['where', placeText({ code, message, line, column, ...(element ? { element } : {}) })]];
  const rows = [
    ...place,
    ...(expected === undefined ? [] : [['expected', escapeText(expected)]]),
    ...(actual === undefined ? [] : [['found', escapeText(actual)]]),
    ['next', next],
  ];
  return [`  ${paint('red', '✗')} ${code}  ${message}`, ...table(rows, '      ')];
}

function groupLines({ decision, devices, example }: DeviceGroup, isVerbose: boolean): string[] {
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices`;
  const subject = `${count}, ${someOf(devices.map(euiText))}`;
  if (decision !== 'admitted' && !example) {
    return ['', `${subject}: ${paint('red', 'refused')} by ${decision.code}`];
  }
  const told = { subject, decision: example!.decision, on: [example!.on] };
  const isShort = !isVerbose && decision === 'admitted';
  const lines = isVerbose || isShort ? decisionLines(told, isVerbose) : refusalLines(told);
  return ['', ...(isShort ? lines.slice(0, 1) : lines)];
}
