/**
 * XML for decisions that matter: XML 1.0 with Namespaces in UTF-8, and much less of it than the
 * recommendation allows. The only import of the `saxes` package.
 *
 * saxes finds what is not well-formed. What it lets pass and is refused here: a DOCTYPE of any kind
 * (so there is no entity to expand and nothing to fetch), XML 1.1, any other encoding, CDATA, text
 * that a comment or a processing instruction splits, text beside elements, one Id twice, and
 * whatever passes a limit. Comments and processing instructions elsewhere are skipped.
 *
 * What a text means is not known here: no white space is stripped, no number is read.
 */
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from 'saxes';
import { XML_CODES, type XmlCode, type XmlFault } from './codes.ts';

export interface XmlLimits {
  bytesMax: number;
  depthMax: number;
  elementsMax: number;
  attributesMax: number;
  /** Characters of one text or one attribute. */
  textCharactersMax: number;
}

/** Of a document from a peer. Each is far above what a message of ours holds. */
export const XML_LIMITS: XmlLimits = {
  bytesMax: 16 * 1024 * 1024,
  depthMax: 64,
  elementsMax: 1_000_000,
  attributesMax: 64,
  textCharactersMax: 16 * 1024 * 1024,
};

export interface XmlOptions {
  limits?: Partial<XmlLimits>;
  /** Whether attributes named Id, ID, id (without namespace) and xml:id are one set. Default true. */
  uniqueIds?: boolean;
}

export interface XmlAttribute {
  /** Empty for an attribute without prefix. */
  namespace: string;
  name: string;
  prefix: string;
  value: string;
}

export interface XmlTag {
  namespace: string;
  /** Without its prefix. */
  name: string;
  prefix: string;
  /** In the order in which they stand; declarations of namespaces are among them. */
  attributes: XmlAttribute[];
  line: number;
  column: number;
}

export interface XmlElement extends XmlTag {
  children: XmlElement[];
  /** Empty where there are children: text beside them is refused, white space between them is none. */
  text: string;
}

/** Each is called in the order of the document. */
export interface XmlHandler {
  open(tag: XmlTag): void;
  /** The whole text of an element without children; of others, the white space between them. */
  text(text: string): void;
  close(): void;
}

export type XmlResult = { ok: true; root: XmlElement } | XmlFault;

/** The whole document as a tree. */
export function parseXml(bytes: Uint8Array, options: XmlOptions = {}): XmlResult {
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  const fault = scanXml(
    bytes,
    {
      open(tag) {
        const element: XmlElement = { ...tag, children: [], text: '' };
        const parent = open.at(-1);
        if (parent) {
          parent.children.push(element);
          parent.text = '';
        }
        root ??= element;
        open.push(element);
      },
      text(text) {
        const element = open.at(-1);
        if (element && element.children.length === 0) element.text += text;
      },
      close() {
        open.pop();
      },
    },
    options,
  );
  // A document without a root is not well-formed, so there is a fault then.
  return fault ?? { ok: true, root: root! };
}

