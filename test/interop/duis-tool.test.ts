/**
 * What holds up the tests against the DCC's test tool: that it runs here as it does by itself, what
 * it takes and refuses, and where it does not look. That it takes a thing of ours means no more.
 */
import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { euiText } from '../../src/duis/identifiers.ts';
import { responseText, type ServiceResponse } from '../../src/duis/response.ts';
import { DUIS_VERSIONS } from '../../src/duis/schema-version.ts';
import { ORIGINATOR, REQUESTS, requestXml } from '../duis/requests.ts';
import { SAMPLES, signInForm } from '../duis/response-samples.ts';
import { TOOL_EXIT, type ToolVerdict, verdictOf } from '../support/duis-tool/duis-tool.ts';
import { duisToolTests, expectExit, expectPassed } from '../support/duis-tool/duis-tool-tests.ts';
import {
  certificateOf,
  KEYSTORE_AT_MS,
  keystore,
  privateKeyOf,
  XML_SIGNERS,
  type XmlSignerName,
  xmlSigner,
} from '../support/duis-tool/keystore.ts';
import { TOOL_JAR } from '../support/duis-tool/places.ts';

const test = suite('interop DUIS tool');
const withTool = duisToolTests(test);

const VERSIONS = DUIS_VERSIONS.map(({ version }) => version);
const READING = requestXml(REQUESTS['11.2']);
const ANSWER = responseText(sample('a Pre-Command'));

function sample(name: string): ServiceResponse {
  return SAMPLES.find((one) => one.name === name)!.response;
}

// ---- the tool -------------------------------------------------------------------------------------------

for (const schemaVersion of VERSIONS) {
  withTool(`it signs and validates every request of ${schemaVersion}`, async (tool) => {
    for (const [name, spec] of Object.entries(REQUESTS)) {
      const document = requestXml(spec, { schemaVersion });
      const signed = await tool.signed(document);
      assert.ok(signed.includes(` schemaVersion="${schemaVersion}"`));
      const verdict = await tool.validate(signed);
      expectPassed(verdict);
      // It has put nothing of its own into what it signed.
      assert.is(verdict.digestInput.trimEnd(), document);
      expectPassed(await tool.validate(signed, xmlSigner('supplier')));
      // What the version is says nothing to a schema.
      if (schemaVersion === '5.4') assert.equal(await tool.schemaErrors(signed), [], name);
    }
  });
}

withTool('it refuses what was changed after it was signed', async (tool) => {
  const signed = await tool.signed(requestXml(REQUESTS['11.1']));
  const changes = [
    signed.replace('>00010203<', '>00010204<'),
    signed.replace('1700000000001', '1700000000002'),
    signed.replace('10-01', '10-03'),
    signed.replace(' schemaVersion="5.1"', ' schemaVersion="5.0"'),
    signed.replace(/(DigestValue>)(.)/, otherFirst),
    signed.replace(/(SignatureValue>)(.)/, otherFirst),
  ];
  for (const changed of changes) {
    assert.is.not(changed, signed);
    expectExit(await tool.validate(changed), TOOL_EXIT.validation);
  }
  const other = xmlSigner('network operator');
  expectExit(await tool.validate(signed, other), TOOL_EXIT.validation);
});

withTool(
  'it refuses a request without a signature, and what is outside of the schema',
  async (tool) => {
    expectExit(await tool.validate(READING), TOOL_EXIT.validation);
    const outside = READING.replace('>11.2<', '>11.2.1.1<');
    expectExit(await tool.sign(outside), TOOL_EXIT.validation);
    assert.is((await tool.schemaErrors(outside)).length > 0, true, 'so does libxml2');
  },
);

withTool('it refuses what it cannot read, and whom it does not know', async (tool) => {
  const doctype = `<!DOCTYPE a>${READING}`;
  for (const input of ['', 'no XML', READING.slice(0, -1), doctype]) {
    expectExit(await tool.sign(input), TOOL_EXIT.input);
    expectExit(await tool.validate(input), TOOL_EXIT.input);
  }
  const stranger = requestXml(REQUESTS['11.2'], { originator: '02-55-50-4C-46-54-00-01' });
  expectExit(await tool.sign(stranger), TOOL_EXIT.noCertificate);
});

withTool('the counter becomes the present time, unless it is to be kept', async (tool) => {
  const counterIn = (signed: string) => Number(/:(\d+)<\/sr:RequestID>/.exec(signed)![1]);
  assert.is(counterIn(await tool.signed(READING)), 1_700_000_000_001);
  const beforeMs = Date.now();
  const counter = counterIn(await tool.signed(READING, { preserveCounter: false }));
  assert.ok(beforeMs <= counter && counter <= Date.now(), `${counter}`);
});

withTool('it signs anew what was signed', async (tool) => {
  const twice = await tool.signed(await tool.signed(READING));
  assert.is(twice.split('<ds:Signature ').length, 2);
  expectPassed(await tool.validate(twice));
});

function otherFirst(_: string, before: string, first: string): string {
  return before + (first === 'A' ? 'B' : 'A');
}

