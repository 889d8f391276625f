/** The rules that regulation adds: each from both sides of every boundary and of every date. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import type { AdmissionContext, Intake, RequestFacts } from '../../src/admission/context.ts';
import { type Decision, decideAdmission, rules } from '../../src/admission/decide.ts';
import {
  type AdmissionPolicy,
  type DeviceFacts,
  gatherImageFacts,
  type ImageFactsOptions,
} from '../../src/admission/facts.ts';
import { compareDuis, REGULATION } from '../../src/admission/regulation.ts';
import { REGULATION_RULES } from '../../src/admission/regulation-rules.ts';
import type { Outcome, RuleId } from '../../src/admission/rules.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { parseEligibleCombinations } from '../../src/products/eligible-combinations.ts';
import type { Installation } from '../../src/products/installations.ts';
import { parsePendingCombinations } from '../../src/products/pending-combinations.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { parseWaiver, type WaiverKey, waiverText } from '../../src/trust/downgrade-waiver.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { counting, type NaiveImage, naiveElement, naiveImage } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';
import { certificate, crl, FROM_MS, signRaw, UNTIL_MS } from '../trust/naive-x509.ts';
import { AT_MS, anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';

const DAY_MS = 86_400_000;
/** 20 July 2021 begins in London. */
const RULE_DATE_MS = Date.parse('2021-07-20T00:00:00+01:00');
const NOW = Date.UTC(2021, 8, 1);
const BODY = counting(400, 9);
const HASH = sha256Hex(Uint8Array.from(BODY));
const EUI64 = '00112233445566aa';
const HARDWARE = {
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

function listOf(lines: Line[], fetchedAtMs?: number) {
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

function eligibleOf(rows: string[], stampMs?: number) {
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

const AFTER = `C1,CSP-N,${HUB},${METER},,${modelText('02000000')},2021-01-01,`;

function model(text: string) {
  const [manufacturer, name, hardwareVersion, hardwareRevision, firmwareVersion] = text.split(
    ':',
  ) as [string, string, string, string, string];
  return { manufacturer, model: name, hardwareVersion, hardwareRevision, firmwareVersion };
}

function home(change: Partial<Installation> = {}): Installation {
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

interface Case {
  intake?: Intake;
  image?: NaiveImage;
  file?: Uint8Array;
  device?: DeviceFacts;
  lines?: Line[];
  fetchedAtMs?: number;
  context?: Partial<AdmissionContext>;
  request?: RequestFacts;
  policy?: AdmissionPolicy;
  options?: Partial<ImageFactsOptions>;
  nowMs?: number;
}

function decide(change: Case = {}): Decision {
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
  return decideAdmission(
    {
      image: facts,
      device: { ...DEVICE, imageProfile, ...change.device },
      list: listOf(change.lines ?? [{ id: 'NEW', from: 'OLD' }, OLD], change.fetchedAtMs ?? nowMs),
      policy: change.policy,
      context,
    },
    nowMs,
  );
}

const OLD: Line = { id: 'OLD', hash: '0d'.repeat(32), version: '01000000', from: 'N/A' };

function outcome(decision: Decision, ruleId: RuleId): Outcome {
  return decision.findings.find((finding) => finding.ruleId === ruleId)!.outcome;
}

function said(decision: Decision): string[] {
  return decision.findings
    .filter(({ outcome: o }) => o !== 'pass' && o !== 'not-applicable')
    .map(({ ruleId, outcome: o }) => `${ruleId} ${o}`);
}

test('the good cases of each intake say nothing', () => {
  for (const intake of ['bench', 'field', 'service-request'] as const) {
    const decision = decide({ intake });
    assert.equal(said(decision), [], intake);
    assert.is(decision.verdict, 'admitted');
    assert.not(decision.conditional);
  }
});

test('what an intake demands and is not there is waited for; elsewhere it is not asked', () => {
  const nothing = { installation: undefined, eligible: undefined } as const;
  const bench = decide({ intake: 'bench', context: nothing });
  assert.equal([bench.verdict, bench.conditional], ['admitted', false]);
  const field = decide({ intake: 'field', context: nothing });
  assert.equal([field.verdict, field.pending], ['admitted', ['installation']]);
  const list = decide({ intake: 'field', context: { eligible: undefined } });
  assert.equal(list.pending, ['eligible']);
  const asked = decide({ context: { request: undefined, openRequests: undefined } });
  assert.equal(asked.pending, ['requestType', 'role', 'openRequests']);
  assert.equal([asked.verdict, asked.conditional], ['admitted', true]);
});

/** What is changed of a good service request, the rule, and what it says. */
const CASES: [string, RuleId, Outcome, Case][] = [
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

function foc(
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

for (const [name, ruleId, says, change] of CASES) {
  test(`${ruleId}, ${name}: ${says}`, () => {
    const decision = decide(change);
    assert.is(outcome(decision, ruleId), says);
    const finding = decision.findings.find((one) => one.ruleId === ruleId)!;
    if (says !== 'refuse') return;
    assert.is(decision.verdict, 'refused');
    assert.ok(finding.expected && finding.actual && finding.next, 'a refusal says what would do');
  });
}

test('the whole of an FOC PPMID: the second before and the second of the date', () => {
  const before = decide(foc('3.1', -1000));
  assert.equal([before.verdict, before.ruleId], ['refused', 's1sr.foc-ppmid']);
  const from = decide(foc('3.1', 0));
  assert.equal([from.verdict, said(from)], ['admitted', []]);
});

const EXPEDITED = 'security fix,2021-07-01,2022-01-01,PPCT-1';
const PPCT = `PPCT-1,CSP-N,${HUB},${METER},,${modelText('02000000')},2021-07-01,open,`;
const PURPOSES = { ...REGULATION.expedited, purposes: ['Security fix'] };

function expedited(change: Case & { line?: Line } = {}, ...pending: string[]): Outcome {
  const { line, ...rest } = change;
  return outcome(
    decide({
      lines: [{ from: 'OLD', expedited: EXPEDITED, ...line }, OLD],
      policy: { regulation: { expedited: PURPOSES } },
      ...rest,
      context: {
        eligible: eligibleOf([], change.nowMs ?? NOW),
        pending: pendingOf(...(pending.length > 0 ? pending : [PPCT])),
        ...change.context,
      },
    }),
    'epcl.combination',
  );
}

test('an expedited entry stands in for the combination, under all of its conditions', () => {
  assert.is(expedited(), 'pass');
  assert.is(expedited({ nowMs: RULE_DATE_MS - 1 }), 'refuse');
  assert.is(expedited({ nowMs: RULE_DATE_MS }), 'pass');
  assert.is(expedited({ line: { expedited: ',,,' } }), 'refuse', 'not expedited');
  assert.is(expedited({ line: { generation: '' } }), 'refuse', 'not said to be SMETS1');
  assert.is(expedited({ policy: {} }), 'refuse', 'no purpose named');
  assert.is(expedited({ context: { pending: undefined } }), 'refuse', 'no test');
  assert.is(expedited({}, PPCT.replace(',open,', ',passed,2021-08-01')), 'refuse', 'closed');
  assert.is(expedited({}, PPCT.replace(',open,', ',failed,2021-09-01')), 'refuse', 'closed now');
  assert.is(expedited({}, PPCT.replace(',open,', ',failed,2021-09-02')), 'pass', 'closes later');
  assert.is(expedited({}, PPCT.replace('CSP-N', 'CSP-S')), 'refuse', 'of another combination');
  const end = Date.UTC(2022, 0, 1);
  assert.is(expedited({ nowMs: end - 1 }), 'pass');
  assert.is(expedited({ nowMs: end }), 'refuse', 'ended');
});

test('an expedited entry waives the combination and nothing else', () => {
  const before = decide({
    ...foc('3.0', -1000, {}),
    lines: [{ from: 'OLD', expedited: EXPEDITED }, OLD],
  });
  assert.is(outcome(before, 's1sr.foc-ppmid'), 'refuse');
});

const floors = (floor: number) => ({
  floors: { version: 1 as const, floors: [{ ...HARDWARE, floor }] },
});

test('version.floor: at it, below it, of other hardware, and of hardware half known', () => {
  const of = (floor: number, device: DeviceFacts = {}) =>
    outcome(decide({ context: floors(floor), device }), 'version.floor');
  assert.is(of(0x02000000), 'pass');
  assert.is(of(0x02000001), 'refuse');
  assert.is(
    of(0x02000001, { deviceModel: { ...HARDWARE, hardwareRevision: '07' } }),
    'not-applicable',
  );
  assert.is(of(0x02000001, { deviceModel: { manufacturer: '121D' } }), 'unknown');
});

function keyOf(person: string): WaiverKey {
  return { person, anchor: anchorOf('downgrade-waiver', testKey(person).publicKey) };
}

const LEAVE_FROM = Date.UTC(2021, 7, 20);
const LEAVE_UNTIL = Date.UTC(2021, 8, 10);

function waived(
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

const GOOD_FILE = naiveImage({
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  body: BODY,
});

test('a downgrade: refused in the field whatever the command says, admitted under a waiver', () => {
  const back = (change: Case = {}): Case => ({
    intake: 'field',
    device: { currentFileVersion: 0x03000000 },
    ...change,
    context: { ...floors(0x02800000), ...change.context },
  });
  const refusedBy = (change: Case) => decide(back(change)).ruleId;
  assert.is(refusedBy({}), 'device.newer');
  assert.is(refusedBy({ policy: { allowDowngrade: true } }), 'device.newer');
  const admitted = decide(back({ context: waived() }));
  assert.is(admitted.verdict, 'admitted');
  assert.equal(said(admitted), ['device.newer warn', 'cpl.pathway warn', 'version.floor warn']);
  assert.is(refusedBy({ context: waived({ devices: ['00112233445566ab'] }) }), 'device.newer');
  assert.is(refusedBy({ context: waived({ signers: ['ann'] }) }), 'device.newer');
  assert.is(refusedBy({ context: waived({ signers: ['ann', 'ann'] }) }), 'device.newer');
  assert.is(refusedBy({ context: waived({ imageVersion: 1 }) }), 'device.newer');
  for (const [nowMs, says] of [
    [LEAVE_FROM - 1, 'refused'],
    [LEAVE_FROM, 'admitted'],
    [LEAVE_UNTIL - 1, 'admitted'],
    [LEAVE_UNTIL, 'refused'],
  ] as const) {
    assert.is(decide(back({ nowMs, context: waived() })).verdict, says);
  }
  const same = decide(back({ device: { currentFileVersion: 0x02000000 }, context: waived() }));
  assert.is(same.ruleId, 'device.newer', 'the same version has nothing to bring');
});

test('a downgrade on the bench: the command may let it pass, but not below a floor', () => {
  const back: Case = {
    intake: 'bench',
    device: { currentFileVersion: 0x03000000 },
    policy: { allowDowngrade: true },
  };
  assert.is(decide(back).verdict, 'admitted');
  assert.is(decide({ ...back, context: floors(0x02000001) }).ruleId, 'version.floor');
});

const supplier = make(SPECS.supplier);
const issuing = make(SPECS.issuing);
const root = make(SPECS.root);

function signed(trust: ImageFactsOptions['trust'], change: Case = {}): Decision {
  const signature = signRaw(testKey('supplier').privateKey, Uint8Array.from(BODY));
  return decide({
    image: { body: [...BODY, 0, 0x40, ...signature] },
    options: { profile: 'gb-signed', trust },
    nowMs: AT_MS,
    intake: 'bench',
    ...change,
  });
}

test('signature.party: chain, pinned key, purpose, usage, dates, revocation', () => {
  const firmware = [anchor(root.der, 'gb-firmware')];
  const chain = { anchors: firmware, certificates: [supplier, issuing] };
  const says = (trust: ImageFactsOptions['trust'], change: Case = {}) =>
    outcome(signed(trust, change), 'signature.party');
  assert.is(says(undefined), 'not-applicable');
  assert.is(says(chain), 'pass');
  assert.is(outcome(signed(chain), 'image.signature'), 'not-applicable');
  assert.is(says(chain, { intake: 'field' }), 'warn', 'revocation not checked');
  assert.is(says({ anchors: firmware, certificates: [issuing] }), 'refuse', 'nobody');
  assert.is(says({ anchors: firmware, certificates: [supplier] }), 'refuse', 'no way');
  for (const purpose of ['xml-signing', 'campaign', 'downgrade-waiver']) {
    assert.is(says({ ...chain, anchors: [anchor(root.der, purpose)] }), 'refuse', purpose);
    const pinned = { anchors: [anchor(supplier.der, purpose)], certificates: [] };
    assert.is(says(pinned), 'refuse', `pinned for ${purpose}`);
  }
  assert.is(says({ anchors: [anchor(supplier.der, 'gb-firmware')], certificates: [] }), 'pass');
  const noUsage = make(SPECS.supplier, { usage: 16 });
  assert.is(says({ ...chain, certificates: [noUsage, issuing] }), 'refuse', 'usage');
  const xml = make(SPECS.xml, { key: 'supplier' });
  assert.is(says({ ...chain, certificates: [xml, issuing] }), 'refuse', 'role of XML signers');
  for (const [nowMs, expected] of [
    [FROM_MS - 1, 'refuse'],
    [FROM_MS, 'pass'],
    [UNTIL_MS, 'pass'],
    [UNTIL_MS + 1000, 'refuse'],
  ] as const) {
    assert.is(says(chain, { nowMs }), expected, new Date(nowMs).toISOString());
    const pinned = { anchors: [anchor(supplier.der, 'gb-firmware')], certificates: [] };
    assert.is(says(pinned, { nowMs }), expected);
  }
  const listOfRevoked = (signedBy: string, issuer: typeof ROOT, revoked: bigint[]) => {
    const parsed = parseRevocationList(crl({ signedBy, issuer, revoked }));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed;
  };
  const good = [listOfRevoked('root', ROOT, []), listOfRevoked('issuing', ISSUING, [])];
  assert.is(says({ ...chain, crls: good }, { intake: 'field' }), 'pass');
  const dead = [listOfRevoked('root', ROOT, []), listOfRevoked('issuing', ISSUING, [3n])];
  assert.is(says({ ...chain, crls: dead }), 'refuse', 'revoked');
  assert.is(says({ ...chain, crls: [] }), 'refuse', 'no list of an issuer');
});

test('zse.signature: good, by a stranger, damaged, with nobody configured', () => {
  const ca = testCa(2, '5445535453454341');
  const signer = issue(ca, '00124b0001020304');
  const file = signImage(
    {
      manufacturerCode: 0x121d,
      imageType: 0x0084,
      fileVersion: 0x02000000,
      headerString: 'zse',
      elements: [{ tag: 0, data: Uint8Array.from(BODY) }],
    },
    signer,
  );
  const fingerprint = sha256Hex(ca.publicKey);
  const zseCa = { ...ca, name: 'ca', purpose: 'zse-ca', fingerprint } as const;
  const trust = { anchors: [], zseCas: [zseCa], zseSigners: [signer.eui64] };
  const says = (
    given: ImageFactsOptions['trust'],
    bytes = file,
    policy: AdmissionPolicy = {},
    nowMs = NOW,
  ) => {
    const options = { profile: 'zigbee-ota', trust: given } as const;
    const decision = decide({ file: bytes, intake: 'bench', options, policy, nowMs });
    return outcome(decision, 'zse.signature');
  };
  assert.is(says(trust), 'pass');
  assert.is(says(trust, file, {}, 1_000_000_000), 'refuse', 'before the date of issue');
  assert.is(says({ ...trust, zseSigners: [] }), 'refuse');
  assert.is(says({ ...trust, zseCas: [] }), 'refuse');
  assert.is(says({ anchors: [anchorOf('gb-firmware', testKey('own').publicKey)] }), 'warn');
  assert.is(says(undefined), 'warn');
  assert.is(says(undefined, file, { unverifiedSignature: 'refuse' }), 'refuse');
  const damaged = file.slice();
  damaged[damaged.length - 1]! ^= 1;
  assert.is(says(trust, damaged), 'refuse');
  const bare = naiveImage({ body: naiveElement(0, BODY), imageType: 0x0084 });
  assert.is(says(trust, bare), 'not-applicable');
});

test('a hash of another range or kind is named', () => {
  const next = (hash: string) =>
    decide({ lines: [{ hash, id: 'ODD' }] }).findings.find(({ ruleId }) => ruleId === 'cpl.listed')!
      .next!;
  assert.match(next(sha256Hex(GOOD_FILE)), 'ODD corrected: its hash is over the whole file');
  const signedBody = [...BODY, 0, 0x40, ...counting(64)];
  const signedFile = naiveImage({ body: signedBody });
  const after = decide({
    file: signedFile,
    options: { profile: 'gb-signed' },
    lines: [{ hash: sha256Hex(Uint8Array.from(signedBody)) }],
  });
  const listed = after.findings.find(({ ruleId }) => ruleId === 'cpl.listed')!;
  assert.match(listed.next!, 'the bytes after the header');
  assert.match(next('ab'.repeat(20)), 'the length of SHA-1');
  assert.match(next('ab'.repeat(16)), 'the length of MD5');
  assert.match(next('ab'.repeat(32)), 'the list is the latest');
});

test('dated rules say their dates; the date is compared with the time of the decision', () => {
  const rule = rules().find(({ id }) => id === 's1sr.foc-ppmid')!;
  assert.is(rule.effectiveUntilMs, RULE_DATE_MS);
  assert.is(new Date(RULE_DATE_MS).toISOString(), '2021-07-19T23:00:00.000Z');
  const early = foc('3.0', -1);
  assert.is(decide(early).decidedAtMs, RULE_DATE_MS - 1);
  assert.is(outcome(decide({ ...early, nowMs: Number.NaN }), 's1sr.foc-ppmid'), 'refuse');
});

test('every rule of regulation has a case here', () => {
  const covered = new Set<RuleId>([
    ...CASES.map(([, ruleId]) => ruleId),
    'version.floor',
    'signature.party',
    'zse.signature',
  ]);
  assert.equal(
    REGULATION_RULES.filter(({ id }) => !covered.has(id)),
    [],
  );
});

test('versions of DUIS in order', () => {
  assert.is(compareDuis('3.0', '3.1')! < 0, true);
  assert.is(compareDuis('10.0', '9.9')! > 0, true);
  assert.is(compareDuis(' 5.0a', '5.0'), 0);
  assert.is(compareDuis('5', '5.0'), undefined);
});

/** One bit of each thing that a decision rests on. */
test('a flipped bit never turns refused into admitted', () => {
  const refused: Case[] = [
    { lines: [{ hash: 'ee'.repeat(32) }] },
    { context: { eligible: eligibleOf([], NOW) } },
    { device: { imageType: 1 } },
    { context: floors(0x02000001) },
    { context: { openRequests: new Set([EUI64]) } },
  ];
  for (const change of refused) {
    for (let bit = 0; bit < GOOD_FILE.length * 8; bit += 37) {
      const file = flipped(GOOD_FILE, bit);
      // Raising the version above the floor is what a header without a signature allows.
      if (change.context?.floors && bit >= 14 * 8 && bit < 18 * 8) continue;
      // So is naming the type of the device.
      if (change.device && bit >= 12 * 8 && bit < 14 * 8) continue;
      assert.is(decide({ ...change, file }).verdict, 'refused', `bit ${bit}`);
    }
  }
  for (let bit = 0; bit < 256; bit += 5) {
    const hash = Buffer.from(flipped(Buffer.from(HASH, 'hex'), bit)).toString('hex');
    assert.is(decide({ lines: [{ hash }] }).ruleId, 'cpl.listed', `bit ${bit} of the row`);
  }
});

test('a flipped bit of signature or certificate is no party that may sign', () => {
  const parties = { anchors: [anchor(root.der, 'gb-firmware')], certificates: [supplier, issuing] };
  const signature = signRaw(testKey('supplier').privateKey, Uint8Array.from(BODY));
  for (let bit = 0; bit < 512; bit += 31) {
    const body = [...BODY, 0, 0x40, ...flipped(signature, bit)];
    const decision = signed(parties, { image: { body } });
    assert.is(outcome(decision, 'signature.party'), 'refuse', `bit ${bit}`);
  }
  const der = certificate(SPECS.supplier);
  for (let bit = 0; bit < der.length * 8; bit += 29) {
    const damaged = parseCertificate(flipped(der, bit));
    if (!damaged.ok) continue;
    const decision = signed({ ...parties, certificates: [damaged, issuing] });
    assert.is(outcome(decision, 'signature.party'), 'refuse', `bit ${bit} of the certificate`);
  }
});

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >>> 3]! ^= 1 << (bit & 7);
  return copy;
}

test.run();
