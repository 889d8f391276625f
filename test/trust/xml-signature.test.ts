/** XML signatures: made in their one form, taken in it alone, each other form refused by its code. */
import { createHash, createPublicKey } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { UpliftError } from '../../src/errors.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { verifyP256 } from '../../src/trust/ecdsa.ts';
import { type KnownSigners, readSignedXml } from '../../src/trust/xml-signature.ts';
import { XML_SIGNATURE_CODES } from '../../src/trust/xml-signature-profile.ts';
import { issuerNameText, signXml } from '../../src/trust/xml-signing.ts';
import { crl, FROM_MS, seq, UNTIL_MS } from './naive-x509.ts';
import {
  DS,
  ECDSA_SHA256,
  ENVELOPED,
  EXCLUSIVE,
  issuerSerial,
  method,
  SHA256,
  type SignatureParts,
  sha256,
  signatureOf,
  signNaively,
} from './naive-xml-signature.ts';
import { AT_MS, anchor, ISSUING, make, ROOT, SPECS, XML_SIGNER } from './test-pki.ts';

const test = suite('XML signatures');
const utf8 = (text: string) => new TextEncoder().encode(text);
const certificate = make(SPECS.xml);
const issuing = make(SPECS.issuing);
const root = make(SPECS.root);
const SIGNERS: KnownSigners = {
  certificates: [certificate, issuing],
  anchors: [anchor(root.der, 'xml-signing')],
  atMs: AT_MS,
};
const IDENTITY = { privateKey: testKey('xml').privateKey, certificate };

/** Canonical, with a namespace that is not used. */
const DOCUMENT = '<a xmlns="urn:a" xmlns:b="urn:b">\n<c d="e"></c><f>g</f></a>';

function codeOf(document: string | Uint8Array, signers = SIGNERS): string {
  const bytes = typeof document === 'string' ? utf8(document) : document;
  const read = readSignedXml(bytes, signers);
  return read.ok ? 'ok' : read.code;
}

test('a document that was signed elsewhere is read, without its signature', () => {
  const read = readSignedXml(utf8(signNaively(DOCUMENT)), SIGNERS);
  assert.ok(read.ok);
  assert.equal(
    read.root.children.map(({ name, text }) => [name, text]),
    [
      ['c', ''],
      ['f', 'g'],
    ],
  );
  assert.is(read.signer.certificate.fingerprint, certificate.fingerprint);
  assert.is(read.signer.chain.anchor.name, 'anchor');
});

test('prefixes are the signer’s choice, declared in the signature or before it', () => {
  for (const prefix of ['', 'ds', 'd']) assert.is(codeOf(signNaively(DOCUMENT, { prefix })), 'ok');
  const early = DOCUMENT.replace('<a xmlns="urn:a" xmlns:b="urn:b"', `$& xmlns:ds="${DS}"`);
  const change = (signature: string) => signature.replace(` xmlns:ds="${DS}"`, '');
  assert.is(codeOf(signNaively(early, { change })), 'ok');
  // Its namespace is that of the root's default: what SignedInfo uses, it declares.
  const rooted = `<x:a xmlns="${DS}" xmlns:x="urn:x"></x:a>`;
  const plain = (signature: string) => signature.replace(` xmlns="${DS}"`, '');
  assert.is(codeOf(signNaively(rooted, { prefix: '', change: plain })), 'ok');
});

test('a signature is made as it is described, and no longer', () => {
  const document = `<?xml version="1.0"?>\n<!-- h -->${DOCUMENT.replace('<c d="e"></c>', ' <c d="e"/>\n')}\n`;
  const signed = signXml(utf8(document), IDENTITY);
  assert.ok(signed.ok);
  const text = new TextDecoder().decode(signed.bytes);
  const compact = DOCUMENT.replace('\n', '');
  const value = /<ds:SignatureValue>([A-Za-z0-9+/]{86}==)<\/ds:SignatureValue>/.exec(text)?.[1];
  assert.ok(value);
  assert.is(text, signNaively(compact, { signatureValue: value }));
  assert.is(codeOf(signed.bytes), 'ok');
});

