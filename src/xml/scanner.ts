/**
 * XML for decisions that matter, as it arrives: XML 1.0 with Namespaces in UTF-8, and much less of it
 * than the recommendation allows. The only import of the `saxes` package.
 *
 * saxes finds what is not well-formed. What it lets pass and is refused here: a DOCTYPE of any kind
 * (so there is no entity to expand and nothing to fetch), XML 1.1, any other encoding, CDATA, text
 * that a comment or a processing instruction splits, text beside elements, one Id twice, blanks around
 * the name of a namespace, and whatever passes a limit. Comments are skipped.
 *
 * saxes gathers a text whole before it tells it. For an element of many megabytes a handler can ask
 * for the bytes instead (`bulk`): saxes is then fed pieces that end at a `>`, so that the text after
 * such a tag is still ours to give, and never sees it.
 *
 * What a text means is not known here: no white space is stripped, no number is read.
 */
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from 'saxes';
import { assert } from '../errors.ts';
import { BulkText } from './bulk-text.ts';
import { XML_CODES, type XmlCode, type XmlFault } from './codes.ts';

export interface XmlLimits {
  bytesMax: number;
  depthMax: number;
  elementsMax: number;
  attributesMax: number;
  /** Characters of one text or one attribute; text in bulk is the handler's to bound. */
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

/** Each is called in the order of the document. */
export interface XmlHandler {
  /** Answers `bulk` where the text of this element is to come to `bulk`, which there must be then. */
  open(tag: XmlTag): 'bulk' | undefined;
  /** The whole text of an element without children; of others, the white space between them. */
  text(text: string): void;
  /**
   * A piece of the text of an element that was asked for in bulk, line ends made line feeds. A view of
   * the chunk that was pushed: copy what is to stay.
   */
  bulk?(piece: Uint8Array): void;
  close(): void;
  /** A processing instruction, wherever one may stand. */
  instruction?(target: string, data: string): void;
}

/** The namespaces that the prefixes `xmlns` and `xml` stand for. */
export const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';
export const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';

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
const PIECE_BYTES = 65_536;
const GREATER = 0x3e;
const LESS = 0x3c;
const BYTE_ORDER_MARK = '\ufeff';

/**
 * Push chunks, then `end`. What the handler was told before a fault is to be thrown away; after one,
 * every call answers the same. What a handler throws passes through, and ends the use of the scanner.
 */
export class XmlScanner {
  readonly #handler: XmlHandler;
  readonly #limits: XmlLimits;
  readonly #ids: Set<string> | undefined;
  readonly #parser = new SaxesParser({ xmlns: true, position: true });
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #frames: Frame[] = [];
  #bytes = 0;
  #elements = 0;
  /** Byte order marks before the first other character. */
  #marks = 0;
  #hasBegun = false;
  #hasEnded = false;
  #bulk: BulkText | undefined;
  /** What text in bulk adds to the parser's line, and to its column while that is in `line`. */
  readonly #shift = { lines: 0, columns: 0, line: 0 };
  #fault: XmlFault | undefined;

  constructor(handler: XmlHandler, options: XmlOptions = {}) {
    this.#handler = handler;
    this.#limits = { ...XML_LIMITS, ...options.limits };
    this.#ids = options.uniqueIds === false ? undefined : new Set();
    this.#listen();
  }

  push(chunk: Uint8Array): XmlFault | undefined {
    return this.#attempt(() => {
      assert(!this.#hasEnded, 'nothing comes after the end');
      this.#bytes += chunk.length;
      const { bytesMax } = this.#limits;
      if (this.#bytes > bytesMax)
        this.#refuse('xml-too-large', `${this.#bytes} of ${bytesMax} bytes`);
      for (let at = 0; at < chunk.length; ) {
        const end = this.#bulk ? bulkEnd(chunk, at) : this.#pieceEnd(chunk, at);
        const piece = chunk.subarray(at, end);
        if (this.#bulk) this.#tellBulk(this.#bulk, piece, end < chunk.length);
        else this.#write(piece, true);
        at = end;
      }
    });
  }

  end(): XmlFault | undefined {
    return this.#attempt(() => {
      assert(!this.#hasEnded, 'a document ends once');
      this.#hasEnded = true;
      this.#write(new Uint8Array(0), false);
      this.#parser.close();
    });
  }

  /** Where the document has been read to, both from 1. */
  get line(): number {
    return this.#parser.line + this.#shift.lines;
  }

  get column(): number {
    const { line, columns } = this.#shift;
    return this.#parser.column + 1 + (this.#parser.line === line ? columns : 0);
  }

  #attempt(work: () => void): XmlFault | undefined {
    if (this.#fault) return this.#fault;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#fault = error.fault;
    }
    return this.#fault;
  }

  /** Where the handler takes text in bulk, a piece ends after each `>`. */
  #pieceEnd(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + PIECE_BYTES, chunk.length);
    if (!this.#handler.bulk) return end;
    const tagEnd = chunk.subarray(at, end).indexOf(GREATER);
    return tagEnd < 0 ? end : at + tagEnd + 1;
  }

