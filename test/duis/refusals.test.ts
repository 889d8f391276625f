/**
 * Every refusal of ours has a name at the DCC User Interface, and every name is one that it has.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rules } from '../../src/admission/decide.ts';
import {
  ACCEPTED_CODES,
  ADMISSION_REFUSALS,
  CONTROL_REFUSALS,
  codeOf,
  DEFAULT_REFUSALS,
  REFUSED_CODES,
  type RefusalOrigin,
  refusalCode,
  refusalOfFault,
  refusalRow,
  SERVICE_REFUSALS,
} from '../../src/duis/refusals.ts';
import { REQUEST_CODES, type RequestFault } from '../../src/duis/request-codes.ts';
import { WARNING_LISTS } from '../../src/duis/response.ts';
import { ANY_ERROR, codeForPeer, RESPONSE_CODES } from '../../src/duis/response-codes.ts';
import { DUIS_VERSIONS } from '../../src/duis/schema-version.ts';
import { SERVICE_CODES } from '../../src/duis/service-codes.ts';
import { SERVICE_MATRIX } from '../../src/duis/service-matrix.ts';
import { CONTROL_CODES } from '../../src/gateway/control.ts';
import { TRUST_CODES } from '../../src/trust/codes.ts';
import { XML_SIGNATURE_CODES } from '../../src/trust/xml-signature-profile.ts';
import { XML_CODES } from '../../src/xml/codes.ts';

const test = suite('refusals');

const TABLES = {
  admission: [ADMISSION_REFUSALS, rules().map(({ id }) => id as string)],
  service: [SERVICE_REFUSALS, Object.keys(SERVICE_CODES)],
  control: [CONTROL_REFUSALS, Object.keys(CONTROL_CODES)],
} as const;

for (const [origin, [table, codes]] of Object.entries(TABLES)) {
  test(`${origin}: every code has its row, and every row its code`, () => {
    assert.equal(Object.keys(table).sort(), [...codes].sort());
  });
}

test('whatever a reader or a signature finds has its class', () => {
  const classOf = (code: string) =>
    refusalRow(refusalOfFault({ code: code as RequestFault['code'] })).class;
  for (const code of Object.keys(XML_CODES)) assert.is(classOf(code), 'document', code);
  const others = { 'originator-differs': 'signature', 'request-kind-not-served': 'service' };
  for (const code of Object.keys(REQUEST_CODES)) {
    assert.is(classOf(code), others[code as keyof typeof others] ?? 'document', code);
  }
  const signatureCodes = Object.keys({ ...XML_SIGNATURE_CODES, ...TRUST_CODES });
  for (const code of signatureCodes) assert.is(classOf(code), 'signature', code);
  for (const code of ['constructor', '__proto__', 'toString']) {
    for (const origin of Object.keys(DEFAULT_REFUSALS) as RefusalOrigin[]) {
      assert.is(refusalRow({ origin, code }), DEFAULT_REFUSALS[origin]);
    }
  }
});

test('every row is of a list, says what it is about, and where it comes from', () => {
  const rows = [
    ...Object.values(DEFAULT_REFUSALS),
    ...Object.values(TABLES).flatMap(([table]) => Object.values(table)),
  ];
  for (const row of rows) {
    assert.ok(WARNING_LISTS.includes(row.list));
    assert.ok(row.class in REFUSED_CODES);
    assert.match(row.source, /read|inferred|assumed/);
  }
});

test('a peer gets only codes of its version, for any refusal of any service', () => {
  const rows = [...Object.values(REFUSED_CODES), ...Object.values(ACCEPTED_CODES)];
  for (const { version } of DUIS_VERSIONS) {
    for (const { serviceReference } of SERVICE_MATRIX) {
      for (const row of rows) {
        const code = codeOf(row, { serviceReference, duisVersion: version });
        const known = RESPONSE_CODES.get(code);
        assert.ok(known, code);
        assert.is(known?.sinceDuis, undefined);
      }
    }
    for (const code of RESPONSE_CODES.keys()) {
      const given = RESPONSE_CODES.get(codeForPeer(code, version))!;
      assert.ok(!given.sinceDuis || Number(given.sinceDuis) <= Number(version), code);
    }
  }
  assert.is(codeForPeer('E110106', '5.3'), 'E110106');
  assert.is(codeForPeer('E110106', '5.1'), 'E110101');
  assert.is(codeForPeer('E65', '5.0'), ANY_ERROR);
  assert.is(codeForPeer('E999999', '5.4'), ANY_ERROR, 'one that is none is not sent');
});

test('the table has all codes of the schema that are about firmware or any request', () => {
  const count = (pattern: RegExp) =>
    [...RESPONSE_CODES.keys()].filter((code) => pattern.test(code)).length;
  assert.is(count(/^I/), 2);
  assert.is(count(/^W/), 2);
  assert.is(count(/^E1101/), 5);
  assert.is(count(/^E1104/), 4);
  assert.is(count(/^E[0-9]{1,2}$/), 14 + 25 + 7);
  assert.is(count(/^E0804/), 11);
  for (const { source } of RESPONSE_CODES.values()) assert.ok(source);
});

test('what a site says takes the place of what is assumed', () => {
  const asked = { serviceReference: '11.1', duisVersion: '5.1' };
  const refusal = { origin: 'service', code: 'role-not-allowed' } as const;
  assert.is(refusalCode(refusal, asked), 'E1');
  assert.is(refusalCode({ origin: 'signature', code: 'x' }, asked), 'E100');
  assert.is(refusalCode({ origin: 'admission', code: 'image.signature' }, asked), 'E110101');
  const code = { code: 'E3', source: 'the site' };
  assert.is(refusalCode(refusal, asked, { codes: { authority: code } }), 'E3');
  const rows = { 'service/role-not-allowed': { class: 'signature' } } as const;
  assert.is(refusalCode(refusal, asked, { rows }), 'E100');
  assert.is(refusalRow(refusal, { rows }).list, 'NotApplicableFirmwareDeviceIDList');
});

test.run();
