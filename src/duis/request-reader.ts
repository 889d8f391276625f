/**
 * Reads a Service Request for firmware as it arrives, and hands it out when its signature is good and
 * its signer is the originator that it names; not before, and not otherwise.
 *
 * Strict: the order of elements is the schema's, every element has the one namespace, a value is of its
 * type and range. The schema's attribute `schemaVersion` alone is taken, on the root; beside it, also on
 * the root, the two of XML Schema that say where a schema may be found, which is not looked at. So
 * `xsi:type`, `xsi:nil` and `xml:space` change nothing: they are refused.
 *
 * Memory: the image, decoded, grows to at most twice what has come of it; its base64 is never one
 * text. Not done here: whether header and body fit each other, replays, and what the request asks for.
 */
import { Base64Decoder } from '../bytes/base64.ts';
import { type KnownSigners, SignedXmlReader, type XmlSigner } from '../trust/xml-signature.ts';
import { isSignatureElement } from '../trust/xml-signature-profile.ts';
import { XMLNS_NAMESPACE, type XmlHandler, type XmlLimits, type XmlTag } from '../xml/scanner.ts';
import { scanXml } from '../xml/strict-xml.ts';
import { REQUEST_CODES, type RequestCode, type RequestFault } from './request-codes.ts';
import { type ElementRule, REQUEST, type RequestDraft, requestOf } from './request-grammar.ts';
import {
  DEVICE_LIST_CHARACTERS_MAX,
  readSchemaVersion,
  SERVICE_NAMESPACE,
} from './schema-values.ts';
import type { RequestBody, ServiceRequest } from './service-request.ts';

/** The largest 11.1: some 14 MB of base64 with line ends, 1.2 MB of devices. */
export const REQUEST_BYTES_MAX = 16 * 1024 * 1024;

export interface RequestReaderOptions {
  bytesMax?: number;
}

export type RequestResult = { ok: true; request: ServiceRequest; signer: XmlSigner } | RequestFault;

/** Push chunks, then `end`. After a fault, every call answers the same. */
export class ServiceRequestReader {
  readonly #content = new RequestContent();
  readonly #reader: SignedXmlReader;
  #fault: RequestFault | undefined;
  #result: RequestResult | undefined;

  constructor(options: RequestReaderOptions = {}) {
    this.#reader = new SignedXmlReader(this.#content, { limits: limitsOf(options) });
  }

  /** Keeps nothing of the chunk. */
  push(chunk: Uint8Array): RequestFault | undefined {
    this.#fault ??= attempt(() => this.#reader.push(chunk));
    return this.#fault;
  }

  /** `signers`: who may have signed it, and at what time. Asked again, it answers the same. */
  end(signers: KnownSigners): RequestResult {
    this.#result ??= this.#fault ?? this.#finish(signers);
    return this.#result;
  }

  #finish(signers: KnownSigners): RequestResult {
    const verified = attempt(() => this.#reader.end(signers));
    if (!verified.ok) return verified;
    const { signer } = verified;
    const request = requestOf(this.#content.draft);
    const { originator } = request.header.requestId;
    const { eui64 } = signer.certificate;
    if (eui64 === originator) return { ok: true, request, signer };
    return faultAt('originator-differs', this.#content.rootTag!, eui64);
  }
}

/** A whole signed request. */
export function readServiceRequest(
  bytes: Uint8Array,
  signers: KnownSigners,
  options: RequestReaderOptions = {},
): RequestResult {
  const reader = new ServiceRequestReader(options);
  return reader.push(bytes) ?? reader.end(signers);
}

/**
 * A request that is about to be signed: its author's own, from no peer. Nobody vouches for it, so what
 * is read is called `unsigned` and is no answer of `readServiceRequest`.
 */
export function readUnsignedRequest(
  bytes: Uint8Array,
  options: RequestReaderOptions = {},
): { ok: true; unsigned: ServiceRequest } | RequestFault {
  const content = new RequestContent();
  const fault = attempt(() => scanXml(bytes, content, { limits: limitsOf(options) }));
  return fault ?? { ok: true, unsigned: requestOf(content.draft) };
}

function limitsOf({ bytesMax = REQUEST_BYTES_MAX }: RequestReaderOptions): XmlLimits {
  return {
    bytesMax,
    depthMax: 32,
    // Some 40 are needed, with the signature.
    elementsMax: 256,
    attributesMax: 32,
    // Some more, so that a list of devices that is too long is named as that.
    textCharactersMax: DEVICE_LIST_CHARACTERS_MAX + 65_536,
  };
}

/** Leaves the reader at once; never leaves this file. */
class Refusal extends Error {
  readonly fault: RequestFault;
  constructor(fault: RequestFault) {
    super(fault.code);
    this.fault = fault;
  }
}

function attempt<T>(work: () => T): T | RequestFault {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return error.fault;
    throw error;
  }
}

/** An element that is open. */
interface Frame {
  rule: ElementRule;
  tag: XmlTag;
  /** Of its rule's children, the first that may come next. */
  next: number;
  text: string;
  decoder?: Base64Decoder;
}

/** The content of a request, by the grammar. */
class RequestContent implements XmlHandler {
  readonly draft: RequestDraft = { header: {} };
  rootTag: XmlTag | undefined;
  readonly #open: Frame[] = [];

