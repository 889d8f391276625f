import { testKey } from '../../firmware/test-material.ts';
import type { AdmissionContext, Intake, RequestFacts } from '../../src/admission/context.ts';
import { type Decision, decideAdmission } from '../../src/admission/decide.ts';
import {
  type AdmissionFacts,
  type AdmissionPolicy,
  type DeviceFacts,
  gatherImageFacts,
  type ImageFactsOptions,
} from '../../src/admission/facts.ts';
import { REGULATION } from '../../src/admission/regulation.ts';
import type { Outcome, RuleId } from '../../src/admission/rules.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { parseEligibleCombinations } from '../../src/products/eligible-combinations.ts';
import type { Installation } from '../../src/products/installations.ts';
import { editionOf, type ListEdition } from '../../src/products/list-edition.ts';
import { parsePendingCombinations } from '../../src/products/pending-combinations.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { parseWaiver, type WaiverKey, waiverText } from '../../src/trust/downgrade-waiver.ts';
import { counting, type NaiveImage, naiveImage } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';
import { signRaw } from '../trust/naive-x509.ts';
import { AT_MS, make, SPECS } from '../trust/test-pki.ts';

export const DAY_MS = 86_400_000;
/** 20 July 2021 begins in London. */
export const RULE_DATE_MS = Date.parse('2021-07-20T00:00:00+01:00');
export const NOW = Date.UTC(2021, 8, 1);
export const BODY = counting(400, 9);
export const HASH = sha256Hex(Uint8Array.from(BODY));
export const EUI64 = '00112233445566aa';
export const HARDWARE = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};
const DEVICE: DeviceFacts = {
  eui64: EUI64,
  kind: 'ppmid',
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  hardwareVersion: 0x0100,
  currentFileVersion: 0x01000000,
  deviceModel: HARDWARE,
  imageProfile: 'gb-ppmid',
};
const HUB = '106C:0001:01:00:00000007';
const METER = 'AB01:0002:01:00:00000003';
const modelText = (version: string) => `121D:0084:01:00:${version}`;

interface Line {
  id?: string;
  hash?: string;
  version?: string;
  status?: string;
  from?: string;
  dcc?: string;
  loaded?: string;
  generation?: string;
  expedited?: string;
  fileVersion?: string;
}

export function listOf(lines: Line[], fetchedAtMs?: number) {
  const rows = lines.map((line, at) => {
    const { id = `E${at}`, hash = HASH, version = '02000000', status = 'Current' } = line;
    const { from = '', dcc = '', loaded = '', generation = 'SMETS1', fileVersion = '' } = line;
    const model = `121D,0084,01,00,${version},${hash},${status},2021-01-01,`;
    const tail = line.expedited ?? ',,,';
    return `${id},PPMID,${model},${fileVersion},${from},${dcc},${loaded},${generation},${tail}`;
  });
  const heading =
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
    'manufacturer_image_hash,status,listed_from,removed_from,ota_file_version,upgrade_from,' +
    'dcc_status,dcc_loaded_from,generation,expedited_purpose,expedited_added_on,' +
    'expedited_ends_on,ppct_reference';
  const stamp = fetchedAtMs === undefined ? undefined : { fetchedAtMs, source: 'the test' };
  const parsed = parseCentralProductsList([heading, ...rows].join('\n'), { stamp });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.list;
}

export function eligibleOf(rows: string[], stampMs?: number) {
  const heading =
    'combination_id,provider,communications_hub,esme,gsme,ppmid,added_on,removed_from';
  const stamp = stampMs === undefined ? undefined : { fetchedAtMs: stampMs, source: 'the test' };
  const parsed = parseEligibleCombinations([heading, ...rows].join('\n'), { stamp });
  if (!parsed.ok || parsed.list.issues.length > 0) throw new Error('the test list is wrong');
  return parsed.list;
}

function pendingOf(...rows: string[]) {
  const heading =
    'ppct_reference,provider,communications_hub,esme,gsme,ppmid,opened_on,outcome,closed_on';
  const parsed = parsePendingCombinations([heading, ...rows].join('\n'));
  if (!parsed.ok || parsed.list.issues.length > 0) throw new Error('the test list is wrong');
  return parsed.list;
}

