/**
 * Service Requests between us and the DCC's test tool: what it signs we read, what we sign it
 * validates, and what is wrong with one both refuse. Where they differ, it is said who is stricter.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { euiText } from '../../src/duis/identifiers.ts';
import {
  type RequestResult,
  readServiceRequest,
  readUnsignedRequest,
  ServiceRequestReader,
} from '../../src/duis/request-reader.ts';
import { DUIS_VERSIONS } from '../../src/duis/schema-version.ts';
import type { ServiceRequest } from '../../src/duis/service-request.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import {
  BROKER,
  HASH,
  IMAGE,
  ORIGINATOR,
  PPMID,
  REQUESTS,
  requestXml,
  SR,
  update,
  utf8,
} from '../duis/requests.ts';
import { TOOL_EXIT } from '../support/duis-tool/duis-tool.ts';
import { duisToolTests, expectExit, expectPassed } from '../support/duis-tool/duis-tool-tests.ts';
import {
  identityOf,
  type KeystoreEntry,
  keystore,
  knownSigners,
  signAs,
  XML_SIGNERS,
  xmlSigner,
} from '../support/duis-tool/keystore.ts';

const test = suite('interop DUIS requests');
const withTool = duisToolTests(test);

const VERSIONS = DUIS_VERSIONS.map(({ version }) => version);
const XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" schemaVersion="5.1"';
const supplier = () => xmlSigner('supplier');

function read(document: string, trusted: readonly KeystoreEntry[] = [supplier()]) {
  return readServiceRequest(utf8(document), knownSigners(trusted));
}

function codeOf(document: string, trusted?: readonly KeystoreEntry[]): string {
  const result = read(document, trusted);
  return result.ok ? 'ok' : result.code;
}

function requestIn(document: string, trusted?: readonly KeystoreEntry[]): ServiceRequest {
  const result = read(document, trusted);
  assert.ok(result.ok, result.ok ? '' : `${result.code} ${result.actual}`);
  return result.request;
}

function readInPieces(document: string, octets: number): RequestResult {
  const bytes = utf8(document);
  const reader = new ServiceRequestReader();
  for (let at = 0; at < bytes.length; at += octets) {
    assert.is(reader.push(bytes.subarray(at, at + octets)), undefined, `${at}`);
  }
  return reader.end(knownSigners([supplier()]));
}

const sign = (document: string) => signAs(supplier(), document);

// ---- it signs, we read ----------------------------------------------------------------------------------

for (const [index, schemaVersion] of VERSIONS.entries()) {
  withTool(`it signs, we read: every request of ${schemaVersion}`, async (tool) => {
    for (const [name, spec] of Object.entries(REQUESTS)) {
      const document = requestXml(spec, { schemaVersion });
      const unsigned = readUnsignedRequest(utf8(document));
      assert.ok(unsigned.ok);
      if (!unsigned.ok) return;
      const result = readInPieces(await tool.signed(document), index + 1);
      assert.ok(result.ok, name);
      if (!result.ok) return;
      assert.equal(result.request, unsigned.unsigned);
      assert.is(result.request.schemaVersion, schemaVersion);
      assert.is(result.signer.certificate.serialDecimal, supplier().serialNumber);
    }
  });
}

withTool(
  'it signs, we read: image, hash, devices and counter are those that went in',
  async (tool) => {
    const { header, body } = requestIn(await tool.signed(requestXml(REQUESTS['11.1'])));
    assert.equal(body, {
      kind: 'UpdateFirmware',
      image: IMAGE,
      firmwareVersion: '00010203',
      deviceIds: ['0255504c46541001', '0255504c46541002'],
    });
    assert.is(header.requestId.counter, 1_700_000_000_001n);
    const activation = requestIn(await tool.signed(requestXml(REQUESTS['11.3'])));
    assert.is(activation.body.kind === 'ActivateFirmware' && activation.body.firmwareHash, HASH);
    // As its users have it: with a counter of the tool's own.
    const now = await tool.signed(requestXml(REQUESTS['11.2']), { preserveCounter: false });
    assert.ok(requestIn(now).header.requestId.counter > 1_700_000_000_001n);
  },
);

withTool(
  'it signs, we read: whoever signs XML, and nobody in the place of another',
  async (tool) => {
    for (const name of ['supplier', 'network operator', 'other user'] as const) {
      const eui64 = XML_SIGNERS[name];
      const document = requestXml(REQUESTS['11.2'], { originator: euiText(eui64) });
      const signed = await tool.signed(document);
      assert.is(requestIn(signed, [xmlSigner(name)]).header.requestId.originator, eui64);
      const others = keystore().filter((entry) => entry.role === 135 && entry.eui64 !== eui64);
      assert.is(codeOf(signed, others), 'signer-unknown', name);
    }
  },
);

withTool('we are stricter: its signer for another originator is no signer here', async (tool) => {
  const signer = xmlSigner('network operator');
  const signed = await tool.signed(requestXml(REQUESTS['11.2']), { signer });
  expectPassed(await tool.validate(signed));
  assert.is(codeOf(signed, [supplier(), signer]), 'originator-differs');
});

withTool(
  'we are stricter: a role that does not sign XML is believed where a site says so',
  async (tool) => {
    const entries = keystore().filter(({ name }) => /^Z1b?-supplier2-ds$/.test(name));
    const originator = euiText(entries[0]!.eui64);
    const signed = await tool.signed(requestXml(REQUESTS['11.2'], { originator }));
    assert.is(codeOf(signed, entries), 'wrong-role');
    assert.ok(readServiceRequest(utf8(signed), knownSigners(entries, ['02'])).ok);
  },
);

// ---- we sign, it validates ------------------------------------------------------------------------------

for (const [name, spec] of Object.entries(REQUESTS)) {
  withTool(`we sign, it validates: ${name}, and digests what we did`, async (tool) => {
    for (const schemaVersion of VERSIONS) {
      const document = requestXml(spec, { schemaVersion });
      const signed = sign(document);
      const verdict = await tool.validate(signed);
      expectPassed(verdict, schemaVersion);
      assert.is(verdict.digestInput.trimEnd(), document);
      expectExit(await tool.validate(signed.replace('00-0', '00-1')), TOOL_EXIT.validation);
    }
    assert.equal(await tool.schemaErrors(sign(requestXml(spec))), []);
  });
}

const PLAIN = requestXml(REQUESTS['11.1']);
/** Ways to write a request; all mean the same. */
const FORMS: Readonly<Record<string, string>> = {
  'an unused namespace': requestXml(REQUESTS['11.1'], { attributes: XSI }),
  'a schema location': requestXml(REQUESTS['11.1'], {
    attributes: `${XSI} xsi:schemaLocation="${SR} DUIS.xsd"`,
  }),
  'another prefix': PLAIN.replaceAll('sr:', 'duis:').replace('xmlns:sr', 'xmlns:duis'),
  'the default namespace': PLAIN.replaceAll('sr:', '').replace('xmlns:sr', 'xmlns'),
  'a declaration, and lines around': `<?xml version="1.0" encoding="UTF-8"?>\r\n\n${PLAIN}\n`,
  indented: PLAIN.replaceAll('><', '>\r\n  <'),
  'comments and a processing instruction': PLAIN.replaceAll('><', '><!-- a < b --><?a b?><'),
  'references to characters': PLAIN.replace('>00010203<', '>&#x30;0&#48;10&amp;&lt;<'),
  'more than ASCII': PLAIN.replace('>00010203<', '>é€𝄞&#9;&#13;<'),
};

