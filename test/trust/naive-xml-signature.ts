/**
 * A naive maker of enveloped XML signatures, for tests: text put together, nothing parsed. The document
 * is to be in its canonical form already. Every part can be made wrong.
 */
import { createHash, sign } from 'node:crypto';
import { testKey } from '../../firmware/test-material.ts';

export const DS = 'http://www.w3.org/2000/09/xmldsig#';
export const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
export const ECDSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256';
export const ENVELOPED = `${DS}enveloped-signature`;
export const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';

export interface SignatureParts {
  /** Phrase of the key. */
  key: string;
  issuerName: string;
  serialNumber: string;
  canonicalization: string;
  signatureMethod: string;
  /** Of each Reference. */
  references: readonly ReferenceParts[];
  /** What stands between the tags; made where absent. */
  signatureValue?: string;
  value: (raw: Buffer) => Buffer;
  keyInfo: string;
  /** The prefix of the signature; empty: its namespace is the default one. */
  prefix: string;
  /** The whole ds:Signature, changed after it was signed. */
  change: (signature: string) => string;
}

export interface ReferenceParts {
  attributes?: string;
  transforms?: readonly string[];
  digestMethod?: string;
  digest?: string;
}

export const method = (name: string, algorithm: string) =>
  `<ds:${name} Algorithm="${algorithm}"></ds:${name}>`;

export const issuerSerial = (issuer: string, serial: string) =>
  `<ds:X509IssuerSerial><ds:X509IssuerName>${issuer}</ds:X509IssuerName>` +
  `<ds:X509SerialNumber>${serial}</ds:X509SerialNumber></ds:X509IssuerSerial>`;

export const sha256 = (text: string | Uint8Array) =>
  createHash('sha256').update(text).digest('base64');

/** The document with a signature before its last end tag. */
export function signNaively(document: string, changes: Partial<SignatureParts> = {}): string {
  const at = document.lastIndexOf('</');
  return document.slice(0, at) + signatureOf(document, changes) + document.slice(at);
}

/** Of this text, whatever document it is put into. */
export function signatureOf(document: string, changes: Partial<SignatureParts> = {}): string {
  const {
    key = 'xml',
    issuerName = 'CN=Z1,OU=07',
    serialNumber = '4',
    references = [{}],
  } = changes;
  const {
    keyInfo = `<ds:KeyInfo><ds:X509Data>${issuerSerial(issuerName, serialNumber)}</ds:X509Data></ds:KeyInfo>`,
    value = (raw: Buffer) => raw,
    change = (signature: string) => signature,
  } = changes;
  const info =
    method('CanonicalizationMethod', changes.canonicalization ?? EXCLUSIVE) +
    method('SignatureMethod', changes.signatureMethod ?? ECDSA_SHA256) +
    references.map((reference) => referenceOf(document, reference)).join('');
  const dress = (text: string) => prefixed(text, changes.prefix);
  const signed = dress(`<ds:SignedInfo xmlns:ds="${DS}">${info}</ds:SignedInfo>`);
  const { privateKey } = testKey(key);
  const raw = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const signatureValue = changes.signatureValue ?? value(raw).toString('base64');
  const signature =
    `<ds:Signature xmlns:ds="${DS}"><ds:SignedInfo>${info}</ds:SignedInfo>` +
    `<ds:SignatureValue>${signatureValue}</ds:SignatureValue>${keyInfo}</ds:Signature>`;
  return change(dress(signature));
}

function prefixed(text: string, prefix = 'ds'): string {
  if (prefix === '') return text.replaceAll('ds:', '').replaceAll('xmlns:ds=', 'xmlns=');
  return text.replaceAll('ds:', `${prefix}:`).replaceAll('xmlns:ds=', `xmlns:${prefix}=`);
}

function referenceOf(document: string, reference: ReferenceParts): string {
  const { attributes = ' URI=""', transforms = [ENVELOPED], digestMethod = SHA256 } = reference;
  const list = transforms.map((one) => method('Transform', one)).join('');
  return (
    `<ds:Reference${attributes}><ds:Transforms>${list}</ds:Transforms>` +
    `${method('DigestMethod', digestMethod)}<ds:DigestValue>${reference.digest ?? sha256(document)}` +
    '</ds:DigestValue></ds:Reference>'
  );
}
