/**
 * The one form of XML signature that is made and taken: that of the DCC User Interface (DUIS; XML
 * Signature, W3C, 12 February 2002). Nothing of it is chosen by a message: algorithms and the
 * reference are compared with what they must be, and every other way of saying the same is refused
 * under a code that names the attack it would open.
 */
import { decodeBase64 } from '../bytes/base64.ts';
import type { XmlCode, XmlFault } from '../xml/codes.ts';
import { XMLNS_NAMESPACE } from '../xml/scanner.ts';
import { attributeOf, type XmlElement, type XmlTag } from '../xml/strict-xml.ts';
import type { TrustCode } from './codes.ts';
import { isDerP256Signature, isRawP256Signature } from './ecdsa.ts';

export const SIGNATURE_NAMESPACE = 'http://www.w3.org/2000/09/xmldsig#';

export const ALGORITHMS = {
  canonicalization: 'http://www.w3.org/2001/10/xml-exc-c14n#',
  signature: 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256',
  transform: 'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
  digest: 'http://www.w3.org/2001/04/xmlenc#sha256',
} as const;

export const XML_SIGNATURE_CODES = {
  // Where it stands.
  'signature-missing': 'The document has no signature.',
  'signature-repeated': 'The document has two signatures.',
  'signature-not-last': 'An element follows the signature, which is the last one of the root.',
  'signature-elsewhere':
    'An element of a signature stands where the signature of this document does not.',
  'signature-root': 'The root of the document is a signature.',
  'namespace-relative': 'The name of a namespace is no absolute URI, and has no canonical form.',
  'already-signed': 'The document that is to be signed has a signature.',

  // What is in it.
  'signature-too-large': 'The signature is larger than its one form can be.',
  'signature-structure': 'The signature has an element that its form does not, or lacks one.',
  'signature-attribute': 'An element of the signature has an attribute that its form does not.',
  'signature-instruction': 'A processing instruction stands in the signature.',
  'signed-info-missing': 'The signature has no SignedInfo.',
  'signed-info-repeated': 'The signature has two SignedInfo.',
  'canonicalization-method': 'SignedInfo is not to be made canonical in the exclusive form.',
  'signature-method-hmac': 'The signature is a keyed hash: anybody could make it of a public key.',
  'signature-method-weak': 'The signature is made with a broken hash.',
  'signature-method': 'The signature is made with another algorithm than ECDSA with SHA-256.',
  'reference-missing': 'The signature is of nothing.',
  'reference-repeated': 'The signature is of more than one thing.',
  'reference-uri': 'The signature is not of the whole document.',
  'transform-missing': 'The signature does not say that it is left out of what is signed.',
  'transform-repeated': 'The signature says twice that it is left out.',
  'transform-not-allowed': 'What is signed is the document after a transformation.',
  'digest-method-weak': 'What is signed is named by a broken hash.',
  'digest-method': 'What is signed is named by another hash than SHA-256.',
  'digest-value-form': 'The digest is not 32 octets in base64.',
  'signature-value-form': 'The signature value is no base64.',
  'signature-value-der': 'The signature value is in DER; it is r and s of 32 octets each.',
  'signature-value-length': 'The signature value has other than 64 octets.',
  'signature-value-range': 'The signature value cannot be one: r or s is 0 or too large.',
  'key-info-missing': 'The signature does not name its key.',
  'key-in-message': 'The message brings the key of its signature along.',
  'key-info-form': 'The signature names its key in another way than by issuer and serial number.',
  'serial-number-form': 'The serial number is no decimal number of up to 160 bits.',

  // What is wrong with it.
  'digest-differs': 'The document is not what was signed.',
  'signer-unknown': 'No certificate at hand has the serial number and the issuer.',
  'signer-ambiguous': 'Two certificates have the serial number and the issuer.',
  'signature-differs': 'The signature is not one of the key of this certificate.',
} as const;

export type XmlSignatureCode = keyof typeof XML_SIGNATURE_CODES;

export interface SignedXmlFault extends Omit<XmlFault, 'code'> {
  code: XmlSignatureCode | XmlCode | TrustCode;
  /** The element that it is about. */
  element?: string;
}

