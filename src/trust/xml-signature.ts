/**
 * Documents with an enveloped XML signature, verified as they are read: one pass tells a handler the
 * content and digests what it tells, so that nothing can be read that was not signed. The form of the
 * signature is xml-signature-profile.ts's; which certificate it is of, the signature selects among
 * those at hand, and a chain to a trust anchor says whether that counts.
 *
 * `xml-crypto` does none of this: it needs the whole document as a tree, has no ECDSA, and runs the
 * algorithms, transforms and references that the message asks for.
 *
 * Comments are no part of what is signed and are told to nobody. White space between elements is part.
 * Not done here: whether the signer may say what the document says.
 */
import { createHash } from 'node:crypto';
import { CanonicalWriter } from '../xml/canonical.ts';
import {
  XMLNS_NAMESPACE,
  type XmlHandler,
  type XmlOptions,
  XmlScanner,
  type XmlTag,
} from '../xml/scanner.ts';
import { type XmlElement, XmlTree } from '../xml/strict-xml.ts';
import { type VerifiedChain, verifyChain } from './chain.ts';
import type { RevocationList } from './crl.ts';
import { matchesNameText, sameName } from './distinguished-name.ts';
import { verifyP256 } from './ecdsa.ts';
import type { TrustAnchor } from './trust-anchors.ts';
import type { Certificate } from './x509.ts';
import {
  isSignatureElement,
  readXmlSignature,
  SIGNATURE_NAMESPACE,
  type SignedXmlFault,
  signatureFault,
  type XmlSignature,
} from './xml-signature-profile.ts';

/** Whose signatures count, and when. */
export interface KnownSigners {
  /** Of signers, and of the CAs between them and the anchors; those of the anchors need not be here. */
  certificates: readonly Certificate[];
  anchors: readonly TrustAnchor[];
  /** Absent: revocation is not checked. */
  crls?: readonly RevocationList[];
  /** Certificates are to be valid at this time. */
  atMs: number;
}

export interface XmlSigner {
  certificate: Certificate;
  chain: VerifiedChain;
}

export interface SignedXmlOptions extends XmlOptions {
  /**
   * Elements inside the document that bear a signature of their own as a child. It is content here, as
   * the rest of them: it counts for that element as a document of its own, and is not verified.
   */
  signedInside?: readonly { namespace: string; name: string }[];
}

/** Characters of text and attributes in ds:Signature; some 900 are needed. */
const SIGNATURE_CHARACTERS_MAX = 8_192;
const SIGNATURE_ELEMENTS_MAX = 64;

/** Leaves the scanner at once; never leaves this file. */
class Refusal extends Error {
  readonly fault: SignedXmlFault;
  constructor(fault: SignedXmlFault) {
    super(fault.code);
    this.fault = fault;
  }
}

/**
 * Push chunks, then `end`. What the content handler was told is not to be used before `end` says `ok`.
 * What that handler throws passes through, and ends the use of the reader.
 */
export class SignedXmlReader {
  readonly #scanner: XmlScanner;
  readonly #parts: Parts;
  #fault: SignedXmlFault | undefined;
  #result: { ok: true; signer: XmlSigner } | SignedXmlFault | undefined;

  constructor(content: XmlHandler, options: SignedXmlOptions = {}) {
    this.#parts = new Parts(content, options.signedInside ?? []);
    this.#scanner = new XmlScanner(this.#parts, options);
  }

  push(chunk: Uint8Array): SignedXmlFault | undefined {
    return this.#attempt(() => this.#scanner.push(chunk));
  }

  /** Once: asked again, whoever the signers then are, it answers the same. */
  end(signers: KnownSigners): { ok: true; signer: XmlSigner } | SignedXmlFault {
    this.#result ??= this.#attempt(() => this.#scanner.end()) ?? verify(this.#parts, signers);
    return this.#result;
  }

  #attempt(work: () => SignedXmlFault | undefined): SignedXmlFault | undefined {
    if (this.#fault) return this.#fault;
    try {
      this.#fault = work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#fault = error.fault;
    }
    return this.#fault;
  }
}