export const AFTER = `C1,CSP-N,${HUB},${METER},,${modelText('02000000')},2021-01-01,`;

function model(text: string) {
  const [manufacturer, name, hardwareVersion, hardwareRevision, firmwareVersion] = text.split(
    ':',
  ) as [string, string, string, string, string];
  return { manufacturer, model: name, hardwareVersion, hardwareRevision, firmwareVersion };
}

export function home(change: Partial<Installation> = {}): Installation {
  return {
    installationId: 'HOME-1',
    provider: 'CSP-N',
    devices: [
      { kind: 'communications_hub', deviceModel: model(HUB) },
      { kind: 'esme', deviceModel: model(METER) },
      { kind: 'ppmid', deviceModel: model(modelText('01000000')) },
    ],
    cohort: 'MOC',
    suppliers: { electricity: 'SUPPLIER-A', gas: 'SUPPLIER-B' },
    line: 2,
    ...change,
  };
}

const REQUEST: RequestFacts = { requestType: '11.4', duisVersion: '5.0', role: 'IS' };

export interface Case {
  intake?: Intake;
  image?: NaiveImage;
  file?: Uint8Array;
  device?: DeviceFacts;
  lines?: Line[];
  fetchedAtMs?: number;
  /** An edition that was accepted before. */
  accepted?: Partial<ListEdition>;
  context?: Partial<AdmissionContext>;
  request?: RequestFacts;
  policy?: AdmissionPolicy;
  options?: Partial<ImageFactsOptions>;
  nowMs?: number;
}

/** The facts of a good service request with what was changed, and when they are decided on. */
export function gather(change: Case = {}): { facts: AdmissionFacts; nowMs: number } {
  const image = {
    manufacturer: 0x121d,
    imageType: 0x0084,
    fileVersion: 0x02000000,
    body: BODY,
    ...change.image,
  };
  const file = change.file ?? naiveImage(image);
  const { facts } = gatherImageFacts(file, { profile: 'gb-ppmid', ...change.options });
  const imageProfile = change.options?.profile ?? 'gb-ppmid';
  const nowMs = change.nowMs ?? NOW;
  const { intake = 'service-request' } = change;
  const context: AdmissionContext = {
    intake,
    ...(intake === 'bench' ? {} : { installation: home(), eligible: eligibleOf([AFTER], nowMs) }),
    ...(intake === 'service-request'
      ? { request: { ...REQUEST, ...change.request }, openRequests: new Set<string>() }
      : {}),
    ...change.context,
  };
  return {
    facts: {
      image: facts,
      device: { ...DEVICE, imageProfile, ...change.device },
      list: presentedList(change, nowMs),
      policy: change.policy,
      context,
    },
    nowMs,
  };
}

export function decide(change: Case = {}): Decision {
  const { facts, nowMs } = gather(change);
  return decideAdmission(facts, nowMs);
}

export const OLD: Line = { id: 'OLD', hash: '0d'.repeat(32), version: '01000000', from: 'N/A' };