test('white space that is the text of an element is signed with it', () => {
  const signed = signXml(utf8('<a> <b> \n</b>\n<?p?></a>'), IDENTITY);
  assert.ok(signed.ok);
  assert.match(new TextDecoder().decode(signed.bytes), '<a><b> \n</b><?p?><ds:Signature');
  assert.is(codeOf(signed.bytes), 'ok');
});

test('instructions stay where they are, comments do not count', () => {
  const signed = signXml(utf8('<?p?><a><b/></a><?q r?>'), IDENTITY);
  assert.ok(signed.ok);
  const text = new TextDecoder().decode(signed.bytes);
  assert.ok(text.startsWith('<?p?>\n<a>') && text.endsWith('</a>\n<?q r?>'));
  assert.is(codeOf(text), 'ok');
  assert.is(codeOf(text.replace('<b>', '<!-- c --><b>')), 'ok');
  assert.is(codeOf(text.replace('<?q r?>', '')), 'digest-differs');
  assert.is(codeOf(text.replace('<b>', '<?s?><b>')), 'digest-differs');
});

test('nothing is signed twice, nor what is no document, nor with another key', () => {
  const twice = signXml(utf8(signNaively(DOCUMENT)), IDENTITY);
  assert.is(twice.ok ? 'ok' : twice.code, 'already-signed');
  const none = signXml(utf8('<a>'), IDENTITY);
  assert.is(none.ok ? 'ok' : none.code, 'xml-malformed');
  const isKey = (error: unknown) => error instanceof UpliftError && error.code === 'signing-key';
  for (const key of [testKey('issuing').privateKey, testKey('xml').publicKey]) {
    assert.throws(() => signXml(utf8(DOCUMENT), { ...IDENTITY, privateKey: key }), isKey);
  }
});

test('the issuer is named from its last part to its first', () => {
  assert.is(issuerNameText(certificate.issuer), 'CN=Z1,OU=07');
});

// ---- the vector of the facts ----------------------------------------------------------------------------

test('a published signature verifies, in every way that its value may be broken', () => {
  const point =
    '04ba2ec2695947c666aadf5029dfda34c78a5b46fff5be8b5a3269cbe643cd19a9' +
    '1d8dee83d5258eaf5a4c2b792485d4771081514870e228b7eee58c8d2a754aaa';
  const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(point, 2), y: coordinate(point, 66) };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const spki = [...key.export({ type: 'spki', format: 'der' })];
  const subject = [
    ['OU', '87'],
    ['EUI', '0255504c46540001'],
  ] as const;
  const signers = { ...SIGNERS, certificates: [make(SPECS.xml, { spki, subject }), issuing] };
  const document =
    '<sr:Request xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway" ' +
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" schemaVersion="3.1"><sr:Header>' +
    '<sr:RequestID>02-55-50-4C-46-54-00-01:02-55-50-4C-46-54-10-01:1700000000002</sr:RequestID>' +
    '<sr:CommandVariant>1</sr:CommandVariant><sr:ServiceReference>11.2</sr:ServiceReference>' +
    '<sr:ServiceReferenceVariant>11.2</sr:ServiceReferenceVariant></sr:Header>' +
    '<sr:Body><sr:ReadFirmwareVersion></sr:ReadFirmwareVersion></sr:Body></sr:Request>';
  const value =
    '8TQ3G668HKyVo+dMVklxrX87sqWh6JGVsQqIcAIa21zcNcfY9EQ/+ZaFsYK566QlJA7NNRbi/+JcTw8GrATuig==';
  const signature = signatureOf(document, { signatureValue: value });
  const info = /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(signature)![0];
  const canonical = info.replace('<ds:SignedInfo>', `<ds:SignedInfo xmlns:ds="${DS}">`);
  assert.is(canonical.length, 615);
  assert.is(
    createHash('sha256').update(canonical).digest('hex'),
    '4ae98738387f62b457c942d53fb155e899a7c437b764005e474a38459b70c647',
  );
  assert.ok(verifyP256(key, utf8(canonical), Buffer.from(value, 'base64')));
  const broken = [value.slice(0, 76), value.slice(76)];
  for (const text of [value, broken.join('\n'), broken.join('&#13;\n'), ` ${value}\r\n`]) {
    const signed = signNaively(document, { signatureValue: text });
    assert.is(codeOf(signed, signers), 'ok', text);
    // The same, compact, with an empty element in one tag: another document, one canonical form.
    assert.is(codeOf(signed.replace('></sr:ReadFirmwareVersion>', '/>'), signers), 'ok');
  }
  const exclusive = 'wjRAL4CgTRI47+dAh3Dl1WDuWIE0Q8t6FYDCYoLP2Kc=';
  const wrong = signNaively(document, { references: [{ digest: exclusive }] });
  assert.is(codeOf(wrong), 'digest-differs');
});

