/** Service Requests: read as written, released when their signature is good, refused by code. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { REQUEST_CODES } from '../../src/duis/request-codes.ts';
import {
  type RequestResult,
  readServiceRequest,
  readUnsignedRequest,
  ServiceRequestReader,
} from '../../src/duis/request-reader.ts';
import type { RequestBody, ServiceRequest } from '../../src/duis/service-request.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import { signNaively } from '../trust/naive-xml-signature.ts';
import { make, SPECS } from '../trust/test-pki.ts';
import { flipBits, truncate } from './damaged-requests.ts';
import {
  HASH,
  HUB,
  IMAGE,
  ORIGINATOR,
  REQUESTS,
  type RequestSpec,
  requestXml,
  SIGNERS,
  SR,
  utf8,
} from './requests.ts';

const test = suite('Service Requests');

const read = (text: string | Uint8Array): RequestResult =>
  readServiceRequest(typeof text === 'string' ? utf8(text) : text, SIGNERS);

function requestIn(text: string): ServiceRequest {
  const result = read(signNaively(text));
  assert.ok(result.ok, result.ok ? '' : `${result.code} ${result.actual}`);
  return result.request;
}

function codeOf(result: RequestResult | { ok: true }): string {
  return result.ok ? 'ok' : (result as { code: string }).code;
}

// ---- as written -----------------------------------------------------------------------------------------

const BODIES: Record<keyof typeof REQUESTS, RequestBody> = {
  '11.1': {
    kind: 'UpdateFirmware',
    image: IMAGE,
    firmwareVersion: '00010203',
    deviceIds: ['0255504c46541001', '0255504c46541002'],
  },
  '11.2': { kind: 'ReadFirmwareVersion' },
  '11.3': {
    kind: 'ActivateFirmware',
    execution: Date.UTC(2026, 2, 1, 2),
    firmwareHash: HASH,
  },
  '11.3 signed': { kind: 'SignedPreCommand', gbcsPayload: Uint8Array.of(0xdf, 0, 1) },
  '11.4': {
    kind: 'UpdatePPMIDFirmware',
    image: IMAGE,
    firmwareVersion: '00010203',
    deviceIds: ['0255504c46542001'],
  },
};

for (const [name, spec] of Object.entries(REQUESTS) as [keyof typeof REQUESTS, RequestSpec][]) {
  test(`${name} is read`, () => {
    const result = read(signNaively(requestXml(spec)));
    assert.ok(result.ok, codeOf(result));
    assert.equal(result.request, {
      schemaVersion: '5.1',
      header: {
        requestId: {
          originator: '90b3d51f30010000',
          target: spec.target.replaceAll('-', '').toLowerCase(),
          counter: 1700000000001n,
        },
        commandVariant: Number(spec.variant),
        serviceReference: spec.reference,
        serviceReferenceVariant: spec.reference,
      },
      body: BODIES[name],
    });
    assert.is(result.signer.certificate.eui64, '90b3d51f30010000');
    assert.is(result.signer.chain.revocation, 'not-checked');
  });
}

const element = (name: string, content: string) => `<sr:${name}>${content}</sr:${name}>`;
const headerOf = (changes: Record<string, string | undefined>): string =>
  Object.entries({
    RequestID: `${ORIGINATOR}:${HUB}:1`,
    CommandVariant: '1',
    ServiceReference: '11.2',
    ServiceReferenceVariant: '11.2',
    ...changes,
  })
    .sort(([one], [other]) => HEADER_ORDER.indexOf(one) - HEADER_ORDER.indexOf(other))
    .map(([name, text]) => (text === undefined ? '' : element(name, text)))
    .join('');
const HEADER_ORDER = [
  'RequestID',
  'FirstInSequence',
  'PrecedingServiceRequestID',
  'CommandVariant',
  'ServiceReference',
  'ServiceReferenceVariant',
];
const withHeader = (changes: Record<string, string | undefined>) =>
  requestXml(REQUESTS['11.2'], { header: headerOf(changes) });
const withBody = (body: string) => requestXml({ ...REQUESTS['11.2'], body });
const activation = (time: string, hash = HASH) =>
  withBody(
    element('ActivateFirmware', element('ExecutionDateTime', time) + element('FirmwareHash', hash)),
  );
const updating = (changes: { image?: string; version?: string; devices?: string }) =>
  withBody(
    element(
      'UpdateFirmware',
      element('FirmwareImage', changes.image ?? 'QUJD') +
        element('FirmwareVersion', changes.version ?? '1') +
        element('DeviceIDList', changes.devices ?? HUB),
    ),
  );

test('a header with all that is optional, and values in their other forms', () => {
  const { header } = requestIn(
    withHeader({
      RequestID: `\n ${ORIGINATOR.toLowerCase()}:${HUB}:18446744073709551615 `,
      FirstInSequence: ' 1',
      PrecedingServiceRequestID: `${ORIGINATOR}:${HUB}:0`,
      CommandVariant: ' +08\t',
    }),
  );
  assert.is(header.requestId.counter, 2n ** 64n - 1n);
  assert.is(header.requestId.originator, '90b3d51f30010000');
  assert.is(header.firstInSequence, true);
  assert.is(header.precedingRequestId?.counter, 0n);
  assert.is(header.commandVariant, 8);
});

test('the year 3000 calls an activation off, and is a time for a reading', () => {
  const body = requestIn(activation('3000-12-31T00:00:00.00Z')).body as { execution?: unknown };
  assert.is(body.execution, 'cancel');
  const reading = withBody(
    element('ReadFirmwareVersion', element('ExecutionDateTime', '3000-12-31T00:00:00Z')),
  );
  assert.equal(requestIn(reading).body, {
    kind: 'ReadFirmwareVersion',
    executionMs: Date.UTC(3000, 11, 31),
  });
});

test('an empty image, white space in base64, a version of blanks, a device twice', () => {
  const empty = requestIn(updating({ image: '' })).body as { image: Uint8Array };
  assert.is(empty.image.length, 0);
  const { body } = requestIn(
    updating({
      image: '\n QU\tJD\nRA = =\n',
      version: ' \u{1f600}\n     ',
      devices: `${HUB},${HUB}`,
    }),
  );
  assert.ok(body.kind === 'UpdateFirmware');
  assert.equal([...body.image], [...utf8('ABCD')]);
  assert.is(body.firmwareVersion, ' \u{1f600}\n     ');
  assert.is(body.deviceIds.length, 2);
});

test('another prefix, a hint where the schema is, comments and white space between elements', () => {
  const document =
    `<Request xmlns="${SR}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
    'schemaVersion="5.40" xsi:schemaLocation="a b">\n <Header>' +
    `<RequestID>${ORIGINATOR}:${HUB}:1</RequestID><CommandVariant>1</CommandVariant>` +
    '<ServiceReference>11.2</ServiceReference> <ServiceReferenceVariant>11.2' +
    '</ServiceReferenceVariant></Header><Body><ReadFirmwareVersion></ReadFirmwareVersion></Body>' +
    '</Request>';
  const signed = signNaively(document).replace('<Body>', '<Body><!-- of no account -->');
  const result = read(signed);
  assert.ok(result.ok, codeOf(result));
  assert.is(result.request.schemaVersion, '5.40');
});

// ---- refused --------------------------------------------------------------------------------------------

const REFUSED: [name: string, document: string, code: string, actual?: string][] = [
  [
    'a response',
    requestXml(REQUESTS['11.2']).replaceAll('sr:Request', 'sr:Response'),
    'request-other-root',
  ],
  [
    'another namespace',
    requestXml(REQUESTS['11.2']).replaceAll(SR, `${SR}/`),
    'request-other-root',
  ],
  [
    'no version',
    requestXml(REQUESTS['11.2'], { attributes: '' }),
    'attribute-missing',
    'schemaVersion',
  ],
  ...['', 'five', '5.1.2', '-5', '1e1', '12345678901234567'].map(
    (version): [string, string, string] => [
      `version ${version}`,
      requestXml(REQUESTS['11.2'], { attributes: ` schemaVersion="${version}"` }),
      'schema-version-invalid',
    ],
  ),
  [
    'an attribute of no schema',
    requestXml(REQUESTS['11.2'], { attributes: ' Id="a" schemaVersion="5.1"' }),
    'attribute-unexpected',
    'Id',
  ],
  [
    'another type for an element',
    withBody(
      '<sr:ReadFirmwareVersion xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="a">' +
        '</sr:ReadFirmwareVersion>',
    ),
    'attribute-unexpected',
    'xsi:type',
  ],
  [
    'a service that is not served',
    withBody(element('ReadInventory', '')),
    'request-kind-not-served',
    'ReadInventory',
  ],
  [
    'a service of another namespace',
    withBody('<ReadFirmwareVersion></ReadFirmwareVersion>'),
    'request-kind-not-served',
  ],
  ['two services', withBody(REQUESTS['11.2'].body + REQUESTS['11.3'].body), 'element-repeated'],
  ['no service', withBody(''), 'element-missing', 'what is asked for'],
  [
    'no body',
    requestXml(REQUESTS['11.2']).replace(/<sr:Body>.*<\/sr:Body>/, ''),
    'element-missing',
    'Body',
  ],
  [
    'no header',
    requestXml(REQUESTS['11.2']).replace(/<sr:Header>.*<\/sr:Header>/, ''),
    'element-missing',
    'Header',
  ],
  ...HEADER_ORDER.filter((name) => !/First|Preceding/.test(name)).map(
    (name): [string, string, string, string] => [
      `no ${name}`,
      withHeader({ [name]: undefined }),
      'element-missing',
      name,
    ],
  ),
  [
    'an element twice',
    withHeader({}).replace('<sr:CommandVariant>', `${element('CommandVariant', '1')}$&`),
    'element-repeated',
  ],
  [
    'an element too late',
    withHeader({}).replace('</sr:Header>', `${element('RequestID', 'x')}$&`),
    'element-out-of-order',
  ],
  [
    'an element more',
    withHeader({}).replace('</sr:Header>', `${element('More', 'x')}$&`),
    'element-unexpected',
    'More',
  ],
  [
    'an element in a text',
    withHeader({ ServiceReference: element('a', '') }),
    'element-unexpected',
    'a',
  ],
  ['an element in an image', updating({ image: element('a', '') }), 'element-unexpected', 'a'],
  [
    'text in an element of none',
    withBody(element('ReadFirmwareVersion', 'now')),
    'text-unexpected',
  ],
  ['a long text', withHeader({ ServiceReference: ' '.repeat(257) }), 'text-too-long'],
  ...[
    ORIGINATOR,
    `${ORIGINATOR}:${HUB}`,
    `${ORIGINATOR}:${HUB}:1:2`,
    `${ORIGINATOR}:${HUB}:01`,
    `${ORIGINATOR}:${HUB}:-1`,
    `${ORIGINATOR}:${HUB}:18446744073709551616`,
    `${ORIGINATOR}: ${HUB}:1`,
    `${ORIGINATOR.replaceAll('-', ':')}:${HUB}:1`,
    `${ORIGINATOR.replaceAll('-', '')}:${HUB}:1`,
    `\u00a0${ORIGINATOR}:${HUB}:1`,
  ].map((id): [string, string, string] => [
    `id ${id}`,
    withHeader({ RequestID: id }),
    'request-id-invalid',
  ]),
  ['a truth that is none', withHeader({ FirstInSequence: 'TRUE' }), 'boolean-invalid'],
  ...['0', '10', '-1', '1.0', ''].map((variant): [string, string, string] => [
    `variant ${variant}`,
    withHeader({ CommandVariant: variant }),
    'command-variant-invalid',
  ]),
  ['a service reference', withHeader({ ServiceReference: 'eleven' }), 'service-reference-invalid'],
  ['a digit that is none of base64', updating({ image: 'QUJ-' }), 'xml-bulk-character'],
  ['base64 without its padding', updating({ image: 'QQ' }), 'base64-invalid'],
  ['base64 with a bit too many', updating({ image: 'QR==' }), 'base64-invalid'],
  ['base64 that goes on after its padding', updating({ image: 'QQ==QQ==' }), 'base64-invalid'],
  [
    'a payload of 16,385 octets',
    withBody(element('SignedPreCommand', element('GBCSPayload', 'AAAA'.repeat(5462)))),
    'payload-too-large',
  ],
  ['an empty version', updating({ version: '' }), 'firmware-version-invalid'],
  ['a version of 9 characters', updating({ version: '123456789' }), 'firmware-version-invalid'],
  ...[
    HASH.slice(2),
    `${HASH}00`,
    HASH.replace(/./, 'g'),
    `${HASH.slice(0, 32)} ${HASH.slice(32)}`,
  ].map((hash): [string, string, string] => [
    `hash ${hash}`,
    activation('2026-01-01T00:00:00Z', hash),
    'firmware-hash-invalid',
  ]),
  ...[
    '',
    `${HUB},`,
    `,${HUB}`,
    ` ${HUB}`,
    `${HUB}, ${HUB}`,
    `${HUB};${HUB}`,
    HUB.replaceAll('-', ''),
  ].map((devices): [string, string, string] => [
    `devices '${devices}'`,
    updating({ devices }),
    'device-list-invalid',
  ]),
  ['a time that is none', activation('2026-02-29T00:00:00Z'), 'date-time-invalid'],
  ['a time of no zone', activation('2026-02-28T00:00:00'), 'date-time-no-zone'],
];

for (const [name, document, code, actual] of REFUSED) {
  test(`refused: ${name}`, () => {
    const result = read(signNaively(document));
    assert.is(codeOf(result), code);
    if (actual !== undefined) assert.is((result as { actual?: string }).actual, actual);
    assert.not('request' in result);
  });
}

test('an image of an octet too many, and a list of a device too many', () => {
  const image = updating({ image: `${'AAAA'.repeat(3_413_333)}AAA=` });
  assert.is(codeOf(read(signNaively(image))), 'image-too-large');
  const devices = Array.from({ length: 50_001 }, () => HUB).join(',');
  assert.is(codeOf(read(signNaively(updating({ devices })))), 'device-list-too-long');
});

test('as many octets and as many devices as there may be', () => {
  const devices = Array.from({ length: 50_000 }, () => HUB).join(',');
  const { body } = requestIn(updating({ image: `${'AAAA'.repeat(3_413_333)}AA==`, devices }));
  assert.ok(body.kind === 'UpdateFirmware');
  assert.is(body.image.length, 10_240_000);
  assert.is(body.image.buffer.byteLength, 10_240_000, 'and no more memory than that');
  assert.is(body.deviceIds.length, 50_000);
});

test('a signer of another originator', () => {
  const document = withHeader({ RequestID: `${HUB}:${HUB}:1` });
  assert.is(codeOf(read(signNaively(document))), 'originator-differs');
});

test('a request that is not signed', () => {
  const document = requestXml(REQUESTS['11.3']);
  assert.is(codeOf(read(document)), 'signature-missing');
  const result = readUnsignedRequest(utf8(document));
  assert.ok(result.ok);
  assert.equal(result.unsigned.body, BODIES['11.3']);
  assert.not('request' in result);
  assert.is(codeOf(readUnsignedRequest(utf8(signNaively(document)))), 'request-signed');
});

test('every code has a request that is refused by it', () => {
  const shown = new Set([
    ...REFUSED.map(([, , code]) => code),
    'image-too-large',
    'device-list-too-long',
    'originator-differs',
    'request-signed',
  ]);
  assert.equal(
    Object.keys(REQUEST_CODES).filter((code) => !shown.has(code)),
    [],
  );
});

test('a fault says where', () => {
  const result = read(updating({ image: '\nQUJD\n  QU?D' }));
  assert.ok(!result.ok);
  assert.equal([result.code, result.line, result.column], ['xml-bulk-character', 3, 5]);
  const later = read(updating({ image: '\nQUJD\n', version: '123456789' }));
  assert.ok(!later.ok);
  assert.equal(
    [later.code, later.line, later.element],
    ['firmware-version-invalid', 3, 'FirmwareVersion'],
  );
  assert.is(later.column, '</sr:FirmwareImage><sr:FirmwareVersion>'.length + 1);
});

// ---- as it arrives --------------------------------------------------------------------------------------

const SMALL = utf8(signNaively(requestXml(REQUESTS['11.1'])));

test('cut at every place in two, and into single bytes', () => {
  const whole = read(SMALL);
  assert.ok(whole.ok);
  for (let cut = 0; cut <= SMALL.length; cut++) {
    const reader = new ServiceRequestReader();
    assert.is(reader.push(SMALL.slice(0, cut)), undefined);
    assert.is(reader.push(SMALL.slice(cut)), undefined);
    const result = reader.end(SIGNERS);
    assert.ok(result.ok, `${cut}: ${codeOf(result)}`);
    if (cut % 100 === 0) assert.equal(result.request, whole.request);
  }
  const reader = new ServiceRequestReader();
  const one = new Uint8Array(1);
  for (const byte of SMALL) {
    one[0] = byte;
    assert.is(reader.push(one), undefined);
  }
  const result = reader.end(SIGNERS);
  assert.ok(result.ok);
  assert.equal(result.request, whole.request);
});

test('truncated or with a bit flipped, it is refused or the same request', () => {
  truncate(SMALL, 13);
  // Every bit in test/sweep.
  flipBits(SMALL, 37);
});

test('whatever the bytes, there is an answer and no exception', () => {
  const words = [
    '<sr:Body>',
    '</sr:Body>',
    '<!--',
    '-->',
    '<?p q?>',
    '&#65;',
    '<a>',
    '\u00e9',
    '\u0000',
  ];
  const text = new TextDecoder().decode(SMALL);
  const damaged = fc
    .array(
      fc.tuple(fc.nat(text.length), fc.nat(40), fc.oneof(fc.constantFrom(...words), fc.string())),
      { minLength: 1, maxLength: 3 },
    )
    .map((edits) =>
      edits.reduce((all, [at, drop, put]) => all.slice(0, at) + put + all.slice(at + drop), text),
    );
  fc.assert(
    fc.property(damaged, (document) => {
      const result = read(document);
      assert.ok(result.ok || result.message.length > 0);
    }),
    { numRuns: 500 },
  );
});

test('after a fault, every call answers the same', () => {
  const reader = new ServiceRequestReader();
  const fault = reader.push(utf8('<!DOCTYPE a>'));
  assert.is(fault?.code, 'xml-doctype');
  assert.is(reader.push(SMALL), fault);
  assert.is(reader.end(SIGNERS), fault);
});

test('a bound of bytes is the caller’s', () => {
  const result = readServiceRequest(SMALL, SIGNERS, { bytesMax: SMALL.length - 1 });
  assert.is(codeOf(result), 'xml-too-large');
  assert.is(codeOf(readServiceRequest(SMALL, SIGNERS, { bytesMax: SMALL.length })), 'ok');
});

test('what is signed here is read here', () => {
  const document = `<?xml version="1.0"?>\n${requestXml(REQUESTS['11.1']).replaceAll('><', '>\n  <')}`;
  const signed = signXml(utf8(document), {
    privateKey: testKey('xml').privateKey,
    certificate: make(SPECS.xml),
  });
  assert.ok(signed.ok);
  const result = read(signed.bytes);
  assert.ok(result.ok, codeOf(result));
  assert.equal(result.request.body, BODIES['11.1']);
  assert.not(/\n/.test(new TextDecoder().decode(signed.bytes)));
});

test.run();
