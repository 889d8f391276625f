/** The strict reader: each kind of document that is refused, by its code, and what is read of the others. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { XML_CODES } from '../../src/xml/codes.ts';
import { XmlScanner } from '../../src/xml/scanner.ts';
import { attributeOf, parseXml, scanXml, type XmlOptions } from '../../src/xml/strict-xml.ts';

const test = suite('strict XML');
const bytesOf = (text: string) => new TextEncoder().encode(text);

function codeOf(document: string | Uint8Array, options?: XmlOptions): string {
  const parsed = parseXml(typeof document === 'string' ? bytesOf(document) : document, options);
  return parsed.ok ? 'ok' : parsed.code;
}

const LAUGHS =
  '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;"><!ENTITY n "&m;&m;&m;&m;">]><a>&n;</a>';

const REFUSED: [name: string, document: string | Uint8Array, code: string, options?: XmlOptions][] =
  [
    ['nothing', '', 'xml-malformed'],
    ['a DOCTYPE alone', '<!DOCTYPE a><a/>', 'xml-doctype'],
    ['a DOCTYPE in lower case', '<!doctype a><a/>', 'xml-malformed'],
    ['billion laughs', LAUGHS, 'xml-doctype'],
    [
      'a file entity',
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      'xml-doctype',
    ],
    ['a parameter entity', '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://x/">%p;]><a/>', 'xml-doctype'],
    ['an external DTD', '<!DOCTYPE a SYSTEM "http://x/y.dtd"><a/>', 'xml-doctype'],
    ['an entity nobody declared', '<a>&b;</a>', 'xml-malformed'],
    ['XML 1.1', '<?xml version="1.1"?><a/>', 'xml-version'],
    ['XML 2.0', '<?xml version="2.0"?><a/>', 'xml-malformed'],
    ['UTF-16 declared', '<?xml version="1.0" encoding="UTF-16"?><a/>', 'xml-encoding'],
    ['Latin-1 declared', '<?xml version="1.0" encoding="ISO-8859-1"?><a/>', 'xml-encoding'],
    [
      'UTF-16 used',
      new Uint8Array([0xff, 0xfe, 0x3c, 0, 0x61, 0, 0x2f, 0, 0x3e, 0]),
      'xml-not-utf-8',
    ],
    ['a lone byte above 0x7F', new Uint8Array([0x3c, 0x61, 0x3e, 0xe9]), 'xml-not-utf-8'],
    ['two byte order marks', '\ufeff\ufeff<a/>', 'xml-encoding'],
    ['a reference past Unicode', '<a>&#9999999;</a>', 'xml-malformed'],
    ['a reference to NUL', '<a>&#0;</a>', 'xml-malformed'],
    ['a reference to a control character', '<a>&#1;</a>', 'xml-malformed'],
    ['a raw control character', '<a>\u0001</a>', 'xml-malformed'],
    [']]> in a text', '<a>]]></a>', 'xml-malformed'],
    ['an attribute twice', '<a b="1" b="2"/>', 'xml-malformed'],
    [
      'an attribute twice by two prefixes',
      '<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>',
      'xml-malformed',
    ],
    ['an unquoted attribute', '<a b=1/>', 'xml-malformed'],
    ['an unbound prefix', '<p:a/>', 'xml-malformed'],
    ['a prefix bound to nothing', '<a xmlns:p="" p:b=""/>', 'xml-malformed'],
    ['blanks around a namespace', '<a xmlns=" urn:a"/>', 'xml-malformed'],
    ['two roots', '<a/><b/>', 'xml-malformed'],
    ['text after the root', '<a/>b', 'xml-malformed'],
    ['a tag left open', '<a><b></b>', 'xml-malformed'],
    ['a wrong end tag', '<a></b>', 'xml-malformed'],
    ['an Id twice', '<a><b Id="x"/><c Id="x"/></a>', 'xml-duplicate-id'],
    ['an Id in two spellings', '<a Id="x"><b ID="x"/></a>', 'xml-duplicate-id'],
    ['an xml:id twice', '<a xml:id="x"><b xml:id="x"/></a>', 'xml-duplicate-id'],
    ['CDATA', '<a><![CDATA[b]]></a>', 'xml-cdata'],
    ['empty CDATA inside a text', '<a>b<![CDATA[]]>c</a>', 'xml-cdata'],
    ['a comment inside a text', '<a>b<!-- -->c</a>', 'xml-split-text'],
    ['a comment before a text', '<a><!-- -->b</a>', 'xml-split-text'],
    ['a comment after a text', '<a>b<!-- --></a>', 'xml-split-text'],
    ['an instruction inside a text', '<a>b<?p?>c</a>', 'xml-split-text'],
    ['text before an element', '<a>b<c/></a>', 'xml-mixed-text'],
    ['text after an element', '<a><c/>b</a>', 'xml-mixed-text'],
    ['depth 65', `${'<a>'.repeat(65)}${'</a>'.repeat(65)}`, 'xml-too-deep'],
    ['depth 200,000', '<a>'.repeat(200_000), 'xml-too-deep'],
    [
      'too many elements',
      `<a>${'<b/>'.repeat(5)}</a>`,
      'xml-too-many-elements',
      { limits: { elementsMax: 5 } },
    ],
    [
      'too many attributes',
      '<a b="" c="" d=""/>',
      'xml-too-many-attributes',
      { limits: { attributesMax: 2 } },
    ],
    ['too long a text', '<a>bcd</a>', 'xml-text-too-long', { limits: { textCharactersMax: 2 } }],
    [
      'too long an attribute',
      '<a b="cde"/>',
      'xml-text-too-long',
      { limits: { textCharactersMax: 2 } },
    ],
    [
      'a text where none is allowed',
      '<a>b</a>',
      'xml-text-too-long',
      { limits: { textCharactersMax: 0 } },
    ],
    [
      'a million references',
      `<a>${'&#65;'.repeat(1_000_000)}</a>`,
      'xml-text-too-long',
      { limits: { textCharactersMax: 1000 } },
    ],
    ['too many bytes', '<a></a>', 'xml-too-large', { limits: { bytesMax: 6 } }],
  ];

for (const [name, document, code, options] of REFUSED) {
  test(`refused: ${name}`, () => assert.is(codeOf(document, options), code));
}

/** Every element in bulk, put together again. */
function inBulk(document: string | Uint8Array, cut = 0): { code: string; texts: string[] } {
  const texts: string[] = [];
  const scanner = new XmlScanner({
    open: () => 'bulk',
    text: (text) => void texts.push(text),
    bulk: (piece) => void texts.push(new TextDecoder().decode(piece)),
    close: () => {},
  });
  const bytes = typeof document === 'string' ? bytesOf(document) : document;
  const fault =
    scanner.push(bytes.subarray(0, cut)) ?? scanner.push(bytes.subarray(cut)) ?? scanner.end();
  return { code: fault?.code ?? 'ok', texts };
}

