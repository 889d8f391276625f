/** The rules that regulation adds: each from both sides of every boundary and of every date. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { type Decision, rules } from '../../src/admission/decide.ts';
import type { AdmissionPolicy, DeviceFacts, ImageFactsOptions } from '../../src/admission/facts.ts';
import { compareDuis } from '../../src/admission/regulation.ts';
import { REGULATION_RULES } from '../../src/admission/regulation-rules.ts';
import type { Outcome, RuleId } from '../../src/admission/rules.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { counting, naiveElement, naiveImage } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';
import { certificate, crl, FROM_MS, signRaw, UNTIL_MS } from '../trust/naive-x509.ts';
import { anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';
import {
  BODY,
  CASES,
  type Case,
  decide,
  EUI64,
  EXPEDITED,
  eligibleOf,
  expeditedCase,
  floors,
  foc,
  GOOD_FILE,
  HARDWARE,
  HASH,
  issuing,
  LEAVE_FROM,
  LEAVE_UNTIL,
  NOW,
  OLD,
  PPCT,
  RULE_DATE_MS,
  root,
  signedCase,
  supplier,
  waived,
} from './regulation-desk.ts';

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

function expedited(...args: Parameters<typeof expeditedCase>): Outcome {
  return outcome(decide(expeditedCase(...args)), 'epcl.combination');
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

function signed(...args: Parameters<typeof signedCase>): Decision {
  return decide(signedCase(...args));
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
  const saidBy = (change: Case) =>
    decide(change).findings.find(({ ruleId }) => ruleId === 's1sr.foc-ppmid')!;
  assert.is(saidBy(foc('3.0', 0)).actual, 'in force until 2021-07-20T00:00 London time');
  assert.match(saidBy(foc('3.0', -1)).next!, 'from 2021-07-20T00:00 London time');
  const inForce = { 's1sr.foc-ppmid': { fromMs: NOW, untilMs: NOW + 1 } };
  const told = { ...foc('3.0', 0), policy: { inForce } };
  assert.is(
    saidBy({ ...told, nowMs: NOW - 1 }).actual,
    'in force from 2021-09-01T01:00 London time',
  );
  assert.is(saidBy({ ...told, nowMs: NOW }).outcome, 'refuse');
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