/** What is changed of a good service request, the rule, and what it says. */
export const CASES: [string, RuleId, Outcome, Case][] = [
  // cpl.loaded
  ['not said', 'cpl.loaded', 'not-applicable', {}],
  ['loaded now', 'cpl.loaded', 'pass', { lines: [{ loaded: '2021-09-01' }] }],
  ['loaded tomorrow', 'cpl.loaded', 'refuse', { lines: [{ loaded: '2021-09-02' }] }],
  ['listed, not loaded', 'cpl.loaded', 'refuse', { lines: [{ loaded: 'no' }] }],
  ['not loaded, field', 'cpl.loaded', 'warn', { lines: [{ loaded: 'no' }], intake: 'field' }],
  [
    'not loaded, told',
    'cpl.loaded',
    'refuse',
    { lines: [{ loaded: 'no' }], intake: 'bench', policy: { notLoaded: 'refuse' } },
  ],
  // Words: each list's own.
  ['active at the DCC', 'cpl.current', 'pass', { lines: [{ dcc: 'Active' }] }],
  ...(['Cancelled', 'Expired', 'Withdrawn'] as const).map(
    (dcc): [string, RuleId, Outcome, Case] => [
      `current, ${dcc} at the DCC`,
      'cpl.current',
      'refuse',
      { lines: [{ dcc }] },
    ],
  ),
  [
    'removed, active at the DCC',
    'cpl.current',
    'refuse',
    { lines: [{ status: 'Removed', dcc: 'Active' }] },
  ],
  // cpl.stale: 7 days warn, 30 days refuse.
  ['of 7 days', 'cpl.stale', 'pass', { fetchedAtMs: NOW - 7 * DAY_MS }],
  ['of more', 'cpl.stale', 'warn', { fetchedAtMs: NOW - 7 * DAY_MS - 1 }],
  ['of 30 days', 'cpl.stale', 'warn', { fetchedAtMs: NOW - 30 * DAY_MS }],
  ['of more than 30', 'cpl.stale', 'refuse', { fetchedAtMs: NOW - 30 * DAY_MS - 1 }],
  ['from tomorrow', 'cpl.stale', 'pass', { fetchedAtMs: NOW + DAY_MS }],
  ['from later', 'cpl.stale', 'refuse', { fetchedAtMs: NOW + DAY_MS + 1 }],
  ['no stamp', 'cpl.stale', 'unknown', { context: { eligible: eligibleOf([AFTER]) } }],
  ['no stamp, bench', 'cpl.stale', 'not-applicable', { intake: 'bench', fetchedAtMs: Number.NaN }],
  [
    'an old EPCL',
    'cpl.stale',
    'refuse',
    { context: { eligible: eligibleOf([AFTER], NOW - 31 * DAY_MS) } },
  ],
  [
    'limits are data',
    'cpl.stale',
    'refuse',
    {
      fetchedAtMs: NOW - 2 * DAY_MS,
      policy: { regulation: { ages: { warnAfterDays: 1, refuseAfterDays: 1, source: 'test' } } },
    },
  ],
  // cpl.rollback
  ['nobody keeps which was accepted', 'cpl.rollback', 'not-applicable', {}],
  ['the accepted list itself', 'cpl.rollback', 'pass', { accepted: {} }],
  ['of a later day', 'cpl.rollback', 'pass', { accepted: { newestMs: 0, rows: 9, ended: 9 } }],
  ['of an earlier day', 'cpl.rollback', 'refuse', { accepted: { newestMs: Date.UTC(2021, 0, 2) } }],
  ['a row less', 'cpl.rollback', 'refuse', { accepted: { rows: 3 } }],
  ['a row that had ended stands', 'cpl.rollback', 'refuse', { accepted: { ended: 1 } }],
  [
    'older, told',
    'cpl.rollback',
    'warn',
    { accepted: { rows: 3 }, policy: { listRollback: 'warn' } },
  ],
  // version.step: 2^28, unless the list names the version.
  ['one step', 'version.step', 'pass', step(0x11000000)],
  ['one more', 'version.step', 'refuse', step(0x11000001)],
  [
    'one more, told',
    'version.step',
    'warn',
    { ...step(0x11000001), policy: { versionStep: 'warn' } },
  ],
  [
    'any, running unknown',
    'version.step',
    'unknown',
    step(0x11000001, { currentFileVersion: undefined }),
  ],
  [
    'small, running unknown',
    'version.step',
    'pass',
    step(0x10000000, { currentFileVersion: undefined }),
  ],
  [
    'the list names it',
    'version.step',
    'pass',
    { ...step(0xfffffffe), lines: [{ version: 'FFFFFFFE' }] },
  ],
  // cpl.pathway
  ['from its predecessor', 'cpl.pathway', 'pass', {}],
  ['from another', 'cpl.pathway', 'refuse', { device: { currentFileVersion: 0x01000001 } }],
  [
    'by the file version',
    'cpl.pathway',
    'pass',
    { lines: [{ from: 'OLD' }, { ...OLD, version: '9001', fileVersion: '01000000' }] },
  ],
  [
    'by what the installation says',
    'cpl.pathway',
    'pass',
    { device: { currentFileVersion: undefined } },
  ],
  [
    'running unknown',
    'cpl.pathway',
    'unknown',
    { intake: 'bench', device: { currentFileVersion: undefined } },
  ],
  ['N/A', 'cpl.pathway', 'refuse', { lines: [{ from: 'N/A' }] }],
  ['N/A, told', 'cpl.pathway', 'warn', { lines: [{ from: 'N/A' }], policy: { noPathway: 'warn' } }],
  ['not said', 'cpl.pathway', 'warn', { lines: [{}] }],
  ['not said, bench', 'cpl.pathway', 'not-applicable', { lines: [{}], intake: 'bench' }],
  [
    'not said, told',
    'cpl.pathway',
    'refuse',
    { lines: [{}], policy: { unknownPathway: 'refuse' } },
  ],
  // epcl.combination
  ['eligible', 'epcl.combination', 'pass', {}],
  [
    'only as it is now',
    'epcl.combination',
    'refuse',
    { context: { eligible: eligibleOf([AFTER.replace('02000000', '01000000')], NOW) } },
  ],
  [
    'of another provider',
    'epcl.combination',
    'refuse',
    { context: { installation: home({ provider: 'CSP-S' }) } },
  ],
  [
    'added at this moment',
    'epcl.combination',
    'pass',
    { context: { eligible: eligibleOf([AFTER.replace('2021-01-01', '2021-09-01')], NOW) } },
  ],
  [
    'added later',
    'epcl.combination',
    'refuse',
    { context: { eligible: eligibleOf([AFTER.replace('2021-01-01', '2021-09-02')], NOW) } },
  ],
  [
    'taken off at this moment',
    'epcl.combination',
    'refuse',
    { context: { eligible: eligibleOf([`${AFTER}2021-09-01`], NOW) } },
  ],
  ['of SMETS2', 'epcl.combination', 'not-applicable', { lines: [{ generation: 'SMETS2' }] }],
  [
    'not of this installation',
    'epcl.combination',
    'refuse',
    { context: { installation: home({ devices: home().devices.slice(0, 2) }) } },
  ],
  [
    'two devices of one model: a state in between that is not eligible',
    'epcl.combination',
    'refuse',
    {
      context: { installation: home({ devices: [...home().devices, home().devices[2]!] }) },
    },
  ],
  // s1sr.foc-ppmid
  ...(['3.0', '3.1', '4.0'] as const).flatMap((duisVersion): [string, RuleId, Outcome, Case][] => [
    [`last second, ${duisVersion}`, 's1sr.foc-ppmid', 'refuse', foc(duisVersion, -1000)],
    [`last moment, ${duisVersion}`, 's1sr.foc-ppmid', 'refuse', foc(duisVersion, -1)],
    [`first second, ${duisVersion}`, 's1sr.foc-ppmid', 'not-applicable', foc(duisVersion, 0)],
    [`a year on, ${duisVersion}`, 's1sr.foc-ppmid', 'not-applicable', foc(duisVersion, 3e10)],
  ]),
  ['another DUIS', 's1sr.foc-ppmid', 'pass', foc('5.0', -1000)],
  ['an older DUIS', 's1sr.foc-ppmid', 'pass', foc('2.0', -1000)],
  ['DUIS not said', 's1sr.foc-ppmid', 'unknown', foc(undefined, -1000)],
  ['IOC', 's1sr.foc-ppmid', 'pass', foc('3.0', -1000, { cohort: 'IOC' })],
  ['MOC', 's1sr.foc-ppmid', 'pass', foc('3.0', -1000, { cohort: 'MOC' })],
  [
    'a meter of an FOC installation',
    's1sr.foc-ppmid',
    'not-applicable',
    { ...foc('3.0', -1000), device: { kind: 'esme' } },
  ],
  [
    'another date, told',
    's1sr.foc-ppmid',
    'refuse',
    {
      ...foc('3.0', 1000),
      policy: { inForce: { 's1sr.foc-ppmid': { untilMs: RULE_DATE_MS + 2000 } } },
    },
  ],
  // duis.request-type
  ...requestTypes(),
  // duis.device-count
  ['50,000 devices', 'duis.device-count', 'pass', { request: { deviceCount: 50_000 } }],
  ['one more', 'duis.device-count', 'refuse', { request: { deviceCount: 50_001 } }],
  ['none', 'duis.device-count', 'refuse', { request: { deviceCount: 0 } }],
  // role.responsible
  ...roles(),
  // request.one-open
  ['no other open', 'request.one-open', 'pass', { context: { openRequests: new Set(['00']) } }],
  ['one open', 'request.one-open', 'refuse', { context: { openRequests: new Set([EUI64]) } }],
  [
    'one open for whom',
    'request.one-open',
    'unknown',
    { context: { openRequests: new Set([EUI64]) }, device: { eui64: undefined } },
  ],
  // request.hold
  ['held to the last', 'request.hold', 'pass', { request: { heldSinceMs: NOW - 7 * DAY_MS + 1 } }],
  ['held 7 days', 'request.hold', 'warn', { request: { heldSinceMs: NOW - 7 * DAY_MS } }],
  ['held from later', 'request.hold', 'warn', { request: { heldSinceMs: NOW + 1 } }],
  // image.device-size
  ['750 kB', 'image.device-size', 'pass', { image: { body: counting(750_000 - 56) } }],
  ['one byte more', 'image.device-size', 'warn', { image: { body: counting(750_001 - 56) } }],
];

