/**
 * Signatures across implementations: `xml-crypto`, given an ECDSA of its own, takes what is signed here
 * and refuses it changed; and what it signs in our one form is read here.
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import { DOMParser } from '@xmldom/xmldom';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SignedXml } from 'xml-crypto';
import { testKey } from '../../firmware/test-material.ts';
import { readSignedXml } from '../../src/trust/xml-signature.ts';
import { ALGORITHMS } from '../../src/trust/xml-signature-profile.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import { REQUESTS, requestXml, SIGNERS, utf8 } from '../duis/requests.ts';
import { issuerSerial } from './naive-xml-signature.ts';
import { make, SPECS } from './test-pki.ts';

const test = suite('signatures across implementations');
const { privateKey, publicKey, pem } = testKey('xml');
const IDENTITY = { privateKey, certificate: make(SPECS.xml) };
/** Namespaces that are not used, and one that is used further in. */
const DOCUMENTS = [
  ...Object.values(REQUESTS).map((spec) => requestXml(spec)),
  requestXml(REQUESTS['11.2'], {
    attributes: ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" schemaVersion="5.1"',
  }),
  '<a xmlns="urn:a" xmlns:b="urn:b" xmlns:c="urn:c"><b:d e="&quot;f" c:g="h">i &amp; é</b:d></a>',
];

/** What xml-crypto asks of an algorithm. */
class EcdsaSha256 {
  getSignature = (info: string, key: KeyObject) =>
    sign('sha256', Buffer.from(info), { key, dsaEncoding: 'ieee-p1363' }).toString('base64');
  verifySignature = (info: string, _key: unknown, value: string) =>
    verify(
      'sha256',
      Buffer.from(info),
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(value, 'base64'),
    );
  getAlgorithmName = () => ALGORITHMS.signature;
}

function theirs(options: object): SignedXml {
  const signed = new SignedXml(options);
  Object.assign(signed.SignatureAlgorithms, { [ALGORITHMS.signature]: EcdsaSha256 });
  return signed;
}

function theyTake(document: string): boolean {
  const parsed = new DOMParser().parseFromString(document, 'text/xml');
  const signature = parsed.getElementsByTagNameNS(
    'http://www.w3.org/2000/09/xmldsig#',
    'Signature',
  );
  const signed = theirs({ publicCert: pem, getCertFromKeyInfo: () => null });
  signed.loadSignature(signature[0] as never);
  try {
    return signed.checkSignature(document);
  } catch {
    return false;
  }
}

for (const document of DOCUMENTS) {
  const name = document.slice(0, 40);

  test(`they take what is signed here: ${name}`, () => {
    const signed = signXml(utf8(document), IDENTITY);
    assert.ok(signed.ok);
    const text = new TextDecoder().decode(signed.bytes);
    assert.is(theyTake(text), true);
    assert.is(theyTake(text.replace(/>([^<])/, '>x$1')), false, 'changed');
  });

  test(`what they sign is read here: ${name}`, () => {
    const signing = theirs({
      privateKey,
      signatureAlgorithm: ALGORITHMS.signature,
      canonicalizationAlgorithm: ALGORITHMS.canonicalization,
      getKeyInfoContent: () => `<ds:X509Data>${issuerSerial('CN=Z1,OU=07', '4')}</ds:X509Data>`,
    });
    signing.addReference({
      xpath: '/*',
      uri: '',
      isEmptyUri: true,
      transforms: [ALGORITHMS.transform],
      digestAlgorithm: ALGORITHMS.digest,
    });
    signing.computeSignature(document, { prefix: 'ds' });
    const read = readSignedXml(utf8(signing.getSignedXml()), SIGNERS);
    assert.ok(read.ok, read.ok ? '' : `${read.code} ${signing.getSignedXml()}`);
  });
}

test.run();
