/**
 * Canonical forms: golden ones, of inputs of our own for each rule of the two recommendations; the
 * published vector of our facts; and those of `xml-crypto` and its DOM, for documents made by rule.
 */
import { createHash } from 'node:crypto';
import { DOMParser } from '@xmldom/xmldom';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { C14nCanonicalization, ExclusiveCanonicalization } from 'xml-crypto';
import { type CanonicalForm, CanonicalWriter } from '../../src/xml/canonical.ts';
import type { XmlTag } from '../../src/xml/scanner.ts';
import { scanXml, XmlTree } from '../../src/xml/strict-xml.ts';

const test = suite('canonical XML');
const utf8 = (text: string) => new TextEncoder().encode(text);

function gathering() {
  const pieces: Buffer[] = [];
  const sink = { update: (bytes: Uint8Array) => pieces.push(Buffer.from(bytes)) };
  return { sink, text: () => Buffer.concat(pieces).toString('utf8') };
}

function canonical(document: string, form: CanonicalForm): string {
  const { sink, text } = gathering();
  const writer = new CanonicalWriter(sink, form);
  const fault = scanXml(utf8(document), writer);
  assert.is(fault, undefined, JSON.stringify(fault));
  writer.finish();
  return text();
}

// ---- golden ---------------------------------------------------------------------------------------------

const GOLDEN: [rule: string, document: string, inclusive: string, exclusive?: string][] = [
  ['the declaration goes', '<?xml version="1.0" encoding="UTF-8"?>\n<a/>', '<a></a>'],
  ['a byte order mark goes', '\ufeff<a/>', '<a></a>'],
  ['comments go', '<!-- b --><a><b/><!-- c --></a><!-- d -->', '<a><b></b></a>'],
  ['instructions stay', '<?p?>\n<a><?q  r s ?></a> <?t u?>', '<?p?>\n<a><?q r s ?></a>\n<?t u?>'],
  ['an empty element has two tags', '<a ><b\n/></a >', '<a><b></b></a>'],
  ['white space in the root stays', '<a>\n <b/>\t</a>', '<a>\n <b></b>\t</a>'],
  ['line ends are line feeds', '<a>b\r\nc\rd</a>', '<a>b\nc\nd</a>'],
  ['a carriage return that was referred to', '<a>b&#13;&#xA;c</a>', '<a>b&#xD;\nc</a>'],
  ['text is escaped', `<a>&lt;&gt;&amp;"'&#9;</a>`, `<a>&lt;&gt;&amp;"'\t</a>`],
  [
    'attributes are escaped',
    `<a b='&lt;>&amp;"&apos;&#9;&#10;&#13;'/>`,
    `<a b="&lt;>&amp;&quot;'&#x9;&#xA;&#xD;"></a>`,
  ],
  ['white space in an attribute is blanks', '<a b="c\td\n\r\ne"/>', '<a b="c d  e"></a>'],
  ['references are characters', '<a>&#x41;&#233;&#x1F600;</a>', '<a>Aé😀</a>'],
  [
    'attributes are sorted by namespace, then name',
    '<a xmlns:z="urn:1" xmlns:y="urn:2" y:a="1" z:b="2" z:a="3" c="4" b="5"/>',
    '<a xmlns:y="urn:2" xmlns:z="urn:1" b="5" c="4" z:a="3" z:b="2" y:a="1"></a>',
  ],
  [
    'namespaces are sorted by prefix, the default first',
    '<a xmlns:c="urn:3" xmlns="urn:1" xmlns:b="urn:2"/>',
    '<a xmlns="urn:1" xmlns:b="urn:2" xmlns:c="urn:3"></a>',
    '<a xmlns="urn:1"></a>',
  ],
  [
    'sorted by code points, not by units',
    '<a \uffdc="1" \u{10000}="2"/>',
    '<a \uffdc="1" \u{10000}="2"></a>',
  ],
  [
    'what is in force is not declared again',
    '<b:a xmlns:b="urn:1"><b:c xmlns:b="urn:1"/></b:a>',
    '<b:a xmlns:b="urn:1"><b:c></b:c></b:a>',
  ],
  [
    'a prefix that is bound anew, and back',
    '<b:a xmlns:b="urn:1"><b:c xmlns:b="urn:2"><b:d xmlns:b="urn:1"/></b:c><b:e/></b:a>',
    '<b:a xmlns:b="urn:1"><b:c xmlns:b="urn:2"><b:d xmlns:b="urn:1"></b:d></b:c><b:e></b:e></b:a>',
  ],
  [
    'the default namespace is taken back',
    '<a xmlns="urn:1"><b xmlns=""><c xmlns=""/></b></a>',
    '<a xmlns="urn:1"><b xmlns=""><c></c></b></a>',
  ],
  ['one that is empty from the start', '<a xmlns=""><b/></a>', '<a><b></b></a>'],
  [
    'unused ones: inclusive where they are declared, exclusive nowhere',
    '<a xmlns:b="urn:1" xmlns:c="urn:2"><b:d/><b:e c:f="g"/></a>',
    '<a xmlns:b="urn:1" xmlns:c="urn:2"><b:d></b:d><b:e c:f="g"></b:e></a>',
    '<a><b:d xmlns:b="urn:1"></b:d><b:e xmlns:b="urn:1" xmlns:c="urn:2" c:f="g"></b:e></a>',
  ],
  [
    'a default namespace that nobody uses where it stands',
    '<b:a xmlns:b="urn:1" xmlns="urn:2"><b:c><d/></b:c></b:a>',
    '<b:a xmlns="urn:2" xmlns:b="urn:1"><b:c><d></d></b:c></b:a>',
    '<b:a xmlns:b="urn:1"><b:c><d xmlns="urn:2"></d></b:c></b:a>',
  ],
  [
    'the prefix xml needs no declaration, and gets none',
    '<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="en" b="c"/>',
    '<a b="c" xml:lang="en"></a>',
  ],
  [
    'namespace names are escaped',
    '<a xmlns="urn:&amp;&quot;&lt;"/>',
    '<a xmlns="urn:&amp;&quot;&lt;"></a>',
  ],
];