export function foc(
  duisVersion: string | undefined,
  afterMs: number,
  change: Partial<Installation> = {},
): Case {
  return {
    nowMs: RULE_DATE_MS + afterMs,
    request: { duisVersion, requestType: '11.1' },
    context: { installation: home({ cohort: 'FOC', ...change }) },
  };
}

function presentedList({ lines, fetchedAtMs, accepted }: Case, nowMs: number) {
  const list = listOf(lines ?? [{ id: 'NEW', from: 'OLD' }, OLD], fetchedAtMs ?? nowMs);
  if (!accepted) return list;
  const edition = { ...editionOf(list, NOW), ...accepted };
  return { ...list, accepted: { edition, keptIn: 'the test' } };
}

function step(fileVersion: number, device: DeviceFacts = {}): Case {
  return { image: { fileVersion }, device };
}

function requestTypes(): [string, RuleId, Outcome, Case][] {
  const table: [DeviceFacts['kind'], string, string, Outcome][] = [
    ['ppmid', '11.1', '2.0', 'refuse'],
    ['ppmid', '11.1', '3.0', 'pass'],
    ['ppmid', '11.1', '3.1', 'pass'],
    ['ppmid', '11.1', '4.0', 'pass'],
    ['ppmid', '11.1', '5.0', 'refuse'],
    ['ppmid', '11.4', '4.0', 'refuse'],
    ['ppmid', '11.4', '5.0', 'pass'],
    ['ppmid', '11.4', '5.0a', 'pass'],
    ['ppmid', '11.4', '5.4', 'pass'],
    ['ppmid', '11.3', '5.0', 'refuse'],
    ['ppmid', '11.4', 'five', 'refuse'],
    ['esme', '11.1', '3.0', 'pass'],
    ['esme', '11.1', '5.4', 'pass'],
    ['esme', '11.4', '5.0', 'refuse'],
    ['gsme', '11.1', '5.0', 'pass'],
    ['gsme', '11.2', '5.0', 'refuse'],
    ['communications_hub', '11.1', '5.0', 'warn'],
    [undefined, '11.1', '5.0', 'unknown'],
  ];
  return table.map(([kind, requestType, duisVersion, says]) => [
    `${kind} by ${requestType} under ${duisVersion}`,
    'duis.request-type',
    says,
    { device: { kind }, request: { requestType, duisVersion } },
  ]);
}

