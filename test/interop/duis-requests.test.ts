/**
 * Service Requests and the DCC's public test tool: what it signs is read here, what is signed here passes
 * there, and what was damaged is refused by both.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  readServiceRequest,
  readUnsignedRequest,
  ServiceRequestReader,
} from '../../src/duis/request-reader.ts';
import type { ServiceRequest } from '../../src/duis/service-request.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import { REQUESTS, requestXml, SIGNERS, utf8 } from '../duis/requests.ts';
import {
  each,
  identityOf,
  missingOfDuisTool,
  sign,
  signersOf,
  TOOL_EXIT,
  type ToolIdentity,
  validate,
} from '../support/duis-tool.ts';
import { pem } from '../trust/naive-x509.ts';
import { EXCLUSIVE, sha256, signNaively } from '../trust/naive-xml-signature.ts';
import { make, SPECS } from '../trust/test-pki.ts';
import { testUnlessMissing } from './tools.ts';

const test = suite('interop DUIS requests');
const missing = missingOfDuisTool();

const VERSIONS = ['3.0', '3.1', '4.0', '5.0', '5.1', '5.3', '5.4'];
const XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
const SUPPLIER = '90b3d51f30010000';
/** Of the one that has a certificate for XML. */
const supplier = (): ToolIdentity => identityOf(SUPPLIER, `xml-sign-${SUPPLIER.toUpperCase()}-ds`);

const documentsOf = (version: string): [name: string, xml: string][] =>
  Object.entries(REQUESTS).map(([name, spec]) => [
    `${name} of ${version}`,
    requestXml(spec, { attributes: ` schemaVersion="${version}"` }),
  ]);

function contentOf(xml: string): ServiceRequest {
  const read = readUnsignedRequest(utf8(xml));
  if (!read.ok) throw new Error(read.message);
  return read.unsigned;
}

testUnlessMissing(test, missing, 'what the tool signs is read here, in pieces too', async () => {
  const known = signersOf(supplier());
  const documents = VERSIONS.flatMap(documentsOf);
  assert.is(documents.length, 35);
  await each(documents, async ([name, xml], index) => {
    const { exit, output, messages } = await sign(xml);
    assert.is(exit, TOOL_EXIT.good, `${name}: ${messages}`);
    const reader = new ServiceRequestReader();
    const bytes = utf8(output);
    for (let at = 0; at < bytes.length; at += index + 1) {
      assert.is(reader.push(bytes.subarray(at, at + index + 1)), undefined, name);
    }
    const read = reader.end(known);
    assert.ok(read.ok, `${name}: ${read.ok ? '' : read.message}`);
    if (!read.ok) return;
    assert.equal(read.request, contentOf(xml), name);
    assert.is(read.signer.certificate.eui64, SUPPLIER);
  });
});

testUnlessMissing(test, missing, 'a counter that the tool has chosen is a time', async () => {
  const beforeMs = Date.now();
  const { output } = await sign(requestXml(REQUESTS['11.2']), { preserveCounter: false });
  const read = readServiceRequest(utf8(output), signersOf(supplier()));
  assert.ok(read.ok);
  if (!read.ok) return;
  const { counter } = read.request.header.requestId;
  assert.ok(counter >= BigInt(beforeMs) && counter <= BigInt(Date.now()), `${counter}`);
});

testUnlessMissing(test, missing, 'what is signed here passes the check of the tool', async () => {
  const documents = [
    ...documentsOf('5.1'),
    [
      'an unused namespace',
      requestXml(REQUESTS['11.2'], { attributes: `${XSI} schemaVersion="5.1"` }),
    ],
    [
      'white space and a comment',
      requestXml(REQUESTS['11.3']).replaceAll('><', '>\n <!-- a -->\n<'),
    ],
    ['another prefix', requestXml(REQUESTS['11.4']).replaceAll(/\bsr\b(?=:|=)/g, 'a')],
  ] as const;
  await each(documents, async ([name, xml]) => {
    const signed = signXml(utf8(xml), supplier());
    assert.ok(signed.ok, name);
    if (!signed.ok) return;
    const { isValidated, messages } = await validate(new TextDecoder().decode(signed.bytes));
    assert.ok(isValidated, `${name}: ${messages}`);
    const read = readServiceRequest(signed.bytes, signersOf(supplier()));
    assert.ok(read.ok && read.request.schemaVersion === '5.1', name);
  });
});