for (const [name, document] of Object.entries(FORMS)) {
  withTool(`a request with ${name}: each takes what the other signs`, async (tool) => {
    assert.is.not(document, PLAIN);
    const ours = sign(document);
    expectPassed(await tool.validate(ours));
    assert.equal(requestIn(ours), requestIn(await tool.signed(document)));
  });
}

withTool('we are stricter: CDATA is not read here', async (tool) => {
  const document = PLAIN.replace('>00010203<', '><![CDATA[00010203]]><');
  assert.is(signXml(utf8(document), identityOf(supplier())).ok, false);
  const before = await tool.signed(PLAIN);
  const signed = before.replace('>00010203<', '><![CDATA[00010203]]><');
  expectPassed(await tool.validate(signed));
  assert.is(codeOf(signed), 'xml-cdata');
});

/**
 * The tool digests values as its schema collapses them, also those that it only checks. So what it signs is
 * free of such blanks, and a right signature over them is none there.
 */
const BLANKS: Readonly<Record<string, [from: string, to: string]>> = {
  'base64 in lines': ['FirmwareImage>VX', 'FirmwareImage>V\nX'],
  'a blank before a RequestID': ['RequestID>', 'RequestID> '],
  'a blank after a number': ['8</sr:CommandVariant>', '8 </sr:CommandVariant>'],
};