function roles(): [string, RuleId, Outcome, Case][] {
  const table: [DeviceFacts['kind'], string, string | undefined, Outcome][] = [
    ['esme', 'IS', undefined, 'pass'],
    ['esme', 'is', 'supplier-a', 'pass'],
    ['esme', 'IS', 'SUPPLIER-B', 'refuse'],
    ['esme', 'GS', undefined, 'refuse'],
    ['esme', 'ES', undefined, 'refuse'],
    ['gsme', 'GS', 'SUPPLIER-B', 'pass'],
    ['gsme', 'GS', 'SUPPLIER-A', 'refuse'],
    ['gsme', 'IS', undefined, 'refuse'],
    ['ppmid', 'IS', 'SUPPLIER-A', 'pass'],
    ['ppmid', 'GS', 'SUPPLIER-B', 'pass'],
    ['ppmid', 'OU', undefined, 'refuse'],
    ['communications_hub', 'GS', undefined, 'pass'],
    [undefined, 'IS', undefined, 'unknown'],
  ];
  const cases = table.map(([kind, role, party, says]): [string, RuleId, Outcome, Case] => [
    `${kind} by ${role} ${party ?? ''}`,
    'role.responsible',
    says,
    { device: { kind }, request: { role, party } },
  ]);
  const told = { ...REGULATION.roles, ppmid: { roles: ['IS'], source: 'test' } };
  return [
    ...cases,
    [
      'shared devices are data',
      'role.responsible',
      'refuse',
      { request: { role: 'GS' }, policy: { regulation: { roles: told } } },
    ],
    [
      'supplier not known',
      'role.responsible',
      'unknown',
      { request: { party: 'X' }, context: { installation: home({ suppliers: {} }) } },
    ],
  ];
}

