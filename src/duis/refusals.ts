/**
 * What a refusal of ours is called at the DCC User Interface: for one device among others a list of
 * the warning, for the whole request a response code.
 *
 * No source says which list or code goes with what. So both steps are data, each with its source,
 * and a site may put others in their place. Where a refusal comes from is told with its code, since
 * tables of codes are of a folder each and may share a word.
 */
import type { RuleId } from '../admission/rule.ts';
import { XML_CODES } from '../xml/codes.ts';
import { REQUEST_CODES, type RequestCode, type RequestFault } from './request-codes.ts';
import type { WarningList } from './response.ts';
import { ANY_ERROR, codeForPeer } from './response-codes.ts';
import type { ServiceCode } from './service-codes.ts';

/**
 * By a rule of admission, by `SERVICE_CODES`, by the gateway's control, by the reader, by a
 * signature.
 */
export type RefusalOrigin = 'admission' | 'service' | 'control' | 'document' | 'signature';

export interface Refusal {
  origin: RefusalOrigin;
  code: string;
}

export type RefusalClass =
  | 'signature'
  | 'document'
  | 'version'
  | 'service'
  | 'authority'
  | 'target'
  | 'time'
  | 'replay'
  | 'image'
  | 'device'
  | 'in-progress'
  | 'gateway';

export interface RefusalRow {
  class: RefusalClass;
  /**
   * About the request or its image, so that all its devices are refused alike; or about a device.
   */
  about: 'request' | 'device';
  /** Where the device stands that is refused while others are not. */
  list: WarningList;
  source: string;
}

export interface CodeRow {
  code: string;
  /** By service reference. */
  byService?: Readonly<Record<string, string>>;
  source: string;
}

/** What a site says otherwise: by `ORIGIN/CODE`, and by class. */
export interface RefusalSettings {
  rows?: Readonly<Record<string, Partial<RefusalRow>>>;
  codes?: Readonly<Partial<Record<RefusalClass, CodeRow>>>;
}

const BY_NAME = 'inferred from the name of the list';
const NO_SOURCE = 'assumed: found in no source';

const request = (of: RefusalClass): RefusalRow => ({
  class: of,
  about: 'request',
  list: 'NotApplicableFirmwareDeviceIDList',
  source: NO_SOURCE,
});
const device = (
  list: WarningList = 'NotApplicableFirmwareDeviceIDList',
  of: RefusalClass = 'device',
): RefusalRow => ({ class: of, about: 'device', list, source: BY_NAME });

export const ADMISSION_REFUSALS: Readonly<Record<RuleId, RefusalRow>> = {
  'image.readable': request('image'),
  'image.size-cap': request('image'),
  'image.device-size': request('image'),
  'image.total-size': request('image'),
  'image.fits-slot': device(),
  'image.header': request('image'),
  'image.elements': request('image'),
  'image.integrity-code': request('image'),
  'image.digest': request('image'),
  'image.signature': request('image'),
  'image.bootable': request('image'),
  'image.dependencies': device(),
  'device.image-profile': device(),
  'device.manufacturer-code': device(),
  'device.image-type': device(),
  'device.hardware-range': device(),
  'device.destination': device(),
  'device.newer': device(),
  'cpl.listed': request('image'),
  'cpl.device-model': device(),
  'cpl.current': device(),
  'cpl.firmware-version': request('image'),
  'cpl.loaded': device(),
  'cpl.stale': request('gateway'),
  'cpl.rollback': request('gateway'),
  'cpl.pathway': device(),
  'epcl.combination': device(),
  'version.floor': device(),
  'version.step': device(),
  'signature.party': request('image'),
  'zse.signature': request('image'),
  's1sr.foc-ppmid': device(),
  'duis.request-type': device('InvalidDeviceIDList', 'service'),
  'duis.device-count': request('document'),
  'role.responsible': device('InvalidDeviceIDList', 'authority'),
  'request.one-open': device('OtherRequestInProgressList', 'in-progress'),
  'request.hold': device(),
};

export const SERVICE_REFUSALS: Readonly<Record<ServiceCode, RefusalRow>> = {
  'duis-version-unknown': request('version'),
  'service-not-served': request('service'),
  'service-too-early': request('version'),
  'reference-variant-differs': request('service'),
  'body-differs': request('service'),
  'variant-not-served': request('service'),
  'originator-unknown': request('authority'),
  'role-not-allowed': request('authority'),
  'target-not-broker': request('target'),
  'target-is-broker': request('target'),
  'target-unknown': request('target'),
  'execution-not-datable': request('time'),
  'execution-past': request('time'),
  'execution-too-late': request('time'),
  'nothing-to-cancel': request('time'),
  'dated-by-other': request('in-progress'),
  'preceding-unknown': request('replay'),
  'request-id-other-content': request('replay'),
  'counter-not-above': request('replay'),
  'device-not-known': device('InvalidDeviceIDList', 'target'),
  'device-not-commissioned': device('NotCommissionedDeviceIDList'),
  'device-gbcs-version': device('InvalidGBCSVersionList'),
};

