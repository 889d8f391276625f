/**
 * Canonical XML 1.0 without comments (W3C, 15 March 2001) and Exclusive XML Canonicalization 1.0
 * without comments (18 July 2002), written as a document is scanned: a handler of the scanner that
 * hands bytes to a sink. Whole documents, or one element of a document with what its ancestors
 * declare.
 *
 * Nothing is allocated for a character: text is escaped and encoded into one buffer, which goes to the
 * sink whenever it is full, and text in bulk goes there as it came.
 *
 * Not done: lists of inclusive prefixes, and attributes of the namespace `xml` that an element apart
 * from its document would inherit in the inclusive form. A document with a DOCTYPE never comes here.
 */
import { XMLNS_NAMESPACE, type XmlAttribute, type XmlHandler, type XmlTag } from './scanner.ts';

/** Inclusive: every namespace in scope. Exclusive: those that an element or its attributes use. */
export type CanonicalForm = 'inclusive' | 'exclusive';

export interface ByteSink {
  /** The bytes are the writer's again when this returns. */
  update(bytes: Uint8Array): unknown;
}

const BUFFER_BYTES = 16_384;

export class CanonicalWriter implements XmlHandler {
  readonly #sink: ByteSink;
  readonly #form: CanonicalForm;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;
  /** What is declared where the writer stands, and what it has written of that. */
  readonly #declared = new Bindings();
  readonly #written = new Bindings();
  /** Qualified names of open elements. */
  readonly #open: string[] = [];
  #afterRoot = false;

  /** `ancestors`: of an element apart from its document, outermost first. */
  constructor(sink: ByteSink, form: CanonicalForm, ancestors: readonly XmlTag[] = []) {
    this.#sink = sink;
    this.#form = form;
    for (const { attributes } of ancestors) this.#declare(attributes);
  }