function coordinate(point: string, at: number): string {
  return Buffer.from(point.slice(at, at + 64), 'hex').toString('base64url');
}

// ---- every other form -----------------------------------------------------------------------------------

const signedWith = (changes: Partial<SignatureParts>) => signNaively(DOCUMENT, changes);
const changed = (from: string | RegExp, to: string) =>
  signedWith({ change: (signature) => signature.replace(from, to) });
const inKeyInfo = (keyInfo: string) =>
  signedWith({ keyInfo: `<ds:KeyInfo>${keyInfo}</ds:KeyInfo>` });
const SIGNATURE = signatureOf(DOCUMENT);
const SIGNED = signNaively(DOCUMENT);
const ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
const NAMED = issuerSerial('CN=Z1,OU=07', '4');

function toDer(raw: Buffer): Buffer {
  const integer = (octets: Buffer) => {
    const digits = octets.subarray(octets.findIndex((octet) => octet !== 0));
    const padded = digits[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits;
    return [2, padded.length, ...padded];
  };
  return Buffer.from(seq(integer(raw.subarray(0, 32)), integer(raw.subarray(32))));
}

const REFUSED: [name: string, document: string, code: string][] = [
  ['no signature', DOCUMENT, 'signature-missing'],
  ['two signatures', SIGNED.replace('</a>', `${SIGNATURE}</a>`), 'signature-repeated'],
  ['one that is not last', SIGNED.replace('</a>', '<h></h></a>'), 'signature-not-last'],
  ['one in an element', DOCUMENT.replace('g', SIGNATURE), 'signature-elsewhere'],
  [
    'a part of one beside it',
    SIGNED.replace('<f>', `<X xmlns="${DS}"/><f>`),
    'signature-elsewhere',
  ],
  ['one that is the root', `${SIGNATURE}`, 'signature-root'],
  ['a namespace without scheme', signNaively('<a xmlns="b"><c></c></a>'), 'namespace-relative'],
  [
    'a text of 9,000 characters',
    signedWith({ signatureValue: 'A'.repeat(9_000) }),
    'signature-too-large',
  ],
  ['70 elements', inKeyInfo('<ds:X></ds:X>'.repeat(70)), 'signature-too-large'],
  ['an object', changed('</ds:Signature>', '<ds:Object></ds:Object>$&'), 'signature-structure'],
  ['no value', changed(/<ds:SignatureValue>.*<\/ds:SignatureValue>/, ''), 'signature-structure'],
  [
    'another namespace inside',
    changed('<ds:X509SerialNumber>', '<ds:X509SerialNumber xmlns:ds="urn:x">'),
    'key-info-form',
  ],
  [
    'text beside a method',
    changed('></ds:DigestMethod>', '>a</ds:DigestMethod>'),
    'signature-structure',
  ],
  ['an Id', changed('<ds:SignedInfo>', '<ds:SignedInfo Id="a">'), 'signature-attribute'],
  ['a type', changed('URI=""', 'URI="" Type="a"'), 'signature-attribute'],
  ['an attribute of xml', changed('<ds:Reference', '$& xml:base="urn:x"'), 'signature-attribute'],
  ['an instruction', changed('<ds:SignedInfo>', '$&<?p?>'), 'signature-instruction'],
  ['no SignedInfo', changed(/<ds:SignedInfo>.*<\/ds:SignedInfo>/, ''), 'signed-info-missing'],
  ['two SignedInfo', changed(/<ds:SignedInfo>.*<\/ds:SignedInfo>/, '$&$&'), 'signed-info-repeated'],
  [
    'inclusive for SignedInfo',
    signedWith({ canonicalization: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315' }),
    'canonicalization-method',
  ],
  [
    'with comments',
    signedWith({ canonicalization: `${EXCLUSIVE}WithComments` }),
    'canonicalization-method',
  ],
  [
    'a list of inclusive prefixes',
    changed('></ds:Canon', `><InclusiveNamespaces xmlns="${EXCLUSIVE}" PrefixList="b"/></ds:Canon`),
    'signature-structure',
  ],
  ['HMAC', signedWith({ signatureMethod: `${DS}hmac-sha1` }), 'signature-method-hmac'],
  [
    'HMAC with SHA-256',
    signedWith({ signatureMethod: 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha256' }),
    'signature-method-hmac',
  ],
  [
    'ECDSA with SHA-1',
    signedWith({ signatureMethod: ECDSA_SHA256.replace('sha256', 'sha1') }),
    'signature-method-weak',
  ],
  [
    'RSA',
    signedWith({ signatureMethod: ECDSA_SHA256.replace('ecdsa', 'rsa') }),
    'signature-method',
  ],
  ['no algorithm', changed(/(<ds:SignatureMethod) [^>]*/, '$1'), 'signature-method'],
  ['no reference', signedWith({ references: [] }), 'reference-missing'],
  ['two references', signedWith({ references: [{}, {}] }), 'reference-repeated'],
  ['of an Id', signedWith({ references: [{ attributes: ' URI="#b"' }] }), 'reference-uri'],
  ['of a file', signedWith({ references: [{ attributes: ' URI="file:///x"' }] }), 'reference-uri'],
  [
    'of the root by XPointer',
    signedWith({ references: [{ attributes: ' URI="#xpointer(/)"' }] }),
    'reference-uri',
  ],
  ['of what nobody says', signedWith({ references: [{ attributes: '' }] }), 'reference-uri'],
  ['no transform', signedWith({ references: [{ transforms: [] }] }), 'transform-missing'],
  ['no list of them', changed(/<ds:Transforms>.*<\/ds:Transforms>/, ''), 'transform-missing'],
  [
    'one transform twice',
    signedWith({ references: [{ transforms: [ENVELOPED, ENVELOPED] }] }),
    'transform-repeated',
  ],
  ...['http://www.w3.org/TR/1999/REC-xslt-19991116', `${DS}base64`, EXCLUSIVE].map(
    (transform): [string, string, string] => [
      transform,
      signedWith({ references: [{ transforms: [ENVELOPED, transform] }] }),
      'transform-not-allowed',
    ],
  ),
  [
    'a digest of SHA-1',
    signedWith({ references: [{ digestMethod: `${DS}sha1` }] }),
    'digest-method-weak',
  ],
  [
    'a digest of SHA-512',
    signedWith({ references: [{ digestMethod: SHA256.replace('256', '512') }] }),
    'digest-method',
  ],
  [
    'a digest of 31 octets',
    signedWith({ references: [{ digest: `${'A'.repeat(40)}AA==` }] }),
    'digest-value-form',
  ],
  ['no digest', signedWith({ references: [{ digest: '' }] }), 'digest-value-form'],
  ['another digest', signedWith({ references: [{ digest: sha256('') }] }), 'digest-differs'],
  ['a value that is no base64', signedWith({ signatureValue: '!' }), 'signature-value-form'],
  ['a value in DER', signedWith({ value: toDer }), 'signature-value-der'],
  ['63 octets', signedWith({ value: (raw) => raw.subarray(1) }), 'signature-value-length'],
  [
    '65 octets',
    signedWith({ value: (raw) => Buffer.concat([Buffer.of(0), raw]) }),
    'signature-value-length',
  ],
  ['none', signedWith({ signatureValue: '' }), 'signature-value-length'],
  [
    'r is 0',
    signedWith({ value: (raw) => Buffer.from(raw).fill(0, 0, 32) }),
    'signature-value-range',
  ],
  ['s is 0', signedWith({ value: (raw) => Buffer.from(raw).fill(0, 32) }), 'signature-value-range'],
  [
    's is the order',
    signedWith({ value: (raw) => Buffer.concat([raw.subarray(0, 32), Buffer.from(ORDER, 'hex')]) }),
    'signature-value-range',
  ],
  ['no key', signedWith({ keyInfo: '' }), 'key-info-missing'],
  [
    'a key along',
    inKeyInfo(
      `<ds:KeyValue>${method('ECKeyValue', 'x')}</ds:KeyValue><ds:X509Data>${NAMED}</ds:X509Data>`,
    ),
    'key-in-message',
  ],
  [
    'a certificate along',
    inKeyInfo(`<ds:X509Data>${NAMED}<ds:X509Certificate>QQ==</ds:X509Certificate></ds:X509Data>`),
    'key-in-message',
  ],
  ['a name', inKeyInfo('<ds:KeyName>xml</ds:KeyName>'), 'key-info-form'],
  ['two names', inKeyInfo(`<ds:X509Data>${NAMED}${NAMED}</ds:X509Data>`), 'key-info-form'],
  [
    'a subject',
    inKeyInfo('<ds:X509Data><ds:X509SubjectName>a</ds:X509SubjectName></ds:X509Data>'),
    'key-info-form',
  ],
  ...['', '-4', '04', '0x4', '4.0', `${2n ** 160n}`].map(
    (serialNumber): [string, string, string] => [
      `serial number '${serialNumber}'`,
      signedWith({ serialNumber }),
      'serial-number-form',
    ],
  ),
  ['another serial number', signedWith({ serialNumber: `${2n ** 160n - 1n}` }), 'signer-unknown'],
  ['another issuer', signedWith({ issuerName: 'CN=Z2,OU=07' }), 'signer-unknown'],
  ['no issuer', signedWith({ issuerName: '' }), 'signer-unknown'],
  ['another key', signedWith({ key: 'other' }), 'signature-differs'],
  [
    'r and s changed about',
    signedWith({ value: (raw) => Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]) }),
    'signature-differs',
  ],
  ['SignedInfo of other white space', changed('<ds:SignedInfo>', '$&\n'), 'signature-differs'],
  ['a comment in a digest', changed('</ds:DigestValue>', '<!-- -->$&'), 'xml-split-text'],
  ['CDATA in a digest', changed('</ds:DigestValue>', '<![CDATA[]]>$&'), 'xml-cdata'],
  ['content changed', SIGNED.replace('>g<', '>h<'), 'digest-differs'],
  ['white space added', SIGNED.replace('<f>', ' <f>'), 'digest-differs'],
  ['white space after the signature', SIGNED.replace('</a>', '\n</a>'), 'digest-differs'],
  ['a namespace added', SIGNED.replace('<a ', '<a xmlns:z="urn:z" '), 'digest-differs'],
];

for (const [name, document, code] of REFUSED) {
  test(`refused: ${name}`, () => {
    const read = readSignedXml(utf8(document), SIGNERS);
    assert.is(read.ok ? 'ok' : read.code, code);
    assert.not('root' in read, 'a refusal has no document');
  });
}

test('every code has a document that is refused by it', () => {
  const shown = new Set([
    ...REFUSED.map(([, , code]) => code),
    'already-signed',
    'signer-ambiguous',
  ]);
  assert.equal(
    Object.keys(XML_SIGNATURE_CODES).filter((code) => !shown.has(code)),
    [],
  );
});

// ---- whose signature ------------------------------------------------------------------------------------

const revoked = (serials: bigint[]) =>
  [
    crl({ signedBy: 'root', issuer: ROOT }),
    crl({ signedBy: 'issuing', issuer: ISSUING, revoked: serials }),
  ].map((der) => {
    const list = parseRevocationList(der);
    if (!list.ok) throw new Error(list.message);
    return list;
  });
const of = (...certificates: KnownSigners['certificates']) => ({ ...SIGNERS, certificates });
const SIGNER_CASES: [name: string, signers: KnownSigners, code: string][] = [
  ['nobody known', of(), 'signer-unknown'],
  ['the certificate without its CA', of(certificate), 'unknown-issuer'],
  ['no anchor', { ...SIGNERS, anchors: [] }, 'no-trust-anchor'],
  ['the CA as anchor', { ...SIGNERS, anchors: [anchor(issuing.der, 'xml-signing')] }, 'ok'],
  [
    'the certificate as anchor, and no other',
    { ...of(), anchors: [anchor(certificate.der, 'xml-signing')] },
    'ok',
  ],
  [
    'an anchor of firmware',
    { ...SIGNERS, anchors: [anchor(root.der, 'gb-firmware')] },
    'wrong-purpose',
  ],
  ['before its time', { ...SIGNERS, atMs: FROM_MS - 1 }, 'not-yet-valid'],
  ['after its time', { ...SIGNERS, atMs: UNTIL_MS + 1_000 }, 'expired'],
  ['revoked', { ...SIGNERS, crls: revoked([4n]) }, 'revoked'],
  ['not revoked', { ...SIGNERS, crls: revoked([5n]) }, 'ok'],
  ['no list', { ...SIGNERS, crls: [] }, 'crl-missing'],
  ['a key for key agreement', of(make(SPECS.xml, { usage: 16 }), issuing), 'wrong-usage'],
  [
    'a role that signs no XML',
    of(
      make(SPECS.xml, {
        subject: [
          ['OU', '02'],
          ['EUI', XML_SIGNER[1]![1]],
        ],
      }),
      issuing,
    ),
    'wrong-role',
  ],
  [
    'two of one name and number',
    of(certificate, make(SPECS.xml, { key: 'other' }), issuing),
    'signer-ambiguous',
  ],
  ['one of them twice', of(certificate, certificate, issuing), 'ok'],
  [
    'a key of another certificate of this name and number',
    of(make(SPECS.xml, { key: 'other' }), issuing),
    'signature-differs',
  ],
];

for (const [name, signers, code] of SIGNER_CASES) {
  test(`signers: ${name}`, () => assert.is(codeOf(SIGNED, signers), code));
}

test('a serial number of 160 bits, and either form of the name', () => {
  const serial = 2n ** 159n - 1n;
  const signers = of(make(SPECS.xml, { serial }), issuing);
  for (const issuerName of ['CN=Z1,OU=07', 'OU=07, CN=Z1', ' cn = Z1,ou = 07 ']) {
    assert.is(codeOf(signedWith({ serialNumber: `${serial}`, issuerName }), signers), 'ok');
  }
});

// ---- one document in another ----------------------------------------------------------------------------

/** As an answer of a SMETS1 device stands in one of the DCC. */
const INNER = '<i:s xmlns:i="urn:i" version="1"><i:t>u</i:t></i:s>';
const signedInside = [{ namespace: 'urn:i', name: 's' }];

test('a signed element is content of the outer document, where that is said', () => {
  const inner = signXml(utf8(INNER), IDENTITY);
  assert.ok(inner.ok);
  const text = new TextDecoder().decode(inner.bytes);
  const outer = signXml(utf8(`<a><b/>${text}</a>`), IDENTITY);
  assert.ok(outer.ok);
  assert.is(codeOf(outer.bytes), 'signature-elsewhere');
  const read = readSignedXml(outer.bytes, SIGNERS, { signedInside });
  assert.ok(read.ok);
  assert.is(read.root.children[1]!.children[1]!.name, 'Signature');
  const whole = new TextDecoder().decode(outer.bytes);
  const cut = whole.slice(whole.indexOf('<i:s'), whole.indexOf('</i:s>') + 6);
  assert.is(codeOf(cut), 'ok', 'it stands there as a document of its own');
  assert.is(codeOf(cut.replace('>u<', '>v<')), 'digest-differs');
  const forged = readSignedXml(utf8(whole.replace('>u<', '>v<')), SIGNERS, { signedInside });
  assert.is(forged.ok ? 'ok' : forged.code, 'digest-differs');
});

test('a signature that is in no such element is refused all the same', () => {
  const inner = signNaively(INNER);
  for (const document of [
    `<a><b>${SIGNATURE}</b>${inner}</a>`,
    `<a>${inner.replace('<i:t>', `<i:t>${SIGNATURE}`)}</a>`,
    `<a>${inner.replace('<i:t>', `<X xmlns="${DS}"></X><i:t>`)}</a>`,
  ]) {
    const read = readSignedXml(utf8(signNaively(document)), SIGNERS, { signedInside });
    assert.is(read.ok ? 'ok' : read.code, 'signature-elsewhere');
  }
});

test.run();