for (const [name, [from, to]] of Object.entries(BLANKS)) {
  withTool(`${name}: signed by us it is good here alone`, async (tool) => {
    const document = PLAIN.replace(from, to);
    assert.is.not(document, PLAIN);
    const ours = sign(document);
    expectExit(await tool.validate(ours), TOOL_EXIT.validation);
    const theirs = await tool.signed(document);
    assert.equal(requestIn(ours), requestIn(theirs));
  });
}

// ---- what is wrong with one -----------------------------------------------------------------------------

interface Damage {
  change: (signed: string) => string;
  /** `ok`, or the code of our refusal. */
  ours: string;
  theirs: 'passed' | 'failed';
}

const VALUE = /(<ds:SignatureValue>)([^<]*)/;
const onValue = (change: (value: string) => string) => (signed: string) =>
  signed.replace(VALUE, (_, tag: string, value: string) => tag + change(value));
const replacing = (from: string | RegExp, to: string) => (signed: string) =>
  signed.replace(from, to);

/** To a request of ours with a namespace that is not used, after it was signed. */
const DAMAGES: Readonly<Record<string, Damage>> = {
  'no damage': { change: (signed) => signed.replace(/^/, '\n'), ours: 'ok', theirs: 'passed' },
  'another counter': {
    change: replacing('1700000000001', '1700000000002'),
    ours: 'digest-differs',
    theirs: 'failed',
  },
  'one device less': {
    change: replacing(',02-55-50-4c-46-54-10-02', ''),
    ours: 'digest-differs',
    theirs: 'failed',
  },
  'the unused namespace taken away': {
    change: replacing(/ xmlns:xsi="[^"]*"/, ''),
    ours: 'digest-differs',
    theirs: 'failed',
  },
  'one more unused namespace': {
    change: replacing(' schemaVersion', ' xmlns:a="urn:a" schemaVersion'),
    ours: 'digest-differs',
    theirs: 'failed',
  },
  'a comment put in': {
    change: replacing('<sr:Body>', '<sr:Body><!-- a -->'),
    ours: 'ok',
    theirs: 'passed',
  },
  'a processing instruction put in': {
    change: replacing('<sr:Body>', '<sr:Body><?a b?>'),
    ours: 'digest-differs',
    theirs: 'failed',
  },
  'white space between elements': {
    change: replacing('<sr:Body>', '\n<sr:Body>'),
    ours: 'digest-differs',
    theirs: 'passed',
  },
  'a signature value in lines': {
    change: onValue((value) => `\n${value.slice(0, 76)}&#13;\n${value.slice(76)}`),
    ours: 'ok',
    theirs: 'passed',
  },
  'a signature value in DER': {
    change: onValue((value) => derOf(Buffer.from(value, 'base64')).toString('base64')),
    ours: 'signature-value-der',
    theirs: 'failed',
  },
  'a signature value of another document': {
    change: onValue(() => VALUE.exec(sign(requestXml(REQUESTS['11.4'])))![2]!),
    ours: 'signature-differs',
    theirs: 'failed',
  },
  'the issuer written another way': {
    change: replacing(/(IssuerName>)[^<]*/, '$1CN=Z1, OU=07'),
    ours: 'ok',
    theirs: 'passed',
  },
  'another issuer': {
    change: replacing(/(IssuerName>)[^<]*/, '$1CN=Z2,OU=07'),
    ours: 'signer-unknown',
    theirs: 'passed',
  },
  'a DOCTYPE': { change: replacing(/^/, '<!DOCTYPE a>'), ours: 'xml-doctype', theirs: 'failed' },
  'its end cut off': {
    change: (signed) => signed.slice(0, -'</sr:Request>'.length),
    ours: 'xml-malformed',
    theirs: 'failed',
  },
  'elements out of order': {
    change: replacing(/(<sr:FirmwareImage>.*)(<sr:FirmwareVersion>[^<]*<[^>]*>)/, '$2$1'),
    ours: 'element-missing',
    theirs: 'failed',
  },
  'another serial number': {
    change: (signed) =>
      signed.replace(/(SerialNumber>)[^<]*/, `$1${xmlSigner('other user').serialNumber}`),
    ours: 'signer-unknown',
    theirs: 'failed',
  },
  'no signature': {
    change: replacing(/<ds:Signature .*<\/ds:Signature>/, ''),
    ours: 'signature-missing',
    theirs: 'failed',
  },
  'two signatures': {
    change: replacing(/<ds:Signature .*<\/ds:Signature>/, '$&$&'),
    ours: 'signature-repeated',
    theirs: 'failed',
  },
  'the signature before what it signs': {
    change: replacing(/(<sr:Header>.*)(<ds:Signature .*<\/ds:Signature>)/, '$2$1'),
    ours: 'signature-not-last',
    theirs: 'failed',
  },
  'an exclusive transform': {
    change: replacing(
      '</ds:Transforms>',
      '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>$&',
    ),
    ours: 'transform-not-allowed',
    theirs: 'failed',
  },
};