/** What a signature of the right form says. */
export interface XmlSignature {
  /** SHA-256, 32 octets. */
  digest: Uint8Array;
  /** r and s. */
  value: Uint8Array;
  issuerName: string;
  serialNumber: bigint;
}

/** An octet string of 20 (RFC 5280, 4.1.2.2). */
const SERIAL_NUMBER_BITS = 160n;

export function isSignatureElement({ namespace, name }: XmlTag): boolean {
  return namespace === SIGNATURE_NAMESPACE && name === 'Signature';
}

/** `root` is ds:Signature with all that is in it. */
export function readXmlSignature(root: XmlElement): XmlSignature | SignedXmlFault {
  const infos = childrenOf(root, 'SignedInfo');
  if (infos.length > 1) return signatureFault('signed-info-repeated', infos[1]!);
  const [info] = infos;
  if (!info) return signatureFault('signed-info-missing', root);
  const [keyInfo] = childrenOf(root, 'KeyInfo');
  if (!keyInfo) return signatureFault('key-info-missing', root);
  const fault = methodFault(info) ?? keyFault(keyInfo) ?? formFault(root, FORM);
  if (fault) return fault;
  const [, value] = root.children as [XmlElement, XmlElement];
  const reference = info.children[2]!;
  const digest = decodeBase64(reference.children[2]!.text, 32);
  if (digest?.length !== 32) return signatureFault('digest-value-form', reference.children[2]!);
  const octets = decodeBase64(value.text, 256);
  const valueCode = octets ? valueFault(octets) : 'signature-value-form';
  if (!octets || valueCode) return signatureFault(valueCode!, value);
  const [issuer, serial] = keyInfo.children[0]!.children[0]!.children as [XmlElement, XmlElement];
  const serialNumber = readSerialNumber(serial.text);
  if (serialNumber === undefined) return signatureFault('serial-number-form', serial);
  return { digest, value: octets, issuerName: issuer.text, serialNumber };
}

export function signatureFault(
  code: XmlSignatureCode,
  at: XmlTag,
  actual?: string,
): SignedXmlFault {
  const { line, column, name: element } = at;
  const found = actual === undefined ? {} : { actual };
  return { ok: false, code, message: XML_SIGNATURE_CODES[code], line, column, element, ...found };
}

/** SignedInfo: of what, and how. */
function methodFault(info: XmlElement): SignedXmlFault | undefined {
  const references = childrenOf(info, 'Reference');
  if (references.length > 1) return signatureFault('reference-repeated', references[1]!);
  const [reference] = references;
  if (!reference) return signatureFault('reference-missing', info);
  const uri = attributeOf(reference, 'URI');
  if (uri !== '') return signatureFault('reference-uri', reference, uri ?? 'none');
  return (
    algorithmFault(info, 'CanonicalizationMethod', ALGORITHMS.canonicalization, () => {
      return 'canonicalization-method';
    }) ??
    algorithmFault(info, 'SignatureMethod', ALGORITHMS.signature, (algorithm) => {
      if (/hmac/i.test(algorithm)) return 'signature-method-hmac';
      return isWeak(algorithm) ? 'signature-method-weak' : 'signature-method';
    }) ??
    transformFault(reference) ??
    algorithmFault(reference, 'DigestMethod', ALGORITHMS.digest, (algorithm) => {
      return isWeak(algorithm) ? 'digest-method-weak' : 'digest-method';
    })
  );
}

function algorithmFault(
  parent: XmlElement,
  name: string,
  wanted: string,
  codeFor: (algorithm: string) => XmlSignatureCode,
): SignedXmlFault | undefined {
  for (const element of childrenOf(parent, name)) {
    const algorithm = attributeOf(element, 'Algorithm') ?? '';
    if (algorithm !== wanted) return signatureFault(codeFor(algorithm), element, algorithm);
  }
  return undefined;
}