// ---- where it does not look -----------------------------------------------------------------------------

withTool('blind: a response without a signature, or with two, exits 0 unchecked', async (tool) => {
  const dcc = xmlSigner('dcc');
  const alone = await tool.signed(ANSWER, { signer: dcc });
  expectPassed(await tool.validate(alone));
  expectExit(await tool.validate(alone.replace('>3wA=<', '>3wB=<'), dcc), TOOL_EXIT.validation);
  // The answer of a SMETS1 device has the signature of its provider inside that of the DCC.
  const nested = signInForm(responseText(sample('an activation that was done'), signInForm));
  assert.is(nested.split('<ds:Signature ').length, 3);
  const unchecked = [ANSWER, nested, nested.replace('>00010203<', '>00010204<')];
  for (const document of unchecked) {
    const verdict = await tool.validate(document, dcc);
    expectExit(verdict, TOOL_EXIT.good);
    assert.is(verdict.signature, 'skipped', verdict.messages);
  }
});

withTool('two signatures side by side are outside of the schema', async (tool) => {
  expectExit(await tool.validate(signInForm(signInForm(ANSWER))), TOOL_EXIT.validation);
});

withTool('blind: its schema is that of 5.1, whatever the document says', async (tool) => {
  for (const schemaVersion of ['2.0', '9.9']) {
    expectPassed(
      await tool.validate(await tool.signed(requestXml(REQUESTS['11.3'], { schemaVersion }))),
    );
  }
  const later = ANSWER.replace('>I0<', '>E110106<').replace('"5.1"', '"5.4"');
  assert.is.not(later, ANSWER);
  const signer = xmlSigner('dcc');
  expectExit(await tool.sign(later, { signer }), TOOL_EXIT.validation);
  assert.is((await tool.schemaErrors(later)).length > 0, true);
});

withTool('blind: white space between elements is no part of what it digests', async (tool) => {
  const signed = await tool.signed(READING);
  expectPassed(await tool.validate(signed.replaceAll('><', '>\n<')));
});

withTool(
  'it signs what has no RequestID if the counter is to be kept, and else fails',
  async (tool) => {
    const alert = responseText(sample('alert 5, CSPFirmwareDeliveryStatus'));
    const signer = xmlSigner('dcc');
    expectPassed(await tool.validate(await tool.signed(alert, { signer }), signer));
    expectExit(await tool.sign(alert, { signer, preserveCounter: false }), TOOL_EXIT.failure);
  },
);

// ---- how it is run --------------------------------------------------------------------------------------

withTool('by itself, one process a document, it says the same', async (tool) => {
  const signed = await tool.signed(READING);
  for (const document of [signed, signed.replace('10-01', '10-02')]) {
    const alone = await runAlone(document);
    assert.equal(alone, await tool.validate(document));
  }
});

function runAlone(document: string): Promise<ToolVerdict> {
  const args = ['-cp', TOOL_JAR, 'uk.co.smartdcc.boxed.xmldsig.Validate', '-'];
  return new Promise((done, reject) => {
    const child = execFile('java', args, (error, stdout, messages) => {
      const exitCode = error ? error.code : 0;
      if (typeof exitCode !== 'number') return reject(error);
      done(verdictOf({ exitCode, output: Buffer.from(stdout), messages }));
    });
    child.stdin!.end(document);
  });
}

test('nothing of it is a dependency of ours', () => {
  for (const file of ['package.json', 'package-lock.json']) {
    const text = readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8');
    assert.not(text.includes('@smartdcc/'), file);
  }
});

// ---- the test PKI ---------------------------------------------------------------------------------------

withTool('the keystore: 33 certificates of 10 organisations, each with its key', async () => {
  assert.is(keystore().length, 33);
  assert.is(new Set(keystore().map(({ eui64 }) => eui64)).size, 10);
  for (const entry of keystore()) {
    const certificate = certificateOf(entry);
    assert.is(certificate.eui64, entry.eui64, entry.name);
    assert.is(certificate.serialDecimal, entry.serialNumber, entry.name);
    assert.is(Number.parseInt(certificate.role!, 16), entry.role, entry.name);
    assert.ok(createPublicKey(privateKeyOf(entry)).equals(certificate.publicKey), entry.name);
    const { notBeforeMs, notAfterMs } = certificate;
    assert.ok(notBeforeMs <= KEYSTORE_AT_MS && KEYSTORE_AT_MS <= notAfterMs, entry.name);
  }
});

for (const name of Object.keys(XML_SIGNERS) as XmlSignerName[]) {
  withTool(`it has the XML signer of the ${name}`, async (tool) => {
    const originator = euiText(XML_SIGNERS[name]);
    const signed = await tool.signed(requestXml(REQUESTS['11.2'], { originator }));
    const { serialNumber } = xmlSigner(name);
    assert.ok(signed.includes(`SerialNumber>${serialNumber}<`));
    expectPassed(await tool.validate(signed));
    if (name === 'supplier') assert.is(originator, ORIGINATOR);
  });
}

test.run();