export const EXPEDITED = 'security fix,2021-07-01,2022-01-01,PPCT-1';
export const PPCT = `PPCT-1,CSP-N,${HUB},${METER},,${modelText('02000000')},2021-07-01,open,`;
const PURPOSES = { ...REGULATION.expedited, purposes: ['Security fix'] };

/** A case of which an expedited entry is to stand in for the combination. */
export function expeditedCase(change: Case & { line?: Line } = {}, ...pending: string[]): Case {
  const { line, ...rest } = change;
  return {
    lines: [{ from: 'OLD', expedited: EXPEDITED, ...line }, OLD],
    policy: { regulation: { expedited: PURPOSES } },
    ...rest,
    context: {
      eligible: eligibleOf([], change.nowMs ?? NOW),
      pending: pendingOf(...(pending.length > 0 ? pending : [PPCT])),
      ...change.context,
    },
  };
}

export const floors = (floor: number) => ({
  floors: { version: 1 as const, floors: [{ ...HARDWARE, floor }] },
});

function keyOf(person: string): WaiverKey {
  return { person, anchor: anchorOf('downgrade-waiver', testKey(person).publicKey) };
}

export const LEAVE_FROM = Date.UTC(2021, 7, 20);
export const LEAVE_UNTIL = Date.UTC(2021, 8, 10);

export function waived(
  change: { devices?: string[]; signers?: string[]; imageVersion?: number } = {},
): Pick<AdmissionContext, 'waiver'> {
  const { devices = [EUI64], signers = ['ann', 'bob'], imageVersion = 0x02000000 } = change;
  const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
  const parsed = parseWaiver({
    kind: 'downgrade-waiver',
    version: 1,
    id: 'W-1',
    reason: 'The new image fails.',
    author: 'ann',
    approver: 'bob',
    devices,
    hardware: HARDWARE,
    imageVersion,
    imageSha256: sha256Hex(GOOD_FILE),
    notBefore: iso(LEAVE_FROM),
    expires: iso(LEAVE_UNTIL),
    signatures: [],
  });
  if (!parsed.ok) throw new Error(parsed.message);
  const text = Buffer.from(waiverText(parsed.waiver));
  const signatures = signers.map((person) => ({
    person,
    value: Buffer.from(signRaw(testKey(person).privateKey, text)).toString('hex'),
  }));
  return {
    waiver: { waiver: { ...parsed.waiver, signatures }, keys: [keyOf('ann'), keyOf('bob')] },
  };
}

export const GOOD_FILE = naiveImage({
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  body: BODY,
});

export const supplier = make(SPECS.supplier);
export const issuing = make(SPECS.issuing);
export const root = make(SPECS.root);

/** A case of a GB image that the supplier of the test PKI signed. */
export function signedCase(trust: ImageFactsOptions['trust'], change: Case = {}): Case {
  const signature = signRaw(testKey('supplier').privateKey, Uint8Array.from(BODY));
  return {
    image: { body: [...BODY, 0, 0x40, ...signature] },
    options: { profile: 'gb-signed', trust },
    nowMs: AT_MS,
    intake: 'bench',
    ...change,
  };
}
