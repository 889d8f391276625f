/** From a signed request to a signed answer: read, judged, answered, and read by the other side. */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { answerUpdate, answerVersion, refuse } from '../../src/duis/answers.ts';
import { splitByAdmission } from '../../src/duis/device-split.ts';
import { refusalOfFault } from '../../src/duis/refusals.ts';
import { RequestBook } from '../../src/duis/request-book.ts';
import { takeIn } from '../../src/duis/request-intake.ts';
import { readServiceRequest } from '../../src/duis/request-reader.ts';
import { responseText } from '../../src/duis/response.ts';
import { canonicalVersion } from '../../src/duis/schema-version.ts';
import { readSignedXml } from '../../src/trust/xml-signature.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import type { XmlElement } from '../../src/xml/strict-xml.ts';
import { make, SPECS } from '../trust/test-pki.ts';
import { BROKER, HUB, ORIGINATOR, REQUESTS, requestXml, SIGNERS, SR, utf8 } from './requests.ts';
import { ALERTS, ANSWERED_MS, SAMPLES, signInForm } from './response-samples.ts';

const test = suite('signed requests and answers');

const IDENTITY = { privateKey: testKey('xml').privateKey, certificate: make(SPECS.xml) };
const digits = (eui: string) => eui.replaceAll('-', '').toLowerCase();
const SETTINGS = {
  brokers: [digits(BROKER)],
  users: new Map([[digits(ORIGINATOR), ['IS']]]),
};
/** Elements that are documents of their own within a response. */
const INSIDE = [
  { namespace: SR, name: 'SMETS1SignedResponse' },
  { namespace: SR, name: 'S1SPAlert' },
];

function signText(document: string): string {
  const signed = signXml(utf8(document), IDENTITY);
  assert.ok(signed.ok);
  return signed.ok ? new TextDecoder().decode(signed.bytes) : '';
}

function find(element: XmlElement, name: string): XmlElement | undefined {
  if (element.name === name) return element;
  for (const child of element.children) {
    const found = find(child, name);
    if (found) return found;
  }
  return undefined;
}

function receive(document: string) {
  const bytes = utf8(document);
  const read = readServiceRequest(bytes, SIGNERS);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { read, sha256 };
}

test('11.1: one of its devices is not known here', () => {
  const { read, sha256 } = receive(signText(requestXml(REQUESTS['11.1'])));
  assert.ok(read.ok);
  if (!read.ok) return;
  const { request } = read;
  const around = { nowMs: ANSWERED_MS, devices: new Set([digits(HUB)]) };
  assert.is(takeIn(request, sha256, new RequestBook(), SETTINGS, around).kind, 'sound');
  const { body, header, schemaVersion } = request;
  if (!('deviceIds' in body)) return assert.unreachable();
  const split = splitByAdmission(
    {
      deviceIds: body.deviceIds,
      serviceReference: header.serviceReference,
      duisVersion: canonicalVersion(schemaVersion)!,
    },
    new Map([[digits(HUB), 'admitted']]),
  );
  const answer = signText(responseText(answerUpdate(request, ANSWERED_MS, split)));
  const verified = readSignedXml(utf8(answer), SIGNERS);
  assert.ok(verified.ok);
  if (!verified.ok) return;
  assert.is(find(verified.root, 'ResponseCode')?.text, 'W110101');
  assert.is(find(verified.root, 'InvalidDeviceIDList')?.text, '02-55-50-4C-46-54-10-02');
});

test('11.2: the signature of the device holds by itself, and within the one of the answer', () => {
  const { read } = receive(signText(requestXml(REQUESTS['11.2'])));
  assert.ok(read.ok);
  if (!read.ok) return;
  const version = { firmwareVersion: '00010203' };
  const text = responseText(answerVersion(read.request, ANSWERED_MS, version), signText);
  const inner = /<sr:SMETS1SignedResponse .*<\/sr:SMETS1SignedResponse>/.exec(text)![0];
  assert.ok(readSignedXml(utf8(inner), SIGNERS).ok);
  const outer = signText(text);
  const verified = readSignedXml(utf8(outer), SIGNERS, { signedInside: INSIDE });
  assert.ok(verified.ok);
  if (verified.ok) assert.is(find(verified.root, 'FirmwareVersion')?.text, '00010203');
  const changed = outer.replace('>00010203<', '>00010204<');
  assert.not.ok(readSignedXml(utf8(changed), SIGNERS, { signedInside: INSIDE }).ok);
});

test('every sample is in canonical form: what is signed is what was written', () => {
  for (const { name, response } of SAMPLES) {
    // The signatures within it are ours alone.
    const text = responseText(response, (document) => document);
    const signed = signText(text);
    const content = signed.slice(0, signed.lastIndexOf('<ds:Signature '));
    const written = text.slice(0, -'</sr:Response>'.length);
    assert.is(withoutInner(content), withoutInner(written), name);
    assert.ok(signed.endsWith('</ds:Signature></sr:Response>'));
  }
});

/**
 * An element within another does not say again what that one has said: canonical XML leaves it out.
 */
function withoutInner(text: string): string {
  const [first, ...rest] = text.split(` xmlns:sr="${SR}"`);
  return `${first} xmlns:sr="${SR}"${rest.join('')}`;
}

test('alerts are signed as answers are', () => {
  const samples = SAMPLES.filter(({ name }) => name.startsWith('alert'));
  assert.is(samples.length, ALERTS.length);
  for (const { name, response } of samples) {
    const signed = signText(responseText(response, signText));
    assert.ok(readSignedXml(utf8(signed), SIGNERS, { signedInside: INSIDE }).ok, name);
  }
});

test('a request that was changed is refused by a signature code', () => {
  const signed = signText(requestXml(REQUESTS['11.3']));
  const { read } = receive(signed.replace('2026-03-01T02', '2026-03-01T03'));
  assert.not.ok(read.ok);
  if (read.ok) return;
  const refusal = refusalOfFault(read);
  assert.equal(refusal, { origin: 'signature', code: 'digest-differs' });
  const honest = receive(signed).read;
  if (honest.ok) assert.is(refuse(honest.request, ANSWERED_MS, refusal).responseCode, 'E100');
});

test('a signature in form alone is none', () => {
  const text = responseText(SAMPLES[0]!.response);
  assert.not.ok(readSignedXml(utf8(signInForm(text)), SIGNERS).ok);
});

test.run();