for (const [rule, document, inclusive, exclusive = inclusive] of GOLDEN) {
  test(rule, () => {
    assert.is(canonical(document, 'inclusive'), inclusive);
    assert.is(canonical(document, 'exclusive'), exclusive);
    assert.is(canonical(inclusive, 'inclusive'), inclusive, 'of itself');
  });
}

test('an element apart from its document', () => {
  const tree = new XmlTree();
  scanXml(
    utf8(
      '<a:x xmlns:a="urn:1" xmlns:b="urn:2" xmlns="urn:3"><y xmlns:b="urn:4"><b:z c="d"/></y></a:x>',
    ),
    tree,
  );
  const x = tree.root!;
  const y = x.children[0]!;
  const apart = (form: CanonicalForm, element: XmlTag, ancestors: XmlTag[]) => {
    const { sink, text } = gathering();
    const writer = new CanonicalWriter(sink, form, ancestors);
    writer.open(element);
    writer.close();
    writer.finish();
    return text();
  };
  const z = y.children[0]!;
  assert.is(apart('exclusive', z, [x, y]), '<b:z xmlns:b="urn:4" c="d"></b:z>');
  assert.is(
    apart('inclusive', z, [x, y]),
    '<b:z xmlns="urn:3" xmlns:a="urn:1" xmlns:b="urn:4" c="d"></b:z>',
  );
});

test('text of any length is written whole, and text in bulk where it belongs', () => {
  const long = 'é&amp;a'.repeat(20_000);
  assert.is(canonical(`<a>${long}</a>`, 'inclusive'), `<a>${long}</a>`);
  const { sink, text } = gathering();
  const writer = new CanonicalWriter(sink, 'inclusive');
  const asked = {
    open(tag: XmlTag) {
      writer.open(tag);
      return 'bulk' as const;
    },
    text: (run: string) => writer.text(run),
    bulk: (piece: Uint8Array) => writer.bulk(piece),
    close: () => writer.close(),
  };
  assert.is(scanXml(utf8('<a>QUJD\r\nREVG\rR0g=</a>'), asked), undefined);
  writer.finish();
  assert.is(text(), '<a>QUJD\nREVG\nR0g=</a>');
});

// ---- the vector -----------------------------------------------------------------------------------------