/** `CONTROL_CODES` of the gateway, which lies above this folder: a test compares the two. */
export const CONTROL_REFUSALS: Readonly<Record<string, RefusalRow>> = {
  'job-unknown': request('gateway'),
  'device-unknown': device('InvalidDeviceIDList', 'target'),
  'device-not-in-job': device('InvalidDeviceIDList', 'target'),
  'image-unknown': request('image'),
  'image-in-use': request('in-progress'),
  'window-unknown': request('gateway'),
  'job-malformed': request('gateway'),
  'job-open': device('OtherRequestInProgressList', 'in-progress'),
  'request-id-reused': request('replay'),
  'not-approvable': request('gateway'),
  'own-approval': request('gateway'),
  'not-activatable': device(),
  'not-cancellable': device(),
  'not-retryable': device(),
  'not-accepting': request('gateway'),
};

/** Codes of the reader that are not about the form of the document. */
const DOCUMENT_REFUSALS: Readonly<Partial<Record<RequestCode, RefusalRow>>> = {
  'request-kind-not-served': request('service'),
  'originator-differs': request('signature'),
};

/**
 * For whatever has no row of its own: of a form or a signature a peer is told that it is wrong, not
 * how.
 */
export const DEFAULT_REFUSALS: Readonly<Record<RefusalOrigin, RefusalRow>> = {
  admission: device(),
  service: request('service'),
  control: request('gateway'),
  document: request('document'),
  signature: request('signature'),
};

const TABLES: Readonly<Record<RefusalOrigin, Readonly<Record<string, RefusalRow | undefined>>>> = {
  admission: ADMISSION_REFUSALS,
  service: SERVICE_REFUSALS,
  control: CONTROL_REFUSALS,
  document: DOCUMENT_REFUSALS,
  signature: {},
};

const OF_SERVICE: CodeRow = {
  code: ANY_ERROR,
  byService: { '11.1': 'E110101', '11.4': 'E110401' },
  source: 'assumed: codes of the schema for these services; which stands for what was not found',
};
const OF_ANY: CodeRow = {
  code: ANY_ERROR,
  source: 'assumed: a code of the schema for any service; which stands for what was not found',
};

/** Refused as a whole; what went well, or well in part, is in `ACCEPTED_CODES`. */
export const REFUSED_CODES: Readonly<Record<RefusalClass, CodeRow>> = {
  signature: { code: 'E100', source: 'assumed: a code of the schema that is said to be for this' },
  document: OF_ANY,
  version: OF_ANY,
  service: OF_ANY,
  authority: OF_ANY,
  target: OF_ANY,
  time: OF_ANY,
  replay: OF_ANY,
  image: OF_SERVICE,
  device: OF_SERVICE,
  'in-progress': OF_SERVICE,
  gateway: OF_ANY,
};

export const ACCEPTED_CODES = {
  /** What the DCC does itself and at once: command variants 8 and 2. */
  done: { code: 'I0', source: 'published responses (read)' },
  /** What a device will answer. */
  acknowledged: { code: 'I99', source: 'assumed: its name; published ones were not found' },
  /** Not for the devices of the warning. */
  partly: {
    code: 'I0',
    byService: { '11.1': 'W110101', '11.4': 'W110401' },
    source: 'the codes read; that they go with the warning lists is inferred',
  },
} as const satisfies Record<string, CodeRow>;

export type AcceptedCodes = Readonly<Record<keyof typeof ACCEPTED_CODES, CodeRow>>;

/** Of a request that was not read: whether its form is wrong, or its signature or who made it. */
export function refusalOfFault({ code }: { code: RequestFault['code'] }): Refusal {
  const isForm = Object.hasOwn(REQUEST_CODES, code) || Object.hasOwn(XML_CODES, code);
  return { origin: isForm ? 'document' : 'signature', code };
}

export function refusalRow({ origin, code }: Refusal, settings: RefusalSettings = {}): RefusalRow {
  const table = TABLES[origin];
  const own = Object.hasOwn(table, code) ? table[code] : undefined;
  const row = own ?? DEFAULT_REFUSALS[origin];
  const key = `${origin}/${code}`;
  const { rows = {} } = settings;
  return Object.hasOwn(rows, key) ? { ...row, ...rows[key] } : row;
}

/** The response code for a request that is refused as a whole, as the peer's version has it. */
export function refusalCode(
  refusal: Refusal,
  asked: { serviceReference: string; duisVersion: string },
  settings: RefusalSettings = {},
): string {
  const { class: of } = refusalRow(refusal, settings);
  return codeOf(settings.codes?.[of] ?? REFUSED_CODES[of], asked);
}

export function codeOf(
  { code, byService = {} }: CodeRow,
  { serviceReference, duisVersion }: { serviceReference: string; duisVersion: string },
): string {
  const own = Object.hasOwn(byService, serviceReference) ? byService[serviceReference]! : code;
  return codeForPeer(own, duisVersion);
}
