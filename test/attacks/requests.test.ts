/**
 * Attacks by signed Service Requests: rows 9, 10d, 14, 16a, 18 and 19 of the table of attacks. Each is
 * refused under its code, gives no document, and the good request after it is read.
 */
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readServiceRequest, ServiceRequestReader } from '../../src/duis/request-reader.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import type { KnownSigners } from '../../src/trust/xml-signature.ts';
import { HASH, HUB, REQUESTS, requestXml, SIGNERS, update, utf8 } from '../duis/requests.ts';
import { crl, FROM_MS, UNTIL_MS } from '../trust/naive-x509.ts';
import {
  DS,
  ENVELOPED,
  issuerSerial,
  method,
  type ReferenceParts,
  type SignatureParts,
  signatureOf,
  signNaively,
} from '../trust/naive-xml-signature.ts';
import { anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';

const test = suite('attacks by Service Requests');

const ACTIVATION = requestXml(REQUESTS['11.3']);
const GOOD = signNaively(ACTIVATION);
/** What an attacker wants to be done instead. */
const FORGED = ACTIVATION.replace(HASH.toUpperCase(), 'F'.repeat(64));

interface RequestAttack {
  id: string;
  attack: string;
  code: string;
  /** Signed as it stands; or bytes, which are presented as they are. */
  document: string | Uint8Array;
  signers?: KnownSigners;
}

function refuses({ id, attack, code, document, signers = SIGNERS }: RequestAttack): void {
  test(`${id} ${attack}: ${code}`, () => {
    const bytes = typeof document === 'string' ? utf8(document) : document;
    const reader = new ServiceRequestReader();
    const result = reader.push(bytes) ?? reader.end(signers);
    assert.is(result.ok ? 'ok' : result.code, code);
    assert.not('request' in result);
    assert.equal(reader.end(SIGNERS), result, 'and it stays refused');
    assert.ok(readServiceRequest(utf8(GOOD), SIGNERS).ok, 'the next one is read');
  });
}

const signed = (document: string, changes: Partial<SignatureParts> = {}) =>
  signNaively(document, changes);
const header = (name: string, text: string) =>
  ACTIVATION.replace(new RegExp(`(<sr:${name}>)[^<]*`), `$1${text}`);
const hashed = (hash: string) => signed(ACTIVATION.replace(HASH.toUpperCase(), hash));
const updating = (name: string, text: string) =>
  signed(
    requestXml({ ...REQUESTS['11.1'], body: update('UpdateFirmware', [HUB]) }).replace(
      new RegExp(`(<sr:${name}>)[^<]*`),
      `$1${text}`,
    ),
  );

// ---- size, hash, reading of XML -------------------------------------------------------------------------

test('9 truncation: at every byte, without an answer', () => {
  const bytes = utf8(GOOD);
  for (let length = 0; length < bytes.length; length++) {
    const result = readServiceRequest(bytes.subarray(0, length), SIGNERS);
    assert.ok(!result.ok && !('request' in result), `${length}`);
  }
});

const prolog = (text: string) => `${text}${GOOD}`;
const LAUGHS =
  '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;"><!ENTITY n "&m;&m;&m;&m;">]>';
const QUADRATIC = `<!DOCTYPE a [<!ENTITY l "${'l'.repeat(50_000)}">]>`;
const entity = (name: string) => header('ServiceReference', name.repeat(200));
const utf16 = new Uint8Array(Buffer.from(`\ufeff${GOOD}`, 'utf16le'));

const XML_ATTACKS: RequestAttack[] = [
  {
    id: '10d',
    attack: 'an image of more than 10,240,000 octets',
    document: updating('FirmwareImage', 'AAAA'.repeat(3_413_334)),
    code: 'image-too-large',
  },
  {
    id: '10d',
    attack: 'more than 50,000 devices',
    document: updating('DeviceIDList', `${HUB},`.repeat(50_000) + HUB),
    code: 'device-list-too-long',
  },
  {
    id: '10d',
    attack: 'endless base64',
    document: updating('FirmwareImage', '\n'.repeat(17_000_000)),
    code: 'xml-too-large',
  },
  {
    id: '16a',
    attack: 'a digit before a hash',
    document: hashed(`A${HASH}`),
    code: 'firmware-hash-invalid',
  },
  {
    id: '16a',
    attack: 'a space in a hash',
    document: hashed(HASH.replace(/^.{8}/, '$& ')),
    code: 'firmware-hash-invalid',
  },
  {
    id: '16a',
    attack: 'a short prefix of a hash',
    document: hashed(HASH.slice(0, 16)),
    code: 'firmware-hash-invalid',
  },
  {
    id: '16a',
    attack: 'an odd length',
    document: hashed(HASH.slice(1)),
    code: 'firmware-hash-invalid',
  },
  {
    id: '18a',
    attack: 'a DOCTYPE',
    document: prolog('<!DOCTYPE sr:Request>'),
    code: 'xml-doctype',
  },
  {
    id: '18b',
    attack: 'billion laughs',
    document: LAUGHS + signed(entity('&n;')),
    code: 'xml-doctype',
  },
  {
    id: '18b',
    attack: 'quadratic blow-up',
    document: QUADRATIC + signed(entity('&l;')),
    code: 'xml-doctype',
  },
  {
    id: '18b',
    attack: 'an entity without its DOCTYPE',
    document: signed(entity('&l;')),
    code: 'xml-malformed',
  },
  {
    id: '18d',
    attack: 'a flood of references',
    document: signed(header('ServiceReference', '&#65;'.repeat(1_000_000))),
    code: 'text-too-long',
  },
  {
    id: '18d',
    attack: 'a flood of references in the longest text',
    document: updating('DeviceIDList', '&#65;'.repeat(1_400_000)),
    code: 'xml-text-too-long',
  },
  {
    id: '18d',
    attack: 'one reference in an image, which may have none',
    document: updating('FirmwareImage', 'QUJ&#68;'),
    code: 'xml-bulk-character',
  },
  {
    id: '18e',
    attack: 'depth, where nothing is looked at',
    document: signed(ACTIVATION, { keyInfo: '<ds:X>'.repeat(200_000) }),
    code: 'xml-too-deep',
  },
  { id: '18e', attack: 'depth', document: '<a>'.repeat(200_000), code: 'request-other-root' },
  {
    id: '18f',
    attack: 'an attribute twice',
    document: GOOD.replace(' schemaVersion', ' schemaVersion="5.0"$&'),
    code: 'xml-malformed',
  },
  {
    id: '18f',
    attack: 'an attribute by two prefixes of one namespace',
    document: GOOD.replace('<sr:Body>', '<sr:Body xmlns:p="urn:p" xmlns:q="urn:p" p:a="" q:a="">'),
    code: 'xml-malformed',
  },
  {
    id: '18g',
    attack: 'an Id twice, which no element has',
    document: GOOD.replace('<sr:Body>', '<sr:Body Id="a">').replace(
      '<ds:SignedInfo>',
      '<ds:SignedInfo Id="a">',
    ),
    code: 'attribute-unexpected',
  },
  {
    id: '18g',
    attack: 'an Id twice in the signature',
    document: GOOD.replace('<ds:SignedInfo>', '<ds:SignedInfo Id="a">').replace(
      '<ds:KeyInfo>',
      '<ds:KeyInfo Id="a">',
    ),
    code: 'xml-duplicate-id',
  },
  ...['&#9999999;', '&#0;', '&#1;', '\u0001', '\u0000'].map(
    (text): RequestAttack => ({
      id: '18h',
      attack: `bad character ${JSON.stringify(text)}`,
      document: signed(header('ServiceReference', text)),
      code: 'xml-malformed',
    }),
  ),
  {
    id: '18i',
    attack: 'UTF-16 declared',
    document: prolog('<?xml version="1.0" encoding="UTF-16"?>'),
    code: 'xml-encoding',
  },
  { id: '18i', attack: 'UTF-16 used', document: utf16, code: 'xml-not-utf-8' },
  {
    id: '18i',
    attack: 'a second byte order mark',
    document: prolog('\ufeff\ufeff'),
    code: 'xml-encoding',
  },
  { id: '18i', attack: 'XML 1.1', document: prolog('<?xml version="1.1"?>'), code: 'xml-version' },
  ...(['<!-- -->', '<?p?>'] as const).flatMap((split): RequestAttack[] =>
    ['FirmwareHash', 'RequestID', 'ds:DigestValue'].map((name) => ({
      id: '18j',
      attack: `${split} in ${name}`,
      document: GOOD.replace(new RegExp(`<(sr:)?${name}>.{4}`), `$&${split}`),
      code: 'xml-split-text',
    })),
  ),
  {
    id: '18j',
    attack: 'a comment in a list of devices',
    document: updating('DeviceIDList', HUB).replace(`${HUB}<`, `${HUB}<!-- ,${HUB} --><`),
    code: 'xml-split-text',
  },
  {
    id: '18j',
    attack: 'CDATA in a hash',
    document: GOOD.replace('</sr:FirmwareHash>', '<![CDATA[]]>$&'),
    code: 'xml-cdata',
  },
  { id: '18k', attack: 'two roots', document: GOOD + GOOD, code: 'xml-malformed' },
  { id: '18k', attack: 'text after the root', document: `${GOOD}a`, code: 'xml-malformed' },
  {
    id: '18k',
    attack: 'an end that is missing',
    document: GOOD.slice(0, -13),
    code: 'xml-malformed',
  },
  {
    id: '18k',
    attack: 'an attribute without quotes',
    document: GOOD.replace('"5.1"', '5.1'),
    code: 'xml-malformed',
  },
];
XML_ATTACKS.forEach(refuses);

test('16a hash confusion: another letter case is the same value, and white space that XML takes away', () => {
  for (const text of [HASH.toLowerCase(), HASH.toUpperCase(), `\n ${HASH} `]) {
    const result = readServiceRequest(utf8(hashed(text)), SIGNERS);
    assert.ok(result.ok && result.request.body.kind === 'ActivateFirmware');
    assert.is(result.request.body.firmwareHash, HASH);
  }
});

test('18c XXE: nothing is fetched: xml-doctype', async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  for (const external of [
    `<!DOCTYPE a SYSTEM "http://127.0.0.1:${port}/a.dtd">`,
    `<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:${port}/">]>`,
    `<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:${port}/">%x;]>`,
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
  ]) {
    const result = readServiceRequest(utf8(external + signed(entity('&x;'))), SIGNERS);
    assert.is(result.ok ? 'ok' : result.code, 'xml-doctype');
  }
  await new Promise((resolve) => server.close(resolve));
  assert.is(connections, 0);
});