/** A whole document as a tree, without its signature. */
export function readSignedXml(
  bytes: Uint8Array,
  signers: KnownSigners,
  options: SignedXmlOptions = {},
): { ok: true; root: XmlElement; signer: XmlSigner } | SignedXmlFault {
  const tree = new XmlTree();
  const reader = new SignedXmlReader(tree, options);
  const fault = reader.push(bytes);
  const verified = fault ?? reader.end(signers);
  return verified.ok ? { ...verified, root: tree.root! } : verified;
}

function verify(
  parts: Parts,
  signers: KnownSigners,
): { ok: true; signer: XmlSigner } | SignedXmlFault {
  const { signature, signatureTag, rootTag } = parts;
  if (!signature) return signatureFault('signature-missing', rootTag!);
  const at = signatureTag!;
  if (Buffer.compare(parts.digest(), signature.digest) !== 0) {
    return signatureFault('digest-differs', at);
  }
  const certificate = findCertificate(signature, signers);
  if (typeof certificate === 'string') {
    const about = `${signature.serialNumber} of ${signature.issuerName}`;
    return signatureFault(certificate, at, about);
  }
  const { certificates, anchors, crls, atMs } = signers;
  const chain = verifyChain(
    certificate,
    certificates.filter(({ isCa, subject }) => isCa || sameName(subject, certificate.issuer)),
    anchors,
    { atMs, purpose: 'xml-signing', ...(crls ? { crls } : {}) },
  );
  if (!chain.ok) {
    const { code, message } = chain;
    return { ok: false, code, message, line: at.line, column: at.column, element: at.name };
  }
  if (!verifyP256(certificate.publicKey, parts.signedInfo(), signature.value)) {
    return signatureFault('signature-differs', at);
  }
  return { ok: true, signer: { certificate, chain } };
}

/** By issuer and serial number, among those at hand alone. */
function findCertificate(
  { issuerName, serialNumber }: XmlSignature,
  { certificates, anchors }: KnownSigners,
): Certificate | 'signer-unknown' | 'signer-ambiguous' {
  const known = [...certificates, ...anchors.flatMap(({ certificate }) => certificate ?? [])];
  const found = new Map<string, Certificate>();
  for (const certificate of known) {
    if (certificate.serialNumber !== serialNumber) continue;
    if (matchesNameText(certificate.issuer, issuerName)) {
      found.set(certificate.fingerprint, certificate);
    }
  }
  if (found.size > 1) return 'signer-ambiguous';
  const [certificate] = found.values();
  return certificate ?? 'signer-unknown';
}

/** Parts a document into content, which is digested and told, and its signature. */
class Parts implements XmlHandler {
  readonly #content: XmlHandler;
  readonly #signedInside: readonly { namespace: string; name: string }[];
  readonly #hash = createHash('sha256');
  readonly #writer = new CanonicalWriter(this.#hash, 'inclusive');
  /** Open elements of the content, and of the signature. */
  readonly #path: XmlTag[] = [];
  #depthInSignature = 0;
  readonly #tree = new XmlTree();
  readonly #signedInfo: Uint8Array[] = [];
  #signedInfoWriter: CanonicalWriter | undefined;
  #charactersLeft = SIGNATURE_CHARACTERS_MAX;
  #elementsLeft = SIGNATURE_ELEMENTS_MAX;
  rootTag: XmlTag | undefined;
  signatureTag: XmlTag | undefined;
  signature: XmlSignature | undefined;

  constructor(content: XmlHandler, signedInside: readonly { namespace: string; name: string }[]) {
    this.#content = content;
    this.#signedInside = signedInside;
  }

  /** Of the content; once, after the last event. */
  digest(): Uint8Array {
    this.#writer.finish();
    return this.#hash.digest();
  }