const BULK_REFUSED: [name: string, document: string, code: string][] = [
  ['a reference', '<a>QU&#74;D</a>', 'xml-bulk-character'],
  [']]>', '<a>QUJD]]></a>', 'xml-bulk-character'],
  ['a letter that is none of base64', '<a>QUé=</a>', 'xml-bulk-character'],
  ['an element', '<a>QUJD<b/></a>', 'xml-mixed-text'],
  ['text after an element', '<a><b/>QUJD</a>', 'xml-mixed-text'],
  ['a comment inside', '<a>QU<!-- -->JD</a>', 'xml-split-text'],
  ['a comment before', '<a><!-- -->QUJD</a>', 'xml-split-text'],
  ['a comment after', '<a>QUJD<!-- --></a>', 'xml-split-text'],
  ['an instruction inside', '<a>QU<?p?>JD</a>', 'xml-split-text'],
  ['CDATA', '<a>QU<![CDATA[JD]]></a>', 'xml-cdata'],
  ['no end', '<a>QUJD', 'xml-malformed'],
  ['another end', '<a>QUJD</b>', 'xml-malformed'],
];

for (const [name, document, code] of BULK_REFUSED) {
  test(`refused in bulk, however it is cut: ${name}`, () => {
    for (let cut = 0; cut <= bytesOf(document).length; cut++) {
      assert.is(inBulk(document, cut).code, code, `${cut}`);
    }
  });
}

test('text in bulk comes as it stands, with line ends made one', () => {
  const document = '<a x=">"> \r\n<b>QU\r\nJD\rRE\n\r\rVG</b> <c/>\r</a>';
  for (let cut = 0; cut <= document.length; cut++) {
    const { code, texts } = inBulk(document, cut);
    assert.is(code, 'ok');
    assert.is(texts.join(''), ' \nQU\nJD\nRE\n\n\nVG \n', `${cut}`);
  }
});

test('text in bulk is counted for places', () => {
  const handler = { open: () => 'bulk' as const, text() {}, bulk() {}, close() {} };
  const fault = scanXml(bytesOf('<a>\n<b>QUJD\r\nQU</b><c>QUJD</d></a>'), handler);
  assert.equal([fault?.line, fault?.column], [3, '</b><c>QUJD</d>'.length + 3]);
});