// ---- the signature --------------------------------------------------------------------------------------

const SIGNATURE = signatureOf(ACTIVATION);
const into = (document: string, inside: string, before: string) => {
  const at = document.lastIndexOf(before);
  return document.slice(0, at) + inside + document.slice(at);
};
const WRAPPINGS: [attack: string, document: string, code: string][] = [
  [
    'XSW1: the signed one in the signature of a forged one',
    into(
      FORGED,
      SIGNATURE.replace('</ds:KeyInfo>', `$&<ds:Object>${ACTIVATION}</ds:Object>`),
      '</sr:Request>',
    ),
    'signature-structure',
  ],
  [
    'XSW2: the signed one beside the signature of a forged one',
    into(FORGED, ACTIVATION + SIGNATURE, '</sr:Request>'),
    'element-unexpected',
  ],
  [
    'XSW3: a forged one before the signed one, in a new root',
    `<w>${FORGED}${GOOD}</w>`,
    'request-other-root',
  ],
  [
    'XSW4: the signed one in the body of a forged one',
    FORGED.replace(/(<sr:Body>).*(<\/sr:Body>)/, `$1${GOOD}$2`),
    'request-kind-not-served',
  ],
  [
    'XSW5: changed where it stands, the signed one after the signature',
    into(into(FORGED, SIGNATURE, '</sr:Request>'), ACTIVATION, '</sr:Request>'),
    'signature-not-last',
  ],
  [
    'XSW6: changed where it stands, the signed one in the key',
    into(FORGED, SIGNATURE.replace('</ds:KeyInfo>', `${ACTIVATION}$&`), '</sr:Request>'),
    'key-info-form',
  ],
  [
    'XSW7: a forged body in an element of extensions',
    GOOD.replace('<sr:Body>', `<sr:Extensions>${FORGED}</sr:Extensions>$&`),
    'element-unexpected',
  ],
  [
    'XSW8: a forged one in an object of the signature',
    GOOD.replace('</ds:KeyInfo>', `$&<ds:Object>${FORGED}</ds:Object>`),
    'signature-structure',
  ],
  [
    'a second body',
    GOOD.replace('</sr:Body>', `$&${/<sr:Body>.*<\/sr:Body>/.exec(FORGED)![0]}`),
    'element-repeated',
  ],
  ['a signature of another document', into(FORGED, SIGNATURE, '</sr:Request>'), 'digest-differs'],
  [
    'a signature with the digest of the forged one',
    into(
      FORGED,
      SIGNATURE.replace(
        /(<ds:DigestValue>)[^<]*/,
        `$1${/<ds:DigestValue>([^<]*)/.exec(signatureOf(FORGED))![1]}`,
      ),
      '</sr:Request>',
    ),
    'signature-differs',
  ],
  [
    'the signature in the header',
    ACTIVATION.replace('</sr:Header>', `${SIGNATURE}$&`),
    'signature-elsewhere',
  ],
];
WRAPPINGS.forEach(([attack, document, code]) => {
  refuses({ id: '19a', attack: `signature wrapping: ${attack}`, document, code });
});

