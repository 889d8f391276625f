/** Strict XML, and the inventory answers of the DCC that are read from it. */
import fc from 'fast-check';
import { INVENTORY_CODES } from '../../src/duis/codes.ts';
import { combinationDevices, parseInventoryResponse } from '../../src/duis/inventory.ts';
import { XML_CODES } from '../../src/xml/codes.ts';
import { parseXml, type XmlElement } from '../../src/xml/strict-xml.ts';
import { ACCEPTED, type Answer, type Family, hold, refusedBy, utf8 } from './target.ts';

const DEPTH_MAX = 20;
const NAMESPACE = 'http://www.dccinterface.co.uk/ServiceUserGateway';
const WORDS = [
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '<![CDATA[a]]>',
  '<!--a-->',
  '<?a b?>',
  '&amp;',
  '&b;',
  '&#x10FFFF;',
  '&#0;',
  '\ufeff',
  'xmlns:sr=""',
  'xml:id="a"',
  ' Id="a"',
  '<a>',
  '</a>',
  '<sr:Device>',
];
const device = (id: string, type: string) =>
  `<sr:Device><sr:DeviceID>${id}</sr:DeviceID><sr:DeviceType>${type}</sr:DeviceType>` +
  '<sr:DeviceStatus>Commissioned</sr:DeviceStatus><sr:DeviceManufacturer>A001' +
  '</sr:DeviceManufacturer><sr:DeviceModel>00010100</sr:DeviceModel>' +
  '<sr:DeviceFirmwareVersion>00000001</sr:DeviceFirmwareVersion></sr:Device>';
const INVENTORY = utf8(
  `<?xml version="1.0" encoding="UTF-8"?><sr:Response xmlns:sr="${NAMESPACE}" ` +
    'schemaVersion="5.1"><sr:Body><sr:ResponseMessage><sr:DSPInventory>' +
    device('AA-00-00-00-00-00-00-01', 'CHF') +
    device('aa-00-00-00-00-00-00-02', 'ESME') +
    '</sr:DSPInventory></sr:ResponseMessage></sr:Body></sr:Response>',
);
const DOCUMENT = utf8(
  '<?xml version="1.0"?>\n<a xmlns="urn:a" xmlns:b="urn:b" b:c="d" Id="1"><!-- e -->' +
    '<b:f g="&lt;">text &amp; more</b:f><h/>\n<i Id="2"> </i></a>',
);

export const XML: Family = {
  name: 'xml',
  targets: [
    {
      name: 'strict XML',
      good: [DOCUMENT, INVENTORY],
      words: WORDS,
      arbitrary: trees(),
      read: readXml,
    },
    { name: 'DUIS inventory', good: [INVENTORY], words: WORDS, read: readInventory },
  ],
};

function readXml(bytes: Uint8Array): Answer {
  const parsed = parseXml(bytes, { limits: { depthMax: DEPTH_MAX, elementsMax: 20_000 } });
  if (!parsed.ok) {
    hold(parsed.line >= 1 && parsed.column >= 1, 'a place is from 1');
    return refusedBy(XML_CODES, parsed.code);
  }
  checkTree(parsed.root, 1);
  return ACCEPTED;
}

function checkTree({ children, text, name }: XmlElement, depth: number): void {
  hold(depth <= DEPTH_MAX, 'no deeper than allowed');
  hold(name !== '' && (children.length === 0 || text === ''), 'no text beside elements');
  for (const child of children) checkTree(child, depth + 1);
}

function readInventory(bytes: Uint8Array): Answer {
  const parsed = parseInventoryResponse(bytes);
  if (!parsed.ok) return refusedBy({ ...INVENTORY_CODES, ...XML_CODES }, parsed.code);
  const { devices, unresolved } = combinationDevices(parsed.devices);
  hold(
    parsed.devices.every(({ deviceId }) => /^[0-9a-f]{16}$/.test(deviceId)),
    'an id is an EUI-64',
  );
  hold(devices.length + unresolved.length <= parsed.devices.length, 'none is counted twice');
  return ACCEPTED;
}

/** Well-formed and nearly so. */
function trees(): fc.Arbitrary<Uint8Array> {
  const name = fc.constantFrom('a', 'b:c', 'xml:d', 'xmlns:e', 'é', '1');
  const text = fc.oneof(fc.constantFrom(' ', '&amp;', ']]>', '&#65;', '<!-- -->'), fc.string());
  const { tree } = fc.letrec<{ tree: string; node: string }>((tie) => ({
    tree: fc
      .tuple(name, fc.array(tie('node'), { maxLength: 3 }))
      .map(([tag, inside]) => `<${tag} xmlns:b="u" Id="${tag}">${inside.join('')}</${tag}>`),
    node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, text, tie('tree')),
  }));
  return tree.map(utf8);
}
