/**
 * `uplift duis check`: whether a Service Request would be taken, and by which code it would be answered; of a
 * response, who signed it and what it says. Nothing is done and nothing is written.
 */
import { type GatewayConfig, loadGateway } from '../config/gateway.ts';
import { type DeviceGroup, LookAhead, type Outlook } from '../dcc/look-ahead.ts';
import { type Refusal, type RefusalClass, refusalOfFault, refusalRow } from '../duis/refusals.ts';
import { checkRequest } from '../duis/request-check.ts';
import {
  REQUEST_BYTES_MAX,
  type RequestResult,
  readServiceRequest,
} from '../duis/request-reader.ts';
import { readServiceResponse } from '../duis/response-reader.ts';
import { SERVICE_CODES, type ServiceCode } from '../duis/service-codes.ts';
import { SERVICE_MATRIX } from '../duis/service-matrix.ts';
import type { ServiceRequest } from '../duis/service-request.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { knownRig } from '../fleet/front/start.ts';
import { CONTROL_CODES, type ControlCode } from '../gateway/control.ts';
import { loadCertificates } from '../gateway/trust-documents.ts';
import { siteOf } from '../service/choices.ts';
import { sha256Hex } from '../trust/digest.ts';
import type { KnownSigners } from '../trust/xml-signature.ts';
import {
  type DocumentFault,
  momentIn,
  readDocument,
  type SignerOptions,
  signersIn,
} from './duis-documents.ts';
import {
  type Checked,
  type CheckFinding,
  checkDocument,
  checkLines,
  responseDocument,
  responseLines,
} from './duis-lines.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';

export interface CheckOptions extends SignerOptions {
  config?: string;
}

type DuisGateway = GatewayConfig & { duis: NonNullable<GatewayConfig['duis']> };

/** Without a gateway to ask about these are taken as given. */
const UNCHECKED = [
  'the roles of the originator',
  'whether the target is the broker, or a device that is known',
  'the requests before it',
  'the devices, one by one',
];

export async function check(
  path: string,
  options: CheckOptions,
  output: Output,
): Promise<ExitCode> {
  const gateway = gatewayOf(options);
  const atMs = momentIn(options);
  const bytes = await readDocument(path, gateway?.duis.requestBytesMax ?? REQUEST_BYTES_MAX);
  const look = gateway && new LookAhead(gateway, siteOf(gateway));
  const signers = look ? look.signersAt(atMs) : signersIn(options);
  const read = readServiceRequest(bytes, signers, {
    bytesMax: gateway?.duis.requestBytesMax ?? REQUEST_BYTES_MAX,
  });
  if (!read.ok && read.code === 'request-other-root') {
    return checkResponse(path, bytes, withOwn(signers, gateway), output);
  }
  const checked = checkedOf(read, look, { sha256: sha256Hex(bytes), atMs });
  output.result(
    checkDocument(path, checked),
    checkLines(path, checked, output.verbose),
    checked.isTaken ? [] : checkLines(path, checked, false),
  );
  return checked.isTaken ? EXIT.done : EXIT.refused;
}

function gatewayOf(options: CheckOptions): DuisGateway | undefined {
  const { config: path, certificate, anchors } = options;
  const isAlone = certificate !== undefined && anchors !== undefined;
  if (path === undefined) {
    if (isAlone) return undefined;
    const expected = 'a gateway (--config), or --certificate and --anchors';
    throw usage('--config', expected, certificate || anchors ? 'one of the two' : 'none');
  }
  if (certificate || anchors || options.crl) {
    throw usage('--config', 'a gateway, or signers on the command line', 'both');
  }
  const { config } = loadGateway(path);
  const { duis } = config;
  const { front, stateFolder } = config;
  // A front has no rigs of its own; its devices are those that it heard of last.
  const rigs = front ? [knownRig(config.path, stateFolder, front)] : config.rigs;
  if (duis) return { ...config, rigs, duis };
  throw new UpliftError('duis-missing', `${path} has no Service Users`, {
    expected: 'a configuration with the section `duis`',
    actual: 'one without',
    next: 'name the configuration of a gateway that takes Service Requests',
  });
}

// ---- a request ------------------------------------------------------------------------------------------

function checkedOf(
  read: RequestResult,
  look: LookAhead | undefined,
  { sha256, atMs }: { sha256: string; atMs: number },
): Checked {
  if (!read.ok) return { isTaken: false, findings: [faultFinding(read)], groups: [] };
  const { request, signer } = read;
  const of = { request, signer: signer.certificate };
  if (!look) {
    const findings = findingsAlone(request, atMs);
    return { ...of, isTaken: findings.length === 0, findings, groups: [], unchecked: UNCHECKED };
  }
  const outlook = look.outlook(request, sha256, atMs);
  const unchecked = look.hasJournal
    ? []
    : ['the requests before it: the gateway has no journal yet'];
  if (outlook.kind === 'repeated') {
    return { ...of, isTaken: true, isRepeated: true, findings: [], groups: [], unchecked };
  }
  const { responseCode, groups } = outlook;
  return {
    ...of,
    isTaken: isTaken(outlook),
    responseCode,
    findings: [...findingsOf(outlook), ...groups.flatMap(groupFinding)],
    groups,
    split: outlook.kind === 'taken' ? outlook.split : undefined,
    unchecked,
  };
}