const sha256 = (text: string) => createHash('sha256').update(text);
/** facts/duis.md, section 7. */
const REQUEST = [
  '<sr:Request xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
  ' schemaVersion="3.1"><sr:Header><sr:RequestID>02-55-50-4C-46-54-00-01:02-55-50-4C-46-54-10-01:1700000000002</sr:RequestID>',
  '<sr:CommandVariant>1</sr:CommandVariant><sr:ServiceReference>11.2</sr:ServiceReference>',
  '<sr:ServiceReferenceVariant>11.2</sr:ServiceReferenceVariant></sr:Header>',
  '<sr:Body><sr:ReadFirmwareVersion></sr:ReadFirmwareVersion></sr:Body></sr:Request>',
].join('');

test('the vector of a request: the two forms differ by a namespace that is not used', () => {
  const inclusive = canonical(REQUEST, 'inclusive');
  assert.is(inclusive, REQUEST);
  assert.is(inclusive.length, 488);
  assert.is(sha256(inclusive).digest('base64'), 'A6AZ61aTrpnLaQ3TitdOzg4pdU3nqkdqMiZF98ERu8w=');
  const exclusive = canonical(REQUEST, 'exclusive');
  assert.is(exclusive.length, 434);
  assert.is(sha256(exclusive).digest('base64'), 'wjRAL4CgTRI47+dAh3Dl1WDuWIE0Q8t6FYDCYoLP2Kc=');
});

// ---- another implementation -----------------------------------------------------------------------------

function oracle(document: string, form: CanonicalForm): string {
  const algorithm =
    form === 'inclusive' ? new C14nCanonicalization() : new ExclusiveCanonicalization();
  const { documentElement } = new DOMParser().parseFromString(document, 'text/xml');
  return algorithm.process(documentElement as never, {} as never) as string;
}

const PREFIXES = ['p', 'q', 'r'] as const;
const NAME = fc.constantFrom('a', 'b', 'c', '\u00c9', 'x-1');
const PREFIX = fc.constantFrom('', ...PREFIXES);
/** Without `&`: the other one does not escape the name of a namespace. */
const URI = fc.constantFrom('urn:1', 'urn:2', 'http://x/?a', 'urn:\u00e9');
const TEXT = fc
  .array(
    fc.constantFrom(
      't',
      '&amp;',
      '&lt;',
      '&gt;',
      '&quot;',
      '&#13;',
      '&#9;',
      '&#10;',
      "'",
      '\u{1f600}',
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''));
const ATTRIBUTES = fc.uniqueArray(fc.tuple(PREFIX, NAME, TEXT), {
  selector: ([, name]) => name,
  maxLength: 4,
});

/** Every prefix is bound at the root; the default namespace and each prefix may be bound anew. */
function documents(): fc.Arbitrary<string> {
  const { node } = fc.letrec<{ node: string }>((tie) => ({
    node: fc
      .record({
        prefix: PREFIX,
        name: NAME,
        bound: fc.dictionary(PREFIX, URI, { maxKeys: 2 }),
        attributes: ATTRIBUTES,
        inside: fc.oneof({ depthSize: 'small' }, TEXT, fc.array(tie('node'), { maxLength: 3 })),
      })
      .map(({ prefix, name, bound, attributes, inside }) => {
        const tag = prefix === '' ? name : `${prefix}:${name}`;
        const declared = Object.entries(bound).map(([of, uri]) => declaration(of, uri));
        // Two prefixes of one namespace would make two attributes one: each has a name of its own.
        const own = attributes.map(([of, local, value]) => {
          return `${of === '' ? '' : `${of}:`}${local}="${value}"`;
        });
        const content = typeof inside === 'string' ? inside : inside.join('<!-- -->');
        return `<${[tag, ...declared, ...own].join(' ')}>${content}</${tag}>`;
      }),
  }));
  const bound = PREFIXES.map((prefix, at) => declaration(prefix, `urn:${at}`)).join(' ');
  return fc
    .tuple(URI, node)
    .map(([uri, inside]) => `<root xmlns="${uri}" ${bound}>${inside}</root>`);
}

function declaration(prefix: string, uri: string): string {
  return `${prefix === '' ? 'xmlns' : `xmlns:${prefix}`}="${uri}"`;
}

for (const form of ['inclusive', 'exclusive'] as const) {
  test(`${form}: the same as another implementation writes`, () => {
    fc.assert(
      fc.property(documents(), (document) => {
        assert.is(canonical(document, form), oracle(document, form));
      }),
      { numRuns: 400 },
    );
  });
}

test.run();
