/**
 * Signs a document the one way of xml-signature-profile.ts: enveloped, last in the root, compact, base64
 * in one line, the key named by issuer and serial number.
 *
 * What comes out is the document in its canonical form, without comments and without white space
 * between elements: the DCC's tool takes that away before it digests, so that a right signature over
 * it would be none there.
 */
import { createHash, sign } from 'node:crypto';
import { CanonicalWriter } from '../xml/canonical.ts';
import { type XmlHandler, type XmlOptions, XmlScanner, type XmlTag } from '../xml/scanner.ts';
import { type DistinguishedName, nameText } from './distinguished-name.ts';
import { checkSigningPair, type SigningPair } from './signing-pair.ts';
import {
  ALGORITHMS,
  isSignatureElement,
  SIGNATURE_NAMESPACE,
  type SignedXmlFault,
  signatureFault,
} from './xml-signature-profile.ts';

/** The certificate is named in the document, not put in. */
export type XmlSigningIdentity = SigningPair;

/**
 * Of a whole document. One that is nested in another is signed first, as a document of its own.
 * @throws UpliftError where the key is not that of the certificate
 */
export function signXml(
  document: Uint8Array,
  identity: SigningPair,
  options: XmlOptions = {},
): { ok: true; bytes: Uint8Array } | SignedXmlFault {
  checkSigningPair(identity);
  const compact = new CompactDocument();
  const scanner = new XmlScanner(compact, options);
  const fault = scanner.push(document) ?? scanner.end();
  if (fault) return fault;
  const { signatureTag } = compact;
  if (signatureTag) return signatureFault('already-signed', signatureTag);
  const { digest, start, end } = compact.finish();
  const signature = Buffer.from(signatureText(digest, identity));
  return { ok: true, bytes: Uint8Array.from(Buffer.concat([start, signature, end])) };
}

/** RFC 4514: what the certificate writes first comes last. */
export function issuerNameText({ der, attributes }: DistinguishedName): string {
  return nameText({ der, attributes: attributes.toReversed() });
}

function signatureText(digest: Uint8Array, { privateKey, certificate }: SigningPair): string {
  const info = signedInfoContent(digest);
  // As exclusive canonicalisation writes it: it is the first that uses the prefix.
  const signed = Buffer.from(
    `<ds:SignedInfo xmlns:ds="${SIGNATURE_NAMESPACE}">${info}</ds:SignedInfo>`,
  );
  const value = sign('sha256', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const issuer = escapeXml(issuerNameText(certificate.issuer));
  return (
    `<ds:Signature xmlns:ds="${SIGNATURE_NAMESPACE}"><ds:SignedInfo>${info}</ds:SignedInfo>` +
    `<ds:SignatureValue>${value.toString('base64')}</ds:SignatureValue>` +
    '<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial>' +
    `<ds:X509IssuerName>${issuer}</ds:X509IssuerName>` +
    `<ds:X509SerialNumber>${certificate.serialDecimal}</ds:X509SerialNumber>` +
    '</ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo></ds:Signature>'
  );
}

function signedInfoContent(digest: Uint8Array): string {
  const method = (name: string, algorithm: string) =>
    `<ds:${name} Algorithm="${algorithm}"></ds:${name}>`;
  return (
    method('CanonicalizationMethod', ALGORITHMS.canonicalization) +
    method('SignatureMethod', ALGORITHMS.signature) +
    `<ds:Reference URI=""><ds:Transforms>${method('Transform', ALGORITHMS.transform)}` +
    `</ds:Transforms>${method('DigestMethod', ALGORITHMS.digest)}` +
    `<ds:DigestValue>${Buffer.from(digest).toString('base64')}</ds:DigestValue></ds:Reference>`
  );
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Gathers the canonical form without white space between elements, cut before the root's end tag. */
class CompactDocument implements XmlHandler {
  readonly #hash = createHash('sha256');
  readonly #pieces: Buffer[] = [];
  #piecesOfStart = 0;
  readonly #writer = new CanonicalWriter(
    {
      update: (bytes) => {
        this.#hash.update(bytes);
        this.#pieces.push(Buffer.from(bytes));
      },
    },
    'inclusive',
  );
  /** Of each open element, whether it has children. */
  readonly #hasChildren: boolean[] = [];
  /** White space that is kept if its element ends with it. */
  #blanks = '';
  signatureTag: XmlTag | undefined;

  open(tag: XmlTag): undefined {
    if (this.#hasChildren.length === 1 && isSignatureElement(tag)) this.signatureTag ??= tag;
    if (this.#hasChildren.length > 0) this.#hasChildren[this.#hasChildren.length - 1] = true;
    this.#hasChildren.push(false);
    this.#blanks = '';
    this.#writer.open(tag);
  }

  text(text: string): void {
    if (/[^ \t\r\n]/.test(text)) this.#writer.text(text);
    else this.#blanks += text;
  }

  close(): void {
    if (!this.#hasChildren.pop()) this.#writer.text(this.#blanks);
    this.#blanks = '';
    if (this.#hasChildren.length === 0) {
      this.#writer.finish();
      this.#piecesOfStart = this.#pieces.length;
    }
    this.#writer.close();
  }

  instruction(target: string, data: string): void {
    this.#writer.instruction(target, data);
  }

  finish(): { digest: Uint8Array; start: Uint8Array; end: Uint8Array } {
    this.#writer.finish();
    return {
      digest: this.#hash.digest(),
      start: Buffer.concat(this.#pieces.slice(0, this.#piecesOfStart)),
      end: Buffer.concat(this.#pieces.slice(this.#piecesOfStart)),
    };
  }
}