  open(tag: XmlTag): undefined {
    const isApex = this.#open.length === 0;
    this.#declared.enter();
    this.#written.enter();
    this.#declare(tag.attributes);
    const name = qualified(tag);
    this.#open.push(name);
    this.#put('<');
    this.#put(name);
    for (const prefix of this.#prefixes(tag, isApex)) this.#namespace(prefix);
    for (const attribute of ownAttributes(tag)) {
      this.#put(' ');
      this.#put(qualified(attribute));
      this.#put('="');
      this.#put(attribute.value, ATTRIBUTE_ESCAPES);
      this.#put('"');
    }
    this.#put('>');
  }

  text(text: string): void {
    this.#put(text, TEXT_ESCAPES);
  }

  bulk(piece: Uint8Array): void {
    this.#flush();
    this.#sink.update(piece);
  }

  close(): void {
    this.#declared.leave();
    this.#written.leave();
    this.#put('</');
    this.#put(this.#open.pop()!);
    this.#put('>');
    if (this.#open.length === 0) this.#afterRoot = true;
  }

  instruction(target: string, data: string): void {
    const isInside = this.#open.length > 0;
    if (!isInside && this.#afterRoot) this.#put('\n');
    this.#put('<?');
    this.#put(target);
    if (data !== '') this.#put(' ');
    this.#put(data, INSTRUCTION_ESCAPES);
    this.#put('?>');
    if (!isInside && !this.#afterRoot) this.#put('\n');
  }

  /** After the last event: what is still in the buffer goes to the sink. */
  finish(): void {
    this.#flush();
  }

  #declare(attributes: readonly XmlAttribute[]): void {
    for (const { namespace, name, prefix, value } of attributes) {
      // `xmlns="..."` has no prefix itself.
      if (namespace === XMLNS_NAMESPACE) this.#declared.bind(prefix === '' ? '' : name, value);
    }
  }

  /** Those whose namespace may have to be written, in order. */
  #prefixes(tag: XmlTag, isApex: boolean): string[] {
    const found = new Set<string>();
    if (this.#form === 'exclusive') {
      found.add(tag.prefix);
      for (const { namespace, prefix } of tag.attributes) {
        if (namespace !== XMLNS_NAMESPACE && prefix !== '') found.add(prefix);
      }
    } else if (isApex) {
      for (const prefix of this.#declared.prefixes()) found.add(prefix);
    } else {
      for (const { namespace, name, prefix } of tag.attributes) {
        if (namespace === XMLNS_NAMESPACE) found.add(prefix === '' ? '' : name);
      }
    }
    // It is bound without a declaration, and one changes nothing.
    found.delete('xml');
    return [...found].sort(compareCodePoints);
  }

  #namespace(prefix: string): void {
    const uri = this.#declared.get(prefix);
    if (this.#written.get(prefix) === uri) return;
    this.#written.bind(prefix, uri);
    this.#put(prefix === '' ? ' xmlns' : ' xmlns:');
    this.#put(prefix);
    this.#put('="');
    this.#put(uri, ATTRIBUTE_ESCAPES);
    this.#put('"');
  }

  /** UTF-8, with the characters of the table replaced. Lone surrogates the scanner lets none pass. */
  #put(text: string, escapes: Escapes = NO_ESCAPES): void {
    const buffer = this.#buffer;
    let used = this.#used;
    for (let at = 0; at < text.length; at++) {
      // The longest that one character becomes is `&quot;`.
      if (used > BUFFER_BYTES - 8) {
        this.#used = used;
        this.#flush();
        used = 0;
      }
      const unit = text.charCodeAt(at);
      if (unit < 0x80) {
        const escaped = escapes[unit];
        if (escaped === undefined) buffer[used++] = unit;
        else {
          buffer.set(escaped, used);
          used += escaped.length;
        }
      } else if (unit < 0x800) {
        buffer[used++] = 0xc0 | (unit >> 6);
        buffer[used++] = 0x80 | (unit & 0x3f);
      } else if (unit >= 0xd800 && unit < 0xdc00) {
        at += 1;
        const point = 0x10000 + ((unit - 0xd800) << 10) + (text.charCodeAt(at) - 0xdc00);
        buffer[used++] = 0xf0 | (point >> 18);
        buffer[used++] = 0x80 | ((point >> 12) & 0x3f);
        buffer[used++] = 0x80 | ((point >> 6) & 0x3f);
        buffer[used++] = 0x80 | (point & 0x3f);
      } else {
        buffer[used++] = 0xe0 | (unit >> 12);
        buffer[used++] = 0x80 | ((unit >> 6) & 0x3f);
        buffer[used++] = 0x80 | (unit & 0x3f);
      }
    }
    this.#used = used;
  }

  #flush(): void {
    if (this.#used > 0) this.#sink.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

/** Prefixes and what they are bound to, an element inside another. */
class Bindings {
  /** Of each prefix, the innermost last. */
  readonly #uris = new Map<string, string[]>();
  /** Prefixes in the order in which they were bound, and how many there were at each open element. */
  readonly #bound: string[] = [];
  readonly #marks: number[] = [];

  enter(): void {
    this.#marks.push(this.#bound.length);
  }

  leave(): void {
    const mark = this.#marks.pop()!;
    while (this.#bound.length > mark) this.#uris.get(this.#bound.pop()!)!.pop();
  }

  bind(prefix: string, uri: string): void {
    this.#bound.push(prefix);
    const uris = this.#uris.get(prefix);
    if (uris) uris.push(uri);
    else this.#uris.set(prefix, [uri]);
  }

  /** Empty where it is bound to nothing. */
  get(prefix: string): string {
    return this.#uris.get(prefix)?.at(-1) ?? '';
  }

  prefixes(): Iterable<string> {
    return this.#uris.keys();
  }
}

/** What stands for a character, by its number; nothing above 0x7F is escaped. */
type Escapes = readonly (Uint8Array | undefined)[];

const NO_ESCAPES = escapes({});
const TEXT_ESCAPES = escapes({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' });
const ATTRIBUTE_ESCAPES = escapes({
  '&': '&amp;',
  '<': '&lt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
});
const INSTRUCTION_ESCAPES = escapes({ '\r': '&#xD;' });

function escapes(of: Readonly<Record<string, string>>): Escapes {
  const table = new Array<Uint8Array | undefined>(128).fill(undefined);
  for (const [character, text] of Object.entries(of)) {
    table[character.charCodeAt(0)] = Uint8Array.from(text, (one) => one.charCodeAt(0));
  }
  return table;
}

function qualified({ prefix, name }: { prefix: string; name: string }): string {
  return prefix === '' ? name : `${prefix}:${name}`;
}

/** Without declarations; by namespace, then by name. */
function ownAttributes({ attributes }: XmlTag): XmlAttribute[] {
  const own = attributes.filter(({ namespace }) => namespace !== XMLNS_NAMESPACE);
  if (own.length < 2) return own;
  return own.sort(
    (left, right) =>
      compareCodePoints(left.namespace, right.namespace) ||
      compareCodePoints(left.name, right.name),
  );
}

/** JavaScript compares units of UTF-16, where surrogates come before U+E000. */
function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const one = left.charCodeAt(at);
    const other = right.charCodeAt(at);
    if (one !== other) return rank(one) - rank(other);
  }
  return left.length - right.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
