/** Strict XML, and what of the DCC User Interface is read from it: inventory answers, signed requests. */
import fc from 'fast-check';
import { INVENTORY_CODES } from '../../src/duis/codes.ts';
import { combinationDevices, parseInventoryResponse } from '../../src/duis/inventory.ts';
import { REQUEST_CODES } from '../../src/duis/request-codes.ts';
import { readServiceRequest } from '../../src/duis/request-reader.ts';
import { TRUST_CODES } from '../../src/trust/codes.ts';
import { XML_SIGNATURE_CODES } from '../../src/trust/xml-signature-profile.ts';
import { XML_CODES } from '../../src/xml/codes.ts';
import { parseXml, type XmlElement } from '../../src/xml/strict-xml.ts';
import { REQUESTS, requestXml, SIGNERS } from '../duis/requests.ts';
import { signNaively } from '../trust/naive-xml-signature.ts';
import { ACCEPTED, type Answer, expectOk, type Family, hold, refusedBy, utf8 } from './target.ts';

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

const SIGNED = Object.values(REQUESTS).map((spec) => utf8(signNaively(requestXml(spec))));
const SIGNED_REQUESTS = SIGNED.map((bytes) => readRequest(bytes));

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
    { name: 'DUIS request', good: SIGNED, words: WORDS, read: readSigned },
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

function readSigned(bytes: Uint8Array): Answer {
  const result = readServiceRequest(bytes, SIGNERS);
  if (!result.ok) {
    hold(result.line >= 1 && result.column >= 1, 'a place is from 1');
    hold(!('request' in result), 'a refusal has no document');
    const codes = { ...REQUEST_CODES, ...XML_SIGNATURE_CODES, ...TRUST_CODES, ...XML_CODES };
    return refusedBy(codes, result.code);
  }
  hold(SIGNED_REQUESTS.includes(readRequest(bytes)), 'what is read is what was signed');
  return ACCEPTED;
}

/** As one text that is compared. */
function readRequest(bytes: Uint8Array): string {
  const { request } = expectOk(readServiceRequest(bytes, SIGNERS));
  return JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
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