for (const [name, { change, ours, theirs }] of Object.entries(DAMAGES)) {
  withTool(`${name}: ${ours} here, ${theirs} there`, async (tool) => {
    const signed = sign(requestXml(REQUESTS['11.1'], { attributes: XSI }));
    const changed = change(signed);
    assert.is.not(changed, signed);
    const verdict = await tool.validate(changed);
    assert.is(verdict.signature, theirs, verdict.messages);
    assert.is(codeOf(changed), ours);
  });
}

/** SEQUENCE of two INTEGER. */
function derOf(raw: Buffer): Buffer {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((half) => {
    const digits = BigInt(`0x${half.toString('hex')}`).toString(16);
    const even = digits.length % 2 === 0 ? digits : `0${digits}`;
    const value = Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex');
    return Buffer.concat([Buffer.of(0x02, value.length), value]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.of(0x30, content.length), content]);
}

// ---- the largest ----------------------------------------------------------------------------------------

withTool(
  'the largest image and 50,000 devices, signed by the tool, read as it arrives',
  async (tool) => {
    const image = Buffer.alloc(10_240_000, 'Uplift').toString('base64');
    const devices = Array.from({ length: 50_000 }, () => PPMID);
    const body = update('UpdatePPMIDFirmware', devices).replace(/(Image>)[^<]+/, `$1${image}`);
    const document = requestXml({ reference: '11.4', target: BROKER, variant: '8', body });
    const signed = utf8(await tool.signed(document));
    const reader = new ServiceRequestReader();
    const startedMs = performance.now();
    for (let at = 0; at < signed.length; at += 65_536) {
      assert.is(reader.push(signed.subarray(at, at + 65_536)), undefined);
    }
    const result = reader.end(knownSigners([supplier()]));
    console.log(
      `\nNOTE ${signed.length} octets read in ${Math.round(performance.now() - startedMs)} ms`,
    );
    assert.ok(result.ok, result.ok ? '' : result.code);
    if (!result.ok || result.request.body.kind !== 'UpdatePPMIDFirmware') return;
    assert.is(result.request.body.image.length, 10_240_000);
    assert.is(result.request.body.deviceIds.length, 50_000);
    assert.is(
      result.request.header.requestId.originator,
      ORIGINATOR.replaceAll('-', '').toLowerCase(),
    );
  },
);

test.run();