const reference = (parts: ReferenceParts) => signed(ACTIVATION, { references: [parts] });
const info = /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(SIGNATURE)![0];
const named = issuerSerial('CN=Z1,OU=07', '4');
const keyed = (along: string) =>
  signed(ACTIVATION, {
    keyInfo: `<ds:KeyInfo>${along}<ds:X509Data>${named}</ds:X509Data></ds:KeyInfo>`,
  });

const SIGNATURES: [id: string, attack: string, document: string, code: string][] = [
  ['19b', 'two signatures', into(GOOD, SIGNATURE, '</sr:Request>'), 'signature-repeated'],
  ['19b', 'two SignedInfo', GOOD.replace(info, info + info), 'signed-info-repeated'],
  [
    '19b',
    'a forged SignedInfo before',
    GOOD.replace(info, /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(signatureOf(FORGED))![0] + info),
    'signed-info-repeated',
  ],
  ['19c', 'no reference', signed(ACTIVATION, { references: [] }), 'reference-missing'],
  ['19c', 'two references', signed(ACTIVATION, { references: [{}, {}] }), 'reference-repeated'],
  ['19c', 'a reference to an Id', reference({ attributes: ' URI="#body"' }), 'reference-uri'],
  [
    '19d',
    'XSLT',
    reference({ transforms: [ENVELOPED, 'http://www.w3.org/TR/1999/REC-xslt-19991116'] }),
    'transform-not-allowed',
  ],
  [
    '19d',
    'XPath',
    reference({ transforms: ['http://www.w3.org/TR/1999/REC-xpath-19991116'] }),
    'transform-not-allowed',
  ],
  ['19d', 'base64', reference({ transforms: [`${DS}base64`, ENVELOPED] }), 'transform-not-allowed'],
  ['19d', 'repeats', reference({ transforms: [ENVELOPED, ENVELOPED] }), 'transform-repeated'],
  [
    '19e',
    'HMAC confusion',
    signed(ACTIVATION, { signatureMethod: 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha256' }),
    'signature-method-hmac',
  ],
  [
    '19f',
    'a weak signature',
    signed(ACTIVATION, { signatureMethod: 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1' }),
    'signature-method-weak',
  ],
  ['19f', 'a weak digest', reference({ digestMethod: `${DS}sha1` }), 'digest-method-weak'],
  [
    '19g',
    'its own key',
    keyed(`<ds:KeyValue>${method('ECKeyValue', 'x')}</ds:KeyValue>`),
    'key-in-message',
  ],
  [
    '19g',
    'its own certificate',
    keyed('<ds:X509Data><ds:X509Certificate>QQ==</ds:X509Certificate></ds:X509Data>'),
    'key-in-message',
  ],
  [
    '19g',
    'a key of nobody known',
    signed(ACTIVATION, { key: 'attacker', serialNumber: '99' }),
    'signer-unknown',
  ],
  ['19h', 'DER', signed(ACTIVATION, { signatureValue: derValue() }), 'signature-value-der'],
  [
    '19h',
    '63 octets',
    signed(ACTIVATION, { value: (raw) => raw.subarray(1) }),
    'signature-value-length',
  ],
  [
    '19h',
    '65 octets',
    signed(ACTIVATION, { value: (raw) => Buffer.concat([Buffer.of(0), raw]) }),
    'signature-value-length',
  ],
  [
    '19h',
    'r is 0',
    signed(ACTIVATION, { value: (raw) => Buffer.from(raw).fill(0, 0, 32) }),
    'signature-value-range',
  ],
  [
    '19h',
    's is too large',
    signed(ACTIVATION, { value: (raw) => Buffer.from(raw).fill(255, 32) }),
    'signature-value-range',
  ],
];
SIGNATURES.forEach(([id, attack, document, code]) => {
  refuses({ id, attack, document, code });
});

/** SEQUENCE { INTEGER 1, INTEGER 1 }. */
function derValue(): string {
  return Buffer.of(0x30, 6, 2, 1, 1, 2, 1, 1).toString('base64');
}

test('19i use after failure: a document whose signature failed is nowhere', () => {
  const document = utf8(into(FORGED, SIGNATURE, '</sr:Request>'));
  const reader = new ServiceRequestReader();
  assert.is(reader.push(document), undefined, 'all of it was read');
  const result = reader.end(SIGNERS);
  assert.not(result.ok);
  assert.equal(Object.keys(result).sort(), ['code', 'column', 'element', 'line', 'message', 'ok']);
  assert.equal(Object.keys(reader), [], 'nor on the reader');
});

// ---- who signed -----------------------------------------------------------------------------------------

const lists = [
  crl({ signedBy: 'root', issuer: ROOT }),
  crl({ signedBy: 'issuing', issuer: ISSUING, revoked: [4n] }),
].map((der) => {
  const list = parseRevocationList(der);
  if (!list.ok) throw new Error(list.message);
  return list;
});
const issuing = make(SPECS.issuing);
const root = make(SPECS.root);
const SIGNER_ATTACKS: [id: string, attack: string, signers: Partial<KnownSigners>, code: string][] =
  [
    ['14b', 'dead key: expired', { atMs: UNTIL_MS + 1_000 }, 'expired'],
    ['14b', 'dead key: not valid yet', { atMs: FROM_MS - 1 }, 'not-yet-valid'],
    ['14b', 'dead key: revoked', { crls: lists }, 'revoked'],
    [
      '14c',
      'wrong usage: a key for key agreement',
      { certificates: [make(SPECS.xml, { usage: 16 }), issuing] },
      'wrong-usage',
    ],
    [
      '14c',
      'wrong purpose: an anchor of firmware',
      { anchors: [anchor(root.der, 'gb-firmware')] },
      'wrong-purpose',
    ],
    [
      '14c',
      'wrong role: a key that signs firmware',
      {
        certificates: [
          make(SPECS.xml, {
            subject: [
              ['OU', '02'],
              ['EUI', '90b3d51f30010000'],
            ],
          }),
          issuing,
        ],
      },
      'wrong-role',
    ],
    [
      '14e',
      'leaf as CA: issued by a certificate that is none',
      {
        certificates: [
          make(SPECS.xml, { signedBy: 'supplier', issuer: ISSUING, keyIds: false }),
          make(SPECS.issuing, { key: 'supplier', ca: false, usage: 33 }),
        ],
      },
      'leaf-as-ca',
    ],
  ];
SIGNER_ATTACKS.forEach(([id, attack, changes, code]) => {
  refuses({ id, attack, document: GOOD, signers: { ...SIGNERS, ...changes }, code });
});

test.run();
