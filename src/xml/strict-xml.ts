/** Whole documents of strict XML: told element by element, or as a tree. The rules are scanner.ts's. */
import type { XmlFault } from './codes.ts';
import { type XmlHandler, type XmlOptions, XmlScanner, type XmlTag } from './scanner.ts';

export type { XmlHandler, XmlLimits, XmlOptions, XmlTag } from './scanner.ts';

export interface XmlElement extends XmlTag {
  children: XmlElement[];
  /** Empty where there are children: text beside them is refused, white space between them is none. */
  text: string;
}

export type XmlResult = { ok: true; root: XmlElement } | XmlFault;

/** The whole document as a tree. */
export function parseXml(bytes: Uint8Array, options: XmlOptions = {}): XmlResult {
  const tree = new XmlTree();
  const fault = scanXml(bytes, tree, options);
  // A document without a root is not well-formed, so there is a fault then.
  return fault ?? { ok: true, root: tree.root! };
}

/** Tells the handler of each element; what is told before a fault is found is to be thrown away. */
export function scanXml(
  bytes: Uint8Array,
  handler: XmlHandler,
  options: XmlOptions = {},
): XmlFault | undefined {
  const scanner = new XmlScanner(handler, options);
  return scanner.push(bytes) ?? scanner.end();
}

/** The attribute without namespace of that name. */
export function attributeOf(tag: XmlTag, name: string): string | undefined {
  return tag.attributes.find((attribute) => attribute.name === name && attribute.namespace === '')
    ?.value;
}

/** Makes a tree of what it is told: of a document, or of one element and what is in it. */
export class XmlTree implements XmlHandler {
  root: XmlElement | undefined;
  readonly #open: XmlElement[] = [];

  open(tag: XmlTag): undefined {
    const element: XmlElement = { ...tag, children: [], text: '' };
    const parent = this.#open.at(-1);
    if (parent) {
      parent.children.push(element);
      parent.text = '';
    }
    this.root ??= element;
    this.#open.push(element);
  }

  text(text: string): void {
    const element = this.#open.at(-1);
    if (element && element.children.length === 0) element.text += text;
  }

  close(): void {
    this.#open.pop();
  }
}