  open(tag: XmlTag): 'bulk' | undefined {
    const parent = this.#open.at(-1);
    const rule = parent ? this.#childRule(parent, tag) : this.#rootRule(tag);
    const frame: Frame = { rule, tag, next: 0, text: '' };
    this.#open.push(frame);
    if (!rule.base64) return undefined;
    frame.decoder = new Base64Decoder(rule.base64.bytesMax);
    return 'bulk';
  }

  text(text: string): void {
    const frame = this.#open.at(-1)!;
    const { rule, tag } = frame;
    if (rule.text) {
      frame.text += text;
      if (frame.text.length > rule.text.charactersMax) refuse(rule.text.tooLong, tag);
    } else if (/[^ \t\r\n]/.test(text)) refuse('text-unexpected', tag);
  }

  bulk(piece: Uint8Array): void {
    const { decoder, rule, tag } = this.#open.at(-1)!;
    const code = decoder!.push(piece);
    if (code) refuse(code === 'base64-too-long' ? rule.base64!.tooLong : code, tag);
  }

  close(): void {
    const { rule, tag, next, text, decoder } = this.#open.pop()!;
    const missing = rule.children?.slice(next).find(({ isOptional }) => !isOptional);
    if (missing) refuse('element-missing', tag, missing.name);
    if (rule.oneOf && next === 0) refuse('element-missing', tag, 'what is asked for');
    const code = rule.text?.read(text, this.draft);
    if (code) refuse(code, tag);
    if (!rule.base64) return;
    const decoded = decoder!.end();
    if (decoded.ok) rule.base64.keep(decoded.bytes, this.draft);
    else refuse(decoded.code === 'base64-too-long' ? rule.base64.tooLong : decoded.code, tag);
  }

  #rootRule(tag: XmlTag): ElementRule {
    this.rootTag = tag;
    if (!isNamed(tag, REQUEST)) refuse('request-other-root', tag);
    let version: string | undefined;
    for (const { namespace, prefix, name, value } of tag.attributes) {
      if (namespace === XMLNS_NAMESPACE) continue;
      if (namespace === '' && name === 'schemaVersion') version = value;
      else if (namespace !== SCHEMA_INSTANCE || !LOCATIONS.has(name)) {
        refuse('attribute-unexpected', tag, qualified(prefix, name));
      }
    }
    if (version === undefined) refuse('attribute-missing', tag, 'schemaVersion');
    const schemaVersion = readSchemaVersion(version);
    if (schemaVersion === undefined) refuse('schema-version-invalid', tag);
    this.draft.schemaVersion = schemaVersion;
    return REQUEST;
  }

  #childRule(parent: Frame, tag: XmlTag): ElementRule {
    const rule = parent.rule.oneOf ? this.#choose(parent, tag) : nextRule(parent, tag);
    for (const { namespace, prefix, name } of tag.attributes) {
      if (namespace !== XMLNS_NAMESPACE) {
        refuse('attribute-unexpected', tag, qualified(prefix, name));
      }
    }
    return rule;
  }

  #choose(parent: Frame, tag: XmlTag): ElementRule {
    if (parent.next > 0) refuse('element-repeated', tag);
    const rule = parent.rule.oneOf!.find((one) => isNamed(tag, one));
    if (!rule) refuse('request-kind-not-served', tag, tag.name);
    parent.next = 1;
    this.draft.kind = rule.name as RequestBody['kind'];
    return rule;
  }
}

const SCHEMA_INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';
const LOCATIONS: ReadonlySet<string> = new Set(['schemaLocation', 'noNamespaceSchemaLocation']);

function nextRule(parent: Frame, tag: XmlTag): ElementRule {
  const rules = parent.rule.children ?? [];
  const at = rules.findIndex((rule) => isNamed(tag, rule));
  if (at < 0) {
    refuse(isSignatureElement(tag) ? 'request-signed' : 'element-unexpected', tag, tag.name);
  }
  if (at < parent.next) {
    refuse(at === parent.next - 1 ? 'element-repeated' : 'element-out-of-order', tag);
  }
  const missing = rules.slice(parent.next, at).find(({ isOptional }) => !isOptional);
  if (missing) refuse('element-missing', tag, missing.name);
  parent.next = at + 1;
  return rules[at]!;
}

function isNamed({ namespace, name }: XmlTag, rule: ElementRule): boolean {
  return namespace === SERVICE_NAMESPACE && name === rule.name;
}

function qualified(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}:${name}`;
}

function refuse(code: RequestCode, at: XmlTag, actual?: string): never {
  throw new Refusal(faultAt(code, at, actual));
}

function faultAt(
  code: RequestCode,
  { line, column, name: element }: XmlTag,
  actual?: string,
): RequestFault {
  const found = actual === undefined ? {} : { actual };
  return { ok: false, code, message: REQUEST_CODES[code], line, column, element, ...found };
}