/** Of our own test PKI, whose certificate the tool is given. */
const PLAIN = requestXml(REQUESTS['11.3']);
const NAMED = requestXml(REQUESTS['11.3'], { attributes: `${XSI} schemaVersion="5.1"` });
const SIGNED = signNaively(PLAIN);

const DAMAGED: readonly [name: string, xml: string, exit: number][] = [
  ['another time', SIGNED.replace('2026-03-01T02', '2026-03-01T03'), TOOL_EXIT.refused],
  ['another version', SIGNED.replace('"5.1"', '"5.2"'), TOOL_EXIT.refused],
  [
    'the digest that leaves out what is not used',
    signNaively(NAMED, { references: [{ digest: sha256(PLAIN) }] }),
    TOOL_EXIT.refused,
  ],
  ['the key of somebody else', signNaively(PLAIN, { key: 'supplier' }), TOOL_EXIT.refused],
  [
    'the value of another request',
    SIGNED.replace(
      /<ds:SignatureValue>.*<\/ds:SignatureValue>/,
      /<ds:SignatureValue>.*<\/ds:SignatureValue>/.exec(
        signNaively(requestXml(REQUESTS['11.2'])),
      )![0],
    ),
    TOOL_EXIT.refused,
  ],
  [
    'a value of 68 octets',
    signNaively(PLAIN, { value: (raw) => Buffer.concat([Buffer.of(0x30, 0x44, 2, 32), raw]) }),
    TOOL_EXIT.refused,
  ],
  ['no signature', PLAIN, TOOL_EXIT.refused],
  [
    'a digest of other content, in the signed part',
    SIGNED.replace(/(<ds:DigestValue>)[^<]*/, `$1${sha256('')}`),
    TOOL_EXIT.refused,
  ],
  ['a DOCTYPE', `<!DOCTYPE a>${SIGNED}`, TOOL_EXIT.unreadable],
  ['cut off', SIGNED.slice(0, -20), TOOL_EXIT.unreadable],
  [
    'out of order',
    SIGNED.replace(
      /(<sr:CommandVariant>.*?<\/sr:CommandVariant>)(<sr:ServiceReference>.*?<\/sr:ServiceReference>)/,
      '$2$1',
    ),
    TOOL_EXIT.refused,
  ],
  [
    'a serial number of nobody',
    signNaively(PLAIN, { serialNumber: '99', canonicalization: EXCLUSIVE }),
    TOOL_EXIT.signerUnknown,
  ],
];

testUnlessMissing(test, missing, 'what was damaged is refused by both', async () => {
  const certificate = pem('CERTIFICATE', make(SPECS.xml).der);
  const good = await validate(SIGNED, certificate);
  assert.ok(good.isValidated, good.messages);
  assert.ok(readServiceRequest(utf8(SIGNED), SIGNERS).ok);
  await each(DAMAGED, async ([name, xml, exit]) => {
    const isUnknown = exit === TOOL_EXIT.signerUnknown;
    const theirs = await validate(xml, isUnknown ? undefined : certificate);
    assert.not.ok(theirs.isValidated, name);
    assert.is(theirs.exit, exit, `${name}: ${theirs.messages}`);
    assert.not.ok(readServiceRequest(utf8(xml), SIGNERS).ok, name);
  });
});

testUnlessMissing(
  test,
  missing,
  'a right signature over an indented request: good here, refused there',
  async () => {
    const signed = signNaively(PLAIN.replaceAll('><', '>\n<'));
    assert.ok(readServiceRequest(utf8(signed), SIGNERS).ok);
    const theirs = await validate(signed, pem('CERTIFICATE', make(SPECS.xml).der));
    assert.is(theirs.exit, TOOL_EXIT.refused, theirs.messages);
  },
);

test.run();
