/**
 * What we answer and tell, before the DCC's test tool and its schema (DUIS and MMC 5.1a, by Xerces
 * in the tool and by libxml2): every kind is valid and its signature good; what it signs we read.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DuisDeviceType, isAlertCode, TRANSFER_RESULTS } from '../../src/duis/dcc-alert.ts';
import { responseText, type ServiceResponse } from '../../src/duis/response.ts';
import { RESPONSE_CODES } from '../../src/duis/response-codes.ts';
import { SERVICE_NAMESPACE } from '../../src/duis/schema-values.ts';
import { isAtLeast } from '../../src/duis/schema-version.ts';
import {
  ACTIVATION_RESULTS,
  type ActivationResult,
  type Smets1Response,
} from '../../src/duis/smets1-response.ts';
import { readSignedXml } from '../../src/trust/xml-signature.ts';
import { utf8 } from '../duis/requests.ts';
import {
  ANSWERED_MS,
  FULL_HEADER,
  HUB_1,
  PPMID,
  SAMPLES,
  signInForm,
} from '../duis/response-samples.ts';
import { TOOL_EXIT } from '../support/duis-tool/duis-tool.ts';
import { duisToolTests, expectExit, expectPassed } from '../support/duis-tool/duis-tool-tests.ts';
import { knownSigners, signAs, xmlSigner } from '../support/duis-tool/keystore.ts';

const test = suite('interop DUIS responses');
const withTool = duisToolTests(test);

const dcc = () => xmlSigner('dcc');
/** Elements that are documents of their own within a response. */
const INSIDE = ['SMETS1SignedResponse', 'S1SPAlert'].map((name) => ({
  namespace: SERVICE_NAMESPACE,
  name,
}));
const INNER = /<sr:(SMETS1SignedResponse|S1SPAlert) .*<\/sr:\1>/;

const sign = (document: string) => signAs(dcc(), document);

function sample(name: string): ServiceResponse {
  return SAMPLES.find((one) => one.name === name)!.response;
}

function smets1(response: Smets1Response): ServiceResponse {
  const { requestId } = sample('a Pre-Command');
  const body = { kind: 'smets1', serviceReference: '11.3', response } as const;
  return {
    schemaVersion: '5.1',
    ...(requestId ? { requestId } : {}),
    responseCode: 'I0',
    respondedMs: ANSWERED_MS,
    body,
  };
}

// ---- every kind -----------------------------------------------------------------------------------------

const EVERY = [...SAMPLES, { name: 'a full header', response: smets1(FULL_HEADER) }];

for (const { name, response } of EVERY) {
  withTool(`${name}: valid, and signed so that the tool takes it`, async (tool) => {
    const document = responseText(response, sign);
    const signed = sign(document);
    assert.equal(await tool.schemaErrors(signed), []);
    const inner = INNER.exec(document)?.[0];
    if (inner === undefined) {
      const verdict = await tool.validate(signed, dcc());
      expectPassed(verdict);
      assert.is(verdict.digestInput.trimEnd(), document);
      const changed = signed.replace(ANSWERED, '2026-02-03T10:00:01.251Z');
      assert.is.not(changed, signed);
      expectExit(await tool.validate(changed, dcc()), TOOL_EXIT.validation);
    } else {
      // The tool looks at no response with two signatures: it checks the schema of it alone.
      assert.is((await tool.validate(signed, dcc())).signature, 'skipped');
      assert.ok(readSignedXml(utf8(signed), signers(), { signedInside: INSIDE }).ok);
      // It stands there as it was signed, without the namespace that is declared there already.
      assert.ok(signed.includes(inner.replace(` xmlns:sr="${SERVICE_NAMESPACE}"`, '')));
      expectPassed(await tool.validate(inner, dcc()));
      const changed = inner.replace('02-55-50-4C', '02-55-50-4D');
      assert.is.not(changed, inner);
      expectExit(await tool.validate(changed, dcc()), TOOL_EXIT.validation);
    }
  });
}

const ANSWERED = '2026-02-03T10:00:01.250Z';
const signers = () => knownSigners([dcc()]);

withTool('what it signs we read: every kind with one signature', async (tool) => {
  for (const { name, response } of EVERY) {
    const document = responseText(response, sign);
    if (INNER.test(document)) continue;
    const signed = await tool.signed(document, { signer: dcc() });
    const read = readSignedXml(utf8(signed), signers());
    assert.ok(read.ok, name);
    if (!read.ok) return;
    assert.is(read.root.name, 'Response');
    assert.is(read.signer.certificate.serialDecimal, dcc().serialNumber);
    const changed = readSignedXml(
      utf8(signed.replace(ANSWERED, ANSWERED.replace('50Z', '51Z'))),
      signers(),
    );
    assert.is(changed.ok ? 'ok' : changed.code, 'digest-differs', name);
  }
});

