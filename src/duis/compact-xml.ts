/**
 * XML as the DCC User Interface wants it: no white space between elements and no declaration. It is
 * in canonical form as it stands (Canonical XML 1.0: spelling of characters, end tags, order of
 * namespaces and attributes), so that whoever signs it digests these very characters.
 */

/** Of elements that are escaped already. */
export type Xml = string;

export function element(name: string, content: Xml, attributes: Xml = ''): Xml {
  return `<${name}${attributes}>${content}</${name}>`;
}

export function textElement(name: string, text: string, attributes: Xml = ''): Xml {
  return element(name, escapeXml(text), attributes);
}

export function optionalElement(name: string, text: string | undefined): Xml {
  return text === undefined ? '' : textElement(name, text);
}

/** With the blank before it. */
export function attribute(name: string, value: string): Xml {
  return ` ${name}="${escapeAttribute(value)}"`;
}

/** xs:dateTime in UTC with milliseconds, as published responses have it. */
export function dateTimeText(ms: number): string {
  return new Date(ms).toISOString();
}

export function base64Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** xs:hexBinary, upper case. */
export function hexText(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

/** At most so many characters, none of them cut in two. */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const last = text.charCodeAt(charactersMax - 1);
  return text.slice(0, isHighSurrogate(last) ? charactersMax - 1 : charactersMax);
}

/**
 * A device may have said it: what XML has no way to write becomes U+FFFD. A carriage return is
 * written as a reference, since a reader takes a bare one for a line feed.
 */
function escapeXml(text: string): Xml {
  if (PLAIN.test(text)) return text;
  return legal(text).replace(/[&<>\r]/g, (char) => ESCAPED[char]!);
}

/**
 * In attributes a reader turns tabs and line feeds into blanks, too; canonical XML leaves `>`
 * there.
 */
function escapeAttribute(text: string): Xml {
  return legal(text).replace(/[&<"\t\n\r]/g, (char) => ESCAPED[char]!);
}

const PLAIN = /^[A-Za-z0-9 ,.:+/=_-]*$/;

const ESCAPED: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};

function legal(text: string): string {
  return text.toWellFormed().replace(NO_XML_CHARACTER, '\ufffd');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what XML 1.0 has no way to write
const NO_XML_CHARACTER = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