function transformFault(reference: XmlElement): SignedXmlFault | undefined {
  const lists = childrenOf(reference, 'Transforms');
  const transforms = lists.flatMap((list) => childrenOf(list, 'Transform'));
  for (const transform of transforms) {
    const algorithm = attributeOf(transform, 'Algorithm') ?? '';
    if (algorithm === ALGORITHMS.transform) continue;
    return signatureFault('transform-not-allowed', transform, algorithm);
  }
  if (transforms.length === 0) return signatureFault('transform-missing', reference);
  if (transforms.length > 1) return signatureFault('transform-repeated', transforms[1]!);
  return undefined;
}

function isWeak(algorithm: string): boolean {
  return /(sha1|md5|md2|md4)$/i.test(algorithm);
}

const KEY_ELEMENTS: ReadonlySet<string> = new Set([
  'KeyValue',
  'ECKeyValue',
  'DEREncodedKeyValue',
  'X509Certificate',
  'PGPKeyPacket',
  'SPKISexp',
]);

function keyFault(keyInfo: XmlElement): SignedXmlFault | undefined {
  const key = findDeep(keyInfo, ({ name }) => KEY_ELEMENTS.has(name));
  if (key) return signatureFault('key-in-message', key);
  return formFault(keyInfo, FORM.children[2]!) && signatureFault('key-info-form', keyInfo);
}

function valueFault(octets: Uint8Array): XmlSignatureCode | undefined {
  if (octets.length !== 64) {
    return isDerP256Signature(octets) ? 'signature-value-der' : 'signature-value-length';
  }
  return isRawP256Signature(octets) ? undefined : 'signature-value-range';
}

function readSerialNumber(text: string): bigint | undefined {
  const digits = text.trim();
  if (!/^(0|[1-9][0-9]{0,48})$/.test(digits)) return undefined;
  const number = BigInt(digits);
  return number >> SERIAL_NUMBER_BITS === 0n ? number : undefined;
}

/** An element, the only attribute it may have and must, and its children in their order. */
interface Form {
  name: string;
  attribute?: string;
  hasText?: true;
  children: readonly Form[];
}

const method = (name: string): Form => ({ name, attribute: 'Algorithm', children: [] });
const textual = (name: string): Form => ({ name, hasText: true, children: [] });
const FORM: Form = {
  name: 'Signature',
  children: [
    {
      name: 'SignedInfo',
      children: [
        method('CanonicalizationMethod'),
        method('SignatureMethod'),
        {
          name: 'Reference',
          attribute: 'URI',
          children: [
            { name: 'Transforms', children: [method('Transform')] },
            method('DigestMethod'),
            textual('DigestValue'),
          ],
        },
      ],
    },
    textual('SignatureValue'),
    {
      name: 'KeyInfo',
      children: [
        {
          name: 'X509Data',
          children: [
            {
              name: 'X509IssuerSerial',
              children: [textual('X509IssuerName'), textual('X509SerialNumber')],
            },
          ],
        },
      ],
    },
  ],
};

function formFault(element: XmlElement, form: Form): SignedXmlFault | undefined {
  const isSame = element.name === form.name && element.namespace === SIGNATURE_NAMESPACE;
  const hasOther = !form.hasText && /[^ \t\r\n]/.test(element.text);
  if (!isSame || hasOther || element.children.length !== form.children.length) {
    return signatureFault('signature-structure', element);
  }
  const own = element.attributes.filter(({ namespace }) => namespace !== XMLNS_NAMESPACE);
  const wanted = form.attribute === undefined ? 0 : 1;
  const isWanted = own.every(({ namespace, name }) => namespace === '' && name === form.attribute);
  if (own.length !== wanted || !isWanted) return signatureFault('signature-attribute', element);
  for (let at = 0; at < form.children.length; at++) {
    const fault = formFault(element.children[at]!, form.children[at]!);
    if (fault) return fault;
  }
  return undefined;
}

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter(
    (child) => child.name === name && child.namespace === SIGNATURE_NAMESPACE,
  );
}

function findDeep(
  element: XmlElement,
  isWanted: (element: XmlElement) => boolean,
): XmlElement | undefined {
  if (isWanted(element)) return element;
  for (const child of element.children) {
    const found = findDeep(child, isWanted);
    if (found) return found;
  }
  return undefined;
}