  signedInfo(): Uint8Array {
    return Buffer.concat(this.#signedInfo);
  }

  open(tag: XmlTag): 'bulk' | undefined {
    if (this.#depthInSignature > 0) return this.#openInSignature(tag);
    this.rootTag ??= tag;
    if (this.#path.length === 1) {
      const isSignature = isSignatureElement(tag);
      if (this.signatureTag) refuse(isSignature ? 'signature-repeated' : 'signature-not-last', tag);
      if (isSignature) return this.#openInSignature(tag);
    }
    if (tag.namespace === SIGNATURE_NAMESPACE && !this.#isSignedInside(tag)) {
      refuse(this.#path.length === 0 ? 'signature-root' : 'signature-elsewhere', tag);
    }
    checkNamespaces(tag);
    this.#path.push(tag);
    this.#writer.open(tag);
    return this.#content.open(tag);
  }

  text(text: string): void {
    if (this.#depthInSignature > 0) {
      this.#spend(text.length);
      this.#tree.text(text);
      this.#signedInfoWriter?.text(text);
      return;
    }
    this.#writer.text(text);
    this.#content.text(text);
  }

  bulk(piece: Uint8Array): void {
    this.#writer.bulk(piece);
    this.#content.bulk!(piece);
  }

  close(): void {
    if (this.#depthInSignature > 0) {
      this.#closeInSignature();
      return;
    }
    this.#path.pop();
    this.#writer.close();
    this.#content.close();
  }

  instruction(target: string, data: string): void {
    if (this.#depthInSignature > 0) refuse('signature-instruction', this.signatureTag!, target);
    this.#writer.instruction(target, data);
    this.#content.instruction?.(target, data);
  }

  #openInSignature(tag: XmlTag): undefined {
    this.signatureTag ??= tag;
    this.#depthInSignature += 1;
    this.#elementsLeft -= 1;
    if (this.#elementsLeft < 0) refuse('signature-too-large', tag);
    for (const { value } of tag.attributes) this.#spend(value.length);
    this.#tree.open(tag);
    // Of two, the second ends the reading when the signature is closed.
    if (this.#depthInSignature === 2 && tag.name === 'SignedInfo' && !this.#signedInfoWriter) {
      const sink = { update: (bytes: Uint8Array) => this.#signedInfo.push(Buffer.from(bytes)) };
      const ancestors = [this.rootTag!, this.signatureTag];
      this.#signedInfoWriter = new CanonicalWriter(sink, 'exclusive', ancestors);
    }
    this.#signedInfoWriter?.open(tag);
  }

  #closeInSignature(): void {
    this.#tree.close();
    this.#signedInfoWriter?.close();
    this.#depthInSignature -= 1;
    if (this.#depthInSignature === 1) {
      this.#signedInfoWriter?.finish();
      this.#signedInfoWriter = undefined;
    }
    if (this.#depthInSignature > 0) return;
    const read = readXmlSignature(this.#tree.root!);
    if ('ok' in read) throw new Refusal(read);
    this.signature = read;
  }

  #spend(characters: number): void {
    this.#charactersLeft -= characters;
    if (this.#charactersLeft < 0) refuse('signature-too-large', this.signatureTag!);
  }

  /** Whether this is, or is in, the signature of an element that may have one. */
  #isSignedInside(tag: XmlTag): boolean {
    const path = [...this.#path, tag];
    const at = path.findIndex(({ namespace }) => namespace === SIGNATURE_NAMESPACE);
    const parent = path[at - 1];
    return (
      isSignatureElement(path[at]!) &&
      this.#signedInside.some(
        ({ namespace, name }) => namespace === parent?.namespace && name === parent.name,
      )
    );
  }
}

/** Canonical XML 1.0, 1.3: what names a namespace relative to some base is not to be made canonical. */
function checkNamespaces(tag: XmlTag): void {
  for (const { namespace, value } of tag.attributes) {
    if (namespace !== XMLNS_NAMESPACE || value === '' || /^[a-z][a-z0-9+.-]*:/i.test(value))
      continue;
    refuse('namespace-relative', tag, value.slice(0, 60));
  }
}

function refuse(...about: Parameters<typeof signatureFault>): never {
  throw new Refusal(signatureFault(...about));
}