test('a document that is pushed in pieces is the same document', () => {
  const whole = bytesOf(
    '\ufeff<?xml version="1.0"?>\r\n<a b="é\r\n">\r\n<c>ü&amp;😀</c><?p q?></a>',
  );
  const heard = (cut: number) => {
    const events: string[] = [];
    const scanner = new XmlScanner({
      open({ name, attributes }) {
        events.push(`<${name} ${attributes[0]?.value}`);
        return undefined;
      },
      text: (text) => void events.push(text),
      close: () => void events.push('>'),
      instruction: (target, data) => void events.push(`?${target} ${data}`),
    });
    assert.is(scanner.push(whole.slice(0, cut)) ?? scanner.push(whole.slice(cut)), undefined);
    assert.is(scanner.end(), undefined);
    return events;
  };
  const first = heard(0);
  assert.equal(first, ['<a é ', '\n', '<c undefined', 'ü&😀', '>', '?p q', '>']);
  for (let cut = 1; cut <= whole.length; cut++) assert.equal(heard(cut), first, `${cut}`);
});

test('after the end there is nothing; after a fault, the same fault', () => {
  const handler = { open: () => undefined, text() {}, close() {} };
  const whole = new XmlScanner(handler);
  assert.is(whole.push(bytesOf('<a/>')) ?? whole.end(), undefined);
  assert.throws(() => whole.push(bytesOf(' ')), /nothing comes after the end/);
  assert.throws(() => whole.end(), /ends once/);
  const bad = new XmlScanner(handler);
  const fault = bad.push(bytesOf('<a></b>'));
  assert.is(fault?.code, 'xml-malformed');
  assert.is(bad.push(bytesOf('<a/>')), fault);
  assert.is(bad.end(), fault);
});

test('every code has a document that is refused by it', () => {
  const shown = new Set([...REFUSED, ...BULK_REFUSED].map(([, , code]) => code));
  assert.equal(
    Object.keys(XML_CODES).filter((code) => !shown.has(code)),
    [],
  );
});

test('a document is read with its namespaces, attributes, texts and places', () => {
  const parsed = parseXml(
    bytesOf(
      '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<!-- before -->\n' +
        '<p:a xmlns:p="urn:one" xmlns="urn:two" Id="i" p:x="1">\n  <b>t &amp; &#x41;</b>\n' +
        '  <!-- between --><c/>\n</p:a>\n<?after?>',
    ),
  );
  assert.ok(parsed.ok);
  const { root } = parsed;
  assert.equal([root.namespace, root.name, root.prefix], ['urn:one', 'a', 'p']);
  assert.is(attributeOf(root, 'Id'), 'i');
  assert.is(attributeOf(root, 'x'), undefined, 'that one has a namespace');
  assert.equal(
    root.children.map(({ namespace, name, text, line }) => [namespace, name, text, line]),
    [
      ['urn:two', 'b', 't & A', 4],
      ['urn:two', 'c', '', 5],
    ],
  );
  assert.is(root.text, '');
});

test('an Id may repeat where the caller says so', () => {
  assert.is(codeOf('<a id="1"><b id="1"/></a>', { uniqueIds: false }), 'ok');
});

test('a fault says where', () => {
  const parsed = parseXml(bytesOf('<a>\n\n  <b></c>\n</a>'));
  assert.ok(!parsed.ok && parsed.line === 3);
});

test('every truncation of a document ends in a fault', () => {
  const whole = bytesOf('<?xml version="1.0"?><a b="é"><c>ü</c><d/></a>');
  assert.is(codeOf(whole), 'ok');
  for (let length = 0; length < whole.length; length++) {
    assert.is.not(codeOf(whole.subarray(0, length)), 'ok', `${length}`);
  }
});

test('whatever the bytes, there is an answer and no exception', () => {
  const piece = fc.constantFrom(
    '<a>',
    '</a>',
    '<b c="d"/>',
    '&lt;',
    '&#65;',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?x',
    '?>',
    '<!DOCTYPE a>',
    ' Id="x"',
    'text',
    '\ufeff',
    '<',
    '>',
    '"',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (pieces) => {
      codeOf(pieces.join(''));
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void codeOf(bytes)));
});

test('an error of the handler is not taken for a fault of the document', () => {
  const failing = {
    open: (): undefined => {
      throw new TypeError('ours');
    },
    text: () => {},
    close: () => {},
  };
  assert.throws(() => scanXml(bytesOf('<a/>'), failing), TypeError);
});

test.run();