  #write(piece: Uint8Array, goesOn: boolean): void {
    let text = this.#decode(piece, goesOn);
    while (!this.#hasBegun && text !== '') {
      if (!text.startsWith(BYTE_ORDER_MARK)) {
        this.#hasBegun = true;
        break;
      }
      this.#marks += 1;
      if (this.#marks > 1) this.#refuse('xml-encoding', 'two byte order marks');
      text = text.slice(1);
    }
    this.#parser.write(text);
  }

  #decode(piece: Uint8Array, goesOn: boolean): string {
    try {
      return this.#decoder.decode(piece, { stream: goesOn });
    } catch {
      return this.#refuse('xml-not-utf-8');
    }
  }

  #tellBulk(bulk: BulkText, piece: Uint8Array, isLast: boolean): void {
    const normal = bulk.take(piece);
    const frame = this.#frames.at(-1)!;
    frame.hasText ||= bulk.hasDigits;
    if (normal && normal.length > 0) this.#handler.bulk!(normal);
    if (normal && !isLast) return;
    const { line, column } = this.#parser;
    const shift = this.#shift;
    const columnsBefore = shift.line === line ? shift.columns : 0;
    shift.columns = bulk.columns + (bulk.lines > 0 ? -column : columnsBefore);
    shift.line = line;
    shift.lines += bulk.lines;
    this.#bulk = undefined;
    if (!normal) this.#refuse('xml-bulk-character');
  }

  #listen(): void {
    const parser = this.#parser;
    parser.on('error', (error) => this.#refuse('xml-malformed', error.message));
    parser.on('doctype', () => this.#refuse('xml-doctype'));
    parser.on('cdata', () => this.#refuse('xml-cdata'));
    parser.on('xmldecl', ({ version, encoding }) => {
      if (version !== '1.0') this.#refuse('xml-version', version);
      if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') {
        this.#refuse('xml-encoding', encoding);
      }
    });
    parser.on('comment', () => this.#split());
    parser.on('processinginstruction', ({ target, body }) => {
      this.#split();
      this.#handler.instruction?.(target, body);
    });
    parser.on('opentag', (tag) => this.#open(tag));
    parser.on('text', (run) => this.#text(run));
    parser.on('closetag', () => {
      this.#frames.pop();
      this.#handler.close();
    });
  }

  #split(): void {
    const frame = this.#frames.at(-1);
    if (!frame) return;
    frame.isSplit = true;
    if (frame.hasText) this.#refuse('xml-split-text');
  }

  #open(tag: SaxesTagNS): void {
    const { elementsMax, depthMax } = this.#limits;
    this.#elements += 1;
    if (this.#elements > elementsMax) this.#refuse('xml-too-many-elements', `${elementsMax}`);
    if (this.#frames.length >= depthMax) this.#refuse('xml-too-deep', `${depthMax}`);
    const parent = this.#frames.at(-1);
    if (parent) {
      parent.hasChildren = true;
      if (parent.hasText) this.#refuse('xml-mixed-text');
    }
    this.#frames.push({ hasText: false, hasChildren: false, isSplit: false });
    const told = tellTag(tag, this.line, this.column);
    this.#checkAttributes(told);
    const wantsBulk = this.#handler.open(told) === 'bulk';
    if (wantsBulk && this.#handler.bulk && !tag.isSelfClosing) this.#bulk = new BulkText();
  }

  #text(run: string): void {
    const frame = this.#frames.at(-1);
    const { textCharactersMax } = this.#limits;
    if (run.length > textCharactersMax) this.#refuse('xml-text-too-long', `${textCharactersMax}`);
    if (!frame) return;
    if (/[^ \t\r\n]/.test(run)) {
      frame.hasText = true;
      if (frame.isSplit) this.#refuse('xml-split-text');
      if (frame.hasChildren) this.#refuse('xml-mixed-text');
    }
    this.#handler.text(run);
  }

  #checkAttributes({ attributes }: XmlTag): void {
    const { attributesMax, textCharactersMax } = this.#limits;
    if (attributes.length > attributesMax) {
      this.#refuse('xml-too-many-attributes', `${attributes.length} of ${attributesMax}`);
    }
    for (const { namespace, name, value } of attributes) {
      if (value.length > textCharactersMax) {
        this.#refuse('xml-text-too-long', `${textCharactersMax}`);
      }
      if (namespace === XMLNS_NAMESPACE) {
        // saxes takes them off, which others do not: two readings of one text.
        if (value !== value.trim()) this.#refuse('xml-malformed', 'blanks around a namespace');
      } else if (name.toLowerCase() === 'id' && (namespace === '' || namespace === XML_NAMESPACE)) {
        if (this.#ids?.has(value)) this.#refuse('xml-duplicate-id', value.slice(0, 60));
        this.#ids?.add(value);
      }
    }
  }

  #refuse(code: XmlCode, actual?: string): never {
    const { line, column } = this;
    const found = actual === undefined ? {} : { actual };
    throw new Refusal({ ok: false, code, message: XML_CODES[code], line, column, ...found });
  }
}

function bulkEnd(chunk: Uint8Array, at: number): number {
  const end = chunk.indexOf(LESS, at);
  return end < 0 ? chunk.length : end;
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
