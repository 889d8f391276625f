/** Why an XML document is refused. Codes are never reused. */

export const XML_CODES = {
  'xml-too-large': 'The document is larger than is allowed.',
  'xml-not-utf-8': 'The document is not UTF-8.',
  'xml-encoding':
    'The document names another encoding than UTF-8, or has a second byte order mark.',
  'xml-version': 'The document is not XML 1.0.',
  'xml-doctype': 'The document has a DOCTYPE.',
  'xml-malformed': 'The document is not well-formed XML with namespaces.',
  'xml-too-deep': 'Elements are nested deeper than is allowed.',
  'xml-too-many-elements': 'The document has more elements than are allowed.',
  'xml-too-many-attributes': 'An element has more attributes than are allowed.',
  'xml-text-too-long': 'A text or an attribute is longer than is allowed.',
  'xml-duplicate-id': 'Two elements have one Id.',
  'xml-cdata': 'The document has a CDATA section.',
  'xml-split-text': 'A comment or a processing instruction stands inside of a text.',
  'xml-mixed-text': 'Text stands beside child elements.',
  'xml-bulk-character': 'A character that is neither base64 nor white space stands in base64.',
} as const;

export type XmlCode = keyof typeof XML_CODES;

export interface XmlFault {
  ok: false;
  code: XmlCode;
  message: string;
  /** Both from 1. */
  line: number;
  column: number;
  /** The words of the parser, or the limit that was passed. */
  actual?: string;
}