/** Tells the handler of each element; what is told before a fault is found is to be thrown away. */
export function scanXml(
  bytes: Uint8Array,
  handler: XmlHandler,
  options: XmlOptions = {},
): XmlFault | undefined {
  const limits = { ...XML_LIMITS, ...options.limits };
  if (bytes.length > limits.bytesMax) {
    return faultAt('xml-too-large', 1, 1, `${bytes.length} of ${limits.bytesMax} bytes`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return faultAt('xml-not-utf-8', 1, 1);
  }
  if (text.startsWith('\ufeff')) text = text.slice(1);
  if (text.startsWith('\ufeff')) return faultAt('xml-encoding', 1, 1, 'two byte order marks');
  try {
    runParser(text, handler, limits, options.uniqueIds !== false);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.fault;
    throw error;
  }
}

/** The attribute without namespace of that name. */
export function attributeOf(tag: XmlTag, name: string): string | undefined {
  return tag.attributes.find((attribute) => attribute.name === name && attribute.namespace === '')
    ?.value;
}

const XMLNS = 'http://www.w3.org/2000/xmlns/';
const XML = 'http://www.w3.org/XML/1998/namespace';

/** Leaves the parser at once; never leaves this file. */
class Refusal extends Error {
  readonly fault: XmlFault;
  constructor(fault: XmlFault) {
    super(fault.code);
    this.fault = fault;
  }
}

/** An element that is open, as far as its text has been seen. */
interface Frame {
  hasText: boolean;
  hasChildren: boolean;
  isSplit: boolean;
}

/** Pieces, so that a limit is found passed before the rest is parsed. */
const PIECE_CHARACTERS = 65_536;

function runParser(text: string, handler: XmlHandler, limits: XmlLimits, unique: boolean): void {
  const parser = new SaxesParser({ xmlns: true, position: true });
  const frames: Frame[] = [];
  const ids = new Set<string>();
  let elements = 0;
  const refuse = (code: XmlCode, actual?: string): never => {
    throw new Refusal(faultAt(code, parser.line, parser.column + 1, actual));
  };
  parser.on('error', (error) => refuse('xml-malformed', error.message));
  parser.on('doctype', () => refuse('xml-doctype'));
  parser.on('cdata', () => refuse('xml-cdata'));
  parser.on('xmldecl', ({ version, encoding }) => {
    if (version !== '1.0') refuse('xml-version', version);
    if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') {
      refuse('xml-encoding', encoding);
    }
  });
  const split = () => {
    const frame = frames.at(-1);
    if (!frame) return;
    frame.isSplit = true;
    if (frame.hasText) refuse('xml-split-text');
  };
  parser.on('comment', split);
  parser.on('processinginstruction', split);
  parser.on('opentag', (tag) => {
    elements += 1;
    if (elements > limits.elementsMax) refuse('xml-too-many-elements', `${limits.elementsMax}`);
    if (frames.length >= limits.depthMax) refuse('xml-too-deep', `${limits.depthMax}`);
    const parent = frames.at(-1);
    if (parent) {
      parent.hasChildren = true;
      if (parent.hasText) refuse('xml-mixed-text');
    }
    frames.push({ hasText: false, hasChildren: false, isSplit: false });
    const told = tellTag(tag, parser.line, parser.column + 1);
    checkAttributes(told, limits, unique ? ids : undefined, refuse);
    handler.open(told);
  });
  parser.on('text', (run) => {
    const frame = frames.at(-1);
    if (run.length > limits.textCharactersMax) {
      refuse('xml-text-too-long', `${limits.textCharactersMax}`);
    }
    if (!frame) return;
    if (/[^ \t\r\n]/.test(run)) {
      frame.hasText = true;
      if (frame.isSplit) refuse('xml-split-text');
      if (frame.hasChildren) refuse('xml-mixed-text');
    }
    handler.text(run);
  });
  parser.on('closetag', () => {
    frames.pop();
    handler.close();
  });
  for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
    parser.write(text.slice(at, at + PIECE_CHARACTERS));
  }
  parser.close();
}

function tellTag(tag: SaxesTagNS, line: number, column: number): XmlTag {
  const attributes = Object.values(tag.attributes as Record<string, SaxesAttributeNS>);
  return {
    namespace: tag.uri,
    name: tag.local,
    prefix: tag.prefix,
    attributes: attributes.map(({ uri, local, prefix, value }) => ({
      namespace: uri,
      name: local,
      prefix,
      value,
    })),
    line,
    column,
  };
}

function checkAttributes(
  { attributes }: XmlTag,
  limits: XmlLimits,
  ids: Set<string> | undefined,
  refuse: (code: XmlCode, actual?: string) => never,
): void {
  if (attributes.length > limits.attributesMax) {
    refuse('xml-too-many-attributes', `${attributes.length} of ${limits.attributesMax}`);
  }
  for (const { namespace, name, value } of attributes) {
    if (value.length > limits.textCharactersMax) {
      refuse('xml-text-too-long', `${limits.textCharactersMax}`);
    }
    if (!ids || namespace === XMLNS || name.toLowerCase() !== 'id') continue;
    if (namespace !== '' && namespace !== XML) continue;
    if (ids.has(value)) refuse('xml-duplicate-id', value.slice(0, 60));
    ids.add(value);
  }
}

function faultAt(code: XmlCode, line: number, column: number, actual?: string): XmlFault {
  const found = actual === undefined ? {} : { actual };
  return { ok: false, code, message: XML_CODES[code], line, column, ...found };
}