/** With a warning it is, where it is done for one device at least. */
function isTaken(outlook: Exclude<Outlook, { kind: 'repeated' }>): boolean {
  if (outlook.kind === 'refused') return false;
  return outlook.split === undefined || outlook.split.admitted.length > 0;
}

function findingsOf(outlook: Exclude<Outlook, { kind: 'repeated' }>): CheckFinding[] {
  if (outlook.kind === 'taken') return [];
  const { findings, refusal, groups } = outlook;
  if (findings.length === 0) return groups.length > 0 ? [] : [refusalFinding(refusal)];
  return findings.map(({ code, ...said }) => ({ ...refusalFinding(ofService(code)), ...said }));
}

function ofService(code: ServiceCode): Refusal {
  return { origin: 'service', code };
}

/** Rules of admission say more of themselves. */
function groupFinding({ decision, example }: DeviceGroup): CheckFinding[] {
  return decision === 'admitted' || example ? [] : [refusalFinding(decision)];
}

function refusalFinding(refusal: Refusal): CheckFinding {
  const { code } = refusal;
  const message =
    SERVICE_CODES[code as ServiceCode] ?? CONTROL_CODES[code as ControlCode] ?? 'It is refused.';
  return { code, message, next: nextOf(refusal) };
}

function faultFinding(fault: DocumentFault): CheckFinding {
  const { code, message, line, column, element, actual } = fault;
  const refusal = refusalOfFault({ code } as Parameters<typeof refusalOfFault>[0]);
  return {
    code,
    message,
    line,
    column,
    ...(element === undefined ? {} : { element }),
    ...(actual === undefined ? {} : { actual }),
    next: nextOf(refusal),
  };
}

/** What can be said of a request without knowing who asks whom: the rest is taken as it should be. */
function findingsAlone(request: ServiceRequest, nowMs: number): CheckFinding[] {
  const { requestId, serviceReference } = request.header;
  const { originator, target } = requestId;
  const rows = SERVICE_MATRIX.filter((row) => row.serviceReference === serviceReference);
  const isForBroker = rows.some((row) => row.target === 'broker');
  const findings = checkRequest(
    request,
    {
      brokers: isForBroker ? [target] : [],
      users: new Map([[originator, rows.flatMap(({ roles }) => roles)]]),
    },
    {
      nowMs,
      devices: { has: () => true },
      past: { datedBy: () => originator, isAccepted: () => true },
    },
  );
  return findings.map(({ code, ...said }) => ({ ...refusalFinding(ofService(code)), ...said }));
}

// ---- a response -----------------------------------------------------------------------------------------

/** A gateway signs its responses itself. */
function withOwn(signers: KnownSigners, gateway: DuisGateway | undefined): KnownSigners {
  if (!gateway) return signers;
  const own = loadCertificates([gateway.duis.signing.certificateFile]);
  return { ...signers, certificates: [...signers.certificates, ...own] };
}

function checkResponse(
  path: string,
  bytes: Uint8Array,
  signers: KnownSigners,
  output: Output,
): ExitCode {
  const read = readServiceResponse(bytes, signers);
  if (!read.ok) {
    const finding = faultFinding(read);
    const checked = { isTaken: false, findings: [finding], groups: [] };
    const lines = checkLines(path, checked, false);
    output.result(checkDocument(path, checked), lines, lines);
    return EXIT.refused;
  }
  const { response, signer } = read;
  output.result(responseDocument(response, signer.certificate, path), [
    ...responseLines(response, signer.certificate, path),
  ]);
  return EXIT.done;
}

// ---- what is next ---------------------------------------------------------------------------------------

function nextOf(refusal: Refusal): string {
  return NEXT_BY_CODE[refusal.code] ?? NEXT[refusalRow(refusal).class];
}

const NEXT: Readonly<Record<RefusalClass, string>> = {
  signature: 'sign it anew, as its originator, after its last change: `uplift duis sign`',
  document: 'correct it at that place, and sign it again',
  version: 'write it for a version that is known',
  service: 'ask for it as the service is done here',
  authority: 'send it as a Service User that may, or configure that in `duis.users`',
  target: 'name the target that it is for',
  time: 'give another time, or none for now',
  replay: 'give it a new counter: `uplift duis sign --counter now`',
  image: 'ask with an image that is admitted: `uplift verify` says what is wrong',
  device: 'leave the device out, or see to what the rule asks for',
  'in-progress': 'wait until that is over, or call it off',
  gateway: 'see `uplift config check`, and the log of the gateway',
};

const NEXT_BY_CODE: Readonly<Record<string, string | undefined>> = {
  'signature-missing': 'sign it: `uplift duis sign`',
  'signer-unknown':
    'name the certificate of the signer (--certificate), or configure it for its user',
  'originator-differs': 'sign it as its originator, or correct the RequestID',
  'device-not-known': 'leave the device out, or add it to a rig of the gateway',
  'response-other-root': 'name a Request or a Response',
};
