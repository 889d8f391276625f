/** Responses as who sent the request reads them: code, what they are to, devices, and whose they are. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { encodeResponse } from '../../src/duis/response.ts';
import { readServiceResponse, readUnverifiedResponse } from '../../src/duis/response-reader.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import { make, SPECS } from '../trust/test-pki.ts';
import { SIGNERS, SR, utf8 } from './requests.ts';
import { SAMPLES, signInForm } from './response-samples.ts';

const test = suite('responses as they are read');
const IDENTITY = { privateKey: testKey('xml').privateKey, certificate: make(SPECS.xml) };

function signed(document: Uint8Array): Uint8Array {
  const made = signXml(document, IDENTITY);
  if (!made.ok) throw new Error(made.code);
  return made.bytes;
}

/** Signed as a document of its own, as a device's answer is. */
const inner = (document: string) => new TextDecoder().decode(signed(utf8(document)));
const DOCUMENTS = SAMPLES.map((sample) => ({
  ...sample,
  bytes: encodeResponse(sample.response, inner),
}));

test('every answer and alert says what it was made of, signed or not', () => {
  for (const { name, response, bytes } of DOCUMENTS) {
    const plain = readUnverifiedResponse(bytes);
    const read = readServiceResponse(signed(bytes), SIGNERS);
    if (!plain.ok || !read.ok) return assert.unreachable(`${name} is not read`);
    assert.equal(read.response, plain.unverified, name);
    assert.is(read.signer.certificate.eui64, '90b3d51f30010000');
    const { responseCode, requestId, respondedAt, lists } = read.response;
    assert.is(responseCode, response.responseCode, name);
    assert.equal(requestId, response.requestId, name);
    assert.is(respondedAt, new Date(response.respondedMs).toISOString(), name);
    const { body } = response;
    const content = body.kind === 'message' ? body.content : undefined;
    const given = content && 'lists' in content ? Object.entries(content.lists) : [];
    const named = given.filter(([, devices]) => devices.length > 0);
    assert.equal(lists, Object.fromEntries(named), name);
  }
});

test("what is changed after it was signed is nobody's", () => {
  const [{ bytes }] = DOCUMENTS as [(typeof DOCUMENTS)[0]];
  const text = new TextDecoder().decode(signed(bytes));
  const code = (document: string) => {
    const read = readServiceResponse(utf8(document), SIGNERS);
    return read.ok ? 'ok' : read.code;
  };
  assert.is(code(text), 'ok');
  assert.is(code(text.replace('>I', '>E')), 'digest-differs');
  assert.is(code(new TextDecoder().decode(bytes)), 'signature-missing');
  assert.is(code(signInForm(new TextDecoder().decode(bytes))), 'key-info-missing');
});

test('what is no response is refused by a code, with its place', () => {
  const response = (header: string, body = '') =>
    `<sr:Response xmlns:sr="${SR}" schemaVersion="5.1">\n<sr:Header>${header}</sr:Header>` +
    `<sr:Body>${body}</sr:Body></sr:Response>`;
  const warning = (list: string) =>
    '<sr:ResponseMessage><sr:DSPUpdateFirmwareWarning><sr:InvalidDeviceIDList>' +
    `${list}</sr:InvalidDeviceIDList></sr:DSPUpdateFirmwareWarning></sr:ResponseMessage>`;
  const code = '<sr:ResponseCode> I0 </sr:ResponseCode>';
  const cases: [document: string, code: string, line: number][] = [
    [`<sr:Request xmlns:sr="${SR}"/>`, 'response-other-root', 1],
    ['<Response/>', 'response-other-root', 1],
    [`<sr:Response xmlns:sr="${SR}"/>`, 'response-no-code', 1],
    [response(''), 'response-no-code', 2],
    [response(`<sr:RequestID>1</sr:RequestID>${code}`), 'response-id-invalid', 2],
    [response(code, warning('')), 'device-list-invalid', 2],
    [response(code, warning('02-55-50-4C-46-54-20-0')), 'device-list-invalid', 2],
    ['<!DOCTYPE a><a/>', 'xml-doctype', 1],
  ];
  for (const [document, expected, line] of cases) {
    const read = readUnverifiedResponse(utf8(document));
    assert.is(read.ok ? 'ok' : `${read.code} ${read.line}`, `${expected} ${line}`, document);
  }
  const bare = readUnverifiedResponse(utf8(response(code)));
  assert.is(bare.ok && bare.unverified.responseCode, 'I0', 'blanks are no part of it');
  assert.is(bare.ok && bare.unverified.content, 'nothing');
});

test('cut anywhere it is a fault, and never thrown', () => {
  const [{ bytes }] = DOCUMENTS as [(typeof DOCUMENTS)[0]];
  const whole = signed(bytes);
  for (let end = 0; end < whole.length; end += 7) {
    assert.not(readServiceResponse(whole.subarray(0, end), SIGNERS).ok, `${end} octets`);
  }
});

test.run();