withTool('a document within a response that the tool signed is read by itself', async (tool) => {
  for (const name of ['a version that was read', 'alert 11, S1SPAlertDSP']) {
    let inner = '';
    responseText(sample(name), (text) => {
      inner = text;
      return text;
    });
    // Its schema wants a signature there; it puts its own in that one's place.
    const signed = await tool.signed(signInForm(inner), { signer: dcc() });
    const read = readSignedXml(utf8(signed), signers());
    assert.ok(read.ok, name);
    const changed = readSignedXml(utf8(signed.replace('02-55', '02-56')), signers());
    assert.is(changed.ok ? 'ok' : changed.code, 'digest-differs', name);
  }
});

// ---- every value ----------------------------------------------------------------------------------------

withTool('a response code is valid from the version on that we have for it', async (tool) => {
  const document = responseText(sample('an error'));
  for (const { code, sinceDuis } of RESPONSE_CODES.values()) {
    const valid = await tool.isValid(document.replace('>E110101<', `>${code}<`));
    assert.is(valid, isAtLeast('5.1', sinceDuis), code);
  }
  assert.not(await tool.isValid(document.replace('>E110101<', '>E110104<')));
});

withTool('a code of an alert is valid where we take it for that', async (tool) => {
  const document = responseText(sample('alert 5, CSPFirmwareDeliveryStatus'));
  const numbers = Array.from({ length: 70 }, (_, number) => `N${number}`);
  for (const code of [...numbers, 'N998', 'N999', 'AD1', 'AD2']) {
    const valid = await tool.isValid(document.replace('>N60<', `>${code}<`));
    assert.is(valid, isAlertCode(code, '5.1'), code);
  }
});

withTool('every kind of device, and every result, is valid', async (tool) => {
  const mismatch = responseText(sample('alert 2, FirmwareVersionMismatch'));
  const types: DuisDeviceType[] = ['ESME', 'GSME', 'GPF', 'CHF', 'HCALCS', 'PPMID', 'IHD', 'CAD'];
  for (const type of types) {
    assert.ok(await tool.isValid(mismatch.replace('DeviceType>CHF', `DeviceType>${type}`)), type);
  }
  const transfer = responseText(sample('alert 8, CommsHubAlert'));
  for (const result of Object.keys(TRANSFER_RESULTS)) {
    assert.ok(await tool.isValid(transfer.replace('HardwareVersionMismatch', result)), result);
  }
  for (const result of Object.keys(ACTIVATION_RESULTS) as ActivationResult[]) {
    const activated = smets1({
      ...FULL_HEADER,
      body: { kind: 'message', data: { kind: 'ActivateFirmware', result } },
    });
    assert.ok(await tool.isValid(responseText(activated, sign)), result);
  }
});

withTool('longest texts: cut to what the schema has room for', async (tool) => {
  const text = 'é<&>'.repeat(1_000);
  const errors = [{ responseCode: -1, text }];
  const bodies: Smets1Response['body'][] = [
    { kind: 'message', errors },
    { kind: 'device-alert', description: text, raisedMs: 0 },
  ];
  for (const body of bodies) {
    const document = responseText(smets1({ ...FULL_HEADER, body }), sign);
    assert.equal(await tool.schemaErrors(document), []);
    assert.ok(await tool.isValid(document));
  }
});

withTool('50,000 devices refused in one answer are valid', async (tool) => {
  const devices = Array.from({ length: 50_000 }, () => PPMID);
  const response = sample('the warning of 11.4');
  if (response.body.kind !== 'message') return assert.unreachable();
  const content = {
    kind: 'DSPUpdatePPMIDFirmwareWarning',
    lists: { InvalidDeviceIDList: devices },
  } as const;
  const document = responseText({ ...response, body: { ...response.body, content } });
  expectPassed(await tool.validate(sign(document), dcc()));
});

// ---- both schema engines bite ---------------------------------------------------------------------------

const MISTAKES: Readonly<Record<string, [name: string, from: string | RegExp, to: string]>> = {
  'elements out of order': [
    'the warning of 11.1',
    /(<sr:InvalidDeviceIDList>.*?<\/sr:InvalidDeviceIDList>)(.*)(<\/sr:DSPUpdate)/,
    '$2$1$3',
  ],
  'an empty list': ['the warning of 11.4', /(ProgressList>)[^<]+/, '$1'],
  'a comma at the end': ['the warning of 11.4', '</sr:OtherRequest', ',</sr:OtherRequest'],
  'no reference': ['an error', /<sr:ServiceReference>[^<]*<\/sr:ServiceReference>/, ''],
  'the other spelling of a time': ['alert 5, CSPFirmwareDeliveryStatus', /TimeStamp/g, 'Timestamp'],
  'an id without dashes': ['alert 10, CommsHubFirmwareActivation', /02-55[^<]*/, HUB_1],
};

for (const [mistake, [name, from, to]] of Object.entries(MISTAKES)) {
  withTool(`${mistake}: neither schema engine takes it`, async (tool) => {
    const document = responseText(sample(name));
    const wrong = document.replace(from, to);
    assert.is.not(wrong, document);
    assert.not(await tool.isValid(wrong));
    assert.is((await tool.schemaErrors(wrong)).length > 0, true);
  });
}

test.run();
